"""Equal units: what they learn from zeros and from a constant, and what tells them apart."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from reportgen.analysis import plotting
from reportgen.config import Config, Initializer
from reportgen.engine.datasets import DatasetInfo
from reportgen.engine.runs import Activation, Probe
from reportgen.experiments import decide, evidence
from reportgen.experiments.assignment import network, select
from reportgen.experiments.decide import fixed, probed, text
from reportgen.experiments.evidence import Claim, Experiment, Figure, Findings, Results, Run

ZERO, HE = Initializer.of("Zeros"), Initializer.of("HeNormal")
CONSTANT = Initializer.of("Constant", value=0.05)
# Key -> name, activation and initializer of the hidden layer, initializer of the output layer.
STARTS: dict[str, tuple[str, Activation, Initializer, Initializer]] = {
    "zero_relu": ("Zero, ReLU", "relu", ZERO, ZERO),
    "zero_tanh": ("Zero, tanh", "tanh", ZERO, ZERO),
    "zero_sigmoid": ("Zero, sigmoid", "sigmoid", ZERO, ZERO),
    "constant": ("Constant 0.05, ReLU", "relu", CONSTANT, CONSTANT),
    "zero_hidden_relu": ("Zero hidden, He output, ReLU", "relu", ZERO, HE),
    "zero_hidden_tanh": ("Zero hidden, He output, tanh", "tanh", ZERO, HE),
    "zero_output": ("He hidden, zero output, ReLU", "relu", HE, ZERO),
    "he": ("He, ReLU", "relu", HE, HE),
}
EQUAL = ["constant", "zero_sigmoid"]  # starts whose units are equal but not silent
GRADIENT_STEPS = (0, 1, 2, 100)
KERNEL_STEPS = (0, 1, 2, 10, 100, 300, 700)  # and the last
RANK_ONE = 1e-3  # of second to first singular value; independent draws have nearly 1
NEAR = 0.05  # this near to He's accuracy counts as trained: what does not train ends far below
EXPECTED = {  # accuracies known before, and the range that three seeds may give
    "zero_sigmoid": ("0.245 to 0.266", 0.20, 0.32),
    "constant": ("0.262 to 0.267", 0.24, 0.29),
    "zero_hidden_tanh": ("0.952 to 0.956", 0.948, 0.960),
    "zero_output": ("0.952", 0.948, 0.956),
}


def start(key: str, config: Config, dataset: DatasetInfo, seed: int) -> Run:
    """A short training of the assignment's network from one of the starts."""
    _, activation, hidden, output = STARTS[key]
    steps = config.pick(full=1500, quick=150)
    looks = (*(step for step in KERNEL_STEPS if step < steps), steps)
    probes = (Probe("gradients", GRADIENT_STEPS), Probe("kernels", looks))
    spec = network(HE, config, dataset, seed, steps=steps, probes=probes)
    first, last = spec.layers
    layers = (replace(first, activation=activation, kernel=hidden), replace(last, kernel=output))
    return Run({"arm": key}, replace(spec, layers=layers))


def runs(config: Config, dataset: DatasetInfo) -> list[Run]:
    """Every start with every seed."""
    seeds = config.seeds_of("symmetry", full=3)
    return [start(key, config, dataset, seed) for seed in seeds for key in STARTS]


def analyse(results: Results) -> Findings:
    """How alike the hidden units are, and what that costs."""
    arms = {}
    for key in STARTS:
        rows = select(results, key)
        squares = [of and of[0] for of in probed(rows, "gradients", "kernel", GRADIENT_STEPS[-1])]
        arms[key] = {
            "accuracy": decide.average(rows["test_accuracy"]),
            "cosine": decide.average(probed(rows, "kernels", "cosine")),
            "rank_ratio": decide.average(probed(rows, "kernels", "rank_ratio")),
            "gradient": decide.average(np.sqrt(np.array(squares, dtype=float))),
        }
    expected = [
        decide.expected(f"accuracy: {STARTS[key][0]}", said, arms[key]["accuracy"], low, high)
        for key, (said, low, high) in EXPECTED.items()
    ]
    steps = results.table["spec"].iloc[0]["steps"]
    values = {"arms": arms, "steps": steps, "expected": expected}
    return Findings(values, [_draw(results, arms)], [_table(arms, steps)])


