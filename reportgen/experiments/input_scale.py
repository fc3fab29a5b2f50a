"""The scale of the inputs, and units that die in training, on the assignment's network."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from reportgen.analysis import plotting, theory
from reportgen.config import ASSIGNMENT_INITIALIZERS, Config, Initializer
from reportgen.engine.datasets import DatasetInfo
from reportgen.engine.runs import Probe, RunSpec
from reportgen.experiments import assignment, decide, evidence, untrained
from reportgen.experiments.assignment import HIDDEN
from reportgen.experiments.assignment_exhibits import MARGIN
from reportgen.experiments.deep_nets import SMALL
from reportgen.experiments.evidence import Claim, Experiment, Figure, Findings, Results, Run

SCHEMES = untrained.ARMS
HE = SCHEMES["he"][0]
# Start -> its initializer, name, and place in the palette; from small to large.
STARTS: dict[str, tuple[Initializer, str, int]] = {
    "small": (SMALL, "normal(0, 0.01²)", 5),
    **{name: SCHEMES[name] for name in ("third", "lecun", "glorot", "he")},
    "normal": (ASSIGNMENT_INITIALIZERS[1], "normal(0, 1)", 1),
}
SCALES = {False: "raw", True: "standardized"}
SAME = 1  # unit of the hidden layer's: fewer counts as no difference
DRAWS = 20  # of the untrained net
TOLERANCE = 0.25  # of the logits' mean square, relative: a little more than those draws leave open


def runs(config: Config, dataset: DatasetInfo) -> list[Run]:
    """Every start on raw pixels, He's on standardized ones too; and both scales untrained."""
    found, measured = [], (Probe("signal"), Probe("logits"))
    for seed in config.seeds_of("input_scale", full=DRAWS, quick=5):
        for standardized in SCALES:
            start = assignment.network(
                HE, config, dataset, seed, steps=0, probes=measured, standardized=standardized
            )
            found.append(Run({"part": "start", "arm": "he", "standardized": standardized}, start))
    for seed in config.seeds_of("input_scale", full=5, quick=1):
        for name, (kernel, *_) in STARTS.items():
            labels = {"part": "trained", "arm": name, "standardized": False}
            found.append(Run(labels, _trained(kernel, config, dataset, seed)))
        scaled = _trained(HE, config, dataset, seed, standardized=True)
        found.append(Run({"part": "trained", "arm": "he", "standardized": True}, scaled))
    return found


def _trained(
    kernel: Initializer, config: Config, dataset: DatasetInfo, seed: int, **options: Any
) -> RunSpec:
    """The assignment's run, with the dead units counted at its end."""
    plain = assignment.network(kernel, config, dataset, seed, **options)
    steps = config.pick(full=plain.steps, quick=min(plain.steps, 1500))
    probes = (*plain.probes, Probe("dead_units", (steps,)))
    return replace(plain, steps=steps, probes=tuple(dict.fromkeys(probes)))


def rows(results: Results, part: str, arm: str, *, standardized: bool = False) -> pd.DataFrame:
    """The runs of one arm, by seed."""
    table = results.table
    chosen = (table["part"] == part) & (table["arm"] == arm)
    return table[chosen & (table["standardized"] == standardized)].sort_values("seed")


def dead(results: Results, arm: str) -> pd.Series:
    """Hidden units that are off on every validation image after training, by seed."""
    found = rows(results, "trained", arm)
    found = found[found["status"] == "finished"]
    return pd.Series(decide.probed(found, "dead_units", "count"), index=found["seed"], dtype=float)


def accuracies(results: Results, *, standardized: bool) -> tuple[pd.Series, pd.Series]:
    """He's by seed: validation accuracy after the first epoch, test accuracy at the end."""
    found = rows(results, "trained", "he", standardized=standardized)
    return assignment.after_first_epoch(found), decide.scored(found)


