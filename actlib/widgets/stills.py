"""Small still pictures of clips: contact sheets, posters, strips; for thumbnails and for readers without a kernel."""

import io
from functools import lru_cache
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from actlib.video import read_clip, sample_uniform

INK, SOFT, PAPER = (31, 35, 40), (101, 109, 118), (255, 255, 255)
RIGHT, WRONG, OTHER = (0, 114, 178), (191, 79, 0), (170, 176, 183)


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


@lru_cache
def load_font(height):
    """Load the font that comes with Matplotlib, which has the signs for right and wrong."""
    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans.ttf"), height)


def add_caption(picture, lines, *, width=640, size=14):
    """Put lines of text below a picture.

    Args:
        picture: uint8 (H, W, 3), a PIL image, or None for text alone.
        lines: list of (text, colour) pairs; a text that is too long is cut.
        width: pixels, where there is no picture.
        size: of the font, pixels.

    Returns:
        PIL image.

    Example:
        >>> add_caption(None, [("a clip", INK)], width=200).size
        (200, 34)
    """
    picture = np.zeros((0, width, 3), np.uint8) if picture is None else np.asarray(picture)
    height, width = picture.shape[:2]
    image = Image.new("RGB", (width, height + (size + 8) * len(lines) + 12), PAPER)
    if height:
        image.paste(Image.fromarray(picture))
    pen = ImageDraw.Draw(image)
    for number, (text, colour) in enumerate(lines):
        font = load_font(size)
        pen.text((6, height + 7 + (size + 8) * number), fit_text(text, width - 12, font), font=font, fill=colour)
    return image


def fit_text(text, width, font):
    """Cut a text so that it is at most `width` pixels wide in a font, with an ellipsis if it was cut.

    Example:
        >>> fit_text("v_Diving_g01_c01.avi", 60, load_font(14))
        'v_Divi…'
    """
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "…") > width:
        text = text[:-1]
    return text + "…"


def draw_timeline(lines, frames, num_video_frames, *, width, height=90):
    """Draw probabilities over the frames of a video.

    Args:
        lines: list of (probabilities (n,) in 0..1, colour (3,)) pairs, drawn in this order.
        frames: int (n,), the frame that each probability is about.
        num_video_frames: F, which is the whole width.
        width: pixels.
        height: pixels.

    Returns:
        uint8 (height, width, 3).
    """
    image = Image.new("RGB", (width, height), PAPER)
    pen = ImageDraw.Draw(image)
    top, room = 8, height - 16
    for share in (0, 0.5, 1):
        pen.line([(0, top + room * share), (width, top + room * share)], fill=(232, 234, 237))
    x = np.asarray(frames) * (width - 1) / max(1, num_video_frames - 1)
    for probabilities, colour in lines:
        points = list(zip(x.tolist(), (top + room * (1 - np.asarray(probabilities))).tolist(), strict=True))
        if len(points) == 1:
            points = [(0, points[0][1]), (width, points[0][1])]
        pen.line(points, fill=colour, width=3, joint="curve")
    return np.asarray(image)


def draw_dots(clips, num_video_frames, *, width):
    """Draw which of F frames each clip, int (M, T), takes, a row a clip: uint8 (16 * M, width, 3).

    Example:
        >>> draw_dots([[0, 5]], 10, width=100).shape
        (16, 100, 3)
    """
    image = Image.new("RGB", (width, 16 * len(clips)), PAPER)
    pen = ImageDraw.Draw(image)
    for row, frames in enumerate(clips):
        for frame in frames:
            x, y = (frame + 0.5) * width / num_video_frames, 16 * row + 8
            pen.ellipse([x - 4, y - 4, x + 4, y + 4], fill=RIGHT)
    return np.asarray(image)


def join_pictures(pictures):
    """Put pictures of `actlib.plots` below each other; returns a PIL image."""
    images = [Image.open(io.BytesIO(picture.encode()[1])).convert("RGB") for picture in pictures]
    joined = Image.new("RGB", (max(image.width for image in images), sum(image.height for image in images)), PAPER)
    for number, image in enumerate(images):
        joined.paste(image, (0, sum(each.height for each in images[:number])))
    return joined
