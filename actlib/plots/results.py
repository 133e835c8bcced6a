"""Figures of results: which classes are confused, how each class fares, models against each other, single clips."""

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.colors import LinearSegmentedColormap

from actlib.evaluation import LEVELS, Results
from actlib.plots import style
from actlib.plots.style import CLASS_COLORS, CORRECT, INK, MUTED, PERCENT, WRONG, Figure, escape_name, styled

MAX_ANNOTATED = 25  # classes; a larger confusion matrix has no numbers in its cells
SHADES = [(0, WRONG), (0.25, "#F2B98F"), (0.498, "#FCEADF"), (0.5, "white"), (0.502, "#F4F8FB"), (1, CORRECT)]
SHADES = LinearSegmentedColormap.from_list("wrong and right", SHADES, N=513)  # of shares: -1 wrong .. 1 right


@styled
def plot_confusion(results: Results, *, title: str | None = None) -> Figure:
    """Show which classes are taken for which, in shades of their share of the true class.

    Up to 25 classes every cell has its number of videos; above, the pairs most often confused are numbered in the
    matrix and named beside it (``results.most_confused()`` is the same as a table).

    Args:
        results, title: of one model; a heading, by default the number of correct videos.
    """
    title = title or f"{np.trace(results.confusion):,} of {results.video.count:,} videos correct"
    names, pairs = [escape_name(name) for name in results.classes], results.most_confused(12)
    pairs = pairs.assign(pair=pairs["true_class"].str.cat(pairs["predicted_class"], " → ").map(escape_name))
    worst = "; ".join(pairs["pair"][:3]).replace(" → ", " taken for ")
    alt = f"Confusion matrix, {title}; most confused: {worst or 'none'}"
    share = results.confusion / np.maximum(results.confusion.sum(axis=1, keepdims=True), 1)
    signed = np.where(np.eye(len(names), dtype=bool), share, -np.minimum(1, 2 * share))
    size = 7 if len(names) > MAX_ANNOTATED else 9 if len(names) <= 12 else 6.5  # of letters
    height = 5.2 if len(names) > MAX_ANNOTATED else 1.4 + (0.42 if len(names) <= 12 else 0.26) * len(names)
    figure = Figure(height, alt=alt, title=title)
    if len(names) > MAX_ANNOTATED:
        axis, beside = figure.subplots(1, 2, width_ratios=(1.55, 1))
        options = {"square": True, "xticklabels": 9, "yticklabels": 9}
        _number_pairs(axis, beside, results.classes, pairs)
    else:
        axis, counts = figure.subplots(), np.where(results.confusion, results.confusion.astype(str), "")
        options = {"annot": counts, "fmt": "", "annot_kws": {"fontsize": size}, "linewidths": 1.5}
        for row, (recall, videos) in enumerate(results.per_class[["recall", "videos"]].to_numpy()):
            text = f"{recall:.0%} of {videos:.0f} found" if videos else "no videos"
            axis.text(len(names) + 0.1, row + 0.5, text, va="center", fontsize=size, color=MUTED)
    sns.heatmap(pd.DataFrame(signed, names, names), cmap=SHADES, vmin=-1, vmax=1, cbar=False, ax=axis, **options)
    axis.set(xlabel="predicted class", ylabel="true class")
    axis.tick_params(labelsize=size)
    axis.set_xticks(axis.get_xticks(), axis.get_xticklabels(), rotation=45, ha="right", rotation_mode="anchor")
    return figure


def _number_pairs(axis, beside, classes, pairs) -> None:
    """Number the pairs most often confused in the matrix, and list them beside it."""
    beside.set_title("most confused (true → predicted)", fontsize=9)
    beside.set_axis_off()
    for number, pair in enumerate(pairs.itertuples(), 1):
        x, y = (classes.index(name) + 0.5 for name in (pair.predicted_class, pair.true_class))
        axis.plot(x, y, "o", markersize=9, markerfacecolor="none", markeredgecolor=INK, markeredgewidth=0.8)
        away, side = ((5, 4), "left") if x > y else ((-5, -9), "right")  # from the diagonal
        axis.annotate(str(number), (x, y), away, textcoords="offset points", ha=side, fontsize=7, fontweight="bold")
        text = f"{number}  {pair.pair}\n     {pair.videos} videos, {pair.share:.0%}"
        beside.text(0, 1 - number / 12.5, text, fontsize=7)


