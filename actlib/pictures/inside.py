"""Pictures of what a model has learnt: where it looks, what it keeps, what it adds up, which clips are alike to it."""

import matplotlib
import numpy as np
from matplotlib import patheffects
from matplotlib.offsetbox import AnnotationBbox, OffsetImage

from actlib.pictures.style import COLOURS, MUTED, RIGHT, WIDTH, WRONG, Picture, head, hide_frame, styled, tile

HALO = [patheffects.withStroke(linewidth=2.5, foreground="white")]


@styled
def show_filters(filters: np.ndarray, *, title: str | None = None) -> Picture:
    """Show the first layer's filters as small pictures in colour.

    Args:
        filters: float (k, h, w, 3), RGB; each is stretched over its own range.
        title: a heading, or None.

    Returns:
        The picture.
    """
    low, high = (limit(filters, axis=(1, 2, 3), keepdims=True) for limit in (np.min, np.max))
    shades = (255 * (filters - low) / np.maximum(high - low, 1e-12)).round().astype(np.uint8)
    enlarged = shades.repeat(8, axis=1).repeat(8, axis=2)  # (k, 8 h, 8 w, 3): pixels stay pixels
    columns = min(16, len(filters))
    sheet = tile(enlarged, columns=columns, gap=4)
    scale = min(1.0, columns / 16 + 0.25)
    alt = f"{len(filters)} filters of {filters.shape[1]} by {filters.shape[2]} pixels"
    picture = Picture(scale * WIDTH * sheet.shape[0] / sheet.shape[1] + 0.4, alt=alt)
    axis = picture.subplots()
    axis.imshow(sheet, interpolation="nearest")
    hide_frame(axis)
    axis.set_title(title or "")
    return picture


