"""Caches: made once, shared between processes, resumed, never half-written, and keyed by all that they depend on."""

import errno
import mmap
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from made_videos import BROKEN, count_shades, shade_frames, tabulate, write_broken, write_mpeg4

from actlib import files, specs
from actlib.dataset import ClipBatches, FeatureCache, FrameCache, cache, list_videos
from actlib.video import VideoError, make_sampler, read_clip, sample_uniform, write_video


@pytest.fixture
def videos(tmp_path):
    """A table of five videos of 20 to 24 frames."""
    return tabulate(write_mpeg4(tmp_path / f"{number}.avi", 20 + number) for number in range(5))


@pytest.fixture
def decoded(monkeypatch):
    """The paths that caches decode, in order."""
    paths = []

    def counting(path, *given, **options):
        paths.append(path)
        return read_clip(path, *given, **options)

    monkeypatch.setattr(cache, "read_clip", counting)
    return paths


def open_frames(videos, folder, **options):
    return FrameCache(videos, folder=folder, progress=False, **{"num_frames": 8, "size": 16, **options})


def open_features(videos, folder, *, key="mean", extracted=None, **options):
    """A cache of mean colors, which notes how many frames it is asked to go through."""

    def extract(frames):
        if extracted is not None:
            extracted.append(len(frames))
        return frames.mean((1, 2))

    return FeatureCache(open_frames(videos, folder, **options), extract, key=key, folder=folder)


def list_files(folder):
    """Names of all files below a folder."""
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_frames_are_those_of_uniform_sampling(videos, tmp_path):
    cache = open_frames(videos, tmp_path / "cache").fill()
    for index, total in enumerate(videos["frames"]):
        assert count_shades(cache[index]) == sample_uniform(total, 8).tolist()
        assert cache[index].shape == (8, 16, 16, 3) and cache[index].dtype == np.uint8
    assert cache.lengths.tolist() == [8] * 5 and len(cache) == 5


def test_few_features_stay_in_memory_and_more_or_frames_on_disk(videos, tmp_path, monkeypatch):
    features = open_features(videos, tmp_path / "cache").fill()
    num_bytes = sum(features[index].nbytes for index in range(5))
    monkeypatch.setattr(cache, "HELD_BYTES", num_bytes - 1)
    more = open_features(videos, tmp_path / "cache")
    assert isinstance(more[1].base, mmap.mmap) and more[1] is not more[1]
    monkeypatch.setattr(cache, "HELD_BYTES", num_bytes)
    first = features[0]
    assert features[0] is first and not isinstance(first.base, mmap.mmap)
    assert not first.flags.writeable and not more[1].flags.writeable
    sent = pickle.loads(pickle.dumps(features))  # in which no array travels
    monkeypatch.setattr(cache, "HELD_BYTES", 0)
    assert isinstance(sent[0].base, mmap.mmap) and np.array_equal(sent[0], first)
    monkeypatch.setattr(cache, "HELD_BYTES", 2**29)
    assert isinstance(open_frames(videos, tmp_path / "cache")[0].base, mmap.mmap)


def test_a_thread_that_is_done_reads_on_beside_one_that_takes_long(tmp_path):
    class Slow(cache.ArrayCache):
        kind, verb, num_readers = "frames", "reading", 2

        def _read(self, index):
            third.set() if index == 2 else None
            return np.array([third.wait(20) if index == 0 else True])

    third = threading.Event()
    videos = pd.DataFrame({"hash": ["a", "b", "c"], "frames": 1})
    slow = Slow(videos, tmp_path, videos["frames"], 1, progress=False).fill()
    assert [slow[index].tolist() for index in range(3)] == [[True]] * 3


def test_every_frame(videos, tmp_path):
    cache = open_frames(videos, tmp_path / "cache", num_frames=None, size=(12, 20))
    assert cache.lengths.tolist() == videos["frames"].tolist() and cache.name.startswith("all-frames-12x20-")
    assert cache[3].shape == (23, 12, 20, 3) and count_shades(cache[3]) == list(range(23))


