"""Places where the sample set's people are: five kinds of backdrop, each in colors of its own for every group.

Each function of SCENES draws one on a `Canvas`, in colors that a NumPy `Generator` chooses.
"""

from math import cos, pi, radians, sin

import numpy as np
from PIL import Image

from actlib.sample.canvas import HEIGHT, MARGIN, SUPERSAMPLING, WIDTH, blend, palette, shade

SIZE = ((WIDTH + 2 * MARGIN) * SUPERSAMPLING, (HEIGHT + 2 * MARGIN) * SUPERSAMPLING)
WHITE, HAZE = palette("fcfcf8 f4f4f8")
LEFT, RIGHT = -3.8, 3.8  # metres; beyond both edges of every picture


def _fill_sky(canvas, top, bottom):
    """Fill a canvas with colors that run from `top` to `bottom`, which they reach at the ground."""
    share = np.clip(np.arange(SIZE[1]) / ((canvas.camera.ground + MARGIN) * SUPERSAMPLING), 0, 1)[:, None, None]
    colors = np.array(top) + (np.array(bottom) - np.array(top)) * share  # (H, 1, 3)
    canvas.image.paste(Image.fromarray(colors.round().astype(np.uint8)).resize(SIZE, Image.Resampling.NEAREST))


def _choose(rng, text):
    return palette(text)[rng.integers(len(text.split()))]


def _draw_park(canvas, rng):
    grass = blend((146, 186, 104), (176, 192, 108), rng.random())
    _fill_sky(canvas, (136, 196, 236), (232, 244, 248))
    for middle in (-1.3, 0.4, 1.5):
        x, y = middle + rng.uniform(-0.3, 0.3), rng.uniform(1.75, 2.0)
        canvas.limb((x - 0.22, y - 0.06), (x + 0.22, y - 0.06), 0.1, (255, 255, 255))
        for dx, dy, radius in ((-0.2, 0, 0.1), (0, 0.04, 0.15), (0.2, 0, 0.11)):
            canvas.disc((x + dx, y + dy), radius, (255, 255, 255))
    xs = np.linspace(LEFT, RIGHT, 41)
    for base, size, color in ((0.75, 0.09, (160, 196, 180)), (0.45, 0.05, shade(grass, 0.86))):
        first, second = rng.uniform(0, 2 * pi, 2)
        ys = base + size * (np.sin(1.7 * xs + first) + 0.5 * np.sin(3.1 * xs + second))
        canvas.shape([(LEFT, -1), *zip(xs, ys, strict=True), (RIGHT, -1)], color)
    for middle in (-1.45, -0.95, 1.2, 1.6):
        size, x = rng.uniform(0.9, 1.3), middle + rng.uniform(-0.15, 0.15)
        canvas.limb((x, 0.3), (x, 0.3 + 0.5 * size), 0.1 * size, (112, 82, 60))
        for dx, dy, radius, light in ((-0.2, 0.7, 0.26, 0.86), (0.2, 0.7, 0.26, 0.94), (0, 0.95, 0.32, 1.0)):
            canvas.disc((x + dx * size, 0.3 + dy * size), radius * size, shade((92, 150, 92), light))
    canvas.box(LEFT, -2, RIGHT, 0.32, shade(grass, 1))
    canvas.shape([(LEFT, 0.1), (RIGHT, 0.14), (RIGHT, -0.3), (LEFT, -0.3)], (226, 208, 170))


def _draw_beach(canvas, rng):
    _fill_sky(canvas, _choose(rng, "78bee8 fabe96 96c8dc"), (255, 240, 214))
    canvas.disc((rng.choice((-1, 1)) * rng.uniform(0.9, 1.2), rng.uniform(1.5, 1.8)), 0.2, (255, 236, 150))
    canvas.box(LEFT, 0, RIGHT, 0.85, (70, 158, 186))
    for y in (0.72, 0.58, 0.44):
        x = rng.uniform(-1.4, 1.0)
        canvas.limb((x, y), (x + 0.5, y), 0.02, (150, 208, 218))
    x = rng.uniform(-1.3, 1.3)
    canvas.shape([(x, 0.88), (x + 0.02, 1.35), (x + 0.3, 0.93)], WHITE)
    canvas.shape([(x - 0.16, 0.86), (x + 0.32, 0.86), (x + 0.24, 0.76), (x - 0.08, 0.76)], (150, 70, 60))
    canvas.shape([(LEFT, 0.32), (RIGHT, 0.38), (RIGHT, 0.2), (LEFT, 0.2)], (244, 248, 244))
    canvas.box(LEFT, -2, RIGHT, 0.3, (240, 214, 160))


