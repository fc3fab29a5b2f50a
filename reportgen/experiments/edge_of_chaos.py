"""The edge of chaos: how deep a tanh net trains, by weight variance (Schoenholz et al., 2017)."""

from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from reportgen.analysis import plotting, theory
from reportgen.config import Config, Initializer
from reportgen.engine.datasets import DatasetInfo
from reportgen.engine.runs import Layer, Optimizer, RunSpec
from reportgen.experiments import decide, evidence
from reportgen.experiments.evidence import Claim, Experiment, Figure, Findings, Results, Run

WIDTH, BIAS_VARIANCE = 64, 0.05
VARIANCES = (1.0, 1.2, 1.4, 1.6, 1.76, 2.0, 2.3, 2.7, 3.2, 4.0)  # sigma_w^2; 1.76 is critical
DEPTHS = (4, 6, 10, 16, 25, 40, 63, 100)
DEEP = 25  # from this depth on, a net's training hangs on sigma_w^2
PEAK = (1.4, 2.3)  # where the peak counts as near the critical value: two cells to either side
MOVED = 0.1  # accuracy above chance from which a depth is looked at
LEARNED = 0.5  # accuracy beyond which a net counts as having trained
# Of 0.003, 0.01 and 0.05, tried at 16, 40 and 100 layers, the one under which the deepest move.
RATE = 0.003
BATCH = 32  # half the assignment's: a step of a deep net costs half as much
BIAS = Initializer.of("RandomNormal", stddev=BIAS_VARIANCE**0.5)


def runs(config: Config, dataset: DatasetInfo) -> list[Run]:
    """One run a cell of the grid; the quick profile leaves out every other row and column."""
    stride = config.pick(full=1, quick=2)
    return [
        Run({"variance": variance, "depth": depth}, network(variance, depth, config, dataset, seed))
        for depth in DEPTHS[::stride]
        for variance in VARIANCES[::stride]
        for seed in config.seeds_of("edge_of_chaos", full=1, quick=1)
    ]


def network(
    variance: float, depth: int, config: Config, dataset: DatasetInfo, seed: int
) -> RunSpec:
    """A tanh net with weights of variance sigma_w^2 / fan_in and random biases."""
    kernel = Initializer.of(
        "VarianceScaling", scale=variance, mode="fan_in", distribution="untruncated_normal"
    )
    return RunSpec(
        dataset=dataset.digest,
        layers=(
            *[Layer(WIDTH, "tanh", kernel, BIAS)] * depth,
            Layer(len(dataset.test_counts), "softmax", kernel, BIAS),
        ),
        seed=seed,
        steps=config.pick(full=500, quick=200),
        batch_size=BATCH,
        optimizer=Optimizer("sgd", RATE),
    )


def grid(results: Results) -> pd.DataFrame:
    """Test accuracy, depths by variances; a diverged run counts as 0."""
    scored = results.table.assign(accuracy=results.table["test_accuracy"].astype(float).fillna(0))
    return scored.pivot_table(index="depth", columns="variance", values="accuracy")


@cache
def reach(variance: float) -> float:
    """Theory's greatest trainable depth, 6 xi_c."""
    return 6 * theory.MeanField("tanh", sigma_w2=variance, sigma_b2=BIAS_VARIANCE).xi_c


def peaks(results: Results) -> list[float]:
    """sigma_w^2 of the highest accuracy at each great depth where any net trains."""
    cells = grid(results)
    deep = cells[(cells.index >= DEEP) & (cells.max(axis=1) > _chance(results) + MOVED)]
    return [float(best) for best in deep.idxmax(axis=1)]


def _chance(results: Results) -> float:
    return float(results.dataset.described()["majority_test_share"])


def by_cell(results: Results) -> pd.DataFrame:
    """One row a cell: its reach in theory, and whether it trained."""
    cells = grid(results).reset_index().melt(id_vars="depth", value_name="accuracy")
    reaches = {variance: reach(variance) for variance in cells["variance"].unique()}
    return cells.assign(reach=cells["variance"].map(reaches), trained=cells["accuracy"] > LEARNED)


def analyse(results: Results) -> Findings:
    """Accuracy over variance and depth, with theory's curve."""
    critical, cells = theory.critical_sigma_w2(BIAS_VARIANCE), by_cell(results)
    inside = cells["depth"] <= cells["reach"]
    best = decide.average(peaks(results))
    deepest = cells[cells["trained"]].groupby("variance")["depth"].max()
    theirs = {1.0: 21.8, 1.5: 94.7, 1.7: 449.0, 2.0: 151.3, 2.5: 70.8, 4.0: 41.9}
    expected = decide.expected
    values = {
        "critical": critical, "peak": best, "width": WIDTH, "rate": RATE,
        "bias_variance": BIAS_VARIANCE, "learned": LEARNED,
        "deepest": {f"{variance:g}": int(depth) for variance, depth in deepest.items()},
        "reach": {f"{variance:g}": reach(variance) for variance in theirs},
        "inside": int(inside.sum()), "inside_trained": int((inside & cells["trained"]).sum()),
        "outside": int((~inside).sum()), "outside_trained": int((~inside & cells["trained"]).sum()),
        "expected": [
            expected("tanh, theory: critical variance", 1.76095, critical, 1.7609, 1.761),
            expected("tanh: variance at which deep nets train best", 1.761, best, *PEAK),
            *(
                expected(f"tanh, theory: 6 xi_c at {v:g}", d, reach(v), d * 0.995, d * 1.005)
                for v, d in theirs.items()
            ),
        ],
    }  # fmt: skip
    return Findings(values, [draw(results, values)])


