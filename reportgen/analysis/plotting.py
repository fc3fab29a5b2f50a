"""The look of every figure: SVG with the same bytes each time, in a light and a dark version.

A figure is drawn once, in the light palette; the dark version swaps each colour for its partner.
Colours are Okabe and Ito's, which the colour-blind tell apart; markers and line styles differ too,
so that figures read in grey.
"""

import io
import re
from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Light colour -> its dark partner.
PALETTE = {
    "#1f2328": "#e6edf3",  # ink
    "#59636e": "#9198a1",  # muted
    "#d1d9e0": "#3d444d",  # grid
    "#fefefe": "#0d1117",  # paper, behind labels and between cells
    "#0072b2": "#56b4e9",
    "#d55e00": "#ff9a57",
    "#009e73": "#3ddbb0",
    "#aa3377": "#ee8fc6",
    "#b07d00": "#f0c75e",
    "#5a5ad6": "#a9a9ff",
    "#6e6e6e": "#b8b8b8",
}
INK, MUTED, GRID, PAPER, *SERIES = PALETTE
# Text on a heat map, whose colours are the same in both versions.
ON_LIGHT, ON_DARK = "#1f2329", "#fefefd"
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1, 1.4)), (0, (5, 1.5, 1, 1.5)), (0, (8, 2)))

WIDTH = 7.2  # inches; the text's measure

mpl.rcParams.update(
    {
        "axes.edgecolor": MUTED,
        "axes.grid": True,
        "axes.labelcolor": INK,
        "axes.labelsize": 9.5,
        "axes.linewidth": 0.8,
        "axes.spines.right": False,
        "axes.spines.top": False,
        "axes.titlecolor": INK,
        "axes.titlelocation": "left",
        "axes.titlesize": 10,
        "axes.titleweight": "bold",
        "figure.constrained_layout.use": True,
        "figure.facecolor": "none",
        "axes.facecolor": "none",
        "font.family": "DejaVu Sans",
        "font.size": 9.5,
        "grid.color": GRID,
        "grid.linewidth": 0.6,
        "legend.fontsize": 9,
        "legend.frameon": False,
        "legend.labelcolor": INK,
        "lines.linewidth": 1.8,
        "lines.markersize": 5,
        "svg.fonttype": "path",
        "svg.hashsalt": "reportgen",
        "text.color": INK,
        "xtick.color": MUTED,
        "xtick.labelcolor": INK,
        "ytick.color": MUTED,
        "ytick.labelcolor": INK,
        "xtick.labelsize": 9,
        "ytick.labelsize": 9,
    }
)


def new(columns: int = 1, rows: int = 1, *, height: float, **options: Any) -> tuple[Figure, Any]:
    """A figure of the text's width (height in inches) and its axes, as `Figure.subplots` gives."""
    figure = Figure(figsize=(WIDTH, height))
    return figure, figure.subplots(rows, columns, **options)


def wide(figure: Figure, row: Any) -> Axes:
    """One axes in place of a whole row of the figure's axes."""
    place = row[0].get_gridspec()[row[0].get_subplotspec().rowspan.start, :]
    for axes in row:
        axes.remove()
    return figure.add_subplot(place)


def apart(values: Any, gap: float) -> Any:
    """Places for labels near their values, in the values' order, at least `gap` from each other."""
    order = np.argsort(values, kind="stable")
    steps = gap * np.arange(len(order))
    level = np.asarray(values, dtype=float)[order] - steps
    pushed = np.maximum.accumulate(level) + np.minimum.accumulate(level[::-1])[::-1]
    places = np.empty(len(order))
    places[order] = pushed / 2 + steps
    return places


def style(index: int) -> dict[str, Any]:
    """Colour, marker and dashes of the series with this number; the first seven are distinct."""
    return {
        "color": SERIES[index % len(SERIES)],
        "marker": MARKERS[index % len(MARKERS)],
        "linestyle": DASHES[index % len(DASHES)],
    }


def points(
    axes: Axes, x: Any, runs: Any, index: int, *, label: str, theory: Any = None
) -> pd.DataFrame:
    """Runs, shape (runs, len(x)), as median and range over x, with theory's line below them.

    Returns:
        What is drawn, for the figure's CSV.
    """
    color, marker = style(index)["color"], style(index)["marker"]
    median, low, high = np.quantile(np.asarray(runs, dtype=float), (0.5, 0, 1), axis=0)
    if theory is not None:
        axes.plot(x, theory, color=color, linewidth=1.3, zorder=1)
    axes.vlines(x, low, high, color=color, linewidth=1.2, alpha=0.6)
    axes.plot(x, median, linestyle="none", color=color, marker=marker, markersize=3.6, label=label)
    drawn = {"series": label, "x": x, "median": median, "low": low, "high": high}
    return pd.DataFrame(drawn if theory is None else {**drawn, "theory": theory})


def differences(
    axes: Axes, pairs: Mapping[str, Any], *, margin: float, index: int = 0
) -> pd.DataFrame:
    """Paired differences by seed, a row a pair, over a stripe in which they count as none.

    A pair is its differences and the interval of their mean. Returns what is drawn, for the CSV.
    """
    axes.axvspan(-margin, margin, color=MUTED, alpha=0.18, linewidth=0)
    axes.axvline(0, color=MUTED, lw=1)
    drawn, row = [], 0
    for row, (label, (found, low, high)) in enumerate(pairs.items()):
        axes.plot(found, [row] * len(found), "o", color=SERIES[index], alpha=0.4, markersize=4.5)
        axes.plot([low, high], [row + 0.2] * 2, color=INK, lw=3)
        drawn.append(pd.DataFrame({"pair": label, "seed": found.index, "difference": found}))
    axes.set(yticks=range(len(pairs)), yticklabels=list(pairs), ylim=(row + 0.6, -0.6))
    axes.grid(axis="y", visible=False)
    return pd.concat(drawn) if drawn else pd.DataFrame()


def heat(
    axes: Axes, values: Any, *, low: float, high: float, cells: Any = (), size: float = 8
) -> Any:
    """A heat map of a matrix, row 0 on top, dark is high, perhaps with texts in its cells."""
    axes.grid(visible=False)
    for (row, column), text in np.ndenumerate(cells):
        ink = ON_DARK if values[row, column] > (low + high) / 2 else ON_LIGHT
        axes.text(column, row, text, ha="center", va="center", fontsize=size, color=ink)
    return axes.imshow(values, cmap="Blues", vmin=low, vmax=high)


def svg(figure: Figure) -> tuple[str, str]:
    """The figure as SVG text, light and dark."""
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    light = out.getvalue()
    dark = re.sub("|".join(PALETTE), lambda match: PALETTE[match.group()], light)
    return light, dark
