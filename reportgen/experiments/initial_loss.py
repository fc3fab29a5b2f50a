"""The loss before the first step: how large logits make a net that is certain and wrong."""

import numpy as np
import pandas as pd
import scipy

from reportgen.analysis import plotting, theory
from reportgen.config import Config
from reportgen.engine.datasets import DatasetInfo
from reportgen.engine.runs import Probe
from reportgen.experiments import decide, evidence, nets
from reportgen.experiments.assignment import HIDDEN, network
from reportgen.experiments.decide import looks
from reportgen.experiments.evidence import Claim, Experiment, Figure, Findings, Results, Run

SCALED = ("glorot", "he", "lecun")
ARMS = nets.starts("normal", *SCALED)
CERTAIN = 0.99  # the probability over which the probe counts an image as certain
CLOSE = 0.1  # of a loss: a draw's strays by 0.06, and normal(0, 1) opens some hundred away


def runs(config: Config, dataset: DatasetInfo) -> list[Run]:
    """Every initializer with every draw, measured and not trained."""
    probes = (Probe("logits"), Probe("signal"), Probe("gradients"))
    return [
        Run({"arm": arm}, network(kernel, config, dataset, seed, steps=0, probes=probes))
        for seed in config.seeds_of("initial_loss", full=20, quick=5)
        for arm, (kernel, *_) in ARMS.items()
    ]


def analyse(results: Results) -> Findings:
    """Loss, logits and largest probabilities before the first step, beside theory."""
    logits = pd.concat([_logits(results, arm) for arm in ARMS])
    size, arms = logits["mean_square"], logits.groupby("arm").mean(numeric_only=True)
    keys = results.rows(arm="he")["key"]
    values = {
        "draws": len(keys), "images": len(results.arrays(keys.iloc[0])["logits-0-logits"]),
        "certain": CERTAIN, "ignorance": np.log(results.dataset.classes),
        "decades": np.log10(size.max() / size.min()), "arms": arms.to_dict("index"),
    }  # fmt: skip
    return Findings(values, [_draw_loss(results, logits), _draw_histograms(results)])


def _logits(results: Results, arm: str) -> pd.DataFrame:
    """What was measured of an arm's logits, a row a draw, and the loss that theory expects."""
    rows, classes = results.rows(arm=arm), results.dataset.classes
    measured = ("mean_square", "loss", "std", "confident")
    found = pd.DataFrame({name: looks(rows, "logits", name)[:, 0] for name in measured})
    expected = [theory.initial_loss(q, classes=classes) for q in found["mean_square"]]
    return found.assign(arm=arm, start=ARMS[arm][1], theory=expected)


def _variance(results: Results, arm: str) -> float:
    """Theory's mean square of the logits, from that of the pixels; they pass one ReLU only."""
    first, last = nets.gains(ARMS[arm][0], nets.widths(results, HIDDEN))
    return float(nets.images(results, "mean_square") * first * 2 * last)


def _draw_loss(results: Results, logits: pd.DataFrame) -> Figure:
    options = {"xlabel": "mean square q of the logits"}
    figure, (left, right) = plotting.new(2, height=3.2, subplot_kw=options)
    size, scaled = logits["mean_square"], logits["mean_square"][logits["arm"].isin(SCALED)]
    classes = results.dataset.classes
    for axes, shown, q in (
        (left, SCALED, np.linspace(0, 1.1 * scaled.max(), 40)),
        (right, tuple(ARMS), np.geomspace(size.min() / 2, 2 * size.max(), 60)),
    ):
        exact, small = [theory.initial_loss(of, classes=classes) for of in q], q[q < 8]
        axes.plot(q, exact, color=plotting.INK, lw=1.4, label="theory")
        first = theory.initial_loss_first_order(small, classes=classes)
        axes.plot(small, first, color=plotting.INK, lw=1.2, ls=(0, (4, 2)), label="small q")
        axes.axhline(np.log(classes), color=plotting.MUTED, lw=0.9)
        for _, name, index in (ARMS[arm] for arm in shown):
            style = plotting.style(index) | {"linestyle": "none", "markersize": 4, "alpha": 0.75}
            drawn = logits[logits["start"] == name]
            axes.plot(drawn["mean_square"], drawn["loss"], **style, label=name)
    left.set(ylabel="loss before the first step", title="Three scaled starts")
    right.set(xscale="log", yscale="log", title="All four")
    right.legend(loc="upper left")
    return Figure("initial-loss", figure, logits[["start", "mean_square", "loss", "theory"]])


