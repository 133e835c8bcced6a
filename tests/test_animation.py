"""Moving pictures: play as they were, stay small, and refuse what cannot be laid out."""

import io

import numpy as np
import pytest
from PIL import Image

from actlib.animation import TITLE_HEIGHT, animate_clips


def slide_square(num_frames=6, colour=(200, 30, 30)):
    """A square that moves to the right on grey, uint8 (T, 24, 40, 3)."""
    clip = np.full((num_frames, 24, 40, 3), 128, np.uint8)
    for step in range(num_frames):
        clip[step, 8:16, 4 * step : 4 * step + 8] = colour
    return clip


def play(picture):
    """What a browser shows, uint8 (T, height, width, 3)."""
    image, frames = Image.open(io.BytesIO(picture.png)), []
    for number in range(image.n_frames):
        image.seek(number)
        frames.append(np.asarray(image.convert("RGBA")))
    assert (np.stack(frames)[..., 3] == 255).all()  # no pixel is left clear
    return np.stack(frames)[..., :3]


def test_each_clip_plays_frame_by_frame_below_its_name():
    clips = {"red": slide_square(), "blue": slide_square(colour=(30, 30, 200))}
    shown = play(animate_clips(clips, columns=2))
    assert shown.shape == (6, TITLE_HEIGHT + 24, 2 * 40 + 6, 3)
    for start, clip in ((0, clips["red"]), (46, clips["blue"])):
        part = shown[:, TITLE_HEIGHT:, start : start + 40]
        assert np.abs(part.astype(int) - clip).max() <= 8  # the palette's rounding, no trace of earlier frames
        assert (shown[:, :TITLE_HEIGHT, start : start + 40] < 128).any()  # the name


def test_it_is_timed_endless_and_described():
    picture = animate_clips({"red": slide_square()}, fps=20)
    image = Image.open(io.BytesIO(picture.png))
    assert (image.n_frames, image.info["loop"], image.info["duration"]) == (6, 0, 50)
    data, metadata = picture._repr_mimebundle_()
    assert set(data) == {"image/png", "text/plain"} and metadata["image/png"]["alt"] == "Moving: red"


def test_a_picture_too_large_gives_up_colours_not_frames():
    noise = np.random.default_rng(0).integers(0, 256, (5, 48, 64, 3), dtype=np.uint8)
    fine, coarse = animate_clips({"noise": noise}), animate_clips({"noise": noise}, max_bytes=12_000)
    assert len(coarse.png) < len(fine.png)
    assert len(play(coarse)) == len(play(fine)) == 5


def test_a_long_name_is_fitted_and_the_picture_is_kept_in_a_file(tmp_path):
    path = animate_clips({"HandstandPushupsOnTheBeach": slide_square()}).save(tmp_path / "moving.png")
    assert Image.open(path).size == (40, TITLE_HEIGHT + 24)


@pytest.mark.parametrize("clips", [{}, {"long": slide_square(6), "short": slide_square(5)}])
def test_clips_of_different_shapes_are_refused(clips):
    with pytest.raises(ValueError, match="Expected clips of one shape"):
        animate_clips(clips)
