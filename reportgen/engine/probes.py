"""Measurements of a network between two optimizer steps, without training it.

A probe takes the trainer and returns short values for the record and matrices for the run's file.
Lists by layer go from the first hidden layer to the output layer. Most probes look at the first
`IMAGES` validation images; z is a layer's pre-activation, h its activation.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from reportgen.config import Initializer
from reportgen.engine.networks import ResidualBlock, draw

if TYPE_CHECKING:
    from reportgen.engine.training import Trainer

Measurement = tuple[dict[str, Any], dict[str, np.ndarray]]

IMAGES = 256
JACOBIAN_IMAGES = 8
BINS = 60
HE = Initializer("HeNormal")
# |h| beyond which a tanh or sigmoid unit counts as saturated, as a share of its range.
SATURATED = 0.99


def measure(name: str, trainer: "Trainer") -> Measurement:
    """Take one measurement by its name."""
    return PROBES[name](trainer)


def summary(trainer: "Trainer") -> Measurement:
    """Keras's summary of the model."""
    lines: list[str] = []
    trainer.model.summary(print_fn=lambda text, **_: lines.append(text), line_length=72)
    return {"text": "\n".join(lines)}, {}


def validation(trainer: "Trainer") -> Measurement:
    """Loss and accuracy on all validation images."""
    result = trainer.evaluate("validation")
    return {"loss": result["loss"], "accuracy": result["accuracy"]}, {}


def signal(trainer: "Trainer") -> Measurement:
    """By layer: mean squares, mean and standard deviation over images and units; shares of zero
    and of saturated activations, and of units that are zero on every image; cosine between the
    activations of two images, averaged over pairs. `input_*`: the same of the images."""
    x, layers = walk(trainer)
    columns: dict[str, list[float]] = {}
    for layer in layers:
        z, h = layer["z"].numpy(), layer["h"].numpy()
        low, high = (0.0, 1.0) if layer["activation"] == "sigmoid" else (-1.0, 1.0)
        edge = (1 - SATURATED) * (high - low) / 2
        row = {
            "z_mean_square": np.mean(np.square(z, dtype=np.float64)),
            "h_mean_square": np.mean(np.square(h, dtype=np.float64)),
            "h_mean": np.mean(h, dtype=np.float64),
            "h_std": np.std(h, dtype=np.float64),
            "zero": np.mean(h == 0),
            "dead": np.mean((h == 0).all(axis=0)),
            "saturated": np.mean((h <= low + edge) | (h >= high - edge)),
            "cosine": _mean_cosine(h),
        }
        for name, value in row.items():
            columns.setdefault(name, []).append(float(value))
    flat = x.numpy().reshape(len(x), -1)
    return columns | {
        "input_mean_square": float(np.mean(np.square(flat, dtype=np.float64))),
        "input_cosine": _mean_cosine(flat),
    }, {}


def gradients(trainer: "Trainer") -> Measurement:
    """Mean square, by layer, of the loss's gradient with respect to z (of one image's loss), to h,
    to the kernel and to the bias (of the batch's mean loss); an exact 0 stays an exact 0."""
    count = float(min(IMAGES, len(trainer.images.y_validation)))
    with tf.GradientTape() as tape:
        _, layers = walk(trainer, tape)
        loss = _loss(trainer, layers)
    columns = {
        name: [float(np.mean(np.square(g * scale, dtype=np.float64))) for g in found]
        for name, found in _gradients(tape, loss, layers, "z", "h", "kernel", "bias").items()
        for scale in [count if name in "zh" else 1.0]
    }
    return {**columns, "loss": float(loss)}, {}


def histograms(trainer: "Trainer") -> Measurement:
    """Histograms by layer of z, h and the gradient with respect to z (one image's loss): matrices
    `*_counts` (layers, 60) over `*_edges` (layers, 61)."""
    count = float(min(IMAGES, len(trainer.images.y_validation)))
    with tf.GradientTape() as tape:
        _, layers = walk(trainer, tape)
        loss = _loss(trainer, layers)
    gradients = _gradients(tape, loss, layers, "z")["z"]
    arrays = {}
    for name, of in (
        ("z", [layer["z"].numpy() for layer in layers]),
        ("h", [layer["h"].numpy() for layer in layers]),
        ("gradient", [gradient * count for gradient in gradients]),
    ):
        pairs = [np.histogram(values, bins=BINS) for values in of]
        arrays[f"{name}_counts"] = np.array([counts for counts, _ in pairs])
        arrays[f"{name}_edges"] = np.array([edges for _, edges in pairs])
    return {}, arrays


