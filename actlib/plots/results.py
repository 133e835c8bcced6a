"""Pictures of results: which classes are confused, how each class fares, models against each other."""

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.colors import LinearSegmentedColormap

from actlib.evaluation import LEVELS, Results
from actlib.plots.layout import class_panels, hide_frame, in_percent, legend_above, name_rows, set_title
from actlib.plots.style import CLASS_COLORS, CORRECT, FAINT, INK, MUTED, WRONG, Figure, styled

MAX_ANNOTATED = 25  # classes; a larger confusion matrix has no numbers in its cells
CORRECT_SHADES = LinearSegmentedColormap.from_list("right", ["#F4F8FB", CORRECT])
WRONG_SHADES = LinearSegmentedColormap.from_list("wrong", ["#FCEADF", "#F2B98F", WRONG])


@styled
def plot_confusion(results: Results, *, title: str | None = None) -> Figure:
    """Show which classes are taken for which: right answers in one color, wrong ones in another.

    Up to 25 classes every cell has its number of videos; above, the pairs most often confused are numbered in the
    matrix and named beside it (``results.most_confused()`` is the same as a table).

    Args:
        results: of one model.
        title: a heading; by default the number of right videos.

    Returns:
        The figure. Shades are shares of the true class.
    """
    right = int(np.trace(results.confusion))
    heading = title or f"{right:,} of {results.video.count:,} videos right"
    draw = _draw_small_confusion if len(results.classes) <= MAX_ANNOTATED else _draw_large_confusion
    worst = "; ".join(
        f"{pair.true_class} taken for {pair.predicted_class}" for pair in results.most_confused(3).itertuples()
    )
    return draw(results, heading, f"Confusion matrix, {heading}; most confused: {worst or 'none'}")


def _shade(axis, confusion: np.ndarray, **options) -> None:
    """Draw the matrix: the diagonal in shades of right, the rest in shades of wrong, by share of the row."""
    share = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    diagonal = np.eye(len(confusion), dtype=bool)
    options = {"vmin": 0, "cbar": False, "ax": axis, **options}
    sns.heatmap(share, mask=~diagonal, cmap=CORRECT_SHADES, vmax=1, **options)
    sns.heatmap(share, mask=diagonal | (confusion == 0), cmap=WRONG_SHADES, vmax=0.5, **options)
    axis.set_xlabel("predicted class")
    axis.set_ylabel("true class")
    axis.set_facecolor("white")
    axis.grid(visible=False)


def _draw_small_confusion(results: Results, heading: str, alt: str) -> Figure:
    """Every cell with its number of videos, every row with the share that was found."""
    size = len(results.classes)
    fontsize = 9 if size <= 12 else 6.5
    figure = Figure(1.4 + (0.42 if size <= 12 else 0.26) * size, alt=alt)
    axis = figure.subplots()
    _shade(axis, results.confusion, linewidths=1.5, linecolor="white")
    _write_counts(axis, results.confusion, fontsize)
    axis.set_xticklabels(results.classes, rotation=40, ha="right", rotation_mode="anchor", fontsize=fontsize)
    axis.set_yticklabels(results.classes, rotation=0, fontsize=fontsize)
    axis.set_title(heading)
    for row, (recall, videos) in enumerate(results.per_class[["recall", "videos"]].to_numpy()):
        text = f"{recall:.0%} of {videos:.0f}".replace("%", " %") if videos else "no videos"
        axis.text(size + 0.1, row + 0.5, text, va="center", fontsize=fontsize, color=MUTED)
    axis.text(size + 0.1, -0.15, "found", va="bottom", fontsize=fontsize, color=MUTED)
    return figure


def _write_counts(axis, confusion: np.ndarray, fontsize: float) -> None:
    """The numbers of videos in their cells, white where the shade is dark."""
    for (row, column), count in np.ndenumerate(confusion):
        if count:
            dark = count / confusion[row].sum() > (0.7 if row == column else 0.45)
            color = "white" if dark else INK
            axis.text(column + 0.5, row + 0.5, count, color=color, fontsize=fontsize, ha="center", va="center")


def _draw_large_confusion(results: Results, heading: str, alt: str) -> Figure:
    """The matrix without numbers; beside it the most confused pairs, numbered in both."""
    figure = Figure(5.2, alt=alt)
    axis, beside = figure.subplots(1, 2, width_ratios=(1.55, 1))
    _shade(axis, results.confusion, square=True)
    ticks = np.linspace(0, len(results.classes) - 1, 12).round().astype(int)
    names = [results.classes[tick] for tick in ticks]
    axis.set_yticks(ticks + 0.5, names, rotation=0, fontsize=7)
    axis.set_xticks(ticks + 0.5, names, rotation=60, ha="right", rotation_mode="anchor", fontsize=7)
    axis.set_title(heading)
    pairs = results.most_confused(12)
    place = {name: index for index, name in enumerate(results.classes)}
    for number, pair in enumerate(pairs.itertuples(), 1):
        x, y = place[pair.predicted_class] + 0.5, place[pair.true_class] + 0.5
        axis.plot(x, y, "o", markersize=9, markerfacecolor="none", markeredgecolor=INK, markeredgewidth=0.8)
        away, side = ((5, 4), "left") if x > y else ((-5, -9), "right")  # from the diagonal
        axis.annotate(str(number), (x, y), away, textcoords="offset points", ha=side, fontsize=7, fontweight="bold")
    _list_pairs(beside, pairs)
    return figure


