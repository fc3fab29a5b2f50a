"""Runs the specs that are missing in warm worker processes of one thread each.

Workers return results and write nothing. TensorFlow is not fork-safe and takes seconds to import:
workers are spawned, and stay warm from one run to the next.
"""

import atexit
import contextlib
import gc
import multiprocessing
import os
import pickle
import resource
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing import resource_tracker
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Self

from reportgen.engine.runs import Result, RunSpec

if TYPE_CHECKING:
    from reportgen.engine.splits import Images

# A run that broke its process this often is given up.
STRIKES = 3
# A process that has grown beyond this makes way for a new one before it compiles another network
# shape: every one leaves some memory behind, and one run may take half a gigabyte more.
MEGABYTES = 1400
# Keras imports these where it finds them, for parts of it that no run needs: a third of its time.
SPARED = ("matplotlib", "pandas", "sklearn")
# XLA on CPU varied from run to run with more than one thread, and never with one.
WORKER_ENVIRONMENT = {
    "CUDA_VISIBLE_DEVICES": "-1",
    "KERAS_BACKEND": "tensorflow",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_NUM_INTEROP_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false",
}


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


def worker_count(configured: int) -> int:
    """How many workers a configuration stands for: 0 means one a processor."""
    return configured or len(os.sched_getaffinity(0))


class Workers:
    """Warm worker processes, started when first needed or by `start`.

    Each is a pool of one, so that a run which breaks its process is known, and so that runs of one
    network shape go to the process that has compiled it.
    """

    def __init__(self, count: int, *, log: Path) -> None:
        # Before NumPy, which reads it once, is loaded: by workers, and by this process, so that it
        # analyses with one thread whether it trained or not.
        os.environ |= WORKER_ENVIRONMENT
        self.count = worker_count(count)
        self._log = log
        self._pools: dict[int, ProcessPoolExecutor] = {}
        self._shapes: dict[int, RunSpec] = {}  # what each worker compiled last
        self._grown: set[int] = set()
        # Not a temporary file: what a build leaves behind that is killed, the next one replaces.
        self._file = log.with_suffix(".images")
        self._images: Images | None = None  # what it holds, and how many it held before
        self._number = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            for process in multiprocessing.active_children():
                process.kill()
        for worker in list(self._pools):
            self._stop(worker)
        self._file.unlink(missing_ok=True)

    def start(self) -> None:
        """Have the workers import TensorFlow while the caller goes on."""
        for worker in range(self.count):
            self._submit(worker, _warm)

    def run(self, specs: list[RunSpec], images: "Images") -> Iterator[Finished | GivenUp]:
        """Train the specs and yield each as it is done, in no particular order."""
        number = self._hand_over(images)
        # Deep networks first: they take long to compile, and whatever comes last is compiled twice.
        waiting = sorted(specs, key=lambda spec: -len(spec.layers))
        strikes = Counter[RunSpec]()
        in_flight: dict[Future[tuple[Result, float, float]], tuple[int, RunSpec]] = {}
        # `futures.wait` would hold locks that Ctrl-C, at a bad moment, leaves taken for good.
        done: SimpleQueue[Future[tuple[Result, float, float]]] = SimpleQueue()
        while waiting or in_flight:
            for worker in set(range(self.count)) - {worker for worker, _ in in_flight.values()}:
                if waiting:
                    spec = _next(waiting, self._shapes, worker)
                    if worker in self._grown and spec.shape != self._shapes[worker]:
                        self._stop(worker)
                    future = self._submit(worker, _train, spec, self._file, number)
                    self._shapes[worker] = spec.shape
                    in_flight[future] = (worker, spec)
                    future.add_done_callback(done.put)
            future = done.get()
            worker, spec = in_flight.pop(future)
            try:
                result, seconds, megabytes = future.result()
                if megabytes > MEGABYTES:
                    self._grown.add(worker)
                yield Finished(spec, result, seconds)
            except BrokenProcessPool:
                self._stop(worker)
                strikes[spec] += 1
                if strikes[spec] < STRIKES:
                    waiting.append(spec)
                else:
                    yield GivenUp(spec, f"its process died {STRIKES} times")
            except Exception as error:  # whatever Keras raises is this run's failure alone
                yield GivenUp(spec, f"{type(error).__name__}: {error}")

    def _hand_over(self, images: "Images") -> int:
        """Write the images where the processes find them, who keep the last ones by this number."""
        if self._images is not images:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            self._file.write_bytes(pickle.dumps(images))
            self._images, self._number = images, self._number + 1
        return self._number

    def _submit(self, worker: int, *call):  # type: ignore[no-untyped-def]
        if worker not in self._pools:
            self._log.parent.mkdir(parents=True, exist_ok=True)
            self._pools[worker] = ProcessPoolExecutor(
                1,
                mp_context=multiprocessing.get_context("spawn"),
                initializer=_start_worker,
                initargs=(self._log,),
            )
        try:
            with _holding_ctrl_c():
                return self._pools[worker].submit(*call)
        except BrokenProcessPool:  # its process died while it had nothing to do
            self._stop(worker)
            return self._submit(worker, *call)

    def _stop(self, worker: int) -> None:
        self._pools.pop(worker).shutdown(wait=True, cancel_futures=True)
        self._shapes.pop(worker, None)
        self._grown.discard(worker)


def _next(waiting: list[RunSpec], shapes: dict[int, RunSpec], worker: int) -> RunSpec:
    """Take the run that costs this worker the least compiling: its own shape, then a new one."""
    taken = {shape for other, shape in shapes.items() if other != worker}
    own = shapes.get(worker)
    choice = next((spec for spec in waiting if spec.shape == own), None)
    choice = choice or next((spec for spec in waiting if spec.shape not in taken), waiting[0])
    waiting.remove(choice)
    return choice


@contextlib.contextmanager
def _holding_ctrl_c() -> Iterator[None]:
    """Processes spawned here never see Ctrl-C; the parent, which handles it, sees it afterwards."""
    resource_tracker.ensure_running()  # started within, it would let Ctrl-C through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start_worker(log: Path) -> None:
    atexit.register(os._exit, 0)  # to take TensorFlow apart first would take most of a second

    def end_with_parent() -> None:
        multiprocessing.parent_process().join()  # type: ignore[union-attr]  # a child has one
        os._exit(1)

    threading.Thread(target=end_with_parent, daemon=True).start()
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(descriptor, stream)


def _warm() -> None:
    """Import TensorFlow, Keras and what trains with them, once."""
    if "reportgen.engine.training" in sys.modules:
        return
    spared = [name for name in SPARED if name not in sys.modules]
    sys.modules |= dict.fromkeys(spared)  # type: ignore[arg-type]  # None: as if not installed
    gc.disable()  # it would look through all that is imported many times, and free nothing
    try:
        import reportgen.engine.training  # noqa: F401  (the import is the work)
    finally:
        gc.enable()
        for name in spared:
            del sys.modules[name]


@lru_cache(maxsize=1)
def _images(path: Path, number: int) -> "Images":  # noqa: ARG001  (the cache tells by it)
    images: Images = pickle.loads(path.read_bytes())  # of this program's own folder
    return images


def _train(spec: RunSpec, path: Path, number: int) -> tuple[Result, float, float]:
    """The result, the seconds it took, and the most memory that this process has had, in MB."""
    _warm()
    from reportgen.engine.training import train

    started = time.perf_counter()
    result = train(spec, _images(path, number))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # in KB, on a Mac in bytes
    megabytes = peak / (1e6 if sys.platform == "darwin" else 1e3)
    return result, time.perf_counter() - started, megabytes
