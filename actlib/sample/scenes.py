"""Places where the sample set's people are: five kinds of backdrop, each in colors of its own for every group."""

from math import cos, pi, radians, sin

import numpy as np
from PIL import Image

from actlib.sample.canvas import HEIGHT, SUPERSAMPLING, WIDTH, Canvas, blend, shade

HAZE = (244, 244, 248)
LEFT, RIGHT = -2.4, 2.4  # metres; beyond both edges of every picture


def draw_scene(number, camera, *, rng):
    """Draw a backdrop.

    Args:
        number: int, which kind of place; counts on from the first after the last.
        camera: a `Camera`.
        rng: NumPy random generator, for the place's own colors and things.

    Returns:
        PIL RGB image, SUPERSAMPLING times as large as a frame.
    """
    picture = SCENES[number % len(SCENES)](camera, rng).image
    return Image.blend(picture, Image.new("RGB", picture.size, HAZE), 0.42)  # far and pale, so that people stand out


def _start(camera, top, bottom):
    """A canvas whose color runs from `top` to `bottom`, which it reaches at the ground."""
    rows = np.clip(np.arange(HEIGHT * SUPERSAMPLING) / (camera.ground * SUPERSAMPLING), 0, 1)[:, None]
    colors = np.array(top) + (np.array(bottom) - np.array(top)) * rows
    pixels = np.broadcast_to(
        colors[:, None].round().astype(np.uint8), (HEIGHT * SUPERSAMPLING, WIDTH * SUPERSAMPLING, 3)
    )
    return Canvas(Image.fromarray(np.ascontiguousarray(pixels)), camera)


def _fill_floor(canvas, height, color):
    canvas.shape([(LEFT, height), (RIGHT, height), (RIGHT, -2), (LEFT, -2)], color)


def _draw_hills(canvas, base, size, color, rng):
    first, second = rng.uniform(0, 2 * pi, 2)
    xs = np.linspace(LEFT, RIGHT, 41)
    ys = base + size * (np.sin(1.7 * xs + first) + 0.5 * np.sin(3.1 * xs + second))
    canvas.shape([(LEFT, -1), *zip(xs.tolist(), ys.tolist(), strict=True), (RIGHT, -1)], color)


def _draw_cloud(canvas, x, y, color):
    for dx, dy, radius in ((-0.2, 0, 0.1), (0, 0.04, 0.15), (0.2, 0, 0.11)):
        canvas.disc((x + dx, y + dy), radius, color)
    canvas.limb((x - 0.22, y - 0.06), (x + 0.22, y - 0.06), 0.1, color)


def _draw_tree(canvas, x, base, size, leaves):
    canvas.limb((x, base), (x, base + 0.5 * size), 0.1 * size, (112, 82, 60))
    for dx, dy, radius, light in ((-0.2, 0.7, 0.26, 0.86), (0.2, 0.7, 0.26, 0.94), (0, 0.95, 0.32, 1.0)):
        canvas.disc((x + dx * size, base + dy * size), radius * size, shade(leaves, light))


def _draw_park(camera, rng):
    grass = blend((146, 186, 104), (176, 192, 108), rng.random())
    canvas = _start(camera, (136, 196, 236), (232, 244, 248))
    for x in (-1.3, 0.4, 1.5):
        _draw_cloud(canvas, x + rng.uniform(-0.3, 0.3), rng.uniform(1.75, 2.0), (255, 255, 255))
    _draw_hills(canvas, 0.75, 0.09, (160, 196, 180), rng)
    _draw_hills(canvas, 0.45, 0.05, shade(grass, 0.86), rng)
    for x in (-1.45, -0.95, 1.2, 1.6):
        size = rng.uniform(0.9, 1.3)
        _draw_tree(canvas, x + rng.uniform(-0.15, 0.15), 0.3, size, (92, 150, 92))
    _fill_floor(canvas, 0.32, shade(grass, 1))
    canvas.shape([(LEFT, 0.1), (RIGHT, 0.14), (RIGHT, -0.3), (LEFT, -0.3)], (226, 208, 170))
    return canvas


def _draw_beach(camera, rng):
    sky = ((120, 190, 232), (250, 190, 150), (150, 200, 220))[rng.integers(3)]
    canvas = _start(camera, sky, (255, 240, 214))
    canvas.disc((rng.choice((-1, 1)) * rng.uniform(0.9, 1.2), rng.uniform(1.5, 1.8)), 0.2, (255, 236, 150))
    canvas.shape([(LEFT, 0.85), (RIGHT, 0.85), (RIGHT, 0), (LEFT, 0)], (70, 158, 186))
    for y in (0.72, 0.58, 0.44):
        x = rng.uniform(-1.4, 1.0)
        canvas.limb((x, y), (x + 0.5, y), 0.02, (150, 208, 218))
    boat = rng.uniform(-1.3, 1.3)
    canvas.shape([(boat, 0.88), (boat + 0.02, 1.35), (boat + 0.3, 0.93)], (252, 252, 248))
    canvas.shape([(boat - 0.16, 0.86), (boat + 0.32, 0.86), (boat + 0.24, 0.76), (boat - 0.08, 0.76)], (150, 70, 60))
    canvas.shape([(LEFT, 0.32), (RIGHT, 0.38), (RIGHT, 0.2), (LEFT, 0.2)], (244, 248, 244))
    _fill_floor(canvas, 0.3, (240, 214, 160))
    return canvas


