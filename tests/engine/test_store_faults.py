"""What a store does on a disk that is full, and with files that others have touched."""

import errno
import hashlib
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from samples import fill, load_small, record, write_small

from reportgen.engine.store import Store
from reportgen.errors import InputError

UNWRITABLE = pytest.raises(InputError, match="cannot be written")


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """No file of this process may grow beyond `size` bytes: a write stops in the middle."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_line_that_the_disk_cut_is_not_acknowledged_and_taken_back(tmp_path: Path) -> None:
    path = fill(tmp_path, "a")
    whole = path.read_bytes()
    with Store(tmp_path) as store, room_for(len(whole) + 40), UNWRITABLE:
        store.append("trial", record("b"), {})
    assert path.read_bytes() == whole


def test_a_line_that_may_not_be_on_the_disk_is_not_read_as_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = fill(tmp_path, "a")
    whole = path.read_bytes()

    def fail(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with Store(tmp_path) as store:
        monkeypatch.setattr(os, "fsync", fail)
        with UNWRITABLE:
            store.append("trial", record("b"), {})
    assert path.read_bytes() == whole


def test_a_torn_line_swallows_none(tmp_path: Path) -> None:
    path = fill(tmp_path, "a", "b")
    path.write_bytes(path.read_bytes()[:-9])
    with Store(tmp_path) as store:
        assert set(store.records()) == {"a"}
        assert store.damage == ["trial.jsonl line 2 is torn (the writer was cut off): dropped"]
        store.append("trial", record("c"), {})
    again = Store(tmp_path)
    assert again.records() == {"a": record("a"), "c": record("c")}
    assert again.damage == []


def test_matrices_that_the_disk_has_no_room_for_leave_no_line(tmp_path: Path) -> None:
    path = fill(tmp_path, "a")
    before = path.read_bytes()
    noise = np.random.default_rng(0).normal(size=5000)
    with Store(tmp_path) as store, room_for(2000), UNWRITABLE:
        store.append("trial", record("b"), {"m": noise})
    assert path.read_bytes() == before
    assert set(Store(tmp_path).records()) == {"a"}


def test_a_full_disk_is_told_when_the_lock_is_written(tmp_path: Path) -> None:
    with room_for(0), UNWRITABLE:
        Store(tmp_path / "results").__enter__()
    assert fill(tmp_path / "results", "a").exists()  # and the lock is free again


def test_a_full_disk_keeps_the_notes_of_before(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.write_notes("environment", {"cores": 2})
        with room_for(5), UNWRITABLE:
            store.write_notes("environment", {"cores": 4})
        assert store.read_notes("environment") == {"cores": 2}


@pytest.mark.parametrize("flip", [0x01, 0x20, 0x80])
def test_no_altered_byte_of_the_last_lines_is_taken_for_a_result(tmp_path: Path, flip: int) -> None:
    path = fill(tmp_path, "a", "b", "c")
    whole = path.read_bytes()
    originals = {key: record(key) for key in "abc"}
    for position in range(whole.index(b"\n") + 1, len(whole)):
        altered = bytearray(whole)
        altered[position] ^= flip
        path.write_bytes(altered)
        store = Store(tmp_path)
        kept = store.records()
        assert "a" in kept
        assert len(kept) < 3, position
        assert kept == {key: originals[key] for key in kept}
        assert store.damage


def test_a_reader_tells_damage_and_leaves_the_file(tmp_path: Path) -> None:
    path = fill(tmp_path, "a", "b")
    torn = path.read_bytes()[:-4]
    path.write_bytes(torn)
    store = Store(tmp_path)
    assert set(store.records()) == {"a"}
    assert len(store.damage) == 1
    assert path.read_bytes() == torn


def test_a_record_moved_under_another_checksum_is_dropped(tmp_path: Path) -> None:
    path = fill(tmp_path, "a", "b")
    first, second = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(first[:80] + second[80:] + second)
    store = Store(tmp_path)
    assert set(store.records()) == {"b"}
    assert store.damage == ["trial.jsonl line 1 is altered: dropped"]


@pytest.mark.parametrize(
    "raw",
    [b"{}", b"3", b"[]", b'{"key":3}', b'{"key":"../a"}', b"no JSON", b"\xff", b"[" * 9999],
)
def test_a_line_with_a_right_checksum_that_holds_no_record_is_dropped(
    tmp_path: Path, raw: bytes
) -> None:
    path = fill(tmp_path, "a")
    line = f'{{"checksum":"{hashlib.sha256(raw).hexdigest()}","record":'.encode() + raw + b"}\n"
    path.write_bytes(line + path.read_bytes())
    store = Store(tmp_path)
    assert set(store.records()) == {"a"}
    assert store.damage == ["trial.jsonl line 1 is no record: dropped"]


def test_what_is_recorded_of_a_dataset_is_there_again(tmp_path: Path) -> None:
    write_small(tmp_path / "own.npz", train=100, test=20)
    info, _ = load_small(tmp_path / "own.npz")
    with Store(tmp_path / "results") as store:
        store.remember_dataset(info)
    assert Store(tmp_path / "results").dataset("own.npz") == info
    assert Store(tmp_path / "results").dataset("mnist") is None


@pytest.mark.parametrize("position", [0, 40, 100, -2, -1])
def test_an_altered_note_is_none(tmp_path: Path, position: int) -> None:
    with Store(tmp_path) as store:
        store.write_notes("environment", {"cores": 2, "machine": "a processor"})
    path = tmp_path / "environment.json"
    altered = bytearray(path.read_bytes())
    altered[position] ^= 1
    path.write_bytes(altered)
    assert Store(tmp_path).read_notes("environment") == {}


def test_a_writer_within_a_writer_keeps_the_lock_until_the_outer_one_ends(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with store:
        with store:
            store.append("trial", record("a"), {})
        with pytest.raises(InputError, match="in use by another build"):
            Store(tmp_path).__enter__()
    assert fill(tmp_path, "b").exists()


@pytest.mark.parametrize("note", [3, {}, {"name": "own.npz"}, [], None, "text"])
def test_a_note_of_a_dataset_that_makes_no_sense_is_none(tmp_path: Path, note: Any) -> None:
    with Store(tmp_path) as store:
        store.write_notes("datasets", {"own.npz": note})
    assert Store(tmp_path).dataset("own.npz") is None
