"""Runs the specs that are missing in warm worker processes of one thread each.

Workers return results and write nothing. TensorFlow is not fork-safe and takes seconds to import:
workers are spawned, and stay warm from one run to the next.
"""

import contextlib
import multiprocessing
import os
import signal
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, fields
from functools import lru_cache
from multiprocessing.connection import wait as wait_for
from pathlib import Path
from typing import Self

import numpy as np

from reportgen.engine.datasets import Images
from reportgen.engine.runs import Result, RunSpec

# A run that broke its process this often, the last times alone, is given up.
STRIKES = 3


@dataclass(frozen=True)
class Finished:
    """A run that came back, with the seconds its worker spent on it."""

    spec: RunSpec
    result: Result
    seconds: float


@dataclass(frozen=True)
class GivenUp:
    """A run that could not be done, and why."""

    spec: RunSpec
    reason: str


class Workers:
    """Warm worker processes, started when first needed or by `start`."""

    def __init__(self, count: int, *, log: Path) -> None:
        self.count = count or len(os.sched_getaffinity(0))
        self._log = log
        self._pool: ProcessPoolExecutor | None = None
        self._folder = tempfile.TemporaryDirectory(prefix="reportgen-")

    def __enter__(self) -> Self:
        return self

    def start(self) -> None:
        """Have the workers import TensorFlow while the caller goes on."""
        for _ in range(self.count):
            self._submit(_warm)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            for process in multiprocessing.active_children():
                process.kill()
        self._stop()
        self._folder.cleanup()

    def run(self, specs: list[RunSpec], images: Images) -> Iterator[Finished | GivenUp]:
        """Train the specs and yield each as it is done, in no particular order."""
        path = Path(self._folder.name) / "images.npz"
        np.savez(path, **{f.name: getattr(images, f.name) for f in fields(Images) if f.init})
        queue = deque(specs)
        suspects: deque[RunSpec] = deque()
        strikes: dict[RunSpec, int] = {}
        in_flight: dict[Future[tuple[Result, float]], RunSpec] = {}
        while queue or suspects or in_flight:
            # A run in flight when a process died is tried again alone: only then is it to blame.
            if suspects and not in_flight:
                spec = suspects.popleft()
                in_flight[self._submit(_train, spec, path)] = spec
            while queue and not suspects and len(in_flight) < self.count:
                spec = queue.popleft()
                in_flight[self._submit(_train, spec, path)] = spec
            done, _ = wait(in_flight, return_when=FIRST_COMPLETED)
            broken = False
            for future in done:
                spec = in_flight.pop(future)
                try:
                    result, seconds = future.result()
                    yield Finished(spec, result, seconds)
                except BrokenProcessPool:
                    broken = True
                    in_flight[future] = spec
                except Exception as error:  # whatever Keras raises is this run's failure alone
                    yield GivenUp(spec, f"{type(error).__name__}: {error}")
            if broken:
                self._stop()
                for spec in in_flight.values():
                    strikes[spec] = strikes.get(spec, 0) + 1
                    if strikes[spec] < STRIKES:
                        suspects.append(spec)
                    else:
                        yield GivenUp(spec, f"its process died {STRIKES} times")
                in_flight.clear()

    def _submit(self, *call):  # type: ignore[no-untyped-def]
        if self._pool is None:
            self._log.parent.mkdir(parents=True, exist_ok=True)
            self._pool = ProcessPoolExecutor(
                self.count,
                mp_context=multiprocessing.get_context("spawn"),
                initializer=_start_worker,
                initargs=(str(self._log),),
            )
        with _ignoring_ctrl_c():
            return self._pool.submit(*call)

    def _stop(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None


@contextlib.contextmanager
def _ignoring_ctrl_c() -> Iterator[None]:
    """Processes spawned here ignore Ctrl-C from their first instruction: the parent handles it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _start_worker(log: str) -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with_parent, args=(parent.sentinel,), daemon=True).start()
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    # XLA on CPU varied from run to run with more than one thread, and never with one.
    os.environ |= {
        "CUDA_VISIBLE_DEVICES": "-1",
        "OMP_NUM_THREADS": "1",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "TF_NUM_INTEROP_THREADS": "1",
        "TF_NUM_INTRAOP_THREADS": "1",
        "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false",
        "KERAS_BACKEND": "tensorflow",
    }


def _end_with_parent(sentinel: int) -> None:
    wait_for([sentinel])
    os._exit(1)


def _warm() -> None:
    import reportgen.engine.training  # noqa: F401  (the import is the work)


@lru_cache(maxsize=1)
def _images(path: Path) -> Images:
    with np.load(path) as archive:
        content = {name: archive[name] for name in archive}
    return Images(**{**content, "classes": int(content["classes"])})


def _train(spec: RunSpec, path: Path) -> tuple[Result, float]:
    from reportgen.engine.training import train

    started = time.perf_counter()
    return train(spec, _images(path)), time.perf_counter() - started
