"""Small files that unfold into more than any machine holds."""

import gzip
import resource
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from reportgen.engine import datasets, splits
from reportgen.errors import InputError


def zeros(count: int) -> Iterator[bytes]:
    """Deflated zeros, a thousandth of their size; each million of them stands for itself."""
    folding = zlib.compressobj(wbits=-15)
    yield folding.compress(bytes(10**6)) + folding.flush(zlib.Z_FULL_FLUSH)
    million = folding.compress(bytes(10**6)) + folding.flush(zlib.Z_FULL_FLUSH)
    yield from [million] * (count // 10**6 - 1)
    yield folding.flush()


def test_a_small_file_that_unfolds_into_gigabytes_is_refused_unread(tmp_path: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    path, size = tmp_path / "own.npz", 3 * 10**9
    with zipfile.ZipFile(path, "w") as packed:
        entry = zipfile.ZipInfo("x_train.npy")
        packed.writestr(entry, b"".join(zeros(size)))
        # The directory at the end, which is what counts, is written on closing.
        entry.compress_type, entry.file_size = zipfile.ZIP_DEFLATED, size
    with pytest.raises(InputError, match="3,000 MB, more than"):
        splits.read_npz(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000  # kilobytes


def test_an_idx_file_that_unfolds_without_end_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REPORTGEN_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(splits, "LIMIT", 10_000)
    for name in datasets.IDX_FILES:
        header = b"\0\0\x08\x01" + (10**7).to_bytes(4)
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress(header + bytes(10**7)))
    with pytest.raises(InputError, match=r"ubyte\.gz: cannot reshape"):
        splits.load("fashion-mnist", fallback=True, project=tmp_path)
