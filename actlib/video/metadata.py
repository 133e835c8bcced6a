"""One video file -> its length, rate and size; many -> an index on disk, so that each is read once."""

import json
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from tqdm.auto import tqdm

from actlib.files import content_hash, write_whole
from actlib.paths import show_progress
from actlib.video.reader import SMALL_PACKET, VideoError, open_stream, shown_size


class VideoInfo(NamedTuple):
    """What a file says of itself: number of frames, frames a second, width and height in pixels as shown, seconds."""

    frames: int
    fps: float
    width: int
    height: int
    seconds: float


class FileInfo(NamedTuple):
    """What the index keeps of a file: its state on disk (size and time), what `probe_video` says, its content hash."""

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
            raise VideoError(
                f"Expected {promised} frames. Received: {frames if first else 0} in {path}, which is truncated or "
                "damaged. Copy the file again or leave it out."
            )
        if min(sizes) < SMALL_PACKET:
            frames = 1 + sum(1 for _ in decoded)
        fps = float(stream.average_rate or stream.base_rate or 25)
        height, width = shown_size(first, stream)
        return VideoInfo(frames, fps, width, height, frames / fps)


def probe_files(files, *, index_file, progress=True) -> tuple[dict, list[str]]:
    """Probe and hash many videos, reading only those that are new to the index or have changed (in size or time).

    Args:
        files: paths, each in the folder of its class.
        index_file: JSON file where the answers are kept; made where there is none.
        progress: show a bar.

    Returns:
        {path: FileInfo} of the good files, and a message for each broken one.
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
        _write_index(index_file, index | {_key(path): info for path, info in infos.items()})
    return infos, [info for info in known.values() if isinstance(info, str)]


def _key(path):
    return f"{path.parent.name}/{path.name}"


def _try_probe(path):
    """Return frames, rate, width, height and hash of a file, or what is wrong with it."""
    try:
        return *probe_video(path)[:4], content_hash(path)  # read a second time, while the system still holds it
    except (VideoError, OSError) as error:
        return str(error)


def _read_index(path):
    """Read {key: FileInfo}; what is damaged or of an earlier form counts as new."""
    try:
        index = json.loads(path.read_text())
        return {key: FileInfo(*info) for key, info in index.items() if len(info) == len(FileInfo._fields)}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


def _write_index(path, index):
    """Keep the index for the next time; without a place to write it the videos are only probed again."""
    try:
        write_whole(path, json.dumps(index).encode())
    except OSError as error:
        warnings.warn(f"Cannot keep the index of videos ({error}).", stacklevel=4)
