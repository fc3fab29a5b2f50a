"""Depth, optimizer and rate: whether a start trains is a fact about all of them together."""

from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import scipy
from matplotlib.patches import Rectangle

from reportgen.analysis import plotting
from reportgen.config import Config
from reportgen.engine.datasets import DatasetInfo
from reportgen.engine.runs import Optimizer, Probe, RunSpec
from reportgen.experiments import decide, evidence, nets
from reportgen.experiments.evidence import Claim, Experiment, Figure, Findings, Results, Run

WIDTH, STEPS = 64, {"full": 1500, "quick": 300}
FEW, MANY, DEEP = 2, 10, 30
TUNED = ("he", "glorot", "third")
ARMS = nets.starts(*TUNED, "small")
GAIN = 0.3  # of accuracy: a difference of this size is between learning and not learning
ADAM = Optimizer()
LOWERED = Optimizer(epsilon=1e-16)
SGD = tuple(Optimizer("sgd", rate) for rate in (0.01, 0.05, 0.5))
SHALLOW, DEEPEST = (*SGD[1:], ADAM), (*SGD, Optimizer("adam", 0.0003), ADAM)
# Depth -> what is tried there; each start takes the rate of highest validation accuracy.
TRIED = {FEW: SHALLOW, MANY: SHALLOW, DEEP: DEEPEST}
# The small start is tried with Adam only, and stalls before the deepest net.
DEPTHS = dict.fromkeys(TUNED, tuple(TRIED)) | {"small": (FEW, MANY)}
LEARNED = 0.5  # accuracy beyond which a run has left the plateau of answering by frequency
FLOOR = 1e-17  # of the gradients drawn: below any epsilon tried
CONSTANTS: dict[str, Any] = {
    "few": FEW, "many": MANY, "deep": DEEP, "width": WIDTH, "epsilon": ADAM.epsilon,
    "lowered": LOWERED.epsilon, "names": {arm: name for arm, (_, name, _) in ARMS.items()},
    **dict(ARMS["small"][0].parameters),
}  # fmt: skip


def runs(config: Config, dataset: DatasetInfo) -> list[Run]:
    """Every arm, depth, optimizer, rate and seed."""
    plan = [(arm, depth, of) for depth, tried in TRIED.items() for of in tried for arm in TUNED]
    plan += [("small", depth, ADAM) for depth in DEPTHS["small"]] + [("third", DEEP, LOWERED)]
    return [
        Run(_labels(*case), network(*case, config, dataset, seed))
        for case in plan
        for seed in config.seeds_of("depth_optimizer_rate", full=5, quick=1)
    ]


def network(
    arm: str, depth: int, optimizer: Optimizer, config: Config, dataset: DatasetInfo, seed: int,
    normalization: nets.Kind = "",
) -> RunSpec:  # fmt: skip
    """A deep narrow ReLU net; under Adam's defaults its first gradients are measured."""
    probes = (Probe("gradients"),) if optimizer == ADAM and not normalization else ()
    return nets.network(
        ARMS[arm][0], (WIDTH,) * depth, dataset, seed, normalization=normalization,
        steps=config.pick(**STEPS), optimizer=optimizer, probes=probes,
    )  # fmt: skip


def label(optimizer: Optimizer) -> str:
    """Its name and rate, on an axis."""
    return f"{'SGD' if optimizer.name == 'sgd' else 'Adam'} {optimizer.learning_rate:g}"


def gain(more: pd.Series, less: pd.Series, **details: Any) -> evidence.Outcome:
    """Whether accuracies by seed differ by more than `GAIN`; sentences may name both means."""
    return decide.above(more - less, GAIN, more=more.mean(), less=less.mean(), **details)


def _labels(arm: str, depth: int, of: Optimizer) -> dict[str, Any]:
    optimizer = {"optimizer": of.name, "rate": of.learning_rate, "epsilon": of.epsilon}
    return {"arm": arm, "depth": depth, **optimizer}


def accuracy(results: Results, arm: str, depth: int, optimizer: Optimizer) -> pd.Series:
    """Test accuracies of one setting by seed."""
    return decide.scored(results, **_labels(arm, depth, optimizer))


