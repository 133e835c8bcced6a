"""What is drawn under each frame of an annotated video: the label with its sign, bars of probability, a timeline.

Right and wrong differ by color, sign and, on the timeline, hatching. Sizes are for a panel of 320 pixels, and grow.
"""

import numpy as np
from PIL import Image, ImageColor, ImageDraw

from actlib.plots.style import CORRECT_ON_DARK, SIGNS, WRONG_ON_DARK, fit_text, load_font

NIGHT, TRACK, DIM, TEXT, UNKNOWN = "#11141A", "#2B313B", "#969EAA", "#F0F2F5", "#B09CFF"
VERDICTS = {True: CORRECT_ON_DARK, False: WRONG_ON_DARK, None: UNKNOWN}  # None: nobody knows what is true
COLORS = [ImageColor.getrgb(color) for color in (NIGHT, TRACK, DIM, TEXT, *VERDICTS.values())]

REFERENCE = 320  # pixels of width for which the numbers below are given
MARGIN, HEADER, ROW, NAMES, STRIP = 10, 27, 12, 11, 16
MAX_BARS = 7  # up to here every class keeps its place; of more, the likeliest of late are shown
RANK_MEMORY = 25  # frames over which "of late" reaches


class Panel:
    """Draws the panel of one frame after the other; it remembers what the timeline needs, whatever the length.

    The timeline is as long as `num_frames`. `truth` is a list of `timeline.Segment`, empty where nobody knows, `note` a
    small text on a line of its own at the end.
    """

    def __init__(self, width, *, classes, num_frames, fps, truth=(), note=""):
        self.width, self.classes, self.fps, self.truth, self.note = width, tuple(classes), fps, truth, note
        self.num_frames, self.unit = max(1, num_frames), max(1.0, width / REFERENCE)
        self.num_bars = min(len(classes), MAX_BARS)
        self.tops = np.cumsum([HEADER, ROW * self.num_bars, NAMES + 4, STRIP, NAMES + 5, NAMES if note else 0])
        self.height = 2 * round(self.tops[-1] * self.unit / 2)
        self.ranks = np.zeros(len(classes))
        self.strip_width = width - 2 * self._px(MARGIN)
        self.counts = np.zeros(self.strip_width)  # frames in each column of the timeline
        self.sums = np.zeros((2, self.strip_width))  # of their probabilities: labels that are not wrong, and wrong ones
        self.marks, self.mark_end = [], 0  # labels along the timeline: (column, label, its text)

    def draw(self, index: int, probabilities: np.ndarray, predicted: str) -> np.ndarray:
        """Draw the panel, uint8 (height, width, 3), of the next frame: its number, probabilities (K,) and label."""
        true = next((part.label for part in self.truth if part.start <= index < part.stop), None)
        correct, probability = None if true is None else predicted == true, float(probabilities.max())
        image = Image.new("RGB", (self.width, self.height), NIGHT)
        pen = ImageDraw.Draw(image)
        self._draw_header(pen, f"{index / self.fps:.1f} s", predicted, probability, correct)
        self._draw_bars(pen, probabilities, predicted, true)
        now = self._column(index)
        columns = slice(now, max(now + 1, (index + 1) * self.strip_width // self.num_frames))
        self.counts[columns] += 1
        self.sums[int(correct is False), columns] += probability
        self._draw_timeline(image, pen, now, predicted, UNKNOWN if true is None else CORRECT_ON_DARK)
        return np.asarray(image)

    def _draw_header(self, pen, clock, predicted, probability, correct):
        """The sign, the label, its probability, the time."""
        left, middle, color = self._px(MARGIN), self._px(HEADER / 2 + 1), VERDICTS[correct]
        if correct is not None:
            half = self._px(8)
            pen.rectangle((left, middle - half, left + 2 * half, middle + half), fill=color)
            pen.text((left + half, middle), SIGNS[correct], NIGHT, load_font(self._px(13)), anchor="mm")
            left += 2 * half + self._px(6)
        small, bold = load_font(self._px(8.5)), load_font(self._px(13), bold=True)
        edge = self.width - self._px(MARGIN)
        pen.text((edge, middle), clock, DIM, small, anchor="rm")
        edge -= round(small.getlength("0000.0 s"))
        pen.text((edge, middle), f"{probability:.0%}", color, bold, anchor="rm")
        edge -= round(bold.getlength("100%")) + self._px(4)
        pen.text((left, middle), fit_text(predicted, bold, edge - left), TEXT, bold, anchor="lm")

    def _draw_bars(self, pen, probabilities, predicted, true):
        """A bar a class, that of the predicted one in the color of right or wrong, that of the true one framed."""
        self.ranks += (probabilities - self.ranks) / RANK_MEMORY
        likeliest = np.argsort(-self.ranks, kind="stable")[: self.num_bars]
        shown = likeliest if len(self.classes) > MAX_BARS else range(self.num_bars)
        left, start, stop = self._px(MARGIN), self._px(116), self.width - self._px(MARGIN + 28)
        for row, label in enumerate(shown):
            middle, name = self._px(self.tops[0] + ROW * row) + self._px(ROW) // 2, self.classes[label]
            font, ink = load_font(self._px(8.5), bold=name == predicted), TEXT if name == predicted else DIM
            pen.text((left, middle), fit_text(name, font, start - left - self._px(4)), ink, font, anchor="lm")
            above, below = middle - self._px(3), middle + self._px(3)
            pen.rectangle((start, above, stop, below), fill=TRACK, outline=TEXT if name == true else None)
            if full := round((stop - start) * float(probabilities[label])):
                color = VERDICTS[None if true is None else name == true] if name == predicted else DIM
                pen.rectangle((start, above, start + full, below), fill=color)
            pen.text((self.width - left, middle), f"{probabilities[label]:.0%}", ink, font, anchor="rm")

    def _draw_timeline(self, image, pen, now, predicted, color):
        """The mean probability of each column's frames, the share of wrong labels hatched; names above and below."""
        left, top, height = self._px(MARGIN), self._px(self.tops[2]), self._px(STRIP)
        good, both = np.cumsum(self.sums / np.maximum(self.counts, 1), axis=0)
        rows, columns = np.mgrid[:height, : self.strip_width]
        area = rows >= np.rint(height * (1 - both))
        stripes, below = area & ((rows + columns) % 6 >= 2), rows >= np.rint(height * (1 - good))
        for mask, fill in ((rows >= 0, TRACK), (area, NIGHT), (stripes, WRONG_ON_DARK), (below, color)):
            image.paste(fill, (left, top), Image.fromarray(mask))
        pen.rectangle((left + now - 1, top - 2, left + now, top + height + 1), fill=TEXT)
        font = load_font(self._px(7.5))
        text = fit_text(predicted, font, self.strip_width - now)
        if text and now >= self.mark_end and predicted not in [label for _, label, _ in self.marks[-1:]]:
            self.marks.append((now, predicted, text))
            self.mark_end = now + font.getlength(text) + self._px(6)
        for column, _, text in self.marks:
            pen.text((left + column, top - self._px(4)), text, TEXT, font, anchor="ls")
        below = top + height + self._px(9)
        pen.text((self.width - left, below + self._px(NAMES + 1)), self.note, DIM, font, anchor="rs")
        for part in self.truth:
            x, end = (left + self._column(frame) for frame in (part.start, min(part.stop, self.num_frames)))
            pen.rectangle((x, top + height, x, below), fill=DIM)
            text = fit_text(part.label, font, end - x - self._px(4))
            pen.text((x + self._px(3), below), text, DIM, font, anchor="ls")

    def _column(self, index) -> int:
        """The column of the timeline in which a frame is painted."""
        return min(self.strip_width - 1, index * self.strip_width // self.num_frames)

    def _px(self, size) -> int:
        """Pixels of a size that is given for a panel of 320."""
        return round(size * self.unit)
