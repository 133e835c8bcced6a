"""Batches: every clip once, the same for the same seed, whole clips augmented alike, features left as they are."""

import itertools
import pickle
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actlib.dataset import ClipBatches, augment_clip, crop_clip, list_crops
from actlib.specs import FlowSpec
from actlib.video import make_sampler


def numbered_videos(lengths, *, size=4):
    """Videos whose pixels say (video, frame): colour 0 is the video, colour 1 the frame."""
    for video, length in enumerate(lengths):
        frames = np.zeros((length, size, size, 3), np.uint8)
        frames[..., 0], frames[..., 1] = video, np.arange(length)[:, None, None]
        yield frames


def make(sampler, *, lengths=(20, 9, 33, 16, 5), **options):
    """Batches over numbered videos, with labels 10, 11, 12, ..."""
    return ClipBatches(list(numbered_videos(lengths)), 10 + np.arange(len(lengths)), sampler, **options)


def read(data, number=0):
    """All clips of an epoch, as a list of (video, frame numbers), and the labels."""
    clips, labels = zip(*data.epoch(number), strict=True)
    pixels = np.concatenate(clips)[:, :, 0, 0]
    return [(int(clip[0, 0]), clip[:, 1].tolist()) for clip in pixels], np.concatenate(labels)


@settings(max_examples=60, deadline=None)
@given(
    lengths=st.lists(st.integers(0, 20), min_size=1, max_size=8).filter(any),
    batch_size=st.integers(1, 7),
    shuffle=st.booleans(),
    seed=st.integers(0, 99),
    number=st.integers(0, 3),
)
def test_every_clip_comes_once_an_epoch_and_the_same_seed_gives_the_same_batches(
    lengths, batch_size, shuffle, seed, number
):
    sampler = make_sampler("windows", 4, stride=2)
    one, two = (make(sampler, lengths=lengths, batch_size=batch_size, shuffle=shuffle, seed=seed) for _ in range(2))
    list(two.epoch(number + 1))  # what was asked before must not matter
    found, labels = read(one, number)
    windows = [(video, frames.tolist()) for video, n in enumerate(lengths) if n for frames in sampler(n, None)]
    assert sorted(found) == windows and (shuffle or found == windows)
    assert found == [(video, indices.tolist()) for video, indices in one.clips(number)]
    assert one.videos(number).tolist() == [video for video, _ in found] == (labels - 10).tolist()
    sizes = [len(labels) for _, labels in one.epoch(number)]
    assert len(one) == len(sizes) and set(sizes[:-1]) <= {batch_size} and sizes[-1] <= batch_size
    assert read(two, number)[0] == found


@pytest.mark.parametrize("rule, options", [("uniform", {}), ("segments", {}), ("consecutive", {"stride": 2})])
def test_one_clip_a_video_with_its_label(rule, options):
    found, labels = read(make(make_sampler(rule, 4, **options), batch_size=2))
    assert [video for video, _ in found] == [0, 1, 2, 3, 4] and labels.tolist() == [10, 11, 12, 13, 14]
    assert labels.dtype == np.int64 and all(len(frames) == 4 for _, frames in found)


@pytest.mark.parametrize(
    "rule, options",
    [
        ("segments", {}),
        ("uniform", {"shuffle": True}),
        ("uniform", {"control": "shuffled"}),
        ("uniform", {"augment": True}),
    ],
)
def test_random_choices_follow_the_seed_and_the_epoch(rule, options):
    videos = np.random.default_rng(0).integers(0, 256, (9, 12, 8, 8, 3), np.uint8)

    def epoch(seed, number):
        data = ClipBatches(videos, np.arange(9), make_sampler(rule, 4), batch_size=2, seed=seed, **options)
        return np.concatenate([clips for clips, _ in data.epoch(number)])

    assert np.array_equal(epoch(5, 1), epoch(5, 1))
    assert not np.array_equal(epoch(5, 1), epoch(5, 0)) and not np.array_equal(epoch(5, 1), epoch(4, 1))


def test_batches_may_be_asked_for_in_any_order_and_from_threads():
    data = make(make_sampler("windows", 4, stride=2), batch_size=2, shuffle=True, augment=True)
    expected = [clips for clips, _ in data.epoch(2)]
    with ThreadPoolExecutor(4) as pool:
        order = np.random.default_rng(0).permutation(len(expected)).tolist()
        found = list(pool.map(lambda index: data.batch(2, index)[0], order))
    assert all(np.array_equal(clips, expected[index]) for index, clips in zip(order, found, strict=True))
    for wrong in (-1, len(expected)):
        with pytest.raises(IndexError, match=f"0..{len(expected) - 1}. Received: {wrong}"):
            data.batch(2, wrong)


