"""Where something else sets the scale: normalization at depth thirty, and residual blocks."""

from typing import Any, Literal

import numpy as np
import pandas as pd

from reportgen.analysis import plotting
from reportgen.config import Config
from reportgen.engine.datasets import DatasetInfo
from reportgen.engine.runs import Layer, Optimizer, Probe, RunSpec
from reportgen.experiments import decide, evidence
from reportgen.experiments.deep_nets import ADAM, ARMS, DEEP, GAIN, WIDTH, network
from reportgen.experiments.evidence import Claim, Experiment, Figure, Findings, Results, Run

Kind = Literal["", "batch", "layer"]
NAMES: dict[Kind, str] = {"": "none", "batch": "BatchNorm", "layer": "LayerNorm"}
SGD, SLOW = Optimizer("sgd", 0.05), Optimizer("adam", 1e-4)
SETTINGS = {"sgd": (SGD, "SGD 0.05"), "adam": (ADAM, "Adam 0.001"), "slow": (SLOW, "Adam 0.0001")}
STARTS = ("he", "third")
PLAN: tuple[tuple[Kind, str], ...] = (
    ("", "sgd"), ("", "adam"), ("batch", "sgd"), ("batch", "adam"),
    ("layer", "sgd"), ("layer", "adam"), ("layer", "slow"),
)  # fmt: skip
SAID: tuple[tuple[Kind, str], ...] = (("", "adam"), ("batch", "adam"), ("layer", "slow"))
BLOCKS, DRAWS = 30, 10
STREAMS: dict[Kind, str] = {"": "plain residual", "layer": "LayerNorm at each branch's entry"}
# Accuracies known from other three seeds, and the range that two standard errors leave.
THEIRS: tuple[tuple[str, str, str, float, float], ...] = (
    ("BatchNorm, SGD", "0.85 to 0.87", "batch_sgd_third", 0.8, 0.92),
    ("BatchNorm, Adam", "0.90 to 0.91", "batch_adam_third", 0.87, 0.94),
    ("LayerNorm, SGD", "chance", "layer_sgd_third", 0.09, 0.16),
    ("LayerNorm, Adam", "chance", "layer_adam_third", 0.09, 0.16),
    ("LayerNorm, Adam at 0.0001", "0.91", "layer_slow_third", 0.89, 0.93),
)
TOLERANCE = 0.15  # of the growth, relative: a third of what would make three into two


def runs(config: Config, dataset: DatasetInfo) -> list[Run]:
    """Trained nets, those without normalization shared with the depth experiment; then streams."""
    trained = [
        Run(
            {"part": "trained", "kind": kind, "setting": setting, "arm": arm},
            network(arm, _depth(config), SETTINGS[setting][0], config, dataset, seed,
                         **({"normalization": kind} if kind else {})),
        )
        for kind, setting in PLAN
        for arm in STARTS
        for seed in config.seeds_of("normalization", full=3, quick=1)
    ]  # fmt: skip
    return trained + [
        Run({"part": "stream", "kind": kind}, _stream(kind, dataset, seed))
        for kind in STREAMS
        for seed in config.seeds_of("normalization", full=DRAWS, quick=1)
    ]


def _depth(config: Config) -> int:
    return config.pick(full=DEEP, quick=5)


def _stream(kind: Kind, dataset: DatasetInfo, seed: int) -> RunSpec:
    """A linear layer and residual blocks, all of He's variance; measured and not trained."""
    he = ARMS["he"][0]
    block = Layer(WIDTH, "relu", he, normalization=kind, residual=True)
    layers = (
        Layer(WIDTH, "linear", he),
        *[block] * BLOCKS,
        Layer(len(dataset.test_counts), "softmax", he),
    )
    return RunSpec(dataset.digest, layers, seed, steps=0, probes=(Probe("signal"),))


def trained(results: Results, kind: Kind, setting: str, arm: str) -> pd.Series:
    """Test accuracies of one setting by seed."""
    table = results.table
    chosen = (table["part"] == "trained") & (table["kind"] == kind)
    return decide.scored(table[chosen & (table["setting"] == setting) & (table["arm"] == arm)])


def stream(results: Results, kind: Kind) -> np.ndarray:
    """Mean square of the sum before block 1 and after each block, shape (seeds, blocks + 1)."""
    table = results.table
    rows = table[(table["part"] == "stream") & (table["kind"] == kind)]
    return decide.by_layer(rows, "signal", "h_mean_square")[:, :-1]


def growth(results: Results) -> np.ndarray:
    """By seed, a plain block's factor on the mean square, averaged over the blocks."""
    found = stream(results, "")
    return np.asarray((found[:, 1:] / found[:, :-1]).mean(axis=1))


