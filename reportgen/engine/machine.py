"""What machine and software the runs were made with; told apart from the runs themselves."""

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

from reportgen.engine.runs import ENGINE_VERSION, framework_versions

_PACKAGES = ("numpy", "scikit-learn", "scipy", "pandas", "matplotlib")


def describe(project: Path) -> dict[str, Any]:
    """Processor, memory, system, versions of the software and the commit, as plain data."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": framework_versions() | {name: version(name) for name in _PACKAGES},
        "engine": ENGINE_VERSION,
        "commit": _commit(project),
    }


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:  # macOS
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1] for line in text.splitlines() if line.startswith("model name")]
    return " ".join(names[0].split()) if names else platform.machine()


def _commit(project: Path) -> str:
    """The project's commit, with a mark where files differ from it; empty outside git."""
    git = ["git", "-C", str(project), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        done = subprocess.run(git, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()
