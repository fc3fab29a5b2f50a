"""The loss before the first step: how large logits make a net that is certain and wrong."""

from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from reportgen.analysis import plotting, theory
from reportgen.config import ASSIGNMENT_INITIALIZERS, Config, Initializer
from reportgen.engine.datasets import DatasetInfo
from reportgen.engine.runs import Probe
from reportgen.experiments import decide, evidence
from reportgen.experiments.assignment import HIDDEN, network, select
from reportgen.experiments.decide import probed, text
from reportgen.experiments.evidence import Claim, Experiment, Figure, Findings, Results, Run

# Arm -> its initializer, name, and place in the palette (as in the main comparison).
ARMS = {
    "normal": (ASSIGNMENT_INITIALIZERS[1], "Normal(0, 1)", 1),
    "glorot": (ASSIGNMENT_INITIALIZERS[2], "Glorot", 2),
    "he": (ASSIGNMENT_INITIALIZERS[3], "He", 3),
    "lecun": (Initializer.of("LecunNormal"), "LeCun", 5),
}
SCALED = ("glorot", "he", "lecun")
CLOSE = 0.1  # of a loss: a draw's strays by 0.06, and normal(0, 1) opens some hundred away
EXPECTED = (  # arm, figure, what it is, number known before, and the range of 20 draws' means
    ("normal", "loss", "loss before step one", 114, 99, 129),
    ("glorot", "loss", "loss before step one", 2.387, 2.347, 2.427),
    ("he", "loss", "loss before step one", 2.408, 2.362, 2.454),
    ("lecun", "loss", "loss before step one", 2.323, 2.302, 2.344),
    ("normal", "std", "deviation of the logits", 71, 64, 78),
    ("he", "std", "deviation of the logits", 0.47, 0.42, 0.52),
    ("normal", "confident", "share of top probabilities over 0.99", 0.90, 0.88, 0.92),
)


def runs(config: Config, dataset: DatasetInfo) -> list[Run]:
    """Every initializer with every draw, measured and not trained."""
    probes = (Probe("logits"), Probe("signal"), Probe("gradients"))
    return [
        Run({"arm": arm}, network(kernel, config, dataset, seed, steps=0, probes=probes))
        for seed in config.seeds_of("initial_loss", full=20, quick=5)
        for arm, (kernel, *_) in ARMS.items()
    ]


def analyse(results: Results) -> Findings:
    """Loss, logits and gradients before the first step, beside theory."""
    classes, arms = len(results.dataset.test_counts), {}
    for arm in ARMS:
        rows, q = select(results, arm), _variance(results, arm)
        loss = probed(rows, "logits", "loss")
        arms[arm] = {
            "loss": np.mean(loss),
            "loss_sd": np.std(loss, ddof=min(1, len(loss) - 1)),
            "loss_theory": theory.initial_loss(q, classes=classes),
            "std": np.mean(probed(rows, "logits", "std")),
            "std_theory": np.sqrt(q),
            "confident": np.mean(probed(rows, "logits", "confident")),
            "gradient": _hidden_gradient(results, arm).mean(),
        }
    values = {
        "arms": arms,
        "draws": len(select(results, "he")),
        "ignorance": np.log(classes),
        "expected": [
            decide.expected(f"{ARMS[arm][1]}: {what}", number, arms[arm][name], low, high)
            for arm, name, what, number, low, high in EXPECTED
        ],
    }
    return Findings(values, [_draw_loss(results, arms), _draw_histograms(results, arms)])


def _variance(results: Results, arm: str) -> float:
    """Theory's mean square of the logits, from that of the pixels."""
    kernel, inputs = ARMS[arm][0], int(np.prod(results.dataset.shape))
    q, parameters = probed(results.table, "signal", "input_mean_square")[0], kernel.parameters
    for fan_in, fan_out in ((inputs, HIDDEN), (HIDDEN, len(results.dataset.test_counts))):
        variance = theory.initializer_variance(kernel.name, fan_in, fan_out, **dict(parameters))
        q = q * fan_in * variance
    return float(q / 2)  # the ReLU between the layers halves it


def _hidden_gradient(results: Results, arm: str) -> np.ndarray:
    """Root mean square gradient of the hidden weights, by draw."""
    squares = decide.by_layer(select(results, arm), "gradients", "kernel")
    return np.asarray(np.sqrt(squares[:, 0]))


