"""Claims on depth, scale, chaos, normalization and inputs, each in all three verdicts."""

from types import ModuleType
from typing import Any

import pandas as pd
import pytest
from experiments.words import said

from reportgen.config import Config
from reportgen.engine.datasets import DatasetInfo
from reportgen.experiments import (
    depth_optimizer_rate,
    edge_of_chaos,
    input_scale,
    normalization,
    sigma_sweep,
)
from reportgen.experiments.evidence import Results

DATASET = DatasetInfo(
    "made-up", "Made-up", "digest", "file", False, (8, 8), (400, 600), 100, (40, 60), ("a", "b")
)
VERDICTS = ("supported", "contradicted", "inconclusive")
MIXED = (0.1, 0.9)  # by seed in turn
Rule = tuple[dict[str, Any], Any]  # labels, and the figure of runs that have them


def results(module: ModuleType, *rules: Rule) -> Results:
    """All runs of an experiment, each with what the last rule for its labels says of it.

    A figure is an accuracy, or what a probe measured by name; a tuple holds one for each seed.
    """
    rows = []
    for run in module.EXPERIMENT.runs(Config(), DATASET):
        row = {**run.labels, "seed": run.spec.seed, "status": "finished", "probes": {}}
        for labels, figure in rules:
            if labels.items() <= run.labels.items():
                own = figure[run.spec.seed % len(figure)] if isinstance(figure, tuple) else figure
                if isinstance(own, dict):
                    row["probes"] = {name: [{"step": 0, **of}] for name, of in own.items()}
                else:
                    row |= {"test_accuracy": own, "history": {"val_accuracy": [own]}}
        rows.append({"test_accuracy": None, "history": {"val_accuracy": [None]}, **row})
    return Results(pd.DataFrame(rows), Config(), DATASET, lambda _: {})


def gradient(square: float) -> dict[str, Any]:
    return {"gradients": {"kernel": [square] * (depth_optimizer_rate.DEEP + 1)}}


def stream(factor: float, added: float) -> dict[str, Any]:
    squares = [1.0]
    for _ in range(normalization.BLOCKS):
        squares.append(factor * squares[-1] + added)
    return {"signal": {"h_mean_square": [*squares, 1.0]}}


def start(square: float) -> dict[str, Any]:
    """Logits of this mean square, where theory says 2."""
    return {"signal": {"input_mean_square": 1.0}, "logits": {"mean_square": square, "std": 1.0}}


def dead(count: float) -> dict[str, Any]:
    return {"dead_units": {"count": count}}


ALL: dict[str, Any] = {}
GLOROT = {"arm": "glorot", "depth": depth_optimizer_rate.DEEP}
THIRD = {"arm": "third", "depth": depth_optimizer_rate.DEEP}
FAST = {"arm": "he", "depth": depth_optimizer_rate.DEEP, "optimizer": "sgd", "rate": 0.5}
LOWERED = {"arm": "third", "epsilon": depth_optimizer_rate.LOWERED.epsilon}
MANY = {"arm": "small", "depth": 10}
STREAM, NORMED = {"part": "stream", "kind": ""}, {"part": "stream", "kind": "layer"}
SCALED, PLAIN = {"arm": "he", "standardized": True}, {"arm": "he", "standardized": False}
NONE, HIGH = (ALL, 0.1), (ALL, 0.9)

