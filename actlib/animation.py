"""Frames -> a GIF or an animated PNG that keeps to a size, and clips that play side by side in a notebook.

Both formats pack what stays the same. So pixels that hardly changed keep what they showed (a camera's noise costs most
and is missed least), and where that is not enough colors go first, then every other frame, then size.
"""

import base64
import functools
import io
import itertools
import tempfile
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from PIL import Image, ImageDraw

from actlib.files import write_whole
from actlib.plots.layout import tile
from actlib.plots.style import INK, load_font

FORMATS = {".gif": "gif", ".png": "apng", ".apng": "apng"}
MAX_FRAMES = 3000  # two minutes at 25 a second
NUM_SAMPLES = 1_000_000  # pixels, of all frames together, from which the palette is chosen
TITLE_HEIGHT = 18  # pixels


class Quality(NamedTuple):
    """What is given up: number of colors, change that is overlooked (0..255), every n-th frame, share of the size."""

    num_colors: int
    tolerance: int
    every: int
    scale: float


LADDER = (
    Quality(255, 4, 1, 1.0),
    Quality(128, 8, 1, 1.0),
    Quality(128, 8, 2, 1.0),
    Quality(64, 16, 2, 1.0),
    Quality(32, 28, 2, 1.0),
    Quality(32, 28, 2, 0.75),
    Quality(32, 32, 4, 0.75),
    Quality(24, 40, 4, 0.5),
    Quality(16, 48, 8, 0.5),
)
"""From best to smallest; the first that fits is taken."""


class Animation:
    """An animated PNG, its bytes `png`, that shows itself in a notebook; `alt` says what is to be seen."""

    def __init__(self, png: bytes, *, alt: str):
        self.png, self.alt = png, alt

    def save(self, path) -> Path:
        """Keep the animation in a .png file and return its path."""
        write_whole(path, self.png)
        return Path(path)

    def _repr_mimebundle_(self, include=None, exclude=None):
        data = {"image/png": base64.b64encode(self.png).decode(), "text/plain": self.alt}
        return data, {"image/png": {"alt": self.alt}}


def animate_clips(clips: dict, *, fps: float = 10.0, columns: int = 4, max_bytes: int = 500_000) -> Animation:
    """Play clips side by side, in step and again and again.

    Args:
        clips: name -> uint8 (T, H, W, 3), all of the same shape.
        fps: frames a second.
        columns: clips a row, at most.
        max_bytes: largest size of the animation; colors, frames and size are given up until it fits.

    Returns:
        The animation: an animated PNG, which notebooks, exported pages and GitHub play.

    Raises:
        ValueError: there are no clips, their shapes differ, or not even the smallest quality fits.
    """
    shapes = {name: np.shape(clip) for name, clip in clips.items()}
    if len(set(shapes.values())) != 1:
        raise ValueError(
            f"Expected clips of one shape (T, H, W, 3). Received: {shapes}. Read the same T and size of each."
        )
    titled = [np.concatenate([_draw_title(name, clip), clip], axis=1) for name, clip in clips.items()]
    film = [tile(frames, columns=min(columns, len(clips)), gap=6) for frames in zip(*titled, strict=True)]
    png = _encode_to_fit(film, Path("clips.png"), fps=fps, max_bytes=max_bytes, reserved=[(255, 255, 255)])
    return Animation(png, alt=f"Moving: {', '.join(clips)}")


