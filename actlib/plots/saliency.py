"""Pictures of what a model has learnt: where it looks, what it keeps, what it adds up, which clips are alike to it."""

import matplotlib
import numpy as np
from matplotlib import patheffects
from matplotlib.offsetbox import AnnotationBbox, OffsetImage

from actlib.plots.layout import hide_frame, set_title, tile
from actlib.plots.style import CLASS_COLORS, CORRECT, MUTED, WIDTH, WRONG, Figure, styled

HALO = [patheffects.withStroke(linewidth=2.5, foreground="white")]


@styled
def show_filters(filters: np.ndarray, *, title: str | None = None) -> Figure:
    """Show the first layer's filters as small pictures in color.

    Args:
        filters: float (k, h, w, 3), RGB; each is stretched over its own range.
        title: a heading, or None.

    Returns:
        The figure.
    """
    low, high = (limit(filters, axis=(1, 2, 3), keepdims=True) for limit in (np.min, np.max))
    shades = (255 * (filters - low) / np.maximum(high - low, 1e-12)).round().astype(np.uint8)
    enlarged = shades.repeat(8, axis=1).repeat(8, axis=2)  # (k, 8 h, 8 w, 3): pixels stay pixels
    columns = min(16, len(filters))
    sheet = tile(enlarged, columns=columns, gap=4)
    scale = min(1.0, columns / 16 + 0.25)
    alt = f"{len(filters)} filters of {filters.shape[1]} by {filters.shape[2]} pixels"
    figure = Figure(scale * WIDTH * sheet.shape[0] / sheet.shape[1] + 0.3, alt=alt)
    axis = figure.subplots()
    axis.imshow(sheet, interpolation="nearest")
    hide_frame(axis)
    axis.set_title(title or "")
    return figure


