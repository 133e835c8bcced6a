"""Any video that a reader brings -> a steady stream of upright RGB frames, or a clear refusal.

Phones, webcams and editors write what the data set never does: turned and portrait pictures, uneven frame rates, alpha
channels, non-square pixels, headers without a length, files that end in mid-air. `open_video` looks before anything
long is started, `stream_frames` then gives frames one at a time: two hours take the memory of two seconds.
"""

import math
import re
from dataclasses import dataclass
from pathlib import Path

import av

from actlib.video.decoding import Upright, decode_frames, film_stream, has_alpha, open_local, resample_fps
from actlib.video.metadata import VideoError

TOLD_LENGTHS = ("mov", "matroska", "avi", "asf")  # containers whose header holds the length; of others it is counted


@dataclass(frozen=True)
class Limits:
    """The largest video that is taken; what is larger is refused before it is decoded."""

    max_megabytes: float = 8192.0  # size of the file
    max_seconds: float = 3 * 3600.0
    max_frames: int = 400_000  # after the rate was made steady
    max_side: int = 8192  # pixels of the longer side, as stored


LIMITS = Limits()


@dataclass(frozen=True)
class VideoStream:
    """One video as it will be shown: upright, square pixels, steady rate."""

    path: Path
    width: int  # pixels, as shown
    height: int
    fps: float  # frames a second of the steady stream
    seconds: float  # from the header, or counted where the header does not tell
    turn: int  # quarter turns counter-clockwise that bring the stored picture upright
    has_alpha: bool
    about: str  # container and codec
    limits: Limits

    @property
    def num_frames(self) -> int:
        """Number of frames that the stream is expected to give, at least 1."""
        return max(1, round(self.seconds * self.fps))


def open_video(path, *, limits=LIMITS, max_fps=30.0, max_side=1280) -> VideoStream:
    """Looks into a video file and says how it will be shown; reads the header and one frame, rarely more.

    Args:
        path: a file in any container and codec that PyAV reads; audio tracks and cover pictures are ignored.
        limits: the largest video that is taken.
        max_fps: faster videos lose whole frames evenly until they are at most this fast (60 becomes 30, 50 becomes 25).
        max_side: pixels of the longer side; larger pictures are shrunk.

    Returns:
        VideoStream.

    Raises:
        VideoError: the file is missing, no video, or beyond the limits; the message says which and what to do.
    """
    path = Path(path)
    _check_file(path, limits)
    try:
        with open_local(path) as container:
            stream = film_stream(container, path)
            _check_side(stream, path, limits)
            first = next(decode_frames(container, stream, path), None)
            if first is None:
                raise VideoError(_none_in(path))
            fps, ratio = _steady_rate(stream, max_fps), _pixel_ratio(stream)
            seconds = _header_seconds(container, stream)
            about = f"{container.format.name} / {stream.codec_context.name}"
        seconds = seconds or _count_seconds(path, fps)
    except av.error.FFmpegError as error:
        raise VideoError(f"Expected a video. Received: {path} ({error.strerror}). Export it as MP4.") from error
    _check_length(path, seconds, fps, limits)
    frame, turn = first.frame, round(first.frame.rotation / 90) % 4
    width, height = _shown_size(frame, ratio, turn=turn, max_side=max_side)
    return VideoStream(path, width, height, fps, seconds, turn, has_alpha(frame), about, limits)


def stream_frames(source, *, size=None, fps=None):
    """Gives every frame of a video in turn, upright and at a steady rate; memory does not grow with its length.

    Frames of a variable rate are held or left out so that frame i is what is on screen in the middle of its slot. What
    cannot be decoded is passed over, with one warning at the end.

    Args:
        source: what `open_video` gave.
        size: (H, W) in pixels, or one int for a square (squashed, as clips are for training); None as shown.
        fps: frames a second of the stream, if not the source's own; a lower rate leaves out, a higher one repeats.

    Yields:
        uint8 (H, W, 3), RGB.

    Raises:
        VideoError: no frame can be decoded, or there are more than the header promised and the limits allow.
    """
    height, width = (source.height, source.width) if size is None else (size, size) if isinstance(size, int) else size
    convert = Upright(height, width, source.turn)
    count = 0
    with open_local(source.path) as container:
        stream = film_stream(container, source.path)
        stream.thread_type = "AUTO"
        for frame, times in resample_fps(decode_frames(container, stream, source.path), fps or source.fps):
            image = convert(frame) if times else None
            for _ in range(times):
                count += 1
                if count > source.limits.max_frames:
                    raise VideoError(_too_many(source.path, "more", source.limits))
                yield image
    if not count:
        raise VideoError(_none_in(source.path))


