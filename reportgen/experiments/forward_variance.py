"""Forward through deep untrained nets: the signal's size (He et al., 2015) and its angles."""

import numpy as np
import pandas as pd

from reportgen.analysis import plotting, theory
from reportgen.config import Config
from reportgen.engine.datasets import DatasetInfo
from reportgen.experiments import decide, evidence
from reportgen.experiments import untrained as nets
from reportgen.experiments.evidence import Claim, Experiment, Figure, Findings, Results, Run
from reportgen.experiments.untrained import ARMS as ARMS
from reportgen.experiments.untrained import DEPTH, FACTORS, SHOWN, TOLERANCE, WIDTH, hidden, images
from reportgen.experiments.untrained import gains as gains

TANH_WIDTH, TANH_DEPTH = 256, 100
ROUNDING = 3e-4  # of a layer's activations: 32-bit rounding of weights may flip a z next to 0
ANGLE_MARGIN = 0.03  # of a cosine: two to three times what ten draws leave open
RELU_VARIANCE = 0.5 - 1 / (2 * np.pi)


def runs(config: Config, dataset: DatasetInfo) -> list[Run]:
    """ReLU nets of every arm, and a deeper tanh net of gain one."""
    found, deep = [], (TANH_WIDTH,) * TANH_DEPTH
    for seed in config.seeds_of("forward_variance", full=10):
        for arm, (kernel, *_) in ARMS.items():
            found.append(Run({"arm": arm}, nets.network(kernel, (WIDTH,) * DEPTH, dataset, seed)))
        tanh = nets.network(ARMS["lecun"][0], deep, dataset, seed, "tanh", ("signal",))
        found.append(Run({"arm": "tanh"}, tanh))
    return found


def kept(results: Results, arm: str) -> np.ndarray:
    """Mean square by layer as a share of the images', shape (draws, layers)."""
    return hidden(results, arm, "h_mean_square") / images(results, "mean_square")


def cosines(results: Results) -> list[float]:
    """The arc-cosine map from the images' mean cosine on, by layer."""
    found = [images(results, "cosine")]
    for _ in range(DEPTH):
        found.append(float(theory.arccos_map(found[-1])))
    return found


def tanh(results: Results) -> np.ndarray:
    """Mean-field theory's mean square in the tanh net, by layer from the images on."""
    net = theory.MeanField("tanh", sigma_w2=1.0)
    return net.depth_profile(images(results, "mean_square"), TANH_DEPTH)


def analyse(results: Results) -> Findings:
    """Size and angle by layer, with theory's curves."""
    he, angles = kept(results, "he"), hidden(results, "he", "cosine").mean(axis=0)
    first = [kept(results, arm)[:, 0].mean() for arm in SHOWN]
    decay, wide = hidden(results, "tanh", "h_mean_square").mean(axis=0), tanh(results)
    typical, sd = np.exp(np.log(he[:, -1]).mean()), np.log(he[:, -1]).std(ddof=min(1, len(he) - 1))
    factor = {arm: float(nets.growth(kept(results, arm)).mean()) for arm in SHOWN}
    expected = decide.expected
    values = {
        "width": WIDTH, "depth": DEPTH, "tanh_depth": TANH_DEPTH, "factor": factor,
        "left": {arm: np.median(kept(results, arm)[:, -1]) for arm in SHOWN},
        "typical": typical, "typical_theory": theory.band(DEPTH, WIDTH)[1][-1],
        "log_sd": sd, "log_sd_theory": np.sqrt(DEPTH * theory.relu_log_norm(WIDTH)[1]),
        "cosine_input": cosines(results)[0], "cosine_theory": cosines(results)[-1],
        "cosine_last": angles[-1],
        "tanh_last": decay[-1], "tanh_theory": wide[-1], "tanh_input": wide[0],
        "expected": [
            expected("He: mean square after layer 1 over the images'", 0.98, first[0], 0.93, 1.03),
            expected("Glorot: the same", 0.842, first[1], 0.79, 0.89),
            expected("He: the typical net's after layer 30", 0.56, typical, 0.27, 1.15),
            expected("He: standard deviation of its logarithm", 1.1, sd, 0.6, 1.6),
            expected("He: mean cosine of two images, layer 5", 0.8, angles[4], 0.77, 0.83),
            expected("He: the same, layer 30", 0.975, angles[-1], 0.96, 0.985),
            expected("tanh of gain one: mean square, layer 5", 0.054, decay[4], 0.049, 0.059),
            expected("tanh, theory: the same, layer 100", 0.0048, wide[-1], 0.00475, 0.00485),
        ],
    }  # fmt: skip
    return Findings(values, [draw_size(results, factor), draw_limits(results)])


