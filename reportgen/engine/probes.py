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


def summary(trainer: "Trainer") -> Measurement:
    """Keras's summary of the model."""
    lines: list[str] = []
    trainer.model.summary(print_fn=lambda text, **_: lines.append(text), line_length=72)
    return {"text": "\n".join(lines)}, {}


def validation(trainer: "Trainer") -> Measurement:
    """Loss and accuracy on all validation images."""
    found = trainer.evaluate("validation")
    return {name: found[name] for name in ("loss", "accuracy")}, {}


def test(trainer: "Trainer") -> Measurement:
    """Loss on all test images."""
    return {"loss": trainer.evaluate("test")["loss"]}, {}


def signal(trainer: "Trainer") -> Measurement:
    """By layer: moments over images and units, share of zero activations, mean cosine between the
    activations of two images; `input_*`: the same of the images."""
    x, layers = walk(trainer)
    flat = x.numpy().reshape(len(x), -1)
    activations = [layer["h"].numpy() for layer in layers]
    return {
        "z_mean_square": [_mean_square(layer["z"].numpy()) for layer in layers],
        "h_mean_square": [_mean_square(h) for h in activations],
        "h_mean": [np.mean(h, dtype=np.float64) for h in activations],
        "h_std": [np.std(h, dtype=np.float64) for h in activations],
        "zero": [np.mean(h == 0) for h in activations],
        "cosine": [_mean_cosine(h) for h in activations],
        "input_mean_square": _mean_square(flat),
        "input_cosine": _mean_cosine(flat),
    }, {}


def gradients(trainer: "Trainer") -> Measurement:
    """Mean square, by layer, of the loss's gradient with respect to z (of one image's loss), to
    the kernel and to the bias (of the batch's mean loss); an exact 0 stays an exact 0."""
    found = _backward(trainer, "z", "kernel", "bias")[1]
    return {name: [_mean_square(g) for g in of] for name, of in found.items()}, {}


def histograms(trainer: "Trainer") -> Measurement:
    """Histograms by layer of h and the gradient with respect to z (one image's loss): matrices
    `*_counts` (layers, 60) over `*_edges` (layers, 61)."""
    layers, found = _backward(trainer, "z")
    arrays: dict[str, np.ndarray] = {}
    for name, of in (("h", [layer["h"].numpy() for layer in layers]), ("gradient", found["z"])):
        counts, edges = zip(*(np.histogram(values, bins=60) for values in of), strict=True)
        arrays |= {f"{name}_counts": np.array(counts), f"{name}_edges": np.array(edges)}
    return {}, arrays


def logits(trainer: "Trainer") -> Measurement:
    """Mean square and standard deviation of the logits, loss, and the share of images whose
    largest probability is over 0.99; matrix: all logits (images, classes)."""
    _, layers = walk(trainer)
    z = layers[-1]["z"].numpy()
    wide = z.astype(np.float64)
    return {
        "mean_square": np.mean(wide**2),
        "std": wide.std(),
        "loss": _loss(trainer, layers).numpy(),
        "confident": np.mean(tf.nn.softmax(wide).numpy().max(axis=1) > 0.99),
    }, {"logits": z}


def jacobian(trainer: "Trainer") -> Measurement:
    """Mean singular value of each layer's Jacobian dh_l/dh_(l-1), by layer, over 2 images."""
    _, layers = walk(trainer, images=2)
    spectra = [np.linalg.svd(_jacobians(layer), compute_uv=False) for layer in layers[:-1]]
    return {"mean": [spectrum.mean() for spectrum in spectra]}, {}


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
    """Of each kernel: standard deviation and greatest entry in size. Of the first: mean cosine
    between units and ratio of the second singular value to the first (null where a unit has no
    weights); matrix: cosines (units, units)."""
    found = _dense(trainer, "kernel")
    columns: dict[str, Any] = {
        "std": [kernel.std(dtype=np.float64) for kernel in found],
        "largest": [np.abs(kernel).max() for kernel in found],
    }
    first = found[0].astype(np.float64)
    lengths = np.linalg.norm(first, axis=0)
    if not lengths.all():
        return columns | {"cosine": None, "rank_ratio": None}, {}
    cosines = (first / lengths).T @ (first / lengths)
    singular = np.linalg.svd(first, compute_uv=False)
    columns["cosine"] = cosines[~np.eye(len(cosines), dtype=bool)].mean()
    columns["rank_ratio"] = singular[1] / singular[0]
    return columns, {"cosines": cosines.astype(np.float32)}


def output_bias(trainer: "Trainer") -> Measurement:
    """log softmax of the output layer's bias, by class: what it says without any weights."""
    bias = _dense(trainer, "bias")[-1]
    return {"log_probabilities": tf.nn.log_softmax(bias).numpy().tolist()}, {}


