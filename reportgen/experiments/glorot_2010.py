"""Glorot & Bengio (2010) again: five tanh layers from their two starts, and sigmoid saturation."""

from itertools import pairwise

import numpy as np
import pandas as pd
import scipy

from reportgen.analysis import plotting, theory
from reportgen.config import Config, Initializer
from reportgen.engine.datasets import DatasetInfo
from reportgen.engine.runs import Optimizer, Probe
from reportgen.experiments import assignment, decide, evidence, nets
from reportgen.experiments.evidence import Claim, Experiment, Figure, Findings, Results, Run, Table
from reportgen.experiments.nets import THIRD, hidden

LAYERS, UNITS = 5, {"full": 1000, "quick": 200}
ARMS: dict[str, nets.Arm] = {
    "standard": (THIRD, "standard, U(±1/√n)", 4),
    "normalized": (Initializer.of("GlorotUniform"), "normalized (Glorot)", 2),
}
SIGMOIDS, SIGMOID_UNITS, RATE, LOOKS = 4, 256, 1.0, (0, 5, 10, 20, 50, 100, 200, 500, 1000)
NORMAL = Initializer.of("GlorotNormal")
CUT = 2 / theory.TRUNCATED_STD  # of GlorotNormal, in deviations of what is left
SATURATED = 0.1  # mean of a sigmoid layer that rests near its lower end; it starts at a half
SINGULAR_MARGIN = 0.02  # the largest departure from theory that a thousand units leave room for


def runs(config: Config, dataset: DatasetInfo) -> list[Run]:
    """Untrained tanh nets (Jacobians of one draw: they hardly vary), kernels, trained sigmoids."""
    found, widths, drawn = [], (config.pick(**UNITS),) * LAYERS, (Probe("kernels"),)
    for seed in config.seeds_of("glorot_2010", full=5):
        probes = nets.SIGNALS + (Probe("histograms"), Probe("jacobian")) * (seed == 0)
        for arm, (kernel, *_) in ARMS.items():
            spec = nets.network(kernel, widths, dataset, seed, "tanh", probes=probes)
            found.append(Run({"arm": arm}, spec))
        spec = assignment.network(NORMAL, config, dataset, seed, steps=0, probes=drawn)
        found.append(Run({"arm": "kernels"}, spec))
    looks = LOOKS[: config.pick(full=len(LOOKS), quick=6)]
    sgd, probed = Optimizer("sgd", RATE), (Probe("signal", looks),)
    widths = (SIGMOID_UNITS,) * SIGMOIDS
    for seed in config.seeds_of("glorot_2010", full=3):
        spec = nets.network(
            THIRD, widths, dataset, seed, "sigmoid", steps=looks[-1], optimizer=sgd, probes=probed
        )
        found.append(Run({"arm": "sigmoid"}, spec))
    return found


def errors(results: Results, arm: str) -> np.ndarray:
    """Standard deviation of dL/dz by layer as a share of the top layer's, shape (draws, layers)."""
    return np.asarray(np.sqrt(nets.errors(results, arm)))


def singular(results: Results, arm: str) -> np.ndarray:
    """Mean singular value of the Jacobian of each layer from 2 on, in the draw that has them."""
    return decide.looks(results.rows(arm=arm)[:1], "jacobian", "mean")[0, 0, 1:]


def sigmoids(results: Results) -> np.ndarray:
    """Mean activation of each sigmoid layer at each look, shape (draws, looks, layers)."""
    return decide.looks(results.rows(arm="sigmoid"), "signal", "h_mean")[:, :, :-1]


def kernels(results: Results) -> tuple[np.ndarray, np.ndarray]:
    """Deviation of GlorotNormal's weights and the largest in deviations, shape (draws, layers)."""
    rows = results.rows(arm="kernels")
    std, largest = (decide.looks(rows, "kernels", name)[:, 0] for name in ("std", "largest"))
    return std, largest / std


