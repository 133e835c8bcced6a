"""Every picture at few and at many classes: small enough for a lesson, described, and saying what the data say."""

import io
import itertools

import matplotlib
import numpy as np
import pandas as pd
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.pylabtools import select_figure_formats
from IPython.utils.capture import capture_output
from matplotlib import pyplot
from matplotlib.figure import Figure
from PIL import Image
from traitlets.config import Config

from actlib import evaluation, plots, specs
from actlib.evaluation import calibration
from actlib.plots import style

MANY = tuple(f"ClassNumber{number:03d}" for number in range(101))
VERDICTS = (plots.CORRECT, plots.WRONG)
BOTH = pytest.mark.parametrize("classes", [specs.SEVEN_CLASSES, MANY], ids=["7", "101"])


def make_results(classes, *, count=300, seed=0, present=None):
    """Results of a model that confuses each even class with the next one."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % (present or len(classes))
    logits = rng.normal(size=(count, 2, len(classes)))
    logits[np.arange(count), :, labels] += 3
    logits[np.arange(count), :, np.minimum(labels // 2 * 2 + 1, len(classes) - 1)] += 2
    videos = pd.DataFrame(
        {"name": [f"v{i}" for i in range(count)], "label": labels, "group": rng.integers(7, size=count)}
    )
    return evaluation.evaluate(logits, np.arange(count), videos, classes=classes)


def make_videos(classes):
    """A table of two to five videos a class, in three parts."""
    parts = ("train", "train", "validation", "test", "test")
    rows = [(name, parts[i], 30 + 7 * i, 25.0) for k, name in enumerate(classes) for i in range(5 - k % 4)]
    return pd.DataFrame(rows, columns=["class_name", "subset", "frames", "fps"])


def make_frames(count, *, height=48, width=64):
    """Smooth frames that differ."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([np.stack([rows * 4, columns * 3, rows + columns + 9 * i], axis=-1) for i in range(count)]).astype(
        "uint8"
    )


def texts_of(picture):
    """Everything that is written in a picture."""
    return " ".join(text.get_text() for text in picture.findobj(matplotlib.text.Text))


def test_flow_has_the_color_of_its_direction_and_an_arrow_as_long_as_its_way():
    flow = np.zeros((40, 60, 2), np.float32)
    flow[:20, :30], flow[20:, :30], flow[20:, 30:] = (4, 0), (0, 2), (-1, 0)  # right, down, left; the rest is still
    colors = plots.data._color_flow(flow)
    quarters = [colors[5, 5], colors[35, 5], colors[35, 55], colors[5, 55]]
    assert np.round(quarters, 2).tolist() == [[1, 0, 0], [0.75, 1, 0.5], [0.75, 1, 1], [1, 1, 1]]
    assert (plots.data._color_flow(np.zeros((4, 4, 2))) == 1).all()
    picture = plots.show_flow(make_frames(1, height=40, width=60)[0], flow)
    (arrows,) = (each for each in picture.axes[0].collections if hasattr(each, "U"))
    places = arrows.get_offsets().tolist()
    assert places[:2] == [[5, 5], [15, 5]] and len(places) == 24
    at = places.index([5, 25])
    assert (arrows.U[at], arrows.V[at], arrows.scale, arrows.angles) == (0, 2, 1 / 4, "xy")
    assert np.abs(picture.axes[1].images[0].get_array() - colors).max() < 1e-6
    wheel = picture.axes[2].images[0].get_array()
    assert np.round(wheel[90, -3], 1).tolist() == [1, 0, 0] and wheel[90, 90].min() > 0.98  # right is red, still white
    assert (wheel[[0, 0, -1, -1], [0, -1, 0, -1]] == 1).all()
    check(picture)


def check(picture):
    """What holds for all: a figure, described, drawn with ink, and small; a card with white margins on a dark page."""
    assert isinstance(picture, Figure) and len(picture.alt) > 10
    assert 1000 < len(encoded := picture.encode()) <= style.MAX_BYTES
    pixels = np.asarray(Image.open(io.BytesIO(encoded)).convert("L"))
    edges = (pixels[:8], pixels[-8:], pixels[:, :8], pixels[:, -8:])
    assert all(edge.min() > 240 for edge in edges)
    return picture


