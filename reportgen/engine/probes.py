"""Measurements of a network between two optimizer steps, without training it.

A probe takes the trainer and returns short values for the record and matrices for the run's file.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from reportgen.engine.training import Trainer

Measurement = tuple[dict[str, Any], dict[str, np.ndarray]]


def measure(name: str, trainer: "Trainer") -> Measurement:
    """Take one measurement by its name."""
    return PROBES[name](trainer)


def validation(trainer: "Trainer") -> Measurement:
    """Loss and accuracy on the validation images."""
    result = trainer.evaluate("validation")
    return {"loss": result["loss"], "accuracy": result["accuracy"]}, {}


def summary(trainer: "Trainer") -> Measurement:
    """Keras's summary of the model."""
    lines: list[str] = []
    trainer.model.summary(print_fn=lambda text, **_: lines.append(text), line_length=72)
    return {"text": "\n".join(lines)}, {}


PROBES: dict[str, Callable[["Trainer"], Measurement]] = {
    "summary": summary,
    "validation": validation,
}
