"""One initializer object for two layers: the second copies the first, and what that does."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from reportgen.analysis import plotting
from reportgen.config import Config
from reportgen.engine.datasets import DatasetInfo
from reportgen.engine.runs import Probe
from reportgen.experiments import decide, evidence, nets
from reportgen.experiments.assignment import HIDDEN, MARGIN, network
from reportgen.experiments.decide import accuracy, alike, looks
from reportgen.experiments.evidence import Claim, Experiment, Figure, Findings, Results, Run

COPIES = ("glorot", "he", "normal")
GLOROT, *_ = nets.STARTS["glorot"]
ARMS = nets.starts(*COPIES) | {"apart": (GLOROT, "Glorot", 6)}  # the last has a seed a layer
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
        for arm, (kernel, *_) in ARMS.items():
            options["shared_initializer"] = arm in COPIES
            found.append(Run({"arm": arm}, network(kernel, config, dataset, seed, **options)))
    return found


def analyse(results: Results) -> Findings:
    """The factor between the layers, what becomes of the copy, and what it does to accuracy."""
    values = {
        "factor": {arm: np.mean(_copied(results, arm, "factor")) for arm in COPIES},
        "factor_theory": {arm: _factor(results, arm) for arm in COPIES},
        "copied": HIDDEN * results.dataset.classes,
        "moved": _moved(results).mean(),
        "difference": _difference(results).mean(),
        "margin": MARGIN,
        "every": EVERY,
    }
    return Findings(values, [_draw(results)])


def _difference(results: Results) -> pd.Series:
    return accuracy(results, "shared") - accuracy(results, "own")


def _copied(results: Results, arm: str, name: str) -> np.ndarray:
    return looks(results.rows(arm=arm), "duplication", name)[:, 0]


def _factor(results: Results, arm: str) -> float:
    """Theory's factor between the layers: the ratio of their standard deviations."""
    first, last = nets.variances(ARMS[arm][0], nets.widths(results, HIDDEN))
    return float(np.sqrt(last / first))


def _moved(results: Results) -> np.ndarray:
    """By shared run: share of the copied hidden weights that training changed."""
    found = []
    for key, spec in results.rows(arm="shared")[["key", "spec"]].to_numpy():
        looks = (results.arrays(key)[f"duplication-{at}-first"] for at in (0, spec["steps"]))
        found.append(np.not_equal(*looks).mean())
    return np.array(found)


def _draw(results: Results) -> Figure:
    figure, grid = plotting.new(len(ARMS), 2, height=4.2, height_ratios=(2.4, 1))
    data = []
    for axes, (arm, (_, name, index)) in zip(grid[0], ARMS.items(), strict=True):
        arrays = results.arrays(results.rows(arm=arm)["key"].iloc[0])
        x, y = (arrays[f"duplication-0-{layer}"][::EVERY] for layer in ("first", "last"))
        told = f"{name},\na seed a layer"
        if arm in COPIES:
            factor = _factor(results, arm)
            axes.axline((0, 0), slope=factor, color=plotting.INK, lw=1)
            told = f"{name},\nshared, × {factor:.4f}"
        style = plotting.style(index) | {"linestyle": "none", "markersize": 2.6}
        axes.plot(x, y, **style, alpha=0.8)
        axes.set_title(told, fontsize=9)
        axes.set_xlabel("hidden weight")
        axes.locator_params(nbins=4)
        drawn = {"start": told.replace("\n", " "), "hidden_weight": x, "output_weight": y}
        data.append(pd.DataFrame(drawn))
    grid[0, 0].set_ylabel("output weight")
    axes = plotting.wide(figure, grid[1])
    pair = decide.difference(accuracy(results, "shared"), accuracy(results, "own"))
    pairs = {"Glorot": (_difference(results), pair.low, pair.high)}
    plotting.differences(axes, pairs, margin=MARGIN, index=2)
    axes.set_xlabel("test accuracy after training, shared less a seed a layer")
    return Figure("shared-initializer", figure, pd.concat(data))


def _copies(results: Results) -> evidence.Outcome:
    factors = [_copied(results, arm, "factor") / _factor(results, arm) - 1 for arm in COPIES]
    deviations = [_copied(results, arm, "deviation") for arm in COPIES]
    off = np.maximum(np.abs(factors), deviations).ravel()
    how = f"factor and every weight within {EXACT:g} of theory, relative"
    return decide.always(off < EXACT, how, effect=off.max())


def _inert(results: Results) -> evidence.Outcome:
    return decide.always(_moved(results) == 0, "no copied weight of the hidden layer changed")


CLAIMS = (
    Claim("shared-copies", _copies, "shared-initializer"),
    Claim("shared-inert", _inert, "shared-initializer"),
    Claim("shared-no-effect", alike(accuracy, "shared", "own", MARGIN), "shared-initializer"),
)

EXPERIMENT = Experiment(12, "shared_initializer", runs, analyse, CLAIMS)
