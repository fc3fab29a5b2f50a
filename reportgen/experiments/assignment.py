"""The assignment's comparison: initializers on one network, paired by seed."""

from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from reportgen.analysis import statistics
from reportgen.config import ASSIGNMENT_INITIALIZERS, Config, Initializer
from reportgen.engine.datasets import DatasetInfo
from reportgen.engine.runs import Layer, Probe, RunSpec
from reportgen.experiments import assignment_exhibits as exhibits
from reportgen.experiments import decide, evidence
from reportgen.experiments.decide import alike
from reportgen.experiments.evidence import Claim, Experiment, Findings, Results, Run

HIDDEN = 128
# Arm, name, and test accuracy of the single run that is printed in the assignment.
PRINTED = (
    ("zeros", "Zero", 0.1135),
    ("random_normal", "Normal(0, 1)", 0.9295),
    ("glorot_normal", "Glorot", 0.9771),
    ("he_normal", "He", 0.9759),
)
ARMS = dict(zip(ASSIGNMENT_INITIALIZERS, PRINTED, strict=True))
# Steps of the first epoch at which validation accuracy is looked at, to time the early climb.
EARLY = (10, 20, 50, 100, 200, 300, 400, 500, 600)
PAIR = ("he_normal", "glorot_normal")
MARGIN = 0.002  # differences of accuracy inside it count as none; declared before any run
EARLY_MARGIN = 0.005  # for accuracies after one epoch, whose spread over seeds is twice as wide
LOSS_MARGIN = 0.002  # for zero's loss against that of the class frequencies


def labels(initializer: Initializer) -> dict[str, Any]:
    """How a run is known: by `he_normal` and He, or by the label of an initializer of the user."""
    arm, name, printed = ARMS.get(initializer, (initializer.label, initializer.label, None))
    return {"arm": arm, "name": name, "printed": printed}


