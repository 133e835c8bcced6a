"""Curves: what training did, what a model says while a video plays, how far its probabilities can be believed."""

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator, PercentFormatter

from actlib.pictures.style import COLOURS, FAINT, MUTED, RIGHT, SIGNS, WRONG, Picture, head, hide_frame, styled


@styled
def plot_history(history: dict, *, title: str | None = None) -> Picture:
    """Draw the curves of one training, or of several in the same axes.

    Args:
        history: lists a key (loss, accuracy and, if validated, val_loss, val_accuracy), one entry an epoch; or name ->
            such a history.
        title: a heading, or None.

    Returns:
        The picture: loss at the left, accuracy at the right, the best validated epoch marked.
    """
    runs = {"": history} if "loss" in history else history
    names = " of " + ", ".join(runs) if len(runs) > 1 else ""
    picture = Picture(2.9, alt=f"Loss and accuracy{names} over {max(len(run['loss']) for run in runs.values())} epochs")
    for axis, key in zip(picture.subplots(1, 2), ("loss", "accuracy"), strict=True):
        for (name, run), colour in zip(runs.items(), COLOURS, strict=False):
            _draw_curves(axis, run, key=key, name=name, colour=colour)
        axis.set_xlabel("epoch")
        axis.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        axis.set_title("loss (cross-entropy, nats)" if key == "loss" else "accuracy", fontsize=9, fontweight="normal")
        if key == "accuracy":
            axis.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
            axis.set_ylim(-0.02, 1.02)
        else:
            axis.set_ylim(bottom=0)
    axis.legend(loc="lower right")
    head(picture, title)
    return picture


def _draw_curves(axis, run: dict, *, key: str, name: str, colour: str) -> None:
    """Training dashed, validation solid, and a dot at the epoch of the lowest validation loss."""
    epochs = np.arange(1, len(run[key]) + 1)
    axis.plot(epochs, run[key], "--", color=colour, linewidth=1.2, alpha=0.8, label=f"{name} training".strip())
    validated = run.get(f"val_{key}")
    if validated is None or not len(validated):
        return
    axis.plot(epochs, validated, color=colour, label=f"{name} validation".strip())
    if not np.isnan(run["val_loss"]).all():
        best = int(np.nanargmin(run["val_loss"]))
        axis.plot(epochs[best], validated[best], "o", color=colour, markeredgecolor="white", markersize=8)


@styled
def plot_timeline(
    probabilities: np.ndarray,
    classes: tuple[str, ...],
    *,
    label: int | None = None,
    fps: float | None = None,
    frames=None,
    top: int = 4,
    title: str | None = None,
) -> Picture:
    """Show what a model says while a video plays.

    Args:
        probabilities: float (T, K), in 0..1.
        classes: K names.
        label: the true label, drawn thick, and judged in the strip below; or None.
        fps: steps a second, for an axis in seconds; None counts frames.
        frames: some uint8 (H, W, 3), evenly spaced over the same time, shown above; or None.
        top: how many classes are named; the others are grey.
        title: a heading, or None.

    Returns:
        The picture. The strip at the bottom says at which steps the most probable class is the true one.
    """
    probabilities = np.asarray(probabilities)
    named = _leading(probabilities, label, top)
    time = np.arange(len(probabilities)) / (fps or 1)
    mostly = classes[int(np.bincount(probabilities.argmax(axis=1)).argmax())]
    picture = Picture(2.7 + (0 if frames is None else 0.75), alt=f"Probabilities over time; most often {mostly}")
    axis = _timeline_axis(picture, frames)
    axis.plot(time, np.delete(probabilities, named, axis=1), color=FAINT, linewidth=1)
    for index, colour in zip(named, COLOURS * len(named), strict=False):
        text = f"{classes[index]} (true)" if index == label else classes[index]
        axis.plot(time, probabilities[:, index], color=colour, linewidth=3 if index == label else 1.6, label=text)
    _judge_steps(axis, time, probabilities.argmax(axis=1), label)
    axis.set_xlabel("seconds" if fps else "frame")
    axis.set_ylabel("probability")
    axis.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axis.legend(loc="upper left", bbox_to_anchor=(1.0, 1.02))
    head(picture, title)
    return picture