def logits(trainer: "Trainer") -> Measurement:
    """The output layer on the probe's images: mean square and standard deviation of the logits,
    loss, and the share of images whose largest probability is over 0.99; matrices: all logits
    (images, classes)."""
    _, layers = walk(trainer)
    z = layers[-1]["z"].numpy().astype(np.float64)
    top = tf.nn.softmax(z).numpy().max(axis=1)
    values = {
        "mean_square": float(np.mean(z**2)),
        "std": float(z.std()),
        "loss": float(_loss(trainer, layers)),
        "confident": float(np.mean(top > 0.99)),
    }
    return values, {"logits": z.astype(np.float32)}


def jacobian(trainer: "Trainer") -> Measurement:
    """Singular values of each layer's Jacobian dh_l/dh_(l-1): mean, least and greatest by layer,
    over 8 images."""
    _, layers = walk(trainer, images=JACOBIAN_IMAGES)
    spectra = [np.linalg.svd(_jacobians(layer), compute_uv=False) for layer in layers[:-1]]
    return {
        "mean": [float(s.mean()) for s in spectra],
        "least": [float(s.min()) for s in spectra],
        "greatest": [float(s.max()) for s in spectra],
    }, {}


def product(trainer: "Trainer") -> Measurement:
    """Singular values of dh_l/dh_1 (the product of the Jacobians of layers 2 to l) at one image,
    for every hidden layer l > 1 of equal width: a matrix (layers - 1, units), each row falling."""
    _, layers = walk(trainer, images=1)
    through = np.eye(layers[0]["h"].shape[1])
    spectra = []
    for layer in layers[1:-1]:
        through = through @ _jacobians(layer)[0].astype(np.float64)
        spectra.append(np.linalg.svd(through, compute_uv=False))
    return {}, {"singular_values": np.array(spectra)}


def kernels(trainer: "Trainer") -> Measurement:
    """Of each kernel: standard deviation and greatest entry in size. Of the first: greatest
    difference between two units' weights, mean cosine between units, ratio of the second singular
    value to the first (null for a zero kernel); matrix: cosines (units, units)."""
    found = [kernel.numpy() for kernel, _ in _kernels(trainer.model)]
    first = found[0].astype(np.float64)
    columns = {
        "std": [float(kernel.std(dtype=np.float64)) for kernel in found],
        "largest": [float(np.abs(kernel).max()) for kernel in found],
    }
    lengths = np.linalg.norm(first, axis=0)
    more: dict[str, float | None] = {"spread": float(np.ptp(first, axis=1).max())}
    if not lengths.all():
        return {**columns, **more, "cosine": None, "rank_ratio": None}, {}
    cosines = (first / lengths).T @ (first / lengths)
    singular = np.linalg.svd(first, compute_uv=False)
    more["cosine"] = float(cosines[~np.eye(len(cosines), dtype=bool)].mean())
    more["rank_ratio"] = float(singular[1] / singular[0])
    return {**columns, **more}, {"cosines": cosines.astype(np.float32)}


def output_bias(trainer: "Trainer") -> Measurement:
    """log softmax of the output layer's bias, by class: the log probabilities that a network
    without any other weights gives."""
    bias = _kernels(trainer.model)[-1][1]
    return {"log_probabilities": [float(v) for v in tf.nn.log_softmax(bias).numpy()]}, {}


def duplication(trainer: "Trainer") -> Measurement:
    """The last kernel against the first kernel's first entries: the factor between them by least
    squares, and the greatest deviation from it relative to the last kernel's standard deviation;
    matrices: both rows of numbers."""
    first, last = (
        kernel.numpy().ravel()
        for kernel, _ in (_kernels(trainer.model)[0], _kernels(trainer.model)[-1])
    )
    head = first[: last.size].astype(np.float64)
    factor = float(head @ last / (head @ head)) if head.any() else 0.0
    deviation = float(np.abs(last - factor * head).max() / (last.std() or 1.0))
    return {"factor": factor, "deviation": deviation}, {"first": head, "last": last}


def dead_units(trainer: "Trainer") -> Measurement:
    """Number of first-layer units that are zero on every validation image."""
    weights = trainer.model.get_weights()
    inputs = trainer.inputs(tf.constant(trainer.images.x_validation))
    z = tf.reshape(inputs, (len(inputs), -1)) @ weights[0] + weights[1]
    return {"count": int((z.numpy().max(axis=0) <= 0).sum())}, {}


def depthwise(trainer: "Trainer") -> Measurement:
    """Standard deviation of the weights that HeNormal draws for a depthwise convolution of 64
    channels with 3 x 3 kernels, each unit of which has nine inputs."""
    layer = keras.layers.DepthwiseConv2D(3, depthwise_initializer=draw(HE, trainer.seed))
    layer.build((None, 28, 28, 64))
    return {"std": float(layer.kernel.numpy().std())}, {}


