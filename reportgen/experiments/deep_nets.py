"""Deep narrow ReLU nets that several experiments train: starts, rates, and how they are tuned."""

from typing import Any, Literal

import numpy as np
import pandas as pd

from reportgen.config import Config, Initializer
from reportgen.engine.datasets import DatasetInfo
from reportgen.engine.runs import Layer, Optimizer, Probe, RunSpec
from reportgen.experiments import decide, untrained
from reportgen.experiments.evidence import Results

WIDTH, DEEP = 64, 30
ADAM = Optimizer()
LOWERED = Optimizer(epsilon=1e-16)
# Depth -> optimizer -> the rates tried; each arm takes the one of highest validation accuracy.
Name = Literal["sgd", "adam"]
Rates = dict[Name, tuple[float, ...]]
SHALLOW: Rates = {"sgd": (0.05, 0.5), "adam": (0.001,)}
RATES: dict[int, Rates] = {
    2: SHALLOW,
    10: SHALLOW,
    DEEP: {"sgd": (0.01, 0.05, 0.5), "adam": (0.0003, 0.001)},
}
NAMES: tuple[Name, ...] = ("sgd", "adam")
# Arm -> its initializer, name, and place in the palette; the last is tried with Adam only, and
# stalls before the deepest net.
TUNED = ("he", "glorot", "third")
SMALL = Initializer.of("RandomNormal", stddev=0.01)
ARMS = {arm: untrained.ARMS[arm] for arm in TUNED} | {"small": (SMALL, "normal(0, 0.01²)", 5)}
DEPTHS = {arm: tuple(RATES) for arm in TUNED} | {"small": (2, 10)}
LEARNED = 0.5  # accuracy beyond which a run has left the plateau of answering by frequency
GAIN = 0.3  # of accuracy: a difference of this size is between learning and not learning


def network(
    arm: str, depth: int, optimizer: Optimizer, config: Config, dataset: DatasetInfo, seed: int,
    **layer: Any,
) -> RunSpec:  # fmt: skip
    """A deep narrow ReLU net; under Adam's defaults its first gradients are measured."""
    kernel = ARMS[arm][0]
    return RunSpec(
        dataset=dataset.digest,
        layers=(
            *[Layer(WIDTH, "relu", kernel, **layer)] * depth,
            Layer(len(dataset.test_counts), "softmax", kernel),
        ),
        seed=seed,
        steps=config.pick(full=1500, quick=300),
        optimizer=optimizer,
        probes=(Probe("gradients"),) if optimizer == ADAM and not layer else (),
    )


def cell(results: Results, arm: str, depth: int, optimizer: Optimizer) -> pd.DataFrame:
    """The runs of one setting, by seed."""
    table = results.table
    chosen = (table["arm"] == arm) & (table["depth"] == depth)
    chosen &= (table["optimizer"] == optimizer.name) & (table["epsilon"] == optimizer.epsilon)
    return table[chosen & (table["rate"] == optimizer.learning_rate)].sort_values("seed")


def by_rate(results: Results, arm: str, depth: int, name: Name) -> dict[float, pd.Series]:
    """Rate -> test accuracies by seed."""
    tried = RATES[depth][name]
    return {r: decide.scored(cell(results, arm, depth, Optimizer(name, r))) for r in tried}


def tuned_rate(results: Results, arm: str, depth: int, name: Name) -> float:
    """The rate of highest mean validation accuracy at the end."""

    def validation(rate: float) -> float:
        found = cell(results, arm, depth, Optimizer(name, rate))
        last = [history["val_accuracy"][-1] for history in found["history"]]
        finished = found["status"] == "finished"
        return float(np.where(finished, np.array(last, dtype=float), 0).mean())

    return max(RATES[depth][name], key=validation)


def tuned(results: Results, arm: str, depth: int, name: Name) -> pd.Series:
    """Test accuracies by seed at the tuned rate."""
    return by_rate(results, arm, depth, name)[tuned_rate(results, arm, depth, name)]


def gradient(results: Results, arm: str, depth: int) -> np.ndarray:
    """RMS weight gradient of the square layers before the first step, one figure a seed."""
    squares = decide.by_layer(cell(results, arm, depth, ADAM), "gradients", "kernel")
    return np.asarray(np.sqrt(squares[:, 1:-1].mean(axis=1)))


def foretold(results: Results, arm: str, depth: int) -> float:
    """Theory's RMS gradient relative to He's: the root of all other layers' factors."""
    described = results.dataset.described()
    widths = (described["inputs"], *[WIDTH] * depth, described["classes"])
    factors = untrained.gains(ARMS[arm][0], widths)
    return float(np.exp((np.log(factors).sum() - np.log(factors[1])) / 2))
