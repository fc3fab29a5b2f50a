"""Claims on deep nets (forward, backward, Glorot 2010, orthogonal), on made-up tables."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest
from experiments.words import said

from reportgen.config import Config
from reportgen.engine.datasets import DatasetInfo
from reportgen.experiments import (
    backward_gradients,
    forward_variance,
    glorot_2010,
    nets,
    orthogonal,
)
from reportgen.experiments.evidence import Results

DATASET = DatasetInfo(
    "made-up", "Made-up", "digest", "file", False, (8, 8), (40, 60), 10, (4, 6), ("a", "b")
)
EXPERIMENTS = (forward_variance, backward_gradients, glorot_2010, orthogonal)
CLAIMS = {claim.id: claim for module in EXPERIMENTS for claim in module.EXPERIMENT.claims}
VERDICTS = ("supported", "contradicted", "inconclusive")
MATRICES: dict[str, Mapping[str, np.ndarray]] = {}


def results(arms: dict[str, list[dict[str, Any]]]) -> Results:
    """A run for each entry of each arm; an entry holds probes, or fields of the record."""
    found: list[dict[str, Any]] = []
    for arm, entries in arms.items():
        for seed, entry in enumerate(entries):
            row = {"arm": arm, "seed": seed, "key": f"{arm}-{seed}", "probes": {}}
            found.append(row | entry)
    return Results(pd.DataFrame(found), Config(), DATASET, MATRICES.__getitem__)


def probed(probe: str, layers: int, **columns: Any) -> dict[str, Any]:
    """What a probe measured: numbers are repeated by layer, lists get an output layer's figure."""
    full = {
        name: [*value, 1.0] if isinstance(value, list) else [value] * (layers + 1)
        for name, value in columns.items()
    }
    inputs = {"input_mean_square": 0.1, "input_cosine": 0.4}
    return {"probes": {probe: [full | inputs]}}


def powers(factor: float, layers: int) -> list[float]:
    return [0.1 * factor**layer for layer in range(layers)]


def forward(arm: str, *factors: float) -> Results:
    depth = nets.DEPTH
    return results(
        {arm: [probed("signal", depth, h_mean_square=powers(f, depth)) for f in factors]}
    )


def relu(*variances: float) -> Results:
    columns = [{"h_std": v**0.5, "z_mean_square": 1.0, "h_mean_square": 0.5} for v in variances]
    return results({"he": [probed("signal", nets.DEPTH, **c) for c in columns]})


def zeros(*others: float) -> Results:
    same = [probed("signal", nets.DEPTH, zero=0.5) for _ in others]
    found = [probed("signal", nets.DEPTH, zero=share) for share in others]
    return results({"he": same, "lecun": same, "glorot": found})


def angle(*cosines: float) -> Results:
    return results({"he": [probed("signal", nets.DEPTH, cosine=c) for c in cosines]})


def tanh(*squares: float) -> Results:
    depth = forward_variance.TANH_DEPTH
    return results({"tanh": [probed("signal", depth, h_mean_square=q) for q in squares]})


def backward(name: str, *off: float) -> Results:
    """Errors (z) or weight gradients (kernel) of the three arms, off theory by some factor."""
    arms: dict[str, list[dict[str, Any]]] = {}
    for arm, factor in nets.FACTORS.items():
        if arm in nets.SHOWN:
            slopes = {"z": 1 / factor, "kernel": 1.0}
            arms[arm] = [
                probed("gradients", 30, **{
                    of: powers(slope * (extra if of == name else 1), 30)
                    for of, slope in slopes.items()
                })
                for extra in off
            ]  # fmt: skip
    return results(arms)


def funnel(*slopes: float) -> Results:
    count = len(backward_gradients.FUNNEL)
    signal = probed("signal", count, h_mean_square=0.1)["probes"]
    errors = [probed("gradients", count, z=powers(s, count))["probes"] for s in slopes]
    return results({"fan_in": [{"probes": signal | found} for found in errors]})


def hops(arm: str, *kept: float) -> Results:
    signal = probed("signal", 5, h_mean_square=0.1)["probes"]
    errors = [probed("gradients", 5, z=powers(k**-2, 5))["probes"] for k in kept]
    return results({arm: [{"probes": signal | found} for found in errors]})


