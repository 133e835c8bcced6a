"""What a model says at each frame of a video: scores of clips -> one line a class, to be watched beside the picture."""

from typing import NamedTuple

import numpy as np

from actlib.clips import sample_evenly
from actlib.evaluation import softmax

NUM_LINES = 5  # classes drawn in one timeline


class Timeline(NamedTuple):
    """Probabilities of the K classes at n frames of one video."""

    frames: np.ndarray  # int64 (n,), in rising order, numbered as in the video
    probabilities: np.ndarray  # float (n, K), in 0..1


def build_timelines(scores, clips, videos, *, num_frames=None):
    """Turn scores of clips into a timeline for each video; where clips overlap, their probabilities are averaged.

    Args:
        scores: float (N, T, K), before the softmax.
        clips: N pairs (row of the video, int (T,) places in what is stored of it), as `batches.clips(0)` gives them.
        videos: DataFrame with `name` and `frames`, in the order of those rows.
        num_frames: how many evenly spaced frames of each video are stored, or None for all.

    Returns:
        {name: Timeline}.

    Raises:
        ValueError: there are not as many clips as scores.

    Example:
        >>> import pandas as pd
        >>> videos = pd.DataFrame({"name": ["Jump/v_Jump_g01_c01.avi"], "frames": [40]})
        >>> timelines = build_timelines(np.zeros((1, 4, 2)), [(0, np.arange(4))], videos, num_frames=4)
        >>> timelines["Jump/v_Jump_g01_c01.avi"].frames
        array([ 5, 15, 25, 35])
    """
    scores = np.asarray(scores)
    if len(scores) != len(clips):
        raise ValueError(f"Expected scores of {len(clips)} clips. Received: {len(scores)}. Use batches.clips(0).")
    said = {}  # row -> [(frames, probabilities), ...]
    for (row, places), probabilities in zip(clips, softmax(scores), strict=True):
        length = int(videos["frames"].iloc[row])
        stored = np.arange(length) if num_frames is None else sample_evenly(length, num_frames)
        said.setdefault(int(row), []).append((stored[np.asarray(places)], probabilities))
    return {str(videos["name"].iloc[row]): _average(parts) for row, parts in said.items()}


def _average(parts):
    frames = np.concatenate([frames for frames, _ in parts])
    probabilities = np.concatenate([probabilities for _, probabilities in parts])  # (all, K)
    unique, places = np.unique(frames, return_inverse=True)
    sums = np.zeros((len(unique), probabilities.shape[1]))
    np.add.at(sums, places, probabilities)
    return Timeline(unique.astype(np.int64), sums / np.bincount(places)[:, None])


def choose_lines(timeline, classes, *, label=None, predicted=None):
    """Choose the classes worth drawing: the true one, the predicted one, and those that rise highest.

    Args:
        timeline: Timeline.
        classes: K names.
        label: the true label, or None.
        predicted: the predicted label, or None.

    Returns:
        List of (label, role) with role "true", "predicted" (and wrong) or "other", at most NUM_LINES.

    Example:
        >>> timeline = Timeline(np.arange(2), np.array([[0.2, 0.7, 0.1], [0.1, 0.8, 0.1]]))
        >>> choose_lines(timeline, ("sit", "stand", "wave"), label=0, predicted=1)
        [(0, 'true'), (1, 'predicted'), (2, 'other')]
    """
    order = np.argsort(-np.asarray(timeline.probabilities).max(axis=0), kind="stable").tolist()
    first = [each for each in dict.fromkeys((label, predicted)) if each is not None]
    chosen = first + [each for each in order if each not in first]
    lead = label if label is not None else predicted  # without a truth, the prediction leads
    roles = {predicted: "predicted", lead: "true"}
    return [(each, roles.get(each, "other")) for each in chosen[: min(NUM_LINES, len(classes))]]


def describe_timeline(name, timeline, classes, *, label=None, predicted=None, probability=None):
    """Put one model's word on one video into plain lists that a browser takes.

    Args:
        name: what the model is called, may be empty.
        timeline: Timeline, or None if only the video's prediction is known.
        classes: K names.
        label: the true label, or None.
        predicted: the predicted label; None takes the largest mean of the timeline.
        probability: of the prediction, in 0..1.

    Returns:
        dict with name, predicted, probability, correct, frames and lines ({name, role, values}).
    """
    if predicted is None and timeline is not None:
        mean = np.asarray(timeline.probabilities).mean(axis=0)
        predicted = int(mean.argmax())
        probability = float(mean[predicted])
    lines = choose_lines(timeline, classes, label=label, predicted=predicted) if timeline is not None else []
    return {
        "name": name,
        "predicted": None if predicted is None else str(classes[predicted]),
        "probability": None if probability is None else float(probability),
        "correct": None if label is None or predicted is None else bool(label == predicted),
        "frames": [] if timeline is None else np.asarray(timeline.frames).tolist(),
        "lines": [
            {"name": str(classes[each]), "role": role, "values": _rounded(timeline.probabilities, each)}
            for each, role in lines
        ],
    }


def _rounded(probabilities, label):
    return np.round(np.asarray(probabilities, np.float64)[:, label], 4).tolist()
