"""The assignment's comparison: initializers on one network, paired by seed.

What it draws stands in `assignment_exhibits`.
"""

import itertools
from typing import Any

import numpy as np
import pandas as pd

from reportgen.config import ASSIGNMENT_INITIALIZERS, Config, Initializer
from reportgen.engine.datasets import DatasetInfo
from reportgen.engine.runs import Layer, Probe, RunSpec
from reportgen.experiments import assignment_exhibits as exhibits
from reportgen.experiments import decide
from reportgen.experiments.assignment_exhibits import MARGIN, ORIGINAL, Arms
from reportgen.experiments.evidence import Claim, Experiment, Findings, Outcome, Results, Run

HIDDEN = 128
NAMES = dict(zip(ASSIGNMENT_INITIALIZERS, ("Zero", "Normal(0, 1)", "Glorot", "He"), strict=True))
ARMS = dict(zip(ASSIGNMENT_INITIALIZERS, ORIGINAL, strict=True))
# Steps of the first epoch at which validation accuracy is looked at, to time the early climb.
EARLY = (10, 20, 50, 100, 200, 300, 400, 500, 600)
EARLY_MARGIN = 0.005  # for accuracies after one epoch, whose spread over seeds is twice as wide


def arm(initializer: Initializer) -> str:
    """The initializer's name in values: `he_normal`, or its label where it is the user's own."""
    return ARMS.get(initializer, initializer.label)


