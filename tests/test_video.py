"""Readers give exactly the frames asked for, or a clear error; what is written comes back; copies for the browser."""

import json
import os
import socket
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import av
import numpy as np
import pytest
from made_videos import BROKEN, count_shades, shade_frames, write_broken, write_mpeg4

from actlib.files import content_hash
from actlib.video import (
    VideoError,
    browser_copy,
    metadata,
    probe_video,
    read_clip,
    read_frames,
    reader,
    sample_uniform,
    write_video,
    writer,
)
from actlib.video.metadata import probe_files

REAL = os.environ.get("ACTLIB_REAL_DATA")


@pytest.mark.parametrize("key_distance", [1, 4, 300])
@pytest.mark.parametrize("b_frames", [0, 2])
@pytest.mark.parametrize("indices", [[0], [24], [3, 4, 5], [20, 3, 3, 11], list(range(25))])
def test_the_frames_asked_for_in_the_order_asked_for(tmp_path, key_distance, b_frames, indices):
    path = write_mpeg4(tmp_path / "shades.avi", 25, key_distance=key_distance, b_frames=b_frames)
    assert count_shades(read_clip(path, indices)) == indices


def test_time_stamps_are_not_trusted(tmp_path):
    path = write_mpeg4(tmp_path / "shades.avi", 25, b_frames=2)
    with av.open(str(path)) as container:
        stamps = [packet.pts for packet in container.demux(video=0) if packet.size]
    assert stamps != sorted(stamps) and stamps[0] == 1  # out of order, and one late
    assert count_shades(np.stack(list(read_frames(path)))) == list(range(25))


