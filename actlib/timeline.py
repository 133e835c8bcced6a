"""A model's predictions over the time of a video: step by step, smoothed, cut into segments, compared with the truth.

A model is anything that can be called with clips, uint8 (N, T, H, W, 3), and returns logits (N, T, K), one row a step,
and that has `classes` (K names), `size` (pixels), `num_frames` (T), `kind` ("frames" or "lrcn") and `readout`; and
`flow`, a `FlowSpec`, if it is to be given flow pictures. `temperatures` and `score` are those of `experiment.Predictor`
and may be missing. Or it is a `FusedModel` of several such.
"""

import itertools
from collections import deque
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from actlib.evaluation import apply_temperature, pool_clips, share_weights, softmax
from actlib.video import open_video, stream_flow, stream_frames

MAX_STEPS_A_SECOND = 1000
MAX_WINDOW_SECONDS = 8.0  # UCF-101's videos last 7.2 on average


class WindowConfig(NamedTuple):
    """Which frames a model is given, and what is done with its probabilities."""

    window_seconds: float | None = None  # time that T frames span; None: as trained, else the whole video, 8 s at most
    smoothing_seconds: float = 0.0  # time constant of the exponential smoothing; 0 for none
    temperature: float | None = None  # logits are divided by it before the softmax; None: as the model's card says
    threshold: float = 0.0  # probability below which the prediction is "none of these", whatever the card says


WINDOW = WindowConfig()


@dataclass(eq=False)
class FusedModel:
    """Models of the same `classes`, of frames and of flow, say, whose probabilities are averaged at every moment.

    Raises:
        ValueError: their classes differ, or a weight is below 0.
    """

    models: tuple
    weights: tuple[float, ...] = (1, 1)

    def __post_init__(self):
        share_weights(self.weights)
        self.classes = tuple(self.models[0].classes)
        if len(found := {tuple(model.classes) for model in self.models}) > 1:
            found = " and ".join(", ".join(classes) for classes in sorted(found))
            raise ValueError(f"Expected models of the same classes. Received: {found}. Train them on the same videos.")


class Segment(NamedTuple):
    """A stretch of frames with one label: from frame `start` up to, not including, frame `stop`."""

    start: int
    stop: int
    label: str


class Timeline(NamedTuple):
    """A model's probabilities over a whole video, one row a step."""

    seconds: np.ndarray  # float64 (S,), of each step's frame
    probabilities: np.ndarray  # float32 (S, K)
    classes: tuple[str, ...]
    pooled: np.ndarray | None = None  # float (K,), of the whole video by the model's read-out; None: mean of the steps
    scores: np.ndarray | float = np.inf  # float (S,), how much each step's window is like the known classes

    @property
    def score(self) -> float:
        """How much the whole video is like the known classes; below 0 it is "none of these"."""
        return float(np.mean(self.scores))


