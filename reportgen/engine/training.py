"""RunSpec + images -> RunRecord: one model, one thread, one XLA-compiled loop.

The network is a real Keras model. Its forward pass and loss are traced into a loop that gathers
each batch, differentiates and updates the weights without returning to Python; a loop is compiled
once for each network shape in a process, and initial weights, batch order and rates are data.
"""

import itertools
import math
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from reportgen.engine import probes
from reportgen.engine.datasets import Images
from reportgen.engine.networks import build_model
from reportgen.engine.runs import Result, RunSpec

# Adam's decay rates; Keras's defaults, and no experiment changes them.
BETA_1, BETA_2 = 0.9, 0.999


def train(spec: RunSpec, images: Images) -> Result:
    """Train and measure one run.

    A loss that is not finite ends the run as `diverged`: its test figures are null, what was
    recorded until then stays.
    """
    trainer = _trainer(spec.shape, images)
    trainer.start(spec)
    history: dict[str, list[float | None]] = {
        name: [] for name in ("step", "loss", "accuracy", "val_loss", "val_accuracy")
    }
    measured: dict[str, Any] = {}
    arrays: dict[str, np.ndarray] = {}
    initial = trainer.evaluate("test") if spec.steps else None

    finite = True
    epoch_sums = np.zeros(3)
    for start, stop, epoch_ends in _segments(spec, len(images.y_train)):
        for probe in spec.probes:
            if start in probe.steps:
                values, matrices = probes.measure(probe.name, trainer)
                measured.setdefault(probe.name, []).append(_finite({"step": start, **values}))
                arrays |= {f"{probe.name}-{start}-{key}": m for key, m in matrices.items()}
        if start == stop or not finite:
            continue
        epoch_sums += trainer.run(start, stop)
        finite = bool(np.isfinite(epoch_sums).all())
        if epoch_ends or not finite:
            loss, correct, seen = epoch_sums
            validation = trainer.evaluate("validation")
            row = (stop, loss / seen, correct / seen, validation["loss"], validation["accuracy"])
            for series, value in zip(history.values(), row, strict=True):
                series.append(_number(value))
            finite = finite and math.isfinite(validation["loss"])
            epoch_sums = np.zeros(3)

    record: dict[str, Any] = {
        "key": spec.key,
        "spec": spec.as_dict(),
        "status": "finished" if finite else "diverged",
        "parameters": trainer.model.count_params(),
        "probes": measured,
    }
    if spec.steps:
        test = trainer.evaluate("test")
        record["initial_loss"] = _number(initial["loss"]) if initial else None
        record["history"] = history
        record["test_loss"] = _number(test["loss"]) if finite else None
        record["test_accuracy"] = test["accuracy"] if finite else None
        record["confusion"] = test["confusion"] if finite else None
    return Result(record, arrays)


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _finite(values: Any) -> Any:
    """Measured values with null for what is not finite, which JSON cannot hold."""
    if isinstance(values, dict):
        return {key: _finite(value) for key, value in values.items()}
    if isinstance(values, list):
        return [_finite(value) for value in values]
    return _number(values) if isinstance(values, float) else values


def _segments(spec: RunSpec, images: int) -> Iterator[tuple[int, int, bool]]:
    """(start, stop, whether an epoch or the run ends at stop), cut at every probe and epoch."""
    per_epoch = math.ceil(images / spec.batch_size)
    epochs = {*range(per_epoch, spec.steps + 1, per_epoch), spec.steps}
    probed = {step for probe in spec.probes for step in probe.steps if step <= spec.steps}
    for start, stop in itertools.pairwise(sorted({0} | epochs | probed)):
        yield start, stop, stop in epochs
    yield spec.steps, spec.steps, False


@lru_cache(maxsize=4)
def _trainer(shape: RunSpec, images: Images) -> "Trainer":
    return Trainer(shape, images)


@lru_cache(maxsize=1)
def _splits(images: Images) -> dict[str, tuple[tf.Tensor, tf.Tensor]]:
    """The dataset on the device, as bytes, once for all trainers of a process."""
    return {
        "train": (tf.constant(images.x_train), tf.constant(images.y_train)),
        "validation": (tf.constant(images.x_validation), tf.constant(images.y_validation)),
        "test": (tf.constant(images.x_test), tf.constant(images.y_test)),
    }


