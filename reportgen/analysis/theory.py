"""What theory predicts of a net before it is trained: the curves drawn over measurements.

Owns the mean-field maps of wide random nets (Poole et al., 2016; Schoenholz et al., 2017), the
spread of ReLU nets of finite width, the variance of initializers, and the losses known
without training. Notation of those papers: sigma_w2 = fan_in Var[w] and sigma_b2 = Var[b], both
drawn with mean zero; q is the second moment of a layer's pre-activations, c the cosine between
those of two inputs. The first layer is linear in its input, q_1 = sigma_w2 E[x^2] + sigma_b2; each
later one applies `variance_map`. Integrals are adaptive and split where activations bend, because
Gauss-Hermite rules miss the kink of ReLU and SELU at 0 and tanh's saturation at large sigma_w2.
"""

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import scipy  # its parts when first named: they take seconds, and `status` needs none
from numpy.typing import ArrayLike, NDArray
from scipy import special

from reportgen.errors import InputError

Array = NDArray[np.float64]
Elementwise = Callable[[Any], Any]  # on floats and on arrays alike

_REACH = 12.0  # standard deviations; the normal density beyond is under 1e-31
_BEND = 8.0  # pre-activations beyond which tanh, sigmoid, selu and gelu are near their asymptotes
_SELU_SCALE, _SELU_ALPHA = 1.0507009873554805, 1.6732632423543772  # Klambauer et al. (2017)


class Activation(NamedTuple):
    """Elementwise on floats and arrays; relu'(0) = 0, as in Keras."""

    function: Elementwise
    derivative: Elementwise


ACTIVATIONS = {
    "linear": Activation(lambda x: x, np.ones_like),
    "relu": Activation(lambda x: np.maximum(x, 0.0), lambda x: np.heaviside(x, 0.0)),
    "tanh": Activation(np.tanh, lambda x: 1 - np.tanh(x) ** 2),
    "sigmoid": Activation(special.expit, lambda x: special.expit(x) * special.expit(-x)),
    "selu": Activation(
        lambda x: _SELU_SCALE * np.where(x > 0, x, _SELU_ALPHA * np.expm1(np.minimum(x, 0))),
        lambda x: _SELU_SCALE * np.where(x > 0, 1.0, _SELU_ALPHA * np.exp(np.minimum(x, 0))),
    ),
    "gelu": Activation(  # the exact form by erf, as Keras's default
        lambda x: x * special.ndtr(x),
        lambda x: special.ndtr(x) + x * np.exp(-np.square(x) / 2) / np.sqrt(2 * np.pi),
    ),
}


def gaussian_expectation(function: Elementwise, q: float = 1.0) -> float:
    """E[f(u)] for u ~ N(0, q): adaptive quadrature, split at 0 and where activations saturate."""
    if q == 0:
        return float(function(0.0))
    end = _REACH * float(np.sqrt(q))
    bend = min(_BEND, end)

    def integrand(u: float) -> float:
        return float(function(u) * np.exp(-u * u / (2 * q)) / np.sqrt(2 * np.pi * q))

    return sum(  # a purely relative tolerance resolves the tiny moments of vanishing nets as well
        scipy.integrate.quad(integrand, low, high, epsabs=0, epsrel=1e-10)[0]
        for low, high in pairwise((-end, -bend, 0.0, bend, end))
    )


def _pair_expectation(function: Elementwise, q: float, c: float) -> float:
    """E[f(u) f(v)] for Gaussian u, v of second moment q and correlation c, by cubature."""
    # In polar coordinates u = r cos(t), v = r cos(t - a) the kinks are rays and c = 1 needs no
    # special case; swapping u and v mirrors t about a / 2, so half the circle counts twice.
    a = float(np.arccos(np.clip(c, -1, 1)))

    def integrand(x: Array) -> Any:
        r, t = x.T
        u, v = np.sqrt(q) * r * np.cos(t), np.sqrt(q) * r * np.cos(t - a)
        return function(u) * function(v) * r * np.exp(-r * r / 2) / np.pi

    return sum(
        float(scipy.integrate.cubature(integrand, [0, low], [_REACH, high], rtol=1e-9).estimate)
        for low, high in pairwise((a / 2, np.pi / 2, a + np.pi / 2, a / 2 + np.pi))
    )