def _draw_roof(canvas, rng):
    number = rng.integers(3)
    top, bottom = palette("5c60a0 78b4e2 3c4678")[number], palette("fabea0 e8f0f4 ce96aa")[number]
    _fill_sky(canvas, top, bottom)
    for row, (base, dim) in enumerate(((1.5, 0.72), (1.1, 0.5))):
        x = LEFT
        while x < RIGHT:
            width, height = rng.uniform(0.25, 0.5), base + rng.uniform(-0.35, 0.3)
            wall = shade(blend(bottom, (70, 80, 120), 0.5 + 0.25 * row), dim + 0.3)
            canvas.box(x, 0, x + width, height, wall)
            for left in np.arange(x + 0.07, x + width - 0.1, 0.15):
                for low in np.arange(0.72, height - 0.12, 0.22):
                    canvas.box(left, low, left + 0.07, low + 0.1, shade(wall, 1.22))
            x += width + 0.03
    canvas.box(LEFT, -2, RIGHT, 0.3, (176, 166, 160))
    canvas.limb((LEFT, 0.62), (RIGHT, 0.62), 0.04, (96, 92, 100))
    for x in np.arange(LEFT, RIGHT, 0.4):
        canvas.limb((x, 0.3), (x, 0.62), 0.025, (96, 92, 100))


def _draw_gym(canvas, rng):
    wall, band = _choose(rng, "cedee2 ecdcc4 d2d8c8"), _choose(rng, "548caa c86e56 608c64")
    _fill_sky(canvas, shade(wall, 1.06), wall)
    for x in np.arange(LEFT, RIGHT, 0.8):
        canvas.box(x, 1.55, x + 0.6, 2.05, (240, 248, 252))
        canvas.limb((x + 0.3, 1.55), (x + 0.3, 2.05), 0.02, shade(wall, 0.8))
    canvas.box(LEFT, 0.3, RIGHT, 0.85, shade(blend(wall, band, 0.45), 1))
    canvas.limb((LEFT, 0.87), (RIGHT, 0.87), 0.04, band)
    canvas.box(LEFT, -2, RIGHT, 0.3, (222, 180, 130))
    for x in np.arange(LEFT, RIGHT, 0.3):
        canvas.limb((x, 0.29), (x * 2.2, -1.0), 0.012, (200, 156, 108))
    canvas.limb((LEFT, 0.06), (RIGHT, 0.06), 0.04, (246, 240, 226))


def _draw_room(canvas, rng):
    wall = _choose(rng, "f6e2cc c6dcd6 e2d0de ece0aa")
    _fill_sky(canvas, wall, shade(wall, 0.96))
    window = rng.choice((-1, 1)) * rng.uniform(0.95, 1.15)
    picture = -window + rng.uniform(-0.1, 0.1)
    canvas.box(window - 0.4, 0.95, window + 0.4, 1.9, WHITE)
    canvas.box(window - 0.34, 1.01, window + 0.34, 1.84, (160, 208, 236))
    canvas.limb((window, 1.0), (window, 1.85), 0.04, WHITE)
    canvas.box(picture - 0.25, 1.3, picture + 0.25, 1.75, (140, 96, 66))
    canvas.box(picture - 0.2, 1.35, picture + 0.2, 1.7, _choose(rng, "f0c46e 78aaa0 dc826e"))
    canvas.limb((LEFT, 0.33), (RIGHT, 0.33), 0.07, (250, 246, 238))
    canvas.box(LEFT, -2, RIGHT, 0.3, _choose(rng, "ba8c68 ceb08c 96786e"))
    pot = picture * 1.2
    for angle in (50, 70, 90, 110, 130):
        tip = (pot + 0.42 * cos(radians(angle)), 0.5 + 0.6 * sin(radians(angle)))
        canvas.limb((pot, 0.5), tip, (0.03, 0.11), (84, 146, 96))
    canvas.shape([(pot - 0.14, 0.55), (pot + 0.14, 0.55), (pot + 0.1, 0.25), (pot - 0.1, 0.25)], (200, 104, 74))


SCENES = {"park": _draw_park, "beach": _draw_beach, "roof": _draw_roof, "gym": _draw_gym, "room": _draw_room}
