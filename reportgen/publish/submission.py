"""submission.zip: what is handed in, with the digest of every file, and the grader's check of it.

The same results and prose give the same bytes.
"""

import hashlib
import io
import os
import random
import re
import tempfile
import time
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jinja2
from pydantic import BaseModel, StrictFloat, field_validator

from reportgen.config import Config, Initializer
from reportgen.engine.runner import Finished, GivenUp, Workers
from reportgen.engine.runs import RunSpec, canonical
from reportgen.engine.store import Store
from reportgen.errors import InputError, ReportgenError
from reportgen.experiments import kept
from reportgen.publish.files import read_text, timestamp, write_changed

SUMS = "SHA256SUMS"
# By how much a run's test accuracy may differ between processors; docs/methods.md states it.
TOLERANCE = 0.005
LIMIT = 500_000_000  # bytes of its files: twenty times a whole report's
_CODE = (
    "Makefile", "README.md", "LICENSE", "pyproject.toml", "requirements.lock",
    "requirements-dev.lock", "reportgen.toml", "mkdocs.yml", "docs", "reportgen", "tests",
)  # fmt: skip


class _Handed(BaseModel):
    """What is read of a record that somebody handed in."""

    spec: RunSpec
    test_accuracy: StrictFloat

    @field_validator("spec")
    @classmethod
    def _hold_a_network(cls, spec: RunSpec) -> RunSpec:
        """With layers, and initializers of Keras's: a worker calls them by their names."""
        parts = [part for layer in spec.layers for part in (layer.kernel, layer.bias)]
        if not [Initializer.of(part.name, **dict(part.parameters)) for part in parts]:
            raise ValueError("a network has layers")
        return spec


def pack(project: Path, path: Path, context: Mapping[str, Any], *, title: str) -> list[str]:
    """Write the zip of a project whose PDF and notebook are built."""
    build, files = project / "build", dict[str, bytes]()
    for name in ("report.pdf", "report.ipynb"):
        files[name] = (build / name).read_bytes()
    template = read_text(project / "docs" / "export" / "submission.md")
    names = {**context, "title": title, "author": context["config"]["author"]["name"]}
    try:
        files["README.md"] = jinja2.Template(template).render(names).encode() + b"\n"
    except Exception as error:  # as of any page
        raise InputError(f"docs/export/submission.md: {error}", hint="mend that file") from error
    for name in _CODE:
        files |= {f"code/{key}": data for key, data in _read(project / name, project)}
    for key, data in _read(project / "results", project):
        if key.endswith(".jsonl"):  # in one order, whatever the order in which runs ended
            data = b"".join(sorted(data.splitlines(keepends=True)))
        if key != "results/environment.json" or not kept.is_timeless():
            files[key] = data
    files |= {k: data for k, data in _read(build / "evidence", build) if k.endswith(".csv")}
    sums = (f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files))
    files[SUMS] = "".join(sums).encode()
    moment = time.gmtime(max(timestamp(), 315532800))  # a zip knows no year before 1980
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, moment[:6])
            entry.external_attr = 0o644 << 16
            packed.writestr(entry, files[name], zipfile.ZIP_DEFLATED)
    write_changed(path, out.getvalue())
    return []


def unpack(path: Path, folder: Path) -> int:
    """Check every digest and lay out the main comparison's results; returns the number of files.

    Raises:
        InputError: no such zip, or files that differ, are missing or are not listed, by name.
    """
    try:
        with zipfile.ZipFile(path) as packed:
            size = sum(entry.file_size for entry in packed.infolist())
            if size > LIMIT:
                raise ValueError(f"{size / 1e6:,.0f} MB of files")
            files = {name: packed.read(name) for name in packed.namelist()}
        sums = files.pop(SUMS).decode().splitlines()
        listed = {name: digest for digest, name in (line.split("  ", 1) for line in sums)}
    except Exception as error:  # as of an .npz file
        raise InputError(
            f"{path} is no submission: {error}", hint="make one with: reportgen export submission"
        ) from error
    wrong = [f"{name} is missing" for name in listed.keys() - files.keys()]
    wrong += [f"{name} is not listed" for name in files.keys() - listed.keys()]
    for name in files.keys() & listed.keys():
        if hashlib.sha256(files[name]).hexdigest() != listed[name]:
            wrong.append(f"{name} differs from its digest")
    if wrong:
        raise InputError(
            f"{path} was changed after it was made:\n" + "\n".join(f"  {w}" for w in sorted(wrong)),
            hint="ask for the file as it was made",
        )
    for name, data in files.items():
        if re.fullmatch(r"results/(assignment\.jsonl|datasets\.json|arrays/\w+\.npz)", name):
            write_changed(folder / name, data)
    return len(files)