def _draw_loss(results: Results, arms: dict[str, Any]) -> Figure:
    figure, (left, right) = plotting.new(2, height=3.2)
    classes, data = len(results.dataset.test_counts), []
    drawn = {}
    for arm, (_, name, _) in ARMS.items():
        rows = select(results, arm)
        x, y = (probed(rows, "logits", of) for of in ("mean_square", "loss"))
        drawn[arm] = (x, y)
        data += [
            (name, a, b, theory.initial_loss(a, classes=classes)) for a, b in zip(x, y, strict=True)
        ]
    every = np.concatenate([x for x, _ in drawn.values()])
    for axes, shown in ((left, SCALED), (right, tuple(ARMS))):
        near = np.concatenate([drawn[arm][0] for arm in shown])
        q = np.linspace(0, 1.1 * near.max(), 40)
        if axes is right:
            q = np.geomspace(near.min() / 2, 2 * near.max(), 60)
        exact = [theory.initial_loss(of, classes=classes) for of in q]
        axes.plot(q, exact, color=plotting.INK, lw=1.4, label="theory")
        small = q[q < 8]
        first = theory.initial_loss_first_order(small, classes=classes)
        axes.plot(small, first, color=plotting.INK, lw=1.2, ls=(0, (4, 2)), label="small q")
        axes.axhline(np.log(classes), color=plotting.MUTED, lw=0.9)
        for arm in shown:
            _, name, index = ARMS[arm]
            style = plotting.style(index) | {"linestyle": "none", "markersize": 4, "alpha": 0.75}
            axes.plot(*drawn[arm], **style, label=name)
        axes.set(xlabel="mean square q of the logits")
    left.set(ylabel="loss before the first step", title="Three scaled starts")
    right.set(xscale="log", yscale="log", title="All four")
    right.legend(loc="upper left")
    said = ", ".join(f"{ARMS[arm][1]} at {text(arms[arm]['loss'])}" for arm in ARMS)
    return Figure(
        "initial-loss",
        figure,
        f"**On average {said} before the first step; knowing nothing would cost "
        f"{np.log(classes):.3f}.** Loss of every draw against the mean square of its logits, with "
        "the loss that theory expects of independent normal logits (solid), its form for small q "
        f"(dashed), and the logarithm of the {classes} classes (grey).",
        "Loss before the first step against the mean square of the logits over "
        f"{np.log10(every.max() / every.min()):.0f} powers of ten, points along theory's curve.",
        pd.DataFrame(data, columns=["start", "mean_square", "loss", "theory"]),
    )


def _draw_histograms(results: Results, arms: dict[str, Any]) -> Figure:
    figure, grid = plotting.new(len(ARMS), 2, height=3.9)
    rng, classes, data = np.random.default_rng(0), len(results.dataset.test_counts), []
    for (upper, lower), (arm, (_, name, index)) in zip(grid.T, ARMS.items(), strict=True):
        keys, sigma = select(results, arm)["key"], arms[arm]["std_theory"]
        z = np.array([results.arrays(key)["logits-0-logits"] for key in keys], dtype=float)
        ideal = rng.normal(0, sigma, (50_000, classes))
        for axes, what, values, wide, edges in (
            (upper, "logit", z, ideal, sigma * np.linspace(-4, 4, 41)),
            (lower, "largest probability", _top(z), _top(ideal), np.linspace(0, 1, 31)),
        ):
            shares = np.array([np.histogram(of, edges)[0] / of.size for of in values])
            color, centres = plotting.style(index)["color"], (edges[1:] + edges[:-1]) / 2
            mean, low, high = shares.mean(axis=0), shares.min(axis=0), shares.max(axis=0)
            axes.stairs(high, edges, baseline=low, fill=True, color=color, alpha=0.35)
            axes.stairs(mean, edges, fill=True, color=color, alpha=0.25)
            axes.stairs(mean, edges, color=color, lw=1.6)
            predicted = np.histogram(wide, edges)[0] / wide.size
            if axes is upper:
                predicted = np.diff(stats.norm.cdf(edges, scale=sigma))
            axes.stairs(predicted, edges, color=plotting.INK, lw=1.1)
            axes.set(xlabel=what, yticks=(), xlim=(edges[0], edges[-1]))
            columns = (centres, mean, low, high, predicted)
            data += [(name, what, *point) for point in zip(*columns, strict=True)]
        upper.set_title(name)
    for axes in grid[:, 0]:
        axes.set_ylabel("share")
    sure = ", ".join(f"{ARMS[arm][1]} {arms[arm]['confident']:.0%}" for arm in ARMS)
    return Figure(
        "initial-histograms",
        figure,
        f"**Before the first step, images whose largest probability is over 0.99: {sure}.** "
        "Above, the logits, whose scales differ; below, the largest probability of each image. In "
        "colour, mean over the draws and range; the outline is theory's, for independent normal "
        "logits of the variance that follows from the weights'.",
        "Histograms of logits, bell-shaped with standard deviations from "
        f"{text(min(of['std'] for of in arms.values()), 2)} to "
        f"{text(max(of['std'] for of in arms.values()), 2)}, and of largest probabilities.",
        pd.DataFrame(data, columns=["start", "of", "bin", "mean", "low", "high", "theory"]),
    )


