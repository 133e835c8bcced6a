"""Stores: made once, shared, resumed, never half-written, and keyed by all that they depend on."""

import errno
import os
import pickle
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_videos import BROKEN, count_shades, shade_frames, write_broken, write_mpeg4

from actlib.dataset import ClipBatches, FeatureCache, FrameCache, keeping
from actlib.dataset import frame_cache as frame_store
from actlib.video import VideoError, make_sampler, read_clip, sample_uniform, write_video


@pytest.fixture
def videos(tmp_path):
    """A table of five videos of 20 to 24 frames."""
    paths = [write_mpeg4(tmp_path / f"{number}.avi", 20 + number) for number in range(5)]
    return pd.DataFrame({"path": [str(path) for path in paths], "frames": range(20, 25)})


@pytest.fixture
def read_clips(monkeypatch):
    """The paths that caches decode, in order."""
    paths = []

    def counting(path, *given, **options):
        paths.append(path)
        return read_clip(path, *given, **options)

    monkeypatch.setattr(frame_store, "read_clip", counting)
    return paths


def open_features(videos, folder, *, key="mean", convolved=None, **options):
    """A cache of mean colours, which counts the frames that it convolves."""

    def convolve(frames):
        if convolved is not None:
            convolved.append(len(frames))
        return frames.mean((1, 2))

    frames = FrameCache(videos, num_frames=8, size=16, folder=folder, progress=False, keep=False, **options)
    return FeatureCache(frames, convolve, key=key, folder=folder, progress=False)


def cache_frames(videos, folder, **options):
    return FrameCache(videos, folder=folder, progress=False, **{"num_frames": 8, "size": 16, **options})


def kept(folder):
    """Names of all files below a folder, but for the claims."""
    return sorted(path.name for path in folder.rglob("*") if path.is_file() and path.name != ".claims")


def test_frames_are_those_of_the_rule(videos, tmp_path):
    cache = cache_frames(videos, tmp_path / "kept").fill()
    for place, total in enumerate(videos["frames"]):
        assert count_shades(cache[place]) == sample_uniform(total, 8).tolist()
        assert cache[place].shape == (8, 16, 16, 3) and cache[place].dtype == np.uint8
    assert isinstance(cache[0], np.memmap) and not cache[0].flags.writeable
    assert cache.lengths.tolist() == [8] * 5 and len(cache) == 5


def test_every_frame_and_any_list_of_paths(videos, tmp_path):
    cache = cache_frames(list(videos["path"]), tmp_path / "kept", num_frames=None, size=(12, 20))
    assert cache.lengths.tolist() == videos["frames"].tolist()
    assert cache[3].shape == (23, 12, 20, 3) and count_shades(cache[3]) == list(range(23))


def test_a_second_pass_neither_decodes_nor_convolves(videos, tmp_path, read_clips):
    convolved = []
    cache = open_features(videos, tmp_path / "kept", convolved=convolved)
    data = ClipBatches(cache, np.arange(5), make_sampler("windows", 4, stride=2), batch_size=2, shuffle=True)
    for epoch in range(3):
        assert sum(len(labels) for _, labels in data.epoch(epoch)) == 15  # overlapping windows
    assert sorted(read_clips) == sorted(videos["path"]) and convolved == [8] * 5

    again = open_features(videos, tmp_path / "kept", convolved=convolved).fill()
    assert np.array_equal(again[2], cache[2])
    assert len(read_clips) == len(convolved) == 5


def test_frames_are_decoded_once_too(videos, tmp_path, read_clips):
    cache = cache_frames(videos, tmp_path / "kept")
    first = np.array(cache[1])
    assert read_clips == [videos["path"][1]]  # made when asked for
    cache.fill(), cache.fill()
    assert np.array_equal(cache[1], first) and sorted(read_clips) == sorted(videos["path"])


def test_features_of_kept_frames_decode_nothing_again(videos, tmp_path, read_clips):
    frames = cache_frames(videos, tmp_path / "frames").fill()
    FeatureCache(frames, lambda pixels: pixels.mean((1, 2)), key="a", folder=tmp_path, progress=False).fill()
    assert len(read_clips) == 5


def test_features_are_half_precision_and_flat(videos, tmp_path):
    frames = cache_frames(videos, tmp_path, keep=False)
    cache = FeatureCache(frames, lambda pixels: pixels[:, ::8, ::8] / 3, key="thin", folder=tmp_path, progress=False)
    assert cache[0].shape == (8, 2 * 2 * 3) and cache[0].dtype == np.float16
    large = FeatureCache(frames, lambda pixels: pixels.mean((1, 2)) * 1e4, key="large", folder=tmp_path, progress=False)
    with pytest.raises(ValueError, match="below 65504.*large"):
        large.fill()


