"""Breaks builds and results on purpose, and tells what became of them: make faults.

Each row breaks one thing in many ways; the first case that does not end as asked ends its row and
is told. Linux only: strace, unshare, ps.
"""

import argparse
import hashlib
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import store_faults
from bench import machine
from small_report import (
    REPORTGEN,
    SmallReport,
    alive,
    check_ended,
    digest,
    lines,
    state,
    wait_for,
    workers,
)

Cases = Iterator[float | None]  # one item a case: what was measured of it, in seconds
CHANCE = random.Random(0)


def killed_builds(report: SmallReport) -> Cases:
    """SIGKILL for a build at any moment of it."""
    assert report.whole
    while True:
        project = report.project()
        process = report.start(project)
        time.sleep(CHANCE.uniform(0, report.seconds))
        process.kill()
        report.check_after(process, project)
        yield None


def killed_workers(report: SmallReport) -> Cases:
    """SIGKILL for a worker in training; two a build, so that no run can die three times."""
    while True:
        project = report.project()
        process = report.start(project)
        wait_for(process, "training")
        for _ in range(2):
            time.sleep(CHANCE.uniform(0, 2))
            there = list(workers(process.pid))
            if there and process.poll() is None:
                os.kill(CHANCE.choice(there), signal.SIGKILL)
                yield None
        told, _ = process.communicate()
        assert process.returncode == 0, told
        assert state(project) == report.whole, "another report than undisturbed"
        shutil.rmtree(project)


def deadly_run(report: SmallReport) -> Cases:
    """A run that ends its process whenever it is tried, among the runs of a report."""
    script = Path(__file__).with_name("deadly_run.py")
    project = report.project()
    done = subprocess.run(
        [sys.executable, script, project],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=report.environment,
    )  # fmt: skip
    assert done.returncode == 1, done.stdout
    assert "1 runs could not be done" in done.stdout, done.stdout
    assert "died 3 times" in done.stdout, done.stdout
    kept = lines(project)
    assert len(kept) == len(report.whole[0]) - 1, "another run is missing"
    report.check_resumed(project, kept)
    yield None


def altered_results(report: SmallReport) -> Cases:
    """One bit of a report's results flips: just that run is trained again."""
    assert report.whole
    project = report.folder / "whole"
    path = project / "results" / "assignment.jsonl"
    while True:
        content = bytearray(path.read_bytes())
        at = CHANCE.choice([i for i, byte in enumerate(content) if byte != ord("\n")])
        content[at] ^= 1 << CHANCE.randrange(8)
        line = content[:at].count(b"\n") + 1
        path.write_bytes(content)
        told = report.finish(project)
        assert f"assignment.jsonl line {line} is " in told, told
        assert "training 1 runs" in told, told
        assert state(project) == report.whole, "another report than before"
        yield None


def full_disk(report: SmallReport) -> Cases:
    """results/ or build/ lies on a disk of 4 to 600 kB."""
    mount = (
        "mount -t tmpfs -o size={size}k tmpfs {place} && {{ {reportgen} build; code=$?; "
        "cp -r {place} kept; exit $code; }}"
    )
    for place, sizes in (("results", (4, 8, 12, 16, 24, 32)), ("build", (4, 60, 200, 400, 600))):
        for size in sizes:
            project = report.project()
            (project / place).mkdir()
            script = mount.format(size=size, place=place, reportgen=REPORTGEN)
            process = _unshared(report, project, script)
            told, _ = process.communicate()
            _check_refused(process.returncode, told)
            check_ended(process.pid, project)
            if place == "results":
                shutil.rmtree(project / place)
                (project / "kept").rename(project / place)
            report.check_resumed(project, lines(project))
            yield None


def small_files(report: SmallReport) -> Cases:
    """No file may grow beyond 0 to 300 kB, as with a quota."""
    for size in (0, 10, 100, 1000, 3000, 5000, 8000, 12_000, 30_000, 100_000, 300_000):
        project = report.project()

        def limit(size: int = size) -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

        process = report.start(project, preexec_fn=limit)
        told, _ = process.communicate()
        _check_refused(process.returncode, told)
        report.check_after(process, project)
        yield None


def two_builds(report: SmallReport) -> Cases:
    """A second build beside one in training, which is then killed, and its lock with it."""
    while True:
        project = report.project()
        first = report.start(project)
        wait_for(first, "training")
        time.sleep(CHANCE.uniform(0, 2))
        began = time.monotonic()
        second = report.start(project)
        told, _ = second.communicate()
        took = time.monotonic() - began
        assert second.returncode == 2, told
        assert f"in use by another build (process {first.pid})" in told, told
        first.kill()
        report.check_after(first, project)
        yield took


