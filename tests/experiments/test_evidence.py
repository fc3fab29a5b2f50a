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
    typeset,
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
    figure = Figure("trial-figure", drawing, "A **caption**.", "A line.", data)
    table = Table("trial-table", "Caption.", ("Name", "Mean"), "lr", [["a, b", "0.5"]])
    values = {
        "numpy": np.float64(0.25),
        "whole": np.int64(3),
        "list": np.arange(2),
        "nothing": np.nan,
        "nested": {"infinite": [np.inf, 1.0], "flag": np.True_},
    }
    return Findings(values, [figure], [table])


def outcome(results: Results) -> Outcome:
    return Outcome("supported", 0.5, len(results.table), "counted", details={"margin": 0.002})


CLAIM = Claim(
    "trial", "At {effect:.2f} of {n}, ±{margin:g}.", "No.", "Open.", outcome, "trial-table"
)
EXPERIMENT = Experiment(
    9, "trial", "Trial", "Why?", "So.", lambda *_: [run(0), run(1)], analyse, (CLAIM,)
)


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
    claim = told["claims"]["trial"]
    assert claim["sentence"] == "At 0.50 of 2, ±0.002."
    assert (claim["verdict"], claim["evidence"]) == ("supported", "trial-table")
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


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (Outcome("supported", 0.5, 3, "", details={"margin": 0.1}), "At 0.50 of 3, ±0.1."),
        (Outcome("contradicted", None, 3, ""), "No."),
        (Outcome("inconclusive", None, 0, ""), "Open."),
    ],
)
def test_a_claim_says_the_sentence_of_its_verdict(shown: Outcome, expected: str) -> None:
    assert CLAIM.sentence(shown) == expected


def test_a_sentence_without_its_numbers_can_still_be_written() -> None:
    claim = Claim("c", "", "", "{effect:+.4f} from {low:.2f} to {high:.2f}", outcome, "t")
    assert "nan" in claim.sentence(Outcome("inconclusive", None, 0, ""))


def test_a_negative_number_in_a_sentence_has_a_minus_sign() -> None:
    claim = Claim("c", "{effect:+.3f}, well-known 2-layer nets", "", "", outcome, "t")
    assert claim.sentence(Outcome("supported", -0.5, 3, "")) == "−0.500, well-known 2-layer nets"


def test_numbers_of_a_sentence_are_set_as_in_the_pages() -> None:
    assert typeset("-0.5 of 1.1e-07, 1e-16 and -2e+03") == (
        r"−0.5 of $1.1 \times 10^{-7}$, $10^{-16}$ and −$2 \times 10^{3}$"
    )
    assert typeset("$x^{-1}$ in layer-2, seeds 0-9") == "$x^{-1}$ in layer-2, seeds 0-9"
