"""RunSpec + images -> Result: one model, one thread, one XLA-compiled loop.

The network is a real Keras model. Its forward pass and loss are traced into a loop over an epoch's
batches that differentiates and updates the weights without returning to Python; a loop is compiled
once for each network shape in a process, and initial weights, batches and rates are data.

Pixels that are zero in every training image (71 of MNIST's 784) add nothing to an activation in
training, and their weights get no gradient: steps leave them out, and nothing else does.
"""

import itertools
import json
import math
from dataclasses import asdict
from functools import lru_cache
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from reportgen.engine.networks import build_model, draw_weights
from reportgen.engine.probes import PROBES
from reportgen.engine.runs import Probe, Result, RunSpec
from reportgen.engine.splits import Images

# Adam's decay rates; Keras's defaults, and no experiment changes them.
BETA_1, BETA_2 = 0.9, 0.999
HISTORY = ("step", "loss", "accuracy", "val_loss", "val_accuracy")


def train(spec: RunSpec, images: Images) -> Result:
    """Train and measure one run.

    A loss that is not finite ends the run as `diverged`: its test figures are null, what was
    recorded until then stays. With `Probe("test")`, the test loss before the first step, a record
    has an `initial_loss`.
    """
    trainer = _trainer(spec.shape, images)
    trainer.start(spec)
    per_epoch = math.ceil(len(images.y_train) / spec.batch_size)
    epochs = {*range(per_epoch, spec.steps, per_epoch), spec.steps}
    probed = {step for probe in spec.probes for step in probe.steps if step <= spec.steps}
    rows: list[tuple[float, ...]] = []
    measured: dict[str, list[dict[str, Any]]] = {}
    arrays: dict[str, np.ndarray] = {}
    finite, start, sums = True, 0, np.zeros(3)
    for stop in sorted({0} | epochs | probed):
        if finite and stop > start:
            sums += trainer.run(start, stop)
            finite = bool(np.isfinite(sums).all())
            if stop in epochs or not finite:
                loss, accuracy = sums[:2] / sums[2]
                found = trainer.evaluate("validation")
                rows.append((stop, loss, accuracy, found["loss"], found["accuracy"]))
                finite, sums = finite and math.isfinite(found["loss"]), np.zeros(3)
        for probe in spec.probes:
            if stop in probe.steps:
                values, matrices = PROBES[probe.name](trainer)
                measured.setdefault(probe.name, []).append({"step": stop, **values})
                arrays |= {f"{probe.name}-{stop}-{key}": m for key, m in matrices.items()}
        start = stop

    record: dict[str, Any] = {
        "key": spec.key,
        "spec": asdict(spec),
        "status": "finished" if finite else "diverged",
        "parameters": trainer.model.count_params(),
        "probes": measured,
    }
    if Probe("test") in spec.probes:
        record["initial_loss"] = measured["test"][0]["loss"]
    if spec.steps:
        columns = map(list, zip(*rows, strict=True))
        test = trainer.evaluate("test") if finite else {}
        record |= {
            "history": dict(zip(HISTORY, columns, strict=True)),
            "test_loss": test.get("loss"),
            "test_accuracy": test.get("accuracy"),
            "confusion": test.get("confusion"),
        }
    # Python's own numbers for NumPy's; what is not finite is written as NaN and read as null.
    text = json.dumps(record, default=lambda number: number.item())
    return Result(json.loads(text, parse_constant=lambda _: None), arrays)


@lru_cache(maxsize=4)
def _trainer(shape: RunSpec, images: Images) -> "Trainer":
    return Trainer(shape, images)


@lru_cache(maxsize=2)
def _train_split(images: Images, standardized: bool) -> tuple[np.ndarray, list[tf.Tensor]]:
    """Which pixels steps see, and [those of the images, labels] on the device, as bytes."""
    flat = images.x_train.reshape(len(images.x_train), -1)
    lit = np.asarray(flat.any(axis=0) | standardized)  # standardized, a zero is none any more
    lit[0] = True  # a network has to have inputs
    seen = np.flatnonzero(lit)
    return seen, [tf.constant(flat[:, seen]), tf.constant(images.y_train)]


