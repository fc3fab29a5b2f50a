"""Zero initialization: the accuracy it ends at, why, and the least change that mends it."""

from dataclasses import replace

import numpy as np
import pandas as pd

from reportgen.analysis import plotting
from reportgen.config import Config
from reportgen.engine.datasets import DatasetInfo
from reportgen.engine.runs import Probe
from reportgen.experiments import decide, evidence, symmetry
from reportgen.experiments.assignment import network
from reportgen.experiments.decide import apart, fixed, looks
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
    accuracy, loss = (
        {arm: decide.mean(results.rows(arm=arm)[f"test_{name}"]).mean for arm in NETS}
        for name in ("accuracy", "loss")
    )
    told, errors = results.dataset.described(), _errors(results)
    sizes = {key: _gradients(results, key).mean(axis=0) for key in OPENED}
    values = {
        "accuracy": accuracy,
        "loss": loss,
        "largest_error": np.abs(errors).max(),
        "error_sd": errors.std(),
        "groups": len(GROUPS),
        "moving": {key: (of > 0).any(axis=0).sum() for key, of in sizes.items()},
        "margin": MARGIN,
    }
    rows = [[name, fixed(accuracy[arm]), "–", fixed(loss[arm]), "–"] for arm, name in NETS.items()]
    rows[0][2], rows[0][4] = fixed(told["majority_test_share"]), fixed(told["log_prior_loss"])
    columns = ("Net", "Test accuracy", "Theory", "Test loss", "Theory")
    figures = [_draw_priors(results), _draw_autopsy(sizes)]
    return Findings(values, figures, [evidence.Table("zero-ends", columns, "lrrrr", rows)])


def _log_priors(dataset: DatasetInfo) -> np.ndarray:
    return np.asarray(np.log(np.array(dataset.train_counts) / dataset.train))


def _errors(results: Results) -> np.ndarray:
    """The zero net's log probabilities less the log priors, after training: (runs, classes)."""
    found = looks(results.rows(arm="zero"), "output_bias", "log_probabilities")[:, -1]
    return np.asarray(found - _log_priors(results.dataset))


def _gradients(results: Results, arm: str) -> np.ndarray:
    """Root mean square gradients, shape (runs, steps, groups); NaN after a run diverged."""
    table = results.table  # as a whole: of an arm's runs all may have missed the last look
    squares = np.stack([looks(table, "gradients", of) for of in ("kernel", "bias")], axis=-1)
    found = np.sqrt(squares[table["arm"] == arm])
    return np.asarray(found.reshape(*found.shape[:2], len(GROUPS)))


def _draw_priors(results: Results) -> Figure:
    figure, axes = plotting.new(height=3.9)
    priors, names = _log_priors(results.dataset), results.dataset.class_names
    rows, data = results.rows(arm="zero"), []
    steps = np.nanmax(looks(rows, "output_bias", "step"), axis=0)
    series = looks(rows, "output_bias", "log_probabilities")
    colours = [plotting.MUTED] * len(names)
    colours[priors.argmin()], colours[priors.argmax()] = plotting.SERIES[:2]
    places = plotting.apart(priors, 0.055 * (np.nanmax(series) - np.nanmin(series)))
    for k, (name, colour) in enumerate(zip(names, colours, strict=True)):
        mean, low, high = (of(series[:, :, k], axis=0) for of in (np.nanmean, np.nanmin, np.nanmax))
        drawn = {"class": name, "step": steps, "mean": mean, "low": low, "high": high}
        data.append(pd.DataFrame({**drawn, "log_frequency": priors[k]}))
        axes.axhline(priors[k], color=colour, lw=1.1)
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
    return Figure("zero-priors", figure, pd.concat(data))


def _draw_autopsy(sizes: dict[str, np.ndarray]) -> Figure:
    figure, grid = plotting.new(3, 2, height=4.4)
    data = []
    for axes, (key, found) in zip(grid.ravel(), sizes.items(), strict=True):
        cells = np.vectorize(lambda size: f"{size:.1g}".replace("e-0", "e−"))(found.T)
        plotting.heat(axes, found.T > 0, low=0, high=1.3, cells=cells).axes.set_aspect("auto")
        axes.set_xticks(range(len(GRADIENT_STEPS)), GRADIENT_STEPS)
        axes.set_yticks(range(len(GROUPS)), GROUPS)
        axes.set_title("output,\n".join(STARTS[key][0].split("output, ")), fontsize=9)
        axes.tick_params(length=0)
        drawn = pd.DataFrame(found.T, GROUPS, GRADIENT_STEPS).rename_axis("group").reset_index()
        told = drawn.melt("group", var_name="step", value_name="rms_gradient")
        data.append(told.assign(start=STARTS[key][0]))
    for axes in grid[1]:
        axes.set_xlabel("optimizer step")
    return Figure("zero-autopsy", figure, pd.concat(data))


def _only_last_bias(results: Results) -> evidence.Outcome:
    sizes = np.concatenate([_gradients(results, arm) for arm in SILENT])
    only = (sizes[:, :, :3] == 0).all(axis=(1, 2)) & (sizes[:, :, 3] > 0).all(axis=1)
    how = "the gradient of every group but the last bias is exactly zero at each step looked at"
    return decide.always(only, how, steps=GRADIENT_STEPS)


def _learns_priors(results: Results) -> evidence.Outcome:
    errors = np.abs(_errors(results)).max(axis=1)
    how = f"every class's log probability within {PRIOR_MARGIN:g} of its log frequency"
    return decide.always(errors < PRIOR_MARGIN, how, effect=float(errors.max()))


CLAIMS = (
    Claim("zero-only-last-bias", _only_last_bias, "zero-autopsy"),
    Claim("zero-learns-priors", _learns_priors, "zero-priors"),
    Claim("zero-not-regression", apart(decide.accuracy, "regression", "zero", MARGIN), "zero-ends"),
    Claim(
        "zero-comes-to-life", apart(decide.accuracy, "alive", "he", -MARGIN, MARGIN), "zero-ends"
    ),
)

EXPERIMENT = Experiment(2, "zero_number", runs, analyse, CLAIMS)
