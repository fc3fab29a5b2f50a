"""The shared tests of claims: all three verdicts, and no data at all."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from reportgen.experiments import decide
from reportgen.experiments.evidence import Outcome

SEEDS = range(10)
NOISE = pd.Series(np.random.default_rng(0).normal(0, 1e-4, 10), index=SEEDS)
BASE = pd.Series(np.linspace(0.96, 0.98, 10), index=SEEDS)


def verdict(outcome: Outcome) -> str:
    return outcome.verdict


@pytest.mark.parametrize(
    ("shift", "expected"), [(0.01, "supported"), (-0.01, "contradicted"), (0.0, "inconclusive")]
)
def test_a_direction_follows_the_paired_differences(shift: float, expected: str) -> None:
    outcome = decide.directional(BASE + shift + NOISE, BASE)
    assert outcome.verdict == expected
    assert outcome.n == 10
    assert outcome.effect == pytest.approx(shift + NOISE.mean())
    low, effect, high = np.array([outcome.low, outcome.effect, outcome.high], dtype=float)
    assert low <= effect <= high


def test_five_pairs_decide_no_direction() -> None:
    """The exact test cannot reach 0.05 with five."""
    five = BASE.iloc[:5]
    assert verdict(decide.directional(five + 0.1, five)) == "inconclusive"
    assert verdict(decide.directional(BASE.iloc[:6] + 0.1, BASE.iloc[:6])) == "supported"


@pytest.mark.parametrize(
    ("shift", "margin", "expected"),
    [
        (0.0, 0.002, "supported"),
        (0.01, 0.002, "contradicted"),
        (-0.01, 0.002, "contradicted"),
        (0.002, 0.002, "inconclusive"),
    ],
)
def test_equivalence_needs_the_whole_interval_inside_the_margin(
    shift: float, margin: float, expected: str
) -> None:
    outcome = decide.equivalent(BASE + shift + NOISE - NOISE.mean(), BASE, margin=margin)
    assert outcome.verdict == expected
    assert outcome.details["margin"] == margin


def test_pairs_are_matched_by_seed_and_not_by_place() -> None:
    shuffled = (BASE + 0.01).sample(frac=1, random_state=1)
    pair = decide.difference(shuffled, BASE)
    assert (pair.mean, pair.low, pair.high) == pytest.approx((0.01, 0.01, 0.01))


def test_a_seed_that_one_arm_lacks_is_left_out() -> None:
    diverged = (BASE + 0.01).where(BASE.index != 3).drop(index=7)
    outcome = decide.directional(diverged, BASE)
    assert outcome.n == 8
    assert outcome.effect == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.50, 0.51, 0.52], "supported"),
        ([0.70, 0.71, 0.72], "contradicted"),
        ([0.30, 0.31, 0.32], "contradicted"),
        ([0.58, 0.60, 0.62], "inconclusive"),
        ([0.10, 0.90], "inconclusive"),
        ([0.50], "inconclusive"),
        ([], "inconclusive"),
        ([np.nan], "inconclusive"),
    ],
)
def test_a_mean_lies_between_bounds_with_its_whole_interval(
    values: list[float], expected: str
) -> None:
    assert verdict(decide.between(values, 0.4, 0.6)) == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [([2, 2.1, 2.2], "supported"), ([0.1, 0.2, 0.3], "contradicted"), ([0.9, 1.1], "inconclusive")],
)
def test_a_mean_lies_above_a_bound_with_its_whole_interval(
    values: list[float], expected: str
) -> None:
    outcome = decide.above(values, 1.0)
    assert outcome.verdict == expected
    assert outcome.effect == pytest.approx(np.mean(values))


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ([True, True], "supported"),
        ([False, False], "contradicted"),
        ([True, False], "inconclusive"),
        ([], "inconclusive"),
    ],
)
def test_what_always_holds_holds_in_every_run(flags: list[bool], expected: str) -> None:
    outcome = decide.always(flags, "looked at")
    assert outcome.verdict == expected
    assert outcome.n == len(flags)
    assert outcome.details["holding"] == sum(flags)


def test_without_data_every_test_is_inconclusive_and_names_no_number() -> None:
    nothing = pd.Series([np.nan] * 3, index=range(3))
    empty = pd.Series([], dtype=float)
    for outcome in (
        decide.directional(nothing, nothing),
        decide.directional(empty, BASE),
        decide.equivalent(nothing, BASE.iloc[:3], margin=0.1),
        decide.between([], 0, 1),
        decide.above(nothing, 0),
        decide.always([], "looked at"),
    ):
        assert (outcome.verdict, outcome.effect, outcome.n) == ("inconclusive", None, 0)


def test_looks_are_filled_up_with_nan_where_a_run_diverged() -> None:
    def taken(*z: float | None) -> dict[str, Any]:
        return {"signal": [{"step": at, "z": [value, 1.0]} for at, value in enumerate(z)]}

    rows = pd.DataFrame({"probes": [taken(1.0, None, 3.0), taken(4.0), {}]})
    found = decide.looks(rows, "signal", "z")
    np.testing.assert_array_equal(
        found[:, :, 0], [[1, np.nan, 3], [4] + [np.nan] * 2, [np.nan] * 3]
    )
    np.testing.assert_array_equal(found[:2, 0, 1], 1)
    np.testing.assert_array_equal(decide.looks(rows, "signal", "step")[0], [0, 1, 2])
    assert decide.looks(rows[:0], "signal", "step").shape == (0, 1)


def test_an_interval_that_is_infinite_is_not_told() -> None:
    outcome = decide.directional(BASE.iloc[:1] + 1, BASE.iloc[:1])
    assert (outcome.low, outcome.high, outcome.n) == (None, None, 1)
    assert decide.between([0.5], 0, 1).low is None


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.12345, "0.1235"), (0.0, "0.0000"), (None, "–"), (np.nan, "–"), (np.inf, "–")],
)
def test_numbers_have_fixed_decimals_or_are_a_dash(value: float | None, shown: str) -> None:
    assert decide.fixed(value) == shown


def test_an_interval_is_two_numbers_or_a_dash() -> None:
    assert decide.interval(0.1, 0.25) == "0.1000 to 0.2500"
    assert decide.interval(-np.inf, np.inf) == "–"
