"""Shapes in metres on a picture: what the sample set's people, things and places are drawn with.

A point is (x, y): metres to the right of the middle and above the ground. A colour is (red, green, blue), 0..255.
"""

from dataclasses import dataclass
from functools import cache
from math import atan2, cos, hypot, pi, sin, sqrt

import numpy as np
from PIL import ImageDraw

WIDTH, HEIGHT = 320, 240  # pixels, UCF-101's
FINENESS = 3  # drawn this many times larger, then averaged: smooth edges


@dataclass(frozen=True)
class Camera:
    """Where the ground lies and how large a metre is, in pixels of the finished frame."""

    zoom: float = 96.0  # pixels a metre
    middle: float = WIDTH / 2  # column of x = 0
    ground: float = 218.0  # row of y = 0
    light: tuple[float, float, float] = (1.0, 1.0, 1.0)  # multiplies red, green, blue


class Canvas:
    """A picture to draw on, seen through a camera.

    Args:
        backdrop: PIL RGB image of FINENESS times WIDTH x HEIGHT pixels, left as it is.
        camera: where a point in metres lies on it.

    Example:
        >>> from PIL import Image
        >>> canvas = Canvas(Image.new("RGB", (960, 720), "white"), Camera())
        >>> canvas.disc((0, 1), 0.2, (200, 30, 30))
        >>> canvas.finish().shape
        (240, 320, 3)
    """

    def __init__(self, backdrop, camera):
        self.image = backdrop.copy()
        self.camera = camera
        self.pen = ImageDraw.Draw(self.image, "RGBA")

    def place(self, point) -> tuple[float, float]:
        """Column and row of a point.

        Args:
            point: (x, y) in metres.
        """
        column, row = self.camera.middle + point[0] * self.camera.zoom, self.camera.ground - point[1] * self.camera.zoom
        return column * FINENESS, row * FINENESS

    def measure(self, metres) -> float:
        """Pixels of a length.

        Args:
            metres: a length.
        """
        return metres * self.camera.zoom * FINENESS

    def disc(self, centre, radius, colour, *, flat=1.0):
        """Draws a disc.

        Args:
            centre: (x, y) in metres.
            radius: metres, sideways.
            colour: its filling.
            flat: height over width.
        """
        (x, y), r = self.place(centre), self.measure(radius)
        self.pen.ellipse((x - r, y - r * flat, x + r, y + r * flat), fill=colour)

    def ring(self, centre, radius, width, colour, *, flat=1.0, span=(0, 360)):
        """Draws the outline of a disc, or an arc of it.

        Args:
            centre: (x, y) in metres.
            radius: metres, to the outer edge.
            width: metres.
            colour: of the line.
            flat: height over width.
            span: first and last angle of the arc, degrees clockwise from the right.
        """
        (x, y), r = self.place(centre), self.measure(radius)
        box = (x - r, y - r * flat, x + r, y + r * flat)
        self.pen.arc(box, *span, fill=colour, width=max(1, round(self.measure(width))))

    def limb(self, start, end, widths, colour):
        """Draws a rounded bar whose width may change along it.

        Args:
            start: (x, y) in metres.
            end: likewise.
            widths: metres at start and end, or one number for both.
            colour: its filling.
        """
        first, last = widths if isinstance(widths, tuple) else (widths, widths)
        angle = atan2(end[1] - start[1], end[0] - start[0]) + pi / 2
        dx, dy = cos(angle) / 2, sin(angle) / 2
        corners = [(p[0] + s * dx * w, p[1] + s * dy * w) for p, w, s in _corners(start, end, first, last)]
        self.shape(corners, colour)
        self.disc(start, first / 2, colour)
        self.disc(end, last / 2, colour)

    def path(self, points, width, colour):
        """Draws a line of the same width through several points.

        Args:
            points: (x, y) in metres, one after the other.
            width: metres.
            colour: of the line.
        """
        for start, end in zip(points, points[1:], strict=False):
            self.limb(start, end, width, colour)

    def shape(self, points, colour):
        """Fills a polygon.

        Args:
            points: its corners, (x, y) in metres.
            colour: its filling, with a fourth number 0..255 if one shall see through it.
        """
        self.pen.polygon([self.place(point) for point in points], fill=colour)

    def finish(self) -> np.ndarray:
        """The frame, uint8 (H, W, 3), with smooth edges and in the camera's light."""
        return np.asarray(self.image.reduce(FINENESS).point(_tabulate(self.camera.light)))


@cache
def _tabulate(light):
    """What becomes of each value of red, green and blue."""
    return [min(255, round(value * gain)) for gain in light for value in range(256)]


def _corners(start, end, first, last):
    return (start, first, 1), (end, last, 1), (end, last, -1), (start, first, -1)


def shade(colour, amount) -> tuple[int, int, int]:
    """A darker (amount below 1) or lighter colour.

    Args:
        colour: where to start.
        amount: multiplies each of its numbers.

    Example:
        >>> shade((200, 100, 50), 0.5)
        (100, 50, 25)
    """
    return tuple(min(255, round(value * amount)) for value in colour[:3])


def blend(start, end, share) -> tuple:
    """What lies between two points or two colours.

    Args:
        start: numbers.
        end: as many numbers.
        share: 0 gives `start`, 1 gives `end`.

    Example:
        >>> blend((0, 10), (10, 20), 0.5)
        (5.0, 15.0)
    """
    return tuple(a + (b - a) * share for a, b in zip(start, end, strict=True))


def bend(start, end, lengths, *, side) -> tuple[tuple, tuple]:
    """Where the elbow or the knee is when a limb of two bones reaches from one point towards another.

    Args:
        start: (x, y) of the shoulder or hip, metres.
        end: (x, y) that the hand or foot shall reach.
        lengths: metres of the first and the second bone.
        side: 1 or -1, to which side of the line from start to end the joint goes (1 is left of it).

    Returns:
        (x, y) of the joint and of the end, which falls short where the bones do not reach.

    Example:
        >>> joint, end = bend((0, 0), (0, -4), (1, 1), side=1)
        >>> round(end[1], 2)
        -2.0
    """
    upper, lower = lengths
    distance = hypot(end[0] - start[0], end[1] - start[1])
    reach = min(max(distance, abs(upper - lower) + 1e-6), (upper + lower) * 0.9999)
    ux, uy = (end[0] - start[0]) / distance, (end[1] - start[1]) / distance
    along = (reach**2 + upper**2 - lower**2) / (2 * reach)
    across = side * sqrt(max(upper**2 - along**2, 0.0))
    joint = (start[0] + ux * along - uy * across, start[1] + uy * along + ux * across)
    return joint, (start[0] + ux * reach, start[1] + uy * reach)
