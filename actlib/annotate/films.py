"""A video and a model -> a film that shows what the model predicts while it plays; several clips joined into one.

The video is read twice, small frames for the model, then whole ones to draw on; neither are ever kept.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from PIL import Image, ImageOps
from tqdm.auto import tqdm

from actlib.animation import write_animation
from actlib.annotate.panel import COLORS, NIGHT, REFERENCE, Panel
from actlib.evaluation import NONE_OF_THESE
from actlib.files import refuse_inputs
from actlib.timeline import WINDOW, Segment, find_segments, measure_delays, predict_timeline
from actlib.video import LIMITS, open_video, stream_frames, write_video

MAX_SIDE = 960  # pixels of the longer side of the picture
MIN_SIDE = 240  # pixels; smaller videos are enlarged until their height or a width of 320 is reached


class Annotated(NamedTuple):
    """A film and what the model predicted in it."""

    path: Path
    num_frames: int
    fps: float
    predicted: list[Segment]  # stretches of one label, end to end
    accuracy: float | None  # share of frames whose label is true, 0..1; None where the truth is not known
    delays: pd.DataFrame  # how long the label took to follow each change of the truth, see `timeline.measure_delays`


def annotate_video(video, model, out, *, true_label=None, window=WINDOW, limits=LIMITS, max_bytes=1_500_000):
    """Write a film of a video with what a model predicts drawn under every frame.

    Args:
        video: path of any video; it is only read.
        model: called with clips, uint8 (N, T, H, W, 3), gives logits (N, T, K); see `actlib.timeline`.
        out: path of an .mp4 (H.264, plays in every browser) or a .gif (kept below `max_bytes`).
        true_label: a class, or Segments where it changes (`join_videos` gives them), or None where nobody knows; what
            the model cannot know is called "none of these".
        window: time span, smoothing, temperature and threshold.
        max_bytes: largest size of a .gif.

    Raises:
        VideoError: the video cannot be used.
        ValueError: `out` is the video itself or ends otherwise, a true label is unknown, logits have another shape.
    """
    out = Path(out)
    if out.suffix.lower() not in (".mp4", ".gif"):
        raise ValueError(f"Expected a file ending in .mp4 or .gif. Received: {out}. Give out another ending.")
    refuse_inputs(out, video)
    stream = open_video(video, limits=limits, max_side=MAX_SIDE)
    whole = [Segment(0, stream.limits.max_frames + 1, true_label)]
    truth = whole if isinstance(true_label, str) else true_label or []
    if unknown := {part.label for part in truth} - {*model.classes, NONE_OF_THESE}:
        known = ", ".join([*model.classes, f"'{NONE_OF_THESE}'"])
        raise ValueError(f"Expected true labels among {known}. Received: {', '.join(sorted(unknown))}. Check them.")
    timeline, labels = predict_timeline(stream, model, window=window, progress=True), []
    frames = _draw_frames(stream, timeline, truth=truth, window=window, labels=labels)
    frames = tqdm(frames, out.name, stream.num_frames, unit="frame", leave=False)
    if out.suffix.lower() == ".gif":
        write_animation(out, frames, fps=stream.fps, max_bytes=max_bytes, reserved=COLORS)
    else:
        write_video(out, frames, fps=stream.fps)
    predicted = find_segments(labels)
    correct = [label == part.label for part in truth for label in labels[part.start : part.stop]]
    delays = measure_delays(predicted, truth, fps=stream.fps)
    return Annotated(out, len(labels), stream.fps, predicted, sum(correct) / len(labels) if truth else None, delays)


def join_videos(videos, out, *, labels=None, fps=25.0, size=(240, 320)) -> list[Segment]:
    """Join several clips end to end, to see whether and how soon the label follows the change.

    Args:
        videos, labels: paths, which are only read; what each clip shows, or None for the name of its folder.
        fps: frames a second of the film.
        size: (H, W) in pixels, even; clips are fitted into it with black beside or above.

    Returns:
        Segments of the film, to be given to `annotate_video` as `true_label`; a label that stays is one segment.

    Raises:
        ValueError: there are no videos, or not as many labels, or `out` is one of the videos.
        VideoError: a video cannot be used.
    """
    videos = [Path(video) for video in videos]
    labels = [video.resolve().parent.name for video in videos] if labels is None else list(labels)
    if not videos or len(labels) != len(videos):
        raise ValueError(f"Expected a label for each of at least 1 video. Received: {len(labels)} for {len(videos)}.")
    refuse_inputs(out, *videos)
    shown = []

    def fitted_frames():
        for video, label in zip(videos, labels, strict=True):
            for frame in stream_frames(open_video(video), fps=fps):
                shown.append(label)
                yield fit_frame(frame, size)

    write_video(out, fitted_frames(), fps=fps)
    return find_segments(shown)


def fit_frame(frame: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Fit a frame into a size without distortion, with black around it: uint8 (H, W, 3).

    Args:
        frame, size: uint8 (h, w, 3); (H, W) in pixels.
    """
    return np.asarray(ImageOps.pad(Image.fromarray(frame), size[::-1], Image.Resampling.BILINEAR))


def _draw_frames(stream, timeline, *, truth, window, labels):
    """Frames of the annotated film, uint8 (H, W, 3), all of one even size; `labels` grows by theirs."""
    grow = max(1.0, min(REFERENCE / stream.width, MIN_SIDE / stream.height))
    height, width = (2 * max(1, round(side * grow / 2)) for side in (stream.height, stream.width))
    canvas, classes = max(REFERENCE, width), timeline.classes
    note = f"exponential smoothing, {window.smoothing_seconds:g} s" if window.smoothing_seconds else ""
    panel = Panel(canvas, classes=classes, num_frames=stream.num_frames, fps=stream.fps, truth=truth, note=note)
    for index, frame in enumerate(stream_frames(stream, size=(height, width))):
        begun = np.searchsorted(timeline.seconds, (index + 0.5) / stream.fps + 1e-9, "right")
        step = max(0, begun - 1)  # the last that has begun, before the first one that
        probabilities = timeline.probabilities[step]
        known = timeline.scores[step] >= 0 and probabilities.max() >= window.threshold
        labels.append(classes[probabilities.argmax()] if known else NONE_OF_THESE)
        picture = ImageOps.pad(Image.fromarray(frame), (canvas, height), color=NIGHT)
        yield np.concatenate([picture, panel.draw(index, probabilities, labels[-1])])
