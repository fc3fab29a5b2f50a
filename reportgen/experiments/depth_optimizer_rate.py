"""Depth, optimizer and rate: whether a start trains is a fact about all of them together."""

from typing import Any

import numpy as np
import pandas as pd

from reportgen.config import Config
from reportgen.engine.datasets import DatasetInfo
from reportgen.engine.runs import Optimizer
from reportgen.experiments import decide, evidence
from reportgen.experiments.deep_nets import (
    ADAM,
    DEEP,
    DEPTHS,
    GAIN,
    LEARNED,
    LOWERED,
    NAMES,
    RATES,
    TUNED,
    WIDTH,
    Name,
    by_rate,
    cell,
    gradient,
    network,
    tuned,
    tuned_rate,
)  # fmt: skip
from reportgen.experiments.depth_exhibits import draw_accuracy, draw_gradient
from reportgen.experiments.evidence import Claim, Experiment, Findings, Results, Run


def runs(config: Config, dataset: DatasetInfo) -> list[Run]:
    """Every arm, depth, optimizer, rate and seed."""
    plan = [
        (arm, depth, Optimizer(name, rate))
        for depth, optimizers in RATES.items()
        for name, rates in optimizers.items()
        for rate in rates
        for arm in TUNED
    ]
    plan += [("small", depth, ADAM) for depth in DEPTHS["small"]] + [("third", DEEP, LOWERED)]
    return [
        Run(
            {"arm": arm, "depth": depth, "optimizer": optimizer.name,
             "rate": optimizer.learning_rate, "epsilon": optimizer.epsilon},
            network(arm, depth, optimizer, config, dataset, seed),
        )
        for arm, depth, optimizer in plan
        for seed in config.seeds_of("depth_optimizer_rate", full=5, quick=1)
    ]  # fmt: skip


def analyse(results: Results) -> Findings:
    """Accuracy of every run, the tuned rates, and the first gradients."""
    rms = {arm: {f"{d}": _typical(results, arm, d) for d in ds} for arm, ds in DEPTHS.items()}
    best = {
        name: {
            arm: {f"{d}": _described(results, arm, d, name) for d in RATES} for arm in TUNED
        }
        for name in NAMES
    }  # fmt: skip
    lowered = decide.scored(cell(results, "third", DEEP, LOWERED))
    he = by_rate(results, "he", DEEP, "sgd")
    small = {d: decide.scored(cell(results, "small", d, ADAM)).mean() for d in DEPTHS["small"]}
    expected = decide.expected
    adam = {a: decide.average(decide.scored(cell(results, a, DEEP, ADAM))) for a in TUNED}
    return Findings(
        {
            "deep": DEEP, "width": WIDTH, "epsilon": ADAM.epsilon, "lowered": LOWERED.epsilon,
            "gradient": rms, "tuned": best, "small": small,
            "third_lowered": decide.average(lowered),
            "he_sgd": {f"{rate:g}": decide.average(found) for rate, found in he.items()},
            "expected": [
                expected("30 layers, He: RMS gradient", 2e-3, rms["he"]["30"], 1e-3, 4e-3),
                expected("Glorot: the same", 1e-7, rms["glorot"]["30"], 5e-8, 2e-7),
                expected("variance 1/(3n): the same", 4e-15, rms["third"]["30"], 2e-15, 1e-14),
                expected("30 layers, Adam, He", "0.916 to 0.933", adam["he"], 0.905, 0.935),
                expected("Glorot: the same", "0.11 to 0.89", adam["glorot"], 0.11, 0.89),
                expected("variance 1/(3n): the same", 0.1135, adam["third"], 0.1, 0.12),
                expected("the same at epsilon 1e-16", "0.80 to 0.82", lowered.mean(), 0.78, 0.87),
                expected("30 layers, SGD, He", "0.88 to 0.91", he[0.01].mean(), 0.87, 0.92),
                expected("the same at a rate of 0.05", "0.10 to 0.78", he[0.05].mean(), 0.1, 0.78),
            ],
        },
        [draw_accuracy(results), draw_gradient(results)],
    )  # fmt: skip


