"""Small images that stand for digits: each class a pattern of its own, under noise."""

from pathlib import Path
from typing import Any

import numpy as np

from reportgen.engine import splits
from reportgen.engine.datasets import DatasetInfo
from reportgen.engine.splits import Images
from reportgen.engine.store import Store


def small_arrays(
    *, train: int, test: int, side: int = 8, classes: int = 10, seed: int = 0
) -> dict[str, Any]:
    """The four arrays of a data set, with every class in both parts."""
    rng = np.random.default_rng(seed)
    patterns = rng.integers(0, 256, (classes, side, side))

    def draw(count: int) -> tuple[Any, Any]:
        labels = rng.permutation(np.arange(count) % classes)
        noise = rng.normal(0, 60, (count, side, side))
        images = patterns[labels] * rng.uniform(0.3, 1, (count, 1, 1)) + noise
        return images.clip(0, 255).astype(np.uint8), labels.astype(np.uint8)

    (x_train, y_train), (x_test, y_test) = draw(train), draw(test)
    return {"x_train": x_train, "y_train": y_train, "x_test": x_test, "y_test": y_test}


def write_small(path: Path, *, train: int, test: int, **options: Any) -> dict[str, Any]:
    """Write such a data set as the user would, and return its arrays."""
    arrays = small_arrays(train=train, test=test, **options)
    np.savez(path, **arrays)
    return arrays


def load_small(path: Path) -> tuple[DatasetInfo, Images]:
    """Load an .npz file as the pipeline does."""
    return splits.load(path.name, fallback=False, project=path.parent)


def record(key: str) -> dict[str, Any]:
    """A small record, with what JSON makes hard: a missing number and a letter beyond ASCII."""
    return {"key": key, "value": [1.5, None], "text": "µ"}


def fill(folder: Path, *keys: str) -> Path:
    """A store that holds such records; returns its file."""
    with Store(folder) as store:
        for key in keys:
            store.append("trial", record(key), {})
    return folder / "trial.jsonl"
