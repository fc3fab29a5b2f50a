"""What docs/experiments/ makes of an outcome."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from reportgen.experiments.evidence import Outcome
from reportgen.publish import wording

DOCS = Path(__file__).parents[2] / "docs"


def said(experiment: str, claim: str, outcome: Outcome, **values: Any) -> str:
    """The claim's sentence for an outcome; `values` are the experiment's, where it names them."""
    names = {**values, **asdict(outcome), **outcome.details}
    return wording.sentence(DOCS, experiment, claim, names)
