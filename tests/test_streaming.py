"""Foreign videos: every awkward kind is written with PyAV, opened, streamed, and read by index to the same bytes."""

import itertools
import os
import random
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from made_videos import write_mpeg4

from actlib.video import (
    Limits,
    VideoError,
    open_video,
    probe_video,
    read_clip,
    read_frames,
    sample_uniform,
    save_upload,
    stream_frames,
)
from actlib.video.streaming import resample_fps


def draw_frames(count, *, width=64, height=48):
    """A red band at the top, and grey that grows by 10 each frame below it."""
    for number in range(count):
        frame = np.full((height, width, 3), 40 + 10 * (number % 20), np.uint8)
        frame[: height // 4] = (220, 30, 30)
        yield frame


def draw_noise(count, *, height=48, width=64, channels=3):
    """Every pixel for itself, so that no two ways of scaling agree."""
    return np.random.default_rng(0).integers(0, 256, (count, height, width, channels), np.uint8)


def write_film(
    path, frames, *, codec="libx264", pixels="yuv420p", rate=10, times=None, kind="rgb24", prepare=None, **options
):
    """Writes frames with one codec; `times` are their pts in units of 1 / rate, `prepare` gets the stream first."""
    with av.open(str(path), "w", options=options) as container:
        stream = None
        for number, frame in enumerate(frames):
            if stream is None:
                stream = container.add_stream(codec, rate=rate)
                stream.height, stream.width = frame.shape[:2]
                stream.pix_fmt = pixels
                if prepare:
                    prepare(stream)
            picture = av.VideoFrame.from_ndarray(frame, format=kind).reformat(format=pixels)
            picture.pts = number if times is None else times[number]
            picture.time_base = Fraction(1, rate)
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    return path


def grey_of(frame):
    """Brightness in the lower right corner, away from the red band."""
    return float(frame[-8:, -8:].mean())


KINDS = {
    "film.mp4": ("libx264", "yuv420p"),
    "film.mov": ("mpeg4", "yuv420p"),
    "film.mkv": ("ffv1", "yuv444p"),
    "film10bit.mkv": ("ffv1", "yuv420p10le"),
    "film.webm": ("libvpx-vp9", "yuv420p"),
    "film.avi": ("mpeg4", "yuv420p"),
    "camera.avi": ("mjpeg", "yuvj420p"),
    "film.mpg": ("mpeg2video", "yuv420p"),
    "film.ts": ("mpeg2video", "yuv420p"),
    "film.flv": ("flv", "yuv420p"),
    "film.wmv": ("wmv2", "yuv420p"),
    "film.h264": ("libx264", "yuv420p"),
}


@pytest.mark.parametrize("name", KINDS)
def test_containers_and_codecs(tmp_path, name):
    codec, pixels = KINDS[name]
    path = write_film(tmp_path / name, draw_frames(25), codec=codec, pixels=pixels, rate=25)
    stream = open_video(path)
    frames = list(stream_frames(stream))
    assert (stream.width, stream.height, stream.fps) == (64, 48, 25)
    assert len(frames) == 25
    assert abs(stream.num_frames - 25) <= 1
    assert frames[0].shape == (48, 64, 3)
    assert frames[0].dtype == np.uint8
    assert frames[0][4, 30, 0] > 180 > 80 > frames[0][4, 30, 2]  # red above, RGB
    assert (
        np.abs([grey_of(frame) - grey_of(real) for frame, real in zip(frames, draw_frames(25), strict=True)]).max() < 9
    )


def widen(stream):
    """Pixels twice as wide as high."""
    stream.codec_context.sample_aspect_ratio = Fraction(2, 1)


ROTATED = ("rotated90.mp4", "rotated180.mov", "rotated-90.mp4")
AWKWARD = (*ROTATED, "wide.mp4", "alpha.mov", "large.mp4", "b_frames.avi")


def write_noise(folder, name):
    """Twelve frames of noise in each kind of file, and in the awkward ones."""
    path, frames = folder / name, draw_noise(12)
    if name in KINDS:
        codec, pixels = KINDS[name]
        return write_film(
            path,
            frames,
            codec=codec,
            pixels=pixels,
            rate=25,
            prepare=lambda stream: setattr(stream, "bit_rate", 8_000_000),
        )
    if name in ROTATED:
        turn = int(path.stem.removeprefix("rotated"))
        return write_film(path, frames, prepare=lambda stream: stream.set_display_rotation(turn))
    if name == "b_frames.avi":
        return write_mpeg4(path, 12, b_frames=2)
    if name == "wide.mp4":
        return write_film(path, frames, prepare=widen)
    if name == "alpha.mov":
        return write_film(path, draw_noise(12, channels=4), codec="qtrle", pixels="argb", kind="rgba")
    return write_film(path, draw_noise(3, height=500, width=640))  # large: decoded by several threads


@pytest.mark.parametrize("size", [None, 20, (30, 17), (96, 128)])
@pytest.mark.parametrize("name", [*KINDS, *AWKWARD])
def test_streaming_gives_the_bytes_of_reading_by_index(tmp_path, name, size):
    path = write_noise(tmp_path, name)
    streamed = np.stack(list(stream_frames(open_video(path), size=size)))
    assert len(streamed) in (3, 12)
    assert np.array_equal(streamed, read_clip(path, range(len(streamed)), size=size))
    assert np.array_equal(streamed, list(read_frames(path, size=size)))


def test_shrinking_takes_the_mean_of_what_each_pixel_covers(tmp_path):
    frames = draw_noise(2)
    path = write_film(tmp_path / "noise.mkv", frames, codec="ffv1", pixels="bgr0")
    means = frames.reshape(2, 12, 4, 16, 4, 3).mean(axis=(2, 4))  # (2, 12, 16, 3)
    streamed = np.stack(list(stream_frames(open_video(path), size=(12, 16))))
    assert np.abs(streamed - means).max() < 3 and np.abs(read_clip(path, [0, 1], size=(12, 16)) - means).max() < 3


@pytest.mark.parametrize("turn", [0, 90, 180, -90])
def test_turned_phones_come_out_upright(tmp_path, turn):
    upright = list(draw_frames(3, width=48, height=64))
    stored = [np.ascontiguousarray(np.rot90(frame, -turn // 90)) for frame in upright]
    path = write_film(tmp_path / "phone.mp4", stored, prepare=lambda stream: stream.set_display_rotation(turn))
    stream, info = open_video(path), probe_video(path)
    assert (stream.width, stream.height) == (info.width, info.height) == (48, 64) and stream.rotation == turn % 360
    for frame, real in zip(stream_frames(stream), upright, strict=True):
        assert np.abs(frame.astype(int) - real).mean() < 8
    assert next(stream_frames(stream, size=(20, 30))).shape == (20, 30, 3)


def test_transparent_pixels_are_grey(tmp_path):
    clear = np.zeros((32, 32, 4), np.uint8)
    clear[:16] = (200, 100, 50, 255)
    path = write_film(tmp_path / "sticker.mov", [clear] * 3, codec="qtrle", pixels="argb", kind="rgba")
    stream = open_video(path)
    frame = next(stream_frames(stream))
    assert frame[4, 4].tolist() == [200, 100, 50]
    assert frame[28, 4].tolist() == [128, 128, 128]


@pytest.mark.parametrize("size", [(33, 47), (1, 1), (2, 301), (241, 5)])
def test_odd_sizes(tmp_path, size):
    frames = list(draw_frames(4, height=size[0], width=size[1]))
    stream = open_video(write_film(tmp_path / "odd.mkv", frames, codec="ffv1", pixels="bgr0"))
    assert [frame.shape for frame in stream_frames(stream)] == [(*size, 3)] * 4


def test_pixels_that_are_not_square(tmp_path):
    path = write_film(tmp_path / "dv.mp4", draw_frames(2), prepare=widen)
    stream, info = open_video(path), probe_video(path)
    assert (stream.width, stream.height) == (info.width, info.height) == (128, 48)
    assert read_clip(path, [0]).shape == (1, 48, 128, 3)


def test_large_pictures_shrink_and_keep_their_shape(tmp_path):
    path = write_film(tmp_path / "large.mp4", draw_frames(2, width=640, height=360))
    assert next(stream_frames(open_video(path, max_side=320))).shape == (180, 320, 3)


def test_variable_rate_holds_what_is_on_screen(tmp_path):
    times = [0, 1, 2, 12, 13]
    stream = open_video(
        write_film(tmp_path / "screen.mkv", draw_frames(5), codec="ffv1", pixels="yuv444p", times=times)
    )
    stream = stream._replace(fps=10.0)
    greys = [round(grey_of(frame) / 10) for frame in stream_frames(stream)]
    assert greys == [4, 5] + [6] * 10 + [7, 8]


@pytest.mark.parametrize(("rate", "fps"), [(120, 30), (50, 25), (32, 16), (30, 30)])
def test_fast_video_is_thinned_to_a_whole_share(tmp_path, rate, fps):
    stream = open_video(write_film(tmp_path / "fast.mp4", draw_frames(24), rate=rate))
    assert stream.fps == pytest.approx(fps)
    assert len(list(stream_frames(stream))) == 24 * fps / rate


def test_header_without_a_length(tmp_path):
    class Pipe:
        """A file that cannot seek, as a browser's recorder writes."""

        def __init__(self, file):
            self.write, self.tell = file.write, file.tell

    path = tmp_path / "webcam.webm"
    with open(path, "wb") as file, av.open(Pipe(file), "w", format="webm") as container:
        stream = container.add_stream("libvpx", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for frame in draw_frames(20):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame)))
        container.mux(stream.encode())
    with av.open(str(path)) as container:
        assert container.duration is None
    stream = open_video(path)
    assert stream.seconds == pytest.approx(2.0, abs=0.15)
    assert len(list(stream_frames(stream))) == 20


def test_one_frame_and_a_picture(tmp_path):
    path = write_film(tmp_path / "one.mp4", draw_frames(1))
    assert len(list(stream_frames(open_video(path)))) == 1
    assert len(list(stream_frames(open_video(path), fps=160.0))) == 16  # held, for a model that wants 16
    picture = write_film(tmp_path / "still.png", draw_frames(1), codec="png", pixels="rgb24")
    assert len(list(stream_frames(open_video(picture)))) == 1


def test_two_hours_are_opened_at_once_and_streamed_lazily(tmp_path):
    frames = draw_frames(3)
    path = write_film(tmp_path / "long.mkv", frames, codec="ffv1", pixels="yuv444p", times=[0, 1, 72_000])
    stream = open_video(path)._replace(fps=10.0)
    assert stream.seconds == pytest.approx(7200, rel=0.01)
    assert stream.num_frames == pytest.approx(72_000, rel=0.01)
    assert len(list(itertools.islice(stream_frames(stream), 50))) == 50


def test_clocks_that_start_anew(tmp_path):
    times = [*range(10), *range(30, 40)]  # the tenth frame stands still for 21 slots
    parts = [tmp_path / f"{number}.ts" for number in range(2)]
    for part in parts:
        write_film(part, draw_frames(20), codec="mpeg2video", rate=25, times=times)
    joined = tmp_path / "joined.ts"
    joined.write_bytes(b"".join(part.read_bytes() for part in parts))
    stream = open_video(joined)._replace(fps=25.0)
    assert abs(len(list(stream_frames(stream))) - 80) <= 2


@pytest.mark.parametrize("num_frames", [1, 3, 16, 29, 48, 150, 160])
@pytest.mark.parametrize("length", [1, 4, 16])
def test_a_slower_stream_takes_the_frames_of_even_sampling(num_frames, length):
    shown = [(number, number / 25, 1 / 25) for number in range(num_frames)]
    slots = [number for number, times in resample_fps(shown, 25 * length / num_frames) for _ in range(times)]
    assert slots == sample_uniform(num_frames, length).tolist()


def test_a_video_shows_at_least_its_last_frame():
    shown = [(number, number / 25, 1 / 25) for number in range(2)]
    assert list(resample_fps(shown[:1], 5)) == [(0, 1)] and list(resample_fps(shown, 5)) == [(0, 0), (1, 1)]
    assert list(resample_fps([], 5)) == []


def test_limits_refuse_and_say_what_to_do(tmp_path):
    path = write_film(tmp_path / "film.mp4", draw_frames(30))
    for limits, words in (
        (Limits(max_megabytes=0.0001), "max_megabytes"),
        (Limits(max_seconds=2), "at most 2 seconds. Received: 3.0"),
        (Limits(max_frames=20), "at most 20 frames"),
        (Limits(max_side=32), "at most 32 pixels a side. Received: 64"),
    ):
        with pytest.raises(VideoError, match=words) as caught:
            open_video(path, limits=limits)
        assert str(path) in str(caught.value)


def test_a_header_that_lies_is_caught_while_streaming(tmp_path):
    stream = open_video(write_film(tmp_path / "film.mp4", draw_frames(30)))
    stream = stream_frames(stream._replace(limits=Limits(max_frames=20)))
    assert len(list(itertools.islice(stream, 20))) == 20
    with pytest.raises(VideoError, match="at most 20 frames. Received: 21"):
        next(stream)


def write_song(path):
    """Sound with a cover picture."""
    with av.open(str(path), "w", format="mp4") as container:
        stream, cover = container.add_stream("aac", rate=44100), container.add_stream("png", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 48, "rgb24"
        cover.disposition = av.stream.Disposition.attached_pic
        container.mux(cover.encode(av.VideoFrame.from_ndarray(next(draw_frames(1)))))
        container.mux(cover.encode())
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 4096), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 44100
        container.mux(stream.encode(frame))
        container.mux(stream.encode())


def test_what_is_no_film_is_refused(tmp_path):
    film = write_film(tmp_path / "film.mp4", draw_frames(30))
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "text.txt").write_text("a letter\n" * 100)
    (tmp_path / "text.mp4").write_text("a letter\n" * 100)
    (tmp_path / "list.ffconcat").write_text(f"ffconcat version 1.0\nfile {film.name}\n")
    (tmp_path / "list.m3u8").write_text("#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/x.ts\n#EXT-X-ENDLIST\n")
    (tmp_path / "cut.mp4").write_bytes(film.read_bytes()[:400])
    write_song(tmp_path / "song.m4a")
    names = ("empty.mp4", "text.txt", "text.mp4", "list.ffconcat", "list.m3u8", "cut.mp4", "song.m4a", "missing.mp4")
    for name in names:
        with pytest.raises(VideoError, match=name):
            open_video(tmp_path / name)
    with pytest.raises(VideoError, match="directory"):
        open_video(tmp_path)


def test_a_recording_that_broke_off_is_used_as_far_as_it_goes(tmp_path):
    path = write_film(tmp_path / "film.mkv", draw_frames(60), codec="ffv1", pixels="yuv444p")
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    with pytest.warns(UserWarning, match=r"Expected 6.00 seconds. Received: 3.9. in .*film.mkv"):
        assert len(list(stream_frames(open_video(path)))) == 39


def test_broken_parts_are_passed_over_with_a_warning(tmp_path):
    path = write_film(tmp_path / "camera.avi", draw_frames(30), codec="png", pixels="rgb24")
    data = bytearray(path.read_bytes())
    start = data.index(b"\x89PNG", len(data) // 2)
    data[start : start + 60] = bytes(60)
    path.write_bytes(data)
    stream = open_video(path)
    cut = pytest.warns(UserWarning, match="at least 30 frames. Received: 29 in .*camera.avi")  # one joined to another
    with cut, pytest.warns(UserWarning, match="Passed over 1 broken parts of .*camera.avi"):
        frames = list(stream_frames(stream))
    assert len(frames) == 30  # the frame before it is held


def test_uploads_get_a_safe_name_within_the_folder(tmp_path):
    folder = tmp_path / "uploads"
    for name, safe in (("../../etc/jump.mp4", "jump.mp4"), ("C:\\x\\my film?.mov", "my_film_.mov"), ("..", "upload")):
        path = save_upload(name, memoryview(b"data"), folder)
        assert (path.parent, path.name, path.read_bytes()) == (folder, safe, b"data")
    with pytest.raises(VideoError, match="at most 1 MB"):
        save_upload("large.mp4", bytes(2_000_000), folder, limits=Limits(max_megabytes=1))


def test_real_videos_stream_as_they_are_read_by_index():
    folder = os.environ.get("ACTLIB_REAL_DATA")
    if not folder:
        pytest.skip("ACTLIB_REAL_DATA names no folder with UCF-101")
    paths = sorted(Path(folder).glob("UCF-101/*/*.avi"))
    for path in random.Random(0).sample(paths, min(12, len(paths))):
        stream, info = open_video(path), probe_video(path)
        for size in (None, 112):
            streamed = np.stack(list(stream_frames(stream, size=size, fps=info.fps)))
            assert np.array_equal(streamed, read_clip(path, range(info.frames), size=size)), path


MEMORY = """
import sys, tracemalloc, resource
from actlib.video import open_video, stream_frames
stream = open_video(sys.argv[1])
tracemalloc.start()
count = sum(1 for _ in stream_frames(stream))
print(count, tracemalloc.get_traced_memory()[1], resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_memory_does_not_grow_with_length(tmp_path):
    measured = []
    for count in (100, 1500):
        path = write_film(tmp_path / f"{count}.mov", draw_frames(count, width=160, height=120), codec="mpeg4")
        done = subprocess.run([sys.executable, "-c", MEMORY, path], capture_output=True, text=True, check=True)
        measured.append([int(word) for word in done.stdout.split()])
    (short, short_peak, short_rss), (long, long_peak, long_rss) = measured
    assert (short, long) == (100, 1500)
    assert long_peak < short_peak + 500_000  # bytes
    assert long_rss < short_rss + 30_000  # kilobytes; 1,400 more frames of 58 kB each would be 81,000
