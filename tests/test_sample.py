"""The sample set: what must be equal is equal, what must differ differs, and it appears whole or not at all."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import av
import numpy as np
import pytest

from actlib.dataset import assign_subsets, check_leakage, list_videos, read_split
from actlib.sample import dataset as sample_set
from actlib.sample import rendering
from actlib.video import probe_video

FEW_GROUPS = 2


def decode(folder, class_name, group=1, clip=1):
    path = Path(folder) / "UCF-101" / sample_set.name_video(class_name, group, clip)
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def count_frames(frames):
    return Counter(frame.tobytes() for frame in frames)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A sample set of two groups."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sample_set, "NUM_GROUPS", FEW_GROUPS)
        return sample_set.write_sample(tmp_path_factory.mktemp("small") / "sample", progress=False)


@pytest.fixture
def one_group(monkeypatch):
    monkeypatch.setattr(sample_set, "NUM_GROUPS", 1)


@pytest.mark.parametrize("group", [1, 2])
@pytest.mark.parametrize("clip", [1, 2])
def test_similar_classes_have_exactly_the_same_decoded_frames(small, group, clip):
    sitting, standing, squat = (decode(small, name, group, clip) for name in rendering.SIMILAR_CLASSES)
    assert count_frames(sitting) == count_frames(standing) == count_frames(squat)
    assert len(count_frames(sitting)) == len(sitting) >= 32  # every pose is a picture of its own


def test_similar_classes_differ_in_the_order_of_their_frames(small):
    sitting, standing, squat = (decode(small, name) for name in rendering.SIMILAR_CLASSES)
    assert np.array_equal(sitting, standing[::-1])
    assert not np.array_equal(sitting, squat) and not np.array_equal(standing, squat)
    assert np.array_equal(squat[: len(squat) // 2], sitting[::2])


def test_similar_classes_cannot_be_told_by_length_or_size(small):
    for group, clip in ((1, 1), (1, 2), (2, 1), (2, 2)):
        paths = [small / "UCF-101" / sample_set.name_video(name, group, clip) for name in rendering.SIMILAR_CLASSES]
        assert len({probe_video(path) for path in paths}) == 1
        assert len({path.stat().st_size for path in paths}) == 1


def test_different_classes_share_no_frame_with_any_other(small):
    seen = Counter()
    for name in ("SittingDown", *rendering.DIFFERENT_CLASSES):
        frames = count_frames(decode(small, name))
        assert not seen & frames
        seen += frames


def test_the_pose_is_seen_at_64_pixels(small):
    """A shift of the poses by a quarter of the way changes far more pixels than noise would."""
    frames = np.array(decode(small, "SittingDown"), np.float32)
    tiny = frames[:, ::4, ::5].mean(axis=-1)  # (F, 60, 64)
    for first, second in zip(tiny[::8], tiny[8::8], strict=False):
        assert (np.abs(first - second) > 30).mean() > 0.02


@pytest.mark.parametrize("class_name", sample_set.SAMPLE_CLASSES)
def test_two_renders_give_the_same_bytes(class_name):
    first = rendering.render_video(class_name, group=3, clip=2)
    second = rendering.render_video(class_name, group=3, clip=2)
    assert first.dtype == np.uint8 and first.shape[1:] == (240, 320, 3)
    assert first.tobytes() == second.tobytes()


def test_two_sample_sets_decode_to_the_same_pixels(small, tmp_path, one_group):
    again = sample_set.write_sample(tmp_path / "again", progress=False)
    for name in sample_set.SAMPLE_CLASSES:
        assert np.array_equal(decode(small, name, 1, 2), decode(again, name, 1, 2))


def test_files_look_like_ucf101(small):
    with av.open(str(small / "UCF-101/Cycling/v_Cycling_g01_c01.avi")) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        assert (context.name, context.codec_tag, context.width, context.height) == ("mpeg4", "XVID", 320, 240)
        assert stream.average_rate == 25


def test_lists_agree_with_the_files(small):
    table = list_videos(small, classes=sample_set.SAMPLE_CLASSES, progress=False)
    assert len(table) == 7 * FEW_GROUPS * 2 and set(table["frames"]) <= set(rendering.LENGTHS)
    lists = read_split(small)
    assert set(lists.train) | set(lists.test) == set(table["name"])
    numbers = dict(line.split()[::-1] for line in (small / "ucfTrainTestlist/classInd.txt").read_text().splitlines())
    assert sorted(numbers.values()) == list("1234567") and set(numbers) == set(sample_set.SAMPLE_CLASSES)
    for line in (small / "ucfTrainTestlist/trainlist02.txt").read_text().splitlines():
        name, number = line.split()
        assert numbers[name.split("/")[0]] == number


def test_a_finished_sample_is_left_alone(small, one_group, monkeypatch):
    monkeypatch.setattr(sample_set, "_draw", lambda *_: pytest.fail("drawn again"))
    assert sample_set.write_sample(small, progress=False) == small


def test_another_version_is_made_anew(tmp_path, one_group):
    folder = tmp_path / "sample"
    (folder / "UCF-101").mkdir(parents=True)
    (folder / "UCF-101/old.avi").write_bytes(b"old")
    (folder / "sample.json").write_text(json.dumps({"version": sample_set.VERSION - 1}))
    assert not sample_set.is_sample(folder)
    sample_set.write_sample(folder, progress=False)
    assert sample_set.is_sample(folder) and not (folder / "UCF-101/old.avi").exists()
    assert {path.name for path in tmp_path.iterdir()} <= {"sample", "sample.lock"}


def test_other_peoples_files_are_never_replaced(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/holiday.avi").write_bytes(b"mine")
    with pytest.raises(FileExistsError, match="other files"):
        sample_set.write_sample(tmp_path / "mine", progress=False)
    assert (tmp_path / "mine/holiday.avi").read_bytes() == b"mine"


def test_a_failure_leaves_nothing_behind(tmp_path, one_group, monkeypatch):
    (tmp_path / "python").write_text("#!/bin/sh\necho no brush >&2\nexit 1\n")
    (tmp_path / "python").chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(RuntimeError, match="no brush"):
        sample_set.write_sample(tmp_path / "sample", progress=False)
    assert {path.name for path in tmp_path.iterdir()} <= {"python", "sample.lock"}


def test_what_a_killed_process_left_is_cleared(tmp_path, one_group):
    (tmp_path / "sample.1.partial/UCF-101").mkdir(parents=True)
    os.utime(tmp_path / "sample.1.partial", (0, 0))
    sample_set.write_sample(tmp_path / "sample", progress=False)
    assert {path.name for path in tmp_path.iterdir()} == {"sample", "sample.lock"}


def test_where_nothing_can_be_written_the_way_out_is_named(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.warns(UserWarning, match="cannot be locked"), pytest.raises(OSError, match="ACTLIB_HOME"):
        sample_set.write_sample(tmp_path / "file/data/sample", progress=False)


def test_two_processes_at_once_both_find_it_whole(tmp_path):
    code = "import sys\nfrom actlib.sample import dataset\ndataset.NUM_GROUPS = 1\ndataset.write_sample(sys.argv[1])"
    both = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "sample")]) for _ in range(2)]
    assert [process.wait() for process in both] == [0, 0]
    assert len(list_videos(tmp_path / "sample", progress=False)) == 14
    assert {path.name for path in tmp_path.iterdir()} <= {"sample", "sample.lock"}


def test_the_data_folder_is_what_was_chosen_or_the_sample(tmp_path, one_group, monkeypatch):
    monkeypatch.setenv("ACTLIB_DATA", str(tmp_path))
    assert sample_set.data_folder() == tmp_path.resolve()
    monkeypatch.setenv("ACTLIB_DATA", str(tmp_path / "absent"))
    with pytest.raises(FileNotFoundError, match="ACTLIB_DATA"):
        sample_set.data_folder()
    monkeypatch.delenv("ACTLIB_DATA")
    monkeypatch.setenv("ACTLIB_HOME", str(tmp_path / "home"))
    folder = sample_set.data_folder()
    assert folder == (tmp_path / "home/data/sample").resolve() and sample_set.is_sample(folder)


def test_render_refuses_a_class_it_does_not_know():
    with pytest.raises(ValueError, match="Swimming"):
        rendering.render_video("Swimming", group=1, clip=1)


def test_the_whole_sample_set_is_small_and_split_as_ucf101_is(monkeypatch):
    """Draws the sample set of this checkout on first use, as lessons do."""
    monkeypatch.delenv("ACTLIB_DATA", raising=False)
    folder = sample_set.data_folder()
    table = list_videos(folder, progress=False)
    assert len(table) == 350 and table["bytes"].sum() < 25e6
    assert len(table.groupby("class_name")["frames"].apply(lambda frames: tuple(sorted(frames))).unique()) == 1
    for split, tested in ((1, range(1, 8)), (2, range(8, 15)), (3, range(15, 22))):
        parts = assign_subsets(table, folder, split=split)
        assert set(parts.loc[parts["subset"] == "test", "group"]) == set(tested) and len(parts) == 350
        check_leakage(parts[parts["subset"] != "test"], parts[parts["subset"] == "test"])