def _top(z: np.ndarray) -> np.ndarray:
    """Largest probability of the softmax over the last axis."""
    return np.asarray(1 / np.exp(z - z.max(axis=-1, keepdims=True)).sum(axis=-1))


def _certain(results: Results) -> evidence.Outcome:
    rows = select(results, "normal")
    found = {name: np.mean(probed(rows, "logits", name)) for name in ("loss", "std")}
    ignorance = np.log(len(results.dataset.test_counts))
    return decide.above(probed(rows, "logits", "confident"), 0.5, ignorance=ignorance, **found)


def _gradients_remain(results: Results) -> evidence.Outcome:
    return decide.above(_hidden_gradient(results, "normal") / _hidden_gradient(results, "he"), 1)


def _foretold(results: Results) -> evidence.Outcome:
    classes = len(results.dataset.test_counts)
    off = [
        np.array(probed(select(results, arm), "logits", "loss"))
        - theory.initial_loss_first_order(_variance(results, arm), classes=classes)
        for arm in SCALED
    ]
    return decide.between(np.mean(off, axis=0), -CLOSE, CLOSE, close=CLOSE)


CLAIMS = (
    Claim(
        "initial-normal-certain",
        "Drawn from normal(0, 1) the untrained net is certain: its logits have a standard "
        "deviation of {std:.0f}, for {effect:.0%} of the images its largest probability is over "
        "0.99, and its loss is {loss:.0f} where knowing nothing would cost {ignorance:.3f}.",
        "Drawn from normal(0, 1) the untrained net is not certain: for {effect:.0%} of the images "
        "only is its largest probability over 0.99, at a loss of {loss:.2f}.",
        "Drawn from normal(0, 1) the untrained net is certain of some images: for {effect:.0%} of "
        "them its largest probability is over 0.99, at a loss of {loss:.2f}.",
        _certain,
        "initial-histograms",
    ),
    Claim(
        "large-weights-keep-gradients",
        "Large weights do not fail by vanishing gradients here: before the first step those of the "
        "hidden weights are {effect:.0f} times as large from normal(0, 1) as from He's draws "
        "(95 % interval {low:.0f} to {high:.0f}).",
        "Large weights shrink the gradients here: before the first step those of the hidden "
        "weights are {effect:.2f} times as large from normal(0, 1) as from He's draws.",
        "Before the first step the gradients of the hidden weights are {effect:.2f} times as large "
        "from normal(0, 1) as from He's draws, over {n} draws, which does not settle whether large "
        "weights shrink them.",
        _gradients_remain,
        "initial-histograms",
    ),
    Claim(
        "initial-loss-formula",
        "From Glorot, He and LeCun the net opens at the loss that small logits foretell: it lies "
        "{effect:+.3f} from the formula on average (95 % interval {low:+.3f} to {high:+.3f}).",
        "From Glorot, He and LeCun the net does not open at the loss that small logits foretell: "
        "it lies {effect:+.3f} from the formula (95 % interval {low:+.3f} to {high:+.3f}).",
        "From Glorot, He and LeCun the net opens {effect:+.3f} from the loss that small logits "
        "foretell, which over {n} draws does not settle whether it is within {close:g} of it.",
        _foretold,
        "initial-loss",
    ),
)

EXPERIMENT = Experiment(
    number=8,
    name="initial_loss",
    title="The loss before the first step",
    question="What does an untrained net answer, and what does its loss say of the weights?",
    setup=(
        "The assignment's network before any training, every initializer with every draw, on the "
        "first 256 validation images."
    ),
    runs=runs,
    analyse=analyse,
    claims=CLAIMS,
)
