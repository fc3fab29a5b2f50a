"""The assignment's comparison: initializers on one network, paired by seed."""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import precision_recall_fscore_support

from reportgen.analysis import plotting, statistics
from reportgen.config import ASSIGNMENT_INITIALIZERS, Config, Initializer
from reportgen.engine.datasets import DatasetInfo
from reportgen.engine.runs import Layer, Probe, RunSpec
from reportgen.experiments.evidence import (
    Claim,
    Experiment,
    Figure,
    Findings,
    Outcome,
    Results,
    Run,
    Table,
)

HIDDEN = 128
# The single run printed in the assignment: (test accuracy) by initializer.
ORIGINAL = {"zeros": 0.1135, "random_normal": 0.9295, "glorot_normal": 0.9771, "he_normal": 0.9759}
NAMES = dict(zip(ASSIGNMENT_INITIALIZERS, ("Zero", "Normal(0, 1)", "Glorot", "He"), strict=True))
ARMS = dict(zip(ASSIGNMENT_INITIALIZERS, ORIGINAL, strict=True))
THRESHOLDS = (0.90, 0.95, 0.97)
EARLY = (10, 20, 50, 100, 200, 300, 400, 500, 600)
NOTHING = ("mean", "low", "high")  # of an arm of which no run finished
MARGIN = 0.002  # differences of accuracy inside it count as none; declared before any run


def arm(initializer: Initializer) -> str:
    """The initializer's name in values: `he_normal`, or its label where it is the user's own."""
    return ARMS.get(initializer, initializer.label)


