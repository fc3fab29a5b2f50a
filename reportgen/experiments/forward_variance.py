"""Forward through deep untrained nets: the signal's size (He et al., 2015) and its angles."""

from itertools import accumulate

import numpy as np
import pandas as pd

from reportgen.analysis import plotting, theory
from reportgen.config import Config, Initializer
from reportgen.engine.datasets import DatasetInfo
from reportgen.engine.runs import Probe
from reportgen.experiments import decide, evidence, nets
from reportgen.experiments.evidence import Claim, Experiment, Figure, Findings, Results, Run, Test
from reportgen.experiments.nets import DEPTH, FACTORS, SHOWN, SQUARE, TOLERANCE, hidden, starts

ARMS = starts(*SHOWN, "lecun")
TANH_WIDTH, TANH_DEPTH = 256, 100
ROUNDING = 3e-4  # of a layer's activations: 32-bit rounding of weights may flip a z next to 0
ANGLE_MARGIN = 0.03  # of a cosine: two to three times what ten draws leave open
RELU_VARIANCE = 0.5 - 1 / (2 * np.pi)


def runs(config: Config, dataset: DatasetInfo) -> list[Run]:
    """ReLU nets of every arm, and a deeper tanh net of gain one."""
    found, deep, signal = [], (TANH_WIDTH,) * TANH_DEPTH, (Probe("signal"),)
    for seed in config.seeds_of("forward_variance", full=10):
        tanh = nets.network(ARMS["lecun"][0], deep, dataset, seed, "tanh", probes=signal)
        relu = {arm: nets.network(ARMS[arm][0], SQUARE, dataset, seed) for arm in ARMS}
        found += [Run({"arm": arm}, spec) for arm, spec in {**relu, "tanh": tanh}.items()]
    return found


def kept(results: Results, arm: str) -> np.ndarray:
    """Mean square by layer as a share of the images', shape (draws, layers)."""
    return hidden(results, arm, "h_mean_square") / nets.images(results, "mean_square")


def cosines(results: Results) -> list[float]:
    """The arc-cosine map from the images' mean cosine on, by layer."""
    start = nets.images(results, "cosine")
    return [*accumulate(range(DEPTH), lambda c, _: float(theory.arccos_map(c)), initial=start)]


def analyse(results: Results) -> Findings:
    """Size and angle by layer, with theory's curves."""
    size, angle = {arm: kept(results, arm) for arm in SHOWN}, cosines(results)
    cosine = hidden(results, "he", "cosine").mean(axis=0)
    square = hidden(results, "tanh", "h_mean_square").mean(axis=0)
    start = nets.images(results, "mean_square")
    tanh = theory.MeanField("tanh", sigma_w2=1.0).depth_profile(start, TANH_DEPTH)
    logs = np.log(size["he"][:, -1])
    values = {
        "width": nets.WIDTH, "depth": DEPTH,
        "factor": {arm: nets.growth(of).mean() for arm, of in size.items()},
        "first": {arm: of[:, 0].mean() for arm, of in size.items()},
        "left": {arm: np.median(of[:, -1]) for arm, of in size.items()},
        "he_left": {"typical": np.exp(logs.mean()), "log_sd": logs.std(ddof=min(1, len(logs) - 1))},
        "cosine": {"images": angle[0], "fifth": cosine[4], "last": cosine[-1], "theory": angle[-1]},
        "tanh": {"width": TANH_WIDTH, "depth": TANH_DEPTH, "images": start,
                 "fifth": square[4], "last": square[-1]},
    }  # fmt: skip
    return Findings(values, [_draw_size(results, size["he"]), _draw_limits(results, tanh)])


def _draw_size(results: Results, he: np.ndarray) -> Figure:
    options = {"yscale": "log", "xlabel": "layer"}
    figure, (left, right) = plotting.new(2, height=3.3, subplot_kw=options)

    def line(kernel: Initializer, net: nets.Widths) -> np.ndarray:
        return np.cumprod(nets.gains(kernel, nets.widths(results, *net)[:-1]))

    data = nets.draw(results, left, SQUARE, SHOWN, kept, line, "mean square")
    layers, (low, centre, high) = np.arange(1, DEPTH + 1), theory.band(DEPTH, nets.WIDTH)
    color, ink = plotting.style(ARMS["he"][2])["color"], {"color": plotting.INK, "lw": 1.4}
    right.fill_between(layers, low, high, color=color, alpha=0.2, lw=0, label="theory, ±2 sd")
    right.plot(layers, he.T, color=color, lw=0.9)
    right.plot(layers, np.ones(DEPTH), **ink, label="theory, mean")
    right.plot(layers, centre, **ink, ls="--", label="theory, typical net")
    left.set(title="All three", ylabel="mean square, share of the images'")
    right.set(title="He, draw by draw")
    left.legend(loc="lower left")
    right.legend(loc="lower left")
    return Figure("forward-variance", figure, data)


