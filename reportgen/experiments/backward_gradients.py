"""Back through deep untrained nets: errors by layer, weight gradients by layer, unequal widths."""

from dataclasses import replace

import numpy as np
import pandas as pd

from reportgen.analysis import plotting
from reportgen.config import Config, Initializer
from reportgen.engine.datasets import DatasetInfo
from reportgen.experiments import decide, evidence, nets
from reportgen.experiments.evidence import Claim, Experiment, Figure, Findings, Results, Run
from reportgen.experiments.nets import FACTORS, SHOWN, SQUARE, TOLERANCE, errors, hidden

# Halving widths: what keeps the signal halves the error a layer, and the other way round.
FUNNEL = (1024, 512, 256, 128, 64, 32)
FAN_OUT = Initializer.of(
    "VarianceScaling", scale=2, mode="fan_out", distribution="truncated_normal"
)
FUNNELS = {"fan_in": (SHOWN["he"][0], "2 / fan_in", 3), "fan_out": (FAN_OUT, "2 / fan_out", 5)}


def runs(config: Config, dataset: DatasetInfo) -> list[Run]:
    """The nets of the forward experiment, and narrowing ones."""
    return [
        Run({"arm": arm}, nets.network(kernel, net, dataset, seed))
        for seed in config.seeds_of("backward_gradients", full=10)
        for arms, net in ((SHOWN, SQUARE), (FUNNELS, FUNNEL))
        for arm, (kernel, *_) in arms.items()
    ]


def signal(results: Results, arm: str) -> np.ndarray:
    """Mean square of h by hidden layer, as a share of the first one's."""
    found = hidden(results, arm, "h_mean_square")
    return np.asarray(found / found[:, :1])


def weights(results: Results, arm: str) -> np.ndarray:
    """Mean square of dL/dW by hidden layer from the second on."""
    return hidden(results, arm, "kernel", "gradients")[:, 1:]


def analyse(results: Results) -> Findings:
    """Errors and weight gradients by layer; the narrowing nets both ways."""
    values = {
        "width": nets.WIDTH, "depth": nets.DEPTH, "funnel_widths": FUNNEL,
        "slope": {arm: nets.growth(errors(results, arm)).mean() for arm in SHOWN},
        "weight_slope": {arm: nets.growth(weights(results, arm)).mean() for arm in SHOWN},
        "funnel": {arm: np.median(errors(results, arm)[:, 0]) for arm in FUNNELS},
        "funnel_signal": nets.growth(signal(results, "fan_in")).mean(),
    }  # fmt: skip
    return Findings(values, [_draw_layers(results), _draw_funnel(results)])


def _up(kernel: Initializer, net: nets.Widths) -> np.ndarray:
    return np.cumprod([1.0, *nets.gains(kernel, net)])


def _down(kernel: Initializer, net: nets.Widths) -> np.ndarray:
    return np.cumprod([1.0, *nets.gains(kernel, net, backward=True)[::-1]])[::-1]


def _draw_layers(results: Results) -> Figure:
    """dL/dz falls on its way down; dL/dW is as small in one layer as in another."""
    labels = {"yscale": "log", "xlabel": "layer (the loss is on the right)"}
    figure, (left, right) = plotting.new(2, height=3.3, subplot_kw=labels)
    he = np.exp(np.log(weights(results, "he")).mean())

    def level(kernel: Initializer, net: nets.Widths) -> np.ndarray:
        # A kernel's own variance is the one that its gradient does not contain.
        found, hes = (nets.gains(of, nets.widths(results, *net)) for of in (kernel, SHOWN["he"][0]))
        return np.full(len(net) - 1, he * np.delete(found / hes, 1).prod())

    data = [
        nets.draw(results, left, SQUARE, SHOWN, errors, _down, "dL/dz"),
        nets.draw(results, right, SQUARE, SHOWN, weights, level, "dL/dW"),
    ]
    left.set(title="Errors dL/dz", ylabel="mean square, share of the last layer's")
    right.set(title="Weight gradients dL/dW", ylabel="mean square")
    left.legend(loc="lower right")
    return Figure("backward-gradients", figure, pd.concat(data))


def _draw_funnel(results: Results) -> Figure:
    """Signal and error in narrowing nets: one of them is kept."""
    ticks = {"xticks": range(1, len(FUNNEL) + 1), "xticklabels": FUNNEL}
    labels = {"yscale": "log", "xlabel": "units of the layer", **ticks}
    figure, (left, right) = plotting.new(2, height=2.9, sharey=True, subplot_kw=labels)
    data = [
        nets.draw(results, left, FUNNEL, FUNNELS, signal, _up, "signal"),
        nets.draw(results, right, FUNNEL, FUNNELS, errors, _down, "dL/dz"),
    ]
    left.set(title="Signal, share of the first layer's", ylabel="mean square")
    right.set(title="Error dL/dz, share of the last layer's")
    left.legend(loc="upper left")
    return Figure("backward-funnel", figure, pd.concat(data))


def _near_one(results: Results, measured: nets.Measured, **factors: float) -> evidence.Outcome:
    """Whether the largest departure of the three starts, by draw, stays inside the tolerance."""
    changes = [nets.growth(measured(results, arm)) * factors.get(arm, 1) for arm in SHOWN]
    how = f"largest departure of the three starts: 95% interval of its mean below {TOLERANCE:g}"
    off = np.max(np.abs(np.array(changes) - 1), axis=0)
    return replace(decide.between(off, -TOLERANCE, TOLERANCE), how=how)


def _unequal(results: Results) -> evidence.Outcome:
    return decide.between(nets.growth(errors(results, "fan_in")), 2 * 0.8, 2 * 1.2)


CLAIMS = (
    Claim("error-slopes", lambda found: _near_one(found, errors, **FACTORS), "backward-gradients"),
    Claim("weight-gradients-level", lambda found: _near_one(found, weights), "backward-gradients"),
    Claim("unequal-widths", _unequal, "backward-funnel"),
)

EXPERIMENT = Experiment(5, "backward_gradients", runs, analyse, CLAIMS)
