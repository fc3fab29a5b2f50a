"""Figures of the experiment on depth, optimizer and rate."""

import numpy as np
import pandas as pd
from matplotlib.patches import Rectangle

from reportgen.analysis import plotting
from reportgen.engine.runs import Optimizer
from reportgen.experiments import decide
from reportgen.experiments.deep_nets import (
    ADAM,
    ARMS,
    DEEP,
    DEPTHS,
    LOWERED,
    RATES,
    TUNED,
    cell,
    foretold,
    gradient,
    tuned,
    tuned_rate,
)  # fmt: skip
from reportgen.experiments.evidence import Figure, Results

FLOOR = 1e-17  # of the gradients drawn: below any epsilon tried


def draw_accuracy(results: Results) -> Figure:
    """A strip a run: rows are starts, columns optimizers with their rates, panels depths."""
    columns = {d: [Optimizer(n, r) for n, rs in o.items() for r in rs] for d, o in RATES.items()}
    columns[DEEP].append(LOWERED)
    figure, panels = plotting.new(
        len(columns), height=2.9, sharey=True, width_ratios=[len(c) for c in columns.values()]
    )
    seeds = results.table["seed"].nunique()
    for axes, (depth, settings) in zip(panels, columns.items(), strict=True):
        drawn = np.full((len(ARMS), len(settings) * seeds), np.nan)
        for row, arm in enumerate(ARMS):
            for column, setting in enumerate(settings):
                found = decide.scored(cell(results, arm, depth, setting))
                if not len(found):
                    continue
                drawn[row, column * seeds : column * seeds + len(found)] = found
                mean = float(found.mean())
                axes.text(
                    (column + 0.5) * seeds - 0.5, row, f"{mean:.2f}", ha="center", va="center",
                    fontsize=8.5, color=plotting.ON_DARK if mean > 0.55 else plotting.ON_LIGHT,
                )  # fmt: skip
                rate = arm in TUNED and tuned_rate(results, arm, depth, setting.name)
                if rate == setting.learning_rate and setting != LOWERED:
                    corner, size = (column * seeds - 0.3, row - 0.43), (seeds - 0.4, 0.86)
                    frame = Rectangle(corner, *size, fill=False, ec=plotting.SERIES[1], lw=2)
                    axes.add_patch(frame)
        plotting.heat(axes, drawn, low=0, high=1).axes.set_aspect("auto")
        for edge in range(1, len(settings)):
            axes.axvline(edge * seeds - 0.5, color=plotting.PAPER, lw=3, zorder=1.5)
        for edge in range(1, len(ARMS)):
            axes.axhline(edge - 0.5, color=plotting.PAPER, lw=3, zorder=1.5)
        names = [
            f"{s.name.upper() if s.name == 'sgd' else 'Adam'}\n{s.learning_rate:g}"
            + "\nε 10⁻¹⁶" * (s == LOWERED)
            for s in settings
        ]
        axes.set_xticks([(i + 0.5) * seeds - 0.5 for i in range(len(settings))], names, fontsize=8)
        axes.set_title(f"{depth} layers")
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
    panels[0].set_yticks(range(len(ARMS)), [name for _, name, _ in ARMS.values()])
    said = "; ".join(
        f"{ARMS[arm][1]} {tuned(results, arm, DEEP, 'sgd').mean():.2f} under SGD, "
        f"{tuned(results, arm, DEEP, 'adam').mean():.2f} under Adam"
        for arm in TUNED
    )
    return Figure(
        "depth-accuracy",
        figure,
        f"**{DEEP} layers, each start at its tuned rate: {said}.** Test accuracy of every run "
        f"(a strip each, dark is high; number: mean over {seeds} seeds, a diverged run counting as "
        "0). Frames mark the rate of highest validation accuracy among those shown; the last "
        "column lowers Adam's ε. Empty cells were not run.",
        f"Heat maps for {', '.join(map(str, RATES))} layers: rows are starts, columns SGD and Adam "
        f"with their rates, cells split into seeds. Means at {DEEP} layers: {said}.",
        results.table[["arm", "depth", "optimizer", "rate", "epsilon", "seed", "test_accuracy"]],
    )


def draw_gradient(results: Results) -> Figure:
    """RMS weight gradient before the first step by depth, beside Adam's epsilon."""
    figure, axes = plotting.new(height=3.2)
    data = []
    for arm, (_, name, index) in ARMS.items():
        depths = DEPTHS[arm]
        he = [np.median(gradient(results, "he", depth)) for depth in depths]
        found = np.array([gradient(results, arm, depth) for depth in depths]).T
        line = he * np.array([foretold(results, arm, depth) for depth in depths])
        data.append(plotting.points(axes, depths, found, index, label=name, theory=line))
    axes.axhline(ADAM.epsilon, color=plotting.INK, ls="--", lw=1.4)
    axes.annotate("Adam's ε, default", (DEEP, ADAM.epsilon), (0, -12), ha="right",
                  textcoords="offset points")  # fmt: skip
    axes.set(yscale="log", ylim=(FLOOR, 0.1), xlabel="layers", ylabel="RMS weight gradient, step 0")
    axes.set_xticks(list(RATES))
    axes.legend(loc="lower left")
    said = ", ".join(
        f"{np.median(gradient(results, arm, DEEP)):.0e} under {ARMS[arm][1]}" for arm in TUNED
    )
    return Figure(
        "depth-gradient",
        figure,
        f"**At {DEEP} layers the first gradients are {said}; Adam's ε is {ADAM.epsilon:.0e}.** "
        "Root mean square of the weight gradient before the first step (median and range over "
        "seeds). Lines: He's median times the factor that theory gives the other starts. "
        f"Of {ARMS['small'][1]} no more than {max(DEPTHS['small'])} layers were run.",
        f"RMS weight gradient on a log scale at {', '.join(map(str, RATES))} layers: {said}; a "
        "dashed line marks Adam's epsilon.",
        pd.concat(data),
    )