def write_animation(path, frames, *, fps: float, max_bytes: int = 1_500_000, reserved=()) -> Path:
    """Write an endless GIF or animated PNG no larger than a budget, at the best quality that fits.

    Frames wait on disk while qualities are tried, so memory does not grow with their number.

    Args:
        path: file to write, .gif, .png or .apng; it has its name only when it is complete.
        frames: iterable of uint8 (H, W, 3), all of one size.
        fps: frames a second; both formats count in hundredths of a second.
        max_bytes: largest size of the file.
        reserved: (red, green, blue) of colors, each 0..255, that are kept exactly whatever else is given up.

    Returns:
        The path.

    Raises:
        ValueError: another ending, frames of several sizes, none or more than 3000, or nothing fits.

    Example:
        >>> from tempfile import mkdtemp
        >>> write_animation(mkdtemp() + "/gray.gif", np.full((5, 48, 64, 3), 90, np.uint8), fps=25).name
        'gray.gif'
    """
    path = Path(path)
    if path.suffix.lower() not in FORMATS:
        raise ValueError(f"Expected a file ending in {', '.join(FORMATS)}. Received: {path}. Give it another ending.")
    with tempfile.TemporaryFile() as file:
        content = _encode_to_fit(_Spool(file, frames), path, fps=fps, max_bytes=max_bytes, reserved=reserved)
    return write_whole(path, content)


def _encode_to_fit(film, path: Path, *, fps: float, max_bytes: int, reserved=()) -> bytes:
    """Encode a film, frames that can be gone through again, at the first quality at which it is small enough."""
    if not len(film):
        raise ValueError(f"Expected at least 1 frame for {path}. Received: none. Check where they come from.")
    colors, counts = _count_colors(film)
    palette_of = functools.cache(lambda num_colors: _choose_palette(colors, counts, num_colors, reserved=reserved))
    for quality in LADDER:
        options = {"quality": quality, "file_format": FORMATS[path.suffix.lower()], "fps": fps, "max_bytes": max_bytes}
        if (content := _encode(film, palette_of(quality.num_colors), **options)) is not None:
            return content
    raise ValueError(
        f"Expected at most {max_bytes:,} bytes for {path}. Received: more, for {len(film)} frames at lowest quality. "
        "Take fewer frames, raise max_bytes, or write an .mp4."
    )