@dataclass(frozen=True)
class MeanField:
    """A very wide net whose layers share an activation, sigma_w2 and sigma_b2."""

    activation: str
    _: KW_ONLY
    sigma_w2: float
    sigma_b2: float = 0.0

    def variance_map(self, q: float) -> float:
        """V(q) = sigma_w2 E[phi(sqrt(q) z)^2] + sigma_b2, the next q (Poole et al., 2016)."""
        phi = ACTIVATIONS[self.activation].function
        return self.sigma_w2 * gaussian_expectation(lambda u: phi(u) ** 2, q) + self.sigma_b2

    def depth_profile(self, q0: float, depth: int) -> Array:
        """q_0 .. q_depth, shape (depth + 1,): `variance_map` applied over depth from q0."""
        profile = [q0]
        for _ in range(depth):
            profile.append(self.variance_map(profile[-1]))
        return np.array(profile)

    def chi(self, q: float) -> float:
        """sigma_w2 E[phi'(sqrt(q) z)^2]: mean squared singular value of a square layer's Jacobian.

        So also the factor of E[(dL/dz)^2] from a layer to the one below (Schoenholz et al.).
        """
        slope = ACTIVATIONS[self.activation].derivative
        return self.sigma_w2 * gaussian_expectation(lambda u: slope(u) ** 2, q)

    def mean_singular_value(self, q: float) -> float:
        """8 / (3 pi) sqrt(chi), of that Jacobian (quarter-circle law; phi' varying little)."""
        return float(8 / (3 * np.pi) * np.sqrt(self.chi(q)))

    def correlation_map(self, c: float, q: float) -> float:
        """(sigma_w2 E[phi(u) phi(v)] + sigma_b2) / V(q), the next c, for inputs of equal q."""
        covariance = self.sigma_w2 * _pair_expectation(ACTIVATIONS[self.activation].function, q, c)
        return (covariance + self.sigma_b2) / self.variance_map(q)

    @cached_property
    def q_star(self) -> float:
        """The q = V(q) that attracts q over depth; 0 where signals die, InputError where they grow.

        Has no meaning where each q is fixed (He's ReLU net without biases).
        """

        def excess(log_q: float) -> float:
            return self.variance_map(float(np.exp(log_q))) / float(np.exp(log_q)) - 1

        low, high = float(np.log(1e-12)), float(np.log(1e12))
        if excess(low) <= 0:
            return 0.0
        if excess(high) >= 0:
            raise InputError(f"{self} has no fixed point", hint="Choose a smaller sigma_w2.")
        return float(np.exp(scipy.optimize.brentq(excess, low, high, xtol=1e-12)))

    @cached_property
    def chi_1(self) -> float:
        """`chi` at q*: under 1 ordered (gradients vanish), over 1 chaotic (they explode)."""
        return self.chi(self.q_star)

    @cached_property
    def c_star(self) -> float:
        """The cosine that attracts every pair of inputs: 1 in the ordered phase, less in chaos."""
        q, near_one = self.q_star, 1 - 1e-6  # nearer, quadrature cannot tell the phases apart
        if self.chi_1 <= 1 or self.correlation_map(near_one, q) >= near_one:
            return 1.0
        return float(
            scipy.optimize.brentq(lambda c: self.correlation_map(c, q) - c, -0.5, near_one)
        )

    @cached_property
    def xi_c(self) -> float:
        """|1 / ln chi_c*|, the depth over which inputs stay apart (Schoenholz et al., 2017).

        chi_c* = sigma_w2 E[phi'(u) phi'(v)] is the correlation map's slope at c*, which is chi_1
        in the ordered phase only. Nets much deeper than 6 xi_c do not train.
        """
        slope = ACTIVATIONS[self.activation].derivative
        chi_c = self.sigma_w2 * _pair_expectation(slope, self.q_star, self.c_star)
        return float(abs(1 / np.log(chi_c)))


def critical_sigma_w2(sigma_b2: float) -> float:
    """The sigma_w2 of the edge of chaos, chi_1 = 1, for tanh with biases of variance sigma_b2."""
    net = MeanField("tanh", sigma_w2=1)
    # On the edge q* determines both: sigma_w2 = 1 / chi, and then sigma_b2 by V(q) = q.
    q = scipy.optimize.brentq(
        lambda q: q - net.variance_map(q) / net.chi(q) - sigma_b2, 0, 10 + 10 * sigma_b2
    )
    return 1 / net.chi(float(q))


