"""A video file -> frames: the one way to open it and the one way to make arrays of its frames; clips by frame number.

Frames are numbered as the decoder gives them, because XviD's time stamps may be missing or out of order. Scaling is by
area, which averages to shrink and interpolates to grow.
"""

import os
from contextlib import contextmanager

import av
import numpy as np
from av.video.reformatter import VideoReformatter

LARGE_FRAME = 640 * 480  # pixels; in smaller ones, decoding threads cost more than they gain
SMALL_PACKET = 16  # bytes; a smaller one may say "as before" and give no frame (XviD's files have some)
IN_ORDER = ("mpeg4", "mjpeg")  # codecs that give a frame for each packet at once, unless they use B-frames
NOT_VIDEOS = ("tty", "concat", "hls", "dash", "sdp", "rtsp")  # text, and lists that point to other files
ALPHA_GREY = 128  # under transparent pixels


class VideoError(ValueError):
    """A file that cannot be used as a video; the message names it."""


@contextmanager
def open_stream(path):
    """Open a local file and give PyAV's (container, video stream); FFmpeg's errors within become a VideoError."""
    options = {"protocol_whitelist": "file"}  # a playlist named .avi cannot make us fetch anything over the network
    try:
        with av.open(os.path.abspath(path), options=options, metadata_errors="replace") as container:
            kind, cover = container.format.name.split(",")[0], av.stream.Disposition.attached_pic
            streams = [stream for stream in container.streams.video if not stream.disposition & cover]
            if not streams or kind in NOT_VIDEOS:
                raise VideoError(f"Expected a video. Received: none in {path} ({kind}). Leave it out.")
            if streams[0].width * streams[0].height > LARGE_FRAME:
                streams[0].thread_type = "AUTO"
            else:
                streams[0].codec_context.thread_count = 1
            yield container, streams[0]
    except av.error.FFmpegError as error:
        message = f"Expected a video. Received: {path} ({error.strerror}). Copy the file again, or leave it out."
        raise VideoError(message) from error


def missing_frames(path, expected, received):
    """Make the VideoError of a file that has fewer frames than expected."""
    advice = "Ask for fewer frames, copy or export the file again, or leave it out."
    return VideoError(f"Expected at least {expected} frames. Received: {received} in {path}. {advice}")


