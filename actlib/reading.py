"""A video file -> frames: only those converted that were asked for, none decoded after the last of them.

Frames are numbered as the decoder gives them, because XviD's time stamps may be missing or out of order. One
reformatter a video does size and colours in one call: by area, which averages to shrink and interpolates to grow.
"""

from contextlib import contextmanager

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from actlib.probing import VideoError

LARGE_FRAME = 640 * 480  # pixels; in smaller ones, decoding threads cost more than they gain


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
        >>> from actlib.copies import write_video
        >>> path = write_video(tempfile.mkdtemp() + "/grey.mp4", np.full((5, 32, 48, 3), 128, np.uint8), fps=25)
        >>> read_clip(path, [4, 0, 0], size=16).shape
        (3, 16, 16, 3)
    """
    wanted, order = np.unique(_check_indices(indices), return_inverse=True)
    convert, pictures, number = frame_converter(size), [], -1
    with _open_stream(path) as (container, stream):
        for number, frame in enumerate(container.decode(stream)):
            if number == wanted[len(pictures)]:
                pictures.append(convert(frame))
                if len(pictures) == len(wanted):
                    break
        else:
            _check_missing(path, number + 1, needed=int(wanted[-1]) + 1, promised=stream.frames)
            pictures += [convert(frame)] * (len(wanted) - len(pictures))
    return np.stack([pictures[place] for place in order])  # (T, H, W, 3)


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
        >>> from actlib.copies import write_video
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


@contextmanager
def _open_stream(path):
    """Open a file and its first video stream; whatever goes wrong inside becomes a VideoError that names the file."""
    try:
        with av.open(str(path)) as container:
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
