"""Where things go in a figure: rows of classes, sheets of frames, legends."""

import math

import numpy as np

from actlib.plots.style import SIGNS, Figure

MAX_ROWS = 34  # classes below each other; more go into further columns
PERCENT = "{x:.0%}"  # how axes write 0..1


def class_panels(names, *, row_height: float = 0.2, alt: str, title: str | None) -> tuple[Figure, list]:
    """Lay out a chart with one row a class, at y = 0, 1, ... from the top; many classes go into columns side by side.

    Returns:
        (figure, [(axis, slice of the classes in it), ...]).
    """
    columns = math.ceil(len(names) / MAX_ROWS)
    rows = math.ceil(len(names) / columns)
    figure = Figure(1.0 + row_height * max(rows, 3), alt=alt, title=title)
    axes = figure.subplots(1, columns, sharex=True, squeeze=False)[0]
    panels = [(axis, slice(rows * column, rows * (column + 1))) for column, axis in enumerate(axes)]
    for axis, panel in panels:
        axis.set_ylim(rows - 0.4, -0.6)
        axis.set_yticks(range(len(names[panel])), names[panel], fontsize=9 if rows <= 15 else 7.5)
        axis.grid(axis="y", visible=False)
        axis.spines["left"].set_visible(False)
    return figure, panels


def tile(frames, *, columns: int, gap: int = 2) -> np.ndarray:
    """Put frames, uint8 (H, W, 3), side by side in rows; smaller ones are centred on white in the largest size.

    Example:
        >>> tile(np.zeros((3, 4, 4, 3), np.uint8), columns=2).shape
        (10, 10, 3)
    """
    height, width = (max(frame.shape[axis] for frame in frames) for axis in (0, 1))
    rows = math.ceil(len(frames) / columns)
    sheet = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap, 3), 255, np.uint8)
    for index, frame in enumerate(frames):
        top = index // columns * (height + gap) + (height - frame.shape[0]) // 2
        left = index % columns * (width + gap) + (width - frame.shape[1]) // 2
        sheet[top : top + frame.shape[0], left : left + frame.shape[1]] = frame
    return sheet


def sign_texts(texts, correct) -> list[str]:
    """Put the sign of right or wrong before each text, if it is known which they are."""
    if correct is None:
        return list(texts)
    return [f"{SIGNS[bool(is_correct)]} {text}" for text, is_correct in zip(texts, correct, strict=True)]


def axis_below(figure: Figure, frames, *, ratio: float):
    """Show frames in a row, if there are some, and give the axis below them, so many times as high."""
    if frames is None:
        return figure.subplots()
    above, axis = figure.subplots(2, 1, height_ratios=(1, ratio))
    above.imshow(tile(frames, columns=len(frames)), aspect="auto")
    above.set_axis_off()
    return axis


def legend_above(figure: Figure, axis) -> None:
    """Put an axis' legend in one line at the top right of the figure."""
    handles, labels = axis.get_legend_handles_labels()
    figure.legend(handles, labels, loc="upper right", ncols=len(labels), borderaxespad=0.1)
