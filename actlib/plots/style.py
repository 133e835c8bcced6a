"""The one style of all pictures, and the figure that carries its own description."""

import base64
import functools
import io

import matplotlib
import numpy as np
from IPython.display import display
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

# Okabe and Ito's colours: told apart with every common kind of colour blindness.
BLUE, VERMILION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
AMBER, SKY, INK, YELLOW = "#E69F00", "#56B4E9", "#333333", "#F0E442"
COLOURS = (BLUE, AMBER, GREEN, VERMILION, SKY, PURPLE, INK, YELLOW)
RIGHT, WRONG = BLUE, VERMILION
SIGNS = {True: "✓", False: "✗"}  # a second way to tell right from wrong, without colour
PARTS = {"train": BLUE, "validation": SKY, "test": AMBER}
MUTED, FAINT = "#8A8A8A", "#E4E4E4"
WIDTH = 8.0  # inches, of every picture
DPI = 144  # sharp on screens with small pixels; notebooks show pictures at 96
MAX_BYTES = 100_000  # of one picture in a notebook
PHOTO = 12_000  # colours; a drawing has fewer

STYLE = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so that pictures are the same everywhere
    "font.size": 9,
    "text.color": INK,
    "axes.prop_cycle": matplotlib.cycler(color=COLOURS),
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 8,
    "axes.labelcolor": INK,
    "axes.labelsize": 9,
    "axes.edgecolor": MUTED,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": FAINT,
    "grid.linewidth": 0.8,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "lines.linewidth": 1.8,
    "lines.solid_capstyle": "round",
    "image.interpolation": "antialiased",
}


def styled(draw):
    """Make a function draw in the one style, wherever it is called from.

    Args:
        draw: a function that makes or draws a Picture.

    Returns:
        The same function, in the style.
    """

    @functools.wraps(draw)
    def draw_styled(*args, **options):
        with matplotlib.rc_context():
            matplotlib.rcdefaults()  # whatever the reader has set
            matplotlib.rcParams.update(STYLE)
            return draw(*args, **options)

    return draw_styled


class Picture(Figure):
    """A matplotlib figure that shows itself once in a notebook, with a text for those who cannot see it.

    It is known to no window system and needs no ``plt.show``: it is displayed where it is a cell's last value, and kept
    with ``picture.savefig(path)``.

    Args:
        height: inches; the width is the same for all pictures.
        alt: what is to be seen, in a sentence.

    Example:
        >>> Picture(2, alt="nothing yet").alt
        'nothing yet'
    """

    def __init__(self, height: float = 3.0, *, alt: str = ""):
        super().__init__(figsize=(WIDTH, height), dpi=DPI, layout="constrained", facecolor="white")
        FigureCanvasAgg(self)
        self.alt = alt

    @styled
    def encode(self) -> tuple[str, bytes]:
        """Draw the picture small enough for a notebook: at most some 100 kB, white above and below cut off.

        Returns:
            ("image/png", bytes) with a palette of 256 colours or, for photos, ("image/jpeg", bytes).
        """
        self.canvas.draw()
        pixels = trim_white(np.asarray(self.canvas.buffer_rgba())[..., :3])
        drawn = Image.fromarray(pixels)
        if len(drawn.resize((drawn.width // 2, drawn.height // 2), Image.Resampling.NEAREST).getcolors(2**24)) < PHOTO:
            return "image/png", _save(drawn.quantize(256, dither=Image.Dither.NONE), format="PNG", optimize=True)
        jpegs = [_save(drawn, format="JPEG", quality=quality) for quality in (90, 80, 65, 50)]
        return "image/jpeg", next((jpeg for jpeg in jpegs if len(jpeg) <= MAX_BYTES), jpegs[-1])

    def _repr_mimebundle_(self, include=None, exclude=None):
        """What a notebook shows and keeps: the picture, and the description as its alternative text."""
        kind, content = self.encode()
        width = round(96 * self.get_figwidth())  # CSS pixels; the height follows
        data = {kind: base64.b64encode(content).decode(), "text/plain": self.alt or "picture"}
        return data, {kind: {"alt": self.alt, "width": width}}

    def _ipython_display_(self):
        """Show this and nothing else: matplotlib's own way of showing figures would add a second, larger copy."""
        data, metadata = self._repr_mimebundle_()
        display(data, metadata=metadata, raw=True)


def _save(image: Image.Image, **options) -> bytes:
    """The bytes of an image file."""
    file = io.BytesIO()
    image.save(file, **options)
    return file.getvalue()


def trim_white(pixels: np.ndarray, *, margin: int = 6) -> np.ndarray:
    """Cut white rows off above and below.

    Args:
        pixels: uint8 (H, W, 3).
        margin: white rows to keep on either side.

    Returns:
        uint8 (h, W, 3), a contiguous copy.

    Example:
        >>> trim_white(np.pad(np.zeros((5, 9, 3), np.uint8), ((20, 3), (0, 0), (0, 0)), constant_values=255)).shape
        (14, 9, 3)
    """
    inked = np.flatnonzero((pixels < 255).any(axis=(1, 2)))
    if not len(inked):
        return pixels
    return np.ascontiguousarray(pixels[max(0, inked[0] - margin) : inked[-1] + 1 + margin])
