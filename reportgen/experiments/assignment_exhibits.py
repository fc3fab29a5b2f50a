"""Figures and tables of the assignment's comparison."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import precision_recall_fscore_support

from reportgen.analysis import plotting, statistics
from reportgen.analysis.statistics import Paired
from reportgen.engine.datasets import DatasetInfo
from reportgen.experiments.decide import fixed, interval
from reportgen.experiments.evidence import Figure, Table

# The single run printed in the assignment: test accuracy by initializer.
ORIGINAL = {"zeros": 0.1135, "random_normal": 0.9295, "glorot_normal": 0.9771, "he_normal": 0.9759}
THRESHOLDS = (0.90, 0.95, 0.97)
MARGIN = 0.002  # differences of accuracy inside it count as none; declared before any run


@dataclass(frozen=True)
class Arms:
    """The results by initializer: rows, names, accuracies by seed, summaries, paired differences.

    `pairs` holds (later arm, earlier arm) -> later - earlier; `extremes` the arms of lowest and
    highest mean accuracy.
    """

    rows: dict[str, pd.DataFrame]
    names: dict[str, str]
    accuracies: dict[str, pd.Series]
    summary: dict[str, Any]
    pairs: dict[tuple[str, str], Paired]
    extremes: tuple[str, str]

    def said(self, key: str) -> str:
        """An arm's mean accuracy as text."""
        return fixed(self.summary[key]["test_accuracy"]["mean"])


def draw_accuracy(arms: Arms) -> Figure:
    """Every run as a point, the mean with its interval; on the right, magnified."""
    figure, (left, right) = plotting.new(2, height=1.4 + 0.35 * len(arms.rows))
    rng = np.random.default_rng(0)
    for index, (key, values) in enumerate(arms.accuracies.items()):
        style = plotting.style(index) | {"linestyle": "none"}
        heights = index + rng.uniform(-0.16, 0.16, len(values))
        mean = arms.summary[key]["test_accuracy"]
        stripe = [index - 0.3, index + 0.3]
        for axes in (left, right):
            axes.plot(values, heights, alpha=0.6, **style, zorder=2)
            if mean["mean"] is not None:
                axes.plot([mean["mean"]] * 2, stripe, color=plotting.INK, lw=1.6)
            if mean["low"] is not None and np.isfinite(mean["low"]):
                axes.fill_betweenx(
                    stripe, mean["low"], mean["high"], color=style["color"], alpha=0.3, linewidth=0
                )
    every = np.concatenate([values.dropna() for values in arms.accuracies.values()])
    upper = every[every > every.max() - 0.1]
    pad = 0.1 * (np.ptp(upper) or 0.01)
    ticks = range(len(arms.names))
    left.set(xlim=(0, 1), yticks=ticks, yticklabels=list(arms.names.values()), title="All runs")
    right.set(xlim=(upper.min() - pad, upper.max() + pad), yticks=ticks, yticklabels=[])
    right.set_title("The upper end, magnified")
    for axes in (left, right):
        axes.invert_yaxis()
        axes.set_xlabel("test accuracy")
        axes.grid(axis="y", visible=False)
    low, high = arms.extremes
    return Figure(
        id="assignment-accuracy",
        drawing=figure,
        caption=(
            f"**The start decides between {arms.said(low)} and {arms.said(high)}.** Test accuracy "
            f"of every run; {arms.names[low]} has the lowest mean, {arms.names[high]} the highest. "
            "Upright lines and shaded boxes are means with their 95 % intervals."
        ),
        alt="Test accuracy of every run by initializer. Means: "
        + "; ".join(f"{name} {arms.said(key)}" for key, name in arms.names.items()),
        data=pd.concat(arms.rows.values())[["name", "seed", "test_accuracy", "test_loss"]],
    )