def draw(results: Results, values: dict[str, Any]) -> Figure:
    """Heat map of accuracy under theory's curve 6 xi_c."""
    figure, axes = plotting.new(height=3.8)
    cells, critical = grid(results), float(values["critical"])
    x, y = (_edges(np.log(of.to_numpy(dtype=float))) for of in (cells.columns, cells.index))
    mesh = axes.pcolormesh(
        np.exp(x), np.exp(y), cells, cmap="Blues", vmin=0, vmax=1, ec=plotting.PAPER, lw=0.6
    )
    axes.grid(visible=False)
    axes.set(xscale="log", yscale="log")
    line = plotting.SERIES[1]
    for side in (np.geomspace(np.exp(x[0]), critical - 0.01, 12),
                 np.geomspace(critical + 0.02, np.exp(x[-1]), 12)):  # fmt: skip
        axes.plot(side, [reach(variance) for variance in side], color=line, lw=2.4)
    axes.axvline(critical, color=line, lw=1.4, ls="--")
    axes.annotate("6 ξ", (1.22, reach(1.22)), (-6, 4), textcoords="offset points", color=line,
                  ha="right", weight="bold")  # fmt: skip
    axes.annotate(f"critical: {critical:.3f}", (critical, np.exp(y[-1])), (0, 4), color=line,
                  textcoords="offset points", ha="center", weight="bold")  # fmt: skip
    axes.set(xlim=np.exp(x[[0, -1]]), ylim=np.exp(y[[0, -1]]))
    axes.set_xticks(cells.columns, [f"{variance:g}" for variance in cells.columns])
    axes.set_yticks(cells.index, cells.index.astype(str))
    axes.minorticks_off()
    axes.set(xlabel="weight variance times fan-in, σ²", ylabel="layers")
    figure.colorbar(mesh, label="test accuracy").outline.set_visible(False)
    peak = values["peak"]
    said = "no net trains" if peak is None else f"accuracy peaks at σ² = {peak:.2f} on average"
    return Figure(
        "edge-of-chaos",
        figure,
        f"**From {DEEP} layers on, {said}; theory's critical value is {critical:.3f}.** Test "
        f"accuracy of tanh nets of {WIDTH} units after a short SGD training, one seed a cell. "
        "Orange: six times the depth scale over which theory lets inputs stay apart, and the "
        "critical value. Over half of the images are classified right in "
        f"{values['inside_trained']} of {values['inside']} cells under the curve, and in "
        f"{values['outside_trained']} of {values['outside']} above it.",
        f"Heat map of test accuracy over weight variance and depth: from {DEEP} layers on, {said}. "
        "A curve shows theory's trainable depth, highest at the critical variance.",
        by_cell(results),
    )


def _edges(centres: np.ndarray) -> np.ndarray:
    """Cell borders half-way between centres, shape (n + 1,)."""
    middle = (centres[1:] + centres[:-1]) / 2
    ends = centres[[0, -1]] + np.array([-1, 1]) * np.diff(centres)[[0, -1]] / 2
    return np.concatenate([ends[:1], middle, ends[1:]])


def _peak(results: Results) -> evidence.Outcome:
    critical = theory.critical_sigma_w2(BIAS_VARIANCE)
    return decide.between(peaks(results), *PEAK, critical=critical, deep=DEEP)


def _beyond_reach(results: Results) -> evidence.Outcome:
    cells = by_cell(results)
    beyond = cells[cells["depth"] > cells["reach"]]
    within = cells[cells["depth"] <= cells["reach"]]
    how = f"every net deeper than 6 xi_c at an accuracy of at most {LEARNED:g}"
    figures = {"within": len(within), "trained": int(within["trained"].sum())}
    return decide.always(~beyond["trained"], how, learned=LEARNED, **figures)


EXPERIMENT = Experiment(
    number=10,
    name="edge_of_chaos",
    title="The edge of chaos",
    question="How deep can a tanh network be and still train, for a given variance of the weights?",
    setup=(
        f"Tanh nets of {WIDTH} units, biases of variance {BIAS_VARIANCE}, pixels in [0, 1]; SGD at "
        f"{RATE}, 500 steps in the full profile, one seed a cell. The rate was picked from three "
        "at 16, 40 and 100 layers as the one under which the deepest nets moved."
    ),
    runs=runs,
    analyse=analyse,
    claims=(
        Claim(
            "edge-peak",
            "Deep tanh networks train where theory puts the edge of chaos: from {deep} layers on, "
            "accuracy peaks at $\\sigma_w^2 = {effect:.2f}$ (mean of {n} depths, 95 % interval "
            "{low:.2f} to {high:.2f}), and the critical value is {critical:.3f}.",
            "Deep tanh networks do not train where theory puts the edge of chaos: from {deep} "
            "layers on, accuracy peaks at $\\sigma_w^2 = {effect:.2f}$ on average, and the "
            "critical value is {critical:.3f}.",
            "From {deep} layers on, accuracy peaks at $\\sigma_w^2 = {effect:.2f}$ on average over "
            "{n} depths, which does not settle whether that is at theory's critical value, "
            "{critical:.3f}.",
            _peak,
            "edge-of-chaos",
        ),
        Claim(
            "edge-reach",
            "No network deeper than $6\\,\\xi_c$ trains: all {n} stay at an accuracy of at most "
            "{learned:g}, where {trained} of {within} shallower ones pass it.",
            "Networks deeper than $6\\,\\xi_c$ do train here: all {n} pass an accuracy of "
            "{learned:g}, as do {trained} of {within} shallower ones.",
            "Of {n} networks deeper than $6\\,\\xi_c$, {holding} stay at an accuracy of at most "
            "{learned:g}; of {within} shallower ones, {trained} pass it.",
            _beyond_reach,
            "edge-of-chaos",
        ),
    ),
)
