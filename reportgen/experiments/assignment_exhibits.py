"""Figures and tables of the assignment's comparison."""

from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from reportgen.analysis import plotting
from reportgen.experiments.decide import fixed, interval
from reportgen.experiments.evidence import Figure, Table

THRESHOLDS = (0.90, 0.95, 0.97)
SPAN = "95% interval"

Arms = dict[str, pd.DataFrame]  # the runs by name of their initializer
Names = tuple[str, ...]  # of the classes
Ends = dict[str, tuple[int, np.ndarray]]  # by name: seed and confusion matrix of a run


def validation(rows: pd.DataFrame) -> pd.DataFrame:
    """Validation accuracy by run and step, from early probes and the epochs' ends."""
    found = []
    for probes, history in zip(rows["probes"], rows["history"], strict=True):
        early = {look["step"]: look["accuracy"] for look in probes.get("validation", ())}
        found.append(early | dict(zip(history["step"], history["val_accuracy"], strict=True)))
    return pd.DataFrame(found, dtype=float).sort_index(axis=1)


def reached(rows: pd.DataFrame, threshold: float) -> pd.Series:
    """Steps at which runs first stood at a threshold, of those that ever did."""
    stood = validation(rows) >= threshold
    return stood[stood.any(axis=1)].idxmax(axis=1)


def confusion(rows: pd.DataFrame, classes: int) -> tuple[int, np.ndarray]:
    """Seed and confusion matrix of the arm's first finished run; a matrix of 0 without one."""
    finished = rows[rows["status"] == "finished"]
    run = (finished if len(finished) else rows).iloc[0]
    return run["seed"], np.array(run["confusion"] or np.zeros((classes, classes)), dtype=int)


def draw_accuracy(arms: Arms, found: dict[str, Any]) -> Figure:
    """Every run as a point, the mean with its interval; on the right, magnified."""
    figure, both = plotting.new(2, height=1.4 + 0.35 * len(arms), sharey=True)
    for axes, (index, (name, rows)) in product(both, enumerate(arms.items())):
        style, stripe = plotting.style(index), [index - 0.3, index + 0.3]
        heights = index + np.linspace(-0.2, 0.2, len(rows) + 2)[1:-1]
        axes.plot(rows["test_accuracy"], heights, **style | {"linestyle": "none"}, alpha=0.6)
        mean, low, high, *_ = found[name]["test_accuracy"].values()
        axes.plot([mean, mean], stripe, color=plotting.INK, lw=1.6)
        axes.fill_betweenx(stripe, low, high, color=style["color"], alpha=0.3, linewidth=0)
    data = pd.concat(arms.values())[["name", "seed", "test_accuracy", "test_loss"]]
    upper = data["test_accuracy"].astype(float)
    upper = upper[upper > upper.max() - 0.1]
    pad = 0.1 * (np.ptp(upper) or 0.01)
    both[0].set(xlim=(0, 1), title="All runs", yticks=range(len(arms)), yticklabels=arms)
    both[1].set(xlim=(upper.min() - pad, upper.max() + pad), title="The upper end, magnified")
    both[0].invert_yaxis()
    for axes in both:
        axes.set_xlabel("test accuracy")
        axes.grid(axis="y", visible=False)
    return Figure("assignment-accuracy", figure, data)


def _band(axes: Any, runs: pd.DataFrame, index: int, name: str) -> pd.DataFrame:
    """Mean over runs (rows), with a band from lowest to highest."""
    mean, low, high, style = runs.mean(), runs.min(), runs.max(), plotting.style(index)
    axes.plot(runs.columns, mean, label=name, markersize=3.5, **style)
    axes.fill_between(runs.columns, low, high, color=style["color"], alpha=0.18, linewidth=0)
    return pd.DataFrame({"name": name, "x": runs.columns, "mean": mean, "low": low, "high": high})


def draw_curves(arms: Arms) -> Figure:
    """Loss and accuracy by epoch, for training and validation."""
    figure, grid = plotting.new(2, 2, height=5.0, sharex=True)
    data = []
    panels = product((("loss", "log"), ("accuracy", "linear")), ("", "val_"))
    for axes, ((name, scale), split) in zip(grid.ravel(), panels, strict=True):
        title = f"{'Validation' if split else 'Training'} {name}"
        for index, (arm, rows) in enumerate(arms.items()):
            by_epoch = [dict(enumerate(of[split + name], start=1)) for of in rows["history"]]
            drawn = _band(axes, pd.DataFrame(by_epoch, dtype=float), index, arm)
            data.append(drawn.assign(series=title))
        axes.set(title=title, yscale=scale)
    for axes in grid[1]:
        axes.set_xlabel("epoch")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=4)
    return Figure("assignment-curves", figure, pd.concat(data))


