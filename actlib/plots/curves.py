"""Curves: what training did, what is predicted while a clip plays, how far probabilities can be believed."""

import numpy as np
import pandas as pd
import seaborn as sns

from actlib.plots.style import CLASS_COLORS, FAINT, MUTED, PERCENT, SIGNS, VERDICTS, Figure, escape_name, styled


@styled
def plot_history(history, *, title: str | None = None) -> Figure:
    """Draw the curves of a training: loss at the left, accuracy at the right.

    Args:
        history: a dict of lists, loss, accuracy and, if validated, val_loss and val_accuracy, one entry an epoch; or a
            list of dicts, one an epoch. A dot marks the epoch of the lowest validation loss.
    """
    columns = ["loss", "accuracy", "val_loss", "val_accuracy"]
    table = pd.DataFrame(history, columns=columns, dtype=float).rename_axis("epoch (dot: lowest validation loss)")
    table.index += 1
    figure = Figure(2.9, alt=f"Loss and accuracy over {len(table)} epochs", title=title)
    for axis, key in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        names = {key: "training", f"val_{key}": "validation"}
        curves = table[[*names]].rename(columns=names).dropna(axis="columns", how="all")
        sns.lineplot(curves, dashes=[(3, 1.5), ""][: curves.shape[1]], ax=axis)
        if "validation" in curves and table["val_loss"].notna().any():
            best = table["val_loss"].idxmin()
            axis.plot(best, curves["validation"][best], "o", color=CLASS_COLORS[1], markersize=8)
        axis.set_title("loss (cross-entropy, nats)" if key == "loss" else key, fontsize=9, fontweight="normal")
        axis.locator_params("x", nbins=5, integer=True)
    figure.axes[0].set_ylim(bottom=0)
    figure.axes[1].set_ylim(-0.02, 1.02)
    figure.axes[1].yaxis.set_major_formatter(PERCENT)
    return figure


@styled
def plot_timeline(probabilities, classes, *, label: int | None = None, title: str | None = None) -> Figure:
    """Show what a model predicts while a clip plays: the four classes with the highest peaks, the others gray.

    Args:
        probabilities: float (T, K), in 0..1.
        classes: K names; each of up to 8 has a color of its own, the same as on the map of clips.
        label: the true label; a strip below says at which frames it is the most probable. Or None.
    """
    predicted, frames = probabilities.argmax(axis=1), np.arange(1, len(probabilities) + 1)
    classes = [escape_name(name) for name in classes]
    order = np.argsort(-probabilities.max(axis=0), kind="stable").tolist()
    named = [index for index in dict.fromkeys([label, *order]) if index is not None][:4]
    alt = f"Probabilities over time; most often {classes[np.bincount(predicted).argmax()]}"
    axis = Figure(2.7, alt=alt, title=title).subplots()
    axis.plot(frames, np.delete(probabilities, named, axis=1), color=FAINT, linewidth=1)
    names = [f"{classes[index]}{' (true)' * (index == label)}" for index in named]
    colors = [CLASS_COLORS[each] for each in named] if len(classes) <= len(CLASS_COLORS) else None
    sns.lineplot(pd.DataFrame(probabilities[:, named], frames, names), dashes=False, palette=colors, ax=axis)
    for correct, name in ((True, "correct"), (False, "wrong")) if label is not None else ():
        heights = 0.06 * ((predicted == label) == correct)
        axis.bar(frames, heights, 1, bottom=-0.1, color=VERDICTS[correct], label=f"{SIGNS[correct]} {name}")
    axis.set(xlabel="frames seen", ylabel="probability", yticks=[0, 0.5, 1], xlim=(0.5, len(frames) + 0.5))
    axis.locator_params("x", integer=True)
    axis.yaxis.set_major_formatter(PERCENT)
    axis.legend(loc="upper left", bbox_to_anchor=(1.0, 1.02))
    return axis.figure


@styled
def plot_reliability(tables, *, title: str | None = None) -> Figure:
    """Draw a reliability diagram, accuracy over confidence (on the diagonal: calibrated), and how often each occurs.

    Args:
        tables: what ``evaluation.reliability_table`` gives, or name -> such a table.
    """
    tables = {"": tables} if isinstance(tables, pd.DataFrame) else tables
    table = pd.concat(tables, names=["model"]).query("videos > 0").reset_index("model")
    figure = Figure(3.6, alt=f"Reliability diagram {', '.join(tables)}", title=title)
    axis, counts = figure.subplots(1, 2, width_ratios=(1, 1.1))
    axis.plot([0, 1], [0, 1], ":", color=MUTED, linewidth=1.2)
    axis.text(0.04, 0.97, "underconfident", fontsize=7.5, color=MUTED, va="top")
    axis.text(0.99, 0.03, "overconfident", fontsize=7.5, color=MUTED, ha="right")
    options = {"x": "confidence", "hue": "model" if len(tables) > 1 else None}
    sns.lineplot(table, y="accuracy", marker="o", legend=False, ax=axis, **options)
    bars = {"weights": "videos", "bins": [*next(iter(tables.values()))["low"], 1.0], "multiple": "dodge", "shrink": 0.8}
    middles = table.assign(confidence=(table["low"] + table["high"]) / 2)
    sns.histplot(middles, alpha=1, ax=counts, **options, **bars)
    axis.set(xlim=(0, 1.03), ylim=(-0.02, 1.03), aspect="equal")
    counts.set(xlim=(0, 1.02), ylabel="videos")
    for each in (axis.xaxis, axis.yaxis, counts.xaxis):
        each.set_major_formatter(PERCENT)
    return figure
