"""Equal units: what they learn from zeros and from a constant, and what tells them apart."""

from dataclasses import replace

import numpy as np
import pandas as pd

from reportgen.analysis import plotting
from reportgen.config import Config, Initializer
from reportgen.engine.datasets import DatasetInfo
from reportgen.engine.runs import Activation, Probe
from reportgen.experiments import decide, evidence
from reportgen.experiments.assignment import network
from reportgen.experiments.decide import accuracy, apart, fixed, looks, text
from reportgen.experiments.evidence import Claim, Experiment, Figure, Findings, Results, Run

ZERO, HE = Initializer.of("Zeros"), Initializer.of("HeNormal")
CONSTANT = Initializer.of("Constant", value=0.05)
# Key -> name, activation and initializer of the hidden layer, initializer of the output layer.
STARTS: dict[str, tuple[str, Activation, Initializer, Initializer]] = {
    "zero_relu": ("Zero, ReLU", "relu", ZERO, ZERO),
    "zero_tanh": ("Zero, tanh", "tanh", ZERO, ZERO),
    "zero_sigmoid": ("Zero, sigmoid", "sigmoid", ZERO, ZERO),
    "constant": ("Constant 0.05, ReLU", "relu", CONSTANT, CONSTANT),
    "zero_hidden_relu": ("Zero hidden, He output, ReLU", "relu", ZERO, HE),
    "zero_hidden_tanh": ("Zero hidden, He output, tanh", "tanh", ZERO, HE),
    "zero_output": ("He hidden, zero output, ReLU", "relu", HE, ZERO),
    "he": ("He, ReLU", "relu", HE, HE),
}
EQUAL = ("constant", "zero_sigmoid")  # starts whose units are equal but not silent
GRADIENT_STEPS = (0, 1, 2, 100)
KERNEL_STEPS = (0, 1, 2, 10, 100, 300, 700)  # and the last
RANK_ONE = 1e-3  # of second to first singular value; independent draws have nearly 1
NEAR = 0.05  # this near to He's accuracy counts as trained: what does not train ends far below


def start(key: str, config: Config, dataset: DatasetInfo, seed: int) -> Run:
    """A short training of the assignment's network from one of the starts."""
    _, activation, hidden, output = STARTS[key]
    steps = config.pick(full=1500, quick=150)
    looks = (*(step for step in KERNEL_STEPS if step < steps), steps)
    probes = (Probe("gradients", GRADIENT_STEPS), Probe("kernels", looks))
    spec = network(HE, config, dataset, seed, steps=steps, probes=probes)
    first, last = spec.layers
    layers = (replace(first, activation=activation, kernel=hidden), replace(last, kernel=output))
    return Run({"arm": key}, replace(spec, layers=layers))


def runs(config: Config, dataset: DatasetInfo) -> list[Run]:
    """Every start with every seed."""
    seeds = config.seeds_of("symmetry", full=3)
    return [start(key, config, dataset, seed) for seed in seeds for key in STARTS]


def analyse(results: Results) -> Findings:
    """How alike the hidden units are, and what that costs."""
    table = results.table
    measured = {
        "accuracy": table["test_accuracy"].astype(float),
        "gradient": np.sqrt(looks(table, "gradients", "kernel")[:, -1, 0]),
        "cosine": looks(table, "kernels", "cosine")[:, -1],
        "rank_ratio": looks(table, "kernels", "rank_ratio")[:, -1],
    }
    means = pd.DataFrame(measured).groupby(table["arm"]).mean()
    arms = {key: means.loc[key].to_dict() for key in STARTS}
    values = {
        "arms": arms,
        "steps": table["spec"].iloc[0]["steps"],
        "gradient_step": GRADIENT_STEPS[-1],
    }
    columns = ("Start", "Test accuracy", "Gradient", "Cosine", "σ₂ / σ₁")
    rows = [
        [STARTS[key][0], fixed(of["accuracy"]), text(of["gradient"], 2),
         fixed(of["cosine"], 3).replace("-", "−"), text(of["rank_ratio"], 2)]
        for key, of in arms.items()
    ]  # fmt: skip
    starts = evidence.Table("symmetry-starts", columns, "lrrrr", rows)
    return Findings(values, [_draw(results)], [starts])


def _draw(results: Results) -> Figure:
    figure, grid = plotting.new(3, 2, height=5.2, height_ratios=(1.2, 1))
    for axes, key in zip(grid[0], (*EQUAL, "he"), strict=True):
        run = results.rows(arm=key).iloc[:1]
        name = f"kernels-{looks(run, 'kernels', 'step')[0, -1]:.0f}-cosines"
        cosines = results.arrays(run["key"].iloc[0]).get(name, np.zeros((1, 1)))
        image = plotting.heat(axes, cosines, low=0, high=1)
        axes.set(title=STARTS[key][0], xlabel="hidden unit", xticks=(), yticks=())
    figure.colorbar(image, ax=grid[0], label="cosine", extend="min", aspect=14)
    axes, data = plotting.wide(figure, grid[1]), []
    for level, told in ((1, "independent draws"), (2.0**-52, "rank one, but for rounding")):
        axes.axhline(level, color=plotting.INK, lw=1.2, zorder=1)
        axes.text(0.99, level * 8, told, ha="right", transform=axes.get_yaxis_transform())
    for index, key in enumerate((*EQUAL, "he", "zero_output", "zero_hidden_tanh")):
        rows = results.rows(arm=key)
        steps, ratios = (looks(rows, "kernels", name) for name in ("step", "rank_ratio"))
        for seed, x, y in zip(rows["seed"], steps, ratios, strict=True):
            x, y = x[y > 0], y[y > 0]
            label = "" if seed else STARTS[key][0]
            axes.plot(x, y, **plotting.style(index) | {"lw": 1}, alpha=0.8, label=label)
            data += [(STARTS[key][0], seed, *point) for point in zip(x, y, strict=True)]
    axes.set_xscale("symlog", linthresh=1)
    axes.set(yscale="log", xlabel="optimizer steps", ylabel="σ₂ / σ₁", ylim=(1e-17, 1e3))
    axes.set_title("Second singular value of the hidden weights over the first")
    axes.legend(loc="center left", bbox_to_anchor=(0, 0.5))
    columns = ["start", "seed", "step", "ratio"]
    return Figure("symmetry", figure, pd.DataFrame(data, columns=columns))


def _stays(results: Results) -> evidence.Outcome:
    rows = results.table[results.table["arm"].isin(EQUAL)]
    ratio, cosine = (looks(rows, "kernels", name)[:, -1] for name in ("rank_ratio", "cosine"))
    how = f"second singular value under {RANK_ONE:g} of the first at the end of every run"
    return decide.always(ratio < RANK_ONE, how, effect=decide.mean(cosine).mean)


def _hidden_divides(results: Results) -> evidence.Outcome:
    he = accuracy(results, "he")
    tanh, relu = (he - accuracy(results, f"zero_hidden_{name}") for name in ("tanh", "relu"))
    how = f"for every seed, tanh ends within {NEAR:g} of He and ReLU does not"
    return decide.always((tanh <= NEAR) & (relu > NEAR), how)


CLAIMS = (
    Claim("symmetry-stays", _stays, "symmetry"),
    Claim("symmetry-costs", apart(accuracy, "he", "constant", NEAR), "symmetry-starts"),
    Claim("zero-output-trains", apart(accuracy, "he", "zero_output", -1, NEAR), "symmetry-starts"),
    Claim("zero-hidden-divides", _hidden_divides, "symmetry-starts"),
)

EXPERIMENT = Experiment(3, "symmetry", runs, analyse, CLAIMS)