def draw_speed(arms: Arms) -> Figure:
    """Validation accuracy against optimizer steps, both axes stretched, with the thresholds."""
    figure, axes = plotting.new(height=3.5)
    drawn = [_band(axes, validation(arms[name]), index, name) for index, name in enumerate(arms)]
    for threshold in THRESHOLDS:
        axes.axhline(threshold, color=plotting.MUTED, lw=0.9, ls=(0, (2, 2)))
    axes.set(xscale="log", yscale="logit", xlabel="optimizer steps", ylabel="validation accuracy")
    ticks = (0.1, 0.25, 0.5, 0.75, *THRESHOLDS, 0.98)
    axes.set_yticks(ticks, [f"{tick:.0%}" for tick in ticks])
    axes.minorticks_off()
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return Figure("assignment-speed", figure, pd.concat(drawn))


def draw_pairs(pairs: list[dict[str, Any]], margin: float) -> Figure:
    """Paired differences of test accuracy, seed by seed, with their intervals."""
    figure, axes = plotting.new(height=1.1 + 0.36 * len(pairs))
    drawn = {of["label"]: (of["by_seed"], of["low"], of["high"]) for of in pairs}
    data = plotting.differences(axes, drawn, margin=margin)
    axes.set_xscale("symlog", linthresh=margin, linscale=0.7)
    ticks = (-0.1, -0.01, -margin, 0, margin, 0.01, 0.1, 1)
    axes.set_xticks(ticks, [f"{tick:g}".replace("-", "−") for tick in ticks])
    axes.minorticks_off()
    axes.set_xlabel("difference of test accuracy, same seed")
    return Figure("assignment-pairs", figure, data)


def draw_confusion(ends: Ends, names: Names) -> Figure:
    """Confusion matrices of the arms with the lowest and the highest mean accuracy."""
    figure, both = plotting.new(2, height=4.2)
    data = []
    for axes, (name, (seed, matrix)) in zip(both, ends.items(), strict=True):
        share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
        cells = np.where(matrix, matrix.astype(str), "")
        plotting.heat(axes, share, low=0, high=1, cells=cells, size=6.2)
        turned = 90 if max(map(len, names)) > 2 else 0
        axes.set_xticks(range(len(names)), names, rotation=turned)
        axes.set_yticks(range(len(names)), names)
        axes.set(xlabel="predicted class", ylabel="true class", title=f"{name}, seed {seed}")
        axes.tick_params(labelsize=7.5)
        data += [(name, *place, images) for place, images in np.ndenumerate(matrix)]
    columns = ["name", "true", "predicted", "images"]
    return Figure("assignment-confusion", figure, pd.DataFrame(data, columns=columns))


def tables(
    arms: Arms, found: dict[str, Any], pairs: list[dict[str, Any]], ends: Ends, names: Names
) -> list[Table]:
    """Means with intervals, paired differences, steps to the thresholds, precision and recall."""
    means = [
        [name, fixed(accuracy["mean"]), interval(accuracy["low"], accuracy["high"]),
         fixed(accuracy["sd"]), fixed(loss["mean"]), interval(loss["low"], loss["high"]),
         str(accuracy["n"]), fixed(of["printed"])]
        for name, of in found.items()
        for accuracy, loss in [(of["test_accuracy"], of["test_loss"])]
    ]  # fmt: skip
    less = [
        [of["label"], f"{of['mean']:+.4f}", interval(of["low"], of["high"], "+.4f"),
         fixed(of["p_value"]), fixed(of.get("holm")), fixed(of["probability_superior"], 2),
         str(of["n"])]
        for of in pairs
    ]  # fmt: skip
    steps = [
        [name, *(_told(reached(rows, at)) for at in THRESHOLDS)] for name, rows in arms.items()
    ]
    classes: dict[str, Any] = {"Class": names}
    for name, (_, matrix) in ends.items():
        for what, axis in (("precision", 0), ("recall", 1)):
            of = zip(matrix.diagonal(), matrix.sum(axis=axis), strict=True)
            classes[f"{name}: {what}"] = [fixed(right / n if n else None, 3) for right, n in of]
    shares = list(zip(*classes.values(), strict=True))
    told: dict[str, tuple[list[str], list[Any]]] = {
        "results": (["Initializer", "Accuracy", SPAN, "SD", "Loss", SPAN, "n", "Original"], means),
        "differences": (["Comparison", "Difference", SPAN, "p", "p (Holm)", "P(A > B)", "n"], less),
        "reached": (["Initializer", *(f"{threshold:.0%}" for threshold in THRESHOLDS)], steps),
        "classes": (list(classes), shares),
    }
    return [
        Table(f"assignment-{id}", columns, "l" + "r" * (len(columns) - 1), rows)
        for id, (columns, rows) in told.items()
    ]


def _told(steps: pd.Series) -> str:
    if steps.empty:
        return "never"
    return f"{steps.median():,.0f} ({steps.min():,.0f}–{steps.max():,.0f})"
