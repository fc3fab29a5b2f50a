"""What the data support: paired comparisons by seed, intervals, and the verdicts on claims.

Runs are paired by seed (same split, batch order and unit draws), after Bouthillier et al. (2021).
Randomness comes from generators that the caller passes: the same seed gives the same report.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

Verdict = Literal["supported", "contradicted", "inconclusive"]

_RESAMPLES = 9999  # scipy's default; 2^13 sign flips fit in, so the test is exact up to 13 pairs


@dataclass(frozen=True)
class Mean:
    """A mean of n values with its 95 % interval, in the values' unit.

    Of one value the interval is infinite, and of none the mean is NaN as well: no verdict follows.
    """

    mean: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class Paired(Mean):
    """The mean difference A - B of n pairs, with the sign-flip test's p and P(A > B)."""

    p_value: float
    probability_superior: float


def mean_interval(values: ArrayLike) -> Mean:
    """Mean and 95 % t interval of finite values, shape (n,).

    t, not bootstrap: with three to five seeds the bootstrap's interval is much too narrow. Equal
    values give an interval of no width.
    """
    x = np.asarray(values, dtype=float)
    mean = float(x.mean()) if x.size else np.nan
    if x.size < 2:
        return Mean(mean, -np.inf, np.inf, x.size)
    if _constant(x, x):
        return Mean(mean, mean, mean, x.size)
    low, high = scipy.stats.t.interval(0.95, x.size - 1, loc=mean, scale=scipy.stats.sem(x))
    return Mean(mean, float(low), float(high), x.size)


def paired(a: ArrayLike, b: ArrayLike, *, rng: np.random.Generator) -> Paired:
    """Compare a with b, each of n finite values and in the same order of seeds.

    Interval: BCa bootstrap of the mean difference, of no width if the differences are equal. Test:
    sign flips of the mean, two-sided, exact up to n = 13 and by 9,999 draws beyond; its least p is
    2^(1 - n), so 0.05 takes six pairs. P(A > B): the share of pairs, ties counting half. One pair
    or none has p = 1.
    """
    first, second = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    difference = first - second
    n = difference.size
    if n == 0:
        return Paired(np.nan, -np.inf, np.inf, 0, 1.0, np.nan)
    mean, low, high, p_value = float(difference.mean()), -np.inf, np.inf, 1.0
    if n > 1:
        p_value = _sign_flip(difference, rng)
        low = high = mean
        if not _constant(difference, np.concatenate([first, second])):
            interval = scipy.stats.bootstrap(
                (difference,), np.mean, n_resamples=_RESAMPLES, method="BCa", rng=rng
            ).confidence_interval
            low, high = float(interval.low), float(interval.high)
    superior = (np.sum(first > second) + np.sum(first == second) / 2) / n
    return Paired(mean, low, high, n, p_value, float(superior))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p-values of one family, in the order given (Holm, 1979)."""
    adjusted, largest = [1.0] * len(p_values), 0.0
    for rank, index in enumerate(np.argsort(p_values)):
        largest = max(largest, (len(p_values) - rank) * p_values[index])
        adjusted[index] = min(1.0, largest)
    return adjusted


def directional_verdict(result: Paired, *, p_value: float | None = None) -> Verdict:
    """On "A > B" (swap the arms for "A < B"): both interval and test must exclude no difference.

    p_value replaces the result's own, where `holm` has adjusted it for a family.
    """
    p = result.p_value if p_value is None else p_value
    if p >= 0.05 or result.low <= 0 <= result.high:
        return "inconclusive"
    return "supported" if result.mean > 0 else "contradicted"


def bounds_verdict(result: Mean, low: float, high: float) -> Verdict:
    """On "the mean lies from low to high", bounds declared before the data were seen.

    Supported if the 95 % interval lies inside them, contradicted if wholly outside. Bounds of
    +- margin test equivalence, "no difference beyond the margin".
    """
    if low <= result.low and result.high <= high:
        return "supported"
    return "contradicted" if result.low > high or result.high < low else "inconclusive"


def _constant(x: NDArray[np.float64], origin: NDArray[np.float64]) -> bool:
    """Whether x, computed from origin, is constant but for rounding (where BCa is undefined)."""
    return bool(np.ptp(x) <= 8 * np.spacing(np.abs(origin).max()))


def _sign_flip(difference: NDArray[np.float64], rng: np.random.Generator) -> float:
    test = scipy.stats.permutation_test(
        (difference,), np.mean, permutation_type="samples", n_resamples=_RESAMPLES, rng=rng
    )
    return float(test.pvalue)
