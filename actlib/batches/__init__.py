"""Clips -> batches: which clips, in which order, seen how, and read ahead by whom.

rules         which frames of a video make a clip
clip_batches  seeded batches of NumPy arrays
augmenting    the same clip seen a little differently
loading       all clips in arrays at once, or batches read ahead by workers that never hang
"""

from actlib.batches.augmenting import augment_clip
from actlib.batches.clip_batches import ClipBatches
from actlib.batches.loading import Loader, count_bytes, load_arrays
from actlib.batches.rules import consecutive, every, random_clip, windows

__all__ = [
    "ClipBatches",
    "Loader",
    "augment_clip",
    "consecutive",
    "count_bytes",
    "every",
    "load_arrays",
    "random_clip",
    "windows",
]
