"""Zero initialization: the accuracy it ends at, why, and the least change that mends it."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from reportgen.analysis import plotting
from reportgen.config import Config
from reportgen.engine.datasets import DatasetInfo
from reportgen.engine.runs import Probe
from reportgen.experiments import decide, evidence, symmetry
from reportgen.experiments.assignment import network, select
from reportgen.experiments.decide import fixed, probed
from reportgen.experiments.evidence import Claim, Experiment, Figure, Findings, Results, Run
from reportgen.experiments.symmetry import GRADIENT_STEPS, HE, STARTS, ZERO

NETS = {
    "zero": "Zero in both layers",
    "regression": "Logistic regression, from zero",
    "alive": "He hidden, zero output",
    "he": "He in both layers",
}
SILENT = ["zero_relu", "zero_tanh"]
OPENED = [*SILENT, "zero_sigmoid", "zero_hidden_relu", "zero_hidden_tanh", "zero_output"]
GROUPS = ("$W_1$", "$b_1$", "$W_2$", "$b_2$")
BIAS_STEPS = (0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 4000)  # and the last
PRIOR_MARGIN = 0.05  # of a log probability, a twentieth of a share; the batches move it by 0.01
MARGIN = 0.01  # of accuracy; three pairs leave some 0.005 open either way


def runs(config: Config, dataset: DatasetInfo) -> list[Run]:
    """Long trainings of four nets, and the short ones of `symmetry` that are opened up."""
    found = []
    for seed in config.seeds_of("zero_number", full=3):
        he = network(HE, config, dataset, seed)
        he = replace(he, steps=config.pick(full=he.steps, quick=min(he.steps, 750)))
        first, last = (replace(layer, kernel=ZERO) for layer in he.layers)
        looks = (*(step for step in BIAS_STEPS if step < he.steps), he.steps)
        bias = (Probe("output_bias", looks),)
        specs = {
            "zero": replace(he, layers=(first, last), probes=bias),
            "regression": replace(he, layers=(last,), probes=()),
            "alive": replace(he, layers=(he.layers[0], last), probes=()),
            "he": he,
        }
        found += [Run({"arm": arm}, spec) for arm, spec in specs.items()]
        found += [symmetry.start(key, config, dataset, seed) for key in OPENED]
    return found


def analyse(results: Results) -> Findings:
    """The output bias against the class frequencies, and which gradients are exactly zero."""
    nets = {
        arm: {
            name: decide.average(select(results, arm)[name])
            for name in ("test_accuracy", "test_loss", "initial_loss")
        }
        for arm in NETS
    }
    said, errors = results.dataset.described(), _errors(results)
    sd = float(errors.std()) if errors.size else None
    accuracy, loss = nets["zero"]["test_accuracy"], nets["zero"]["test_loss"]
    values = {
        "nets": nets,
        "prior_accuracy": said["majority_test_share"],
        "prior_loss": said["log_prior_loss"],
        "error_sd": sd,
        "largest_error": float(np.abs(errors).max()) if errors.size else None,
        "margin": MARGIN,
        "expected": [
            decide.expected("zero: test accuracy", 0.1135, accuracy, 0.1135, 0.1135),
            decide.expected("zero: test loss", 2.3010, loss, 2.3008, 2.3012),
            decide.expected("zero: sd of the log-prior error", 0.007, sd, 0.004, 0.010),
        ],
    }
    figures = [_draw_priors(results, values["largest_error"]), _draw_autopsy(results)]
    return Findings(values, figures, [_table(nets, said)])


def _priors(dataset: DatasetInfo) -> np.ndarray:
    return np.asarray(np.log(np.array(dataset.train_counts) / dataset.train))


def _errors(results: Results) -> np.ndarray:
    """The zero net's log probabilities less the log priors, after training: (runs, classes)."""
    found = probed(select(results, "zero"), "output_bias", "log_probabilities")
    return np.asarray(np.array(found, dtype=float) - _priors(results.dataset))


def _gradients(rows: pd.DataFrame, step: int) -> np.ndarray:
    """Root mean square gradient of W1, b1, W2 and b2, shape (runs, 4); NaN where a run has none."""
    of = zip(*(probed(rows, "gradients", name, step) for name in ("kernel", "bias")), strict=True)
    squares = [[k[0], b[0], k[1], b[1]] if k else [None] * 4 for k, b in of]
    return np.asarray(np.sqrt(np.array(squares, dtype=float)))


