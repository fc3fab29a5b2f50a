"""Claims on zeros, symmetry, the loss before training and shared objects, on made-up tables."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from experiments.words import said

from reportgen.analysis import theory
from reportgen.config import Config
from reportgen.engine.datasets import DatasetInfo
from reportgen.experiments import initial_loss, shared_initializer, symmetry, zero_number
from reportgen.experiments.evidence import Results

DATASET = DatasetInfo(
    "made-up", "Made-up", "digest", "file", False, (8, 8), (40, 60), 10, (4, 6), ("a", "b")
)
LOG_PRIORS = np.log([0.4, 0.6])
EXPERIMENTS = (zero_number, symmetry, initial_loss, shared_initializer)
CLAIMS = {claim.id: claim for module in EXPERIMENTS for claim in module.EXPERIMENT.claims}
VERDICTS = ("supported", "contradicted", "inconclusive")

Rows = list[dict[str, Any]]


def accuracies(**arms: tuple[float, ...]) -> Rows:
    """A run for each accuracy of each arm."""
    return [
        {"arm": arm, "seed": seed, "test_accuracy": value, "probes": {}}
        for arm, values in arms.items()
        for seed, value in enumerate(values)
    ]


def probes(arms: dict[str, list[dict[str, Any]]]) -> Rows:
    """A run for each entry of each arm, which names what the probes measured."""
    return [
        {"arm": arm, "seed": seed, "test_accuracy": 0.5, "key": f"{arm}-{seed}",
         "spec": {"steps": 9}, "probes": {k: v if type(v) is list else [v] for k, v in of.items()}}
        for arm, entries in arms.items()
        for seed, of in enumerate(entries)
    ]  # fmt: skip


def gradients(hidden: float) -> dict[str, Any]:
    """Gradients at the steps looked at; the last bias always has one."""
    looks = symmetry.GRADIENT_STEPS
    return {
        "gradients": [{"step": at, "kernel": [hidden] * 2, "bias": [hidden, 1.0]} for at in looks]
    }


def only_last_bias(*hidden: float) -> Rows:
    return probes(
        {"zero_relu": [gradients(h) for h in hidden], "zero_tanh": [gradients(hidden[0])]}
    )


def bias(*off: float) -> Rows:
    found = [{"output_bias": {"step": 9, "log_probabilities": LOG_PRIORS + o}} for o in off]
    return probes({"zero": found})


def kernels(*ratios: float | None) -> Rows:
    found = [{"kernels": {"step": 9, "rank_ratio": r, "cosine": 0.5}} for r in ratios]
    return probes({"constant": found})


def untrained(confident: tuple[float, ...], gradient: tuple[float, ...], off: float) -> Rows:
    """Draws of the four initializers, whose loss is some `off` away from the formula."""
    arms: dict[str, list[dict[str, Any]]] = {}
    signal = {"step": 0, "input_mean_square": 0.1}
    blank = Results(
        pd.DataFrame(probes({"he": [{"signal": signal}]})), Config(), DATASET, lambda _: {}
    )
    for arm in initial_loss.ARMS:
        q = initial_loss._variance(blank, arm)
        loss = float(theory.initial_loss_first_order(q, classes=2))
        for draw, (sure, size) in enumerate(zip(confident, gradient, strict=True)):
            logits = {
                "step": 0,
                "loss": loss + off * (1 + draw / 10),
                "std": 1.0,
                "confident": sure,
            }
            squares = [size**2 if arm == "normal" else 1.0, 1.0]
            entry = {"step": 0, "kernel": squares}
            arms.setdefault(arm, []).append(
                {"logits": logits, "signal": signal, "gradients": entry}
            )
    return probes(arms)


def copies(*deviations: float) -> Rows:
    blank = Results(pd.DataFrame(), Config(), DATASET, lambda _: {})
    arms = {}
    for arm in shared_initializer.COPIES:
        factor = shared_initializer._factor(blank, arm)
        arms[arm] = [
            {"duplication": {"step": 0, "factor": factor, "deviation": d}} for d in deviations
        ]
    return probes(arms)


NEAR, FAR, MIXED = (0.95, 0.95, 0.951), (0.2, 0.21, 0.2), (0.95, 0.2, 0.6)
PAIRS = tuple(np.linspace(0.97, 0.98, 10))
LOWER, SCATTERED = tuple(p - 0.01 for p in PAIRS), tuple(PAIRS[::-1])
SURE, UNSURE, DIVIDED = (0.9, 0.91, 0.9), (0.1, 0.11, 0.1), (0.1, 0.9, 0.4)
# Claim -> its made-up tables: supporting, contradicting, neither.
TABLES: dict[str, tuple[Rows, Rows, Rows]] = {
    "zero-only-last-bias": (only_last_bias(0, 0), only_last_bias(1, 1), only_last_bias(0, 1)),
    "zero-learns-priors": (bias(0, 0.01), bias(0.2, 0.3), bias(0, 0.3)),
    "zero-not-regression": (
        accuracies(regression=NEAR, zero=FAR),
        accuracies(regression=FAR, zero=FAR),
        accuracies(regression=MIXED, zero=FAR),
    ),
    "zero-comes-to-life": (
        accuracies(alive=NEAR, he=NEAR),
        accuracies(alive=FAR, he=NEAR),
        accuracies(alive=MIXED, he=NEAR),
    ),
    "symmetry-stays": (kernels(1e-16, 0.0), kernels(0.9, None), kernels(1e-16, 0.9)),
    "symmetry-costs": (
        accuracies(constant=FAR, he=NEAR, zero_relu=FAR),
        accuracies(constant=NEAR, he=NEAR, zero_relu=FAR),
        accuracies(constant=MIXED, he=NEAR, zero_relu=FAR),
    ),
    "zero-output-trains": (
        accuracies(zero_output=NEAR, he=NEAR, zero_relu=FAR),
        accuracies(zero_output=FAR, he=NEAR, zero_relu=FAR),
        accuracies(zero_output=MIXED, he=NEAR, zero_relu=FAR),
    ),
    "zero-hidden-divides": (
        accuracies(zero_hidden_tanh=NEAR, zero_hidden_relu=FAR, he=NEAR, zero_relu=FAR),
        accuracies(zero_hidden_tanh=FAR, zero_hidden_relu=FAR, he=NEAR, zero_relu=FAR),
        accuracies(zero_hidden_tanh=MIXED, zero_hidden_relu=FAR, he=NEAR, zero_relu=FAR),
    ),
    "initial-normal-certain": (
        untrained(SURE, SURE, 0), untrained(UNSURE, SURE, 0), untrained(DIVIDED, SURE, 0),
    ),
    "large-weights-keep-gradients": (
        untrained(SURE, (9, 9, 10), 0), untrained(SURE, UNSURE, 0), untrained(SURE, (0.5, 2, 9), 0),
    ),
    "initial-loss-formula": (
        untrained(SURE, SURE, 0.01), untrained(SURE, SURE, 1), untrained(SURE, SURE, 0.1),
    ),
    "shared-copies": (copies(0, 1e-7), copies(1, 2), copies(0, 1)),
    "shared-inert": tuple(  # whether the weights after training differ, by run: see `results`
        [*probes({"shared": [{}] * 2}), {"arm": "moved", "moved": m}]
        for m in ((0, 0), (1, 1), (0, 1))
    ),  # type: ignore[dict-item]
    "shared-no-effect": (
        accuracies(shared=PAIRS, own=PAIRS),
        accuracies(shared=LOWER, own=PAIRS),
        accuracies(shared=SCATTERED, own=PAIRS),
    ),
}  # fmt: skip


def results(rows: Rows) -> Results:
    """Results with these rows; a row "moved" says by run what the matrices are to show."""
    moved = [row["moved"] for row in rows if row["arm"] == "moved"]
    table = pd.DataFrame([row for row in rows if row["arm"] != "moved"])

    def arrays(key: str) -> dict[str, np.ndarray]:
        change = moved[0][int(key.rpartition("-")[2])]
        return {"duplication-0-first": np.zeros(4), "duplication-9-first": np.full(4, change)}

    return Results(table, Config(), DATASET, arrays)


def named(table: pd.DataFrame) -> dict[str, Any]:
    """What sentences name besides their outcome's figures: the experiments' values."""
    accuracy = table.groupby("arm")["test_accuracy"].mean().to_dict()
    arms = {arm: {"accuracy": mean, "loss": 100.0, "std": 70.0} for arm, mean in accuracy.items()}
    opening = {"certain": 0.99, "ignorance": 2.3, "close": 0.1}
    copied = {"factor_theory": dict.fromkeys(shared_initializer.COPIES, 2.5), "moved": 0.5}
    said = {"arms": arms, "accuracy": accuracy, "margin": zero_number.MARGIN, "steps": 300}
    return {**said, **opening, **copied, "dataset": DATASET.described()}


def test_every_claim_of_the_four_experiments_has_made_up_tables() -> None:
    assert TABLES.keys() == CLAIMS.keys()


@pytest.mark.parametrize("place", range(3), ids=VERDICTS)
@pytest.mark.parametrize("name", TABLES)
def test_a_claim_follows_its_table(name: str, place: int) -> None:
    claim = CLAIMS[name]
    of = results(TABLES[name][place])
    outcome = claim.test(of)
    assert outcome.verdict == VERDICTS[place]
    module = next(m for m in EXPERIMENTS if claim in m.EXPERIMENT.claims)
    sentence = said(module.EXPERIMENT.name, name, outcome, **named(of.table))
    assert sentence.endswith(".")
    assert "nan" not in sentence
