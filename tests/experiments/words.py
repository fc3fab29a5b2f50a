"""What docs/experiments/ makes of an outcome."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from reportgen.experiments.evidence import Outcome
from reportgen.publish.faults import refuse
from reportgen.publish.wording import Wording

DOCS = Path(__file__).parents[2] / "docs"


def said(experiment: str, claim: str, outcome: Outcome, **values: Any) -> str:
    """The claim's sentence for an outcome; `values` are the experiment's, where it names them."""
    names = {**values, **asdict(outcome), **outcome.details}
    words = Wording(DOCS, experiment)
    sentence = words.said(f"claims.{claim}.{outcome.verdict}", names)
    refuse(words.faults)
    return sentence