def predict_timeline(video, model, *, window=WINDOW, progress=False) -> Timeline:
    """Predict a video: each step, and the whole by the model's read-out.

    T frames are spread evenly over a window, as in training. The first window gives its T steps; an LRCN's next windows
    begin half a window later each and give their later half, so that a step never sees frames that come after it. With
    the read-out "mean", a step's logits are the mean of its window's so far.

    Args:
        video: a path, or what `open_video` gave.
        model: see this module.
        window: see `WindowConfig`.
        progress: whether to show a bar.

    Raises:
        ValueError: the model's logits have another shape, or its frames are too close to each other.
        VideoError: the video cannot be used.
    """
    stream = video if hasattr(video, "fps") else open_video(video)
    if models := getattr(model, "models", ()):
        return _fuse([predict_timeline(stream, each, window=window, progress=progress) for each in models], model)
    length, expected = model.num_frames, (1, model.num_frames, len(model.classes))
    spanned = window.window_seconds or getattr(model, "window_seconds", None)
    fps = length / (spanned or min(max(stream.seconds, 1 / stream.fps), MAX_WINDOW_SECONDS))
    if not fps <= MAX_STEPS_A_SECOND:
        found = f"{length} frames in {spanned} s"
        raise ValueError(f"Expected {MAX_STEPS_A_SECOND} frames a second at most. Received: {found}. See WindowConfig.")
    read = partial(stream_flow, spec=flow) if (flow := getattr(model, "flow", None)) else stream_frames
    frames = read(stream, size=model.size, fps=fps)
    if progress:
        frames = tqdm(frames, "predicting", round(stream.seconds * fps), unit="frame", leave=False)
    rows, windows, scores = [], [], []
    for clip, steps in _slide_windows(frames, length, max(1, length // 2) if model.kind == "lrcn" else length):
        logits = np.asarray(model(clip[None]), np.float32)
        if logits.shape != expected:
            raise ValueError(f"Expected logits {expected} (1, T, K). Received: {logits.shape}. Check the model.")
        windows.append(logits[0])
        if model.readout == "mean":
            logits = logits.cumsum(axis=1) / np.arange(1, length + 1, dtype=np.float32)[:, None]
        rows += [*logits[0, steps]]
        scores += [*getattr(model, "score", lambda _: [np.inf])(clip[None])] * (steps.stop - steps.start)
    fitted = getattr(model, "temperatures", {})
    step, whole = (window.temperature or fitted.get(level, 1.0) for level in ("step", "video"))
    rows = smooth(softmax(np.stack(rows) / step), window.smoothing_seconds * fps).astype(np.float32)
    pooled = apply_temperature(pool_clips(np.stack(windows), model.readout).mean(axis=0), whole)
    return Timeline((np.arange(len(rows)) + 0.5) / fps, rows, tuple(model.classes), pooled, np.array(scores))


def smooth(rows, time_constant) -> np.ndarray:
    """Smooth rows exponentially: each is a share of the new, the rest of the row before; float64, of the same shape.

    After a clean change the new class takes over once 0.69 time constants have passed: steadiness costs delay.

    Args:
        rows: float (S,) or (S, K).
        time_constant: in steps; the share of what is new is 1 - exp(-1 / time_constant). 0 leaves rows as they are.

    Example:
        >>> smooth([0.0, 1.0, 1.0], 1.0).round(2).tolist()
        [0.0, 0.63, 0.86]
    """
    share = -np.expm1(-1 / max(time_constant, 1e-9))
    return pd.DataFrame(rows).ewm(alpha=share, adjust=False).mean().to_numpy().reshape(np.shape(rows))


def find_segments(labels) -> list[Segment]:
    """Cut a row of labels into stretches of one label, end to end.

    Args:
        labels: iterable, one a frame.

    Example:
        >>> find_segments("aab")
        [Segment(start=0, stop=2, label='a'), Segment(start=2, stop=3, label='b')]
    """
    segments, start = [], 0
    for label, stretch in itertools.groupby(labels):
        segments.append(Segment(start, start + sum(1 for _ in stretch), label))
        start = segments[-1].stop
    return segments


def measure_delays(predicted, truth, *, fps) -> pd.DataFrame:
    """Measure how long the prediction takes to follow each change of the true label.

    Args:
        predicted, truth: Segments, end to end, each but the first beginning with a change.
        fps: frames a second.

    Returns:
        DataFrame, a row a change: `frame` where it happens, also in `seconds`; `label` from there on; `delay_frames`
        and `delay_seconds` until it is predicted (NaN where it never is before the next change).

    Example:
        >>> predicted, truth = find_segments("aaaabb"), find_segments("aabbbb")
        >>> measure_delays(predicted, truth, fps=2.0).to_dict("records")
        [{'frame': 2, 'seconds': 1.0, 'label': 'b', 'delay_frames': 2, 'delay_seconds': 1.0}]
    """
    rows = []
    for change in truth[1:]:
        parts = [part for part in predicted if part.label == change.label and change.start < part.stop]
        delay = max(0.0, parts[0].start - change.start) if parts and parts[0].start < change.stop else np.nan
        rows.append((change.start, change.start / fps, change.label, delay, delay / fps))
    return pd.DataFrame(rows, columns=["frame", "seconds", "label", "delay_frames", "delay_seconds"])


def _fuse(timelines, model):
    """At each moment at which one of several models has a new step, the average of the last of all."""
    seconds = np.unique(np.concatenate([each.seconds for each in timelines]))
    rows = [np.maximum(np.searchsorted(each.seconds, seconds, "right") - 1, 0) for each in timelines]
    latest = [(each.probabilities[row], each.scores[row]) for each, row in zip(timelines, rows, strict=True)]
    probabilities, scores = zip(*latest, strict=True)
    wholes = [each.pooled for each in timelines]
    rows, pooled = (np.average(each, 0, model.weights).astype(np.float32) for each in (probabilities, wholes))
    return Timeline(seconds, rows, model.classes, pooled, np.min(scores, axis=0))


def _slide_windows(frames, length, stride):
    """Clips (T, H, W, 3) and the slice of steps in each that were not in an earlier one; the last frame is repeated."""
    window, fresh, due = deque(maxlen=length), 0, length
    for frame in frames:
        window.append(frame)
        fresh += 1
        if fresh == due:
            yield np.stack(window), slice(length - fresh, length)
            fresh, due = 0, stride
    if fresh:
        padding = [window[-1]] * (length - len(window))
        yield np.stack([*window, *padding]), slice(len(window) - fresh, len(window))
