"""What the prose says of a dataset, by its counts alone."""

from pathlib import Path

import numpy as np
import pytest
from samples import small_arrays
from sklearn.metrics import log_loss

from reportgen.engine import splits
from reportgen.engine.datasets import DatasetInfo


def test_what_the_prose_says_of_a_set_follows_its_counts(tmp_path: Path) -> None:
    arrays = small_arrays(train=300, test=90, classes=3)
    arrays["y_train"][:120] = 2  # no longer balanced
    np.savez(tmp_path / "own.npz", **arrays)
    info, images = splits.load("own.npz", fallback=False, project=tmp_path)
    said = info.described()
    shares = np.bincount(images.y_train) / len(images.y_train)
    assert (said["train"], said["test"], said["classes"], said["inputs"]) == (240, 90, 3, 64)
    assert (said["balanced"], said["majority"]) == (False, "2")
    assert said["majority_test_share"] == pytest.approx((images.y_test == 2).mean())
    answered = np.tile(shares, (90, 1))
    assert said["log_prior_loss"] == pytest.approx(log_loss(images.y_test, answered))


def test_a_class_that_is_only_tested_on_costs_an_infinite_loss_and_no_warning() -> None:
    info = DatasetInfo(
        name="own.npz", title="own", digest="", source="", fallback=False, shape=(2, 2),
        train_counts=(8, 0, 0), validation=2, test_counts=(1, 1, 0), class_names=("0", "1", "2"),
    )  # fmt: skip
    assert info.described()["log_prior_loss"] == np.inf
