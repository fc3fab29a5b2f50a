"""Theory against published numbers, closed forms, scipy as an oracle, and simulated layers.

Simulations allow five standard errors; hypothesis is derandomized and generators are seeded, so
each run draws the same.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike
from scipy import differentiate, integrate, special, stats

from reportgen.analysis import theory
from reportgen.analysis.theory import MeanField
from reportgen.errors import InputError

pytestmark = pytest.mark.filterwarnings("error")

MNIST_SECOND_MOMENT = 0.112  # of pixels in [0, 1], over the training images

quick = settings(max_examples=12, derandomize=True, deadline=None)
activations = st.sampled_from(sorted(theory.ACTIVATIONS))
widths = st.integers(8, 64)
seeds = st.integers(0, 2**32 - 1)


def published(number: str) -> object:
    """Equal to a published number up to the rounding of its last digit."""
    decimals = len(number.partition(".")[2])
    return pytest.approx(float(number), rel=0, abs=0.501 * 10**-decimals)


def assert_mean_is(expected: float, sample: ArrayLike) -> None:
    values = np.asarray(sample)
    error = float(stats.sem(values, axis=None))
    assert abs(values.mean() - expected) <= 5 * error


# --- activations -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(theory.ACTIVATIONS))
def test_derivatives_are_those_of_the_activations(name: str) -> None:
    activation = theory.ACTIVATIONS[name]
    x = np.array([-30.0, -3.0, -0.7, -0.01, 0.01, 0.4, 2.5, 30.0])
    # A step under 0.01 keeps both sides of the kink apart.
    numeric = differentiate.derivative(activation.function, x, initial_step=0.005).df
    assert activation.derivative(x) == pytest.approx(numeric, abs=1e-7)


def test_activations_do_not_overflow() -> None:
    far = np.array([-1e4, 1e4])
    for activation in theory.ACTIVATIONS.values():
        assert np.isfinite(activation.function(far)).all()
        assert np.isfinite(activation.derivative(far)).all()


def test_relu_is_flat_at_zero_as_in_keras() -> None:
    assert theory.ACTIVATIONS["relu"].derivative(0.0) == 0


def test_gelu_is_the_exact_one() -> None:
    x = np.linspace(-4, 4, 9)
    expected = x * (1 + special.erf(x / np.sqrt(2))) / 2
    assert theory.ACTIVATIONS["gelu"].function(x) == pytest.approx(expected, abs=1e-15)


# --- expectations and the variance map ---------------------------------------------------------


@quick
@given(q=st.floats(1e-30, 1e12), power=st.integers(0, 8))
def test_gaussian_moments_are_exact_over_forty_decades(q: float, power: int) -> None:
    moment = theory.gaussian_expectation(lambda u: (u / np.sqrt(q)) ** power, q)
    assert moment == pytest.approx(stats.norm.moment(power), abs=1e-8)


@pytest.mark.parametrize("name", ["tanh", "sigmoid", "gelu"])
def test_smooth_expectations_agree_with_scipys_normal_distribution(name: str) -> None:
    phi = theory.ACTIVATIONS[name].function
    expected = stats.norm(0, np.sqrt(1.7)).expect(lambda u: float(phi(u)) ** 2)
    assert MeanField(name, sigma_w2=1).variance_map(1.7) == pytest.approx(expected, rel=1e-7)


@quick
@given(q=st.floats(1e-9, 1e9), sigma_w2=st.floats(0.1, 9), sigma_b2=st.floats(0, 2))
def test_relu_halves_the_second_moment_and_linear_keeps_it(
    q: float, sigma_w2: float, sigma_b2: float
) -> None:
    for name, share in (("relu", 0.5), ("linear", 1.0)):
        net = MeanField(name, sigma_w2=sigma_w2, sigma_b2=sigma_b2)
        assert net.variance_map(q) == pytest.approx(share * sigma_w2 * q + sigma_b2, rel=1e-9)
        assert net.chi(q) == pytest.approx(share * sigma_w2, rel=1e-9)


@pytest.mark.parametrize("q", [1e4, 1e6, 1e10])
def test_saturated_tanh_is_resolved(q: float) -> None:
    # E[tanh'^2] -> (4/3) / sqrt(2 pi q): the derivative lives within 1 / sqrt(q) of 0.
    expected = 4 / 3 / np.sqrt(2 * np.pi * q)
    assert MeanField("tanh", sigma_w2=1).chi(q) == pytest.approx(expected, rel=1e-4)


def test_sigmoid_is_a_shifted_tanh_of_a_quarter_of_the_variance() -> None:
    tanh, sigmoid = (MeanField(name, sigma_w2=1) for name in ("tanh", "sigmoid"))
    for q in (0.1, 3.0, 50.0):
        assert 4 * sigmoid.variance_map(q) - 1 == pytest.approx(tanh.variance_map(q / 4), rel=1e-8)


def test_selu_has_its_fixed_point_at_zero_mean_and_unit_variance() -> None:
    selu = MeanField("selu", sigma_w2=1)
    assert theory.gaussian_expectation(theory.ACTIVATIONS["selu"].function) == pytest.approx(
        0, abs=1e-9
    )
    assert selu.variance_map(1.0) == pytest.approx(1, abs=1e-9)
    assert selu.q_star == pytest.approx(1, abs=1e-6)


def test_gauss_hermite_misses_selus_chi_where_split_quadrature_is_exact() -> None:
    scale, alpha = 1.0507009873554805, 1.6732632423543772
    exact = scale**2 * (0.5 + alpha**2 * np.exp(2) * stats.norm.cdf(-2))
    assert MeanField("selu", sigma_w2=1).chi_1 == pytest.approx(exact, abs=1e-6)
    nodes, weights = special.roots_hermitenorm(64)
    slopes = theory.ACTIVATIONS["selu"].derivative(nodes) ** 2
    assert abs(weights @ slopes / np.sqrt(2 * np.pi) - exact) == published("0.016")


def test_relu_keeps_half_the_second_moment_but_a_third_of_the_variance() -> None:
    relu = theory.ACTIVATIONS["relu"].function
    mean = theory.gaussian_expectation(relu)
    second = theory.gaussian_expectation(lambda u: relu(u) ** 2)
    assert second == published("0.5000")
    assert second - mean**2 == published("0.341")


@pytest.mark.parametrize(
    ("q0", "layer", "expected"),
    [(1.0, 5, "0.103"), (1.0, 100, "0.005"), (0.112, 5, "0.054"), (0.112, 100, "0.0048")],
)
def test_tanh_without_bias_decays_like_one_over_two_l(q0: float, layer: int, expected: str) -> None:
    profile = MeanField("tanh", sigma_w2=1).depth_profile(q0, depth=layer)
    assert profile.shape == (layer + 1,)
    assert profile[layer] == published(expected)


@pytest.mark.parametrize(("scale", "factor"), [(2.0, 1.0), (1.0, 1 / 2), (1 / 3, 1 / 6)])
def test_relu_nets_shrink_by_their_gain_a_layer(scale: float, factor: float) -> None:
    profile = MeanField("relu", sigma_w2=scale).depth_profile(1.0, depth=30)
    assert profile == pytest.approx(factor ** np.arange(31.0), rel=1e-9)


@quick
@given(name=activations, width=widths, sigma_w2=st.floats(0.2, 4), seed=seeds)
def test_variance_map_is_the_mean_over_draws_at_any_width(
    name: str, width: int, sigma_w2: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    net, phi = MeanField(name, sigma_w2=sigma_w2, sigma_b2=0.1), theory.ACTIVATIONS[name].function
    std = np.sqrt(sigma_w2 / width)
    x = rng.normal(size=width)
    first = rng.normal(0, std, (2000, width, width)) @ x
    second = np.einsum("dij,dj->di", rng.normal(0, std, (2000, 3, width)), phi(first))
    second += rng.normal(0, np.sqrt(0.1), second.shape)
    assert_mean_is(net.variance_map(sigma_w2 * float(np.mean(x**2))), (second**2).mean(axis=1))


# --- angles and the edge of chaos --------------------------------------------------------------


def test_arccos_map_reaches_the_published_angles() -> None:
    c = np.array(0.40)
    cosines = [float(c := theory.arccos_map(c)) for _ in range(30)]
    assert cosines[29] == published("0.974")
    assert cosines[4] == pytest.approx(0.80, abs=0.01)  # measured
    assert cosines[9] == pytest.approx(0.895, abs=0.005)  # measured


@quick
@given(c=st.floats(-1, 1), q=st.floats(1e-6, 1e6))
def test_relu_correlation_is_the_arccos_map_at_any_q(c: float, q: float) -> None:
    mapped = MeanField("relu", sigma_w2=2).correlation_map(c, q)
    assert mapped == pytest.approx(float(theory.arccos_map(c)), abs=1e-8)


@quick
@given(name=activations, q=st.floats(0.01, 100), sigma_b2=st.floats(0, 1))
def test_equal_inputs_stay_equal(name: str, q: float, sigma_b2: float) -> None:
    net = MeanField(name, sigma_w2=1.5, sigma_b2=sigma_b2)
    assert net.correlation_map(1.0, q) == pytest.approx(1, abs=1e-8)


@quick
@given(c=st.floats(-1, 1))
def test_correlation_map_has_its_closed_limits(c: float) -> None:
    assert MeanField("linear", sigma_w2=1).correlation_map(c, 1.0) == pytest.approx(c, abs=1e-8)
    sign_like = MeanField("tanh", sigma_w2=1).correlation_map(c, 1000.0)
    assert sign_like == pytest.approx(2 / np.pi * np.arcsin(c), abs=0.05)


def test_correlation_map_agrees_with_a_plain_double_integral() -> None:
    c, q = 0.6, 2.0
    pair = stats.multivariate_normal([0, 0], [[q, c * q], [c * q, q]])
    oracle, _ = integrate.dblquad(
        lambda v, u: np.tanh(u) * np.tanh(v) * pair.pdf([u, v]), -9, 9, -9, 9, epsabs=1e-6
    )
    net = MeanField("tanh", sigma_w2=1.3, sigma_b2=0.2)
    expected = (1.3 * oracle + 0.2) / net.variance_map(q)
    assert net.correlation_map(c, q) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    ("sigma_w", "q_star", "chi_1"),
    [(1.3, "0.6070", "0.9398"), (2.5, "4.0791", "1.5852"), (4.0, "12.6041", "2.3673")],
)
def test_tanh_fixed_points_are_the_published_ones(sigma_w: float, q_star: str, chi_1: str) -> None:
    net = MeanField("tanh", sigma_w2=sigma_w**2, sigma_b2=0.3**2)
    assert net.q_star == published(q_star)
    assert net.chi_1 == published(chi_1)
    assert net.depth_profile(1.0, depth=200)[-1] == pytest.approx(net.q_star, rel=1e-6)


def test_edge_of_chaos_is_where_published() -> None:
    critical = theory.critical_sigma_w2(0.05)
    assert critical == published("1.76095")
    assert MeanField("tanh", sigma_w2=critical, sigma_b2=0.05).q_star == published("0.570")
    assert theory.critical_sigma_w2(0.0) == pytest.approx(1)


@quick
@given(sigma_b2=st.floats(1e-4, 100))
def test_chi_1_is_one_on_the_critical_line(sigma_b2: float) -> None:
    net = MeanField("tanh", sigma_w2=theory.critical_sigma_w2(sigma_b2), sigma_b2=sigma_b2)
    assert net.chi_1 == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(
    ("sigma_w2", "expected"),
    [(1.0, "21.8"), (1.5, "94.7"), (1.7, "449.5"), (2.0, "151.3"), (2.5, "70.8"), (4.0, "41.9")],
)
def test_trainable_depth_is_the_published_one(sigma_w2: float, expected: str) -> None:
    assert 6 * MeanField("tanh", sigma_w2=sigma_w2, sigma_b2=0.05).xi_c == published(expected)


@pytest.mark.parametrize("sigma_w2", [1.2, 1.8, 2.0, 4.0])  # the edge lies at 1.761
def test_xi_c_is_the_slope_of_the_correlation_map_at_its_fixed_point(sigma_w2: float) -> None:
    net = MeanField("tanh", sigma_w2=sigma_w2, sigma_b2=0.05)
    c, q, step = net.c_star, net.q_star, 1e-4
    assert net.correlation_map(c, q) == pytest.approx(c, abs=1e-7)
    assert (c == 1) == (net.chi_1 < 1)
    # One-sided and of second order, since the map ends at c = 1.
    values = [net.correlation_map(c - k * step, q) for k in range(3)]
    slope = (3 * values[0] - 4 * values[1] + values[2]) / (2 * step)
    assert abs(1 / np.log(slope)) == pytest.approx(net.xi_c, rel=1e-3)


def test_dying_signals_have_fixed_point_zero_and_growing_ones_none() -> None:
    assert MeanField("tanh", sigma_w2=1).q_star == 0
    assert MeanField("relu", sigma_w2=1).q_star == 0
    with pytest.raises(InputError, match="no fixed point"):
        _ = MeanField("relu", sigma_w2=3, sigma_b2=0.1).q_star


def test_glorot_2010s_nets_have_the_published_jacobians() -> None:
    fans = 784, 1000
    standard, normalized = (MeanField("tanh", sigma_w2=scale) for scale in (1 / 3, 1.0))
    q_standard = standard.depth_profile(MNIST_SECOND_MOMENT / 3, depth=4)
    q_normalized = normalized.depth_profile(
        fans[0] * theory.initializer_variance("GlorotUniform", *fans) * MNIST_SECOND_MOMENT, depth=4
    )
    assert standard.mean_singular_value(q_standard[-1]) == published("0.49")
    # The published 0.81 to 0.82 and 0.78 are averages over images; this is the average image.
    assert normalized.mean_singular_value(q_normalized[-1]) == published("0.81")
    over_four_hops = np.sqrt(np.prod([standard.chi(q) for q in q_standard[:4]]))
    assert over_four_hops == published("0.106")
    over_four_hops = np.sqrt(np.prod([normalized.chi(q) for q in q_normalized[:4]]))
    assert over_four_hops == pytest.approx(0.78, abs=0.02)


def test_mean_singular_value_is_that_of_a_random_square_matrix() -> None:
    matrix = np.random.default_rng(0).normal(0, np.sqrt(1.7 / 300), (300, 300))
    measured = np.linalg.svd(matrix, compute_uv=False).mean()
    assert MeanField("linear", sigma_w2=1.7).mean_singular_value(1.0) == pytest.approx(
        measured, rel=0.01
    )


# --- ReLU nets of finite width -----------------------------------------------------------------


def relu_net(rng: np.random.Generator, draws: int, width: int, depth: int) -> theory.Array:
    """Layers' outputs of He's ReLU nets at one input of mean square one, (depth, draws, width)."""
    h, layers = np.ones((draws, width)), []
    for _ in range(depth):
        weights = rng.normal(0, np.sqrt(2 / width), (draws, width, width))
        h = np.maximum(np.einsum("dij,dj->di", weights, h), 0)
        layers.append(h)
    return np.array(layers)


@quick
@given(width=st.integers(2, 40), seed=seeds)
def test_log_norm_moments_are_those_of_simulated_layers(width: int, seed: int) -> None:
    ratio = (relu_net(np.random.default_rng(seed), 4000, width, 1)[0] ** 2).mean(axis=1)
    logs = np.log(ratio[ratio > 0])
    mean, variance = theory.relu_log_norm(width)
    assert_mean_is(mean, logs)
    assert_mean_is(variance, (logs - mean) ** 2)


@pytest.mark.parametrize("width", [16, 64, 128, 512])
def test_log_norm_moments_have_simple_approximations(width: int) -> None:
    mean, variance = theory.relu_log_norm(width)
    assert variance == pytest.approx(5 / (width - 4), rel=0.01)
    assert mean == pytest.approx(-2.5 / (width - 5 / 3), rel=0.015)
    assert mean == pytest.approx(-2.4 / (width - 2.4), rel=0.045)


def test_thirty_layers_of_128_spread_as_published() -> None:
    low, centre, high = theory.band(30, 128, sigmas=1)
    assert np.log(high[-1] / centre[-1]) == published("1.10")  # the sd of the log squared norm
    assert np.log(centre[-1] / low[-1]) == published("1.10")
    assert centre[-1] == pytest.approx(0.56, abs=0.01)


@quick
@given(width=st.integers(24, 40), seed=seeds)  # wide enough that no net is dead
def test_band_holds_simulated_nets(width: int, seed: int) -> None:
    layers = relu_net(np.random.default_rng(seed), 400, width, 4)
    low, centre, high = theory.band(4, width, sigmas=2)
    q = (layers**2).mean(axis=2)
    assert low.shape == centre.shape == high.shape == (4,)
    assert_mean_is(float(np.log(centre[3])), np.log(q[3]))
    assert_mean_is(1.0, q[3])  # He keeps the mean
    inside = np.mean((low[:, None] < q) & (q < high[:, None]), axis=1)
    assert (inside > 0.9).all()


# --- initializers ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "parameters", "expected"),
    [
        ("RandomNormal", {}, 0.05**2),
        ("RandomNormal", {"mean": 0.0, "stddev": 1.0, "seed": 3}, 1.0),
        ("GlorotNormal", {}, 2 / 912),
        ("GlorotUniform", {"seed": None}, stats.uniform(-1, 2).var() * 6 / 912),
        ("HeNormal", {}, 2 / 784),
        ("LecunNormal", {}, 1 / 784),
        ("VarianceScaling", {}, 1 / 784),
        ("VarianceScaling", {"scale": 3.0, "mode": "fan_out"}, 3 / 128),
        ("VarianceScaling", {"mode": "fan_avg", "distribution": "uniform"}, 1 / 456),
    ],
)
def test_keras_initializers_have_their_variance(
    name: str, parameters: dict[str, float | str | None], expected: float
) -> None:
    assert theory.initializer_variance(name, 784, 128, **parameters) == pytest.approx(expected)


def test_truncated_normals_reach_2_27_standard_deviations() -> None:
    assert stats.truncnorm(-2, 2).std() == pytest.approx(theory.TRUNCATED_STD, rel=1e-12)
    farthest = 2 / theory.TRUNCATED_STD
    assert farthest == published("2.27")


def test_unknown_initializers_are_refused_by_name() -> None:
    with pytest.raises(InputError, match="Identity"):
        theory.initializer_variance("Identity", 3, 3)


def test_ratios_of_standard_deviations_are_the_published_ones() -> None:
    def std(name: str, *fans: int) -> float:
        return float(np.sqrt(theory.initializer_variance(name, *fans)))

    layer_1, layer_2 = (784, 128), (128, 10)
    assert std("GlorotNormal", *layer_1) / std("HeNormal", *layer_1) == published("0.92717")
    assert std("HeNormal", *layer_1) / std("GlorotNormal", *layer_1) == published("1.079")
    assert std("HeNormal", *layer_2) / std("GlorotNormal", *layer_2) == published("1.038")
    assert std("GlorotNormal", *layer_2) / std("GlorotNormal", *layer_1) == published("2.5707")
    assert std("HeNormal", *layer_2) / std("HeNormal", *layer_1) == published("2.4749")
    # Keras's DepthwiseConv2D takes 576 for the fan of its 3 x 3 windows.
    assert std("HeNormal", 576, 9) == pytest.approx(0.058, abs=0.001)
    assert std("HeNormal", 9, 9) == published("0.471")


def test_gains_of_the_assignments_net_are_the_published_ones() -> None:
    he_1, he_2 = (theory.initializer_variance("HeNormal", *f) for f in ((784, 128), (128, 10)))
    glorot_1, glorot_2 = (
        theory.initializer_variance("GlorotNormal", *fans) for fans in ((784, 128), (128, 10))
    )
    assert theory.relu_gain(he_1, 784) == published("1.000")
    assert theory.relu_gain(glorot_1, 784) == published("0.860")
    assert 2 * theory.relu_gain(he_2, 128) == published("2.000")  # logits: no ReLU halves them
    assert 2 * theory.relu_gain(glorot_2, 128) == published("1.855")
    assert theory.relu_gain(he_2, 10) == published("0.078")  # backward, by fan_out
    assert theory.relu_gain(glorot_2, 10) == published("0.0725")


@quick
@given(fan_in=widths, fan_out=widths, seed=seeds)
def test_gains_are_those_of_simulated_layers_in_both_directions(
    fan_in: int, fan_out: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    variance = theory.initializer_variance("GlorotUniform", fan_in, fan_out)
    bound = np.sqrt(3 * variance)
    weights = rng.uniform(-bound, bound, (1500, fan_out, fan_in))
    x, gradient = rng.uniform(0, 1, fan_in), rng.normal(size=fan_out)
    forward = (np.maximum(weights @ x, 0) ** 2).mean(axis=1) / np.mean(x**2)
    assert_mean_is(theory.relu_gain(variance, fan_in), forward)
    on = rng.random((1500, fan_in)) < 0.5
    backward = ((gradient @ weights * on) ** 2).mean(axis=1) / np.mean(gradient**2)
    assert_mean_is(theory.relu_gain(variance, fan_out), backward)


@quick
@given(width=st.integers(6, 16), depth=st.integers(2, 4), seed=seeds)
def test_weight_gradients_are_equally_small_in_every_layer(
    width: int, depth: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    variance = 1 / (3 * width)  # PyTorch's: gain 1/6
    weights = rng.normal(0, np.sqrt(variance), (depth, 8000, width, width))
    layers = [np.ones((8000, width))]
    for w in weights:
        layers.append(np.maximum(np.einsum("dij,dj->di", w, layers[-1]), 0))
    delta = rng.normal(size=(8000, width)) * (layers[-1] > 0)
    expected = theory.relu_gain(variance, width) ** (depth - 1) / 2  # half the top units are on
    for below, w in zip(layers[-2::-1], weights[::-1], strict=True):
        squared = (delta**2).mean(axis=1) * (below**2).mean(axis=1)
        assert_mean_is(expected, squared)
        delta = np.einsum("di,dij->dj", delta, w) * (below > 0)


# --- losses ------------------------------------------------------------------------------------


def logit_second_moment(name: str, second_moment: float, **parameters: float) -> float:
    """Of the assignment's net, 784-128-10 with ReLU."""
    first = theory.initializer_variance(name, 784, 128, **parameters)
    second = theory.initializer_variance(name, 128, 10, **parameters)
    return 128 * second * theory.relu_gain(first, 784) * second_moment