@BOTH
def test_pictures_of_data(classes):
    videos = make_videos(classes)
    bars = check(plots.plot_classes(videos))
    widths = sum(bar.get_width() for axis in bars.axes for bar in axis.patches)
    assert widths == len(videos)
    assert all(name in texts_of(bars) for name in classes)
    assert "validation" in texts_of(bars)
    assert sum(axis.get_legend() is not None for axis in bars.axes) == 1
    assert "validation" not in texts_of(check(plots.plot_classes(videos.drop(columns="subset"))))
    lengths = check(plots.plot_lengths(videos))
    assert "1.2 to 2.32 seconds" in texts_of(lengths) and all(name in texts_of(lengths) for name in classes)
    first = [line.get_xdata() for line in lengths.axes[0].lines if len(line.get_xdata()) and line.get_ydata()[-1] == 0]
    assert [list(map(float, np.unique(line))) for line in first if len(line) == 2] == [[1.2, 2.32], [1.48, 2.04]]


def test_classes_come_in_the_order_of_the_table_of_counts():
    bars = plots.plot_classes(pd.DataFrame({"class_name": ["b", "a", "b"], "subset": ["test", "test", "train"]}))
    assert [label.get_text() for label in bars.axes[0].get_yticklabels()] == ["a", "b"]


def test_photos_are_drawn_at_the_best_quality_that_is_small_enough(monkeypatch):
    picture, sizes = plots.show_frames(np.random.default_rng(0).integers(0, 256, (4, 60, 80, 3), np.uint8)), []
    for _ in range(4):
        monkeypatch.setattr(style, "MAX_BYTES", sizes[-1] - 1 if sizes else 10**9)
        encoded = picture.encode()
        assert Image.open(io.BytesIO(encoded)).format == "JPEG"
        sizes.append(len(encoded))
    monkeypatch.setattr(style, "MAX_BYTES", 1)
    assert sizes == sorted({*sizes}, reverse=True) and len(picture.encode()) == sizes[-1]  # no lower one is left


def test_small_confusion_writes_every_number():
    results = make_results(specs.SEVEN_CLASSES)
    picture = check(plots.plot_confusion(results))
    written = {text.get_position()[::-1]: text.get_text() for text in picture.axes[0].texts}
    for (row, column), count in np.ndenumerate(results.confusion):
        assert (written.get((row + 0.5, column + 0.5)) or "0") == str(count)
    assert f"{results.per_class.recall.iloc[0]:.0%} of 43 found" in texts_of(picture)
    assert f"{np.trace(results.confusion)} of 300 videos correct" in picture.alt
    pair = results.most_confused(1).iloc[0]
    assert f"{pair.true_class} taken for {pair.predicted_class}" in picture.alt


def test_large_confusion_names_the_most_confused_pairs():
    results = make_results(MANY, count=1010)
    picture = check(plots.plot_confusion(results))
    for pair in results.most_confused(12).itertuples():
        assert f"{pair.true_class} → {pair.predicted_class}" in texts_of(picture)
    circles = [line.get_xydata()[0].tolist() for line in picture.axes[0].lines]
    pairs = results.most_confused(12)
    assert circles == [
        [MANY.index(b) + 0.5, MANY.index(a) + 0.5] for a, b in zip(pairs.true_class, pairs.predicted_class, strict=True)
    ]


def test_cells_are_shaded_by_their_share_of_the_true_class():
    videos = pd.DataFrame({"name": list("abcde"), "label": [0, 0, 1, 1, 1], "group": [1, 2, 3, 4, 5]})
    logits = np.eye(2)[[0, 1, 1, 1, 1]][:, None]
    results = evaluation.evaluate(logits, np.arange(5), videos, classes=("Jump", "Run"))
    figure = check(plots.plot_confusion(results))
    shades = figure.axes[0].collections[0].get_facecolors().reshape(2, 2, 4)[..., :3]
    correct, wrong = (np.array(matplotlib.colors.to_rgb(color)) for color in VERDICTS)
    assert np.allclose(shades[1, 1], correct) and np.allclose(shades[0, 1], wrong) and np.allclose(shades[1, 0], 1)
    assert (shades[0, 0] > correct).any() and shades[0, 0, 2] > shades[0, 0, 0]  # half of them: a lighter blue


