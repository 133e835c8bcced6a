"""What a model says at each frame of a video: logits of clips -> one line a class, to be watched beside the picture."""

import numpy as np

from actlib.evaluation import pool_clips, pool_videos, softmax
from actlib.timeline import Timeline
from actlib.video import sample_uniform

NUM_LINES = 5  # classes drawn in one timeline


def build_timelines(logits, clips, videos, *, classes, readout, num_frames=None):
    """Turn logits of clips into a timeline for each video; where clips overlap, their probabilities are averaged.

    Args:
        logits: float (N, T, K), before the softmax.
        clips: N pairs (row of the video, int (T,) places in what is stored of it), as `batches.clips(0)` gives them.
        videos: DataFrame with `name`, `frames` and `fps`, in the order of those rows.
        classes: K names.
        readout: how the steps of a clip become one answer, as for `evaluate`: its verdict is the timeline's too.
        num_frames: how many evenly spaced frames of each video are stored, or None for all.

    Returns:
        {name: Timeline}; its seconds are the middles of the frames, its `pooled` what `evaluate` finds for the video.

    Raises:
        ValueError: there are not as many clips as logits.

    Example:
        >>> import pandas as pd
        >>> videos = pd.DataFrame({"name": ["v_Sit_g01_c01.avi"], "frames": [40], "fps": [10.0]})
        >>> clips = [(0, np.arange(4))]
        >>> options = {"classes": ("Sit", "Stand"), "readout": "last", "num_frames": 4}
        >>> timelines = build_timelines(np.zeros((1, 4, 2)), clips, videos, **options)
        >>> timelines["v_Sit_g01_c01.avi"].seconds
        array([0.55, 1.55, 2.55, 3.55])
    """
    logits = np.asarray(logits)
    if len(logits) != len(clips):
        raise ValueError(f"Expected logits of {len(clips)} clips. Received: {len(logits)}. Use batches.clips(0).")
    rows, index = np.unique([row for row, _ in clips], return_inverse=True)
    pooled = pool_videos(pool_clips(logits, readout), index)  # (V, K)
    said = {}  # row -> [(frames, probabilities), ...]
    for (row, places), probabilities in zip(clips, softmax(logits), strict=True):
        length = int(videos["frames"].iloc[row])
        stored = np.arange(length) if num_frames is None else sample_uniform(length, num_frames)
        said.setdefault(int(row), []).append((stored[np.asarray(places)], probabilities))
    names, fps = videos["name"].tolist(), videos["fps"].tolist()
    return {
        names[row]: _average(said[row], fps[row])._replace(classes=tuple(classes), pooled=answer)
        for row, answer in zip(rows.tolist(), pooled, strict=True)
    }


def _average(parts, fps):
    frames = np.concatenate([frames for frames, _ in parts])
    probabilities = np.concatenate([probabilities for _, probabilities in parts])  # (all, K)
    unique, places = np.unique(frames, return_inverse=True)
    sums = np.zeros((len(unique), probabilities.shape[1]))
    np.add.at(sums, places, probabilities)
    means = sums / np.bincount(places)[:, None]
    return Timeline((unique + 0.5) / fps, means.astype(np.float32), ())


def choose_lines(probabilities, *, label=None, predicted=None):
    """Choose the classes worth drawing: the true one, the predicted one, and those that rise highest.

    Args:
        probabilities: float (S, K).
        label: the true label, or None.
        predicted: the predicted label, or None.

    Returns:
        List of (label, role) with role "true", "predicted" (and wrong) or "other", at most NUM_LINES.

    Example:
        >>> choose_lines(np.array([[0.2, 0.7, 0.1], [0.1, 0.8, 0.1]]), label=0, predicted=1)
        [(0, 'true'), (1, 'predicted'), (2, 'other')]
    """
    order = np.argsort(-np.asarray(probabilities).max(axis=0), kind="stable").tolist()
    first = [each for each in dict.fromkeys((label, predicted)) if each is not None]
    chosen = first + [each for each in order if each not in first]
    lead = label if label is not None else predicted  # without a truth, the prediction leads
    roles = {predicted: "predicted", lead: "true"}
    return [(each, roles.get(each, "other")) for each in chosen[:NUM_LINES]]


def describe_timeline(timeline, *, fps, label=None, predicted=None):
    """Turn a timeline into plain lists that a browser takes.

    Args:
        timeline: Timeline.
        fps: of the video.
        label: the true label, or None.
        predicted: the predicted label, or None.

    Returns:
        dict with frames (of the S steps) and lines ({name, role, values}).

    Example:
        >>> timeline = Timeline(np.array([0.5]), np.array([[0.2, 0.8]]), ("Sit", "Stand"))
        >>> describe_timeline(timeline, fps=25.0, label=1)["lines"][0]
        {'name': 'Stand', 'role': 'true', 'values': [0.8]}
    """
    probabilities = np.round(np.asarray(timeline.probabilities, np.float64), 4)
    lines = choose_lines(probabilities, label=label, predicted=predicted)
    frames = np.floor(np.asarray(timeline.seconds) * fps + 1e-6).astype(int).tolist()
    named = [(str(timeline.classes[each]), role, probabilities[:, each].tolist()) for each, role in lines]
    return {"frames": frames, "lines": [dict(zip(("name", "role", "values"), line, strict=True)) for line in named]}


def judge_clip(model, timeline, classes, *, fps, true_name=None, said=None):
    """Put what one model says of one video in plain values: its prediction, whether it is right, its timeline.

    Args:
        model: the model's name, may be empty.
        timeline: Timeline, or None.
        classes: K names.
        fps: of the video.
        true_name: the true class, or None.
        said: (predicted label, its probability), or None for the timeline's own.

    Returns:
        dict with name, predicted, probability, correct, frames and lines.

    Example:
        >>> judge_clip("LRCN", None, ("Sit", "Stand"), fps=25.0, true_name="Sit", said=(1, 0.7))["correct"]
        False
    """
    if said is None:
        pooled = np.mean(timeline.probabilities, axis=0) if timeline.pooled is None else timeline.pooled
        said = int(np.argmax(pooled)), float(np.max(pooled))
    label = classes.index(true_name) if true_name in classes else None
    drawn = {"frames": [], "lines": []}
    if timeline is not None:
        drawn = describe_timeline(timeline, fps=fps, label=label, predicted=said[0])
    correct = None if label is None else bool(label == said[0])
    name = str(classes[said[0]])
    return {"name": model, "predicted": name, "probability": float(said[1]), "correct": correct, **drawn}