def _draw(results: Results, arms: dict[str, Any]) -> Figure:
    figure, grid = plotting.new(3, 2, height=5.2, height_ratios=(1.2, 1))
    for axes, key in zip(grid[0], (*EQUAL, "he"), strict=True):
        run = select(results, key).iloc[:1]
        name = f"kernels-{probed(run, 'kernels', 'step')[0]}-cosines"
        cosines = results.arrays(run["key"].iloc[0]).get(name, np.zeros((1, 1)))
        image = plotting.heat(axes, cosines, low=0, high=1)
        axes.set(title=STARTS[key][0], xlabel="hidden unit", xticks=(), yticks=())
    figure.colorbar(image, ax=grid[0], label="cosine", extend="min", aspect=14)
    axes, data = plotting.wide(figure, grid[1]), []
    for level, said in ((1, "independent draws"), (2.0**-52, "rank one, but for rounding")):
        axes.axhline(level, color=plotting.INK, lw=1.2, zorder=1)
        axes.text(0.99, level * 8, said, ha="right", transform=axes.get_yaxis_transform())
    for index, key in enumerate((*EQUAL, "he", "zero_output", "zero_hidden_tanh")):
        for seed, probes in select(results, key)[["seed", "probes"]].to_numpy():
            looks = [look for look in probes.get("kernels", ()) if look["rank_ratio"]]
            x, y = ([look[name] for look in looks] for name in ("step", "rank_ratio"))
            label = "" if seed else STARTS[key][0]
            axes.plot(x, y, **plotting.style(index) | {"lw": 1}, alpha=0.8, label=label)
            data += [(STARTS[key][0], seed, *point) for point in zip(x, y, strict=True)]
    axes.set_xscale("symlog", linthresh=1)
    axes.set(yscale="log", xlabel="optimizer steps", ylabel="σ₂ / σ₁", ylim=(1e-17, 1e3))
    axes.set_title("Second singular value of the hidden weights over the first")
    axes.legend(loc="center left", bbox_to_anchor=(0, 0.5))
    ratio = {key: text(arms[key]["rank_ratio"], 1) for key in (*EQUAL, "he")}
    cosine = ", ".join(f"{STARTS[key][0]} {fixed(arms[key]['cosine'], 3)}" for key in ratio)
    return Figure(
        "symmetry",
        figure,
        f"**After training, the second direction in the hidden weights is {ratio['constant']} of "
        f"the first from a constant, {ratio['zero_sigmoid']} from zeros under sigmoid and "
        f"{ratio['he']} from He's draws.** Above: cosines between the incoming weights of every "
        "two hidden units at the end (lowest seed; none and negative are white). Below: second "
        "over first singular value, a line a seed. Equal units have rank one; of independent "
        "draws in a wide layer the two largest are nearly alike.",
        f"Three maps of cosines between hidden units; mean cosine: {cosine}. Below, the ratio of "
        "the two largest singular values over optimizer steps for five starts.",
        pd.DataFrame(data, columns=["start", "seed", "step", "ratio"]),
    )


def _table(arms: dict[str, Any], steps: int) -> evidence.Table:
    rows = [
        [STARTS[key][0], fixed(of["accuracy"]), text(of["gradient"], 2),
         fixed(of["cosine"], 3).replace("-", "−"), text(of["rank_ratio"], 2)]
        for key, of in arms.items()
    ]  # fmt: skip
    return evidence.Table(
        "symmetry-starts",
        f"Starts of the assignment's network, biases zero, after {steps:,} steps; means over the "
        "seeds. The gradient of the hidden weights is its root mean square at step "
        f"{GRADIENT_STEPS[-1]}; cosine between units and second over first singular value, of the "
        "hidden weights at the end, are undefined for zeros.",
        ("Start", "Test accuracy", "Gradient", "Cosine", "σ₂ / σ₁"),
        "lrrrr",
        rows,
    )


def _stays(results: Results) -> evidence.Outcome:
    rows = results.table[results.table["arm"].isin(EQUAL)]
    one = [of is not None and of < RANK_ONE for of in probed(rows, "kernels", "rank_ratio")]
    how = f"second singular value under {RANK_ONE:g} of the first at the end of every run"
    return decide.always(one, how, effect=decide.average(probed(rows, "kernels", "cosine")))


