"""Logits and labels in, results out."""

import numpy as np

from actlib.evaluation.intervals import bootstrap_groups, number_groups
from actlib.evaluation.metrics import pool_clips, pool_videos
from actlib.evaluation.results import Results, tabulate_predictions


def evaluate(logits, clip_videos, videos, *, classes, readout="mean", num_bootstrap=2000) -> Results:
    """Measure the accuracy of a model's logits over frames, clips and videos.

    Of equal probabilities the lower label wins. Classes without videos are in the tables, as NaN.

    Args:
        logits: float (N, T, K), before the softmax, at every step of every clip.
        clip_videos: int (N,), the row of ``videos`` that each clip is of.
        videos: V rows with the columns name, label (0..K-1) and group. A group is one of its class, unless
            ``videos.attrs["groups_span_classes"]`` says that it is the same people and place in every class.
        classes: K names, in the order of the labels.
        readout: how the steps of a clip are pooled: "last", "mean" or "steps", see ``pool_clips``.
        num_bootstrap: how many times groups are drawn for the intervals.

    Raises:
        ValueError: shapes do not fit, a video has no clip, or a logit is not finite.

    Source: Donahue et al., arXiv 1411.4389, section 4, is clips of 16 frames every 8 and ``readout="steps"``.
    """
    logits, clip_videos = np.asarray(logits), np.asarray(clip_videos)
    _check_logits(logits, clip_videos, videos, classes)
    clips = pool_clips(logits, readout)  # (N, K)
    table = tabulate_predictions(videos, pool_videos(clips, clip_videos), classes=classes)
    span = bool(videos.attrs.get("groups_span_classes", False))
    groups, labels = number_groups(videos, groups_span_classes=span), table["label"].to_numpy()
    predicted = logits.argmax(axis=2).ravel(), clips.argmax(axis=1), table["predicted"].to_numpy()
    rows = np.repeat(clip_videos, logits.shape[1]), clip_videos, np.arange(len(videos))
    levels = [
        bootstrap_groups(found == labels[of], groups[of], labels[of], num_bootstrap=num_bootstrap)
        for found, of in zip(predicted, rows, strict=True)
    ]
    return Results(tuple(classes), *levels, table, readout, span)


def _check_logits(logits, clip_videos, videos, classes):
    """Raise ValueError where evaluate's arguments do not belong together."""
    labels = videos["label"]
    if logits.ndim != 3 or logits.shape[2] != len(classes) or 0 in logits.shape:
        problem = f"logits (N, T, {len(classes)} classes). Received: {logits.shape}. Make (N, K) logits[:, None]."
    elif len(clip_videos) != len(logits) or set(clip_videos.tolist()) != set(range(len(videos))):
        numbers = f"{len(clip_videos)} numbers of {len(np.unique(clip_videos))} videos, up to {clip_videos.max()}"
        problem = f"{len(logits)} clips of all {len(videos)} videos. Received: {numbers}. Use batches.videos()."
    elif not labels.between(0, len(classes) - 1).all():
        problem = f"labels in 0..{len(classes) - 1}. Received: {labels.min()}..{labels.max()}. Give training's classes."
    elif len(bad := clip_videos[~np.isfinite(logits).all(axis=(1, 2))]):
        received = f"NaN or infinity in {len(bad)} of {len(logits)} clips, the first of {videos['name'].iloc[bad[0]]}"
        problem = f"finite logits. Received: {received}. The training may have diverged: lower its learning rate."
    else:
        return
    raise ValueError(f"Expected {problem}")
