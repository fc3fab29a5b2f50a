"""The decoder of defaults: what four frameworks draw when nobody says how to start."""

import warnings

import numpy as np
import pandas as pd
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from reportgen.analysis import theory
from reportgen.config import Config, Initializer
from reportgen.engine.datasets import DatasetInfo
from reportgen.engine.runs import Layer, Probe, RunSpec
from reportgen.experiments import decide
from reportgen.experiments.assignment import HIDDEN
from reportgen.experiments.evidence import (
    Claim,
    Experiment,
    Findings,
    Outcome,
    Results,
    Run,
    Table,
)

DEPTH = 30
# Framework -> its dense layer, its rule for weights and biases in words.
FRAMEWORKS = {
    "keras": (
        "Keras Dense",
        "$U(\\pm\\sqrt{6/(n_{\\mathrm{in}}+n_{\\mathrm{out}})})$, biases zero",
    ),
    "pytorch": ("PyTorch Linear", "$U(\\pm\\sqrt{1/n_{\\mathrm{in}}})$, biases alike"),
    "flax": ("Flax Dense", "truncated normal of variance $1/n_{\\mathrm{in}}$, biases zero"),
    "scikit-learn": (
        "scikit-learn MLP",
        "$U(\\pm\\sqrt{6/(n_{\\mathrm{in}}+n_{\\mathrm{out}})})$, biases alike",
    ),
    "scikit-learn, logistic": (
        "scikit-learn MLP, logistic",
        "$U(\\pm\\sqrt{2/(n_{\\mathrm{in}}+n_{\\mathrm{out}})})$, biases alike",
    ),
}
# The largest error of a measured standard deviation, relative: five times that of 1,280 draws.
TOLERANCE = 0.1
CHANNELS, KERNEL = 64, 9  # of a depthwise convolution with 3 x 3 kernels


def runs(config: Config, dataset: DatasetInfo) -> list[Run]:
    """Keras's default network of the assignment, measured and not trained."""
    default = Initializer.of("GlorotUniform")
    layers = (Layer(HIDDEN, "relu", default), Layer(len(dataset.test_counts), "softmax", default))
    probes = (Probe("kernels"), Probe("depthwise"))
    return [
        Run({"arm": "keras"}, RunSpec(dataset.digest, layers, seed, 0, probes=probes))
        for seed in config.seeds_of("defaults", full=3)
    ]


def analyse(results: Results) -> Findings:
    """A row a framework: rule, predicted and measured deviation, gain, what is left at depth."""
    fans = _fans(results)
    measured = _measured(results)
    rows = []
    for key, (layer, rule) in FRAMEWORKS.items():
        predicted = [_predicted(key, *fan) for fan in fans]
        gain = theory.relu_gain(theory.default_variance(key, HIDDEN, HIDDEN), HIDDEN)
        found = measured.get(key)
        rows.append([
            layer, rule, " / ".join(f"{std:.4f}" for std in predicted),
            " / ".join(f"{std:.4f}" for std in found) if found else "not run here",
            f"{gain:.3f}", f"{gain**DEPTH:.1e}",
        ])  # fmt: skip
    depthwise = _depthwise(results)
    return Findings(
        values={
            "depth": DEPTH,
            "depthwise": float(depthwise.mean()),
            "depthwise_fan": CHANNELS * KERNEL,
            "depthwise_true_fan": KERNEL,
            "depthwise_wanted": float(np.sqrt(2 / KERNEL)),
        },
        tables=[
            Table(
                "defaults",
                "What a dense layer draws when nobody says how: the rule, the standard deviation "
                "of the weights that it predicts for the two layers of this network and the one "
                "measured, the factor that a square ReLU layer then puts on the signal's second "
                f"moment, and what is left of it after {DEPTH} such layers.",
                ("Layer", "Rule", "Predicted", "Measured", "ReLU gain", f"After {DEPTH}"),
                "llrrrr",
                rows,
            )
        ],
    )


def _fans(results: Results) -> tuple[tuple[int, int], tuple[int, int]]:
    described = results.dataset.described()
    return (described["inputs"], HIDDEN), (HIDDEN, described["classes"])


def _predicted(framework: str, fan_in: int, fan_out: int) -> float:
    return float(np.sqrt(theory.default_variance(framework, fan_in, fan_out)))


def _measured(results: Results) -> dict[str, list[float]]:
    """Standard deviation of the two kernels, of Keras from the runs, of scikit-learn drawn here."""
    keras = np.mean([probes["kernels"][0]["std"] for probes in results.table["probes"]], axis=0)
    return {
        "keras": keras.tolist(),
        "scikit-learn": _scikit_learn(results, "relu"),
        "scikit-learn, logistic": _scikit_learn(results, "logistic"),
    }


def _scikit_learn(results: Results, activation: str) -> list[float]:
    """Of MLPClassifier's weights after one step too small to change them."""
    described = results.dataset.described()
    y = np.arange(described["classes"])
    network = MLPClassifier(
        (HIDDEN,), activation=activation, solver="sgd", learning_rate_init=1e-12, max_iter=1,
        random_state=0,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # one step is meant to be too few
        network.fit(np.zeros((len(y), described["inputs"])), y)
    return [float(kernel.std()) for kernel in network.coefs_]


def _depthwise(results: Results) -> pd.Series:
    return pd.Series([probes["depthwise"][0]["std"] for probes in results.table["probes"]])


def _as_documented(results: Results) -> Outcome:
    errors = [
        abs(std / _predicted(key, *fan) - 1)
        for key, found in _measured(results).items()
        for std, fan in zip(found, _fans(results), strict=True)
    ]
    how = f"every measured standard deviation within {TOLERANCE:.0%} of the rule's"
    return decide.always([error < TOLERANCE for error in errors], how, effect=max(errors))


def _depthwise_fan(results: Results) -> Outcome:
    wrong, right = (float(np.sqrt(2 / fan)) for fan in (CHANNELS * KERNEL, KERNEL))
    bounds = (wrong * (1 - TOLERANCE), wrong * (1 + TOLERANCE))
    return decide.between(_depthwise(results), *bounds, wanted=right)


EXPERIMENT = Experiment(
    number=15,
    name="defaults",
    title="Decoder of defaults",
    question="What does a layer draw in Keras, PyTorch, Flax and scikit-learn if nobody says?",
    setup="The rules are the frameworks' own; Keras's and scikit-learn's are drawn and measured.",
    runs=runs,
    analyse=analyse,
    claims=(
        Claim(
            "defaults-measured",
            "Keras and scikit-learn draw what their rules say: no measured standard deviation is "
            "off by more than {effect:.1%}.",
            "Keras and scikit-learn do not draw what their rules say: a measured standard "
            "deviation is off by {effect:.1%}.",
            "Keras and scikit-learn draw what their rules say in {holding} of {n} layers, and a "
            "measured standard deviation is off by {effect:.1%}.",
            _as_documented,
            "defaults",
        ),
        Claim(
            "depthwise-fan",
            "Keras's HeNormal gives a depthwise convolution weights of standard deviation "
            "{effect:.3f}, where its nine inputs a unit would call for {wanted:.3f}: it counts "
            "the channels of all units as the inputs of each.",
            "Keras's HeNormal gives a depthwise convolution weights of standard deviation "
            "{effect:.3f}, and so does not count the channels of all units as the inputs of each.",
            "Keras's HeNormal gives a depthwise convolution weights of standard deviation "
            "{effect:.3f}, too variable here to tell by which number of inputs.",
            _depthwise_fan,
            "defaults",
        ),
    ),
)
