"""Annotated films: what is said and when, what is drawn, and how large files and memory get."""

import subprocess
import sys
from types import SimpleNamespace

import av
import numpy as np
import pytest
from photometer import CLASSES, Photometer, film_of
from PIL import Image

from actlib.annotate import Panel, annotate_video, join_videos, write_gif
from actlib.annotate import gif as gifs
from actlib.annotate.films import fit_frame, hold_answers
from actlib.annotate.panel import DIM, NIGHT, RIGHT, TEXT, TRACK, WRONG, Strip, fit_text, font_of
from actlib.evaluation.calibration import NONE_OF_THESE
from actlib.timeline import Segment, Step, WindowConfig
from actlib.video.writer import write_video


def _call(record, answer):
    return type("Model", (), {**vars(record), "__call__": lambda self, clips: answer(clips)})()


def test_what_stays_below_the_threshold_is_none_of_these(tmp_path):
    path = film_of(tmp_path / "film.mp4", 90)  # between dark and grey
    said = annotate_video(path, Photometer(), tmp_path / "a.mp4", window=WindowConfig(temperature=50.0, threshold=0.6))
    assert [segment.label for segment in said.said] == [NONE_OF_THESE]


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
    assert prompt.right > 0.95 > steady.right
    with pytest.raises(ValueError, match="Received: 1 for 3"):
        join_videos(videos, film, labels=["Dark"])


def test_fit_frame_keeps_the_shape():
    tall = np.full((80, 40, 3), 200, np.uint8)
    fitted = fit_frame(tall, (40, 60))
    assert fitted.shape == (40, 60, 3)
    assert (fitted[:, 20:40] == 200).all()
    assert not fitted[:, :20].any()


def test_answers_are_held_from_their_moment():
    steps = [Step(seconds, np.array([seconds])) for seconds in (0.1, 0.3, 0.5)]
    answers = hold_answers(steps, 10)
    assert [float(next(answers)[0]) for _ in range(7)] == [0.1, 0.1, 0.1, 0.3, 0.3, 0.5, 0.5]


def panel_picture(right, *, said="Dark", classes=CLASSES, width=320, index=30):
    truth = None if right is None else [Segment(0, 99, said if right else classes[-1])]
    panel = Panel(width, classes=classes, num_frames=50, fps=25, truth=truth)
    probabilities = np.full(len(classes), 0.3 / (len(classes) - 1))
    probabilities[list(classes).index(said)] = 0.7
    for number in range(index + 1):
        picture = panel.draw(number, probabilities, said, right)
    return panel, picture


def share_of(picture, colour):
    return (picture == colour).all(axis=-1).mean()


def test_right_and_wrong_differ_by_colour_and_by_sign():
    (panel, right), (_, wrong), (_, unknown) = (panel_picture(right) for right in (True, False, None))
    assert share_of(right, RIGHT) > 0.03
    assert share_of(right, WRONG) == 0 == share_of(wrong, RIGHT)
    assert share_of(wrong, WRONG) > 0.03
    assert share_of(unknown, RIGHT) == 0 == share_of(unknown, WRONG)
    box = np.s_[7:21, 11:25]  # the sign, dark on its colour
    pairs = ((right, RIGHT), (wrong, WRONG))
    tick, cross = (np.abs(picture[box].astype(int) - colour).max(axis=-1) > 60 for picture, colour in pairs)
    assert min(tick.sum(), cross.sum()) > 15
    assert (tick != cross).sum() > 15
    strip = np.s_[panel.tops[2] : panel.tops[3], 12:150]  # wrong is hatched: the ground shows through
    assert share_of(right[strip], NIGHT) == 0 < share_of(wrong[strip], NIGHT)


def test_bars_are_as_long_as_probabilities_and_the_true_one_is_framed():
    panel = Panel(320, classes=CLASSES, num_frames=9, fps=25, truth=[Segment(0, 9, "Bright")])
    picture = panel.draw(0, np.array([0.5, 0.25, 0.25]), "Dark", False)
    middles = [int(panel.tops[0]) + 12 * row + 6 for row in range(3)]
    said, other, true = (picture[middle, 116:282] for middle in middles)
    assert share_of(said[None], WRONG) == pytest.approx(0.5, abs=0.02)
    assert share_of(other[None], DIM) == pytest.approx(0.25, abs=0.02)
    assert share_of(other[None], TRACK) == pytest.approx(0.75, abs=0.02)
    top_edges = [picture[middle - 3, 200:280] for middle in middles]
    assert [share_of(edge[None], TEXT) for edge in top_edges] == [0, 0, 1]


