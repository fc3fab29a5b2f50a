"""Runs sent to a real Dask scheduler and real workers on this machine."""

import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from samples import load_small, write_small

from reportgen import config, pipeline
from reportgen.cli import main
from reportgen.config import Initializer
from reportgen.engine import cluster as cluster_room
from reportgen.engine.cluster import Cluster, software
from reportgen.engine.runner import GivenUp, Workers
from reportgen.engine.runs import Layer, RunSpec, canonical
from reportgen.engine.splits import Images
from reportgen.engine.store import Store
from reportgen.errors import InputError, ReportgenError
from reportgen.experiments.registry import experiments
from reportgen.pipeline import Project

pytest.importorskip("distributed", reason="dask.distributed is not installed: .[cluster]")

SECONDS = 180  # for Dask to begin, on a busy machine


def spec(seed: int, *, steps: int = 20) -> RunSpec:
    return RunSpec("small", (Layer(10, "softmax", Initializer("HeNormal")),), seed, steps)


@dataclass(frozen=True)
class Deadly(RunSpec):
    """A run that ends every Dask worker which hands it on to its training process."""

    def __reduce__(self) -> Any:
        if "Dask Worker" in multiprocessing.current_process().name:
            os._exit(3)
        return super().__reduce__()


@contextmanager
def dask(role: str, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """A `dask scheduler` or `dask worker` in a session of its own, which is ended with it."""
    places = [Path(__file__).parents[at] for at in range(3)]  # of this file, samples, reportgen
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(map(str, places)),
        "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "2",
    }
    command = [sys.executable, "-m", "dask", role, "--no-dashboard", *options]
    process = subprocess.Popen(command, env=environment, start_new_session=True)
    try:
        yield process
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


@contextmanager
def scheduler() -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    port = free_port()
    with dask("scheduler", "--host", "127.0.0.1", "--port", str(port)) as process:
        end = time.monotonic() + SECONDS
        while not _listens(port):
            assert process.poll() is None
            assert time.monotonic() < end
            time.sleep(0.1)
        yield f"tcp://127.0.0.1:{port}", process


@contextmanager
def joined(address: str, folder: Path, count: int = 1, *options: str) -> Iterator[None]:
    """So many Dask workers of one thread, once they have joined."""
    sizes = ("--nworkers", str(count), "--nthreads", "1", "--local-directory", str(folder))
    with dask("worker", address, *sizes, *options):
        with Cluster(address) as cluster:
            cluster._client.wait_for_workers(count, timeout=SECONDS)
        yield


@pytest.fixture(scope="module", autouse=True)
def patience() -> Iterator[None]:
    """A scheduler here may take longer to answer than a user is to wait at a wrong address."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cluster_room, "SECONDS_TO_ANSWER", 30)
        yield


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a scheduler with two workers."""
    with scheduler() as (address, _), joined(address, tmp_path_factory.mktemp("dask"), 2):
        yield address


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Images:
    folder = tmp_path_factory.mktemp("images")
    write_small(folder / "small.npz", train=500, test=100)
    return load_small(folder / "small.npz")[1]


def finished(outcomes: Any) -> dict[int, str]:
    """Seed -> record as text."""
    return {it.spec.seed: canonical(it.result.record) for it in outcomes}


def handed_on(dask_worker: Any) -> int:
    """In a Dask worker: how often it has sent images to another."""
    keys = [key for transfer in dask_worker.transfer_outgoing_log for key in transfer["keys"]]
    return sum(key.startswith("_same") for key in keys)


@pytest.mark.slow
def test_records_are_those_of_this_machine_also_when_a_worker_dies(
    two: str, images: Images, tmp_path: Path
) -> None:
    specs = [spec(seed, steps=500) for seed in range(6)]
    with Workers(1, log=tmp_path / "workers.log") as workers, Cluster(two) as cluster:
        workers.start()
        already = sum(cluster._client.run(handed_on).values())
        outcomes = cluster.run(specs, images)
        first = next(outcomes)
        assert sum(cluster._client.run(handed_on).values()) == already + 1
        before = cluster._client.run(os.getpid)
        killed = next(iter(before.values()))
        os.kill(killed, signal.SIGKILL)
        assert finished([first, *outcomes]) == finished(workers.run(specs, images))
        cluster._client.wait_for_workers(2, timeout=SECONDS)
        after = cluster._client.run(os.getpid)
        assert len(after) == 2
        assert killed not in after.values()
        assert cluster.described["cluster"].startswith("Dask workers: 2, ")


