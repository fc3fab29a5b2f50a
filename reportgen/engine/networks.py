"""RunSpec -> Keras model: any depth and width, an initializer and a seed for each layer."""

import inspect
from collections.abc import Iterator
from functools import cache

import keras
import numpy as np
from keras import layers

from reportgen.config import Initializer
from reportgen.engine.runs import Layer

# Keras's, at its defaults; Identity where a layer has none.
NORMALIZATIONS = {
    "": layers.Identity,
    "batch": layers.BatchNormalization,
    "layer": layers.LayerNormalization,
}


def build_model(
    network: tuple[Layer, ...],
    *,
    input_shape: tuple[int, ...],
    seed: int,
    shared_initializer: bool = False,
) -> keras.Sequential:
    """Build the network with its initial weights.

    Args:
        network: The layers, from the first hidden one to the output.
        input_shape: Shape of one image.
        seed: Decides a seed for each layer, which does not depend on the initializer: those that
            rescale one unit draw (Glorot, He, LeCun) are thereby paired.
        shared_initializer: Give one initializer object to all layers, as the assignment does.
    """
    stack = [keras.Input(input_shape), layers.Flatten(name="flatten")]
    drawn = initializers(network, seed=seed, shared_initializer=shared_initializer)
    for number, (layer, (kernel, bias, outer)) in enumerate(zip(network, drawn, strict=True), 1):
        if layer.residual:
            stack.append(ResidualBlock(layer, kernel, outer, name=f"residual_{number}"))
            continue
        stack.append(
            layers.Dense(
                layer.units,
                activation=None if layer.normalization else layer.activation,
                kernel_initializer=kernel,
                bias_initializer=bias,
                name=f"dense_{number}",
            )
        )
        if layer.normalization:
            normalize = NORMALIZATIONS[layer.normalization]
            stack.append(normalize(name=f"normalization_{number}"))
            stack.append(layers.Activation(layer.activation, name=f"activation_{number}"))
    # Built at one stroke: adding layers singly would rebuild the whole model for each.
    return keras.Sequential(stack, name="network")


def draw_weights(
    model: keras.Sequential, network: tuple[Layer, ...], *, seed: int, shared_initializer: bool
) -> None:
    """Give kernels and biases of a built model the values that `build_model` would draw for them.

    A third of the time that building takes, and a deep network is built in a tenth of a second.
    """
    drawn = initializers(network, seed=seed, shared_initializer=shared_initializer)
    parts = [it for it in model.layers if isinstance(it, layers.Dense | ResidualBlock)]
    for part, (kernel, bias, outer) in zip(parts, drawn, strict=True):
        if isinstance(part, ResidualBlock):
            part.inner.kernel.assign(kernel(part.inner.kernel.shape))
            part.outer.kernel.assign(outer(part.outer.kernel.shape))
        else:
            part.kernel.assign(kernel(part.kernel.shape))
            part.bias.assign(bias(part.bias.shape))


def initializers(
    network: tuple[Layer, ...], *, seed: int, shared_initializer: bool
) -> Iterator[tuple[keras.initializers.Initializer, ...]]:
    """By layer, what draws its kernel, its bias, and the outer kernel of a block."""
    shared = draw(network[0].kernel, layer_seed(seed, 0))
    for index, layer in enumerate(network):
        kernel = shared if shared_initializer else draw(layer.kernel, layer_seed(seed, index))
        outer = draw(layer.kernel, layer_seed(seed, index, 1))
        yield kernel, draw(layer.bias, layer_seed(seed, index, 2)), outer


def draw(spec: Initializer, seed: int) -> keras.initializers.Initializer:
    """The Keras initializer of a spec, drawing with `seed` if it draws at all."""
    kind = getattr(keras.initializers, spec.name)
    return kind(**dict(spec.parameters), **({"seed": seed} if _draws(kind) else {}))


@cache
def _draws(kind: type[keras.initializers.Initializer]) -> bool:
    return "seed" in inspect.signature(kind).parameters


def layer_seed(seed: int, layer: int, stream: int = 0) -> int:
    """A 31-bit seed for one tensor of one layer in one run."""
    return int(np.random.SeedSequence([seed, layer, stream]).generate_state(1)[0] >> 1)


class ResidualBlock(layers.Layer):  # type: ignore[misc]  # keras ships no types
    """x + W2 activation(W1 norm(x) + b1) + b2, the width unchanged (He et al., 2016)."""

    def __init__(self, layer: Layer, inner: object, outer: object, *, name: str) -> None:
        super().__init__(name=name)
        self.norm = NORMALIZATIONS[layer.normalization]()
        self.inner = layers.Dense(layer.units, layer.activation, kernel_initializer=inner)
        self.outer = layers.Dense(layer.units, kernel_initializer=outer)

    def build(self, input_shape: tuple[int, ...]) -> None:
        """Build the parts, so that the block's weights exist before its first call."""
        for part in (self.norm, self.inner, self.outer):
            part.build(input_shape)

    def call(self, x):  # type: ignore[no-untyped-def]
        """Shapes: (batch, units) -> (batch, units)."""
        return x + self.outer(self.inner(self.norm(x)))
