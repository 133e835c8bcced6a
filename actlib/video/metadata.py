"""One video file -> its length, rate and size; many -> an index on disk, so that each is read once."""

import json
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from tqdm.auto import tqdm

from actlib.files import content_hash, write_whole
from actlib.paths import show_progress
from actlib.video.reader import SMALL_PACKET, VideoError, missing_frames, open_stream, shown_size


class VideoInfo(NamedTuple):
    """A file's number of frames, frames a second, and width and height in pixels as shown."""

    frames: int
    fps: float
    width: int
    height: int


class FileInfo(NamedTuple):
    """What the index keeps of a file: its size and time on disk, what `probe_video` says, its content hash."""

    bytes: int
    mtime_ns: int
    frames: int
    fps: float
    width: int
    height: int
    hash: str


def probe_video(path) -> VideoInfo:
    """Count the frames of one video and read its rate and size; where packets are frames, without decoding them.

    Returns:
        VideoInfo; `frames` is how many can be decoded, whatever the header promises.

    Raises:
        VideoError: the file is empty, no video, truncated, or has no frames.
    """
    with open_stream(path) as (container, stream):
        sizes = [packet.size for packet in container.demux(stream) if packet.size and not packet.is_discard]
        container.seek(0)
        decoded, frames, promised = container.decode(stream), len(sizes), max(1, stream.frames)
        first = next(decoded, None)
        if first is None or frames < promised:
            raise missing_frames(path, promised, frames if first else 0)
        if min(sizes) < SMALL_PACKET:
            frames = 1 + sum(1 for _ in decoded)
        height, width = shown_size(first, stream)
        return VideoInfo(frames, float(stream.average_rate or stream.base_rate or 25), width, height)


def probe_files(files, *, index_file, progress=True) -> tuple[dict, list[str]]:
    """Probe and hash many videos, reading only those that are new to the index or have changed (in size or time).

    Returns:
        {path: FileInfo} of the good files, and a message for each broken one; the answers are kept in `index_file`.
    """
    index = _read_index(index_file)
    states = {path: (path.stat().st_size, path.stat().st_mtime_ns) for path in files}
    known = {path: index.get(_key(path)) for path in files}
    new = [path for path, info in known.items() if info is None or info[:2] != states[path]]
    silent = not (progress and new and show_progress())
    with ThreadPoolExecutor(8) as pool:
        answers = list(tqdm(pool.map(_try_probe, new), "videos", len(new), disable=silent, leave=False))
    for path, answer in zip(new, answers, strict=True):
        known[path] = answer if isinstance(answer, str) else FileInfo(*states[path], *answer)
    infos = {path: info for path, info in known.items() if isinstance(info, FileInfo)}
    if new:
        index |= {_key(path): info for path, info in infos.items()}
        try:
            write_whole(index_file, json.dumps(index).encode())
        except OSError as error:
            warnings.warn(f"The index of videos is not kept, so they are probed again: {error}.", stacklevel=3)
    return infos, [info for info in known.values() if isinstance(info, str)]


def _key(path):
    return f"{path.parent.name}/{path.name}"


def _try_probe(path):
    try:
        return *probe_video(path), content_hash(path)  # read a second time, while the system still holds it
    except (VideoError, OSError) as error:
        return str(error)


def _read_index(path):
    try:
        index = json.loads(path.read_text())
        return {key: FileInfo(*info) for key, info in index.items() if len(info) == len(FileInfo._fields)}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}  # what is damaged or of an earlier form is made again
