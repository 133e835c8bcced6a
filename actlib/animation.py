"""Frames -> a GIF or an animated PNG that keeps to a size, and clips that play side by side in a notebook.

Both pack what stays the same, so pixels that hardly changed keep what they showed; where that is not enough colors go
first, then every other frame, then size.
"""

import functools
import io
import itertools
import tempfile
from pathlib import Path

import av
import numpy as np
from IPython import display
from PIL import Image, ImageDraw

from actlib.files import explain_errors, write_whole
from actlib.plots.style import INK, escape_name, load_font, tile

FORMATS = {".gif": "gif", ".png": "apng"}
MAX_FRAMES = 3000  # two minutes at 25 a second
NUM_SAMPLES = 1_000_000  # pixels, of all frames together, from which the palette is chosen
TITLE_HEIGHT = 18  # pixels
# From best to smallest: number of colors, change that is overlooked (0..255), every n-th frame, share of the size.
LADDER = [(255, 4, 1, 1.0), (128, 8, 1, 1.0), (128, 8, 2, 1.0), (64, 16, 2, 1.0), (32, 28, 2, 1.0)]
LADDER += [(32, 28, 2, 0.75), (32, 32, 4, 0.75), (24, 40, 4, 0.5), (16, 48, 8, 0.5)]


def animate_clips(clips: dict, *, fps: float = 10.0, columns: int = 4) -> display.Image:
    """Play clips side by side, in step and again and again: an animated PNG of at most 500 kB, its bytes in `data`.

    Args:
        clips: name -> uint8 (T, H, W, 3), all of the same shape.
        fps, columns: frames a second; clips a row, at most.

    Raises:
        ValueError: there are no clips, or their shapes differ.
    """
    shapes = {name: np.shape(clip) for name, clip in clips.items()}
    if len(set(shapes.values())) != 1:
        raise ValueError(f"Expected clips of one shape (T, H, W, 3). Received: {shapes}. Read the same T and size.")
    titled = [[np.concatenate([_draw_title(name, frame), frame]) for frame in clip] for name, clip in clips.items()]
    film = [tile(frames, columns=min(columns, len(clips)), gap=6) for frames in zip(*titled, strict=True)]
    png = _encode_to_fit(film, Path("clips.png"), fps=fps, max_bytes=500_000, reserved=[(255, 255, 255)])
    return display.Image(data=png, format="png", alt=f"Animation: {', '.join(clips)}")


def write_animation(path, frames, *, fps: float, max_bytes: int = 1_500_000, reserved=()) -> Path:
    """Write an endless GIF or animated PNG no larger than a budget, at the best quality that fits; return its path.

    Frames wait on disk while qualities are tried, so memory does not grow with their number.

    Args:
        path: file to write, .gif or .png; it has its name only when it is complete.
        frames: iterable of uint8 (H, W, 3), all of one size.
        fps: frames a second, which are kept to 0.01 s.
        max_bytes: largest size of the file.
        reserved: (red, green, blue) of colors, each 0..255, that are kept exactly whatever else is given up.

    Raises:
        ValueError: another ending, frames of several sizes, none or more than 3000, or nothing fits.
    """
    path = Path(path)
    if path.suffix.lower() not in FORMATS:
        raise ValueError(f"Expected a file ending in {', '.join(FORMATS)}. Received: {path}. Give it another ending.")
    path.parent.mkdir(parents=True, exist_ok=True)
    with explain_errors(path), tempfile.TemporaryFile(dir=path.parent) as file:
        shape = None
        for number, frame in enumerate(frames):
            shape = shape or frame.shape
            if number == MAX_FRAMES or frame.shape != shape:
                found = f"frame {number} of {frame.shape}, the first of {shape}. Take a part, or write an .mp4."
                raise ValueError(f"Expected up to {MAX_FRAMES} frames of one size. Received: {found}")
            file.write(np.ascontiguousarray(frame, np.uint8))
        if shape is None:
            raise ValueError(f"Expected at least 1 frame for {path}. Received: none. Check where they come from.")
        file.flush()
        film = np.memmap(file, np.uint8, "r").reshape(-1, *shape)
        return write_whole(path, _encode_to_fit(film, path, fps=fps, max_bytes=max_bytes, reserved=reserved))


def _encode_to_fit(film, path: Path, *, fps: float, max_bytes: int, reserved) -> bytes:
    """Encode a film, frames that can be gone through again, at the first quality at which it is small enough."""
    colors, counts = _count_colors(film)
    choose = functools.cache(lambda num_colors: _choose_palette(colors, counts, num_colors, reserved=reserved))
    for num_colors, tolerance, every, scale in LADDER:
        palette = choose(num_colors)
        pictures = _index(itertools.islice(film, 0, None, every), palette, tolerance, scale)
        content = _encode(pictures, palette, FORMATS[path.suffix.lower()], fps=fps / every, max_bytes=max_bytes)
        if content is not None:
            return content
    found = f"more, for {len(film)} frames at lowest quality. Take fewer, raise max_bytes, or write an .mp4."
    raise ValueError(f"Expected at most {max_bytes:,} bytes for {path}. Received: {found}")