def test_another_spec_or_key_is_another_file(videos, tmp_path, read_clips):
    folder = tmp_path / "kept"
    for options in ({}, {"num_frames": 4}, {"size": 8}, {"size": (16, 8)}, {"num_frames": None}):
        cache_frames(videos, folder, **options).fill()
    assert len(kept(folder)) == 25 == len(read_clips)
    convolved = []
    for key in ("weights a", "weights-a", "weights b", "x" * 200, "x" * 199 + "y"):
        open_features(videos, folder, key=key, convolved=convolved).fill()
    assert len(kept(folder)) == 50 and len(convolved) == 25


def test_changed_content_is_made_anew_and_a_moved_video_is_not(videos, tmp_path, read_clips):
    cache_frames(videos, tmp_path / "kept").fill()
    os.rename(videos["path"][0], tmp_path / "moved.avi")
    videos.loc[0, "path"] = str(tmp_path / "moved.avi")
    write_video(videos["path"][1], shade_frames(21), fps=10, codec="mpeg4")  # other bytes, as many frames
    read_clips.clear()
    cache_frames(videos, tmp_path / "kept").fill()
    assert read_clips == [videos["path"][1]]


def test_a_video_that_grew_is_sampled_anew(videos, tmp_path):
    cache_frames(list(videos["path"]), tmp_path / "kept").fill()
    write_mpeg4(videos["path"][0], 25)
    assert count_shades(cache_frames(list(videos["path"]), tmp_path / "kept")[0]) == sample_uniform(25, 8).tolist()


def with_broken(videos, tmp_path):
    broken = [str(write_broken(tmp_path, kind)) for kind in BROKEN]
    return [*videos["path"][:2], *broken, *videos["path"][2:]], broken


@pytest.mark.parametrize("cache_features", [cache_frames, open_features])
def test_broken_videos_are_listed_at_the_end(videos, tmp_path, cache_features):
    paths, broken = with_broken(videos, tmp_path)
    with pytest.raises(VideoError, match=f"{len(broken)} of {len(paths)} videos cannot be used") as caught:
        cache_features(paths, tmp_path / "kept").fill()
    assert all(path in str(caught.value) for path in broken) and "skip_broken=True" in str(caught.value)
    assert len(kept(tmp_path / "kept")) == 5  # the others are done


@pytest.mark.parametrize("cache_features", [cache_frames, open_features])
def test_broken_videos_are_skipped_only_when_asked(videos, tmp_path, cache_features):
    paths, broken = with_broken(videos, tmp_path)
    cache = cache_features(paths, tmp_path / "kept", skip_broken=True)
    with pytest.warns(UserWarning, match=f"{len(broken)} of {len(paths)} videos cannot be used"):
        cache.fill()
    assert cache.lengths.tolist() == [8] * 2 + [0] * len(broken) + [8] * 3
    data = ClipBatches(cache, np.arange(len(paths)), make_sampler("uniform", 4))
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # said once
        assert data.videos().tolist() == [0, 1, *range(2 + len(broken), len(paths))]
    with pytest.raises(VideoError, match="empty.avi"):
        cache[paths.index(str(tmp_path / "empty.avi"))]


def test_a_video_that_breaks_while_it_is_decoded(videos, tmp_path):
    path = Path(videos["path"][2])
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])  # the table still says 22 frames
    with pytest.raises(VideoError, match="1 of 5 videos cannot be used") as caught:
        open_features(videos, tmp_path / "kept").fill()
    assert videos["path"][2] in str(caught.value) and len(kept(tmp_path / "kept")) == 4


def test_a_video_that_was_removed_after_it_was_listed(videos, tmp_path):
    os.remove(videos["path"][4])
    with pytest.raises(VideoError, match="1 of 5 videos cannot be used"):
        open_features(videos, tmp_path / "kept").fill()


def test_a_full_disk_leaves_nothing_half_written(videos, tmp_path, monkeypatch):
    folder = tmp_path / "kept"
    cache = cache_frames(videos, folder)
    cache[0]
    whole, real_write = kept(folder), np.lib.format.write_array

    def write_some(file, array, **options):
        file.write(b"\x93NUMPY" + bytes(100))
        file.flush()
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np.lib.format, "write_array", write_some)
    with pytest.raises(OSError, match="Expected room for 0.0 MB to keep .*No space left.*ACTLIB_CACHE") as caught:
        cache.fill()
    assert caught.value.errno == errno.ENOSPC and kept(folder) == whole
    monkeypatch.setattr(np.lib.format, "write_array", real_write)
    assert len(kept(cache.fill().folder)) == 5  # goes on where it was


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_is_noticed_by_the_system_call(tmp_path, monkeypatch):
    monkeypatch.setattr(
        keeping, "open", lambda path, mode: os.fdopen(os.open("/dev/full", os.O_WRONLY), mode), raising=False
    )
    with pytest.raises(OSError, match="Expected room for 8.0 MB.*"):
        keeping.save_array(tmp_path / "large.npy", np.zeros(1_000_000))
    assert kept(tmp_path) == []


def test_damaged_files_are_made_anew(videos, tmp_path, read_clips):
    cache = cache_frames(videos, tmp_path / "kept").fill()
    expected = np.array(cache[0])
    for damage in (b"", cache.path(0).read_bytes()[:500], b"nonsense" * 100):
        cache.path(0).write_bytes(damage)
        read_clips.clear()
        assert np.array_equal(cache[0], expected) and len(read_clips) == 1


