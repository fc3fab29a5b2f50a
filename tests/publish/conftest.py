import shutil
from pathlib import Path

import pytest
from publish.sample_report import Report, write_evidence, write_project


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
