import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from samples import load_small, write_small

from reportgen.config import Initializer
from reportgen.engine import runner
from reportgen.engine.runner import Finished, GivenUp, Workers
from reportgen.engine.runs import Layer, Probe, RunSpec, canonical
from reportgen.engine.splits import Images

pytestmark = pytest.mark.slow


def spec(seed: int, *, steps: int = 40, probe: str = "validation", width: int = 8) -> RunSpec:
    he = Initializer("HeNormal")
    layers = (Layer(width, "relu", he), Layer(10, "softmax", he))
    return RunSpec("small", layers, seed, steps, probes=(Probe(probe),))


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Images:
    folder = tmp_path_factory.mktemp("runner")
    write_small(folder / "small.npz", train=500, test=100)
    return load_small(folder / "small.npz")[1]


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workers]:
    with Workers(2, log=tmp_path_factory.mktemp("log") / "workers.log") as workers:
        yield workers


def finished(outcomes: Any) -> dict[int, str]:
    """Seed -> record as text."""
    return {it.spec.seed: canonical(it.result.record) for it in outcomes}


def test_records_do_not_depend_on_workers_order_or_company(
    two: Workers, images: Images, tmp_path: Path
) -> None:
    specs = [spec(seed) for seed in range(4)]
    together = finished(two.run(specs, images))
    assert finished(two.run([specs[2]], images)) == {2: together[2]}
    with Workers(1, log=tmp_path / "workers.log") as one:
        assert finished(one.run(specs[::-1], images)) == together


def test_a_run_that_fails_is_named_and_stops_no_other(two: Workers, images: Images) -> None:
    bad = spec(1, probe="no-such-probe")
    outcomes = list(two.run([spec(0), bad, spec(2)], images))
    given_up = [it for it in outcomes if isinstance(it, GivenUp)]
    assert [it.spec for it in given_up] == [bad]
    assert "no-such-probe" in given_up[0].reason
    assert {it.spec.seed for it in outcomes if isinstance(it, Finished)} == {0, 2}


def test_a_run_whose_process_is_killed_is_done_again(two: Workers, images: Images) -> None:
    expected = finished(two.run([spec(7, steps=4000)], images))

    def kill_one() -> None:
        time.sleep(0.4)
        for pool in list(two._pools.values()):
            for process in list(pool._processes):
                os.kill(process, signal.SIGKILL)
            break

    killer = threading.Thread(target=kill_one)
    killer.start()
    outcomes = list(two.run([spec(7, steps=4000), spec(8, steps=4000)], images))
    killer.join()
    assert all(isinstance(it, Finished) for it in outcomes)
    assert finished(outcomes)[7] == expected[7]


def test_runs_of_one_shape_stay_with_the_worker_that_compiled_it() -> None:
    narrow, wide = spec(0), spec(1, width=16)
    waiting = [narrow, wide, spec(2), spec(3, width=16)]
    shapes = {0: narrow.shape, 1: wide.shape}
    assert runner._next(waiting, shapes, 1) is wide
    assert runner._next(waiting, shapes, 0) is narrow
    shapes = {0: narrow.shape}
    assert runner._next(waiting, shapes, 1).layers[0].units == 16


def test_a_process_that_has_grown_makes_way_for_a_new_one_before_another_shape(
    two: Workers, images: Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    specs = [spec(0, steps=5), spec(1, steps=5), spec(2, steps=5, width=16)]
    expected = finished(two.run(specs, images))
    monkeypatch.setattr(runner, "MEGABYTES", 0)
    processes = {}
    with Workers(1, log=tmp_path / "workers.log") as workers:
        for it in specs:  # one at a time, as on a cluster
            (outcome,) = workers.run([it], images)
            assert isinstance(outcome, Finished)
            assert canonical(outcome.result.record) == expected[outcome.spec.seed]
            processes[outcome.spec.seed] = [*workers._pools[0]._processes]
    assert processes[0] == processes[1] != processes[2]


def test_workers_import_without_what_no_run_needs_and_end_at_once(tmp_path: Path) -> None:
    with Workers(1, log=tmp_path / "workers.log") as workers:
        future: Any = workers._submit(0, _imported)
        assert future.result() == {"keras": True, "pandas": False, "sklearn": False, "json": True}
        began = time.monotonic()
    assert time.monotonic() - began < 2


def _imported() -> dict[str, bool]:
    runner._warm()
    return {
        name: sys.modules.get(name) is not None for name in ("keras", "pandas", "sklearn", "json")
    }
