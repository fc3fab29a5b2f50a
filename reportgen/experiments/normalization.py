"""Where something else sets the scale: normalization at depth thirty, and residual blocks."""

from itertools import product

import numpy as np
import pandas as pd

from reportgen.analysis import plotting
from reportgen.config import Config
from reportgen.engine.datasets import DatasetInfo
from reportgen.engine.runs import Layer, Optimizer, Probe, RunSpec
from reportgen.experiments import decide, depth_optimizer_rate, evidence, nets
from reportgen.experiments.depth_optimizer_rate import ADAM, DEEP, STEPS, WIDTH, gain, label
from reportgen.experiments.evidence import Claim, Experiment, Figure, Findings, Results, Run
from reportgen.experiments.nets import Kind

DEPTH = {"full": DEEP, "quick": 5}
NAMES: dict[Kind, str] = {"": "none", "batch": "BatchNorm", "layer": "LayerNorm"}
SLOW = Optimizer("adam", 1e-4)  # tried where the default rate fails
SETTINGS = {"sgd": Optimizer("sgd", 0.05), "adam": ADAM, "slow": SLOW}
PLAN = [(kind, setting) for kind in NAMES for setting in ("sgd", "adam")] + [("layer", "slow")]
STARTS = {"he": -0.2, "third": 0.2}  # and where a bar stands beside its tick
BLOCKS, DRAWS = 30, 10
STREAMS: dict[Kind, str] = {"": "plain residual", "layer": "LayerNorm at each branch's entry"}
TOLERANCE = 0.15  # of the growth, relative: a third of what would make three into two
CONSTANTS = {
    "width": WIDTH, "blocks": BLOCKS, "rate": ADAM.learning_rate, "slow_rate": SLOW.learning_rate
}  # fmt: skip


def runs(config: Config, dataset: DatasetInfo) -> list[Run]:
    """Trained nets, those without normalization shared with the depth experiment; then streams."""
    depth = config.pick(**DEPTH)
    trained = [
        Run(
            {"part": "trained", "kind": kind, "setting": setting, "arm": arm},
            depth_optimizer_rate.network(
                arm, depth, SETTINGS[setting], config, dataset, seed, kind
            ),
        )
        for kind, setting in PLAN
        for arm in STARTS
        for seed in config.seeds_of("normalization", full=3, quick=1)
    ]
    return trained + [
        Run({"part": "stream", "kind": kind}, _stream(kind, dataset, seed))
        for kind in STREAMS
        for seed in config.seeds_of("normalization", full=DRAWS, quick=1)
    ]


def _stream(kind: Kind, dataset: DatasetInfo, seed: int) -> RunSpec:
    """A linear layer and residual blocks, all of He's variance; measured and not trained."""
    he = nets.STARTS["he"][0]
    block = Layer(WIDTH, "relu", he, normalization=kind, residual=True)
    output = Layer(dataset.classes, "softmax", he)
    layers = (Layer(WIDTH, "linear", he), *[block] * BLOCKS, output)
    return RunSpec(dataset.digest, layers, seed, steps=0, probes=(Probe("signal"),))


def trained(results: Results, kind: str, setting: str, arm: str) -> pd.Series:
    """Test accuracies of one setting by seed."""
    return decide.scored(results, arm, part="trained", kind=kind, setting=setting)


def stream(results: Results, kind: str) -> np.ndarray:
    """Mean square of the sum before block 1 and after each block, shape (seeds, blocks + 1)."""
    rows = results.rows(part="stream", kind=kind)
    return decide.looks(rows, "signal", "h_mean_square")[:, 0, :-1]


def analyse(results: Results) -> Findings:
    """Accuracy with and without normalization, and the growth of the residual stream."""
    third = {
        f"{kind or 'none'}_{setting}": trained(results, kind, setting, "third").mean()
        for kind, setting in PLAN
    }
    values = CONSTANTS | {
        "third": third,
        "growth": _threefold(results).effect, "last": _linear(results).details["last"],
        "depth": results.config.pick(**DEPTH), "steps": results.config.pick(**STEPS),
    }  # fmt: skip
    return Findings(values, [_draw_trained(results), _draw_streams(results)])


def _draw_trained(results: Results) -> Figure:
    figure, axes = plotting.new(height=3.3)
    for (tick, (kind, setting)), (arm, side) in product(enumerate(PLAN), STARTS.items()):
        _, name, index = nets.STARTS[arm]
        color, marker = plotting.style(index)["color"], plotting.style(index)["marker"]
        found, at = trained(results, kind, setting, arm), tick + side
        axes.bar(at, found.mean(), 0.36, color=color, alpha=0.3, label=None if tick else name)
        spread = at + np.linspace(-0.08, 0.08, len(found))
        axes.plot(spread, found, marker, color=color, markersize=4.5)
        axes.annotate(f"{found.mean():.2f}", (at, found.max()), (0, 5), ha="center",
                      textcoords="offset points", fontsize=8)  # fmt: skip
    names = [f"{NAMES[kind]}\n{label(SETTINGS[setting])}" for kind, setting in PLAN]
    axes.set_xticks(range(len(PLAN)), names)
    axes.tick_params(axis="x", labelsize=8, length=0)
    axes.set(ylim=(0, 1.08), ylabel="test accuracy")
    axes.grid(axis="x", visible=False)
    figure.legend(loc="outside upper center", ncols=2)
    columns = ["kind", "setting", "arm", "seed", "test_accuracy"]
    return Figure("normalization", figure, results.table.query("part == 'trained'")[columns])


def _draw_streams(results: Results) -> Figure:
    figure, axes = plotting.new(height=3.0)
    blocks, data = np.arange(BLOCKS + 1), []
    for index, (kind, name) in enumerate(STREAMS.items()):
        found = stream(results, kind)
        start = float(np.median(found[:, 0]))
        line = start + 2 * blocks if kind else start * 3.0**blocks
        data.append(plotting.points(axes, blocks, found, index, label=name, theory=line))
    axes.set(yscale="log", xlabel="block (0: before the first)", ylabel="mean square of the sum")
    axes.legend(loc="upper left")
    return Figure("residual-stream", figure, pd.concat(data))


def _batch_lifts(results: Results) -> evidence.Outcome:
    plain, batch = (
        pd.concat({of: trained(results, kind, of, "third") for of in ("sgd", "adam")})
        for kind in ("", "batch")
    )
    return gain(batch, plain, depth=results.config.pick(**DEPTH))


def _effective_rate(results: Results) -> evidence.Outcome:
    fast, slow = (trained(results, "layer", setting, "third") for setting in ("adam", "slow"))
    return gain(slow, fast)


def _threefold(results: Results) -> evidence.Outcome:
    found = stream(results, "")
    factors = (found[:, 1:] / found[:, :-1]).mean(axis=1)
    return decide.between(factors, 3 * (1 - TOLERANCE), 3 * (1 + TOLERANCE))


def _linear(results: Results) -> evidence.Outcome:
    found = stream(results, "layer")
    added, last = (found[:, -1] - found[:, 0]) / BLOCKS, found[:, -1].mean()
    return decide.between(added, 2 * (1 - TOLERANCE), 2 * (1 + TOLERANCE), last=last)


CLAIMS = (
    Claim("batchnorm-lifts", _batch_lifts, "normalization"),
    Claim("layernorm-effective-rate", _effective_rate, "normalization"),
    Claim("residual-threefold", _threefold, "residual-stream"),
    Claim("prenorm-linear", _linear, "residual-stream"),
)

EXPERIMENT = Experiment(13, "normalization", runs, analyse, CLAIMS)
