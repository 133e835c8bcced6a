"""What is cut, damaged, endless, or no video at all: the right frames or one clear refusal."""

import errno
import os
import socket
import subprocess
import sys
import warnings
import zlib
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hostile import films
from hostile import videos as hostile
from made_videos import write_mpeg4
from photometer import Photometer
from test_streaming import draw_frames, draw_noise, write_film

from actlib.annotate import annotate_video
from actlib.files import content_hash
from actlib.video import (
    VideoError,
    browser_copy,
    open_video,
    probe_video,
    read_clip,
    read_frames,
    save_upload,
    stream_frames,
    write_video,
)
from actlib.video.reader import open_stream, read_packets

pytestmark = pytest.mark.usefixtures("in_time")

FILMS = {
    "film.mkv": {"codec": "libx264"},
    "film.webm": {"codec": "libvpx-vp9"},
    "film.mp4": {"codec": "libx264", "movflags": "+faststart"},
    "fragments.mp4": {"codec": "libx264", "movflags": "+frag_every_frame+empty_moov"},
    "film.avi": {"codec": "mpeg4"},
    "film.flv": {"codec": "flv"},
    "film.ts": {"codec": "mpeg2video"},
}


def cut(path, share):
    """Cut the end of a file off."""
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


def list_checksums(frames):
    return [zlib.crc32(np.ascontiguousarray(frame)) for frame in frames]


@pytest.mark.parametrize("share", [0.6, 0.8, 0.93])
@pytest.mark.parametrize("name", FILMS)
def test_what_is_cut_off_is_not_whole(tmp_path, name, share):
    path = write_film(tmp_path / name, draw_noise(30), rate=25, **FILMS[name])
    assert probe_video(path).frames == 30 and len(list(read_frames(path))) == 30
    cut(path, share)
    with pytest.raises(VideoError, match=f"Received: .*{name}"):
        probe_video(path)
    with pytest.raises(VideoError, match=f"Received: .*{name}"):
        list(read_frames(path))


@pytest.mark.filterwarnings("ignore:Passed over 1 broken parts")  # the last, of which half is there
@pytest.mark.parametrize("name", ["film.mkv", "film.webm", "film.mp4", "film.avi", "film.ts"])
def test_an_own_video_that_is_cut_off_is_used_and_said(tmp_path, name):
    path = cut(write_film(tmp_path / name, draw_noise(30), rate=25, **FILMS[name]), 0.7)
    with pytest.warns(UserWarning, match=f"Expected .* Received: .* in .*{name}"):
        frames = list(stream_frames(open_video(path)))
    assert 5 < len(frames) < 30


def test_frames_that_need_one_before_the_first_are_not_counted(tmp_path):
    prepare = films._set(gop_size=6, max_b_frames=2)
    whole = films.write(tmp_path / "whole.mkv", "libx264", "yuv420p", prepare=prepare)
    path = films._remux(tmp_path / "begun.mkv", whole, lambda number, packet: [packet][:number])
    assert probe_video(path).frames == len(list(read_frames(path))) < probe_video(whole).frames == 20


def test_a_stream_that_begins_later_is_refused(tmp_path):
    for name, codec in (("one.ts", "mpeg2video"), ("two.ts", "libx264")):
        write_film(tmp_path / name, draw_noise(30), rate=25, codec=codec)
    path = tmp_path / "film.ts"
    second = bytearray((tmp_path / "two.ts").read_bytes())
    for start in range(0, len(second), 188):  # its packets of video become those of another stream
        if second[start + 1] & 0x1F == 1:
            second[start + 2] += 1
    path.write_bytes((tmp_path / "one.ts").read_bytes() + bytes(second))
    for read in (probe_video, open_video, lambda path: list(read_frames(path))):
        with pytest.raises(VideoError, match=r"Expected no new stream. Received: one in .*film.ts"):
            read(path)


def test_sound_that_is_longer_than_the_film_is_no_cut(tmp_path):
    path = tmp_path / "song.mkv"
    with av.open(str(path), "w") as container:
        film, sound = container.add_stream("libx264", rate=25), container.add_stream("pcm_s16le", rate=8000)
        film.width, film.height, film.pix_fmt, sound.layout = 64, 48, "yuv420p", "mono"
        for frame in draw_frames(10):
            container.mux(film.encode(av.VideoFrame.from_ndarray(frame)))
        container.mux(film.encode())
        samples = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.int16), format="s16", layout="mono")
        samples.sample_rate = 8000
        container.mux(sound.encode(samples))
        container.mux(sound.encode())
    assert probe_video(path).frames == 10 and len(list(read_frames(path))) == 10
    assert len(list(stream_frames(open_video(path)))) in (10, 25)


