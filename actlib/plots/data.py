"""Figures of videos before any model: contact sheets, classes, lengths, sampling, optical flow."""

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.colors import hsv_to_rgb
from matplotlib.patches import Rectangle

from actlib.plots import style
from actlib.plots.style import CLASS_COLORS, INK, MUTED, SIGNS, VERDICTS, WIDTH, WRONG, Figure, escape_name, styled

SUBSET_COLORS = dict(zip(("train", "validation", "test"), CLASS_COLORS, strict=False))
NARROWEST = 48  # pixels, of the widest frame on a sheet
WHEEL = np.stack(np.meshgrid(*2 * [np.linspace(-1, 1, 180)]), axis=-1)  # from the middle, every way
WHEEL[np.hypot(*WHEEL.T) > 1] = 0


@styled
def show_frames(frames, *, titles=None, correct=None, columns: int = 8, title: str | None = None) -> Figure:
    """Lay frames out on one sheet, in reading order.

    Args:
        frames: a sequence of n uint8 (H, W, 3) RGB, of any sizes; the pixels of tiny ones are shown as squares.
        titles: n short texts above the frames, or None.
        correct: n bools, which frames and titles are marked as right or wrong by color and sign, or None.
        columns: frames a row, at most.

    Example:
        >>> show_frames(np.zeros((3, 24, 32, 3), np.uint8), titles=["a", "b", "c"]).alt
        'Frames of videos (3): a, b, c'
    """
    times = -(-NARROWEST // max(frame.shape[1] for frame in frames))
    frames = [np.asarray(frame).repeat(times, axis=0).repeat(times, axis=1) for frame in frames]
    columns = max(3, min(columns, len(frames)))  # a frame alone stays small
    texts = _sign_texts([""] * len(frames) if titles is None else titles, correct)
    num_lines = max(text.count("\n") + 1 for text in texts) if any(texts) else 0
    height, width = (max(frame.shape[axis] for frame in frames) for axis in (0, 1))
    gap = max(2, round(width * max(0.03 if times == 1 else 0.12, 0.16 * num_lines * columns / WIDTH)))
    sheet = style.tile(frames, columns=columns, gap=gap)
    named = ": " + ", ".join(texts).replace("\n", " ") if any(texts) else ""
    inches = WIDTH * (sheet.shape[0] + gap) / sheet.shape[1] + (0.4 if title else 0.1)
    axis = Figure(inches, alt=f"{title or 'Frames of videos'} ({len(frames)}){named}", title=title).subplots()
    axis.set_axis_off()
    axis.imshow(sheet)
    axis.set(xlim=(-1, sheet.shape[1]), ylim=(sheet.shape[0], -gap))
    texts, size = _fit_titles(texts, 66 * WIDTH * (width + gap) / sheet.shape[1] - 4)  # points, of 72 an inch
    for index, text in enumerate(texts):
        left, top = index % columns * (width + gap), index // columns * (height + gap)
        color = INK if correct is None else VERDICTS[bool(correct[index])]
        axis.text(left, top - 0.02 * height, text, color=color, fontsize=size, va="bottom", ha="left")
        if correct is not None:
            axis.add_patch(Rectangle((left - 0.5, top - 0.5), width, height, fill=False, edgecolor=color, linewidth=2))
    return axis.figure


@styled
def show_clips(clips: dict, *, correct=None, title: str | None = None) -> Figure:
    """Show one clip a row, its name at the left and time going to the right.

    Args:
        clips: name -> uint8 (T, H, W, 3), all of the same T, else a ValueError.
        correct: a bool a clip, whether its name is marked as right or wrong, or None.
    """
    clips = {escape_name(name): clip for name, clip in clips.items()}
    lengths = {name: len(clip) for name, clip in clips.items()}
    num_frames, *others = set(lengths.values())
    if others:
        raise ValueError(f"Expected clips of as many frames each. Received: {lengths}. Sample the same T of each.")
    frames = [frame for clip in clips.values() for frame in clip]
    sheet = style.tile(frames, columns=num_frames, gap=max(2, frames[0].shape[1] // 40))
    inches = 0.85 * WIDTH * sheet.shape[0] / sheet.shape[1] + (0.9 if title else 0.65)
    axis = Figure(inches, alt=f"{num_frames} frames each of {', '.join(clips)}", title=title).subplots()
    axis.imshow(sheet)
    axis.grid(visible=False)
    axis.spines[:].set_visible(False)
    row, column = (sheet.shape[0] / len(clips), sheet.shape[1] / num_frames)
    axis.set_yticks(row * (np.arange(len(clips)) + 0.5), _sign_texts(clips, correct))
    axis.set_xticks(column * (np.arange(num_frames) + 0.5), range(1, num_frames + 1))
    axis.set_xlabel("frame of the clip")
    for label, is_correct in zip(axis.get_yticklabels(), () if correct is None else correct, strict=False):
        label.set_color(VERDICTS[bool(is_correct)])
    return axis.figure


@styled
def plot_classes(videos: pd.DataFrame, *, title: str | None = None) -> Figure:
    """Count the videos of each class, and of each subset if there is a split.

    Args:
        videos: a table with the column class_name and, if subsets are to be told apart, subset.
        title: a heading; by default the number of videos and classes.
    """
    videos = videos.assign(class_name=videos["class_name"].map(escape_name))
    counts = videos["class_name"].value_counts().sort_index()
    title = title or f"{len(videos):,} videos of {len(counts)} classes"
    alt, subsets = f"Bars: {title}, {counts.min()} or more a class", {}
    if "subset" in videos:
        order = [name for name in reversed(SUBSET_COLORS) if name in set(videos["subset"])]
        subsets = {"hue": "subset", "hue_order": order, "palette": SUBSET_COLORS}
    for axis, names in style.class_panels(counts.index, alt=alt, title=title, reverse=True):
        rows = videos[videos["class_name"].isin(names)].sort_values("class_name")
        sns.histplot(rows, y="class_name", multiple="stack", shrink=0.7, alpha=1, linewidth=0, ax=axis, **subsets)
        axis.set_xlabel("videos")
        axis.locator_params("x", nbins=5, integer=True)
    return axis.figure


@styled
def plot_lengths(videos: pd.DataFrame, *, title: str | None = None) -> Figure:
    """Show how long the videos of each class are: all (thin), the middle half (thick), the median (dot).

    Args:
        videos: a table with the columns class_name, frames and fps.
        title: a heading; by default the shortest, median and longest.
    """
    names = videos["class_name"].map(escape_name)
    videos = videos.assign(class_name=names, seconds=videos["frames"] / videos["fps"])
    shortest, median, longest = videos["seconds"].quantile([0, 0.5, 1])
    title = title or f"{shortest:.3g} to {longest:.3g} seconds, half of the videos below {median:.3g}"
    alt = f"Length of the videos by class: {title}"
    for axis, some in style.class_panels(sorted(names.unique()), alt=alt, title=title):
        options = {"data": videos, "x": "seconds", "y": "class_name", "order": some, "ax": axis, "estimator": "median"}
        for share, width, size, color in ((100, 1, 0, MUTED), (50, 4, 4, CLASS_COLORS[0])):
            look = {"color": color, "markersize": size, "err_kws": {"linewidth": width}, "linestyle": "none"}
            sns.pointplot(errorbar=("pi", share), **options, **look)
        axis.set_xlim(0, longest * 1.04)
    return axis.figure


@styled
def plot_sampling(rules: dict, num_video_frames: int, *, title: str | None = None) -> Figure:
    """Show which frames of a video each sampling rule takes.

    Args:
        rules: name -> int (T,) or (M, T), frame numbers from 0; each of the M windows gets its own line.
        num_video_frames: how many frames the video has.
    """
    lines = [(window, name, f"C{k}") for k, name in enumerate(rules) for window in np.atleast_2d(rules[name])]
    alt = f"Frames taken of {num_video_frames} by {', '.join(rules)}"
    axis = Figure(1.2 + 0.2 * len(lines), alt=alt, title=title).subplots()
    for row, (window, _, color) in enumerate(lines):
        axis.plot(window, np.full(len(window), row), "o-", color=color, markersize=3.5, linewidth=0.6)
    axis.set_yticks(range(len(lines)), [name for _, name, _ in lines])
    axis.set(ylim=(len(lines) - 0.4, -0.6), xlim=(-0.02 * num_video_frames, 1.02 * num_video_frames))
    axis.grid(axis="y", visible=False)
    axis.set_xlabel("frame of the video")
    return axis.figure


@styled
def show_flow(frame, flow) -> Figure:
    """Show flow twice, as arrows over the frame it starts from and in colors, with the colour wheel that explains them.

    Args:
        frame: uint8 (H, W, 3).
        flow: float (H, W, 2), pixels to the right and down; arrows are four times as long.
    """
    figure = Figure(2.2, alt="A frame with arrows where it moves, its flow in colors, and the colour wheel")
    arrows, colors, wheel = figure.subplots(1, 3)
    rows, columns = np.mgrid[5 : len(flow) : 10, 5 : flow.shape[1] : 10]
    arrows.imshow(frame)
    vectors = flow[rows, columns].transpose(2, 0, 1)
    arrows.quiver(columns, rows, *vectors, color=WRONG, angles="xy", scale_units="xy", scale=1 / 4)
    colors.imshow(_color_flow(flow))
    wheel.imshow(_color_flow(WHEEL))
    for axis, title in ((arrows, "arrows"), (colors, "in colors"), (wheel, "the colour wheel")):
        axis.set_axis_off()
        axis.set_title(title)
    return figure


def _fit_titles(titles, width):
    """Fit titles into lines of so many points: in smaller type, then cut; return them, and the size of the type."""
    font, texts = style.load_font(100), [title.split("\n") for title in titles]
    widest = max(font.getlength(line) for lines in texts for line in lines) / 100  # in points, per point of type
    size = min(7.5, max(5.5, width / max(1, widest)))
    return ["\n".join(style.fit_text(line, font, 100 * width / size + 1) for line in lines) for lines in texts], size


def _color_flow(flow):
    """Color every pixel by where it goes: hue for the direction, the faster the stronger."""
    speed = np.hypot(*np.moveaxis(flow, -1, 0))
    hue = np.arctan2(flow[..., 1], flow[..., 0]) / (2 * np.pi) % 1  # 0: to the right, 1/4: down
    return hsv_to_rgb(np.stack([hue, speed / max(speed.max(), 1e-6), np.ones_like(hue)], axis=-1))


def _sign_texts(texts, correct) -> list[str]:
    """Texts with the sign of correct or wrong before each, and what cannot be printed in their lines escaped."""
    texts = ["\n".join(map(escape_name, text.split("\n"))) for text in texts]
    if correct is None:
        return texts
    return [f"{SIGNS[bool(is_correct)]} {text}" for text, is_correct in zip(texts, correct, strict=True)]