def _draw_priors(results: Results, error: float | None) -> Figure:
    figure, axes = plotting.new(height=3.9)
    priors, names = _priors(results.dataset), results.dataset.class_names
    rows, order = select(results, "zero"), np.argsort(priors, kind="stable")
    steps = [look["step"] for look in rows["probes"].iloc[0]["output_bias"]]
    found = [probed(rows, "output_bias", "log_probabilities", step) for step in steps]
    series = np.array(found, dtype=float)  # (steps, runs, classes)
    colours = [plotting.MUTED] * len(names)
    colours[order[0]], colours[order[-1]] = plotting.SERIES[0], plotting.SERIES[1]
    places, data = plotting.apart(priors, 0.055 * np.ptp(series)), []
    for k, (name, colour) in enumerate(zip(names, colours, strict=True)):
        axes.axhline(priors[k], color=colour, lw=1.1)
        mean, low, high = (of(series[:, :, k], axis=1) for of in (np.mean, np.min, np.max))
        data += [(name, *of, priors[k]) for of in zip(steps, mean, low, high, strict=True)]
        axes.vlines(steps, low, high, color=colour, lw=1)
        axes.plot(steps, mean, color=colour, lw=0.6, alpha=0.6, marker="o", markersize=3)
        axes.annotate(
            name, (1, priors[k]), (1.05, places[k]), xycoords=axes.get_yaxis_transform(),
            textcoords=axes.get_yaxis_transform(), va="center", color=colour,
            arrowprops={"arrowstyle": "-", "color": plotting.MUTED, "lw": 0.6},
        )  # fmt: skip
    axes.set_xscale("symlog", linthresh=1)
    axes.set(xlabel="optimizer steps", ylabel="log softmax of the output bias")
    axes.set_xlim(0, 1.2 * steps[-1])
    return Figure(
        "zero-priors",
        figure,
        f"**From zeros the net's log probabilities end within {fixed(error, 3)} of the logarithms "
        "of the class frequencies.** Points and bars: mean and range over the seeds of the log "
        "softmax of the output bias, a class each, named on the right; lines: logarithms of the "
        "training images' class frequencies. A run answers every image with the class that is "
        "highest in the end.",
        f"Log probabilities of {len(names)} classes over optimizer steps, which leave a common "
        "value for the lines that mark the logarithms of the class frequencies.",
        pd.DataFrame(data, columns=["class", "step", "mean", "low", "high", "log_frequency"]),
    )


def _draw_autopsy(results: Results) -> Figure:
    figure, grid = plotting.new(3, 2, height=4.4)
    data, moving = [], {}
    for axes, key in zip(grid.ravel(), OPENED, strict=True):
        rows = select(results, key)
        sizes = np.array([_gradients(rows, step).mean(axis=0) for step in GRADIENT_STEPS]).T
        plotting.heat(axes, sizes > 0, low=0, high=1.3).axes.set_aspect("auto")
        moving[key] = int((sizes > 0).any(axis=1).sum())
        for (group, column), size in np.ndenumerate(sizes):
            ink = plotting.ON_DARK if size > 0 else plotting.ON_LIGHT
            said = f"{size:.1g}".replace("e-0", "e−")
            axes.text(column, group, said, ha="center", va="center", fontsize=8, color=ink)
            data.append((STARTS[key][0], GROUPS[group], GRADIENT_STEPS[column], size))
        axes.set_xticks(range(len(GRADIENT_STEPS)), GRADIENT_STEPS)
        axes.set_yticks(range(len(GROUPS)), GROUPS)
        axes.set_title("output,\n".join(STARTS[key][0].split("output, ")), fontsize=9)
        axes.tick_params(length=0)
    for axes in grid[1]:
        axes.set_xlabel("optimizer step")
    return Figure(
        "zero-autopsy",
        figure,
        f"**Of {len(GROUPS)} parameter groups, {moving['zero_relu']} ever gets a gradient from "
        f"zeros under ReLU, {moving['zero_tanh']} under tanh and {moving['zero_sigmoid']} under "
        f"sigmoid; with He's draws in the hidden layer, {moving['zero_output']}.** Root mean "
        "square gradient of each group (weights and biases of the hidden and of the output "
        "layer), mean over the seeds; white cells are exactly zero in every run. Above, zeros in "
        "both layers; below, in one.",
        "Six maps of four parameter groups by four steps, each cell exactly zero or not. "
        + "; ".join(f"{STARTS[key][0]}: {count} get a gradient" for key, count in moving.items()),
        pd.DataFrame(data, columns=["start", "group", "step", "rms_gradient"]),
    )


def _table(nets: dict[str, Any], said: dict[str, Any]) -> evidence.Table:
    theory = {"zero": [fixed(said["majority_test_share"]), fixed(said["log_prior_loss"])]}
    rows = []
    for arm, name in NETS.items():
        accuracy, loss = theory.get(arm, ["–", "–"])
        found = [fixed(nets[arm][column]) for column in ("test_accuracy", "test_loss")]
        rows.append([name, found[0], accuracy, found[1], loss])
    return evidence.Table(
        "zero-ends",
        "Where nets with zeros end, means over the seeds. Theory: the share in the test images of "
        "the most frequent training class, and the loss of answering with the training images' "
        "frequencies. The logistic regression is the output layer alone, on the pixels.",
        ("Net", "Test accuracy", "Theory", "Test loss", "Theory"),
        "lrrrr",
        rows,
    )


