"""Augmentation where the model is: clips cropped, scaled and mirrored as was drawn for each."""

import numpy as np
from keras import ops


def crop_clips(clips, boxes, *, size=None, flow=None):
    """Do to clips, uint8 (N, T, H, W, C), what `augment_clip` or `crop_clip` do: float32 (N, T, height, width, C).

    A row of boxes, int (N, 5), is a clip's top, left, height and width in pixels, and 1 where it is mirrored; size and
    flow are as for `augment_clip`. Crops without scaling are equal to the byte, others to a grey level.
    """
    height, width = clips.shape[2:4] if size is None else np.broadcast_to(size, 2).tolist()
    top, left, tall, wide, mirrored = ops.split(ops.cast(boxes, "float32")[..., None], 5, axis=1)  # (N, 1, 1) each
    rows, columns = _weigh(top, tall, clips.shape[2], height), _weigh(left, wide, clips.shape[3], width)
    columns = ops.where(mirrored > 0, ops.flip(columns, 1), columns)
    x = ops.einsum("nih,nthwc,njw->ntijc", rows, ops.cast(clips, "float32"), columns)
    if flow:
        is_u = np.arange(clips.shape[4]) % (flow.num_channels // flow.length) == 0
        x = ops.where(ops.logical_and(mirrored[..., None, None] > 0, is_u), 255 - x, x)
    return x


def _weigh(start, length, side, size):
    """What each pixel of a side counts in each of the result, (N, size, side): triangles, as Pillow's bilinear."""
    place = ops.arange(max(side, size), dtype="float32") + 0.5
    scale = length / size
    far = ops.abs(place[:side] - (start + place[:size, None] * scale)) / ops.maximum(scale, 1)
    weights = ops.relu(1 - far)
    return weights / ops.sum(weights, axis=2, keepdims=True)
