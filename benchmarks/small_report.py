"""A report of a few seconds for faults.py to break, and what it leaves where nothing breaks it."""

import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[1]
REPORTGEN = Path(sys.executable).with_name("reportgen")
SETTINGS = """
dataset = "own.npz"
seeds = 3
epochs = 3
[experiments]
"""


def small_images() -> dict[str, Any]:
    """Arrays of 8 x 8 images of ten classes, each a pattern of its own under noise."""
    rng = np.random.default_rng(0)
    patterns = rng.integers(0, 256, (10, 8, 8))
    arrays: dict[str, Any] = {}
    for part, count in (("train", 6000), ("test", 500)):
        labels = rng.permutation(np.arange(count) % 10)
        images = patterns[labels] * rng.uniform(0.3, 1, (count, 1, 1))
        noisy = images + rng.normal(0, 90, (count, 8, 8))
        arrays[f"x_{part}"] = noisy.clip(0, 255).astype(np.uint8)
        arrays[f"y_{part}"] = labels.astype(np.uint8)
    return arrays


@dataclass
class SmallReport:
    """Projects in `folder`: the assignment's twelve runs on small images, and their site."""

    folder: Path
    made: int = 0
    environment: dict[str, str] = field(default_factory=lambda: dict(os.environ))

    def __post_init__(self) -> None:
        from reportgen.experiments.registry import experiments

        self.environment["SOURCE_DATE_EPOCH"] = "1700000000"
        off = [f"{it.name} = false\n" for it in experiments() if it.name != "assignment"]
        model = self.folder / "model"
        model.mkdir()
        (model / "reportgen.toml").write_text(SETTINGS + "".join(off), encoding="utf-8")
        np.savez(model / "own.npz", **small_images())
        shutil.copytree(ROOT / "docs", model / "docs")
        shutil.copy2(ROOT / "mkdocs.yml", model)

    def project(self, name: str = "") -> Path:
        """A new project that nothing has been done in, with a folder for temporary files."""
        self.made += 1
        path = self.folder / (name or f"project-{self.made}")
        shutil.copytree(self.folder / "model", path)
        (path / "tmp").mkdir()
        return path

    def start(self, project: Path, *command: str, **options: Any) -> "subprocess.Popen[str]":
        """A command of reportgen (build) in a session of its own; its output is one text."""
        return subprocess.Popen(
            [REPORTGEN, *(command or ("build",))],
            cwd=project,
            env=self.environment | {"TMPDIR": str(project / "tmp")} | options.pop("env", {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            **options,
        )

    def finish(self, project: Path, *command: str, **options: Any) -> str:
        """Run a command to its good end; returns what it told."""
        process = self.start(project, *command, **options)
        told, _ = process.communicate()
        assert process.returncode == 0, f"exit {process.returncode}: {told[-600:]}"
        return told

    @cached_property
    def whole(self) -> tuple[list[bytes], str]:
        """What a build that nothing disturbs leaves."""
        project = self.project("whole")
        began = time.monotonic()
        self.finish(project)
        self.seconds = time.monotonic() - began
        return state(project)

    def check_after(self, process: "subprocess.Popen[str]", project: Path) -> None:
        """After a build has ended, in whatever way: nothing of it runs, and it can be resumed."""
        process.wait()
        before = lines(project)
        check_ended(process.pid, project)
        self.check_resumed(project, before)

    def check_resumed(self, project: Path, before: Sequence[bytes]) -> None:
        """Build again: the runs of `before` stay, and the end is that of an undisturbed build."""
        self.finish(project)
        assert lines(project)[: len(before)] == list(before), "a finished run is lost or moved"
        results, site = state(project)
        assert results == self.whole[0], "other results than undisturbed"
        assert site == self.whole[1], "another site than undisturbed"
        shutil.rmtree(project)


def state(project: Path) -> tuple[list[bytes], str]:
    """The results in order of their bytes, and a digest of the site."""
    return sorted(lines(project)), digest(project / "build" / "site")


def lines(project: Path) -> list[bytes]:
    """The whole lines of the results."""
    path = project / "results" / "assignment.jsonl"
    content = path.read_bytes() if path.exists() else b""
    return [line for line in content.splitlines(keepends=True) if line.endswith(b"\n")]


def digest(path: Path) -> str:
    """SHA-256 of a file, or of a folder's files and their names."""
    found = hashlib.sha256()
    for file in sorted(it for it in [path, *path.rglob("*")] if it.is_file()):
        found.update(f"{file.relative_to(path)}\0".encode() + file.read_bytes())
    return found.hexdigest()


def alive(session: int) -> list[str]:
    """The processes of a session that still run, as ps tells them."""
    told = subprocess.run(
        ["ps", "-o", "stat=,pid=,args=", "-s", str(session)], capture_output=True, text=True
    )
    return [line for line in told.stdout.splitlines() if not line.startswith("Z")]


def check_ended(session: int, project: Path) -> None:
    """Within 5 s no process of the session runs and none of its temporary files is left."""
    end = time.monotonic() + 5
    while alive(session) and time.monotonic() < end:
        time.sleep(0.05)
    assert not alive(session), f"still running after 5 s: {alive(session)}"
    left = [path.name for path in (project / "tmp").glob("reportgen-*")]
    assert not left, f"left among the temporary files: {left}"


def workers(parent: int) -> Iterator[int]:
    """Ids of the worker processes of a build."""
    told = subprocess.run(
        ["ps", "-o", "pid=,args=", "--ppid", str(parent)], capture_output=True, text=True
    )
    for line in told.stdout.splitlines():
        if "spawn_main" in line:
            yield int(line.split()[0])


def wait_for(process: "subprocess.Popen[str]", words: str) -> None:
    """Read what a build tells until a line begins with these words."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(words):
            return
    raise AssertionError(f"it ended before it told of {words!r}")
