"""What the experiment on Glorot & Bengio (2010) measures, foretells and draws."""

from itertools import pairwise

import numpy as np
import pandas as pd

from reportgen.analysis import plotting, theory
from reportgen.config import Config, Initializer
from reportgen.experiments import assignment, decide
from reportgen.experiments.evidence import Figure, Results, Table
from reportgen.experiments.untrained import THIRD, gains, hidden, images, pixels, rows

LAYERS, UNITS, DRAFT_UNITS = 5, 1000, 200
ARMS = {
    "standard": (THIRD, "standard, U(±1/√n)", 4),
    "normalized": (Initializer.of("GlorotUniform"), "normalized (Glorot)", 2),
}
SIGMOIDS, SIGMOID_UNITS, RATE, LOOKS = 4, 256, 1.0, (0, 5, 10, 20, 50, 100, 200, 500, 1000)


def units_of(config: Config) -> int:
    """Units of a tanh layer."""
    return config.pick(full=UNITS, quick=DRAFT_UNITS)


def errors(results: Results, arm: str) -> np.ndarray:
    """Standard deviation of dL/dz by layer as a share of the top layer's, shape (draws, layers)."""
    found = np.sqrt(hidden(results, arm, "z", "gradients"))
    return np.asarray(found / found[:, -1:])


def singular(results: Results, arm: str) -> np.ndarray:
    """Mean singular value of the Jacobians of layers 2 to 5 in the draw that has them."""
    with_jacobian = [p for p in rows(results, arm)["probes"] if "jacobian" in p]
    return np.array(with_jacobian[0]["jacobian"][0]["mean"][1:], dtype=float)


def sigmoids(results: Results) -> np.ndarray:
    """Mean activation of each sigmoid layer at each look, shape (draws, looks, layers)."""
    probed = rows(results, "sigmoid")["probes"]
    return np.array([[look["h_mean"][:-1] for look in found["signal"]] for found in probed])


