"""What an experiment is, and what it hands on: values, figures, tables and claims.

An experiment declares its runs and its claims, and turns the table of its results into findings.
`write` leaves them as plain files, from which pages are rendered without any of this code. What is
said of them, captions and sentences, stands in docs/experiments/.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure as Drawing

from reportgen.analysis import plotting
from reportgen.analysis.statistics import Verdict
from reportgen.config import Config
from reportgen.engine.datasets import DatasetInfo
from reportgen.engine.runs import RunSpec


@dataclass(frozen=True)
class Run:
    """A run in an experiment: its spec, and the labels by which the experiment knows it."""

    labels: dict[str, Any]
    spec: RunSpec


@dataclass(frozen=True)
class Results:
    """An experiment's results: `arrays` gives a run's matrices by its key.

    The table has a row for each run: its labels, then the record's fields (`status`,
    `test_accuracy`, `history`, …). Figures of a diverged run are missing (NaN or None).
    """

    table: pd.DataFrame
    config: Config
    dataset: DatasetInfo
    arrays: Callable[[str], Mapping[str, np.ndarray]]

    def rows(self, **labels: Any) -> pd.DataFrame:
        """The rows of runs with these labels, by seed."""
        table = self.table
        for name, value in labels.items():
            table = table[table[name] == value]
        return table.sort_values("seed")


@dataclass(frozen=True)
class Outcome:
    """How a claim's test came out: the verdict, and the `effect` that decided.

    The effect has a 95% interval from `low` to `high`, where it has one, and `n` runs or pairs
    behind it. `how` is the test in words; `details` are more figures for the claim's sentences.
    """

    verdict: Verdict
    effect: float | None
    n: int
    how: str
    low: float | None = None
    high: float | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


Test = Callable[[Results], Outcome]


@dataclass(frozen=True)
class Claim:
    """A sentence that the data can refute; `evidence` is the figure or table that shows it."""

    id: str
    test: Test
    evidence: str


@dataclass(frozen=True)
class Figure:
    """A drawing, and the figures drawn, for the CSV."""

    id: str
    drawing: Drawing
    data: pd.DataFrame


@dataclass(frozen=True)
class Table:
    """Rows of text under column names; `align` holds a letter a column, l or r."""

    id: str
    columns: Sequence[str]
    align: str
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Findings:
    """What an experiment found: `values` are the numbers that the prose names."""

    values: dict[str, Any]
    figures: Sequence[Figure] = ()
    tables: Sequence[Table] = ()


@dataclass(frozen=True)
class Experiment:
    """One experiment; the report's experiments stand in the order of their numbers."""

    number: int
    name: str
    runs: Callable[[Config, DatasetInfo], list[Run]]
    analyse: Callable[[Results], Findings]
    claims: tuple[Claim, ...] = ()


def tabulate(runs: Sequence[Run], records: Mapping[str, dict[str, Any]]) -> pd.DataFrame:
    """The tidy table of an experiment: a row for each run that has a record."""
    found = [(run, records.get(run.spec.key)) for run in runs]
    return pd.DataFrame(
        [{**record, **run.labels, "seed": run.spec.seed} for run, record in found if record]
    )


def write(
    experiment: Experiment, results: Results, folder: Path, *, seconds: float | None
) -> dict[str, Any]:
    """Leave JSON, SVG and CSV files in `folder`; returns what is in the JSON.

    `seconds` is what the runs cost, or None where that is not to be told.
    """
    findings = experiment.analyse(results)
    folder.mkdir(parents=True, exist_ok=True)
    for figure in findings.figures:
        for scheme, svg in zip(("light", "dark"), plotting.svg(figure.drawing), strict=True):
            (folder / f"{figure.id}.{scheme}.svg").write_text(svg, encoding="utf-8")
        figure.data.to_csv(folder / f"{figure.id}.csv", index=False, float_format="%.8g")
    for table in findings.tables:
        data = pd.DataFrame(table.rows, columns=list(table.columns))
        data.to_csv(folder / f"{table.id}.csv", index=False)
    content = {
        "number": experiment.number,
        "name": experiment.name,
        "values": findings.values,
        "figures": {figure.id: {} for figure in findings.figures},
        "tables": {
            table.id: {"columns": table.columns, "align": list(table.align), "rows": table.rows}
            for table in findings.tables
        },
        "claims": {claim.id: _decide(claim, results) for claim in experiment.claims},
        "runs": {
            "count": len(results.table),
            "seeds": sorted({int(seed) for seed in results.table["seed"]}),
            "seconds": seconds,
        },
    }
    # What is not finite is written as NaN, and read back as null.
    rough = json.dumps(content, default=lambda array: array.tolist())
    told: dict[str, Any] = json.loads(rough, parse_constant=lambda _: None)
    text = json.dumps(told, indent=1, sort_keys=True) + "\n"
    (folder / "evidence.json").write_text(text, encoding="utf-8")
    return told


def _decide(claim: Claim, results: Results) -> dict[str, Any]:
    told = {**vars(claim.test(results))}
    return {"test": told.pop("how"), "evidence": claim.evidence, **told}
