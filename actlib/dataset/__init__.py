"""A folder of videos -> a table, subsets, caches of frames and features, and batches.

ucf101         list_videos, official splits, subsets, leakage
cache          frames and features on disk
augmentation   the same clip seen a little differently
batches        seeded batches of clips
"""

from actlib.dataset.augmentation import augment_clip
from actlib.dataset.batches import ClipBatches
from actlib.dataset.feature_cache import FeatureCache
from actlib.dataset.frame_cache import FrameCache
from actlib.dataset.loading import Loader, count_bytes, load_arrays
from actlib.dataset.ucf101 import Split, assign_subsets, check_leakage, list_videos, read_split, split_hash
