"""The assignment's experiment: its runs as asked, findings that follow what was measured."""

import itertools
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from experiments.words import said

from reportgen.config import Config, Initializer
from reportgen.engine.datasets import DatasetInfo
from reportgen.engine.runs import Layer, Optimizer, RunSpec
from reportgen.experiments import assignment
from reportgen.experiments.evidence import Outcome, Results, tabulate, write

COUNTS = (4748, 5420, 4784, 4912, 4666, 4317, 4741, 4966, 4691, 4755)
MNIST = DatasetInfo(
    "mnist", "MNIST", "digest", "mnist.npz", False, (28, 28), COUNTS, 12000,
    (980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009), tuple("0123456789"),
)  # fmt: skip
CLASSES = len(MNIST.test_counts)
LABELS = ("Zero", "Normal(0, 1)", "Glorot", "He")
EXTRA = Initializer.of("LecunNormal")

Measure = Callable[[str, int], dict[str, Any]]


def usual(arm: str, seed: int) -> dict[str, Any]:
    """What the four starts come to on MNIST."""
    noise = np.random.default_rng([seed, len(arm)]).normal(0, 0.0004)
    accuracy = {"zeros": 0.1135, "random_normal": 0.930}.get(arm, 0.976)
    return {
        "test_accuracy": accuracy + (noise if arm != "zeros" else 0),
        "test_loss": 2.3010 if arm == "zeros" else 0.09,
        "initial_loss": 114.0 + seed if arm == "random_normal" else 2.4,
    }


def record(spec: RunSpec, arm: str, measured: dict[str, Any]) -> dict[str, Any]:
    """A record as training leaves it."""
    accuracy = measured["test_accuracy"]
    diverged = accuracy is None
    matrix = np.diag(MNIST.test_counts)
    if arm == "zeros":
        matrix = np.zeros_like(matrix)
        matrix[:, 1] = MNIST.test_counts
    epochs = 1 if diverged else spec.steps // 750
    series: list[float | None] = [None if diverged else accuracy] * epochs
    return {
        "key": spec.key,
        "spec": asdict(spec),
        "status": "diverged" if diverged else "finished",
        "parameters": 101_770,
        "probes": {
            "summary": [{"step": 0, "text": "Model"}],
            "validation": [{"step": 10, "loss": 1.0, "accuracy": 0.5}],
        },
        "history": {
            "step": [750 * (epoch + 1) for epoch in range(epochs)],
            **dict.fromkeys(("loss", "val_loss", "accuracy", "val_accuracy"), series),
        },
        "confusion": None if diverged else matrix.tolist(),
        **measured,
    }


def results(measure: Measure = usual, **settings: Any) -> Results:
    """Results of every run, as `measure` says."""
    config = Config(**settings)
    runs = assignment.runs(config, MNIST)
    records = {
        run.spec.key: record(run.spec, run.labels["arm"], measure(run.labels["arm"], run.spec.seed))
        for run in runs
    }
    return Results(tabulate(runs, records), config, MNIST, lambda _: {})


def with_arm(arm: str, **changed: Any) -> Measure:
    """As usual, but for one start."""
    return lambda name, seed: usual(name, seed) | (changed if name == arm else {})


def told(of: Results, tmp_path: Path) -> dict[str, Any]:
    return write(assignment.EXPERIMENT, of, tmp_path / "assignment", seconds=None)


# --- runs ---------------------------------------------------------------------------------------


def test_the_runs_are_the_assignments_network_and_training() -> None:
    runs = assignment.runs(Config(), MNIST)
    assert len(runs) == len({run.spec.key for run in runs}) == 40
    assert sorted({run.spec.seed for run in runs}) == list(range(10))
    for run in runs:
        hidden, output = run.spec.layers
        kernel = hidden.kernel
        assert (hidden, output) == (Layer(128, "relu", kernel), Layer(10, "softmax", kernel))
        assert run.spec.optimizer == Optimizer("adam", 0.001, 1e-7)
        assert (run.spec.steps, run.spec.batch_size) == (7500, 64)
        assert not run.spec.shared_initializer
        assert not run.spec.standardized
        assert run.spec.dataset == "digest"


