"""Any video that a user brings -> a steady stream of upright RGB frames, or a clear refusal.

Phones, webcams and editors write what the data set never does: turned pictures, uneven frame rates, alpha channels,
non-square pixels, headers without a length. `open_video` looks first, `stream_frames` then takes little memory.
"""

import itertools
import math
import re
import warnings
from pathlib import Path
from typing import NamedTuple

import av

from actlib.files import shorten_name, write_whole
from actlib.video import reader
from actlib.video.reader import VideoError, missing_frames, open_stream, read_packets

MAX_GAP = 60.0  # seconds that a frame counts where lengths are counted; what is above is taken for a broken clock
TOLD_LENGTHS = ("mov", "matroska", "avi", "asf")  # containers whose header holds the length; of others it is counted


class Limits(NamedTuple):
    """The largest video that is taken; what is larger is refused before it is decoded."""

    max_megabytes: float = 8192.0  # size of the file
    max_seconds: float = 3 * 3600.0
    max_frames: int = 400_000  # of the steady stream
    max_side: int = 8192  # pixels of the longer side, as stored


LIMITS = Limits()
UNITS = {"max_megabytes": "MB", "max_seconds": "seconds", "max_frames": "frames", "max_side": "pixels a side"}


class VideoStream(NamedTuple):
    """One video as it will be shown: upright, square pixels, steady rate."""

    path: Path
    width: int  # pixels, as shown
    height: int
    fps: float  # frames a second of the steady stream
    seconds: float  # from the header, or counted where the header does not tell
    rotation: int  # degrees counter-clockwise that bring the stored picture upright
    format: str  # container / codec
    limits: Limits

    @property
    def num_frames(self) -> int:
        """Number of frames that the stream is expected to give, at least 1."""
        return max(1, round(self.seconds * self.fps))


def open_video(path, *, limits=LIMITS, max_fps=30.0, max_side=1280) -> VideoStream:
    """Look into a video file and say how it will be shown; reads the header and one frame, rarely more.

    Args:
        path: a file in any container and codec that FFmpeg reads; audio tracks and cover pictures are ignored.
        limits: the largest video that is taken.
        max_fps: faster videos lose whole frames evenly until they are at most this fast (60 becomes 30, 50 becomes 25).
        max_side: pixels of the longer side; larger pictures are shrunk.

    Raises:
        VideoError: the file is missing, no video, or beyond the limits; the message says which and what to do.
    """
    path = Path(path)
    with open_stream(path) as (container, stream):
        side = max(stream.codec_context.width, stream.codec_context.height)
        _check_limits(path, limits, max_megabytes=container.size / 1e6, max_side=side)
        frame, *_ = next(_decode_frames(container, stream))
        told = next((rate for rate in (stream.guessed_rate, stream.average_rate) if rate and rate <= 300), 25)
        fps = max(reader.FPS_RANGE[0], float(told) / max(1, math.ceil(told / max_fps - 1e-6)))
        height, width = reader.shown_size(frame, stream)
        whole = (container.duration or 0) / av.time_base
        seconds = float(stream.duration * stream.time_base) if stream.duration else whole
        names = container.format.name, stream.codec_context.name
    if not seconds or names[0].split(",")[0] not in TOLD_LENGTHS:
        seconds = _count_seconds(path, fps)
    _check_limits(path, limits, max_seconds=seconds, max_frames=seconds * fps)
    shrink = min(1.0, max_side / max(width, height))
    width, height = max(1, round(width * shrink)), max(1, round(height * shrink))
    return VideoStream(path, width, height, fps, seconds, 90 * reader.quarter_turns(frame), " / ".join(names), limits)


def stream_frames(video, *, size=None, fps=None):
    """Yield all frames of a video, uint8 RGB (H, W, 3), upright, at a steady rate; memory does not grow with time.

    Frames of a variable rate are held or left out: frame i is what is on screen in the middle of its slot. At a video's
    own rate they are those of `read_clip`, to the byte. What cannot be decoded is passed over, with one warning.

    Args:
        video: what `open_video` gave.
        size: (H, W) in pixels, or one int for a square (squashed, as clips are for training); None as shown.
        fps: frames a second of the stream, if not the video's own; a lower rate leaves out, a higher one repeats.

    Raises:
        VideoError: no frame can be decoded, or there are more than the header promised and the limits allow.
    """
    count = 0
    with open_stream(video.path) as (container, stream):
        convert = reader.FrameConverter((video.height, video.width) if size is None else size)
        frames = _decode_frames(container, stream, video.seconds)
        for frame, times in resample_fps(frames, fps or video.fps):
            image = convert(frame) if times else None
            for _ in range(times):
                count += 1
                _check_limits(video.path, video.limits, max_frames=count)
                yield image


