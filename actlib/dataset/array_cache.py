"""Videos -> one array each, made once and from then on read from disk.

Whoever makes one holds its lock, so that processes that fill one cache share the work; a killed one stops no other.
"""

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from tqdm.auto import tqdm

from actlib import files
from actlib.dataset.ucf101 import report_broken
from actlib.paths import show_progress
from actlib.video import VideoError

LOCK_SECONDS = 60.0  # how long to wait for a process that may stand still while it holds a lock


class ArrayCache:
    """One array a video, made when first asked for, from then on memory-mapped from disk.

    A subclass has `kind`, `verb` and `num_readers`, and says how arrays are made: `_read(index)`, which runs ahead in
    that many threads, and `_convert(what was read)`, which runs in the caller's own. `broken` says what was wrong.

    Content and number of frames name a video's file; `lengths`, int (num_videos,), is F of each; `row_bytes` is what a
    frame takes on disk, 0 if unknown.
    """

    def __init__(self, videos, folder, lengths, row_bytes, *, progress):
        self.videos, self.folder, self.progress = videos, Path(folder), progress
        self.lengths, self.row_bytes = np.asarray(lengths, np.int64), row_bytes
        self.names = [f"{key}-{frames}.npy" for key, frames in zip(videos["hash"], videos["frames"], strict=True)]
        self.broken = {}  # index of a video -> what is wrong with its file

    def __len__(self):
        return len(self.names)

    def __getitem__(self, index):
        path = self.path(index)
        if (array := open_array(path)) is None:
            self._make_free([index], tqdm(disable=True), timeout=LOCK_SECONDS)
            array = open_array(path)
        if array is None:
            raise VideoError(self.broken[index])
        return array

    def path(self, index):
        """Return the path of a video's array, which may not be there yet."""
        if not 0 <= index < len(self):
            raise IndexError(f"Expected a video in 0..{len(self) - 1}. Received: {index}. See len(cache).")
        return self.folder / self.names[index]

    def fill(self):
        """Make all that is missing, and return the cache.

        Raises:
            VideoError: all videos that cannot be used, when the others are done.
            OSError: the disk has not the bytes that will be needed, or is full; what is complete stays.
        """
        self.broken, missing = {}, [index for index in range(len(self)) if not self.path(index).exists()]
        needed, free = self.row_bytes * sum(self.lengths[missing].tolist()), files.count_free_bytes(self.folder)
        if needed > free:
            raise OSError(
                f"Expected {files.format_size(needed)} free in {self.folder}, for the {self.kind} of {len(missing)} "
                f"videos, {self.row_bytes:,} bytes a frame. Received: {files.format_size(free)}. Free some disk, name "
                "a folder on another one in ACTLIB_CACHE, or take fewer classes, videos (limit) or frames (protocol)."
            )
        work, silent = self.verb, not (self.progress and len(missing) > 1 and show_progress())
        work += f" ({files.format_size(needed)})" if needed else ""
        with tqdm(total=len(missing), desc=work, unit="video", disable=silent) as bar:
            for index in self._make_free(missing, bar):
                self._make_free([index], bar, timeout=LOCK_SECONDS)  # holds no other lock while it waits
        report_broken(self.broken.values(), len(self), advice=f"videos.drop(videos.index[{[*self.broken]}])")
        return self

    def _make_free(self, indices, bar, *, timeout=0.0):
        """Make the arrays that no other process makes; return the indices of those that one does."""
        reading, busy = deque(), []
        with ThreadPoolExecutor(self.num_readers) as pool, ExitStack() as locks:
            for index in indices:
                lock = locks.enter_context(ExitStack())
                try:
                    lock.enter_context(files.lock(self.path(index), timeout=timeout))
                    lock.callback(files.remove, Path(f"{self.path(index)}.lock"))
                except TimeoutError:
                    if not timeout:
                        busy.append(index)
                        continue  # else its holder stands still: go on without
                reading.append((index, lock, pool.submit(self._read_missing, index)))
                if len(reading) == self.num_readers:
                    self._write(*reading.popleft(), bar)
            while reading:
                self._write(*reading.popleft(), bar)
        return busy

    def _read_missing(self, index):
        return self._read(index) if open_array(self.path(index)) is None else None  # another process made it

    def _write(self, index, lock, reading, bar):
        with lock:
            try:
                if (array := reading.result()) is not None:
                    array = np.ascontiguousarray(self._convert(array))
                    with files.open_whole(self.path(index)) as file:
                        writer = SimpleNamespace(write=file.write)  # to a file itself, NumPy would hide its errors
                        np.lib.format.write_array(writer, array, allow_pickle=False)
            except VideoError as error:
                self.broken[index] = str(error)
        bar.update()

    def _convert(self, array):
        return array


def open_array(path):
    """Return a read-only memory map of a .npy file, or None where it is missing, damaged or closed to us."""
    try:
        files.require_file(path)
        return np.load(path, mmap_mode="r")
    except (OSError, ValueError, EOFError):
        return None
