"""The compiled loop against Keras's own `fit` and `evaluate` on the same batches."""

import json
from dataclasses import asdict, replace
from typing import Any

import keras
import numpy as np
import pytest

from reportgen.config import ASSIGNMENT_INITIALIZERS, Initializer
from reportgen.engine.datasets import DatasetInfo
from reportgen.engine.networks import build_model
from reportgen.engine.probes import PROBES
from reportgen.engine.runs import Layer, Optimizer, Probe, RunSpec, canonical
from reportgen.engine.splits import Images
from reportgen.engine.training import Trainer, _trainer, train

pytestmark = pytest.mark.slow
Small = tuple[DatasetInfo, Images]

HE = Initializer("HeNormal")
NORMALIZED = (
    Layer(16, "relu", kernel=HE, normalization="layer"),
    Layer(16, "relu", kernel=HE, normalization="batch", residual=True),
    Layer(10, "softmax", kernel=HE),
)
BLOCKS = ((3, 20), (4, 0), (4, 20))  # seed and steps of runs that share a trainer
STEPS = 32  # an epoch of 2,000 images in batches of 64, of which the last holds 16


def network(kernel: Initializer = HE, **hidden: Any) -> tuple[Layer, ...]:
    """The assignment's network, small; `hidden` changes its hidden layer."""
    return (
        Layer(32, "relu", kernel=kernel, **hidden),
        Layer(10, "softmax", kernel=kernel),
    )


def run(small: Small, **fields: Any) -> RunSpec:
    """One epoch of the assignment's training."""
    defaults: dict[str, Any] = {"layers": network(), "seed": 3, "steps": STEPS}
    return RunSpec(dataset=small[0].digest, **defaults | fields)


