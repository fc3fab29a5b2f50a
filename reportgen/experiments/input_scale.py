"""The scale of the inputs, and units that die in training, on the assignment's network."""

from dataclasses import replace

import numpy as np
import pandas as pd

from reportgen.analysis import plotting
from reportgen.config import Config
from reportgen.engine.datasets import DatasetInfo
from reportgen.engine.runs import Probe
from reportgen.experiments import assignment, decide, evidence, nets
from reportgen.experiments.assignment import HIDDEN, MARGIN
from reportgen.experiments.decide import apart
from reportgen.experiments.evidence import Claim, Experiment, Figure, Findings, Results, Run

# From small to large, the last named like the first.
STARTS = nets.STARTS | {"normal": (nets.STARTS["normal"][0], "normal(0, 1)", 1)}
HE, _, HE_INDEX = STARTS["he"]
SCALES = {"raw": False, "standardized": True}
SAME = 1  # unit of the hidden layer's: fewer counts as no difference
DRAWS = 20  # of the untrained net
TOLERANCE = 0.25  # of the logits' mean square, relative: a little more than those draws leave open


def runs(config: Config, dataset: DatasetInfo) -> list[Run]:
    """Both scales untrained; every start on raw pixels, and He's on standardized ones too."""
    many = config.seeds_of("input_scale", full=DRAWS, quick=5)
    few = config.seeds_of("input_scale", full=5, quick=1)
    plan = [("start", "he", scaled, seed) for seed in many for scaled in SCALES.values()]
    trained = [*((arm, False) for arm in STARTS), ("he", True)]
    plan += [("trained", arm, scaled, seed) for seed in few for arm, scaled in trained]
    found = []
    for part, arm, scaled, seed in plan:
        spec = assignment.network(STARTS[arm][0], config, dataset, seed, standardized=scaled)
        steps = config.pick(full=spec.steps, quick=min(spec.steps, 1500))
        # With the assignment's probes, its runs are found by their keys, and cost nothing here.
        counted = Probe("dead_units", (steps,))
        own = scaled or STARTS[arm][0] not in config.initializers
        probes = (counted,) if own else (*spec.probes, counted)
        if part == "start":
            steps, probes = 0, (Probe("signal"), Probe("logits"))
        spec = replace(spec, steps=steps, probes=tuple(dict.fromkeys(probes)))
        found.append(Run({"part": part, "arm": arm, "standardized": scaled}, spec))
    return found


def early(results: Results, scale: str) -> pd.Series:
    """He's validation accuracy after the first epoch, by seed."""
    return assignment.after_first_epoch(_trained(results, "he", scale))


def final(results: Results, scale: str) -> pd.Series:
    """He's test accuracy at the end, by seed."""
    return decide.scored(results, "he", part="trained", standardized=SCALES[scale])


def dead(results: Results, arm: str) -> pd.Series:
    """Hidden units that are off on every validation image after training, by seed."""
    rows = _trained(results, arm)
    found = rows[rows["status"] == "finished"]
    return pd.Series(decide.looks(found, "dead_units", "count")[:, -1], index=found["seed"])


def _trained(results: Results, arm: str, scale: str = "raw") -> pd.DataFrame:
    return results.rows(part="trained", arm=arm, standardized=SCALES[scale])


def logits(results: Results) -> dict[str, tuple[np.ndarray, float]]:
    """Scale -> mean square of He's logits before training by draw, and theory's."""
    found, gains = {}, nets.gains(HE, nets.widths(results, HIDDEN))
    for scale, flag in SCALES.items():
        rows = results.rows(part="start", arm="he", standardized=flag)
        square = decide.looks(rows, "signal", "input_mean_square")[0, 0]
        measured = decide.looks(rows, "logits", "mean_square")[:, 0]
        found[scale] = (measured, float(2 * gains.prod() * square))  # the last layer has no ReLU
    return found


