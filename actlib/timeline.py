"""A model over the time of a video: what it says at each moment, made steady, cut into segments, held to the truth.

A model is anything that can be called with clips, uint8 (N, T, H, W, 3), and answers with logits (N, T, K), one row a
step, and that knows its `classes` (K names), `size` (pixels), `num_frames` (T) and `kind` ("frames" or "lrcn").
"""

from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from actlib.evaluation import softmax
from actlib.video import open_video, stream_frames

LONGEST_WINDOW = 8.0  # seconds; UCF-101's videos last 7.2 on average


@dataclass(frozen=True)
class WindowConfig:
    """How a model watches a video."""

    window_seconds: float | None = None  # time that T frames span; None: the whole video, 8 seconds at most
    smoothing_seconds: float = 0.0  # time constant of the exponential smoothing; 0 for none
    temperature: float = 1.0  # logits are divided by it before the softmax, see `actlib.evaluation.calibration`
    threshold: float = 0.0  # probability below which the label is "none of these", likewise


WINDOW = WindowConfig()


class Segment(NamedTuple):
    """A stretch of frames with one label: from frame `start` up to, not including, frame `stop`."""

    start: int
    stop: int
    label: str


class Step(NamedTuple):
    """What a model says from one moment on."""

    seconds: float
    probabilities: np.ndarray  # float32 (K,)


class Timeline(NamedTuple):
    """What a model said over a whole video, one row a step."""

    seconds: np.ndarray  # float64 (S,)
    probabilities: np.ndarray  # float32 (S, K)
    classes: tuple[str, ...]
    pooled: np.ndarray | None = None  # float (K,), the answer for the whole video; None: the mean of the steps


def predict_timeline(video, model, *, window=WINDOW) -> Timeline:
    """Says what a model sees in a video from beginning to end, as a table to plot or to look things up in.

    Args:
        video: path, or what `open_video` gave.
        model: see the top of this page.
        window: how it watches.

    Returns:
        Timeline.

    Raises:
        VideoError: the video cannot be used.
        ValueError: the model's logits have another shape than (1, T, K).

    Example:
        >>> timeline = predict_timeline("jump.mp4", model)  # doctest: +SKIP
        >>> timeline.classes[timeline.probabilities.mean(axis=0).argmax()]  # doctest: +SKIP
        'Jumping'
    """
    stream = video if hasattr(video, "fps") else open_video(video)
    steps = list(watch(stream, model, window=window))
    seconds, probabilities = zip(*steps, strict=True)
    return Timeline(np.array(seconds), np.stack(probabilities), tuple(model.classes))