def test_old_drafts_are_removed_and_fresh_ones_left(videos, tmp_path):
    cache = cache_frames(videos, tmp_path / "kept")
    cache.folder.mkdir(parents=True)
    for name, age in (("old.npy.1-1.draft", 7200), ("fresh.npy.1-1.draft", 1)):
        (cache.folder / name).write_bytes(b"half")
        os.utime(cache.folder / name, (time.time() - age,) * 2)
    names = kept(cache.fill().folder)
    assert "fresh.npy.1-1.draft" in names and "old.npy.1-1.draft" not in names


FILL = """
import sys, time
from pathlib import Path
from actlib.dataset import FeatureCache, FrameCache

folder, log, pause = Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])
def convolve(frames):
    with log.open("a") as file:
        file.write(f"{frames[0].mean():.3f}\\n")
    time.sleep(pause)
    return frames.mean((1, 2))
frames = FrameCache(sys.argv[4:], num_frames=4, size=8, keep=False, progress=False)
print("ready", flush=True)
FeatureCache(frames, convolve, key="k", folder=folder, progress=False).fill()
"""


def start_filling(folder, log, pause, paths):
    """A process of its own that fills a cache and logs each video it convolves."""
    command = [sys.executable, "-c", FILL, str(folder), str(log), str(pause), *paths]
    return subprocess.Popen(command, stdout=subprocess.PIPE)


def wait_for(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "waited for a minute"
        time.sleep(0.005)


def test_a_killed_fill_goes_on_where_it_was(videos, tmp_path, read_clips):
    folder, log = tmp_path / "kept", tmp_path / "log"
    process = start_filling(folder, log, 0.3, videos["path"])
    wait_for(lambda: log.exists() and len(log.read_text().splitlines()) == 3)
    process.send_signal(signal.SIGKILL)  # in the middle of the third, holding its claim
    process.communicate()
    assert len([name for name in kept(folder) if name.endswith(".npy")]) == 2

    convolved = []
    frames = FrameCache(videos, num_frames=4, size=8, keep=False, progress=False)
    cache = FeatureCache(
        frames, lambda x: convolved.append(1) or x.mean((1, 2)), key="k", folder=folder, progress=False
    )
    cache.fill()
    assert len(convolved) == len(read_clips) == 3 and all(np.isfinite(cache[place]).all() for place in range(5))
    fresh = FeatureCache(frames, lambda x: x.mean((1, 2)), key="k", folder=tmp_path / "fresh", progress=False)
    assert all(np.array_equal(cache[place], fresh[place]) for place in range(5))


def test_two_processes_share_the_work_and_do_none_twice(videos, tmp_path):
    logs = [tmp_path / "log1", tmp_path / "log2"]
    processes = [start_filling(tmp_path / "kept", log, 0.25, videos["path"]) for log in logs]
    for process in processes:
        process.communicate()
        assert process.returncode == 0
    assert sum(len(log.read_text().split()) for log in logs if log.exists()) == 5
    assert len(kept(tmp_path / "kept")) == 5


def test_a_claim_is_held_against_others_and_freed_by_their_end(tmp_path):
    code = (
        "import sys, time; from actlib.dataset.keeping import Claims; claims = Claims(sys.argv[1])\n"
        "print(claims.take('one'), flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"True\n"
    claims = keeping.Claims(tmp_path)
    assert not claims.take("one") and claims.take("two")
    process.kill()
    process.communicate()
    assert claims.take("one", wait=True)


def test_a_process_that_stands_still_is_not_waited_for_for_ever(tmp_path, monkeypatch):
    claims = keeping.Claims(tmp_path)
    monkeypatch.setattr(claims, "_lock", lambda name: False)
    monkeypatch.setattr(keeping, "LONGEST_WAIT_SECONDS", 0.05)
    assert claims.take("one", wait=True) and not claims.take("one")


def test_without_locks_everything_still_works(videos, tmp_path, monkeypatch):
    monkeypatch.setattr(keeping, "fcntl", None)
    assert len(kept(cache_frames(videos, tmp_path / "kept").fill().folder)) == 5


def test_places_outside_are_refused(videos, tmp_path):
    cache = cache_frames(videos, tmp_path / "kept")
    for place in (-1, 5):
        with pytest.raises(IndexError, match=f"0..4. Received: {place}"):
            cache[place]


def test_filled_stores_go_to_other_processes(videos, tmp_path):
    cache = open_features(videos, tmp_path / "kept")
    data = ClipBatches(cache, np.arange(5), make_sampler("segments", 4), batch_size=2)
    sent = pickle.loads(pickle.dumps(data))  # filled on its way, without the model
    assert len(kept(tmp_path / "kept")) == 5
    assert all(np.array_equal(sent.batch(1, place)[0], data.batch(1, place)[0]) for place in range(3))
    cache.path(2).unlink()
    with pytest.raises(RuntimeError, match="Call fill first"):
        sent.source[2]
