"""What machine and software the runs were made with; told apart from the runs themselves."""

import os
import platform
import re
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

from reportgen.engine.runs import ENGINE_VERSION, framework_versions


def describe(project: Path) -> dict[str, Any]:
    """Processor, memory, system, versions of the software and the commit (with a mark where files
    differ from it; empty outside git), as plain data."""
    git = ["git", "-C", str(project), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        commit = subprocess.run(git, capture_output=True, text=True, timeout=10).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        commit = ""
    try:
        cpus = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:  # macOS
        cpus = f"model name: {platform.processor()}"
    packages = ("numpy", "scikit-learn", "scipy", "pandas", "matplotlib")
    named = re.search(r"^model name\s*: *(\S.*)$", cpus, re.MULTILINE)
    return {
        "processor": " ".join(named[1].split()) if named else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": framework_versions() | {name: version(name) for name in packages},
        "engine": ENGINE_VERSION,
        "commit": commit,
    }