def test_a_second_pass_neither_decodes_nor_extracts(videos, tmp_path, decoded):
    extracted = []
    cache = open_features(videos, tmp_path / "cache", extracted=extracted)
    data = ClipBatches(cache, np.arange(5), make_sampler("windows", 4, stride=2), batch_size=2, shuffle=True)
    for epoch in range(3):
        assert sum(len(labels) for _, labels in data.epoch(epoch)) == 15  # overlapping windows
    assert sorted(decoded) == sorted(videos["path"]) and extracted == [8] * 5
    assert len(list_files(tmp_path / "cache")) == 5  # no frames, and no locks

    again = open_features(videos, tmp_path / "cache", extracted=extracted).fill()
    assert np.array_equal(again[2], cache[2])
    assert len(decoded) == len(extracted) == 5


def test_frames_are_decoded_once_too(videos, tmp_path, decoded):
    cache = open_frames(videos, tmp_path / "cache")
    first = np.array(cache[1])
    assert decoded == [videos["path"][1]]  # made when asked for
    cache.fill(), cache.fill()
    assert np.array_equal(cache[1], first) and sorted(decoded) == sorted(videos["path"])
    open_features(videos, tmp_path / "cache").fill()  # of frames that are on disk
    assert len(decoded) == 5


def test_a_second_start_reads_no_video(tmp_path, monkeypatch):
    monkeypatch.setenv("ACTLIB_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "UCF-101" / "Run"
    folder.mkdir(parents=True)
    paths = [write_mpeg4(folder / f"v_Run_g01_c{number:02d}.avi", 20 + number) for number in range(1, 4)]
    first = open_frames(list_videos(tmp_path, progress=False), None).fill()
    for path in paths:  # what reads them now finds nonsense
        stat = path.stat()
        path.write_bytes(bytes(stat.st_size))
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    second = open_frames(list_videos(tmp_path, progress=False), None).fill()
    assert second.lengths.tolist() == [8] * 3
    assert all(np.array_equal(first[index], second[index]) for index in range(3))
    assert open_features(list_videos(tmp_path, progress=False), None).fill().lengths.tolist() == [8] * 3


def test_the_repeated_frames_of_a_short_video_are_extracted_once(videos, tmp_path):
    extracted, length = [], int(videos["frames"].iloc[0])
    cache = open_features(videos, tmp_path / "cache", extracted=extracted, num_frames=3 * length)
    features, frames = cache[0], cache.frames[0]
    assert extracted == [length] and len(features) == 3 * length
    np.testing.assert_allclose(features, frames.reshape(3 * length, -1, 3).mean(axis=1), rtol=2e-3)


def test_features_are_half_precision_and_flat(videos, tmp_path):
    frames = open_frames(videos, tmp_path)
    thin = FeatureCache(frames, lambda pixels: pixels[:, ::8, ::8] / 3, key="thin", folder=tmp_path)
    assert thin[0].shape == (8, 2 * 2 * 3) and thin[0].dtype == np.float16
    for value in (1e4, np.nan):
        large = FeatureCache(frames, lambda x, v=value: x.mean((1, 2)) * v, key="large", folder=tmp_path / "large")
        with pytest.raises(ValueError, match="below 65504.*large"):
            large.fill()


def test_other_choices_or_keys_are_other_files(videos, tmp_path, decoded):
    folder = tmp_path / "cache"
    for options in ({}, {"num_frames": 4}, {"size": 8}, {"size": (16, 8)}, {"num_frames": None}):
        open_frames(videos, folder, **options).fill()
    assert len(list_files(folder)) == 25 == len(decoded)
    extracted = []
    for key in ("weights a", "weights-a", "weights b", "x" * 200, "x" * 199 + "y"):
        open_features(videos, folder, key=key, extracted=extracted).fill()
    open_features(videos, folder, key="weights a", size=8, extracted=extracted).fill()
    assert len(list_files(folder)) == 25 + 30 and len(extracted) == 30


def test_features_of_one_precision_are_not_served_to_another(videos, tmp_path, monkeypatch):
    from actlib import experiment
    from actlib.torch import precision, training

    monkeypatch.setenv("ACTLIB_CACHE", str(tmp_path))
    frames, model = open_frames(videos, tmp_path), training.build_model(specs.PRESETS["slim_lrcn"].model, 2)
    paths = []
    for name in ("bfloat16", "float32"):
        monkeypatch.setattr(precision, "feature_precision", lambda model, name=name: name)
        paths.append(experiment.cache_features(frames, model).path(0))
    assert paths[0] != paths[1] and all(text in str(paths[0]) for text in ("vgg-slim", "bfloat16", "16x16"))


def test_features_of_one_pooling_are_not_served_to_another(videos, tmp_path, monkeypatch):
    from actlib import experiment
    from actlib.torch import training

    monkeypatch.setenv("ACTLIB_CACHE", str(tmp_path))
    frames, paths = open_frames(videos, tmp_path, size=64, num_frames=2), set()
    for pooling in specs.POOLING:
        for normalize in (False, True):
            vgg = replace(specs.VGG_SLIM, pooling=pooling, normalize=normalize)
            model = training.build_model(replace(specs.SLIM_FRAMES, vgg=vgg), 2)
            cache = experiment.cache_features(frames, model)
            paths.add(cache.path(0))
            assert cache[0].shape == (2, 768 if pooling == "flatten" else 48)
            assert np.allclose(np.linalg.norm(cache[0].astype(float), axis=1), 1, atol=1e-3) == normalize
    assert len(paths) == 6 and any("max-l2" in str(path) for path in paths)


def test_changed_content_is_made_again_and_a_moved_video_is_not(videos, tmp_path, decoded):
    open_frames(videos, tmp_path / "cache").fill()
    os.rename(videos["path"][0], tmp_path / "moved.avi")
    videos.loc[0, "path"] = str(tmp_path / "moved.avi")
    write_video(videos["path"][1], shade_frames(21), fps=10, codec="mpeg4")  # other bytes, as many frames
    decoded.clear()
    open_frames(tabulate(videos["path"]), tmp_path / "cache").fill()
    assert decoded == [videos["path"][1]]


def test_a_video_that_grew_is_sampled_again(videos, tmp_path):
    open_frames(videos, tmp_path / "cache").fill()
    write_mpeg4(videos["path"][0], 25)
    assert count_shades(open_frames(tabulate(videos["path"]), tmp_path / "cache")[0]) == sample_uniform(25, 8).tolist()


@pytest.mark.parametrize("open_cache", [open_frames, open_features])
def test_broken_videos_are_listed_at_the_end(videos, tmp_path, open_cache):
    broken = [str(write_broken(tmp_path, kind)) for kind in BROKEN]
    paths = [*videos["path"][:2], *broken, *videos["path"][2:]]
    table = tabulate(paths)
    cache = open_cache(table, tmp_path / "cache")
    with pytest.raises(VideoError, match=f"{len(broken)} of {len(paths)} videos cannot be used") as caught:
        cache.fill()
    assert all(path in str(caught.value) for path in broken)
    left = eval(str(caught.value).rpartition("leave them out: ")[2].rstrip("."), {"videos": table})["path"]
    assert list(left) == [path for path in paths if path not in broken]  # what it advises helps
    assert len(list_files(tmp_path / "cache")) == 5  # the others are done
    with pytest.raises(VideoError, match="empty.avi"):
        cache[paths.index(str(tmp_path / "empty.avi"))]


@pytest.mark.parametrize("harm", [lambda path: path.write_bytes(path.read_bytes()[:3000]), os.remove])
def test_a_video_that_breaks_after_it_was_listed(videos, tmp_path, harm):
    harm(Path(videos["path"][2]))  # the table still says 22 frames
    with pytest.raises(VideoError, match="1 of 5 videos cannot be used") as caught:
        open_features(videos, tmp_path / "cache").fill()
    assert videos["path"][2] in str(caught.value) and len(list_files(tmp_path / "cache")) == 4


def test_a_broken_video_that_was_copied_again_is_used(videos, tmp_path):
    path, whole = Path(videos["path"][2]), Path(videos["path"][2]).read_bytes()
    path.write_bytes(whole[:3000])
    cache = open_frames(videos, tmp_path / "cache")
    with pytest.raises(VideoError, match="1 of 5"):
        cache.fill()
    path.write_bytes(whole)
    assert cache.fill().lengths.tolist() == [8] * 5 and count_shades(cache[2]) == sample_uniform(22, 8).tolist()


def test_a_full_disk_leaves_nothing_half_written(videos, tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    cache = open_frames(videos, folder)
    cache[0]
    whole, real_write = list_files(folder), np.lib.format.write_array

    def write_some(file, array, **options):
        file.write(b"\x93NUMPY" + bytes(100))
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np.lib.format, "write_array", write_some)
    with pytest.raises(OSError, match="Expected room for .*No space left.*ACTLIB_CACHE"):
        cache.fill()
    assert [name for name in list_files(folder) if not name.endswith(".lock")] == whole
    monkeypatch.setattr(np.lib.format, "write_array", real_write)
    assert len(list_files(cache.fill().folder)) == 5  # goes on where it was, and no lock is in the way


TESTS = Path(__file__).parent
LIMITED = """
import resource, signal, sys
from actlib.dataset import FrameCache
from made_videos import tabulate
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4000, -1))
try:
    FrameCache(tabulate(sys.argv[2:]), num_frames=8, size=16, folder=sys.argv[1], progress=False).fill()
except OSError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the limit on the size of files is Linux's")
def test_an_array_for_which_there_is_no_room_names_its_file(videos, tmp_path):
    command = [sys.executable, "-c", LIMITED, str(tmp_path / "cache"), *videos["path"]]
    said = subprocess.run(command, cwd=TESTS, capture_output=True, text=True, check=True).stdout
    assert f"Expected room for {files.content_hash(videos['path'][0])}-20.npy" in said and "ACTLIB_CACHE" in said
    assert not [name for name in list_files(tmp_path / "cache") if not name.endswith(".lock")]


def test_a_disk_that_is_too_small_is_noticed_before_anything_is_made(videos, tmp_path, monkeypatch, decoded):
    frames = open_frames(videos, tmp_path / "new" / "cache")
    features = FeatureCache(frames, lambda x: x.mean((1, 2)), key="mean", num_features=3, folder=tmp_path / "features")
    every = open_frames(videos, tmp_path / "every", num_frames=None)
    needed = {frames: 5 * 8 * 16 * 16 * 3, features: 5 * 8 * 3 * 2, every: 110 * 16 * 16 * 3}
    for each, num_bytes in needed.items():
        monkeypatch.setattr("shutil.disk_usage", lambda _, n=num_bytes: SimpleNamespace(free=n - 1))
        with pytest.raises(OSError, match=f"Expected {files.format_size(num_bytes)} free.* 5 videos.*ACTLIB_CACHE"):
            each.fill()
        assert not each.folder.exists() and not decoded
    for each, num_bytes in needed.items():
        monkeypatch.setattr("shutil.disk_usage", lambda _, n=num_bytes: SimpleNamespace(free=n))
        each.fill()
        monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=0))
        each.fill()  # nothing is missing
        decoded.clear()


def test_the_bar_says_how_much_disk_is_needed(videos, tmp_path, monkeypatch, capfd):
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    FrameCache(videos, num_frames=1000, size=16, folder=tmp_path).fill()
    assert f"decoding ({files.format_size(5 * 1000 * 16 * 16 * 3)})" in capfd.readouterr().err


def test_damaged_files_are_made_again(videos, tmp_path, decoded):
    cache = open_frames(videos, tmp_path / "cache").fill()
    expected, whole = np.array(cache[0]), cache.path(0).read_bytes()
    for damage in (b"", whole[:500], whole[:-1], whole[:100], b"nonsense" * 100, whole.replace(b"|u1", b"|O ")):
        cache.path(0).write_bytes(damage)
        cache = open_frames(videos, tmp_path / "cache")  # with none in memory
        decoded.clear()
        assert np.array_equal(cache[0], expected) and len(decoded) == 1


@pytest.mark.skipif(os.name != "posix", reason="there are no such files on this system")
def test_a_pipe_under_the_name_of_an_array_is_not_waited_for(videos, tmp_path, in_time):
    whole = open_frames(videos, tmp_path / "cache")[0].tobytes()
    cache = open_frames(videos, tmp_path / "cache")
    cache.path(0).unlink()
    os.mkfifo(cache.path(0))
    assert cache[0].tobytes() == whole


def test_old_partial_files_are_removed_and_fresh_ones_left(videos, tmp_path):
    cache = open_frames(videos, tmp_path / "cache")
    cache.folder.mkdir(parents=True)
    for name, age in (("old.npy.1.partial", 7200), ("fresh.npy.1.partial", 1)):
        (cache.folder / name).write_bytes(b"half")
        os.utime(cache.folder / name, (time.time() - age,) * 2)
    names = list_files(cache.fill().folder)
    assert "fresh.npy.1.partial" in names and "old.npy.1.partial" not in names


FILL = """
import sys, time
from pathlib import Path
from actlib.dataset import FeatureCache, FrameCache
from made_videos import tabulate

folder, log, pause = Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])
def extract(frames):
    with log.open("a") as file:
        file.write(f"{frames[0].mean():.3f}\\n")
    time.sleep(pause)
    return frames.mean((1, 2))
