"""Curves: what training did, and how far a model's probabilities can be believed."""

import numpy as np
import pandas as pd

from actlib.plots.layout import PERCENT
from actlib.plots.style import CLASS_COLORS, MUTED, Figure, styled


@styled
def plot_history(history: dict, *, title: str | None = None) -> Figure:
    """Draw the curves of one training, or of several in the same axes: loss at the left, accuracy at the right.

    Args:
        history: lists a key (loss, accuracy and, if validated, val_loss, val_accuracy), one entry an epoch; or name ->
            such a history. The epoch of the lowest validation loss is marked.
        title: a heading, or None.
    """
    runs = {"": history} if "loss" in history else history
    names = " of " + ", ".join(runs) if len(runs) > 1 else ""
    alt = f"Loss and accuracy{names} over {max(len(run['loss']) for run in runs.values())} epochs"
    figure = Figure(2.9, alt=alt, title=title)
    losses, accuracies = figure.subplots(1, 2)
    for (name, run), color in zip(runs.items(), CLASS_COLORS, strict=False):
        _draw_curves(losses, run, "loss", name, color)
        _draw_curves(accuracies, run, "accuracy", name, color)
    if any("val_loss" in run for run in runs.values()):
        losses.plot([], [], "o", color=MUTED, markersize=7, label="lowest validation loss")
    losses.legend()
    losses.set_ylim(bottom=0)
    accuracies.set_ylim(-0.02, 1.02)
    accuracies.yaxis.set_major_formatter(PERCENT)
    for axis, name in ((losses, "loss (cross-entropy, nats)"), (accuracies, "accuracy")):
        axis.set_title(name, fontsize=9, fontweight="normal")
        axis.set_xlabel("epoch")
        axis.locator_params("x", nbins=5, integer=True)
    return figure


def _draw_curves(axis, run: dict, key: str, name: str, color: str) -> None:
    """Training dashed, validation solid, and a dot at the epoch of the lowest validation loss."""
    epochs = np.arange(1, len(run[key]) + 1)
    axis.plot(epochs, run[key], "--", color=color, linewidth=1.2, alpha=0.8, label=f"{name} training".strip())
    if len(validated := run.get(f"val_{key}", [])):
        axis.plot(epochs, validated, color=color, label=f"{name} validation".strip())
        if not np.isnan(run["val_loss"]).all():
            best = int(np.nanargmin(run["val_loss"]))
            axis.plot(epochs[best], validated[best], "o", color=color, markeredgecolor="white", markersize=8)


@styled
def plot_reliability(tables, *, title: str | None = None) -> Figure:
    """Show how often a model is right when it is so sure, on the diagonal it can be believed; and how often it is so.

    Args:
        tables: what ``evaluation.reliability_table`` gives, or name -> such a table (before and after tempering, say).
        title: a heading, or None.
    """
    tables = {"": tables} if isinstance(tables, pd.DataFrame) else tables
    names = f" of {', '.join(tables)}" if len(tables) > 1 else ""
    figure = Figure(3.6, alt=f"Reliability diagram{names}", title=title)
    axis, counts = figure.subplots(1, 2, width_ratios=(1, 1.1))
    axis.plot([0, 1], [0, 1], ":", color=MUTED, linewidth=1.2)
    axis.text(0.04, 0.97, "more often right than it says", fontsize=7.5, color=MUTED, va="top")
    axis.text(0.99, 0.03, "less often right than it says", fontsize=7.5, color=MUTED, ha="right")
    for number, ((name, table), color) in enumerate(zip(tables.items(), CLASS_COLORS, strict=False)):
        filled = table[table["videos"] > 0]
        axis.plot(filled["confidence"], filled["accuracy"], color=color, linewidth=1.2, alpha=0.6)
        sizes = 15 + 250 * filled["videos"] / table["videos"].sum()
        axis.scatter(filled["confidence"], filled["accuracy"], s=sizes, color=color, edgecolor="white", zorder=3)
        width = (table["high"] - table["low"]) / (len(tables) + 0.4)
        counts.bar(table["low"] + (number + 0.7) * width, table["videos"], width, color=color, label=name)
    axis.set(xlim=(0, 1.03), ylim=(-0.02, 1.03), aspect="equal")
    axis.set(xlabel="mean probability of the predicted class", ylabel="share of predictions that are right")
    counts.set(xlim=(0, 1.02), xlabel="probability of the predicted class", ylabel="videos")
    for each in (axis.xaxis, axis.yaxis, counts.xaxis):
        each.set_major_formatter(PERCENT)
    if len(tables) > 1:
        counts.legend(loc="upper left")
    return figure
