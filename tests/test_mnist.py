"""The assignment on full MNIST, as the report trains it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reportgen.config import Config
from reportgen.engine.runner import Finished, Workers
from reportgen.experiments import assignment
from reportgen.experiments.evidence import tabulate


@pytest.mark.slow
def test_ten_seeds_on_mnist_end_where_the_science_says(mnist: Any, tmp_path: Path) -> None:
    dataset, images = mnist  # known by its digests, or this test is skipped
    runs = assignment.runs(Config(), dataset)
    with Workers(2, log=tmp_path / "workers.log") as workers:
        outcomes = list(workers.run([run.spec for run in runs], images))
    assert all(isinstance(outcome, Finished) for outcome in outcomes)
    records = {it.spec.key: it.result.record for it in outcomes if isinstance(it, Finished)}
    accuracy = tabulate(runs, records).groupby("arm")["test_accuracy"]
    assert set(accuracy.get_group("zeros")) == {0.1135}
    assert 0.974 <= float(np.mean(accuracy.get_group("glorot_normal"))) <= 0.979
    assert 0.974 <= float(np.mean(accuracy.get_group("he_normal"))) <= 0.979
    assert 0.925 <= float(np.mean(accuracy.get_group("random_normal"))) <= 0.935
