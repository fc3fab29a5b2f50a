import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from publish.browsing import CHROMIUM
from publish.sample_report import Report, write_evidence, write_project

from reportgen.publish import site


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "browser: needs Chromium (skipped where there is none)")


@pytest.fixture(scope="session")
def evidence_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("evidence")
    write_evidence(root)
    return root / "build"


@pytest.fixture
def report(tmp_path: Path, evidence_folder: Path) -> Report:
    """A project of its own for each test, not rendered yet."""
    shutil.copytree(evidence_folder, tmp_path / "project" / "build")
    return write_project(tmp_path / "project")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site of the sample report, to be visited and left as it is."""
    root = tmp_path_factory.mktemp("site")
    write_evidence(root)
    report = write_project(root)
    report.render()
    return site.build(root).parent


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if not CHROMIUM.exists():
        pytest.skip(f"no browser at {CHROMIUM}")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        chromium = play.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        yield chromium
        chromium.close()