# Claim -> the rules that should support it, contradict it and leave it open.
CASES: dict[str, tuple[ModuleType, tuple[tuple[Rule, ...], ...]]] = {
    "xavier-stall-is-sgd": (
        depth_optimizer_rate,
        tuple((NONE, (GLOROT | {"optimizer": "adam"}, figure)) for figure in (0.9, 0.1, MIXED)),
    ),
    "he-needs-its-rate": (
        depth_optimizer_rate,
        tuple((HIGH, (FAST, figure)) for figure in (0.1, 0.9, MIXED)),
    ),
    "glorot-at-epsilon": (
        depth_optimizer_rate,
        tuple(((GLOROT, of),) for of in (
            gradient(1e-14), gradient(1e-4), (gradient(1e-14), gradient(1e-4))
        )),
    ),
    "epsilon-revives": (
        depth_optimizer_rate,
        tuple((NONE, (LOWERED, figure)) for figure in (0.9, 0.1, MIXED)),
    ),
    "small-scale-stalls": (
        depth_optimizer_rate,
        tuple((HIGH, (MANY, figure)) for figure in (0.1, 0.9, MIXED)),
    ),
    "depth-separates": (
        depth_optimizer_rate,
        tuple((HIGH, (THIRD, figure)) for figure in (0.1, 0.9, MIXED)),
    ),
    "edge-peak": (
        edge_of_chaos,
        (
            (NONE, ({"variance": 1.76}, 0.9)),
            (NONE, ({"variance": 4.0}, 0.9)),
            (NONE, ({"variance": 1.0}, 0.8), ({"variance": 4.0, "depth": 40}, 0.9)),
        ),
    ),
    "edge-reach": (edge_of_chaos, ((NONE,), (HIGH,), (NONE, ({"variance": 1.0}, 0.9)))),
    "sweep-plateau": (
        sigma_sweep,
        ((HIGH,), (NONE, ({"sigma": 0.1}, 0.9)), ((ALL, MIXED), ({"sigma": 0.1}, 0.9))),
    ),
    "shallow-cannot-rank": (
        sigma_sweep,
        ((HIGH,), (NONE, ({"sigma": 10.0}, 0.9)), ((ALL, MIXED), ({"sigma": 10.0}, 0.9))),
    ),
    "normal-or-uniform": (
        sigma_sweep,
        tuple((HIGH, ({"arm": "uniform"}, figure)) for figure in (0.9, 0.8, (0.88, 0.92))),
    ),
    "batchnorm-lifts": (
        normalization,
        tuple((NONE, ({"kind": "batch"}, figure)) for figure in (0.9, 0.1, MIXED)),
    ),
    "layernorm-effective-rate": (
        normalization,
        tuple((NONE, ({"setting": "slow"}, figure)) for figure in (0.9, 0.1, MIXED)),
    ),
    "residual-threefold": (
        normalization,
        tuple(((STREAM, of),) for of in (stream(3, 0), stream(2, 0), (stream(3, 0), stream(2, 0)))),
    ),
    "prenorm-linear": (
        normalization,
        tuple(((NORMED, of),) for of in (stream(1, 2), stream(1, 1), (stream(1, 2), stream(1, 1)))),
    ),
    "input-formula": (
        input_scale,
        tuple(((ALL, of),) for of in (start(2), start(4), (start(1), start(4)))),
    ),
    "standardized-early": (
        input_scale,
        tuple(((PLAIN, 0.5), (SCALED, figure)) for figure in (0.9, 0.1, MIXED)),
    ),
    "standardized-final": (
        input_scale,
        tuple(((PLAIN, 0.5), (SCALED, figure)) for figure in (0.5, 0.9, MIXED)),
    ),
    "small-starts-die": (
        input_scale,
        tuple(((ALL, dead(4)), ({"arm": "small"}, of)) for of in (
            dead(9), dead(1), (dead(9), dead(1))
        )),
    ),
    "he-spares-no-units": (
        input_scale,
        tuple(((ALL, dead(4)), ({"arm": "he"}, of)) for of in (
            dead(4), dead(9), (dead(9), dead(1))
        )),
    ),
}  # fmt: skip
# Experiment -> the values that its sentences name, made up, where they are not its constants.
VALUES: dict[str, dict[str, Any]] = {
    "sigma_sweep": {"margin": sigma_sweep.PLATEAU},
    "input_scale": {
        "units": 128,
        "dead": dict.fromkeys(input_scale.STARTS, 4.0),
        **dict.fromkeys(
            ("logit_std", "logit_theory", "early", "final"), dict.fromkeys(input_scale.SCALES, 0.5)
        ),
    },
}
CLAIMS = {
    claim.id: claim
    for module in (depth_optimizer_rate, edge_of_chaos, sigma_sweep, normalization, input_scale)
    for claim in module.EXPERIMENT.claims
}


@pytest.mark.parametrize("verdict", VERDICTS)
@pytest.mark.parametrize("claim", CLAIMS)
def test_each_claim_comes_out_as_its_data_say(claim: str, verdict: str) -> None:
    module, cases = CASES[claim]
    outcome = CLAIMS[claim].test(results(module, *cases[VERDICTS.index(verdict)]))
    assert outcome.verdict == verdict
    name = module.EXPERIMENT.name
    values = getattr(module, "CONSTANTS", {}) | VALUES.get(name, {})
    sentence = said(name, claim, outcome, **values)
    assert sentence.endswith(".")
    assert "nan" not in sentence


def test_a_diverged_rate_is_never_the_tuned_one() -> None:
    first, *_, last = depth_optimizer_rate.SGD
    best = FAST | {"rate": last.learning_rate}
    case = ("he", depth_optimizer_rate.DEEP, "sgd")
    trained = results(depth_optimizer_rate, NONE, (best, 0.2))
    assert depth_optimizer_rate.best(trained, *case) == last
    diverged = results(depth_optimizer_rate, NONE, (best, 0.95))
    diverged.table.loc[diverged.table["rate"] == last.learning_rate, "status"] = "diverged"
    assert depth_optimizer_rate.best(diverged, *case) == first
