"""Back through deep untrained nets: errors by layer, weight gradients by layer, unequal widths."""

from dataclasses import replace

import numpy as np
import pandas as pd

from reportgen.analysis import plotting
from reportgen.config import Config, Initializer
from reportgen.engine.datasets import DatasetInfo
from reportgen.experiments import decide, evidence
from reportgen.experiments import untrained as nets
from reportgen.experiments.evidence import Claim, Experiment, Figure, Findings, Results, Run
from reportgen.experiments.untrained import ARMS, DEPTH, FACTORS, SHOWN, TOLERANCE, WIDTH, hidden

# Halving widths: what keeps the signal halves the error a layer, and the other way round.
FUNNEL = (1024, 512, 256, 128, 64, 32)
FUNNELS = {
    "fan_in": (ARMS["he"][0], "2 / fan_in", 3),
    "fan_out": (
        Initializer.of("VarianceScaling", scale=2, mode="fan_out", distribution="truncated_normal"),
        "2 / fan_out",
        5,
    ),
}


def runs(config: Config, dataset: DatasetInfo) -> list[Run]:
    """The nets of the forward experiment, and narrowing ones."""
    found = []
    for seed in config.seeds_of("backward_gradients", full=10):
        for arm in SHOWN:
            found.append(
                Run({"arm": arm}, nets.network(ARMS[arm][0], (WIDTH,) * DEPTH, dataset, seed))
            )
        for arm, (kernel, *_) in FUNNELS.items():
            found.append(Run({"arm": arm}, nets.network(kernel, FUNNEL, dataset, seed)))
    return found


def errors(results: Results, arm: str) -> np.ndarray:
    """Mean square of dL/dz by hidden layer, as a share of the last one's."""
    found = hidden(results, arm, "z", "gradients")
    return np.asarray(found / found[:, -1:])


def analyse(results: Results) -> Findings:
    """Errors and weight gradients by layer; the narrowing nets both ways."""
    slopes = {arm: float(nets.growth(errors(results, arm)).mean()) for arm in SHOWN}
    kernels = {arm: hidden(results, arm, "kernel", "gradients")[:, 1:] for arm in SHOWN}
    level = {arm: float(np.sqrt(np.median(kernels[arm]))) for arm in SHOWN}
    values = {
        "slope": slopes, "weight_rms": level, "funnel_widths": list(FUNNEL),
        "weight_slope": {arm: float(nets.growth(kernels[arm]).mean()) for arm in SHOWN},
        "funnel": {arm: float(errors(results, arm)[:, 0].mean()) for arm in FUNNELS},
        "expected": [
            decide.expected(f"{ARMS[arm][1]}: dL/dz a layer towards the loss", number, slopes[arm],
                            number * 0.95, number * 1.05)
            for arm, number in zip(SHOWN, (0.99, 1.99, 5.97), strict=True)
        ],
    }  # fmt: skip
    return Findings(values, [draw_layers(results, slopes, kernels), draw_funnel(results)])