def verify(
    path: Path, project: Path, config: Config, *, runs: int, seed: int | None
) -> Iterator[str]:
    """Check a submission's digests and train some of its runs again; yields what it finds.

    The runs are drawn from the assignment's comparison, for which the tolerance is stated.

    Args:
        project: The folder that holds reportgen.toml.
        seed: Draws the runs; None for other ones each time.

    Raises:
        InputError: the zip, or the images that it was made from, cannot be had.
        ReportgenError: a run came out otherwise.
    """
    from reportgen.engine import splits

    with tempfile.TemporaryDirectory(prefix="reportgen-") as folder:
        yield f"{unpack(path, Path(folder))} files, every digest is right"
        store = Store(Path(folder) / "results")
        trained_on = ", ".join(store.read_notes("datasets"))
        seed = int.from_bytes(os.urandom(4)) if seed is None else seed
        before = draw(store, runs=runs, seed=seed)
    dataset, images = splits.load(config.dataset, fallback=config.fallback, project=project)
    if any(spec.dataset != dataset.digest for spec in before):
        raise InputError(
            f"{dataset.title} is not what this submission was trained on ({trained_on})",
            hint="set dataset in reportgen.toml to the submission's",
        )
    yield f"training {len(before)} runs again, drawn with --seed {seed}"
    beyond = 0
    with Workers(config.workers, log=project / "build" / "verify.log") as workers:
        for outcome in workers.run(list(before), images):
            said, holds = _compared(before[outcome.spec], outcome)
            yield f"{outcome.spec.layers[0].kernel.label}, seed {outcome.spec.seed}: {said}"
            beyond += not holds
    if beyond:
        raise ReportgenError(f"{beyond} of {len(before)} runs came out otherwise")


def draw(store: Store, *, runs: int, seed: int) -> dict[RunSpec, dict[str, Any]]:
    """So many finished runs of a store, drawn at random: spec -> record.

    Raises:
        InputError: a record that no run left, whatever its checksum.
    """
    records = [it for it in store.records().values() if it.get("status") == "finished"]
    drawn = {}
    for record in random.Random(seed).sample(records, min(runs, len(records))):
        try:
            canonical(record)
            drawn[_Handed.model_validate(record).spec] = record
        except (ValueError, RecursionError) as error:
            raise InputError(
                f"no run left the record {record['key']} of this submission",
                hint="ask for the file as it was made",
            ) from error
    return drawn


def _compared(record: dict[str, Any], outcome: Finished | GivenUp) -> tuple[str, bool]:
    """What to say of a run that was trained again, and whether it holds."""
    if isinstance(outcome, GivenUp):
        return outcome.reason, False
    again = outcome.result.record
    both = f"{record['test_accuracy']:.4f} handed in, {again['test_accuracy']:.4f} now"
    if canonical({**record, "arrays": ""}) == canonical({**again, "arrays": ""}):
        return f"{both}: the same record", True
    holds = abs(again["test_accuracy"] - record["test_accuracy"]) <= TOLERANCE
    return f"{both}: {'within' if holds else 'BEYOND'} the tolerance of {TOLERANCE:g}", holds


def _read(path: Path, root: Path) -> Iterator[tuple[str, bytes]]:
    """(name from `root`, content) of a file, or of all in a folder."""
    found = sorted(path.rglob("*")) if path.is_dir() else [path]
    for file in found:
        hidden = any(part.startswith((".", "__pycache__")) for part in file.relative_to(root).parts)
        if file.is_file() and not hidden:
            yield file.relative_to(root).as_posix(), file.read_bytes()
