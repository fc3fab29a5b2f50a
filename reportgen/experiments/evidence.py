"""What an experiment is, and what it hands on: values, figures, tables and claims.

An experiment declares its runs and its claims, and turns the table of its results into findings.
`write` leaves them as plain files, from which pages are rendered without any of this code.
"""

import csv
import json
import re
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
    """An experiment's results.

    Attributes:
        table: One row a run: its labels, then the record's fields (`status`, `test_accuracy`,
            `history`, …). Figures of a diverged run are missing (NaN or None).
        config: What was asked for.
        dataset: What the runs saw.
        arrays: Run key -> its matrices.
    """

    table: pd.DataFrame
    config: Config
    dataset: DatasetInfo
    arrays: Callable[[str], Mapping[str, np.ndarray]]


@dataclass(frozen=True)
class Outcome:
    """How a claim's test came out.

    Attributes:
        verdict: What the data say.
        effect: The figure that decided, with its 95 % interval where it has one.
        n: Number of runs or pairs behind it.
        how: The test in words.
        details: Further figures that the claim's sentences name.
    """

    verdict: Verdict
    effect: float | None
    n: int
    how: str
    low: float | None = None
    high: float | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Claim:
    """A sentence of the answer that the data can refute.

    Attributes:
        id: Its name in pages.
        supported, contradicted, inconclusive: The sentence for each verdict; `{effect}`, `{low}`,
            `{high}`, `{n}` and the outcome's details may stand in it, with a format.
        test: Decides on the experiment's results.
        evidence: Id of the figure or table that shows it.
    """

    id: str
    supported: str
    contradicted: str
    inconclusive: str
    test: Callable[[Results], Outcome]
    evidence: str

    def sentence(self, outcome: Outcome) -> str:
        """The sentence for an outcome, with its figures."""
        numbers = {"effect": outcome.effect, "low": outcome.low, "high": outcome.high}
        template: str = getattr(self, outcome.verdict)
        shown = {**numbers, "n": outcome.n, **outcome.details}
        return typeset(template.format(**{k: np.nan if v is None else v for k, v in shown.items()}))


@dataclass(frozen=True)
class Figure:
    """A drawing with what it shows in words.

    Attributes:
        caption: Markdown; begins with the conclusion.
        alt: What is seen, for those who do not see it.
        data: The figures drawn, for the CSV.
    """

    id: str
    drawing: Drawing
    caption: str
    alt: str
    data: pd.DataFrame


@dataclass(frozen=True)
class Table:
    """Rows of text under column names; `align` holds a letter a column, l or r."""

    id: str
    caption: str
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
    title: str
    question: str
    setup: str
    runs: Callable[[Config, DatasetInfo], list[Run]]
    analyse: Callable[[Results], Findings]
    claims: tuple[Claim, ...] = ()


def tabulate(runs: Sequence[Run], records: Mapping[str, dict[str, Any]]) -> pd.DataFrame:
    """The tidy table of an experiment: a row for each run that has a record."""
    rows = []
    for run in runs:
        record = records.get(run.spec.key)
        if record is not None:
            rows.append({**record, **run.labels, "seed": run.spec.seed})
    return pd.DataFrame(rows)


def write(
    experiment: Experiment, results: Results, folder: Path, *, seconds: float | None
) -> dict[str, Any]:
    """Analyse the results and write the evidence: JSON, SVG and CSV files into `folder`.

    Args:
        seconds: What the runs cost, or None where that is not to be told.

    Returns:
        The content of `evidence.json`.
    """
    findings = experiment.analyse(results)
    folder.mkdir(parents=True, exist_ok=True)
    for figure in findings.figures:
        light, dark = plotting.svg(figure.drawing)
        (folder / f"{figure.id}.light.svg").write_text(light, encoding="utf-8")
        (folder / f"{figure.id}.dark.svg").write_text(dark, encoding="utf-8")
        figure.data.to_csv(folder / f"{figure.id}.csv", index=False, float_format="%.8g")
    for table in findings.tables:
        with (folder / f"{table.id}.csv").open("w", encoding="utf-8", newline="") as out:
            csv.writer(out, lineterminator="\n").writerows([table.columns, *table.rows])
    content = {
        "name": experiment.name,
        "title": experiment.title,
        "question": experiment.question,
        "setup": experiment.setup,
        "values": findings.values,
        "figures": {f.id: {"caption": typeset(f.caption), "alt": f.alt} for f in findings.figures},
        "tables": {
            t.id: {
                "caption": typeset(t.caption),
                "columns": list(t.columns),
                "align": list(t.align),
                "rows": [list(row) for row in t.rows],
            }
            for t in findings.tables
        },
        "claims": {claim.id: _decide(claim, results) for claim in experiment.claims},
        "runs": {
            "count": len(results.table),
            "seeds": sorted({int(seed) for seed in results.table["seed"]}),
            "seconds": seconds,
        },
    }
    text = json.dumps(_plain(content), indent=1, sort_keys=True, allow_nan=False) + "\n"
    (folder / "evidence.json").write_text(text, encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def _decide(claim: Claim, results: Results) -> dict[str, Any]:
    outcome = claim.test(results)
    return {
        "sentence": claim.sentence(outcome),
        "verdict": outcome.verdict,
        "effect": outcome.effect,
        "low": outcome.low,
        "high": outcome.high,
        "n": outcome.n,
        "test": typeset(outcome.how),
        "evidence": claim.evidence,
    }


def typeset(text: str) -> str:
    """Numbers of a sentence as the pages set them: a minus sign, and 1e-07 as a power of ten.

    Formulas are left as they are.
    """

    def power(match: re.Match[str]) -> str:
        factor = "" if match[1] == "1" else rf"{match[1]} \times "
        return f"${factor}10^{{{int(match[2])}}}$"

    parts = text.split("$")
    for index in range(0, len(parts), 2):  # every second part is a formula
        signed = re.sub(r"(?<![\w-])-(?=\d)", "−", parts[index])
        parts[index] = re.sub(r"(?<![\w.])(\d+(?:\.\d+)?)e([+-]\d+)\b", power, signed)
    return "$".join(parts)


def _plain(value: Any) -> Any:
    """NumPy's scalars and arrays as JSON; what is not finite becomes null."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, np.generic | np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value