def foretold(results: Results, arm: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Theory by layer: deviation of h, of dL/dz against the top layer's, mean singular value."""
    units = results.config.pick(**UNITS)
    # Layers 2 on are square; relu_gain is fan Var / 2.
    first, square, _ = 2 * nets.gains(ARMS[arm][0], nets.widths(results, units, units))
    net = theory.MeanField("tanh", sigma_w2=float(square))
    profile = net.depth_profile(float(first) * nets.images(results, "mean_square"), LAYERS)
    back = np.cumprod([1.0, *(net.chi(q) ** 0.5 for q in profile[LAYERS - 2 :: -1])])[::-1]
    values = [net.mean_singular_value(q) for q in profile[1:LAYERS]]
    return np.sqrt(profile[1:] / square), back, np.array(values)


def analyse(results: Results) -> Findings:
    """Activations, errors and singular values by layer; sigmoids over training; weights drawn."""
    top = sigmoids(results)[:, :, -1].mean(axis=0)
    values = {
        "units": results.config.pick(**UNITS), "layers": LAYERS, "cut": CUT,
        "largest": kernels(results)[1][:, 0].mean(),
        "back": {arm: errors(results, arm)[:, 0].mean() for arm in ARMS},
        "singular": {arm: singular(results, arm).mean() for arm in ARMS},
        "sigmoid": {
            "layers": SIGMOIDS, "units": SIGMOID_UNITS, "rate": RATE,
            "start": top[0], "low": top.min(), "steps": LOOKS[int(top.argmin())],
        },
    }  # fmt: skip
    figures = [_draw_violins(results), _draw_sigmoid(results)]
    return Findings(values, figures, [_table_layers(results), _table_weights(results)])


def _draw_violins(results: Results) -> Figure:
    """Distributions of activations and errors by layer of one draw, one half a start."""
    data, layers = [], np.arange(1, LAYERS + 1)
    options = {"xlabel": "layer (the loss is on the right)", "xticks": layers}
    figure, (left, right) = plotting.new(2, height=3.4, subplot_kw=options)
    for side, (arm, (_, name, index)) in zip((-1, 1), ARMS.items(), strict=True):
        found = results.arrays(results.rows(arm=arm)["key"].iloc[0])
        wide_h, wide_back, _ = foretold(results, arm)
        top = np.sqrt(hidden(results, arm, "z", "gradients")[0, -1])
        std = np.sqrt(hidden(results, arm, "h_mean_square")[0])
        color = plotting.style(index)["color"]
        for axes, of, scale, wide, measured in (
            (left, "h", 1.0, wide_h, std),
            (right, "gradient", top, wide_back, errors(results, arm)[0]),
        ):
            counts, edges = (found[f"histograms-0-{of}_{part}"] for part in ("counts", "edges"))
            for x, count, edge, sd in zip(layers, counts, edges, wide, strict=False):
                y, width = (edge[1:] + edge[:-1]) / 2 / scale, 0.42 * side * count / count.max()
                label = name if x == 1 else ""
                axes.fill_betweenx(y, x, x + width, color=color, alpha=0.45, lw=0, label=label)
                axes.hlines([-sd, sd], *sorted((x, x + 0.4 * side)), color=plotting.INK, lw=1.3)
            drawn = {"series": name, "quantity": of, "layer": layers, "std": measured}
            data.append(pd.DataFrame({**drawn, "theory": wide}))
    left.set(title="Activations", ylabel="activation", ylim=(-0.8, 0.8))
    right.set(title="Errors dL/dz", ylabel="in deviations of the top layer's", ylim=(-3, 3))
    figure.legend(*left.get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return Figure("glorot-violins", figure, pd.concat(data))


def _draw_sigmoid(results: Results) -> Figure:
    figure, axes = plotting.new(height=3.0)
    found, data = sigmoids(results), []
    steps = np.array(LOOKS[: found.shape[1]])
    for index in range(SIGMOIDS):
        label = f"layer {index + 1}"
        data.append(plotting.points(axes, steps, found[:, :, index], index, label=label))
        axes.plot(steps, data[-1]["median"], **plotting.style(index) | {"marker": ""})
    axes.set_xscale("symlog", linthresh=5)
    axes.set(xlabel="optimizer steps", ylabel="mean activation", ylim=(0, 1), xlim=(0, steps[-1]))
    axes.set_xticks(steps, steps)
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return Figure("glorot-sigmoid", figure, pd.concat(data))


def _table_layers(results: Results) -> Table:
    lines = []
    for arm, (_, name, _) in ARMS.items():
        _, back, wide = foretold(results, arm)
        values = ([None, *of] for of in (wide, singular(results, arm)))
        cells = [back, errors(results, arm).mean(axis=0), *values]
        for layer in reversed(range(LAYERS)):
            lines.append([name, f"{layer + 1}", *(decide.fixed(of[layer], 3) for of in cells)])
    columns = ("Start", "Layer", "dL/dz, theory", "measured", "Singular value, theory", "measured")
    return Table("glorot-layers", columns, "lrrrrr", lines)


def _table_weights(results: Results) -> Table:
    """The deviation of GlorotNormal's weights and their largest, for the assignment's layers."""
    lines, (std, top) = [], (of.mean(axis=0) for of in kernels(results))
    for layer, (a, b) in enumerate(pairwise(nets.widths(results, assignment.HIDDEN))):
        rule, found = 2 / (a + b), [f"{std[layer]:.4f}", f"{top[layer]:.2f}"]
        lines.append([f"{a} to {b}", f"{rule:.6f}", f"{rule**0.5:.4f}", *found])
    columns = ("Layer", "Variance, rule", "Its root", "Measured deviation", "Largest weight")
    return Table("glorot-weights", columns, "lrrrr", lines)


def _hops(arm: str, low: float, high: float) -> evidence.Test:
    """Whether the error's deviation changes by such a factor at each layer on its way down."""
    return lambda results: decide.between(nets.growth(errors(results, arm)[:, ::-1]), low, high)


def _singular(results: Results) -> evidence.Outcome:
    off = np.ravel([np.abs(singular(results, arm) - foretold(results, arm)[2]) for arm in ARMS])
    how = f"the mean singular value of every layer from 2 on within {SINGULAR_MARGIN:g} of theory"
    return decide.always(off <= SINGULAR_MARGIN, how, effect=float(off.max()))


def _sigmoid(results: Results) -> evidence.Outcome:
    found = sigmoids(results)
    below, lower = found[:, :, -1].min(axis=1), found[:, :, :-1].min()
    how = f"in every run the top layer's mean activation comes below {SATURATED:g}"
    return decide.always(below < SATURATED, how, effect=float(below.mean()), lower=lower)


def _truncated(results: Results) -> evidence.Outcome:
    inputs, units, _ = nets.widths(results, assignment.HIDDEN)
    one_of_all = 1 / (2 * inputs * units)
    plain = scipy.stats.norm.isf(one_of_all)  # what one of so many plain normals exceeds
    return decide.between(kernels(results)[1][:, 0], 0, CUT * 1.01, plain=plain)


def _xavier(results: Results) -> evidence.Outcome:
    inputs, units, _ = nets.widths(results, assignment.HIDDEN)
    std, root = kernels(results)[0][:, 0], (2 / (inputs + units)) ** 0.5
    return decide.between(std, root * 0.98, root * 1.02, root=root, wrong=np.sqrt(root))


CLAIMS = (
    Claim("standard-start-loses-errors", _hops("standard", 0.55, 0.6), "glorot-violins"),
    Claim("normalized-start-keeps-errors", _hops("normalized", 0.9, 1.0), "glorot-violins"),
    Claim("jacobians-as-in-theory", _singular, "glorot-layers"),
    Claim("sigmoid-top-saturates", _sigmoid, "glorot-sigmoid"),
    Claim("glorot-normal-is-truncated", _truncated, "glorot-weights"),
    Claim("xavier-root-is-the-deviation", _xavier, "glorot-weights"),
)

EXPERIMENT = Experiment(9, "glorot_2010", runs, analyse, CLAIMS)