def walk(
    trainer: "Trainer", tape: tf.GradientTape | None = None, *, images: int = IMAGES
) -> tuple[tf.Tensor, list[dict[str, Any]]]:
    """Run the first validation images through the network, one dense layer at a time.

    Returns:
        The inputs (n, height, width), and for each dense layer or residual block its `z` and `h`
        (n, units), `kernel`, `bias` and `activation`; z of a block is its sum, and of a normalized
        layer what the activation gets.
    """
    x = h = trainer.inputs(tf.constant(trainer.images.x_validation[:images]))
    found: list[dict[str, Any]] = []
    for layer in trainer.model.layers:
        if isinstance(layer, keras.layers.Dense):
            z = tf.matmul(h, layer.kernel) + layer.bias
            entry = {"kernel": layer.kernel.value, "bias": layer.bias.value}
            activation = layer.activation
        elif isinstance(layer, ResidualBlock):
            # Written out: calling the block in training would move its batch statistics.
            branch = h if layer.norm is None else _normalize(layer.norm, h)
            z, activation = h + layer.outer(layer.inner(branch)), keras.activations.linear
            entry = {"kernel": layer.inner.kernel.value, "bias": layer.inner.bias.value}
        elif isinstance(layer, keras.layers.Activation):
            z, entry, activation = h, found.pop(), layer.activation
        elif isinstance(layer, keras.layers.BatchNormalization | keras.layers.LayerNormalization):
            # Batch statistics, as in training: before the first step the moving ones say nothing.
            h = _normalize(layer, h)
            continue
        else:
            h = layer(h)
            continue
        if tape is not None:
            tape.watch(z)
        h = activation(z)
        if tape is not None:
            tape.watch(h)
        found.append({**entry, "z": z, "h": h, "activation": activation.__name__})
    return x, found


def _normalize(layer: keras.layers.Layer, h: tf.Tensor) -> tf.Tensor:
    axis = 0 if isinstance(layer, keras.layers.BatchNormalization) else 1
    mean, variance = tf.nn.moments(h, [axis], keepdims=True)
    return (h - mean) / tf.sqrt(variance + layer.epsilon) * layer.gamma + layer.beta


def _loss(trainer: "Trainer", layers: list[dict[str, Any]]) -> tf.Tensor:
    z = layers[-1]["z"]
    labels = trainer.images.y_validation[: len(z)]
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=z)
    return tf.reduce_mean(losses)


def _gradients(
    tape: tf.GradientTape, loss: tf.Tensor, layers: list[dict[str, Any]], *names: str
) -> dict[str, list[np.ndarray]]:
    """The loss's gradients by name and layer, in one pass; an unconnected one is 0."""
    at = {name: [layer[name] for layer in layers] for name in names}
    found = tape.gradient(loss, at, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    return {name: [gradient.numpy() for gradient in found[name]] for name in names}


def _jacobians(layer: dict[str, Any]) -> np.ndarray:
    """dh_l/dh_(l-1) at each image, shape (n, fan_in, units): the kernel times phi'(z)."""
    activation = getattr(keras.activations, layer["activation"])
    with tf.GradientTape() as tape:
        tape.watch(layer["z"])
        h = activation(layer["z"])
    slope = tape.gradient(h, layer["z"])
    return np.asarray(layer["kernel"][None] * slope[:, None, :])


def _kernels(model: keras.Model) -> list[tuple[Any, Any]]:
    """(kernel, bias) of every dense layer, in order."""
    dense = []
    for layer in model.layers:
        inside = (layer.inner, layer.outer) if isinstance(layer, ResidualBlock) else (layer,)
        dense += [part for part in inside if isinstance(part, keras.layers.Dense)]
    return [(part.kernel, part.bias) for part in dense]


def _mean_cosine(rows: np.ndarray) -> float:
    """Mean cosine between two different rows; rows of length 0 are left out."""
    lengths = np.linalg.norm(rows.astype(np.float64), axis=1)
    unit = rows[lengths > 0] / lengths[lengths > 0, None]
    count = len(unit)
    if count < 2:
        return 0.0
    total = unit.sum(axis=0)
    return float((total @ total - count) / (count * (count - 1)))


PROBES: dict[str, Callable[["Trainer"], Measurement]] = {
    probe.__name__: probe
    for probe in (
        summary, validation, signal, gradients, histograms, logits, jacobian, product, kernels,
        output_bias, duplication, dead_units, depthwise,
    )
}  # fmt: skip
