"""Workers that die at awkward times, and workers that are used again."""

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from samples import load_small, write_small

from reportgen.config import Initializer
from reportgen.engine import runner
from reportgen.engine.runner import Finished, GivenUp, Workers
from reportgen.engine.runs import Layer, RunSpec, canonical
from reportgen.engine.splits import Images

pytestmark = pytest.mark.slow
HE = Initializer("HeNormal")
LAYERS = (Layer(8, "relu", HE), Layer(10, "softmax", HE))


def spec(seed: int) -> RunSpec:
    return RunSpec("small", LAYERS, seed, steps=14)


@dataclass(frozen=True)
class Deadly(RunSpec):
    """A run that ends its process: what a worker does to unpickle it is to leave."""

    def __reduce__(self) -> Any:
        return (os._exit, (3,))


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> list[Images]:
    """Two sets of other images."""
    folder = tmp_path_factory.mktemp("deaths")
    sets = []
    for seed in (0, 1):
        write_small(folder / f"{seed}.npz", train=500, test=100, seed=seed)
        sets.append(load_small(folder / f"{seed}.npz")[1])
    return sets


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workers]:
    with Workers(1, log=tmp_path_factory.mktemp("log") / "workers.log") as workers:
        yield workers


def text(outcome: Finished | GivenUp) -> str:
    assert isinstance(outcome, Finished), outcome
    return canonical(outcome.result.record)


def test_workers_that_are_used_again_see_the_images_they_are_given(
    one: Workers, images: list[Images]
) -> None:
    first, second = (text(next(iter(one.run([spec(0)], images[at])))) for at in (0, 1))
    assert first != second


def kill_workers() -> None:
    """SIGKILL for every child, and wait until their pools could have heard of it."""
    for process in multiprocessing.active_children():
        process.kill()
        process.join()
    time.sleep(0.3)


def test_a_worker_that_dies_between_two_runs_loses_neither(
    one: Workers, images: list[Images]
) -> None:
    outcomes = one.run([spec(1), spec(2)], images[0])
    first = next(outcomes)
    kill_workers()  # idle: the caller is still writing the first result
    found = [first, *outcomes]
    assert all(isinstance(outcome, Finished) for outcome in found)
    assert sorted(outcome.spec.seed for outcome in found) == [1, 2]  # one may have had to wait


def test_a_run_that_always_kills_its_process_harms_no_other(
    one: Workers, images: list[Images]
) -> None:
    deadly = Deadly("small", LAYERS, 0, steps=14)
    outcomes = list(one.run([spec(1), deadly, spec(2)], images[0]))
    (given_up,) = [outcome for outcome in outcomes if isinstance(outcome, GivenUp)]
    assert given_up.spec is deadly
    assert "died 3 times" in given_up.reason
    assert sorted(o.spec.seed for o in outcomes if isinstance(o, Finished)) == [1, 2]


def test_ctrl_c_while_work_is_handed_out_is_held_and_not_lost() -> None:
    def hand_out() -> None:
        with runner._holding_ctrl_c():
            signal.raise_signal(signal.SIGINT)
            done.append("handed out")

    done: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        hand_out()
    assert done == ["handed out"]


def test_an_error_in_the_caller_ends_the_workers_at_once(tmp_path: Path) -> None:
    before = set(multiprocessing.active_children())
    mine: list[Any] = []

    def fail() -> None:
        with Workers(1, log=tmp_path / "workers.log") as workers:
            workers._submit(0, time.sleep, 600)
            mine.extend(set(multiprocessing.active_children()) - before)
            raise OSError("full")

    began = time.monotonic()
    with pytest.raises(OSError, match="full"):
        fail()
    assert len(mine) == 1
    assert not mine[0].is_alive()
    assert time.monotonic() - began < 10
