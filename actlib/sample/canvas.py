"""Shapes in metres on a picture: what the sample set's people, things and places are drawn with.

A point is (x, y): metres to the right of the middle and above the ground. A color is (red, green, blue), 0..255.
"""

from collections import namedtuple
from math import atan2, cos, pi, sin

import numpy as np
from PIL import Image, ImageDraw

WIDTH, HEIGHT = 320, 240  # pixels, UCF-101's
SUPERSAMPLING = 2  # drawn this many times larger, then averaged: smooth edges
MARGIN = 16  # pixels drawn beyond each side of the frame, for a camera that moves


# pixels a metre, column of x = 0 and row of y = 0 in the finished frame, which is mirrored if `facing` is -1, so that
# whoever faces right faces left; and what multiplies red, green and blue
Camera = namedtuple("Camera", "zoom middle ground facing light")


class Canvas:
    """A picture to draw on, seen through a camera; the backdrop has margins and is SUPERSAMPLING times as large."""

    def __init__(self, backdrop, camera):
        self.image, self.camera = backdrop.copy(), camera
        self.pen = ImageDraw.Draw(self.image, "RGBA")

    def _locate(self, point):
        column, row = self.camera.middle + point[0] * self.camera.zoom, self.camera.ground - point[1] * self.camera.zoom
        return (column + MARGIN) * SUPERSAMPLING, (row + MARGIN) * SUPERSAMPLING

    def disc(self, center, radius, color, *, flat=1.0):
        """Draw a disc; `radius` in metres, `flat` is its height over its width."""
        self.pen.ellipse(self._frame(center, radius, flat), fill=color)

    def ring(self, center, radius, width, color, *, flat=1.0, span=(0, 360)):
        """Draw the outline of a disc, or an arc of it; `span` in degrees clockwise from the right."""
        width = max(1, round(width * self.camera.zoom * SUPERSAMPLING))
        self.pen.arc(self._frame(center, radius, flat), *span, fill=color, width=width)

    def limb(self, start, end, widths, color):
        """Draw a rounded bar; `widths` are metres at start and end, or one number for both."""
        first, last = widths if isinstance(widths, tuple) else (widths, widths)
        angle = atan2(end[1] - start[1], end[0] - start[0]) + pi / 2
        dx, dy = cos(angle) / 2, sin(angle) / 2
        corners = (start, first, 1), (end, last, 1), (end, last, -1), (start, first, -1)
        self.shape([(point[0] + side * dx * w, point[1] + side * dy * w) for point, w, side in corners], color)
        self.disc(start, first / 2, color)
        self.disc(end, last / 2, color)

    def path(self, points, width, color):
        """Draw a line of one width, in metres, through several points."""
        for start, end in zip(points, points[1:], strict=False):
            self.limb(start, end, width, color)

    def shape(self, points, color):
        """Fill a polygon; a fourth number of the color, 0..255, is its opacity."""
        self.pen.polygon([self._locate(point) for point in points], fill=color)

    def box(self, left, bottom, right, top, color):
        """Fill a rectangle."""
        self.shape([(left, bottom), (left, top), (right, top), (right, bottom)], color)

    def finish(self, scale, right, down):
        """Return the frame, uint8 (H, W, 3), `scale` times as close and shifted by pixels, in the camera's light."""
        sides = (MARGIN + WIDTH / 2 - right, WIDTH), (MARGIN + HEIGHT / 2 - down, HEIGHT)
        box = [SUPERSAMPLING * (middle + end * side / scale) for end in (-0.5, 0.5) for middle, side in sides]
        view = self.image.resize((WIDTH * SUPERSAMPLING, HEIGHT * SUPERSAMPLING), Image.Resampling.NEAREST, box)
        table = np.outer(self.camera.light, range(256)).round().clip(max=255).astype(int).ravel().tolist()
        return np.asarray(view.reduce(SUPERSAMPLING).point(table))[:, :: self.camera.facing]

    def _frame(self, center, radius, flat):
        (x, y), r = self._locate(center), radius * self.camera.zoom * SUPERSAMPLING
        return x - r, y - r * flat, x + r, y + r * flat


def palette(text):
    """Return the colors of some hex codes.

    Args:
        text: six digits a color, with spaces between: "e83c3c fac428".
    """
    return tuple(tuple(bytes.fromhex(code)) for code in text.split())


def shade(color, amount):
    """Return a color, its first three numbers, lighter or darker.

    Args:
        color: of three or four numbers, 0..255.
        amount: how many times as light; below 1 it is darker.
    """
    return tuple(min(255, round(value * amount)) for value in color[:3])


def blend(start, end, share):
    """Return what lies between two points or colors.

    Args:
        start, end: tuples of numbers.
        share: 0 gives the first, 1 the second.
    """
    return tuple(a + (b - a) * share for a, b in zip(start, end, strict=True))
