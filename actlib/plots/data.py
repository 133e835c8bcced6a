"""Pictures of videos before any model: contact sheets, classes, lengths, sampling."""

import math

import numpy as np
import pandas as pd
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from actlib.plots.layout import class_panels, hide_frame, legend_above, name_rows, set_title, tile
from actlib.plots.style import CLASS_COLORS, CORRECT, INK, MUTED, SIGNS, SUBSET_COLORS, WIDTH, WRONG, Figure, styled

NARROWEST = 48  # pixels, of the widest frame on a sheet


@styled
def show_frames(frames, *, titles=None, correct=None, columns: int = 8, title: str | None = None) -> Figure:
    """Lay frames out on one sheet, in reading order.

    Args:
        frames: a sequence of n uint8 (H, W, 3) RGB, of any sizes; the pixels of tiny ones are shown as squares.
        titles: n short texts above the frames, or None.
        correct: n bools, which frames and titles are marked as right or wrong by color and sign, or None.
        columns: frames a row, at most.
        title: a heading, or None.

    Returns:
        The figure.

    Example:
        >>> show_frames(np.zeros((3, 24, 32, 3), np.uint8), titles=["a", "b", "c"]).alt
        'Frames of videos (3): a, b, c'
    """
    frames, columns = _enlarge(frames), max(3, min(columns, len(frames)))  # a frame alone stays small
    texts = _sign_texts([""] * len(frames) if titles is None else list(titles), correct)
    gap_share = 0.16 * columns / WIDTH * max(text.count("\n") + 1 for text in texts) if any(texts) else 0
    height, width = (max(frame.shape[axis] for frame in frames) for axis in (0, 1))
    gap = max(2, round(width * gap_share), round(width * 0.03))
    sheet = tile(frames, columns=columns, gap=gap)
    said = ": " + ", ".join(texts).replace("\n", " ") if any(texts) else ""
    alt = f"{title or 'Frames of videos'} ({len(frames)}){said}"
    figure = Figure(_sheet_height(sheet, title) + WIDTH * gap / sheet.shape[1], alt=alt)
    axis = figure.subplots()
    hide_frame(axis)
    axis.imshow(sheet)
    axis.set_xlim(-1, sheet.shape[1])
    axis.set_ylim(sheet.shape[0], -gap)
    for index, text in enumerate(texts):
        left, top = index % columns * (width + gap), index // columns * (height + gap)
        _mark_frame(axis, (left, top, width, height), text, None if correct is None else bool(correct[index]))
    axis.set_title(title or "")
    return figure


