"""Figures of single predictions: one clip's while it plays, several clips' beside each other."""

import numpy as np

from actlib.plots.layout import PERCENT, axis_below
from actlib.plots.style import CLASS_COLORS, FAINT, MUTED, SIGNS, VERDICTS, Figure, styled


@styled
def plot_timeline(
    probabilities: np.ndarray,
    classes: tuple[str, ...],
    *,
    label: int | None = None,
    fps: float | None = None,
    frames=None,
    title: str | None = None,
) -> Figure:
    """Show what a model predicts while a video plays: the four classes with the highest peaks, the others gray.

    Args:
        probabilities: float (T, K), in 0..1.
        classes: K names.
        label: the true label, drawn thick; a strip below says at which steps it is the most probable. Or None.
        fps: steps a second, for an axis in seconds; None counts frames.
        frames: some uint8 (H, W, 3), evenly spaced over the same time, shown above; or None.
        title: a heading, or None.
    """
    probabilities = np.asarray(probabilities)
    predicted, step = probabilities.argmax(axis=1), 1 / (fps or 1)
    time = np.arange(len(probabilities)) * step
    order = np.argsort(-probabilities.max(axis=0), kind="stable").tolist()
    named = [index for index in dict.fromkeys([label, *order]) if index is not None][:4]
    alt = f"Probabilities over time; most often {classes[np.bincount(predicted).argmax()]}"
    figure = Figure(2.7 + (0 if frames is None else 0.75), alt=alt, title=title)
    axis = axis_below(figure, frames, ratio=2.6)
    axis.plot(time, np.delete(probabilities, named, axis=1), color=FAINT, linewidth=1)
    for index, color in zip(named, CLASS_COLORS, strict=False):
        text, width = (f"{classes[index]} (true)", 3) if index == label else (classes[index], 1.6)
        axis.plot(time, probabilities[:, index], color=color, linewidth=width, label=text)
    for correct, name in ((True, "right"), (False, "wrong")) if label is not None else ():
        chosen = time[(predicted == label) == correct]
        axis.bar(chosen, 0.06, step, bottom=-0.1, color=VERDICTS[correct], label=f"{SIGNS[correct]} {name}")
    axis.set(xlim=(time[0] - step / 2, time[-1] + step / 2), ylim=(-0.02 if label is None else -0.12, 1.02))
    axis.set(xlabel="seconds" if fps else "frame of the clip", ylabel="probability", yticks=[0, 0.5, 1])
    axis.yaxis.set_major_formatter(PERCENT)
    axis.legend(loc="upper left", bbox_to_anchor=(1.0, 1.02))
    return figure


@styled
def plot_predictions(
    probabilities: np.ndarray, classes: tuple[str, ...], *, labels=None, frames=None, title: str | None = None
) -> Figure:
    """Show each clip's three most probable classes as bars beside one of its frames, two clips a row.

    Args:
        probabilities: float (n, K), in 0..1, one row a clip.
        classes: K names.
        labels: int (n,), the true labels, in the color and with the sign of right where they were found; or None.
        frames: n uint8 (H, W, 3), one of each clip, or None.
        title: a heading, or None.
    """
    probabilities = np.asarray(probabilities)
    names = [classes[index] for index in probabilities.argmax(axis=1)]
    rows = -(-len(names) // 2)
    figure = Figure(0.5 + 0.96 * rows, alt=f"Predictions for {len(names)} clips: {', '.join(names)}", title=title)
    ratios = (0.01 if frames is None else 1, 2.2) * 2
    axes = figure.subplots(rows, 4, width_ratios=ratios, squeeze=False).reshape(-1, 2)
    for axis in axes.ravel():
        axis.set_axis_off()
    for index, (left, axis) in enumerate(axes[: len(names)]):
        if frames is not None:
            left.imshow(frames[index])
        _draw_bars(axis, probabilities[index], classes, None if labels is None else int(labels[index]))
    return figure


def _draw_bars(axis, probabilities: np.ndarray, classes: tuple[str, ...], label: int | None) -> None:
    """The bars of one clip; the true class is shown in place of the last if it is not among the first."""
    order = np.argsort(-probabilities, kind="stable")[:3].tolist()
    if label is not None and label not in order:
        order[-1] = label
    for row, index in enumerate(order):
        marked = label is not None and (row == 0 or index == label)
        color = MUTED if label is None else VERDICTS[index == label]
        axis.barh(row, 1, color="#F3F3F3", height=0.75)
        axis.barh(row, probabilities[index], color=color, alpha=0.55 if row == 0 or marked else 0.25, height=0.75)
        text = f"{SIGNS[index == label]} {classes[index]}" if marked else classes[index]
        axis.text(0.015, row, text, va="center", fontsize=8)
        axis.text(1.02, row, f"{probabilities[index]:.0%}", va="center", fontsize=8)
    axis.set(xlim=(0, 1.15), ylim=(2.6, -0.6))
