"""What is known of a dataset, and where its files lie: MNIST, Fashion-MNIST, or the user's .npz."""

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

IDX_FILES = (
    "train-images-idx3-ubyte", "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte",
)  # fmt: skip


@dataclass(frozen=True)
class DatasetInfo:
    """What the report says of a dataset; kept with the results, so that pages need no images."""

    name: str
    title: str
    digest: str
    source: str
    fallback: bool
    shape: tuple[int, ...]
    train_counts: tuple[int, ...]
    validation: int
    test_counts: tuple[int, ...]
    class_names: tuple[str, ...]

    @property
    def classes(self) -> int:
        """Number of classes."""
        return len(self.test_counts)

    @property
    def train(self) -> int:
        """Number of images trained on, after the split."""
        return sum(self.train_counts)

    def described(self) -> dict[str, Any]:
        """What the prose says of it, worked out from the counts."""
        test = sum(self.test_counts)
        shares = [count / test for count in self.test_counts]
        majority = self.train_counts.index(max(self.train_counts))
        # A class that is only tested on makes it infinite.
        surprisal = [math.log(self.train / n) if n else math.inf for n in self.train_counts]
        pairs = zip(shares, surprisal, strict=True)
        return {
            "train": self.train,
            "test": test,
            "classes": self.classes,
            "inputs": math.prod(self.shape),
            "balanced": len(set(self.train_counts)) == 1,
            "majority": self.class_names[majority],
            "majority_test_share": shares[majority],
            "log_prior_loss": sum(share * loss for share, loss in pairs if share),
        }


def locate(name: str, project: Path) -> Path | None:
    """The file that `splits.load` would read, if it is on this machine."""
    if name == "mnist":
        return find_file("mnist.npz")
    if name == "fashion-mnist":
        return find_file("fashion-mnist.npz") or find_file(IDX_FILES[0])
    return project / name if _exists(project / name) else None


def keras_folder() -> Path:
    """Keras's folder of datasets."""
    return Path(os.environ.get("KERAS_HOME", Path.home() / ".keras")) / "datasets"


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name too long, or a folder that may not be looked into
        return False


def find_file(name: str) -> Path | None:
    """This file, or it gzipped, in the user's folder, else in Keras's cache."""
    given = os.environ.get("REPORTGEN_DATA_DIR")
    places = [*([Path(given)] if given else []), keras_folder(), keras_folder() / "fashion-mnist"]
    paths = (place / file for place in places for file in (name, f"{name}.gz"))
    return next((path for path in paths if _exists(path)), None)
