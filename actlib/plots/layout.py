"""Where things go in a figure: rows of classes, sheets of frames."""

import math

import numpy as np
import seaborn as sns

from actlib.plots.style import Figure, fit_text, load_font

MAX_ROWS = 34  # classes below each other; more go into further columns
PERCENT = "{x:.0%}"  # how axes write 0..1


def class_panels(names, *, alt: str, title: str, reverse: bool = False):
    """Make a figure with one row a class; many go into columns, with one legend above, if need be in reverse.

    Yields:
        (axis, some names), to be drawn before the next is asked for.
    """
    columns = math.ceil(len(names) / MAX_ROWS)
    rows = math.ceil(len(names) / columns)
    figure = Figure(1.2 + 0.2 * max(rows, 3), alt=alt, title=title)
    for column, axis in enumerate(figure.subplots(1, columns, sharex=True, squeeze=False)[0]):
        yield axis, list(names[rows * column : rows * (column + 1)])
        axis.set(ylabel=None, ylim=(rows - 0.4, -0.6))
        axis.tick_params("y", labelsize=9 if rows <= 15 else 7.5)
        axis.grid(axis="y", visible=False)
        axis.spines["left"].set_visible(False)
        if axis.get_legend() and column < columns - 1:
            axis.get_legend().remove()
        elif axis.get_legend():
            options = {"ncols": 9, "title": None, "borderaxespad": 0.1, "reverse": reverse}
            sns.move_legend(axis, "lower right", bbox_to_anchor=(1, 1), **options)


def tile(frames, *, columns: int, gap: int = 2) -> np.ndarray:
    """Put frames (H, W, 3) side by side in rows, smaller ones centred on white in the largest size, with white gaps."""
    height, width = (max(frame.shape[axis] for frame in frames) for axis in (0, 1))
    rows = math.ceil(len(frames) / columns)
    sheet = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap, 3), 255, np.uint8)
    for index, frame in enumerate(frames):
        top = index // columns * (height + gap) + (height - frame.shape[0]) // 2
        left = index % columns * (width + gap) + (width - frame.shape[1]) // 2
        sheet[top : top + frame.shape[0], left : left + frame.shape[1]] = frame
    return sheet


def fit_titles(titles, width: float) -> tuple[list[str], float]:
    """Fit titles into lines of so many points: in smaller type, then cut; return them, and the size of the type."""
    font, texts = load_font(100), [title.split("\n") for title in titles]
    widest = max(font.getlength(line) for lines in texts for line in lines) / 100  # in points, per point of type
    size = min(7.5, max(5.5, width / max(1, widest)))
    return ["\n".join(fit_text(line, font, 100 * width / size + 1) for line in lines) for lines in texts], size
