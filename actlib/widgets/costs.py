"""What a choice of frames costs: decoding, memory, arithmetic; and what it leaves out."""

import numpy as np

from actlib.specs import VGG16


def count_operations(spec):
    """Count the multiplications and additions, each as one, of a VGG's convolutions for one frame."""
    inputs, total = 3, 0
    for block, (num_convolutions, width) in enumerate(spec.blocks):
        total += 2 * (spec.size >> block) ** 2 * 9 * width * (inputs + (num_convolutions - 1) * width)
        inputs = width
    return total


def list_costs(clips, num_video_frames, *, fps, decode_seconds):
    """List what a choice of frames of a video costs, read and convolved by VGG-16.

    Args:
        clips: int (M, T), numbers of frames.
        num_video_frames: F.
        fps: frames a second.
        decode_seconds: time that reading them took.

    Returns:
        A list of (what, how much, remark), all text.
    """
    (num_clips, length), size, different = clips.shape, VGG16.size, len(np.unique(clips))
    operations, features = count_operations(VGG16) / 1e9, different * VGG16.num_features * 2 / 2**20  # GFLOP, MB
    where, decoded = f"in {num_clips} clip{'s' * (num_clips > 1)} of {length}", f"{clips.max() + 1} frames decoded"
    kept = "no less if frames repeat, unless features are kept"
    gap = f"at most {np.diff(clips).max() / fps:.2f} s between two frames" if length > 1 else "one frame knows no order"
    return [
        ("frames taken", f"{clips.size}", f"{different} different ones of {num_video_frames}, {where}"),
        ("reading", f"{1000 * decode_seconds:.0f} ms", f"measured here, at {size} px; {decoded}"),
        ("pixels", f"{clips.size * size**2 * 3 / 2**20:.1f} MB", f"uint8, {size} × {size}; four times that as float32"),
        (f"arithmetic of {VGG16.name}", f"{clips.size * operations:,.0f} GFLOP", f"{operations:.1f} a frame; {kept}"),
        ("features kept", f"{features:.2f} MB", f"float16, each of {different} frames convolved once, for all epochs"),
        ("time covered", f"{(np.ptp(clips) + 1) / fps:.2f} s", f"of {num_video_frames / fps:.2f} s; {gap}"),
    ]
