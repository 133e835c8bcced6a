"""A folder of videos -> a table, subsets, caches of frames and features, and batches.

ucf101         names of videos, official splits; hmdb51 likewise
labels         tables of labels, read and written
cutting        labelled parts of recordings, cut into clips
duplicates     videos that look alike
listing        list_videos, of any of these
splits         training, validation and test; leakage
cache          frames and features on disk, made by one process or several
augmentation   the same clip seen a little differently
batches        seeded batches of clips
loading        all clips in one array, or batch by batch
"""

from actlib.dataset.augmentation import augment_clip, crop_clip, list_crops
from actlib.dataset.batches import ClipBatches
from actlib.dataset.cache import FeatureCache, FrameCache
from actlib.dataset.cutting import cut_clips
from actlib.dataset.duplicates import find_near_duplicates
from actlib.dataset.labels import name_groups, read_labels, write_labels
from actlib.dataset.listing import list_videos
from actlib.dataset.loading import count_bytes, load_arrays
from actlib.dataset.splits import assign_subsets, check_leakage, list_groups, split_hash
from actlib.dataset.ucf101 import Split, read_split