def draw_size(results: Results, factor: dict[str, float]) -> Figure:
    """Mean square by layer of three arms, and He's draws magnified."""
    figure, (left, right) = plotting.new(2, height=3.3)
    layers, data = np.arange(1, DEPTH + 1), []
    low, centre, high = theory.band(DEPTH, WIDTH)
    for arm in SHOWN:
        kernel, name, index = ARMS[arm]
        wide = np.cumprod(gains(kernel, (nets.pixels(results), *(WIDTH,) * DEPTH)))
        drawn = kept(results, arm)
        data.append(plotting.points(left, layers, drawn, index, label=name, theory=wide))
    color = plotting.style(ARMS["he"][2])["color"]
    right.fill_between(layers, low, high, color=color, alpha=0.2, lw=0, label="theory, ±2 sd")
    right.plot(layers, kept(results, "he").T, color=color, lw=0.9)
    right.plot(layers, np.ones(DEPTH), color=plotting.INK, lw=1.4, label="theory, mean")
    right.plot(layers, centre, color=plotting.INK, lw=1.4, ls="--", label="theory, typical net")
    left.set(title="All three", ylabel="mean square, share of the images'")
    right.set(title="He, draw by draw")
    for axes in (left, right):
        axes.set(yscale="log", xlabel="layer")
        axes.legend(loc="lower left")
    said = ", ".join(f"{factor[arm]:.3f} under {ARMS[arm][1]}" for arm in SHOWN)
    return Figure(
        "forward-variance",
        figure,
        f"**A ReLU layer multiplies the mean square by {said}.** Mean square of the activations "
        f"through {DEPTH} layers of {WIDTH} units. Left: median and range over the draws on the "
        "lines of theory. Right: He's draws; theory puts nineteen of twenty inside the band, whose "
        "centre falls although the mean over draws does not.",
        "Mean square by layer on a log scale for three weight variances, points along straight "
        "lines of theory; beside it He's draws within a band around a slowly falling centre.",
        pd.concat(data),
    )


def draw_limits(results: Results) -> Figure:
    """What scaling leaves: the angle between images shrinks, and tanh lets the size decay."""
    figure, (left, right) = plotting.new(2, height=3.0)
    layers, wide, (_, name, index) = np.arange(DEPTH + 1), cosines(results), ARMS["he"]
    angle = np.pad(hidden(results, "he", "cosine"), ((0, 0), (1, 0)), constant_values=wide[0])
    data = [plotting.points(left, layers, angle, index, label=name, theory=wide)]
    deep = np.unique(np.geomspace(1, TANH_DEPTH, 16).round().astype(int))
    size = hidden(results, "tanh", "h_mean_square")[:, deep - 1]
    data.append(plotting.points(right, deep, size, 1, label="tanh", theory=tanh(results)[deep]))
    right.plot(deep[3:], 1 / (2 * deep[3:]), color=plotting.INK, ls="--", lw=1.4)
    right.annotate("1/(2l)", (5.2, 0.12), color=plotting.INK)
    left.set(title="Angle, ReLU", xlabel="layer (0: images)", ylabel="mean cosine of two images")
    right.set(
        title="Size, tanh", xscale="log", yscale="log", xlabel="layer l", ylabel="mean square"
    )
    return Figure(
        "forward-limits",
        figure,
        f"**In {DEPTH} ReLU layers the mean cosine of two images goes from {wide[0]:.2f} to "
        f"{angle[:, -1].mean():.3f}; in {TANH_DEPTH} tanh layers of gain one the mean square goes "
        f"from {images(results, 'mean_square'):.3f} to {size[:, -1].mean():.4f}.** Median and "
        "range over the draws; lines are theory for infinite width, left the arc-cosine map. "
        f"At finite width, right {TANH_WIDTH} units, the spread between nets lowers the typical "
        "one, there by about the factor $1/(1 + l/n)$.",
        "Left: mean cosine between two images by layer, rising along the arc-cosine map. Right: "
        "mean square through tanh layers on two log axes, towards one over twice the layer.",
        pd.concat(data),
    )


