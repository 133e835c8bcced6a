"""Probabilities over the time of a video as a small image, for stills of widgets and the panel of annotated films."""

import numpy as np
from PIL import Image, ImageDraw


def draw_timeline(curves, frames, num_video_frames: int, *, width: int, height=90, ground="white", grid="#E8EAED"):
    """Draw probabilities over the frames of a video.

    Args:
        curves: (probabilities (n,) in 0..1, color) pairs, drawn in this order as lines; or triples that end in "area",
            filled down to 0, or "hatched", an area with stripes of the ground's color.
        frames: int (n,), the frame that each probability is about.
        num_video_frames: F, which is the whole width.
        width: pixels.
        height: pixels.
        ground: color of the ground.
        grid: color of the lines at 0, 0.5 and 1, or None.

    Returns:
        uint8 (height, width, 3).

    Example:
        >>> draw_timeline([([0.2, 0.9], "#0072B2")], [0, 9], 10, width=100).shape
        (90, 100, 3)
    """
    image = Image.new("RGB", (width, height), ground)
    pen = ImageDraw.Draw(image)
    margin = 8 if grid else 0  # pixels above 1 and below 0
    room = height - 2 * margin
    for share in (0, 0.5, 1) if grid else ():
        pen.line([(0, margin + room * share), (width, margin + room * share)], fill=grid)
    places = np.asarray(frames) * (width - 1) / max(1, num_video_frames - 1)
    rows, columns = np.mgrid[:height, :width]
    for probabilities, color, *fill in curves:
        across = np.arange(width) if fill or len(places) == 1 else places
        tops = margin + room * (1 - np.interp(across, places, probabilities))
        if not fill:
            pen.line(list(zip(across.tolist(), tops.tolist(), strict=True)), fill=color, width=3, joint="curve")
            continue
        area = (rows >= np.rint(tops)) & (rows < height - margin)
        if fill == ["hatched"]:
            area &= (rows + columns) % 6 >= 2
        image.paste(color, mask=Image.fromarray(area))
    return np.asarray(image)
