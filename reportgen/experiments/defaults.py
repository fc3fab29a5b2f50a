"""The decoder of defaults: what four frameworks draw when nobody says how to start."""

import warnings
from itertools import pairwise

import numpy as np

from reportgen.analysis import theory
from reportgen.config import Config, Initializer
from reportgen.engine.datasets import DatasetInfo
from reportgen.engine.runs import Layer, Probe, RunSpec
from reportgen.experiments import decide, evidence
from reportgen.experiments.assignment import HIDDEN
from reportgen.experiments.evidence import Claim, Experiment, Findings, Results, Run, Table
from reportgen.experiments.nets import widths

DEPTH = 30
IN, SUM = r"n_{\mathrm{in}}", r"n_{\mathrm{in}}+n_{\mathrm{out}}"
# Framework -> scale and fan of its Var[w] = scale / fan, its dense layer, and the rule it goes by.
FRAMEWORKS = {
    "keras": (1.0, "fan_avg", "Keras Dense", rf"$U(\pm\sqrt{{6/({SUM})}})$, biases zero"),
    "pytorch": (1 / 3, "fan_in", "PyTorch Linear", rf"$U(\pm\sqrt{{1/{IN}}})$, biases alike"),
    "flax": (1.0, "fan_in", "Flax Dense", rf"truncated normal of variance $1/{IN}$, biases zero"),
    "scikit-learn": (
        1.0, "fan_avg", "scikit-learn MLP", rf"$U(\pm\sqrt{{6/({SUM})}})$, biases alike",
    ),
    "scikit-learn, logistic": (
        1 / 3, "fan_avg", "scikit-learn MLP, logistic",
        rf"$U(\pm\sqrt{{2/({SUM})}})$, biases alike",
    ),
}  # fmt: skip
# The largest error of a measured standard deviation, relative: five times that of 1,280 draws.
TOLERANCE = 0.1
CHANNELS, KERNEL = 64, 9  # of a depthwise convolution with 3 x 3 kernels


def runs(config: Config, dataset: DatasetInfo) -> list[Run]:
    """Keras's default network of the assignment, measured and not trained."""
    default = Initializer.of("GlorotUniform")
    layers = (Layer(HIDDEN, "relu", default), Layer(dataset.classes, "softmax", default))
    probes = (Probe("kernels"), Probe("depthwise"))
    return [
        Run({"arm": "keras"}, RunSpec(dataset.digest, layers, seed, 0, probes=probes))
        for seed in config.seeds_of("defaults", full=3)
    ]


def variance(framework: str, fan_in: int, fan_out: int) -> float:
    """Var[w] of a framework's default."""
    scale, mode, *_ = FRAMEWORKS[framework]
    return theory.initializer_variance("VarianceScaling", fan_in, fan_out, scale=scale, mode=mode)


def analyse(results: Results) -> Findings:
    """A row a framework: rule, predicted and measured deviation, gain, what is left at depth."""
    measured, rows = _measured(results), []
    for key, (_, _, layer, rule) in FRAMEWORKS.items():
        gain = theory.relu_gain(variance(key, HIDDEN, HIDDEN), HIDDEN)
        both = [
            " / ".join(f"{std:.4f}" for std in stds)
            for stds in (_predicted(results, key), measured.get(key, []))
        ]
        rows.append([layer, rule, both[0], both[1] or "not run here", f"{gain:.3f}",
                     f"{gain**DEPTH:.1e}"])  # fmt: skip
    columns = ("Layer", "Rule", "Predicted", "Measured", "ReLU gain", f"After {DEPTH}")
    return Findings({"depth": DEPTH}, tables=[Table("defaults", columns, "llrrrr", rows)])


def _predicted(results: Results, framework: str) -> list[float]:
    fans = pairwise(widths(results, HIDDEN))
    return [float(np.sqrt(variance(framework, *pair))) for pair in fans]


def _measured(results: Results) -> dict[str, list[float]]:
    """Standard deviation of the two kernels, of Keras from the runs, of scikit-learn drawn here."""
    return {
        "keras": decide.looks(results.table, "kernels", "std")[:, 0].mean(axis=0).tolist(),
        "scikit-learn": _scikit_learn(results, "relu"),
        "scikit-learn, logistic": _scikit_learn(results, "logistic"),
    }


def _scikit_learn(results: Results, activation: str) -> list[float]:
    """Of MLPClassifier's weights after one step too small to change them."""
    # A second to import, and `status` draws no weights.
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier

    inputs, _, classes = widths(results, HIDDEN)
    network = MLPClassifier(
        (HIDDEN,), activation=activation, solver="sgd", learning_rate_init=1e-12, max_iter=1,
        random_state=0,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # one step is meant to be too few
        network.fit(np.zeros((classes, inputs)), np.arange(classes))
    return [float(kernel.std()) for kernel in network.coefs_]


def _as_documented(results: Results) -> evidence.Outcome:
    errors = [
        abs(std / rule - 1)
        for key, stds in _measured(results).items()
        for std, rule in zip(stds, _predicted(results, key), strict=True)
    ]
    how = f"every measured standard deviation within {TOLERANCE:.0%} of the rule's"
    return decide.always([error < TOLERANCE for error in errors], how, effect=max(errors))


def _depthwise_fan(results: Results) -> evidence.Outcome:
    wrong, right = (float(np.sqrt(2 / fan)) for fan in (CHANNELS * KERNEL, KERNEL))
    stds = decide.looks(results.table, "depthwise", "std")[:, 0]
    bounds = (wrong * (1 - TOLERANCE), wrong * (1 + TOLERANCE))
    return decide.between(stds, *bounds, wanted=right, inputs=KERNEL)


CLAIMS = (
    Claim("defaults-measured", _as_documented, "defaults"),
    Claim("depthwise-fan", _depthwise_fan, "defaults"),
)
EXPERIMENT = Experiment(15, "defaults", runs, analyse, CLAIMS)