def test_shuffle_moves_clips():
    plain, shuffled = (make(make_sampler("windows", 4, stride=2), shuffle=shuffle) for shuffle in (False, True))
    assert read(plain)[0] != read(shuffled)[0] != read(shuffled, 1)[0]


def test_shuffled_frames_are_the_same_frames_in_another_order():
    plain, control = (make(make_sampler("uniform", 8), lengths=[16] * 6, control=value) for value in (None, "shuffled"))
    pairs = list(zip(plain.clips(0), control.clips(0), strict=True))
    assert all(sorted(mixed) == indices.tolist() for (_, indices), (_, mixed) in pairs)
    assert sum(mixed.tolist() == indices.tolist() for (_, indices), (_, mixed) in pairs) == 0
    plain.control = "shuffled"  # may be switched on later
    assert read(plain)[0] == read(control)[0]


@pytest.mark.parametrize(
    ("control", "expected"),
    [
        (None, [1, 3, 5, 7, 9]),
        ("first", [1, 1, 1, 1, 1]),
        ("first_last", [1, 1, 1, 9, 9]),
        ("reversed", [9, 7, 5, 3, 1]),
    ],
)
def test_a_control_stands_in_place_of_a_clip_s_frames(control, expected):
    batches = make(make_sampler("uniform", 5), lengths=[10], control=control)
    assert batches.clips(0)[0][1].tolist() == expected


def test_an_unknown_control_is_refused():
    with pytest.raises(ValueError, match="Expected control to be one of .*'first_last'.*Received: 'last'"):
        make(make_sampler("uniform", 4), control="last")


def test_features_stay_as_they_are_stored():
    features = np.random.default_rng(0).random((3, 10, 7)).astype(np.float16)
    data = ClipBatches(features, [0, 1, 2], make_sampler("uniform", 5), kind="features")
    ((clips, _),) = data.epoch(0)
    assert clips.dtype == np.float16 and np.array_equal(clips, features[:, 1::2])
    data.augment = True
    with pytest.raises(ValueError, match="Expected frames.*float16"):
        data.batch(0, 0)


def test_batches_are_of_the_kind_of_their_source():
    class Source(list):
        kind = "features"

    sampler = make_sampler("uniform", 2)
    assert make(sampler).kind == "frames"
    assert ClipBatches(Source(numbered_videos([3])), [0], sampler).kind == "features"
    assert ClipBatches(Source(numbered_videos([3])), [0], sampler, kind="frames").kind == "frames"


def test_labels_must_fit():
    with pytest.raises(ValueError, match=r"labels \(2,\) for 3 videos"):
        ClipBatches(list(numbered_videos([3, 3, 3])), [0, 1], make_sampler("uniform", 2))
    with pytest.raises(ValueError, match="batch size 0"):
        make(make_sampler("uniform", 2), batch_size=0)


def test_samplers_can_be_sent_to_other_processes():
    sampler = pickle.loads(pickle.dumps(make_sampler("windows", 4, stride=2)))
    assert sampler(6, None).tolist() == [[0, 1, 2, 3], [2, 3, 4, 5]]


def test_all_frames_of_a_clip_are_augmented_alike():
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (30, 40, 3), np.uint8)
    for _ in range(30):
        clip = augment_clip(np.repeat(picture[None], 5, axis=0), rng=rng, size=(20, 24))
        assert clip.shape == (5, 20, 24, 3) and clip.dtype == np.uint8
        assert (clip == clip[0]).all()


def test_crops_come_from_corners_and_the_centre_and_mirror_half_of_the_time():
    rows, columns = np.indices((60, 80))
    clip = np.stack([rows * 3, columns * 3, 0 * rows], axis=-1).astype(np.uint8)[None]  # pixels say where they are
    rng, seen, mirrored = np.random.default_rng(0), set(), 0
    for _ in range(400):
        picture = augment_clip(clip, rng=rng)[0].astype(int)
        top, bottom = sorted(picture[[0, -1], 30, 0] / 3)
        left, right = sorted(picture[30, [0, -1], 1] / 3)
        height, width = bottom - top + 1, right - left + 1
        assert 36 < height < 62 and 36 < width < 62  # 0.66 to 1 times the shorter side
        assert max(height, width) / min(height, width) < 1.3  # at most one step apart
        mirrored += picture[30, 0, 1] > picture[30, -1, 1]
        seen.add((round(top / max(1, 60 - height), 1) if height < 55 else None, left < 4, right > 75))
    assert {vertical for vertical, *_ in seen} >= {0.0, 0.5, 1.0} and 150 < mirrored < 250
    assert {position[1:] for position in seen} == {(True, False), (False, True), (False, False)}


