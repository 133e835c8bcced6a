"""Pictures of results: which classes are confused, how each class fares, models against each other, single answers."""

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.ticker import PercentFormatter

from actlib.evaluation import LEVELS, Results
from actlib.pictures.style import (
    COLOURS,
    FAINT,
    INK,
    MUTED,
    RIGHT,
    SIGNS,
    WRONG,
    Picture,
    class_panels,
    head,
    hide_frame,
    legend_above,
    name_rows,
    styled,
)

MAX_ANNOTATED = 25  # classes; a larger confusion matrix has no numbers in its cells
RIGHT_SHADES = LinearSegmentedColormap.from_list("right", ["#F4F8FB", RIGHT])
WRONG_SHADES = LinearSegmentedColormap.from_list("wrong", ["#FFFFFF", "#F6C9A8", WRONG])


@styled
def plot_confusion(results: Results, *, title: str | None = None) -> Picture:
    """Show which classes are taken for which: right answers in one colour, wrong ones in another.

    Up to 25 classes every cell has its number of videos; above, the pairs most often confused are numbered in the
    matrix and named beside it (``results.most_confused()`` is the same as a table).

    Args:
        results: of one model.
        title: a heading; by default the number of right videos.

    Returns:
        The picture. Shades are shares of the true class.
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
    sns.heatmap(share, mask=~diagonal, cmap=RIGHT_SHADES, vmin=0, vmax=1, cbar=False, square=True, ax=axis, **options)
    wrong = {**options, "annot": np.where(confusion == 0, "", options["annot"])} if "annot" in options else options
    sns.heatmap(share, mask=diagonal, cmap=WRONG_SHADES, vmin=0, vmax=0.6, cbar=False, square=True, ax=axis, **wrong)
    axis.set_xlabel("predicted class")
    axis.set_ylabel("true class")
    axis.set_facecolor("white")
    axis.grid(visible=False)


def _draw_small_confusion(results: Results, heading: str, alt: str) -> Picture:
    """Every cell with its number of videos."""
    size = len(results.classes)
    picture = Picture(min(7.5, 1.7 + 0.45 * size), alt=alt)
    axis = picture.subplots()
    options = {"annot": results.confusion.astype(str), "fmt": "", "linewidths": 1.5, "linecolor": "white"}
    fontsize = 9 if size <= 12 else 6.5
    _shade(axis, results.confusion, annot_kws={"fontsize": fontsize}, **options)
    axis.set_xticklabels(results.classes, rotation=40, ha="right", rotation_mode="anchor", fontsize=fontsize)
    axis.set_yticklabels(results.classes, rotation=0, fontsize=fontsize)
    axis.set_title(heading)
    return picture


def _draw_large_confusion(results: Results, heading: str, alt: str) -> Picture:
    """The matrix without numbers; beside it the most confused pairs, numbered in both."""
    picture = Picture(5.2, alt=alt)
    axis, beside = picture.subplots(1, 2, width_ratios=(1.55, 1))
    _shade(axis, results.confusion)
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
        axis.annotate(str(number), (x, y), (5, 4), textcoords="offset points", fontsize=7, fontweight="bold")
    _list_pairs(beside, pairs)
    return picture


def _list_pairs(axis, pairs: pd.DataFrame) -> None:
    """Write the numbered pairs below each other, a bar of their share under each."""
    axis.set_title("most confused (true → predicted)", fontsize=9)
    for number, pair in enumerate(pairs.itertuples(), 1):
        axis.barh(number + 0.32, pair.share, height=0.16, color=WRONG)
        axis.barh(number + 0.32, 1 - pair.share, left=pair.share, height=0.16, color=FAINT)
        axis.text(0, number + 0.14, f"{number}  {pair.true_class} → {pair.predicted_class}", fontsize=7.5, va="bottom")
        axis.text(
            1, number + 0.42, f"{pair.videos} videos, {pair.share:.0%}", fontsize=6.5, va="top", ha="right", color=MUTED
        )
    axis.set_ylim(len(pairs) + 0.8, 0.3)
    axis.set_xlim(0, 1)
    hide_frame(axis)


@styled
def plot_per_class(results, *, metric: str = "recall", title: str | None = None) -> Picture:
    """Show how well each class is recognised, the worst first; several models side by side.

    Args:
        results: a Results, or model name -> Results on the same classes.
        metric: "recall", "precision" or "f1".
        title: a heading, or None.

    Returns:
        The picture. A class that has nothing to judge has no mark.
    """
    models = {"": results} if isinstance(results, Results) else results
    table = pd.DataFrame({name: model.per_class[metric] for name, model in models.items()})
    table = table.sort_values(list(table.columns), kind="stable", na_position="last")
    heading = title or f"{metric} of each class"
    alt = f"{heading}, lowest: {', '.join(table.index[:3])}"
    picture, axes, panels = class_panels(len(table), row_height=0.2 if len(models) == 1 else 0.22, alt=alt)
    for axis, panel in zip(axes, panels, strict=True):
        _draw_classes(axis, table.iloc[panel])
        axis.set_xlim(-0.03, 1.03)
        axis.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        axis.set_xlabel({"recall": "recall (share of the class found)"}.get(metric, metric))
    head(picture, heading)
    if len(models) > 1:
        legend_above(picture, axes[0])
    return picture


def _draw_classes(axis, table: pd.DataFrame) -> None:
    """One model as bars; several as dots joined by a line."""
    rows = np.arange(len(table))
    name_rows(axis, table.index)
    if table.shape[1] == 1:
        axis.barh(rows, table.iloc[:, 0], height=0.7, color=RIGHT)
        return
    axis.hlines(rows, table.min(axis=1), table.max(axis=1), color=FAINT, linewidth=3)
    for name, colour, marker in zip(table.columns, COLOURS, "osD^vP", strict=False):
        axis.plot(table[name], rows, marker, color=colour, markeredgecolor="white", markersize=6, label=name)


@styled
def plot_comparison(results: dict, *, title: str | None = None) -> Picture:
    """Put models side by side at all three levels, each with its 95 % interval over groups.

    Args:
        results: model name -> Results.
        title: a heading, or None.

    Returns:
        The picture: one panel a level, one row a model; the dotted line is chance, one in K.
    """
    best = max(results, key=lambda name: results[name].video.value)
    picture = Picture(1.25 + 0.3 * len(results), alt=f"Accuracies of {', '.join(results)}; best at video level: {best}")
    axes = picture.subplots(1, 3, sharey=True, sharex=True)
    lowest = min(getattr(model, level).low for model in results.values() for level in LEVELS)
    chance = 1 / len(next(iter(results.values())).classes)
    for axis, level in zip(axes, LEVELS, strict=True):
        for row, (model, colour) in enumerate(zip(results.values(), COLOURS * len(results), strict=False)):
            _draw_interval(axis, row, getattr(model, level), colour)
        axis.axvline(chance, color=MUTED, linestyle=":", linewidth=1)
        axis.set_xlabel(f"{level} accuracy")
        axis.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        axis.grid(axis="y", visible=False)
    axes[0].set_xlim(min(chance, lowest) - 0.05, 1.05)
    axes[0].set_ylim(len(results) - 0.4, -0.7)
    axes[0].set_yticks(range(len(results)), results)
    head(picture, title)
    return picture


def _draw_interval(axis, row: int, accuracy, colour: str) -> None:
    """A dot on its interval, and the number above it."""
    axis.hlines(row, accuracy.low, accuracy.high, color=colour, linewidth=3, alpha=0.45)
    axis.plot(accuracy.value, row, "o", color=colour, markeredgecolor="white", markersize=8)
    axis.text(accuracy.value, row - 0.2, f"{100 * accuracy.value:.1f}", ha="center", va="bottom", fontsize=7.5)


@styled
def plot_answers(
    probabilities: np.ndarray,
    classes: tuple[str, ...],
    *,
    labels=None,
    frames=None,
    top: int = 3,
    title: str | None = None,
) -> Picture:
    """Show each clip's most probable classes as bars beside one of its frames.

    Args:
        probabilities: float (n, K), in 0..1, one row a clip.
        classes: K names.
        labels: int (n,), the true labels, in the colour and with the sign of right where they were found; or None.
        frames: n uint8 (H, W, 3), one of each clip, or None.
        top: bars a clip.
        title: a heading, or None.

    Returns:
        The picture, two clips a row.
    """
    probabilities = np.asarray(probabilities)
    answers = [classes[index] for index in probabilities.argmax(axis=1)]
    rows = (len(answers) + 1) // 2
    picture = Picture(0.5 + rows * (0.3 + 0.22 * top), alt=f"Answers for {len(answers)} clips: {', '.join(answers)}")
    ratios = (1, 2.2) * 2 if frames is not None else (0.01, 2.2) * 2
    axes = picture.subplots(rows, 4, width_ratios=ratios, squeeze=False).reshape(-1, 2)
    for shown in axes.ravel():
        hide_frame(shown)
    for index, (left, axis) in enumerate(axes[: len(answers)]):
        if frames is not None:
            left.imshow(frames[index])
        _draw_answer(axis, probabilities[index], classes, label=None if labels is None else int(labels[index]), top=top)
    head(picture, title)
    return picture


def _draw_answer(axis, probabilities: np.ndarray, classes: tuple[str, ...], *, label: int | None, top: int) -> None:
    """The bars of one clip; the true class is shown in place of the last if it is not among the first."""
    order = np.argsort(-probabilities, kind="stable")[:top].tolist()
    if label is not None and label not in order:
        order[-1] = label
    for row, index in enumerate(order):
        colour = MUTED if label is None else RIGHT if index == label else WRONG
        sign = "" if label is None or (row and index != label) else f"{SIGNS[index == label]} "
        axis.barh(row, 1, color=FAINT, height=0.75)
        axis.barh(row, probabilities[index], color=colour, alpha=1 if row == 0 or index == label else 0.4, height=0.75)
        axis.text(0.015, row, f"{sign}{classes[index]}", va="center", fontsize=8, color=INK)
        axis.text(1.02, row, f"{probabilities[index]:.0%}", va="center", fontsize=8, color=INK)
    axis.set(xlim=(0, 1.15), ylim=(top - 0.4, -0.6))
