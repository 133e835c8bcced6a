"""A video and a model -> a film that shows what the model says while it plays; several clips joined into one.

Two streams of the same video run side by side: small frames for the model, whole ones to draw on. Neither is ever kept,
so a two-hour film takes the memory of a short one.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from PIL import Image
from tqdm.auto import tqdm

from actlib.annotate.gif import write_gif
from actlib.annotate.panel import COLOURS, NIGHT, REFERENCE, Panel
from actlib.evaluation.calibration import NONE_OF_THESE
from actlib.timeline import WINDOW, Segment, extend_segments, measure_delays, predict_steps
from actlib.video import LIMITS, open_video, stream_frames
from actlib.video.writer import write_video

MAX_SIDE = 960  # pixels of the longer side of the picture
MIN_SIDE = 240  # pixels; smaller videos are enlarged until their height or a width of 320 is reached


class Annotated(NamedTuple):
    """A film that was written and what the model said in it."""

    path: Path
    num_frames: int
    fps: float
    said: list[Segment]  # stretches of one label, end to end
    right: float | None  # share of frames whose label is true, 0..1; None where the truth is not known
    delays: pd.DataFrame  # how long the label took to follow each change of the truth, see `timeline.measure_delays`


def annotate_video(
    video, model, out, *, true_label=None, window=WINDOW, limits=LIMITS, max_bytes=1_500_000
) -> Annotated:
    """Writes a film of a video with what a model says drawn under every frame.

    Args:
        video: path of any video.
        model: called with clips, uint8 (N, T, H, W, 3), gives logits (N, T, K); see `actlib.timeline`.
        out: path of an .mp4 (H.264, plays in every browser) or a .gif (kept below `max_bytes`).
        true_label: a class, or Segments where it changes (`join_videos` gives them), or None where nobody knows; what
            the model cannot know is called "none of these".
        window: time span, smoothing, temperature and threshold.
        limits: the largest video that is taken.
        max_bytes: largest size of a .gif.

    Returns:
        Annotated.

    Raises:
        VideoError: the video cannot be used.
        ValueError: the ending of `out`, a true label or the model's logits are not what they should be.

    Example:
        >>> annotate_video("jump.mp4", model, "said.gif", true_label="Jumping").right  # doctest: +SKIP
        0.93
    """
    out = Path(out)
    if out.suffix.lower() not in (".mp4", ".gif"):
        raise ValueError(f"Expected a file ending in .mp4 or .gif. Received: {out}. Give out another ending.")
    stream = open_video(video, limits=limits, max_side=MAX_SIDE)
    truth = _check_truth(true_label, model.classes, stream)
    tally = Tally(model.classes, truth, window.threshold)
    frames = draw_frames(stream, model, truth=truth, window=window, tally=tally)
    frames = tqdm(frames, out.name, stream.num_frames, unit="frame", leave=False)
    if out.suffix.lower() == ".gif":
        write_gif(out, frames, fps=stream.fps, max_bytes=max_bytes, reserved=COLOURS)
    else:
        write_video(out, frames, fps=stream.fps)
    delays = measure_delays(tally.said, truth or [], fps=stream.fps)
    return Annotated(out, tally.count, stream.fps, tally.said, tally.right, delays)


def draw_frames(stream, model, *, truth=None, window=WINDOW, tally=None):
    """Draws frame after frame of an annotated film.

    Args:
        stream: what `open_video` gave.
        model: see `actlib.timeline`.
        truth: Segments, or None.
        window: how the model watches.
        tally: Tally that is told each frame's probabilities, or None.

    Yields:
        uint8 (H, W, 3), all of one even size.
    """
    (height, width), canvas = _picture_size(stream)
    note = f"exponential smoothing, {window.smoothing_seconds:g} s" if window.smoothing_seconds else ""
    panel = Panel(canvas, classes=model.classes, num_frames=stream.num_frames, fps=stream.fps, truth=truth, note=note)
    tally = tally or Tally(model.classes, truth, window.threshold)
    left = (canvas - width) // 2
    film = np.empty((height + panel.height + height % 2, canvas, 3), np.uint8)
    film[:] = NIGHT
    answers = hold_answers(predict_steps(stream, model, window=window), stream.fps)
    for index, frame in enumerate(stream_frames(stream, size=(height, width))):
        probabilities = next(answers)
        said, right = tally.add(index, probabilities)
        film[:height, left : left + width] = frame
        film[-panel.height :] = panel.draw(index, probabilities, said, right)
        yield film.copy()


def hold_answers(steps, fps):
    """Repeats what a model said from each step on until the next, once a frame, without end.

    Args:
        steps: iterable of `timeline.Step`; before the first, the first holds.
        fps: frames a second.

    Yields:
        Probabilities, float32 (K,).
    """
    steps, frame = iter(steps), 0
    current = next(steps)
    for upcoming in steps:
        while (frame + 0.5) / fps < upcoming.seconds - 1e-9:
            yield current.probabilities
            frame += 1
        current = upcoming
    while True:
        yield current.probabilities


class Tally:
    """Counts, frame by frame, what is said and whether it is right."""

    def __init__(self, classes, truth, threshold):
        self.classes, self.truth, self.threshold = classes, truth, threshold
        self.said, self.count, self.num_right = [], 0, 0

    def add(self, index, probabilities):
        """Counts one frame.

        Args:
            index: number of the frame.
            probabilities: float (K,).

        Returns:
            What is said, and whether that is right (None where the truth is not known).
        """
        best = int(np.argmax(probabilities))
        said = self.classes[best] if probabilities[best] >= self.threshold else NONE_OF_THESE
        extend_segments(self.said, index, said)
        true = next((part.label for part in self.truth or () if part.start <= index < part.stop), None)
        right = None if true is None else said == true
        self.count, self.num_right = self.count + 1, self.num_right + bool(right)
        return said, right

    @property
    def right(self):
        """Share of frames that are right, or None where the truth is not known."""
        return self.num_right / self.count if self.truth and self.count else None


def join_videos(videos, out, *, labels=None, fps=25.0, size=(240, 320)) -> list[Segment]:
    """Joins several clips end to end, to see whether and how soon the label follows the change.

    Args:
        videos: paths.
        out: path of an .mp4.
        labels: what each clip shows; None: the name of its folder.
        fps: frames a second of the film.
        size: (H, W) in pixels, even; clips are fitted into it with black beside or above.

    Returns:
        Segments of the film with their labels, to be given to `annotate_video` as `true_label`; clips of one label
        after each other are one segment.

    Raises:
        ValueError: there are no videos, or not as many labels.
        VideoError: a video cannot be used.
    """
    videos = [Path(video) for video in videos]
    labels = [video.resolve().parent.name for video in videos] if labels is None else list(labels)
    if not videos or len(labels) != len(videos):
        raise ValueError(f"Expected a label for each of at least 1 video. Received: {len(labels)} for {len(videos)}.")
    marks = []

    def chain():
        for video, label in zip(videos, labels, strict=True):
            if not marks or marks[-1].label != label:
                start = marks[-1].stop if marks else 0
                marks.append(Segment(start, start, label))
            for frame in stream_frames(open_video(video), fps=fps):
                marks[-1] = marks[-1]._replace(stop=marks[-1].stop + 1)
                yield fit_frame(frame, size)

    write_video(out, chain(), fps=fps)
    return marks


def fit_frame(frame, size) -> np.ndarray:
    """Fits a frame into a size without changing its shape, with black around it.

    Args:
        frame: uint8 (h, w, 3).
        size: (H, W) in pixels.

    Returns:
        uint8 (H, W, 3).
    """
    scale = min(size[0] / frame.shape[0], size[1] / frame.shape[1])
    height, width = (max(1, round(side * scale)) for side in frame.shape[:2])
    picture = Image.new("RGB", size[::-1])
    resized = Image.fromarray(frame).resize((width, height), Image.Resampling.BILINEAR)
    picture.paste(resized, ((size[1] - width) // 2, (size[0] - height) // 2))
    return np.asarray(picture)


def _picture_size(stream):
    """((H, W) of the video, width of the film) in pixels: tiny videos are enlarged, films are even and wide enough."""
    grow = max(1.0, min(REFERENCE / stream.width, MIN_SIDE / stream.height))
    height, width = (max(1, round(side * grow)) for side in (stream.height, stream.width))
    canvas = max(REFERENCE, width)
    return (height, width), canvas + canvas % 2


def _check_truth(true_label, classes, stream):
    """Segments of the truth, or None."""
    if true_label is None:
        return None
    whole = [Segment(0, stream.limits.max_frames + 1, true_label)]
    truth = whole if isinstance(true_label, str) else list(true_label)
    unknown = sorted({part.label for part in truth} - {*classes, NONE_OF_THESE})
    if unknown:
        raise ValueError(
            f"Expected true labels among {', '.join(classes)} or '{NONE_OF_THESE}'. Received: {', '.join(unknown)}. "
            "Check the spelling."
        )
    return truth