@styled
def plot_per_class(results, *, metric: str = "recall", title: str | None = None) -> Figure:
    """Show how well each class is recognised, the worst first; several models side by side.

    Args:
        results: a Results, or model name -> Results on the same classes.
        metric: "recall", "precision" or "f1"; a class that has none has no mark.
    """
    models = {"": results} if isinstance(results, Results) else results
    table = pd.DataFrame({name: model.per_class[metric] for name, model in models.items()})
    table = table.rename(escape_name, axis="index").rename(escape_name, axis="columns")
    table = table.sort_values(list(table.columns), kind="stable", na_position="last")
    long = table.melt(var_name="model", value_name=metric, ignore_index=False).reset_index()
    look = {"saturation": 1, "width": 0.7, **({"hue": "model"} if len(models) > 1 else {"color": CORRECT})}
    title = title or f"{metric} of each class"
    alt = f"{title}, lowest: {', '.join(table.index[:3])}"
    for axis, names in style.class_panels(table.index, alt=alt, title=title):
        sns.barplot(long, x=metric, y="class_name", order=names, errorbar=None, ax=axis, **look)
        axis.xaxis.set_major_formatter(PERCENT)
    return axis.figure


@styled
def plot_comparison(results: dict, *, title: str | None = None) -> Figure:
    """Put models side by side at all three levels, each with its 95 % interval; the dotted line is chance, one in K.

    Args:
        results: model name -> Results.
    """
    best = max(results, key=lambda name: results[name].video.value)
    alt = f"Accuracies of {', '.join(results)}; best at video level: {best}"
    figure = Figure(1.25 + 0.3 * len(results), alt=alt, title=title)
    chance, colors = 1 / len(results[best].classes), sns.color_palette(CLASS_COLORS, len(results))
    for axis, level in zip(figure.subplots(1, 3, sharey=True, sharex=True), LEVELS, strict=True):
        shares = [vars(share) if (share := getattr(model, level)) else {} for model in results.values()]
        table = pd.DataFrame(shares, map(escape_name, results), ["low", "value", "high"], float)  # fused: videos alone
        axis.hlines(table.index, table["low"], table["high"], color=colors, linewidth=3, alpha=0.45)
        axis.scatter(table["value"], table.index, s=60, color=colors, zorder=3)
        for row, share in enumerate(table["value"]):
            axis.text(share, row - 0.2, f"{share:.1%}", ha="center", va="bottom", fontsize=7.5)
        axis.axvline(chance, color=MUTED, linestyle=":", linewidth=1)
        axis.text(chance, -0.65, " chance", color=MUTED, fontsize=7.5, va="top")
        axis.set(xlabel=f"{level} accuracy", ylabel=None, xlim=(None, 1.05), ylim=(len(results) - 0.4, -0.7))
        axis.xaxis.set_major_formatter(PERCENT)
        axis.grid(axis="y", visible=False)
    return figure


@styled
def plot_predictions(probabilities, classes, *, frames=None, title: str | None = None) -> Figure:
    """Show each clip's three most probable classes as bars beside one of its frames, two clips a row.

    Args:
        probabilities, classes: float (n, K), in 0..1, one row a clip; K names.
        frames: n uint8 (H, W, 3), one of each clip, or None.
    """
    orders = np.argsort(-np.asarray(probabilities), axis=1, kind="stable")[:, :3]
    classes, rows = [escape_name(name) for name in classes], -(-len(orders) // 2)
    alt = f"Predictions for {len(orders)} clips: {', '.join(classes[order[0]] for order in orders)}"
    figure = Figure(0.5 + 0.96 * rows, alt=alt, title=title)
    ratios = (0.01 if frames is None else 1, 2.2) * 2
    axes = figure.subplots(rows, 4, width_ratios=ratios, squeeze=False).reshape(-1, 2)
    for axis in axes.ravel():
        axis.set_axis_off()
    for index, (order, (left, axis)) in enumerate(zip(orders, axes, strict=False)):
        if frames is not None:
            left.imshow(frames[index])
        shares = probabilities[index][order]
        track = axis.barh(range(len(order)), 1, color="#F3F3F3", height=0.75)
        axis.bar_label(track, [f"{share:.0%}" for share in shares], padding=3, fontsize=8)
        axis.barh(range(len(order)), shares, color=["#B4B4B4", "#DCDCDC", "#DCDCDC"][: len(order)], height=0.75)
        for row, label in enumerate(order):
            axis.text(0.015, row, classes[label], va="center", fontsize=8)
        axis.set(xlim=(0, 1.15), ylim=(2.6, -0.6))
    return figure