@pytest.mark.slow
def test_a_run_that_ends_every_worker_is_given_up(two: str, images: Images) -> None:
    # The images go down with the second worker, and the third one has them all the same.
    with Cluster(two) as cluster:
        deadly = Deadly("small", spec(0).layers, seed=0, steps=20)
        (outcome,) = cluster.run([deadly], images)
    assert isinstance(outcome, GivenUp)
    assert outcome.spec is deadly
    assert outcome.reason == "3 Dask workers died of it"


@pytest.mark.slow
def test_workers_with_other_versions_are_named_and_get_no_run(
    images: Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other.py"
    other.write_text("import reportgen.engine.runs\nreportgen.engine.runs.ENGINE_VERSION = 99\n")

    def refused() -> str:
        with pytest.raises(InputError) as caught:
            next(cluster.run([spec(0)], images))
        return caught.value.message

    with scheduler() as (address, _), Cluster(address) as cluster:
        assert "no worker has joined" in refused()
        with joined(address, tmp_path, 1, "--preload", str(other)):
            (at,) = cluster._client.run(os.getpid)
            asked = refused()
            # One that joins when the others have been asked refuses the run itself.
            monkeypatch.setattr(cluster, "start", lambda: None)
            for told in (asked, refused()):
                assert at in told
                assert "engine 99" in told
                assert software() in told


class Killer:
    """A watcher that ends a process when the first run is stored."""

    def __init__(self, process: subprocess.Popen[bytes] | None = None) -> None:
        self.process = process

    def say(self, text: str) -> None:
        pass

    def training(self, runs: int, cost: float) -> None:
        pass

    def trained(self, steps: int, cost: float) -> None:
        if self.process:
            self.process.kill()


@pytest.mark.slow
def test_without_its_scheduler_a_build_ends_and_goes_on_later(
    two: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_room, "SECONDS_TO_ANSWER", 8)  # one of the two has to answer
    write_small(tmp_path / "own.npz", train=500, test=100)
    off = "\n".join(f"{e.name} = false" for e in experiments() if e.name != "assignment")
    text = f'dataset = "own.npz"\nseeds = 1\nepochs = 20\nworkers = 1\n[experiments]\n{off}\n'
    (tmp_path / "reportgen.toml").write_text(text, encoding="utf-8")
    settings = config.load(tmp_path)
    with scheduler() as (address, process), joined(address, tmp_path):
        project = Project(tmp_path, settings, Killer(process), cluster=address)
        with pytest.raises(ReportgenError, match="is gone; finished runs are kept") as caught:
            pipeline.train(project)
        assert caught.value.exit_code == 1
    kept = Store(tmp_path / "results").records()
    assert 1 <= len(kept) < 4
    _, records = pipeline.train(Project(tmp_path, settings, Killer(), cluster=two))
    assert len(records) == 4
    assert records.items() >= kept.items()


def test_an_address_where_nobody_answers_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_room, "SECONDS_TO_ANSWER", 1)
    write_small(tmp_path / "own.npz", train=250, test=50)
    (tmp_path / "reportgen.toml").write_text('dataset = "own.npz"\n', encoding="utf-8")
    address = f"tcp://127.0.0.1:{free_port()}"
    arguments = ["run", "--project", str(tmp_path), "--cluster", address]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 2
    assert f"no Dask scheduler answers at {address}" in done.stderr


def test_without_dask_it_is_told_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InputError, match=r"needs dask\.distributed") as caught, Cluster("any:1"):
        pass
    assert ".[cluster]" in caught.value.hint