def jacobians(*off: float) -> Results:
    """Mean singular values off theory, by layer from the second on."""
    signal = probed("signal", 5, h_mean_square=0.1)["probes"]
    blank = results({arm: [{"probes": signal}] for arm in glorot_2010.ARMS})
    arms = {}
    for arm in glorot_2010.ARMS:
        means = [0.5, *(glorot_2010.foretold(blank, arm)[2] + np.array(off))]
        arms[arm] = [{"probes": signal | {"jacobian": [{"mean": means}]}}]
    return results(arms)


def sigmoids(*tops: float) -> Results:
    looks = [[{"h_mean": [0.5, 0.5, 0.5, top, 0.0]} for top in (0.5, low)] for low in tops]
    return results({"sigmoid": [{"probes": {"signal": look}} for look in looks]})


def kernels(std: float, *ratios: float) -> Results:
    found = [{"kernels": [{"std": [std, 1.0], "largest": [std * r, 1.0]}]} for r in ratios]
    return results({"kernels": [{"probes": probes} for probes in found]})


def stds(*stds: float) -> Results:
    found = [{"kernels": [{"std": [std, 1.0], "largest": [1.0, 1.0]}]} for std in stds]
    return results({"kernels": [{"probes": probes} for probes in found]})


def product(arm: str, *values: float) -> Results:
    """One singular value throughout, by draw."""
    for seed, value in enumerate(values):
        MATRICES[f"{arm}-{seed}"] = {"product-0-singular_values": np.full((50, 128), value)}
    return results({arm: [{} for _ in values]})


def partly(*shares: float) -> Results:
    """So many of the singular values of the ReLU product at one, the others at zero."""
    for seed, share in enumerate(shares):
        spectrum = (np.arange(128) < 128 * share).astype(float)
        MATRICES[f"relu-{seed}"] = {"product-0-singular_values": np.tile(spectrum, (50, 1))}
    return results({"relu": [{} for _ in shares]})


def trained(lead: float, *, noise: float = 0.0) -> Results:
    """Six pairs in which orthogonal starts lead He's in accuracy and loss."""
    arms = {"trained_orthogonal": lead, "trained_he": 0.0}
    rows: dict[str, list[dict[str, Any]]] = {}
    for arm, more in arms.items():
        jitter = [0.01 * seed + (noise * (-1) ** seed if more else 0) for seed in range(6)]
        rows[arm] = [
            {"test_accuracy": 0.5 + more + j, "history": {"loss": [1.0 - more - j]}} for j in jitter
        ]
    return results(rows)


ROOT = float(np.sqrt(2 / (64 + 128)))
WIDE = forward_variance.cosines(results({"he": [probed("signal", 1)]}))[-1]
# Made-up tables in the order of VERDICTS.
CASES: dict[str, tuple[Results, Results, Results]] = {
    "he-keeps-size": (forward("he", 1, 1.01), forward("he", 2, 2), forward("he", 0.7, 1.3)),
    "xavier-vanishes-in-relu": (
        forward("glorot", 0.5, 0.5), forward("glorot", 1, 1), forward("glorot", 0.3, 0.7),
    ),
    "pytorch-default-is-a-sixth": (
        forward("third", 1 / 6, 1 / 6), forward("third", 1, 1), forward("third", 0.1, 0.3),
    ),
    "relu-variance-is-a-third": (relu(0.34, 0.341), relu(0.5, 0.5), relu(0.3, 0.5)),
    "same-units-off": (zeros(0.5, 0.5001), zeros(0.4, 0.6), zeros(0.5, 0.6)),
    "length-not-angle": (angle(WIDE, WIDE), angle(0.5, 0.5), angle(0.5, 1.0)),
    "tanh-decays": (tanh(0.005, 0.005), tanh(0.1, 0.1), tanh(0.001, 0.02)),
    "error-slopes": (backward("z", 1, 1.01), backward("z", 1.3, 1.3), backward("z", 1, 1.3)),
    "weight-gradients-level": (
        backward("kernel", 1, 1.01), backward("kernel", 0.5, 0.5), backward("kernel", 1, 1.5),
    ),
    "unequal-widths": (funnel(2, 2.01), funnel(1, 1), funnel(1, 3)),
    "standard-start-loses-errors": (
        hops("standard", 0.57, 0.571), hops("standard", 1, 1), hops("standard", 0.4, 0.8),
    ),
    "normalized-start-keeps-errors": (
        hops("normalized", 0.95, 0.951), hops("normalized", 0.5, 0.5),
        hops("normalized", 0.8, 1.1),
    ),
    "jacobians-as-in-theory": (
        jacobians(0, 0, 0, 0), jacobians(1, 1, 1, 1), jacobians(0, 0, 0, 1),
    ),
    "sigmoid-top-saturates": (sigmoids(0.01, 0.02), sigmoids(0.4, 0.5), sigmoids(0.01, 0.5)),
    "glorot-normal-is-truncated": (
        kernels(0.1, 2.27, 2.27), kernels(0.1, 4, 4.1), kernels(0.1, 2, 4),
    ),
    "xavier-root-is-the-deviation": (stds(ROOT, ROOT), stds(0.3, 0.3), stds(0.05, 0.2)),
    "orthogonal-vs-he-accuracy": (trained(0.2), trained(-0.2), trained(0.01, noise=0.1)),
}  # fmt: skip
SPECTRA = {
    "gaussian-product-collapses": ("gaussian", (1e-8, 1e-8), (0.1, 0.1), (1e-8, 1e-3)),
    "orthogonal-product-is-isometric": ("orthogonal", (1, 1), (0.9, 0.9), (1, 0.9)),
}

