"""Small still pictures of clips: contact sheets, posters, strips; for thumbnails and for readers without a kernel."""

import io

import numpy as np
from PIL import Image, ImageDraw

from actlib.plots.style import CORRECT, fit_text, load_font
from actlib.video import read_clip, sample_uniform


def read_sheet(path, num_video_frames, *, num_frames=6, size=(96, 128)):
    """Read T evenly spaced frames of a video with F, each of `size` (H, W), side by side: uint8 (H, T * W, 3)."""
    clip = read_clip(path, sample_uniform(num_video_frames, num_frames), size=size)  # (T, H, W, 3)
    return np.concatenate(list(clip), axis=1)


def encode_jpeg(picture):
    """Turn a picture, uint8 (H, W, 3), into JPEG bytes.

    Example:
        >>> encode_jpeg(np.zeros((8, 8, 3), np.uint8))[:3].hex()
        'ffd8ff'
    """
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=80)
    return file.getvalue()


def encode_png(image):
    """Turn a PIL image into the bytes of a small PNG with a palette of its own.

    Example:
        >>> encode_png(Image.new("RGB", (8, 8)))[1:4]
        b'PNG'
    """
    file = io.BytesIO()
    image.quantize(128, dither=Image.Dither.NONE).save(file, "PNG", optimize=True)
    return file.getvalue()


def add_caption(picture, lines, *, width=640, size=14):
    """Put lines of text below a picture.

    Args:
        picture: uint8 (H, W, 3), a PIL image, or None for text alone.
        lines: list of (text, color) pairs; a text that is too long is cut.
        width: pixels, where there is no picture.
        size: of the font, pixels.

    Returns:
        PIL image.

    Example:
        >>> add_caption(None, [("a clip", "black")], width=200).size
        (200, 34)
    """
    picture = np.zeros((0, width, 3), np.uint8) if picture is None else np.asarray(picture)
    height, width = picture.shape[:2]
    image = Image.new("RGB", (width, height + (size + 8) * len(lines) + 12), "white")
    if height:
        image.paste(Image.fromarray(picture))
    pen = ImageDraw.Draw(image)
    font = load_font(size)
    for number, (text, color) in enumerate(lines):
        pen.text((6, height + 7 + (size + 8) * number), fit_text(text, font, width - 12), font=font, fill=color)
    return image


def draw_dots(clips, num_video_frames, *, width):
    """Draw which of F frames each clip, int (M, T), takes, a row a clip: uint8 (16 * M, width, 3).

    Example:
        >>> draw_dots([[0, 5]], 10, width=100).shape
        (16, 100, 3)
    """
    image = Image.new("RGB", (width, 16 * len(clips)), "white")
    pen = ImageDraw.Draw(image)
    for row, frames in enumerate(clips):
        for frame in frames:
            x, y = (frame + 0.5) * width / num_video_frames, 16 * row + 8
            pen.ellipse([x - 4, y - 4, x + 4, y + 4], fill=CORRECT)
    return np.asarray(image)


def join_figures(figures):
    """Put figures of `actlib.plots` below each other; returns a PIL image."""
    images = [Image.open(io.BytesIO(figure.encode()[1])).convert("RGB") for figure in figures]
    joined = Image.new("RGB", (max(image.width for image in images), sum(image.height for image in images)), "white")
    for number, image in enumerate(images):
        joined.paste(image, (0, sum(each.height for each in images[:number])))
    return joined
