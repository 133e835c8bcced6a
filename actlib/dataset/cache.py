"""Frames (or flow pictures) and features on disk: each video decoded once, each frame through the backbone once.

Whoever makes an array holds its lock, so that processes filling one cache share the work; a killed one stops no other.
"""

import io
import mmap
import os
import re
import zlib
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from functools import lru_cache, partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from tqdm.auto import tqdm

from actlib import files, paths
from actlib.dataset.ucf101 import report_broken
from actlib.video import VideoError, read_clip, read_flow, sample_uniform

READER = "area1"  # part of the name of decoded frames: change it when the same request gives other pixels
MAX_READERS = 8  # threads that decode ahead
MAX_READ_BYTES = 1e9  # of frames that they hold
HELD_BYTES = 2**29  # of all features, up to which they stay in memory once they were asked for
LOCK_SECONDS = 60.0  # how long to wait for a process that may stand still while it holds a lock


class ArrayCache:
    """One array a video, made when first asked for, then memory-mapped from disk; few features stay in memory.

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
        self._held = {}  # index of a video -> array

    def __len__(self):
        return len(self.names)

    def __getstate__(self):
        return self.__dict__ | {"_held": {}}

    def __getitem__(self, index):
        if (array := self._held.get(index)) is not None:
            return array
        path = self.path(index)
        if (array := _open_array(path)) is None:
            self._make_free([index], tqdm(disable=True), timeout=LOCK_SECONDS)
            array = _open_array(path)
        if array is None:
            raise VideoError(self.broken[index])
        if self.kind == "features" and array.nbytes * len(self) <= HELD_BYTES:
            self._held[index] = array = np.array(array)
            array.flags.writeable = False
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
        self.broken, (missing, needed) = {}, self.check_disk()
        work, silent = self.verb, not (self.progress and len(missing) > 1 and paths.show_progress())
        work += f" ({files.format_size(needed)})" if needed else ""
        with tqdm(total=len(missing), desc=work, unit="video", disable=silent) as bar:
            for index in self._make_free(missing, bar):
                self._make_free([index], bar, timeout=LOCK_SECONDS)  # holds no other lock while it waits
        report_broken(self.broken.values(), len(self), advice=f"videos.drop(videos.index[{[*self.broken]}])")
        return self

    def check_disk(self):
        """Return the indices of the videos that are missing, and the bytes they need; OSError if the disk has less."""
        missing = [index for index in range(len(self)) if not self.path(index).exists()]
        needed, free = self.row_bytes * sum(self.lengths[missing].tolist()), files.count_free_bytes(self.folder)
        if needed > free:
            what = f"the {self.kind} of {len(missing)} videos, {self.row_bytes:,} bytes a frame"
            found = f"Expected {files.format_size(needed)} free in {self.folder}, for {what}."
            advice = "Free some, name another disk in ACTLIB_CACHE, or take fewer classes, videos (limit) or frames."
            raise OSError(f"{found} Received: {files.format_size(free)}. {advice}")
        return missing, needed

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
                if len(reading) == self.num_readers + (self.num_readers > 1):  # one is ready for the next free thread
                    self._write(*reading.popleft(), bar)
            while reading:
                self._write(*reading.popleft(), bar)
        return busy

    def _read_missing(self, index):
        return self._read(index) if _open_array(self.path(index)) is None else None  # another process made it

    def _write(self, index, lock, reading, bar):
        with lock:
            try:
                if (array := reading.result()) is not None:
                    array = np.ascontiguousarray(self._convert(array))
                    with files.partial_file(self.path(index)) as partial, open(partial, "wb") as file:
                        writer = SimpleNamespace(write=file.write)  # to a file itself, NumPy would hide its errors
                        np.lib.format.write_array(writer, array, allow_pickle=False)
            except VideoError as error:
                self.broken[index] = str(error)
        bar.update()

    def _convert(self, array):
        return array


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
        folder = Path(folder or paths.cache_folder() / "frames") / self.name
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
        read = partial(read_flow, spec=self.flow, num_frames=total) if self.flow else read_clip
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
        folder = Path(folder or paths.cache_folder() / "features") / name
        super().__init__(frames.videos, folder, frames.lengths, 2 * num_features, progress=frames.progress)

    def __getstate__(self):
        return super().__getstate__() | {"extract": None}  # a model stays in its process; what is on disk does not

    def _read(self, index):
        frames = _open_array(self.frames.path(index))
        return self.frames._read(index) if frames is None else frames

    def _convert(self, array):
        new = ~np.array([False, *map(np.array_equal, array[1:], array)])  # (F,): not a repeated frame
        features = np.asarray(self.extract(array if new.all() else array[new])).reshape(new.sum(), -1)[new.cumsum() - 1]
        if not (np.abs(features) < np.finfo(np.float16).max).all():
            found = f"up to {np.abs(features).max()} from {self.key}"
            raise ValueError(f"Expected features below 65504, for float16. Received: {found}. Check the weights.")
        return features.astype(np.float16)


def _open_array(path):
    """Return a read-only memory map of a .npy file, or None where it is missing, damaged or closed to us."""
    with suppress(OSError, TypeError, ValueError, EOFError):
        files.require_file(path)
        with open(path, "rb", buffering=0) as file:  # np.load takes five times as long
            shape, is_fortran, dtype, start = _parse_header(file.read(128))
            memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        return np.ndarray(shape, dtype, memory, start, order="CF"[is_fortran])


@lru_cache
def _parse_header(header):
    """What the first bytes of a .npy file, the same in many, say: (shape, is it Fortran's, dtype, where it starts)."""
    file = io.BytesIO(header)
    np.lib.format.read_magic(file)
    return *np.lib.format.read_array_header_1_0(file), file.tell()
