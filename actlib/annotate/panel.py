"""What is drawn under each frame of an annotated video: the label with its sign, bars of probability, a timeline.

Right and wrong differ by colour (blue and vermilion as in all pictures, lightened for a dark ground), by sign (tick,
cross) and, on the timeline, by hatching. All sizes are given for a panel 320 pixels wide and grow with it.
"""

from functools import lru_cache
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from actlib.plots.style import SIGNS

NIGHT, TRACK, DIM, TEXT = (17, 20, 26), (43, 49, 59), (150, 158, 170), (240, 242, 245)
RIGHT, WRONG, NEUTRAL = (86, 180, 233), (255, 126, 51), (176, 156, 255)
COLOURS = (NIGHT, TRACK, DIM, TEXT, RIGHT, WRONG, NEUTRAL)

REFERENCE = 320  # pixels of width for which the numbers below are given
MARGIN, HEADER, ROW, NAMES, STRIP = 10, 27, 12, 11, 16
MAX_BARS = 5  # with more classes than MAX_FIXED, the likeliest of late are shown
MAX_FIXED = 7  # up to here every class keeps its place
RANK_MEMORY = 25  # frames over which "of late" reaches


class Panel:
    """Draws the panel of one frame after the other; it remembers what the timeline needs, whatever the length.

    Args:
        width: pixels.
        classes: names of the K classes.
        num_frames: frames that are expected; the timeline is as long.
        fps: frames a second.
        truth: list of `timeline.Segment` that say what is really going on, or None where nobody knows.
        note: small text on a line of its own at the end, such as how the answers were smoothed.

    Example:
        >>> panel = Panel(320, classes=("Sit", "Stand"), num_frames=50, fps=25)
        >>> panel.draw(0, np.array([0.9, 0.1]), "Sit", True).shape == (panel.height, 320, 3)
        True
    """

    def __init__(self, width, *, classes, num_frames, fps, truth=None, note=""):
        self.width, self.classes, self.fps, self.truth, self.note = width, tuple(classes), fps, truth, note
        self.num_frames, self.unit = max(1, num_frames), max(1.0, width / REFERENCE)
        self.num_bars = len(classes) if len(classes) <= MAX_FIXED else MAX_BARS
        self.tops = np.cumsum([HEADER, ROW * self.num_bars, NAMES + 4, STRIP, NAMES + 5, NAMES if note else 0])
        self.height = 2 * round(self.tops[-1] * self.unit / 2)
        self.strip = Strip(width - 2 * self._px(MARGIN), self._px(STRIP), num_frames=self.num_frames)
        self.ranks = np.zeros(len(classes))
        self.said, self.mark_end = [], 0  # names along the timeline: (x, text)

    def draw(self, index, probabilities, said, right) -> np.ndarray:
        """Draws the panel of one frame; frames have to come in order.

        Args:
            index: number of the frame.
            probabilities: float (K,).
            said: the label that is given.
            right: whether it is true, or None where nobody knows.

        Returns:
            uint8 (height, width, 3).
        """
        best = int(np.argmax(probabilities))
        self.strip.add(index, float(probabilities[best]), right)
        picture = Image.new("RGB", (self.width, self.height), NIGHT)
        pen = ImageDraw.Draw(picture)
        self._draw_header(pen, index, said, float(probabilities[best]), right)
        self._draw_bars(pen, index, probabilities, said, right)
        self._draw_timeline(picture, pen, index, said)
        return np.asarray(picture)

    def _draw_header(self, pen, index, label, probability, right):
        left, middle = self._px(MARGIN), self._px(HEADER / 2 + 1)
        if right is not None:
            half = self._px(8)
            pen.rectangle((left, middle - half, left + 2 * half, middle + half), fill=colour_of(right))
            pen.text((left + half, middle), SIGNS[right], NIGHT, font_of(self._px(13)), anchor="mm")
            left += 2 * half + self._px(6)
        clock, clock_font = f"{index / self.fps:.1f} s", font_of(self._px(8.5))
        edge = self.width - self._px(MARGIN)
        pen.text((edge, middle), clock, DIM, clock_font, anchor="rm")
        percent, bold = f"{probability:.0%}", font_of(self._px(13), bold=True)
        edge -= round(clock_font.getlength("0000.0 s"))
        pen.text((edge, middle), percent, colour_of(right), bold, anchor="rm")
        edge -= round(bold.getlength("100%")) + self._px(4)
        pen.text((left, middle), fit_text(label, bold, edge - left), TEXT, bold, anchor="lm")

    def _draw_bars(self, pen, index, probabilities, said, right):
        self.ranks += (probabilities - self.ranks) / RANK_MEMORY
        shown = range(len(self.classes))
        if len(self.classes) > MAX_FIXED:
            shown = np.argsort(-self.ranks, kind="stable")[: self.num_bars]
        true = next((part.label for part in self.truth or () if part.start <= index < part.stop), None)
        plain, bold = font_of(self._px(8.5)), font_of(self._px(8.5), bold=True)
        left, start, stop = self._px(MARGIN), self._px(116), self.width - self._px(MARGIN + 28)
        for row, label in enumerate(shown):
            top = self._px(self.tops[0] + ROW * row)
            middle, name = top + self._px(ROW) // 2, self.classes[label]
            font, ink = (bold, TEXT) if name == said else (plain, DIM)
            pen.text((left, middle), fit_text(name, font, start - left - self._px(4)), ink, font, anchor="lm")
            box = (start, middle - self._px(3), stop, middle + self._px(3))
            pen.rectangle(box, fill=TRACK, outline=TEXT if name == true else None)
            full = round((stop - start) * float(probabilities[label]))
            if full:
                pen.rectangle((start, box[1], start + full, box[3]), fill=colour_of(right) if name == said else DIM)
            edge = self.width - left
            pen.text((edge, middle), f"{probabilities[label]:.0%}", ink, font, anchor="rm")

    def _draw_timeline(self, picture, pen, index, label):
        left, top = self._px(MARGIN), self._px(self.tops[2])
        picture.paste(Image.fromarray(self.strip.pixels), (left, top))
        now = left + self.strip.column(index)
        pen.rectangle((now - 1, top - 2, now, top + self.strip.height + 1), fill=TEXT)
        font = font_of(self._px(7.5))
        self._remember(label, self.strip.column(index), font)
        for x, text in self.said:
            pen.text((left + x, top - self._px(4)), text, TEXT, font, anchor="ls")
        below = top + self.strip.height + self._px(9)
        pen.text((self.width - left, below + self._px(NAMES + 1)), self.note, DIM, font, anchor="rs")
        for segment in self.truth or ():
            x, end = (left + self.strip.column(frame) for frame in (segment.start, min(segment.stop, self.num_frames)))
            pen.rectangle((x, top + self.strip.height, x, below), fill=DIM)
            text = fit_text(segment.label, font, end - x - self._px(4))
            pen.text((x + self._px(3), below), text, DIM, font, anchor="ls")

    def _remember(self, label, column, font):
        """Keeps a name for the timeline where the label changes and there is room; so their number is bounded."""
        if self.said and (self.said[-1][1] == label or column < self.mark_end):
            return
        text = fit_text(label, font, self.strip.width - column)
        if text:
            self.said.append((column, label))
            self.mark_end = column + font.getlength(text) + self._px(6)

    def _px(self, size) -> int:
        return round(size * self.unit)