@styled
def show_grad_cam(frames: np.ndarray, heat: np.ndarray, *, titles=None, title: str | None = None) -> Figure:
    """Show where a model looked: the frames above, the same under their heat below.

    Args:
        frames: uint8 (n, H, W, 3).
        heat: float (n, H, W), in 0..1, as ``grad_cam`` gives.
        titles: n short texts above the frames, or None.
        title: a heading, or None.

    Returns:
        The figure.
    """
    overlay = np.stack([_overlay(frame, warm) for frame, warm in zip(frames, heat, strict=True)])
    gap = max(2, frames.shape[2] // 40)
    sheet = tile([*frames, *overlay], columns=len(frames), gap=gap)
    height = WIDTH * sheet.shape[0] / sheet.shape[1]
    alt = ", ".join([f"Grad-CAM of {len(frames)} frames", *(titles or [])])
    figure = Figure(min(height, 7) + 0.7, alt=alt)
    axis = figure.subplots()
    axis.imshow(sheet)
    hide_frame(axis)
    for index, text in enumerate(titles or []):
        axis.text(index * (frames.shape[2] + gap), -gap, text, fontsize=7.5, va="bottom")
    axis.set_title(title or "", pad=18 if titles else 8)
    shades = matplotlib.cm.ScalarMappable(cmap="inferno")
    bar = figure.colorbar(shades, ax=axis, orientation="horizontal", aspect=60, fraction=0.04, pad=0.02)
    bar.set_ticks([0, 1], labels=["did not matter", "mattered most"])
    bar.outline.set_visible(False)
    return figure


def _overlay(frame: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """uint8 (H, W, 3): the frame in grey where it was cold, under the color of heat where it was warm."""
    grey = frame.mean(axis=-1, keepdims=True).repeat(3, axis=-1)
    warm = 255 * matplotlib.colormaps["inferno"](heat)[..., :3]
    weight = 0.25 + 0.5 * heat[..., None]
    return ((1 - weight) * grey + weight * warm).round().astype(np.uint8)


@styled
def plot_contributions(frames: np.ndarray, contributions: np.ndarray, *, title: str | None = None) -> Figure:
    """Show what each frame of a clip adds to a decision or takes from it.

    Args:
        frames: uint8 (T, H, W, 3).
        contributions: float (T,), in units of the score.
        title: a heading, or None.

    Returns:
        The figure: the frames, a bar under each.
    """
    strongest = int(np.abs(contributions).argmax()) + 1
    figure = Figure(2.7, alt=f"Contribution of {len(frames)} frames; strongest: frame {strongest}")
    above, axis = figure.subplots(2, 1, height_ratios=(1, 2))
    above.imshow(tile(frames, columns=len(frames), gap=2), aspect="auto")
    hide_frame(above)
    numbers = np.arange(1, len(frames) + 1)
    axis.bar(numbers, contributions, width=0.8, color=np.where(np.asarray(contributions) >= 0, CORRECT, WRONG))
    axis.axhline(0, color=MUTED, linewidth=0.8)
    axis.set(xlim=(0.5, len(frames) + 0.5), xticks=numbers, xlabel="frame of the clip", ylabel="added to the score")
    axis.grid(axis="x", visible=False)
    set_title(figure, title)
    return figure


@styled
def plot_states(states: np.ndarray, *, title: str | None = None) -> Figure:
    """Show an LSTM's memory over a clip, the units in the order in which they are most active.

    Args:
        states: float (T, units), in -1..1.
        title: a heading, or None.

    Returns:
        The figure: one row a unit, one column a step.
    """
    order = np.lexsort((-np.abs(states).max(axis=0), np.abs(states).argmax(axis=0)))
    figure = Figure(
        1.2 + min(3.5, 0.09 * states.shape[1]), alt=f"{states.shape[1]} LSTM units over {len(states)} steps"
    )
    axis = figure.subplots()
    limit = max(1e-6, float(np.abs(states).max()))
    extent = (0.5, len(states) + 0.5, states.shape[1] + 0.5, 0.5)
    shown = axis.imshow(
        states[:, order].T, cmap="PuOr", vmin=-limit, vmax=limit, aspect="auto", interpolation="nearest", extent=extent
    )
    axis.grid(visible=False)
    axis.set(xlabel="step of the clip", ylabel="unit (by when it peaks)")
    bar = figure.colorbar(shown, ax=axis, label="state", pad=0.01)
    bar.outline.set_visible(False)
    axis.set_title(title or "")
    return figure


@styled
def plot_projection(
    points: np.ndarray,
    labels: np.ndarray,
    classes: tuple[str, ...],
    *,
    thumbnails=None,
    title: str | None = None,
) -> Figure:
    """Lay all clips out in the plane, so that those a model takes for alike lie together.

    Args:
        points: float (n, 2), where each clip lies (of PCA or t-SNE, without units).
        labels: int (n,), its class.
        classes: K names.
        thumbnails: n uint8 (h, w, 3), a small frame of each clip, shown where there is room; or None.
        title: a heading, or None.

    Returns:
        The figure; up to 8 classes are told apart by color and sign, more are named where they lie, if there is room.
    """
    points, labels = np.asarray(points, float), np.asarray(labels)
    present = np.unique(labels)
    few = len(present) <= len(CLASS_COLORS)
    middles = np.array([np.median(points[labels == label], axis=0) for label in present])
    figure = Figure(5.6, alt=f"Map of {len(points)} clips of {len(present)} classes")
    axis = figure.subplots()
    colors = {label: CLASS_COLORS[order % len(CLASS_COLORS[:7])] for order, label in enumerate(present)}
    for label, marker in zip(present, "osD^vPXh" * len(present), strict=False):
        look = {
            "marker": marker,
            "s": 26 if few else 8,
            "edgecolor": "white",
            "linewidth": 0.5 if few else 0,
            "zorder": 3,
        }
        axis.scatter(*points[labels == label].T, color=colors[label], label=classes[label], **look)
    axis.set(xticks=[], yticks=[])
    axis.spines[["left", "bottom"]].set_visible(False)
    axis.margins(0.06)
    axis.set_title(title or "")
    if few:
        figure.legend(*axis.get_legend_handles_labels(), loc="outside right upper")
    figure.draw_without_rendering()  # so that it is known what would overlap
    if thumbnails is not None:
        central = np.argsort(np.linalg.norm(points - middles[np.searchsorted(present, labels)], axis=1), kind="stable")
        for index in central[_keep_apart(axis, points[central], apart=(58, 46))]:
            _pin(axis, thumbnails[index], points[index], colors[labels[index]])
    if not few:
        for order in _keep_apart(axis, middles, apart=(95, 11)):
            name = classes[present[order]]
            axis.annotate(name, middles[order], ha="center", va="center", fontsize=6.5, path_effects=HALO, zorder=4)
    return figure


def _keep_apart(axis, points: np.ndarray, *, apart: tuple[int, int]) -> list[int]:
    """Indices of points, the first ones first, of which no two are closer than so many points (of type) both ways."""
    places = axis.transData.transform(points) * 72 / axis.figure.dpi
    kept: list[int] = []
    for index, place in enumerate(places):
        if not (np.abs(places[kept] - place) < apart).all(axis=1).any():
            kept.append(index)
    return kept


def _pin(axis, thumbnail: np.ndarray, point: np.ndarray, color) -> None:
    """Put a small frame above its point, framed in its class's color."""
    width = 50  # points of type
    image = OffsetImage(thumbnail, zoom=width / thumbnail.shape[1])
    above = (0, width * thumbnail.shape[0] / thumbnail.shape[1] / 2)
    look = {"boxcoords": "offset points", "pad": 0.1, "zorder": 2}
    axis.add_artist(AnnotationBbox(image, point, above, bboxprops={"edgecolor": color, "linewidth": 2}, **look))
