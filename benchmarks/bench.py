"""`make bench`: reportgen beside other ways to the same four trainings, as whole processes.

Prints Markdown tables of wall time, ratio to the plain Keras script and peak memory, and of the
steps alone beside the floor; asserts nothing. What is run stands in `training`, `building` and
`settings`; change it there.

Peak memory is that of the largest single process: the kernel's `ru_maxrss` of a command covers
the command and every descendant that was waited for, so nothing has to be sampled.
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from reportgen.experiments.registry import experiments

ROOT = Path(__file__).resolve().parent.parent
REPORTGEN = str(Path(sys.executable).parent / "reportgen")
SCRIPTS = ROOT / "benchmarks"
# What a project is made of; the last two are there once a report was made, and save the bench
# from training it all again.
PROJECT = ["reportgen.toml", "mkdocs.yml", "docs", "results", "build"]


def settings(*, seeds: int, epochs: int = 10) -> str:
    """The reportgen.toml of a project that trains the assignment's four models and nothing else."""
    others = [e.name for e in experiments() if e.name != "assignment"]
    off = "".join(f"{name} = false\n" for name in others)
    return f"seeds = {seeds}\nepochs = {epochs}\nfallback = false\n\n[experiments]\n{off}"


@dataclass
class Case:
    """One command to time.

    Args:
        prepare: Gets the folder ready in which the command runs, before each time.
        asked: The limit that the project set itself, as words.
    """

    name: str
    command: list[str]
    prepare: Callable[[Path], None]
    asked: str = ""
    seconds: list[float] = field(default_factory=list)
    megabytes: list[float] = field(default_factory=list)


def nothing(folder: Path) -> None:
    """Leave the folder as it is."""


def fresh(text: str) -> Callable[[Path], None]:
    """A project that has nothing but its settings, so that every run is trained."""

    def prepare(folder: Path) -> None:
        for path in folder.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        (folder / "reportgen.toml").write_text(text, encoding="utf-8")

    return prepare


def untrained(folder: Path) -> None:
    """The whole project, without results and what was built of them."""
    for path in folder.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    copy_project(folder, *(name for name in PROJECT if name not in ("results", "build")))


def edited(folder: Path) -> None:
    """One more sentence in the prose."""
    with (folder / "docs" / "index.md").open("a", encoding="utf-8") as page:
        page.write("\nAnd one more sentence.\n")


RUN = [REPORTGEN, "run", "--quiet"]
BUILD = [REPORTGEN, "build", "--quiet"]


def script(name: str, *words: str) -> list[str]:
    """The command that runs a script beside this one."""
    return [sys.executable, str(SCRIPTS / name), *words]


def training(epochs: int, *, full: bool) -> list[Case]:
    """What trains; the first is what all others are compared with."""
    some = ("--epochs", str(epochs))
    four, forty = (fresh(settings(seeds=seeds, epochs=epochs)) for seeds in (1, 10))
    compiled = script("keras_script.py", *some, "--compiled")
    cases = [
        Case("Keras script, four trainings", script("keras_script.py", *some), nothing),
        Case("the same, `jit_compile`, `steps_per_execution`", compiled, nothing),
        Case("scikit-learn's MLPClassifier, four", script("sklearn_script.py", *some), nothing),
        Case("floor: the matrix products of the four", script("floor.py", *some), nothing),
        Case("reportgen, the four, cold", RUN, four, asked="6.5 times as fast; JAX vmap: 5.4"),
        Case("reportgen, ten seeds of the four", RUN, forty, asked="0.9 of the script's time"),
    ]
    if full:
        asked = "3.5 times the script's time"
        cases.append(Case("the full report, cold", BUILD, untrained, asked=asked))
    return cases


BUILDING = [
    Case("report again, nothing to train", BUILD, nothing, asked="1.5 s"),
    Case("report after a prose edit", BUILD, edited, asked="1.5 s"),
    Case("reportgen export, all files", [REPORTGEN, "export", "--quiet"], nothing),
]


def timed(command: list[str], folder: Path) -> tuple[float, float]:
    """Run a command in `folder`: wall seconds, and the peak megabytes of its largest process.

    Raises:
        SystemExit: the command failed; its last lines are shown.
    """
    with tempfile.TemporaryFile("w+", errors="replace") as log:
        start = time.perf_counter()
        # Waited for by hand: only wait4 tells the resources of this one child and its descendants.
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            log.seek(0)
            tail = "".join(log.readlines()[-20:])
            raise SystemExit(f"{tail}\nbench: {' '.join(command)} exited {process.returncode}")
    unit = 1 if sys.platform == "darwin" else 1024  # macOS counts bytes, Linux kilobytes
    return seconds, usage.ru_maxrss * unit / 1e6


