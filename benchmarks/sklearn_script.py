"""The four trainings' work in scikit-learn's MLPClassifier, for `make bench`.

The same network, images, epochs and batches; less work in that nothing is validated between two
epochs. It has no choice of initializer, so that its own start, uniform by Glorot's rule, is trained
four times from different seeds.
"""

import argparse
import warnings
from pathlib import Path

from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from reportgen.engine import splits


def main() -> None:
    """Train and evaluate the four models."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=10)
    epochs = parser.parse_args().epochs
    _, images = splits.load("mnist", fallback=False, project=Path())
    parts = (images.x_train, images.x_test)
    train, test = (x.reshape(len(x), -1).astype("float32") / 255 for x in parts)
    warnings.simplefilter("ignore", ConvergenceWarning)  # it is stopped after its epochs
    for seed in range(4):
        model = MLPClassifier((128,), batch_size=64, max_iter=epochs, random_state=seed)
        model.fit(train, images.y_train)
        print(f"Test accuracy, seed {seed}: {model.score(test, images.y_test):.4f}")


if __name__ == "__main__":
    main()
