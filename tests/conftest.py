"""What all tests share: the workers' thread settings, small images, full MNIST where it is."""

import os
import signal
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from samples import load_small, write_small

from reportgen.engine import datasets, splits
from reportgen.engine.datasets import DatasetInfo
from reportgen.engine.runner import WORKER_ENVIRONMENT
from reportgen.engine.splits import Images

# As in the engine's workers, and before anything imports TensorFlow: a run in the tests' own
# process then leaves the same bytes as one in a worker.
os.environ |= WORKER_ENVIRONMENT | {"MPLBACKEND": "agg"}
# A shell ignores Ctrl-C for what it starts in the background, and so would all that tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests first: files are handed out in order, and nobody waits for the last."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[DatasetInfo, Images]:
    """Small synthetic images, of which 2,000 are trained on."""
    folder = tmp_path_factory.mktemp("small")
    write_small(folder / "small.npz", train=2500, test=300)
    return load_small(folder / "small.npz")


@pytest.fixture(scope="session")
def mnist() -> tuple[DatasetInfo, Images]:
    """Full MNIST, verified by its digests; nothing is downloaded."""
    if datasets.locate("mnist", Path()) is None:
        pytest.skip("full MNIST is not on this machine: name its folder in REPORTGEN_DATA_DIR")
    return splits.load("mnist", fallback=False, project=Path())


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on a machine without data or network; Keras's home is `keras` in it."""

    def refuse(*_: object, **__: object) -> None:
        raise urllib.error.URLError("no network")

    monkeypatch.delenv("REPORTGEN_DATA_DIR", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    return tmp_path