def ctrl_c(report: SmallReport) -> Cases:
    """Ctrl-C at any moment of training."""
    return _interrupted(report, again=False)


def ctrl_c_twice(report: SmallReport) -> Cases:
    """Ctrl-C, and again while the first one is cleaned up after."""
    return _interrupted(report, again=True)


def _interrupted(report: SmallReport, *, again: bool) -> Cases:
    assert report.whole
    while True:
        project = report.project()
        process = report.start(project)
        wait_for(process, "training")
        time.sleep(CHANCE.uniform(0, report.seconds / 4))  # well before it is done
        os.killpg(process.pid, signal.SIGINT)
        if again:
            time.sleep(CHANCE.uniform(0, 0.2))
            if alive(process.pid):
                os.killpg(process.pid, signal.SIGINT)
        began = time.monotonic()
        told, _ = process.communicate()
        took = time.monotonic() - began
        # In its last moments Python gives the signal back: a shell tells that as 130, too.
        codes = (130, -signal.SIGINT)
        assert process.returncode in codes, f"exit {process.returncode}: {told}"
        assert "Traceback" not in told, told
        report.check_after(process, project)
        yield took


def read_only(report: SmallReport) -> Cases:
    """results/ or build/ cannot be written."""
    for place in ("results", "build"):
        project = report.project()
        report.finish(project)
        kept = lines(project)[:-1]
        (project / "results" / "assignment.jsonl").write_bytes(b"".join(kept))
        process = _unshared(
            report,
            project,
            f"mount --bind {place} {place} && mount -o remount,bind,ro {place} && "
            f"{REPORTGEN} build",
        )
        told, _ = process.communicate()
        _check_refused(process.returncode, told)
        report.check_resumed(project, kept)
        yield None


def clock_set_back(report: SmallReport) -> Cases:
    """Every file is from tomorrow."""
    project = report.project()
    report.finish(project)
    tomorrow = time.time() + 86_400
    for path in project.rglob("*"):
        os.utime(path, (tomorrow, tomorrow))
    report.check_resumed(project, lines(project))
    yield None


def other_version(report: SmallReport) -> Cases:
    """Half of the results are of another version: their keys are not those that are asked for."""
    project = report.project()
    report.finish(project)
    old, new = lines(project)[:6], lines(project)[6:]
    path = project / "results" / "assignment.jsonl"
    foreign = [_of_another_version(line) for line in old]
    path.write_bytes(b"".join(foreign + new))
    told = report.finish(project)
    assert "6 runs of other settings or versions kept" in told, told
    assert "training 6 runs" in told, told
    assert lines(project)[:6] == foreign, "the other version's runs are lost"
    assert sorted(lines(project)[6:]) == report.whole[0]
    assert digest(project / "build" / "site") == report.whole[1]
    yield None


def reproduced(report: SmallReport) -> Cases:
    """Other folder, time zone, locale, number of workers: the same results, site and files."""
    first = ""
    while True:
        project = report.project(f"{CHANCE.choice(['of Ann', 'øre', 'x'])} {report.made}")
        processors = CHANCE.choice([{0}, {0, 1}])

        def confine(processors: set[int] = processors) -> None:
            os.sched_setaffinity(0, processors)

        place = {
            "TZ": CHANCE.choice(["UTC", "Asia/Kathmandu", "America/St_Johns"]),
            "LC_ALL": CHANCE.choice(["C", "C.UTF-8", "POSIX"]),
        }
        report.finish(project, env=place, preexec_fn=confine)  # one worker a processor
        report.finish(project, "export", env=place, preexec_fn=confine)
        assert state(project) == report.whole, f"{place}: another report"
        files = [it for it in (project / "build").iterdir() if it.suffix in _FILES]
        assert {it.suffix for it in files} == _FILES, files
        found = " ".join(digest(it) for it in sorted(files))
        first = first or found
        assert found == first, f"{place}: other files"
        shutil.rmtree(project)
        yield None


_FILES = {".pdf", ".docx", ".html", ".ipynb", ".zip"}