def logits(results: Results, *, standardized: bool) -> tuple[np.ndarray, float]:
    """Mean square of He's logits before training by draw, and theory's."""
    found = rows(results, "start", "he", standardized=standardized)
    square = decide.probed(found, "signal", "input_mean_square")[0]
    described = results.dataset.described()
    first, _ = untrained.gains(HE, (described["inputs"], HIDDEN, described["classes"]))
    last = theory.initializer_variance("HeNormal", HIDDEN, described["classes"])
    measured = np.array(decide.probed(found, "logits", "mean_square"), dtype=float)
    return measured, float(HIDDEN * last * first * square)


def deviations(results: Results) -> dict[str, tuple[float, float]]:
    """Input scale -> standard deviation of He's logits over all draws, and theory's."""
    both = {name: logits(results, standardized=flag) for flag, name in SCALES.items()}
    return {n: (float(np.sqrt(m.mean())), float(np.sqrt(q))) for n, (m, q) in both.items()}


def analyse(results: Results) -> Findings:
    """Logits and accuracy by input scale; dead units by start."""
    both = {name: accuracies(results, standardized=flag) for flag, name in SCALES.items()}
    early, final = ({n: decide.average(of[i]) for n, of in both.items()} for i in (0, 1))
    stds = deviations(results)
    start = decide.probed(rows(results, "start", "he"), "signal", "input_mean_square")
    off = {arm: decide.average(dead(results, arm)) for arm in STARTS}
    theirs = {"small": 10.8, "third": 4.2, "lecun": 1.3, "glorot": 0.7, "he": 0.3, "normal": 0.0}
    expected = decide.expected
    values = {
        "logit_std": {name: measured for name, (measured, _) in stds.items()},
        "logit_theory": {name: predicted for name, (_, predicted) in stds.items()},
        "mean_square": start[0],
        "early": early, "final": final, "dead": off, "units": HIDDEN,
        "expected": [
            expected("He: logit deviation, pixels in [0, 1]", 0.47, stds["raw"][0], 0.42, 0.52),
            expected("He: the same, standardized", 1.35, stds["standardized"][0], 1.2, 1.5),
            expected("He, raw: accuracy after an epoch", 0.948, early["raw"], 0.943, 0.953),
            expected("He, standardized: the same", 0.955, early["standardized"], 0.95, 0.96),
            expected("He, raw: accuracy after ten epochs", 0.9764, final["raw"], 0.9745, 0.9783),
            expected("He, standardized: the same", 0.975, final["standardized"], 0.973, 0.977),
            *(
                expected(f"dead units, {STARTS[arm][1]}", n, off[arm], 2 * n / 3 - 1, 4 * n / 3 + 1)
                for arm, n in theirs.items()
            ),
        ],
    }  # fmt: skip
    return Findings(values, [draw_inputs(results, values), draw_dead(results)])


