"""Frames -> a GIF that keeps to a size: one palette for the whole film, and as much colour, rate and size as fits.

GIF packs runs of equal pixels. So pixels that hardly changed keep what they showed (a camera's noise costs most and is
missed least), and where that is not enough some colours go first, then every other frame, then more colours, then size.
"""

import os
import tempfile
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from PIL import Image

MAX_FRAMES = 3000  # two minutes at 25 a second
PALETTE_FRAMES = 24  # frames, spread over the film, from which the palette is taken
PALETTE_PIXELS = 60_000  # of them all


class Quality(NamedTuple):
    """What is given up: number of colours, change that is overlooked (0..255), every n-th frame, share of the size."""

    colors: int
    tolerance: int
    every: int
    scale: float


LADDER = (
    Quality(255, 4, 1, 1.0),
    Quality(128, 8, 1, 1.0),
    Quality(255, 4, 2, 1.0),
    Quality(128, 8, 2, 1.0),
    Quality(96, 12, 2, 1.0),
    Quality(64, 16, 2, 1.0),
    Quality(48, 24, 2, 1.0),
    Quality(32, 28, 2, 1.0),
    Quality(32, 28, 2, 0.75),
    Quality(32, 32, 4, 0.75),
    Quality(24, 40, 4, 0.5),
    Quality(16, 48, 8, 0.5),
)
"""From best to smallest; the first that fits is taken."""


class Gif(NamedTuple):
    """A GIF that was written and what it took to fit."""

    path: Path
    num_bytes: int
    num_frames: int
    fps: float
    width: int
    height: int
    quality: Quality


def write_gif(path, frames, *, fps, max_bytes=1_500_000, reserved=()) -> Gif:
    """Writes an endless GIF no larger than a budget, at the best quality that fits.

    Frames wait on disk while qualities are tried, so memory does not grow with their number.

    Args:
        path: file to write.
        frames: iterable of uint8 (H, W, 3), all of one size.
        fps: frames a second; GIF counts in hundredths of a second.
        max_bytes: largest size of the file.
        reserved: (red, green, blue) of colours, each 0..255, that are kept exactly whatever else is given up.

    Returns:
        Gif, with the quality that was needed.

    Raises:
        ValueError: no frames, more than MAX_FRAMES, or not even the smallest quality fits.

    Example:
        >>> from tempfile import mkdtemp
        >>> write_gif(mkdtemp() + "/grey.gif", np.full((5, 48, 64, 3), 90, np.uint8), fps=25).quality.colors
        255
    """
    path = Path(path)
    with tempfile.TemporaryDirectory(prefix="gif-") as scratch:
        film = _spool(frames, Path(scratch) / "frames", path)
        candidate = Path(scratch) / "candidate.gif"
        low, high = 0, len(LADDER) - 1
        while low < high:  # sizes fall along the ladder: halve it until the first that fits is left
            middle = (low + high) // 2 if low else low
            fits = _encode(candidate, film, fps=fps, quality=LADDER[middle], reserved=reserved) <= max_bytes
            low, high = (low, middle) if fits else (middle + 1, high)
        size = _encode(candidate, film, fps=fps, quality=LADDER[low], reserved=reserved)
        if size > max_bytes:
            raise ValueError(
                f"Expected at most {max_bytes:,} bytes for {path}. Received: {size:,} for {len(film)} frames at the "
                f"lowest quality. Take fewer frames, raise max_bytes, or write {path.stem}.mp4."
            )
        _move(candidate, path)
    width, height = _scaled(film, LADDER[low])
    count = -(-len(film) // LADDER[low].every)
    return Gif(path, size, count, fps / LADDER[low].every, width, height, LADDER[low])


def choose_palette(film, colors, *, reserved=()) -> Image.Image:
    """Chooses colours that serve a whole film, from frames spread over it.

    A colour counts by the square root of its pixels, or skies would take what small things need.

    Args:
        film: uint8 (F, H, W, 3).
        colors: how many.
        reserved: colours among them that are given.

    Returns:
        A Pillow palette image.
    """
    picks = np.unique(np.linspace(0, len(film) - 1, PALETTE_FRAMES).astype(int))
    step = max(1, round((film[0].size / 3 * len(picks) / PALETTE_PIXELS) ** 0.5))
    pixels = np.concatenate([film[pick][::step, ::step].reshape(-1, 3) for pick in picks])
    tones = (pixels >> 2) @ np.array([2**12, 2**6, 1])  # one number for colours that are hardly told apart
    _, first, counts = np.unique(tones, return_index=True, return_counts=True)
    damped = pixels[np.repeat(first, np.ceil(np.sqrt(counts)).astype(int))]
    chosen = Image.fromarray(damped[None]).quantize(colors - len(reserved), method=Image.Quantize.MEDIANCUT, kmeans=1)
    palette = Image.new("P", (1, 1))
    palette.putpalette([value for colour in reserved for value in colour] + chosen.getpalette())
    return palette


def _encode(path, film, *, fps, quality, reserved=()):
    """Writes one GIF, returns its size in bytes."""
    palette = choose_palette(film, quality.colors, reserved=reserved)
    table = np.zeros((256, 4), np.uint8)  # alpha, red, green, blue; the unused last one stays transparent
    colours = np.array(palette.getpalette(), np.uint8).reshape(-1, 3)[:255]
    table[: len(colours)] = np.insert(colours, 0, 255, axis=1)
    last = {"final_delay": str(round(100 * quality.every / fps))}  # hundredths of a second
    with av.open(str(path), "w", format="gif", options=last) as container:
        stream = container.add_stream("gif", rate=100)
        stream.width, stream.height = _scaled(film, quality)
        stream.pix_fmt = "pal8"
        for number, indices in enumerate(_index(film, palette, quality)):
            frame = av.VideoFrame.from_ndarray((indices, table), format="pal8")
            frame.pts = round(number * quality.every * 100 / fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path.stat().st_size


def _index(film, palette, quality):
    """Palette indices (H, W) of each frame that stays; pixels that changed little keep their former index."""
    shown = kept = None
    for number in range(0, len(film), quality.every):
        picture = Image.fromarray(film[number]).resize(_scaled(film, quality), Image.Resampling.BOX)
        rgb, indices = np.asarray(picture, np.int16), np.asarray(picture.quantize(palette=palette, dither=0))
        if shown is None:
            shown, kept = rgb.copy(), indices.copy()
        changed = np.abs(rgb - shown).max(axis=-1) > quality.tolerance
        shown[changed], kept[changed] = rgb[changed], indices[changed]
        yield np.ascontiguousarray(kept)


def _scaled(film, quality):
    return max(2, round(film.shape[2] * quality.scale)), max(2, round(film.shape[1] * quality.scale))


def _spool(frames, file, path):
    """Puts frames on disk as they come and maps them, (F, H, W, 3)."""
    count, shape = 0, None
    with open(file, "wb") as out:
        for frame in frames:
            if count == MAX_FRAMES:
                raise ValueError(
                    f"Expected at most {MAX_FRAMES} frames for {path}. Received: more. Take a part, or write an .mp4."
                )
            out.write(np.ascontiguousarray(frame).tobytes())
            count, shape = count + 1, frame.shape
    if not count:
        raise ValueError(f"Expected at least 1 frame for {path}. Received: none. Check where they come from.")
    return np.memmap(file, np.uint8, "r", shape=(count, *shape))


def _move(source, path):
    """Puts a finished file in its place in one step, from wherever it was written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        scratch.write_bytes(source.read_bytes())
        os.replace(scratch, path)
    finally:
        scratch.unlink(missing_ok=True)