def network(
    initializer: Initializer, config: Config, dataset: DatasetInfo, seed: int, **options: Any
) -> RunSpec:
    """The assignment's network and training with one initializer in both layers."""
    per_epoch = -(-dataset.train // config.batch_size)
    early = tuple(step for step in EARLY if step < per_epoch)
    steps = config.epochs * per_epoch
    looks = (Probe("test"), Probe("validation", early), Probe("dead_units", (steps,)))
    defaults: dict[str, Any] = {"steps": steps, "probes": (Probe("summary"), *looks)}
    return RunSpec(
        dataset=dataset.digest,
        layers=(
            Layer(HIDDEN, "relu", kernel=initializer),
            Layer(dataset.classes, "softmax", kernel=initializer),
        ),
        seed=seed,
        batch_size=config.batch_size,
        **defaults | options,
    )


def runs(config: Config, dataset: DatasetInfo) -> list[Run]:
    """Every initializer with every seed."""
    return [
        Run(labels(initializer), network(initializer, config, dataset, seed))
        for seed in range(config.seeds)
        for initializer in config.initializers
    ]


def after_first_epoch(rows: pd.DataFrame) -> pd.Series:
    """Validation accuracy at the end of the first epoch, by seed."""
    first = [(history["val_accuracy"] or [None])[0] for history in rows["history"]]
    return pd.Series(first, index=rows["seed"], dtype=float)


def analyse(results: Results) -> Findings:
    """Accuracy and loss by initializer, paired differences, curves, speed, classes."""
    classes, pairs = results.dataset.class_names, _pairs(results)
    arms = {name: results.rows(name=name) for name in results.table["name"].unique()}
    found = {name: _summary(rows) for name, rows in arms.items()}
    ranked = sorted(arms, key=lambda name: np.nan_to_num(found[name]["test_accuracy"]["mean"]))
    ends = {name: exhibits.confusion(arms[name], len(classes)) for name in (ranked[0], ranked[-1])}
    values = {
        "arms": {rows["arm"].iloc[0]: found[name] for name, rows in arms.items()},
        "lowest": ranked[0],
        "highest": ranked[-1],
        "ends": [found[name]["test_accuracy"]["mean"] for name in ends],
        "answers": [matrix.any(axis=0).sum() for _, matrix in ends.values()],
        "he_less_glorot": _he_less_glorot(results).mean(),
        "looks": list(exhibits.validation(arms[ranked[-1]])),
        "threshold": exhibits.THRESHOLDS[0],
        "model_summary": results.table["probes"].iloc[0]["summary"][0]["text"],
        "parameters": results.table["parameters"].iloc[0],
        "hidden": HIDDEN,
        "diverged": sum(of["diverged"] for of in found.values()),
        "margin": MARGIN,
        "early_margin": EARLY_MARGIN,
    }
    figures = [
        exhibits.draw_accuracy(arms, found),
        exhibits.draw_curves(arms),
        exhibits.draw_pairs(pairs, MARGIN),
        exhibits.draw_speed(arms),
        exhibits.draw_confusion(ends, classes),
    ]
    return Findings(values, figures, exhibits.tables(arms, found, pairs, ends, classes))


def _summary(rows: pd.DataFrame) -> dict[str, Any]:
    """Mean, interval, standard deviation and number of an arm's figures over its finished runs."""
    summary: dict[str, Any] = {
        "name": rows["name"].iloc[0],
        "printed": rows["printed"].iloc[0],
        "diverged": (rows["status"] == "diverged").sum(),
        "first_epoch": after_first_epoch(rows).mean(),
        "reached": exhibits.reached(rows, exhibits.THRESHOLDS[0]).median(),
    }
    for column in ("test_accuracy", "test_loss", "initial_loss"):
        summary[column] = vars(decide.mean(rows[column])) | {"sd": rows[column].astype(float).std()}
    return summary


def _pairs(results: Results) -> list[dict[str, Any]]:
    """Later initializers less earlier ones; Holm's p corrects for the assignment's own pairs."""
    found: list[dict[str, Any]] = []
    for a, b in combinations(results.table["name"].unique(), 2):
        first, second = (decide.by_seed(results.rows(name=name)) for name in (a, b))
        pair = decide.difference(second, first)
        if pair.n:
            known = {"names": {a, b}, "label": f"{b} − {a}", "by_seed": (second - first).dropna()}
            found.append(known | vars(pair))
    asked = {name for _, name, _ in PRINTED}
    family = [of for of in found if of["names"] <= asked]
    for of, p in zip(family, statistics.holm([of["p_value"] for of in family]), strict=True):
        of["holm"] = p
    return found


def _answers_one_class(results: Results) -> evidence.Outcome:
    found = results.rows(arm="zeros")["confusion"]
    single = [of is not None and np.any(of, axis=0).sum() == 1 for of in found]
    mean = decide.accuracy(results, "zeros").mean()
    return decide.always(single, "every run's confusion matrix has one column", effect=mean)


def _loss_is_prior(results: Results) -> evidence.Outcome:
    prior = results.dataset.described()["log_prior_loss"]
    losses = decide.by_seed(results.rows(arm="zeros"), "test_loss")
    return decide.between(losses, prior - LOSS_MARGIN, prior + LOSS_MARGIN, prior=prior)


def _starts_lost(results: Results) -> evidence.Outcome:
    ignorance = float(np.log(results.dataset.classes))
    losses = decide.by_seed(results.rows(arm="random_normal"), "initial_loss")
    return decide.above(losses, 5 * ignorance, ignorance=ignorance)


def _recovers(results: Results) -> evidence.Outcome:
    chance = max(results.dataset.test_counts) / sum(results.dataset.test_counts)
    return decide.above(decide.accuracy(results, "random_normal"), 2 * chance, chance=chance)


def _below_he(results: Results) -> evidence.Outcome:
    pair = {"He", "Normal(0, 1)"}
    corrected = [of["holm"] for of in _pairs(results) if of["names"] == pair]
    he, normal = (decide.accuracy(results, arm) for arm in ("he_normal", "random_normal"))
    return decide.directional(he, normal, p_value=corrected[0] if corrected else None)


def _early(results: Results, arm: str) -> pd.Series:
    return after_first_epoch(results.rows(arm=arm))


def _he_less_glorot(results: Results) -> pd.Series:
    he, glorot = (decide.accuracy(results, arm) for arm in PAIR)
    return he - glorot


def _original_order(results: Results) -> evidence.Outcome:
    differences = _he_less_glorot(results).dropna()
    n, above = len(differences), int((differences < 0).sum())
    verdict: statistics.Verdict = "inconclusive"
    if n >= 5:
        verdict = "supported" if 0.1 <= above / n <= 0.9 else "contradicted"
    how = "share of seeds with Glorot above He from a tenth to nine tenths, of at least 5 seeds"
    return evidence.Outcome(verdict, above / n if n else None, n, how, details={"above": above})


CLAIMS = (
    Claim("zero-one-class", _answers_one_class, "assignment-confusion"),
    Claim("zero-loss-is-prior", _loss_is_prior, "assignment-results"),
    Claim("normal-starts-lost", _starts_lost, "assignment-results"),
    Claim("normal-recovers", _recovers, "assignment-accuracy"),
    Claim("normal-below-he", _below_he, "assignment-pairs"),
    Claim("he-vs-glorot", alike(decide.accuracy, *PAIR, MARGIN), "assignment-pairs"),
    Claim("he-vs-glorot-early", alike(_early, *PAIR, EARLY_MARGIN), "assignment-speed"),
    Claim("original-order", _original_order, "assignment-pairs"),
)

EXPERIMENT = Experiment(1, "assignment", runs, analyse, CLAIMS)
