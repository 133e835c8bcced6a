"""Videos -> their decoded frames, each video decoded once."""

import os
from pathlib import Path

import numpy as np

from actlib.dataset.array_cache import ArrayCache
from actlib.paths import cache_folder
from actlib.video import content_key, probe_video, read_clip, sample_uniform

READER = "area1"  # part of the name of decoded frames: change it when the same request gives other pixels
MAX_READERS = 8  # threads that decode ahead
MAX_READ_BYTES = 1e9  # of frames that they hold


class FrameCache(ArrayCache):
    """Decoded frames, each video's once: `cache[place]` is uint8 (F, H, W, 3).

    Args:
        videos: table of `list_videos`, or a list of paths.
        num_frames: F, evenly spaced frames of each video, or None for all of its frames.
        size: the side of a square or (height, width), in pixels.
        folder: where arrays are kept, or None for `frames` in the cache folder.
        progress: show a bar while many videos are decoded.
        skip_broken: `fill` warns of broken videos rather than raise; they then have no frames.
        keep: False decodes at each request and keeps nothing, for those who keep what they make from it.

    Example:
        >>> import tempfile
        >>> from actlib.video import write_video
        >>> folder = Path(tempfile.mkdtemp())
        >>> path = write_video(folder / "grey.mp4", np.full((20, 32, 48, 3), 128, np.uint8), fps=25)
        >>> cache = FrameCache([path], num_frames=4, size=16, folder=folder).fill()
        >>> cache[0].shape, cache.lengths
        ((4, 16, 16, 3), array([4]))
    """

    verb = "decoding"

    def __init__(self, videos, *, num_frames=16, size=64, folder=None, progress=True, skip_broken=False, keep=True):
        self.num_frames, self.size, self.keep = num_frames, (size, size) if np.ndim(size) == 0 else tuple(size), keep
        self.name = f"{num_frames or 'all'}-frames-{self.size[0]}x{self.size[1]}-{READER}"
        self._is_table = hasattr(videos, "columns")
        self.paths = [str(path) for path in (videos["path"] if self._is_table else videos)]
        self._totals = dict(enumerate(videos["frames"].tolist())) if self._is_table else {}
        folder = Path(folder or cache_folder() / "frames") / self.name
        super().__init__(videos, folder, progress=progress, skip_broken=skip_broken)

    def __getitem__(self, place):
        return super().__getitem__(place) if self.keep else self._read(place)

    def fill(self):
        """Decode and keep all that is missing, see `ArrayCache.fill`; nothing where nothing is kept.

        Returns:
            The cache.
        """
        return super().fill() if self.keep else self

    @property
    def max_readers(self):
        """Threads that decode ahead, fewer where a video's frames take much memory."""
        longest = self.num_frames or max((self._totals.get(place, 0) for place in range(len(self))), default=0)
        room = MAX_READ_BYTES // max(1, longest * self.size[0] * self.size[1] * 3)
        return int(max(1, min(MAX_READERS, os.cpu_count() or 1, room)))

    def count(self, place):
        """Count the frames kept of a video.

        Args:
            place: which video, from 0.

        Returns:
            F.
        """
        return self.num_frames or self._total(place)

    def file_name(self, place):
        """Name what is kept of a video by its content and its number of frames.

        Args:
            place: which video, from 0.

        Returns:
            File name.
        """
        total = self._total(place)
        return f"{content_key(self.paths[place])}-{total}.npy"

    def _total(self, place):
        if place not in self._totals:
            self._totals[place] = probe_video(self.paths[place]).frames
        return self._totals[place]

    def _read(self, place):
        total = self._total(place)
        indices = np.arange(total) if self.num_frames is None else sample_uniform(total, self.num_frames)
        return read_clip(self.paths[place], indices, size=self.size)

    def _finish(self, frames):
        return frames