def alternate(cases: list[Case], *, repeats: int, folder: Path) -> None:
    """Time the cases in turn, so that a slow minute of the machine falls on all of them."""
    for turn in range(repeats):
        for case in cases:
            case.prepare(folder)
            seconds, megabytes = timed(case.command, folder)
            case.seconds.append(seconds)
            case.megabytes.append(megabytes)
            print(f"{case.name} ({turn + 1}/{repeats}): {seconds:.1f} s", file=sys.stderr)


def copy_project(folder: Path, *names: str) -> None:
    """The project, or parts of it, so that edits and results of the bench stay in the copy."""
    for name in names or PROJECT:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name)
        elif source.exists():
            shutil.copy2(source, folder / name)


def machine() -> str:
    """The processor and how much of it this process may use."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        model = names[0].partition(":")[2].strip() if names else model
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count()
    return f"{model}, {cores} cores, {platform.system()}, Python {platform.python_version()}"


def table(cases: list[Case], base: Case | None) -> str:
    """The medians, as a Markdown table; with more than one time, the range stands beside."""
    lines = [
        "| what | seconds | script ÷ this | peak memory of a process | asked |",
        "|---|---:|---:|---:|---|",
    ]
    for case in cases:
        median = statistics.median(case.seconds)
        seconds = f"{median:.2f}"
        if len(case.seconds) > 1:
            seconds += f" ({min(case.seconds):.2f}–{max(case.seconds):.2f})"
        ratio = f"{statistics.median(base.seconds) / median:.2f}" if base else ""
        memory = f"{max(case.megabytes):.0f} MB"
        lines.append(f"| {case.name} | {seconds} | {ratio} | {memory} | {case.asked} |")
    return "\n".join(lines)


def steps_alone(epochs: int) -> str:
    """reportgen's compiled steps beside the floor, both warm, in turn in the same processes.

    Medians, of the ratios too, each of an epoch to that of the products just before; in brackets
    their quartiles.
    """
    command = script("floor.py", "--steps", "--epochs", str(4 * epochs))
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{done.stderr[-2000:]}\nbench: {' '.join(command)} failed")
    seconds = json.loads(done.stdout)
    lines = [
        "| steps alone, two processes, warm | seconds a member-epoch | this ÷ floor | asked |",
        "|---|---:|---:|---|",
    ]
    names = {
        "products": "floor: the matrix products",
        "updates": "Adam's updates",
        "steps": "reportgen's steps",
    }
    for kind, name in names.items():
        pairs = zip(seconds[kind], seconds["products"], strict=True)
        low, ratio, high = statistics.quantiles([own / floor for own, floor in pairs], n=4)
        told = f"{ratio:.2f} ({low:.2f}–{high:.2f})" if kind != "products" else "1.00"
        asked = "1.3" if kind == "steps" else ""
        lines.append(f"| {name} | {statistics.median(seconds[kind]):.3f} | {told} | {asked} |")
    return "\n".join(lines)


def main() -> None:
    """Time what the options ask for and print the tables."""
    parser = argparse.ArgumentParser(description="reportgen beside other ways to the same")
    parser.add_argument("--repeats", type=int, default=1, help="of the trainings; 0: leave out")
    parser.add_argument("--builds", type=int, default=3, help="of the builds; 0: leave out")
    parser.add_argument("--full", action="store_true", help="train the full report too (minutes)")
    parser.add_argument("--epochs", type=int, default=10, help="1: to try the script")
    options = parser.parse_args()
    if data := os.environ.get("REPORTGEN_DATA_DIR"):
        os.environ["REPORTGEN_DATA_DIR"] = str(Path(data).resolve())  # commands run elsewhere

    trainings: list[Case] = []
    builds: list[Case] = []
    steps = ""
    with tempfile.TemporaryDirectory() as name:
        if options.builds:  # first: what fails here fails before the minutes of training
            builds = BUILDING
            folder = Path(name, "building")
            folder.mkdir()
            copy_project(folder)
            print("The whole report, so that nothing is left to train …", file=sys.stderr)
            timed(BUILD, folder)
            alternate(builds, repeats=options.builds, folder=folder)
        if options.repeats:
            trainings = training(options.epochs, full=options.full)
            folder = Path(name, "training")
            folder.mkdir()
            alternate(trainings, repeats=options.repeats, folder=folder)
            steps = steps_alone(options.epochs)
    rows = table(trainings + builds, trainings[0] if trainings else None)
    print("\n\n".join(part for part in (machine(), rows, steps) if part))


if __name__ == "__main__":
    main()
