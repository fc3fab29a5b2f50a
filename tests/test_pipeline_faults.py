"""The pipeline where data, results or the machine are not as they were; its runs are made up."""

import contextlib
import errno
import json
import os
import random
import shutil
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from samples import write_small

from reportgen import config, pipeline
from reportgen.analysis import plotting
from reportgen.engine.datasets import DatasetInfo
from reportgen.engine.runner import Finished, GivenUp
from reportgen.engine.runs import Result, RunSpec
from reportgen.engine.splits import Images
from reportgen.engine.store import Store
from reportgen.errors import InputError, Interrupted, ReportgenError
from reportgen.experiments.registry import experiments
from reportgen.pipeline import Project

ROOT = Path(__file__).parents[1]


def made_up(spec: RunSpec, classes: int) -> Result:
    """A result as training leaves it, from the spec's key alone."""
    accuracy = 0.9 + int(spec.key[:4], 16) / 1e6
    record = {
        "key": spec.key,
        "spec": asdict(spec),
        "status": "finished",
        "parameters": 9_610,
        "probes": {"summary": [{"step": 0, "text": "Model"}], "validation": []},
        "initial_loss": 2.4,
        "history": {
            "step": [spec.steps],
            "loss": [0.3],
            "accuracy": [accuracy],
            "val_loss": [0.31],
            "val_accuracy": [accuracy],
        },
        "test_loss": 0.32,
        "test_accuracy": accuracy,
        "confusion": np.eye(classes, dtype=int).tolist(),
    }
    return Result(record, {})


class Here:
    """Stands for the workers: makes results up, and keeps what it was asked for."""

    asked: list[RunSpec]
    seen: list[Images]
    refuse: BaseException | str = ""
    after: int = 0

    def __init__(self, count: int, *, log: Path) -> None:
        self.count = count or 1

    def __enter__(self) -> "Here":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def start(self) -> None:
        pass

    def run(self, specs: list[RunSpec], images: Images) -> Iterator[Finished | GivenUp]:
        self.seen.append(images)
        for number, spec in enumerate(specs):
            self.asked.append(spec)
            if self.refuse and number >= self.after:
                if isinstance(self.refuse, str):
                    yield GivenUp(spec, self.refuse)
                    continue
                raise self.refuse
            yield Finished(spec, made_up(spec, images.classes), 0.5)


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> type[Here]:
    """The stand-in, in the workers' place; figures are not painted, which costs the most."""
    monkeypatch.setattr(plotting, "svg", lambda _: ("<svg/>", "<svg/>"))
    fresh = type("Fresh", (Here,), {"asked": [], "seen": []})
    monkeypatch.setattr(pipeline, "Workers", fresh)
    return fresh