def _choose_palette(colors: np.ndarray, counts: np.ndarray, num_colors: int, *, reserved=()) -> np.ndarray:
    """Choose colors (n, 3) for a film with these (U, 3), each in so many pixels (U,); one in eight is a rare one."""
    num_rare = num_colors // 8
    damped = colors.repeat(np.ceil(np.sqrt(counts)).astype(int), axis=0)
    damped = Image.fromarray(damped[None, :: 1 + len(damped) // 60_000])  # they are in order: each keeps its share
    common = damped.quantize(num_colors - num_rare - len(reserved), Image.Quantize.MEDIANCUT, kmeans=600)
    rare = Image.fromarray(colors[None]).quantize(num_rare, Image.Quantize.MAXCOVERAGE)
    palette = np.array([*reserved, *np.reshape([*common.getpalette(), *rare.getpalette()], (-1, 3))])
    for color in reserved:  # Pillow rounds down to multiples of 4 before it compares: none may be so near
        palette[np.abs(palette - color).max(axis=1) < 9] = color
    return palette.astype(np.uint8)


def _count_colors(film) -> tuple[np.ndarray, np.ndarray]:
    """Colors (U, 3) of all frames and how often each was met; of large films some pixels stand for all."""
    step = max(1, next(iter(film)).size // 3 * len(film) // NUM_SAMPLES)
    pixels = np.concatenate([frame.reshape(-1, 3)[place % step :: step] for place, frame in enumerate(film)])
    tones = (pixels >> 2) @ np.array([2**12, 2**6, 1])  # one number for colors that are hardly told apart
    _, first, counts = np.unique(tones, return_index=True, return_counts=True)
    return pixels[first], counts


def _encode(pictures, palette, file_format, *, fps, max_bytes) -> bytes | None:
    """The bytes of an animation, or None as soon as there are more than the budget allows."""
    table = np.zeros((256, 4), np.uint8)  # alpha, red, green, blue; the unused last one stays transparent
    table[: len(palette)] = np.insert(palette, 0, 255, axis=1)
    delay = round(100 / fps)  # hundredths of a second
    muxer = {"gif": {"final_delay": f"{delay}"}, "apng": {"final_delay": f"{delay}/100", "plays": "0"}}[file_format]
    file = io.BytesIO()
    with av.open(file, "w", format=file_format, options=muxer) as container:
        stream = container.add_stream(file_format, rate=100, options={"pred": "none"} if file_format == "apng" else {})
        stream.pix_fmt = "pal8"
        for number, indices in enumerate(pictures):
            if number == 0:
                stream.height, stream.width = indices.shape
            frame = av.VideoFrame.from_ndarray((indices, table), format="pal8")
            frame.pts = round(number * 100 / fps)
            container.mux(stream.encode(frame))
            if file.tell() > max_bytes:
                return None
        container.mux(stream.encode())
    return file.getvalue() if len(file.getvalue()) <= max_bytes else None


def _index(frames, palette, tolerance, scale):
    """Palette indices (H, W) of each frame; pixels that changed little keep their former index."""
    image, shown = Image.new("P", (1, 1)), None  # Pillow wants a palette to be one
    image.putpalette(palette.tobytes())
    for frame in frames:
        size = [max(2, round(side * scale)) for side in frame.shape[1::-1]]
        picture = Image.fromarray(frame).resize(size, Image.Resampling.BOX)
        rgb, indices = np.asarray(picture, np.int16), np.array(picture.quantize(palette=image, dither=0))
        if shown is None:
            shown, kept = rgb.copy(), indices
        changed = np.abs(rgb - shown).max(axis=-1) > tolerance
        shown[changed], kept[changed] = rgb[changed], indices[changed]
        yield kept


def _draw_title(name: str, frame: np.ndarray) -> np.ndarray:
    """uint8 (TITLE_HEIGHT, W, 3): a name on white, as small as it must be to fit above a frame."""
    name, strip = escape_name(name), Image.new("RGB", (frame.shape[1], TITLE_HEIGHT), "white")
    font = load_font(max(6, min(13, int(13 * strip.width / load_font(13).getlength(name)))))
    ImageDraw.Draw(strip).text((0, TITLE_HEIGHT - 4), name, font=font, fill=INK, anchor="ls")
    return np.asarray(strip)