def _typical(results: Results, arm: str, depth: int) -> float:
    """Geometric mean of the RMS gradients over the seeds; 0 where one is 0."""
    with np.errstate(divide="ignore"):
        return float(np.exp(np.log(gradient(results, arm, depth)).mean()))


def _described(results: Results, arm: str, depth: int, name: Name) -> dict[str, Any]:
    found = tuned(results, arm, depth, name)
    rate = tuned_rate(results, arm, depth, name)
    return {"rate": rate, "mean": found.mean(), "low": found.min(), "high": found.max()}


def _adam_rescues(results: Results) -> evidence.Outcome:
    sgd, adam = (tuned(results, "glorot", DEEP, name) for name in NAMES)
    he = tuned(results, "he", DEEP, "sgd").mean()
    return decide.above(adam - sgd, GAIN, adam=adam.mean(), sgd=sgd.mean(), he=he, depth=DEEP)


def _rate_decides(results: Results) -> evidence.Outcome:
    tried = by_rate(results, "he", DEEP, "sgd")
    ranked = sorted(tried, key=lambda rate: float(tried[rate].mean()))
    best, worst = ranked[-1], ranked[0]
    figures = {"best": best, "worst": worst, "most": tried[best].mean(), "depth": DEEP}
    return decide.above(tried[best] - tried[worst], GAIN, **figures)


def _at_epsilon(results: Results) -> evidence.Outcome:
    found = gradient(results, "glorot", DEEP)
    figures = {"rms": _typical(results, "glorot", DEEP), "epsilon": ADAM.epsilon, "depth": DEEP}
    return decide.between(np.log10(found / ADAM.epsilon), -1, 1, **figures)


def _epsilon_revives(results: Results) -> evidence.Outcome:
    default = tuned(results, "third", DEEP, "adam")
    lowered = decide.scored(cell(results, "third", DEEP, LOWERED))
    figures = {"default": default.mean(), "lowered": lowered.mean(), "depth": DEEP}
    return decide.above(lowered - default, GAIN, epsilon=LOWERED.epsilon, **figures)


def _small_stalls(results: Results) -> evidence.Outcome:
    few, many = DEPTHS["small"]
    shallow, deep = (decide.scored(cell(results, "small", d, ADAM)) for d in (few, many))
    how = f"every seed over {LEARNED:g} at {few} layers and under it at {many}"
    figures = {"few": few, "depth": many, "shallow": shallow.mean(), "deep": deep.mean()}
    return decide.always((shallow > LEARNED) & (deep < LEARNED), how, **figures)


def _depth_separates(results: Results) -> evidence.Outcome:
    spreads = {}
    for depth in (min(RATES), DEEP):
        arms = pd.concat([tuned(results, arm, depth, "adam") for arm in TUNED], axis=1)
        spreads[depth] = arms.max(axis=1) - arms.min(axis=1)
    (few, shallow), (_, deep) = spreads.items()
    figures = {"few": few, "depth": DEEP, "shallow": shallow.mean(), "deep": deep.mean()}
    return decide.above(deep - shallow, GAIN, **figures)