@styled
def show_grad_cam(frames: np.ndarray, heat: np.ndarray, *, titles=None, title: str | None = None) -> Picture:
    """Show where a model looked: the frames above, the same under their heat below.

    Args:
        frames: uint8 (n, H, W, 3).
        heat: float (n, H, W), in 0..1, as ``grad_cam`` gives.
        titles: n short texts above the frames, or None.
        title: a heading, or None.

    Returns:
        The picture.
    """
    overlay = np.stack([_overlay(frame, warm) for frame, warm in zip(frames, heat, strict=True)])
    gap = max(2, frames.shape[2] // 40)
    sheet = tile([*frames, *overlay], columns=len(frames), gap=gap)
    height = WIDTH * sheet.shape[0] / sheet.shape[1]
    picture = Picture(min(height, 7) + 0.7, alt=f"Grad-CAM of {len(frames)} frames: {', '.join(titles or [])}")
    axis = picture.subplots()
    axis.imshow(sheet)
    hide_frame(axis)
    for index, text in enumerate(titles or []):
        axis.text(index * (frames.shape[2] + gap), -gap, text, fontsize=7.5, va="bottom")
    axis.set_title(title or "", pad=18 if titles else 8)
    shades = matplotlib.cm.ScalarMappable(cmap="inferno")
    bar = picture.colorbar(shades, ax=axis, orientation="horizontal", aspect=60, fraction=0.04, pad=0.02)
    bar.set_ticks([0, 1], labels=["did not matter", "mattered most"])
    bar.outline.set_visible(False)
    return picture


def _overlay(frame: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """uint8 (H, W, 3): the frame in grey where it was cold, under the colour of heat where it was warm."""
    grey = frame.mean(axis=-1, keepdims=True).repeat(3, axis=-1)
    warm = 255 * matplotlib.colormaps["inferno"](heat)[..., :3]
    weight = 0.25 + 0.5 * heat[..., None]
    return ((1 - weight) * grey + weight * warm).round().astype(np.uint8)


@styled
def plot_contributions(frames: np.ndarray, contributions: np.ndarray, *, title: str | None = None) -> Picture:
    """Show what each frame of a clip adds to a decision or takes from it.

    Args:
        frames: uint8 (T, H, W, 3).
        contributions: float (T,), in units of the score.
        title: a heading, or None.

    Returns:
        The picture: the frames, a bar under each.
    """
    strongest = int(np.abs(contributions).argmax()) + 1
    picture = Picture(2.7, alt=f"Contribution of {len(frames)} frames; strongest: frame {strongest}")
    above, axis = picture.subplots(2, 1, height_ratios=(1, 2))
    above.imshow(tile(frames, columns=len(frames), gap=2), aspect="auto")
    hide_frame(above)
    numbers = np.arange(1, len(frames) + 1)
    axis.bar(numbers, contributions, width=0.8, color=np.where(np.asarray(contributions) >= 0, RIGHT, WRONG))
    axis.axhline(0, color=MUTED, linewidth=0.8)
    axis.set(xlim=(0.5, len(frames) + 0.5), xticks=numbers, xlabel="frame of the clip", ylabel="added to the score")
    axis.grid(axis="x", visible=False)
    head(picture, title)
    return picture


@styled
def plot_states(states: np.ndarray, *, title: str | None = None) -> Picture:
    """Show an LSTM's memory over a clip, the units in the order in which they are most active.

    Args:
        states: float (T, units), in -1..1.
        title: a heading, or None.

    Returns:
        The picture: one row a unit, one column a step.
    """
    order = np.lexsort((-np.abs(states).max(axis=0), np.abs(states).argmax(axis=0)))
    picture = Picture(
        1.2 + min(3.5, 0.09 * states.shape[1]), alt=f"{states.shape[1]} LSTM units over {len(states)} steps"
    )
    axis = picture.subplots()
    limit = max(1e-6, float(np.abs(states).max()))
    extent = (0.5, len(states) + 0.5, states.shape[1] + 0.5, 0.5)
    shown = axis.imshow(
        states[:, order].T, cmap="PuOr", vmin=-limit, vmax=limit, aspect="auto", interpolation="nearest", extent=extent
    )
    axis.grid(visible=False)
    axis.set(xlabel="step of the clip", ylabel="unit (by when it peaks)")
    bar = picture.colorbar(shown, ax=axis, label="state", pad=0.01)
    bar.outline.set_visible(False)
    axis.set_title(title or "")
    return picture


@styled
def plot_map(
    points: np.ndarray,
    labels: np.ndarray,
    classes: tuple[str, ...],
    *,
    thumbnails=None,
    title: str | None = None,
) -> Picture:
    """Lay all clips out in the plane, so that those a model takes for alike lie together.

    Args:
        points: float (n, 2), where each clip lies (of PCA or t-SNE, without units).
        labels: int (n,), its class.
        classes: K names.
        thumbnails: n uint8 (h, w, 3), a small frame of each clip, shown for one clip a class; or None.
        title: a heading, or None.

    Returns:
        The picture; each class named at its middle.
    """
    points, labels = np.asarray(points, float), np.asarray(labels)
    present = np.unique(labels)
    picture = Picture(5.8, alt=f"Map of {len(points)} clips of {len(present)} classes")
    axis = picture.subplots()
    middles = {label: np.median(points[labels == label], axis=0) for label in present}
    for (label, middle), (colour, marker) in zip(middles.items(), _marks(middles), strict=True):
        axis.scatter(
            *points[labels == label].T,
            s=22 if len(present) < 30 else 9,
            color=colour,
            marker=marker,
            linewidth=0,
            alpha=0.8,
        )
        if thumbnails is not None and len(present) < 30:
            nearest = int(np.where(labels == label, ((points - middle) ** 2).sum(axis=1), np.inf).argmin())
            _pin(axis, thumbnails[nearest], points[nearest], colour)
        size = 8.5 if len(present) < 30 else 5.5
        axis.annotate(
            classes[label],
            middle,
            (0, -4),
            textcoords="offset points",
            ha="center",
            va="top",
            fontsize=size,
            path_effects=HALO,
            zorder=6,
        )
    axis.set(xticks=[], yticks=[])
    axis.spines[["left", "bottom"]].set_visible(False)
    axis.margins(0.08)
    axis.set_title(title or "")
    return picture


def _marks(middles: dict) -> list[tuple]:
    """A colour and a marker a class: the palette for few, hues around the centre of the map for many."""
    if len(middles) <= len(COLOURS):
        return list(zip(COLOURS, "osD^vPXh", strict=True))[: len(middles)]
    offset = np.array(list(middles.values())) - np.mean(list(middles.values()), axis=0)
    turn = (np.arctan2(offset[:, 1], offset[:, 0]) / (2 * np.pi)) % 1
    return [(matplotlib.colormaps["twilight_shifted"](0.1 + 0.8 * part), "o") for part in turn]


def _pin(axis, thumbnail: np.ndarray, point: np.ndarray, colour) -> None:
    """Put a small frame above its point, framed in its class's colour."""
    image = OffsetImage(thumbnail, zoom=48 / thumbnail.shape[1] * 72 / 100 * 1.2)
    frame = {"edgecolor": colour, "linewidth": 1.5}
    box = AnnotationBbox(image, point, (0, 22), boxcoords="offset points", pad=0.1, bboxprops=frame)
    axis.add_artist(box)
