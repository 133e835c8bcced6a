"""What a choice of frames costs: decoding, memory, arithmetic; and what it leaves out."""

import numpy as np

from actlib.specs import VGG16


def count_operations(spec):
    """Count the arithmetic of a VGG's convolutions for one frame.

    Args:
        spec: VGGSpec.

    Returns:
        Multiplications and additions, each counted as one.

    Example:
        >>> round(count_operations(VGG16) / 1e9, 1)
        30.7
    """
    side, inputs, total = spec.size, 3, 0
    for num_convolutions, width in spec.blocks:
        for _ in range(num_convolutions):
            total += 2 * side * side * 9 * inputs * width
            inputs = width
        side //= 2
    return total


def list_costs(clips, num_video_frames, *, fps, decode_seconds, spec=VGG16):
    """List what the chosen frames of one video cost.

    Args:
        clips: int (M, T), frame numbers.
        num_video_frames: F.
        fps: of the video.
        decode_seconds: how long reading them took.
        spec: the network that convolves them.

    Returns:
        List of (what, how much, remark), all str.

    Example:
        >>> costs = list_costs(np.array([[0, 10, 20]]), 30, fps=25.0, decode_seconds=0.004)
        >>> costs[0]
        ('frames taken', '3', '3 different ones of 30, in 1 clip of 3')
        >>> costs[3]
        ('arithmetic of vgg16', '92 GFLOP', '30.7 a frame; no less if frames repeat, unless features are kept')
    """
    num_clips, length = clips.shape
    taken, different = clips.size, len(np.unique(clips))
    pixels, features = taken * spec.size**2 * 3, different * spec.num_features * 2
    operations = count_operations(spec) / 1e9
    plural = "clip" if num_clips == 1 else "clips"
    return [
        (
            "frames taken",
            str(taken),
            f"{different} different ones of {num_video_frames}, in {num_clips} {plural} of {length}",
        ),
        (
            "reading",
            f"{1000 * decode_seconds:.0f} ms",
            f"measured here, at {spec.size} px; {clips.max() + 1} frames decoded",
        ),
        ("pixels", f"{pixels / 2**20:.1f} MB", f"uint8, {spec.size} × {spec.size}; four times that as float32"),
        (
            f"arithmetic of {spec.name}",
            f"{taken * operations:,.0f} GFLOP",
            f"{operations:.1f} a frame; no less if frames repeat, unless features are kept",
        ),
        (
            "features kept",
            f"{features / 2**20:.2f} MB",
            f"float16, each of {different} frames convolved once, for all epochs",
        ),
        (
            "time covered",
            f"{(np.ptp(clips) + 1) / fps:.2f} s",
            f"of {num_video_frames / fps:.2f} s; {describe_gap(clips, fps)}",
        ),
    ]


def describe_gap(clips, fps):
    """Say how much time passes at most between two frames of a clip.

    Args:
        clips: int (M, T).
        fps: of the video.

    Returns:
        str.

    Example:
        >>> describe_gap(np.array([[0, 5, 25]]), 25.0)
        'at most 0.80 s between two frames'
    """
    if clips.shape[1] == 1:
        return "a single frame knows no order"
    return f"at most {np.diff(np.sort(clips, axis=1), axis=1).max() / fps:.2f} s between two frames"
