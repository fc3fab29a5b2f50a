"""Files that are written only when they differ, so that nothing downstream wakes for nothing."""

import hashlib
import os
import pickle
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TypeVar

import jinja2

from reportgen.errors import InputError, ReportgenError

T = TypeVar("T")


def read_text(path: Path) -> str:
    """A file of the project's as UTF-8; InputError where it is none."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path} is not UTF-8: {error}", hint="save it as UTF-8 in your editor"
        ) from error


def timestamp() -> int:
    """The time that a file may tell: SOURCE_DATE_EPOCH where it is set, in seconds."""
    return int(os.environ.get("SOURCE_DATE_EPOCH") or time.time())


def write_changed(path: Path, data: bytes) -> bool:
    """Write `data` unless the file holds it already; says whether it wrote."""
    if path.is_file() and path.read_bytes() == data:
        return False
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    except OSError as error:
        raise ReportgenError(
            f"{path} cannot be written: {error.strerror}",
            hint=f"make {path.parent} writable, free some space, and try again",
        ) from error
    return True


def once(path: Path, make: Callable[[], T], *, of: object) -> T:
    """What `make` gives, kept in the file and made again for another `of` or by other code."""
    key = (code(), of)
    with suppress(Exception):  # none is there, or not whole
        before, made = pickle.loads(path.read_bytes())
        if before == key:
            return made  # type: ignore[no-any-return]  # by this code, whose types are checked
    made = make()
    write_changed(path, pickle.dumps((key, made)))
    return made


def compiled(build: Path) -> jinja2.BytecodeCache:
    """Templates compiled by this code, by name and content; it takes a quarter of a build."""
    folder = build / "templates" / code()
    if not folder.is_dir():
        shutil.rmtree(folder.parent, ignore_errors=True)  # other code calls filters otherwise
        folder.mkdir(parents=True)
    return jinja2.FileSystemBytecodeCache(str(folder))


@cache
def code() -> str:
    """Digest of the modules of this room, for what is kept from one build to the next."""
    sources = sorted(Path(__file__).parent.glob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:16]


def mirror(files: dict[str, Path], folder: Path) -> None:
    """Make `folder` hold exactly `files` (name in the folder -> source)."""
    for old in [path for path in folder.rglob("*") if path.is_file()]:
        if old.relative_to(folder).as_posix() not in files:
            old.unlink()
    for name, source in files.items():
        write_changed(folder / name, source.read_bytes())
