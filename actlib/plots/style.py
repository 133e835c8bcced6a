"""The one style of all figures: colors, font, the figure that carries its own description; rows, sheets of frames."""

import bisect
import functools
import io
import math
from pathlib import Path

import matplotlib.figure
import matplotlib.style
import numpy as np
import seaborn as sns
from IPython import display
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image, ImageFont, ImageOps

# Chosen so that no two, nor any of them and CORRECT or WRONG, are alike to anybody, however they see colors.
CLASS_COLORS = ("#832DB6", "#44AA99", "#E69F00", "#EE3377", "#8A5A44", "#17BECF", "#ADAD7D", "#AA3377")
CORRECT, WRONG = "#0072B2", "#C04A00"  # of no class; dark enough for text on white, light enough for shapes on black
CORRECT_ON_DARK, WRONG_ON_DARK = "#62B8EC", "#FF9A4D"  # the same two as text on a dark ground
VERDICTS = {True: CORRECT, False: WRONG}
SIGNS = {True: "✓", False: "✗"}  # a second way to tell right from wrong, without color
INK, MUTED, FAINT = "#333333", "#8A8A8A", "#E4E4E4"
WIDTH = 8.0  # inches, of every figure
DPI = 144  # sharp on screens with small pixels; notebooks show pictures at 96
MAX_BYTES = 100_000  # of one figure in a notebook
PHOTO = 12_000  # colors; a drawing has fewer
MAX_ROWS = 34  # classes below each other; more go into further columns
PERCENT = "{x:.0%}"  # how axes write 0..1

STYLE = sns.axes_style("whitegrid") | sns.plotting_context("paper")
STYLE |= {"font.family": "DejaVu Sans"}  # comes with matplotlib, so that figures are the same everywhere
STYLE |= {"axes.prop_cycle": matplotlib.cycler(color=CLASS_COLORS), "grid.color": FAINT, "lines.linewidth": 1.8}
STYLE |= {"axes.titleweight": "bold", "axes.titlelocation": "left"}
STYLE |= {"axes.spines.top": False, "axes.spines.right": False}
STYLE |= {"legend.frameon": False, "patch.force_edgecolor": False}
STYLE |= {"text.parse_math": False}  # a dollar sign in a name is one
styled = matplotlib.style.context(STYLE, after_reset=True)
"""Decorator: the function draws in the one style, whatever the reader has set."""


@functools.cache
def load_font(size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    """Load DejaVu Sans for Pillow; it comes with matplotlib, and has the signs of verdicts.

    Args:
        size, bold: in pixels; whether it is the bold one.
    """
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts/ttf" / name), size)


def escape_name(name: str) -> str:
    """Write what cannot be printed of a name, a line break say, as Python would.

    Args:
        name: any text, as it comes out of a file.
    """
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in name)


@functools.lru_cache(maxsize=1024)
def fit_text(text: str, font, width: float) -> str:
    """Shorten a line of text with an ellipsis until it is narrow enough; empty where no two letters fit.

    Args:
        text: one line.
        font: of Pillow, see `load_font`.
        width: pixels that it may take.
    """
    text = escape_name(text)
    if font.getlength(text) <= width:
        return text
    cut = bisect.bisect(range(len(text)), width, key=lambda n: font.getlength(text[:n] + "…")) - 1
    return text[:cut].rstrip() + "…" if cut > 1 else ""


class Figure(matplotlib.figure.Figure):
    """A matplotlib figure that shows itself once in a notebook, with a text for those who cannot see it.

    It needs no ``plt.show``: it is displayed where it is a cell's last value, and saved with ``figure.savefig(path)``.

    Args:
        height: inches; the width is the same for all figures.
        alt, title: what is to be seen, in a sentence; a heading at the top left, or None.
    """

    def __init__(self, height: float = 3.0, *, alt: str = "", title: str | None = None):
        super().__init__(figsize=(WIDTH, height), dpi=DPI, layout="constrained", facecolor="white")
        self.get_layout_engine().set(rect=(1 / 96, 0, 94 / 96, 1))  # a card with margins, on a dark page
        FigureCanvasAgg(self)
        self.alt = alt
        if title:
            self.suptitle(escape_name(title), x=0.01, ha="left", fontsize=10.5, fontweight="bold")

    draw = styled(matplotlib.figure.Figure.draw)  # names that only now become labels have the style, too

    def encode(self) -> bytes:
        """Draw the figure for a notebook, with little white above and below: a PNG of 256 colors; of photos a JPEG."""
        self.canvas.draw()
        image = Image.fromarray(np.asarray(self.canvas.buffer_rgba())).convert("RGB")
        _, top, _, bottom = ImageOps.invert(image).getbbox() or (0, 0, 0, image.height)
        image = ImageOps.expand(image.crop((0, top, image.width, bottom)), (0, 12), "white")
        if len(image.resize((image.width // 2, image.height // 2), Image.Resampling.NEAREST).getcolors(2**24)) < PHOTO:
            image.quantize(256, dither=Image.Dither.NONE).save(file := io.BytesIO(), "PNG", optimize=True)
            return file.getvalue()
        for quality in (90, 80, 65, 50):
            image.save(file := io.BytesIO(), "JPEG", quality=quality)
            if file.tell() <= MAX_BYTES:
                break
        return file.getvalue()

    def _ipython_display_(self):
        """Show this and nothing else: matplotlib's own way of showing figures would add a second, larger copy."""
        display.display(display.Image(data=self.encode(), alt=self.alt, width=round(96 * WIDTH)))  # CSS pixels


def class_panels(names, *, alt: str, title: str, reverse: bool = False):
    """Make a figure with one row a class; many go into columns, with one legend above.

    Args:
        names: of the classes, from above.
        alt, title: as for `Figure`.
        reverse: whether the legend is in reverse.

    Yields:
        (axis, some names), to be drawn before the next is asked for.
    """
    columns = math.ceil(len(names) / MAX_ROWS)
    rows = math.ceil(len(names) / columns)
    figure = Figure(1.2 + 0.2 * max(rows, 3), alt=alt, title=title)
    for column, axis in enumerate(figure.subplots(1, columns, sharex=True, squeeze=False)[0]):
        yield axis, list(names[rows * column : rows * (column + 1)])
        axis.set(ylabel=None, ylim=(rows - 0.4, -0.6))
        axis.tick_params("y", labelsize=9 if rows <= 15 else 7.5)
        axis.grid(axis="y", visible=False)
        axis.spines["left"].set_visible(False)
        if axis.get_legend() and column < columns - 1:
            axis.get_legend().remove()
        elif axis.get_legend():
            options = {"ncols": 9, "title": None, "borderaxespad": 0.1, "reverse": reverse}
            sns.move_legend(axis, "lower right", bbox_to_anchor=(1, 1), **options)


def tile(frames, *, columns: int, gap: int = 2) -> np.ndarray:
    """Put frames side by side in rows, smaller ones centred on white in the largest size: uint8 (H, W, 3).

    Args:
        frames: a sequence of uint8 (h, w, 3).
        columns: frames a row.
        gap: pixels of white between them.
    """
    height, width = (max(frame.shape[axis] for frame in frames) for axis in (0, 1))
    rows = math.ceil(len(frames) / columns)
    sheet = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap, 3), 255, np.uint8)
    for index, frame in enumerate(frames):
        top = index // columns * (height + gap) + (height - frame.shape[0]) // 2
        left = index % columns * (width + gap) + (width - frame.shape[1]) // 2
        sheet[top : top + frame.shape[0], left : left + frame.shape[1]] = frame
    return sheet
