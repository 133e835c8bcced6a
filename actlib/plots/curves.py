"""Curves: what training did, and how far a model's probabilities can be believed."""

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from actlib.plots.layout import in_percent, set_title
from actlib.plots.style import CLASS_COLORS, MUTED, Figure, styled


@styled
def plot_history(history: dict, *, title: str | None = None) -> Figure:
    """Draw the curves of one training, or of several in the same axes.

    Args:
        history: lists a key (loss, accuracy and, if validated, val_loss, val_accuracy), one entry an epoch; or name ->
            such a history.
        title: a heading, or None.

    Returns:
        The figure: loss at the left, accuracy at the right, the best validated epoch marked.
    """
    runs = {"": history} if "loss" in history else history
    names = " of " + ", ".join(runs) if len(runs) > 1 else ""
    figure = Figure(2.9, alt=f"Loss and accuracy{names} over {max(len(run['loss']) for run in runs.values())} epochs")
    for axis, key in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        for (name, run), color in zip(runs.items(), CLASS_COLORS, strict=False):
            _draw_curves(axis, run, key=key, name=name, color=color)
        axis.set_xlabel("epoch")
        axis.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        axis.set_title("loss (cross-entropy, nats)" if key == "loss" else "accuracy", fontsize=9, fontweight="normal")
        if key == "accuracy":
            in_percent(axis.yaxis)
            axis.set_ylim(-0.02, 1.02)
            continue
        axis.set_ylim(bottom=0)
        if any("val_loss" in run for run in runs.values()):
            axis.plot([], [], "o", color=MUTED, markersize=7, label="lowest validation loss")
        axis.legend()
    set_title(figure, title)
    return figure


def _draw_curves(axis, run: dict, *, key: str, name: str, color: str) -> None:
    """Training dashed, validation solid, and a dot at the epoch of the lowest validation loss."""
    epochs = np.arange(1, len(run[key]) + 1)
    axis.plot(epochs, run[key], "--", color=color, linewidth=1.2, alpha=0.8, label=f"{name} training".strip())
    validated = run.get(f"val_{key}")
    if validated is None or not len(validated):
        return
    axis.plot(epochs, validated, color=color, label=f"{name} validation".strip())
    if not np.isnan(run["val_loss"]).all():
        best = int(np.nanargmin(run["val_loss"]))
        axis.plot(epochs[best], validated[best], "o", color=color, markeredgecolor="white", markersize=8)


@styled
def plot_reliability(tables, *, title: str | None = None) -> Figure:
    """Show how often a model is right when it says it is so sure: on the diagonal, it can be believed.

    Args:
        tables: what ``calibration.reliability_table`` gives, or name -> such a table (before and after tempering, say).
        title: a heading, or None.

    Returns:
        The figure: the reliability diagram and, at the right, how many answers were how sure.
    """
    tables = {"": tables} if isinstance(tables, pd.DataFrame) else tables
    figure = Figure(3.6, alt=f"Reliability diagram{' of ' + ', '.join(tables) if len(tables) > 1 else ''}")
    axis, counts = figure.subplots(1, 2, width_ratios=(1, 1.1))
    axis.plot([0, 1], [0, 1], ":", color=MUTED, linewidth=1.2)
    axis.text(0.04, 0.97, "more often right than it says", fontsize=7.5, color=MUTED, va="top")
    axis.text(0.99, 0.03, "less often right than it says", fontsize=7.5, color=MUTED, ha="right")
    for number, ((name, table), color) in enumerate(zip(tables.items(), CLASS_COLORS, strict=False)):
        filled = table[table["videos"] > 0]
        axis.plot(filled["confidence"], filled["accuracy"], "-", color=color, linewidth=1.2, alpha=0.6)
        size = 15 + 250 * filled["videos"] / table["videos"].sum()
        axis.scatter(
            filled["confidence"], filled["accuracy"], s=size, color=color, edgecolor="white", label=name, zorder=3
        )
        width = (table["high"] - table["low"]) / (len(tables) + 0.4)
        counts.bar(table["low"] + (number + 0.7) * width, table["videos"], width, color=color, label=name)
    axis.set(
        xlim=(0, 1.03),
        ylim=(-0.02, 1.03),
        aspect="equal",
        xlabel="mean probability of the answer",
        ylabel="share of answers that are right",
    )
    counts.set(xlim=(0, 1.02), xlabel="probability of the answer", ylabel="videos")
    in_percent(axis.xaxis, axis.yaxis, counts.xaxis)
    if len(tables) > 1:
        counts.legend(loc="upper left")
    set_title(figure, title)
    return figure