def _enlarge(frames) -> list[np.ndarray]:
    """Repeat the pixels of frames too narrow to be laid out, all of them as often."""
    times = -(-NARROWEST // max(1, *(frame.shape[1] for frame in frames)))
    return [np.asarray(frame).repeat(times, axis=0).repeat(times, axis=1) for frame in frames]


def _sign_texts(texts: list[str], correct) -> list[str]:
    """Put the sign of right or wrong before each text."""
    if correct is None:
        return texts
    return [f"{SIGNS[bool(is_correct)]} {text}" for text, is_correct in zip(texts, correct, strict=True)]


def _sheet_height(sheet: np.ndarray, title: str | None) -> float:
    """Inches that a full-width sheet needs, with its heading."""
    return WIDTH * sheet.shape[0] / sheet.shape[1] + (0.4 if title else 0.1)


def _mark_frame(axis, box: tuple, text: str, correct: bool | None) -> None:
    """Write a text above a frame at box (left, top, width, height); outline it if it is right or wrong."""
    left, top, width, height = box
    color = INK if correct is None else (CORRECT if correct else WRONG)
    axis.text(left, top - 0.02 * height, text, color=color, fontsize=7.5, va="bottom", ha="left")
    if correct is not None:
        axis.add_patch(Rectangle((left - 0.5, top - 0.5), width, height, fill=False, edgecolor=color, linewidth=2))


@styled
def show_clips(clips: dict, *, correct=None, title: str | None = None) -> Figure:
    """Show one clip a row, its name at the left and time going to the right.

    Args:
        clips: name -> uint8 (T, H, W, 3), all of the same T.
        correct: a bool a clip, whether its name is marked as right or wrong, or None.
        title: a heading, or None.

    Returns:
        The figure.

    Raises:
        ValueError: if the clips differ in the number of frames.
    """
    lengths = {name: len(clip) for name, clip in clips.items()}
    if len(set(lengths.values())) != 1:
        raise ValueError(
            f"Expected clips of the same number of frames. Received: {lengths}. Sample the same T of each."
        )
    num_frames = next(iter(lengths.values()))
    frames = [frame for clip in clips.values() for frame in clip]
    sheet = tile(frames, columns=num_frames, gap=max(2, frames[0].shape[1] // 40))
    figure = Figure(0.85 * _sheet_height(sheet, None) + 0.55, alt=f"{num_frames} frames each of {', '.join(clips)}")
    axis = figure.subplots()
    axis.imshow(sheet)
    axis.grid(visible=False)
    axis.spines[["left", "bottom"]].set_visible(False)
    row, column = (sheet.shape[0] / len(clips), sheet.shape[1] / num_frames)
    axis.set_yticks(row * (np.arange(len(clips)) + 0.5), _sign_texts(list(clips), correct))
    axis.set_xticks(column * (np.arange(num_frames) + 0.5), range(1, num_frames + 1))
    axis.set_xlabel("frame of the clip")
    if correct is not None:
        for label, is_correct in zip(axis.get_yticklabels(), correct, strict=True):
            label.set_color(CORRECT if is_correct else WRONG)
    axis.set_title(title or "")
    return figure


@styled
def plot_classes(videos: pd.DataFrame, *, title: str | None = None) -> Figure:
    """Count the videos of each class, and of each part if there is a split.

    Args:
        videos: a table with the column class_name and, if parts are to be told apart, part.
        title: a heading; by default the number of videos and classes.

    Returns:
        The figure.
    """
    part_of_each = videos["subset"] if "subset" in videos else np.full(len(videos), "videos")
    counts = pd.crosstab(videos["class_name"].to_numpy(), part_of_each)  # one row a class
    parts = [part for part in (*SUBSET_COLORS, "videos") if part in counts]
    heading = title or f"{len(videos):,} videos of {len(counts)} classes"
    figure, axes, panels = class_panels(len(counts), alt=f"Bars: {heading}, {counts.sum(axis=1).min()} or more a class")
    for axis, panel in zip(axes, panels, strict=True):
        left = 0
        for part in parts:
            width = counts[part].iloc[panel].to_numpy()
            axis.barh(
                range(len(width)),
                width,
                left=left,
                height=0.7,
                color=SUBSET_COLORS.get(part, CLASS_COLORS[0]),
                label=part,
            )
            left = left + width
        name_rows(axis, counts.index[panel])
        axis.set_xlabel("videos")
        axis.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    set_title(figure, heading)
    if len(parts) > 1:
        legend_above(figure, axes[0])
    return figure


@styled
def plot_lengths(videos: pd.DataFrame, *, title: str | None = None) -> Figure:
    """Show how long the videos of each class are: all (thin), the middle half (thick), the median (dot).

    Args:
        videos: a table with the columns class_name, frames and fps.
        title: a heading; by default the shortest, median and longest.

    Returns:
        The figure.
    """
    seconds = videos["frames"] / videos["fps"]
    table = seconds.groupby(videos["class_name"]).quantile([0, 0.25, 0.5, 0.75, 1]).unstack()
    shortest, median, longest = seconds.quantile([0, 0.5, 1])
    heading = title or f"{shortest:.3g} to {longest:.3g} seconds, half of the videos below {median:.3g}"
    figure, axes, panels = class_panels(len(table), alt=f"Length of the videos by class: {heading}")
    for axis, panel in zip(axes, panels, strict=True):
        low, first, middle, third, high = table.iloc[panel].to_numpy().T
        rows = np.arange(len(low))
        axis.hlines(rows, low, high, color=MUTED, linewidth=1, label="all")
        axis.hlines(rows, first, third, color=CLASS_COLORS[0], linewidth=4, label="middle half")
        axis.plot(middle, rows, "o", color="white", markeredgecolor=INK, markersize=5, label="median")
        name_rows(axis, table.index[panel])
        axis.set_xlim(0, longest * 1.04)
        axis.set_xlabel("seconds")
    set_title(figure, heading)
    legend_above(figure, axes[0])
    return figure


@styled
def plot_sampling(rules: dict, num_video_frames: int, *, title: str | None = None) -> Figure:
    """Show which frames of a video each sampling rule takes.

    Args:
        rules: name -> int (T,) or (M, T), frame numbers from 0; each of the M windows gets its own line.
        num_video_frames: how many frames the video has.
        title: a heading, or None.

    Returns:
        The figure.
    """
    lines = [(name, np.atleast_2d(indices)) for name, indices in rules.items()]
    num_lines = sum(len(windows) for _, windows in lines)
    alt = f"Frames taken of {num_video_frames} by {', '.join(rules)}"
    figure = Figure(0.8 + 0.17 * num_lines + 0.2 * len(lines), alt=alt)
    axis = figure.subplots()
    y, ticks = 0.0, []
    for (name, windows), color in zip(lines, CLASS_COLORS * math.ceil(len(lines) / len(CLASS_COLORS)), strict=False):
        rows = y + 0.6 * np.arange(len(windows))
        axis.hlines(rows, windows.min(axis=1), windows.max(axis=1), color=color, linewidth=1, alpha=0.5)
        axis.plot(windows.T, np.broadcast_to(rows, windows.T.shape), "o", color=color, markersize=3.5)
        ticks.append((rows.mean(), name))
        y = rows[-1] + 1.2
    axis.set_yticks(*zip(*ticks, strict=True))
    axis.set_ylim(y - 0.5, -0.7)
    axis.set_xlim(-0.02 * num_video_frames, 1.02 * num_video_frames)
    axis.grid(axis="y", visible=False)
    axis.set_xlabel("frame of the video")
    axis.set_title(title or "")
    return figure