def _below_he(results: Results, key: str) -> tuple[pd.Series, dict[str, float]]:
    """He's accuracy less a start's, by seed, and mean accuracies for the sentences."""
    found = {arm: decide.by_seed(select(results, arm)) for arm in (key, "he", "zero_relu")}
    means = {"start": found[key].mean(), "he": found["he"].mean()}
    return found["he"] - found[key], {**means, "zero": found["zero_relu"].mean()}


def _costs(results: Results) -> evidence.Outcome:
    below, means = _below_he(results, "constant")
    return decide.above(below, NEAR, **means)


def _output_trains(results: Results) -> evidence.Outcome:
    below, means = _below_he(results, "zero_output")
    return decide.between(below, -1, NEAR, **means)


def _hidden_divides(results: Results) -> evidence.Outcome:
    tanh, means = _below_he(results, "zero_hidden_tanh")
    relu, other = _below_he(results, "zero_hidden_relu")
    how = f"for every seed, tanh ends within {NEAR:g} of He and ReLU does not"
    divided = (tanh <= NEAR) & (relu > NEAR)
    return decide.always(divided, how, tanh=means["start"], relu=other["start"])


CLAIMS = (
    Claim(
        "symmetry-stays",
        "Equal units stay equal: from a constant, and from zeros under sigmoid, the hidden layer "
        "still has rank one after training in all {n} runs; the mean cosine is {effect:.4f}.",
        "Equal units do not stay equal here: in none of {n} runs from a constant, or from zeros "
        "under sigmoid, has the hidden layer rank one after training.",
        "Equal units stay equal in some runs only: from a constant, or from zeros under sigmoid, "
        "the hidden layer has rank one after training in {holding} of {n} runs.",
        _stays,
        "symmetry",
    ),
    Claim(
        "symmetry-costs",
        "Equal units are costly: from a constant the network ends at {start:.3f}, where He's start "
        "ends at {he:.3f}.",
        "Equal units cost next to nothing here: from a constant the network ends at {start:.3f}, "
        "where He's start ends at {he:.3f}.",
        "What equal units cost is not settled by {n} pairs: from a constant the network ends at "
        "{start:.3f}, where He's start ends at {he:.3f}.",
        _costs,
        "symmetry-starts",
    ),
    Claim(
        "zero-output-trains",
        "Zeros are not always bad: with zeros in the output layer alone, and in every bias, a "
        "short training reaches {start:.3f}, where He in both layers reaches {he:.3f} and zeros in "
        "both {zero:.3f}.",
        "Zeros in the output layer alone do harm: a short training reaches {start:.3f}, where He "
        "in both layers reaches {he:.3f} and zeros in both {zero:.3f}.",
        "Whether zeros in the output layer alone do harm is not settled by {n} pairs: a short "
        "training reaches {start:.3f}, where He in both layers reaches {he:.3f} and zeros in both "
        "{zero:.3f}.",
        _output_trains,
        "symmetry-starts",
    ),
    Claim(
        "zero-hidden-divides",
        "Below a random output layer, zeros in the hidden layer train with tanh, to {tanh:.3f}, "
        "and not with ReLU, which ends at {relu:.3f}.",
        "Below a random output layer, zeros in the hidden layer do not part tanh from ReLU: they "
        "end at {tanh:.3f} and {relu:.3f}.",
        "Below a random output layer, zeros in the hidden layer end at {tanh:.3f} with tanh and "
        "{relu:.3f} with ReLU; in {holding} of {n} seeds the one trains and the other does not.",
        _hidden_divides,
        "symmetry-starts",
    ),
)

EXPERIMENT = Experiment(
    number=3,
    name="symmetry",
    title="Symmetry",
    question="What do units learn that start equal, and what is enough to tell them apart?",
    setup=(
        "The assignment's network from zeros, a constant or He's draws, in one layer or both, with "
        "ReLU, tanh or sigmoid; a short training by Adam at Keras's defaults."
    ),
    runs=runs,
    analyse=analyse,
    claims=CLAIMS,
)
