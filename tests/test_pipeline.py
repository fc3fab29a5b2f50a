"""One small report, made by the commands as a user gives them."""

import hashlib
import html
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import pytest
from samples import write_small

from reportgen import config
from reportgen.engine.store import Store
from reportgen.experiments.registry import experiments

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parent.parent
REPORTGEN = str(Path(sys.executable).parent / "reportgen")


def reportgen(project: Path, *words: str, expect: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [REPORTGEN, *words, "--project", str(project)], capture_output=True, text=True, check=False
    )
    assert done.returncode == expect, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


@contextmanager
def training(project: Path) -> Iterator[subprocess.Popen[str]]:
    """A build that has begun to train more than the test will wait for."""
    with subprocess.Popen(
        [REPORTGEN, "run", "--project", str(project)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert any("training" in line for line in process.stdout)
        yield process


def configure(project: Path, **options: object) -> None:
    # One worker, since what a test here waits for most is TensorFlow's import.
    settings = {"dataset": "own.npz", "seeds": 2, "epochs": 2, "workers": 1} | options
    lines = [f"{key} = {json.dumps(value)}" for key, value in settings.items()]
    # The main comparison alone: the others are trained where the whole report is made, in CI.
    lines += ["[experiments]", *(f"{e.name} = false" for e in experiments() if e.number > 1)]
    (project / "reportgen.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")


def keys(project: Path) -> list[str]:
    return sorted((project / "results" / "assignment.jsonl").read_text().splitlines())


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose report was built once."""
    project = tmp_path_factory.mktemp("made")
    shutil.copytree(ROOT / "docs", project / "docs")
    shutil.copy(ROOT / "mkdocs.yml", project)
    write_small(project / "own.npz", train=600, test=120)
    configure(project)
    told = reportgen(project, "build").stdout
    assert "open" in told
    assert "Zero" in told
    return project


@pytest.fixture
def project(made: Path, tmp_path: Path) -> Path:
    """A copy of it, to be changed."""
    return Path(shutil.copytree(made, tmp_path / "project"))


def test_a_report_is_a_site_with_every_page(made: Path) -> None:
    site = made / "build" / "site"
    for page in ("index", "part-1", "part-2", "part-3", "claims", "methods", "references"):
        assert "<h1" in (site / f"{page}.html").read_text(encoding="utf-8")
    text = (site / "part-3.html").read_text(encoding="utf-8")
    assert "<math" in text
    assert "undefined" not in text.lower()


def test_a_report_whose_results_are_there_imports_neither_tensorflow_nor_numpy(made: Path) -> None:
    before = (made / "build" / "site" / "index.html").read_bytes()
    code = (
        "import sys; from reportgen.cli import main\n"
        f"main(['build', '--project', {str(made)!r}], standalone_mode=False)\n"
        "assert not {'tensorflow', 'keras', 'numpy'} & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ
    )
    assert "training" not in done.stdout
    assert (made / "build" / "site" / "index.html").read_bytes() == before


def test_a_report_that_has_its_data_asks_no_other_host(made: Path, project: Path) -> None:
    alone = ["unshare", "--map-root-user", "--net"]  # a network of its own, without a way out
    if shutil.which(alone[0]) is None or subprocess.run([*alone, "true"], check=False).returncode:
        pytest.skip("this machine lets nobody make a network namespace (unshare --net)")
    shutil.rmtree(project / "build")
    for word in ("build", "export"):
        command = [*alone, REPORTGEN, word, "--project", str(project)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert "training" not in done.stdout
    assert {path.name for path in (project / "build").glob("report.*")} >= {
        "report.pdf", "report.docx", "report.html", "report.ipynb",
    }  # fmt: skip
    for page in (made / "build" / "site").glob("*.html"):
        assert (project / "build" / "site" / page.name).read_bytes() == page.read_bytes()


def test_an_edit_of_prose_trains_nothing(project: Path) -> None:
    with (project / "docs" / "index.md").open("a", encoding="utf-8") as page:
        page.write("\nA sentence of mine.\n")
    assert "training" not in reportgen(project, "build").stdout
    assert "A sentence of mine." in (project / "build/site/index.html").read_text(encoding="utf-8")


def test_lost_lines_and_new_seeds_alone_are_trained_the_lost_to_the_same_bytes(
    project: Path,
) -> None:
    path = project / "results" / "assignment.jsonl"
    before, lines = keys(project), path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:3] + lines[4:])[:-5])
    configure(project, seeds=3, workers=2)
    told = reportgen(project, "run").stdout
    assert "torn" in told
    assert "training 6 runs" in told
    after = keys(project)
    assert len(after) == len(before) + 4
    assert set(before) < set(after)


def test_without_its_images_a_report_is_made_of_its_results(project: Path) -> None:
    (project / "own.npz").unlink()
    shutil.rmtree(project / "build")
    assert "training" not in reportgen(project, "build").stdout
    configure(project, seeds=3)
    assert "no such file" in reportgen(project, "run", expect=2).stderr


def test_a_placeholder_that_does_not_exist_is_told_and_the_old_page_stays(project: Path) -> None:
    page = project / "docs" / "part-3.md"
    before = (project / "build" / "pages" / "part-3.md").read_bytes()
    page.write_text(page.read_text() + "\n\n{{ values.assignment.margn }}\n")
    told = reportgen(project, "render", expect=2).stderr
    assert f"docs/part-3.md:{len(page.read_text().splitlines())}" in told
    assert "margin" in told
    assert (project / "build" / "pages" / "part-3.md").read_bytes() == before


def test_other_results_change_every_measured_number(made: Path, project: Path) -> None:
    write_small(project / "own.npz", train=500, test=130, classes=9, seed=5)
    reportgen(project, "build")
    for page in ("index.md", "part-1.md", "part-2.md", "part-3.md"):
        one, other = (measured(root / "build" / "pages" / page) for root in (made, project))
        assert one & other == set(), page
    assert measured(made / "build" / "pages" / "part-3.md")


def measured(page: Path) -> set[str]:
    """The numbers of at least three decimals in a page's prose and captions.

    Left out are code, formulas and tables (p-values of two seeds are few), the declared margins,
    a depthwise convolution's weights, which do not depend on the data, and the exact zero that is
    the spread of runs started from zeros.
    """
    text = page.read_text(encoding="utf-8")
    text = re.sub(r"(?s)```.*?```|<(math|table|pre|code)\b.*?</\1>|`[^`]*`", " ", text)
    text = re.sub(r"(?s)<[^>]*>", " ", text)
    numbers = set(re.findall(r"\d+\.\d{3,}", text))
    return numbers - {"0.002", "0.005", "0.058", "0.471", "0.0000"}


def test_where_he_loses_the_answer_says_so_and_nothing_else(project: Path) -> None:
    configure(project, seeds=8)
    store = Store(project / "results")
    arms = {it["spec"]["layers"][0]["kernel"]["name"]: it for it in store.records().values()}
    dataset = store.dataset("own.npz")
    assert dataset is not None
    (project / "results" / "assignment.jsonl").unlink()
    (experiment,) = (it for it in experiments() if it.number == 1)
    with store:
        for run in experiment.runs(config.load(project), dataset):
            name, seed = run.spec.layers[0].kernel.name, run.spec.seed
            record = arms[name] | {"key": run.spec.key, "spec": asdict(run.spec)}
            if name in ("GlorotNormal", "HeNormal"):
                better = arms["GlorotNormal"]["test_accuracy"] + seed / 1000
                record["test_accuracy"] = better - 0.05 * (name == "HeNormal")
            store.append("assignment", record, {})
    reportgen(project, "build")
    pages = {
        path.name: html.unescape(path.read_text()).replace("’", "'")
        for path in (project / "build" / "pages").glob("*.md")
    }
    for page in ("index.md", "part-3.md", "claims.md"):
        assert "He's accuracy less Glorot's is −0.0500" in pages[page], page
    for page, text in pages.items():
        assert "no difference shows" not in text, page
    told = reportgen(project, "claims", expect=1).stderr
    assert "the prose takes he-vs-glorot to be supported; it is contradicted" in told


def test_a_second_build_is_refused_with_the_firsts_process(project: Path) -> None:
    configure(project, epochs=1000)
    with training(project) as first:
        told = reportgen(project, "run", expect=2).stderr
        assert f"process {first.pid}" in told
        first.send_signal(signal.SIGKILL)


def test_ctrl_c_keeps_finished_runs_and_says_how_to_go_on(project: Path) -> None:
    configure(project, seeds=40, epochs=12)
    path = project / "results" / "assignment.jsonl"
    there = len(path.read_text().splitlines())
    with training(project) as process:
        while len(path.read_text().splitlines()) < there + 3:
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        _, told = process.communicate(timeout=30)
        assert process.returncode == 130
        assert time.monotonic() - began < 10
    assert "finished and kept" in told
    assert "run the same command again" in told
    assert len(path.read_text().splitlines()) >= there + 3


def test_workers_end_with_a_parent_that_is_killed(project: Path) -> None:
    configure(project, epochs=1000)
    with training(project) as process:
        listing = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        while not (children := [int(pid) for pid in listing.read_text().split()]):
            assert process.poll() is None
            time.sleep(0.05)
        process.kill()
    deadline = time.monotonic() + 5
    alive = children
    while alive and time.monotonic() < deadline:
        alive = [pid for pid in alive if _runs(pid)]
        time.sleep(0.1)
    assert alive == []


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_bad_configuration_is_told_with_all_its_problems(project: Path) -> None:
    configure(project, seds=3, epochs=0, initializers=["HeNorml"])
    told = reportgen(project, "build", expect=2).stderr
    for part in ("seds", "did you mean 'seeds'", "epochs", "HeNormal"):
        assert part in told
    (project / "reportgen.toml").unlink()
    assert "no reportgen.toml" in reportgen(project, "build", expect=2).stderr


def test_status_speaks_to_programs_and_quiet_says_nothing(made: Path) -> None:
    state = json.loads(reportgen(made, "status", "--json").stdout)
    assert {row["missing"] for row in state["experiments"] if row["on"]} == {0}
    assert reportgen(made, "run", "--quiet").stdout == ""


def test_the_projects_prose_keeps_its_own_rules() -> None:
    from reportgen.publish import lint

    assert [str(fault) for fault in lint.check(ROOT / "docs")] == []


def test_a_grader_checks_a_submission_by_training_some_of_it_again(project: Path) -> None:
    reportgen(project, "export", "submission")
    submission = project / "build" / "submission.zip"
    told = reportgen(project, "verify", str(submission), "--runs", "2", "--seed", "1").stdout
    assert "every digest is right" in told
    assert told.count("the same record") == 2
    # A result that was made prettier, with every digest made right again.
    forged = project / "forged.zip"
    with zipfile.ZipFile(submission) as packed:
        files = {name: packed.read(name) for name in packed.namelist()}
    with Store(project / "forged") as store:
        for line in files["results/assignment.jsonl"].splitlines():
            record = json.loads(line)["record"]
            store.append("assignment", {**record, "test_accuracy": 0.999}, {})
    files["results/assignment.jsonl"] = (project / "forged" / "assignment.jsonl").read_bytes()
    del files["SHA256SUMS"]
    sums = [f"{hashlib.sha256(data).hexdigest()}  {name}" for name, data in files.items()]
    with zipfile.ZipFile(forged, "w") as packed:
        for name, data in {**files, "SHA256SUMS": "\n".join(sums).encode()}.items():
            packed.writestr(name, data)
    failed = reportgen(project, "verify", str(forged), "--runs", "2", "--seed", "1", expect=1)
    assert failed.stdout.count("BEYOND") == 2
    assert "2 of 2 runs came out otherwise" in failed.stderr
