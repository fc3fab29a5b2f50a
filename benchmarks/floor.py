"""The floor under the four trainings: their matrix products alone, in the same library.

One XLA-compiled loop over the batches of an epoch, as in reportgen's steps: the forward and
backward products of both layers and nothing else, no activation, no loss, no update, no gathering
(a batch is a slice). Two processes of one thread each share the trainings.

Bare, it is a whole process, as `make bench` times it. With `--steps` the two processes time epochs
of the products, of Adam's updates and of reportgen's compiled steps in turn, warm, both busy with
the same at any time; it prints the seconds of each epoch of one model as JSON.
"""

import argparse
import json
import multiprocessing
import os
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from reportgen.config import Config
from reportgen.engine import runner, splits
from reportgen.engine.datasets import DatasetInfo
from reportgen.engine.splits import Images

PROCESSES, MODELS = 2, 4
INPUTS, HIDDEN, CLASSES, BATCH = 784, 128, 10, 64
MEET: Any = None  # the barrier at which processes begin together


class Products:
    """The products of one model; an epoch is over when `epoch` returns."""

    def __init__(self, images: Images) -> None:
        import tensorflow as tf

        count = len(images.x_train) // BATCH
        pixels = images.x_train.reshape(-1, INPUTS)[: count * BATCH].astype("float32") / 255
        batches = tf.constant(pixels.reshape(count, BATCH, INPUTS))
        draw = tf.random.Generator.from_seed(0)
        W1, W2 = (draw.normal(shape) for shape in ((INPUTS, HIDDEN), (HIDDEN, CLASSES)))

        def body(index: Any, *_: Any) -> tuple[Any, Any, Any]:
            x = batches[index]
            h = x @ W1
            z = h @ W2  # stands for the error at the output too, which has its shape
            back = tf.matmul(z, W2, transpose_b=True)
            # The kernels' gradients are carried round the loop, or XLA would leave them out.
            first = tf.matmul(x, back, transpose_a=True)
            return index + 1, first, tf.matmul(h, z, transpose_a=True)

        def products(start: Any) -> tuple[Any, Any]:
            loop = (start, tf.zeros_like(W1), tf.zeros_like(W2))
            _, *gradients = tf.while_loop(lambda index, *_: index < count, body, loop)
            return tuple(gradients)

        self._compiled = tf.function(products, jit_compile=True, autograph=False)
        self._start = tf.constant(0)

    def epoch(self) -> None:
        """All the batches once."""
        for gradient in self._compiled(self._start):
            gradient.numpy()


class Updates:
    """Adam's updates alone, as in reportgen's steps, of gradients that stay the same."""

    def __init__(self, batches: int) -> None:
        import tensorflow as tf

        from reportgen.engine.training import _adam

        shapes = ((INPUTS, HIDDEN), (HIDDEN,), (HIDDEN, CLASSES), (CLASSES,))
        draw = tf.random.Generator.from_seed(0)
        weights, means, squares, gradients = (
            [tf.Variable(draw.uniform(shape)) for shape in shapes] for _ in range(4)
        )
        rates = tf.Variable((1e-3, 1e-7))

        def body(index: Any) -> Any:
            held = [gradient.read_value() for gradient in gradients]
            _adam(weights, (means, squares), held, tf.cast(index + 1, tf.float32), rates)
            return index + 1

        def updates(start: Any) -> Any:
            return tf.while_loop(lambda index: index < batches, body, (start,))

        self._compiled = tf.function(updates, jit_compile=True, autograph=False)
        self._start = tf.constant(0)

    def epoch(self) -> None:
        """As many updates as there are batches."""
        for index in self._compiled(self._start):
            index.numpy()


class Steps:
    """reportgen's steps on He's network."""

    def __init__(self, dataset: DatasetInfo, images: Images) -> None:
        from reportgen.engine.training import Trainer
        from reportgen.experiments import assignment

        spec = assignment.runs(Config(seeds=1), dataset)[-1].spec
        self._trainer = Trainer(spec.shape, images)
        self._trainer.start(spec)
        self._count, self._done = len(images.x_train) // BATCH, 0

    def epoch(self) -> None:
        """All the batches of the next epoch."""
        self._trainer.run(self._done, self._done + self._count)
        self._done += self._count


def start(meet: Any) -> None:
    """Get a process ready: `meet` comes with its start, as no task can carry it."""
    globals()["MEET"] = meet
    runner._warm()


def train(epochs: int) -> None:
    """One process's share of the products of the four trainings."""
    _, images = splits.load("mnist", fallback=False, project=Path())
    products = Products(images)
    for _ in range(epochs * MODELS // PROCESSES):
        products.epoch()


def compare(epochs: int) -> dict[str, list[float]]:
    """Seconds of epochs of the products, of Adam's updates and of reportgen's steps, in turn."""
    dataset, images = splits.load("mnist", fallback=False, project=Path())
    kinds: dict[str, Products | Updates | Steps] = {
        "products": Products(images),
        "updates": Updates(len(images.x_train) // BATCH),
        "steps": Steps(dataset, images),
    }
    seconds: dict[str, list[float]] = {kind: [] for kind in kinds}
    for turn in range(1 + epochs):
        for kind, work in kinds.items():
            MEET.wait()  # so that both processes are busy with the same
            began = time.perf_counter()
            work.epoch()
            if turn:  # the first time it is compiled
                seconds[kind].append(time.perf_counter() - began)
    return seconds


def main() -> None:
    """Start the processes; with `--steps` print what they found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--steps", action="store_true", help="compare with reportgen's steps")
    options = parser.parse_args()
    os.environ |= runner.WORKER_ENVIRONMENT
    spawn = multiprocessing.get_context("spawn")
    meet = spawn.Barrier(PROCESSES, timeout=600)  # where one fails, the other does not wait on
    with ProcessPoolExecutor(PROCESSES, spawn, start, (meet,)) as pool:
        work = compare if options.steps else train
        shares = [pool.submit(work, options.epochs) for _ in range(PROCESSES)]
        found = [share.result() or {} for share in shares]
    if options.steps:
        kinds = {kind: [s for one in found for s in one[kind]] for kind in found[0]}
        print(json.dumps(kinds))


if __name__ == "__main__":
    main()
