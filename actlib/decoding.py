"""The awkward parts of decoding a foreign video: local files only, broken packets, alpha, quarter turns, uneven times."""

import warnings

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from actlib.probing import VideoError

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


def decode_frames(container, stream, path):
    """Decodes packet by packet and passes over what is broken, with one warning at the end.

    Args:
        container, stream: what to decode.
        path: its file, for the warning.

    Yields:
        (PyAV VideoFrame, seconds at which it is shown or None where the file does not tell).
    """
    broken, packets, packet = 0, container.demux(stream), True
    while packet is not None and broken < MAX_BROKEN:
        try:
            packet = next(packets, None)
            for frame in packet.decode() if packet is not None else ():
                yield frame, _seconds(frame, container)
        except av.error.EOFError:
            break
        except av.error.FFmpegError:
            broken += 1
    if broken:
        warnings.warn(f"Passed over {broken} broken parts of {path}. Times near them may be off.", stacklevel=3)


def _seconds(frame, container):
    """AVI stores no times, only an order, and what PyAV makes of it is jumbled wherever B-frames are."""
    if container.format.name == "avi":
        return None if frame.dts is None else float(frame.dts * frame.time_base)
    return frame.time


def hold_steady(frames, fps):
    """Pairs each frame with the number of steady slots during which it is on screen (0: it is left out).

    A clock that is missing or steps back moves on by one slot; after a step back of over a second it starts anew.

    Args:
        frames: iterable of (frame, seconds or None) in the order of showing.
        fps: slots a second.

    Yields:
        (frame, number of slots), one frame late, because a frame is on screen until the next one comes.
    """
    held, slot, start = None, 0, None
    for frame, seconds in frames:
        if held is not None:
            now = slot + 1 if seconds is None or start is None else round((seconds - start) * fps)
            start = seconds - (slot + 1) / fps if now < slot - fps else start
            now = now if now >= slot else slot + 1
            yield held, now - slot
            slot = now
        start = seconds if start is None else start
        held = frame
    if held is not None:
        yield held, max(1, round(float((held.duration or 0) * (held.time_base or 0)) * fps))


def has_alpha(frame) -> bool:
    """Tells whether a frame may be transparent, by an alpha channel or a palette."""
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
