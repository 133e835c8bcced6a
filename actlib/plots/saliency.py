"""Figures of what a model has learnt: filters, Grad-CAM, contributions, LSTM states, maps of clips."""

import matplotlib
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib import patheffects
from matplotlib.offsetbox import AnnotationBbox, OffsetImage

from actlib.plots.data import show_frames
from actlib.plots.style import CLASS_COLORS, MUTED, VERDICTS, Figure, escape_name, styled, tile

HALO = [patheffects.withStroke(linewidth=2.5, foreground="white")]


def show_filters(filters: np.ndarray, *, title: str | None = None) -> Figure:
    """Show the first layer's filters as small pictures in color.

    Args:
        filters: float (k, h, w, 3), RGB; each is stretched over its own range.
    """
    shades = filters - filters.min(axis=(1, 2, 3), keepdims=True)
    shades /= np.maximum(shades.max(axis=(1, 2, 3), keepdims=True), 1e-12)
    figure = show_frames((255 * shades).round().astype(np.uint8), columns=16, title=title)
    figure.alt = f"{len(filters)} filters of {filters.shape[1]} by {filters.shape[2]} pixels"
    return figure


@styled
def show_grad_cam(frames: np.ndarray, heat: np.ndarray, *, titles=None, title: str | None = None) -> Figure:
    """Show where a model looked: the frames above, the same under their heat below.

    Args:
        frames, heat: uint8 (n, H, W, 3); float (n, H, W), in 0..1, as ``grad_cam`` gives.
        titles: n short texts above the frames, or None.
    """
    gray = np.asarray(frames).mean(axis=-1, keepdims=True)  # (n, H, W, 1)
    warm = 255 * matplotlib.colormaps["inferno"](heat)[..., :3]
    weight = 0.25 + 0.5 * np.asarray(heat)[..., None]  # the frame where it was cold, color where it was warm
    overlay = ((1 - weight) * gray + weight * warm).round().astype(np.uint8)
    texts = None if titles is None else [*titles, *[""] * len(overlay)]
    figure = show_frames([*frames, *overlay], titles=texts, columns=len(frames), title=title)
    figure.alt = ", ".join([f"Grad-CAM of {len(frames)} frames", *(titles or [])])
    figure.set_figheight(min(figure.get_figheight(), 7) + 0.3)
    figure.supxlabel("dark: did not matter, bright: mattered most", fontsize=8)
    return figure


@styled
def plot_contributions(frames: np.ndarray, contributions: np.ndarray, *, title: str | None = None) -> Figure:
    """Show what each frame of a clip adds to a decision or takes from it, as a bar under each.

    Args:
        frames, contributions: uint8 (T, H, W, 3); float (T,), in units of the logit.
    """
    strongest = int(np.abs(contributions).argmax()) + 1
    figure = Figure(2.7, alt=f"Contribution of {len(frames)} frames; strongest: frame {strongest}", title=title)
    above, axis = figure.subplots(2, 1, height_ratios=(1, 2))
    above.imshow(tile(frames, columns=len(frames)), aspect="auto")
    above.set_axis_off()
    numbers = np.arange(1, len(frames) + 1)
    axis.bar(numbers, contributions, width=0.8, color=[VERDICTS[bool(each >= 0)] for each in contributions])
    axis.axhline(0, color=MUTED, linewidth=0.8)
    axis.set(xlim=(0.5, len(frames) + 0.5), xticks=numbers, xlabel="frame of the clip", ylabel="added to the logit")
    axis.grid(axis="x", visible=False)
    return figure