def test_initial_losses_of_the_assignment_are_near_the_measured_ones() -> None:
    measured = {"HeNormal": 2.408, "GlorotNormal": 2.387, "LecunNormal": 2.323}
    for name, loss in measured.items():
        q = logit_second_moment(name, MNIST_SECOND_MOMENT)
        assert theory.initial_loss(q) == pytest.approx(loss, abs=0.01)
        assert theory.initial_loss_first_order(q) == pytest.approx(loss, abs=0.01)
    q = logit_second_moment("RandomNormal", MNIST_SECOND_MOMENT, stddev=1.0)
    assert np.sqrt(q) == pytest.approx(71, abs=9)  # its sd over draws
    assert theory.initial_loss(q) == pytest.approx(114, abs=13)


def test_logit_scale_of_he_is_the_published_one() -> None:
    assert np.sqrt(logit_second_moment("HeNormal", MNIST_SECOND_MOMENT)) == published("0.47")
    # Standardized, all but the 67 pixels that never vary have second moment 1.
    assert np.sqrt(logit_second_moment("HeNormal", 717 / 784)) == published("1.35")


def test_initial_loss_has_its_closed_limits() -> None:
    assert theory.initial_loss(0.0) == pytest.approx(np.log(10), abs=1e-6)
    largest = 1.5 / np.sqrt(np.pi)  # E[max] of three standard normals
    assert theory.initial_loss(1e6, classes=3) == pytest.approx(1000 * largest, rel=1e-4)
    assert float(theory.initial_loss_first_order(1.0) - np.log(10)) == pytest.approx(0.45)


@quick
@given(q=st.floats(1e-6, 1e4))
def test_initial_loss_of_two_classes_is_a_plain_expectation(q: float) -> None:
    # Only the logits' difference counts: E[ln(1 + exp(d))], d ~ N(0, 2 q).
    expected = theory.gaussian_expectation(lambda d: np.logaddexp(0, d), 2 * q)
    assert theory.initial_loss(q, classes=2) == pytest.approx(expected, rel=1e-7)


@quick
@given(q=st.floats(0.01, 1000), classes=st.integers(2, 20), seed=seeds)
def test_initial_loss_is_that_of_simulated_logits(q: float, classes: int, seed: int) -> None:
    logits = np.random.default_rng(seed).normal(0, np.sqrt(q), (20000, classes))
    losses = special.logsumexp(logits, axis=1) - logits[:, 0]
    assert_mean_is(theory.initial_loss(q, classes=classes), losses)