def resample_fps(frames, fps):
    """Pair each of (frame, seconds, duration) with the number of steady slots that show it (0: left out).

    Slot k shows what is on screen in its middle, at second (k + 0.5) / fps: the rule of `sample_uniform`. Frames come
    one late, because each is on screen until the next one.

    Args:
        frames, fps: such triples, in order; slots a second.
    """
    slot = 0
    for (frame, start, duration), following in itertools.pairwise(itertools.chain(frames, [None])):
        end = following[1] if following else start + duration
        until = max(slot, following is None, math.ceil(end * fps - 0.5 - 1e-6))  # a hair less, against rounding
        yield frame, until - slot  # the last of a video is shown at least once
        slot = until


def save_upload(name, content, folder, *, limits=LIMITS) -> Path:
    """Keep an uploaded file under a safe name in a folder, so that it can be opened like any other.

    Args:
        name: the name that the browser gives; folders and odd characters in it are dropped.
        content, folder: bytes or memoryview; where it goes, made where there is none.
        limits: a larger file raises VideoError before it is written.
    """
    _check_limits(name, limits, max_megabytes=len(content) / 1e6)
    stem = re.sub(r"[^\w.-]+", "_", re.split(r"[/\\]", str(name))[-1]).lstrip(".") or "upload"
    return write_whole(Path(folder) / shorten_name(stem[-100:]), content)


def _decode_frames(container, stream, seconds=math.inf):
    """Decode to (frame, seconds from the start, duration), passing over what is broken and putting the clock right."""
    # A time that is missing or steps back is replaced by the next one due; after a step back of over a second (videos
    # joined end to end), or one past the end of the video, the clock goes on from there.
    gap = 1 / float(stream.average_rate or 25)
    ordered = container.format.name == "avi"  # AVI caches an order, no times; what PyAV makes of it is jumbled
    start, now = None, -gap
    for frame in _decode_packets(container, stream):
        ticks = frame.dts if ordered else frame.pts
        told = None if ticks is None else float(ticks * frame.time_base)
        start = told if start is None else start
        if told is not None and not now - 1 <= told - start <= max(now + gap, seconds) + 1:
            if told - start > now:
                gone = f"{told - start - now:,.0f} seconds without frames in {container.name}"
                warnings.warn(f"Passed over {gone}.", stacklevel=4)
            start = told - (now + gap)
        now = told - start if told is not None and told - start > now else now + gap
        yield frame, now, min(float((frame.duration or 0) * (frame.time_base or 0)) or gap, max(seconds, gap))
    if now < 0:
        raise missing_frames(container.name, 1, 0)


def _decode_packets(container, stream):
    """Decode all packets but the broken ones, of which one warning at the end tells."""
    broken, packets, packet = 0, read_packets(container, stream), True
    while packet is not None:
        try:
            packet = next(packets, None)
            yield from packet.decode() if packet is not None else ()
        except av.error.FFmpegError as error:
            broken += not isinstance(error, av.error.EOFError)
        except VideoError as error:  # it ends too early
            warnings.warn(str(error), stacklevel=5)
    if broken:
        passed = f"Passed over {broken} broken parts of {container.name}."
        warnings.warn(f"{passed} Times may be off near them.", stacklevel=5)


def _count_seconds(path, fps):
    """Return the length by reading (not decoding) the whole file; a gap between frames counts up to MAX_GAP."""
    with open_stream(path) as (container, stream):
        packets = [packet.pts for packet in reader.demux(container, stream) if packet.size]
        times = [float(ticks * stream.time_base) for ticks in sorted(set(packets) - {None})]
        steps = sum(min(after - before, MAX_GAP) for before, after in itertools.pairwise(times))
        return steps + 1 / fps if steps else len(packets) / fps


def _check_limits(path, limits, **values):
    for name, value in values.items():
        if value > (most := getattr(limits, name)):
            found = f"Expected at most {most:,.10g} {UNITS[name]}. Received: {round(value, 1):,} in {path}."
            raise VideoError(f"{found} Export it shorter or smaller, or raise Limits({name}=...).")
