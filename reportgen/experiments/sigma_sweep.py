"""One standard deviation for all weights, over four decades, on the assignment's network."""

from typing import Any

import numpy as np
import pandas as pd

from reportgen.analysis import plotting, theory
from reportgen.config import Config, Initializer
from reportgen.engine.datasets import DatasetInfo
from reportgen.experiments import assignment, decide, evidence
from reportgen.experiments.assignment import EARLY_MARGIN, HIDDEN
from reportgen.experiments.evidence import Claim, Experiment, Figure, Findings, Results, Run
from reportgen.experiments.untrained import ARMS as SCHEMES

SIGMAS = tuple(float(f"{sigma:.3g}") for sigma in np.geomspace(1e-3, 10, 17))
PLATEAU = 0.02  # of accuracy below the best: what a seed alone moves after so short a training
WIDE = 1.0  # decades; the schemes in use span 0.4 in this network's hidden layer
PAIRS = 10
UNIFORM = Initializer.of("GlorotUniform")
ARMS = {"normal": SCHEMES["glorot"][0], "uniform": UNIFORM}  # beside the sweep


def runs(config: Config, dataset: DatasetInfo) -> list[Run]:
    """The sweep, and Glorot's normal and uniform draws."""
    stride = config.pick(full=1, quick=2)
    seeds = config.seeds_of("sigma_sweep", full=5, quick=1)
    pairs = range(max(len(seeds), config.pick(full=PAIRS, quick=2)))
    plan: list[tuple[dict[str, Any], Initializer, int]] = [
        ({"arm": "sweep", "sigma": sigma}, Initializer.of("RandomNormal", stddev=sigma), seed)
        for sigma in SIGMAS[::stride]
        for seed in seeds
    ]
    plan += [({"arm": arm, "sigma": None}, ARMS[arm], s) for arm in ARMS for s in pairs]
    return [
        Run(labels, assignment.network(kernel, config, dataset, seed, steps=750, probes=()))
        for labels, kernel, seed in plan
    ]


def arm(results: Results, name: str) -> pd.Series:
    """Test accuracies of a scheme by seed."""
    return decide.scored(results.table[results.table["arm"] == name])


def swept(results: Results) -> pd.DataFrame:
    """Test accuracy, seeds by standard deviations; a diverged run counts as 0."""
    rows = results.table[results.table["arm"] == "sweep"]
    scored = rows.assign(accuracy=rows["test_accuracy"].astype(float).fillna(0))
    return scored.pivot_table(index="seed", columns="sigma", values="accuracy")


def plateau(accuracies: pd.Series) -> tuple[float, float]:
    """Least and greatest standard deviation around the best within `PLATEAU` of it."""
    near = (accuracies >= accuracies.max() - PLATEAU).to_numpy()
    low = high = int(np.argmax(accuracies.to_numpy()))
    while low > 0 and near[low - 1]:
        low -= 1
    while high < len(near) - 1 and near[high + 1]:
        high += 1
    return float(accuracies.index[low]), float(accuracies.index[high])


def widths(results: Results) -> list[float]:
    """Decades that the plateau spans, by seed."""
    return [float(np.log10(high / low)) for low, high in map(plateau, _rows(swept(results)))]


def _rows(frame: pd.DataFrame) -> list[pd.Series]:
    return [frame.loc[seed] for seed in frame.index]


def scheme_sigmas(results: Results) -> dict[str, tuple[float, float]]:
    """Scheme -> its standard deviation in the hidden and in the output layer."""
    described = results.dataset.described()
    fans = ((described["inputs"], HIDDEN), (HIDDEN, described["classes"]))
    found = {}
    for key, (kernel, *_) in SCHEMES.items():
        parameters: dict[str, Any] = dict(kernel.parameters)
        first, last = (theory.initializer_variance(kernel.name, *f, **parameters) for f in fans)
        found[key] = (float(np.sqrt(first)), float(np.sqrt(last)))
    return found


def analyse(results: Results) -> Findings:
    """Accuracy by standard deviation, the plateau, and where the schemes stand."""
    mean = swept(results).mean()
    low, high = plateau(mean)
    pair = decide.difference(arm(results, "normal"), arm(results, "uniform"))
    values = {
        "low": low, "high": high, "decades": float(np.log10(high / low)), "margin": PLATEAU,
        "best": float(mean.max()), "least": float(mean.min()),
        "sigma": {key: first for key, (first, _) in scheme_sigmas(results).items()},
        "arms": {name: decide.average(arm(results, name)) for name in ARMS},
        "by_sigma": {f"{sigma:g}": float(value) for sigma, value in mean.items()},
        "normal_less_uniform": vars(pair) if pair else None,
    }  # fmt: skip
    return Findings(values, [draw(results, low, high)])


