"""Results on disk: append-only JSON Lines, one file an experiment, one writer at a time.

A line holds a record and a checksum over the record's raw bytes. A line that is torn or altered is
dropped, reported, and its run trained again; a line acknowledged is on the disk.
"""

import contextlib
import fcntl
import hashlib
import io
import json
import os
import re
from collections.abc import Container, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pydantic import TypeAdapter, ValidationError

from reportgen.engine.datasets import DatasetInfo
from reportgen.engine.runs import canonical
from reportgen.errors import InputError, InUseError

if TYPE_CHECKING:
    import numpy as np

_START = len(b'{"checksum":"","record":') + hashlib.sha256().digest_size * 2  # of the record

_KEY = re.compile(rb'"key":"(\w+)"')


@dataclass
class Store:
    """The results folder; `damage` tells what was dropped while reading, one sentence each.

    Reading needs no lock; a writer holds it through `with store:`, which may be nested.
    """

    folder: Path
    damage: list[str] = field(default_factory=list)
    unwanted: int = 0  # intact records that the last reading did not ask for
    _lock: contextlib.ExitStack | None = None
    _depth: int = 0

    def __enter__(self) -> Self:
        if self._lock is None:
            self._lock = self._take_lock()
        self._depth += 1
        return self

    def __exit__(self, *_: object) -> None:
        self._depth -= 1
        if self._lock is not None and not self._depth:
            self._lock.close()
            self._lock = None

    def _take_lock(self) -> contextlib.ExitStack:
        with _writing(self.folder), contextlib.ExitStack() as held:
            _make_folder(self.folder)
            lock = held.enter_context((self.folder / ".lock").open("a+", encoding="utf-8"))
            try:
                # flock and not a POSIX lock: it goes when its process dies, and only then.
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.seek(0)
                owner = lock.read().strip() or "unknown"
                raise InUseError(
                    f"{self.folder} is in use by another build (process {owner})",
                    hint="wait for it to end, or end that process",
                ) from None
            lock.seek(0)
            if lock.read() != f"{os.getpid()}\n":  # `serve` would be woken by what it writes
                os.ftruncate(lock.fileno(), 0)
                os.write(lock.fileno(), f"{os.getpid()}\n".encode())
            # A writer that died may have made files here whose names are not on the disk yet.
            _sync_folder(self.folder)
            return held.pop_all()

    def records(self, wanted: Container[str] | None = None) -> dict[str, dict[str, Any]]:
        """Intact records of all files by run key; a writer also cuts damaged lines away.

        Args:
            wanted: Keys of the runs to return, None for all. Of any others the line is checked and
                nothing kept, so that a report takes no more memory where more was recorded.
        """
        found: dict[str, dict[str, Any]] = {}
        self.unwanted = 0
        for path in sorted(self.folder.glob("*.jsonl")):
            damaged: set[int] = set()
            with path.open("rb") as lines:
                for number, line in enumerate(lines, start=1):
                    if line == b"\n":
                        continue
                    record, fault = self._read(line, wanted)
                    if fault:
                        self.damage.append(f"{path.name} line {number}{fault}: dropped")
                        damaged.add(number)
                    elif record:
                        found[record["key"]] = record
                    else:
                        self.unwanted += 1
            if self._lock is not None and damaged:
                # Cut before anything is appended, or a torn line would swallow the next one.
                with path.open("rb") as lines:
                    numbered = enumerate(lines, start=1)
                    intact = b"".join(line for number, line in numbered if number not in damaged)
                _replace(path, intact)
        return found

    @property
    def is_empty(self) -> bool:
        """Whether nothing was ever recorded."""
        return not any(self.folder.glob("*.jsonl"))

    def append(
        self, experiment: str, record: dict[str, Any], arrays: "dict[str, np.ndarray]"
    ) -> dict[str, Any]:
        """Write a run, its matrices first, and return its record as written, on the disk.

        Raises:
            InputError: the disk is full or the folder not writable; nothing is acknowledged.
        """
        assert self._lock is not None, "only a writer that holds the lock appends"
        path = self.folder / f"{experiment}.jsonl"
        with _writing(path):
            if arrays:
                import numpy as np

                content = io.BytesIO()
                np.savez_compressed(content, **arrays)  # type: ignore[arg-type]
                file = self._matrices(record["key"])
                _make_folder(file.parent)
                _replace(file, content.getvalue())
                record = record | {"arrays": _digest(content.getvalue())}
            before = path.stat().st_size if path.exists() else None
            try:
                _write(path, "ab", _line(canonical(record).encode()) + b"\n")
                if before is None:
                    _sync_folder(self.folder)
            except OSError:
                # Whoever reads next must not take for kept what may not be on the disk.
                with contextlib.suppress(OSError):
                    os.truncate(path, before or 0)
                raise
        return record

    def arrays(self, key: str) -> "dict[str, np.ndarray]":
        """The matrices of a run that `records` returned."""
        import numpy as np

        with np.load(self._matrices(key), allow_pickle=False) as archive:
            return dict(archive)

    def read_notes(self, name: str) -> dict[str, Any]:
        """A small JSON file beside the records (`datasets`, `environment`); {} where unusable."""
        try:
            line = (self.folder / f"{name}.json").read_bytes()
            content = json.loads(line[_START:-2])
        except (OSError, ValueError, RecursionError):
            return {}
        is_whole = line == _line(line[_START:-2]) + b"\n"
        return content if is_whole and isinstance(content, dict) else {}

    def write_notes(self, name: str, content: dict[str, Any]) -> None:
        """Replace a small JSON file as a whole; it is one line, as a record's is."""
        _replace(self.folder / f"{name}.json", _line(canonical(content).encode()) + b"\n")

    def dataset(self, name: str) -> DatasetInfo | None:
        """What is recorded of the dataset that this name stood for in the last run."""
        try:
            return TypeAdapter(DatasetInfo).validate_python(self.read_notes("datasets")[name])
        except (KeyError, ValidationError):  # none, or not as this version writes it
            return None

    def remember_dataset(self, info: DatasetInfo) -> None:
        """Record what the report says of a dataset."""
        self.write_notes("datasets", self.read_notes("datasets") | {info.name: asdict(info)})

    def _matrices(self, key: str) -> Path:
        return self.folder / "arrays" / f"{key}.npz"

    def _read(self, line: bytes, wanted: Container[str] | None) -> tuple[dict[str, Any], str]:
        """The record of a line, {} if it is not wanted, and what is wrong with it, or ""."""
        if not line.endswith(b"\n"):
            return {}, " is torn (the writer was cut off)"
        raw = line[_START:-2]
        if line != _line(raw) + b"\n":
            return {}, " is altered"
        # Most of the time would go into parsing. Nothing before a record's key has one inside.
        if wanted is not None and (named := _KEY.search(raw)) and named[1].decode() not in wanted:
            return {}, ""
        try:
            record = json.loads(raw)
        except (ValueError, RecursionError):
            record = None
        key = record.get("key") if isinstance(record, dict) else None
        if not (isinstance(key, str) and re.fullmatch(r"\w+", key)):  # it names a file
            return {}, " is no record"
        with contextlib.suppress(OSError):
            expected = record.get("arrays")
            if not expected or _digest(self._matrices(record["key"]).read_bytes()) == expected:
                return record, ""
        return record, ": its matrices are missing or altered"


def _line(raw: bytes) -> bytes:
    return b'{"checksum":"' + _digest(raw).encode() + b'","record":' + raw + b"}"


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(
            f"{path} cannot be written: {error.strerror or error}",
            hint="free space or mend the permissions, then run again: finished runs are kept",
        ) from error


def _replace(path: Path, content: bytes) -> None:
    partial = path.with_name(f"{path.name}.part")
    with _writing(path):
        _write(partial, "wb", content)
        partial.replace(path)
        _sync_folder(path.parent)


def _write(path: Path, mode: str, content: bytes) -> None:
    with path.open(mode) as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())


def _make_folder(folder: Path) -> None:
    if not folder.is_dir():
        folder.mkdir(parents=True)
        _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
