"""Where things go in a figure: rows of classes, sheets of frames, headings, legends, percent."""

import math

import numpy as np
from matplotlib.ticker import PercentFormatter

from actlib.plots.style import Figure

MAX_ROWS = 34  # classes below each other; more go into further columns


def class_panels(num_classes: int, *, row_height: float = 0.2, alt: str = "") -> tuple[Figure, list, list[slice]]:
    """Lay out a chart with one row a class; many classes go into columns side by side.

    Args:
        num_classes: rows in all.
        row_height: inches a row.
        alt: what is to be seen, in a sentence.

    Returns:
        (figure, axes, parts): the classes ``parts[i]`` belong into ``axes[i]``, at y = 0, 1, ... from the top.
    """
    columns = math.ceil(num_classes / MAX_ROWS)
    rows = math.ceil(num_classes / columns)
    figure = Figure(1.0 + row_height * max(rows, 3), alt=alt)
    axes = figure.subplots(1, columns, sharex=True, squeeze=False)[0].tolist()
    for axis in axes:
        axis.set_ylim(rows - 0.4, -0.6)
        axis.grid(axis="y", visible=False)
        axis.spines["left"].set_visible(False)
    return figure, axes, [slice(start, start + rows) for start in range(0, num_classes, rows)]


def name_rows(axis, names) -> None:
    """Write class names at y = 0, 1, ... of an axis.

    Args:
        axis: matplotlib axes.
        names: the class names, from the top.
    """
    axis.set_yticks(range(len(names)), names, fontsize=9 if len(names) <= 15 else 7.5)


def tile(frames, *, columns: int, gap: int = 2) -> np.ndarray:
    """Put frames side by side in rows, white between them.

    Args:
        frames: a sequence of uint8 (H, W, 3); smaller ones are centred on white in the largest size.
        columns: frames a row.
        gap: pixels between frames.

    Returns:
        uint8 (rows * (H + gap) - gap, columns * (W + gap) - gap, 3).

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


def hide_frame(axis) -> None:
    """Leave only what is drawn: no ticks, spines or grid.

    Args:
        axis: matplotlib axes.
    """
    axis.set_axis_off()
    axis.grid(visible=False)


def in_percent(*axes) -> None:
    """Write the numbers 0..1 of axes as 0 % to 100 %.

    Args:
        axes: matplotlib x or y axes.
    """
    for axis in axes:
        axis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))


def set_title(figure: Figure, title: str | None) -> None:
    """Write a heading at the top left of a figure with several axes.

    Args:
        figure: the figure.
        title: the heading, or None.
    """
    if title:
        figure.suptitle(title, x=0.01, ha="left", fontsize=10.5, fontweight="bold")


def legend_above(figure: Figure, axis) -> None:
    """Put an axis' legend in one line at the top right of the figure.

    Args:
        figure: the figure.
        axis: matplotlib axes with labelled artists.
    """
    handles, labels = axis.get_legend_handles_labels()
    figure.legend(handles, labels, loc="upper right", ncols=len(labels), borderaxespad=0.1)