def draw_layers(
    results: Results, slopes: dict[str, float], kernels: dict[str, np.ndarray]
) -> Figure:
    """dL/dz falls on its way down; dL/dW is as small in one layer as in another."""
    figure, (left, right) = plotting.new(2, height=3.3)
    layers, data = np.arange(1, DEPTH + 1), []
    he = np.exp(np.log(kernels["he"]).mean())
    net = (nets.pixels(results), *(WIDTH,) * DEPTH, len(results.dataset.test_counts))
    for arm in SHOWN:
        kernel, name, index = ARMS[arm]
        back = np.cumprod([1.0, *nets.gains(kernel, (WIDTH,) * DEPTH, backward=True)])[::-1]
        # A kernel's own variance is the one that its gradient does not contain.
        others = np.delete(nets.gains(kernel, net) / nets.gains(ARMS["he"][0], net), 1).prod()
        found = plotting.points(left, layers, errors(results, arm), index, label=name, theory=back)
        data.append(found.assign(quantity="dL/dz"))
        level = np.full(DEPTH - 1, he * others)
        found = plotting.points(right, layers[1:], kernels[arm], index, label=name, theory=level)
        data.append(found.assign(quantity="dL/dW"))
    left.set(title="Errors dL/dz", ylabel="mean square, share of the last layer's")
    right.set(title="Weight gradients dL/dW", ylabel="mean square")
    left.legend(loc="lower right")
    for axes in (left, right):
        axes.set(yscale="log", xlabel="layer (the loss is on the right)")
    said, flat = (
        ", ".join(f"{by[arm]:.2f} ({ARMS[arm][1]})" for arm in SHOWN)
        for by in (slopes, {arm: nets.growth(kernels[arm]).mean() for arm in SHOWN})
    )
    return Figure(
        "backward-gradients",
        figure,
        f"**A layer nearer the loss, the error's mean square is multiplied by {said}, the weight "
        f"gradient's by {flat}.** {DEPTH} ReLU layers of {WIDTH} units: median and range over the "
        "draws. Lines are theory; right, He's mean level times the variances' ratio to He's in all "
        "other layers. These gradients are of a batch's mean loss, in which the errors of images "
        "that look alike partly cancel: that moves a whole level, and no slope.",
        "Left: mean square of the error by layer on a log scale, on straight lines of slopes one, "
        "two and six. Right: mean square of the weight gradient, nearly level for each arm.",
        pd.concat(data),
    )


def draw_funnel(results: Results) -> Figure:
    """Signal and error in narrowing nets: one of them is kept."""
    figure, both = plotting.new(2, height=2.9, sharey=True)
    layers, data = np.arange(1, len(FUNNEL) + 1), []
    for arm, (kernel, name, index) in FUNNELS.items():
        signal = hidden(results, arm, "h_mean_square")
        forward = np.cumprod([1.0, *nets.gains(kernel, FUNNEL)])
        back = np.cumprod([1.0, *nets.gains(kernel, FUNNEL, backward=True)[::-1]])[::-1]
        for axes, measured, wide, quantity in (
            (both[0], signal / signal[:, :1], forward, "signal"),
            (both[1], errors(results, arm), back, "dL/dz"),
        ):
            found = plotting.points(axes, layers, measured, index, label=name, theory=wide)
            data.append(found.assign(quantity=quantity))
    both[0].set(title="Signal, share of the first layer's", ylabel="mean square")
    both[1].set(title="Error dL/dz, share of the last layer's")
    both[0].legend(loc="upper left")
    for axes in both:
        axes.set(yscale="log", xlabel="units of the layer", xticks=layers, xticklabels=FUNNEL)
    left = {arm: np.median(errors(results, arm)[:, 0]) for arm in FUNNELS}
    return Figure(
        "backward-funnel",
        figure,
        f"**Of the last layer's error the first gets {left['fan_in']:.3g} where the variance is "
        f"$2/n_{{\\mathrm{{in}}}}$, and {left['fan_out']:.3g} where it is "
        "$2/n_{\\mathrm{out}}$.** ReLU layers of halving width: median and range over the draws "
        "of the mean squares, on the lines of theory. The one variance holds the signal level, the "
        "other the error.",
        "Mean square of signal and error by layer in narrowing nets for two variances: each holds "
        "one of the two level while the other changes twofold a layer.",
        pd.concat(data),
    )


def _slopes(results: Results) -> evidence.Outcome:
    found = {arm: nets.growth(errors(results, arm)) for arm in SHOWN}
    off = np.max([np.abs(found[arm] * FACTORS[arm] - 1) for arm in SHOWN], axis=0)
    means = {arm: found[arm].mean() for arm in SHOWN}
    return _within(off, **means)