def _draw_histograms(results: Results) -> Figure:
    figure, grid = plotting.new(len(ARMS), 2, height=3.9)
    rng, data = np.random.default_rng(0), []
    logit, chance = 4 * np.linspace(-1, 1, 41), np.linspace(0, 1, 31)
    for column, (arm, (_, name, index)) in zip(grid.T, ARMS.items(), strict=True):
        color, sigma = plotting.style(index)["color"], _variance(results, arm) ** 0.5
        keys = results.rows(arm=arm)["key"]
        z = np.array([results.arrays(key)["logits-0-logits"] for key in keys], dtype=float)
        ideal = _top(rng.normal(0, sigma, (50_000, z.shape[-1])))
        sure = np.histogram(ideal, chance)[0] / len(ideal)
        column[0].set_title(name)
        for axes, what, values, edges, theirs in (
            (column[0], "logit", z, sigma * logit, np.diff(scipy.stats.norm.cdf(logit))),
            (column[1], "largest probability", _top(z), chance, sure),
        ):
            shares = np.array([np.histogram(of, edges)[0] / of.size for of in values])
            mean, low, high = shares.mean(axis=0), shares.min(axis=0), shares.max(axis=0)
            axes.stairs(high, edges, baseline=low, fill=True, color=color, alpha=0.35)
            axes.stairs(mean, edges, fill=True, color=color, alpha=0.25)
            axes.stairs(mean, edges, color=color, lw=1.6)
            axes.stairs(theirs, edges, color=plotting.INK, lw=1.1)
            axes.set(xlabel=what, yticks=(), xlim=(edges[0], edges[-1]))
            found = {"start": name, "of": what, "bin": (edges[1:] + edges[:-1]) / 2, "mean": mean}
            data.append(pd.DataFrame({**found, "low": low, "high": high, "theory": theirs}))
    figure.supylabel("share", fontsize=9.5)
    return Figure("initial-histograms", figure, pd.concat(data))


def _top(z: np.ndarray) -> np.ndarray:
    """Largest probability of the softmax over the last axis."""
    return np.asarray(1 / np.exp(z - z.max(axis=-1, keepdims=True)).sum(axis=-1))


def _certain(results: Results) -> evidence.Outcome:
    return decide.above(looks(results.rows(arm="normal"), "logits", "confident")[:, 0], 0.5)


def _gradients_remain(results: Results) -> evidence.Outcome:
    normal, he = (nets.hidden(results, arm, "kernel", "gradients") for arm in ("normal", "he"))
    return decide.above(np.sqrt(normal / he)[:, 0], 1)  # root mean squares


def _foretold(results: Results) -> evidence.Outcome:
    off = [
        looks(results.rows(arm=arm), "logits", "loss")[:, 0]
        - theory.initial_loss_first_order(_variance(results, arm), classes=results.dataset.classes)
        for arm in SCALED
    ]
    return decide.between(np.mean(off, axis=0), -CLOSE, CLOSE, close=CLOSE)


CLAIMS = (
    Claim("initial-normal-certain", _certain, "initial-histograms"),
    Claim("large-weights-keep-gradients", _gradients_remain, "initial-histograms"),
    Claim("initial-loss-formula", _foretold, "initial-loss"),
)

EXPERIMENT = Experiment(8, "initial_loss", runs, analyse, CLAIMS)
