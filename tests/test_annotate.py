"""Annotated films: what is predicted and when, what is drawn, what is never written over, and how memory grows."""

import os
import subprocess
import sys
from types import SimpleNamespace

import av
import numpy as np
import pytest
from photometer import CLASSES, Photometer, film_of
from PIL import Image

from actlib.animation import write_animation
from actlib.annotate import Panel, annotate_video, fit_frame, join_videos
from actlib.annotate.panel import COLORS
from actlib.evaluation import NONE_OF_THESE
from actlib.plots import fit_text, load_font
from actlib.timeline import Segment, WindowConfig
from actlib.video.writer import write_video

NIGHT, TRACK, DIM, TEXT, CORRECT, WRONG, _ = COLORS


def _call(record, answer):
    return type("Model", (), {**vars(record), "__call__": lambda self, clips: answer(clips)})()


def test_what_stays_below_the_threshold_is_none_of_these(tmp_path):
    path = film_of(tmp_path / "film.mp4", 90)  # between dark and grey
    window = WindowConfig(temperature=50.0, threshold=0.6)
    done = annotate_video(path, Photometer(), tmp_path / "a.mp4", window=window)
    assert [segment.label for segment in done.predicted] == [NONE_OF_THESE] and done.accuracy is None


def test_what_is_unlike_the_known_classes_is_none_of_these(tmp_path):
    path, model = film_of(tmp_path / "film.mp4", 40, 220), Photometer()
    model.score = lambda clips: 128 - clips.mean(axis=(1, 2, 3, 4))
    done = annotate_video(path, model, tmp_path / "a.mp4", window=WindowConfig(window_seconds=1.0))
    assert done.predicted == [
        Segment(0, 28, "Dark"),
        Segment(28, 50, NONE_OF_THESE),
    ]  # a window begins at its first step


def test_joined_clips_and_the_delay_of_the_label(tmp_path):
    for name, level in (("Dark", 40), ("Bright", 220)):
        (tmp_path / name).mkdir()
        film_of(tmp_path / name / "film.mp4", level, size=(64, 48) if name == "Dark" else (48, 64))
    videos = [tmp_path / name / "film.mp4" for name in ("Dark", "Bright", "Dark")]
    film = tmp_path / "joined.mp4"
    truth = join_videos(videos, film, size=(48, 64))
    assert truth == [Segment(0, 25, "Dark"), Segment(25, 50, "Bright"), Segment(50, 75, "Dark")]
    prompt = annotate_video(film, Photometer(), tmp_path / "a.mp4", true_label=truth, window=WindowConfig(0.32))
    steady = annotate_video(film, Photometer(), tmp_path / "b.mp4", true_label=truth, window=WindowConfig(0.32, 0.4))
    assert prompt.delays["delay_frames"].max() <= 1  # a step is 0.08 s, 2 frames
    expected = 25 * 0.4 * np.log(2)  # 6.9 frames
    assert steady.delays["delay_frames"][0] == pytest.approx(expected, abs=2)
    assert prompt.accuracy > 0.95 > steady.accuracy
    with pytest.raises(ValueError, match="Received: 1 for 3"):
        join_videos(videos, film, labels=["Dark"])


def test_fit_frame_keeps_the_shape():
    tall = np.full((80, 40, 3), 200, np.uint8)
    fitted = fit_frame(tall, (40, 60))
    assert fitted.shape == (40, 60, 3)
    assert (fitted[:, 20:40] == 200).all()
    assert not fitted[:, :20].any()


def test_a_frame_shows_the_last_step_that_has_begun(tmp_path):
    levels = (40, 128, 220)
    path = film_of(tmp_path / "film.mp4", *levels, fps=10, length=2)  # steps from 0.1, 0.3 and 0.5 s on
    model = Photometer()
    model.num_frames = 3
    done = annotate_video(path, model, tmp_path / "a.mp4")
    assert done.predicted == [Segment(0, 3, "Dark"), Segment(3, 5, "Grey"), Segment(5, 6, "Bright")]