def network(
    initializer: Initializer, config: Config, dataset: DatasetInfo, seed: int, **options: Any
) -> RunSpec:
    """The assignment's network and training with one initializer in both layers."""
    classes = len(dataset.test_counts)
    per_epoch = -(-dataset.train // config.batch_size)
    return RunSpec(
        dataset=dataset.digest,
        layers=(
            Layer(HIDDEN, "relu", kernel=initializer),
            Layer(classes, "softmax", kernel=initializer),
        ),
        seed=seed,
        batch_size=config.batch_size,
        **{
            "steps": config.epochs * per_epoch,
            "probes": (
                Probe("summary"),
                Probe("validation", tuple(s for s in EARLY if s < per_epoch)),
            ),
            **options,
        },
    )


def runs(config: Config, dataset: DatasetInfo) -> list[Run]:
    """Every initializer with every seed."""
    return [
        Run(
            {"arm": arm(initializer), "name": NAMES.get(initializer, initializer.label)},
            network(initializer, config, dataset, seed),
        )
        for seed in range(config.seeds)
        for initializer in config.initializers
    ]


def analyse(results: Results) -> Findings:
    """Accuracy and loss by initializer, paired differences, curves, speed, classes."""
    arms = [arm(initializer) for initializer in results.config.initializers]
    by_arm = {name: results.table[results.table["arm"] == name] for name in arms}
    names = {name: str(rows["name"].iloc[0]) for name, rows in by_arm.items()}
    summary = {name: summarize(rows) for name, rows in by_arm.items()}
    pairs = compare(by_arm)
    reached = {name: steps_to_reach(rows) for name, rows in by_arm.items()}
    ranked = sorted(arms, key=lambda name: summary[name]["test_accuracy"]["mean"] or 0.0)
    extremes = (ranked[0], ranked[-1])
    return Findings(
        values={
            "arms": summary,
            "pairs": {f"{a}-{b}": vars(pair) for (a, b), pair in pairs.items()},
            "reached": reached,
            "lowest": names[extremes[0]],
            "highest": names[extremes[1]],
            "model_summary": results.table["probes"].iloc[0]["summary"][0]["text"],
            "parameters": int(results.table["parameters"].iloc[0]),
            "diverged": int((results.table["status"] == "diverged").sum()),
        },
        figures=[
            draw_accuracy(by_arm, names, summary),
            draw_curves(by_arm, names, results),
            draw_pairs(by_arm, names, pairs),
            draw_speed(by_arm, names),
            draw_confusion(by_arm, names, extremes, results.dataset),
        ],
        tables=[
            table_accuracy(arms, names, summary),
            table_pairs(names, pairs),
            table_reached(arms, names, reached),
            table_classes(by_arm, names, extremes, results.dataset),
        ],
    )


def summarize(rows: pd.DataFrame) -> dict[str, Any]:
    """Mean, interval and standard deviation of an arm's figures over its finished runs."""
    summary: dict[str, Any] = {"diverged": int((rows["status"] == "diverged").sum())}
    for column in ("test_accuracy", "test_loss", "initial_loss"):
        values = rows[column].dropna().astype(float)
        mean = vars(statistics.mean_interval(values)) if len(values) else dict.fromkeys(NOTHING)
        summary[column] = mean | {"sd": float(values.std()), "n": len(values)}
    return summary


def compare(by_arm: dict[str, pd.DataFrame]) -> dict[tuple[str, str], statistics.Paired]:
    """Test accuracy of the later arm less the earlier one, by seed, for each two arms.

    Two arms of which no seed finished in both are left out.
    """
    pairs = {}
    for a, b in itertools.combinations(by_arm, 2):
        both = pd.concat([accuracy(by_arm[b]), accuracy(by_arm[a])], axis=1).dropna().to_numpy()
        if len(both):
            rng = np.random.default_rng(0)
            pairs[(b, a)] = statistics.paired(both[:, 0], both[:, 1], rng=rng)
    return pairs


def accuracy(rows: pd.DataFrame) -> pd.Series:
    """Test accuracy by seed; a diverged run has none."""
    return rows.set_index("seed")["test_accuracy"].astype(float)


def validation_series(rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Steps (k,) and validation accuracy (runs, k), from the early probes and the epochs' ends."""
    steps: list[int] = []
    series = []
    for probes, history in zip(rows["probes"], rows["history"], strict=True):
        early = probes.get("validation", [])
        steps_here = [p["step"] for p in early] + history["step"]
        values = [p["accuracy"] for p in early] + history["val_accuracy"]
        if len(steps_here) > len(steps):
            steps = steps_here
        series.append(values)
    padded = [values + [np.nan] * (len(steps) - len(values)) for values in series]
    return np.array(steps), np.array(padded, dtype=float)


def steps_to_reach(rows: pd.DataFrame) -> dict[str, Any]:
    """For each threshold: how many runs reached it, and the median step at which they had."""
    steps, series = validation_series(rows)
    reached = {}
    for threshold in THRESHOLDS:
        first = [int(steps[run >= threshold][0]) for run in series if (run >= threshold).any()]
        reached[f"{threshold:.2f}"] = {
            "runs": len(first),
            "median": float(np.median(first)) if first else None,
            "low": min(first, default=None),
            "high": max(first, default=None),
        }
    return reached


def draw_accuracy(
    by_arm: dict[str, pd.DataFrame], names: dict[str, str], summary: dict[str, Any]
) -> Figure:
    """Every run as a point, the mean with its interval; on the right, magnified."""
    figure, (left, right) = plotting.new(2, height=2.2 + 0.25 * len(by_arm))
    rng = np.random.default_rng(0)
    for index, (key, rows) in enumerate(by_arm.items()):
        style = plotting.style(index) | {"linestyle": "none"}
        values = accuracy(rows).to_numpy()
        heights = index + rng.uniform(-0.16, 0.16, len(values))
        mean = summary[key]["test_accuracy"]
        for axes in (left, right):
            axes.plot(values, heights, alpha=0.55, **style, zorder=2)
            if mean["mean"] is not None:
                axes.plot([mean["mean"]] * 2, [index - 0.3, index + 0.3], color=plotting.INK, lw=1.6)
            if mean["low"] is not None and np.isfinite(mean["low"]):
                axes.fill_betweenx(
                    [index - 0.3, index + 0.3], mean["low"], mean["high"],
                    color=style["color"], alpha=0.3, linewidth=0,
                )  # fmt: skip
    every = np.concatenate([accuracy(rows).dropna().to_numpy() for rows in by_arm.values()])
    upper = every[every > every.max() - 0.1]
    pad = 0.1 * (np.ptp(upper) or 0.01)
    left.set(xlim=(0, 1), yticks=range(len(names)), yticklabels=list(names.values()))
    right.set(xlim=(upper.min() - pad, upper.max() + pad), yticks=range(len(names)), yticklabels=[])
    left.set_title("All runs")
    right.set_title("The upper end, magnified")
    for axes in (left, right):
        axes.invert_yaxis()
        axes.set_xlabel("test accuracy")
        axes.grid(axis="y", visible=False)
    low, high = (f(summary, key=lambda k: summary[k]["test_accuracy"]["mean"] or 0) for f in (min, max))
    said = [f"{names[k]} {fixed(summary[k]['test_accuracy']['mean'])}" for k in names]
    return Figure(
        id="assignment-accuracy",
        drawing=figure,
        caption=(
            f"**What the start decides and what it does not.** Test accuracy runs from "
            f"{fixed(summary[low]['test_accuracy']['mean'])} ({names[low]}) to "
            f"{fixed(summary[high]['test_accuracy']['mean'])} ({names[high]}). Each point is one "
            "run; lines and shaded boxes are means with 95 % intervals."
        ),
        alt="Test accuracy of every run by initializer. Means: " + "; ".join(said) + ".",
        data=pd.concat(by_arm.values())[["name", "seed", "test_accuracy", "test_loss"]],
    )


def draw_curves(
    by_arm: dict[str, pd.DataFrame], names: dict[str, str], results: Results
) -> Figure:
    """Loss and accuracy by epoch, for training and validation."""
    figure, grid = plotting.new(2, 2, height=5.0, sharex=True)
    panels = (("loss", "training loss"), ("val_loss", "validation loss"),
              ("accuracy", "training accuracy"), ("val_accuracy", "validation accuracy"))  # fmt: skip
    data = []
    for axes, (column, title) in zip(grid.ravel(), panels, strict=True):
        for index, (key, rows) in enumerate(by_arm.items()):
            style = plotting.style(index)
            longest = max(len(history[column]) for history in rows["history"])
            series = np.array(
                [h[column] + [None] * (longest - len(h[column])) for h in rows["history"]], float
            )
            epochs = np.arange(1, longest + 1)
            mean = np.nanmean(series, axis=0)
            axes.plot(epochs, mean, label=names[key], markersize=3.5, **without(style, "linestyle"))
            plotting.band(
                axes, epochs.tolist(), np.nanmin(series, 0).tolist(), np.nanmax(series, 0).tolist(),
                style["color"],
            )  # fmt: skip
            data += [
                {"series": title, "name": names[key], "epoch": int(e), "mean": m, "low": lo, "high": hi}
                for e, m, lo, hi in zip(epochs, mean, np.nanmin(series, 0), np.nanmax(series, 0), strict=True)
            ]
        axes.set_title(title.capitalize())
        if "loss" in column:
            axes.set_yscale("log")
    for axes in grid[1]:
        axes.set_xlabel("epoch")
    figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=4)
    return Figure(
        id="assignment-curves",
        drawing=figure,
        caption=(
            "**Where a run starts shows in its first epochs.** Loss (log scale) and accuracy on "
            "training and validation images; lines are means over the seeds, bands run from the "
            "lowest to the highest run."
        ),
        alt="Four panels of curves over the epochs, one line an initializer: training and "
        "validation loss on a log scale, training and validation accuracy.",
        data=pd.DataFrame(data),
    )


def draw_pairs(
    by_arm: dict[str, pd.DataFrame],
    names: dict[str, str],
    pairs: dict[tuple[str, str], statistics.Paired],
) -> Figure:
    """Paired differences of test accuracy, seed by seed, with their intervals."""
    figure, axes = plotting.new(height=1.1 + 0.42 * len(pairs))
    labels, data = [], []
    for index, ((b, a), pair) in enumerate(pairs.items()):
        differences = (accuracy(by_arm[b]) - accuracy(by_arm[a])).dropna()
        heights = np.full(len(differences), float(index))
        axes.plot(differences, heights, "o", color=plotting.SERIES[0], alpha=0.4, markersize=4.5)
        if np.isfinite(pair.low):
            axes.plot([pair.low, pair.high], [index] * 2, color=plotting.INK, lw=3)
        labels.append(f"{names[b]} − {names[a]}")
        data += [
            {"pair": labels[-1], "seed": s, "difference": d} for s, d in differences.items()
        ]
    axes.axvspan(-MARGIN, MARGIN, color=plotting.MUTED, alpha=0.18, linewidth=0)
    axes.axvline(0, color=plotting.MUTED, lw=1)
    axes.set_xscale("symlog", linthresh=MARGIN, linscale=0.7)
    ticks = [t for t in (-1, -0.1, -0.01, -MARGIN, 0, MARGIN, 0.01, 0.1, 1)]
    axes.set_xticks(ticks, [f"{t:g}" for t in ticks])
    axes.minorticks_off()
    axes.set(yticks=range(len(labels)), yticklabels=labels, xlabel="difference of test accuracy, same seed")
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    he = pairs[("he_normal", "glorot_normal")]
    return Figure(
        id="assignment-pairs",
        drawing=figure,
        caption=(
            f"**He and Glorot differ by {he.mean:+.4f} on average, seed by seed.** Differences of "
            "test accuracy between runs that share split, batch order and seed; bars are 95 % "
            f"intervals of the mean, the grey stripe is ±{MARGIN:g}, within which a difference "
            "counts as none. The axis is linear inside the stripe and logarithmic outside."
        ),
        alt=f"Paired differences for {len(pairs)} pairs of initializers. He less Glorot: mean "
        f"{he.mean:+.4f}.",
        data=pd.DataFrame(data),
    )


def draw_speed(by_arm: dict[str, pd.DataFrame], names: dict[str, str]) -> Figure:
    """Validation accuracy against optimizer steps on a log axis, with the thresholds."""
    figure, axes = plotting.new(height=3.3)
    data = []
    for index, (key, rows) in enumerate(by_arm.items()):
        steps, series = validation_series(rows)
        mean = np.nanmean(series, axis=0)
        low, high = np.nanmin(series, axis=0), np.nanmax(series, axis=0)
        style = plotting.style(index)
        axes.plot(steps, mean, label=names[key], **without(style, "linestyle"), markersize=4)
        plotting.band(axes, steps.tolist(), low.tolist(), high.tolist(), style["color"])
        data += [
            {"name": names[key], "step": int(s), "mean": m, "low": lo, "high": hi}
            for s, m, lo, hi in zip(steps, mean, low, high, strict=True)
        ]
    for threshold in THRESHOLDS:
        axes.axhline(threshold, color=plotting.MUTED, lw=0.9, ls=(0, (2, 2)))
        axes.annotate(
            f"{threshold:.0%}", (1.0, threshold), xycoords=("axes fraction", "data"),
            xytext=(3, 0), textcoords="offset points", va="center", fontsize=8,
        )  # fmt: skip
    axes.set(xscale="log", xlabel="optimizer steps", ylabel="validation accuracy")
    axes.legend(loc="center left", bbox_to_anchor=(0.0, 0.45))
    return Figure(
        id="assignment-speed",
        drawing=figure,
        caption=(
            "**Most of the way is made in the first few hundred steps.** Validation accuracy "
            "against optimizer steps (log scale); dashed lines mark the thresholds of the table, "
            "bands run from the lowest to the highest seed."
        ),
        alt="Validation accuracy over optimizer steps on a log axis, one line an initializer.",
        data=pd.DataFrame(data),
    )


def draw_confusion(
    by_arm: dict[str, pd.DataFrame],
    names: dict[str, str],
    extremes: tuple[str, str],
    dataset: DatasetInfo,
) -> Figure:
    """Confusion matrices of the arms with the lowest and the highest mean accuracy."""
    figure, both = plotting.new(2, height=3.7)
    data = []
    for axes, key in zip(both, extremes, strict=True):
        matrix = confusion(by_arm[key])
        share = matrix / matrix.sum(axis=1, keepdims=True)
        axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
        for (row, column), value in np.ndenumerate(matrix):
            if value:
                ink = "white" if share[row, column] > 0.5 else "#1f2328"
                axes.text(column, row, f"{value:d}", ha="center", va="center", fontsize=6.2,
                          color="#fefefd" if ink == "white" else "#1f2329")  # fmt: skip
            data.append({"name": names[key], "true": row, "predicted": column, "images": int(value)})
        ticks = range(len(matrix))
        axes.set_xticks(ticks, dataset.class_names, rotation=90 if max(map(len, dataset.class_names)) > 2 else 0)
        axes.set_yticks(ticks, dataset.class_names)
        axes.set(xlabel="predicted class", ylabel="true class")
        axes.set_title(f"{names[key]}, seed {first_finished(by_arm[key])['seed']}")
        axes.grid(visible=False)
        axes.tick_params(labelsize=7.5)
    bottom = confusion(by_arm[extremes[0]])
    used = int((bottom.sum(axis=0) > 0).sum())
    return Figure(
        id="assignment-confusion",
        drawing=figure,
        caption=(
            f"**{names[extremes[0]]} uses {used} of {len(bottom)} answers; "
            f"{names[extremes[1]]} errs on single images.** Test images by true and predicted "
            "class, for the initializers with the lowest and the highest mean accuracy; shades "
            "are shares of the true class."
        ),
        alt=f"Two confusion matrices. {names[extremes[0]]}: predictions fall on {used} of "
        f"{len(bottom)} classes. {names[extremes[1]]}: nearly all on the diagonal.",
        data=pd.DataFrame(data),
    )


def first_finished(rows: pd.DataFrame) -> pd.Series:
    """An arm's run with the lowest seed that did not diverge."""
    finished = rows[rows["status"] == "finished"]
    return (finished if len(finished) else rows).sort_values("seed").iloc[0]


def confusion(rows: pd.DataFrame) -> np.ndarray:
    """Confusion matrix (true, predicted) of the arm's first finished run."""
    return np.array(first_finished(rows)["confusion"] or [[0]], dtype=int)


def table_accuracy(arms: Sequence[str], names: dict[str, str], summary: dict[str, Any]) -> Table:
    """Means with intervals, beside the assignment's single run."""
    rows = []
    for key in arms:
        a, loss = summary[key]["test_accuracy"], summary[key]["test_loss"]
        rows.append([
            names[key], fixed(a["mean"]), interval(a), fixed(a["sd"]), fixed(loss["mean"]),
            interval(loss), str(a["n"]), fixed(ORIGINAL.get(key)),
        ])  # fmt: skip
    return Table(
        "assignment-results",
        "Test accuracy and loss after training: mean, 95 % interval of the mean, standard "
        "deviation and number of finished runs; on the right, the single run printed in the "
        "assignment (on MNIST).",
        ["Initializer", "Accuracy", "95 % interval", "SD", "Loss", "95 % interval", "n", "Original"],
        ["l", "r", "r", "r", "r", "r", "r", "r"],
        rows,
    )


def table_pairs(names: dict[str, str], pairs: dict[tuple[str, str], statistics.Paired]) -> Table:
    """Paired differences with Holm's correction over the assignment's six comparisons."""
    family = {k: p.p_value for k, p in pairs.items() if set(k) <= set(ORIGINAL)}
    adjusted = dict(zip(family, statistics.holm(list(family.values())), strict=True))
    return Table(
        "assignment-differences",
        "Paired differences of test accuracy: mean, 95 % bootstrap interval, exact sign-flip "
        "test, Holm's correction over the assignment's six comparisons, and the share of seeds "
        "in which the first is above the second (ties count half).",
        ["Comparison", "Difference", "95 % interval", "p", "p (Holm)", "P(A > B)", "n"],
        ["l", "r", "r", "r", "r", "r", "r"],
        [
            [
                f"{names[b]} − {names[a]}", f"{pair.mean:+.4f}", interval(vars(pair), "+.4f"),
                fixed(pair.p_value), fixed(adjusted.get((b, a))),
                fixed(pair.probability_superior, 2), str(pair.n),
            ]
            for (b, a), pair in pairs.items()
        ],
    )  # fmt: skip


def table_reached(arms: Sequence[str], names: dict[str, str], reached: dict[str, Any]) -> Table:
    """Median steps until validation accuracy first stood at each threshold."""
    def cell(entry: dict[str, Any]) -> str:
        if not entry["runs"]:
            return "never"
        return f"{entry['median']:,.0f} ({entry['low']:,}–{entry['high']:,})"

    keys = [f"{threshold:.2f}" for threshold in THRESHOLDS]
    return Table(
        "assignment-reached",
        "Optimizer steps until validation accuracy first stood at each threshold: median and "
        "range over the seeds that reached it. It was looked at "
        f"at steps {', '.join(map(str, EARLY))} and at each epoch's end.",
        ["Initializer", *(f"{threshold:.0%}" for threshold in THRESHOLDS)],
        ["l", "r", "r", "r"],
        [[names[key], *(cell(reached[key][k]) for k in keys)] for key in arms],
    )


def table_classes(
    by_arm: dict[str, pd.DataFrame],
    names: dict[str, str],
    extremes: tuple[str, str],
    dataset: DatasetInfo,
) -> Table:
    """Precision and recall by class, from scikit-learn, for the two extremes."""
    columns = []
    for key in extremes:
        matrix = confusion(by_arm[key])
        true, predicted = np.indices(matrix.shape)
        precision, recall, _, _ = precision_recall_fscore_support(
            np.repeat(true, matrix.ravel()), np.repeat(predicted, matrix.ravel()),
            labels=range(len(dataset.test_counts)), zero_division=np.nan,
        )  # fmt: skip
        columns += [precision, recall]
    return Table(
        "assignment-classes",
        "Precision and recall by class for the initializers with the lowest and the highest mean "
        "accuracy (the runs of the confusion matrices). A class that is never predicted has no "
        "precision.",
        ["Class", *(f"{names[k]}: {what}" for k in extremes for what in ("precision", "recall"))],
        ["l", "r", "r", "r", "r"],
        [[name, *(fixed(c[i], 3) for c in columns)] for i, name in enumerate(dataset.class_names)],
    )


def fixed(value: float | None, digits: int = 4) -> str:
    """A number with fixed decimals, or a dash where there is none."""
    return "–" if value is None or not np.isfinite(value) else f"{value:.{digits}f}"


def interval(summary: dict[str, Any], form: str = ".4f") -> str:
    """`low to high`, or a dash where there is no interval."""
    if summary["low"] is None or not np.isfinite(summary["low"]):
        return "–"
    return f"{summary['low']:{form}} to {summary['high']:{form}}"


def without(mapping: dict[str, Any], key: str) -> dict[str, Any]:
    """The mapping less one key."""
    return {k: v for k, v in mapping.items() if k != key}


EXPERIMENT = Experiment(
    number=1,
    name="assignment",
    title="The assignment's comparison",
    question="How do zero, random normal, Glorot and He initialization compare on one network?",
    setup=(
        "Flatten, Dense 128 ReLU, Dense softmax; categorical cross-entropy, Adam at Keras's "
        "defaults; every initializer with every seed, paired by seed: same split, same batch "
        "order, and the same unit draws where one initializer rescales another's."
    ),
    runs=runs,
    analyse=analyse,
)