def _list_pairs(axis, pairs: pd.DataFrame) -> None:
    """Write the numbered pairs below each other, a bar of their share under each."""
    axis.set_title("most confused (true → predicted)", fontsize=9)
    for number, pair in enumerate(pairs.itertuples(), 1):
        axis.barh(number + 0.32, pair.share, height=0.16, color=WRONG)
        axis.barh(number + 0.32, 1 - pair.share, left=pair.share, height=0.16, color=FAINT)
        axis.text(0, number + 0.14, f"{number}  {pair.true_class} → {pair.predicted_class}", fontsize=7.5, va="bottom")
        axis.text(
            1,
            number + 0.42,
            f"{pair.videos} videos, {100 * pair.share:.0f} %",
            fontsize=6.5,
            va="top",
            ha="right",
            color=MUTED,
        )
    axis.set_ylim(len(pairs) + 0.8, 0.3)
    axis.set_xlim(0, 1)
    hide_frame(axis)


@styled
def plot_per_class(results, *, metric: str = "recall", title: str | None = None) -> Figure:
    """Show how well each class is recognised, the worst first; several models side by side.

    Args:
        results: a Results, or model name -> Results on the same classes.
        metric: "recall", "precision" or "f1".
        title: a heading, or None.

    Returns:
        The figure. A class that has nothing to judge has no mark.
    """
    models = {"": results} if isinstance(results, Results) else results
    table = pd.DataFrame({name: model.per_class[metric] for name, model in models.items()})
    table = table.sort_values(list(table.columns), kind="stable", na_position="last")
    heading = title or f"{metric} of each class"
    alt = f"{heading}, lowest: {', '.join(table.index[:3])}"
    figure, axes, panels = class_panels(len(table), row_height=0.2 if len(models) == 1 else 0.22, alt=alt)
    lowest = 0 if len(models) == 1 else max(0, np.floor(10 * table.min(axis=None)) / 10 - 0.03)  # bars start at 0
    for axis, panel in zip(axes, panels, strict=True):
        _draw_classes(axis, table.iloc[panel])
        axis.set_xlim(lowest, 1.03)
        in_percent(axis.xaxis)
        axis.set_xlabel("recall (share of the class found)" if (metric, len(axes)) == ("recall", 1) else metric)
    set_title(figure, heading)
    if len(models) > 1:
        legend_above(figure, axes[0])
    return figure


def _draw_classes(axis, table: pd.DataFrame) -> None:
    """One model as bars; several as dots joined by a line, a little above each other so that equal ones are seen."""
    rows = np.arange(len(table))
    name_rows(axis, table.index)
    if table.shape[1] == 1:
        axis.barh(rows, table.iloc[:, 0], height=0.7, color=CORRECT)
        return
    axis.hlines(rows, table.min(axis=1), table.max(axis=1), color=FAINT, linewidth=4)
    heights = np.linspace(-0.14, 0.14, table.shape[1])
    for name, height, color, marker in zip(table.columns, heights, CLASS_COLORS, "osD^vP", strict=False):
        axis.plot(table[name], rows + height, marker, color=color, markeredgecolor="white", markersize=6, label=name)


@styled
def plot_comparison(results: dict, *, title: str | None = None) -> Figure:
    """Put models side by side at all three levels, each with its 95 % interval over groups.

    Args:
        results: model name -> Results.
        title: a heading, or None.

    Returns:
        The figure: one panel a level, one row a model; the dotted line is chance, one in K.
    """
    best = max(results, key=lambda name: results[name].video.value)
    figure = Figure(1.25 + 0.3 * len(results), alt=f"Accuracies of {', '.join(results)}; best at video level: {best}")
    axes = figure.subplots(1, 3, sharey=True, sharex=True)
    lowest = min(getattr(model, level).low for model in results.values() for level in LEVELS)
    chance = 1 / len(next(iter(results.values())).classes)
    for axis, level in zip(axes, LEVELS, strict=True):
        for row, (model, color) in enumerate(zip(results.values(), CLASS_COLORS * len(results), strict=False)):
            _draw_interval(axis, row, getattr(model, level), color)
        axis.axvline(chance, color=MUTED, linestyle=":", linewidth=1)
        axis.text(chance, -0.65, " chance", color=MUTED, fontsize=7.5, va="top")
        axis.set_xlabel(f"{level} accuracy")
        in_percent(axis.xaxis)
        axis.grid(axis="y", visible=False)
    axes[0].set_xlim(min(chance, lowest) - 0.05, 1.05)
    axes[0].set_ylim(len(results) - 0.4, -0.7)
    axes[0].set_yticks(range(len(results)), results)
    set_title(figure, title)
    return figure


def _draw_interval(axis, row: int, accuracy, color: str) -> None:
    """A dot on its interval, and the number above it."""
    axis.hlines(row, accuracy.low, accuracy.high, color=color, linewidth=3, alpha=0.45)
    axis.plot(accuracy.value, row, "o", color=color, markeredgecolor="white", markersize=8)
    axis.text(accuracy.value, row - 0.2, f"{100 * accuracy.value:.1f}", ha="center", va="bottom", fontsize=7.5)
