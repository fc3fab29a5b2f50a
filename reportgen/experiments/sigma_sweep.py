"""One standard deviation for all weights, over four decades, on the assignment's network."""

import numpy as np
import pandas as pd

from reportgen.analysis import plotting
from reportgen.config import Config, Initializer
from reportgen.engine.datasets import DatasetInfo
from reportgen.experiments import assignment, decide, evidence
from reportgen.experiments.assignment import EARLY_MARGIN, HIDDEN
from reportgen.experiments.decide import alike, scored
from reportgen.experiments.evidence import Claim, Experiment, Figure, Findings, Results, Run
from reportgen.experiments.nets import starts, variances, widths

SIGMAS = tuple(float(f"{sigma:.3g}") for sigma in np.geomspace(1e-3, 10, 17))
STEPS = 750
PLATEAU = 0.02  # of accuracy below the best: what a seed alone moves after so short a training
WIDE = 1.0  # decades; the schemes in use span 0.4 in this network's hidden layer
PAIRS = 10
SCHEMES = starts("he", "glorot", "third", "lecun")
# Arms beside the sweep -> their initializer.
ARMS = {"normal": SCHEMES["glorot"][0], "uniform": Initializer.of("GlorotUniform")}


def runs(config: Config, dataset: DatasetInfo) -> list[Run]:
    """The sweep, and Glorot's normal and uniform draws."""
    seeds = config.seeds_of("sigma_sweep", full=5, quick=1)
    pairs = range(max(len(seeds), config.pick(full=PAIRS, quick=2)))
    plan: list[tuple[str, float | None, Initializer, int]] = [
        ("sweep", sigma, Initializer.of("RandomNormal", stddev=sigma), seed)
        for sigma in SIGMAS[:: config.pick(full=1, quick=2)]
        for seed in seeds
    ]
    plan += [(arm, None, kernel, seed) for arm, kernel in ARMS.items() for seed in pairs]
    return [
        Run(
            {"arm": arm, "sigma": sigma},
            assignment.network(kernel, config, dataset, seed, steps=STEPS, probes=()),
        )
        for arm, sigma, kernel, seed in plan
    ]


def swept(results: Results) -> pd.DataFrame:
    """Test accuracy, seeds by standard deviations; a diverged run counts as 0."""
    table = results.rows(arm="sweep").pivot(index="seed", columns="sigma", values="test_accuracy")
    return table.astype(float).fillna(0)


def plateau(accuracies: pd.Series) -> tuple[float, float]:
    """Least and greatest standard deviation around the best within `PLATEAU` of it."""
    below = np.flatnonzero(accuracies < accuracies.max() - PLATEAU)
    best = int(np.argmax(accuracies))
    low = below[below < best].max(initial=-1) + 1
    high = below[below > best].min(initial=len(accuracies)) - 1
    return float(accuracies.index[low]), float(accuracies.index[high])


def by_seed(results: Results) -> list[tuple[float, float]]:
    """The plateau of each seed."""
    return [plateau(accuracies) for _, accuracies in swept(results).T.items()]


def scheme_sigmas(results: Results) -> dict[str, np.ndarray]:
    """Scheme -> its standard deviation in the hidden and in the output layer."""
    fans = widths(results, HIDDEN)
    return {key: np.sqrt(variances(kernel, fans)) for key, (kernel, *_) in SCHEMES.items()}


def analyse(results: Results) -> Findings:
    """Accuracy by standard deviation, the plateau, and where the schemes stand."""
    mean = swept(results).mean()
    low, high = plateau(mean)
    values = {
        "low": low, "high": high, "decades": np.log10(high / low), "margin": PLATEAU,
        "best": mean.max(), "first": mean.iloc[0], "last": mean.iloc[-1],
        "steps": STEPS, "pairs": len(results.rows(arm="normal")),
    }  # fmt: skip
    return Findings(values, [draw(results, low, high)])


def draw(results: Results, low: float, high: float) -> Figure:
    """Accuracy of every run by standard deviation, with the schemes' own as markers."""
    figure, axes = plotting.new(height=3.5)
    table, color = swept(results), plotting.style(0)["color"]
    axes.axvspan(low, high, color=plotting.MUTED, alpha=0.16, lw=0)
    axes.plot(table.columns, table.mean(), color=color, lw=1.6)
    axes.plot(table.columns, table.T, "o", color=color, alpha=0.5, markersize=3.5)
    heights, schemes = (0.44, 0.34, 0.14, 0.24), scheme_sigmas(results)
    for height, (key, sigmas) in zip(heights, schemes.items(), strict=True):
        _, name, index = SCHEMES[key]
        style = plotting.style(index) | {"linestyle": "-"}
        axes.plot(sigmas, [height] * 2, **style, markersize=5, lw=1.2)
        axes.annotate(name, (sigmas[0], height), (-7, 0), textcoords="offset points", ha="right",
                      va="center", color=style["color"], fontsize=9)  # fmt: skip
    axes.axvline(1, color=plotting.INK, ls=":", lw=1.4)
    axes.annotate("the assignment's\nnormal(0, 1)", (1, 0.06), (5, 0), textcoords="offset points")
    axes.set(xscale="log", ylim=(0, 1), ylabel="test accuracy",
             xlabel="standard deviation σ of all weights, normal(0, σ²)")  # fmt: skip
    return Figure("sigma-sweep", figure, results.table[["arm", "sigma", "seed", "test_accuracy"]])


def _wide_plateau(results: Results) -> evidence.Outcome:
    decades = [np.log10(high / low) for low, high in by_seed(results)]
    low, high = plateau(swept(results).mean())
    return decide.above(decades, WIDE, least=low, most=high)


def _holds_schemes(results: Results) -> evidence.Outcome:
    bounds, sigmas = by_seed(results), [first for first, _ in scheme_sigmas(results).values()]
    inside = [low <= sigma <= high for low, high in bounds for sigma in sigmas]
    how = "each scheme's standard deviation of the hidden layer inside each seed's plateau"
    return decide.always(inside, how, schemes=len(sigmas), seeds=len(bounds))


CLAIMS = (
    Claim("sweep-plateau", _wide_plateau, "sigma-sweep"),
    Claim("shallow-cannot-rank", _holds_schemes, "sigma-sweep"),
    Claim("normal-or-uniform", alike(scored, "normal", "uniform", EARLY_MARGIN), "sigma-sweep"),
)
EXPERIMENT = Experiment(7, "sigma_sweep", runs, analyse, CLAIMS)
