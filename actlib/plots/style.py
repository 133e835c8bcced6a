"""The one style of all figures: colors, font, and the figure that carries its own description."""

import base64
import functools
import io
from pathlib import Path

import matplotlib
import matplotlib.figure
import matplotlib.style
import numpy as np
import seaborn as sns
from IPython.display import display
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image, ImageFont

# Chosen so that no two, nor any of them and CORRECT or WRONG, are alike to anybody, however they see colors.
CLASS_COLORS = ("#832DB6", "#44AA99", "#E69F00", "#EE3377", "#8A5A44", "#17BECF", "#AA3377", "#ADAD7D")
CORRECT, WRONG = "#0072B2", "#C04A00"  # of no class; dark enough for text on white, light enough for shapes on black
CORRECT_ON_DARK, WRONG_ON_DARK = "#62B8EC", "#FF9A4D"  # the same two as text on a dark ground
VERDICTS = {True: CORRECT, False: WRONG}
SIGNS = {True: "✓", False: "✗"}  # a second way to tell right from wrong, without color
SUBSET_COLORS = dict(zip(("train", "validation", "test"), CLASS_COLORS, strict=False))
INK, MUTED, FAINT = "#333333", "#8A8A8A", "#E4E4E4"
WIDTH = 8.0  # inches, of every figure
DPI = 144  # sharp on screens with small pixels; notebooks show pictures at 96
MAX_BYTES = 100_000  # of one figure in a notebook
PHOTO = 12_000  # colors; a drawing has fewer

STYLE = {
    **sns.axes_style("whitegrid"),
    **sns.plotting_context("paper"),
    "font.family": "DejaVu Sans",  # comes with matplotlib, so that figures are the same everywhere
    "axes.prop_cycle": matplotlib.cycler(color=CLASS_COLORS),
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": FAINT,
    "legend.frameon": False,
    "patch.force_edgecolor": False,
    "lines.linewidth": 1.8,
}
styled = matplotlib.style.context(STYLE, after_reset=True)
"""Decorator: the function draws in the one style, whatever the reader has set."""


@functools.cache
def load_font(size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    """Load DejaVu Sans, which comes with matplotlib and has the signs for right and wrong.

    Args:
        size: pixels.
        bold: the bold cut.

    Returns:
        A Pillow font.
    """
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts/ttf" / name), size)


@functools.lru_cache(maxsize=1024)
def fit_text(text: str, font, width: float) -> str:
    """Shorten a text with an ellipsis until it is at most so many pixels wide; empty where no two letters fit.

    Example:
        >>> fit_text("v_Diving_g01_c01.avi", load_font(14), 60)
        'v_Divi…'
    """
    if font.getlength(text) <= width:
        return text
    cut = next((n for n in range(len(text) - 1, 1, -1) if font.getlength(text[:n] + "…") <= width), 0)
    return text[:cut].rstrip() + "…" if cut else ""


class Figure(matplotlib.figure.Figure):
    """A matplotlib figure that shows itself once in a notebook, with a text for those who cannot see it.

    It needs no ``plt.show``: it is displayed where it is a cell's last value, and kept with ``figure.savefig(path)``.

    Args:
        height: inches; the width is the same for all figures.
        alt: what is to be seen, in a sentence.
        title: a heading at the top left, or None.

    Example:
        >>> Figure(2, alt="nothing yet").alt
        'nothing yet'
    """

    def __init__(self, height: float = 3.0, *, alt: str = "", title: str | None = None):
        super().__init__(figsize=(WIDTH, height), dpi=DPI, layout="constrained", facecolor="white")
        FigureCanvasAgg(self)
        self.alt = alt
        if title:
            self.suptitle(title, x=0.01, ha="left", fontsize=10.5, fontweight="bold")

    @styled
    def encode(self) -> tuple[str, bytes]:
        """Draw the figure small enough for a notebook: white above and below cut off, at most some 100 kB.

        Returns:
            ("image/png", bytes) with a palette of 256 colors or, for photos, ("image/jpeg", bytes).
        """
        self.canvas.draw()
        pixels = np.asarray(self.canvas.buffer_rgba())[..., :3]
        inked = np.flatnonzero((pixels < 255).any(axis=(1, 2)))
        first, last = (inked[0], inked[-1]) if len(inked) else (0, len(pixels))
        image = Image.fromarray(np.ascontiguousarray(pixels[max(0, first - 6) : last + 7]))
        if len(image.resize((image.width // 2, image.height // 2), Image.Resampling.NEAREST).getcolors(2**24)) < PHOTO:
            return "image/png", _save(image.quantize(256, dither=Image.Dither.NONE), format="PNG", optimize=True)
        jpegs = [_save(image, format="JPEG", quality=quality) for quality in (90, 80, 65, 50)]
        return "image/jpeg", next((jpeg for jpeg in jpegs if len(jpeg) <= MAX_BYTES), jpegs[-1])

    def _ipython_display_(self):
        """Show this and nothing else: matplotlib's own way of showing figures would add a second, larger copy."""
        kind, content = self.encode()
        width = round(96 * WIDTH)  # CSS pixels; the height follows
        data = {kind: base64.b64encode(content).decode(), "text/plain": self.alt or "figure"}
        display(data, metadata={kind: {"alt": self.alt, "width": width}}, raw=True)


def _save(image: Image.Image, **options) -> bytes:
    """The bytes of an image file."""
    file = io.BytesIO()
    image.save(file, **options)
    return file.getvalue()
