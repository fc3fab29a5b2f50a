"""Deep narrow ReLU nets that several experiments train, and the starts that they compare."""

from typing import Any, Literal

import pandas as pd

from reportgen.config import Config, Initializer
from reportgen.engine.datasets import DatasetInfo
from reportgen.engine.runs import Layer, Optimizer, Probe, RunSpec
from reportgen.experiments import decide, untrained
from reportgen.experiments.evidence import Outcome

Kind = Literal["", "batch", "layer"]
WIDTH, DEEP = 64, 30
STEPS = {"full": 1500, "quick": 300}
ADAM = Optimizer()
TUNED = ("he", "glorot", "third")
SMALL = Initializer.of("RandomNormal", stddev=0.01)
# Arm -> its initializer, name, and place in the palette.
ARMS = {arm: untrained.ARMS[arm] for arm in TUNED} | {"small": (SMALL, "normal(0, 0.01²)", 5)}
GAIN = 0.3  # of accuracy: a difference of this size is between learning and not learning


def network(
    arm: str, depth: int, optimizer: Optimizer, config: Config, dataset: DatasetInfo, seed: int,
    normalization: Kind = "",
) -> RunSpec:  # fmt: skip
    """A deep narrow ReLU net; under Adam's defaults its first gradients are measured."""
    kernel = ARMS[arm][0]
    hidden = Layer(WIDTH, "relu", kernel, normalization=normalization)
    layers = (*[hidden] * depth, Layer(dataset.classes, "softmax", kernel))
    probes = (Probe("gradients"),) if optimizer == ADAM and not normalization else ()
    steps = config.pick(**STEPS)
    return RunSpec(dataset.digest, layers, seed, steps, optimizer=optimizer, probes=probes)


def label(optimizer: Optimizer) -> str:
    """Its name and rate, on an axis."""
    return f"{'SGD' if optimizer.name == 'sgd' else 'Adam'} {optimizer.learning_rate:g}"


def gain(more: pd.Series, less: pd.Series, **details: Any) -> Outcome:
    """Whether accuracies by seed differ by more than `GAIN`; sentences may name both means."""
    return decide.above(more - less, GAIN, more=more.mean(), less=less.mean(), **details)
