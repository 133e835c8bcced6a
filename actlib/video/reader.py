"""A video file -> frames: the one way to open it and the one way to make arrays of its frames; clips by frame number.

Frames are numbered as the decoder gives them, because XviD's time stamps may be missing or out of order. Scaling is by
area, which averages to shrink and interpolates to grow.
"""

import itertools
import os
from contextlib import contextmanager

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from actlib.files import require_file

LARGE_FRAME = 640 * 480  # pixels; in smaller ones, decoding threads cost more than they gain
THREADED = ("h264", "hevc", "vp9", "libdav1d")  # codecs whose threads give the same pixels each time, damaged or not
FPS_RANGE = (0.01, 1000.0)  # frames a second of what is written or streamed
MAX_PIXELS = 8192 * 4320  # of a frame; decoding a larger one takes memory by the gigabyte
CONTAINERS = "avi,mov,matroska,mpegts,mpeg,mpegvideo,m4v,h264,hevc,vvc,av1,obu,ivf,asf,flv,ogg,mxf,nut,rm,dv,mjpeg"
CONTAINERS += ",gif,apng,yuv4mpegpipe,png_pipe,jpeg_pipe,webp_pipe,bmp_pipe,tiff_pipe"  # none points to other files
TIMED = ("matroska", "flv", "mov")  # their header says how long a video is, where it does not count the frames
CUT = "The file is cut off or damaged: copy or export it again, or leave it out."
ALPHA_GREY = 128  # under transparent pixels


class VideoError(ValueError):
    """A file that cannot be used as a video; the message names it."""


@contextmanager
def open_stream(path):
    """Open a local file as PyAV's (container, video stream); FFmpeg's errors within become a VideoError."""
    options = {"protocol_whitelist": "file", "format_whitelist": CONTAINERS, "max_pixels": str(MAX_PIXELS)}
    try:
        require_file(path)
        with av.open(os.path.abspath(path), options=options, metadata_errors="replace") as container:
            cover = av.stream.Disposition.attached_pic
            streams = [each for each in container.streams.video if each.codec_context and not each.disposition & cover]
            if not streams:
                raise VideoError(f"Expected a video. Received: none with a decoder in {path}. Leave it out.")
            context = streams[0].codec_context
            pixels = context.width * context.height  # 0 if the decoder was not allowed to look
            if not 0 < pixels <= MAX_PIXELS:
                found = pixels or "more, or none,"
                raise VideoError(f"Expected up to {MAX_PIXELS:,} pixels. Received: {found} in {path}. Leave it out.")
            context.options = {"max_pixels": options["max_pixels"]}
            is_large = pixels > LARGE_FRAME and context.name in THREADED
            context.thread_type, context.thread_count = "AUTO", 0 if is_large else 1  # 0: one for each core
            yield container, streams[0]
    except (av.error.FFmpegError, OSError) as error:
        reason = "no kind of video that is read here" if isinstance(error, av.error.ArgumentError) else error.strerror
        raise VideoError(f"Expected a video. Received: {path} ({reason}). Copy it again, or leave it out.") from error


def demux(container, stream):
    """Read the packets of a file or one stream; VideoError where a stream begins that was not there at first."""
    try:
        yield from container.demux(*filter(None, [stream]))
    except IndexError as error:  # PyAV's
        raise VideoError(f"Expected no new stream. Received: one in {container.name}. {CUT}") from error


def read_packets(container, stream):
    """Read the packets of a video stream, of which the last is empty; notice at the end if the header promised more."""
    timed = not stream.frames and container.format.name.split(",")[0] in TIMED
    promised = container.duration / av.time_base if timed and container.duration else 0.0
    gap, count, seconds, is_cut = 1 / float(stream.average_rate or 25), 0, 0.0, False
    for packet in demux(container, None if promised else stream):
        is_cut |= packet.is_corrupt
        if packet.size and not packet.is_corrupt:
            count += packet.stream_index == stream.index
            if promised:  # fractions are slow
                length = float((packet.duration or 0) * packet.time_base) or gap
                seconds = max(seconds, float((packet.pts or 0) * packet.time_base) + length)
        if packet.stream_index == stream.index:
            yield packet
    if count < stream.frames:
        raise missing_frames(container.name, stream.frames, count)
    if container.format.name == "mpegts" and container.size % 188 and container.size % 192:
        raise VideoError(f"Expected packets of 188 bytes. Received: {container.size} bytes in {container.name}. {CUT}")
    if promised and (is_cut or seconds < promised - gap / 2):
        raise VideoError(f"Expected {promised:.2f} seconds. Received: {seconds:.2f} in {container.name}. {CUT}")