CLAIMS = (
    Claim(
        "xavier-stall-is-sgd",
        "Whether Xavier's start stalls at {depth} layers depends on the optimizer: at its tuned "
        "rate it ends at {sgd:.3f} under SGD, where He's ends at {he:.3f}, and at {adam:.3f} under "
        "Adam (difference {effect:.3f}, 95 % interval {low:.3f} to {high:.3f}, {n} seeds).",
        "Adam does not rescue Xavier's start at {depth} layers: at its tuned rate it ends at "
        "{sgd:.3f} under SGD, where He's ends at {he:.3f}, and at {adam:.3f} under Adam.",
        "Xavier's start ends at {sgd:.3f} under SGD at {depth} layers, where He's ends at "
        "{he:.3f}, and at {adam:.3f} under Adam; {n} seeds do not settle whether Adam rescues it.",
        _adam_rescues,
        "depth-accuracy",
    ),
    Claim(
        "he-needs-its-rate",
        "He's start does not train at any rate: under SGD at {depth} layers it reaches {most:.3f} "
        "at {best:g}, and {effect:.3f} less at {worst:g}.",
        "He's start trains at every rate tried: under SGD at {depth} layers {best:g} and {worst:g} "
        "are {effect:.3f} apart.",
        "Under SGD at {depth} layers He's start reaches {most:.3f} at a rate of {best:g} and "
        "{effect:.3f} less at {worst:g}, too variable over {n} seeds for a verdict.",
        _rate_decides,
        "depth-accuracy",
    ),
    Claim(
        "glorot-at-epsilon",
        "Under Glorot's start the gradient at {depth} layers, {rms:.1e}, lies at Adam's ε of "
        "{epsilon:.0e}: within a factor of ten in the mean of {n} seeds.",
        "Under Glorot's start the gradient at {depth} layers, {rms:.1e}, lies away from Adam's ε "
        "of {epsilon:.0e}.",
        "Under Glorot's start the gradient at {depth} layers is {rms:.1e}; whether that is within "
        "a factor of ten of Adam's ε, {epsilon:.0e}, these {n} seeds do not settle.",
        _at_epsilon,
        "depth-gradient",
    ),
    Claim(
        "epsilon-revives",
        "What holds variance 1/(3n) back is ε: at {depth} layers Adam takes it to {default:.3f}, "
        "and to {lowered:.3f} once ε is {epsilon:.0e} (difference {effect:.3f}, 95 % interval "
        "{low:.3f} to {high:.3f}, {n} seeds).",
        "Lowering ε does not revive variance 1/(3n): at {depth} layers Adam takes it to "
        "{default:.3f}, and to {lowered:.3f} when ε is {epsilon:.0e}.",
        "At {depth} layers Adam takes variance 1/(3n) to {default:.3f}, and to {lowered:.3f} when "
        "ε is {epsilon:.0e}; {n} seeds do not settle whether that revives it.",
        _epsilon_revives,
        "depth-accuracy",
    ),
    Claim(
        "small-scale-stalls",
        "A factor of 0.01 is no safe small scale: with Adam it trains {few} layers to "
        "{shallow:.3f} and leaves {depth} layers at {deep:.3f}, in all {n} seeds.",
        "A factor of 0.01 does no harm that depth brings out: with Adam it takes {few} layers to "
        "{shallow:.3f} and {depth} layers to {deep:.3f}.",
        "With Adam a factor of 0.01 takes {few} layers to {shallow:.3f} and {depth} layers to "
        "{deep:.3f}; it trains the first and stalls the second in {holding} of {n} seeds.",
        _small_stalls,
        "depth-accuracy",
    ),
    Claim(
        "depth-separates",
        "Depth tells the starts apart: under Adam at tuned rates He, Glorot and variance 1/(3n) "
        "lie within {shallow:.3f} at {few} layers and spread over {deep:.3f} at {depth}.",
        "Depth does not tell the starts apart: under Adam at tuned rates He, Glorot and variance "
        "1/(3n) spread over {shallow:.3f} at {few} layers and over {deep:.3f} at {depth}.",
        "Under Adam at tuned rates He, Glorot and variance 1/(3n) spread over {shallow:.3f} at "
        "{few} layers and over {deep:.3f} at {depth}, which {n} seeds leave undecided.",
        _depth_separates,
        "depth-accuracy",
    ),
)

EXPERIMENT = Experiment(
    number=6,
    name="depth_optimizer_rate",
    title="Depth, optimizer and rate",
    question="When does a start stall a deep network: always, or under some optimizers and rates?",
    setup=(
        f"ReLU nets of {', '.join(map(str, RATES))} layers of {WIDTH} units, pixels in [0, 1], "
        "1,500 steps in the full profile; SGD and Adam, rates from a declared grid, tuned for each "
        "start and depth on validation accuracy."
    ),
    runs=runs,
    analyse=analyse,
    claims=CLAIMS,
)