def arccos_map(c: ArrayLike) -> Array:
    """(sin t + (pi - t) cos t) / pi, t = arccos c: the next c of a ReLU net without biases.

    Elementwise, for any q (Cho & Saul, 2009: the arc-cosine kernel of order one).
    """
    t = np.arccos(np.clip(c, -1, 1))
    return np.asarray((np.sin(t) + (np.pi - t) * np.cos(t)) / np.pi)


def relu_log_norm(width: int) -> tuple[float, float]:
    """Mean and variance of ln(|h_l|^2 / |h_(l-1)|^2) of a ReLU layer under He, not wholly off.

    The ratio is (2 / N) chi^2_K with K ~ Binomial(N, 1/2) units on (cf. Hanin & Rolnick, 2018);
    for large N the mean is -2.5 / (N - 5/3), the variance 5 / (N - 4).
    """
    on = np.arange(1, width + 1)
    share = scipy.stats.binom.pmf(on, width, 0.5) / (1 - 0.5**width)
    log_ratio = special.digamma(on / 2) + np.log(4 / width)
    mean = float(share @ log_ratio)
    return mean, float(share @ (special.polygamma(1, on / 2) + (log_ratio - mean) ** 2))


def band(depth: int, width: int, *, sigmas: float = 2.0) -> tuple[Array, Array, Array]:
    """Low, centre, high of |h_l|^2 against the infinitely wide net, for layers 1 .. depth.

    Each of shape (depth,): log-normal, +- sigmas about the falling centre (He keeps the mean of
    |h|^2, yet the typical net falls below it). For one input: a mean over inputs varies less.
    """
    mean, variance = relu_log_norm(width)
    layer = np.arange(1.0, depth + 1)
    centre, spread = mean * layer, sigmas * np.sqrt(variance * layer)
    return np.exp(centre - spread), np.exp(centre), np.exp(centre + spread)


TRUNCATED_STD = 0.87962566103423978  # of a standard normal cut at 2: Keras widens by its inverse


def initializer_variance(name: str, fan_in: int, fan_out: int, **parameters: Any) -> float:
    """Var[w] of a Keras initializer of mean zero, by its name ("HeNormal") and parameters.

    VarianceScaling: scale / fan for each distribution. InputError for names not known here.
    """
    get, average = parameters.get, (fan_in + fan_out) / 2
    fans = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": average}
    variances = {
        "RandomNormal": get("stddev", 0.05) ** 2,
        "VarianceScaling": get("scale", 1.0) / fans[get("mode", "fan_in")],
        "GlorotNormal": 1 / average,
        "GlorotUniform": 1 / average,
        "HeNormal": 2 / fan_in,
        "LecunNormal": 1 / fan_in,
    }
    if name not in variances:
        raise InputError(f"no variance is known for the initializer {name!r}")
    return float(variances[name])


def relu_gain(variance: float, fan: int) -> float:
    """fan Var[w] / 2: the factor a ReLU layer puts on second moments (He et al., 2015).

    With fan_in of E[x^2] going forward, with fan_out of E[(dL/dz)^2] going back to the layer below;
    so E[(dL/dW)^2] is gain^(L - 1) times He's in each layer of a square net of L layers.
    """
    return fan * variance / 2


def initial_loss(q: float, *, classes: int = 10) -> float:
    """Expected cross-entropy of independent logits N(0, q), for any q, by quadrature.

    E[ln sum exp z] = E[max(z_i + g_i)] - Euler's gamma, g standard Gumbel: the maximum's
    distribution function is P(z + g < u)^C. For large q it grows like sqrt(q) E[max of C normals].
    """
    # On the whole line the trapezoidal rule is exact to rounding for so smooth an integrand.
    z, step = np.linspace(-_REACH, _REACH, 64 + int(64 * np.sqrt(q)), retstep=True)
    share = step * scipy.stats.norm.pdf(z)

    def all_below(u: float) -> float:
        return float(share @ np.exp(-np.exp(np.minimum(np.sqrt(q) * z - u, 700)))) ** classes

    end = _REACH * float(np.sqrt(q)) + 40
    area = scipy.integrate.quad(all_below, -end, end, epsabs=1e-9, epsrel=1e-9, limit=200)[0]
    return float(end - area - np.euler_gamma)


def initial_loss_first_order(q: ArrayLike, *, classes: int = 10) -> Array:
    """ln C + (1 - 1 / C) q / 2 for q well under 1: ln 10 + 0.45 q for ten classes. Elementwise."""
    return np.asarray(np.log(classes) + (1 - 1 / classes) * np.asarray(q, dtype=float) / 2)