def test_confusion_of_a_class_without_videos_and_of_a_perfect_model():
    assert "no videos" in texts_of(check(plots.plot_confusion(make_results(specs.SEVEN_CLASSES, present=5))))
    videos = pd.DataFrame({"name": ["a", "b"], "label": [0, 1], "group": [1, 2]})
    perfect = evaluation.evaluate(np.eye(2)[:, None], np.arange(2), videos, classes=("Jump", "Run"))
    assert "most confused: none" in check(plots.plot_confusion(perfect)).alt


@BOTH
def test_pictures_of_results(classes):
    first, second = make_results(classes), make_results(classes, seed=1, present=len(classes) - 1)
    bars = check(plots.plot_per_class(first))
    heights = np.concatenate([[bar.get_width() for bar in axis.patches] for axis in bars.axes])
    np.testing.assert_allclose(heights, np.sort(first.per_class["recall"]))
    assert "precision" in texts_of(check(plots.plot_per_class({"A": first, "B": second}, metric="precision")))
    comparison = check(plots.plot_comparison({"frame average": first, "LRCN": second}, title="Both"))
    assert f"{100 * first.video.value:.1f}" in texts_of(comparison) and "frame average" in texts_of(comparison)
    for axis, level in zip(comparison.axes, evaluation.LEVELS, strict=True):
        intervals, dots = axis.collections
        shares = [getattr(model, level) for model in (first, second)]
        assert [line[:, 0].tolist() for line in intervals.get_segments()] == [[each.low, each.high] for each in shares]
        assert dots.get_offsets().tolist() == [[each.value, row] for row, each in enumerate(shares)]


def test_history_with_and_without_validation():
    run = {"loss": [2.0, 1.0, 0.5], "accuracy": [0.2, 0.5, 0.8]}
    validated = {**run, "val_loss": [2.0, 1.2, 1.5], "val_accuracy": [0.2, 0.5, 0.6]}
    figure = check(plots.plot_history(validated, title="One run"))
    for axis, key in zip(figure.axes, ("loss", "accuracy"), strict=True):
        training, validation, dot = [line.get_xydata().T.tolist() for line in axis.lines if len(line.get_xdata())]
        assert [training, validation] == [[[1, 2, 3], validated[key]], [[1, 2, 3], validated[f"val_{key}"]]]
        assert dot == [[2], [validated[f"val_{key}"][1]]]  # the lowest validation loss
    assert "validation" in [text.get_text() for text in figure.axes[0].get_legend().texts]
    for history in (run, {**validated, "val_loss": [np.nan] * 3}):
        losses = check(plots.plot_history(history)).axes[0]
        assert [text.get_text() for text in losses.get_legend().texts] == ["training"]


@BOTH
def test_timeline_names_the_true_class_and_compares_each_frame(classes):
    probabilities = evaluation.softmax(np.random.default_rng(0).normal(size=(40, len(classes))))
    probabilities[:10, 3] = 2  # right for the first ten frames
    figure = check(plots.plot_timeline(probabilities, classes, label=3, title="clip"))
    bars = {each.get_label(): [bar for bar in each if bar.get_height()] for each in figure.axes[0].containers}
    strips = {name: [bar.get_center()[0] for bar in each] for name, each in bars.items()}
    right = probabilities.argmax(axis=1) == 3
    assert [list(np.round(strips[name])) for name in ("✓ correct", "✗ wrong")] == [
        list(1 + np.flatnonzero(chosen)) for chosen in (right, ~right)
    ]
    assert f"{classes[3]} (true)" in texts_of(figure)
    assert "✓" not in texts_of(check(plots.plot_timeline(probabilities[:1], classes)))