ARMS = {"he": 1.0, "glorot": 0.5, "third": 0.2}
STARTS = {"standard": 0.5, "normalized": 0.9}
# Experiment -> the values that its sentences name, made up.
VALUES: dict[str, dict[str, Any]] = {
    "forward_variance": {
        "depth": 30, "left": ARMS, "cosine": {"images": 0.4, "theory": WIDE}, "tanh": {"depth": 100}
    },
    "backward_gradients": {
        "slope": ARMS, "weight_slope": ARMS, "funnel_widths": [1024, 32], "funnel_signal": 1.0
    },
    "glorot_2010": {"back": STARTS, "singular": STARTS, "cut": 2.27},
    "orthogonal": {
        "depth": 50, "trained": {"depth": 30, "rate": 0.05},
        **dict.fromkeys(("accuracy", "loss"), dict.fromkeys(orthogonal.TRAINED, 0.5)),
    },
}  # fmt: skip


def assert_comes_out(id: str, made_up: Results, verdict: str) -> None:
    claim = CLAIMS[id]
    outcome = claim.test(made_up)
    assert outcome.verdict == verdict
    name = next(e.EXPERIMENT.name for e in EXPERIMENTS if claim in e.EXPERIMENT.claims)
    sentence = said(name, id, outcome, **VALUES.get(name, {}))
    assert sentence.endswith(".")
    assert "nan" not in sentence


@pytest.mark.parametrize("verdict", VERDICTS)
@pytest.mark.parametrize("id", CASES)
def test_claims_follow_the_data(id: str, verdict: str) -> None:
    assert_comes_out(id, CASES[id][VERDICTS.index(verdict)], verdict)


@pytest.mark.parametrize("verdict", VERDICTS)
@pytest.mark.parametrize("id", SPECTRA)
def test_claims_on_spectra_follow_the_data(id: str, verdict: str) -> None:
    arm, *values = SPECTRA[id]
    assert_comes_out(id, product(arm, *values[VERDICTS.index(verdict)]), verdict)


@pytest.mark.parametrize(
    ("verdict", "shares"), list(zip(VERDICTS, ((0.1, 0.1), (0.9, 0.9), (0.1, 0.9)), strict=True))
)
def test_the_claim_on_relu_follows_the_data(verdict: str, shares: tuple[float, ...]) -> None:
    assert_comes_out("relu-breaks-isometry", partly(*shares), verdict)


def test_every_claim_has_its_made_up_tables() -> None:
    assert {*CASES, *SPECTRA, "relu-breaks-isometry"} == set(CLAIMS)


@pytest.mark.parametrize("depth", [1, 2, 10, 50])
def test_the_law_of_gaussian_products_has_the_moments_of_fuss_and_catalan(depth: int) -> None:
    ranks = (np.arange(200_000) + 0.5) / 200_000
    squares = orthogonal.fuss_catalan(depth, ranks) ** 2
    assert squares.mean() == pytest.approx(1, rel=0.01)
    assert (squares**2).mean() == pytest.approx(depth + 1, rel=0.02)
    edge = (depth + 1) ** (depth + 1) / depth**depth
    assert squares.max() == pytest.approx(edge, rel=0.01)