def _factor(results: Results, arm: str) -> evidence.Outcome:
    bounds = (FACTORS[arm] * (1 - TOLERANCE), FACTORS[arm] * (1 + TOLERANCE))
    found = kept(results, arm)
    left = np.median(found[:, -1])
    return decide.between(nets.growth(found), *bounds, left=left, depth=DEPTH)


def _relu_variance(results: Results) -> evidence.Outcome:
    squares = hidden(results, "he", "z_mean_square")
    found = (hidden(results, "he", "h_std") ** 2 / squares).mean(axis=1)
    second = (hidden(results, "he", "h_mean_square") / squares).mean()
    margin = (0.5 - RELU_VARIANCE) / 2  # nearer to theory's figure than to a half
    bounds = (RELU_VARIANCE - margin, RELU_VARIANCE + margin)
    return decide.between(found, *bounds, second=second, theory=RELU_VARIANCE)


def _same_zeros(results: Results) -> evidence.Outcome:
    he, *others = (hidden(results, arm, "zero") for arm in ("he", "glorot", "lecun"))
    worst = np.max([np.abs(he - other).max(axis=1) for other in others], axis=0)
    how = f"in every draw no layer's share of zeros differs by more than {ROUNDING:g}"
    figures = {"share": he.mean(), "millionths": worst.max() * 1e6}
    return decide.always(worst <= ROUNDING, how, effect=float(worst.max()), **figures)


def _angle(results: Results) -> evidence.Outcome:
    start, *_, wide = cosines(results)
    found, bounds = (
        hidden(results, "he", "cosine")[:, -1],
        (wide - ANGLE_MARGIN, wide + ANGLE_MARGIN),
    )
    return decide.between(found, *bounds, start=start, theory=wide, depth=DEPTH)


def _tanh_decays(results: Results) -> evidence.Outcome:
    found, limit = hidden(results, "tanh", "h_mean_square")[:, -1], 1 / (2 * TANH_DEPTH)
    return decide.between(found, limit / 2, limit * 2, limit=limit, depth=TANH_DEPTH)


