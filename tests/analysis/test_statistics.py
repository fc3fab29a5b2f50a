"""Statistics against scipy, against definitions spelled out, and at their degenerate ends."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from reportgen.analysis.statistics import (
    Mean,
    Paired,
    bounds_verdict,
    directional_verdict,
    holm,
    mean_interval,
    paired,
)

pytestmark = pytest.mark.filterwarnings("error")

quick = settings(max_examples=40, derandomize=True, deadline=None)
accuracies = st.integers(9000, 10000).map(lambda correct: correct / 10000)


def generator() -> np.random.Generator:
    return np.random.default_rng(0)


def result(mean: float, low: float, high: float, p_value: float = 0.001) -> Paired:
    return Paired(mean, low, high, 10, p_value, 0.5)


# --- pairs -------------------------------------------------------------------------------------


@quick
@given(pairs=st.lists(st.tuples(accuracies, accuracies), min_size=2, max_size=9))
def test_sign_flip_p_is_the_share_of_flips_at_least_as_far(
    pairs: list[tuple[float, float]],
) -> None:
    a, b = np.array(pairs).T
    difference = a - b
    sums = np.array([np.dot(signs, difference) for signs in product((-1, 1), repeat=len(pairs))])
    observed = difference.sum()
    tails = np.mean(sums >= observed - 1e-9), np.mean(sums <= observed + 1e-9)
    assert paired(a, b, rng=generator()).p_value == pytest.approx(min(1.0, 2 * min(tails)))


@pytest.mark.parametrize(("n", "least"), [(5, 0.0625), (10, 0.001953125), (13, 2 / 2**13)])
def test_least_p_is_exact_up_to_thirteen_pairs(n: int, least: float) -> None:
    better = np.linspace(0.1, 0.2, n)
    assert paired(better, np.zeros(n), rng=generator()).p_value == least


def test_more_pairs_are_tested_by_draws_and_never_give_zero() -> None:
    found = paired(np.linspace(1, 2, 40), np.zeros(40), rng=generator())
    assert 0 < found.p_value < 0.001


def test_the_same_seed_gives_the_same_result() -> None:
    a, b = np.random.default_rng(1).normal(size=(2, 20))
    assert paired(a, b, rng=generator()) == paired(a, b, rng=generator())
    assert paired(a, b, rng=generator()) != paired(a, b, rng=np.random.default_rng(7))


@quick
@given(pairs=st.lists(st.tuples(accuracies, accuracies), min_size=2, max_size=12))
def test_interval_is_finite_and_holds_the_mean(pairs: list[tuple[float, float]]) -> None:
    a, b = np.array(pairs).T
    found = paired(a, b, rng=generator())
    assert found.n == len(pairs)
    assert found.mean == pytest.approx(np.mean(a) - np.mean(b))
    assert found.low - 1e-12 <= found.mean <= found.high + 1e-12
    assert np.isfinite([found.low, found.high]).all()
    assert min(a - b) - 1e-12 <= found.low
    assert found.high <= max(a - b) + 1e-12


def test_interval_covers_the_true_difference_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    samples = rng.normal(0.3, 1.0, (150, 20))
    hits = 0
    for sample in samples:
        found = paired(sample, np.zeros(20), rng=rng)
        hits += found.low <= 0.3 <= found.high
    # BCa covers about 93 % at n = 20; five standard errors of 150 trials are ten points.
    assert hits / 150 >= 0.83


def test_swapping_the_arms_mirrors_the_result() -> None:
    a, b = np.random.default_rng(3).normal(size=(2, 10))
    one, other = paired(a, b, rng=generator()), paired(b, a, rng=generator())
    assert other.mean == pytest.approx(-one.mean)
    assert other.p_value == one.p_value
    assert other.probability_superior == pytest.approx(1 - one.probability_superior)
    assert other.low == pytest.approx(-one.high, abs=0.05)


def test_probability_superior_counts_ties_half() -> None:
    assert paired([3, 2, 1, 1], [1, 2, 1, 2], rng=generator()).probability_superior == 0.5
    assert paired([3, 2, 1], [1, 2, 0], rng=generator()).probability_superior == 2.5 / 3


@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e6])
def test_equal_differences_give_an_interval_of_no_width(scale: float) -> None:
    a = scale * np.array([0.1, 0.2, 0.3, 0.7, 0.8, 0.9])
    found = paired(a, a - 0.03 * scale, rng=generator())  # equal only up to rounding
    assert found.low == found.mean == found.high == pytest.approx(0.03 * scale)
    assert found.p_value == 2 / 2**6
    assert found.probability_superior == 1


def test_identical_arms_show_no_difference() -> None:
    # The zero arm: every seed ends at the same accuracy.
    found = paired([0.1135] * 10, [0.1135] * 10, rng=generator())
    assert found == Paired(0.0, 0.0, 0.0, 10, 1.0, 0.5)


def test_one_pair_decides_nothing() -> None:
    found = paired([0.98], [0.11], rng=generator())
    assert (found.low, found.high, found.p_value) == (-np.inf, np.inf, 1.0)
    assert directional_verdict(found) == "inconclusive"
    assert bounds_verdict(found, -0.002, 0.002) == "inconclusive"


def test_without_data_no_verdict_follows() -> None:
    for found in (mean_interval([]), paired([], [], rng=generator())):
        assert np.isnan(found.mean)
        assert (found.low, found.high, found.n) == (-np.inf, np.inf, 0)
        assert bounds_verdict(found, 0, np.inf) == "inconclusive"
    nothing = paired([], [], rng=generator())
    assert directional_verdict(nothing) == directional_verdict(nothing, p_value=0) == "inconclusive"


# --- means -------------------------------------------------------------------------------------


@quick
@given(values=st.lists(accuracies, min_size=2, max_size=12).filter(lambda v: min(v) < max(v)))
def test_mean_interval_is_scipys_t_interval(values: list[float]) -> None:
    found, oracle = mean_interval(values), stats.ttest_1samp(values, 0.0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((oracle.low, oracle.high))
    assert found.mean == pytest.approx(np.mean(values))
    assert found.n == len(values)


def test_mean_of_equal_values_has_no_width_and_of_one_value_no_bounds() -> None:
    found = mean_interval([0.1135] * 10)
    assert found.low == found.mean == found.high == pytest.approx(0.1135)
    assert mean_interval([0.5]) == Mean(0.5, -np.inf, np.inf, 1)


# --- families and verdicts ---------------------------------------------------------------------


@quick
@given(p_values=st.lists(st.floats(0, 1), min_size=1, max_size=8), alpha=st.floats(0.001, 0.999))
def test_holm_rejects_what_the_stepwise_procedure_rejects(
    p_values: list[float], alpha: float
) -> None:
    rejected = set()
    for step, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        if (len(p_values) - step) * p_values[index] > alpha:
            break
        rejected.add(index)
    assert {i for i, p in enumerate(holm(p_values)) if p <= alpha} == rejected


def test_holm_keeps_the_order_given() -> None:
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([]) == []


@pytest.mark.parametrize(("n", "reachable"), [(7, False), (8, True)])
def test_holm_over_six_comparisons_needs_eight_pairs(n: int, reachable: bool) -> None:
    least = paired(np.linspace(1, 2, n), np.zeros(n), rng=generator()).p_value
    assert (holm([least] * 6)[0] < 0.05) is reachable


@pytest.mark.parametrize(
    ("found", "p_value", "verdict"),
    [
        (result(0.01, 0.005, 0.015), None, "supported"),
        (result(-0.01, -0.015, -0.005), None, "contradicted"),
        (result(0.01, -0.001, 0.015), None, "inconclusive"),
        (result(0.01, 0.005, 0.015, p_value=0.0625), None, "inconclusive"),  # five pairs at best
        (result(0.01, 0.005, 0.015), 0.2, "inconclusive"),  # after Holm
        (result(0.0, 0.0, 0.0), None, "inconclusive"),
    ],
)
def test_directional_verdicts(found: Paired, p_value: float | None, verdict: str) -> None:
    assert directional_verdict(found, p_value=p_value) == verdict


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (-0.0006, 0.0010, "supported"),
        (0.0005, 0.0010, "supported"),  # a difference, but a negligible one
        (-0.0006, 0.0030, "inconclusive"),
        (-0.0030, 0.0030, "inconclusive"),
        (0.0010, 0.0030, "inconclusive"),
        (-0.0030, -0.0010, "inconclusive"),
        (0.0025, 0.0030, "contradicted"),
        (-0.0030, -0.0025, "contradicted"),
    ],
)
def test_equivalence_verdicts_at_a_margin_of_two_thousandths(
    low: float, high: float, verdict: str
) -> None:
    found = result((low + high) / 2, low, high)
    assert bounds_verdict(found, -0.002, 0.002) == verdict
