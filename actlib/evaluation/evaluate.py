"""Scores and labels in, results out."""

import numpy as np
import pandas as pd

from actlib.evaluation.metrics import bootstrap_groups, pool_clips, pool_videos
from actlib.evaluation.results import Results, tabulate_predictions


def evaluate(
    logits: np.ndarray,
    clip_videos: np.ndarray,
    videos: pd.DataFrame,
    *,
    classes: tuple[str, ...],
    readout: str = "mean",
    seed: int = 0,
    num_bootstrap: int = 2000,
) -> Results:
    """Judge a model's logits at the level of frames, of clips and of videos.

    The paper's test protocol is one way to call this: clips of 16 frames every 8 (``batches.windows(16, 8)``, the last
    ends at the last frame), the logits that ``predict`` gives for them, and ``readout="steps"``: the mean over steps,
    then over a video's clips (Donahue et al., arXiv 1411.4389, section 4). A frame classifier's average over frames is
    the same call with its frames as steps.

    Args:
        logits: float (N, T, K), logits before the softmax at every step of every clip.
        clip_videos: int (N,), the row of ``videos`` that each clip is of.
        videos: V rows with the columns name, label (0..K-1) and group.
        classes: K names, in the order of the labels.
        readout: how the steps of a clip become one answer: "last", "mean" or "steps", see ``pool_clips``.
        seed: of the bootstrap.
        num_bootstrap: how many times groups are drawn.

    Returns:
        The results; of equal probabilities the lower label wins. Classes without videos are in the tables, as NaN.

    Raises:
        ValueError: if shapes do not fit, a video has no clip, or a score is not finite.
    """
    logits, clip_videos = np.asarray(logits), np.asarray(clip_videos)
    _check_logits(logits, clip_videos, videos, classes)
    labels, groups = videos["label"].to_numpy(np.int64), videos["group"].to_numpy(np.int64)
    _, units = np.unique(np.stack([labels, groups]), axis=1, return_inverse=True)  # (V,), one number a (class, group)
    clip_labels, clip_units = labels[clip_videos], units[clip_videos]
    clips = pool_clips(logits, readout)  # (N, K)
    pooled = pool_videos(clips, clip_videos)  # (V, K)
    predicted = pooled.argmax(axis=1)
    right = {
        "frame": (logits.argmax(axis=2) == clip_labels[:, None]).ravel(),
        "clip": clips.argmax(axis=1) == clip_labels,
        "video": predicted == labels,
    }
    unit = {"frame": np.repeat(clip_units, logits.shape[1]), "clip": clip_units, "video": units}
    levels = {
        level: bootstrap_groups(right[level], unit[level], num_bootstrap=num_bootstrap, seed=seed) for level in right
    }
    predictions = tabulate_predictions(
        videos["name"], labels, groups=groups, probabilities=pooled, predicted=predicted, classes=tuple(classes)
    )
    return Results(tuple(classes), **levels, predictions=predictions, readout=readout, num_groups=int(units.max()) + 1)


def _check_logits(logits: np.ndarray, clip_videos: np.ndarray, videos: pd.DataFrame, classes: tuple[str, ...]) -> None:
    """Raise ValueError where evaluate's arguments do not belong together."""
    if logits.ndim != 3 or logits.shape[2] != len(classes) or 0 in logits.shape:
        raise ValueError(
            f"Expected logits of the shape (clips, steps, {len(classes)} classes). Received: {logits.shape}. "
            "Give one score a class at every step; logits (N, K) become (N, 1, K) with logits[:, None]."
        )
    if clip_videos.shape != logits.shape[:1]:
        raise ValueError(
            f"Expected the video of each of the {len(logits)} clips. Received: {clip_videos.shape}. "
            "Use batches.videos()."
        )
    if set(np.unique(clip_videos).tolist()) != set(range(len(videos))):
        raise ValueError(
            f"Expected clips of all {len(videos)} videos, numbered from 0. Received: clips of "
            f"{len(np.unique(clip_videos))}, the highest number {clip_videos.max()}. Give the table of these videos."
        )
    if not videos["label"].between(0, len(classes) - 1).all():
        raise ValueError(
            f"Expected labels in 0..{len(classes) - 1}. Received: {videos['label'].min()}..{videos['label'].max()}. "
            "Give the classes that the model was trained on."
        )
    bad = np.flatnonzero(~np.isfinite(logits).all(axis=(1, 2)))
    if len(bad):
        raise ValueError(
            f"Expected finite logits. Received: NaN or infinity in {len(bad)} of {len(logits)} clips, the first of "
            f"{videos['name'].iloc[clip_videos[bad[0]]]}. The training may have diverged: lower its learning rate."
        )
