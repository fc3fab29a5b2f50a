"""Where the time of `make report` goes when it trains the four models from nothing: prints tables.

The stages of the parent and the parts of the workers' time come from one build in a temporary
folder; `--imports` adds what a worker's import spends in each package. Apart from `make bench`,
because the clocks, though a few calls a run, stand in the way of what they time.
"""

import argparse
import functools
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from reportgen import config, pipeline
from reportgen.engine import runner

PARTS = {
    "import": "importing TensorFlow and Keras",
    "images": "images, from the parent to the device",
    "build": "building Keras models, drawing weights",
    "trace": "tracing",
    "compile": "compiling (with the first call)",
    "steps": "steps, gathering their batches",
    "evaluate": "evaluation",
    "rest": "probes and the rest",
}
FOLDER = "REPORTGEN_STAGES"  # by it workers know where to leave their times
WARM, TRAIN = runner._warm, runner._train


class Clock:
    """Seconds by part; what a part calls that is a part itself counts there alone."""

    def __init__(self) -> None:
        self.spent: defaultdict[str, float] = defaultdict(float)
        self._inside = [0.0]

    def timed(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, its time counted."""

        @functools.wraps(function)  # tf.function asks for the arguments' names
        def counted(*args: Any, **options: Any) -> Any:
            self._inside.append(0.0)
            began = time.perf_counter()
            try:
                return function(*args, **options)
            finally:
                took = time.perf_counter() - began
                self.spent[part] += took - self._inside.pop()
                self._inside[-1] += took

        return counted

    def compiled(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """A compiled function, its first call counted as compilation."""
        later = itertools.repeat(self.timed(part, function))
        calls = itertools.chain([self.timed("compile", function)], later)
        return lambda *args: next(calls)(*args)


CLOCK = Clock()


@functools.cache
def watch() -> None:
    """Put the parts of this worker's work on the clock."""
    import reportgen.engine.training

    training: Any = reportgen.engine.training  # Any: what is in it is assigned to
    trainer = training.Trainer
    start = trainer.__init__

    def started(self: Any, *args: Any) -> None:
        start(self, *args)
        self._compiled_run = CLOCK.compiled("steps", self._compiled_run)
        self._compiled_evaluate = CLOCK.compiled("evaluate", self._compiled_evaluate)

    trainer.__init__ = started
    for name, part in {"_run": "trace", "_evaluate": "trace", "evaluate": "evaluate"}.items():
        setattr(trainer, name, CLOCK.timed(part, getattr(trainer, name)))
    trainer.run = CLOCK.timed("steps", trainer.run)
    for name in ("build_model", "draw_weights"):
        setattr(training, name, CLOCK.timed("build", getattr(training, name)))
    training._splits = CLOCK.timed("images", training._splits)
    training._train_split = CLOCK.timed("images", training._train_split)
    runner._images = CLOCK.timed("images", runner._images)  # type: ignore[assignment]


def warm() -> None:
    """In place of `runner._warm`."""
    CLOCK.timed("import", WARM)()
    watch()


def train(*args: Any) -> Any:
    """In place of `runner._train`: leaves the worker's times until now in a file."""
    runner._warm = warm  # in the worker: the parent's stand-ins did not come along
    outcome = CLOCK.timed("rest", TRAIN)(*args)
    path = Path(os.environ[FOLDER]) / f"{os.getpid()}.json"
    path.write_text(json.dumps(CLOCK.spent), encoding="utf-8")
    return outcome


class Silent:
    """Watches a build and says nothing."""

    def say(self, text: str) -> None: ...
    def training(self, runs: int, cost: float) -> None: ...
    def trained(self, steps: int, cost: float) -> None: ...


class Timed(runner.Workers):
    """Workers whose end is timed."""

    seconds = 0.0

    def __exit__(self, kind: type[BaseException] | None, *details: object) -> None:
        with stopwatch() as watch:
            super().__exit__(kind, *details)
        Timed.seconds = watch[0]


@contextmanager
def stopwatch() -> Iterator[list[float]]:
    """A list that holds the seconds that passed inside, afterwards."""
    seconds: list[float] = []
    began = time.perf_counter()
    yield seconds
    seconds.append(time.perf_counter() - began)


def build(folder: Path) -> dict[str, float]:
    """Build the report in this process; seconds by stage."""
    here: Any = runner, pipeline  # Any: what is in them is assigned to
    here[0]._warm, here[0]._train, here[1].Workers = warm, train, Timed
    with stopwatch() as total:
        project = pipeline.Project(folder, config.load(folder), Silent())
        pipeline.build(project)
    stages = {**project.seconds, "ending the workers": Timed.seconds}
    return {**stages, "the rest": total[0] - sum(stages.values())}


def measure(epochs: int) -> tuple[dict[str, float], list[dict[str, float]]]:
    """A build of four trainings: seconds by stage, and by part for each worker."""
    import bench  # here, as it loads what a build loads within its stages

    with tempfile.TemporaryDirectory() as name, tempfile.TemporaryDirectory() as times:
        folder = Path(name)
        bench.copy_project(folder, "docs", "mkdocs.yml")
        settings = bench.settings(seeds=1, epochs=epochs)
        (folder / "reportgen.toml").write_text(settings, encoding="utf-8")
        code = "import reportgen.cli, reportgen.pipeline"
        start, _ = bench.timed([sys.executable, "-c", code], folder)
        command = [sys.executable, __file__, "--build", name]
        done = subprocess.run(
            command, stdout=subprocess.PIPE, check=True, env=os.environ | {FOLDER: times}
        )
        workers = [json.loads(path.read_text()) for path in Path(times).iterdir()]
    return {"start of the program": start, **json.loads(done.stdout)}, workers


def imports() -> dict[str, float]:
    """Milliseconds that a worker's import spends in the modules of each package itself."""
    code = "from reportgen.engine import runner; runner._warm()"
    environment = os.environ | runner.WORKER_ENVIRONMENT
    command = [sys.executable, "-X", "importtime", "-c", code]
    told = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    spent: defaultdict[str, float] = defaultdict(float)
    for line in told.stderr.splitlines():
        head, _, rest = line.removeprefix("import time:").partition("|")
        if head.strip().isdigit():
            spent[rest.partition("|")[2].strip().partition(".")[0]] += int(head) / 1000
    return dict(sorted(spent.items(), key=lambda item: -item[1])[:8])


def table(title: str, columns: list[str], rows: dict[str, list[float]], digits: int = 2) -> str:
    """Numbers as a Markdown table."""
    lines = [f"| {' | '.join([title, *columns])} |", "|---|" + "---:|" * len(columns)]
    for name, numbers in rows.items():
        lines.append(f"| {' | '.join([name, *(f'{number:.{digits}f}' for number in numbers)])} |")
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=10, help="1: to try the script")
    parser.add_argument("--imports", action="store_true", help="the import by packages too")
    parser.add_argument("--build", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.build:
        print(json.dumps(build(options.build)))
        return
    stages, workers = measure(options.epochs)
    rows = {name: [seconds] for name, seconds in stages.items()}
    rows["all"] = [sum(stages.values())]
    print(table("stage", ["seconds"], rows))
    parts = {text: [worker.get(part, 0.0) for worker in workers] for part, text in PARTS.items()}
    columns = [f"worker {number + 1}" for number in range(len(workers))]
    print("\n" + table("part of a worker's time", columns, parts))
    if options.imports:
        rows = {package: [milliseconds] for package, milliseconds in imports().items()}
        print("\n" + table("imported package", ["ms"], rows, 0))


if __name__ == "__main__":
    main()