def draw_curves(arms: Arms) -> Figure:
    """Loss and accuracy by epoch, for training and validation."""
    figure, grid = plotting.new(2, 2, height=5.0, sharex=True)
    panels = {
        "loss": "Training loss",
        "val_loss": "Validation loss",
        "accuracy": "Training accuracy",
        "val_accuracy": "Validation accuracy",
    }
    data = []
    for axes, (column, title) in zip(grid.ravel(), panels.items(), strict=True):
        for index, (key, rows) in enumerate(arms.rows.items()):
            histories = [history[column] for history in rows["history"]]
            epochs = np.arange(1, max(map(len, histories)) + 1)
            data += _line(axes, epochs, histories, index, arms.names[key], series=title)
        axes.set_title(title)
        if "loss" in column:
            axes.set_yscale("log")
    for axes in grid[1]:
        axes.set_xlabel("epoch")
    figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=4)
    return Figure(
        id="assignment-curves",
        drawing=figure,
        caption=(
            "**What a start costs shows from the first epoch on.** Loss (log scale) and accuracy "
            "on training and validation images; lines are means over the seeds, bands run from "
            "the lowest to the highest run."
        ),
        alt="Four panels of curves over the epochs, one line an initializer: training and "
        "validation loss on a log scale, training and validation accuracy.",
        data=pd.DataFrame(data),
    )


def draw_pairs(arms: Arms) -> Figure:
    """Paired differences of test accuracy, seed by seed, with their intervals."""
    figure, axes = plotting.new(height=1.1 + 0.36 * len(arms.pairs))
    labels, data = [], []
    for index, ((b, a), pair) in enumerate(arms.pairs.items()):
        differences = (arms.accuracies[b] - arms.accuracies[a]).dropna()
        labels.append(f"{arms.names[b]} − {arms.names[a]}")
        axes.plot(
            differences, np.full(len(differences), float(index)), "o", color=plotting.SERIES[0],
            alpha=0.4, markersize=4.5,
        )  # fmt: skip
        if np.isfinite(pair.low):
            axes.plot([pair.low, pair.high], [index] * 2, color=plotting.INK, lw=3)
        data += [{"pair": labels[-1], "seed": s, "difference": d} for s, d in differences.items()]
    axes.axvspan(-MARGIN, MARGIN, color=plotting.MUTED, alpha=0.18, linewidth=0)
    axes.axvline(0, color=plotting.MUTED, lw=1)
    axes.set_xscale("symlog", linthresh=MARGIN, linscale=0.7)
    ticks = (-0.1, -0.01, -MARGIN, 0, MARGIN, 0.01, 0.1, 1)
    axes.set_xticks(ticks, [f"{tick:g}".replace("-", "−") for tick in ticks])
    axes.minorticks_off()
    axes.set(yticks=range(len(labels)), yticklabels=labels)
    axes.set_xlabel("difference of test accuracy, same seed")
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    he = arms.pairs.get(("he_normal", "glorot_normal"))
    said = f"{he.mean:+.4f}" if he else "nothing that could be measured"
    return Figure(
        id="assignment-pairs",
        drawing=figure,
        caption=(
            f"**Seed by seed, He less Glorot is {said} on average.** Differences of test accuracy "
            "between runs that share split, batch order and seed; bars are 95 % intervals of the "
            f"mean, the grey stripe is ±{MARGIN:g}, within which a difference counts as none. The "
            "axis is linear inside the stripe and logarithmic outside."
        ),
        alt=f"Paired differences of {len(arms.pairs)} pairs of initializers on a scale around "
        f"zero. He less Glorot: {said} on average.",
        data=pd.DataFrame(data, columns=["pair", "seed", "difference"]),
    )


def draw_speed(arms: Arms) -> Figure:
    """Validation accuracy against optimizer steps, both axes stretched, with the thresholds."""
    figure, axes = plotting.new(height=3.5)
    data = []
    for index, (key, rows) in enumerate(arms.rows.items()):
        steps, series = validation_series(rows)
        data += _line(axes, steps, series, index, arms.names[key])
    for threshold in THRESHOLDS:
        axes.axhline(threshold, color=plotting.MUTED, lw=0.9, ls=(0, (2, 2)))
    axes.set(xscale="log", yscale="logit", xlabel="optimizer steps", ylabel="validation accuracy")
    ticks = (0.1, 0.25, 0.5, 0.75, *THRESHOLDS, 0.98)
    axes.set_yticks(ticks, [f"{tick:.0%}" for tick in ticks])
    axes.minorticks_off()
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return Figure(
        id="assignment-speed",
        drawing=figure,
        caption=(
            "**Most of the way is made in the first few hundred steps, or not soon.** Validation "
            "accuracy (logit scale, which spreads both ends) against optimizer steps (log scale); "
            "dashed lines mark the thresholds of the table, bands run from the lowest to the "
            "highest seed."
        ),
        alt="Validation accuracy over optimizer steps on a log axis, one line an initializer.",
        data=pd.DataFrame(data),
    )


