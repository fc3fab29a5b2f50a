"""Spectra of deep products (Saxe et al., 2014; Penson & Zyczkowski, 2011), and deep training."""

import numpy as np
import pandas as pd
import scipy

from reportgen.analysis import plotting
from reportgen.config import Config, Initializer
from reportgen.engine.datasets import DatasetInfo
from reportgen.engine.runs import Activation, Optimizer, Probe
from reportgen.experiments import decide, evidence
from reportgen.experiments.decide import higher, scored
from reportgen.experiments.evidence import Claim, Experiment, Figure, Findings, Results, Run
from reportgen.experiments.nets import STARTS, network

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
    "trained_he": STARTS["he"],
}
TRAINED_WIDTH, TRAINED_DEPTH, STEPS, RATE = 64, 30, 1500, 0.05
COLLAPSED = 1e-6  # a share of the signal that no training in 32 bits can make use of
ZERO = 1e-14  # a singular value below it may be what rounding leaves of a 0
ISOMETRY = 1e-3  # of a singular value: the rounding of fifty products in 32 bits, thirtyfold


def runs(config: Config, dataset: DatasetInfo) -> list[Run]:
    """Products of Jacobians without training, and trained nets in pairs."""
    found, steps = [], config.pick(full=STEPS, quick=STEPS // 10)
    widths, sgd = (TRAINED_WIDTH,) * TRAINED_DEPTH, Optimizer("sgd", RATE)
    for seed in config.seeds_of("orthogonal", full=10):
        for arm, (kernel, activation, _) in SPECTRA.items():
            square = (WIDTH,) * (DEPTHS[-1] + 1)
            spec = network(kernel, square, dataset, seed, activation, probes=(Probe("product"),))
            found.append(Run({"arm": arm}, spec))
        for arm, (kernel, *_) in TRAINED.items():
            spec = network(kernel, widths, dataset, seed, steps=steps, optimizer=sgd, probes=())
            found.append(Run({"arm": arm}, spec))
    return found


def spectrum(results: Results, arm: str, depth: int = DEPTHS[-1]) -> np.ndarray:
    """Singular values of a product of so many layers, falling, shape (draws, WIDTH)."""
    keys = results.rows(arm=arm)["key"]
    found = [results.arrays(key)["product-0-singular_values"] for key in keys]
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
    above = scipy.integrate.cumulative_trapezoid(mass, angle, initial=0)
    return np.asarray(np.exp(np.interp(shares, above / above[-1], square) / 2))


def final_loss(results: Results, arm: str) -> pd.Series:
    """Mean training loss over the last, perhaps unfinished, epoch by seed."""
    rows = results.rows(arm=arm)
    losses = [history["loss"][-1] for history in rows["history"]]
    return pd.Series(losses, index=rows["seed"], dtype=float)


def analyse(results: Results) -> Findings:
    """Spectra by depth, and what training makes of them."""
    last = {arm: spectrum(results, arm) for arm in SPECTRA}
    values = {
        "width": WIDTH, "depth": DEPTHS[-1], "depths": DEPTHS,
        "median": {arm: np.median(found) for arm, found in last.items()},
        "largest": {arm: found[:, 0].mean() for arm, found in last.items()},
        "relu_left": (last["relu"] > ZERO).mean(),
        "accuracy": {arm: decide.mean(scored(results, arm)).mean for arm in TRAINED},
        "trained": {"width": TRAINED_WIDTH, "depth": TRAINED_DEPTH, "rate": RATE,
                    "steps": results.table["spec"].iloc[-1]["steps"]},
    }  # fmt: skip
    return Findings(values, [draw_spectra(results), draw_training(results)])


def draw_spectra(results: Results) -> Figure:
    """Singular values by rank at three depths."""
    figure, panels = plotting.new(3, height=3.0, sharey=True)
    ranks, data = (np.arange(WIDTH) + 0.5) / WIDTH, []
    for axes, (arm, (*_, title)) in zip(panels, SPECTRA.items(), strict=True):
        for index, depth in enumerate(DEPTHS):
            found = spectrum(results, arm, depth)
            found[found < ZERO] = np.nan
            median, low, high = np.median(found, axis=0), found.min(axis=0), found.max(axis=0)
            style = plotting.style(index) | {"linestyle": "none"}
            label = f"{depth} layer{'s' * (depth > 1)}"
            axes.plot(ranks, median, label=label, markersize=3, markevery=4, **style)
            axes.fill_between(ranks, low, high, color=style["color"], alpha=0.25, linewidth=0)
            wide = {"gaussian": fuss_catalan(depth, ranks), "orthogonal": np.ones(WIDTH)}.get(arm)
            if wide is not None:
                axes.plot(ranks, wide, color=plotting.INK, lw=1)
            drawn = {"series": title, "depth": depth, "rank": ranks, "median": median}
            data.append(pd.DataFrame({**drawn, "low": low, "high": high, "theory": wide}))
        axes.set(yscale="log", ylim=(1e-13, 100), title=title, xlabel="rank (share)")
        axes.set_xticks((0, 0.5, 1))
    panels[0].set_ylabel("singular value")
    panels[0].legend(loc="lower left")
    return Figure("orthogonal-spectra", figure, pd.concat(data))


def draw_training(results: Results) -> Figure:
    """Test accuracy and last training loss, paired by seed."""
    figure, both = plotting.new(2, height=2.6)
    measured = {"test accuracy": scored, "training loss, last epoch": final_loss}
    names, data = [name for _, name, _ in TRAINED.values()], []
    for axes, (what, of) in zip(both, measured.items(), strict=True):
        found = [of(results, arm) for arm in TRAINED]
        axes.plot(found, (0, 1), color=plotting.MUTED, lw=0.9)
        for y, (values, (_, name, index)) in enumerate(zip(found, TRAINED.values(), strict=True)):
            axes.plot(values, [y] * len(values), **plotting.style(index) | {"linestyle": "none"})
            data.append(values.rename("value").reset_index().assign(series=name, figure=what))
        axes.set(yticks=(0, 1), yticklabels=names, ylim=(-0.5, 1.5), xlabel=what)
        axes.grid(axis="y", visible=False)
    both[1].set_yticklabels([])
    return Figure("orthogonal-training", figure, pd.concat(data))


def _collapse(results: Results) -> evidence.Outcome:
    medians = np.median(spectrum(results, "gaussian"), axis=1)
    wide = fuss_catalan(DEPTHS[-1], np.array([0.5]))[0]
    return decide.between(medians, -COLLAPSED, COLLAPSED, theory=wide)


def _isometry(results: Results) -> evidence.Outcome:
    off = np.abs(spectrum(results, "orthogonal") - 1).max(axis=1)
    how = f"in every draw all singular values within {ISOMETRY:g} of one"
    return decide.always(off <= ISOMETRY, how, effect=float(off.max()))


def _relu(results: Results) -> evidence.Outcome:
    share = (spectrum(results, "relu") > 0.5).mean(axis=1)
    return decide.between(share, 0, 0.5)


CLAIMS = (
    Claim("gaussian-product-collapses", _collapse, "orthogonal-spectra"),
    Claim("orthogonal-product-is-isometric", _isometry, "orthogonal-spectra"),
    Claim("relu-breaks-isometry", _relu, "orthogonal-spectra"),
    Claim("orthogonal-vs-he-accuracy", higher(scored, *TRAINED), "orthogonal-training"),
)

EXPERIMENT = Experiment(11, "orthogonal", runs, analyse, CLAIMS)
