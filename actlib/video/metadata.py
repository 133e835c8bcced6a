"""One video file -> its length, rate and size; many -> an index on disk, so that each is read once."""

import hashlib
import json
import os
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import chain
from typing import Annotated, NamedTuple

from pydantic import Field
from tqdm.auto import tqdm

from actlib import paths, schema
from actlib.files import content_hash, require_file, write_whole
from actlib.video.reader import TIMED, VideoError, decode_frames, open_stream, read_packets, shown_size

ONE_EACH = ("h264", "hevc", "vp8", "vp9", "libdav1d", "ffv1", "mjpeg")  # codecs that give a frame for any packet
SMALL_PACKET = 16  # bytes; a smaller one may say "as before" and give no frame (XviD's files have some)
SAVE_EVERY = 500  # new videos after which the index is written, so that a listing that is cut goes on from there
THREADS = min(4, os.cpu_count() or 1)  # more of them wait for each other, as each packet takes Python's lock
Number, Rate = Annotated[int, Field(ge=1, le=10**10)], Annotated[float, Field(gt=0, le=1e10)]


class VideoInfo(NamedTuple):
    """A file's number of frames, frames a second, and width and height in pixels as shown."""

    frames: Number
    fps: Rate
    width: Number
    height: Number


# What the index keeps of a file: its size and time on disk, what `probe_video` says, its content hash.
_HASH = Annotated[str, Field(pattern="^[0-9a-f]{16}$")]
_FIELDS = [("bytes", int), ("mtime_ns", int), *VideoInfo.__annotations__.items(), ("hash", _HASH)]
FileInfo = NamedTuple("FileInfo", _FIELDS)


def probe_video(path) -> VideoInfo:
    """Count the frames of one video that can be decoded, whatever its header promises, and read its rate and size.

    Args:
        path: video file.

    Raises:
        VideoError: the file is empty, no video, truncated, or has no frames.
    """
    with open_stream(path) as (container, stream):
        kept = (packet for packet in read_packets(container, stream) if packet.size and not packet.is_discard)
        packets = [(packet.size, packet.is_keyframe, packet.pts) for packet in kept]
        container.seek(0)
        decoded, frames = decode_frames(container, stream), len(packets)
        height, width = shown_size(next(decoded), stream)
        each = stream.codec_context.name in ONE_EACH and len({pts for *_, pts in packets}) == len(packets)
        told = len(packets) <= stream.frames or (each and container.format.name.split(",")[0] in TIMED)
        begun = bool(packets) and packets[0][1]  # what depends on a frame before the first gives none
        if not (told and begun) or min(size for size, *_ in packets) < SMALL_PACKET:
            with open_stream(path) as again:  # a seek may leave out the first of two
                frames = sum(1 for _ in decode_frames(*again))
        return VideoInfo(frames, float(stream.average_rate or stream.base_rate or 25), width, height)


def probe_files(files, *, index, progress=True) -> tuple[dict, list[str]]:
    """Probe and hash many videos, reading only those that are new to the index or have changed (in size or time).

    Args:
        files: paths.
        index, progress: what names the index in the cache folder, such as the folder of the videos; show a bar.

    Returns:
        {path: FileInfo} of the good files, and a message for each broken one.
    """
    index_file = paths.cache_folder() / "index" / f"{hashlib.sha256(str(index).encode()).hexdigest()[:16]}.json"
    index = _read_index(index_file)
    infos = {path: info for path in files if (info := index.get(str(path))) and info[:2] == _state(path)}
    new, broken = [path for path in files if path not in infos], []
    silent = not (progress and new and paths.show_progress())
    pool = ThreadPoolExecutor(THREADS)
    try:
        parts = (pool.map(_try_probe, new[start : start + SAVE_EVERY]) for start in range(0, len(new), SAVE_EVERY))
        answers = tqdm(chain.from_iterable(parts), "videos", len(new), disable=silent, leave=False)
        for number, (path, answer) in enumerate(zip(new, answers, strict=True), 1):
            if isinstance(answer, str):
                broken.append(answer)
            else:
                infos[path] = index[str(path)] = answer
            if number % SAVE_EVERY == 0:
                _save_index(index_file, index)
    finally:
        pool.shutdown(cancel_futures=True)
        if new:
            _save_index(index_file, index)
    return infos, broken


def _state(path):
    """Return a file's size and time on disk, or None where it cannot be read."""
    with suppress(OSError):
        status = require_file(path)
        return status.st_size, status.st_mtime_ns


def _try_probe(path):
    try:
        return FileInfo(*_state(path) or (), *probe_video(path), content_hash(path))  # while the system holds it
    except (VideoError, OSError) as error:
        return str(error)


def _save_index(path, index):
    try:
        write_whole(path, json.dumps(index, ensure_ascii=False).encode(errors="replace"))  # names that are no text
    except OSError as error:
        warnings.warn(f"The index of videos is not kept, so they are probed again: {error}.", stacklevel=4)


def _read_index(path):
    with suppress(OSError, ValueError):  # what is damaged or of an earlier form is made again
        require_file(path)
        return schema.parse_json(path.read_bytes(), dict[str, FileInfo], path)
    return {}
