"""The rows of faults.py that break a store alone, thousands of times."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from store_victim import RUNS

from reportgen.engine.store import Store

VICTIM = Path(__file__).with_name("store_victim.py")
# By strace, which knows nothing of how the store is written.
CALLS = ("write", "fsync", "/^rename", "/truncate", "/^mkdir")


def whole(folder: Path) -> list[bytes]:
    """The lines of a store that nothing disturbed."""
    _victim(folder)
    return sorted((folder / "trial.jsonl").read_bytes().splitlines())


def killed_at_calls(work: Path) -> Iterator[float | None]:
    """SIGKILL as the process enters each of its calls that change a file."""
    expected = whole(work / "whole")
    for call in CALLS:
        for at in range(1, 1000):
            folder = work / "store"
            code, acknowledged, _ = _victim(folder, f"{call}:signal=KILL:when={at}")
            if code == 0:
                shutil.rmtree(folder)
                break
            assert code in (-9, 137), f"{call} {at}: exit {code}"
            known = _sound(folder)
            one_more = len(known) - len(acknowledged)
            assert set(acknowledged) <= known, f"{call} {at}: {acknowledged} acknowledged, {known}"
            assert one_more in (0, 1), f"{call} {at}: {known}"
            _heals(folder, expected, f"{call} {at}")
            yield None


def failed_calls(work: Path) -> Iterator[float | None]:
    """Each such call fails, once or from then on, by a full disk or an I/O error."""
    expected = whole(work / "whole")
    for call in CALLS:
        for error in ("ENOSPC", "EIO"):
            for lasting in ("", "+"):
                for at in range(1, 1000):
                    folder = work / "store"
                    where = f"{call} {error} {at}{lasting}"
                    code, acknowledged, told = _victim(
                        folder, f"{call}:error={error}:when={at}{lasting}"
                    )
                    if code == 0:
                        shutil.rmtree(folder)
                        break
                    assert code == 2, f"{where}: exit {code}"
                    assert "cannot be written" in told, f"{where}: {told}"
                    assert _sound(folder) == set(acknowledged), f"{where}: {acknowledged}"
                    _heals(folder, expected, where)
                    yield None


def cut_anywhere(work: Path) -> Iterator[float | None]:
    """The results end at each byte of their last two lines; then a run is appended."""
    whole(work / "store")
    path = work / "store" / "trial.jsonl"
    content = path.read_bytes()
    first = [i for i, byte in enumerate(content) if byte == ord("\n")][-3] + 1
    for cut in range(first, len(content)):
        path.write_bytes(content[:cut])
        kept = set("abcd"[: content[:cut].count(b"\n")])
        with Store(work / "store") as store:
            assert set(store.records()) == kept, f"cut at {cut}"
            assert bool(store.damage) == (content[cut - 1 : cut] != b"\n"), f"cut at {cut}"
            store.append("trial", {"key": "e"}, {})
        again = Store(work / "store")
        assert set(again.records()) == kept | {"e"}, f"cut at {cut}"
        assert not again.damage, f"cut at {cut}"
        yield None


def flipped_everywhere(work: Path) -> Iterator[float | None]:
    """Each bit of each byte of each file of the store is flipped in turn."""
    folder = work / "store"
    whole(folder)
    known = Store(folder).records()
    for path in sorted(it for it in folder.rglob("*") if it.is_file() and it.name != ".lock"):
        content = path.read_bytes()
        for bit in range(len(content) * 8):
            flipped = bytearray(content)
            flipped[bit // 8] ^= 1 << bit % 8
            path.write_bytes(flipped)
            where = f"{path.name}, bit {bit}"
            store = Store(folder)
            found = store.records()
            assert found == {key: known[key] for key in found}, f"{where}: a wrong record"
            if path.name == "environment.json":
                assert store.read_notes("environment") == {}, where
            elif path.suffix == ".npz":
                assert set(known) - set(found) == {path.stem}, where
                assert "line" in store.damage[0], where
            else:
                line = content[: bit // 8].count(b"\n")
                # A flip in a line's end joins it to the next: both are lost, and named.
                lost = set("abcd"[line : line + 2 if content[bit // 8] == ord("\n") else line + 1])
                assert set(known) - set(found) == lost, where
                assert f"line {line + 1}" in store.damage[0], where
            yield None
        path.write_bytes(content)


def flushed_first(work: Path) -> Iterator[float | None]:
    """By the order of the calls: nothing waits to be flushed when a run is acknowledged.

    A process that is killed leaves what it wrote to the system; a power cut does not.
    """
    folder, log = work / "store", work / "calls"
    command = [
        "strace",
        "-y",
        "-qq",
        "-o",
        str(log),
        "-e",
        "trace=write,writev,fsync,openat,/^mkdir,/^rename",
    ]
    subprocess.run(
        [*command, sys.executable, "-B", VICTIM, folder], check=True, capture_output=True
    )
    waiting: set[str] = set()  # files with content, and folders with names, not yet flushed
    there: set[str] = set()
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
        call = line.partition("(")[0]
        paths = [it for it in re.findall(r'[<"](/[^>"]+)[>"]', line) if it.startswith(str(work))]
        if call == "writev" and "(1<" in line:
            assert not waiting, f"a run is acknowledged while this is not flushed: {waiting}"
            yield None
        elif not paths or paths[0].endswith("/.lock"):
            continue
        elif call == "write":
            waiting.add(paths[0])
        elif call == "fsync":
            waiting.discard(paths[0])
        elif call != "openat" or ("O_CREAT" in line and paths[-1] not in there):
            waiting.add(str(Path(paths[-1]).parent))
            there.add(paths[-1])


def _victim(folder: Path, inject: str = "") -> tuple[int, str, str]:
    """Exit code, keys that were acknowledged, and what was told."""
    command = [sys.executable, "-B", str(VICTIM), str(folder)]
    if inject:
        call = inject.partition(":")[0]
        command = ["strace", "-qq", "-o", "/dev/null", "-e", f"trace={call}",
                   "-e", f"inject={inject}", *command]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


def _sound(folder: Path) -> set[str]:
    """The runs that a reader finds, which have to be what was appended."""
    store = Store(folder)
    found = store.records()
    for key, record in found.items():
        appended, arrays = RUNS[key]
        assert record.items() >= appended.items(), record
        assert not arrays or (store.arrays(key)["m"] == arrays["m"]).all(), key
    return set(found)


def _heals(folder: Path, expected: list[bytes], where: str) -> None:
    before = _sound(folder)
    code, acknowledged, told = _victim(folder)
    assert code == 0, f"{where}: {told}"
    assert set(acknowledged) == RUNS.keys() - before, f"{where}: done twice, or not at all"
    assert sorted((folder / "trial.jsonl").read_bytes().splitlines()) == expected, where
    shutil.rmtree(folder)