def foretold(results: Results, arm: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Theory by layer: deviation of h, of dL/dz against the top layer's, mean singular value."""
    kernel, units = ARMS[arm][0], units_of(results.config)
    # Layers 2 on are square; relu_gain is fan Var / 2.
    first, square = 2 * gains(kernel, (pixels(results), units, units))
    net = theory.MeanField("tanh", sigma_w2=float(square))
    profile = [float(first) * images(results, "mean_square")]
    for _ in range(LAYERS):
        profile.append(net.variance_map(profile[-1]))
    slopes = np.sqrt([net.chi(q) for q in profile[: LAYERS - 1]])
    back = np.cumprod([1.0, *slopes[::-1]])[::-1]
    values = [net.mean_singular_value(q) for q in profile[1:LAYERS]]
    return np.sqrt(np.array(profile[1:]) / square), back, np.array(values)


def largest(results: Results) -> np.ndarray:
    """Largest weight of the hidden layer's kernel in its standard deviations, by draw."""
    found = [decide.by_layer(rows(results, "kernels"), "kernels", of) for of in ("largest", "std")]
    return np.asarray(found[0][:, 0] / found[1][:, 0])


def draw_violins(results: Results, back: dict[str, float]) -> Figure:
    """Distributions of activations and errors by layer, one half a start."""
    figure, both = plotting.new(2, height=3.4)
    data, layers = [], np.arange(1, LAYERS + 1)
    for side, (arm, (_, name, index)) in zip((-1, 1), ARMS.items(), strict=True):
        found = results.arrays(rows(results, arm).iloc[0]["key"])
        wide_h, wide_back, _ = foretold(results, arm)
        top = np.sqrt(hidden(results, arm, "z", "gradients")[0, -1])
        std = np.sqrt(hidden(results, arm, "h_mean_square")[0])
        for axes, name_of, scale, wide, measured in (
            (both[0], "h", 1.0, wide_h, std),
            (both[1], "gradient", top, wide_back, errors(results, arm)[0]),
        ):
            counts, edges = (found[f"histograms-0-{name_of}_{of}"] for of in ("counts", "edges"))
            for x, count, edge, sd in zip(layers, counts, edges, wide, strict=False):
                y, width = (edge[1:] + edge[:-1]) / 2 / scale, 0.42 * side * count / count.max()
                color, label = plotting.style(index)["color"], name if x == 1 else ""
                axes.fill_betweenx(y, x, x + width, color=color, alpha=0.45, lw=0, label=label)
                axes.hlines([-sd, sd], *sorted((x, x + 0.4 * side)), color=plotting.INK, lw=1.3)
            drawn = {"series": name, "quantity": name_of, "layer": layers, "std": measured}
            data.append(pd.DataFrame({**drawn, "theory": wide}))
    both[0].set(title="Activations", ylabel="activation", ylim=(-0.8, 0.8))
    both[1].set(title="Errors dL/dz", ylabel="in deviations of the top layer's", ylim=(-3, 3))
    for axes in both:
        axes.set(xlabel="layer (the loss is on the right)", xticks=range(1, LAYERS + 1))
    figure.legend(*both[0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return Figure(
        "glorot-violins",
        figure,
        f"**Of the top layer's error deviation {back['standard']:.2f} arrives at the first layer "
        f"from the standard start and {back['normalized']:.2f} from the normalized one.** "
        f"Distributions over units and images in {LAYERS} untrained tanh layers of "
        f"{units_of(results.config)} units, one draw: left halves standard, right halves "
        "normalized. Bars mark plus and minus one standard deviation as theory has it.",
        "Split violins by layer for two starts. Left, activations; right, errors relative to the "
        "top layer's. Bars of theory's standard deviations lie on them.",
        pd.concat(data),
    )


def draw_sigmoid(results: Results) -> Figure:
    """Mean activation of each sigmoid layer over training."""
    figure, axes = plotting.new(height=3.0)
    found, data = sigmoids(results), []
    steps = np.array(LOOKS[: found.shape[1]])
    for layer in range(SIGMOIDS):
        label = f"layer {layer + 1}"
        data.append(plotting.points(axes, steps, found[:, :, layer], layer, label=label))
        axes.plot(steps, data[-1]["median"], **plotting.style(layer) | {"marker": ""})
    axes.set_xscale("symlog", linthresh=5)
    axes.set(xlabel="optimizer steps", ylabel="mean activation", ylim=(0, 1), xlim=(0, steps[-1]))
    axes.set_xticks(steps, steps)
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    top = found[:, :, -1].mean(axis=0)
    return Figure(
        "glorot-sigmoid",
        figure,
        f"**The top sigmoid layer goes from {top[0]:.2f} to {top.min():.3f} within "
        f"{steps[int(top.argmin())]} steps.** Mean activation of each of {SIGMOIDS} sigmoid layers "
        f"of {SIGMOID_UNITS} units from the standard start, gradient descent at rate {RATE:g}: "
        "median and range over the seeds. At 0 and at 1 a sigmoid is flat.",
        "Mean activation of four sigmoid layers over optimizer steps, one line a layer.",
        pd.concat(data),
    )


def table_layers(results: Results) -> Table:
    """Errors and singular values by layer, theory beside the measurement."""
    lines = []
    for arm, (_, name, _) in ARMS.items():
        (_, back, wide), measured = foretold(results, arm), errors(results, arm).mean(axis=0)
        for layer in range(LAYERS - 1, -1, -1):
            values = [of[layer - 1] if layer else None for of in (wide, singular(results, arm))]
            cells = (back[layer], measured[layer], *values)
            lines.append([name, f"{layer + 1}", *(decide.fixed(value, 3) for value in cells)])
    return Table(
        "glorot-layers",
        f"{LAYERS} untrained tanh layers of {units_of(results.config)} units on pixels in [0, 1]: "
        "standard deviation of dL/dz as a share of the top layer's, and mean singular value of a "
        "square layer's Jacobian, measured beside mean-field theory.",
        ("Start", "Layer", "dL/dz, theory", "measured", "Singular value, theory", "measured"),
        "lrrrrr",
        lines,
    )


def table_weights(results: Results) -> Table:
    """The deviation of GlorotNormal's weights and their largest, for the assignment's layers."""
    fans = (pixels(results), assignment.HIDDEN, len(results.dataset.test_counts))
    std, top = (
        decide.by_layer(rows(results, "kernels"), "kernels", name).mean(axis=0)
        for name in ("std", "largest")
    )
    lines = [
        [f"{a} to {b}", f"{2 / (a + b):.6f}", f"{(2 / (a + b)) ** 0.5:.4f}",
         f"{std[i]:.4f}", f"{top[i] / std[i]:.2f}"]
        for i, (a, b) in enumerate(pairwise(fans))
    ]  # fmt: skip
    columns = ("Layer", "Variance, rule", "Its root", "Measured deviation", "Largest weight")
    return Table(
        "glorot-weights",
        "What Keras's GlorotNormal draws for the two layers of this network: the rule's variance "
        "$2/(n_{\\mathrm{in}} + n_{\\mathrm{out}})$ and its root, the measured standard "
        "deviation, and the largest weight in standard deviations; the cut is at "
        f"{2 / theory.TRUNCATED_STD:.2f}.",
        columns,
        "lrrrr",
        lines,
    )
