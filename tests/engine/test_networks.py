"""Initial weights and the forward pass, against Keras's initializers and formulas spelled out."""

from typing import Any

import keras
import numpy as np
import pytest

from reportgen.config import ASSIGNMENT_INITIALIZERS, INITIALIZERS, Initializer
from reportgen.engine.networks import build_model, draw, draw_weights, layer_seed
from reportgen.engine.runs import Layer

GLOROT, HE, LECUN = map(Initializer, ("GlorotNormal", "HeNormal", "LecunNormal"))
NORMAL = Initializer.of("RandomNormal", mean=0, stddev=1)


def weights(kernel: Initializer, *, seed: int = 0, shared: bool = False) -> list[np.ndarray]:
    """W1, b1, W2, b2 of the assignment's network."""
    layers = (Layer(128, "relu", kernel), Layer(10, "softmax", kernel))
    model = build_model(layers, input_shape=(28, 28), seed=seed, shared_initializer=shared)
    found: list[np.ndarray] = model.get_weights()
    return found


def test_the_assignments_network_has_its_shapes_and_zero_biases() -> None:
    w1, b1, w2, b2 = weights(HE)
    assert [w1.shape, b1.shape, w2.shape, b2.shape] == [(784, 128), (128,), (128, 10), (10,)]
    assert not b1.any()
    assert not b2.any()


@pytest.mark.parametrize("seed", [0, 7])
def test_glorot_he_and_lecun_of_one_seed_are_one_draw_rescaled(seed: int) -> None:
    glorot, he, lecun = (weights(kernel, seed=seed) for kernel in (GLOROT, HE, LECUN))
    for index, (fan_in, fan_out) in ((0, (784, 128)), (2, (128, 10))):
        ratio = np.sqrt(fan_in / (fan_in + fan_out))
        np.testing.assert_allclose(glorot[index], he[index] * ratio, rtol=1e-6)
        np.testing.assert_allclose(lecun[index], he[index] * np.sqrt(0.5), rtol=1e-6)
        assert he[index].std() == pytest.approx(np.sqrt(2 / fan_in), rel=0.06)


@pytest.mark.parametrize("kernel", [GLOROT, HE, NORMAL], ids=lambda kernel: kernel.name)
def test_each_layer_has_a_draw_of_its_own(kernel: Initializer) -> None:
    w1, _, w2, _ = weights(kernel)
    assert abs(np.corrcoef(w1.ravel()[:1280], w2.ravel())[0, 1]) < 0.1


@pytest.mark.parametrize(
    ("kernel", "ratio"),
    [(GLOROT, np.sqrt(912 / 138)), (HE, np.sqrt(784 / 128)), (NORMAL, 1.0)],
    ids=["Glorot", "He", "RandomNormal"],
)
def test_a_shared_initializer_gives_the_second_layer_the_firsts_numbers(
    kernel: Initializer, ratio: float
) -> None:
    w1, _, w2, _ = weights(kernel, shared=True)
    np.testing.assert_allclose(w2.ravel(), w1.ravel()[:1280] * ratio, rtol=1e-6)


@pytest.mark.parametrize("shared", [False, True])
def test_weights_drawn_for_a_model_are_those_it_would_be_built_with(shared: bool) -> None:
    stack = (
        Layer(12, "relu", HE, Initializer("RandomNormal")),
        Layer(12, "relu", GLOROT, normalization="batch"),
        Layer(12, "relu", NORMAL, normalization="layer", residual=True),
        Layer(4, "softmax", Initializer.of("Orthogonal", gain=2)),
    )
    built = build_model(stack, input_shape=(3, 5), seed=3, shared_initializer=shared)
    drawn = build_model(stack, input_shape=(3, 5), seed=4)
    draw_weights(drawn, stack, seed=3, shared_initializer=shared)
    for ours, expected in zip(drawn.get_weights(), built.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, expected)


def test_sharing_is_what_keras_does_with_one_object_in_two_layers() -> None:
    one = keras.initializers.GlorotNormal(seed=layer_seed(5, 0))
    layers = [keras.layers.Dense(units, kernel_initializer=one) for units in (128, 10)]
    theirs = keras.Sequential([keras.Input((28, 28)), keras.layers.Flatten(), *layers])
    for mine, other in zip(weights(GLOROT, seed=5, shared=True), theirs.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, other)