class Strip:
    """The timeline's picture, painted column by column: height is the probability, hatching is wrong.

    A column stands for one frame or many; it shows their mean. Memory is that of the picture.
    """

    def __init__(self, width, height, *, num_frames):
        self.width, self.height, self.num_frames = width, height, num_frames
        self.pixels = np.full((height, width, 3), TRACK, np.uint8)
        self.current, self.count, self.sums = -1, 0, np.zeros(2)

    def column(self, index) -> int:
        """Says in which column a frame is painted.

        Args:
            index: number of the frame.

        Returns:
            0..width - 1.
        """
        return min(self.width - 1, index * self.width // self.num_frames)

    def add(self, index, probability, right):
        """Paints one frame.

        Args:
            index: number of the frame.
            probability: of what is said, 0..1: the height.
            right: whether it is true: the colour; None where nobody knows.
        """
        column = self.column(index)
        if column != self.current:
            self.current, self.count, self.sums = column, 0, np.zeros(2)
        self.count += 1
        self.sums[int(right is False)] += probability
        good, everything = np.rint(self.height * np.cumsum(self.sums) / self.count).astype(int)
        last = max(column + 1, self.column(index + 1)) if index + 1 < self.num_frames else self.width
        rows, columns = np.mgrid[0 : self.height, column:last]
        hatched = (rows + columns) % 6 < 2
        area = self.pixels[:, column:last]
        area[:] = TRACK
        area[self.height - everything :] = WRONG
        area[(rows >= self.height - everything) & hatched] = NIGHT
        area[self.height - good :] = NEUTRAL if right is None else RIGHT


def colour_of(right):
    """Chooses the colour of an answer.

    Args:
        right: True, False, or None where nobody knows.

    Returns:
        (red, green, blue), each 0..255.
    """
    return NEUTRAL if right is None else RIGHT if right else WRONG


@lru_cache
def font_of(size, *, bold=False):
    """Loads DejaVu Sans, which matplotlib brings along.

    Args:
        size: pixels.
        bold: the bold cut.

    Returns:
        A Pillow font.
    """
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name), size)


@lru_cache(maxsize=1024)
def fit_text(text, font, width) -> str:
    """Shortens a text with an ellipsis until it fits.

    Args:
        text: str.
        font: a Pillow font.
        width: the most that it may take, in pixels.

    Returns:
        The text, shortened if need be; empty where not even two letters fit.
    """
    if font.getlength(text) <= width:
        return text
    cut = next((n for n in range(len(text) - 1, 1, -1) if font.getlength(text[:n] + "…") <= width), 0)
    return text[:cut].rstrip() + "…" if cut else ""
