"""Glorot & Bengio (2010) again: five tanh layers from their two starts, and sigmoid saturation."""

import numpy as np
from scipy import stats

from reportgen.analysis import theory
from reportgen.config import Config, Initializer
from reportgen.engine.datasets import DatasetInfo
from reportgen.engine.runs import Layer, Optimizer, Probe, RunSpec
from reportgen.experiments import assignment, decide, evidence
from reportgen.experiments import glorot_exhibits as exhibits
from reportgen.experiments.evidence import Claim, Experiment, Findings, Results, Run
from reportgen.experiments.glorot_exhibits import (
    ARMS,
    DRAFT_UNITS,
    LAYERS,
    LOOKS,
    RATE,
    SIGMOID_UNITS,
    SIGMOIDS,
    UNITS,
    errors,
    foretold,
    largest,
    sigmoids,
    singular,
)
from reportgen.experiments.untrained import THIRD, network, pixels, rows

NORMAL = Initializer.of("GlorotNormal")
SATURATED = 0.1  # mean of a sigmoid layer that rests near its lower end; it starts at a half
SINGULAR_MARGIN = 0.02  # the largest departure from theory that a thousand units leave room for


def runs(config: Config, dataset: DatasetInfo) -> list[Run]:
    """Untrained tanh nets (Jacobians of one draw: they hardly vary), kernels, trained sigmoids."""
    found, widths = [], (exhibits.units_of(config),) * LAYERS
    for seed in config.seeds_of("glorot_2010", full=5):
        probes = ("signal", "gradients") + ("histograms", "jacobian") * (seed == 0)
        for arm, (kernel, *_) in ARMS.items():
            found.append(Run({"arm": arm}, network(kernel, widths, dataset, seed, "tanh", probes)))
        probe = (Probe("kernels"),)
        spec = assignment.network(NORMAL, config, dataset, seed, steps=0, probes=probe)
        found.append(Run({"arm": "kernels"}, spec))
    sigmoid = [Layer(SIGMOID_UNITS, "sigmoid", THIRD)] * SIGMOIDS
    layers = (*sigmoid, Layer(len(dataset.test_counts), "softmax", THIRD))
    looks = LOOKS[: config.pick(full=len(LOOKS), quick=6)]
    sgd, probed = Optimizer("sgd", RATE), (Probe("signal", looks),)
    for seed in config.seeds_of("glorot_2010", full=3):
        spec = RunSpec(dataset.digest, layers, seed, looks[-1], optimizer=sgd, probes=probed)
        found.append(Run({"arm": "sigmoid"}, spec))
    return found


def analyse(results: Results) -> Findings:
    """Activations, errors and singular values by layer; sigmoids over training; weights drawn."""
    back = {arm: float(errors(results, arm)[:, 0].mean()) for arm in ARMS}
    mean = {arm: float(singular(results, arm).mean()) for arm in ARMS}
    top, expected = largest(results).mean(), decide.expected
    keeps, loses = back["normalized"], back["standard"]
    values = {
        "units": exhibits.units_of(results.config), "layers": LAYERS, "back": back,
        "back_theory": {arm: foretold(results, arm)[1][0] for arm in ARMS},
        "singular": mean, "largest": top,
        "singular_theory": {arm: foretold(results, arm)[2].mean() for arm in ARMS},
        "sigmoid_low": sigmoids(results)[:, :, -1].mean(axis=0).min(),
        "expected": [
            expected("Glorot 2010, standard: singular value", 0.49, mean["standard"], 0.47, 0.51),
            expected("normalized: the same", "0.78 to 0.81", mean["normalized"], 0.78, 0.81),
            expected("standard: std of dL/dz, first layer over last", 0.106, loses, 0.101, 0.111),
            expected("normalized: the same", 0.78, keeps, 0.75, 0.81),
            expected("GlorotNormal: largest weight in deviations", 2.27, top, 2.25, 2.29),
        ],
    }  # fmt: skip
    figures = [exhibits.draw_violins(results, back), exhibits.draw_sigmoid(results)]
    return Findings(
        values, figures, [exhibits.table_layers(results), exhibits.table_weights(results)]
    )


def _back(results: Results, arm: str, low: float, high: float) -> evidence.Outcome:
    hops = errors(results, arm)[:, 0] ** (1 / (LAYERS - 1))
    wide = foretold(results, arm)[1][0]
    whole = errors(results, arm)[:, 0].mean()
    return decide.between(hops, low, high, whole=whole, theory=wide)


def _singular(results: Results) -> evidence.Outcome:
    off = [np.abs(singular(results, arm) - foretold(results, arm)[2]) for arm in ARMS]
    means = {arm: singular(results, arm).mean() for arm in ARMS}
    how = f"the mean singular value of every layer from 2 on within {SINGULAR_MARGIN:g} of theory"
    worst = float(np.max(off))
    return decide.always(np.ravel(off) <= SINGULAR_MARGIN, how, effect=worst, **means)


def _sigmoid(results: Results) -> evidence.Outcome:
    found = sigmoids(results)
    below = found[:, :, -1].min(axis=1)
    how = f"in every run the top layer's mean activation comes below {SATURATED:g}"
    lower = found[:, :, :-1].min()
    return decide.always(below < SATURATED, how, effect=float(below.mean()), lower=lower)