def draw(results: Results, low: float, high: float) -> Figure:
    """Accuracy of every run by standard deviation, with the schemes' own as markers."""
    figure, axes = plotting.new(height=3.5)
    table, ink = swept(results), plotting.style(0)
    axes.axvspan(low, high, color=plotting.MUTED, alpha=0.16, lw=0)
    axes.plot(table.columns, table.mean(), color=ink["color"], lw=1.6)
    axes.plot(table.columns, table.T, "o", color=ink["color"], alpha=0.5, markersize=3.5)
    named = scheme_sigmas(results)
    for height, (key, (first, last)) in zip((0.44, 0.34, 0.14, 0.24), named.items(), strict=True):
        _, name, index = SCHEMES[key]
        style = plotting.style(index) | {"linestyle": "-"}
        axes.plot([first, last], [height] * 2, **style, markersize=5, lw=1.2)
        axes.annotate(name, (first, height), (-7, 0), textcoords="offset points", ha="right",
                      va="center", color=style["color"], fontsize=9)  # fmt: skip
    axes.axvline(1, color=plotting.INK, ls=":", lw=1.4)
    axes.annotate("the assignment's\nnormal(0, 1)", (1, 0.06), (5, 0), textcoords="offset points")
    axes.set(xscale="log", ylim=(0, 1), xlabel="standard deviation σ of all weights, normal(0, σ²)")
    axes.set_ylabel("test accuracy")
    values = table.mean()
    return Figure(
        "sigma-sweep",
        figure,
        f"**From σ = {low:g} to {high:g}, over {np.log10(high / low):.1f} decades, mean accuracy "
        f"stays within {PLATEAU:g} of the highest.** Test accuracy of the assignment's network "
        "after 750 Adam steps: points are runs, the line their mean, the grey band that plateau. "
        "Markers below, joined by a line: the standard deviation that each scheme gives the hidden "
        "(named) and the output layer.",
        f"Test accuracy against the weights' standard deviation, log axis: between {low:g} and "
        f"{high:g} it is within {PLATEAU:g} of the highest mean, {values.max():.3f}; at the ends "
        f"it is {values.iloc[0]:.3f} and {values.iloc[-1]:.3f}.",
        results.table[["arm", "sigma", "seed", "test_accuracy"]],
    )


def _wide_plateau(results: Results) -> evidence.Outcome:
    low, high = plateau(swept(results).mean())
    return decide.above(widths(results), WIDE, least=low, most=high, margin=PLATEAU)


def _holds_schemes(results: Results) -> evidence.Outcome:
    bounds = [plateau(accuracies) for accuracies in _rows(swept(results))]
    sigmas = [first for first, _ in scheme_sigmas(results).values()]
    inside = [low <= sigma <= high for low, high in bounds for sigma in sigmas]
    how = "each scheme's standard deviation of the hidden layer inside each seed's plateau"
    return decide.always(inside, how, schemes=len(sigmas), seeds=len(bounds))


def _normal_or_uniform(results: Results) -> evidence.Outcome:
    normal, uniform = arm(results, "normal"), arm(results, "uniform")
    return decide.equivalent(normal, uniform, margin=EARLY_MARGIN)


EXPERIMENT = Experiment(
    number=7,
    name="sigma_sweep",
    title="Sweep of the standard deviation",
    question="Over what range of scales does the assignment's network train alike?",
    setup=(
        "The assignment's network and optimizer, 750 steps; normal(0, σ²) in both layers, σ over "
        "four decades; beside it Glorot's normal and uniform draws, in the full profile on "
        f"{PAIRS} paired seeds."
    ),
    runs=runs,
    analyse=analyse,
    claims=(
        Claim(
            "sweep-plateau",
            "This shallow network trains alike over at least {effect:.1f} decades of σ, in the "
            "mean of {n} seeds: from {least:g} to {most:g}, accuracy stays "
            "within {margin:g} of its best.",
            "This network is particular about σ, shallow as it is: accuracy stays within "
            "{margin:g} of its best over {effect:.1f} decades only, from {least:g} to {most:g}.",
            "Accuracy stays within {margin:g} of its best over {effect:.1f} decades of σ, from "
            "{least:g} to {most:g}; {n} seeds do not settle whether that is more than one.",
            _wide_plateau,
            "sigma-sweep",
        ),
        Claim(
            "shallow-cannot-rank",
            "So it hardly tells the schemes in use apart: the standard deviations of all {schemes} "
            "lie on the plateau in all of {seeds} seeds.",
            "It does not train alike under the schemes in use: of their {schemes} standard "
            "deviations none lies on the plateau, in any of {seeds} seeds.",
            "Of the standard deviations of {schemes} schemes in {seeds} seeds, {holding} of {n} "
            "lie on the plateau.",
            _holds_schemes,
            "sigma-sweep",
        ),
        Claim(
            "normal-or-uniform",
            "The shape of the draw does not matter here: Glorot's normal and uniform versions, "
            "equal in variance, differ by {effect:+.4f} in accuracy (95 % interval {low:+.4f} to "
            "{high:+.4f}, {n} pairs), inside ±{margin:g}.",
            "The shape of the draw does matter here: Glorot's normal version less its uniform one, "
            "equal in variance, is {effect:+.4f} in accuracy (95 % interval {low:+.4f} to "
            "{high:+.4f}, {n} pairs), outside ±{margin:g}.",
            "Whether the shape of the draw matters stays open: Glorot's normal version less its "
            "uniform one, equal in variance, is {effect:+.4f} in accuracy over {n} pairs.",
            _normal_or_uniform,
            "sigma-sweep",
        ),
    ),
)