def _leading(probabilities: np.ndarray, label: int | None, top: int) -> list[int]:
    """The labels with the highest peaks, the true one first."""
    order = np.argsort(-probabilities.max(axis=0), kind="stable").tolist()
    first = [] if label is None else [label]
    return (first + [index for index in order if index != label])[:top]


def _timeline_axis(picture: Picture, frames):
    """The axis for the curves, below the frames if there are some."""
    if frames is None:
        return picture.subplots()
    above, axis = picture.subplots(2, 1, height_ratios=(1, 2.6))
    above.imshow(np.concatenate(list(frames), axis=1), aspect="auto")
    hide_frame(above)
    return axis


def _judge_steps(axis, time: np.ndarray, predicted: np.ndarray, label: int | None) -> None:
    """Colour a strip below the curves by right and wrong."""
    step = time[1] - time[0] if len(time) > 1 else 1
    axis.set_xlim(time[0] - step / 2, time[-1] + step / 2)
    axis.set_ylim(-0.12 if label is not None else -0.02, 1.02)
    axis.set_yticks([0, 0.5, 1])
    if label is not None:
        for right, colour in ((True, RIGHT), (False, WRONG)):
            chosen = time[(predicted == label) == right]
            axis.bar(
                chosen, 0.06, step, bottom=-0.1, color=colour, label=f"{SIGNS[right]} {'right' if right else 'wrong'}"
            )


@styled
def plot_reliability(tables, *, title: str | None = None) -> Picture:
    """Show how often a model is right when it says it is so sure: on the diagonal, it can be believed.

    Args:
        tables: what ``calibration.reliability_table`` gives, or name -> such a table (before and after tempering, say).
        title: a heading, or None.

    Returns:
        The picture: the reliability diagram and, at the right, how many answers were how sure.
    """
    tables = {"": tables} if isinstance(tables, pd.DataFrame) else tables
    picture = Picture(3.6, alt=f"Reliability diagram{' of ' + ', '.join(tables) if len(tables) > 1 else ''}")
    axis, counts = picture.subplots(1, 2, width_ratios=(1, 1.1))
    axis.plot([0, 1], [0, 1], ":", color=MUTED, linewidth=1.2)
    axis.text(
        0.97,
        0.9,
        "as right as it says",
        fontsize=7.5,
        color=MUTED,
        ha="right",
        va="top",
        rotation=45,
        rotation_mode="anchor",
    )
    for number, ((name, table), colour) in enumerate(zip(tables.items(), COLOURS, strict=False)):
        filled = table[table["videos"] > 0]
        axis.plot(filled["confidence"], filled["accuracy"], "-", color=colour, linewidth=1.2, alpha=0.6)
        size = 15 + 250 * filled["videos"] / table["videos"].sum()
        axis.scatter(
            filled["confidence"], filled["accuracy"], s=size, color=colour, edgecolor="white", label=name, zorder=3
        )
        width = (table["high"] - table["low"]) / (len(tables) + 0.4)
        counts.bar(table["low"] + (number + 0.7) * width, table["videos"], width, color=colour, label=name)
    axis.set(
        xlim=(0, 1.03),
        ylim=(0, 1.03),
        aspect="equal",
        xlabel="mean probability of the answer",
        ylabel="share of answers that are right",
    )
    counts.set(xlim=(0, 1.02), xlabel="probability of the answer", ylabel="videos")
    for formatted in (axis.xaxis, axis.yaxis, counts.xaxis):
        formatted.set_major_formatter(PercentFormatter(1, decimals=0))
    if len(tables) > 1:
        counts.legend(loc="upper left")
    head(picture, title)
    return picture