def test_timeline_shows_right_and_wrong_in_their_colors_even_where_one_never_comes():
    figure = plots.plot_timeline(np.tile([0.1, 0.7, 0.2], (9, 1)), ("Jump", "Run", "Sit"), label=0)
    legend = figure.axes[0].get_legend()
    colors = [patch.get_facecolor() for patch in legend.get_patches()]
    assert colors == [matplotlib.colors.to_rgba(color) for color in VERDICTS]
    assert [text.get_text() for text in legend.get_texts()][-2:] == ["✓ correct", "✗ wrong"]


def test_a_class_has_one_color_on_the_timeline_and_on_the_map():
    classes = ("Jump", "Run", "Sit", "Walk")
    timeline = plots.plot_timeline(np.tile([0.1, 0.2, 0.3, 0.4], (9, 1)), classes, label=2).axes[0].get_legend()
    names = [text.get_text() for text in timeline.get_texts()]
    colors = {name: line.get_color() for name, line in zip(names, timeline.get_lines(), strict=False)}
    assert colors["Walk"] == plots.CLASS_COLORS[3] and colors["Sit (true)"] == plots.CLASS_COLORS[2]
    places = plots.plot_projection(np.arange(6.0).reshape(3, 2), np.array([1, 3, 3]), classes).axes[0].collections[0]
    expected = [matplotlib.colors.to_rgba(plots.CLASS_COLORS[label]) for label in (1, 3, 3)]
    assert places.get_facecolors().tolist() == pytest.approx(np.array(expected))


def test_predictions_are_the_most_probable_classes_of_each_clip():
    probabilities = np.array([[0.5, 0.3, 0.15, 0.05], [0.1, 0.2, 0.3, 0.4]])
    classes = ("Jump", "Run", "Sit", "Walk")
    figure = check(plots.plot_predictions(probabilities, classes, frames=make_frames(2), title="Two"))
    written = [[text.get_text() for text in axis.texts] for axis in figure.axes[1::2]]
    assert written == [["50%", "30%", "15%", "Jump", "Run", "Sit"], ["40%", "30%", "20%", "Walk", "Sit", "Run"]]
    assert [bar.get_width() for bar in figure.axes[3].patches[3:]] == [0.4, 0.3, 0.2]
    check(plots.plot_predictions(probabilities[:, :2], classes))


def test_reliability_skips_empty_bins():
    table = calibration.reliability_table(np.array([[0.9, 0.1], [0.55, 0.45]]), np.array([0, 1]))
    picture = check(plots.plot_reliability({"before": table, "after": table}))
    curves = [line.get_xydata() for line in picture.axes[0].lines if line.get_marker() == "o"]
    assert [each.tolist() for each in curves] == [pytest.approx(np.array([[0.55, 0], [0.9, 1]]))] * 2
    bars = [bar for bar in picture.axes[1].patches if bar.get_height()]
    bins = [table[(table.low <= bar.get_x()) & (table.high >= bar.get_x() + bar.get_width())] for bar in bars]
    assert [each.videos.item() for each in bins] == [1] * 4  # two of each model, each inside its bin
    check(plots.plot_reliability(table))


def test_contact_sheets():
    frames = [*make_frames(5), *make_frames(2, height=30, width=90)]  # of two sizes
    sheet = check(plots.show_frames(frames, titles=list("abcdefg"), correct=[True, False] * 3 + [True], columns=4))
    assert "✓ a" in texts_of(sheet) and "✗ b" in texts_of(sheet)
    (axis,) = sheet.axes
    assert {text.get_color() for text in axis.texts if text.get_text()[0] == "✗"} == {plots.WRONG}
    lefts, tops = np.array([text.get_position() for text in axis.texts]).T
    assert (np.diff(tops[:4]) == 0).all() and (np.diff(lefts[:4]) > 64).all() and tops[4] > tops[3] + 48
    boxes = [(box.get_x() + 0.5, box.get_edgecolor()) for box in axis.patches]
    assert boxes == [(left, matplotlib.colors.to_rgba(VERDICTS[i % 2 * (i < 6)])) for i, left in enumerate(lefts)]
    check(plots.show_frames(frames[:1], title="a frame alone"))
    clips = check(plots.show_clips({"Jump": make_frames(4), "Run": make_frames(4)}, correct=[True, False]))
    assert "✗ Run" in texts_of(clips) and "frame of the clip" in texts_of(clips)
    with pytest.raises(ValueError, match=r"\{'Jump': 4, 'Run': 3\}"):
        plots.show_clips({"Jump": make_frames(4), "Run": make_frames(3)})