def draw_panel(correct, *, predicted="Dark", classes=CLASSES, width=320, index=30):
    """A panel whose label is right, wrong or of unknown worth, and what it draws at a frame."""
    truth = [] if correct is None else [Segment(0, 99, predicted if correct else classes[-1])]
    panel = Panel(width, classes=classes, num_frames=50, fps=25, truth=truth)
    probabilities = np.full(len(classes), 0.3 / max(1, len(classes) - 1))
    probabilities[list(classes).index(predicted)] = 0.7
    for number in range(index + 1):
        drawn = panel.draw(number, probabilities, predicted)
    return panel, drawn


def share_of(pixels, color):
    return (pixels == color).all(axis=-1).mean()


def test_right_and_wrong_differ_by_color_and_by_sign():
    (panel, right), (_, wrong), (_, unknown) = (draw_panel(correct) for correct in (True, False, None))
    assert share_of(right, CORRECT) > 0.03
    assert share_of(right, WRONG) == 0 == share_of(wrong, CORRECT)
    assert share_of(wrong, WRONG) > 0.03
    assert share_of(unknown, CORRECT) == 0 == share_of(unknown, WRONG)
    box = np.s_[7:21, 11:25]  # the sign, dark on its color
    pairs = ((right, CORRECT), (wrong, WRONG))
    tick, cross = (np.abs(drawn[box].astype(int) - color).max(axis=-1) > 60 for drawn, color in pairs)
    assert min(tick.sum(), cross.sum()) > 15
    assert (tick != cross).sum() > 15
    strip = np.s_[panel.tops[2] : panel.tops[3], 12:150]  # wrong is hatched: the ground shows through
    assert share_of(right[strip], NIGHT) == 0 < share_of(wrong[strip], NIGHT)


def test_bars_are_as_long_as_probabilities_and_the_true_one_is_framed():
    panel = Panel(320, classes=CLASSES, num_frames=9, fps=25, truth=[Segment(0, 9, "Bright")])
    drawn = panel.draw(0, np.array([0.5, 0.25, 0.25]), "Dark")
    middles = [int(panel.tops[0]) + 12 * row + 6 for row in range(3)]
    predicted, other, true = (drawn[middle, 116:282] for middle in middles)
    assert share_of(predicted[None], WRONG) == pytest.approx(0.5, abs=0.02)
    assert share_of(other[None], DIM) == pytest.approx(0.25, abs=0.02)
    assert share_of(other[None], TRACK) == pytest.approx(0.75, abs=0.02)
    top_edges = [drawn[middle - 3, 200:280] for middle in middles]
    assert [share_of(edge[None], TEXT) for edge in top_edges] == [0, 0, 1]