def best(results: Results, arm: str, depth: int, name: str) -> Optimizer:
    """The setting of highest mean validation accuracy at the end; a diverged run counts as 0."""

    def validation(of: Optimizer) -> float:
        rows = results.rows(**_labels(arm, depth, of))
        last = rows["history"].map(lambda history: history["val_accuracy"][-1]).astype(float)
        return float(last.where(rows["status"] == "finished", 0).mean())

    return max((of for of in TRIED[depth] if of.name == name), key=validation)


def tuned(results: Results, arm: str, depth: int, name: str) -> pd.Series:
    """Test accuracies by seed at the tuned rate."""
    return accuracy(results, arm, depth, best(results, arm, depth, name))


def gradient(results: Results, arm: str, depth: int) -> np.ndarray:
    """RMS weight gradient of the square layers before the first step, one figure a seed."""
    squares = decide.looks(results.rows(**_labels(arm, depth, ADAM)), "gradients", "kernel")
    return np.asarray(np.sqrt(squares[:, 0, 1:-1].mean(axis=1)))


def foretold(results: Results, arm: str, depth: int) -> float:
    """Theory's RMS gradient: He's median times the root of all other layers' factors."""
    widths = nets.widths(results, *[WIDTH] * depth)
    factors = np.delete(nets.gains(ARMS[arm][0], widths), 1)
    return float(np.median(gradient(results, "he", depth)) * np.sqrt(factors.prod()))


def analyse(results: Results) -> Findings:
    """Accuracy at the tuned rates, and the first gradients."""
    ends = {
        name: {arm: tuned(results, arm, DEEP, name).mean() for arm in TUNED}
        for name in ("sgd", "adam")
    }
    values = CONSTANTS | {
        "steps": results.config.pick(**STEPS), "seeds": results.table["seed"].nunique(),
        "gradient": {arm: scipy.stats.gmean(gradient(results, arm, DEEP)) for arm in TUNED},
        "tuned": ends,
        "untuned": {arm: accuracy(results, arm, DEEP, ADAM).mean() for arm in TUNED},
        "revived": accuracy(results, "third", DEEP, LOWERED).mean(),
        "he_by_sgd": [accuracy(results, "he", DEEP, of).mean() for of in SGD],
    }  # fmt: skip
    return Findings(values, [_draw_accuracy(results), _draw_gradient(results)])


def _draw_accuracy(results: Results) -> Figure:
    """A strip a run: rows are starts, columns optimizers with their rates, panels depths."""
    panels = TRIED | {DEEP: (*DEEPEST, LOWERED)}
    ratios = [len(tried) for tried in panels.values()]
    figure, grid = plotting.new(len(panels), height=2.9, sharey=True, width_ratios=ratios)
    seeds = results.table["seed"].nunique()
    for axes, (depth, tried) in zip(grid, panels.items(), strict=True):
        drawn = np.full((len(ARMS), len(tried) * seeds), np.nan)
        left = np.arange(len(tried)) * seeds - 0.5
        for (row, arm), (column, of) in product(enumerate(ARMS), enumerate(tried)):
            found = accuracy(results, arm, depth, of)
            if found.empty:
                continue
            drawn[row, column * seeds :][: len(found)] = found
            axes.text(
                left[column] + seeds / 2, row, f"{found.mean():.2f}", ha="center", va="center",
                fontsize=8.5, color=plotting.ON_DARK if found.mean() > 0.55 else plotting.ON_LIGHT,
            )  # fmt: skip
            if arm in TUNED and of == best(results, arm, depth, of.name):
                corner, size = (left[column] + 0.2, row - 0.43), (seeds - 0.4, 0.86)
                axes.add_patch(Rectangle(corner, *size, fill=False, ec=plotting.SERIES[1], lw=2))
        plotting.heat(axes, drawn, low=0, high=1).axes.set_aspect("auto")
        axes.set_xticks(left[1:], minor=True)
        axes.set_yticks(np.arange(1, len(ARMS)) - 0.5, minor=True)
        axes.grid(which="minor", color=plotting.PAPER, lw=3)
        names = [label(of).replace(" ", "\n") + "\nε 10⁻¹⁶" * (of == LOWERED) for of in tried]
        axes.set_xticks(left + seeds / 2, names, fontsize=8)
        axes.set_yticks(range(len(ARMS)), CONSTANTS["names"].values())
        axes.tick_params(which="both", length=0)
        axes.set_title(f"{depth} layers")
        axes.spines[:].set_visible(False)
    columns = ["arm", "depth", "optimizer", "rate", "epsilon", "seed", "test_accuracy"]
    return Figure("depth-accuracy", figure, results.table[columns])


