"""A clip -> the same clip seen a little differently: cropped, scaled and mirrored, all its frames alike."""

import itertools
from functools import partial

import numpy as np
from PIL import Image

from actlib.video.flow import mirror_flow

SCALES = (1.0, 0.875, 0.75, 0.66)  # of the shorter side
CROPS = [(a, b) for i, a in enumerate(SCALES) for j, b in enumerate(SCALES) if abs(i - j) <= 1]  # of height and width
POSITIONS = ((0, 0), (0, 1), (1, 0), (1, 1), (0.5, 0.5))  # corners and centre: (y, x), shares of what is cut off


def augment_clip(clip, *, rng, size=None, flow=None):
    """Crop a clip at a random scale in a corner or the centre, and mirror it half of the time: all frames alike.

    Args:
        clip: uint8 (T, H, W, C), RGB or flow pictures.
        rng: NumPy random generator.
        size: height and width of the result in pixels, or None for the clip's own.
        flow: the `FlowSpec` of flow pictures, which are mirrored by `mirror_flow`; vectors keep their length in a crop.

    Source: Wang et al., Temporal Segment Networks, arXiv 1608.00859, section 3.2: sides of {1, .875, .75, .66} times
    the shorter one, height and width at most one step apart, at a corner or the centre.
    """
    top, left, height, width, mirrored = _draw_scaled(clip := np.asarray(clip), rng=rng)
    rows, columns = clip.shape[1:3] if size is None else np.broadcast_to(size, 2).tolist()
    box = (left, top, left + width, top + height)
    planes = [Image.fromarray(plane) for plane in np.moveaxis(clip, 3, 1).reshape(-1, *clip.shape[1:3])]  # T x C
    resized = [plane.resize((columns, rows), Image.Resampling.BILINEAR, box) for plane in planes]
    augmented = np.moveaxis(np.reshape(resized, (len(clip), -1, rows, columns)), 1, 3)  # (T, height, width, C)
    return _mirror(augmented, flow) if mirrored else augmented


def crop_clip(clip, *, rng, size, flow=None):
    """Crop a clip anywhere, without scaling it, and mirror it half of the time: all frames alike.

    Args:
        clip, rng, flow: as for `augment_clip`.
        size: height and width of the crop in pixels; frames are at least as large.

    Source: Donahue et al., LRCN, arXiv 1411.4389, section 4.1.
    """
    top, left, _, _, mirrored = _draw_crop(clip, rng=rng, size=size)
    crop = clip[:, top : top + size, left : left + size]
    return _mirror(crop, flow) if mirrored else crop


def split_augmentation(augment):
    """Split `augment_clip` (True), `crop_clip` or a `partial` of one: (`function(clip, *, rng)`, options), or two None.

    It draws (top, left, height, width, mirrored), which `crop_clips` of a framework does with the options.
    """
    augment = partial(augment_clip if augment is True else augment or bool)
    draws = (_draw_scaled,) * (augment.func is augment_clip) + (_draw_crop,) * (augment.func is crop_clip)
    return (partial(*draws, **augment.keywords), augment.keywords) if draws else (None, None)


def list_crops(size, *, ten=True, flow=None):
    """List ways to see a clip in testing: functions, (T, H, W, C) -> (T, size, size, C).

    Args:
        size: height and width of a crop in pixels; frames are at least as large.
        ten: the corners and the centre, then the same mirrored; else the centre alone.
        flow: as for `augment_clip`.

    Example:
        >>> clip = np.arange(12, dtype=np.uint8).reshape(1, 3, 4, 1)
        >>> [crop(clip)[0, 0, :, 0].tolist() for crop in list_crops(2)][:7]
        [[0, 1], [2, 3], [4, 5], [6, 7], [1, 2], [1, 0], [3, 2]]
    """
    ways = itertools.product((False, True), POSITIONS) if ten else [(False, POSITIONS[-1])]
    return [partial(_crop, size=size, place=place, mirror=mirror, flow=flow) for mirror, place in ways]


def _draw_scaled(clip, *, rng, **_):
    if clip.dtype != np.uint8 or clip.ndim != 4:
        found = f"Expected frames, uint8 (T, H, W, 3). Received: {clip.dtype} {clip.shape}"
        raise ValueError(f"{found}. Features cannot be augmented: set augment=False, or take a FrameCache.")
    height, width = (max(1, round(min(clip.shape[1:3]) * scale)) for scale in CROPS[rng.integers(len(CROPS))])
    y, x = POSITIONS[rng.integers(len(POSITIONS))]
    top, left = round((clip.shape[1] - height) * y), round((clip.shape[2] - width) * x)
    return top, left, height, width, rng.random() < 0.5


def _draw_crop(clip, *, rng, size, **_):
    return *rng.integers(0, [side - size + 1 for side in clip.shape[1:3]]), size, size, rng.random() < 0.5


def _crop(clip, *, size, place, mirror, flow):
    top, left = (int((side - size) * share) for side, share in zip(clip.shape[1:3], place, strict=True))
    crop = clip[:, top : top + size, left : left + size]
    return _mirror(crop, flow) if mirror else crop


def _mirror(clip, flow):
    return mirror_flow(clip, flow) if flow else clip[:, :, ::-1]
