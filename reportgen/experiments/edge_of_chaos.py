"""The edge of chaos: how deep a tanh net trains, by weight variance (Schoenholz et al., 2017)."""

from functools import cache

import numpy as np
import pandas as pd

from reportgen.analysis import plotting, theory
from reportgen.config import Config, Initializer
from reportgen.engine.datasets import DatasetInfo
from reportgen.engine.runs import Optimizer, RunSpec
from reportgen.experiments import decide, evidence, nets
from reportgen.experiments.evidence import Claim, Experiment, Figure, Findings, Results, Run

WIDTH, BIAS_VARIANCE = 64, 0.05
VARIANCES = (1.0, 1.2, 1.4, 1.6, 1.76, 2.0, 2.3, 2.7, 3.2, 4.0)  # sigma_w^2; 1.76 is critical
DEPTHS = (4, 6, 10, 16, 25, 40, 63, 100)
DEEP = 25  # from this depth on, a net's training hangs on sigma_w^2
PEAK = (1.4, 2.3)  # where the peak counts as near the critical value: two cells to either side
MOVED = 0.1  # accuracy above chance from which a depth is looked at
LEARNED = 0.5  # accuracy beyond which a net counts as having trained
RATES, TRIED = (0.003, 0.01, 0.05), (16, 40, 100)  # tried beforehand, at these depths
RATE = RATES[0]  # under which the deepest moved
STEPS = {"full": 500, "quick": 200}
BATCH = 32  # half the assignment's: a step of a deep net costs half as much
BIAS = Initializer.of("RandomNormal", stddev=BIAS_VARIANCE**0.5)
CONSTANTS = {
    "width": WIDTH, "bias_variance": BIAS_VARIANCE, "deep": DEEP, "learned": LEARNED,
    "rate": RATE, "rates": RATES, "tried": TRIED,
}  # fmt: skip


def runs(config: Config, dataset: DatasetInfo) -> list[Run]:
    """One run a cell of the grid; the quick profile leaves out every other row and column."""
    stride = config.pick(full=1, quick=2)
    return [
        Run({"variance": variance, "depth": depth}, network(depth, variance, config, dataset, seed))
        for depth in DEPTHS[::stride]
        for variance in VARIANCES[::stride]
        for seed in config.seeds_of("edge_of_chaos", full=1, quick=1)
    ]


def network(depth: int, scale: float, config: Config, dataset: DatasetInfo, seed: int) -> RunSpec:
    """A tanh net with weights of variance `scale` / fan_in and random biases."""
    kernel = Initializer.of(
        "VarianceScaling", scale=scale, mode="fan_in", distribution="untruncated_normal"
    )
    return nets.network(
        kernel, (WIDTH,) * depth, dataset, seed, "tanh", bias=BIAS, steps=config.pick(**STEPS),
        batch_size=BATCH, optimizer=Optimizer("sgd", RATE), probes=(),
    )  # fmt: skip


def grid(results: Results) -> pd.DataFrame:
    """Test accuracy, depths by variances; a diverged run counts as 0."""
    scored = results.table.assign(accuracy=results.table["test_accuracy"].astype(float).fillna(0))
    return scored.pivot_table(index="depth", columns="variance", values="accuracy")


@cache
def reach(variance: float) -> float:
    """Theory's greatest trainable depth, six times xi_c."""
    return 6 * theory.MeanField("tanh", sigma_w2=variance, sigma_b2=BIAS_VARIANCE).xi_c


def by_cell(results: Results) -> pd.DataFrame:
    """One row a cell: its reach in theory, and whether it trained."""
    cells = grid(results).reset_index().melt(id_vars="depth", value_name="accuracy")
    trained = cells["accuracy"] > LEARNED
    return cells.assign(reach=cells["variance"].map(reach), trained=trained)


def analyse(results: Results) -> Findings:
    """Accuracy over variance and depth, with theory's curve."""
    peak, beyond = _peak(results), _beyond_reach(results)
    values = CONSTANTS | {
        **peak.details, **beyond.details, "peak": peak.effect, "beyond": beyond.n,
        "steps": results.config.pick(**STEPS),
    }  # fmt: skip
    return Findings(values, [_draw(results, peak.details["critical"])])


def _draw(results: Results, critical: float) -> Figure:
    figure, axes = plotting.new(height=3.8)
    cells, line = grid(results), plotting.SERIES[1]
    axes.grid(visible=False)
    axes.set(xscale="log", yscale="log", xlabel="weight variance times fan-in, σ²", ylabel="layers")
    mesh = axes.pcolormesh(
        cells.columns, cells.index, cells, cmap="Blues", vmin=0, vmax=1, ec=plotting.PAPER, lw=0.6
    )
    left, right, _, top = limits = axes.axis()
    for start, end in ((left, critical - 0.01), (critical + 0.02, right)):
        side = np.geomspace(start, end, 12)
        axes.plot(side, [reach(variance) for variance in side], color=line, lw=2.4)
    axes.axvline(critical, color=line, lw=1.4, ls="--")
    bold = {"textcoords": "offset points", "color": line, "weight": "bold"}
    axes.annotate("6 ξ", (1.22, reach(1.22)), (-6, 4), ha="right", **bold)
    axes.annotate(f"critical: {critical:.3f}", (critical, top), (0, 4), ha="center", **bold)
    axes.axis(limits)
    axes.set_xticks(cells.columns, [f"{variance:g}" for variance in cells.columns])
    axes.set_yticks(cells.index, cells.index.astype(str))
    axes.minorticks_off()
    figure.colorbar(mesh, label="test accuracy").outline.set_visible(False)
    return Figure("edge-of-chaos", figure, by_cell(results))


def _peak(results: Results) -> evidence.Outcome:
    """Where accuracy is highest, at each great depth at which any net trains."""
    cells, chance = grid(results), results.dataset.described()["majority_test_share"]
    deep = cells[(cells.index >= DEEP) & (cells.max(axis=1) > chance + MOVED)]
    critical = theory.critical_sigma_w2(BIAS_VARIANCE)
    return decide.between(deep.idxmax(axis=1), *PEAK, critical=critical)


def _beyond_reach(results: Results) -> evidence.Outcome:
    cells = by_cell(results)
    inside = cells["depth"] <= cells["reach"]
    how = f"every net deeper than six times xi_c at an accuracy of at most {LEARNED:g}"
    figures = {"within": inside.sum(), "trained": cells["trained"][inside].sum()}
    return decide.always(~cells["trained"][~inside], how, **figures)


CLAIMS = (
    Claim("edge-peak", _peak, "edge-of-chaos"),
    Claim("edge-reach", _beyond_reach, "edge-of-chaos"),
)

EXPERIMENT = Experiment(10, "edge_of_chaos", runs, analyse, CLAIMS)
