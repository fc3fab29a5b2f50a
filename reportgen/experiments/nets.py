"""Plain nets, drawn alike in all layers: the starts compared, and what is measured untrained."""

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from reportgen.analysis import plotting, theory
from reportgen.config import ASSIGNMENT_INITIALIZERS, Initializer
from reportgen.engine.datasets import DatasetInfo
from reportgen.engine.runs import Activation, Layer, Probe, RunSpec
from reportgen.experiments import decide
from reportgen.experiments.evidence import Results

WIDTH, DEPTH = 128, 30
SQUARE = (WIDTH,) * DEPTH
SIGNALS = (Probe("signal"), Probe("gradients"))
Kind = Literal["", "batch", "layer"]  # of normalization
Widths = tuple[int, ...]
Measured = Callable[[Results, str], np.ndarray]  # of an arm, shape (draws, layers)
Line = Callable[[Initializer, Widths], np.ndarray]  # theory by layer
Arm = tuple[Initializer, str, int]  # name, and place in the palette (as in the main comparison)
# PyTorch's default, U(+-1 / sqrt(fan_in)).
THIRD = Initializer.of("VarianceScaling", scale=1 / 3, mode="fan_in", distribution="uniform")
STARTS: dict[str, Arm] = {
    "small": (Initializer.of("RandomNormal", stddev=0.01), "normal(0, 0.01²)", 5),
    "third": (THIRD, "variance 1/(3n)", 4),
    "lecun": (Initializer.of("LecunNormal"), "LeCun", 0),
    "glorot": (Initializer.of("GlorotNormal"), "Glorot", 2),
    "he": (Initializer.of("HeNormal"), "He", 3),
    "normal": (ASSIGNMENT_INITIALIZERS[1], "Normal(0, 1)", 1),
}
# By which a square ReLU layer multiplies second moments, either way.
FACTORS = {"he": 1.0, "glorot": 1 / 2, "third": 1 / 6}
TOLERANCE = 0.1  # of such a factor: two to three times what ten draws leave open


def starts(*arms: str) -> dict[str, Arm]:
    """Some of the starts, in this order."""
    return {arm: STARTS[arm] for arm in arms}


SHOWN = starts(*FACTORS)  # in square layers LeCun's draws are Glorot's


def network(
    kernel: Initializer, widths: Widths, dataset: DatasetInfo, seed: int,
    activation: Activation = "relu", *, bias: Initializer = Initializer("Zeros"),
    normalization: Kind = "", steps: int = 0, probes: tuple[Probe, ...] = SIGNALS, **options: Any,
) -> RunSpec:  # fmt: skip
    """A net of these hidden layers; measured, and not trained unless `steps` and `options` say."""
    layers = [Layer(units, activation, kernel, bias, normalization) for units in widths]
    layers.append(Layer(dataset.classes, "softmax", kernel, bias))
    return RunSpec(dataset.digest, tuple(layers), seed, steps, probes=probes, **options)


def variances(kernel: Initializer, widths: Widths) -> np.ndarray:
    """Each layer's variance of the weights; widths[0] is the input's."""
    parameters: dict[str, Any] = dict(kernel.parameters)
    return np.array(
        [theory.initializer_variance(kernel.name, *fans, **parameters) for fans in pairwise(widths)]
    )


def gains(kernel: Initializer, widths: Widths, *, backward: bool = False) -> np.ndarray:
    """Each ReLU layer's factor on second moments, forward or back; widths[0] is the input's."""
    fans = widths[1:] if backward else widths[:-1]
    return np.array([*map(theory.relu_gain, variances(kernel, widths), fans)])


def hidden(results: Results, arm: str, name: str, probe: str = "signal") -> np.ndarray:
    """A figure of a probe by hidden layer, shape (draws, layers)."""
    return decide.looks(results.rows(arm=arm), probe, name)[:, 0, :-1]


def errors(results: Results, arm: str) -> np.ndarray:
    """Mean square of dL/dz by hidden layer as a share of the last one's, shape (draws, layers)."""
    found = hidden(results, arm, "z", "gradients")
    return np.asarray(found / found[:, -1:])


def images(results: Results, name: str) -> float:
    """Mean square or mean cosine of the images, which all runs share."""
    signals = (found["signal"] for found in results.table["probes"] if "signal" in found)
    return float(next(signals)[0][f"input_{name}"])


def growth(squares: np.ndarray) -> np.ndarray:
    """Factor a layer from the first column to the last: geometric mean, shape (draws,)."""
    return np.asarray((squares[:, -1] / squares[:, 0]) ** (1 / (squares.shape[1] - 1)))


def widths(results: Results, *hidden: int) -> Widths:
    """The fans of a net with these hidden layers, from the pixels to the classes."""
    described = results.dataset.described()
    return (described["inputs"], *hidden, described["classes"])


def draw(
    results: Results, axes: Axes, net: Widths, arms: Mapping[str, Arm], measured: Measured,
    line: Line, of: str,
) -> pd.DataFrame:  # fmt: skip
    """Each arm's draws by layer of a net, on theory's line; returns what is drawn, for the CSV."""
    drawn = []
    for arm, (kernel, name, index) in arms.items():
        found, theirs = measured(results, arm), line(kernel, net)
        x = np.arange(1, len(net) + 1)[-found.shape[1] :]  # what spares layers spares the lowest
        drawn.append(plotting.points(axes, x, found, index, label=name, theory=theirs))
    return pd.concat(drawn).assign(quantity=of)