def test_a_frame_whose_last_bytes_are_missing_is_not_counted(tmp_path):
    path = write_mpeg4(tmp_path / "film.avi", 25, frames=draw_noise(25))
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"idx1") - 100])
    with pytest.raises(VideoError, match="Expected at least 25 frames. Received: 24"):
        probe_video(path)


@pytest.mark.parametrize("seed", range(30))
def test_damage_gives_the_same_frames_by_index_as_in_a_row(tmp_path, seed):
    rng = np.random.default_rng(seed)
    path = hostile.write_film(tmp_path / "film.avi", "mpeg4.avi", rng)
    with av.open(str(path)) as container:
        assert container.streams.video[0].codec_context.codec_tag == "XVID"
    data = bytearray(path.read_bytes())
    start, stop = data.index(b"movi"), data.index(b"idx1")
    for place in rng.integers(start + 4, stop, size=12):
        data[place] ^= 1 << int(rng.integers(8))
    path.write_bytes(data)
    rows = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with suppress(VideoError):
            rows.extend(list_checksums(read_frames(path)))
    for index in range(0, len(rows), 3):
        assert list_checksums(read_clip(path, [index])) == [rows[index]]
    assert hostile.try_video(path) == "survived"


def test_a_first_frame_that_is_damaged_is_refused(tmp_path):
    rng, path = np.random.default_rng(0), tmp_path / "film.avi"
    hostile.write_film(path, "mpeg4.avi", rng)
    data = bytearray(path.read_bytes())
    start = data.index(b"00dc", data.index(b"movi")) + 8
    data[start + 200 : start + 400] = bytes(200)
    path.write_bytes(data)
    for read in (probe_video, lambda path: read_clip(path, [9]), lambda path: list(read_frames(path))):
        with pytest.raises(VideoError, match="first frame. Received: a damaged one in .*film.avi"):
            read(path)


def test_large_pictures_decode_in_threads_only_where_that_changes_no_pixel(tmp_path):
    for kind, threaded in (("h264.mp4", True), ("mpeg4.avi", False)):
        path = hostile.write_film(tmp_path / kind, kind, np.random.default_rng(0), size=(500, 720), num_frames=2)
        with open_stream(path) as (_, stream):
            assert (stream.codec_context.thread_count != 1) == threaded


def write_far(path, times, **options):
    return write_film(path, draw_frames(len(times)), rate=25, times=times, **options)


@pytest.mark.parametrize(("name", "codec"), [("jump.mkv", "libx264"), ("jump.ts", "mpeg2video")])
def test_a_clock_that_jumps_adds_no_frames(tmp_path, name, codec):
    path = write_far(tmp_path / name, [*range(15), *range(250_015, 250_030)], codec=codec)
    if name == "jump.mkv":  # its header says 1.2 seconds, as one would whose time stamp was damaged
        data = path.read_bytes()
        told = data.index(bytes.fromhex("448988")) + 3
        path.write_bytes(data[:told] + np.array([1200.0], ">f8").tobytes() + data[told + 8 :])
    video = open_video(path)
    with pytest.warns(UserWarning, match=f"Passed over [0-9,]+ seconds without frames in .*{name}"):
        assert len(list(stream_frames(video))) in range(28, 33)