@lru_cache(maxsize=1)  # probes stop an epoch many times
def _batches(
    images: Images, standardized: bool, size: int, seed: int, epoch: int
) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
    """[images, labels] of an epoch's whole batches, and of what is left, Keras's last batch.

    In batches beforehand, as the compiled loop takes longer to gather them; all of an epoch even
    for a few steps, which would be a shape of their own to compile.
    """
    pair = _train_split(images, standardized)[1]
    order = np.random.default_rng([seed, epoch]).permutation(len(images.y_train))
    cut = len(order) - len(order) % size
    whole, rest = order[:cut].reshape(-1, size), order[cut:][None]
    return [tf.gather(a, whole) for a in pair], [tf.gather(a, rest) for a in pair]


@lru_cache(maxsize=1)
def _splits(images: Images) -> dict[str, list[tf.Tensor]]:
    """[images, labels] by held-out split on the device, as bytes, for all trainers of a process."""
    found = {}
    # Of one length, and so of one compilation: what fills up the shorter one is not counted.
    longest = max(len(images.y_validation), len(images.y_test))
    for split in ("validation", "test"):
        pair = [getattr(images, f"{part}_{split}") for part in "xy"]
        found[split] = [tf.constant(np.resize(a, (longest, *a.shape[1:]))) for a in pair]
    return found


