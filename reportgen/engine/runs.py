"""RunSpec: one training run as frozen, plain data, and the key that names its result."""

import hashlib
import json
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Literal

from reportgen.config import Initializer

if TYPE_CHECKING:
    import numpy as np

# Raised by hand when a change of the engine changes results; older runs are then trained again.
ENGINE_VERSION = 5
Activation = Literal["linear", "relu", "tanh", "sigmoid", "selu", "gelu", "softmax"]


@dataclass(frozen=True)
class Layer:
    """One dense layer; with `residual`, a block x + W2 activation(W1 x) with two such kernels.

    `normalization` stands between the product and the activation; in a block, at the branch's
    entry.
    """

    units: int
    activation: Activation = "linear"
    kernel: Initializer = Initializer("GlorotUniform")
    bias: Initializer = Initializer("Zeros")
    normalization: Literal["", "batch", "layer"] = ""
    residual: bool = False


@dataclass(frozen=True)
class Optimizer:
    """SGD or Adam with Keras's names and defaults."""

    name: Literal["adam", "sgd"] = "adam"
    learning_rate: float = 0.001
    epsilon: float = 1e-7

    def __post_init__(self) -> None:
        for name in ("learning_rate", "epsilon"):  # 1 is 1.0, also in the key
            object.__setattr__(self, name, float(getattr(self, name)))


@dataclass(frozen=True)
class Probe:
    """A measurement of `engine.probes` by name, taken before the given optimizer steps."""

    name: str
    steps: tuple[int, ...] = (0,)


@dataclass(frozen=True)
class RunSpec:
    """All that a run's result depends on.

    Args:
        dataset: Content digest; the split is always scikit-learn's with random_state=42.
        layers: From the first hidden layer to the output layer.
        seed: Decides the draws (one seed a layer) and the order of the batches.
        steps: Optimizer steps; 0 measures an untrained network.
        batch_size: Images a step; the last batch of an epoch may be short, as in Keras.
        shared_initializer: One initializer object for all layers, as in the assignment's code:
            every layer then draws with the same seed.
        standardized: Scale inputs to mean 0 and standard deviation 1 over the training images,
            where the assignment scales them to [0, 1].
    """

    dataset: str
    layers: tuple[Layer, ...]
    seed: int
    steps: int
    batch_size: int = 64
    optimizer: Optimizer = Optimizer()
    shared_initializer: bool = False
    standardized: bool = False
    probes: tuple[Probe, ...] = ()

    @property
    def key(self) -> str:
        """Digest of the spec, the engine's version and those of Keras and TensorFlow."""
        content = {"spec": self, "engine": ENGINE_VERSION, **framework_versions()}
        return hashlib.sha256(canonical(content).encode()).hexdigest()[:32]

    @property
    def shape(self) -> "RunSpec":
        """The part that decides the compiled code; initial weights, order and rates are data."""
        plain = Initializer("Zeros")
        layers = tuple(replace(layer, kernel=plain, bias=plain) for layer in self.layers)
        return RunSpec(
            self.dataset, layers, seed=0, steps=0, batch_size=self.batch_size,
            optimizer=Optimizer(self.optimizer.name), standardized=self.standardized,
        )  # fmt: skip


@dataclass(frozen=True)
class Result:
    """What a run leaves: its record (plain data, the same bytes wherever it ran) and matrices."""

    record: dict[str, Any]
    arrays: "dict[str, np.ndarray]"


def canonical(content: Any) -> str:
    """The one JSON text of plain data and dataclasses: sorted keys, no spaces, no NaN."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False, default=vars)


@cache
def framework_versions() -> dict[str, str]:
    """Versions of Keras and TensorFlow from package metadata, without importing them."""
    return {name: version(name) for name in ("keras", "tensorflow")}
