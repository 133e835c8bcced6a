"""Optical flow: how far every pixel moves from one frame to the next, as pictures that a network takes for frames.

Flow is measured at the video's own size and per frame: the same movement gives a sixth less at 29.97 frames a second
than at 25, the two rates of UCF-101. The flow of frame i is that of the pair (i, i + 1), of the last, of the last pair.
"""

from collections import deque
from itertools import chain, compress, pairwise, repeat

import cv2
import numpy as np

from actlib.specs import FlowSpec
from actlib.video.metadata import probe_video
from actlib.video.reader import VideoError, missing_frames, read_frames
from actlib.video.streaming import resample_fps, stream_frames

FLOW = FlowSpec()
MIN_SIDE = 12  # pixels, of DIS, which fails on smaller frames, or gives no numbers
FARNEBACK = {"pyr_scale": 0.5, "levels": 3, "winsize": 15, "iterations": 3, "poly_n": 5, "poly_sigma": 1.2, "flags": 0}


def read_flow(path, indices, *, size=None, spec=FLOW, num_frames=None):
    """Make the flow pictures of the frames with these numbers; no more than a few frames and one flow are in memory.

    Args:
        path: video file.
        indices: int (T,), from 0, in any order, repeats allowed.
        size: as for `read_clip`: flow is measured at the video's own size, then scaled with its vectors.
        spec: a `FlowSpec`.
        num_frames: of the video, if `probe_video` has counted them before.

    Returns:
        uint8 (T, H, W, C): u, v and, if the spec says so, `|flow|`; with a length L the channels of pair i, i + 1, ...
    """
    total, indices = num_frames or probe_video(path).frames, np.asarray(indices)
    if indices.max() >= total:
        raise missing_frames(path, indices.max() + 1, total)
    pairs = indices[:, None] + np.arange(spec.length)  # (T, L)
    wanted, order = np.unique(np.minimum(pairs, max(0, total - 2)), return_inverse=True)
    numbers = np.unique([wanted, wanted + 1])
    grays = _to_gray(read_frames(path, np.minimum(numbers, total - 1)))
    encode, own = _make_encoder(spec, size), np.isin(numbers, wanted)
    flows = [encode([pair]) for pair in compress(pairwise(grays), own)]  # (H, W, 2 or 3) each
    return np.stack([_merge([flows[place] for place in row]) for row in order.reshape(pairs.shape)])


def stream_flow(video, *, size=None, fps=None, spec=FLOW):
    """Give the flow picture of each frame that `stream_frames` would give; memory does not grow with the length.

    Flow is that of neighbours in the video's own steady stream, whatever `fps` is: at its own rate, what `read_flow`
    gives for the same `size`.

    Args:
        video, size, fps: as for `stream_frames`.
        spec: a `FlowSpec`.

    Yields:
        uint8 (H, W, C).
    """
    windows = _slide_pairs(stream_frames(video), spec.length)
    timed = ((window, number / video.fps, 1 / video.fps) for number, window in enumerate(windows))
    encode = _make_encoder(spec, size)
    for window, times in resample_fps(timed, fps or video.fps):
        yield from repeat(encode(window), times) if times else ()


def encode_frames(frames, spec=FLOW):
    """Yield the flow picture, uint8 (H, W, C), of each of some frames, uint8 (H, W, 3), in a row."""
    return map(_make_encoder(spec), _slide_pairs(frames, spec.length))


def mirror_flow(pictures, spec=FLOW):
    """Mirror flow pictures as their video would be: what went right goes left, u becomes 255 - u.

    No movement, 128, so becomes 127: one step of 256, a sixteenth of a pixel at ±8, as in the paper and in TSN.

    Args:
        pictures: uint8 (..., H, W, C).
        spec: their `FlowSpec`.
    """
    mirrored, step = np.array(pictures[..., ::-1, :]), spec.num_channels // spec.length
    mirrored[..., ::step] = 255 - mirrored[..., ::step]
    return mirrored


def _slide_pairs(frames, length):
    """The pairs (gray, next) behind each frame, `length` of them in a row; at the end the last pair repeats."""
    window, pair = deque(maxlen=length), None
    for before, after in pairwise(chain(_to_gray(frames), repeat(None, length))):
        pair = pair or (before, before) if after is None else (before, after)
        window.append(pair)
        if len(window) == length:
            yield [*window]


def _to_gray(frames):
    """Yield frames, uint8 (H, W, 3), in gray, (H, W)."""
    return (cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames)


def _make_encoder(spec, size=None):
    """A function: `length` pairs -> the picture of a frame."""
    measure, size = _make_method(spec.method), None if size is None else np.broadcast_to(size, 2).tolist()
    return lambda pairs: _merge([_encode_flow(measure(*pair), spec, size=size) for pair in pairs])


def _merge(pictures):
    return cv2.merge(pictures) if len(pictures) > 1 else pictures[0]  # which merge would copy


def _encode_flow(flow, spec, *, size=None):
    """Scale flow, float32 (H, W, 2), with its vectors, and write it as a picture, uint8 (H, W, 2 or 3): 128 is 0."""
    height, width = size or flow.shape[:2]
    scaled = cv2.resize(flow, (width, height), interpolation=cv2.INTER_AREA)
    planes = [scaled[..., 0] * (width / flow.shape[1]), scaled[..., 1] * (height / flow.shape[0])]
    planes += [cv2.magnitude(*planes)] if spec.magnitude else []
    return cv2.merge([cv2.addWeighted(plane, 128 / spec.bound, plane, 0, 128, dtype=cv2.CV_8U) for plane in planes])


def _make_method(name):
    """A function (gray, gray) -> flow; one for each thread, as it keeps its buffers."""
    if name == "farneback":
        return lambda before, after: cv2.calcOpticalFlowFarneback(before, after, None, **FARNEBACK)
    dis = cv2.DISOpticalFlow_create(getattr(cv2, f"DISOPTICAL_FLOW_PRESET_{name.upper()}"))

    def measure(before, after):
        if min(before.shape) < MIN_SIDE:
            found = f"{before.shape[1]} x {before.shape[0]}. Take a larger video, or the method farneback."
            raise VideoError(f"Expected frames of {MIN_SIDE} pixels a side or more for optical flow. Received: {found}")
        return dis.calc(before, after, None)

    return measure