def linear(results: Results) -> np.ndarray:
    """By seed, what a normalized branch adds: growth of the mean square a block."""
    found = stream(results, "layer")
    return np.asarray((found[:, -1] - found[:, 0]) / BLOCKS)


def analyse(results: Results) -> Findings:
    """Accuracy with and without normalization, and the growth of the residual stream."""
    of = {
        f"{kind or 'none'}_{setting}_{arm}": decide.average(trained(results, kind, setting, arm))
        for kind, setting in PLAN
        for arm in STARTS
    }
    factor, last = float(growth(results).mean()), float(stream(results, "layer")[:, -1].mean())
    expected = decide.expected
    values = {
        "accuracy": of, "growth": factor, "added": float(linear(results).mean()),
        "last": last, "blocks": BLOCKS, "depth": _depth(results.config), "width": WIDTH,
        "expected": [
            *(
                expected(f"30 layers, 1/(3n), {what}", theirs, of[key], low, high)
                for what, theirs, key, low, high in THEIRS
            ),
            expected("residual stream: factor a block", 3.02, factor, 2.92, 3.12),
            expected("pre-LayerNorm: mean square after 30 blocks", 61, last, 54, 68),
        ],
    }  # fmt: skip
    return Findings(values, [draw_trained(results), draw_streams(results)])


def draw_trained(results: Results) -> Figure:
    """A bar a setting with its seeds; two starts side by side."""
    figure, axes = plotting.new(height=3.3)
    for index, arm in enumerate(STARTS):
        _, name, place = ARMS[arm]
        color, marker = plotting.style(place)["color"], plotting.style(place)["marker"]
        for x, (kind, setting) in enumerate(PLAN):
            found = trained(results, kind, setting, arm)
            at, label = x + 0.4 * index - 0.2, name if x == 0 else None
            axes.bar(at, found.mean(), 0.36, color=color, alpha=0.3, label=label)
            spread = at + np.linspace(-0.08, 0.08, len(found))
            axes.plot(spread, found, marker, color=color, markersize=4.5)
            axes.annotate(f"{found.mean():.2f}", (at, found.max()), (0, 5), ha="center",
                          textcoords="offset points", fontsize=8)  # fmt: skip
    axes.set_xticks(range(len(PLAN)), [f"{NAMES[kind]}\n{SETTINGS[s][1]}" for kind, s in PLAN])
    axes.tick_params(axis="x", labelsize=8, length=0)
    axes.set(ylim=(0, 1.08), ylabel="test accuracy")
    axes.grid(axis="x", visible=False)
    figure.legend(loc="outside upper center", ncols=2)
    plain, batch, slow = (trained(results, kind, setting, "third").mean() for kind, setting in SAID)
    return Figure(
        "normalization",
        figure,
        f"**From variance 1/(3n) Adam ends at {plain:.2f} without normalization and at {batch:.2f} "
        f"with BatchNorm; with LayerNorm it ends at "
        f"{trained(results, 'layer', 'adam', 'third').mean():.2f}, and at {slow:.2f} at a tenth of "
        f"the rate.** Test accuracy of ReLU nets of {_depth(results.config)} layers; bars are "
        "means, markers the seeds; a diverged run counts as 0.",
        "Bars of test accuracy for He and variance 1/(3n) without normalization, with BatchNorm "
        "and with LayerNorm, under SGD and Adam. "
        f"Variance 1/(3n) under Adam: {plain:.2f}, {batch:.2f} with BatchNorm.",
        results.table[results.table["part"] == "trained"][
            ["kind", "setting", "arm", "seed", "test_accuracy"]
        ],
    )


def draw_streams(results: Results) -> Figure:
    """Mean square of the residual stream by block, with theory's two lines."""
    figure, axes = plotting.new(height=3.0)
    blocks, data = np.arange(BLOCKS + 1), []
    for index, (kind, name) in enumerate(STREAMS.items()):
        found = stream(results, kind)
        start = float(np.median(found[:, 0]))
        line = start + 2 * blocks if kind else start * 3.0**blocks
        data.append(plotting.points(axes, blocks, found, index, label=name, theory=line))
    axes.set(yscale="log", xlabel="block (0: before the first)", ylabel="mean square of the sum")
    axes.legend(loc="upper left")
    factor, last = growth(results).mean(), stream(results, "layer")[:, -1].mean()
    return Figure(
        "residual-stream",
        figure,
        f"**A residual block multiplies the mean square by {factor:.2f}; with LayerNorm at each "
        f"branch's entry it is {last:.0f} after {BLOCKS} blocks.** Mean square of "
        "$x + W_2 \\operatorname{ReLU}(W_1 x)$ through untrained blocks, He's variance in both "
        "matrices; median and range over seeds. Lines are theory: times three, and plus two, a "
        "block.",
        f"Mean square by block on a log scale: a straight line rising by {factor:.2f} a block "
        f"without normalization, and a curve reaching {last:.0f} with it.",
        pd.concat(data),
    )