def duplication(trainer: "Trainer") -> Measurement:
    """The last kernel against the first one's first entries: the factor by least squares, and the
    greatest deviation from it in the last kernel's standard deviations; matrices: both rows."""
    first, *_, last = (kernel.ravel() for kernel in _dense(trainer, "kernel"))
    head = first[: last.size].astype(np.float64)
    factor = head @ last / (head @ head) if head.any() else 0.0
    deviation = np.abs(last - factor * head).max() / (last.std() or 1.0)
    return {"factor": factor, "deviation": deviation}, {"first": head, "last": last}


def dead_units(trainer: "Trainer") -> Measurement:
    """Number of first-layer units that are zero on every validation image."""
    weights = trainer.model.get_weights()
    inputs = trainer.inputs(tf.constant(trainer.images.x_validation))
    z = tf.reshape(inputs, (len(inputs), -1)) @ weights[0] + weights[1]
    return {"count": (z.numpy().max(axis=0) <= 0).sum()}, {}


def depthwise(trainer: "Trainer") -> Measurement:
    """Standard deviation of the weights that HeNormal draws for a depthwise convolution of 64
    channels with 3 x 3 kernels, each unit of which has nine inputs."""
    initializer = draw(Initializer("HeNormal"), trainer.seed)
    layer = keras.layers.DepthwiseConv2D(3, depthwise_initializer=initializer)
    layer.build((None, 28, 28, 64))
    return {"std": layer.kernel.numpy().std()}, {}


def walk(trainer: "Trainer", *, images: int = IMAGES) -> tuple[tf.Tensor, list[dict[str, Any]]]:
    """Run the first validation images through the network, one dense layer at a time.

    Returns:
        The inputs (n, height, width), and for each dense layer or block its `z` and `h` (n, units),
        `kernel`, `bias` and `activation`; z of a block is its sum, and of a normalized layer what
        the activation gets.
    """
    x = h = trainer.inputs(tf.constant(trainer.images.x_validation[:images]))
    found: list[dict[str, Any]] = []
    for layer in trainer.model.layers:
        if isinstance(layer, keras.layers.Dense):
            z = tf.matmul(h, layer.kernel) + layer.bias
            source, activation = layer, layer.activation
        elif isinstance(layer, ResidualBlock):
            # Written out: calling the block in training would move its batch statistics.
            z = h + layer.outer(layer.inner(_normalize(layer.norm, h)))
            source, activation = layer.inner, keras.activations.linear
        elif isinstance(layer, keras.layers.Activation):
            # Of the dense layer before: what it found without an activation does not count.
            z, activation = h, layer.activation
            found.pop()
        else:
            h = _normalize(layer, h)
            continue
        h = activation(z)
        kernel, bias = source.kernel.value, source.bias.value
        found.append({"kernel": kernel, "bias": bias, "z": z, "h": h, "activation": activation})
    return x, found


def _normalize(layer: keras.layers.Layer, h: tf.Tensor) -> tf.Tensor:
    """By batch statistics, as in training: before the first step the moving ones say nothing."""
    if not isinstance(layer, keras.layers.BatchNormalization | keras.layers.LayerNormalization):
        return layer(h)
    axis = 0 if isinstance(layer, keras.layers.BatchNormalization) else 1
    mean, variance = tf.nn.moments(h, [axis], keepdims=True)
    return (h - mean) / tf.sqrt(variance + layer.epsilon) * layer.gamma + layer.beta


def _loss(trainer: "Trainer", layers: list[dict[str, Any]]) -> tf.Tensor:
    z = layers[-1]["z"]
    labels = trainer.images.y_validation[: len(z)]
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=z)
    return tf.reduce_mean(losses)


def _backward(
    trainer: "Trainer", *names: str
) -> tuple[list[dict[str, Any]], dict[str, list[np.ndarray]]]:
    """The walk's layers, and gradients by name and layer: to z of one image's loss, else of the
    mean loss; an unconnected one is 0."""
    with tf.GradientTape() as tape:
        x, layers = walk(trainer)
        loss = _loss(trainer, layers)
    at = {name: [layer[name] for layer in layers] for name in names}
    found = tape.gradient(loss, at, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    scale = {"z": float(len(x))}
    return layers, {n: [g.numpy() * scale.get(n, 1.0) for g in found[n]] for n in names}


def _jacobians(layer: dict[str, Any]) -> np.ndarray:
    """dh_l/dh_(l-1) at each image, shape (n, fan_in, units): the kernel times phi'(z)."""
    with tf.GradientTape() as tape:
        tape.watch(layer["z"])
        h = layer["activation"](layer["z"])
    slope = tape.gradient(h, layer["z"])
    return np.asarray(layer["kernel"][None] * slope[:, None, :])


def _dense(trainer: "Trainer", name: str) -> list[np.ndarray]:
    """`kernel` or `bias` of every dense layer, in order."""
    return [w.numpy() for w in trainer.model.trainable_variables if w.name == name]


def _mean_square(values: np.ndarray) -> float:
    return float(np.mean(np.square(values, dtype=np.float64)))


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
        summary, validation, test, signal, gradients, histograms, logits, jacobian, product,
        kernels, output_bias, duplication, dead_units, depthwise,
    )
}  # fmt: skip
