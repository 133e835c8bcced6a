"""Figures of results: which classes are confused, how each class fares, models against each other."""

import itertools

import numpy as np
import pandas as pd
from matplotlib.colors import LinearSegmentedColormap

from actlib.evaluation import LEVELS, Results
from actlib.plots.layout import PERCENT, class_panels, legend_above
from actlib.plots.style import CLASS_COLORS, CORRECT, FAINT, INK, MUTED, WRONG, Figure, styled

MAX_ANNOTATED = 25  # classes; a larger confusion matrix has no numbers in its cells
CORRECT_SHADES = LinearSegmentedColormap.from_list("correct", ["#F4F8FB", CORRECT])
WRONG_SHADES = LinearSegmentedColormap.from_list("wrong", ["#FCEADF", "#F2B98F", WRONG])


@styled
def plot_confusion(results: Results, *, title: str | None = None) -> Figure:
    """Show which classes are taken for which, in shades of their share of the true class.

    Up to 25 classes every cell has its number of videos; above, the pairs most often confused are numbered in the
    matrix and named beside it (``results.most_confused()`` is the same as a table).

    Args:
        results: of one model.
        title: a heading; by default the number of right videos.
    """
    title = title or f"{np.trace(results.confusion):,} of {results.video.count:,} videos right"
    pairs = results.most_confused(3).itertuples()
    worst = "; ".join(f"{pair.true_class} taken for {pair.predicted_class}" for pair in pairs)
    size = len(results.classes)
    height = 1.4 + (0.42 if size <= 12 else 0.26) * size if size <= MAX_ANNOTATED else 5.2
    figure = Figure(height, alt=f"Confusion matrix, {title}; most confused: {worst or 'none'}", title=title)
    if size <= MAX_ANNOTATED:
        _write_counts(_draw_matrix(figure.subplots(), results, range(size), 9 if size <= 12 else 6.5), results)
    else:
        axis, beside = figure.subplots(1, 2, width_ratios=(1.55, 1))
        _draw_matrix(axis, results, np.linspace(0, size - 1, 12).round().astype(int), 7)
        _number_pairs(axis, beside, results)
    return figure


def _draw_matrix(axis, results: Results, named, fontsize: float):
    """The diagonal in shades of right, the rest in shades of wrong, some classes named; give the axis back."""
    size, confusion = len(results.classes), results.confusion
    share = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    shades = np.where(np.eye(size, dtype=bool)[..., None], CORRECT_SHADES(share), WRONG_SHADES(2 * share))
    shades[(confusion == 0) & ~np.eye(size, dtype=bool)] = 1  # white
    axis.imshow(shades, interpolation="nearest", aspect="auto" if size <= MAX_ANNOTATED else "equal")
    names = [results.classes[index] for index in named]
    axis.set_xticks(named, names, rotation=45, ha="right", rotation_mode="anchor", fontsize=fontsize)
    axis.set_yticks(named, names, fontsize=fontsize)
    axis.set(xlabel="predicted class", ylabel="true class")
    axis.grid(visible=False)
    axis.spines[:].set_visible(False)
    return axis


def _write_counts(axis, results: Results) -> None:
    """The number of videos in each cell, white where the shade is dark; beside each row the share that was found."""
    size, fontsize = len(results.classes), axis.get_yticklabels()[0].get_fontsize()
    axis.set_xticks(np.arange(size + 1) - 0.5, minor=True)
    axis.set_yticks(np.arange(size + 1) - 0.5, minor=True)
    axis.grid(which="minor", color="white", linewidth=1.5)
    axis.tick_params(which="minor", length=0)
    for (row, column), count in np.ndenumerate(results.confusion):
        if count:
            dark = count / results.confusion[row].sum() > (0.7 if row == column else 0.45)
            color = "white" if dark else INK
            axis.text(column, row, count, color=color, fontsize=fontsize, ha="center", va="center")
    options = {"fontsize": fontsize, "color": MUTED}
    for row, (recall, videos) in enumerate(results.per_class[["recall", "videos"]].to_numpy()):
        text = f"{recall:.0%} of {videos:.0f}" if videos else "no videos"
        axis.text(size - 0.4, row, text, va="center", **options)
    axis.text(size - 0.4, -0.65, "found", va="bottom", **options)


