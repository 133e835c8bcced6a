"""Optical flow before it is a picture for a network: arrows, and the colors of a wheel."""

import matplotlib.colors
import numpy as np

from actlib.plots.style import WRONG, Figure, styled

WHEEL = np.stack(np.meshgrid(*2 * [np.linspace(-1, 1, 180)]), axis=-1)  # from the middle, every way
WHEEL[np.hypot(*WHEEL.T) > 1] = 0


@styled
def show_flow(frame, flow, *, step: int = 10, longer: float = 4.0) -> Figure:
    """Show flow twice, as arrows over the frame it starts from and in colors, with the colour wheel that explains them.

    Args:
        frame: uint8 (H, W, 3).
        flow: float (H, W, 2), pixels to the right and down.
        step: pixels from arrow to arrow.
        longer: times that arrows are longer than the way.
    """
    figure = Figure(2.2, alt="A frame with arrows where it moves, its flow in colors, and the colour wheel")
    arrows, colors, wheel = figure.subplots(1, 3)
    rows, columns = np.mgrid[step // 2 : len(flow) : step, step // 2 : flow.shape[1] : step]
    arrows.imshow(frame)
    vectors = flow[rows, columns].transpose(2, 0, 1)
    arrows.quiver(columns, rows, *vectors, color=WRONG, angles="xy", scale_units="xy", scale=1 / longer)
    colors.imshow(color_flow(flow))
    wheel.imshow(color_flow(WHEEL, 1))
    for axis, title in ((arrows, "arrows"), (colors, "in colors"), (wheel, "the colour wheel")):
        axis.set_axis_off()
        axis.set_title(title)
    return figure


def color_flow(flow, fastest=None) -> np.ndarray:
    """Color every pixel by where it goes: hue for the direction, the faster the stronger; float (H, W, 3) in 0..1.

    `fastest` is how many pixels have full color; None: those of the fastest here.
    """
    speed = np.hypot(*np.moveaxis(flow, -1, 0))
    hue = np.arctan2(flow[..., 1], flow[..., 0]) / (2 * np.pi) % 1  # 0: to the right, 1/4: down
    fastest = fastest or max(speed.max(), 1e-6)
    return matplotlib.colors.hsv_to_rgb(np.stack([hue, np.minimum(speed / fastest, 1), np.ones_like(hue)], axis=-1))