class Told:
    """A watcher that keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)

    def training(self, runs: int, cost: float) -> None:
        self.lines.append(f"training {runs}")

    def trained(self, steps: int, cost: float) -> None:
        self.lines.append("trained")


def open_project(root: Path, **options: Any) -> Project:
    """A project with the assignment's experiment alone."""
    settings: dict[str, Any] = {"dataset": "own.npz", "seeds": 1, "epochs": 1} | options
    lines = [f"{key} = {json.dumps(value)}" for key, value in settings.items()]
    off = [f"{e.name} = false" for e in experiments() if e.name != "assignment"]
    text = "\n".join([*lines, "[experiments]", *off])
    (root / "reportgen.toml").write_text(text, encoding="utf-8")
    return Project(root, config.load(root), Told())


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with a small data set."""
    write_small(tmp_path / "own.npz", train=250, test=50)
    return tmp_path


def told(project: Project) -> list[str]:
    assert isinstance(project.watcher, Told)
    return project.watcher.lines


def lines(root: Path) -> list[str]:
    return (root / "results" / "assignment.jsonl").read_text(encoding="utf-8").splitlines()


def evidence(root: Path) -> bytes:
    return (root / "build" / "evidence" / "assignment" / "evidence.json").read_bytes()


# --- what is trained ----------------------------------------------------------------------------


def test_only_runs_that_are_not_there_are_trained(root: Path, here: type[Here]) -> None:
    pipeline.run(open_project(root))
    assert len(here.asked) == 4
    first = lines(root)
    pipeline.run(open_project(root))
    assert len(here.asked) == 4
    pipeline.run(open_project(root, seeds=2))
    assert {spec.seed for spec in here.asked[4:]} == {1}
    assert len(here.asked) == 8
    assert lines(root)[:4] == first


def test_runs_of_other_settings_are_kept_and_told_where_others_are_missing(
    root: Path, here: type[Here]
) -> None:
    pipeline.run(open_project(root))
    before = lines(root)
    project = open_project(root, epochs=2)
    pipeline.run(project)
    assert told(project)[0] == "results: 4 runs of other settings or versions kept"
    assert lines(root)[:4] == before


def test_fewer_seeds_train_nothing_and_show_only_theirs(root: Path, here: type[Here]) -> None:
    pipeline.run(open_project(root, seeds=2))
    pipeline.run(open_project(root, seeds=1))
    assert len(here.asked) == 8
    assert json.loads(evidence(root))["runs"]["seeds"] == [0]


def test_other_images_in_the_files_place_are_other_runs(root: Path, here: type[Here]) -> None:
    pipeline.run(open_project(root))
    write_small(root / "own.npz", train=250, test=50, seed=9)
    pipeline.run(open_project(root))
    before, after = here.asked[:4], here.asked[4:]
    assert len(after) == 4
    assert {spec.dataset for spec in before} & {spec.dataset for spec in after} == set()
    assert len(lines(root)) == 8


def test_damaged_images_train_nothing_and_keep_the_results(root: Path, here: type[Here]) -> None:
    pipeline.run(open_project(root))
    kept = lines(root)
    (root / "own.npz").write_bytes((root / "own.npz").read_bytes()[:-100])
    with pytest.raises(InputError, match=r"own\.npz: damaged"):
        pipeline.run(open_project(root, seeds=2))
    assert lines(root) == kept
    assert len(here.asked) == 4


def test_an_altered_line_is_told_and_trained_again_to_the_same_bytes(
    root: Path, here: type[Here]
) -> None:
    pipeline.run(open_project(root))
    path = root / "results" / "assignment.jsonl"
    whole = path.read_text(encoding="utf-8")
    path.write_text(whole.replace('"seed":0', '"seed":1', 1), encoding="utf-8")
    project = open_project(root)
    pipeline.run(project)
    assert told(project)[0] == (
        "results: assignment.jsonl line 1 is altered: dropped; that run is trained again"
    )
    assert len(here.asked) == 5
    assert sorted(lines(root)) == sorted(whole.splitlines())


def test_runs_that_cannot_be_done_are_named_and_the_others_kept(
    root: Path, here: type[Here]
) -> None:
    here.refuse, here.after = "ValueError: no", 3
    with pytest.raises(ReportgenError, match="1 runs could not be done") as caught:
        pipeline.run(open_project(root))
    assert here.asked[3].key in caught.value.message
    assert "ValueError: no" in caught.value.message
    assert "workers.log" in caught.value.hint
    assert caught.value.exit_code == 1
    assert len(lines(root)) == 3
    here.refuse = ""
    pipeline.run(open_project(root))
    assert here.asked[4:] == here.asked[3:4]


def test_ctrl_c_keeps_what_is_finished(root: Path, here: type[Here]) -> None:
    here.refuse, here.after = KeyboardInterrupt(), 3
    with pytest.raises(Interrupted, match="3 of 4 runs are finished and kept") as caught:
        pipeline.run(open_project(root))
    assert "same command again" in caught.value.hint
    assert len(lines(root)) == 3


def test_a_disk_that_fills_keeps_what_is_finished(
    root: Path, here: type[Here], monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = Store.append, []

    def append(self: Store, *args: Any) -> Any:
        calls.append(args)
        if len(calls) < 3:
            return real(self, *args)

        def full(_: int) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        return real(self, *args)

    monkeypatch.setattr(Store, "append", append)
    with pytest.raises(InputError, match="No space left on device"):
        pipeline.run(open_project(root))
    monkeypatch.undo()
    assert len(Store(root / "results").records()) >= 2


# --- what is shown ------------------------------------------------------------------------------


def test_the_order_of_the_results_does_not_show(
    root: Path, here: type[Here], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    pipeline.run(open_project(root, seeds=2))
    folder = root / "build" / "evidence" / "assignment"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    shuffled = lines(root)
    random.Random(1).shuffle(shuffled)
    assert shuffled != lines(root)
    path = root / "results" / "assignment.jsonl"
    path.write_text("".join(f"{line}\n" for line in shuffled), encoding="utf-8")
    pipeline.run(open_project(root, seeds=2))
    assert len(here.asked) == 8
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert json.loads(before["evidence.json"])["runs"]["seconds"] is None


def test_evidence_is_made_again_when_the_configuration_changes(
    root: Path, here: type[Here]
) -> None:
    pipeline.run(open_project(root, seeds=2))
    two = evidence(root)
    pipeline.run(open_project(root, seeds=1))
    assert evidence(root) != two


def test_a_report_of_other_data_than_configured_is_not_rendered(
    root: Path, here: type[Here]
) -> None:
    pipeline.run(open_project(root))
    with pytest.raises(ReportgenError) as caught:
        pipeline.render(open_project(root, dataset="other.npz"))
    assert "reportgen run" in caught.value.hint


def test_a_lost_note_of_the_dataset_is_made_again(root: Path, here: type[Here]) -> None:
    pipeline.run(open_project(root))
    (root / "results" / "datasets.json").unlink()
    pipeline.run(open_project(root))
    assert Store(root / "results").dataset("own.npz") is not None
    assert len(here.asked) == 4


def test_status_tells_what_is_there_without_training(root: Path, here: type[Here]) -> None:
    assert rows(root, seeds=2)["assignment"]["missing"] == 8
    pipeline.run(open_project(root))
    row = rows(root, seeds=2)["assignment"]
    assert (row["runs"], row["missing"], row["on"]) == (8, 4, True)
    assert row["expected"] > 0
    assert not any(row["on"] for name, row in rows(root).items() if name != "assignment")
    assert len(here.asked) == 4


def rows(root: Path, **options: Any) -> dict[str, Any]:
    state = pipeline.status(open_project(root, **options))
    return {row["name"]: row for row in state["experiments"]}


# --- without MNIST ------------------------------------------------------------------------------


def mnist_project(root: Path, **options: Any) -> Project:
    return open_project(root, dataset="mnist", **options)


def test_on_the_stand_in_images_it_is_said_and_changes_are_still_seen(
    offline: Path, here: type[Here]
) -> None:
    project = mnist_project(offline)
    pipeline.run(project)
    assert any("MNIST was not found" in line for line in told(project))
    assert len(here.seen[0].y_train) == 3200
    pipeline.run(mnist_project(offline, seeds=2))
    assert {spec.seed for spec in here.asked[4:]} == {1}
    assert json.loads(evidence(offline))["runs"]["seeds"] == [0, 1]


def recorded_mnist(root: Path) -> DatasetInfo:
    """A note of MNIST, as an earlier run on all of it leaves it."""
    info = DatasetInfo(
        "mnist", "MNIST", "digest-of-mnist", "mnist.npz", False, (28, 28),
        (4800,) * 10, 12000, (1000,) * 10, tuple("0123456789"),
    )  # fmt: skip
    with Store(root / "results") as store:
        store.remember_dataset(info)
    return info


def test_results_of_mnist_are_never_filled_up_with_other_images(
    offline: Path, here: type[Here]
) -> None:
    recorded = recorded_mnist(offline)
    project = mnist_project(offline)
    pipeline.run(project)
    assert len(here.asked) == 4
    assert recorded.digest not in {spec.dataset for spec in here.asked}
    assert any("MNIST was not found" in line for line in told(project))


def test_results_of_mnist_are_shown_without_its_images(offline: Path, here: type[Here]) -> None:
    info = recorded_mnist(offline)
    (experiment,) = (e for e in experiments() if e.name == "assignment")
    with Store(offline / "results") as store:
        for run in experiment.runs(mnist_project(offline).config, info):
            store.append("assignment", made_up(run.spec, 10).record, {})
    project = mnist_project(offline)
    pipeline.run(project)
    assert here.asked == []
    assert told(project) == []
    assert json.loads(evidence(offline))["runs"]["count"] == 4


# --- pages --------------------------------------------------------------------------------------


@pytest.mark.parametrize("changed", [{"seeds": 2}, {"dataset": "second.npz"}])
def test_pages_never_put_new_settings_beside_old_results(
    root: Path, here: type[Here], changed: dict[str, Any]
) -> None:
    shutil.copytree(ROOT / "docs" / "experiments", root / "docs" / "experiments")
    (root / "docs" / "index.md").write_text("{{ config.seeds }} seed of {{ dataset.name }}\n")
    (root / "docs" / "references.bib").write_text("")
    (root / "mkdocs.yml").write_text("nav: [index.md]\n")
    write_small(root / "second.npz", train=250, test=50, seed=2)
    pipeline.run(open_project(root, **changed))
    pipeline.run(open_project(root))
    pipeline.render(open_project(root))
    page = root / "build" / "pages" / "index.md"
    assert page.read_text() == "1 seed of own.npz\n"
    with contextlib.suppress(ReportgenError):  # to refuse is as good
        pipeline.render(open_project(root, **changed))
    assert page.read_text() == "1 seed of own.npz\n"