def draw_inputs(results: Results, values: dict[str, Any]) -> Figure:
    """Logits under either input scale beside theory's; accuracy early and at the end, paired."""
    figure, axes = plotting.new(3, height=3.0)
    color = plotting.style(SCHEMES["he"][2])["color"]
    for x, standardized in enumerate(SCALES):
        squares, theirs = logits(results, standardized=standardized)
        found, label = np.sqrt(squares), "theory" if x == 0 else None
        axes[0].plot([x - 0.3, x + 0.3], [theirs**0.5] * 2, color=plotting.INK, lw=1.6, label=label)
        spread = x + np.linspace(-0.12, 0.12, len(found))
        axes[0].plot(spread, found, "D", color=color, alpha=0.7, markersize=5)
    axes[0].legend(loc="center left")
    both = [accuracies(results, standardized=standardized) for standardized in SCALES]
    for column in (0, 1):
        pairs = np.array([both[0][column], both[1][column]])
        axes[column + 1].plot((0, 1), pairs, "-D", color=color, alpha=0.6, lw=1, markersize=5)
        axes[column + 1].plot((0, 1), pairs.mean(axis=1), color=plotting.INK, lw=2.2)
    axes[0].set(title="Logits at the start", ylabel="standard deviation", ylim=(0, None))
    axes[1].set(title="After one epoch", ylabel="validation accuracy")
    axes[2].set(title="At the end", ylabel="test accuracy")
    for each in axes:
        each.set(xlim=(-0.5, 1.5), xticks=(0, 1), xticklabels=("raw", "standardized"))
        each.grid(axis="x", visible=False)
    std, early, final = values["logit_std"], values["early"], values["final"]
    return Figure(
        "input-scale",
        figure,
        f"**Standardizing the pixels takes the logits' deviation from {std['raw']:.2f} to "
        f"{std['standardized']:.2f}, accuracy after one epoch from {decide.fixed(early['raw'])} to "
        f"{decide.fixed(early['standardized'])}, and at the end from {decide.fixed(final['raw'])} "
        f"to {decide.fixed(final['standardized'])}.** He's start, every seed; pixels raw, that is "
        "in [0, 1], or standardized. Dark: theory's deviation on the left, means on the right.",
        "Three panels, raw against standardized pixels: logit deviation with theory's marks, "
        "accuracy after one epoch and at the end, seeds paired by lines.",
        results.table[["part", "arm", "standardized", "seed", "test_accuracy"]],
    )


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
        data.append(pd.DataFrame({"arm": arm, "seed": found.index, "dead": found.to_numpy()}))
    axes.set_xticks(range(len(STARTS)), [name for _, name, _ in STARTS.values()], fontsize=8.5)
    axes.set(ylabel=f"dead units of {HIDDEN}", xlabel="start, from small weights to large")
    most = max(1.0, pd.concat(data)["dead"].max())
    axes.set_ylim(-0.04 * most, 1.15 * most)
    axes.grid(axis="x", visible=False)
    means = {arm: decide.fixed(dead(results, arm).mean(), 1) for arm in STARTS}
    said = ", ".join(f"{mean} from {STARTS[arm][1]}" for arm, mean in means.items())
    return Figure(
        "dead-units",
        figure,
        f"**Units lost in training: {said}.** Hidden units, of {HIDDEN}, that are zero on every "
        "validation image at the end; bars are means, markers the seeds.",
        f"Bars of dead units by start, seeds as points. Means: {said}.",
        pd.concat(data),
    )


def _formula_holds(results: Results) -> evidence.Outcome:
    both = [logits(results, standardized=flag) for flag in SCALES]
    ratios = np.mean([measured / theirs for measured, theirs in both], axis=0)  # same draws
    figures = {name: measured for name, (measured, _) in deviations(results).items()}
    figures |= {f"{name}_theory": theirs for name, (_, theirs) in deviations(results).items()}
    return decide.between(ratios, 1 - TOLERANCE, 1 + TOLERANCE, **figures)


def _helps_early(results: Results) -> evidence.Outcome:
    (raw, _), (scaled, _) = (accuracies(results, standardized=flag) for flag in SCALES)
    return decide.above(scaled - raw, 0.0, raw=raw.mean(), standardized=scaled.mean())


def _no_gain_in_the_end(results: Results) -> evidence.Outcome:
    (_, raw), (_, scaled) = (accuracies(results, standardized=flag) for flag in SCALES)
    return decide.above(raw - scaled, -MARGIN, raw=raw.mean(), standardized=scaled.mean())


def _small_starts_die(results: Results) -> evidence.Outcome:
    small, he = dead(results, "small"), dead(results, "he")
    return decide.above(small - he, 0.0, small=small.mean(), he=he.mean(), units=HIDDEN)


def _glorot_or_he(results: Results) -> evidence.Outcome:
    glorot, he = dead(results, "glorot"), dead(results, "he")
    figures = {"glorot": glorot.mean(), "he": he.mean(), "units": HIDDEN}
    return decide.between(he - glorot, -SAME, SAME, **figures)