def _only_last_bias(results: Results) -> evidence.Outcome:
    rows = results.table[results.table["arm"].isin(SILENT)]
    sizes = np.array([_gradients(rows, step) for step in GRADIENT_STEPS])  # (steps, runs, 4)
    only = (sizes[:, :, :3] == 0).all(axis=(0, 2)) & (sizes[:, :, 3] > 0).all(axis=0)
    how = "the gradient of every group but the last bias is exactly zero at each step looked at"
    steps = ", ".join(map(str, GRADIENT_STEPS[:-1])) + f" and {GRADIENT_STEPS[-1]}"
    return decide.always(only, how, steps=steps)


def _learns_priors(results: Results) -> evidence.Outcome:
    errors = np.abs(_errors(results)).max(axis=1)
    how = f"every class's log probability within {PRIOR_MARGIN:g} of its log frequency"
    return decide.always(errors < PRIOR_MARGIN, how, effect=float(errors.max()))


def _accuracies(results: Results, a: str, b: str) -> tuple[pd.Series, dict[str, Any]]:
    """a's accuracy less b's, by seed, and both means for the sentences."""
    found = {arm: decide.by_seed(select(results, arm)) for arm in (a, b)}
    return found[a] - found[b], {a: found[a].mean(), b: found[b].mean(), "margin": MARGIN}


def _not_regression(results: Results) -> evidence.Outcome:
    above, means = _accuracies(results, "regression", "zero")
    return decide.above(above, MARGIN, **means)


def _comes_to_life(results: Results) -> evidence.Outcome:
    above, means = _accuracies(results, "alive", "he")
    return decide.between(above, -MARGIN, MARGIN, **means)


CLAIMS = (
    Claim(
        "zero-only-last-bias",
        "From zeros the units of a ReLU or tanh layer do not learn the same thing; they learn "
        "nothing: at steps {steps} of all {n} runs, the last bias alone has a gradient that is not "
        "exactly zero.",
        "From zeros the units of a ReLU or tanh layer do learn something: in each of {n} runs, "
        "more than the last bias has a gradient at steps {steps}.",
        "From zeros the units of a ReLU or tanh layer learn nothing in {holding} of {n} runs, "
        "where at steps {steps} the last bias alone has a gradient that is not exactly zero.",
        _only_last_bias,
        "zero-autopsy",
    ),
    Claim(
        "zero-learns-priors",
        "What the last bias learns is how frequent the classes are: in all {n} runs its log "
        "probabilities end within {effect:.3f} of the log frequencies.",
        "The last bias does not learn how frequent the classes are: its log probabilities end up "
        "to {effect:.3f} from the log frequencies.",
        "In {holding} of {n} runs the last bias learns how frequent the classes are; its log "
        "probabilities end up to {effect:.3f} from the log frequencies.",
        _learns_priors,
        "zero-priors",
    ),
    Claim(
        "zero-not-regression",
        "Zeros do not reduce the net to a logistic regression: that, itself started from zeros, "
        "reaches {regression:.4f}, and the zero net {zero:.4f}.",
        "Zeros might as well have left a logistic regression: that, itself started from zeros, "
        "reaches {regression:.4f}, and the zero net {zero:.4f}.",
        "Whether zeros leave less than a logistic regression is not settled by {n} pairs: that, "
        "itself started from zeros, reaches {regression:.4f}, and the zero net {zero:.4f}.",
        _not_regression,
        "zero-ends",
    ),
    Claim(
        "zero-comes-to-life",
        "One change brings the net to life: with He's draws in the hidden layer and the output "
        "layer still zero it ends at {alive:.4f}, within {margin:g} of the {he:.4f} of He's draws "
        "in both.",
        "He's draws in the hidden layer, with the output layer still zero, end at {alive:.4f}, "
        "which is not within {margin:g} of the {he:.4f} of He's draws in both.",
        "He's draws in the hidden layer, with the output layer still zero, end at {alive:.4f}; "
        "{n} pairs do not settle whether that is within {margin:g} of the {he:.4f} of He's draws "
        "in both.",
        _comes_to_life,
        "zero-ends",
    ),
)

EXPERIMENT = Experiment(
    number=2,
    name="zero_number",
    title="Zero's number",
    question="At which accuracy does zero initialization end, why exactly there, and what is the "
    "least change that brings the net to life?",
    setup=(
        "The assignment's network and training from zeros, beside a logistic regression from zeros "
        "and nets with He's draws in one layer or both; gradients are taken on validation images."
    ),
    runs=runs,
    analyse=analyse,
    claims=CLAIMS,
)
