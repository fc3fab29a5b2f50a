"""Cluster: the runs on other machines, through a Dask scheduler.

Each thread of a Dask worker keeps a warm training process, by the runner of one machine: what Dask
has loaded or set there does not reach a run. Results come back, and only the parent writes.
"""

import logging
import multiprocessing
import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Self

from reportgen.engine import machine
from reportgen.engine.runner import Finished, GivenUp, Workers
from reportgen.engine.runs import ENGINE_VERSION, RunSpec, framework_versions
from reportgen.errors import InputError, ReportgenError

if TYPE_CHECKING:
    from reportgen.engine.splits import Images

SECONDS_TO_ANSWER = 5  # a scheduler that is there takes a tenth of one
_thread = threading.local()  # in a Dask worker: the training process of each of its threads


class Cluster:
    """A Dask scheduler in the place of `runner.Workers`."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.described: dict[str, str] = {}  # for the methods page, from `start`
        self._client: Any = None

    def __enter__(self) -> Self:
        try:
            import dask
            from distributed import Client
        except ImportError:
            hint = 'in the project\'s folder: .venv/bin/python -m pip install -e ".[cluster]"'
            raise InputError("--cluster needs dask.distributed", hint=hint) from None
        # The images are in a task on purpose: see `run`.
        dask.config.set({"distributed.admin.large-graph-warning-threshold": "1 GB"})
        logging.getLogger("distributed.client").setLevel("CRITICAL")  # errors are raised as well
        try:
            self._client = Client(self.address, timeout=SECONDS_TO_ANSWER)
        except Exception as error:  # by what listens there, also ValueError and MemoryError
            raise InputError(
                f"no Dask scheduler answers at {self.address}: {error}",
                hint="give the address that `dask scheduler` prints, as in tcp://10.0.0.1:8786",
            ) from None
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def start(self) -> None:
        """Refuse the workers that would leave other results, before the images are read."""
        found = self._client.run(_about, on_error="return")  # or why one could not even be asked
        if not found:
            hint = f"start some: dask worker {self.address}"
            raise InputError(f"no worker has joined the scheduler at {self.address}", hint=hint)
        there = {at: it if isinstance(it, tuple) else (it, "") for at, it in found.items()}
        others = [f"  {at}: {it}" for at, (it, _) in there.items() if it != software()]
        if others:
            raise InputError(
                f"these workers have not what this build has ({software()}):\n" + "\n".join(others),
                hint="install this version of reportgen there, from its lock, and start them again",
            )
        processors = sorted({processor for _, processor in there.values()})
        self.described = {"cluster": f"Dask workers: {len(there)}, {' and '.join(processors)}"}

    def run(self, specs: list[RunSpec], images: "Images") -> Iterator[Finished | GivenUp]:
        """Train the specs and yield each as it is done, in no particular order."""
        from distributed import KilledWorker

        try:
            self.start()
            # Out to each worker, by way of each other. A task, since Dask makes its result again
            # when all that held it are lost; scattered data it does not.
            data = self._client.submit(_same, images, pure=False)
            if error := data.exception():  # as where the scheduler's host lacks this program
                raise error
            self._client.replicate(data)
            executor = self._client.get_executor(pure=False)
            # Deep networks first, as here, and one shape after the other: a process compiles few.
            ordered = sorted(specs, key=lambda spec: (-len(spec.layers), repr(spec.shape)))
            futures = {executor.submit(_train, it, data, software()): it for it in ordered}
            done: SimpleQueue[Future[Finished | GivenUp]] = SimpleQueue()  # as in the runner
            for future in futures:
                future.add_done_callback(done.put)
            while futures:
                future = done.get()
                spec = futures.pop(future)
                try:
                    yield future.result()
                except KilledWorker as error:
                    yield GivenUp(spec, f"{error.allowed_failures + 1} Dask workers died of it")
        except ReportgenError:
            raise
        except Exception as error:  # of Dask's: what Keras raises comes back as GivenUp
            why = "its scheduler is gone" if isinstance(error, CancelledError) else error
            raise ReportgenError(
                f"the Dask cluster at {self.address} failed: {why}; finished runs are kept",
                hint="start it again, this version of reportgen on each host, and run this again",
            ) from error


def software() -> str:
    """What decides a run's result beside its spec."""
    versions = framework_versions() | {"engine": ENGINE_VERSION}
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def _about() -> tuple[str, str]:
    return software(), machine.describe(Path())["processor"]


def _same(images: "Images") -> "Images":
    return images


def _train(spec: RunSpec, images: "Images", wanted: str) -> Finished | GivenUp:
    """In a thread of a Dask worker, which may have joined after `start` had asked."""
    from distributed import get_worker

    if software() != wanted:
        raise InputError(f"the worker at {get_worker().address} has {software()}; wanted: {wanted}")
    if not hasattr(_thread, "workers"):
        # Dask starts its workers as daemons, to which multiprocessing allows no children. That the
        # training process ends with its parent is seen to there.
        multiprocessing.current_process().daemon = False
        folder = Path(get_worker().local_directory)  # Dask clears it also after a kill
        _thread.workers = Workers(1, log=folder / f"training-{threading.get_ident()}.log")
    outcome: Finished | GivenUp
    (outcome,) = _thread.workers.run([spec], images)
    return outcome