def _flat(results: Results) -> evidence.Outcome:
    found = {arm: nets.growth(hidden(results, arm, "kernel", "gradients")[:, 1:]) for arm in SHOWN}
    off = np.max([np.abs(found[arm] - 1) for arm in SHOWN], axis=0)
    errors_ = nets.growth(errors(results, "glorot")).mean()
    return _within(off, glorot=found["glorot"].mean(), errors=errors_)


def _within(off: np.ndarray, **details: float) -> evidence.Outcome:
    """Whether the largest departure of the three starts, by draw, stays inside the tolerance."""
    how = f"largest departure of the three starts: 95 % interval of its mean below {TOLERANCE:g}"
    return replace(decide.between(off, -TOLERANCE, TOLERANCE, **details), how=how)


def _unequal(results: Results) -> evidence.Outcome:
    signal = nets.growth(hidden(results, "fan_in", "h_mean_square")).mean()
    found, limits = nets.growth(errors(results, "fan_in")), (2 * 0.8, 2 * 1.2)
    return decide.between(found, *limits, signal=signal, widths=f"{FUNNEL[0]} to {FUNNEL[-1]}")


CLAIMS = (
    Claim(
        "error-slopes",
        "On its way down from the loss the error's mean square is divided, at every ReLU layer, by "
        "{glorot:.2f} under Glorot's start and by {third:.2f} under variance $1/(3n)$, and kept "
        "({he:.2f}) under He's, as theory has it.",
        "On its way down from the loss the error's mean square is divided, at every ReLU layer, by "
        "{glorot:.2f} under Glorot's start, {third:.2f} under variance $1/(3n)$ and {he:.2f} under "
        "He's, which is not the two, six and one of theory.",
        "On its way down from the loss the error's mean square is divided, at every ReLU layer, by "
        "{glorot:.2f} under Glorot's start, {third:.2f} under variance $1/(3n)$ and {he:.2f} under "
        "He's; {n} draws do not settle whether that is theory's two, six and one.",
        _slopes,
        "backward-gradients",
    ),
    Claim(
        "weight-gradients-level",
        "Weight gradients do not starve in the lower layers alone: while the mean square of "
        "Glorot's errors changes by {errors:.2f} a layer, that of the weight gradient changes by "
        "{glorot:.2f}, and the largest departure from one under the three starts is {effect:.1%}.",
        "Weight gradients do depend on the layer: under one of the three starts their mean square "
        "changes by {effect:.0%} a layer, where that of Glorot's errors changes by {errors:.2f}.",
        "Whether weight gradients depend on the layer stays open: under one of the three starts "
        "their mean square changes by {effect:.0%} a layer, on average over {n} draws.",
        _flat,
        "backward-gradients",
    ),
    Claim(
        "unequal-widths",
        "Keeping the forward variance does not keep the gradients where widths differ: in layers "
        "of {widths} units He's start multiplies the signal's mean square by {signal:.2f} a layer "
        "and, on the way down, divides the error's by {effect:.2f}.",
        "In layers of {widths} units, where He's start multiplies the signal's mean square by "
        "{signal:.2f} a layer, the error's is divided by {effect:.2f} on the way down, which is "
        "not the two of theory.",
        "In layers of {widths} units, where He's start multiplies the signal's mean square by "
        "{signal:.2f} a layer, the error's is divided by {effect:.2f} on the way down; {n} draws "
        "do not settle whether that is theory's two.",
        _unequal,
        "backward-funnel",
    ),
)

EXPERIMENT = Experiment(
    number=5,
    name="backward_gradients",
    title="Backward gradients",
    question="What becomes of errors and of weight gradients with depth?",
    setup=(
        f"The untrained ReLU nets of the forward experiment ({DEPTH} layers of {WIDTH} units), and "
        f"nets narrowing from {FUNNEL[0]} units to {FUNNEL[-1]}; gradients over validation images."
    ),
    runs=runs,
    analyse=analyse,
    claims=CLAIMS,
)