def save_upload(name, content, folder, *, limits=LIMITS) -> Path:
    """Keeps an uploaded file under a safe name in a folder, so that it can be opened like any other.

    Args:
        name: the name that the browser gives; folders and odd characters in it are dropped.
        content: bytes or memoryview.
        folder: where it goes; made where there is none.
        limits: a larger file is refused before it is written.

    Returns:
        Path of the file.

    Raises:
        VideoError: the upload is empty or too large.
    """
    _check_bytes(name, len(content), limits)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    stem = re.sub(r"[^\w.-]+", "_", re.split(r"[/\\]", str(name))[-1]).lstrip(".") or "upload"
    path = folder / stem[-100:]
    path.write_bytes(content)
    return path


def _steady_rate(stream, max_fps):
    rates = [float(rate) for rate in (stream.guessed_rate, stream.average_rate) if rate]
    fps = next((rate for rate in rates if 0 < rate <= 300), 25.0)
    return fps / math.ceil(fps / max_fps - 1e-6)


def _header_seconds(container, stream):
    """Length in seconds that the header tells, or None where there is no such header, only a guess."""
    if container.format.name.split(",")[0] not in TOLD_LENGTHS:
        return None
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    if container.duration:
        return container.duration / av.time_base
    return None


def _count_seconds(path, fps):
    """Length in seconds by reading (not decoding) the whole file."""
    times, count = [math.inf, -math.inf], 0
    with open_local(path) as container:
        for packet in container.demux(film_stream(container, path)):
            count += packet.size > 0
            if packet.pts is not None:
                seconds = float(packet.pts * packet.time_base)
                times = [min(times[0], seconds), max(times[1], seconds)]
    return times[1] - times[0] + 1 / fps if times[1] > times[0] else count / fps


def _shown_size(frame, ratio, *, turn, max_side):
    """(width, height) after square pixels, the turn and the largest side."""
    width, height = frame.width * ratio, float(frame.height)
    shrink = min(1.0, max_side / max(width, height))
    width, height = max(1, round(width * shrink)), max(1, round(height * shrink))
    return (height, width) if turn % 2 else (width, height)


def _pixel_ratio(stream):
    ratio = float(stream.sample_aspect_ratio or 1)
    return ratio if 0.25 <= ratio <= 4 and abs(ratio - 1) > 0.05 else 1.0


def _none_in(path):
    return f"Expected at least 1 frame. Received: none in {path}. Export the video again."


def _check_file(path, limits):
    if not path.is_file():
        raise VideoError(f"Expected a video file. Received: {path}, which is no file. Check the path.")
    _check_bytes(path, path.stat().st_size, limits)


def _check_bytes(name, size, limits):
    if size == 0:
        raise VideoError(f"Expected a video. Received: 0 bytes in {name}. Copy or upload it again.")
    if size > limits.max_megabytes * 1e6:
        raise VideoError(
            f"Expected at most {limits.max_megabytes:g} MB. Received: {size / 1e6:.1f} MB in {name}. "
            "Cut it shorter, or raise Limits(max_megabytes=...)."
        )


def _check_side(stream, path, limits):
    side = max(stream.codec_context.width, stream.codec_context.height)
    if side > limits.max_side:
        raise VideoError(
            f"Expected at most {limits.max_side} pixels a side. Received: {side} in {path}. "
            "Export it smaller, or raise Limits(max_side=...)."
        )


def _check_length(path, seconds, fps, limits):
    if seconds > limits.max_seconds:
        raise VideoError(
            f"Expected at most {limits.max_seconds:g} seconds. Received: {seconds:.1f} in {path}. "
            "Cut it shorter, or raise Limits(max_seconds=...)."
        )
    if seconds * fps > limits.max_frames:
        raise VideoError(_too_many(path, f"{seconds * fps:,.0f}", limits))


def _too_many(path, received, limits):
    return (
        f"Expected at most {limits.max_frames:,} frames. Received: {received} in {path}. "
        "Cut it shorter, or raise Limits(max_frames=...)."
    )
