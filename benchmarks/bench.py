"""`make bench`: reportgen beside the assignment as a plain Keras script, as whole processes.

Prints a Markdown table of wall time, ratio to the script and peak memory; asserts nothing. What is
run stands in `TRAINING`, `BUILDING` and `settings`; change it there.

Peak memory is that of the largest single process: the kernel's `ru_maxrss` of a command covers
the command and every descendant that was waited for, so nothing has to be sampled.
"""

import argparse
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
SCRIPT = [sys.executable, str(ROOT / "benchmarks" / "keras_script.py")]
# What a project is made of; the last two are there once a report was made, and save the bench
# from training it all again.
PROJECT = ["reportgen.toml", "mkdocs.yml", "docs", "results", "build"]


def settings(*, seeds: int) -> str:
    """The reportgen.toml of a project that trains the assignment's four models and nothing else."""
    others = [e.name for e in experiments() if e.name != "assignment"]
    return f"seeds = {seeds}\n\n[experiments]\n" + "".join(f"{name} = false\n" for name in others)


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


def fresh(seeds: int) -> Callable[[Path], None]:
    """An otherwise empty project, so that every run is trained."""

    def prepare(folder: Path) -> None:
        for path in folder.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        (folder / "reportgen.toml").write_text(settings(seeds=seeds), encoding="utf-8")

    return prepare


def edited(folder: Path) -> None:
    """One more sentence in the prose."""
    with (folder / "docs" / "index.md").open("a", encoding="utf-8") as page:
        page.write("\nAnd one more sentence.\n")


RUN = [REPORTGEN, "run", "--quiet"]
BUILD = [REPORTGEN, "build", "--quiet"]
BASE = Case("Keras script, four trainings", SCRIPT, nothing)
TRAINING = [
    BASE,
    Case("reportgen, the same four, cold", RUN, fresh(1), asked="a fifth of the script"),
    Case("reportgen, ten seeds of the four", RUN, fresh(10), asked="no longer than the script"),
]
BUILDING = [
    Case("report again, nothing to train", BUILD, nothing, asked="2.5 s"),
    Case("report after a prose edit", BUILD, edited, asked="2.5 s"),
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


def copy_project(folder: Path) -> None:
    """The project without its code, so that edits and results of the bench stay in the copy."""
    for name in PROJECT:
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


def table(cases: list[Case]) -> str:
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
        ratio = f"{statistics.median(BASE.seconds) / median:.1f}" if BASE.seconds else ""
        memory = f"{max(case.megabytes):.0f} MB"
        lines.append(f"| {case.name} | {seconds} | {ratio} | {memory} | {case.asked} |")
    return "\n".join(lines)


def main() -> None:
    """Time what the options ask for and print the table."""
    parser = argparse.ArgumentParser(description="reportgen beside a plain Keras script")
    parser.add_argument("--repeats", type=int, default=1, help="of the trainings; 0: leave out")
    parser.add_argument("--builds", type=int, default=3, help="of the builds; 0: leave out")
    options = parser.parse_args()
    if data := os.environ.get("REPORTGEN_DATA_DIR"):
        os.environ["REPORTGEN_DATA_DIR"] = str(Path(data).resolve())  # commands run elsewhere

    cases: list[Case] = []
    with tempfile.TemporaryDirectory() as name:
        training, building = Path(name, "training"), Path(name, "building")
        training.mkdir()
        building.mkdir()
        if options.repeats:
            alternate(TRAINING, repeats=options.repeats, folder=training)
            cases += TRAINING
        if options.builds:
            copy_project(building)
            print("The whole report, so that nothing is left to train …", file=sys.stderr)
            timed(BUILD, building)
            alternate(BUILDING, repeats=options.builds, folder=building)
            cases += BUILDING
    print(f"\n{machine()}\n\n{table(cases)}")


if __name__ == "__main__":
    main()
