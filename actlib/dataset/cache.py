"""Frames (or flow pictures) and features on disk: each video decoded once, each frame through the backbone once."""

import os
import re
import zlib
from pathlib import Path

import numpy as np

from actlib import files
from actlib.dataset.array_cache import ArrayCache, open_array
from actlib.paths import cache_folder
from actlib.video import probe_video, read_clip, sample_uniform
from actlib.video.flow import read_flow

READER = "area1"  # part of the name of decoded frames: change it when the same request gives other pixels
MAX_READERS = 8  # threads that decode ahead
MAX_READ_BYTES = 1e9  # of frames that they hold


class FrameCache(ArrayCache):
    """Decoded frames, each video's once: `cache[index]` is uint8 (F, H, W, 3).

    Args:
        videos: table of `list_videos`, whose column `hash` names files without opening them, or a list of paths.
        num_frames: F, evenly spaced frames of each video, or None for all of its frames.
        size: the side of a square or (height, width), in pixels.
        folder: where arrays are written, or None for `frames` in the cache folder.
        progress: show a bar while many videos are decoded.
        save: False decodes at each request and writes nothing.
        flow: a `FlowSpec`: keep the flow pictures of these frames instead, uint8 (F, H, W, C), see `video.flow`.

    Example:
        >>> import tempfile
        >>> from actlib.video import write_video
        >>> folder = Path(tempfile.mkdtemp())
        >>> path = write_video(folder / "grey.mp4", np.full((20, 32, 48, 3), 128, np.uint8), fps=25)
        >>> cache = FrameCache([path], num_frames=4, size=16, folder=folder).fill()
        >>> cache[0].shape, cache.lengths
        ((4, 16, 16, 3), array([4]))
    """

    kind, verb = "frames", "decoding"

    def __init__(self, videos, *, num_frames=16, size=64, folder=None, progress=True, save=True, flow=None):
        self.num_frames, self.size, self.save = num_frames, (size, size) if np.ndim(size) == 0 else tuple(size), save
        self.name = f"{num_frames or 'all'}-frames-{self.size[0]}x{self.size[1]}-{READER}"
        self.flow, self.row_bytes = flow, self.size[0] * self.size[1] * (flow.num_channels if flow else 3)
        if flow:
            self.verb = "measuring flow"
            self.name += f"-{flow.method}-flow-{flow.bound:g}-{flow.length}-{'uvm' if flow.magnitude else 'uv'}"
        columns = getattr(videos, "columns", ())
        self.paths = [str(path) for path in (videos["path"] if "path" in columns else videos)]
        known = zip(videos["hash"], videos["frames"].tolist(), strict=True) if "hash" in columns else ()
        self._metadata = dict(enumerate(known))  # index of a video -> its hash and number of frames
        super().__init__(videos, Path(folder or cache_folder() / "frames") / self.name, progress=progress)

    def __getitem__(self, index):
        return super().__getitem__(index) if self.save else self._read(index)

    def fill(self):
        """Decode all that is missing, see `ArrayCache.fill`; nothing where nothing is saved."""
        return super().fill() if self.save else self

    @property
    def num_readers(self):
        """Threads that decode ahead, fewer where a video's frames take much memory."""
        longest = self.num_frames or max((frames for _, frames in self._metadata.values()), default=1)
        room = int(MAX_READ_BYTES / (longest * self.row_bytes))
        return max(1, min(MAX_READERS, os.cpu_count() or 1, room))

    def count(self, index):
        """Return F, the number of frames of a video's array."""
        return self.num_frames or self._ask(index)[1]

    def file_name(self, index):
        """Return the name of a video's array: its content and its number of frames."""
        return "{}-{}.npy".format(*self._ask(index))

    def _ask(self, index):
        if index not in self._metadata:
            frames = probe_video(self.paths[index]).frames
            self._metadata[index] = files.content_hash(self.paths[index]), frames
        return self._metadata[index]

    def _read(self, index):
        total = self._ask(index)[1]
        indices = np.arange(total) if self.num_frames is None else sample_uniform(total, self.num_frames)
        if self.flow:
            return read_flow(self.paths[index], indices, size=self.size, spec=self.flow)
        return read_clip(self.paths[index], indices, size=self.size)


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
        self.row_bytes = 2 * num_features
        self.frames, self.extract, self.key = frames, extract, f"{key}-{frames.name}"
        self.num_readers, self.count, self.file_name = frames.num_readers, frames.count, frames.file_name
        name = f"{re.sub('[^A-Za-z0-9]+', '-', self.key)[:100]}-{zlib.crc32(self.key.encode()):08x}"
        super().__init__(frames.videos, Path(folder or cache_folder() / "features") / name, progress=frames.progress)

    def __getstate__(self):
        return self.__dict__ | {"extract": None}  # a model does not go to other processes; what is on disk does

    def _read(self, index):
        frames = open_array(self.frames.path(index))
        return self.frames._read(index) if frames is None else frames

    def _convert(self, frames):
        features = np.asarray(self.extract(frames)).reshape(len(frames), -1)  # (F, D)
        if not (np.abs(features) < np.finfo(np.float16).max).all():
            raise ValueError(
                f"Expected features below 65504, to be saved in float16. Received: up to {np.abs(features).max()} "
                f"from {self.key}. Check the weights, or scale the features."
            )
        return features.astype(np.float16)
