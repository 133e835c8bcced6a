"""What feeds a model: all clips in arrays at once, or one batch after another."""

from dataclasses import replace

import numpy as np

from actlib.dataset.augmentation import split_augmentation


def count_bytes(batches) -> int:
    """Count the bytes that all clips of an epoch of a `ClipBatches` take as one array."""
    clips, _ = batches.batch(0, 0)  # (N, T, ...)
    return len(batches.videos(0)) * clips[0].nbytes


def load_arrays(batches, *, limit_bytes=2e9):
    """Load all clips of an epoch into memory: (N, T, ...), and their labels, int64 (N,).

    Args:
        batches: A `ClipBatches`.
        limit_bytes: The most that clips may take; else a MemoryError says how much, before anything is loaded.
    """
    videos, needed = batches.videos(0), count_bytes(batches)
    if needed > limit_bytes:
        found = f"{len(videos):,} clips of {needed / len(videos) / 1e6:.2f} MB, {needed / 1e6:,.0f} MB in all"
        advice = "Stream them in batches, take smaller or fewer frames, or raise limit_bytes if there is memory for it."
        raise MemoryError(f"Expected clips of at most {limit_bytes / 1e6:,.0f} MB. Received: {found}. {advice}")
    return replace(batches, batch_size=len(videos)).batch(0, 0)


def weigh_classes(labels, num_classes):
    """Weigh each class by the inverse of its share of the N labels: float32 (K,), 1 for a fair share."""
    counts = np.maximum(np.bincount(labels, minlength=num_classes), 1)
    return (len(labels) / (num_classes * counts)).astype(np.float32)


class BatchParts:
    """The parts of the batches that one process computes; those of all processes together are the whole batches.

    Each part is (x, labels, weights), weights float32 (n, 2): each clip's weight, and its share in the batch's mean.
    Where a batch has fewer clips than parts, some hold one clip of weight 0. Where `crop` is not None after all, it is
    the options for a framework's `crop_clips`, and x is (clips as they are, boxes).

    Args:
        batches: A `ClipBatches`.
        steps: Parts of a batch that a process computes one after another.
        process: (its rank, number of processes).
        class_weights, crop: float (K,), the weight of each class in the loss, or None; leave the library's crops to it.
    """

    def __init__(self, batches, *, steps=1, process=(0, 1), class_weights=None, crop=True):
        self.batches, self.steps, self.class_weights = batches, steps, class_weights
        augment = crop and not getattr(batches, "crops", ()) and getattr(batches, "augment", False)
        self.crop = split_augmentation(augment)[1]
        self.first, self.num_parts = process[0] * steps, process[1] * steps  # of each batch

    def __len__(self):
        return len(self.batches) * self.steps

    def batch(self, epoch, index):
        """Read one part of a batch."""
        index, step = divmod(index, self.steps)
        size = min(self.batches.batch_size, len(self.batches.videos(epoch)) - index * self.batches.batch_size)
        start, stop = (size * (self.first + step + end) // self.num_parts for end in (0, 1))
        options = {} if self.crop is None else {"apart": True}
        x, labels = self.batches.batch(epoch, index, rows=slice(start, max(stop, start + 1)), **options)
        weights = (stop > start) * (np.ones(len(labels)) if self.class_weights is None else self.class_weights[labels])
        return x, labels, np.stack([weights, weights / size], axis=1).astype(np.float32)
