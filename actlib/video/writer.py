"""Frames -> a video file, and the copies of videos that a browser plays (H.264: none plays XviD in AVI)."""

import functools
import hashlib
import os
import threading
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from actlib.paths import cache_folder
from actlib.video.metadata import VideoError, probe_video
from actlib.video.reader import read_frames

X264_OPTIONS = {
    "preset": "veryfast",
    "crf": "20",
    "bf": "0",
    "g": "25",
}  # no B-frames: frame i shows at i / fps


def content_key(path) -> str:
    """Name a file by what is in it, so that whatever was made from other content is never taken for its own.

    Args:
        path: file.

    Returns:
        16 hex digits; the file is read again only if its size or times have changed.

    Raises:
        VideoError: the file cannot be read.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "empty.avi"
        >>> path.touch()
        >>> content_key(path)
        'e3b0c44298fc1c14'
    """
    try:
        stat = os.stat(path)
        return _hash_file(os.path.abspath(path), stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)
    except OSError as error:
        message = f"Expected a file. Received: {path} ({error.strerror}). Copy the file again or leave it out."
        raise VideoError(message) from error


@functools.lru_cache(maxsize=100_000)
def _hash_file(path, *_signature):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def write_video(path, frames, *, fps, codec="libx264") -> Path:
    """Write frames as a video, under its name only when it is complete.

    Args:
        path: file to write; its ending chooses the container (.mp4 for the browser).
        frames: uint8 (H, W, 3), RGB, any iterable of at least one; an odd last row or column is cut off.
        fps: frames a second.
        codec: encoder; "libx264" gives yuv420p with its index at the front, which every browser plays.

    Returns:
        The path.

    Raises:
        ValueError: there are no frames, or they are not uint8 (H, W, 3).

    Example:
        >>> import tempfile
        >>> write_video(tempfile.mkdtemp() + "/grey.mp4", np.full((5, 33, 48, 3), 128, np.uint8), fps=25).name
        'grey.mp4'
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.stem}.{os.getpid()}-{threading.get_ident()}{path.suffix}")
    try:
        _encode(draft, frames, Fraction(fps).limit_denominator(1001), codec)
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)
    return path


def browser_copy(path, *, folder=None) -> Path:
    """Make an H.264 copy of a video that every browser plays, once.

    Args:
        path: any video.
        folder: where copies are kept, or None for `browser` in the cache folder.

    Returns:
        Path of an .mp4 whose name holds the key of the video's content.

    Raises:
        VideoError: the video cannot be used.

    Example:
        >>> import tempfile
        >>> grey = np.zeros((5, 32, 48, 3), np.uint8)
        >>> video = write_video(tempfile.mkdtemp() + "/grey.avi", grey, fps=25, codec="mpeg4")
        >>> browser_copy(video, folder=video.parent).suffix
        '.mp4'
    """
    copy = Path(folder or cache_folder() / "browser") / f"{Path(path).stem}-{content_key(path)}.mp4"
    if not copy.exists():
        write_video(copy, read_frames(path), fps=probe_video(path).fps)
    return copy


def _encode(path, frames, rate, codec):
    """Encode frames into a new file."""
    with av.open(str(path), "w", options={"movflags": "+faststart"} if path.suffix == ".mp4" else {}) as container:
        stream = None
        for number, picture in enumerate(frames):
            picture = _even(picture)
            stream = stream or _add_stream(container, picture.shape, rate, codec)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, 1 / rate
            container.mux(stream.encode(frame))
        if stream is None:
            raise ValueError(f"Expected at least 1 frame. Received: 0 for {path.name}. Pass the frames to write.")
        container.mux(stream.encode())


def _even(picture):
    """Cut a picture (H, W, 3) to even sides, which yuv420p needs."""
    picture = np.asarray(picture)
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or min(picture.shape) < 2:
        raise ValueError(
            f"Expected frames uint8 (H, W, 3), sides of 2 or more. Received: {picture.dtype} {picture.shape}. "
            "Convert them to RGB in 0..255."
        )
    height, width = picture.shape[0] // 2 * 2, picture.shape[1] // 2 * 2
    return np.ascontiguousarray(picture[:height, :width])


def _add_stream(container, shape, rate, codec):
    stream = container.add_stream(codec, rate=rate, options=X264_OPTIONS if codec == "libx264" else {"qscale": "3"})
    stream.height, stream.width = shape[:2]
    stream.pix_fmt = "yuv420p"
    stream.codec_context.time_base = 1 / rate
    return stream