EXPERIMENT = Experiment(
    number=14,
    name="input_scale",
    title="Input scale and dying units",
    question="What do the scale of the inputs and that of the weights change, in the start and on?",
    setup=(
        "The assignment's network and training. He's start on pixels in [0, 1] and standardized to "
        "mean 0 and deviation 1; and six starts on raw pixels, with the hidden units counted that "
        "are zero on every validation image at the end."
    ),
    runs=runs,
    analyse=analyse,
    claims=(
        Claim(
            "input-formula",
            "The formula asks nothing of the inputs and holds for both: He's logits have a "
            "deviation of {raw:.2f} on raw pixels (theory: {raw_theory:.2f}) and of "
            "{standardized:.2f} on standardized ones (theory: {standardized_theory:.2f}).",
            "The formula fails here: He's logits have a deviation of {raw:.2f} on raw pixels "
            "(theory: {raw_theory:.2f}) and of {standardized:.2f} on standardized ones (theory: "
            "{standardized_theory:.2f}).",
            "He's logits have a deviation of {raw:.2f} on raw pixels (theory: {raw_theory:.2f}) "
            "and of {standardized:.2f} on standardized ones (theory: {standardized_theory:.2f}); "
            "{n} draws do not settle whether the formula holds.",
            _formula_holds,
            "input-scale",
        ),
        Claim(
            "standardized-early",
            "Standardized pixels give He's start a lead after the first epoch: {standardized:.4f} "
            "against {raw:.4f} (difference {effect:+.4f}, 95 % interval {low:+.4f} to {high:+.4f}, "
            "{n} seeds).",
            "Standardized pixels set He's start back in the first epoch: {standardized:.4f} "
            "against {raw:.4f} (difference {effect:+.4f}, 95 % interval {low:+.4f} to {high:+.4f}, "
            "{n} seeds).",
            "After the first epoch He's start stands at {standardized:.4f} on standardized pixels "
            "and at {raw:.4f} on raw ones, and {n} seeds do not settle which is ahead.",
            _helps_early,
            "input-scale",
        ),
        Claim(
            "standardized-final",
            "At the end nothing is left of it: {standardized:.4f} on standardized pixels, "
            "{raw:.4f} on raw ones.",
            "At the end standardized pixels are ahead: {standardized:.4f} against {raw:.4f} on raw "
            "ones.",
            "At the end He's start has {standardized:.4f} on standardized pixels and {raw:.4f} on "
            "raw ones, which {n} seeds do not set apart.",
            _no_gain_in_the_end,
            "input-scale",
        ),
        Claim(
            "small-starts-die",
            "In training the smaller start loses more units: of {units}, {small:.1f} are dead at "
            "the end from normal(0, 0.01²) and {he:.1f} from He (difference {effect:.1f}, 95 % "
            "interval {low:.1f} to {high:.1f}, {n} seeds).",
            "In training the smaller start loses fewer units: of {units}, {small:.1f} are dead at "
            "the end from normal(0, 0.01²) and {he:.1f} from He.",
            "Of {units} units {small:.1f} are dead at the end from normal(0, 0.01²) and {he:.1f} "
            "from He, and {n} seeds do not settle whether the smaller start loses more.",
            _small_starts_die,
            "dead-units",
        ),
        Claim(
            "he-spares-no-units",
            "Between He and Glorot no difference shows: of {units} units {he:.1f} are dead at the "
            "end from He's start and {glorot:.1f} from Glorot's, on average over {n} seeds.",
            "He and Glorot do differ: of {units} units {he:.1f} are dead at the end from He's "
            "start and {glorot:.1f} from Glorot's, on average over {n} seeds.",
            "Between He and Glorot it stays open which loses more: of {units} units {he:.1f} are "
            "dead at the end from He's start and {glorot:.1f} from Glorot's, a difference within "
            "the noise of {n} seeds.",
            _glorot_or_he,
            "dead-units",
        ),
    ),
)