def _unshared(report: SmallReport, project: Path, script: str) -> "subprocess.Popen[str]":
    """A script that may mount what only it sees."""
    mapped = [] if os.geteuid() == 0 else ["--map-root-user"]
    return subprocess.Popen(
        ["unshare", "--mount", *mapped, "sh", "-c", script],
        cwd=project,
        env=report.environment | {"TMPDIR": str(project / "tmp")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def _check_refused(code: int, told: str) -> None:
    assert code in (1, 2), f"exit {code}: {told}"
    assert "Traceback" not in told, told
    assert "reportgen: " in told, told


def _of_another_version(line: bytes) -> bytes:
    raw = json.dumps(
        json.loads(line)["record"] | {"key": f"of{line[-40:].hex()}"[:32]},
        sort_keys=True,
        separators=(",", ":"),
    ).encode()
    checksum = hashlib.sha256(raw).hexdigest().encode()
    return b'{"checksum":"' + checksum + b'","record":' + raw + b"}\n"


@dataclass(frozen=True)
class Row:
    """A row of the table: what breaks, how often, and what is asked."""

    name: str
    run: Callable[[], Cases]
    cases: int | None  # None: all there are
    asked: str


def rows(report: SmallReport) -> list[Row]:
    """All rows, in the table's order."""

    def store(run: Callable[[Path], Cases]) -> Callable[[], Cases]:
        def cases() -> Cases:
            with tempfile.TemporaryDirectory() as work:
                yield from run(Path(work))

        return cases

    same = "resumed: the bytes of an undisturbed build; no run lost or done twice"
    gone = "no process left after 5 s"
    kept = "exit code not 0; acknowledged is what is on the disk"
    return [
        Row("build killed (-9) at any moment", lambda: killed_builds(report), 50,
            f"{same}; {gone}"),
        Row("store killed at every changing call", store(store_faults.killed_at_calls), None,
            "no acknowledged run lost or done twice"),
        Row("calls in order: flushed, then told", store(store_faults.flushed_first), None,
            "nothing acknowledged that is not on the disk"),
        Row("worker killed (-9) in training", lambda: killed_workers(report), 30,
            "the same bytes"),
        Row("a run that always ends its process", lambda: deadly_run(report), 1,
            "given up after 3 and named; the others kept"),
        Row("results cut at each byte of two lines", store(store_faults.cut_anywhere), None,
            "earlier runs kept"),
        Row("each bit of a store flipped", store(store_faults.flipped_everywhere), None,
            "found, its line named"),
        Row("a bit of a report's results flipped", lambda: altered_results(report), 20,
            "just that run trained again"),
        Row("calls fail: full disk, I/O error", store(store_faults.failed_calls), None, kept),
        Row("disk of 4 to 600 kB", lambda: full_disk(report), None, f"{kept}; {same}"),
        Row("files of at most 0 to 300 kB", lambda: small_files(report), None, f"{kept}; {same}"),
        Row("two builds at once, then a dead lock", lambda: two_builds(report), 10,
            "refused within 1 s; the lock heals"),
        Row("Ctrl-C in training", lambda: ctrl_c(report), 20, f"exit 130 within 2 s; {same}"),
        Row("Ctrl-C twice in a row", lambda: ctrl_c_twice(report), 20, f"at once; {same}"),
        Row("read-only folder", lambda: read_only(report), None, "a message; nothing lost"),
        Row("clock set back", lambda: clock_set_back(report), None, "nothing lost"),
        Row("results of another version", lambda: other_version(report), None,
            "a message; nothing lost"),
        Row("other folder, time zone, locale, workers", lambda: reproduced(report), 20,
            "results, site, PDF, Word, HTML, notebook, zip the same bytes"),
    ]  # fmt: skip


def main() -> None:
    """Run the rows and print the table; exit 1 when a case did not end as asked."""
    parser = argparse.ArgumentParser(description="what becomes of a build that is broken")
    parser.add_argument("words", nargs="*", help="only rows whose function or name has one of them")
    parser.add_argument("--few", action="store_true", help="three cases a row, to try them")
    options = parser.parse_args()
    # A shell ignores Ctrl-C for what it starts in the background, and so would all builds here.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    found = 0
    print(f"{machine()}\n")
    print("| fault | cases | faults | longest | minutes | asked |")
    print("|---|---:|---:|---:|---:|---|", flush=True)
    with tempfile.TemporaryDirectory() as name:
        report = SmallReport(Path(name))
        for row in rows(report):
            if options.words and not any(word in row.name for word in options.words):
                continue
            began = time.monotonic()
            seconds: list[float | None] = []
            fault = ""
            try:
                for took in islice(row.run(), 3 if options.few else row.cases):
                    seconds.append(took)
            except AssertionError as error:
                fault = f"{row.name}, case {len(seconds) + 1}: {error}"
                found += 1
            longest = max((it for it in seconds if it is not None), default=None)
            told = "" if longest is None else f"{longest:.2f} s"
            minutes = (time.monotonic() - began) / 60
            cells = (row.name, len(seconds), int(bool(fault)), told, f"{minutes:.1f}", row.asked)
            print("| " + " | ".join(map(str, cells)) + " |", flush=True)
            if fault:
                print(fault, file=sys.stderr, flush=True)
    sys.exit(min(found, 1))


if __name__ == "__main__":
    main()