def draw_confusion(arms: Arms, dataset: DatasetInfo) -> Figure:
    """Confusion matrices of the arms with the lowest and the highest mean accuracy."""
    figure, both = plotting.new(2, height=4.2)
    classes = len(dataset.test_counts)
    data, used = [], []
    for axes, key in zip(both, arms.extremes, strict=True):
        matrix = confusion(arms.rows[key], classes)
        used.append(int((matrix.sum(axis=0) > 0).sum()))
        share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
        plotting.heat(axes, share, low=0, high=1)
        for (row, column), value in np.ndenumerate(matrix):
            if value:
                ink = plotting.ON_DARK if share[row, column] > 0.5 else plotting.ON_LIGHT
                axes.text(column, row, value, ha="center", va="center", fontsize=6.2, color=ink)
            data.append((arms.names[key], row, column, int(value)))
        long = max(map(len, dataset.class_names)) > 2
        axes.set_xticks(range(len(matrix)), dataset.class_names, rotation=90 if long else 0)
        axes.set_yticks(range(len(matrix)), dataset.class_names)
        axes.set(xlabel="predicted class", ylabel="true class")
        axes.set_title(f"{arms.names[key]}, seed {first_finished(arms.rows[key])['seed']}")
        axes.tick_params(labelsize=7.5)
    low, high = arms.extremes
    return Figure(
        id="assignment-confusion",
        drawing=figure,
        caption=(
            f"**{arms.names[low]} uses {used[0]} of {classes} answers, {arms.names[high]} "
            f"{used[1]}.** Test images by true and predicted class, for the initializers with the "
            "lowest and the highest mean accuracy; shades are shares of the true class."
        ),
        alt=f"Two confusion matrices. {arms.names[low]}: predictions fall on {used[0]} of "
        f"{classes} classes. {arms.names[high]}: on {used[1]}, mostly along the diagonal.",
        data=pd.DataFrame(data, columns=["name", "true", "predicted", "images"]),
    )


def table_results(arms: Arms) -> Table:
    """Means with intervals, beside the assignment's single run."""
    rows = []
    for key, name in arms.names.items():
        accuracy, loss = arms.summary[key]["test_accuracy"], arms.summary[key]["test_loss"]
        rows.append([
            name, fixed(accuracy["mean"]), interval(accuracy["low"], accuracy["high"]),
            fixed(accuracy["sd"]), fixed(loss["mean"]), interval(loss["low"], loss["high"]),
            f"{accuracy['n']}", fixed(ORIGINAL.get(key)),
        ])  # fmt: skip
    return Table(
        "assignment-results",
        "Test accuracy and loss after training: mean, 95 % interval of the mean, standard "
        "deviation over the seeds, number of finished runs; on the right, the accuracy of the "
        "single run printed in the assignment (on MNIST).",
        (
            "Initializer",
            "Accuracy",
            "95 % interval",
            "SD",
            "Loss",
            "95 % interval",
            "n",
            "Original",
        ),
        "lrrrrrrr",
        rows,
    )


def table_differences(arms: Arms) -> Table:
    """Paired differences with Holm's correction over the assignment's six comparisons."""
    adjusted = holm(arms)
    rows = [
        [
            f"{arms.names[b]} − {arms.names[a]}", f"{pair.mean:+.4f}",
            interval(pair.low, pair.high, "+.4f"), fixed(pair.p_value),
            fixed(adjusted.get((b, a))), fixed(pair.probability_superior, 2), f"{pair.n}",
        ]
        for (b, a), pair in arms.pairs.items()
    ]  # fmt: skip
    return Table(
        "assignment-differences",
        "Paired differences of test accuracy: mean, 95 % bootstrap interval, exact sign-flip "
        "test, Holm's correction over the assignment's six comparisons, and the share of seeds "
        "in which the first is above the second (ties count half).",
        ("Comparison", "Difference", "95 % interval", "p", "p (Holm)", "P(A > B)", "n"),
        "lrrrrrr",
        rows,
    )


def holm(arms: Arms) -> dict[tuple[str, str], float]:
    """p of the assignment's own comparisons, by Holm's correction over them and no wider."""
    family = {k: pair.p_value for k, pair in arms.pairs.items() if set(k) <= set(ORIGINAL)}
    return dict(zip(family, statistics.holm(list(family.values())), strict=True))