def test_a_large_picture_is_refused_before_it_is_decoded(tmp_path):
    from PIL import Image

    Image.new("RGB", (8192, 8192)).save(tmp_path / "huge.png")
    Image.new("RGB", (64, 64)).save(tmp_path / "tiny.png")
    code = """
import resource, sys
from actlib.video import VideoError, open_video, probe_video, read_clip
for read in (probe_video, open_video, lambda path: read_clip(path, [0])):
    try:
        read(sys.argv[1])
    except VideoError as error:
        print(str(error).replace("\\n", " "))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
    peaks = {}
    for name in ("tiny", "huge"):
        command = [sys.executable, "-c", code, str(tmp_path / f"{name}.png")]
        *words, peak = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
        assert len(words) == (3 if name == "huge" else 0) and all("35,389,440 pixels" in word for word in words)
        peaks[name] = int(peak) / 1000
    assert peaks["huge"] < peaks["tiny"] + 60  # MB; the picture has 201


def write_slow(path, rate):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=rate)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number, picture in enumerate(draw_frames(5)):
            frame = av.VideoFrame.from_ndarray(picture)
            frame.pts, frame.time_base = number, 1 / rate
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def test_very_low_rates_work_or_are_refused(tmp_path):
    path = write_slow(tmp_path / "slow.avi", Fraction(1, 2000))
    video = open_video(path)
    assert video.fps == 0.01 and len(list(stream_frames(video))) == video.num_frames == 100  # 10,000 seconds
    assert annotate_video(path, Photometer(), tmp_path / "out.mp4").num_frames == 100
    copy = browser_copy(path, folder=tmp_path / "browser")
    assert probe_video(copy)[:2] == (5, 0.01)
    with pytest.raises(VideoError, match="at most 10,800 seconds. Received: 250,000"):
        open_video(write_slow(tmp_path / "slower.avi", Fraction(1, 50_000)))
    for fps in (0.0, 1e-4, 1e6, float("nan")):
        with pytest.raises(ValueError, match=r"Expected \(0.01, 1000.0\) frames a second. Received: .*film.mp4"):
            write_video(tmp_path / "film.mp4", draw_frames(2), fps=fps)


@pytest.mark.parametrize("size", [(1, 1), (1, 64), (64, 1), (2, 8000), (8000, 2)])
def test_thin_films_work(tmp_path, size):
    path = write_film(
        tmp_path / "thin.mov", draw_noise(3, height=size[0], width=size[1]), codec="png", pixels="rgb24", rate=25
    )
    assert read_clip(path, [2]).shape == (1, *size, 3) and probe_video(path)[2:] == size[::-1]
    assert annotate_video(path, Photometer(), tmp_path / "out.mp4").num_frames == 3
    info = probe_video(browser_copy(path, folder=tmp_path / "browser"))
    assert (info.frames, info.height, info.width) == (3, *(max(2, side) for side in size))


def test_a_film_that_changes_size_keeps_that_of_its_first_frame(tmp_path):
    parts = [
        write_film(tmp_path / f"{width}.h264", draw_frames(6, width=width), rate=25).read_bytes() for width in (64, 96)
    ]
    path = tmp_path / "both.h264"
    path.write_bytes(parts[0] + parts[1])
    frames = [*read_frames(path)]
    assert [frame.shape for frame in frames] == [(48, 64, 3)] * 12
    assert all(np.array_equal(read_clip(path, [index])[0], frames[index]) for index in (0, 5, 6, 11))
    assert [frame.shape for frame in stream_frames(open_video(path))] == [(48, 64, 3)] * 12
    assert annotate_video(path, Photometer(), tmp_path / "out.mp4").num_frames == 12


def test_a_stream_without_a_decoder_is_refused(tmp_path):
    path = write_mpeg4(tmp_path / "film.avi", 3)
    path.write_bytes(path.read_bytes().replace(b"FMP4", b"ZZZZ"))
    for read in (probe_video, open_video, lambda path: read_clip(path, [0])):
        with pytest.raises(VideoError, match="none with a decoder in .*film.avi"):
            read(path)


def make_endless(folder, kind):
    """Put something without an end under the name of a video."""
    path = folder / f"{kind}.avi"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(os.path.relpath(path))
    else:
        path.symlink_to("/dev/zero")
    return path


@pytest.mark.skipif(os.name != "posix", reason="there are no such files on this system")
@pytest.mark.parametrize("kind", ["pipe", "socket", "device"])
def test_what_has_no_end_is_not_opened(tmp_path, kind):
    path = make_endless(tmp_path, kind)
    for read in (probe_video, open_video, lambda path: read_clip(path, [0])):
        with pytest.raises(VideoError, match=f"{kind}.avi .no regular file"):
            read(path)
    with pytest.raises(OSError, match=f"no regular file.*{kind}.avi"):
        content_hash(path)


def test_a_list_of_files_under_a_name_of_a_video_opens_none_of_them(tmp_path):
    if os.name == "posix":
        make_endless(tmp_path, "pipe")  # whoever opens it waits for ever
    texts = {"concat.avi": "ffconcat version 1.0\nfile pipe.avi\n"}
    texts |= {"hls.avi": "#EXTM3U\n#EXT-X-VERSION:3\n#EXTINF:1,\npipe.avi\n#EXT-X-ENDLIST\n"}
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
        said = f"Received: .*{name} .(no kind of video that is read here|Invalid data)"
        for read in (probe_video, open_video, lambda path: read_clip(path, [0])):
            with pytest.raises(VideoError, match=said):
                read(tmp_path / name)


def test_a_name_that_stands_for_many_files_is_one_file(tmp_path):
    for number in range(3):
        write_film(tmp_path / f"film{number}.png", draw_frames(1), codec="png", pixels="rgb24")
    with pytest.raises(VideoError, match="No such file"):
        list(read_frames(tmp_path / "film%d.png"))


def test_names_as_long_as_systems_allow(tmp_path):
    path = write_mpeg4(tmp_path / "film.avi", 3)
    long = path.rename(tmp_path / f"{'ü' * 125}.avi")  # 254 bytes
    copy = browser_copy(long, folder=tmp_path / "browser")
    assert probe_video(copy).frames == 3 and len(os.fsencode(copy.name)) < 230
    out = tmp_path / f"{'x' * 250}.mp4"
    assert annotate_video(long, Photometer(), out).path == out and out.exists()
    assert save_upload("映" * 200 + ".mp4", b"x", tmp_path / "uploads").exists()
    frames = iter(draw_frames(3))
    with pytest.raises(OSError, match="another folder .* or name") as caught:
        write_video(tmp_path / f"{'x' * 252}.mp4", frames, fps=25)
    assert "too long" in str(caught.value) and len(list(frames)) == 3  # said before the work
    with pytest.raises(VideoError, match="too long"):
        open_video(tmp_path / f"{'x' * 252}.mp4")


WRITE = """
import resource, signal, sys
import numpy as np
from actlib.video import write_video
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), -1))
try:
    write_video(sys.argv[1], np.random.default_rng(0).integers(0, 256, (20, 48, 64, 3), np.uint8), fps=25)