def _truncated(results: Results) -> evidence.Outcome:
    cut = 2 / theory.TRUNCATED_STD
    draws = pixels(results) * assignment.HIDDEN
    plain = stats.norm.isf(1 / (2 * draws))  # what one of so many plain normals exceeds
    return decide.between(largest(results), 0, cut * 1.01, cut=cut, plain=plain)


def _root(results: Results) -> evidence.Outcome:
    fans = (pixels(results), assignment.HIDDEN)
    std = decide.by_layer(rows(results, "kernels"), "kernels", "std")[:, 0]
    root = float(np.sqrt(2 / sum(fans)))
    return decide.between(std, root * 0.98, root * 1.02, root=root, wrong=np.sqrt(root))


CLAIMS = (
    Claim(
        "standard-start-loses-errors",
        "From the standard start the error's standard deviation falls to {effect:.3f} of itself at "
        "each layer on its way down, near theory's $1/\\sqrt 3$, and {whole:.3f} of it arrives "
        "(theory: {theory:.3f}).",
        "From the standard start the error's standard deviation is multiplied by {effect:.3f} at "
        "each layer on its way down, which is not theory's $1/\\sqrt 3$.",
        "From the standard start the error's standard deviation is multiplied by {effect:.3f} at "
        "each layer on its way down; {n} draws do not settle whether that is $1/\\sqrt 3$.",
        lambda results: _back(results, "standard", 0.55, 0.6),
        "glorot-violins",
    ),
    Claim(
        "normalized-start-keeps-errors",
        "From the normalized start the error keeps {effect:.3f} of its standard deviation at each "
        "layer on its way down, and {whole:.2f} of it arrives (theory: {theory:.2f}).",
        "From the normalized start the error's standard deviation is multiplied by {effect:.3f} at "
        "each layer on its way down, which is no keeping.",
        "From the normalized start the error's standard deviation is multiplied by {effect:.3f} at "
        "each layer on its way down; {n} draws do not settle whether it is kept.",
        lambda results: _back(results, "normalized", 0.9, 1.0),
        "glorot-violins",
    ),
    Claim(
        "jacobians-as-in-theory",
        "The mean singular value of a layer's Jacobian is {standard:.2f} from the standard start "
        "and {normalized:.2f} from the normalized one, in every layer within {effect:.3f} of "
        "theory.",
        "The mean singular value of a layer's Jacobian is {standard:.2f} from the standard start "
        "and {normalized:.2f} from the normalized one, in every layer off what theory says.",
        "The mean singular value of a layer's Jacobian is {standard:.2f} from the standard start "
        "and {normalized:.2f} from the normalized one, near what theory says in {holding} of {n} "
        "layers.",
        _singular,
        "glorot-layers",
    ),
    Claim(
        "sigmoid-top-saturates",
        "In the sigmoid net the top layer saturates first: in each of {n} runs its mean activation "
        "falls, to {effect:.3f} on average, while no layer below it comes under {lower:.2f}.",
        "In the sigmoid net the top layer does not saturate: its mean activation falls no further "
        "than {effect:.2f} on average.",
        "In the sigmoid net the top layer saturates in {holding} of {n} runs.",
        _sigmoid,
        "glorot-sigmoid",
    ),
    Claim(
        "glorot-normal-is-truncated",
        "Keras's GlorotNormal is no plain Gaussian: its largest weight stands at {effect:.2f} "
        "standard deviations, where the cut is at {cut:.2f} and a plain Gaussian would reach "
        "{plain:.1f}.",
        "Keras's GlorotNormal is not cut at {cut:.2f} standard deviations: its largest weight "
        "stands at {effect:.2f}.",
        "The largest weight of Keras's GlorotNormal stands at {effect:.2f} standard deviations, "
        "which does not settle whether it is cut at {cut:.2f}.",
        _truncated,
        "glorot-weights",
    ),
    Claim(
        "xavier-root-is-the-deviation",
        "The square root $\\sqrt{{2/(n_{{\\mathrm{{in}}}} + n_{{\\mathrm{{out}}}})}}$ is Xavier's "
        "standard deviation and not the variance: it is {root:.4f} for the hidden layer, whose "
        "weights measure {effect:.4f}; as a variance it would mean a deviation of {wrong:.2f}.",
        "The hidden layer's weights have a standard deviation of {effect:.4f}, which is not the "
        "{root:.4f} of Xavier's rule.",
        "The hidden layer's weights have a standard deviation of {effect:.4f}, which does not "
        "settle whether it is the {root:.4f} of Xavier's rule.",
        _root,
        "glorot-weights",
    ),
)

EXPERIMENT = Experiment(
    number=9,
    name="glorot_2010",
    title="Glorot and Bengio's networks",
    question="What did the standard start do to tanh and sigmoid nets, and what did Glorot's mend?",
    setup=(
        f"Untrained nets of {LAYERS} tanh layers of {UNITS} units ({DRAFT_UNITS} in a draft) on "
        f"pixels in [0, 1]; nets of {SIGMOIDS} sigmoid layers of {SIGMOID_UNITS}, trained by "
        f"gradient descent at rate {RATE:g}; weights of the assignment's network."
    ),
    runs=runs,
    analyse=analyse,
    claims=CLAIMS,
)