@pytest.mark.parametrize("longest", [4, 9, 24, 300])
def test_titles_of_neighbouring_frames_do_not_touch(longest):
    titles, frames = ["W" * longest + "\nshort"] * 7, make_frames(7, height=64)
    (axis,) = check(plots.show_frames(frames, titles=titles, correct=[True] * 7)).axes
    boxes = [text.get_window_extent() for text in axis.texts]
    assert all(one.x1 < other.x0 for one, other in itertools.pairwise(boxes))
    first, second = axis.texts[0].get_text().split("\n")
    assert second == "short" and first.startswith("✓ WWW") and (longest > 9) == first.endswith("…")


def test_the_pixels_of_tiny_frames_stand_on_the_sheet_as_squares():
    tiny = np.random.default_rng(0).integers(0, 200, (3, 2, 4, 3), dtype=np.uint8)
    shown = plots.show_frames(tiny, titles=["one", "two", "three"]).axes[0].images[0].get_array()
    assert shown.shape[1] > 3 * 48 and (shown[:24, :48].reshape(2, 12, 4, 12, 3) == tiny[0][:, None, :, None]).all()


def test_sampling_shows_every_window():
    rules = {"uniform": np.arange(4, 100, 8), "windows": np.stack([np.arange(s, s + 16) for s in (0, 40, 84)])}
    picture = check(plots.plot_sampling(rules, 100))
    dots = np.concatenate([line.get_xdata() for line in picture.axes[0].lines if line.get_marker() == "o"])
    assert sorted(dots.tolist()) == sorted(np.concatenate([rules["uniform"], rules["windows"].ravel()]).tolist())


def test_pictures_of_the_inside():
    rng = np.random.default_rng(0)
    check(plots.show_filters(rng.normal(size=(12, 3, 3, 3))))
    check(plots.show_filters(np.zeros((64, 3, 3, 3)), title="no range"))
    heat = np.zeros((5, 48, 64))
    heat[:, :24] = 1
    sheet = check(plots.show_grad_cam(make_frames(5), heat, titles=list("abcde"), title="where")).axes[0].images[0]
    warm, cold = sheet.get_array()[-48:-24, :64], sheet.get_array()[-24:, :64]  # of the first frame, below itself
    assert np.ptp(warm.astype(int), axis=-1).min() > 40 and np.ptp(cold, axis=-1).max() <= 2  # yellow, gray
    assert "bright: mattered most" in texts_of(sheet.figure)
    bars = check(plots.plot_contributions(make_frames(4), np.array([0.1, -0.5, 0, 0.2]))).axes[1].patches
    assert [bar.get_height() for bar in bars] == [0.1, -0.5, 0, 0.2]
    right, wrong = (matplotlib.colors.to_rgba(color) for color in VERDICTS)
    assert [bar.get_facecolor() for bar in bars] == [right, wrong, right, right]
    states = check(plots.plot_states(np.tanh(rng.normal(size=(16, 32))), title="memory"))
    assert "32 LSTM units over 16 steps" in states.alt


def test_states_are_in_the_order_of_their_peaks():
    states = np.zeros((3, 3))
    states[2, 0], states[0, 1], states[1, 2] = 0.9, -0.8, 0.7
    shown = plots.plot_states(states).axes[0].collections[0].get_array()
    assert np.abs(shown).argmax(axis=1).tolist() == [0, 1, 2]