def _draw_gradient(results: Results) -> Figure:
    figure, axes = plotting.new(height=3.2)
    data = []
    for arm, (_, name, index) in ARMS.items():
        depths = DEPTHS[arm]
        found = np.array([gradient(results, arm, depth) for depth in depths]).T
        line = [foretold(results, arm, depth) for depth in depths]
        data.append(plotting.points(axes, depths, found, index, label=name, theory=line))
    axes.axhline(ADAM.epsilon, color=plotting.INK, ls="--", lw=1.4)
    axes.annotate("Adam's ε, default", (DEEP, ADAM.epsilon), (0, -12), ha="right",
                  textcoords="offset points")  # fmt: skip
    axes.set(yscale="log", ylim=(FLOOR, 0.1), xlabel="layers", ylabel="RMS weight gradient, step 0")
    axes.set_xticks(list(TRIED))
    axes.legend(loc="lower left")
    return Figure("depth-gradient", figure, pd.concat(data))


def _adam_rescues(results: Results) -> evidence.Outcome:
    sgd, adam = (tuned(results, "glorot", DEEP, name) for name in ("sgd", "adam"))
    return gain(adam, sgd, he=tuned(results, "he", DEEP, "sgd").mean())


def _rate_decides(results: Results) -> evidence.Outcome:
    tried = {of.learning_rate: accuracy(results, "he", DEEP, of) for of in SGD}
    low, *_, top = sorted(tried, key=lambda rate: float(tried[rate].mean()))
    return gain(tried[top], tried[low], best=top, worst=low)


def _at_epsilon(results: Results) -> evidence.Outcome:
    found = gradient(results, "glorot", DEEP)
    return decide.between(np.log10(found / ADAM.epsilon), -1, 1, rms=scipy.stats.gmean(found))


def _epsilon_revives(results: Results) -> evidence.Outcome:
    revived = accuracy(results, "third", DEEP, LOWERED)
    return gain(revived, tuned(results, "third", DEEP, "adam"))


def _small_stalls(results: Results) -> evidence.Outcome:
    shallow, deep = (accuracy(results, "small", depth, ADAM) for depth in (FEW, MANY))
    how = f"every seed over {LEARNED:g} at {FEW} layers and under it at {MANY}"
    stalls = (shallow > LEARNED) & (deep < LEARNED)
    return decide.always(stalls, how, at_few=shallow.mean(), at_many=deep.mean())


def _depth_separates(results: Results) -> evidence.Outcome:
    few, deep = (
        pd.DataFrame({arm: tuned(results, arm, depth, "adam") for arm in TUNED})
        for depth in (FEW, DEEP)
    )
    return gain(deep.max(axis=1) - deep.min(axis=1), few.max(axis=1) - few.min(axis=1))


CLAIMS = (
    Claim("xavier-stall-is-sgd", _adam_rescues, "depth-accuracy"),
    Claim("he-needs-its-rate", _rate_decides, "depth-accuracy"),
    Claim("glorot-at-epsilon", _at_epsilon, "depth-gradient"),
    Claim("epsilon-revives", _epsilon_revives, "depth-accuracy"),
    Claim("small-scale-stalls", _small_stalls, "depth-accuracy"),
    Claim("depth-separates", _depth_separates, "depth-accuracy"),
)

EXPERIMENT = Experiment(6, "depth_optimizer_rate", runs, analyse, CLAIMS)