def _batch_lifts(results: Results) -> evidence.Outcome:
    both = ("sgd", "adam")
    plain = pd.concat([trained(results, "", setting, "third") for setting in both], keys=both)
    batch = pd.concat([trained(results, "batch", setting, "third") for setting in both], keys=both)
    figures = {"plain": plain.mean(), "batch": batch.mean(), "depth": _depth(results.config)}
    return decide.above(batch - plain, GAIN, **figures)


def _effective_rate(results: Results) -> evidence.Outcome:
    fast, slow = (trained(results, "layer", setting, "third") for setting in ("adam", "slow"))
    figures: dict[str, Any] = {"fast": fast.mean(), "slow": slow.mean()}
    figures |= {"rate": ADAM.learning_rate, "slow_rate": SLOW.learning_rate}
    return decide.above(slow - fast, GAIN, **figures)


def _threefold(results: Results) -> evidence.Outcome:
    return decide.between(growth(results), 3 * (1 - TOLERANCE), 3 * (1 + TOLERANCE), blocks=BLOCKS)


def _linear(results: Results) -> evidence.Outcome:
    last = float(stream(results, "layer")[:, -1].mean())
    bounds = (2 * (1 - TOLERANCE), 2 * (1 + TOLERANCE))
    return decide.between(linear(results), *bounds, last=last, blocks=BLOCKS)


EXPERIMENT = Experiment(
    number=13,
    name="normalization",
    title="Normalization and residual blocks",
    question="Does the variance still matter where normalization or residual sums set the scale?",
    setup=(
        f"ReLU nets of {DEEP} layers of {WIDTH} units, 1,500 steps in the full profile, at "
        f"declared rates that are not tuned; and untrained nets of {BLOCKS} residual blocks."
    ),
    runs=runs,
    analyse=analyse,
    claims=(
        Claim(
            "batchnorm-lifts",
            "At {depth} layers BatchNorm lifts variance 1/(3n) from {plain:.3f} to {batch:.3f}, "
            "under SGD and Adam together (difference {effect:.3f}, 95 % interval {low:.3f} to "
            "{high:.3f}, {n} pairs).",
            "At {depth} layers BatchNorm does not lift variance 1/(3n): accuracy is {plain:.3f} "
            "without it and {batch:.3f} with it, under SGD and Adam together.",
            "At {depth} layers variance 1/(3n) ends at {plain:.3f} without BatchNorm and at "
            "{batch:.3f} with it, under SGD and Adam together, too variable over {n} pairs for a "
            "verdict.",
            _batch_lifts,
            "normalization",
        ),
        Claim(
            "layernorm-effective-rate",
            "LayerNorm turns the scale of the weights into a rate: from variance 1/(3n) Adam ends "
            "at {fast:.3f} with a rate of {rate:g}, and at {slow:.3f} with {slow_rate:g} "
            "(difference {effect:.3f}, 95 % interval {low:.3f} to {high:.3f}, {n} seeds).",
            "Under LayerNorm a smaller rate does not help variance 1/(3n): Adam ends at {fast:.3f} "
            "with a rate of {rate:g}, and at {slow:.3f} with {slow_rate:g}.",
            "Under LayerNorm Adam takes variance 1/(3n) to {fast:.3f} with a rate of {rate:g} and "
            "to {slow:.3f} with {slow_rate:g}, too variable over {n} seeds for a verdict.",
            _effective_rate,
            "normalization",
        ),
        Claim(
            "residual-threefold",
            "Measured over {blocks} blocks the residual stream grows by a factor of {effect:.2f} a "
            "block (95 % interval {low:.2f} to {high:.2f}), where theory says three.",
            "Measured over {blocks} blocks the residual stream grows by a factor of {effect:.2f} a "
            "block, which is not theory's three.",
            "Measured over {blocks} blocks the residual stream grows by a factor of {effect:.2f} a "
            "block; {n} seeds do not settle whether that is theory's three.",
            _threefold,
            "residual-stream",
        ),
        Claim(
            "prenorm-linear",
            "With LayerNorm at each branch's entry a block adds {effect:.2f} (95 % interval "
            "{low:.2f} to {high:.2f}; theory: two), and {blocks} blocks end at {last:.0f}.",
            "With LayerNorm at each branch's entry a block adds {effect:.2f}, which is not the two "
            "of theory, and {blocks} blocks end at {last:.0f}.",
            "With LayerNorm at each branch's entry a block adds {effect:.2f}, and {blocks} blocks "
            "end at {last:.0f}; {n} seeds do not settle whether that is theory's two.",
            _linear,
            "residual-stream",
        ),
    ),
)
