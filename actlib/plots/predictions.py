"""Pictures of single answers: one clip's while it plays, several clips' beside each other."""

import numpy as np

from actlib.plots.layout import hide_frame, in_percent, set_title
from actlib.plots.style import CLASS_COLORS, CORRECT, FAINT, MUTED, SIGNS, WRONG, Figure, styled


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
) -> Figure:
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
        The figure. The strip at the bottom says at which steps the most probable class is the true one.
    """
    probabilities = np.asarray(probabilities)
    named = _leading(probabilities, label, top)
    time = np.arange(len(probabilities)) / (fps or 1)
    mostly = classes[int(np.bincount(probabilities.argmax(axis=1)).argmax())]
    figure = Figure(2.7 + (0 if frames is None else 0.75), alt=f"Probabilities over time; most often {mostly}")
    axis = _timeline_axis(figure, frames)
    axis.plot(time, np.delete(probabilities, named, axis=1), color=FAINT, linewidth=1)
    for index, color in zip(named, CLASS_COLORS * len(named), strict=False):
        text = f"{classes[index]} (true)" if index == label else classes[index]
        axis.plot(time, probabilities[:, index], color=color, linewidth=3 if index == label else 1.6, label=text)
    _judge_steps(axis, time, probabilities.argmax(axis=1), label)
    axis.set_xlabel("seconds" if fps else "frame")
    axis.set_ylabel("probability")
    in_percent(axis.yaxis)
    axis.legend(loc="upper left", bbox_to_anchor=(1.0, 1.02))
    set_title(figure, title)
    return figure


def _leading(probabilities: np.ndarray, label: int | None, top: int) -> list[int]:
    """The labels with the highest peaks, the true one first."""
    order = np.argsort(-probabilities.max(axis=0), kind="stable").tolist()
    first = [] if label is None else [label]
    return (first + [index for index in order if index != label])[:top]


def _timeline_axis(figure: Figure, frames):
    """The axis for the curves, below the frames if there are some."""
    if frames is None:
        return figure.subplots()
    above, axis = figure.subplots(2, 1, height_ratios=(1, 2.6))
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
        for right, color in ((True, CORRECT), (False, WRONG)):
            chosen = time[(predicted == label) == right]
            axis.bar(
                chosen, 0.06, step, bottom=-0.1, color=color, label=f"{SIGNS[right]} {'right' if right else 'wrong'}"
            )


@styled
def plot_predictions(
    probabilities: np.ndarray,
    classes: tuple[str, ...],
    *,
    labels=None,
    frames=None,
    top: int = 3,
    title: str | None = None,
) -> Figure:
    """Show each clip's most probable classes as bars beside one of its frames.

    Args:
        probabilities: float (n, K), in 0..1, one row a clip.
        classes: K names.
        labels: int (n,), the true labels, in the color and with the sign of right where they were found; or None.
        frames: n uint8 (H, W, 3), one of each clip, or None.
        top: bars a clip.
        title: a heading, or None.

    Returns:
        The figure, two clips a row.
    """
    probabilities = np.asarray(probabilities)
    answers = [classes[index] for index in probabilities.argmax(axis=1)]
    rows = (len(answers) + 1) // 2
    figure = Figure(0.5 + rows * (0.3 + 0.22 * top), alt=f"Answers for {len(answers)} clips: {', '.join(answers)}")
    ratios = (1, 2.2) * 2 if frames is not None else (0.01, 2.2) * 2
    axes = figure.subplots(rows, 4, width_ratios=ratios, squeeze=False).reshape(-1, 2)
    for shown in axes.ravel():
        hide_frame(shown)
    for index, (left, axis) in enumerate(axes[: len(answers)]):
        if frames is not None:
            left.imshow(frames[index])
        _draw_answer(axis, probabilities[index], classes, label=None if labels is None else int(labels[index]), top=top)
    set_title(figure, title)
    return figure


def _draw_answer(axis, probabilities: np.ndarray, classes: tuple[str, ...], *, label: int | None, top: int) -> None:
    """The bars of one clip; the true class is shown in place of the last if it is not among the first."""
    order = np.argsort(-probabilities, kind="stable")[:top].tolist()
    if label is not None and label not in order:
        order[-1] = label
    for row, index in enumerate(order):
        true = index == label
        color = MUTED if label is None else CORRECT if true else WRONG
        sign = f"{SIGNS[true]} " if label is not None and (row == 0 or true) else ""
        axis.barh(row, 1, color="#F3F3F3", height=0.75)
        axis.barh(row, probabilities[index], color=color, alpha=0.55 if sign or row == 0 else 0.25, height=0.75)
        axis.text(0.015, row, f"{sign}{classes[index]}", va="center", fontsize=8)
        axis.text(1.02, row, f"{100 * probabilities[index]:.0f} %", va="center", fontsize=8)
    axis.set(xlim=(0, 1.15), ylim=(top - 0.4, -0.6))
