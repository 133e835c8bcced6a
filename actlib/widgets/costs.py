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
    """List what the frames, int (M, T), of a video cost, read and convolved by VGG-16: (what, how much, remark)."""
    (num_clips, length), size = clips.shape, VGG16.size
    different, covered = len(np.unique(clips)), (np.ptp(clips) + 1) / fps
    pixels, features = clips.size * size**2 * 3 / 2**20, different * VGG16.num_features * 2 / 2**20
    operations = count_operations(VGG16) / 1e9
    where = f"in {num_clips} {'clip' if num_clips == 1 else 'clips'} of {length}"
    kept = "no less if frames repeat, unless features are kept"
    decoded = f"measured here, at {size} px; {clips.max() + 1} frames decoded"
    gap = "a single frame knows no order"
    if length > 1:
        gap = f"at most {np.diff(clips, axis=1).max() / fps:.2f} s between two frames"
    return [
        ("frames taken", f"{clips.size}", f"{different} different ones of {num_video_frames}, {where}"),
        ("reading", f"{1000 * decode_seconds:.0f} ms", decoded),
        ("pixels", f"{pixels:.1f} MB", f"uint8, {size} × {size}; four times that as float32"),
        (f"arithmetic of {VGG16.name}", f"{clips.size * operations:,.0f} GFLOP", f"{operations:.1f} a frame; {kept}"),
        ("features kept", f"{features:.2f} MB", f"float16, each of {different} frames convolved once, for all epochs"),
        ("time covered", f"{covered:.2f} s", f"of {num_video_frames / fps:.2f} s; {gap}"),
    ]
