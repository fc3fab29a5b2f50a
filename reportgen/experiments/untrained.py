"""Deep nets that several experiments measure without training: their draws, figures and gains."""

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from reportgen.analysis import theory
from reportgen.config import Initializer
from reportgen.engine.datasets import DatasetInfo
from reportgen.engine.runs import Activation, Layer, Probe, RunSpec
from reportgen.experiments import decide
from reportgen.experiments.evidence import Results

WIDTH, DEPTH = 128, 30
# PyTorch's default, U(+-1 / sqrt(fan_in)).
THIRD = Initializer.of("VarianceScaling", scale=1 / 3, mode="fan_in", distribution="uniform")
# Arm -> its initializer, name, and place in the palette (as in the main comparison).
ARMS = {
    "he": (Initializer.of("HeNormal"), "He", 3),
    "glorot": (Initializer.of("GlorotNormal"), "Glorot", 2),
    "third": (THIRD, "variance 1/(3n)", 4),
    "lecun": (Initializer.of("LecunNormal"), "LeCun", 0),
}
SHOWN = ("he", "glorot", "third")  # in square layers LeCun's draws are Glorot's
# By which a square ReLU layer multiplies second moments, either way.
FACTORS = {"he": 1.0, "glorot": 1 / 2, "third": 1 / 6}
TOLERANCE = 0.1  # of such a factor: two to three times what ten draws leave open


def network(
    kernel: Initializer,
    widths: tuple[int, ...],
    dataset: DatasetInfo,
    seed: int,
    activation: Activation = "relu",
    probes: tuple[str, ...] = ("signal", "gradients"),
) -> RunSpec:
    """A net of these hidden layers, measured and not trained."""
    layers = [Layer(units, activation, kernel) for units in widths]
    layers.append(Layer(len(dataset.test_counts), "softmax", kernel))
    measured = tuple(Probe(name) for name in probes)
    return RunSpec(dataset.digest, tuple(layers), seed, steps=0, probes=measured)


def gains(kernel: Initializer, widths: tuple[int, ...], *, backward: bool = False) -> np.ndarray:
    """Each ReLU layer's factor on second moments, forward or back; widths[0] is the input's."""
    parameters: dict[str, Any] = dict(kernel.parameters)
    found = []
    for fans in pairwise(widths):
        variance = theory.initializer_variance(kernel.name, *fans, **parameters)
        found.append(theory.relu_gain(variance, fans[backward]))
    return np.array(found)


def rows(results: Results, arm: str) -> pd.DataFrame:
    """The runs of an arm, by seed."""
    return results.table[results.table["arm"] == arm].sort_values("seed")


def hidden(results: Results, arm: str, name: str, probe: str = "signal") -> np.ndarray:
    """A figure of a probe by hidden layer, shape (draws, layers)."""
    return decide.by_layer(rows(results, arm), probe, name)[:, :-1]


def images(results: Results, name: str) -> float:
    """Mean square or mean cosine of the images, which all runs share."""
    signals = (found["signal"] for found in results.table["probes"] if "signal" in found)
    return float(next(signals)[0][f"input_{name}"])


def growth(squares: np.ndarray) -> np.ndarray:
    """Factor a layer from the first column to the last: geometric mean, shape (draws,)."""
    return np.asarray((squares[:, -1] / squares[:, 0]) ** (1 / (squares.shape[1] - 1)))


def pixels(results: Results) -> int:
    """Inputs of the first layer."""
    return int(np.prod(results.dataset.shape))