def copy_packets(path, copy, rewrite, *, spread=2):
    """Copy a video with what `rewrite` makes of each packet: (content, whether it is called a key frame)."""
    with av.open(str(path)) as source, av.open(str(copy), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in list(source.demux(video=0)):
            for place, (content, is_key) in enumerate(rewrite(packet) if packet.size else ()):
                written = av.Packet(content)
                written.stream, written.time_base, written.is_keyframe = stream, packet.time_base, is_key
                written.pts = written.dts = spread * packet.pts + place
                target.mux(written)


@pytest.mark.parametrize(
    ("size", "shape"), [(None, (48, 64)), (32, (32, 32)), ((20, 40), (20, 40)), (np.int64(8), (8, 8))]
)
def test_sizes(tmp_path, size, shape):
    path = write_mpeg4(tmp_path / "shades.avi", 3)
    clip = read_clip(path, [0, 2], size=size)
    assert clip.shape == (2, *shape, 3) and clip.dtype == np.uint8
    assert np.array_equal(clip[1], list(read_frames(path, size=size))[2])


def test_only_the_frames_asked_for_are_converted_with_one_reformatter(tmp_path, monkeypatch):
    made, converted = [], []

    class Counted:
        def __init__(self):
            made.append(av.video.reformatter.VideoReformatter())

        def reformat(self, frame, **options):
            converted.append(frame)
            return made[-1].reformat(frame, **options)

    monkeypatch.setattr(reader, "VideoReformatter", Counted)
    read_clip(write_mpeg4(tmp_path / "shades.avi", 25), [2, 9, 9, 20], size=32)
    assert (len(made), len(converted)) == (1, 3)


def test_nothing_is_decoded_after_the_last_frame_asked_for(tmp_path, monkeypatch):
    path, decoded = write_mpeg4(tmp_path / "shades.avi", 25), []
    decode = reader.decode_frames
    monkeypatch.setattr(
        reader, "decode_frames", lambda *given: (decoded.append(1) or frame for frame in decode(*given))
    )
    assert count_shades(read_clip(path, [1, 11])) == [1, 11] and len(decoded) == 12


def test_a_packet_without_a_frame_does_not_shift_the_numbers_after_it(tmp_path):
    path = write_mpeg4(tmp_path / "shades.avi", 25, key_distance=5)
    doubled = {3: [(NOT_CODED, False)]}
    copy_packets(
        path,
        tmp_path / "skipped.avi",
        lambda packet: [(bytes(packet), packet.is_keyframe), *doubled.get(packet.pts, ())],
    )
    assert count_shades(read_clip(tmp_path / "skipped.avi", [1, 20])) == [1, 20]


@pytest.mark.parametrize("kind", BROKEN)
def test_broken_videos_give_one_clear_error(tmp_path, kind):
    path = write_broken(tmp_path, kind)
    with pytest.raises(VideoError, match="Expected .* Received: .*") as caught:
        read_clip(path, [0, 24])
    assert str(path) in str(caught.value) and "leave it out" in str(caught.value).lower().replace("the file", "it")
    with pytest.raises(VideoError, match=path.name):
        probe_video(path)


@pytest.mark.parametrize("kind", sorted(set(BROKEN) - {"truncated"}))
def test_reading_all_frames_of_a_broken_video(tmp_path, kind):
    with pytest.raises(VideoError, match=kind):
        list(read_frames(write_broken(tmp_path, kind)))


@pytest.mark.parametrize("b_frames", [0, 2])
def test_too_few_frames(tmp_path, b_frames):
    path = write_mpeg4(tmp_path / "short.avi", 9, b_frames=b_frames)
    with pytest.raises(VideoError, match=r"Expected at least 16 frames. Received: 9 in .*short.avi"):
        read_clip(path, range(16))


NOT_CODED = bytes.fromhex("000001b6504f")  # MPEG-4's "as before", which gives no frame


@pytest.mark.parametrize(("num_frames", "spare"), [(25, 2), (400, 4)])
def test_a_header_may_promise_two_frames_or_one_in_a_hundred_too_many(tmp_path, num_frames, spare):
    plain = write_mpeg4(tmp_path / "plain.avi", num_frames)
    for more in (spare, spare + 1):
        path, last = tmp_path / f"{more}.avi", [(NOT_CODED, False)] * (more + 1)  # the decoder makes a frame of one

        def rewrite(packet, last=last):
            return [(bytes(packet), packet.is_keyframe), *(last if packet.pts == num_frames - 1 else ())]

        copy_packets(plain, path, rewrite, spread=1)
        given = list(read_frames(path))
        assert probe_video(path).frames == len(given) == num_frames + 1
        if more == spare:
            assert np.array_equal(read_clip(path, [num_frames, num_frames + more]), [given[-1]] * 2)
    with pytest.raises(VideoError, match=f"at least {num_frames + more + 1} frames. Received: {num_frames + 1}"):
        read_clip(path, [num_frames + more])


@pytest.mark.parametrize("indices", [[], [-1], [0.5], [[1, 2]]])
def test_indices_are_checked(tmp_path, indices):
    with pytest.raises(ValueError, match="Expected indices"):
        read_clip(write_mpeg4(tmp_path / "shades.avi", 3), indices)


def test_a_playlist_in_disguise_reaches_no_network(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        path = tmp_path / "film.avi"
        path.write_text(f"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:{server.getsockname()[1]}/part.ts\n#EXT-X-ENDLIST\n")
        with pytest.raises(VideoError, match="film.avi"):
            read_clip(path, [0])
        with pytest.raises(VideoError, match="film.avi"):
            probe_video(path)
        with pytest.raises(TimeoutError):
            server.accept()


def index_videos(folder):
    return probe_files(sorted(folder.glob("Cycling/*.avi")), index=folder, progress=False)


def test_a_second_listing_reads_only_what_has_changed(tmp_path, monkeypatch):
    (tmp_path / "Cycling").mkdir()
    one, two = (write_mpeg4(tmp_path / "Cycling" / f"v_Cycling_g01_c0{number}.avi", 9 + number) for number in (1, 2))
    infos, broken = index_videos(tmp_path)
    assert broken == [] and [infos[path].hash for path in (one, two)] == [content_hash(one), content_hash(two)]
    assert infos[one][2:6] == probe_video(one) == (10, 25.0, 64, 48) and infos[one].bytes == one.stat().st_size

    read = []
    monkeypatch.setattr(metadata, "probe_video", lambda path: read.append(path) or probe_video(path))
    monkeypatch.setattr(metadata, "content_hash", lambda path: read.append(path) or content_hash(path))
    assert index_videos(tmp_path) == (infos, []) and read == []
    write_mpeg4(one, 12)
    infos, _ = index_videos(tmp_path)
    assert read == [one, one] and infos[one].frames == 12 and infos[one].hash == content_hash(one)
    assert index_videos(tmp_path)[0] == infos and read == [one, one]

    two.write_bytes(two.read_bytes()[:-1] + b"!")  # as long as before, at another time
    os.utime(two, ns=(0, 0))
    assert probe_files([two], index=tmp_path, progress=False)[0][two].hash != infos[two].hash
    assert read[2:] == [two, two] and index_videos(tmp_path)[0][one] == infos[one] and len(read) == 4


@pytest.mark.parametrize("content", ["", "[1]", '{"Cycling/a.avi": null}', '{"Cycling/a.avi": [1, 2, 3]}'])
def test_a_spoiled_index_or_one_of_an_earlier_form_is_made_again(tmp_path, monkeypatch, content):
    monkeypatch.setenv("ACTLIB_CACHE", str(tmp_path / "cache"))
    (tmp_path / "Cycling").mkdir()
    path = write_mpeg4(tmp_path / "Cycling" / "a.avi", 3)
    index_videos(tmp_path)
    (index,) = (tmp_path / "cache" / "index").iterdir()
    index.write_text(content)
    assert index_videos(tmp_path)[0][path].frames == 3
    assert len(json.loads(index.read_text())[str(path)]) == len(metadata.FileInfo._fields)


def test_two_threads_make_one_browser_copy(tmp_path):
    video = write_mpeg4(tmp_path / "shades.avi", 20)
    with ThreadPoolExecutor(2) as pool:
        copies = list(pool.map(lambda _: browser_copy(video, folder=tmp_path / "browser"), range(2)))
    assert copies[0] == copies[1] and list((tmp_path / "browser").iterdir()) == [copies[0]]
    assert count_shades(np.stack(list(read_frames(copies[0])))) == list(range(20))


def test_a_written_video_is_whole_or_absent(tmp_path):
    def failing():
        yield from shade_frames(3)
        raise RuntimeError("the camera fell")

    with pytest.raises(RuntimeError, match="camera"):
        write_video(tmp_path / "half.mp4", failing(), fps=25)
    with pytest.raises(ValueError, match="Expected at least 1 frame. Received: 0"):
        write_video(tmp_path / "none.mp4", [], fps=25)
    with pytest.raises(ValueError, match="float64"):
        write_video(tmp_path / "floats.mp4", np.zeros((2, 8, 8, 3)), fps=25)
    assert list(tmp_path.iterdir()) == []


def test_a_written_video_comes_back(tmp_path):
    path = write_video(tmp_path / "odd.mp4", shade_frames(12, height=33, width=47), fps=29.97)
    info = probe_video(path)
    assert (info.frames, info.height, info.width) == (12, 32, 46) and abs(info.fps - 29.97) < 1e-3
    assert count_shades(np.stack(list(read_frames(path)))) == list(range(12))


def test_browser_copies_are_h264_made_once_and_follow_the_content(tmp_path, monkeypatch):
    video = write_mpeg4(tmp_path / "shades.avi", 12, b_frames=2)
    copy = browser_copy(video, folder=tmp_path / "browser")
    assert list(copy.parent.iterdir()) == [copy]
    with av.open(str(copy)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.pix_fmt, stream.average_rate) == ("h264", "yuv420p", 25)
        assert not stream.codec_context.has_b_frames
        assert [float(frame.pts * stream.time_base) for frame in container.decode(stream)] == pytest.approx(
            [number / 25 for number in range(12)]  # a player finds frame i at i / fps
        )
    data = copy.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")  # starts to play before it is loaded
    assert count_shades(np.stack(list(read_frames(copy)))) == list(range(12))

    monkeypatch.setattr(writer, "write_video", lambda *given, **options: pytest.fail("encoded again"))
    assert browser_copy(video, folder=tmp_path / "browser") == copy
    monkeypatch.undo()
    write_mpeg4(video, 13)
    assert browser_copy(video, folder=tmp_path / "browser") != copy


def test_browser_copies_are_kept_in_the_cache_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("ACTLIB_CACHE", str(tmp_path / "cache"))
    video = write_mpeg4(tmp_path / "shades.avi", 3)
    assert browser_copy(video).parent == tmp_path / "cache" / "browser"


@pytest.mark.skipif(not REAL, reason="set ACTLIB_REAL_DATA to the folder that holds UCF-101/")
def test_real_clips_by_index_are_those_in_a_row():
    for path in sorted(Path(REAL).glob("UCF-101/*/*.avi"))[::25]:
        rows = [zlib.crc32(frame) for frame in read_frames(path)]
        indices = sample_uniform(probe_video(path).frames, 16)
        assert len(rows) == probe_video(path).frames
        assert [zlib.crc32(frame) for frame in read_clip(path, indices)] == [rows[index] for index in indices]


@pytest.mark.skipif(not REAL, reason="set ACTLIB_REAL_DATA to the folder that holds UCF-101/")
def test_packets_without_a_frame_are_made_up_for_by_the_last_frame():
    path = Path(REAL) / "UCF-101/HorseRace/v_HorseRace_g20_c01.avi"
    given = list(read_frames(path, size=32))
    with av.open(str(path)) as container:
        assert container.streams.video[0].frames == 367 and len(given) == probe_video(path).frames == 365
    assert np.array_equal(read_clip(path, [364, 366], size=32), [given[364], given[364]])
    with pytest.raises(VideoError, match="Expected at least 371 frames. Received: 365"):
        read_clip(path, [370])
