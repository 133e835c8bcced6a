"""Animations: play as they were, in true colors, keep to a size, and refuse what cannot be laid out."""

import errno
import io

import numpy as np
import pytest
from PIL import Image

from actlib import animation
from actlib.animation import TITLE_HEIGHT, animate_clips, write_animation

BOTH = pytest.mark.parametrize("ending", ["gif", "png"])


def slide_square(num_frames=6, color=(200, 30, 30)):
    """A square that moves to the right on gray, uint8 (T, 24, 40, 3)."""
    clip = np.full((num_frames, 24, 40, 3), 128, np.uint8)
    for step in range(num_frames):
        clip[step, 8:16, 4 * step : 4 * step + 8] = color
    return clip


def busy_frames(count, height=120, width=160):
    """A moving picture with a camera's noise: hard to pack."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[0:height, 0:width]
    for number in range(count):
        waves = [128 + 90 * np.sin((rows * a + columns * b) / 23 + number / 6) for a, b in ((1, 2), (2, 1), (3, -1))]
        yield np.clip(np.stack(waves, axis=-1) + rng.normal(0, 4, (height, width, 1)), 0, 255).astype(np.uint8)


def play(file):
    """What a browser shows, uint8 (T, height, width, 3), and the milliseconds of each frame."""
    with Image.open(file) as image:
        frames, durations = [], []
        for number in range(image.n_frames):
            image.seek(number)
            frames.append(np.asarray(image.convert("RGBA")))
            durations.append(image.info["duration"])
        assert image.info["loop"] == 0  # without end
    assert (np.stack(frames)[..., 3] == 255).all()  # no pixel is left clear
    return np.stack(frames)[..., :3], durations


def test_each_clip_plays_frame_by_frame_below_its_name():
    clips = {"red": slide_square(), "blue": slide_square(color=(30, 30, 200))}
    shown, durations = play(io.BytesIO(animate_clips(clips, columns=2, fps=20).data))
    assert shown.shape == (6, TITLE_HEIGHT + 24, 2 * 40 + 6, 3) and durations == [50] * 6
    assert (shown[:, :, 40:46] == 255).all()  # the paper between them is white
    for start, clip in ((0, clips["red"]), (46, clips["blue"])):
        part = shown[:, TITLE_HEIGHT:, start : start + 40]
        assert np.abs(part.astype(int) - clip).max() <= 8  # the palette's rounding, no trace of earlier frames
        assert (shown[:, :TITLE_HEIGHT, start : start + 40] < 128).any()  # the name


def test_paper_stays_white_beside_what_is_nearly_white():
    snow = np.full((3, 24, 40, 3), (249, 253, 254), np.uint8)
    shown, _ = play(io.BytesIO(animate_clips({"snow": snow}).data))
    assert (shown[:, 0] == 255).all()


def test_an_animation_is_described():
    data, metadata = animate_clips({"red": slide_square()})._repr_mimebundle_()
    assert set(data) == {"image/png"} and metadata["image/png"]["alt"] == "Animation: red"


def test_a_long_name_is_fitted():
    clips = {"Handstands": np.full((2, 24, 70, 3), 255, np.uint8)}  # 82 pixels at the usual size
    shown, _ = play(io.BytesIO(animate_clips(clips).data))
    assert shown.shape[1:3] == (TITLE_HEIGHT + 24, 70)
    dark = np.flatnonzero((shown[0] < 128).any(axis=(0, 2)))
    assert 50 < dark.max() < 69  # all of it


@pytest.mark.parametrize("clips", [{}, {"long": slide_square(6), "short": slide_square(5)}])
def test_clips_of_different_shapes_are_refused(clips):
    with pytest.raises(ValueError, match="Expected clips of one shape"):
        animate_clips(clips)


@BOTH
def test_a_red_dot_that_appears_late_stays_red(tmp_path, ending, monkeypatch):
    monkeypatch.setattr(animation, "LADDER", [(32, 4, 1, 1.0)])
    film = np.array(list(busy_frames(25)))[..., [2, 2, 1]] // 4 * [1, 2, 3]  # wide, noisy, without red
    film = film.astype(np.uint8)
    film[20:, 60:64, 80:84] = (230, 20, 30)  # 0.02 % of all pixels
    shown, _ = play(write_animation(tmp_path / f"dot.{ending}", film, fps=25, max_bytes=10**7))
    assert len(shown) == 25
    assert np.abs(shown[20:, 60:64, 80:84].astype(int) - (230, 20, 30)).max() < 12
    assert np.abs(shown.astype(int) - film).mean() < 9


@BOTH
def test_reserved_colors_are_kept_whatever_is_given_up(tmp_path, ending):
    film = np.array(list(busy_frames(16)))
    film[:, 100:, :80] = (98, 184, 236)
    shown, _ = play(
        write_animation(tmp_path / f"film.{ending}", film, fps=25, max_bytes=40_000, reserved=[(98, 184, 236)])
    )
    assert (shown[:, -4:, :20] == (98, 184, 236)).all()


@BOTH
def test_colors_then_frames_then_size_are_given_up_and_then_it_says_no(tmp_path, ending):
    film = list(busy_frames(24, 60, 80))
    budgets = (10**7, 60_000, 9_000)
    files = [write_animation(tmp_path / f"a{budget}.{ending}", film, fps=25, max_bytes=budget) for budget in budgets]
    assert all(file.stat().st_size <= budget for file, budget in zip(files, budgets, strict=True))
    (first, first_times), _, (last, last_times) = (play(file) for file in files)
    assert first.shape == (24, 60, 80, 3) and np.abs(first.astype(int) - film).mean() < 8
    assert len(last) < 24 and last.shape[1] < 60
    assert sum(first_times) == 960 and sum(last_times) == pytest.approx(960, abs=280)  # the same speed
    message = rf"Expected at most 500 bytes for .*b.{ending}. Received: more, for 24 frames"
    with pytest.raises(ValueError, match=message):
        write_animation(tmp_path / f"b.{ending}", film, fps=25, max_bytes=500)
    assert not (tmp_path / f"b.{ending}").exists()


@pytest.mark.parametrize(
    ("name", "frames", "message"),
    [
        ("a.gif", [], "Expected at least 1 frame for .*a.gif"),
        (
            "a.gif",
            [np.zeros((4, 4, 3), np.uint8), np.zeros((4, 6, 3), np.uint8)],
            "frames of one size. Received: frame 1 of",
        ),
        (
            "a.gif",
            np.zeros((animation.MAX_FRAMES + 1, 2, 2, 3), np.uint8),
            "Expected up to 3000 frames of one size. Received: frame 3000",
        ),
        ("a.webp", [], "ending in .gif, .png. Received: .*a.webp"),
    ],
)
def test_frames_that_make_no_animation_leave_the_old_file(tmp_path, name, frames, message):
    (tmp_path / name).write_bytes(b"old")
    with pytest.raises(ValueError, match=message):
        write_animation(tmp_path / name, frames, fps=25)
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"old"]


def test_a_gif_has_one_palette(tmp_path):
    path = write_animation(tmp_path / "small.gif", busy_frames(12, 60, 80), fps=25)
    data = path.read_bytes()
    at, local = 13 + (3 << (data[10] & 7) + 1 if data[10] & 128 else 0), 0
    while data[at] != 0x3B:  # block after block: an image has flags of its own
        if data[at] == 0x2C:
            flags, at = data[at + 9], at + 10
            local += flags >> 7
            at += (3 << (flags & 7) + 1 if flags & 128 else 0) + 1
        else:
            at += 2
        while data[at]:
            at += data[at] + 1
        at += 1
    assert (data[10] >> 7, local) == (1, 0)  # global, local


def test_a_palette_has_colors_for_small_things_under_a_wide_sky():
    across, down = np.meshgrid(np.linspace(90, 220, 240), np.linspace(40, 200, 160))
    film = np.stack([down, across, np.full_like(down, 230)], axis=-1).astype(np.uint8)[None].repeat(3, axis=0)
    film[:, 60:72, 100:112], film[:, 100:112, 30:42] = (220, 40, 30), (40, 160, 60)  # 0.4 % of the picture each
    palette = animation._choose_palette(*animation._count_colors(film), 64).astype(int)
    for color in ((220, 40, 30), (40, 160, 60)):
        assert np.abs(palette - color).max(axis=1).min() < 16


def test_frames_for_which_there_is_no_room_are_named(tmp_path, monkeypatch):
    def refuse(dir):
        raise OSError(errno.ENOSPC, "No space left on device", str(dir))

    monkeypatch.setattr(animation.tempfile, "TemporaryFile", refuse)
    with pytest.raises(OSError, match="Expected room for a.gif .*No space left.* Free some disk"):
        animation.write_animation(tmp_path / "a.gif", np.zeros((2, 8, 8, 3), np.uint8), fps=10)