def test_a_seed_decides_all_draws_and_another_gives_others() -> None:
    first, again, other = (weights(HE, seed=seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first[0], again[0])
    assert abs(np.corrcoef(first[0].ravel(), other[0].ravel())[0, 1]) < 0.02


VALUES: dict[str, float | str] = {
    "minval": 0.25, "maxval": 0.75, "mean": 2.0, "stddev": 0.5, "value": 0.5, "gain": 0.5,
    "scale": 0.5, "mode": "fan_avg", "distribution": "uniform",
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(INITIALIZERS))
def test_every_initializer_of_the_table_is_keras_own_with_its_parameters(name: str) -> None:
    parameters = {key: VALUES[key] for key in INITIALIZERS[name]}
    mine, again, other = (draw(Initializer.of(name, **parameters), seed) for seed in (1, 1, 2))
    fixed = name in ("Constant", "Identity", "Ones", "Zeros")
    theirs = getattr(keras.initializers, name)(**parameters, **({} if fixed else {"seed": 1}))
    np.testing.assert_array_equal(mine((6, 5)), theirs((6, 5)))
    np.testing.assert_array_equal(mine((6, 5)), again((6, 5)))
    assert np.array_equal(mine((6, 5)), other((6, 5))) == fixed


def test_a_bias_is_drawn_by_its_own_initializer() -> None:
    layer = Layer(5000, bias=NORMAL)
    kernel, bias = build_model((layer,), input_shape=(1, 1), seed=0).get_weights()
    assert bias.std() == pytest.approx(1, rel=0.05)
    assert abs(np.corrcoef(kernel.ravel(), bias)[0, 1]) < 0.06


# --- forward ------------------------------------------------------------------------------------


def forward(*layers: Layer, x: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Output of a network for x, and its weights by their path's last two parts."""
    model = build_model(layers, input_shape=x.shape[1:], seed=1)
    named = {"/".join(v.path.split("/")[-2:]): np.asarray(v) for v in model.weights}
    return np.asarray(model(x, training=True)), named


X = np.random.default_rng(0).normal(size=(40, 2, 3)).astype(np.float32)
FLAT = X.reshape(40, 6)


@pytest.mark.parametrize("activation", ["linear", "relu", "tanh", "sigmoid", "softmax"])
def test_a_layer_is_its_formula(activation: Any) -> None:
    y, named = forward(Layer(4, activation, HE, bias=NORMAL), x=X)
    z = FLAT @ named["dense_1/kernel"] + named["dense_1/bias"]
    exponentials = np.exp(z - z.max(axis=1, keepdims=True))
    expected = {
        "linear": z,
        "relu": np.maximum(z, 0),
        "tanh": np.tanh(z),
        "sigmoid": 1 / (1 + np.exp(-z)),
        "softmax": exponentials / exponentials.sum(axis=1, keepdims=True),
    }
    np.testing.assert_allclose(y, expected[activation], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("normalization", "axis"), [("batch", 0), ("layer", 1)])
def test_normalization_stands_between_the_product_and_the_activation(
    normalization: Any, axis: int
) -> None:
    y, named = forward(Layer(4, "relu", HE, normalization=normalization), x=X)
    z = FLAT @ named["dense_1/kernel"]
    expected = (z - z.mean(axis, keepdims=True)) / np.sqrt(z.var(axis, keepdims=True) + 1e-3)
    np.testing.assert_allclose(y, np.maximum(expected, 0), rtol=1e-4, atol=1e-5)


def test_a_residual_block_adds_its_branch_and_draws_two_kernels() -> None:
    x = X.reshape(40, 6, 1)
    model = build_model((Layer(6, "relu", HE, residual=True),), input_shape=(6, 1), seed=1)
    inner, b1, outer, b2 = model.get_weights()
    assert not b1.any()
    assert not b2.any()
    np.testing.assert_allclose(
        np.asarray(model(x)), FLAT + np.maximum(FLAT @ inner, 0) @ outer, rtol=1e-5, atol=1e-6
    )
    assert not np.allclose(inner, outer)


def test_the_assignments_network_counts_its_parameters() -> None:
    kernel = ASSIGNMENT_INITIALIZERS[0]
    layers = (Layer(128, "relu", kernel), Layer(10, "softmax", kernel))
    assert build_model(layers, input_shape=(28, 28), seed=0).count_params() == 101_770
