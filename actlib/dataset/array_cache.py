"""A row of videos -> one kept array each, made by threads that read ahead and shared with other processes."""

import os
import threading
import warnings
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

from actlib.dataset.keeping import Claims, open_array, remove_old_drafts, save_array
from actlib.video import VideoError


class ArrayCache:
    """One array a video, made when first asked for, from then on read from disk.

    A subclass says how it is made: `count(place)`, `file_name(place)`, `_read(place)`, which may run ahead in a thread,
    and `_finish(what was read)`, which runs in the caller's own.

    Args:
        videos: anything with a length, one item a video.
        folder: where arrays are kept.
        progress: show a bar while many are made.
        skip_broken: `fill` warns of broken videos rather than raise; they then have no frames.
    """

    verb = "making"
    max_readers = 1  # threads that read ahead

    def __init__(self, videos, folder, *, progress, skip_broken):
        self.videos, self.folder = videos, Path(folder)
        self.progress, self.skip_broken = progress, skip_broken
        self.broken = {}  # place in videos -> what is wrong with the file
        self._claims, self._lock, self._filled = Claims(self.folder), threading.Lock(), False

    def __getstate__(self):
        return {name: value for name, value in self.__dict__.items() if name not in ("_claims", "_lock")}

    def __setstate__(self, state):
        self.__dict__.update(state, _claims=Claims(state["folder"]), _lock=threading.Lock())

    def __len__(self):
        return len(self.videos)

    def __getitem__(self, place):
        path = self.path(place)
        array = open_array(path)
        if array is None:
            self.make([place])
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
            raise IndexError(f"Expected a video in 0..{len(self) - 1}. Received: {place}. See len(cache).")
        return self.folder / self.file_name(place)

    def fill(self):
        """Make and keep all that is missing; reading runs ahead in threads, and two processes share the work.

        Returns:
            The cache.

        Raises:
            VideoError: all videos that cannot be used, when the others are done; only a warning with skip_broken.
            OSError: the disk is full; what is complete stays.
        """
        if not self._filled:
            remove_old_drafts(self.folder)
            self.make([place for place in range(len(self)) if self._is_missing(place)])
            self._say_broken()
            self._filled = True
        return self

    def make(self, places):
        """Make and keep the arrays of some videos; what is wrong with broken ones is noted in `broken`.

        Args:
            places: which videos, from 0.

        Raises:
            OSError: the disk is full; what is complete stays.
        """
        silent = not self.progress or len(places) < 2 or "TQDM_DISABLE" in os.environ  # tqdm forgets it in notebooks
        with self._lock, tqdm(total=len(places), desc=self.verb, unit="video", disable=silent) as bar:
            try:
                busy = self._make(places, bar, ahead=min(self.max_readers, max(1, len(places))), wait=False)
                self._make(busy, bar, ahead=1, wait=True)  # holds no claim while it waits for one
            finally:
                self._claims.release_all()

    @property
    def lengths(self):
        """int64 (num_videos,): number of frames kept of each video; 0 for those that `fill` found broken."""
        counts = [0 if place in self.broken else self.count(place) for place in range(len(self))]
        return np.array(counts, dtype=np.int64)

    def _is_missing(self, place):
        try:
            return not self.path(place).exists()
        except VideoError as error:
            self.broken[place] = str(error)
            return False

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
                    running.append((place, path, pool.submit(self._read, place)))
                while len(running) >= ahead:
                    self._keep(*running.popleft(), bar)
            while running:
                self._keep(*running.popleft(), bar)
        return busy

    def _keep(self, place, path, reading, bar):
        try:
            save_array(path, self._finish(reading.result()))
            self.broken.pop(place, None)
        except VideoError as error:
            self.broken[place] = str(error)
        self._claims.release(path.name)
        bar.update()

    def _say_broken(self):
        if not self.broken:
            return
        message = f"{len(self.broken)} of {len(self)} videos cannot be used:\n  " + "\n  ".join(self.broken.values())
        if not self.skip_broken:
            raise VideoError(message + "\nReplace them, or leave them out with skip_broken=True.")
        warnings.warn(message, stacklevel=3)
