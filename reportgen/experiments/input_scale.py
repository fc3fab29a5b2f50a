"""The scale of the inputs, and units that die in training, on the assignment's network."""

from dataclasses import replace

import numpy as np
import pandas as pd

from reportgen.analysis import plotting
from reportgen.config import ASSIGNMENT_INITIALIZERS, Config
from reportgen.engine.datasets import DatasetInfo
from reportgen.engine.runs import Probe
from reportgen.experiments import assignment, decide, deep_nets, evidence, untrained
from reportgen.experiments.assignment import HIDDEN, MARGIN
from reportgen.experiments.evidence import Claim, Experiment, Figure, Findings, Results, Run

# Start -> its initializer, name, and place in the palette; from small to large.
STARTS: dict[str, untrained.Arm] = {
    "small": deep_nets.ARMS["small"],
    **{name: untrained.ARMS[name] for name in ("third", "lecun", "glorot", "he")},
    "normal": (ASSIGNMENT_INITIALIZERS[1], "normal(0, 1)", 1),
}
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


def dead(results: Results, arm: str) -> pd.Series:
    """Hidden units that are off on every validation image after training, by seed."""
    found = results.rows(part="trained", arm=arm, standardized=False, status="finished")
    return pd.Series(decide.probed(found, "dead_units", "count"), index=found["seed"], dtype=float)


def accuracies(results: Results) -> dict[str, list[pd.Series]]:
    """He's by seed and scale: on validation after the first epoch, on test at the end."""
    both = [results.rows(part="trained", arm="he", standardized=flag) for flag in SCALES.values()]
    return {
        "early": [assignment.after_first_epoch(rows) for rows in both],
        "final": [decide.scored(rows) for rows in both],
    }


def logits(results: Results) -> dict[str, tuple[np.ndarray, float]]:
    """Scale -> mean square of He's logits before training by draw, and theory's."""
    found, gains = {}, untrained.gains(HE, untrained.widths(results, HIDDEN))
    for scale, flag in SCALES.items():
        rows = results.rows(part="start", arm="he", standardized=flag)
        square = decide.probed(rows, "signal", "input_mean_square")[0]
        measured = np.array(decide.probed(rows, "logits", "mean_square"), dtype=float)
        found[scale] = (measured, float(2 * gains.prod() * square))  # the last layer has no ReLU
    return found


def analyse(results: Results) -> Findings:
    """Logits and accuracy by input scale; dead units by start."""
    early, final = (
        dict(zip(SCALES, map(decide.average, both), strict=True))
        for both in accuracies(results).values()
    )
    std = {scale: float(np.sqrt(found.mean())) for scale, (found, _) in logits(results).items()}
    off = {arm: decide.average(dead(results, arm)) for arm in STARTS}
    theirs = {"small": 10.8, "third": 4.2, "lecun": 1.3, "glorot": 0.7, "he": 0.3, "normal": 0.0}
    expected = [
        ("He: logit deviation, pixels in [0, 1]", 0.47, std["raw"], 0.42, 0.52),
        ("He: the same, standardized", 1.35, std["standardized"], 1.2, 1.5),
        ("He, raw: accuracy after an epoch", 0.948, early["raw"], 0.943, 0.953),
        ("He, standardized: the same", 0.955, early["standardized"], 0.95, 0.96),
        ("He, raw: accuracy after ten epochs", 0.9764, final["raw"], 0.9745, 0.9783),
        ("He, standardized: the same", 0.975, final["standardized"], 0.973, 0.977),
        *((f"dead units, {STARTS[arm][1]}", n, off[arm], max(0.0, 2 * n / 3 - 1), 4 * n / 3 + 1)
          for arm, n in theirs.items()),
    ]  # fmt: skip
    values = {
        "logit_std": std, "early": early, "final": final, "dead": off, "units": HIDDEN,
        "expected": [decide.expected(*row) for row in expected],
    }  # fmt: skip
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
    for axes, both in zip(others, accuracies(results).values(), strict=True):
        pairs = np.array(both)
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
    found = logits(results)
    ratios = np.mean([measured / theirs for measured, theirs in found.values()], axis=0)
    figures = {scale: np.sqrt(measured.mean()) for scale, (measured, _) in found.items()}
    figures |= {f"{scale}_theory": theirs**0.5 for scale, (_, theirs) in found.items()}
    return decide.between(ratios, 1 - TOLERANCE, 1 + TOLERANCE, **figures)


def _helps_early(results: Results) -> evidence.Outcome:
    raw, scaled = accuracies(results)["early"]
    return decide.above(scaled - raw, 0.0, raw=raw.mean(), standardized=scaled.mean())


def _no_gain_in_the_end(results: Results) -> evidence.Outcome:
    raw, scaled = accuracies(results)["final"]
    return decide.above(raw - scaled, -MARGIN, raw=raw.mean(), standardized=scaled.mean())


def _small_starts_die(results: Results) -> evidence.Outcome:
    small, he = dead(results, "small"), dead(results, "he")
    return decide.above(small - he, 0.0, small=small.mean(), he=he.mean(), units=HIDDEN)


def _glorot_or_he(results: Results) -> evidence.Outcome:
    glorot, he = dead(results, "glorot"), dead(results, "he")
    figures = {"glorot": glorot.mean(), "he": he.mean(), "units": HIDDEN}
    return decide.between(he - glorot, -SAME, SAME, **figures)


CLAIMS = (
    Claim("input-formula", _formula_holds, "input-scale"),
    Claim("standardized-early", _helps_early, "input-scale"),
    Claim("standardized-final", _no_gain_in_the_end, "input-scale"),
    Claim("small-starts-die", _small_starts_die, "dead-units"),
    Claim("he-spares-no-units", _glorot_or_he, "dead-units"),
)
EXPERIMENT = Experiment(14, "input_scale", runs, analyse, CLAIMS)
