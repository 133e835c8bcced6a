"""Frames -> their features, each frame convolved once."""

import re
import zlib
from pathlib import Path

import numpy as np

from actlib.dataset.array_cache import ArrayCache
from actlib.paths import cache_folder


class FeatureCache(ArrayCache):
    """Features of frames, each frame convolved once: `cache[place]` is float16 (F, D).

    Args:
        frames: `FrameCache`; one with keep=False leaves no pixels on disk.
        convolve: function, uint8 (n, H, W, 3) -> float (n, D), such as a twin's `convolve` with its model.
        key: names network, weights and precision; other features need another key.
        folder: where arrays are kept, or None for `features` in the cache folder.
        progress: show a bar while many videos are convolved.

    Example:
        >>> import tempfile
        >>> from actlib.video import write_video
        >>> folder = Path(tempfile.mkdtemp())
        >>> path = write_video(folder / "grey.mp4", np.full((20, 32, 48, 3), 128, np.uint8), fps=25)
        >>> from actlib.dataset import FrameCache
        >>> frames = FrameCache([path], num_frames=4, size=16, keep=False)
        >>> FeatureCache(frames, lambda pixels: pixels.mean((1, 2)), key="mean colour", folder=folder)[0].shape
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
            raise RuntimeError("Expected a filled cache in another process. Received: one with gaps. Call fill first.")
        features = np.asarray(self.convolve(frames)).reshape(len(frames), -1)  # (F, D)
        if not (np.abs(features) < np.finfo(np.float16).max).all():
            raise ValueError(
                f"Expected features below 65504, to be kept in float16. Received: up to {np.abs(features).max()} "
                f"from {self.key}. Check the weights, or scale the features."
            )
        return features.astype(np.float16)