@pytest.mark.parametrize("width", [320, 481, 960])
@pytest.mark.parametrize("count", [1, 2, 7, 8, 101])
def test_panels_of_any_number_of_classes(width, count):
    classes = tuple(f"A rather long name of class number {number}" for number in range(count))
    if count == 1:
        panel = Panel(width, classes=classes, num_frames=1, fps=25)
        picture = panel.draw(0, np.ones(1), classes[0], None)
    else:
        panel, picture = panel_picture(False, said=classes[0], classes=classes, width=width)
    assert picture.shape == (panel.height, width, 3)
    assert panel.height % 2 == 0
    assert (picture[:, : panel.width // 40] == NIGHT).all()  # nothing leaves the margins
    assert (picture[:, -(panel.width // 40) :] == NIGHT).all()
    assert panel.num_bars == (count if count <= 7 else 5)


def test_a_note_stands_on_a_line_of_its_own():
    plain, noted = (Panel(320, classes=CLASSES, num_frames=9, fps=25, note=note) for note in ("", "smoothed"))
    before, after = (panel.draw(0, np.array([0.8, 0.1, 0.1]), "Dark", None) for panel in (plain, noted))
    assert np.array_equal(before[: plain.height - 2], after[: plain.height - 2])
    assert (after[plain.height :] != NIGHT).any()


def test_a_strip_shows_the_mean_of_its_frames():
    strip = Strip(10, 20, num_frames=100)
    for index in range(50):
        strip.add(index, 0.5, index < 20 or index % 2 == 0)
    colours = [share_of(strip.pixels[:, column], RIGHT) for column in range(10)]
    assert colours == [0.5, 0.5, 0.25, 0.25, 0.25, 0, 0, 0, 0, 0]
    strip.add(5000, 1.0, True)  # more frames than the header promised
    assert share_of(strip.pixels[:, 9], RIGHT) == 1


def test_fit_text():
    font = font_of(10)
    assert fit_text("Juggling", font, 500) == "Juggling"
    short = fit_text("JugglingBallsForHours", font, 60)
    assert short.endswith("…")
    assert font.getlength(short) <= 60
    assert fit_text("Juggling", font, 5) == ""


@pytest.mark.parametrize("size", [(48, 64), (90, 50), (33, 47), (1, 1), (270, 480)])
def test_films_play_in_browsers(tmp_path, size):
    source = write_gif(tmp_path / "source.gif", np.full((5, *size, 3), 128, np.uint8), fps=25).path
    done = annotate_video(source, Photometer(), tmp_path / "film.mp4", true_label="Grey")
    with av.open(str(done.path)) as container:
        stream = container.streams.video[0]
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
    data = done.path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    assert done.num_frames == len(frames) == 5
    assert done.right == 1.0
    assert frames[0].shape[1] >= 320
    assert frames[0].shape[0] % 2 == 0 == frames[0].shape[1] % 2
    assert np.abs(frames[2][:40, frames[0].shape[1] // 2] - 128.0).max() < 12  # the video itself stands on top


def test_mistakes_are_refused_before_anything_is_written(tmp_path):
    path = film_of(tmp_path / "film.mp4", 40)
    with pytest.raises(ValueError, match=r"ending in .mp4 or .gif. Received: .*out.avi"):
        annotate_video(path, Photometer(), tmp_path / "out.avi")
    with pytest.raises(ValueError, match="true labels among Dark, Grey, Bright or 'none of these'. Received: dark"):
        annotate_video(path, Photometer(), tmp_path / "out.mp4", true_label="dark")
    assert [file.name for file in tmp_path.iterdir()] == ["film.mp4"]


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


def busy_frames(count, height=240, width=320):
    """A moving picture with a camera's noise: hard for GIF."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[0:height, 0:width]
    for number in range(count):
        waves = [128 + 90 * np.sin((rows * a + columns * b) / 23 + number / 6) for a, b in ((1, 2), (2, 1), (3, -1))]
        yield np.clip(np.stack(waves, axis=-1) + rng.normal(0, 4, (height, width, 1)), 0, 255).astype(np.uint8)


def read_gif(path):
    with Image.open(path) as picture:
        frames, durations = [], []
        for number in range(picture.n_frames):
            picture.seek(number)
            frames.append(np.asarray(picture.convert("RGB")))
            durations.append(picture.info["duration"])
        return np.array(frames), durations, picture.info.get("loop")


def test_gif_of_150_frames_keeps_to_its_size(tmp_path):
    done = write_gif(tmp_path / "busy.gif", busy_frames(150), fps=25)
    assert done.num_bytes == done.path.stat().st_size <= 1_500_000
    better = gifs.LADDER[gifs.LADDER.index(done.quality) - 1]
    film = np.array(list(busy_frames(150)))
    assert gifs._encode(tmp_path / "better.gif", film, fps=25, quality=better) > 1_500_000
    frames, durations, loop = read_gif(done.path)
    assert len(frames) == done.num_frames
    assert (done.width, done.height) == frames.shape[2:0:-1]
    assert sum(durations) == pytest.approx(6000, abs=10 * gifs.LADDER[-1].every * 4)
    assert loop == 0


def count_palettes(path):
    """(global, local) colour tables in a GIF."""
    data = path.read_bytes()
    at, local = 13 + (3 << (data[10] & 7) + 1 if data[10] & 128 else 0), 0
    while data[at] != 0x3B:
        if data[at] == 0x2C:
            flags, at = data[at + 9], at + 10
            local += flags >> 7
            at += (3 << (flags & 7) + 1 if flags & 128 else 0) + 1
        else:
            at += 2
        while data[at]:
            at += data[at] + 1
        at += 1
    return data[10] >> 7, local


def test_gif_has_one_palette_and_true_colours(tmp_path):
    source = list(busy_frames(12, 60, 80))
    done = write_gif(tmp_path / "small.gif", source, fps=25)
    frames, _, _ = read_gif(done.path)
    assert count_palettes(done.path) == (1, 0)
    assert done.quality == gifs.LADDER[0]
    assert np.abs(frames.astype(int) - source).mean() < 8


def test_palette_has_colours_for_small_things_under_a_wide_sky():
    across, down = np.meshgrid(np.linspace(90, 220, 240), np.linspace(40, 200, 160))
    film = np.stack([down, across, np.full_like(down, 230)], axis=-1).astype(np.uint8)[None].repeat(3, axis=0)
    film[:, 60:72, 100:112], film[:, 100:112, 30:42] = (220, 40, 30), (40, 160, 60)  # 0.4 % of the picture each
    palette = np.array(gifs.choose_palette(film, 64).getpalette()).reshape(-1, 3)
    for colour in ((220, 40, 30), (40, 160, 60)):
        assert np.abs(palette - colour).max(axis=1).min() < 16


def test_gif_of_a_film_keeps_the_colours_of_right_and_wrong(tmp_path):
    write_video(tmp_path / "busy.mp4", busy_frames(20, 120, 160), fps=25)
    model = Photometer()
    done = annotate_video(tmp_path / "busy.mp4", model, tmp_path / "film.gif", true_label="Grey", max_bytes=60_000)
    frames, _, _ = read_gif(done.path)
    assert done.path.stat().st_size <= 60_000
    assert share_of(frames[0], RIGHT) > 0.01


def test_gif_gives_up_colours_then_rate_then_size_and_then_says_no(tmp_path):
    source = list(busy_frames(24, 120, 160))
    sizes = [write_gif(tmp_path / "a.gif", source, fps=24, max_bytes=budget) for budget in (10**7, 300_000, 40_000)]
    assert sizes[0].quality == gifs.LADDER[0]
    assert sizes[0].num_bytes > sizes[1].num_bytes > sizes[2].num_bytes
    assert [done.num_bytes <= budget for done, budget in zip(sizes, (10**7, 300_000, 40_000), strict=True)] == [
        True
    ] * 3
    assert sizes[2].fps < 24
    with pytest.raises(ValueError, match="Expected at most 500 bytes for .*b.gif. Received: .* for 24 frames"):
        write_gif(tmp_path / "b.gif", source, fps=24, max_bytes=500)
    with pytest.raises(ValueError, match="at least 1 frame"):
        write_gif(tmp_path / "b.gif", [], fps=24)
    assert [file.name for file in tmp_path.iterdir()] == ["a.gif"]


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
    for count in (100, 1500):
        path = film_of(tmp_path / f"{count}.mp4", 90, 160, size=(90, 120), length=count // 2)
        command = [sys.executable, "-c", MEMORY, path, warm_up, tmp_path / "out.mp4"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        measured.append([int(word) for word in done.stdout.split()])
    (short, short_peak, short_rss), (long, long_peak, long_rss) = measured
    assert (short, long) == (100, 1500)
    assert long_peak < short_peak + 1_000_000  # bytes; one drawn frame has 300,000
    assert long_rss < short_rss + 40_000  # kilobytes; 1,400 more frames would be 500,000