except OSError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the limit on the size of files is Linux's")
@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_film_for_which_there_is_no_room_says_so_and_leaves_nothing(tmp_path, share):
    whole = write_video(tmp_path / "whole.mp4", draw_noise(20), fps=25).stat().st_size
    command = [sys.executable, "-c", WRITE, str(tmp_path / "film.mp4"), str(int(whole * share))]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "Expected room for film.mp4" in said and "Free some disk" in said
    assert [path.name for path in tmp_path.iterdir()] == ["whole.mp4"]


def test_a_folder_that_is_read_only_is_said_before_the_film_is_made(tmp_path, monkeypatch):
    def refuse(self, **_options):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(self))

    monkeypatch.setattr(Path, "touch", refuse)
    frames = iter(draw_frames(3))
    with pytest.raises(OSError, match="film.mp4 in a folder that can be written. Received: Read-only file system"):
        write_video(tmp_path / "film.mp4", frames, fps=25)
    assert len(list(frames)) == 3


@pytest.mark.parametrize("name", ["film.mkv", "film.mp4", "film.avi"])
def test_packets_are_those_of_the_film_alone(tmp_path, name):
    path = write_film(tmp_path / name, draw_frames(9), rate=25, **FILMS[name])
    with open_stream(path) as (container, stream):
        assert sum(packet.size > 0 for packet in read_packets(container, stream)) == 9


def test_the_attack_finds_what_it_is_made_to_find(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    path = hostile.write_film(tmp_path / "film.mkv", "h264.mkv", rng)
    assert hostile.try_video(path, whole=30) == "survived"
    assert "30 of 31 frames count as whole" in hostile.try_video(path, whole=31)
    monkeypatch.setattr(hostile, "read_clip", lambda path, indices: read_clip(path, [0] * len(indices)))
    assert "other pixels by index" in hostile.try_video(path)
    monkeypatch.setattr(hostile, "probe_video", lambda path: {}[path])
    assert "KeyError" in hostile.try_video(path)


def test_the_attack_goes_on_without_end_and_the_library_survives(tmp_path, monkeypatch):
    monkeypatch.setenv("ACTLIB_CACHE", str(tmp_path / "cache"))
    attack = hostile.cases(np.random.default_rng(7), tmp_path / "attack")
    chosen = [(name, work) for (name, work), _ in zip(attack, range(32), strict=False) if "for a file" not in name]
    done = {name: work() for name, work in chosen}  # here, where nothing would end what is endless
    assert {name: result for name, result in done.items() if result} == {}
    assert any(name.startswith("damaged") for name in done) and "odd data set" in done


@pytest.mark.parametrize("kind", ["mkv", "flv"])
@pytest.mark.parametrize("twice", [lambda packet: 2, lambda packet: 1 + packet.is_keyframe], ids=["all", "key frames"])
def test_packets_that_are_there_twice_are_listed_as_they_are_decoded(kind, twice, tmp_path):
    """Decoders drop some of them, and of what depends on them."""
    options, codec = films._set(gop_size=6, max_b_frames=2 * (kind == "mkv")), {"mkv": "mpeg4", "flv": "flv"}[kind]
    source = films.write(tmp_path / f"source.{kind}", codec, "yuv420p", prepare=options)
    path = films._remux(tmp_path / f"twice.{kind}", source, lambda number, packet: [packet] * twice(packet))
    with open_stream(path) as (container, stream):
        number = sum(1 for packet in read_packets(container, stream) if packet.size)
    frames = [*read_frames(path)]
    assert number > films.NUM_FRAMES and probe_video(path).frames == len(frames)
    np.testing.assert_array_equal(read_clip(path, range(len(frames))), frames)
