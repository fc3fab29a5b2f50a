"""build/evidence: what the experiments found, kept under a digest of all that it depends on."""

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

from reportgen.config import Config
from reportgen.engine import datasets
from reportgen.engine.datasets import DatasetInfo
from reportgen.engine.runs import framework_versions
from reportgen.engine.store import Store
from reportgen.errors import ReportgenError

_TALK = ("cli.py", "terminal.py")  # what is told while working changes nothing that is found


def folder(root: Path) -> Path:
    """Figures, tables and claims of each experiment of a project."""
    return root / "build" / "evidence"


def is_current(root: Path, config: Config) -> bool:
    """Whether what is kept is what would be found now."""
    try:
        stamp = (folder(root) / "stamp").read_text(encoding="utf-8")
    except OSError:
        return False
    # Without its note the pages cannot tell of the dataset.
    recorded = Store(root / "results").dataset(config.dataset)
    return recorded is not None and stamp == _stamp(root, config)


def write(
    root: Path, config: Config, dataset: DatasetInfo, records: dict[str, dict[str, Any]]
) -> None:
    """Turn the records into figures, tables and claims, all experiments or none."""
    from reportgen.experiments import evidence
    from reportgen.experiments.registry import chosen

    store = Store(root / "results")
    seconds = store.read_notes("environment").get("seconds", {})
    fresh = folder(root).with_name("evidence.new")
    shutil.rmtree(fresh, ignore_errors=True)
    for experiment in chosen(config):
        runs = experiment.runs(config, dataset)
        table = evidence.tabulate(runs, records)
        results = evidence.Results(table, config, dataset, store.arrays)
        cost = sum(seconds.get(key, 0.0) for key in table["key"])
        told = None if is_timeless() else cost
        evidence.write(experiment, results, fresh / experiment.name, seconds=told)
    (fresh / "stamp").write_text(_stamp(root, config), encoding="utf-8")
    shutil.rmtree(folder(root), ignore_errors=True)
    fresh.rename(folder(root))


def read(root: Path, config: Config) -> dict[str, Any]:
    """What each experiment found, by its name, in the order of the experiments' numbers.

    Raises:
        ReportgenError: nothing is kept, or what was found in other results or settings.
    """
    if not (folder(root) / "stamp").exists():
        raise ReportgenError("there are no results yet", hint="run: reportgen run")
    if not is_current(root, config):  # its numbers would stand beside another configuration's
        raise ReportgenError(
            "figures and tables are of other results or another configuration than these",
            hint="run: reportgen run",
        )
    paths = folder(root).glob("*/evidence.json")
    try:
        found = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    except ValueError as error:  # cut short, as when the power fails
        raise ReportgenError(
            f"{folder(root)} is damaged: {error}", hint="run: make clean report"
        ) from error
    return {it["name"]: it for it in sorted(found, key=lambda it: it["number"])}


def is_timeless() -> bool:
    """Under SOURCE_DATE_EPOCH nothing in the report may tell when or where it was made."""
    return "SOURCE_DATE_EPOCH" in os.environ


def _stamp(root: Path, config: Config) -> str:
    """Digest of all that the evidence depends on: configuration, code, results, dataset file."""
    settings = config.model_copy(update={"author": None, "workers": 0})
    digest = hashlib.sha256(repr((framework_versions(), is_timeless(), settings)).encode())
    package = Path(__file__).parents[1]
    sources = [p for p in package.rglob("*.py") if "publish" not in p.parts and p.name not in _TALK]
    results = (root / "results").glob("*.jsonl")
    for path in [*sorted(sources), *sorted(results)]:
        with path.open("rb") as file:  # bit by bit: results may be larger than memory
            digest.update(path.name.encode() + hashlib.file_digest(file, "sha256").digest())
    if found := datasets.locate(config.dataset, root):
        digest.update(repr((found.stat().st_size, found.stat().st_mtime_ns)).encode())
    return digest.hexdigest()