@styled
def plot_states(states, *, title: str | None = None) -> Figure:
    """Show an LSTM's states over a clip, one row a unit; of several clips side by side, each unit in the same row.

    Args:
        states: float (T, units), in -1..1, or name -> such states, of which the first gives the order: by peaks.
    """
    maps = states if isinstance(states, dict) else {"": states}
    first = np.abs(next(iter(maps.values())))
    order = np.lexsort((-first.max(axis=0), first.argmax(axis=0)))
    limit = max(1e-6, *(float(np.abs(each).max()) for each in maps.values()))
    alt = f"{first.shape[1]} LSTM units over {len(first)} steps{': ' * (len(maps) > 1)}{', '.join(maps)}"
    figure = Figure(1.4 + min(3.5, 0.09 * first.shape[1]), alt=alt, title=title)
    axes = figure.subplots(1, len(maps), sharey=True, squeeze=False)[0]
    for axis, (name, each) in zip(axes, maps.items(), strict=True):
        table = pd.DataFrame(np.asarray(each)[:, order].T, columns=range(1, len(each) + 1))
        sns.heatmap(table, cmap="PuOr", vmin=-limit, vmax=limit, yticklabels=False, cbar=False, ax=axis)
        axis.set_title(name, fontsize=9)
        axis.set_xlabel("step of the clip")
    axes[0].set_ylabel(f"unit (by its peak{' in the first' * (len(maps) > 1)})")
    figure.colorbar(axis.collections[0], ax=axes, label="state", pad=0.01).outline.set_visible(False)
    return figure


@styled
def plot_projection(points, labels, classes, *, thumbnails=None, title: str | None = None) -> Figure:
    """Lay all clips out in the plane, so that those a model takes for alike lie together.

    Args:
        points: float (n, 2), where each clip lies (of PCA or t-SNE, without units).
        labels: int (n,), its class; up to 8 classes have a color and sign each, more are named where there is room.
        classes: K names.
        thumbnails: n uint8 (h, w, 3), a small frame of each clip, shown where there is room; or None.
    """
    present = np.unique(labels)
    few = len(present) <= len(CLASS_COLORS)
    middles = np.array([np.median(points[labels == label], axis=0) for label in present])
    classes = [escape_name(name) for name in classes]
    names, colors = [classes[label] for label in present], [CLASS_COLORS[each % len(CLASS_COLORS)] for each in present]
    figure = Figure(5.6, alt=f"Map of {len(points)} clips of {len(present)} classes", title=title)
    axis = figure.subplots()
    named = np.array(classes)[labels]
    look = {"s": 26, "style": named} if few else {"s": 8, "linewidth": 0}
    options = {"hue": named, "hue_order": names, "palette": colors, "legend": few, "zorder": 3, "ax": axis}
    sns.scatterplot(x=points[:, 0], y=points[:, 1], **options, **look)
    axis.set(xticks=[], yticks=[])
    axis.spines[:].set_visible(False)
    axis.margins(0.06)
    if few:
        sns.move_legend(axis, "upper left", bbox_to_anchor=(1, 1))
    figure.draw_without_rendering()  # so that it is known what would overlap
    if thumbnails is not None:
        central = np.argsort(np.linalg.norm(points - middles[np.searchsorted(present, labels)], axis=1), kind="stable")
        for index in central[_keep_apart(axis, points[central], apart=(58, 46))]:
            image = OffsetImage(thumbnails[index], zoom=50 / thumbnails[index].shape[1])  # points of type
            frame = {"edgecolor": colors[names.index(named[index])], "linewidth": 2}
            options = {"boxcoords": "offset points", "pad": 0.1, "bboxprops": frame, "zorder": 2}
            axis.add_artist(AnnotationBbox(image, points[index], (0, 20), **options))
    for place in [] if few else _keep_apart(axis, middles, apart=(95, 11)):
        look = {"ha": "center", "va": "center", "fontsize": 6.5, "path_effects": HALO, "zorder": 4}
        axis.annotate(classes[present[place]], middles[place], **look)
    return figure


def _keep_apart(axis, points: np.ndarray, *, apart: tuple[int, int]) -> list[int]:
    """Indices of points, the first ones first, of which no two are closer than so many points (of type) both ways."""
    places = axis.transData.transform(points) * 72 / axis.figure.dpi
    kept: list[int] = []
    for index, place in enumerate(places):
        if not (np.abs(places[kept] - place) < apart).all(axis=1).any():
            kept.append(index)
    return kept
