"""Frames (or flow pictures) and features on disk: each video decoded once, each frame through the backbone once."""

import os
import re
import zlib
from functools import partial
from pathlib import Path

import numpy as np

from actlib.dataset.array_cache import ArrayCache, open_array
from actlib.paths import cache_folder
from actlib.video import read_clip, sample_uniform
from actlib.video.flow import read_flow

READER = "area1"  # part of the name of decoded frames: change it when the same request gives other pixels
MAX_READERS = 8  # threads that decode ahead
MAX_READ_BYTES = 1e9  # of frames that they hold


class FrameCache(ArrayCache):
    """Decoded frames, each video's once: `cache[index]` is uint8 (F, H, W, 3).

    Args:
        videos: table of `list_videos`: its columns `path`, `frames` and `hash`.
        num_frames: F, evenly spaced frames of each video, or None for all of its frames.
        size: the side of a square or (height, width), in pixels.
        folder: where arrays are written, or None for `frames` in the cache folder.
        progress: show a bar while many videos are decoded.
        flow: a `FlowSpec`: keep the flow pictures of these frames instead, uint8 (F, H, W, C), see `video.flow`.
    """

    kind, verb = "frames", "decoding"

    def __init__(self, videos, *, num_frames=16, size=64, folder=None, progress=True, flow=None):
        self.num_frames, self.flow = num_frames, flow
        self.size = height, width = tuple(np.broadcast_to(size, 2).tolist())
        self.name = f"{num_frames or 'all'}-frames-{height}x{width}-{READER}"
        if flow:
            self.verb = "measuring flow"
            self.name += f"-{flow.method}-flow-{flow.bound:g}-{flow.length}-{'uvm' if flow.magnitude else 'uv'}"
        folder = Path(folder or cache_folder() / "frames") / self.name
        lengths = videos["frames"] if num_frames is None else [num_frames] * len(videos)
        row_bytes = height * width * (flow.num_channels if flow else 3)
        super().__init__(videos, folder, lengths, row_bytes, progress=progress)

    @property
    def num_readers(self):
        """Threads that decode ahead, fewer where a video's frames take much memory."""
        room = int(MAX_READ_BYTES / (max(self.lengths, default=1) * self.row_bytes))
        return max(1, min(MAX_READERS, os.cpu_count() or 1, room))

    def _read(self, index):
        path, total = self.videos["path"].iloc[index], self.videos["frames"].iloc[index]
        indices = np.arange(total) if self.num_frames is None else sample_uniform(total, self.num_frames)
        read = partial(read_flow, spec=self.flow) if self.flow else read_clip
        return read(path, indices, size=self.size)


class FeatureCache(ArrayCache):
    """Features of frames, each frame through the backbone once: `cache[index]` is float16 (F, D).

    Frames are read from a `FrameCache` where they are on disk, else decoded for this and not written.

    Args:
        frames: `FrameCache`.
        extract: function, uint8 (n, H, W, 3) -> float (n, D), such as a twin's `extract_features` with its model.
        key: a name for all that they depend on beside the frames; other features need another key.
        num_features: D, to know how much disk they will take before they are extracted.
        folder: where arrays are written, or None for `features` in the cache folder.
    """

    kind, verb = "features", "extracting"

    def __init__(self, frames, extract, *, key, num_features=0, folder=None):
        self.frames, self.extract, self.key = frames, extract, f"{key}-{frames.name}"
        self.num_readers = frames.num_readers
        name = f"{re.sub('[^A-Za-z0-9]+', '-', self.key)[:100]}-{zlib.crc32(self.key.encode()):08x}"
        folder = Path(folder or cache_folder() / "features") / name
        super().__init__(frames.videos, folder, frames.lengths, 2 * num_features, progress=frames.progress)

    def __getstate__(self):
        return self.__dict__ | {"extract": None}  # a model does not go to other processes; what is on disk does

    def _read(self, index):
        frames = open_array(self.frames.path(index))
        return self.frames._read(index) if frames is None else frames

    def _convert(self, frames):
        features = np.asarray(self.extract(frames)).reshape(len(frames), -1)  # (F, D)
        if not (np.abs(features) < np.finfo(np.float16).max).all():
            found = f"up to {np.abs(features).max()} from {self.key}"
            raise ValueError(f"Expected features below 65504, for float16. Received: {found}. Check the weights.")
        return features.astype(np.float16)