@pytest.mark.parametrize("flow", [None, FlowSpec()])
def test_a_plain_crop_is_taken_anywhere_and_mirrored_half_of_the_time(flow):
    rng = np.random.default_rng(0)
    clip, seen = rng.integers(0, 256, (2, 7, 9, 3), np.uint8), []
    for _ in range(300):
        crop = crop_clip(clip, rng=rng, size=6, flow=flow)
        for top, left in np.ndindex(2, 4):
            straight = clip[:, top : top + 6, left : left + 6]
            mirrored = list_crops(6, flow=flow)[5](straight)
            seen += [(top, left, way) for way, one in enumerate((straight, mirrored)) if np.array_equal(crop, one)]
    assert len(seen) == 300 and set(seen) == set(np.ndindex(2, 4, 2)) and 120 < sum(way for *_, way in seen) < 180


@pytest.mark.parametrize("flow", [None, FlowSpec()])
def test_each_clip_comes_through_all_its_crops_in_testing(flow):
    rng = np.random.default_rng(0)
    videos = [rng.integers(0, 256, (6, 9, 11, 3), np.uint8) for _ in range(3)]
    options = {"batch_size": 7, "crops": list_crops(8, flow=flow)}
    batches = ClipBatches(videos, [0, 1, 0], make_sampler("strided", 2), **options)
    clips, labels = (np.concatenate(parts) for parts in zip(*batches.epoch(0), strict=True))
    assert clips.shape == (3 * 3 * 10, 2, 8, 8, 3) and labels.tolist() == [0] * 30 + [1] * 30 + [0] * 30
    assert batches.videos().tolist() == np.repeat([0, 1, 2], 30).tolist()
    expected = []
    for video in videos:
        for start in range(3):
            for mirrored in (False, True):
                for top, left in ((0, 0), (0, 3), (1, 0), (1, 3), (0, 1)):
                    clip = video[start::3, top : top + 8, left : left + 8]
                    clip = clip[:, :, ::-1].copy() if mirrored else clip.copy()
                    if mirrored and flow:
                        clip[..., 0] = 255 - clip[..., 0]
                    expected.append(clip)
    assert np.array_equal(clips, expected)
    assert np.array_equal(batches.batch(0, 2, rows=slice(3, 5))[0], expected[17:19])


def test_crops_are_for_testing():
    with pytest.raises(ValueError, match="Expected crops without shuffle. Received: both"):
        make(make_sampler("strided", 2), crops=list_crops(4), shuffle=True)


def test_augmentation_of_your_own():
    def invert(clip, *, rng):
        return 255 - clip

    videos, sampler = list(numbered_videos([6, 6])), make_sampler("uniform", 6)
    ((clips, _),) = ClipBatches(videos, [0, 1], sampler, augment=invert).epoch(0)
    assert np.array_equal(clips[1], 255 - videos[1])
    ((clips, _),) = ClipBatches(videos, [0, 1], sampler, augment=partial(augment_clip, size=8)).epoch(0)
    assert clips.shape == (2, 6, 8, 8, 3)


@pytest.mark.parametrize(
    "sampler",
    [lambda length, rng: np.array([0, length]), lambda length, rng: np.array([-1, 0]), lambda n, rng: np.arange(n)],
)
def test_samplers_of_your_own_are_checked(sampler):
    with pytest.raises(ValueError, match="Expected clips of .* for video [01]. Correct the sampler"):
        make(sampler, lengths=(6, 5)).clips()


def test_an_epoch_is_drawn_once_however_often_its_batches_and_the_length_are_asked_for():
    drawn = []

    def counting(length, rng):
        drawn.append(length)
        return np.arange(4)

    data = make(counting, lengths=(8, 8, 8), batch_size=1)
    for number, index in itertools.product(range(5, 9), range(3)):
        data.batch(number, index), len(data)
    assert len(drawn) == 5 * 3  # epochs 0 and 5 to 8


def test_an_array_with_fewer_frames_than_were_promised_is_an_error_not_the_last_frame_again():
    class Short(list):
        lengths = [6]

        def fill(self):
            return self

    batches = ClipBatches(Short(numbered_videos([4])), [0], make_sampler("uniform", 6))
    with pytest.raises(IndexError):
        batches.batch(0, 0)
