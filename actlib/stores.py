"""What is decoded or convolved once is kept on disk, memory-mapped: one .npy a video, keyed by all that it depends on.

Its folder is named by what is done (frames and size; network and weights), the file by the content and length of its
video. So a changed video, spec or weight is another file; a killed job goes on where it was; two jobs share the work.
"""

import os
import re
import threading
import warnings
import zlib
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

from actlib.clips import content_key, read_clip, sample_evenly
from actlib.keeping import Claims, open_array, remove_old_drafts, save_array
from actlib.videos import VideoError, cache_folder, probe_video

READER = "area1"  # part of the name of decoded frames: change it when the same request gives other pixels
MAX_READERS = 8  # threads that decode ahead
MAX_READ_BYTES = 1e9  # of frames that they hold


class _Store:
    """One array a video, made when first asked for, from then on read from disk; subclasses say how it is made."""

    def __init__(self, videos, folder, *, progress, skip_broken):
        self.videos, self.folder = videos, Path(folder)
        self.progress, self.skip_broken = progress, skip_broken
        self.broken = {}  # place in videos -> what is wrong with the file
        self._claims, self._lock, self._filled = Claims(self.folder), threading.Lock(), False

    def __len__(self):
        return len(self.videos)

    def __getitem__(self, place):
        path = self.path(place)
        array = open_array(path)
        if array is None:
            with self._lock:
                self._fill([place], readers=1)
            array = open_array(path)
        if array is None:
            raise VideoError(self.broken[place])
        return array

    def path(self, place):
        """Name the file that keeps the array of one video.

        Args:
            place: which video, from 0.

        Returns:
            Path, of a file that may not be there yet.

        Raises:
            VideoError: the video cannot be used.
        """
        if not 0 <= place < len(self):
            raise IndexError(f"Expected a video in 0..{len(self) - 1}. Received: {place}. See len(store).")
        return self.folder / self._frames_of().file_name(place)

    def fill(self):
        """Make and keep all that is missing; reading runs ahead in threads, and two processes share the work.

        Returns:
            The store.

        Raises:
            VideoError: all videos that cannot be used, when the others are done; only a warning with skip_broken.
            OSError: the disk is full; what is complete stays.
        """
        with self._lock:
            if not self._filled:
                remove_old_drafts(self.folder)
                self._fill([place for place in range(len(self)) if self._is_missing(place)], readers=self._readers())
                self._say_broken()
                self._filled = True
        return self

    @property
    def lengths(self):
        """int64 (num_videos,): number of frames kept of each video; 0 for those that `fill` found broken."""
        counts = [0 if place in self.broken else self._frames_of().count(place) for place in range(len(self))]
        return np.array(counts, dtype=np.int64)

    def _is_missing(self, place):
        try:
            return not self.path(place).exists()
        except VideoError as error:
            self.broken[place] = str(error)
            return False

    def _fill(self, places, *, readers):
        silent = not self.progress or len(places) < 2
        with tqdm(total=len(places), desc=self.verb, unit="video", disable=silent) as bar:
            try:
                busy = self._make(places, bar, ahead=readers, wait=False)
                self._make(busy, bar, ahead=1, wait=True)  # holds no claim while it waits for one
            finally:
                self._claims.release_all()

    def _make(self, places, bar, *, ahead, wait):
        """Read ahead, finish and keep; returns the places that another process is busy with."""
        running, busy = deque(), []
        with ThreadPoolExecutor(ahead) as pool:
            for place in places:
                path = self.path(place)
                if not self._claims.take(path.name, wait=wait):
                    busy.append(place)
                elif open_array(path) is not None:  # another process has made it
                    self._claims.release(path.name)
                    bar.update()
                else:
                    running.append((place, pool.submit(self._read, place)))
                while len(running) >= ahead:
                    self._keep(*running.popleft(), bar)
            while running:
                self._keep(*running.popleft(), bar)
        return busy

    def _keep(self, place, reading, bar):
        path = self.path(place)
        try:
            save_array(path, self._finish(reading.result()))
            self.broken.pop(place, None)
        except VideoError as error:
            self.broken[place] = str(error)
        self._claims.release(path.name)
        bar.update()

    def _readers(self):
        frames = self._frames_of()
        largest = max(1, int(self.lengths.max(initial=1))) * frames.size[0] * frames.size[1] * 3
        return int(max(1, min(MAX_READERS, os.cpu_count() or 1, MAX_READ_BYTES // largest)))

    def _say_broken(self):
        if not self.broken:
            return
        message = f"{len(self.broken)} of {len(self)} videos cannot be used:\n  " + "\n  ".join(self.broken.values())
        if not self.skip_broken:
            raise VideoError(message + "\nReplace them, or leave them out with skip_broken=True.")
        warnings.warn(message, stacklevel=3)


class FrameStore(_Store):
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
        """Decode and keep all that is missing, see `FeatureStore.fill`; nothing where nothing is kept.

        Returns:
            The store.
        """
        return super().fill() if self.keep else self

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

    def _frames_of(self):
        return self

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


class FeatureStore(_Store):
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

    def fill(self):
        """Make and keep all that is missing; reading runs ahead in threads, and two processes share the work.

        Returns:
            The store.

        Raises:
            VideoError: all videos that cannot be used, when the others are done; only a warning with skip_broken.
            OSError: the disk is full; what is complete stays.
        """
        return super().fill()

    def _frames_of(self):
        return self.frames

    def _read(self, place):
        return self.frames[place]

    def _finish(self, frames):
        features = np.asarray(self.convolve(frames)).reshape(len(frames), -1)  # (F, D)
        if not (np.abs(features) < np.finfo(np.float16).max).all():
            raise ValueError(
                f"Expected features below 65504, to be kept in float16. Received: up to {np.abs(features).max()} "
                f"from {self.key}. Check the weights, or scale the features."
            )
        return features.astype(np.float16)
