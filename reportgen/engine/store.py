"""Results on disk: append-only JSON Lines, one file an experiment, one writer at a time.

A line holds a record and a checksum over the record's raw bytes. A line that is torn or altered is
dropped, reported, and its run trained again; a line acknowledged is on the disk.
"""

import fcntl
import hashlib
import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any, Self

import numpy as np

from reportgen.engine.datasets import DatasetInfo
from reportgen.engine.runs import canonical
from reportgen.errors import InputError, ReportgenError

_HEAD = b'{"checksum":"'
_MIDDLE = b'","record":'


@dataclass
class Store:
    """The results folder.

    Reading needs no lock; a writer holds it through `with store:`.

    Attributes:
        folder: Where the files are.
        damage: What was dropped while reading, one sentence each.
    """

    folder: Path
    damage: list[str] = field(default_factory=list)
    _lock: IO[str] | None = None

    def __enter__(self) -> Self:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = (self.folder / ".lock").open("a+", encoding="utf-8")
        except OSError as error:
            raise _unwritable(self.folder, error) from error
        try:
            # flock and not a POSIX lock: it goes when its process dies, and only then.
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            owner = lock.read().strip() or "unknown"
            lock.close()
            raise InputError(
                f"{self.folder} is in use by another build (process {owner})",
                hint="wait for it to end, or end that process",
            ) from None
        try:
            os.ftruncate(lock.fileno(), 0)
            os.write(lock.fileno(), f"{os.getpid()}\n".encode())
        except OSError as error:
            lock.close()
            raise _unwritable(self.folder, error) from error
        self._lock = lock
        return self

    def __exit__(self, *_: object) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def records(self) -> dict[str, dict[str, Any]]:
        """All intact records of all files by run key; a writer also cuts damaged lines away."""
        found: dict[str, dict[str, Any]] = {}
        for path in sorted(self.folder.glob("*.jsonl")):
            intact: list[bytes] = []
            lines = path.read_bytes().split(b"\n")
            for number, line in enumerate(lines, start=1):
                if not line:
                    continue
                record = _parse(line) if number < len(lines) else None
                if record is None:
                    torn = "torn (the writer was cut off)" if number == len(lines) else "altered"
                    self.damage.append(f"{path.name} line {number} is {torn}: dropped")
                elif not self._arrays_intact(record):
                    self.damage.append(
                        f"{path.name} line {number}: its matrices are missing or altered: dropped"
                    )
                else:
                    intact.append(line)
                    found[record["key"]] = record
            if self._lock is not None and len(intact) != sum(map(bool, lines)):
                # Cut before anything is appended, or a torn line would swallow the next one.
                self._replace(path, b"".join(line + b"\n" for line in intact))
        return found

    def append(
        self, experiment: str, record: dict[str, Any], arrays: dict[str, np.ndarray]
    ) -> dict[str, Any]:
        """Write a run: its matrices first, then its line; on return both are on the disk.

        Returns:
            The record as it was written.

        Raises:
            ReportgenError: the disk is full or the folder not writable; nothing is acknowledged.
        """
        assert self._lock is not None, "only a writer that holds the lock appends"
        path = self.folder / f"{experiment}.jsonl"
        try:
            if arrays:
                file = self.folder / "arrays" / f"{record['key']}.npz"
                file.parent.mkdir(exist_ok=True)
                partial = file.with_suffix(".part")
                with partial.open("wb") as out:
                    np.savez_compressed(out, **arrays)  # type: ignore[arg-type]
                    _sync(out)
                partial.replace(file)
                _sync_folder(file.parent)
                record = record | {"arrays": _digest(file.read_bytes())}
            is_new = not path.exists()
            raw = canonical(record).encode()
            line = _HEAD + _digest(raw).encode() + _MIDDLE + raw + b"}\n"
            with path.open("ab") as out:
                out.write(line)
                _sync(out)
            if is_new:
                _sync_folder(self.folder)
        except OSError as error:
            raise _unwritable(path, error) from error
        return record

    def arrays(self, key: str) -> dict[str, np.ndarray]:
        """The matrices of a run that `records` returned."""
        with np.load(self.folder / "arrays" / f"{key}.npz", allow_pickle=False) as archive:
            return {name: archive[name] for name in archive}

    def read_notes(self, name: str) -> dict[str, Any]:
        """A small JSON file beside the records (`datasets`, `environment`); {} where unusable."""
        try:
            content = json.loads((self.folder / f"{name}.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return content if isinstance(content, dict) else {}

    def write_notes(self, name: str, content: dict[str, Any]) -> None:
        """Replace a small JSON file as a whole."""
        text = json.dumps(content, indent=1, sort_keys=True) + "\n"
        self._replace(self.folder / f"{name}.json", text.encode())

    def dataset(self, name: str) -> DatasetInfo | None:
        """What is recorded of the dataset that this name stood for in the last run."""
        note = self.read_notes("datasets").get(name)
        if not isinstance(note, dict):
            return None
        try:
            fields: dict[str, Any] = {
                key: tuple(value) if isinstance(value, list) else value
                for key, value in note.items()
            }
            return DatasetInfo(**fields)
        except TypeError:
            return None

    def remember_dataset(self, info: DatasetInfo) -> None:
        """Record what the report says of a dataset."""
        self.write_notes("datasets", self.read_notes("datasets") | {info.name: asdict(info)})

    def _arrays_intact(self, record: dict[str, Any]) -> bool:
        if "arrays" not in record:
            return True
        try:
            content = (self.folder / "arrays" / f"{record['key']}.npz").read_bytes()
        except OSError:
            return False
        return bool(_digest(content) == record["arrays"])

    def _replace(self, path: Path, content: bytes) -> None:
        partial = path.with_name(f"{path.name}.part")
        try:
            with partial.open("wb") as out:
                out.write(content)
                _sync(out)
            partial.replace(path)
            _sync_folder(path.parent)
        except OSError as error:
            raise _unwritable(path, error) from error


def _parse(line: bytes) -> dict[str, Any] | None:
    start = len(_HEAD) + 64 + len(_MIDDLE)
    raw = line[start:-1]
    if line != _HEAD + _digest(raw).encode() + _MIDDLE + raw + b"}":
        return None
    record = json.loads(raw)
    return record if isinstance(record, dict) and "key" in record else None


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _sync(out: IO[bytes]) -> None:
    out.flush()
    os.fsync(out.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unwritable(path: Path, error: OSError) -> ReportgenError:
    return InputError(
        f"{path} cannot be written: {error.strerror or error}",
        hint="free space or mend the permissions, then run again: finished runs are kept",
    )
