"""What feeds a model: all clips in arrays at once, or one batch after another."""

import numpy as np


def count_bytes(batches) -> int:
    """Count the bytes that all clips of an epoch of `ClipBatches` take as one array."""
    clips, _ = batches.batch(0, 0)  # (N, T, ...)
    return len(batches.videos(0)) * clips[0].nbytes


def load_arrays(batches, *, limit_bytes=2e9):
    """Load all clips of an epoch of `ClipBatches` into memory: (N, T, ...), and their labels, int64 (N,).

    Raises:
        MemoryError: They would take more than `limit_bytes`; says how much, before anything is loaded.

    Example:
        >>> from actlib.dataset import ClipBatches
        >>> from actlib.video import make_sampler
        >>> batches = ClipBatches([np.zeros((9, 2, 2, 3), np.uint8)] * 5, range(5), make_sampler("uniform", 4))
        >>> load_arrays(batches)[0].shape, count_bytes(batches)
        ((5, 4, 2, 2, 3), 240)
    """
    needed, num_clips = count_bytes(batches), len(batches.videos(0))
    if needed > limit_bytes:
        raise MemoryError(
            f"Expected clips of at most {limit_bytes / 1e6:,.0f} MB. Received: {num_clips:,} clips of "
            f"{needed / num_clips / 1e6:.2f} MB, {needed / 1e6:,.0f} MB in all. Stream them in batches instead, "
            "take smaller or fewer frames, or raise limit_bytes if there is memory for it."
        )
    first = batches.batch(0, 0)[0]
    clips = np.empty((num_clips, *first.shape[1:]), first.dtype)  # filled batch by batch: nothing is held twice
    labels, place = np.empty(num_clips, np.int64), 0
    for part, part_labels in batches.epoch(0):
        clips[place : place + len(part)], labels[place : place + len(part)] = part, part_labels
        place += len(part)
    return clips, labels


def read_batch(batches, epoch, index, *, repeat=False, class_weights=None):
    """Read a batch to train on: (x, labels), labels (N, T) with `repeat`; weights come third with class weights."""
    x, labels = batches.batch(epoch, index)  # (N, T, ...), (N,)
    labels = np.repeat(labels[:, None], x.shape[1], axis=1) if repeat else labels
    return (x, labels) if class_weights is None else (x, labels, class_weights[labels])