def decode_frames(container, stream):
    """Decode all frames in a row, by index too, as what damage does to a frame depends on all that came before it."""
    number = -1
    decoded = (frame for packet in read_packets(container, stream) for frame in packet.decode())
    for number, frame in enumerate(decoded):
        if not number and frame.is_corrupt:  # what would show is whatever is in memory
            raise VideoError(f"Expected a whole first frame. Received: a damaged one in {container.name}. {CUT}")
        yield frame
    if number < 0:
        raise missing_frames(container.name, 1, 0)


def missing_frames(path, expected, received):
    """Make the VideoError of a file that has fewer frames than expected."""
    advice = "Ask for fewer frames, copy or export the file again, or leave it out."
    return VideoError(f"Expected at least {expected} frames. Received: {received} in {path}. {advice}")


class FrameConverter:
    """Turns PyAV's frames into uint8 (H, W, 3), RGB: upright, square pixels, grey under what is transparent."""

    def __init__(self, size):
        self._reformatter, self._size = VideoReformatter(), np.broadcast_to(size, 2).tolist()

    def __call__(self, frame):
        turns = quarter_turns(frame)
        height, width = self._size[::-1] if turns % 2 else self._size
        kind = "rgba" if frame.format.has_palette or any(part.is_alpha for part in frame.format.components) else "rgb24"
        options = {"format": kind, "interpolation": "AREA", "threads": 1}
        image = self._reformatter.reformat(frame, width=width, height=height, **options).to_ndarray()
        if kind == "rgba":
            opacity = image[..., 3:].astype(np.uint16)
            image = ((image[..., :3] * opacity + ALPHA_GREY * (255 - opacity)) // 255).astype(np.uint8)
        return np.ascontiguousarray(np.rot90(image, turns))


def shown_size(frame, stream):
    """Return (height, width) of a frame as it is to be seen: with square pixels, upright."""
    aspect = float(stream.sample_aspect_ratio or 1)  # of a pixel
    width = max(1, round(frame.width * aspect)) if 0.25 <= aspect <= 4 and abs(aspect - 1) > 0.05 else frame.width
    return (width, frame.height) if quarter_turns(frame) % 2 else (frame.height, width)


def quarter_turns(frame):
    """Return how many quarter turns counter-clockwise bring a stored frame upright, 0 to 3."""
    return round(frame.rotation / 90) % 4


def read_clip(path, indices, *, size=None):
    """Decode the frames with these numbers.

    Where the header promises up to 2 frames or 1 % more than there are (XviD's packed B-frames), the last stands in.

    Args:
        path, indices: video file; int (T,), from 0, in any order, repeats allowed.
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
    whole = indices.ndim == 1 and len(indices) and indices.dtype.kind in "iu"
    if not (whole and 0 <= indices.min() <= indices.max() < 2**63):
        raise ValueError(f"Expected indices (T,) of whole numbers from 0. Received: {indices}. See the sampling rules.")
    wanted, order = np.unique(indices, return_inverse=True)
    frames = [*read_frames(path, wanted, size=size)]
    return np.stack([frames[place] for place in order])  # (T, H, W, 3)


def read_frames(path, numbers=None, *, size=None):
    """Yield frames, as `read_clip` gives them, one at a time: a long video takes no more memory than a short one.

    Args:
        path, numbers: video file; int (n,), from 0, ascending, or None for all frames.
        size: as for `read_clip`.
    """
    with open_stream(path) as (container, stream):
        decoded = decode_frames(container, stream)
        first = next(decoded)  # a film may change its size later
        convert = FrameConverter(shown_size(first, stream) if size is None else size)
        decoded = itertools.chain([first], decoded)
        if numbers is None:
            yield from map(convert, decoded)
            return
        count, needed = 0, numbers[-1] + 1
        for number in numbers:
            for frame in itertools.islice(decoded, number + 1 - count):
                last, count = frame, count + 1
            if number >= count and (needed > stream.frames or needed - count > max(2, stream.frames // 100)):
                raise missing_frames(path, needed, count)
            yield convert(last)
