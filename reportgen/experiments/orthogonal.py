"""Spectra of deep products (Saxe et al., 2014; Penson & Zyczkowski, 2011), and deep training."""

import numpy as np
import pandas as pd
from scipy import integrate

from reportgen.analysis import plotting
from reportgen.config import Config, Initializer
from reportgen.engine.datasets import DatasetInfo
from reportgen.engine.runs import Activation, Layer, Optimizer, RunSpec
from reportgen.experiments import decide, evidence
from reportgen.experiments.evidence import Claim, Experiment, Figure, Findings, Results, Run
from reportgen.experiments.untrained import network, rows

WIDTH, DEPTHS = 128, (1, 10, 50)
GAUSSIAN = Initializer.of(
    "VarianceScaling", scale=1, mode="fan_in", distribution="untruncated_normal"
)
RELU_ORTHOGONAL = Initializer.of("Orthogonal", gain=2**0.5)
SPECTRA: dict[str, tuple[Initializer, Activation, str]] = {
    "gaussian": (GAUSSIAN, "linear", "Gaussian, linear"),
    "orthogonal": (Initializer.of("Orthogonal"), "linear", "Orthogonal, linear"),
    "relu": (RELU_ORTHOGONAL, "relu", "Orthogonal, ReLU"),
}
TRAINED = {
    "trained_orthogonal": (RELU_ORTHOGONAL, "orthogonal, gain √2", 5),
    "trained_he": (Initializer.of("HeNormal"), "He", 3),
}
TRAINED_WIDTH, TRAINED_DEPTH, STEPS, RATE = 64, 30, 1500, 0.05
COLLAPSED = 1e-6  # a share of the signal that no training in 32 bits can make use of
ZERO = 1e-14  # a singular value below it may be what rounding leaves of a 0
ISOMETRY = 1e-3  # of a singular value: the rounding of fifty products in 32 bits, thirtyfold


