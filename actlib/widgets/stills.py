"""Small pictures of clips for thumbnails and posters, and lines of text for readers without a kernel."""

import io

import numpy as np
from PIL import Image

from actlib.plots import Figure, escape_name, styled
from actlib.video import read_clip, sample_uniform


def read_sheet(path, num_video_frames, *, num_frames=1, size=(96, 128)):
    """Read T evenly spaced frames of a video with F, each of `size` (H, W), side by side: uint8 (H, T * W, 3).

    Args:
        path: a video.
        num_video_frames: F.
        num_frames: T.
        size: (H, W) of each, pixels.
    """
    return np.hstack(read_clip(path, sample_uniform(num_video_frames, num_frames), size=size))


def encode(image, kind, **options):
    """Turn a picture into the bytes of a file.

    Args:
        image: of Pillow, or uint8 (H, W, 3).
        kind: "PNG" or "JPEG".
        options: those of Pillow's `save`.
    """
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    image.save(file := io.BytesIO(), kind, **options)
    return file.getvalue()


@styled
def write_lines(*lines):
    """Write lines of text as a figure; long ones are wrapped."""
    figure = Figure(0.2 + 0.17 * sum(1 + len(line) // 100 for line in lines), alt="; ".join(lines))
    figure.text(0.01, 0.95, "\n".join(map(escape_name, lines)), wrap=True, va="top", fontsize=8.5)
    return figure
