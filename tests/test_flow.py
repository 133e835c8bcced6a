"""Optical flow: what is measured, how it is encoded, and what its caches keep."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from made_videos import tabulate, write_mpeg4
from scipy.ndimage import gaussian_filter

from actlib.dataset import FeatureCache, FrameCache
from actlib.specs import FLOW_METHODS, FlowSpec
from actlib.video import VideoError, flow, open_video, read_frames, sample_uniform, stream_flow, write_video
from actlib.video.flow import FLOW, mirror_flow, read_flow

STEP = 3, -2  # pixels a frame, to the right and up
STACK = FlowSpec(bound=20.0, magnitude=False, length=5)


def texture(height, width, sigma, seed):
    """Soft spots, uint8 (height, width, 3)."""
    noise = gaussian_filter(np.random.default_rng(seed).random((height, width, 3)), (sigma, sigma, 0))
    return (255 * (noise - noise.min()) / np.ptp(noise)).astype(np.uint8)


def moving_square(num_frames, *, step=STEP, height=240, width=320, side=120, start=(80, 100)):
    """A textured square that moves over a textured ground, and the (rows, columns) of its inside in each frame."""
    ground, square = texture(height, width, 5, 0), texture(side, side, 4, 1)
    for number in range(num_frames):
        top, left = start[0] + step[1] * number, start[1] + step[0] * number
        frame = ground.copy()
        frame[top : top + side, left : left + side] = square
        inside = slice(top + side // 4, top + side - side // 4), slice(left + side // 4, left + side - side // 4)
        yield frame, inside


def encode_flow(vectors, spec=FLOW, **options):
    return flow._encode_flow(vectors, spec, **options)


def measure_flow(before, after, *, method="fast"):
    return flow._make_method(method)(*(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in (before, after)))


def decode_flow(pictures):
    """u and v in pixels, of pictures of `FLOW`."""
    return (pictures[..., :2].astype(np.float32) - 128) * FLOW.bound / 128


def write_movie(path, num_frames, **options):
    """A lossless video of the moving square."""
    lossless = {"crf": "0", "preset": "ultrafast"}
    return write_video(path, (frame for frame, _ in moving_square(num_frames, **options)), fps=25, options=lossless)


@pytest.mark.parametrize("method", FLOW_METHODS)
def test_a_square_moves_as_far_as_it_was_drawn_to(method):
    (before, inside), (after, _) = moving_square(2)
    found = measure_flow(before, after, method=method)
    assert found.shape == (240, 320, 2) and found.dtype == np.float32
    assert np.abs(np.median(found[inside], axis=(0, 1)) - STEP).max() < 0.3
    assert np.quantile(np.abs(found[inside] - STEP), 0.9) < 0.3
    assert np.abs(found[:40]).max() < 0.1  # the ground stands still


def test_a_picture_holds_flow_in_sixteenths_of_a_pixel():
    vectors = np.float32([[[0, 0], [3, -4], [7.9, -8]], [[-9, 9], [0.1, -0.1], [-8, 0]]])
    picture = encode_flow(vectors)
    assert picture.dtype == np.uint8
    assert picture.tolist() == [
        [[128, 128, 128], [176, 64, 208], [254, 0, 255]],
        [[0, 255, 255], [130, 126, 130], [0, 128, 255]],
    ]
    assert encode_flow(vectors, STACK)[0].tolist() == [[128, 128], [147, 102], [179, 77]]  # 6.4 a pixel, no magnitude


@settings(deadline=None)
@given(arrays(np.float32, (4, 6, 2), elements=st.floats(-7.75, 7.75, width=32)))
def test_what_is_encoded_is_read_again(vectors):
    assert np.abs(decode_flow(encode_flow(vectors)) - vectors).max() <= 1 / 32 + 1e-6


def test_flow_is_scaled_with_its_vectors():
    vectors = np.broadcast_to(np.float32([4, 3]), (48, 64, 2)).copy()
    assert np.unique(encode_flow(vectors, size=(24, 16)).reshape(-1, 3), axis=0).tolist() == [[144, 152, 157]]  # 1, 1.5
    assert encode_flow(vectors, size=(32, 32)).shape == (32, 32, 3)


@settings(max_examples=30, deadline=None)
@given(arrays(np.uint8, (2, 3, 5, 3)), arrays(np.uint8, (2, 3, 5, 10)))
def test_a_mirrored_picture_goes_the_other_way(pictures, stacks):
    for each, step, spec in ((pictures, 3, FlowSpec()), (stacks, 2, STACK)):
        mirrored = mirror_flow(each, spec)
        for channel in range(each.shape[-1]):
            flipped = each[..., ::-1, channel]
            assert (mirrored[..., channel] == (255 - flipped if channel % step == 0 else flipped)).all()
        assert (mirror_flow(mirrored, spec) == each).all()


def test_a_mirrored_video_has_mirrored_flow():
    (before, _), (after, _) = moving_square(2)
    mirrored = encode_flow(measure_flow(before[:, ::-1], after[:, ::-1]))
    difference = np.abs(mirror_flow(encode_flow(measure_flow(before, after))).astype(int) - mirrored)
    assert np.median(difference) <= 1 and np.quantile(difference, 0.95) <= 16


def test_a_still_video_is_128_everywhere(tmp_path):
    frame = texture(48, 64, 2, 0)
    still = write_video(tmp_path / "still.mp4", [frame] * 6, fps=25, options={"crf": "0"})
    for spec in (FlowSpec(), FlowSpec("medium"), FlowSpec("farneback"), STACK):
        assert (read_flow(still, range(6), size=32, spec=spec) == 128).all()
    single = write_video(tmp_path / "single.mp4", [frame], fps=25)
    assert (read_flow(single, [0, 0], size=32) == 128).all()


def test_the_flow_of_a_frame_leads_to_the_next_and_the_last_has_that_of_the_last_pair(tmp_path):
    frames = [texture(48, 64, 3, 0)] * 3 + [texture(48, 64, 3, 1)] * 3  # all that moves is between 2 and 3
    video = write_video(tmp_path / "cut.mp4", frames, fps=25, options={"crf": "0"})
    moves = (read_flow(video, range(6)) != 128).any(axis=(1, 2, 3))
    assert moves.tolist() == [False, False, True, False, False, False]
    movie = write_movie(tmp_path / "movie.mp4", 4)
    pictures = read_flow(movie, [3, 0, 2, 2])
    assert (pictures[0] == pictures[2]).all() and (pictures[2] == pictures[3]).all()
    assert (pictures[0] != pictures[1]).any()
    read = list(read_frames(movie))
    assert (pictures[1] == encode_flow(measure_flow(read[0], read[1]))).all()
    assert (pictures[2] == encode_flow(measure_flow(read[2], read[3]))).all()
    inside = list(moving_square(1))[0][1]
    assert np.abs(np.median(decode_flow(pictures[1])[inside], axis=(0, 1)) - STEP).max() < 0.3


def test_a_stack_holds_the_pairs_that_follow(tmp_path):
    movie, single = write_movie(tmp_path / "movie.mp4", 5), FlowSpec(bound=20.0, magnitude=False)
    pairs, stacks = read_flow(movie, range(5), size=32, spec=single), read_flow(movie, [1, 3], size=32, spec=STACK)
    assert stacks.shape == (2, 32, 32, 10) and pairs.shape == (5, 32, 32, 2)
    for stack, numbers in zip(stacks, ([1, 2, 3, 3, 3], [3, 3, 3, 3, 3]), strict=True):
        assert (stack == np.concatenate(pairs[numbers], axis=-1)).all()


def test_some_frames_have_the_flow_that_they_have_among_all(tmp_path):
    video = write_mpeg4(tmp_path / "many.avi", 20, frames=[texture(48, 64, 3, number) for number in range(20)])
    all_frames, some = read_flow(video, range(20), size=16), [*range(0, 20, 3), 19]
    assert (read_flow(video, some, size=16) == all_frames[some]).all() and len({*map(bytes, all_frames)}) == 19


@pytest.mark.parametrize("spec", [FLOW, STACK], ids=["flow", "stack"])
@pytest.mark.parametrize("num_frames", [1, 2, 5, 12])
def test_a_stream_gives_what_a_file_gives(tmp_path, num_frames, spec):
    video = open_video(write_movie(tmp_path / "movie.mp4", num_frames))
    streamed = np.stack([*stream_flow(video, size=32, spec=spec)])
    assert (streamed == read_flow(video.path, range(num_frames), size=32, spec=spec)).all()
    some = np.stack([*stream_flow(video, size=32, fps=10, spec=spec)])  # of 12 frames 1, 3, 6, 8, 11
    numbers = [min(int((slot + 0.5) * 2.5), num_frames - 1) for slot in range(len(some))]
    assert (some == streamed[numbers]).all() and len(some) == max(1, round(num_frames / 2.5))


def test_what_cannot_be_read_is_refused(tmp_path):
    with pytest.raises(VideoError, match="at least 7 frames. Received: 4"):
        read_flow(write_movie(tmp_path / "movie.mp4", 4), [6])
    tiny = write_video(tmp_path / "tiny.mp4", np.zeros((3, 8, 300, 3), np.uint8), fps=25)
    with pytest.raises(VideoError, match="12 pixels a side or more for optical flow. Received: 300 x 8"):
        read_flow(tiny, [0])
    assert (read_flow(tiny, [0], spec=FlowSpec("farneback")) == 128).all()

    with pytest.raises(ValueError, match="Expected method to be one of .'fast'.*Received: 'slow'"):
        FlowSpec("slow")


def test_a_cache_keeps_flow_pictures(tmp_path, monkeypatch):
    paths = [write_movie(tmp_path / f"{step}.mp4", 5, step=(step, 0)) for step in (1, 4)]
    videos = tabulate(paths)
    options = {"num_frames": 3, "size": (24, 32), "folder": tmp_path / "cache", "progress": False}
    specs = [None, FlowSpec(), FlowSpec(bound=4.0), FlowSpec("medium"), FlowSpec(magnitude=False), STACK]
    caches = [FrameCache(videos, flow=spec, **options).fill() for spec in specs]
    assert len({cache.name for cache in caches}) == len({cache.folder for cache in caches}) == len(specs)
    assert [cache[1].shape[-1] for cache in caches] == [3, 3, 3, 3, 2, 10]
    for spec, cache in zip(specs[1:], caches[1:], strict=True):
        assert (cache[1] == read_flow(paths[1], sample_uniform(5, 3), size=(24, 32), spec=spec)).all()
    monkeypatch.setattr("actlib.dataset.cache.read_flow", lambda *given, **options: pytest.fail("measures again"))
    again = FrameCache(videos, flow=FlowSpec(), **options).fill()
    features = FeatureCache(again, lambda pictures: pictures.mean((1, 2)), key="mean", folder=tmp_path)
    assert again.kind == "frames" and "flow" in again.name and again.name in features.key
    slow, fast = (float(features[index][:, 0].mean()) for index in (0, 1))  # mean u of each video
    assert 128 < slow < fast