frames = FrameCache(tabulate(sys.argv[4:]), num_frames=8, size=16, progress=False)
FeatureCache(frames, extract, key="mean", folder=folder).fill()
"""


def start_filling(folder, log, pause, paths):
    """A process of its own that fills a cache and logs each video whose features it extracts."""
    command = [sys.executable, "-c", FILL, str(folder), str(log), str(pause), *paths]
    return subprocess.Popen(command, cwd=TESTS)


def wait_for(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "waited for a minute"
        time.sleep(0.005)


def test_a_killed_fill_goes_on_where_it_was(videos, tmp_path, decoded):
    folder, log = tmp_path / "cache", tmp_path / "log"
    process = start_filling(folder, log, 0.3, videos["path"])
    wait_for(lambda: log.exists() and len(log.read_text().splitlines()) == 3)
    process.send_signal(signal.SIGKILL)  # in the middle of the third, holding its lock
    process.communicate()
    assert len([name for name in list_files(folder) if name.endswith(".npy")]) == 2

    extracted = []
    cache = open_features(videos, folder, extracted=extracted).fill()
    assert len(extracted) == len(decoded) == 3
    fresh = open_features(videos, tmp_path / "fresh")
    assert all(np.array_equal(cache[index], fresh[index]) for index in range(5))


def test_two_processes_share_the_work_and_do_none_twice(videos, tmp_path):
    logs = [tmp_path / "log1", tmp_path / "log2"]
    processes = [start_filling(tmp_path / "cache", log, 0.25, videos["path"]) for log in logs]
    for process in processes:
        process.communicate()
        assert process.returncode == 0
    assert sum(len(log.read_text().split()) for log in logs if log.exists()) == 5
    assert len(list_files(tmp_path / "cache")) == 5


def test_work_goes_on_beside_a_process_that_stands_still(videos, tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "LOCK_SECONDS", 0.1)
    frames = open_frames(videos, tmp_path / "cache")
    code = "import sys, time; from actlib import files\nwith files.lock(sys.argv[1]): print(flush=True), time.sleep(60)"
    command = [sys.executable, "-c", code, str(frames.path(3))]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        process.stdout.readline()  # it holds the lock
        assert not frames._make_free([0, 3], cache.tqdm(disable=True))[1:]
        assert len(list_files(frames.folder)) == 2 and frames.path(0).exists()  # one array, and the other's lock
        assert count_shades(frames.fill()[3]) == sample_uniform(23, 8).tolist()
        process.kill()


def test_fewer_threads_read_ahead_where_frames_are_large(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 32)
    videos = pd.DataFrame({"path": ["long.avi"], "frames": [900], "hash": ["long"]})
    readers = [open_frames(videos, tmp_path, num_frames=16, size=size).num_readers for size in (224, 2000, 9000)]
    assert readers == [8, 5, 1]  # 1 GB, of frames of 12 MB and 243 MB, 16 a video


def test_indices_outside_are_refused(videos, tmp_path):
    cache = open_frames(videos, tmp_path / "cache")
    for index in (-1, 5):
        with pytest.raises(IndexError, match=f"0..4. Received: {index}"):
            cache[index]


def test_filled_caches_go_to_other_processes(videos, tmp_path):
    cache = open_features(videos, tmp_path / "cache")
    data = ClipBatches(cache, np.arange(5), make_sampler("segments", 4), batch_size=2)
    sent = pickle.loads(pickle.dumps(data))  # filled on its way, without the model
    assert len(list_files(tmp_path / "cache")) == 5 and sent.kind == "features"
    assert all(np.array_equal(sent.batch(1, index)[0], data.batch(1, index)[0]) for index in range(3))
    assert sent.source.extract is None