def _number_pairs(axis, beside, results: Results) -> None:
    """Number the pairs most often confused in the matrix, and list them beside it, a bar of their share under each."""
    pairs = results.most_confused(12)
    beside.set_title("most confused (true → predicted)", fontsize=9)
    for number, pair in enumerate(pairs.itertuples(), 1):
        x, y = results.classes.index(pair.predicted_class), results.classes.index(pair.true_class)
        axis.plot(x, y, "o", markersize=9, markerfacecolor="none", markeredgecolor=INK, markeredgewidth=0.8)
        away, side = ((5, 4), "left") if x > y else ((-5, -9), "right")  # from the diagonal
        axis.annotate(str(number), (x, y), away, textcoords="offset points", ha=side, fontsize=7, fontweight="bold")
        beside.barh(number + 0.32, pair.share, height=0.16, color=WRONG)
        beside.barh(number + 0.32, 1 - pair.share, left=pair.share, height=0.16, color=FAINT)
        text = f"{number}  {pair.true_class} → {pair.predicted_class}"
        beside.text(0, number + 0.14, text, fontsize=7.5, va="bottom")
        text, options = f"{pair.videos} videos, {pair.share:.0%}", {"va": "top", "ha": "right", "color": MUTED}
        beside.text(1, number + 0.42, text, fontsize=6.5, **options)
    beside.set(xlim=(0, 1), ylim=(len(pairs) + 0.8, 0.3))
    beside.set_axis_off()


@styled
def plot_per_class(results, *, metric: str = "recall", title: str | None = None) -> Figure:
    """Show how well each class is recognised, the worst first; several models side by side.

    Args:
        results: a Results, or model name -> Results on the same classes.
        metric: "recall", "precision" or "f1"; a class that has none has no mark.
        title: a heading, or None.
    """
    models = {"": results} if isinstance(results, Results) else results
    table = pd.DataFrame({name: model.per_class[metric] for name, model in models.items()})
    table = table.sort_values(list(table.columns), kind="stable", na_position="last")
    title = title or f"{metric} of each class"
    alt = f"{title}, lowest: {', '.join(table.index[:3])}"
    figure, panels = class_panels(table.index, row_height=0.2 if len(models) == 1 else 0.22, alt=alt, title=title)
    lowest = 0 if len(models) == 1 else max(0, np.floor(10 * table.min(axis=None)) / 10 - 0.03)  # bars start at 0
    for axis, panel in panels:
        _draw_classes(axis, table.iloc[panel])
        axis.set(xlim=(lowest, 1.03), xlabel=metric)
        axis.xaxis.set_major_formatter(PERCENT)
        if (metric, len(panels)) == ("recall", 1):
            axis.set_xlabel("recall (share of the class found)")
    if len(models) > 1:
        legend_above(figure, axis)
    return figure


def _draw_classes(axis, table: pd.DataFrame) -> None:
    """One model as bars; several as dots joined by a line, a little above each other so that equal ones are seen."""
    rows = np.arange(len(table))
    if table.shape[1] == 1:
        axis.barh(rows, table.iloc[:, 0], height=0.7, color=CORRECT)
        return
    axis.hlines(rows, table.min(axis=1), table.max(axis=1), color=FAINT, linewidth=4)
    heights = np.linspace(-0.14, 0.14, table.shape[1])
    for name, height, color, marker in zip(table.columns, heights, CLASS_COLORS, "osD^vP", strict=False):
        axis.plot(table[name], rows + height, marker, color=color, markeredgecolor="white", markersize=6, label=name)


@styled
def plot_comparison(results: dict, *, title: str | None = None) -> Figure:
    """Put models side by side at all three levels, each with its 95 % interval; the dotted line is chance, one in K.

    Args:
        results: model name -> Results.
        title: a heading, or None.
    """
    best = max(results, key=lambda name: results[name].video.value)
    alt = f"Accuracies of {', '.join(results)}; best at video level: {best}"
    figure = Figure(1.25 + 0.3 * len(results), alt=alt, title=title)
    axes = figure.subplots(1, 3, sharey=True, sharex=True)
    chance = 1 / len(next(iter(results.values())).classes)
    lowest = min(chance, *(getattr(model, level).low for model in results.values() for level in LEVELS))
    for axis, level in zip(axes, LEVELS, strict=True):
        for row, (model, color) in enumerate(zip(results.values(), itertools.cycle(CLASS_COLORS), strict=False)):
            share = getattr(model, level)
            axis.hlines(row, share.low, share.high, color=color, linewidth=3, alpha=0.45)
            axis.plot(share.value, row, "o", color=color, markeredgecolor="white", markersize=8)
            axis.text(share.value, row - 0.2, f"{share.value:.1%}", ha="center", va="bottom", fontsize=7.5)
        axis.axvline(chance, color=MUTED, linestyle=":", linewidth=1)
        axis.text(chance, -0.65, " chance", color=MUTED, fontsize=7.5, va="top")
        axis.set(xlabel=f"{level} accuracy", xlim=(lowest - 0.05, 1.05), ylim=(len(results) - 0.4, -0.7))
        axis.xaxis.set_major_formatter(PERCENT)
        axis.grid(axis="y", visible=False)
    axes[0].set_yticks(range(len(results)), results)
    return figure