class FrameConverter:
    """Turns PyAV's frames into uint8 (H, W, 3), RGB: upright, square pixels, grey under what is transparent."""

    def __init__(self, stream, size=None):
        self._reformatter, self._stream = VideoReformatter(), stream
        self._size = (size, size) if isinstance(size, int | np.integer) else size

    def __call__(self, frame):
        self._size = self._size or shown_size(frame, self._stream)
        turns = quarter_turns(frame)
        height, width = self._size[::-1] if turns % 2 else self._size
        kind = "rgba" if has_alpha(frame) else "rgb24"
        options = {"format": kind, "interpolation": "AREA", "threads": 1}
        image = self._reformatter.reformat(frame, width=width, height=height, **options).to_ndarray()
        if kind == "rgba":
            opacity = image[..., 3:].astype(np.uint16)
            image = ((image[..., :3] * opacity + ALPHA_GREY * (255 - opacity)) // 255).astype(np.uint8)
        return np.ascontiguousarray(np.rot90(image, turns))


def shown_size(frame, stream):
    """Return (height, width) of a frame as it is to be seen: with square pixels, upright."""
    aspect = float(stream.sample_aspect_ratio or 1)  # of a pixel
    width = round(frame.width * aspect) if 0.25 <= aspect <= 4 and abs(aspect - 1) > 0.05 else frame.width
    return (width, frame.height) if quarter_turns(frame) % 2 else (frame.height, width)


def quarter_turns(frame):
    """Return how many quarter turns counter-clockwise bring a stored frame upright, 0 to 3."""
    return round(frame.rotation / 90) % 4


def has_alpha(frame):
    """Tell whether a frame may be transparent: it has an alpha channel or a palette."""
    return frame.format.has_palette or any(component.is_alpha for component in frame.format.components)


def read_clip(path, indices, *, size=None):
    """Decode the frames with these numbers.

    Where the header promises more frames than there are, by at most 2 or 1 % (XviD's packed B-frames), the last frame
    stands in for those.

    Args:
        path: video file.
        indices: int (T,), from 0, in any order, repeats allowed.
        size: None (as shown), the side of a square, or (height, width), in pixels; frames are squashed to fit.

    Returns:
        uint8 (T, H, W, 3), RGB, upright.

    Raises:
        VideoError: the file cannot be used, or has too few frames.
        ValueError: the indices are not whole numbers from 0.

    Example:
        >>> import tempfile
        >>> from actlib.video.writer import write_video
        >>> path = write_video(tempfile.mkdtemp() + "/grey.mp4", np.full((5, 32, 48, 3), 128, np.uint8), fps=25)
        >>> read_clip(path, [4, 0, 0], size=16).shape
        (3, 16, 16, 3)
    """
    indices = np.asarray(indices)
    if indices.ndim != 1 or not len(indices) or indices.dtype.kind not in "iu" or indices.min() < 0:
        raise ValueError(f"Expected indices (T,) of whole numbers from 0. Received: {indices}. See the sampling rules.")
    wanted, order = np.unique(indices, return_inverse=True)
    try:
        frames = list(_pick_frames(path, wanted.tolist(), size, decode=_decode_needed))
    except _NotInOrder:
        frames = list(_pick_frames(path, wanted.tolist(), size, decode=_decode_all))
    return np.stack([frames[place] for place in order])  # (T, H, W, 3)


def read_frames(path, *, size=None):
    """Decode all frames, one at a time: a long video takes no more memory than a short one.

    Args:
        path: video file.
        size: as for `read_clip`.

    Yields:
        uint8 (H, W, 3), RGB, upright.
    """
    with open_stream(path) as (container, stream):
        convert, number = FrameConverter(stream, size), 0
        for number, frame in enumerate(container.decode(stream), 1):  # noqa: B007 (the count is used below)
            yield convert(frame)
        if not number:
            raise missing_frames(path, 1, 0)


class _NotInOrder(Exception):
    """A stream in which packet i does not simply hold frame i."""


def _pick_frames(path, wanted, size, *, decode):
    """Give the wanted frames (rising numbers) as arrays, and stop at the last of them."""
    done, number = 0, -1
    with open_stream(path) as (container, stream):
        convert = FrameConverter(stream, size)
        for number, frame in decode(container, stream, wanted):
            if number == wanted[done]:
                yield convert(frame)
                done += 1
                if done == len(wanted):
                    return
        needed, promised = wanted[-1] + 1, stream.frames
        if number < 0 or needed > promised or needed - number - 1 > max(2, promised // 100):
            raise missing_frames(path, needed, number + 1)
        yield from [convert(frame)] * (len(wanted) - done)


def _decode_all(container, stream, _wanted):
    return enumerate(container.decode(stream))


def _decode_needed(container, stream, wanted):
    """Decode only what the wanted frames build on, from the key frame before each: two thirds of UCF-101 for 16 frames.

    Without B-frames packet i holds frame i; wherever that turns out otherwise the caller decodes everything.
    """
    context, wanted, waiting = stream.codec_context, set(wanted), []  # packets since the last key or wanted frame
    if context.name not in IN_ORDER or context.has_b_frames:
        raise _NotInOrder
    for number, packet in enumerate(container.demux(stream)):
        if packet.size < SMALL_PACKET:  # it may give no frame, or the file has ended
            raise _NotInOrder
        if packet.is_keyframe:
            waiting.clear()
        waiting.append(packet)
        if number in wanted:
            for place, needed in enumerate(waiting, number + 1 - len(waiting)):
                frames = context.decode(needed)
                if len(frames) != 1 or (needed.is_keyframe and not frames[0].key_frame):
                    raise _NotInOrder
                yield place, frames[0]
            waiting.clear()
