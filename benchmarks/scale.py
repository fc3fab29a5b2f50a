"""Cost as work grows: time and memory by number, depth and width of models, and of a large store.

Prints Markdown tables and draws `--figure`. Every row is a whole process: short trainings of a few
steps each on MNIST by the engine's workers; and, with as many made-up records in `results/` beside
the report's own, `reportgen status` and `reportgen render`. Nothing of the project is touched.
"""

import argparse
import json
import random
import statistics
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench import BUILD, REPORTGEN, copy_project, machine, timed

from reportgen.config import ASSIGNMENT_INITIALIZERS, Config
from reportgen.engine import splits
from reportgen.engine.runner import Finished, Workers
from reportgen.engine.runs import Layer, RunSpec, canonical
from reportgen.engine.store import Store, _line  # `append` would wait for the disk at each record
from reportgen.experiments.assignment import network

# What grows -> its sizes: a number of models, each layers deep, each layer units wide.
GROWING: dict[str, tuple[int, ...]] = {
    "models": (1, 4, 16, 64, 256),
    "depth": (2, 5, 10, 20, 50, 100),
    "width": (32, 64, 128, 256, 512, 1024),
}
USUAL = {"models": 4, "depth": 2, "width": 128}  # of what does not grow
ASKED = {"status": "5 s, 500 MB", "render": "5 s, 500 MB"}  # with 100,000 records


def train(*, models: int, depth: int, width: int, steps: int) -> None:
    """Train so many models as a report would; the child whose time and memory are taken."""
    dataset, images = splits.load("mnist", fallback=False, project=Path())
    specs: list[RunSpec] = []
    for number in range(models):
        kernel = ASSIGNMENT_INITIALIZERS[number % len(ASSIGNMENT_INITIALIZERS)]
        spec = network(kernel, Config(), dataset, number, steps=steps, probes=())
        hidden = (Layer(width, "relu", kernel),) * (depth - 1)
        specs.append(replace(spec, layers=(*hidden, spec.layers[-1])))
    with tempfile.TemporaryDirectory() as folder, Workers(0, log=Path(folder, "log")) as workers:
        workers.start()
        for outcome in workers.run(specs, images):
            assert isinstance(outcome, Finished), outcome


def grow(name: str, sizes: tuple[int, ...], steps: int) -> dict[int, tuple[float, float]]:
    """Seconds and megabytes by size of one thing that grows."""
    found = {}
    for size in sizes:
        wanted = json.dumps({**USUAL, name: size, "steps": steps})
        found[size] = timed([sys.executable, __file__, "--train", wanted], Path())
        print(f"{name} {size}: {found[size][0]:.1f} s", file=sys.stderr)
    return found


def make_up(folder: Path, count: int) -> None:
    """Add records to a project: copies of the comparison's, with keys and figures of their own."""
    path, store = folder / "results" / "assignment.jsonl", Store(folder / "results")
    patterns = [json.loads(line)["record"] for line in path.read_bytes().splitlines()]
    draw = random.Random(0)
    seconds = {}
    with path.open("ab") as out:
        for number in range(count):
            record: dict[str, Any] = {**patterns[number % len(patterns)]}
            record["key"] = f"{draw.getrandbits(128):032x}"
            record["test_accuracy"], record["test_loss"] = draw.random(), draw.random()
            # 1.65 KB, as a record of this report is on average where it has no history by layer.
            record["probes"], record["history"] = (
                {},
                {n: v[:4] for n, v in record["history"].items()},
            )
            out.write(_line(canonical(record).encode()) + b"\n")
            seconds[record["key"]] = round(draw.random(), 3)
    notes = store.read_notes("environment")
    notes["seconds"] = notes.get("seconds", {}) | seconds
    store.write_notes("environment", notes)


def large_store(count: int, repeats: int) -> dict[str, list[tuple[float, float]]]:
    """Seconds and megabytes of commands with so many more records, by command."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copy_project(folder)
        print("The whole report, so that nothing is left to train …", file=sys.stderr)
        timed(BUILD, folder)
        make_up(folder, count)
        path = folder / "results" / "assignment.jsonl"
        megabytes = path.stat().st_size / 1e6
        print(f"{count} records made up, {megabytes:.0f} MB in their file", file=sys.stderr)
        found = {"run, figures and all": [timed([REPORTGEN, "run", "--quiet"], folder)]}
        for _ in range(repeats):
            for command in ("status", "render", "build"):
                taken = timed([REPORTGEN, command, "--quiet"], folder)
                found.setdefault(command, []).append(taken)
        return found


def draw(found: dict[str, dict[int, tuple[float, float]]], path: Path, steps: int) -> None:
    """Seconds above, megabytes below, a column for each thing that grows."""
    import matplotlib

    from reportgen.analysis import plotting

    figure, axes = plotting.new(len(found), 2, height=4, sharex="col", squeeze=False)
    for column, (name, rows) in enumerate(found.items()):
        for row, unit in enumerate(("seconds", "MB")):
            values = [taken[row] for taken in rows.values()]
            panel = axes[row, column]
            panel.plot(list(rows), values, **plotting.style(row))
            panel.set(xscale="log", xticks=list(rows), xticklabels=map(str, rows))
            panel.set(ylim=(0, 1.1 * max(values)), ylabel=unit if column == 0 else "")
            panel.minorticks_off()
        usual = ", ".join(f"{n} {size}" for n, size in USUAL.items() if n != name)
        axes[0, column].set_title(f"{name} ({usual})", fontsize=8)
    text = f"whole process, {steps} steps a model; memory of the largest process"
    figure.supxlabel(text, fontsize=9)
    # White, as the page around it may be dark; text stays text, which keeps the file small.
    with matplotlib.rc_context({"svg.fonttype": "none"}):
        figure.savefig(path, facecolor="white", metadata={"Date": None})


def main() -> None:
    """Measure what the options ask for and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=150, help="of each model; 0: no trainings")
    parser.add_argument("--largest", type=int, default=1024, help="no size beyond this is tried")
    parser.add_argument("--store", type=int, default=100_000, help="records made up; 0: none")
    parser.add_argument("--repeats", type=int, default=3, help="of the commands on the store")
    parser.add_argument("--figure", type=Path, default=Path(__file__).with_name("scale.svg"))
    parser.add_argument("--train", type=json.loads, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.train:
        train(**options.train)
        return
    print(f"{machine()}\n")
    if options.steps:
        found = {}
        for name, sizes in GROWING.items():
            some = tuple(size for size in sizes if size <= options.largest) or sizes[:1]
            found[name] = grow(name, some, options.steps)
            print(f"| {name} | seconds | seconds a model | memory |\n|---:|---:|---:|---:|")
            for size, (seconds, memory) in found[name].items():
                models = size if name == "models" else USUAL["models"]
                print(f"| {size} | {seconds:.1f} | {seconds / models:.2f} | {memory:.0f} MB |")
            print()
        draw(found, options.figure, options.steps)
    if options.store:
        print(f"| {options.store:,} more records | seconds | memory | asked |\n|---|---:|---:|---|")
        for command, taken in large_store(options.store, options.repeats).items():
            middle = statistics.median(seconds for seconds, _ in taken)
            memory = max(megabytes for _, megabytes in taken)
            print(f"| {command} | {middle:.2f} | {memory:.0f} MB | {ASKED.get(command, '')} |")


if __name__ == "__main__":
    main()