def analyse(results: Results) -> Findings:
    """Logits and accuracy by input scale; dead units by start."""
    squares = logits(results).items()
    values = {
        "units": HIDDEN,
        "logit_std": {scale: np.sqrt(found.mean()) for scale, (found, _) in squares},
        "logit_theory": {scale: theirs**0.5 for scale, (_, theirs) in squares},
        "early": {scale: decide.mean(early(results, scale)).mean for scale in SCALES},
        "final": {scale: decide.mean(final(results, scale)).mean for scale in SCALES},
        "dead": {arm: decide.mean(dead(results, arm)).mean for arm in STARTS},
    }
    return Findings(values, [draw_inputs(results), draw_dead(results)])


def draw_inputs(results: Results) -> Figure:
    """Logits under either input scale beside theory's; accuracy early and at the end, paired."""
    figure, (first, *others) = plotting.new(3, height=3.0)
    color = plotting.style(HE_INDEX)["color"]
    for x, (squares, theirs) in enumerate(logits(results).values()):
        label = "theory" if x == 0 else None
        first.plot([x - 0.3, x + 0.3], [theirs**0.5] * 2, color=plotting.INK, lw=1.6, label=label)
        spread = x + np.linspace(-0.12, 0.12, len(squares))
        first.plot(spread, np.sqrt(squares), "D", color=color, alpha=0.7, markersize=5)
    first.legend(loc="center left")
    for axes, measure in zip(others, (early, final), strict=True):
        pairs = np.array([measure(results, scale) for scale in SCALES])
        axes.plot((0, 1), pairs, "-D", color=color, alpha=0.6, lw=1, markersize=5)
        axes.plot((0, 1), pairs.mean(axis=1), color=plotting.INK, lw=2.2)
    for axes, title, label in (
        (first, "Logits at the start", "standard deviation"),
        (others[0], "After one epoch", "validation accuracy"),
        (others[1], "At the end", "test accuracy"),
    ):
        axes.set(title=title, ylabel=label, xlim=(-0.5, 1.5), xticks=(0, 1), xticklabels=SCALES)
        axes.grid(axis="x", visible=False)
    first.set_ylim(0, None)
    columns = ["part", "arm", "standardized", "seed", "test_accuracy"]
    return Figure("input-scale", figure, results.table[columns])


def draw_dead(results: Results) -> Figure:
    """Dead units after training by the start's standard deviation."""
    figure, axes = plotting.new(height=3.0)
    data = []
    for x, (arm, (_, _, index)) in enumerate(STARTS.items()):
        found, style = dead(results, arm), plotting.style(index)
        spread = x + np.linspace(-0.16, 0.16, len(found))
        axes.bar(x, found.mean(), 0.6, color=style["color"], alpha=0.3)
        axes.plot(spread, found, style["marker"], color=style["color"], markersize=5)
        axes.annotate(f"{found.mean():.1f}", (x, found.max()), (0, 6), ha="center",
                      textcoords="offset points")  # fmt: skip
        data.append(found.rename("dead").reset_index().assign(arm=arm))
    drawn = pd.concat(data)[["arm", "seed", "dead"]]
    axes.set_xticks(range(len(STARTS)), [name for _, name, _ in STARTS.values()], fontsize=8.5)
    axes.set(ylabel=f"dead units of {HIDDEN}", xlabel="start, from small weights to large")
    most = max(1.0, drawn["dead"].max())
    axes.set_ylim(-0.04 * most, 1.15 * most)
    axes.grid(axis="x", visible=False)
    return Figure("dead-units", figure, drawn)


def _formula_holds(results: Results) -> evidence.Outcome:
    found = logits(results).values()
    ratios = np.mean([measured / theirs for measured, theirs in found], axis=0)
    return decide.between(ratios, 1 - TOLERANCE, 1 + TOLERANCE)


CLAIMS = (
    Claim("input-formula", _formula_holds, "input-scale"),
    Claim("standardized-early", apart(early, "standardized", "raw", 0), "input-scale"),
    Claim("standardized-final", apart(final, "raw", "standardized", -MARGIN), "input-scale"),
    Claim("small-starts-die", apart(dead, "small", "he", 0), "dead-units"),
    Claim("he-spares-no-units", apart(dead, "he", "glorot", -SAME, SAME), "dead-units"),
)
EXPERIMENT = Experiment(14, "input_scale", runs, analyse, CLAIMS)
