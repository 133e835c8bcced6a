"""Frames -> a video file, and the copies of videos that a browser plays (H.264: none plays XviD in AVI)."""

import itertools
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from actlib import files, paths
from actlib.video.flow import encode_frames
from actlib.video.metadata import probe_video
from actlib.video.reader import FPS_RANGE, read_frames

H264 = {"preset": "veryfast", "crf": "20", "bf": "0", "g": "25"}  # no B-frames: frame i shows at i / fps


def write_video(path, frames, *, fps, codec="libx264", options=None) -> Path:
    """Write frames as a video, under its name only when it is complete.

    Args:
        path: file to write; its ending chooses the container (.mp4 for the browser).
        frames: iterable of uint8 (H, W, 3), RGB, at least 1; an odd last row or column is cut off, a side of 1 doubled.
        fps: frames a second, in 0.01..1000.
        codec: encoder; "libx264" gives what every browser plays, "mpeg4" in .avi what UCF-101 has.
        options: the encoder's, a dict of strings.

    Raises:
        ValueError: there are no frames, they are not uint8 (H, W, 3), or no film can be this slow or fast.
    """
    if not FPS_RANGE[0] <= fps <= FPS_RANGE[1]:
        raise ValueError(f"Expected {FPS_RANGE} frames a second. Received: {fps:g} for {path}. Choose another rate.")
    path, rate = Path(path), Fraction(fps).limit_denominator(1001)
    kind = {".mkv": "matroska"}.get(path.suffix, path.suffix[1:])
    front = {"movflags": "+faststart"} if kind == "mp4" else {}
    with files.partial_file(path) as partial, av.open(str(partial), "w", format=kind, options=front) as container:
        stream = None
        for number, picture in enumerate(map(_make_even, frames)):
            if stream is None:
                options = options or (H264 if codec == "libx264" else {})
                stream = container.add_stream(codec, rate=rate, options=options)
                stream.height, stream.width, stream.pix_fmt = *picture.shape[:2], "yuv420p"
                stream.codec_context.time_base = 1 / rate
                if kind == "avi" and codec == "mpeg4":
                    stream.codec_context.codec_tag = "XVID"
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, 1 / rate
            container.mux(stream.encode(frame))
        if stream is None:
            raise ValueError(f"Expected at least 1 frame. Received: 0 for {path.name}. Pass the frames to write.")
        container.mux(stream.encode())
    return path


def browser_copy(path, *, folder=None, flow=False) -> Path:
    """Make an H.264 copy of a video that every browser plays, once, and return its path.

    Args:
        path, folder: video file; where the copy goes, or None for `browser` in the cache folder.
        flow: each frame has its flow picture at the right.
    """
    name = f"{files.shorten_name(Path(path).stem)}-{files.content_hash(path)}{'-flow' * flow}.mp4"
    copy = Path(folder or paths.cache_folder() / "browser") / name
    if not copy.exists():
        frames = read_frames(path)
        if flow:
            frames, moving = itertools.tee(frames)
            frames = map(np.hstack, zip(frames, encode_frames(moving), strict=True))
        write_video(copy, frames, fps=np.clip(probe_video(path).fps, *FPS_RANGE))
    return copy


def _make_even(picture):
    """Cut a picture (H, W, 3) to even sides, which yuv420p needs, and widen one that is 1."""
    picture = np.asarray(picture)
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or not picture.size:
        found = f"{picture.dtype} {picture.shape}"
        raise ValueError(f"Expected frames uint8 (H, W, 3). Received: {found}. Convert them to RGB in 0..255.")
    picture = np.pad(picture, [(0, side == 1) for side in picture.shape], mode="edge")
    height, width = picture.shape[0] // 2 * 2, picture.shape[1] // 2 * 2
    return np.ascontiguousarray(picture[:height, :width])
