"""One video file -> its length, rate and size, kept in an index that notices changed files."""

import json
import os
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import av
from tqdm.auto import tqdm

from actlib.paths import show_progress

LOCAL_ONLY = {"protocol_whitelist": "file"}  # a playlist named .avi must not fetch anything over the network
SMALL_PACKET = 16  # bytes; a smaller one may say "as before" and give no frame (XviD's files have some)


class VideoError(ValueError):
    """A file that cannot be used as a video; the message names it."""


class VideoInfo(NamedTuple):
    """What a file says of itself: number of frames, frames a second, width and height in pixels, length in seconds."""

    frames: int
    fps: float
    width: int
    height: int
    seconds: float


def probe_video(path) -> VideoInfo:
    """Counts the frames of one video and reads its rate and size; where packets are frames, without decoding them.

    Args:
        path: a video file.

    Returns:
        VideoInfo; `frames` is how many can be decoded, whatever the header promises.

    Raises:
        VideoError: the file is empty, no video, truncated, or has no frames.
    """
    try:
        with av.open(os.path.abspath(path), options=LOCAL_ONLY, metadata_errors="replace") as container:
            if not container.streams.video:
                raise VideoError(f"Expected a video stream. Received: none in {path}. Leave the file out.")
            stream = container.streams.video[0]
            sizes = [packet.size for packet in container.demux(stream) if packet.size and not packet.is_discard]
            _check_frames(path, len(sizes), promised=stream.frames)
            container.seek(0)
            decoded = container.decode(stream)
            first, frames = next(decoded), len(sizes)
            if min(sizes) < SMALL_PACKET:
                frames = 1 + sum(1 for _ in decoded)
            fps = float(stream.average_rate or stream.base_rate or 25)
            return VideoInfo(frames, fps, first.width, first.height, frames / fps)
    except (av.error.FFmpegError, StopIteration) as error:
        cause = getattr(error, "strerror", None) or "no frame can be decoded"
        message = f"Expected a video. Received: {path} ({cause}). Copy the file again or leave it out."
        raise VideoError(message) from error


def _check_frames(path, frames, *, promised):
    if frames == 0:
        raise VideoError(f"Expected at least 1 frame. Received: 0 in {path}. Copy the file again or leave it out.")
    if frames < promised:
        raise VideoError(
            f"Expected {promised} frames, as the header says. Received: {frames} in {path}, which is truncated. "
            "Copy the file again or leave it out."
        )


def probe_files(files, *, index_file, progress=True) -> tuple[dict, list[str]]:
    """Probes many videos, asking only those that are new to the index or have changed since (by size or time).

    Args:
        files: paths, each in the folder of its class.
        index_file: JSON file where the answers are kept; made where there is none.
        progress: show a bar.

    Returns:
        {path: [bytes, mtime_ns, frames, fps, width, height]} of the good files, and a message for each broken one.
    """
    index = _read_index(index_file)
    stats = {path: [(stat := path.stat()).st_size, stat.st_mtime_ns] for path in files}
    known = {path: index.get(_key(path), [None]) for path in files}
    new = [path for path in files if known[path][:2] != stats[path]]
    silent = not (progress and new) or not show_progress()
    with ThreadPoolExecutor(8) as pool:
        answers = list(tqdm(pool.map(_try_probe, new), "videos", len(new), disable=silent, leave=False))
    for path, answer in zip(new, answers, strict=True):
        known[path] = answer if isinstance(answer, str) else [*stats[path], *answer[:4]]
    infos = {path: info for path, info in known.items() if not isinstance(info, str)}
    if new:
        _write_index(index_file, index | {_key(path): info for path, info in infos.items()})
    return infos, [info for info in known.values() if isinstance(info, str)]


def _key(path):
    return f"{path.parent.name}/{path.name}"


def _try_probe(path):
    try:
        return probe_video(path)
    except VideoError as error:
        return str(error)


def _read_index(path):
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return {}


def _write_index(path, index):
    """Keeps the index for the next time; without a place to write it the videos are only probed again."""
    scratch = path.with_suffix(f".{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch.write_text(json.dumps(index))
        os.replace(scratch, path)
    except OSError as error:
        message = f"Cannot keep the index of videos ({error}). Set ACTLIB_CACHE to a writable folder."
        warnings.warn(message, stacklevel=4)
