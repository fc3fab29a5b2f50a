"""How claims are decided: a few tests that all experiments share, and numbers as text.

Each test can come out three ways. A test without data (every run diverged) is inconclusive.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from reportgen.analysis import statistics
from reportgen.analysis.statistics import Mean, Paired, Verdict
from reportgen.experiments.evidence import Outcome


def by_seed(rows: pd.DataFrame, column: str = "test_accuracy") -> pd.Series:
    """One figure of each run of an arm, by seed."""
    return rows.set_index("seed")[column].astype(float)


def scored(rows: pd.DataFrame) -> pd.Series:
    """Test accuracy by seed, where a diverged run counts as 0."""
    return by_seed(rows).fillna(0.0)


def probed(rows: pd.DataFrame, probe: str, field: str, step: int | None = None) -> list[Any]:
    """What a probe measured in each run at a step, or at its last; None where a run has nothing."""
    found = []
    for probes in rows["probes"]:
        taken = [entry for entry in probes.get(probe, ()) if step in (None, entry["step"])]
        found.append(taken[-1].get(field) if taken else None)
    return found


def by_layer(rows: pd.DataFrame, probe: str, name: str) -> np.ndarray:
    """A probe's list of each run at the first step probed, shape (runs, layers)."""
    return np.array([probes[probe][0][name] for probes in rows["probes"]], dtype=float)


def mean(values: Iterable[float]) -> Mean | None:
    """Mean and 95% interval of what is finite, or None where nothing is."""
    finite = [float(value) for value in values if value is not None and np.isfinite(value)]
    return statistics.mean_interval(finite) if finite else None


def average(values: Iterable[float]) -> float | None:
    """Mean of what is finite, or None where nothing is."""
    found = mean(values)
    return found.mean if found else None


def difference(a: pd.Series, b: pd.Series) -> Paired | None:
    """a - b over the seeds that both have, or None where there are none."""
    both = pd.concat([a, b], axis=1, join="inner").dropna().to_numpy(dtype=float)
    if not len(both):
        return None
    return statistics.paired(both[:, 0], both[:, 1], rng=np.random.default_rng(0))


def directional(
    a: pd.Series, b: pd.Series, *, p_value: float | None = None, **details: Any
) -> Outcome:
    """Whether a lies above b, by seed; `p_value` is the test's, corrected for a family."""
    how = "paired by seed: 95% bootstrap interval and exact sign-flip test both exclude 0"
    pair = difference(a, b)
    verdict = statistics.directional_verdict(pair, p_value=p_value) if pair else "inconclusive"
    return _outcome(pair, verdict, how, details)


def equivalent(a: pd.Series, b: pd.Series, *, margin: float, **details: Any) -> Outcome:
    """Whether a and b differ by no more than a margin that was declared beforehand."""
    how = f"paired by seed: 95% bootstrap interval inside ±{margin:g}"
    pair = difference(a, b)
    verdict = statistics.bounds_verdict(pair, -margin, margin) if pair else "inconclusive"
    return _outcome(pair, verdict, how, {"margin": margin, **details})


def between(values: Iterable[float], low: float, high: float, **details: Any) -> Outcome:
    """Whether a mean lies from low to high: its 95% interval wholly inside, or wholly outside."""
    found = mean(values)
    bounds = f"inside {text(low)} to {text(high)}" if high < np.inf else f"above {text(low)}"
    how = f"95% interval of the mean {bounds}"
    verdict = statistics.bounds_verdict(found, low, high) if found else "inconclusive"
    return _outcome(found, verdict, how, details)


def above(values: Iterable[float], bound: float, **details: Any) -> Outcome:
    """Whether a mean lies above a bound, with its whole 95% interval."""
    return between(values, bound, np.inf, **details)


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


def _outcome(found: Mean | None, verdict: Verdict, how: str, details: Mapping[str, Any]) -> Outcome:
    if found is None:
        return Outcome("inconclusive", None, 0, how, details=details)
    low, high = (found.low, found.high) if np.isfinite(found.low) else (None, None)
    return Outcome(verdict, found.mean, found.n, how, low, high, details)


def expected(
    what: str, number: float | str, measured: float | None, low: float, high: float
) -> dict[str, Any]:
    """A number foretold beside the one measured, and whether this lies from low to high."""
    holds = measured is not None and bool(low <= measured <= high)
    found = {"what": what, "expected": number, "measured": measured}
    return {**found, "low": low, "high": high, "holds": holds}


def text(value: float | None, digits: int = 4) -> str:
    """A number with at most so many significant digits, or a dash where there is none."""
    return "∞" if value == np.inf else fixed(value, digits, "g")


def fixed(value: float | None, digits: int = 4, form: str = "f") -> str:
    """A number with fixed decimals, or a dash where there is none."""
    return "–" if value is None or not np.isfinite(value) else f"{value:.{digits}{form}}"


def interval(low: float | None, high: float | None, form: str = ".4f") -> str:
    """`low to high`, or a dash where there is no interval."""
    if low is None or high is None or not np.isfinite(low):
        return "–"
    return f"{low:{form}} to {high:{form}}".replace("-", "−")