CLAIMS = (
    Claim(
        "he-keeps-size",
        "He's start keeps the mean square: a ReLU layer multiplies it by {effect:.3f} (95 % "
        "interval {low:.3f} to {high:.3f}), and the median net has {left:.2f} of it after "
        "{depth} layers.",
        "He's start does not keep the mean square: a ReLU layer multiplies it by {effect:.3f}.",
        "A ReLU layer of He's start multiplies the mean square by {effect:.3f} in {n} draws, which "
        "does not settle whether it is kept.",
        lambda results: _factor(results, "he"),
        "forward-variance",
    ),
    Claim(
        "xavier-vanishes-in-relu",
        "Xavier's start does not avoid vanishing in a ReLU net: a layer multiplies the mean square "
        "by {effect:.3f} (95 % interval {low:.3f} to {high:.3f}), where theory says one half, and "
        "{depth} layers leave {left:.1e} of it.",
        "Xavier's start does not halve the mean square a ReLU layer here: the factor is "
        "{effect:.3f}.",
        "Under Xavier's start a ReLU layer multiplies the mean square by {effect:.3f} in {n} "
        "draws, which does not settle whether the factor is one half.",
        lambda results: _factor(results, "glorot"),
        "forward-variance",
    ),
    Claim(
        "pytorch-default-is-a-sixth",
        "PyTorch's default, Kaiming uniform with $a = \\sqrt 5$, is not He's start: its variance "
        "is a sixth of He's, and a ReLU layer multiplies the mean square by {effect:.3f} (95 % "
        "interval {low:.3f} to {high:.3f}).",
        "A ReLU layer of PyTorch's default, Kaiming uniform with $a = \\sqrt 5$, multiplies the "
        "mean square by {effect:.3f}, which is not the sixth that theory foretells.",
        "A ReLU layer of PyTorch's default, Kaiming uniform with $a = \\sqrt 5$, multiplies the "
        "mean square by {effect:.3f} in {n} draws, which does not settle whether that is a sixth.",
        lambda results: _factor(results, "third"),
        "forward-variance",
    ),
    Claim(
        "relu-variance-is-a-third",
        "What ReLU halves is the second moment (measured: {second:.3f}) and not the variance, of "
        "which it leaves {effect:.3f} (95 % interval {low:.3f} to {high:.3f}; theory: "
        "{theory:.3f}).",
        "ReLU leaves {effect:.3f} of the variance here, which is nearer to a half than to theory's "
        "{theory:.3f}, or further off.",
        "ReLU leaves {effect:.3f} of the variance in {n} draws, which does not decide between a "
        "half and theory's {theory:.3f}.",
        _relu_variance,
        "forward-variance",
    ),
    Claim(
        "same-units-off",
        "From the same draws Glorot, He and LeCun switch the same units off: in {n} draws the "
        "share of zeros, {share:.1%} on average, differs in no layer by more than "
        "{millionths:.0f} in a million, which is rounding.",
        "Even from the same draws Glorot, He and LeCun switch different shares of units off: they "
        "differ by up to {millionths:.0f} in a million.",
        "From the same draws Glorot, He and LeCun switch the same share of units off in {holding} "
        "of {n} draws.",
        _same_zeros,
        "forward-variance",
    ),
    Claim(
        "length-not-angle",
        "He's start keeps length and not angle: the mean cosine of two images goes from "
        "{start:.2f} to {effect:.3f} in {depth} layers (95 % interval {low:.3f} to {high:.3f}), "
        "where the arc-cosine map says {theory:.3f}.",
        "The mean cosine of two images goes from {start:.2f} to {effect:.3f} in {depth} layers, "
        "which is not the {theory:.3f} of the arc-cosine map.",
        "The mean cosine of two images goes from {start:.2f} to {effect:.3f} in {depth} layers, "
        "too variable over {n} draws to be held against the {theory:.3f} of the arc-cosine map.",
        _angle,
        "forward-limits",
    ),
    Claim(
        "tanh-decays",
        "Xavier's start does not hold a tanh net at a steady level: after {depth} layers the mean "
        "square is {effect:.4f} (95 % interval {low:.4f} to {high:.4f}), near the {limit:.4f} of "
        "$1/(2l)$.",
        "After {depth} tanh layers of Xavier's start the mean square is {effect:.4f}, not within a "
        "factor of two of the {limit:.4f} of $1/(2l)$.",
        "After {depth} tanh layers of Xavier's start the mean square is {effect:.4f} in {n} draws, "
        "which does not settle whether it follows $1/(2l)$, here {limit:.4f}.",
        _tanh_decays,
        "forward-limits",
    ),
)

EXPERIMENT = Experiment(
    number=4,
    name="forward_variance",
    title="Forward variance and angle",
    question="What becomes of the size of a signal, and of the angle between two, with depth?",
    setup=(
        f"Untrained ReLU nets of {DEPTH} layers of {WIDTH} units, and tanh nets of {TANH_DEPTH} "
        f"layers of {TANH_WIDTH}, on validation images with pixels in [0, 1]; Glorot, He and LeCun "
        "share their unit draws."
    ),
    runs=runs,
    analyse=analyse,
    claims=CLAIMS,
)