def test_the_runs_of_one_seed_differ_in_their_initializer_alone() -> None:
    runs = assignment.runs(Config(seeds=2), MNIST)
    for _, group in itertools.groupby(runs, key=lambda run: run.spec.seed):
        specs = [run.spec for run in group]
        assert len(specs) == 4
        assert len({spec.shape for spec in specs}) == 1
        assert len({(spec.seed, spec.steps, spec.probes) for spec in specs}) == 1


def test_epochs_and_batches_follow_the_configuration() -> None:
    (spec, *_) = (run.spec for run in assignment.runs(Config(epochs=3, batch_size=100), MNIST))
    assert (spec.steps, spec.batch_size) == (3 * 480, 100)


# --- findings -----------------------------------------------------------------------------------


def test_the_values_are_the_means_of_the_runs(tmp_path: Path) -> None:
    of = results()
    values = told(of, tmp_path)["values"]
    for arm, rows in of.table.groupby("arm"):
        found = values["arms"][arm]["test_accuracy"]
        assert found["mean"] == pytest.approx(rows["test_accuracy"].mean())
        assert found["n"] == 10
        assert found["sd"] == pytest.approx(rows["test_accuracy"].std(ddof=1), abs=1e-12)
        assert found["low"] <= found["mean"] <= found["high"]
    assert (values["lowest"], values["parameters"], values["diverged"]) == ("Zero", 101_770, 0)


def test_another_initializer_of_keras_is_in_every_figure_and_table(tmp_path: Path) -> None:
    four = Config().initializers
    found = told(results(initializers=(*four, EXTRA)), tmp_path)
    assert EXTRA.label in found["values"]["arms"]
    for id in ("assignment-results", "assignment-reached"):
        assert EXTRA.label in [row[0] for row in found["tables"][id]["rows"]]
    assert any(EXTRA.label in row[0] for row in found["tables"]["assignment-differences"]["rows"])
    for id in ("accuracy", "curves", "pairs", "speed"):
        name = f"assignment-{id}"
        assert EXTRA.label in (tmp_path / "assignment" / f"{name}.csv").read_text()
    without = told(results(), tmp_path / "four")
    assert set(without["figures"]) == set(found["figures"])


def test_every_claim_points_at_a_figure_or_table_that_is_there(tmp_path: Path) -> None:
    found = told(results(), tmp_path)
    exhibits = {*found["figures"], *found["tables"]}
    assert {claim["evidence"] for claim in found["claims"].values()} <= exhibits


def test_the_tables_have_a_cell_for_each_column(tmp_path: Path) -> None:
    for table in told(results(seeds=1), tmp_path)["tables"].values():
        assert {len(row) for row in table["rows"]} == {len(table["columns"])}
        assert len(table["align"]) == len(table["columns"])


def test_a_run_that_diverged_is_counted_out_and_shown(tmp_path: Path) -> None:
    gone = {"test_accuracy": None, "test_loss": None}

    def measure(arm: str, seed: int) -> dict[str, Any]:
        return usual(arm, seed) | (gone if (arm, seed) == ("he_normal", 3) else {})

    found = told(results(measure), tmp_path)
    assert found["values"]["diverged"] == 1
    assert found["values"]["arms"]["he_normal"]["diverged"] == 1
    (he,) = (row for row in found["tables"]["assignment-results"]["rows"] if row[0] == "He")
    assert "9" in he
    assert found["claims"]["he-vs-glorot"]["n"] == 9


