"""A video file -> frames: only those converted that were asked for, none decoded after the last of them.

Frames are numbered as the decoder gives them, because XviD's time stamps may be missing or out of order. One
reformatter a video does size and colours in one call: by area, which averages to shrink and interpolates to grow.
"""

import os
from contextlib import contextmanager

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from actlib.video.metadata import LOCAL_ONLY, SMALL_PACKET, VideoError

LARGE_FRAME = 640 * 480  # pixels; in smaller ones, decoding threads cost more than they gain
IN_ORDER = ("mpeg4", "mjpeg")  # codecs that give a frame for each packet at once, unless they use B-frames


def read_clip(path, indices, *, size=None):
    """Decode the frames with these numbers.

    A few real files hold packets that give no frame (XviD's packed B-frames). Where the header promises more frames
    than there are, by at most 2 or 1 %, the last frame stands in for those.

    Args:
        path: video file.
        indices: int (T,), from 0, in any order, repeats allowed.
        size: None (as in the file), the side of a square, or (height, width), in pixels; pictures are squashed to fit.

    Returns:
        uint8 (T, H, W, 3), RGB, upright where the file says how the camera was held.

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
    wanted, order = np.unique(_check_indices(indices), return_inverse=True)
    convert = frame_converter(size)
    try:
        clip = _stack(map(convert, _pick_frames(path, wanted, decode=_decode_needed)), len(wanted))
    except _NotInOrder:
        clip = _stack(map(convert, _pick_frames(path, wanted, decode=_decode_all)), len(wanted))
    return clip if np.array_equal(order, np.arange(len(clip))) else clip[order]  # (T, H, W, 3)


def read_frames(path, *, size=None):
    """Decode all frames, one at a time: a long video takes no more memory than a short one.

    Args:
        path: video file.
        size: as for `read_clip`.

    Yields:
        uint8 (H, W, 3), RGB.

    Raises:
        VideoError: the file cannot be used, or has no frames.

    Example:
        >>> import tempfile
        >>> from actlib.video.writer import write_video
        >>> path = write_video(tempfile.mkdtemp() + "/grey.mp4", np.full((5, 32, 48, 3), 128, np.uint8), fps=25)
        >>> sum(1 for frame in read_frames(path))
        5
    """
    convert, number = frame_converter(size), 0
    with _open_stream(path) as (container, stream):
        for number, frame in enumerate(container.decode(stream), 1):  # noqa: B007 (the count is used below)
            yield convert(frame)
        _check_missing(path, number, needed=1, promised=0)


def frame_converter(size=None):
    """Make a function that turns decoded frames into arrays, with one reformatter for all of them.

    Args:
        size: as for `read_clip`.

    Returns:
        Function: PyAV's VideoFrame -> uint8 (H, W, 3), RGB, upright.

    Example:
        >>> frame_converter(8)(av.VideoFrame(32, 16, "yuv420p")).shape
        (8, 8, 3)
    """
    reformatter = VideoReformatter()
    height, width = (size, size) if isinstance(size, int | np.integer) else size or (None, None)

    def convert(frame):
        turns = round(frame.rotation / 90) % 4  # counter-clockwise, until the picture stands upright
        rows, columns = (width, height) if turns % 2 else (height, width)
        scaled = reformatter.reformat(
            frame, width=columns, height=rows, format="rgb24", interpolation="AREA", threads=1
        )
        return np.rot90(scaled.to_ndarray(), turns)

    return convert


class _NotInOrder(Exception):
    """A stream in which packet i does not simply hold frame i."""


def _stack(pictures, count):
    """Stack arrays as they come, each freed before the next is made."""
    for place, picture in enumerate(pictures):
        if place == 0:
            stacked = np.empty((count, *picture.shape), picture.dtype)
        stacked[place] = picture
    return stacked


def _pick_frames(path, wanted, *, decode):
    """Give the wanted frames (rising numbers), and stop at the last of them."""
    done, number = 0, -1
    with _open_stream(path) as (container, stream):
        for number, frame in decode(container, stream, wanted):
            if number == wanted[done]:
                yield frame
                done += 1
                if done == len(wanted):
                    return
        _check_missing(path, number + 1, needed=int(wanted[-1]) + 1, promised=stream.frames)
        yield from [frame] * (len(wanted) - done)


def _decode_all(container, stream, _wanted):
    """Decode every frame: (number, frame)."""
    return enumerate(container.decode(stream))


def _decode_needed(container, stream, wanted):
    """Decode what the wanted frames build on: in each group from its key frame to its last wanted frame.

    Nearly a third of UCF-101 need not be decoded for 16 evenly spaced frames. Without B-frames packet i holds frame i;
    wherever that turns out otherwise the caller decodes everything.
    """
    context = stream.codec_context
    if context.name not in IN_ORDER or context.has_b_frames:
        raise _NotInOrder
    for first, group in _split_groups(container.demux(stream)):
        last = wanted[np.searchsorted(wanted, first + len(group)) - 1]  # the last one wanted before the group's end
        for number, packet in enumerate(group[: max(0, last - first + 1)], first):
            frames = context.decode(packet)
            if len(frames) != 1 or (number == first and not frames[0].key_frame):
                raise _NotInOrder
            yield number, frames[0]
    raise _NotInOrder  # fewer frames than wanted


def _split_groups(packets):
    """Split packets at key frames: (number of the first, packets)."""
    first, group = 0, []
    for packet in packets:
        if 0 < packet.size < SMALL_PACKET:
            raise _NotInOrder
        if group and (packet.is_keyframe or not packet.size):
            yield first, group
            first, group = first + len(group), []
        group.append(packet)


@contextmanager
def _open_stream(path):
    """Open a file and its first video stream; whatever goes wrong inside becomes a VideoError that names the file."""
    try:
        with av.open(os.path.abspath(path), options=LOCAL_ONLY, metadata_errors="replace") as container:
            if not container.streams.video:
                raise VideoError(f"Expected a video stream. Received: none in {path}. Leave the file out.")
            stream = container.streams.video[0]
            if stream.width * stream.height <= LARGE_FRAME:
                stream.codec_context.thread_count = 1
            else:
                stream.thread_type = "AUTO"
            yield container, stream
    except av.error.FFmpegError as error:
        message = f"Expected a video. Received: {path} ({error.strerror}). Copy the file again or leave it out."
        raise VideoError(message) from error


def _check_indices(indices):
    indices = np.asarray(indices)
    if indices.ndim != 1 or not len(indices) or indices.dtype.kind not in "iu" or indices.min() < 0:
        raise ValueError(f"Expected indices (T,) of whole numbers from 0. Received: {indices}. See the sampling rules.")
    return indices


def _check_missing(path, num_frames, *, needed, promised):
    """Raise unless none is missing, or only the few that the header promised and packed packets do not give."""
    missing = needed - num_frames
    if num_frames == 0 or (missing > 0 and (needed > promised or missing > max(2, promised // 100))):
        raise VideoError(
            f"Expected at least {needed} frames. Received: {num_frames} in {path}. "
            "Ask for fewer frames, copy the file again, or leave it out."
        )
