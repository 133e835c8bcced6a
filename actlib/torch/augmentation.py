"""Augmentation where the model is: clips cropped, scaled and mirrored as was drawn for each."""

import numpy as np
import torch


def crop_clips(clips, boxes, *, size=None, flow=None):
    """Do to clips, uint8 (N, T, H, W, C), what `augment_clip` or `crop_clip` do: float32 (N, T, height, width, C).

    A row of boxes, int (N, 5), is a clip's top, left, height and width in pixels, and 1 where it is mirrored; size and
    flow are as for `augment_clip`. Crops without scaling are equal to the byte, others to a grey level.
    """
    height, width = clips.shape[2:4] if size is None else np.broadcast_to(size, 2).tolist()
    top, left, tall, wide, mirrored = boxes[..., None].float().split(1, dim=1)  # (N, 1, 1) each
    rows, columns = _weigh(top, tall, clips.shape[2], height), _weigh(left, wide, clips.shape[3], width)
    columns = torch.where(mirrored > 0, columns.flip(1), columns)
    x = torch.einsum("nih,nthwc,njw->ntijc", rows, clips.float(), columns)
    if flow:
        is_u = torch.arange(clips.shape[4], device=clips.device) % (flow.num_channels // flow.length) == 0
        x = torch.where((mirrored[..., None, None] > 0) & is_u, 255 - x, x)
    return x.contiguous()


def _weigh(start, length, side, size):
    """What each pixel of a side counts in each of the result, (N, size, side): triangles, as Pillow's bilinear."""
    place = torch.arange(max(side, size), device=start.device) + 0.5
    scale = length / size
    far = (place[:side] - (start + place[:size, None] * scale)).abs() / scale.clamp(min=1)
    weights = (1 - far).relu()
    return weights / weights.sum(2, keepdim=True)