def watch(stream, model, *, window=WINDOW):
    """Gives what a model says of a video, step by step, as it plays; memory does not grow with its length.

    T frames are spread evenly over a window, as in training, so there are T steps in a window's time. The first window
    gives its T steps; an LRCN's next windows each begin half a window later and give their later half, so that a step
    never sees frames that come after it. A model whose readout is the mean says at each step the mean up to there.

    Args:
        stream: what `open_video` gave.
        model: see the top of this page.
        window: how it watches.

    Yields:
        Step.

    Raises:
        ValueError: the model's logits have another shape than (1, T, K).
    """
    length = model.num_frames
    fps = length / window_seconds(stream, model, window)
    stride = max(1, length // 2) if model.kind == "lrcn" else length
    steps, index = _all_logits(stream_frames(stream, size=model.size, fps=fps), model, stride), 0
    probabilities = (softmax(logits / window.temperature).astype(np.float32) for logits in steps)
    for index, row in enumerate(smooth(probabilities, window.smoothing_seconds * fps)):
        yield Step((index + 0.5) / fps, row)


def window_seconds(stream, model, window) -> float:
    """Decides which time a model's T frames span.

    Args:
        stream: what `open_video` gave.
        model: its own `window_seconds`, if it has one, is how it was trained.
        window: its `window_seconds` goes before.

    Returns:
        Seconds: as asked, else as trained, else the whole video up to LONGEST_WINDOW.
    """
    asked = window.window_seconds or getattr(model, "window_seconds", None)
    return asked or min(max(stream.seconds, 1 / stream.fps), LONGEST_WINDOW)


def smooth(rows, time_constant):
    """Makes a stream steady by exponential smoothing: each answer is a share new, the rest what was said before.

    After a clean change the new class takes over once 0.69 time constants have passed: steadiness is paid with delay.

    Args:
        rows: iterable of arrays of one shape.
        time_constant: in steps; the share of what is new is 1 - exp(-1 / time_constant). 0 leaves rows as they are.

    Yields:
        Arrays like the rows.

    Example:
        >>> [round(float(row), 2) for row in smooth([0.0, 1.0, 1.0], 1.0)]
        [0.0, 0.63, 0.86]
    """
    share, state = 1.0 if time_constant <= 0 else 1 - np.exp(-1 / time_constant), None
    for row in rows:
        state = row if state is None else state + share * (row - state)
        yield state


def find_segments(labels) -> list[Segment]:
    """Cuts a row of labels, one a frame, into stretches of one label.

    Args:
        labels: iterable of str.

    Returns:
        List of Segment, end to end.

    Example:
        >>> find_segments("aab")
        [Segment(start=0, stop=2, label='a'), Segment(start=2, stop=3, label='b')]
    """
    segments = []
    for index, label in enumerate(labels):
        extend_segments(segments, index, label)
    return segments


def extend_segments(segments, index, label):
    """Adds one frame's label to a list of segments in place, lengthening the last where the label stays.

    Args:
        segments: list of Segment, end to end.
        index: number of the frame, the one after the last.
        label: its label.
    """
    if segments and segments[-1].label == label:
        segments[-1] = segments[-1]._replace(stop=index + 1)
    else:
        segments.append(Segment(index, index + 1, label))


def measure_delays(said, truth, *, fps, hold_frames=1) -> pd.DataFrame:
    """Measures how long the label takes to follow each change of what is really going on.

    Args:
        said: Segments that the model gave, end to end.
        truth: Segments that are true, end to end; each but the first begins with a change.
        fps: frames a second.
        hold_frames: frames for which the label has to stay right to count as having followed.

    Returns:
        DataFrame, a row a change: `frame` where it happens, also in `seconds`; `label` from there on; `delay_frames`
        and `delay_seconds` until it is said (NaN where it never is before the next change).

    Example:
        >>> said, truth = find_segments("aaaabb"), find_segments("aabbbb")
        >>> measure_delays(said, truth, fps=2.0).to_dict("records")
        [{'frame': 2, 'seconds': 1.0, 'label': 'b', 'delay_frames': 2.0, 'delay_seconds': 1.0}]
    """
    rows = [
        (change.start, change.start / fps, change.label, delay, delay / fps)
        for change in truth[1:]
        for delay in [_delay(change, said, hold_frames)]
    ]
    return pd.DataFrame(rows, columns=["frame", "seconds", "label", "delay_frames", "delay_seconds"])


def _delay(change, said, hold_frames):
    """Frames until a segment's label is said and held, or NaN."""
    for segment in said:
        start, stop = max(segment.start, change.start), min(segment.stop, change.stop)
        if segment.label == change.label and stop - start >= min(hold_frames, change.stop - start) and stop > start:
            return float(start - change.start)
    return float("nan")


def _all_logits(frames, model, stride):
    """Scores (K,) of each step in turn."""
    for clip, steps in _slide(frames, model.num_frames, stride):
        logits = np.asarray(model(clip[None]), np.float32)
        expected = (1, model.num_frames, len(model.classes))
        if logits.shape != expected:
            raise ValueError(f"Expected logits {expected} (1, T, K). Received: {logits.shape}. Check the model.")
        if getattr(model, "readout", None) == "mean":
            logits = logits.cumsum(axis=1) / np.arange(1, model.num_frames + 1)[:, None]
        yield from logits[0, steps]


def _slide(frames, length, stride):
    """Clips (T, H, W, 3) and the slice of steps in each that were not in an earlier one; the end is held if need be."""
    window, fresh, due = deque(maxlen=length), 0, length
    for frame in frames:
        window.append(frame)
        fresh += 1
        if fresh == due:
            yield np.stack(window), slice(length - fresh, length)
            fresh, due = 0, stride
    if fresh:
        held = [window[-1]] * (length - len(window))
        yield np.stack([*window, *held]), slice(len(window) - fresh, len(window))