def _draw_roof(camera, rng):
    tops = (((92, 96, 160), (250, 190, 160)), ((120, 180, 226), (232, 240, 244)), ((60, 70, 120), (206, 150, 170)))
    top, bottom = tops[rng.integers(3)]
    canvas = _start(camera, top, bottom)
    for row, (base, dim) in enumerate(((1.5, 0.72), (1.1, 0.5))):
        x = LEFT
        while x < RIGHT:
            width, height = rng.uniform(0.25, 0.5), base + rng.uniform(-0.35, 0.3)
            wall = shade(blend(bottom, (70, 80, 120), 0.5 + 0.25 * row), dim + 0.3)
            canvas.shape([(x, 0), (x, height), (x + width, height), (x + width, 0)], wall)
            _draw_windows(canvas, x, width, height, shade(wall, 1.22))
            x += width + 0.03
    _fill_floor(canvas, 0.3, (176, 166, 160))
    canvas.limb((LEFT, 0.62), (RIGHT, 0.62), 0.04, (96, 92, 100))
    for x in np.arange(LEFT, RIGHT, 0.4):
        canvas.limb((x, 0.3), (x, 0.62), 0.025, (96, 92, 100))
    return canvas


def _draw_windows(canvas, x, width, height, color):
    for column in np.arange(x + 0.07, x + width - 0.1, 0.15):
        for row in np.arange(0.72, height - 0.12, 0.22):
            canvas.shape([(column, row), (column, row + 0.1), (column + 0.07, row + 0.1), (column + 0.07, row)], color)


def _draw_gym(camera, rng):
    wall = ((206, 222, 226), (236, 220, 196), (210, 216, 200))[rng.integers(3)]
    band = ((84, 140, 170), (200, 110, 86), (96, 140, 100))[rng.integers(3)]
    canvas = _start(camera, shade(wall, 1.06), wall)
    for x in np.arange(LEFT, RIGHT, 0.8):
        canvas.shape([(x, 1.55), (x + 0.6, 1.55), (x + 0.6, 2.05), (x, 2.05)], (240, 248, 252))
        canvas.path([(x + 0.3, 1.55), (x + 0.3, 2.05)], 0.02, shade(wall, 0.8))
    canvas.shape([(LEFT, 0.85), (RIGHT, 0.85), (RIGHT, 0.3), (LEFT, 0.3)], shade(blend(wall, band, 0.45), 1))
    canvas.limb((LEFT, 0.87), (RIGHT, 0.87), 0.04, band)
    _fill_floor(canvas, 0.3, (222, 180, 130))
    for x in np.arange(LEFT, RIGHT, 0.3):
        canvas.limb((x, 0.29), (x * 2.2, -1.0), 0.012, (200, 156, 108))
    canvas.limb((LEFT, 0.06), (RIGHT, 0.06), 0.04, (246, 240, 226))
    return canvas


def _draw_room(camera, rng):
    wall = ((246, 226, 204), (198, 220, 214), (226, 208, 222), (236, 224, 170))[rng.integers(4)]
    canvas = _start(camera, wall, shade(wall, 0.96))
    x = rng.choice((-1, 1)) * rng.uniform(0.95, 1.15)
    canvas.shape([(x - 0.4, 0.95), (x + 0.4, 0.95), (x + 0.4, 1.9), (x - 0.4, 1.9)], (252, 252, 248))
    canvas.shape([(x - 0.34, 1.01), (x + 0.34, 1.01), (x + 0.34, 1.84), (x - 0.34, 1.84)], (160, 208, 236))
    canvas.path([(x, 1.0), (x, 1.85)], 0.04, (252, 252, 248))
    frame = -x + rng.uniform(-0.1, 0.1)
    canvas.shape([(frame - 0.25, 1.3), (frame + 0.25, 1.3), (frame + 0.25, 1.75), (frame - 0.25, 1.75)], (140, 96, 66))
    picture = [(frame - 0.2, 1.35), (frame + 0.2, 1.35), (frame + 0.2, 1.7), (frame - 0.2, 1.7)]
    canvas.shape(picture, ((240, 196, 110), (120, 170, 160), (220, 130, 110))[rng.integers(3)])
    canvas.limb((LEFT, 0.33), (RIGHT, 0.33), 0.07, (250, 246, 238))
    _fill_floor(canvas, 0.3, ((186, 140, 104), (206, 176, 140), (150, 120, 110))[rng.integers(3)])
    for angle in (50, 70, 90, 110, 130):
        tip = (frame * 1.2 + 0.42 * cos(radians(angle)), 0.5 + 0.6 * sin(radians(angle)))
        canvas.limb((frame * 1.2, 0.5), tip, (0.03, 0.11), (84, 146, 96))
    base = frame * 1.2
    canvas.shape([(base - 0.14, 0.55), (base + 0.14, 0.55), (base + 0.1, 0.25), (base - 0.1, 0.25)], (200, 104, 74))
    return canvas


SCENES = (_draw_park, _draw_beach, _draw_roof, _draw_gym, _draw_room)
