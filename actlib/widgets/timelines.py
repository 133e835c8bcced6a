"""What a model predicts at each frame of a video: logits of clips -> one line a class, shown beside the picture."""

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
        readout: how the steps of a clip become one prediction, as for `evaluate`: its verdict is the timeline's too.
        num_frames: how many evenly spaced frames of each video are stored, or None for all.

    Returns:
        {name: Timeline}; its seconds are the middles of the frames, its `pooled` is what `evaluate` finds.

    Example:
        >>> import pandas as pd
        >>> videos = pd.DataFrame({"name": ["v_Sit_g01_c01.avi"], "frames": [40], "fps": [10.0]})
        >>> clips, options = [(0, np.arange(4))], {"classes": ("Sit", "Stand"), "readout": "last", "num_frames": 4}
        >>> build_timelines(np.zeros((1, 4, 2)), clips, videos, **options)["v_Sit_g01_c01.avi"].seconds
        array([0.55, 1.55, 2.55, 3.55])
    """
    logits = np.asarray(logits)
    if len(logits) != len(clips):
        raise ValueError(f"Expected logits of {len(clips)} clips. Received: {len(logits)}. Use batches.clips(0).")
    rows, owners = np.unique([row for row, _ in clips], return_inverse=True)
    pooled, steps = pool_videos(pool_clips(logits, readout), owners), softmax(logits)  # (V, K), (N, T, K)
    timelines = {}
    for index, row in enumerate(rows.tolist()):
        name, length, fps = (videos[column].iloc[row] for column in ("name", "frames", "fps"))
        stored = np.arange(length) if num_frames is None else sample_uniform(int(length), num_frames)
        own = np.flatnonzero(owners == index)
        frames = stored[np.concatenate([clips[clip][1] for clip in own])]
        unique, places = np.unique(frames, return_inverse=True)
        means = pool_videos(np.concatenate(steps[own]), places)  # (S, K): a frame's probabilities, averaged
        timelines[name] = Timeline((unique + 0.5) / fps, means.astype(np.float32), tuple(classes), pooled[index])
    return timelines


def _choose_lines(probabilities, *, predicted, label=None):
    """Choose (label, role) of the classes worth drawing: "true", "predicted" (and wrong), "other" that rise highest."""
    lead = predicted if label is None else label  # without a truth, the prediction leads
    order = np.argsort(-probabilities.max(axis=0), kind="stable").tolist()
    roles = {predicted: "predicted", lead: "true"}
    return [(each, roles.get(each, "other")) for each in list(dict.fromkeys((lead, predicted, *order)))[:NUM_LINES]]


def make_verdict(model, timeline, *, fps, true_name=None) -> dict:
    """Put a model's verdict on a video into plain values: prediction, whether it is correct, lines over the frames.

    A timeline without steps has no lines; where `true_name` is none of its classes, `correct` is None.
    """
    classes, probabilities = list(timeline.classes), np.round(np.asarray(timeline.probabilities, np.float64), 4)
    pooled = probabilities.mean(axis=0) if timeline.pooled is None else timeline.pooled
    best, label = int(np.argmax(pooled)), classes.index(true_name) if true_name in classes else None
    chosen = _choose_lines(probabilities, predicted=best, label=label) if len(probabilities) else []
    frames = np.floor(np.asarray(timeline.seconds) * fps + 1e-6).astype(int).tolist()
    lines = [{"name": str(classes[n]), "role": role, "values": probabilities[:, n].tolist()} for n, role in chosen]
    verdict = {"name": model, "predicted": str(classes[best]), "probability": float(pooled[best])}
    return verdict | {"correct": None if label is None else label == best, "frames": frames, "lines": lines}