class Oracle:
    """The same run by Keras: `fit` without shuffling, an epoch a call, on the batches in order."""

    def __init__(self, spec: RunSpec, images: Images) -> None:
        model = build_model(
            spec.layers,
            input_shape=images.shape,
            seed=spec.seed,
            shared_initializer=spec.shared_initializer,
        )
        named = spec.optimizer
        model.compile(
            keras.optimizers.Adam(named.learning_rate, epsilon=named.epsilon)
            if named.name == "adam"
            else keras.optimizers.SGD(named.learning_rate),
            loss="sparse_categorical_crossentropy",
            metrics=["accuracy"],
            run_eagerly=True,  # neither XLA nor the graph optimizer, whose rounding is another
        )
        scaled = images.x_train.astype(np.float64) / 255
        mean, deviation = (scaled.mean(), scaled.std()) if spec.standardized else (0, 1)

        def seen(x: np.ndarray) -> np.ndarray:
            return ((x.astype(np.float64) / 255 - mean) / deviation).astype(np.float32)

        self.history: dict[str, list[float]] = {}
        for epoch in range(spec.steps // -(-len(images.y_train) // spec.batch_size)):
            order = np.random.default_rng([spec.seed, epoch]).permutation(len(images.y_train))
            fitted = model.fit(
                seen(images.x_train[order]),
                images.y_train[order],
                batch_size=spec.batch_size,
                shuffle=False,
                validation_data=(seen(images.x_validation), images.y_validation),
                verbose=0,
            )
            for name, values in fitted.history.items():
                self.history.setdefault(name, []).extend(values)
        self.weights = model.get_weights()
        self.test = model.evaluate(seen(images.x_test), images.y_test, verbose=0)
        self.predicted = model.predict(seen(images.x_test), verbose=0).argmax(axis=1)


def ours(spec: RunSpec, images: Images) -> tuple[dict[str, Any], list[np.ndarray]]:
    """The record, and the weights that the run left in its model."""
    record = train(spec, images).record
    return record, _trainer(spec.shape, images).model.get_weights()


def assert_same(spec: RunSpec, images: Images) -> None:
    """Hold a run of ours against Keras's: weights, history, test figures."""
    record, weights = ours(spec, images)
    keras_run = Oracle(spec, images)
    for mine, theirs in zip(weights, keras_run.weights, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-6)
    for name in ("loss", "accuracy", "val_loss", "val_accuracy"):
        assert record["history"][name] == pytest.approx(keras_run.history[name], rel=1e-4), name
    assert [record["test_loss"], record["test_accuracy"]] == pytest.approx(keras_run.test, rel=1e-4)
    assert record["status"] == "finished"


# --- against Keras ------------------------------------------------------------------------------


@pytest.mark.parametrize("kernel", ASSIGNMENT_INITIALIZERS, ids=lambda kernel: kernel.label)
def test_an_epoch_with_a_short_last_batch_is_keras_fit(small: Small, kernel: Initializer) -> None:
    assert_same(run(small, layers=network(kernel)), small[1])


def test_two_epochs_of_whole_batches_are_keras_fit(small: Small) -> None:
    assert_same(run(small, batch_size=100, steps=40), small[1])


@pytest.mark.parametrize(
    "fields",
    [
        {"optimizer": Optimizer("adam", epsilon=1e-3)},
        {"optimizer": Optimizer("adam", learning_rate=0.01)},
        {"optimizer": Optimizer("sgd", learning_rate=0.05)},
        {"standardized": True},
        {"shared_initializer": True},
        {"seed": 4, "steps": 2 * STEPS},
    ],
    ids=str,
)
def test_optimizers_scaling_and_seeds_are_as_in_keras(small: Small, fields: Any) -> None:
    assert_same(run(small, **fields), small[1])


@pytest.mark.parametrize(
    ("dark", "standardized"),
    [(slice(20, 27), False), (slice(20, 27), True), (slice(None), False)],
    ids=["some", "some, standardized", "all"],
)
def test_pixels_that_no_training_image_lights_are_as_in_keras(
    small: Small, dark: slice, standardized: bool
) -> None:
    """They count where they are lit, in validation and test, with the weights they began with."""
    x = small[1].x_train.copy()
    x.reshape(len(x), -1)[:, dark] = 0
    assert_same(run(small, standardized=standardized), replace(small[1], x_train=x))


# By SGD, because the bias before a batch normalization has a gradient of exactly 0 up to rounding:
# Adam divides that rounding by its own size.
@pytest.mark.parametrize("normalization", ["batch", "layer"])
def test_normalization_and_residual_blocks_train_as_in_keras(
    small: Small, normalization: Any
) -> None:
    first, last = network()
    normalized = replace(first, normalization=normalization)
    blocks = (replace(normalized, residual=True), replace(first, residual=True))
    layers = (normalized, *blocks, last)
    assert_same(run(small, layers=layers, optimizer=Optimizer("sgd", 0.02)), small[1])


def test_the_confusion_matrix_counts_true_and_predicted_classes(small: Small) -> None:
    from sklearn.metrics import confusion_matrix

    spec = run(small)
    expected = confusion_matrix(small[1].y_test, Oracle(spec, small[1]).predicted)
    assert train(spec, small[1]).record["confusion"] == expected.tolist()


def test_only_the_last_bias_moves_from_zeros(small: Small) -> None:
    zeros = Initializer("Zeros")
    _, (w1, b1, w2, b2) = ours(run(small, layers=network(zeros)), small[1])
    assert not w1.any()
    assert not b1.any()
    assert not w2.any()
    assert b2.all()


# --- what a record holds ------------------------------------------------------------------------


def test_a_record_tells_the_loss_before_the_first_step_where_it_is_asked_for(small: Small) -> None:
    spec = run(small, probes=(Probe("validation"), Probe("test")))
    record = train(spec, small[1]).record
    untrained = build_model(spec.layers, input_shape=small[1].shape, seed=spec.seed)
    untrained.compile(loss="sparse_categorical_crossentropy", jit_compile=False)
    for split, value in (
        ("test", record["initial_loss"]),
        ("validation", record["probes"]["validation"][0]["loss"]),
    ):
        x, y = (getattr(small[1], f"{part}_{split}") for part in "xy")
        expected = untrained.evaluate(x / np.float32(255), y, verbose=0)
        assert value == pytest.approx(expected, rel=1e-5)
    others = (), (Probe("test", (STEPS,)),)
    assert all("initial_loss" not in train(run(small, probes=p), small[1]).record for p in others)


def test_a_record_names_its_run_and_counts_its_parameters(small: Small) -> None:
    spec = run(small)
    record = train(spec, small[1]).record
    assert record["key"] == spec.key
    assert json.loads(canonical(record["spec"])) == json.loads(canonical(asdict(spec)))
    assert record["parameters"] == 64 * 32 + 32 + 32 * 10 + 10


def test_a_run_that_ends_within_an_epoch_has_a_history_until_there(small: Small) -> None:
    history = train(run(small, steps=STEPS + 5), small[1]).record["history"]
    assert history["step"] == [STEPS, STEPS + 5]
    assert [len(values) for values in history.values()] == [2] * 5


def test_probes_between_steps_change_nothing_else(small: Small) -> None:
    plain = run(small, steps=STEPS + 5)
    steps = (0, 1, 7, STEPS - 1, STEPS, STEPS + 5)
    probed = replace(plain, probes=(Probe("validation", steps),))
    alone, measured = train(plain, small[1]).record, train(probed, small[1]).record
    assert [entry["step"] for entry in measured["probes"]["validation"]] == list(steps)
    assert measured["history"]["val_loss"] == alone["history"]["val_loss"]
    assert measured["test_loss"] == alone["test_loss"]
    assert measured["history"]["loss"] == pytest.approx(alone["history"]["loss"], rel=1e-6)


def test_a_probe_at_an_epochs_end_agrees_with_the_history(small: Small) -> None:
    record = train(run(small, probes=(Probe("validation", (STEPS,)),)), small[1]).record
    (measured,) = record["probes"]["validation"]
    assert measured["loss"] == record["history"]["val_loss"][0]
    assert measured["accuracy"] == record["history"]["val_accuracy"][0]


def test_an_untrained_network_is_only_measured(small: Small) -> None:
    record = train(run(small, steps=0, probes=(Probe("summary"),)), small[1]).record
    assert record["status"] == "finished"
    assert "Total params: 2,410" in record["probes"]["summary"][0]["text"]
    assert "history" not in record


# --- divergence ---------------------------------------------------------------------------------

EXPLOSION = Optimizer("sgd", learning_rate=1e12)


def test_a_run_that_diverges_is_recorded_with_nulls(small: Small) -> None:
    probes = (Probe("validation", (0, STEPS, 2 * STEPS)), Probe("test"))
    result = train(run(small, optimizer=EXPLOSION, steps=3 * STEPS, probes=probes), small[1])
    record = result.record
    assert record["status"] == "diverged"
    assert record["initial_loss"] > 0
    assert [record[name] for name in ("test_loss", "test_accuracy", "confusion")] == [None] * 3
    assert len(record["history"]["step"]) == 1
    assert record["history"]["val_loss"] == [None]
    assert canonical(record)  # plain JSON: no NaN in the probes either


def test_a_run_that_diverged_leaves_nothing_behind(small: Small) -> None:
    spec = run(small, layers=network(normalization="batch"), optimizer=Optimizer("sgd", 0.05))
    before = canonical(train(spec, small[1]).record)
    exploding = train(replace(spec, optimizer=EXPLOSION), small[1]).record
    assert exploding["status"] == "diverged"
    assert canonical(train(spec, small[1]).record) == before


# --- one run, one result ------------------------------------------------------------------------


def test_a_record_is_the_same_bytes_first_or_after_others(small: Small) -> None:
    specs = [
        run(small, probes=(Probe("summary"), Probe("validation", (3,)))),
        run(small, seed=4, layers=network(ASSIGNMENT_INITIALIZERS[1])),
        run(small, optimizer=Optimizer("adam", epsilon=0.1), standardized=True),
        run(small, batch_size=100, steps=20),
        *(run(small, seed=seed, layers=NORMALIZED, steps=steps) for seed, steps in BLOCKS),
    ]
    first = {spec.key: canonical(train(spec, small[1]).record) for spec in specs}
    again = {spec.key: canonical(train(spec, small[1]).record) for spec in reversed(specs)}
    assert first == again
    assert len(first) == len(specs)


def test_a_summary_does_not_tell_how_many_models_came_before(small: Small) -> None:
    first, last = network()
    norms: tuple[Any, ...] = ("batch", "layer")
    layers = [replace(first, normalization=norm) for norm in norms]
    spec = run(small, layers=(*layers, replace(first, residual=True), last), steps=0)
    texts = []
    for _ in range(2):
        trainer = Trainer(spec.shape, small[1])
        trainer.start(spec)
        texts.append(PROBES["summary"](trainer)[0]["text"])
    assert texts[0] == texts[1]


def test_a_seed_decides_draws_and_order(small: Small) -> None:
    probes = (Probe("test"),)
    records = [train(run(small, seed=s, probes=probes), small[1]).record for s in (0, 0, 1)]
    assert records[0] == records[1]
    assert records[0]["initial_loss"] != records[2]["initial_loss"]
    # Zeros draws nothing: what differs between two seeds is the order of the batches alone.
    zeros = network(Initializer("Zeros"))
    losses = [
        train(run(small, seed=seed, layers=zeros), small[1]).record["test_loss"] for seed in (0, 1)
    ]
    assert losses[0] != losses[1]
