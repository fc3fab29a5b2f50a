"""The assignment's part three as anyone would write it in Keras: the yardstick of `make bench`.

Four models, one `fit` after another, at Keras's defaults. It shares no code with reportgen and
stays slow on purpose: what the assignment does not have is only there under `--compiled`, XLA and
an epoch's steps at one call, as fast as Keras's own `fit` goes.
MNIST comes from the folder that REPORTGEN_DATA_DIR names, otherwise by Keras's own download.
"""

import argparse
import math
import os
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import initializers, layers
from sklearn.model_selection import train_test_split

INITIALIZERS = {
    "zero": initializers.Zeros,
    "random": lambda: initializers.RandomNormal(mean=0.0, stddev=1.0),
    "Xavier": initializers.GlorotNormal,
    "He": initializers.HeNormal,
}


def load_mnist() -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    """Training and test pairs: images (n, 28, 28, 1) in [0, 1], labels (n, 10) one-hot."""
    folder = os.environ.get("REPORTGEN_DATA_DIR")
    if folder and (path := Path(folder) / "mnist.npz").exists():
        with np.load(path) as arrays:
            train = arrays["x_train"], arrays["y_train"]
            test = arrays["x_test"], arrays["y_test"]
    else:
        train, test = keras.datasets.mnist.load_data()
    return prepare(*train), prepare(*test)


def prepare(images: Any, labels: Any) -> tuple[Any, Any]:
    """Scale bytes to [0, 1], add the channel axis, one-hot the digits."""
    images = images.reshape((-1, 28, 28, 1)).astype("float32") / 255
    return images, keras.utils.to_categorical(labels)


def build_model(initializer: Any, options: dict[str, Any]) -> Any:
    """The assignment's network; both layers take the same initializer object, as there."""
    model = keras.Sequential(
        [
            keras.Input(shape=(28, 28, 1)),
            layers.Flatten(),
            layers.Dense(128, activation="relu", kernel_initializer=initializer),
            layers.Dense(10, activation="softmax", kernel_initializer=initializer),
        ]
    )
    model.compile(
        optimizer="adam", loss="categorical_crossentropy", metrics=["accuracy"], **options
    )
    return model


def main(*, epochs: int, batch_size: int = 64, compiled: bool = False) -> dict[str, float]:
    """Train and evaluate the four models; returns the test accuracy of each."""
    (images, labels), (test_images, test_labels) = load_mnist()
    images, val_images, labels, val_labels = train_test_split(
        images, labels, test_size=0.2, random_state=42
    )
    per_epoch = math.ceil(len(images) / batch_size)
    options = {"jit_compile": True, "steps_per_execution": per_epoch} if compiled else {}
    models = {name: build_model(start(), options) for name, start in INITIALIZERS.items()}
    for name, model in models.items():
        print(f"Training from the {name} initialization")
        model.fit(
            images,
            labels,
            epochs=epochs,
            batch_size=batch_size,
            validation_data=(val_images, val_labels),
            verbose=2,
        )
    accuracies = {}
    for name, model in models.items():
        _, accuracies[name] = model.evaluate(test_images, test_labels, verbose=0)
        print(f"Test accuracy, {name} initialization: {accuracies[name]:.4f}")
    return accuracies


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--compiled", action="store_true")
    main(**vars(parser.parse_args()))