def table_reached(arms: Arms, reached: dict[str, Any]) -> Table:
    """Median steps until validation accuracy first stood at each threshold."""

    def cell(entry: dict[str, Any]) -> str:
        if not entry["runs"]:
            return "never"
        return f"{entry['median']:,.0f} ({entry['low']:,.0f}–{entry['high']:,.0f})"

    steps, _ = validation_series(arms.rows[arms.extremes[1]])
    return Table(
        "assignment-reached",
        "Optimizer steps until validation accuracy first stood at each threshold: median and "
        "range over the seeds that reached it. It was looked at after "
        f"{', '.join(f'{step:,.0f}' for step in steps)} steps.",
        ("Initializer", *(f"{threshold:.0%}" for threshold in THRESHOLDS)),
        "lrrr",
        [[name, *map(cell, reached[key].values())] for key, name in arms.names.items()],
    )


def table_classes(arms: Arms, dataset: DatasetInfo) -> Table:
    """Precision and recall by class, from scikit-learn, for the two extremes."""
    labels = range(len(dataset.test_counts))
    columns: list[Any] = []
    for key in arms.extremes:
        matrix = confusion(arms.rows[key], len(labels))
        if not matrix.any():  # every run diverged
            columns += [np.full(len(labels), np.nan)] * 2
            continue
        true, predicted = (np.repeat(of, matrix.ravel()) for of in np.indices(matrix.shape))
        columns += precision_recall_fscore_support(
            true, predicted, labels=labels, zero_division=np.nan
        )[:2]
    return Table(
        "assignment-classes",
        "Precision and recall by class for the initializers with the lowest and the highest mean "
        "accuracy, from the runs of the confusion matrices. A class that is never predicted has no "
        "precision.",
        (
            "Class",
            *(f"{arms.names[k]}: {w}" for k in arms.extremes for w in ("precision", "recall")),
        ),
        "lrrrr",
        [[name, *(fixed(c[i], 3) for c in columns)] for i, name in enumerate(dataset.class_names)],
    )


def validation_series(rows: pd.DataFrame) -> tuple[list[int], list[list[float | None]]]:
    """Steps (k) and each run's validation accuracy, from early probes and the epochs' ends."""
    steps: list[int] = []
    series = []
    for probes, history in zip(rows["probes"], rows["history"], strict=True):
        early = probes.get("validation", [])
        steps = max(steps, [probe["step"] for probe in early] + history["step"], key=len)
        series.append([probe["accuracy"] for probe in early] + history["val_accuracy"])
    return steps, series


def steps_to_reach(rows: pd.DataFrame) -> dict[str, Any]:
    """For each threshold: how many runs reached it, and the median step at which they had."""
    steps, series = validation_series(rows)
    reached = {}
    for threshold in THRESHOLDS:
        crossings = [
            next((s for s, a in zip(steps, run, strict=False) if a and a >= threshold), None)
            for run in series
        ]
        first = [step for step in crossings if step is not None]
        reached[f"{threshold:.2f}"] = {
            "runs": len(first),
            "median": float(np.median(first)) if first else None,
            "low": min(first, default=None),
            "high": max(first, default=None),
        }
    return reached


def first_finished(rows: pd.DataFrame) -> pd.Series:
    """An arm's run with the lowest seed that did not diverge, or its first run."""
    finished = rows[rows["status"] == "finished"]
    return (finished if len(finished) else rows).iloc[0]


def confusion(rows: pd.DataFrame, classes: int) -> np.ndarray:
    """Confusion matrix (true, predicted) of the arm's first finished run; all 0 without one."""
    return np.array(first_finished(rows)["confusion"] or np.zeros((classes, classes)), dtype=int)


def _line(axes: Any, x: Any, runs: Any, index: int, name: str, **more: str) -> list[dict[str, Any]]:
    """Mean over runs with a band from lowest to highest; runs that ended early are padded."""
    padded = [[*run, *[None] * (len(x) - len(run))] for run in runs]
    series = np.ma.masked_invalid(np.array(padded, dtype=float))
    mean, low, high = (
        np.ma.filled(of, np.nan) for of in (series.mean(0), series.min(0), series.max(0))
    )
    axes.plot(x, mean, label=name, markersize=3.5, **plotting.style(index))
    axes.fill_between(x, low, high, color=plotting.style(index)["color"], alpha=0.18, linewidth=0)
    return [
        {**more, "name": name, "x": int(a), "mean": m, "low": lo, "high": hi}
        for a, m, lo, hi in zip(x, mean, low, high, strict=True)
    ]
