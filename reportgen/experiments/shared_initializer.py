"""One initializer object for two layers: the second copies the first, and what that does."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from reportgen.analysis import plotting, theory
from reportgen.config import ASSIGNMENT_INITIALIZERS, Config
from reportgen.engine.datasets import DatasetInfo
from reportgen.engine.runs import Probe
from reportgen.experiments import decide, evidence
from reportgen.experiments.assignment import HIDDEN, network, select
from reportgen.experiments.assignment_exhibits import MARGIN
from reportgen.experiments.decide import probed
from reportgen.experiments.evidence import Claim, Experiment, Figure, Findings, Results, Run

_, NORMAL, GLOROT, HE = ASSIGNMENT_INITIALIZERS
# Arm -> its initializer, name, and place in the palette (as in the main comparison).
COPIES = {
    "glorot": (GLOROT, "Glorot", 2),
    "he": (HE, "He", 3),
    "normal": (NORMAL, "Normal(0, 1)", 1),
}
EXPECTED = {"glorot": 2.5707, "he": 2.4749, "normal": 1.0}
EXACT = 1e-5  # relative; the weights have 24 bits, and theory's factor more
EVERY = 16  # one in so many pairs of weights is drawn, to keep the figure small


def runs(config: Config, dataset: DatasetInfo) -> list[Run]:
    """Glorot trained with a shared object and with a seed a layer; others before training."""
    found = []
    for seed in config.seeds_of("shared_initializer", full=10):
        own = network(GLOROT, config, dataset, seed)
        own = replace(own, steps=config.pick(full=own.steps, quick=min(own.steps, 750)))
        probes = (Probe("duplication", (0, own.steps)),)
        shared = replace(own, shared_initializer=True, probes=probes)
        found += [Run({"arm": "own"}, own), Run({"arm": "shared"}, shared)]
    options: dict[str, Any] = {"steps": 0, "probes": (Probe("duplication"),)}
    for seed in range(config.pick(full=3, quick=1)):
        for arm, (kernel, *_) in COPIES.items():
            spec = network(kernel, config, dataset, seed, shared_initializer=True, **options)
            found.append(Run({"arm": arm}, spec))
        found.append(Run({"arm": "apart"}, network(GLOROT, config, dataset, seed, **options)))
    return found


def analyse(results: Results) -> Findings:
    """The factor between the layers, what becomes of the copy, and what it does to accuracy."""
    own, shared = (decide.by_seed(select(results, arm)) for arm in ("own", "shared"))
    pair, moved = decide.difference(shared, own), _moved(results)
    factors = {
        arm: np.mean(probed(select(results, arm), "duplication", "factor")) for arm in COPIES
    }
    expected = [
        decide.expected(f"shared {COPIES[arm][1]}: factor", of, factors[arm], of - 1e-4, of + 1e-4)
        for arm, of in EXPECTED.items()
    ]
    mean = pair.mean if pair else None
    values = {
        "factor": factors,
        "factor_theory": {arm: _factor(results, arm) for arm in COPIES},
        "copied": HIDDEN * len(results.dataset.test_counts),
        "moved": moved.mean(),
        "own": own.mean(),
        "shared": shared.mean(),
        "difference": vars(pair) if pair else None,
        "margin": MARGIN,
        "expected": [
            *expected,
            decide.expected("shared − own: accuracy", -0.0005, mean, -0.0025, 0.0015),
        ],
    }
    return Findings(values, [_draw(results, values)])


def _factor(results: Results, arm: str) -> float:
    """Theory's factor between the layers: the ratio of their standard deviations."""
    kernel, inputs = COPIES[arm][0], int(np.prod(results.dataset.shape))
    parameters: dict[str, Any] = dict(kernel.parameters)
    first, last = (
        theory.initializer_variance(kernel.name, *fans, **parameters)
        for fans in ((inputs, HIDDEN), (HIDDEN, len(results.dataset.test_counts)))
    )
    return float(np.sqrt(last / first))


def _moved(results: Results) -> np.ndarray:
    """By shared run: share of the copied hidden weights that training changed."""
    found = []
    for key, steps in zip(*(select(results, "shared")[c] for c in ("key", "spec")), strict=True):
        arrays = results.arrays(key)
        before, after = (arrays[f"duplication-{at}-first"] for at in (0, steps["steps"]))
        found.append(float(np.mean(before != after)))
    return np.array(found)


