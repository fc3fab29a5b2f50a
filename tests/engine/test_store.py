import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from samples import fill, record

from reportgen.engine.store import Store
from reportgen.errors import InputError


def test_what_was_appended_is_there_again(tmp_path: Path) -> None:
    fill(tmp_path, "a", "b")
    store = Store(tmp_path)
    assert store.records() == {"a": record("a"), "b": record("b")}
    assert store.damage == []


def test_records_that_are_not_wanted_are_checked_and_not_kept(tmp_path: Path) -> None:
    path = fill(tmp_path, "a", "b", "c")
    path.write_bytes(path.read_bytes().replace(b'"c"', b'"d"'))
    store = Store(tmp_path)
    assert store.records({"a", "d"}) == {"a": record("a")}
    assert len(store.damage) == 1


def test_matrices_are_kept_with_their_run(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.append("trial", record("a"), {"m": np.eye(3)})
    store = Store(tmp_path)
    assert set(store.records()) == {"a"}
    np.testing.assert_array_equal(store.arrays("a")["m"], np.eye(3))


@pytest.mark.parametrize("damage", ["missing", "altered"])
def test_a_run_whose_matrices_are_damaged_is_dropped_and_named(tmp_path: Path, damage: str) -> None:
    with Store(tmp_path) as store:
        store.append("trial", record("a"), {"m": np.eye(3)})
        store.append("trial", record("b"), {})
    matrices = tmp_path / "arrays" / "a.npz"
    if damage == "missing":
        matrices.unlink()
    else:
        matrices.write_bytes(matrices.read_bytes()[:-1] + b"x")
    store = Store(tmp_path)
    assert set(store.records()) == {"b"}
    assert "trial.jsonl line 1" in store.damage[0]


def test_results_cut_at_any_byte_lose_only_the_cut_line_and_append_cleanly(tmp_path: Path) -> None:
    path = fill(tmp_path, "a", "b", "c")
    whole = path.read_bytes()
    start = whole.index(b"\n") + 1
    for cut in range(start, len(whole)):
        path.write_bytes(whole[:cut])
        with Store(tmp_path) as store:
            kept = set(store.records())
            assert kept == set("abc"[: whole[:cut].count(b"\n")])
            at_a_line_end = whole[:cut].endswith(b"\n")
            assert bool(store.damage) != at_a_line_end
            store.append("trial", record("d"), {})
        again = Store(tmp_path)
        assert set(again.records()) == kept | {"d"}
        assert again.damage == []


def test_every_altered_byte_is_found_and_its_line_named(tmp_path: Path) -> None:
    path = fill(tmp_path, "a", "b")
    whole = path.read_bytes()
    end_of_first = whole.index(b"\n")
    for position in range(len(whole)):
        flipped = bytearray(whole)
        flipped[position] ^= 0x01
        path.write_bytes(flipped)
        store = Store(tmp_path)
        kept = set(store.records())
        assert kept < {"a", "b"}, position
        assert any("line" in sentence for sentence in store.damage)
        if position < end_of_first:
            assert kept == {"b"}
            assert "line 1" in store.damage[0]


def test_a_second_writer_is_refused_and_told_the_first_ones_process(tmp_path: Path) -> None:
    with Store(tmp_path), pytest.raises(InputError, match=f"process {os.getpid()}"):
        Store(tmp_path).__enter__()


def test_the_lock_of_a_dead_process_does_not_hold(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from reportgen.engine.store import Store\n"
        "with Store(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE
    ) as owner:
        assert owner.stdout is not None
        owner.stdout.readline()
        with pytest.raises(InputError, match=f"process {owner.pid}"):
            Store(tmp_path).__enter__()
        owner.send_signal(signal.SIGKILL)
        owner.wait()
    assert fill(tmp_path, "a").exists()


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("a file in the folder's place")
    with pytest.raises(InputError, match="cannot be written"):
        Store(tmp_path / "results").__enter__()


def test_on_a_full_disk_nothing_is_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path, "a")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with Store(tmp_path) as store:
        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(InputError, match="No space left on device") as caught:
            store.append("trial", record("b"), {})
        assert "finished runs are kept" in caught.value.hint
    monkeypatch.undo()
    assert "a" in Store(tmp_path).records()


def test_notes_are_replaced_as_a_whole_and_nonsense_is_none(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.write_notes("environment", {"seconds": {"a": 1.5}})
        assert store.read_notes("environment") == {"seconds": {"a": 1.5}}
        for nonsense in ("[", "[" * 99999):
            (tmp_path / "environment.json").write_text(nonsense)
            assert store.read_notes("environment") == {}