class Trainer:
    """A Keras model with its compiled loop, used for one run after another.

    Attributes:
        model: The Keras model; its weights are the run's.
        images: The dataset.
    """

    def __init__(self, shape: RunSpec, images: Images) -> None:
        self.images = images
        self.model = build_model(shape.layers, input_shape=images.shape, seed=0)
        self._splits = _splits(images)
        self._batch_size = shape.batch_size
        weights = self.model.trainable_variables
        self._slots = [[tf.Variable(tf.zeros_like(w)) for w in weights] for _ in range(2)]
        self._update = _adam if shape.optimizer.name == "adam" else _sgd
        self._compiled_run = tf.function(self._run, jit_compile=True, autograph=False)
        self._compiled_evaluate = tf.function(self._evaluate, jit_compile=True, autograph=False)

    def start(self, spec: RunSpec) -> None:
        """Take a run's initial weights, scaling, rates and seed."""
        initial = build_model(
            spec.layers,
            input_shape=self.images.shape,
            seed=spec.seed,
            shared_initializer=spec.shared_initializer,
        )
        self.model.set_weights(initial.get_weights())
        for slot in itertools.chain(*self._slots):
            slot.assign(tf.zeros_like(slot))
        scaling = self.images.standardization if spec.standardized else (0.0, 1.0)
        self._scaling = tf.constant(scaling, tf.float32)
        optimizer = spec.optimizer
        self._rates = tf.constant(
            (optimizer.learning_rate, optimizer.momentum, optimizer.epsilon), tf.float32
        )
        self.seed = spec.seed

    def run(self, start: int, stop: int) -> np.ndarray:
        """Take optimizer steps start .. stop-1, all of one epoch.

        Returns:
            Sum of the loss over the images seen, number of them classified right while
            training, number seen: shape (3,).
        """
        count = len(self.images.y_train)
        per_epoch = math.ceil(count / self._batch_size)
        epoch, first = divmod(start, per_epoch)
        order = np.random.default_rng([self.seed, epoch]).permutation(count).astype(np.int32)
        whole = count // self._batch_size
        batches = order[: whole * self._batch_size].reshape(whole, self._batch_size)
        last = first + stop - start
        sums = np.zeros(3)
        if first < whole:
            sums += self._steps(batches, first, min(last, whole), start)
        if last > whole:  # Keras's last batch of an epoch holds what is left
            rest = order[whole * self._batch_size :][None]
            sums += self._steps(rest, 0, 1, stop - 1)
        return sums

    def evaluate(self, split: str) -> dict[str, Any]:
        """Mean loss, accuracy and confusion matrix (true class, predicted class) on a split."""
        images, labels = self._splits[split]
        losses, predicted = self._compiled_evaluate(images, labels, self._scaling)
        classes = self.images.classes
        pairs = labels.numpy() * classes + predicted.numpy()
        confusion = np.bincount(pairs, minlength=classes**2).reshape(classes, classes)
        return {
            "loss": float(np.mean(losses.numpy(), dtype=np.float64)),
            "accuracy": float(confusion.trace() / confusion.sum()),
            "confusion": confusion.tolist(),
        }

    def inputs(self, images: tf.Tensor) -> tf.Tensor:
        """Bytes -> what the network sees: [0, 1] as in the assignment, or standardized."""
        return _scale(images, self._scaling)

    def _steps(self, batches: np.ndarray, first: int, last: int, step: int) -> np.ndarray:
        sums = self._compiled_run(
            tf.constant(batches),
            tf.constant(first),
            tf.constant(last),
            tf.constant(step),
            self._scaling,
            self._rates,
        )
        return np.asarray(sums, dtype=np.float64)

    def _run(
        self, batches: Any, first: Any, last: Any, step: Any, scaling: Any, rates: Any
    ) -> tf.Tensor:
        images, labels = self._splits["train"]
        weights = self.model.trainable_variables

        def body(index: tf.Tensor, sums: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            batch = batches[index]
            y = tf.gather(labels, batch)
            with tf.GradientTape() as tape:
                p = self.model(_scale(tf.gather(images, batch), scaling), training=True)
                losses = keras.losses.sparse_categorical_crossentropy(y, p)
                loss = tf.reduce_mean(losses)
            gradients = tape.gradient(loss, weights)
            iteration = tf.cast(step + index - first + 1, tf.float32)
            self._update(weights, self._slots, gradients, iteration, rates)
            correct = tf.argmax(p, axis=-1, output_type=tf.int32) == y
            counted = (losses, tf.cast(correct, tf.float32), tf.ones_like(losses))
            return index + 1, sums + tf.stack([tf.reduce_sum(c) for c in counted])

        _, sums = tf.while_loop(lambda index, _: index < last, body, (first, tf.zeros(3)))
        return sums

    def _evaluate(self, images: Any, labels: Any, scaling: Any) -> tuple[tf.Tensor, tf.Tensor]:
        p = self.model(_scale(images, scaling), training=False)
        losses = keras.losses.sparse_categorical_crossentropy(labels, p)
        return losses, tf.argmax(p, axis=-1, output_type=tf.int32)


def _scale(images: tf.Tensor, scaling: tf.Tensor) -> tf.Tensor:
    return (tf.cast(images, tf.float32) / 255.0 - scaling[0]) / scaling[1]


def _adam(weights: Any, slots: Any, gradients: Any, iteration: Any, rates: Any) -> None:
    """Keras's Adam (Kingma & Ba, 2015, the form before section 2.1): epsilon outside the bias
    correction."""
    rate = rates[0] * tf.sqrt(1 - BETA_2**iteration) / (1 - BETA_1**iteration)
    for weight, m, v, gradient in zip(weights, *slots, gradients, strict=True):
        m.assign_add((gradient - m) * (1 - BETA_1))
        v.assign_add((tf.square(gradient) - v) * (1 - BETA_2))
        weight.assign_sub(rate * m / (tf.sqrt(v) + rates[2]))


def _sgd(weights: Any, slots: Any, gradients: Any, _iteration: Any, rates: Any) -> None:
    """Keras's SGD with momentum; momentum 0 is plain SGD."""
    for weight, velocity, gradient in zip(weights, slots[0], gradients, strict=True):
        velocity.assign(rates[1] * velocity - rates[0] * gradient)
        weight.assign_add(velocity)