@pytest.mark.parametrize("arms", [{"he_normal"}, {"he_normal", "glorot_normal"}])
def test_a_start_from_which_no_run_ends_stops_nothing(arms: set[str], tmp_path: Path) -> None:
    gone = {"test_accuracy": None, "test_loss": None}

    def measure(arm: str, seed: int) -> dict[str, Any]:
        return usual(arm, seed) | (gone if arm in arms else {})

    found = told(results(measure, seeds=2), tmp_path)
    assert found["claims"]["he-vs-glorot"]["verdict"] == "inconclusive"
    assert "nan" not in str(found["tables"]).lower()


def test_holms_correction_holds_in_whatever_order_the_initializers_stand() -> None:
    """Seven pairs of one sign have p = 1/64, which six comparisons raise above 0.05."""
    (claim,) = (it for it in assignment.CLAIMS if it.id == "normal-below-he")
    for four in (Config().initializers, Config().initializers[::-1]):
        of = results(initializers=four, seeds=7)
        assert claim.test(of).verdict == "inconclusive"


@pytest.mark.parametrize("seeds", [1, 2])
def test_few_seeds_are_enough_to_be_shown(seeds: int, tmp_path: Path) -> None:
    found = told(results(seeds=seeds), tmp_path)
    assert len(found["tables"]["assignment-results"]["rows"]) == 4
    assert {found["claims"][id]["verdict"] for id in ("normal-below-he", "original-order")} == {
        "inconclusive"
    }


# --- claims -------------------------------------------------------------------------------------

HIGH = {"test_accuracy": 0.99, "test_loss": 0.05}


@pytest.mark.parametrize(
    ("claim", "measure", "verdict"),
    [
        ("zero-loss-is-prior", usual, "supported"),
        ("zero-loss-is-prior", with_arm("zeros", test_loss=1.0), "contradicted"),
        ("normal-starts-lost", usual, "supported"),
        ("normal-starts-lost", with_arm("random_normal", initial_loss=2.4), "contradicted"),
        ("normal-recovers", usual, "supported"),
        ("normal-recovers", with_arm("random_normal", test_accuracy=0.11), "contradicted"),
        ("normal-below-he", usual, "supported"),
        ("normal-below-he", with_arm("random_normal", **HIGH), "contradicted"),
        ("he-vs-glorot", usual, "supported"),
        ("he-vs-glorot", with_arm("glorot_normal", **HIGH), "contradicted"),
        ("original-order", with_arm("glorot_normal", **HIGH), "contradicted"),
    ],
)
def test_a_verdict_follows_the_data(claim: str, measure: Measure, verdict: str) -> None:
    (wanted,) = (it for it in assignment.CLAIMS if it.id == claim)
    outcome = wanted.test(results(measure))
    assert outcome.verdict == verdict
    assert said("assignment", claim, outcome).endswith(".")


def test_zero_is_held_to_one_answer_by_its_confusion_matrices() -> None:
    (claim,) = (it for it in assignment.CLAIMS if it.id == "zero-one-class")
    of = results()
    outcome = claim.test(of)
    assert outcome.verdict == "supported"
    assert outcome.effect == pytest.approx(0.1135)
    learned = np.diag(MNIST.test_counts).tolist()
    for seeds, verdict in ((1, "inconclusive"), (10, "contradicted")):
        one_answer = (of.table["arm"] != "zeros") | (of.table["seed"] >= seeds)
        kept = of.table["confusion"].where(one_answer, None)
        changed = [learned if matrix is None else matrix for matrix in kept]
        rows = of.table.assign(confusion=pd.Series(changed, index=of.table.index))
        outcome = claim.test(Results(rows, of.config, MNIST, of.arrays))
        assert outcome.verdict == verdict
        assert said("assignment", claim.id, outcome)


def test_each_sentence_can_be_said_whatever_comes_out() -> None:
    """Every name and format in every sentence, with the details of a real outcome."""
    for claim in assignment.CLAIMS:
        real = claim.test(results())
        sentences = {
            said("assignment", claim.id, Outcome(verdict, 0.1, 10, "", 0.0, 0.2, real.details))
            for verdict in ("supported", "contradicted", "inconclusive")
        }
        assert len(sentences) == 3, claim.id