def network(
    initializer: Initializer, config: Config, dataset: DatasetInfo, seed: int, **options: Any
) -> RunSpec:
    """The assignment's network and training with one initializer in both layers."""
    classes = len(dataset.test_counts)
    per_epoch = -(-dataset.train // config.batch_size)
    early = tuple(step for step in EARLY if step < per_epoch)
    steps = config.epochs * per_epoch
    probes = (Probe("summary"), Probe("validation", early), Probe("dead_units", (steps,)))
    defaults: dict[str, Any] = {"steps": steps, "probes": probes}
    return RunSpec(
        dataset=dataset.digest,
        layers=(
            Layer(HIDDEN, "relu", kernel=initializer),
            Layer(classes, "softmax", kernel=initializer),
        ),
        seed=seed,
        batch_size=config.batch_size,
        **defaults | options,
    )


def runs(config: Config, dataset: DatasetInfo) -> list[Run]:
    """Every initializer with every seed."""
    return [
        Run(
            {"arm": arm(initializer), "name": NAMES.get(initializer, initializer.label)},
            network(initializer, config, dataset, seed),
        )
        for seed in range(config.seeds)
        for initializer in config.initializers
    ]


def analyse(results: Results) -> Findings:
    """Accuracy and loss by initializer, paired differences, curves, speed, classes."""
    found = split(results)
    reached = {key: exhibits.steps_to_reach(rows) for key, rows in found.rows.items()}
    return Findings(
        values={
            "arms": found.summary,
            "pairs": {f"{a}-{b}": vars(pair) for (a, b), pair in found.pairs.items()},
            "reached": reached,
            "lowest": found.names[found.extremes[0]],
            "highest": found.names[found.extremes[1]],
            "model_summary": results.table["probes"].iloc[0]["summary"][0]["text"],
            "parameters": int(results.table["parameters"].iloc[0]),
            "diverged": int((results.table["status"] == "diverged").sum()),
            "margin": MARGIN,
            "early_margin": EARLY_MARGIN,
        },
        figures=[
            exhibits.draw_accuracy(found),
            exhibits.draw_curves(found),
            exhibits.draw_pairs(found),
            exhibits.draw_speed(found),
            exhibits.draw_confusion(found, results.dataset),
        ],
        tables=[
            exhibits.table_results(found),
            exhibits.table_differences(found),
            exhibits.table_reached(found, reached),
            exhibits.table_classes(found, results.dataset),
        ],
    )


def split(results: Results) -> Arms:
    """The results by initializer, in the order of the configuration."""
    keys = [arm(initializer) for initializer in results.config.initializers]
    rows = {key: select(results, key) for key in keys}
    accuracies = {key: decide.by_seed(of) for key, of in rows.items()}
    pairs = {
        (b, a): pair
        for a, b in itertools.combinations(keys, 2)
        if (pair := decide.difference(accuracies[b], accuracies[a]))
    }
    summary = {key: summarize(of) for key, of in rows.items()}
    ranked = sorted(keys, key=lambda key: summary[key]["test_accuracy"]["mean"] or 0.0)
    return Arms(
        rows=rows,
        names={key: str(of["name"].iloc[0]) for key, of in rows.items()},
        accuracies=accuracies,
        summary=summary,
        pairs=pairs,
        extremes=(ranked[0], ranked[-1]),
    )


def select(results: Results, key: str) -> pd.DataFrame:
    """The rows of one arm, by seed."""
    return results.table[results.table["arm"] == key].sort_values("seed")


def summarize(rows: pd.DataFrame) -> dict[str, Any]:
    """Mean, interval, standard deviation and number of an arm's figures over its finished runs."""
    summary: dict[str, Any] = {"diverged": int((rows["status"] == "diverged").sum())}
    for column in ("test_accuracy", "test_loss", "initial_loss"):
        values = decide.by_seed(rows, column).dropna()
        found = decide.mean(values)
        bounds = vars(found) if found else {"mean": None, "low": None, "high": None, "n": 0}
        summary[column] = bounds | {"sd": float(values.std())}
    return summary


def after_first_epoch(rows: pd.DataFrame) -> pd.Series:
    """Validation accuracy at the end of the first epoch, by seed."""
    first = [(history["val_accuracy"] or [None])[0] for history in rows["history"]]
    return pd.Series(first, index=rows["seed"], dtype=float)


def _answers_one_class(results: Results) -> Outcome:
    described = results.dataset.described()
    zero = select(results, "zeros")
    single = [
        matrix is not None and int((np.array(matrix).sum(axis=0) > 0).sum()) == 1
        for matrix in zero["confusion"]
    ]
    return decide.always(
        single,
        "every run's confusion matrix has one column",
        effect=float(decide.by_seed(zero).mean()),
        share=described["majority_test_share"],
    )


def _loss_is_prior(results: Results) -> Outcome:
    prior = results.dataset.described()["log_prior_loss"]
    losses = decide.by_seed(select(results, "zeros"), "test_loss")
    return decide.between(losses, prior - 0.002, prior + 0.002, prior=prior)


def _starts_lost(results: Results) -> Outcome:
    ignorance = float(np.log(len(results.dataset.test_counts)))
    losses = decide.by_seed(select(results, "random_normal"), "initial_loss")
    return decide.above(losses, 5 * ignorance, ignorance=ignorance)


def _recovers(results: Results) -> Outcome:
    chance = max(results.dataset.test_counts) / sum(results.dataset.test_counts)
    accuracies = decide.by_seed(select(results, "random_normal"))
    return decide.above(accuracies, 2 * chance, chance=chance)


def _below_he(results: Results) -> Outcome:
    pair = ("he_normal", "random_normal")
    he, normal = (decide.by_seed(select(results, key)) for key in pair)
    return decide.directional(he, normal, p_value=exhibits.holm(split(results)).get(pair))


def _he_against_glorot(results: Results) -> Outcome:
    he, glorot = (decide.by_seed(select(results, key)) for key in ("he_normal", "glorot_normal"))
    return decide.equivalent(he, glorot, margin=MARGIN)


def _he_against_glorot_early(results: Results) -> Outcome:
    he, glorot = (after_first_epoch(select(results, k)) for k in ("he_normal", "glorot_normal"))
    return decide.equivalent(he, glorot, margin=EARLY_MARGIN)


def _original_order(results: Results) -> Outcome:
    he, glorot = (decide.by_seed(select(results, key)) for key in ("he_normal", "glorot_normal"))
    both = pd.concat([glorot, he], axis=1, join="inner").dropna()
    above = int((both.iloc[:, 0] > both.iloc[:, 1]).sum())
    unstable = None if len(both) < 5 else 0.1 <= above / len(both) <= 0.9
    return Outcome(
        "inconclusive" if unstable is None else "supported" if unstable else "contradicted",
        above / len(both) if len(both) else None,
        len(both),
        "share of seeds with Glorot above He from a tenth to nine tenths, of at least 5 seeds",
        details={"above": above},
    )


CLAIMS = (
    Claim(
        "zero-one-class",
        "Started from zeros, the network gives every test image the same answer, in all {n} runs, "
        "and its accuracy of {effect:.4f} is that class's share of the test images.",
        "Started from zeros, the network uses more than one answer in every run; its mean accuracy "
        "is {effect:.4f}.",
        "Started from zeros, the network gives every test image the same answer in {holding} of "
        "{n} runs.",
        _answers_one_class,
        "assignment-confusion",
    ),
    Claim(
        "zero-loss-is-prior",
        "Zero's test loss of {effect:.4f} is what it costs to answer every image with the training "
        "images' class frequencies, {prior:.4f}.",
        "Zero's test loss of {effect:.4f} is not what it costs to answer every image with the "
        "training images' class frequencies, {prior:.4f}.",
        "Whether zero's test loss of {effect:.4f} is that of answering every image with the "
        "training images' class frequencies, {prior:.4f}, these runs do not settle.",
        _loss_is_prior,
        "assignment-results",
    ),
    Claim(
        "normal-starts-lost",
        "Before the first step the normal(0, 1) start has a loss of {effect:.1f} on average, where "
        "knowing nothing would cost {ignorance:.3f}.",
        "Before the first step the normal(0, 1) start has a loss of {effect:.2f}, which is not far "
        "from the {ignorance:.3f} of knowing nothing.",
        "Before the first step the normal(0, 1) start has a loss of {effect:.2f} on average, too "
        "variable over the seeds to be set apart from five times the {ignorance:.3f} of knowing "
        "nothing.",
        _starts_lost,
        "assignment-results",
    ),
    Claim(
        "normal-recovers",
        "The normal(0, 1) start does not fail: it ends at {effect:.4f}, where always answering the "
        "most frequent class would score {chance:.4f}.",
        "The normal(0, 1) start fails: it ends at {effect:.4f}, where always answering the most "
        "frequent class would score {chance:.4f}.",
        "Whether the normal(0, 1) start, which ends at {effect:.4f}, learns more than the most "
        "frequent class ({chance:.4f}), these runs do not settle.",
        _recovers,
        "assignment-accuracy",
    ),
    Claim(
        "normal-below-he",
        "He ends {effect:.4f} above normal(0, 1) (95 % interval {low:.4f} to {high:.4f}, {n} "
        "pairs).",
        "He ends below normal(0, 1): the difference is {effect:+.4f} (95 % interval {low:+.4f} to "
        "{high:+.4f}, {n} pairs).",
        "He and normal(0, 1) differ by {effect:+.4f} over {n} pairs, which does not decide which "
        "of them ends higher.",
        _below_he,
        "assignment-pairs",
    ),
    Claim(
        "he-vs-glorot",
        "Between He and Glorot no difference shows: their accuracies differ by {effect:+.4f} on "
        "average (95 % interval {low:+.4f} to {high:+.4f}, {n} pairs), inside the ±{margin:g} that "
        "was declared to count as none.",
        "He and Glorot do differ here: He's accuracy less Glorot's is {effect:+.4f} on average "
        "(95 % interval {low:+.4f} to {high:+.4f}, {n} pairs), outside the ±{margin:g} that was "
        "declared to count as none.",
        "Whether He and Glorot differ here stays open: He's accuracy less Glorot's is "
        "{effect:+.4f} on average over {n} pairs, which neither stays inside ±{margin:g} nor "
        "leaves it.",
        _he_against_glorot,
        "assignment-pairs",
    ),
    Claim(
        "he-vs-glorot-early",
        "Neither of He and Glorot learns sooner: after the first epoch their accuracies "
        "differ by {effect:+.4f} (95 % interval {low:+.4f} to {high:+.4f}), inside ±{margin:g}.",
        "After the first epoch He and Glorot do differ: He's validation accuracy less Glorot's is "
        "{effect:+.4f} (95 % interval {low:+.4f} to {high:+.4f}), outside ±{margin:g}.",
        "After the first epoch He's validation accuracy less Glorot's is {effect:+.4f} over {n} "
        "pairs, which does not decide whether one of the two learns sooner.",
        _he_against_glorot_early,
        "assignment-speed",
    ),
    Claim(
        "original-order",
        "The order of the two in the assignment's single run is a matter of the seed: Glorot comes "
        "out above He in {above} of {n} seeds.",
        "The order of the two does not hang on the seed: Glorot comes out above He in {above} of "
        "{n} seeds.",
        "Glorot comes out above He in {above} of {n} seeds, too few to tell whether their order "
        "hangs on the seed.",
        _original_order,
        "assignment-pairs",
    ),
)

EXPERIMENT = Experiment(
    number=1,
    name="assignment",
    title="The assignment's comparison",
    question="How do zero, random normal, Glorot and He initialization compare on one network?",
    setup=(
        "Flatten, Dense 128 ReLU, Dense softmax; categorical cross-entropy, Adam at Keras's "
        "defaults; every initializer with every seed, paired by seed: same split, same batch "
        "order, and the same unit draws where one initializer rescales another's."
    ),
    runs=runs,
    analyse=analyse,
    claims=CLAIMS,
)
