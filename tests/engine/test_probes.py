"""Probes against NumPy in double precision, on networks written out by hand."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from reportgen.config import Initializer
from reportgen.engine.datasets import DatasetInfo
from reportgen.engine.probes import IMAGES, PROBES, Measurement
from reportgen.engine.runs import Layer, Probe, RunSpec, canonical
from reportgen.engine.splits import Images
from reportgen.engine.training import Trainer, train

Small = tuple[DatasetInfo, Images]
Floats = NDArray[np.float64]

HE = Initializer("HeNormal")
WIDTH = 16
HIDDEN = Layer(WIDTH, "relu", HE, bias=Initializer.of("RandomNormal", stddev=0.2))
OUTPUT = Layer(10, "softmax", HE)
DEEP = (HIDDEN, replace(HIDDEN, activation="tanh"), HIDDEN, OUTPUT)


def trainer(small: Small, *layers: Layer, **fields: Any) -> Trainer:
    """A network before its first step."""
    spec = RunSpec(small[0].digest, layers or DEEP, seed=3, steps=0, **fields)
    made = Trainer(spec.shape, small[1])
    made.start(spec)
    return made


def measure(name: str, of: Trainer) -> Measurement:
    return PROBES[name](of)


def by_hand(of: Trainer) -> dict[str, Any]:
    """Forward and backward through DEEP: lists by layer; gradients are of the mean loss."""
    weights = [w.astype(np.float64) for w in of.model.get_weights()]
    kernels, biases = weights[::2], weights[1::2]
    x = of.images.x_validation[:IMAGES].reshape(IMAGES, -1) / 255
    y = of.images.y_validation[:IMAGES]
    functions = (np.tanh if i == 1 else lambda z: np.maximum(z, 0) for i in range(3))
    inputs, zs, hs = [x], [], []
    for kernel, bias, phi in zip(kernels, biases, [*functions, lambda z: z], strict=True):
        zs.append(inputs[-1] @ kernel + bias)
        hs.append(phi(zs[-1]))
        inputs.append(hs[-1])
    shifted = np.exp(zs[-1] - zs[-1].max(axis=1, keepdims=True))
    p = shifted / shifted.sum(axis=1, keepdims=True)
    slopes = [zs[0] > 0, 1 - np.tanh(zs[1]) ** 2, zs[2] > 0]
    dz = [(p - np.eye(10)[y]) / IMAGES]
    for layer in (2, 1, 0):
        dz.insert(0, dz[0] @ kernels[layer + 1].T * slopes[layer])
    return {
        "x": x, "z": zs, "h": [*hs[:3], p], "p": p, "kernels": kernels, "slopes": slopes,
        "dz": dz, "dkernel": [h.T @ d for h, d in zip(inputs, dz, strict=False)],
        "dbias": [d.sum(axis=0) for d in dz],
    }  # fmt: skip


def squares(of: list[Floats], scale: float = 1) -> list[float]:
    return [float(np.mean((scale * values) ** 2)) for values in of]


def mean_cosine(rows: Floats) -> float:
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    cosines = unit @ unit.T
    return float(cosines[~np.eye(len(rows), dtype=bool)].mean())


# --- forward ------------------------------------------------------------------------------------


def test_the_signal_is_that_of_each_layer(small: Small) -> None:
    of = trainer(small)
    found, hand = measure("signal", of)[0], by_hand(of)
    assert found["z_mean_square"] == pytest.approx(squares(hand["z"]), rel=1e-4)
    assert found["h_mean_square"] == pytest.approx(squares(hand["h"]), rel=1e-4)
    assert found["h_mean"] == pytest.approx([h.mean() for h in hand["h"]], rel=1e-4, abs=1e-6)
    assert found["h_std"] == pytest.approx([h.std() for h in hand["h"]], rel=1e-4)
    assert found["zero"] == pytest.approx([(h == 0).mean() for h in hand["h"]], abs=1e-3)
    assert found["cosine"] == pytest.approx([mean_cosine(h) for h in hand["h"]], rel=1e-4)
    assert found["input_mean_square"] == pytest.approx(np.mean(hand["x"] ** 2), rel=1e-5)
    assert found["input_cosine"] == pytest.approx(mean_cosine(hand["x"]), rel=1e-5)


def test_the_logits_are_the_output_layers(small: Small) -> None:
    of = trainer(small, Layer(WIDTH, "relu", Initializer.of("RandomNormal", stddev=1)), OUTPUT)
    found, arrays = measure("logits", of)
    w1, b1, w2, b2 = of.model.get_weights()
    x = of.images.x_validation[:IMAGES].reshape(IMAGES, -1) / 255
    z = np.maximum(x @ w1 + b1, 0) @ w2 + b2
    np.testing.assert_allclose(arrays["logits"], z, rtol=1e-4, atol=1e-4)
    p = np.exp(z - z.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    assert found["mean_square"] == pytest.approx(np.mean(z**2), rel=1e-4)
    assert found["std"] == pytest.approx(z.std(), rel=1e-4)
    assert found["confident"] == pytest.approx((p.max(axis=1) > 0.99).mean(), abs=5e-3)
    assert found["loss"] == pytest.approx(
        -np.log(p[np.arange(IMAGES), of.images.y_validation[:IMAGES]]).mean(), rel=1e-4
    )


# --- backward -----------------------------------------------------------------------------------


def test_the_gradients_are_those_of_the_mean_loss_and_of_one_images_loss(small: Small) -> None:
    of = trainer(small)
    found, hand = measure("gradients", of)[0], by_hand(of)
    assert found["z"] == pytest.approx(squares(hand["dz"], IMAGES), rel=1e-3)
    assert found["kernel"] == pytest.approx(squares(hand["dkernel"]), rel=1e-3)
    assert found["bias"] == pytest.approx(squares(hand["dbias"]), rel=1e-3)


def test_from_zeros_all_gradients_but_the_last_biases_are_exactly_zero(small: Small) -> None:
    zeros = Initializer("Zeros")
    of = trainer(small, Layer(WIDTH, "relu", zeros), Layer(10, "softmax", zeros))
    found = measure("gradients", of)[0]
    assert found["kernel"] == [0.0, 0.0]
    assert found["bias"][0] == 0.0
    assert found["bias"][1] > 0


def test_histograms_hold_every_value_between_its_edges(small: Small) -> None:
    of = trainer(small)
    arrays, hand = measure("histograms", of)[1], by_hand(of)
    for name, values in (("h", hand["h"]), ("gradient", [IMAGES * d for d in hand["dz"]])):
        counts, edges = arrays[f"{name}_counts"], arrays[f"{name}_edges"]
        assert counts.shape[0] == edges.shape[0] == 4
        assert counts.sum(axis=1).tolist() == [value.size for value in values]
        for row, value in zip(edges, values, strict=True):
            assert (row[0], row[-1]) == pytest.approx((value.min(), value.max()), rel=1e-3)


def test_the_jacobians_singular_values_are_those_of_kernel_times_slope(small: Small) -> None:
    of = trainer(small)
    found, hand = measure("jacobian", of)[0], by_hand(of)
    for layer in range(3):
        spectra = np.array(
            [
                np.linalg.svd(hand["kernels"][layer] * hand["slopes"][layer][image])[1]
                for image in range(2)
            ]
        )
        assert found["mean"][layer] == pytest.approx(spectra.mean(), rel=1e-3)


def test_the_product_is_the_jacobian_from_the_first_layer_on(small: Small) -> None:
    of = trainer(small)
    found, hand = measure("product", of)[1]["singular_values"], by_hand(of)
    through = np.eye(WIDTH)
    for row, layer in enumerate((1, 2)):
        through = through @ (hand["kernels"][layer] * hand["slopes"][layer][0])
        expected = np.linalg.svd(through)[1]
        np.testing.assert_allclose(found[row], expected, rtol=1e-3, atol=1e-5)


# --- weights ------------------------------------------------------------------------------------


def test_kernels_are_told_by_size_cosine_and_rank(small: Small) -> None:
    of = trainer(small)
    found, arrays = measure("kernels", of)
    kernels = [w.astype(np.float64) for w in of.model.get_weights()[::2]]
    assert found["std"] == pytest.approx([w.std() for w in kernels], rel=1e-5)
    assert found["largest"] == pytest.approx([np.abs(w).max() for w in kernels], rel=1e-6)
    units = kernels[0].T
    assert found["cosine"] == pytest.approx(mean_cosine(units), rel=1e-4)
    singular = np.linalg.svd(kernels[0])[1]
    assert found["rank_ratio"] == pytest.approx(singular[1] / singular[0], rel=1e-4)
    assert arrays["cosines"].shape == (WIDTH, WIDTH)


def test_equal_units_have_cosine_one_and_rank_one(small: Small) -> None:
    same = Initializer.of("Constant", value=0.05)
    found = measure("kernels", trainer(small, Layer(WIDTH, "relu", same), OUTPUT))[0]
    assert found["cosine"] == pytest.approx(1)
    assert found["rank_ratio"] == pytest.approx(0, abs=1e-6)
    zeros = Initializer("Zeros")
    none = measure("kernels", trainer(small, Layer(WIDTH, "relu", zeros), OUTPUT))[0]
    assert (none["cosine"], none["rank_ratio"]) == (None, None)


def test_the_output_bias_is_told_as_log_probabilities(small: Small) -> None:
    of = trainer(small, HIDDEN, replace(OUTPUT, bias=Initializer.of("RandomNormal", stddev=1)))
    bias = of.model.get_weights()[-1].astype(np.float64)
    found = measure("output_bias", of)[0]["log_probabilities"]
    assert found == pytest.approx((bias - np.log(np.exp(bias).sum())).tolist(), rel=1e-4)


@pytest.mark.parametrize(
    ("kernel", "factor"), [("GlorotNormal", (80 / 26) ** 0.5), ("HeNormal", 2)]
)
def test_duplication_finds_the_factor_of_a_shared_initializer(
    small: Small, kernel: str, factor: float
) -> None:
    layers = [replace(layer, kernel=Initializer(kernel)) for layer in (HIDDEN, OUTPUT)]
    shared = measure("duplication", trainer(small, *layers, shared_initializer=True))[0]
    assert shared["factor"] == pytest.approx(factor, rel=1e-5)
    assert shared["deviation"] == pytest.approx(0, abs=1e-5)
    assert measure("duplication", trainer(small, *layers))[0]["deviation"] > 1


def test_dead_units_answer_no_validation_image(small: Small) -> None:
    of = trainer(small, replace(HIDDEN, bias=Initializer.of("RandomNormal", stddev=2)), OUTPUT)
    w, b, *_ = of.model.get_weights()
    z = of.images.x_validation.reshape(500, -1) / 255 @ w + b
    expected = int((z.max(axis=0) <= 0).sum())
    assert 0 < expected < WIDTH
    assert measure("dead_units", of)[0] == {"count": expected}


def test_standardized_inputs_are_what_the_probes_see(small: Small) -> None:
    found = measure("signal", trainer(small, standardized=True))[0]
    mean, deviation = small[1].standardization
    x = (small[1].x_validation[:IMAGES] / 255 - mean) / deviation
    assert found["input_mean_square"] == pytest.approx(np.mean(x**2), rel=1e-4)


# --- all of them --------------------------------------------------------------------------------

BLOCK = replace(HIDDEN, bias=Initializer("Zeros"), residual=True)


@pytest.mark.parametrize(
    "block",
    [
        replace(HIDDEN, normalization="batch"),
        replace(HIDDEN, normalization="layer"),
        BLOCK,
        replace(BLOCK, normalization="layer"),
        replace(BLOCK, normalization="batch"),
    ],
    ids=["batch", "layer", "block", "block-layer", "block-batch"],
)
def test_no_probe_changes_what_it_measures(small: Small, block: Layer) -> None:
    of = trainer(small, HIDDEN, block, OUTPUT)
    before = of.model.get_weights()
    for name in PROBES:
        if name not in ("validation", "test"):  # they are compiled; test_training holds them
            measure(name, of)
    for old, new in zip(before, of.model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_every_probe_leaves_plain_data_and_numbers(small: Small) -> None:
    spec = RunSpec(small[0].digest, DEEP, 3, steps=0, probes=tuple(map(Probe, PROBES)))
    result = train(spec, small[1])
    assert set(result.record["probes"]) == set(PROBES)
    assert canonical(result.record)
    assert all(np.isfinite(matrix).all() for matrix in result.arrays.values())