def _draw(results: Results, values: dict[str, Any]) -> Figure:
    figure, grid = plotting.new(len(COPIES) + 1, 2, height=4.2, height_ratios=(2.4, 1))
    data = []
    for axes, arm in zip(grid[0], (*COPIES, "apart"), strict=True):
        _, name, index = COPIES.get(arm, (GLOROT, "Glorot", 6))
        arrays = results.arrays(select(results, arm)["key"].iloc[0])
        x, y = (arrays[f"duplication-0-{layer}"][::EVERY] for layer in ("first", "last"))
        said = "a seed a layer"
        if arm in COPIES:
            ends = 1.1 * np.array([x.min(), x.max()])
            axes.plot(ends, values["factor_theory"][arm] * ends, color=plotting.INK, lw=1)
            said = f"shared, × {values['factor_theory'][arm]:.4f}"
        color, marker = plotting.style(index)["color"], plotting.style(index)["marker"]
        axes.plot(x, y, color=color, marker=marker, ls="none", markersize=2.6, alpha=0.8)
        axes.set_title(f"{name},\n{said}", fontsize=9)
        axes.set_xlabel("hidden weight")
        axes.locator_params(nbins=4)
        data += [(f"{name}, {said}", *pair) for pair in zip(x, y, strict=True)]
    grid[0, 0].set_ylabel("output weight")
    axes, pair = plotting.wide(figure, grid[1]), values["difference"]
    own, shared = (decide.by_seed(select(results, arm)) for arm in ("own", "shared"))
    differences = (shared - own).dropna()
    axes.axvspan(-MARGIN, MARGIN, color=plotting.MUTED, alpha=0.18, lw=0)
    axes.axvline(0, color=plotting.MUTED, lw=1)
    axes.plot(differences, np.zeros(len(differences)), "o", color=plotting.SERIES[2], alpha=0.6)
    if pair and np.isfinite(pair["low"]):
        axes.plot([pair["low"], pair["high"]], [-1, -1], color=plotting.INK, lw=3)
    axes.set(ylim=(-1.6, 0.6), yticks=(0, -1), yticklabels=("each seed", "mean, 95 %"))
    axes.set_xlabel("test accuracy after training, shared less a seed a layer (Glorot)")
    axes.grid(axis="y", visible=False)
    factors = ", ".join(f"{values['factor'][arm]:.4f} ({COPIES[arm][1]})" for arm in COPIES)
    mean = f"{pair['mean']:+.4f}" if pair else "nothing that could be measured"
    return Figure(
        "shared-initializer",
        figure,
        f"**A shared object makes the output weights a multiple of the hidden layer's first "
        f"{values['copied']:,}, by {factors}; on accuracy the effect is {mean}.** Above: weights "
        f"before training, one pair in {EVERY}, lines by theory; on the right, a seed a layer. "
        f"Below: paired differences of test accuracy; the stripe, ±{MARGIN:g}, counts as none.",
        "Output weights against hidden weights: on a straight line for three shared initializers, "
        f"a cloud for a seed a layer. Paired differences of accuracy around zero, mean {mean}.",
        pd.DataFrame(data, columns=["start", "hidden_weight", "output_weight"]),
    )


def _copies(results: Results) -> evidence.Outcome:
    off = [
        max(abs(factor / _factor(results, arm) - 1), deviation)
        for arm in COPIES
        for factor, deviation in zip(
            *(probed(select(results, arm), "duplication", n) for n in ("factor", "deviation")),
            strict=True,
        )
    ]
    how = f"factor and every weight within {EXACT:g} of theory, relative"
    means = {arm: _factor(results, arm) for arm in COPIES}
    return decide.always([of < EXACT for of in off], how, effect=max(off), **means)


def _inert(results: Results) -> evidence.Outcome:
    moved = _moved(results)
    figures = {"pixels": len(results.dataset.test_counts), "moved": float(moved.mean())}
    return decide.always(moved == 0, "no copied weight of the hidden layer changed", **figures)


def _no_effect(results: Results) -> evidence.Outcome:
    own, shared = (decide.by_seed(select(results, arm)) for arm in ("own", "shared"))
    return decide.equivalent(shared, own, margin=MARGIN)


CLAIMS = (
    Claim(
        "shared-copies",
        "One object for both layers makes the output layer an exact multiple of the hidden layer's "
        "first weights, by the ratio of their standard deviations: {glorot:.4f} under Glorot, "
        "{he:.4f} under He and {normal:.4f} under normal(0, 1), in all {n} draws.",
        "One object for both layers does not copy weights: in none of {n} draws is the output "
        "layer a multiple of the hidden layer's first weights.",
        "One object for both layers copies weights in {holding} of {n} draws, where the output "
        "layer is a multiple of the hidden layer's first weights.",
        _copies,
        "shared-initializer",
    ),
    Claim(
        "shared-inert",
        "Here the copy has nothing to act through: the hidden weights that are copied belong to "
        "the first {pixels} pixels, which stay dark, and in {n} trainings not one of them moved.",
        "The copy has something to act through: of the hidden weights that are copied, which "
        "belong to the first {pixels} pixels, {moved:.0%} moved in training.",
        "Of the hidden weights that are copied, which belong to the first {pixels} pixels, none "
        "moved in {holding} of {n} trainings and {moved:.1%} on average.",
        _inert,
        "shared-initializer",
    ),
    Claim(
        "shared-no-effect",
        "On accuracy the copy has no effect that could be seen: shared less own seeds is "
        "{effect:+.4f} (95 % interval {low:+.4f} to {high:+.4f}, {n} pairs), inside the "
        "±{margin:g} that was declared to count as none.",
        "The copy changes accuracy: shared less own seeds is {effect:+.4f} (95 % interval "
        "{low:+.4f} to {high:+.4f}, {n} pairs), outside the ±{margin:g} that was declared to count "
        "as none.",
        "Whether the copy changes accuracy stays open: shared less own seeds is {effect:+.4f} over "
        "{n} pairs, which neither stays inside ±{margin:g} nor leaves it.",
        _no_effect,
        "shared-initializer",
    ),
)

EXPERIMENT = Experiment(
    number=12,
    name="shared_initializer",
    title="One initializer object for two layers",
    question="What does the assignment's shared initializer object do to the weights, and to "
    "accuracy?",
    setup=(
        "The assignment's network with one unseeded object for both layers, as in its code, and "
        "with a seed a layer; trained under Glorot, in pairs of the same seed."
    ),
    runs=runs,
    analyse=analyse,
    claims=CLAIMS,
)
