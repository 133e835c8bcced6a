"""The awkward parts of decoding a foreign video: local files only, broken packets, uneven times, alpha, turns."""

import math
import warnings
from typing import NamedTuple

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from actlib.video.metadata import VideoError

NOT_FILMS = ("tty", "concat", "hls", "dash", "sdp", "rtsp")  # text, and lists that point to other files
ALPHA_GROUND = 128  # grey under transparent pixels
MAX_BROKEN = 1000  # packets


def open_local(path):
    """Opens one local file: a playlist cannot make us fetch what it names over the network.

    Args:
        path: pathlib.Path.

    Returns:
        PyAV input container, to be used in a `with`.
    """
    return av.open(str(path.resolve()), options={"protocol_whitelist": "file"}, metadata_errors="replace")


def film_stream(container, path):
    """Finds the first stream of moving pictures, be there sound and cover pictures or not.

    Args:
        container: PyAV input container.
        path: its file, for the message.

    Returns:
        PyAV video stream.

    Raises:
        VideoError: there is none, or the file is a text or a playlist.
    """
    cover = av.stream.Disposition.attached_pic
    streams = [stream for stream in container.streams.video if not stream.disposition & cover]
    kind = container.format.name.split(",")[0]
    if not streams or kind in NOT_FILMS:
        raise VideoError(f"Expected a video. Received: {path} ({kind}, no film in it). Choose another file.")
    return streams[0]


class TimedFrame(NamedTuple):
    """A decoded frame and when it is on screen: seconds from the start of the film, never running back."""

    frame: av.VideoFrame
    seconds: float
    duration: float  # seconds


def decode_frames(container, stream, path):
    """Decodes a film, passing over what is broken (one warning at the end) and putting its clock right.

    A time that is missing or steps back is replaced by the next one due; after a step back of over a second (films
    joined end to end) the clock goes on from there.

    Args:
        container, stream: what to decode.
        path: its file, for the warning.

    Yields:
        TimedFrame.
    """
    gap = 1 / float(stream.average_rate or 25)
    ordered = container.format.name == "avi"  # AVI caches an order, no times; what PyAV makes of it is jumbled
    start, now = None, -gap
    for frame in _decode_packets(container, stream, path):
        ticks = frame.dts if ordered else frame.pts
        told = None if ticks is None else float(ticks * frame.time_base)
        start = told if start is None else start
        if told is not None and told - start < now - 1:
            start = told - (now + gap)
        now = told - start if told is not None and told - start > now else now + gap
        yield TimedFrame(frame, now, float((frame.duration or 0) * (frame.time_base or 0)) or gap)


def _decode_packets(container, stream, path):
    broken, packets, packet = 0, container.demux(stream), True
    while packet is not None and broken < MAX_BROKEN:
        try:
            packet = next(packets, None)
            yield from packet.decode() if packet is not None else ()
        except av.error.EOFError:
            break
        except av.error.FFmpegError:
            broken += 1
    if broken:
        warnings.warn(f"Passed over {broken} broken parts of {path}. Times near them may be off.", stacklevel=4)


def resample_fps(shown, fps):
    """Pairs each frame with the number of steady slots that show it (0: left out).

    Slot k shows what is on screen in its middle, at second (k + 0.5) / fps: the rule by which training clips are
    sampled evenly (`clips.sample_uniform`).

    Args:
        shown: iterable of TimedFrame.
        fps: slots a second.

    Yields:
        (frame, number of slots), one frame late, because a frame is on screen until the next one comes.
    """
    held, slot = None, 0
    for new in shown:
        if held is not None:
            until = _slot_after(new.seconds, fps)
            yield held.frame, until - slot
            slot = until
        held = new
    if held is not None:
        until = _slot_after(held.seconds + held.duration, fps)
        yield held.frame, max(until - slot, 1 if slot == 0 else 0)


def _slot_after(seconds, fps):
    """The first slot whose middle does not come before a time; a hair is taken off against rounding."""
    return max(0, math.ceil(seconds * fps - 0.5 - 1e-6))


def has_alpha(frame) -> bool:
    """Tells whether a frame may be transparent.

    Args:
        frame: PyAV VideoFrame.

    Returns:
        True with an alpha channel or a palette.
    """
    return frame.format.has_palette or any(component.is_alpha for component in frame.format.components)


class Upright:
    """Turns PyAV frames into uint8 (H, W, 3) arrays as they are to be seen, with one scaler for all of them.

    Transparent pixels are laid on grey.

    Args:
        height, width: of what comes out, in pixels.
        turn: quarter turns counter-clockwise.
    """

    def __init__(self, height, width, turn):
        self.scaler, self.turn = VideoReformatter(), turn
        self.stored = (width, height) if turn % 2 else (height, width)

    def __call__(self, frame):
        height, width = self.stored
        kind = "rgba" if has_alpha(frame) else "rgb24"
        image = self.scaler.reformat(frame, width=width, height=height, format=kind).to_ndarray()
        if kind == "rgba":
            opacity = image[..., 3:].astype(np.uint16)
            image = ((image[..., :3] * opacity + ALPHA_GROUND * (255 - opacity)) // 255).astype(np.uint8)
        return np.ascontiguousarray(np.rot90(image, self.turn))
