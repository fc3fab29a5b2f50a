"""Files that are written only when they differ, so that nothing downstream wakes for nothing."""

import filecmp
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reportgen.errors import ReportgenError


@contextmanager
def _named(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ReportgenError(
            f"{path.name} cannot be written: {error.strerror}",
            hint=f"Make {path.parent.name}/ writable and free some space, then try again.",
        ) from error


def write_changed(path: Path, text: str) -> bool:
    """Write `text` unless the file holds it already; says whether it wrote."""
    data = text.encode()
    if path.is_file() and path.read_bytes() == data:
        return False
    with _named(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return True


def mirror(files: dict[str, Path], folder: Path) -> None:
    """Make `folder` hold exactly `files` (name in the folder -> source); what is there stays."""
    if folder.is_dir():
        for old in [path for path in folder.rglob("*") if path.is_file()]:
            if old.relative_to(folder).as_posix() not in files:
                old.unlink()
    for name, source in files.items():
        target = folder / name
        if target.is_file() and filecmp.cmp(source, target, shallow=False):
            continue
        with _named(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