def _choose_palette(colors: np.ndarray, counts: np.ndarray, num_colors: int, *, reserved=()) -> np.ndarray:
    """Choose colors (n, 3) that serve a whole film, from those that it has (U, 3) and the pixels of each (U,).

    A color counts by the square root of its pixels, or skies would take what small things need. One in eight colors
    goes to what is farthest from all others, however rare: a red dot that appears late stays red.
    """
    num_rare = num_colors // 8
    damped = colors.repeat(np.ceil(np.sqrt(counts)).astype(int), axis=0)
    damped = Image.fromarray(damped[None, :: 1 + len(damped) // 60_000])  # they are in order: each keeps its share
    common = damped.quantize(num_colors - num_rare - len(reserved), method=Image.Quantize.MEDIANCUT, kmeans=600)
    palette = [*reserved, *np.reshape(common.getpalette(), (-1, 3)).tolist()]
    nearest = np.asarray(Image.fromarray(colors[None]).quantize(palette=_palette_image(palette), dither=0))[0]
    distance = np.linalg.norm(np.subtract(colors, np.array(palette)[nearest], dtype=np.float32), axis=1)
    for _ in range(num_rare):
        farthest = colors[distance.argmax()]
        palette.append(farthest.tolist())
        distance = np.minimum(distance, np.linalg.norm(np.subtract(colors, farthest, dtype=np.float32), axis=1))
    palette = np.array(palette)
    for color in reserved:  # Pillow rounds down to multiples of 4 before it compares: none may be so near
        palette[np.abs(palette - color).max(axis=1) < 9] = color
    return palette.astype(np.uint8)


class _Spool:
    """Frames put in a file as they come, to be gone through again and again."""

    def __init__(self, file, frames):
        self.file, self.count, self.shape = file, 0, None
        for frame in frames:
            self.shape = self.shape or frame.shape
            if self.count == MAX_FRAMES:
                raise ValueError(f"Expected up to {MAX_FRAMES} frames. Received: more. Take a part, or write an .mp4.")
            if frame.shape != self.shape:
                raise ValueError(f"Expected frames of one size. Received: {self.shape}, {frame.shape}. Resize them.")
            file.write(np.ascontiguousarray(frame, np.uint8))
            self.count += 1

    def __len__(self):
        return self.count

    def __iter__(self):
        self.file.seek(0)
        for _ in range(self.count):
            yield np.frombuffer(self.file.read(np.prod(self.shape)), np.uint8).reshape(self.shape)


def _count_colors(film) -> tuple[np.ndarray, np.ndarray]:
    """Colors (U, 3) of all frames and how often each was met; of large films some pixels stand for all."""
    step = max(1, next(iter(film)).size // 3 * len(film) // NUM_SAMPLES)
    pixels = np.concatenate([frame.reshape(-1, 3)[place % step :: step] for place, frame in enumerate(film)])
    tones = (pixels >> 2) @ np.array([2**12, 2**6, 1])  # one number for colors that are hardly told apart
    _, first, counts = np.unique(tones, return_index=True, return_counts=True)
    return pixels[first], counts


def _palette_image(palette) -> Image.Image:
    """The image that Pillow wants a palette to be."""
    image = Image.new("P", (1, 1))
    image.putpalette(np.asarray(palette, np.uint8).tobytes())
    return image


def _encode(film, palette, *, quality, file_format, fps, max_bytes) -> bytes | None:
    """The bytes of an animation, or None as soon as there are more than the budget allows."""
    table = np.zeros((256, 4), np.uint8)  # alpha, red, green, blue; the unused last one stays transparent
    table[: len(palette)] = np.insert(palette, 0, 255, axis=1)
    delay = round(100 * quality.every / fps)  # hundredths of a second
    muxer, encoder = {"final_delay": f"{delay}"}, {}
    if file_format == "apng":
        muxer, encoder = {"final_delay": f"{delay}/100", "plays": "0"}, {"pred": "none"}
    file = io.BytesIO()
    with av.open(file, "w", format=file_format, options=muxer) as container:
        stream = container.add_stream(file_format, rate=100, options=encoder)
        stream.pix_fmt = "pal8"
        for number, indices in enumerate(_index(film, palette, quality)):
            if number == 0:
                stream.height, stream.width = indices.shape
            frame = av.VideoFrame.from_ndarray((indices, table), format="pal8")
            frame.pts = round(number * quality.every * 100 / fps)
            container.mux(stream.encode(frame))
            if file.tell() > max_bytes:
                return None
        container.mux(stream.encode())
    return file.getvalue() if len(file.getvalue()) <= max_bytes else None


def _index(film, palette, quality):
    """Palette indices (H, W) of each frame that stays; pixels that changed little keep their former index."""
    image, shown, kept = _palette_image(palette), None, None
    for frame in itertools.islice(film, 0, None, quality.every):
        size = [max(2, round(side * quality.scale)) for side in frame.shape[1::-1]]
        picture = Image.fromarray(frame).resize(size, Image.Resampling.BOX)
        rgb, indices = np.asarray(picture, np.int16), np.asarray(picture.quantize(palette=image, dither=0))
        if shown is None:
            shown, kept = rgb.copy(), indices.copy()
        changed = np.abs(rgb - shown).max(axis=-1) > quality.tolerance
        shown[changed], kept[changed] = rgb[changed], indices[changed]
        yield kept


def _draw_title(name: str, clip: np.ndarray) -> np.ndarray:
    """uint8 (T, TITLE_HEIGHT, W, 3): a name on white, as small as it must be to fit."""
    strip = Image.new("RGB", (clip.shape[2], TITLE_HEIGHT), "white")
    fonts = (load_font(size) for size in range(13, 5, -1))
    font = next((font for font in fonts if font.getlength(name) <= clip.shape[2]), load_font(6))
    ImageDraw.Draw(strip).text((0, TITLE_HEIGHT - 4), name, font=font, fill=INK, anchor="ls")
    return np.broadcast_to(np.asarray(strip), (len(clip), *np.asarray(strip).shape))
