"""What is decoded or convolved once is kept on disk, memory-mapped: one .npy a video, keyed by all that it depends on.

Its folder is named by what is done (frames and size; network and weights), the file by the content and length of its
video. So a changed video, spec or weight is another file; a killed job goes on where it was; two jobs share the work.
"""

import os
import re
import zlib
from pathlib import Path

import numpy as np

from actlib.clips import content_key, read_clip, sample_evenly
from actlib.shelves import Shelf
from actlib.videos import cache_folder, probe_video

READER = "area1"  # part of the name of decoded frames: change it when the same request gives other pixels
MAX_READERS = 8  # threads that decode ahead
MAX_READ_BYTES = 1e9  # of frames that they hold


class FrameStore(Shelf):
    """Decoded frames, each video's once: `store[place]` is uint8 (F, H, W, 3).

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
        >>> from actlib.clips import write_video
        >>> folder = Path(tempfile.mkdtemp())
        >>> path = write_video(folder / "grey.mp4", np.full((20, 32, 48, 3), 128, np.uint8), fps=25)
        >>> store = FrameStore([path], num_frames=4, size=16, folder=folder).fill()
        >>> store[0].shape, store.lengths
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
        """Decode and keep all that is missing, see `Shelf.fill`; nothing where nothing is kept.

        Returns:
            The store.
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
        indices = np.arange(total) if self.num_frames is None else sample_evenly(total, self.num_frames)
        return read_clip(self.paths[place], indices, size=self.size)

    def _finish(self, frames):
        return frames


class FeatureStore(Shelf):
    """Features of frames, each frame convolved once: `store[place]` is float16 (F, D).

    Args:
        frames: `FrameStore`; one with keep=False leaves no pixels on disk.
        convolve: function, uint8 (n, H, W, 3) -> float (n, D), such as a twin's `convolve` with its model.
        key: names network, weights and precision; other features need another key.
        folder: where arrays are kept, or None for `features` in the cache folder.
        progress: show a bar while many videos are convolved.

    Example:
        >>> import tempfile
        >>> from actlib.clips import write_video
        >>> folder = Path(tempfile.mkdtemp())
        >>> path = write_video(folder / "grey.mp4", np.full((20, 32, 48, 3), 128, np.uint8), fps=25)
        >>> frames = FrameStore([path], num_frames=4, size=16, keep=False)
        >>> FeatureStore(frames, lambda pixels: pixels.mean((1, 2)), key="mean colour", folder=folder)[0].shape
        (4, 3)
    """

    verb = "convolving"

    def __init__(self, frames, convolve, *, key, folder=None, progress=True):
        self.frames, self.convolve, self.key = frames, convolve, key
        short = f"{re.sub('[^A-Za-z0-9]+', '-', key)[:60]}-{zlib.crc32(key.encode()):08x}"
        folder = Path(folder or cache_folder() / "features") / short / frames.name
        super().__init__(frames.videos, folder, progress=progress, skip_broken=frames.skip_broken)

    def __getstate__(self):
        return super().__getstate__() | {"convolve": None}  # a model does not go to other processes; what is kept does

    @property
    def max_readers(self):
        """Threads that read ahead: as many as decode frames, or one where frames are already kept."""
        return self.frames.max_readers

    def make(self, places):
        """Make and keep the arrays of some videos, after the frames where those are kept too.

        Args:
            places: which videos, from 0.
        """
        if self.frames.keep:
            self.frames.make(places)
        super().make(places)

    def count(self, place):
        """Count the frames kept of a video.

        Args:
            place: which video, from 0.

        Returns:
            F.
        """
        return self.frames.count(place)

    def file_name(self, place):
        """Name what is kept of a video by its content and its number of frames.

        Args:
            place: which video, from 0.

        Returns:
            File name.
        """
        return self.frames.file_name(place)

    def _read(self, place):
        return self.frames[place]

    def _finish(self, frames):
        if self.convolve is None:
            raise RuntimeError("Expected a filled store in another process. Received: one with gaps. Call fill first.")
        features = np.asarray(self.convolve(frames)).reshape(len(frames), -1)  # (F, D)
        if not (np.abs(features) < np.finfo(np.float16).max).all():
            raise ValueError(
                f"Expected features below 65504, to be kept in float16. Received: up to {np.abs(features).max()} "
                f"from {self.key}. Check the weights, or scale the features."
            )
        return features.astype(np.float16)