def test_states_of_several_clips_have_each_unit_in_one_row_and_one_scale():
    states = np.zeros((3, 3))
    states[2, 0], states[0, 1], states[1, 2] = 0.9, -0.8, 0.7
    figure = check(plots.plot_states({"forwards": states, "backwards": states[::-1] / 2}, title="memory"))
    forwards, backwards = (axis.collections[0] for axis in figure.axes[:2])
    assert np.array_equal(forwards.get_array(), states[:, [1, 2, 0]].T)
    assert np.array_equal(backwards.get_array(), states[::-1, [1, 2, 0]].T / 2)
    assert forwards.get_clim() == backwards.get_clim() == (-0.9, 0.9)
    assert all(
        text in texts_of(figure) for text in ("forwards", "backwards", "step of the clip", "state", "in the first")
    )


@BOTH
def test_map_names_classes(classes):
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(len(classes)), 3)
    points = 5 * rng.normal(size=(len(classes), 2))[labels] + rng.normal(size=(len(labels), 2))
    thumbnails = [make_frames(1)[0]] * len(labels) if len(classes) == 7 else None
    picture = check(plots.plot_projection(points, labels, classes, thumbnails=thumbnails, title="map"))
    named = [name for name in classes if name in texts_of(picture)]
    assert len(named) == 7 or len(named) > 10


def test_a_notebook_shows_a_picture_once_with_its_description():
    frames = np.random.default_rng(0).integers(256, size=(4, 60, 80, 3), dtype=np.uint8)
    shell = InteractiveShell.instance(config=Config(HistoryManager={"enabled": False}))
    select_figure_formats(shell, {"png"})  # what %matplotlib inline does
    try:
        with capture_output() as captured:
            for picture in (plots.plot_states(np.eye(4)), plots.show_frames(frames, title="photos")):
                assert shell.display_formatter.format(picture) == ({}, {})  # it has shown itself
    finally:
        InteractiveShell.clear_instance()
    chart, photos = captured.outputs
    assert set(chart.data) == {"image/png", "text/plain"} and set(photos.data) == {"image/jpeg", "text/plain"}
    assert chart.metadata["image/png"] == {"alt": "4 LSTM units over 4 steps", "width": 768}
    assert not pyplot.get_fignums()


def test_the_style_is_the_same_whatever_the_reader_has_set():
    plain = plots.plot_states(np.eye(4)).encode()
    with matplotlib.rc_context({"font.size": 30, "figure.facecolor": "black", "axes.grid": True}):
        assert plots.plot_states(np.eye(4)).encode() == plain
        assert matplotlib.rcParams["font.size"] == 30  # and theirs stays theirs


# What protanopes, deuteranopes (Viénot, Brettel and Mollon, 1999) and everybody else make of linear RGB.
SIGHTS = (
    np.eye(3),
    np.array([[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]]),
    np.array([[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]]),
)


def linear(color):
    """Linear RGB of a color."""
    return np.array(matplotlib.colors.to_rgb(color)) ** 2.2


def contrast(first, second):
    """The ratio of luminances of the Web Content Accessibility Guidelines, 1 to 21."""
    darker, lighter = sorted(0.05 + linear(color) @ (0.2126, 0.7152, 0.0722) for color in (first, second))
    return lighter / darker


def test_colors_are_told_apart_however_they_are_seen():
    for sight in SIGHTS:
        seen = [np.clip(sight @ linear(color), 0, 1) ** (1 / 2.2) for color in (*plots.CLASS_COLORS, *VERDICTS)]
        assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2)) > 0.08
        assert np.linalg.norm(seen[-2] - seen[-1]) > 0.5  # right and wrong
    assert style.SIGNS[True] != style.SIGNS[False]


def test_right_and_wrong_are_read_on_white_and_on_dark():
    assert all(contrast(color, "white") >= 4.5 and contrast(color, "#11141A") >= 3 for color in VERDICTS)
    assert all(contrast(color, "#1C2026") >= 4.5 for color in (style.CORRECT_ON_DARK, style.WRONG_ON_DARK))
    assert all(min(contrast(color, "white"), contrast(color, "#11141A")) > 2 for color in plots.CLASS_COLORS)
