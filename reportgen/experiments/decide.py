"""How claims are decided: a few tests that all experiments share, and numbers as text.

Each test can come out three ways. A test without data (every run diverged) is inconclusive.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from reportgen.analysis import statistics
from reportgen.analysis.statistics import Mean, Paired, Verdict
from reportgen.experiments.evidence import Outcome, Results, Test

Measure = Callable[[Results, str], pd.Series]  # a figure of an arm's runs, by seed


def by_seed(rows: pd.DataFrame, column: str = "test_accuracy") -> pd.Series:
    """One figure of each run of an arm, by seed."""
    return rows.set_index("seed")[column].astype(float)


def accuracy(results: Results, arm: str) -> pd.Series:
    """Test accuracy of an arm's runs, by seed."""
    return by_seed(results.rows(arm=arm))


def scored(results: Results, arm: str, **labels: Any) -> pd.Series:
    """`accuracy` where a diverged run counts as 0; of those runs that also have these labels."""
    return by_seed(results.rows(arm=arm, **labels)).fillna(0.0)


def looks(rows: pd.DataFrame, probe: str, field: str) -> np.ndarray:
    """What a probe measured, shape (runs, looks, …); NaN at looks that a diverged run had not."""
    measured = [
        np.array([look[field] for look in probes.get(probe, ())], dtype=float)
        for probes in rows["probes"]
    ]
    longest = max(measured, key=len, default=np.full(1, np.nan))
    found = np.full((len(measured), *longest.shape), np.nan)
    for run, own in enumerate(measured):
        found[run, : len(own)] = own.reshape(-1, *longest.shape[1:])
    return found


def mean(values: Iterable[float]) -> Mean:
    """Mean and 95% interval of what is finite."""
    return statistics.mean_interval(
        [float(value) for value in values if value is not None and np.isfinite(value)]
    )


def difference(a: pd.Series, b: pd.Series) -> Paired:
    """a - b over the seeds that both have."""
    both = pd.concat([a, b], axis=1, join="inner").dropna().to_numpy(dtype=float)
    return statistics.paired(both[:, 0], both[:, 1], rng=np.random.default_rng(0))


def directional(a: pd.Series, b: pd.Series, *, p_value: float | None = None) -> Outcome:
    """Whether a lies above b, by seed; `p_value` is the test's, corrected for a family."""
    how = "paired by seed: 95% bootstrap interval and exact sign-flip test both exclude 0"
    pair = difference(a, b)
    return _outcome(pair, statistics.directional_verdict(pair, p_value=p_value), how, {})


def equivalent(a: pd.Series, b: pd.Series, *, margin: float) -> Outcome:
    """Whether a and b differ by no more than a margin that was declared beforehand."""
    how = f"paired by seed: 95% bootstrap interval inside ±{margin:g}"
    pair = difference(a, b)
    verdict = statistics.bounds_verdict(pair, -margin, margin)
    return _outcome(pair, verdict, how, {"margin": margin})


def between(values: Iterable[float], low: float, high: float, **details: Any) -> Outcome:
    """Whether a mean lies from low to high: its 95% interval wholly inside, or wholly outside."""
    found = mean(values)
    bounds = f"inside {text(low)} to {text(high)}" if high < np.inf else f"above {text(low)}"
    how = f"95% interval of the mean {bounds}"
    return _outcome(found, statistics.bounds_verdict(found, low, high), how, details)


def above(values: Iterable[float], bound: float, **details: Any) -> Outcome:
    """Whether a mean lies above a bound, with its whole 95% interval."""
    return between(values, bound, np.inf, **details)


def apart(measure: Measure, arm: str, other: str, low: float, high: float = np.inf) -> Test:
    """Whether an arm's figure less another's lies, on average over seeds, from low to high."""
    return lambda results: between(measure(results, arm) - measure(results, other), low, high)


def alike(measure: Measure, arm: str, other: str, margin: float) -> Test:
    """Whether a figure of two arms is `equivalent`."""
    return lambda results: equivalent(measure(results, arm), measure(results, other), margin=margin)


def higher(measure: Measure, arm: str, other: str) -> Test:
    """Whether an arm's figure lies above another's: `directional`."""
    return lambda results: directional(measure(results, arm), measure(results, other))


def always(
    holds: Iterable[bool], how: str, *, effect: float | None = None, **details: Any
) -> Outcome:
    """Whether something holds in every run; it is contradicted where it holds in none."""
    flags = [bool(flag) for flag in holds]
    verdict: Verdict = "inconclusive"
    if len(set(flags)) == 1:
        verdict = "supported" if flags[0] else "contradicted"
    if effect is None and flags:
        effect = sum(flags) / len(flags)
    return Outcome(verdict, effect, len(flags), how, details={"holding": sum(flags), **details})


def _outcome(found: Mean, verdict: Verdict, how: str, details: Mapping[str, Any]) -> Outcome:
    low, high = (found.low, found.high) if np.isfinite(found.low) else (None, None)
    return Outcome(verdict, found.mean if found.n else None, found.n, how, low, high, details)


def text(value: float | None, digits: int = 4) -> str:
    """A number with at most so many significant digits, or a dash where there is none."""
    return "∞" if value == np.inf else fixed(value, digits, "g")


def fixed(value: float | None, digits: int = 4, form: str = "f") -> str:
    """A number with fixed decimals, or a dash where there is none."""
    return "–" if value is None or not np.isfinite(value) else f"{value:.{digits}{form}}"


def interval(low: float, high: float, form: str = ".4f") -> str:
    """`low to high`, or a dash where there is no interval."""
    if not np.isfinite(low):
        return "–"
    return f"{low:{form}} to {high:{form}}".replace("-", "−")