class Trainer:
    """A Keras `model` with its compiled loop, used for one run after another."""

    def __init__(self, shape: RunSpec, images: Images) -> None:
        self.images = images
        self.model = build_model(shape.layers, input_shape=images.shape, seed=0)
        # All but kernels, which a run draws: biases, and what normalizations start from.
        self._others = [(w, w.numpy()) for w in self.model.weights if w.name != "kernel"]
        self._splits = _splits(images)
        self._standardized = shape.standardized
        self._seen, _ = _train_split(images, shape.standardized)
        self._scaling = images.standardization if shape.standardized else (0.0, 1.0)
        self._batch_size = shape.batch_size
        # The same network from the pixels seen: a first layer of fewer inputs, all others shared.
        first, *others = self.model.layers[1:]
        self._first = keras.layers.Dense(first.units, first.activation, name=first.name)
        pixels = keras.Input((len(self._seen),))
        self._trained = keras.Sequential([pixels, self._first, *others], name="trained")
        weights = self._trained.trainable_variables
        self._slots = [[tf.Variable(tf.zeros_like(w)) for w in weights] for _ in range(2)]
        self._rates = tf.Variable(tf.zeros(2))
        self._update = _adam if shape.optimizer.name == "adam" else _sgd
        self._compiled_run = tf.function(self._run, jit_compile=True, autograph=False)
        self._compiled_evaluate = tf.function(self._evaluate, jit_compile=True, autograph=False)

    def start(self, spec: RunSpec) -> None:
        """Take a run's initial weights, rates and seed."""
        for weight, value in self._others:
            weight.assign(value)
        shared = spec.shared_initializer
        draw_weights(self.model, spec.layers, seed=spec.seed, shared_initializer=shared)
        if spec.steps:
            for slot in itertools.chain(*self._slots):
                slot.assign(tf.zeros_like(slot))
        self._rates.assign((spec.optimizer.learning_rate, spec.optimizer.epsilon))
        self.seed = spec.seed

    def run(self, start: int, stop: int) -> np.ndarray:
        """Take optimizer steps start .. stop-1, all of one epoch.

        Returns:
            Sum of the loss, number classified right and number of images, shape (3,).
        """
        count, size = len(self.images.y_train), self._batch_size
        whole, per_epoch = count // size, math.ceil(count / size)
        epoch, first = divmod(start, per_epoch)
        last = first + stop - start
        if not first:
            _batches.cache_clear()  # or two epochs of images would be held at its turn
        batches, rest = _batches(self.images, self._standardized, size, self.seed, epoch)
        calls = []
        if first < whole:
            calls.append((*batches, first, min(last, whole), start))
        if last > whole:
            calls.append((*rest, 0, 1, stop - 1))
        kernel, bias = self.model.layers[1].get_weights()
        self._first.set_weights((kernel[self._seen], bias))
        sums = [self._compiled_run(*map(tf.constant, call)) for call in calls]
        kernel[self._seen], bias = self._first.get_weights()
        self.model.layers[1].set_weights((kernel, bias))
        total: np.ndarray = np.asarray(sums, np.float64).sum(axis=0)
        return total

    def evaluate(self, split: str) -> dict[str, Any]:
        """Mean loss, accuracy and confusion matrix (true class, predicted class) of a split."""
        labels, classes = getattr(self.images, f"y_{split}"), self.images.classes
        found = self._compiled_evaluate(*self._splits[split])
        losses, predicted = (values.numpy()[: len(labels)] for values in found)
        pairs = labels * classes + predicted
        confusion = np.bincount(pairs, minlength=classes**2).reshape(classes, classes)
        return {
            "loss": float(np.mean(losses, dtype=np.float64)),
            "accuracy": float(confusion.trace() / confusion.sum()),
            "confusion": confusion.tolist(),
        }

    def inputs(self, images: tf.Tensor) -> tf.Tensor:
        """Bytes -> what the network sees: [0, 1] as in the assignment, or standardized."""
        return (tf.cast(images, tf.float32) / 255.0 - self._scaling[0]) / self._scaling[1]

    def _run(self, images: Any, labels: Any, first: Any, last: Any, step: Any) -> tf.Tensor:
        weights = self._trained.trainable_variables

        def body(index: tf.Tensor, sums: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            y = labels[index]
            with tf.GradientTape() as tape:
                p = self._trained(self.inputs(images[index]), training=True)
                losses = keras.losses.sparse_categorical_crossentropy(y, p)
                loss = tf.reduce_mean(losses)
            gradients = tape.gradient(loss, weights)
            iteration = tf.cast(step + index - first + 1, tf.float32)
            self._update(weights, self._slots, gradients, iteration, self._rates)
            correct = tf.argmax(p, axis=-1, output_type=tf.int32) == y
            counted = (losses, tf.cast(correct, tf.float32), tf.ones_like(losses))
            return index + 1, sums + tf.stack([tf.reduce_sum(c) for c in counted])

        _, sums = tf.while_loop(lambda index, _: index < last, body, (first, tf.zeros(3)))
        return sums

    def _evaluate(self, images: Any, labels: Any) -> tuple[tf.Tensor, tf.Tensor]:
        p = self.model(self.inputs(images), training=False)
        losses = keras.losses.sparse_categorical_crossentropy(labels, p)
        return losses, tf.argmax(p, axis=-1, output_type=tf.int32)


def _adam(weights: Any, slots: Any, gradients: Any, iteration: Any, rates: Any) -> None:
    """Keras's Adam (Kingma & Ba, 2015, the form before section 2.1): epsilon outside the bias
    correction."""
    rate = rates[0] * tf.sqrt(1 - BETA_2**iteration) / (1 - BETA_1**iteration)
    for weight, m, v, gradient in zip(weights, *slots, gradients, strict=True):
        m.assign_add((gradient - m) * (1 - BETA_1))
        v.assign_add((tf.square(gradient) - v) * (1 - BETA_2))
        weight.assign_sub(rate * m / (tf.sqrt(v) + rates[1]))


def _sgd(weights: Any, _slots: Any, gradients: Any, _iteration: Any, rates: Any) -> None:
    """Keras's SGD without momentum."""
    for weight, gradient in zip(weights, gradients, strict=True):
        weight.assign_sub(rates[0] * gradient)
