"""What each sampling rule promises, over any length of video and of clip; and a few choices by hand."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actlib.video.sampling import (
    RANDOM_SAMPLING,
    SAMPLING,
    make_sampler,
    sample_consecutive,
    sample_segments,
    sample_strided,
    sample_uniform,
    sample_windows,
)

STEADY = settings(derandomize=True, deadline=None, database=None, max_examples=200)
LENGTHS, COUNTS, STRIDES, SEEDS = st.integers(1, 400), st.integers(1, 40), st.integers(1, 20), st.integers(0, 99)
T = 16


@STEADY
@given(st.sampled_from(sorted(SAMPLING)), LENGTHS, COUNTS, STRIDES | st.none(), SEEDS)
def test_every_rule_gives_rising_clips_inside_the_video(name, total, num_frames, stride, seed):
    stride = stride if name in ("consecutive", "windows") else None
    sampler = make_sampler(name, num_frames, stride=stride)
    clips = sampler(total, np.random.default_rng(seed))
    assert clips.dtype == np.int64 and clips.ndim == 2 and clips.shape[1] == num_frames and len(clips) >= 1
    assert clips.min() >= 0 and clips.max() < total and (np.diff(clips) >= 0).all()
    assert np.array_equal(pickle.loads(pickle.dumps(sampler))(total, np.random.default_rng(seed)), clips)
    if name not in RANDOM_SAMPLING:
        assert np.array_equal(sampler(total), clips)


@STEADY
@given(LENGTHS, COUNTS)
def test_uniform_takes_the_middle_of_equal_parts(total, num_frames):
    indices = sample_uniform(total, num_frames)
    middles = (np.arange(num_frames) + 0.5) * total / num_frames
    assert (np.abs(indices + 0.5 - middles) <= 0.5).all()
    assert len(set(indices)) == min(total, num_frames)  # repeats only where there are too few, and then takes all
    assert np.abs(indices + indices[::-1] + 1 - total).max() <= 1  # the same from both ends, but for rounding


@STEADY
@given(LENGTHS, COUNTS, SEEDS)
def test_segments_take_one_frame_of_each_part(total, num_frames, seed):
    indices = sample_segments(total, num_frames, rng=np.random.default_rng(seed))
    starts = np.arange(num_frames) * total / num_frames
    assert (np.floor(starts) <= indices).all() and (indices < starts + total / num_frames).all()


def test_segments_draw_every_frame_of_their_parts():
    rng = np.random.default_rng(0)
    drawn = np.array([sample_segments(40, 4, rng=rng) for _ in range(400)])
    for part in range(4):
        assert set(drawn[:, part]) == set(range(10 * part, 10 * part + 10))


@STEADY
@given(LENGTHS, COUNTS, STRIDES, SEEDS)
def test_consecutive_frames_are_a_stride_apart_and_the_last_is_held(total, num_frames, stride, seed):
    indices = sample_consecutive(total, num_frames, rng=np.random.default_rng(seed), stride=stride)
    span = (num_frames - 1) * stride + 1
    assert np.array_equal(indices, np.minimum(indices[0] + stride * np.arange(num_frames), total - 1))
    assert indices[0] + span <= total or (indices[0] == 0 and span > total)


@pytest.mark.parametrize(("total", "starts"), [(T - 1, {0}), (T, {0}), (T + 1, {0, 1}), (T + 3, {0, 1, 2, 3})])
def test_consecutive_starts_anywhere(total, starts):
    rng = np.random.default_rng(0)
    assert {int(sample_consecutive(total, T, rng=rng)[0]) for _ in range(100)} == starts


@STEADY
@given(LENGTHS, COUNTS, STRIDES)
def test_windows_are_in_a_row_and_end_at_the_last_frame(total, num_frames, stride):
    windows = sample_windows(total, num_frames, stride=stride)
    starts = windows[:, 0]
    assert np.array_equal(windows, np.minimum(starts[:, None] + np.arange(num_frames), total - 1))
    assert starts[0] == 0 and windows[-1, -1] == total - 1 and starts[-1] == max(0, total - num_frames)
    assert (np.diff(starts)[:-1] == stride).all() and (np.diff(starts)[-1:] <= stride).all()
    assert len(set(starts)) == len(starts)
    if stride <= num_frames:
        assert set(windows.ravel()) == set(range(total))


@STEADY
@given(LENGTHS, COUNTS)
def test_strided_clips_share_the_frames_and_take_none_twice(total, num_frames):
    clips = sample_strided(total, num_frames)
    if total < num_frames:
        assert np.array_equal(clips, sample_uniform(total, num_frames)[None])
    else:
        assert len(clips) == total // num_frames
        assert sorted(clips.ravel()) == list(range(clips.size))  # each once; fewer than T at the end are left out
        assert (np.diff(clips) == len(clips)).all()


def test_the_default_strides():
    assert sample_windows(40, T)[:, 0].tolist() == [0, 8, 16, 24]
    assert (np.diff(sample_consecutive(40, T, rng=np.random.default_rng(0))) == 1).all()


@pytest.mark.parametrize("name", SAMPLING)
def test_rules_refuse_what_has_no_frames(name):
    with pytest.raises(ValueError, match="num_video_frames of at least 1. Received: 0"):
        make_sampler(name, T)(0, np.random.default_rng(0))
    with pytest.raises(ValueError, match="num_frames of at least 1. Received: 0"):
        make_sampler(name, 0)(5, np.random.default_rng(0))
    if name in ("consecutive", "windows"):
        with pytest.raises(ValueError, match="stride of at least 1. Received: 0"):
            make_sampler(name, T, stride=0)(5, np.random.default_rng(0))


def test_an_unknown_rule_is_named():
    with pytest.raises(ValueError, match="a sampling rule to be one of .*'consecutive'.*Received: 'best'"):
        make_sampler("best", 2)