def runs(config: Config, dataset: DatasetInfo) -> list[Run]:
    """Products of Jacobians without training, and trained nets in pairs."""
    found = []
    for seed in config.seeds_of("orthogonal", full=10):
        for arm, (kernel, activation, _) in SPECTRA.items():
            widths = (WIDTH,) * (DEPTHS[-1] + 1)
            spec = network(
                kernel, widths, dataset, seed, activation=activation, probes=("product",)
            )
            found.append(Run({"arm": arm}, spec))
        for arm, (kernel, *_) in TRAINED.items():
            hidden = (Layer(TRAINED_WIDTH, "relu", kernel),) * TRAINED_DEPTH
            spec = RunSpec(
                dataset.digest,
                (*hidden, Layer(len(dataset.test_counts), "softmax", kernel)),
                seed,
                config.pick(full=STEPS, quick=STEPS // 10),
                optimizer=Optimizer("sgd", RATE),
            )
            found.append(Run({"arm": arm}, spec))
    return found


def spectrum(results: Results, arm: str, depth: int) -> np.ndarray:
    """Singular values of a product of so many layers, falling, shape (draws, WIDTH)."""
    found = [results.arrays(key)["product-0-singular_values"] for key in rows(results, arm)["key"]]
    return np.array(found)[:, depth - 1]


def fuss_catalan(depth: int, shares: np.ndarray) -> np.ndarray:
    """Singular values of a product of wide square Gaussian matrices, at ranks from 0 to 1.

    Squared they follow the Fuss-Catalan law, here by the angle that Forrester & Liu (2014) use.
    """
    angle = np.linspace(0, np.pi / (depth + 1), 20001)[1:-1]
    rising, outer, inner = (np.log(np.sin(n * angle)) for n in (1, depth, depth + 1))
    square = (depth + 1) * inner - rising - depth * outer
    density = 2 * rising + (depth - 1) * outer - depth * inner - np.log(np.pi)
    mass = -np.gradient(square, angle) * np.exp(square + density)
    above = integrate.cumulative_trapezoid(mass, angle, initial=0)
    return np.asarray(np.exp(np.interp(shares, above / above[-1], square) / 2))


def accuracy(results: Results, arm: str) -> pd.Series:
    """Test accuracy by seed."""
    return decide.by_seed(rows(results, arm))


def final_loss(results: Results, arm: str) -> pd.Series:
    """Mean training loss over the last, perhaps unfinished, epoch by seed."""
    losses = [history["loss"][-1] for history in rows(results, arm)["history"]]
    return pd.Series(losses, index=rows(results, arm)["seed"], dtype=float)


def analyse(results: Results) -> Findings:
    """Spectra by depth, and what training makes of them."""
    last = {arm: spectrum(results, arm, DEPTHS[-1]) for arm in SPECTRA}
    accuracies = {arm: accuracy(results, arm) for arm in TRAINED}
    means = {arm: decide.mean(values) for arm, values in accuracies.items()}
    medians = {arm: float(np.median(values)) for arm, values in last.items()}
    largest = {arm: float(values[:, 0].mean()) for arm, values in last.items()}
    off = np.abs(last["orthogonal"] - 1).max()
    values = {
        "width": WIDTH, "depth": DEPTHS[-1], "median": medians, "largest": largest,
        "median_theory": fuss_catalan(DEPTHS[-1], np.array([0.5]))[0],
        "accuracy": {arm: found.mean if found else None for arm, found in means.items()},
        "loss": {arm: float(final_loss(results, arm).mean()) for arm in TRAINED},
        "expected": [
            decide.expected("Gaussian product of 50: median singular value", 2e-8,
                            medians["gaussian"], 1e-8, 4e-8),
            decide.expected("the same: largest, mean over draws", "6 to 10",
                            largest["gaussian"], 5, 11),
            decide.expected("Orthogonal product: largest departure from 1", 0.0, off, 0, 1e-3),
            decide.expected("Trained orthogonal: mean accuracy", 0.82,
                            accuracies["trained_orthogonal"].mean(), 0.6, 0.95),
        ],
    }  # fmt: skip
    return Findings(values, [draw_spectra(results, medians), draw_training(results)])


def draw_spectra(results: Results, medians: dict[str, float]) -> Figure:
    """Singular values by rank at three depths."""
    figure, panels = plotting.new(3, height=3.0, sharey=True)
    ranks, data = (np.arange(WIDTH) + 0.5) / WIDTH, []
    for axes, (arm, (*_, title)) in zip(panels, SPECTRA.items(), strict=True):
        for index, depth in enumerate(DEPTHS):
            found = spectrum(results, arm, depth)
            found[found < ZERO] = np.nan
            median = np.median(found, axis=0)
            style = plotting.style(index) | {"linestyle": "none"}
            label = f"{depth} layer{'s' * (depth > 1)}"
            axes.plot(ranks, median, label=label, markersize=3, markevery=4, **style)
            low, high = found.min(axis=0), found.max(axis=0)
            axes.fill_between(ranks, low, high, color=style["color"], alpha=0.25, linewidth=0)
            wide = {"gaussian": fuss_catalan(depth, ranks), "orthogonal": np.ones(WIDTH)}.get(arm)
            if wide is not None:
                axes.plot(ranks, wide, color=plotting.INK, lw=1)
            drawn = {"series": title, "depth": depth, "rank": ranks, "median": median}
            data.append(pd.DataFrame({**drawn, "low": low, "high": high, "theory": wide}))
        axes.set(yscale="log", ylim=(1e-13, 100), title=title, xlabel="rank (share)")
        axes.set_xticks((0, 0.5, 1))
    shown = (spectrum(results, "relu", DEPTHS[-1]) > ZERO).mean()
    panels[0].set_ylabel("singular value")
    panels[0].legend(loc="lower left")
    return Figure(
        "orthogonal-spectra",
        figure,
        f"**After {DEPTHS[-1]} linear layers the median singular value is "
        f"{medians['gaussian']:.0e} from Gaussian matrices and {medians['orthogonal']:.3f} from "
        "orthogonal ones.** Singular values of the product of the layers' Jacobians at one image, "
        f"{WIDTH} units, by rank: "
        "median and range over the draws. Lines are theory for infinite width. Of the ReLU "
        f"product's singular values {shown:.0%} are more than rounding leaves of a zero.",
        "Three panels of singular values by rank at depths 1, 10 and 50 on a log scale: Gaussian "
        "spectra steepen with depth along the lines of theory, orthogonal ones stay at one, and "
        "those of orthogonal ReLU nets break off.",
        pd.concat(data),
    )


def draw_training(results: Results) -> Figure:
    """Test accuracy and last training loss, paired by seed."""
    figure, both = plotting.new(2, height=2.6)
    named, data = [name for _, name, _ in TRAINED.values()], []
    for axes, of, what in (
        (both[0], accuracy, "test accuracy"),
        (both[1], final_loss, "training loss, last epoch"),
    ):
        found = [of(results, arm) for arm in TRAINED]
        ends = [np.full(len(found[0]), float(height)) for height in (0, 1)]
        axes.plot(found, ends, color=plotting.MUTED, lw=0.9)
        for (_, name, index), values, height in zip(TRAINED.values(), found, ends, strict=True):
            axes.plot(values, height, **plotting.style(index) | {"linestyle": "none"})
            data.append(values.rename("value").reset_index().assign(series=name, figure=what))
        axes.set(yticks=(0, 1), yticklabels=named, ylim=(-0.5, 1.5), xlabel=what)
        axes.grid(axis="y", visible=False)
    both[1].set_yticklabels([])
    said = " and ".join(
        f"{decide.fixed(accuracy(results, arm).mean(), 2)} ({name})"
        for arm, (_, name, _) in TRAINED.items()
    )
    return Figure(
        "orthogonal-training",
        figure,
        f"**{TRAINED_DEPTH} ReLU layers reach a mean test accuracy of {said}.** Nets of "
        f"{TRAINED_WIDTH} units a layer after {results.table['spec'].iloc[-1]['steps']} steps of "
        f"gradient descent at rate {RATE:g}; lines join runs of one seed. Accuracy is that after "
        "the last step, the training loss a mean over the last epoch's steps.",
        "Test accuracy and last training loss of each run, two rows of points joined by seed.",
        pd.concat(data),
    )


def _collapse(results: Results) -> evidence.Outcome:
    medians = np.median(spectrum(results, "gaussian", DEPTHS[-1]), axis=1)
    wide = fuss_catalan(DEPTHS[-1], np.array([0.5]))[0]
    return decide.between(medians, -COLLAPSED, COLLAPSED, theory=wide, depth=DEPTHS[-1])


def _isometry(results: Results) -> evidence.Outcome:
    off = np.abs(spectrum(results, "orthogonal", DEPTHS[-1]) - 1).max(axis=1)
    how = f"in every draw all singular values within {ISOMETRY:g} of one"
    return decide.always(off <= ISOMETRY, how, effect=float(off.max()), depth=DEPTHS[-1])


def _relu(results: Results) -> evidence.Outcome:
    found = spectrum(results, "relu", DEPTHS[-1])
    share = (found > 0.5).mean(axis=1)
    return decide.between(share, 0, 0.5, depth=DEPTHS[-1], largest=found[:, 0].mean())


def _accuracy(results: Results) -> evidence.Outcome:
    a, b = (accuracy(results, arm) for arm in TRAINED)
    return decide.directional(a, b, depth=TRAINED_DEPTH, orthogonal=a.mean(), he=b.mean())


def _loss(results: Results) -> evidence.Outcome:
    a, b = (final_loss(results, arm) for arm in TRAINED)
    return decide.directional(b, a, depth=TRAINED_DEPTH, orthogonal=a.mean(), he=b.mean())


CLAIMS = (
    Claim(
        "gaussian-product-collapses",
        "In a product of {depth} Gaussian layers the median singular value is {effect:.1e}, where "
        "theory for infinite width says {theory:.1e}: the net passes on a few directions.",
        "In a product of {depth} Gaussian layers the median singular value is still {effect:.1e}, "
        "where theory for infinite width says {theory:.1e}.",
        "In a product of {depth} Gaussian layers the median singular value is {effect:.1e} over "
        "{n} draws, too variable to tell whether the spectrum collapses.",
        _collapse,
        "orthogonal-spectra",
    ),
    Claim(
        "orthogonal-product-is-isometric",
        "In a product of {depth} orthogonal layers every singular value is one, up to {effect:.0e} "
        "of rounding.",
        "In a product of {depth} orthogonal layers singular values depart from one, by up to "
        "{effect:.1e}.",
        "In a product of {depth} orthogonal layers every singular value is one in {holding} of {n} "
        "draws.",
        _isometry,
        "orthogonal-spectra",
    ),
    Claim(
        "relu-breaks-isometry",
        "ReLU breaks this: through {depth} orthogonal ReLU layers {effect:.0%} of the singular "
        "values stay above a half, and the largest is {largest:.1f}.",
        "ReLU does not break this: through {depth} orthogonal ReLU layers {effect:.0%} of the "
        "singular values stay above a half.",
        "Through {depth} orthogonal ReLU layers {effect:.0%} of the singular values stay above a "
        "half, which {n} draws do not settle to be a minority.",
        _relu,
        "orthogonal-spectra",
    ),
    Claim(
        "orthogonal-vs-he-accuracy",
        "Trained through {depth} ReLU layers, orthogonal starts end at a higher accuracy than "
        "He's, {orthogonal:.3f} against {he:.3f} on average over {n} pairs.",
        "Trained through {depth} ReLU layers, orthogonal starts end at a lower accuracy than He's, "
        "{orthogonal:.3f} against {he:.3f} on average over {n} pairs.",
        "Trained through {depth} ReLU layers, orthogonal starts reach an accuracy of "
        "{orthogonal:.3f} on average and He's {he:.3f}; {n} pairs do not decide between them.",
        _accuracy,
        "orthogonal-training",
    ),
    Claim(
        "orthogonal-vs-he-loss",
        "Orthogonal starts train faster through {depth} ReLU layers: over the last epoch their "
        "training loss is {orthogonal:.2f} on average, and He's {he:.2f} ({n} pairs).",
        "Orthogonal starts train more slowly through {depth} ReLU layers: over the last epoch "
        "their training loss is {orthogonal:.2f} on average, and He's {he:.2f} ({n} pairs).",
        "Through {depth} ReLU layers the training loss over the last epoch is {orthogonal:.2f} on "
        "average from orthogonal starts and {he:.2f} from He's; {n} pairs do not decide which of "
        "them train faster.",
        _loss,
        "orthogonal-training",
    ),
)

EXPERIMENT = Experiment(
    number=11,
    name="orthogonal",
    title="Orthogonal starts",
    question="What does depth do to the spectrum, and do orthogonal starts train deep ReLU nets?",
    setup=(
        f"Untrained nets of {DEPTHS[-1]} square layers of {WIDTH} units above a first one; ReLU "
        f"nets of {TRAINED_DEPTH} layers of {TRAINED_WIDTH} units, trained by gradient descent at "
        f"rate {RATE:g}, paired by seed."
    ),
    runs=runs,
    analyse=analyse,
    claims=CLAIMS,
)