@pytest.mark.parametrize("width", [320, 481, 960])
@pytest.mark.parametrize("count", [1, 2, 7, 8, 101])
def test_panels_of_any_number_of_classes(width, count):
    classes = tuple(f"A rather long name of class number {number}" for number in range(count))
    panel, drawn = draw_panel(False if count > 1 else None, predicted=classes[0], classes=classes, width=width)
    assert drawn.shape == (panel.height, width, 3)
    assert panel.height % 2 == 0
    assert (drawn[:, : panel.width // 40] == NIGHT).all()  # nothing leaves the margins
    assert (drawn[:, -(panel.width // 40) :] == NIGHT).all()
    assert panel.num_bars == min(count, 7)


def test_a_long_label_that_comes_late_is_cut_at_the_margin():
    long = "WalkingTheDogInTheParkAtNight"
    panel = Panel(320, classes=("Sit", long), num_frames=50, fps=25)
    for index in range(45):
        drawn = panel.draw(index, np.array([0.5, 0.5]), long if index >= 40 else "Sit")
    names = drawn[panel.tops[2] - 12 : panel.tops[2] - 3]
    assert (names[:, 250:310] == TEXT).all(axis=-1).any() and (names[:, 310:] == NIGHT).all()


def test_a_note_stands_on_a_line_of_its_own():
    plain, noted = (Panel(320, classes=CLASSES, num_frames=9, fps=25, note=note) for note in ("", "smoothed"))
    before, after = (panel.draw(0, np.array([0.8, 0.1, 0.1]), "Dark") for panel in (plain, noted))
    assert np.array_equal(before[: plain.height - 2], after[: plain.height - 2])
    assert (after[plain.height :] != NIGHT).any()


def test_a_column_of_the_timeline_shows_the_mean_of_its_frames():
    panel = Panel(320, classes=CLASSES, num_frames=3000, fps=25, truth=[Segment(0, 9999, "Dark")])  # 10 a column
    strip = np.s_[panel.tops[2] : panel.tops[3], 10:310]
    for index in range(50):
        predicted = "Dark" if index < 20 or index % 2 == 0 else "Grey"
        drawn = panel.draw(index, np.array([0.5, 0.5, 0.0]), predicted)
    shares = [share_of(drawn[strip][:, column], CORRECT) for column in range(3)]  # the hand is at 4
    assert shares == [0.5, 0.5, 0.25]
    assert share_of(drawn[strip][:, 6:], TRACK) == 1  # what is still to come
    drawn = panel.draw(5000, np.array([1.0, 0.0, 0.0]), "Dark")  # more frames than the header promised
    assert share_of(drawn[strip][:, 298:], TEXT) == 1


def test_a_frame_of_a_short_film_takes_several_columns_of_the_timeline():
    panel = Panel(320, classes=CLASSES, num_frames=3, fps=25)
    for index in range(3):
        drawn = panel.draw(index, np.array([1.0, 0.0, 0.0]), "Dark")
        strip = drawn[panel.tops[2] : panel.tops[3], 10:310]
        assert (strip[4] == TRACK).all(axis=-1).nonzero()[0].tolist() == list(range(100 * (index + 1), 300))


def test_long_texts_are_cut():
    font = load_font(10)
    assert fit_text("Juggling", font, 500) == "Juggling"
    short = fit_text("JugglingBallsForHours", font, 60)
    assert short.endswith("…") and font.getlength(short) <= 60
    assert fit_text("Juggling", font, 5) == ""


@pytest.mark.parametrize("size", [(48, 64), (90, 50), (33, 47), (1, 1), (270, 480)])
def test_films_play_in_browsers(tmp_path, size):
    source = write_animation(tmp_path / "source.gif", np.full((5, *size, 3), 128, np.uint8), fps=25)
    done = annotate_video(source, Photometer(), tmp_path / "film.mp4", true_label="Grey")
    with av.open(str(done.path)) as container:
        stream = container.streams.video[0]
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
    data = done.path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    assert done.num_frames == len(frames) == 5
    assert done.accuracy == 1.0
    assert frames[0].shape[1] >= 320
    assert frames[0].shape[0] % 2 == 0 == frames[0].shape[1] % 2
    assert np.abs(frames[2][:40, frames[0].shape[1] // 2] - 128.0).max() < 12  # the video itself stands on top


def test_mistakes_are_refused_before_anything_is_written(tmp_path):
    path = film_of(tmp_path / "film.mp4", 40)
    with pytest.raises(ValueError, match=r"ending in .mp4 or .gif. Received: .*out.avi"):
        annotate_video(path, Photometer(), tmp_path / "out.avi")
    with pytest.raises(ValueError, match="true labels among Dark, Grey, Bright, 'none of these'. Received: dark"):
        annotate_video(path, Photometer(), tmp_path / "out.mp4", true_label="dark")
    assert [file.name for file in tmp_path.iterdir()] == ["film.mp4"]


@pytest.mark.parametrize("ending", ["mp4", "gif"])
def test_a_video_that_is_read_is_never_written_over(tmp_path, ending):
    video, other = (
        write_animation(tmp_path / f"{name}.gif", [np.zeros((48, 64, 3), np.uint8)] * 4, fps=25) for name in "ab"
    )
    video = video.rename(tmp_path / f"video.{ending}")
    before = video.read_bytes()
    (tmp_path / f"soft.{ending}").symlink_to(video)
    (tmp_path / f"hard.{ending}").hardlink_to(video)
    (tmp_path / "inside").mkdir()
    for name in (video.name, f"soft.{ending}", f"hard.{ending}", f"inside/../video.{ending}"):
        with pytest.raises(ValueError, match="Expected another place than what is read"):
            annotate_video(video, Photometer(), tmp_path / name)
        with pytest.raises(ValueError, match="Expected another place than"):
            join_videos([other, video], tmp_path / name)
    assert video.read_bytes() == before and (tmp_path / f"soft.{ending}").is_symlink()
    assert (tmp_path / f"hard.{ending}").samefile(video)
    assert len(list(tmp_path.iterdir())) == 5  # nothing was begun beside them


@pytest.mark.parametrize("ending", ["mp4", "gif"])
def test_a_failure_half_way_leaves_the_old_film(tmp_path, ending):
    path = film_of(tmp_path / "film.mp4", 40, 50, 60)
    out = tmp_path / f"out.{ending}"
    out.write_bytes(b"old")

    def fail(clips):
        if clips.mean() > 45:
            raise RuntimeError("no more power")
        return np.zeros((1, 4, 3))

    model = _call(SimpleNamespace(classes=CLASSES, size=16, num_frames=4, kind="frames", readout="steps"), fail)
    with pytest.raises(RuntimeError, match="no more power"):
        annotate_video(path, model, out, window=WindowConfig(window_seconds=0.4))
    assert out.read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 2


def test_a_gif_of_a_film_keeps_the_colors_of_right_and_wrong(tmp_path):
    noise = np.random.default_rng(0).integers(90, 166, (12, 120, 160, 3), dtype=np.uint8)
    write_video(tmp_path / "busy.mp4", noise, fps=25)
    out = tmp_path / "film.gif"
    annotate_video(tmp_path / "busy.mp4", Photometer(), out, true_label="Grey", max_bytes=60_000)
    assert out.stat().st_size <= 60_000
    with Image.open(out) as image:
        assert share_of(np.asarray(image.convert("RGB")), CORRECT) > 0.01


MEMORY = """
import sys, resource, tracemalloc
import numpy as np
from actlib.annotate import annotate_video
from types import SimpleNamespace

class Model:
    classes, size, num_frames, kind, readout = ("a", "b"), 16, 8, "lrcn", "last"
    def __call__(self, clips):
        return np.random.default_rng(0).normal(size=(*clips.shape[:2], 2))

annotate_video(sys.argv[2], Model(), sys.argv[3])
tracemalloc.start()
done = annotate_video(sys.argv[1], Model(), sys.argv[3])
print(done.num_frames, tracemalloc.get_traced_memory()[1], resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_memory_does_not_grow_with_length(tmp_path):
    warm_up, measured = film_of(tmp_path / "warm.mp4", 50), []
    for count in (100, 800):
        path = film_of(tmp_path / f"{count}.mp4", 90, 160, size=(90, 120), length=count // 2)
        command = [sys.executable, "-c", MEMORY, path, warm_up, tmp_path / "out.mp4"]
        env = {**os.environ, "TQDM_DISABLE": "1"}
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=env)
        assert done.stderr == ""  # no bars
        measured.append([int(word) for word in done.stdout.split()])
    (short, short_peak, short_rss), (long, long_peak, long_rss) = measured
    assert (short, long) == (100, 800)
    assert long_peak < short_peak + 1_000_000  # bytes; one drawn frame has 300,000
    assert long_rss < short_rss + 40_000  # kilobytes; 700 more frames would be 250,000