def _draw_limits(results: Results, tanh: np.ndarray) -> Figure:
    """What scaling leaves: the angle between images shrinks, and tanh lets the size decay."""
    figure, (left, right) = plotting.new(2, height=3.0)
    wide, (_, name, index) = cosines(results), ARMS["he"]
    angle = np.pad(hidden(results, "he", "cosine"), ((0, 0), (1, 0)), constant_values=wide[0])
    deep = np.unique(np.geomspace(1, TANH_DEPTH, 16).round().astype(int))
    size = hidden(results, "tanh", "h_mean_square")[:, deep - 1]
    data = [
        plotting.points(left, np.arange(DEPTH + 1), angle, index, label=name, theory=wide),
        plotting.points(right, deep, size, 1, label="tanh", theory=tanh[deep]),
    ]
    right.plot(deep[3:], 1 / (2 * deep[3:]), color=plotting.INK, ls="--", lw=1.4)
    right.annotate("1/(2l)", (5.2, 0.12), color=plotting.INK)
    left.set(title="Angle, ReLU", xlabel="layer (0: images)", ylabel="mean cosine of two images")
    right.set(title="Size, tanh", xlabel="layer l", ylabel="mean square")
    right.loglog()
    return Figure("forward-limits", figure, pd.concat(data))


def _factor(arm: str) -> Test:
    low, high = FACTORS[arm] * (1 - TOLERANCE), FACTORS[arm] * (1 + TOLERANCE)
    return lambda results: decide.between(nets.growth(kept(results, arm)), low, high)


def _relu_variance(results: Results) -> evidence.Outcome:
    z, h, std = (hidden(results, "he", of) for of in ("z_mean_square", "h_mean_square", "h_std"))
    margin = (0.5 - RELU_VARIANCE) / 2  # nearer to theory's figure than to a half
    bounds = (RELU_VARIANCE - margin, RELU_VARIANCE + margin)
    figures = {"second": (h / z).mean(), "theory": RELU_VARIANCE}
    return decide.between((std**2 / z).mean(axis=1), *bounds, **figures)


def _same_zeros(results: Results) -> evidence.Outcome:
    he, *others = (hidden(results, arm, "zero") for arm in ("he", "glorot", "lecun"))
    worst = np.max([np.abs(he - other).max(axis=1) for other in others], axis=0)
    how = f"in every draw no layer's share of zeros differs by more than {ROUNDING:g}"
    figures = {"share": he.mean(), "millionths": worst.max() * 1e6}
    return decide.always(worst <= ROUNDING, how, effect=float(worst.max()), **figures)


def _angle(results: Results) -> evidence.Outcome:
    found, wide = hidden(results, "he", "cosine")[:, -1], cosines(results)[-1]
    return decide.between(found, wide - ANGLE_MARGIN, wide + ANGLE_MARGIN)


def _tanh_decays(results: Results) -> evidence.Outcome:
    found, limit = hidden(results, "tanh", "h_mean_square")[:, -1], 1 / (2 * TANH_DEPTH)
    return decide.between(found, limit / 2, limit * 2, limit=limit)


CLAIMS = (
    Claim("he-keeps-size", _factor("he"), "forward-variance"),
    Claim("xavier-vanishes-in-relu", _factor("glorot"), "forward-variance"),
    Claim("pytorch-default-is-a-sixth", _factor("third"), "forward-variance"),
    Claim("relu-variance-is-a-third", _relu_variance, "forward-variance"),
    Claim("same-units-off", _same_zeros, "forward-variance"),
    Claim("length-not-angle", _angle, "forward-limits"),
    Claim("tanh-decays", _tanh_decays, "forward-limits"),
)

EXPERIMENT = Experiment(4, "forward_variance", runs, analyse, CLAIMS)
