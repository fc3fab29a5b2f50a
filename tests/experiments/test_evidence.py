"""What an experiment leaves on disk, and how claims say what was decided."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from reportgen.analysis import plotting
from reportgen.config import Config
from reportgen.engine.datasets import DatasetInfo
from reportgen.engine.runs import Layer, RunSpec
from reportgen.experiments.evidence import (
    Claim,
    Experiment,
    Figure,
    Findings,
    Outcome,
    Results,
    Run,
    Table,
    tabulate,
    write,
)

DATASET = DatasetInfo(
    "own.npz", "own", "digest", "own.npz", False, (2, 2), (5, 5), 2, (1, 1), ("0", "1")
)


def run(seed: int, **labels: Any) -> Run:
    return Run(labels, RunSpec("digest", (Layer(2),), seed, steps=1))


def analyse(results: Results) -> Findings:
    drawing, axes = plotting.new(height=2.0)
    axes.plot(results.table["seed"], results.table["test_accuracy"])
    data = results.table[["seed", "test_accuracy"]]
    figure = Figure("trial-figure", drawing, data)
    table = Table("trial-table", ("Name", "Mean"), "lr", [["a, b", "0.5"]])
    values = {
        "numpy": np.float64(0.25),
        "whole": np.int64(3),
        "list": np.arange(2),
        "nothing": np.nan,
        "nested": {"infinite": [np.inf, 1.0], "flag": np.True_},
    }
    return Findings(values, [figure], [table])


def outcome(results: Results) -> Outcome:
    how = "counted above -0.5"
    return Outcome("supported", 0.5, len(results.table), how, details={"margin": 0.002})


CLAIM = Claim("trial", outcome, "trial-table")
EXPERIMENT = Experiment(9, "trial", lambda *_: [run(0), run(1)], analyse, (CLAIM,))


@pytest.fixture
def results() -> Results:
    runs = [run(1, arm="x"), run(0, arm="x")]
    records = {r.spec.key: {"key": r.spec.key, "test_accuracy": 0.5, "seed": 9} for r in runs}
    return Results(tabulate(runs, records), Config(), DATASET, lambda _: {})


def test_a_table_has_a_row_for_each_run_that_is_there(results: Results) -> None:
    assert list(results.table["seed"]) == [1, 0]  # the spec's, in the order of the runs
    assert set(results.table["arm"]) == {"x"}
    both = [run(0), run(1)]
    assert len(tabulate(both, {both[1].spec.key: {"key": "k"}})) == 1


def test_evidence_is_plain_files(results: Results, tmp_path: Path) -> None:
    told = write(EXPERIMENT, results, tmp_path / "trial", seconds=1.5)
    assert {path.name for path in (tmp_path / "trial").iterdir()} == {
        "evidence.json",
        "trial-figure.light.svg",
        "trial-figure.dark.svg",
        "trial-figure.csv",
        "trial-table.csv",
    }
    assert told == json.loads((tmp_path / "trial" / "evidence.json").read_text())
    assert told["values"] == {
        "numpy": 0.25,
        "whole": 3,
        "list": [0, 1],
        "nothing": None,
        "nested": {"infinite": [None, 1.0], "flag": True},
    }
    assert told["runs"] == {"count": 2, "seeds": [0, 1], "seconds": 1.5}
    assert told["tables"]["trial-table"]["align"] == ["l", "r"]
    assert told["claims"]["trial"] == {
        "verdict": "supported",
        "effect": 0.5,
        "low": None,
        "high": None,
        "n": 2,
        "test": "counted above -0.5",
        "evidence": "trial-table",
        "details": {"margin": 0.002},
    }
    with (tmp_path / "trial" / "trial-table.csv").open(newline="") as file:
        assert list(csv.reader(file)) == [["Name", "Mean"], ["a, b", "0.5"]]
    data = pd.read_csv(tmp_path / "trial" / "trial-figure.csv")
    assert data.to_dict("list") == {"seed": [1, 0], "test_accuracy": [0.5, 0.5]}


def test_evidence_of_the_same_results_is_the_same_bytes(results: Results, tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(EXPERIMENT, results, tmp_path / name, seconds=None)
    a, b = ({p.name: p.read_bytes() for p in (tmp_path / name).iterdir()} for name in "ab")
    assert a == b
    assert a["trial-figure.light.svg"] != a["trial-figure.dark.svg"]


def test_rows_are_chosen_by_labels_and_stand_by_seed(results: Results) -> None:
    results.table["part"] = ["last", "first"]
    assert list(results.rows(arm="x")["seed"]) == [0, 1]
    assert list(results.rows(arm="x", part="last")["seed"]) == [1]
    assert results.rows(arm="y").empty
