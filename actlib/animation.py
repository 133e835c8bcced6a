"""Clips that move: an animated PNG, which notebooks, exported pages and GitHub play, where a GIF or film is lost."""

import base64
import io
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from actlib.plots.layout import tile

MAX_BYTES = 500_000  # of one moving picture in a notebook
QUALITIES = ((200, 6), (80, 14), (32, 28))  # (colours, differences of 0..255 that are passed over)
TITLE_HEIGHT = 18  # pixels


class MovingPicture:
    """An animated PNG that shows itself in a notebook, with a text for those who cannot see it.

    Args:
        png: its bytes.
        alt: what is to be seen, in a sentence.
    """

    def __init__(self, png: bytes, *, alt: str):
        self.png, self.alt = png, alt

    def save(self, path) -> Path:
        """Keep the picture in a file.

        Args:
            path: .png file.

        Returns:
            The path.
        """
        path = Path(path)
        path.write_bytes(self.png)
        return path

    def _repr_mimebundle_(self, include=None, exclude=None):
        data = {"image/png": base64.b64encode(self.png).decode(), "text/plain": self.alt}
        return data, {"image/png": {"alt": self.alt}}


def animate_clips(clips: dict, *, fps: float = 10.0, columns: int = 4, max_bytes: int = MAX_BYTES) -> MovingPicture:
    """Play clips side by side, in step and again and again.

    Args:
        clips: name -> uint8 (T, H, W, 3), all of the same shape.
        fps: frames a second.
        columns: clips a row, at most.
        max_bytes: colours and faint differences are given up until the picture is no larger, as far as they go.

    Returns:
        The moving picture.

    Raises:
        ValueError: there are no clips, or their shapes differ.

    Example:
        >>> animate_clips({"grey": np.zeros((3, 24, 32, 3), np.uint8)}).alt
        'Moving: grey'
    """
    shapes = {name: np.shape(clip) for name, clip in clips.items()}
    if len(set(shapes.values())) != 1:
        raise ValueError(
            f"Expected clips of one shape (T, H, W, 3). Received: {shapes}. Read the same T and size of each."
        )
    film = _lay_out(clips, columns=min(columns, len(clips)))  # (T, height, width, 3)
    for num_colours, faint in QUALITIES:
        png = _encode(film, fps=fps, num_colours=num_colours, faint=faint)
        if len(png) <= max_bytes:
            break
    return MovingPicture(png, alt=f"Moving: {', '.join(clips)}")


def _lay_out(clips: dict, *, columns: int) -> np.ndarray:
    """uint8 (T, height, width, 3): at each step all clips on one sheet, each below its name."""
    titled = [np.concatenate([_title(name, clip), clip], axis=1) for name, clip in clips.items()]
    return np.stack([tile(frames, columns=columns, gap=6) for frames in zip(*titled, strict=True)])


def _title(name: str, clip: np.ndarray) -> np.ndarray:
    """uint8 (T, TITLE_HEIGHT, W, 3): a name on white, as small as it must be to fit."""
    strip = Image.new("RGB", (clip.shape[2], TITLE_HEIGHT), "white")
    file = Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans.ttf"
    fonts = (ImageFont.truetype(str(file), size) for size in range(13, 6, -1))
    font = next((font for font in fonts if font.getlength(name) <= clip.shape[2]), None) or ImageFont.truetype(file, 6)
    ImageDraw.Draw(strip).text((0, TITLE_HEIGHT - 4), name, font=font, fill="#333333", anchor="ls")
    return np.broadcast_to(np.asarray(strip), (len(clip), *np.asarray(strip).shape))


def _encode(film: np.ndarray, *, fps: float, num_colours: int, faint: int) -> bytes:
    """Animated PNG with one palette; pixels that stay as they were are transparent, which packs well."""
    film = _hold(film, faint)
    sample = film[:: max(1, len(film) // 4)].reshape(-1, *film.shape[2:])
    palette = Image.fromarray(sample).quantize(num_colours, dither=Image.Dither.NONE)
    frames = [np.asarray(Image.fromarray(sheet).quantize(palette=palette, dither=Image.Dither.NONE)) for sheet in film]
    colours = palette.getpalette()[: 3 * num_colours]  # three numbers each; fewer where the film has fewer
    clear = len(colours) // 3  # the number of a colour that no pixel has
    kept = [frames[0], *(np.where(now == before, clear, now) for before, now in zip(frames, frames[1:], strict=False))]
    images = [Image.fromarray(each.astype(np.uint8)) for each in kept]
    for image in images:
        image.putpalette(colours + [255, 255, 255])  # makes it a picture with a palette
    file, options = io.BytesIO(), {"duration": 1000 / fps, "loop": 0, "transparency": clear}
    images[0].save(file, "PNG", save_all=True, append_images=images[1:], blend=1, disposal=0, optimize=True, **options)
    return file.getvalue()


def _hold(film: np.ndarray, faint: int) -> np.ndarray:
    """A copy in which a pixel changes only when it differs by more than `faint` from what is shown."""
    held = film.copy()
    for before, now in zip(held, held[1:], strict=False):  # before is done when now is looked at
        still = np.abs(now.astype(np.int16) - before).max(axis=-1) <= faint
        now[still] = before[still]
    return held
