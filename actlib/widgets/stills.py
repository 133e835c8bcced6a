"""Small still pictures of clips: contact sheets, posters, strips; for thumbnails and for readers without a kernel."""

import io

import numpy as np
from PIL import Image, ImageDraw

from actlib.plots.style import CORRECT, fit_text, load_font
from actlib.video import read_clip, sample_uniform


def read_sheet(path, num_video_frames, *, num_frames=6, size=(96, 128)):
    """Read T evenly spaced frames of a video with F, each of `size` (H, W), side by side: uint8 (H, T * W, 3)."""
    return np.hstack(read_clip(path, sample_uniform(num_video_frames, num_frames), size=size))


def encode(image, kind, **options):
    """Turn a PIL image, or a picture, uint8 (H, W, 3), into the bytes of a file."""
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    image.save(file := io.BytesIO(), kind, **options)
    return file.getvalue()


def open_figure(figure):
    """Draw a figure of `actlib.plots`: uint8 (H, W, 3)."""
    return np.asarray(Image.open(io.BytesIO(figure.encode())).convert("RGB"))


def stack(pictures, lines=(), *, width=640, size=14):
    """Put pictures, uint8 (H, W, 3), below each other, then lines, (text, color), cut at their width; a PIL image."""
    width = max((picture.shape[1] for picture in pictures), default=width)
    height = sum(len(picture) for picture in pictures) + (12 if lines else 0) + (size + 8) * len(lines)
    image, top, font = Image.new("RGB", (width, height), "white"), 0, load_font(size)
    for picture in pictures:
        image.paste(Image.fromarray(picture), (0, top))
        top += len(picture)
    for number, (text, color) in enumerate(lines):
        place = (6, top + 7 + (size + 8) * number)
        ImageDraw.Draw(image).text(place, fit_text(text, font, width - 12), font=font, fill=color)
    return image


def draw_dots(clips, num_video_frames, *, width):
    """Draw which of F frames each clip, int (M, T), takes, a row a clip: uint8 (16 * M, width, 3)."""
    image = Image.new("RGB", (width, 16 * len(clips)), "white")
    pen = ImageDraw.Draw(image)
    for row, frames in enumerate(clips):
        for frame in frames:
            pen.circle(((frame + 0.5) * width / num_video_frames, 16 * row + 8), 4, fill=CORRECT)
    return np.asarray(image)
