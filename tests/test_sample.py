"""The sample set: what must be equal is equal, what must differ differs, and it appears whole or not at all."""

import errno
import json
import os
import subprocess
import sys
import warnings
from collections import Counter
from pathlib import Path

import av
import numpy as np
import pytest

from actlib.dataset import assign_subsets, check_leakage, list_videos, read_split
from actlib.sample import activities, rendering
from actlib.sample import dataset as sample_set
from actlib.video import probe_video

FEW_GROUPS = 2
SIMILAR = rendering.SIMILAR_CLASSES
DRAW_WHEEL = activities.ACTIVITIES[SIMILAR[0]]
EVEN = 0.3  # of `largest_bias`: of 65 even turns, one in 350 lies further off; the set's furthest is 0.25


def decode(folder, class_name, group=1, clip=1):
    path = Path(folder) / "UCF-101" / sample_set._name_video(class_name, group, clip)
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def every_clip():
    return sample_set._list_clips(sample_set.NUM_GROUPS)


def count_frames(frames):
    return Counter(frame.tobytes() for frame in frames)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A sample set of two groups."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sample_set, "NUM_GROUPS", FEW_GROUPS)
        return sample_set.write_sample(tmp_path_factory.mktemp("small") / "sample")


@pytest.fixture
def one_group(monkeypatch):
    monkeypatch.setattr(sample_set, "NUM_GROUPS", 1)


def find_turn(frame, light):
    """Find how far the wheel is turned, in rounds, from the pixels of its four colors."""
    frame = frame[::4, ::4].astype(float)
    y, x = np.mgrid[: frame.shape[0], : frame.shape[1]]
    places = []
    for color in np.array(activities.QUARTERS) * light:
        distance = np.abs(frame - np.minimum(color, 255)).max(axis=-1)
        places.append((x[distance < 25] + 1j * y[distance < 25]).mean())
    return np.angle(places[0] - places[2] - 1j * (places[1] - places[3])) / (2 * np.pi) + 1 / 8


def turns_by_place(choose=rendering.choose_scene, num_places=7):
    """Find the wheel's turn at even places of all videos of which each similar class has one: (class, video, place)."""
    listed = {name: [place for place in every_clip() if place[0] == name] for name in SIMILAR}
    both = min(listed.values(), key=len)
    return np.array([[_turns(choose(*place[1:], name), num_places) for place in both] for name in SIMILAR])


def _turns(scene, num_places):
    scene = scene._replace(post=None, passer=None)  # who would hide a part of the wheel
    numbers = [round(share * (scene.num_frames - 1)) for share in np.linspace(0, 1, num_places)]
    frames = rendering.draw_frames(DRAW_WHEEL, scene, numbers=numbers)
    return [find_turn(frame, scene.camera.light) for frame in frames]


def largest_bias(turns):
    """Return how far from even the turns are at the worst place of any class: 0 is even, 1 is all alike."""
    waves = [np.abs(np.exp(2j * np.pi * wave * turns).mean(axis=1)).max() for wave in (1, 2, 3)]
    return max(waves)


@pytest.mark.parametrize("class_name, way", [("WheelClockwise", 1), ("WheelAnticlockwise", -1)])
def test_wheels_turn_as_their_classes_say(class_name, way):
    scene = rendering.choose_scene(3, 1, class_name)._replace(post=None, passer=None)
    frames = rendering.draw_frames(DRAW_WHEEL, scene, numbers=range(0, 12, 2))
    turns = np.unwrap([find_turn(frame, scene.camera.light) for frame in frames], period=1)
    assert (np.sign(np.diff(turns)) == way).all()
    assert abs((turns[0] - scene.manner.start + 0.5) % 1 - 0.5) < 0.02


def test_at_every_place_a_similar_class_shows_every_turn_of_the_wheel_alike():
    turns = turns_by_place()
    assert turns.shape[1] > 50
    assert largest_bias(turns) < EVEN


def test_wheels_that_begin_alike_would_be_found_out():
    def begin_alike(group, clip, class_name):
        scene = rendering.choose_scene(group, clip, class_name)
        start = 0.3 * scene.manner.start + 0.5 * (class_name == "WheelBothWays")
        return scene._replace(manner=scene.manner._replace(start=start))

    assert largest_bias(turns_by_place(begin_alike, 2)) > 2 * EVEN


def test_a_frame_of_a_similar_class_is_a_frame_of_the_others_with_another_start():
    """Which way a wheel turns is in no picture: only how far it is turned."""
    one, other = (rendering.choose_scene(4, 1, name) for name in ("WheelClockwise", "WheelAnticlockwise"))
    assert one._replace(manner=other.manner) == other
    for number in range(0, one.num_frames, 7):
        start = one.manner.start + 2 * one.manner.tempo * number / (one.num_frames - 1)
        turned = other._replace(manner=other.manner._replace(start=start))
        frames = [rendering.draw_frames(DRAW_WHEEL, each, numbers=[number]) for each in (one, turned)]
        assert np.abs(frames[0].astype(int) - frames[1]).mean() < 0.1


def test_similar_classes_begin_and_end_with_the_same_pixels(small):
    for first, last in [[decode(small, name)[place] for place in (0, -1)] for name in SIMILAR[1:]]:
        assert np.array_equal(first, decode(small, SIMILAR[0])[0])
        assert np.abs(last.astype(int) - decode(small, SIMILAR[0])[-1]).mean() < 3  # of a lossy codec


def test_similar_classes_move_in_ways_of_their_own(small):
    videos = [np.array(decode(small, name), int) for name in SIMILAR]
    for number, video in enumerate(videos):
        assert np.abs(video - videos[number - 1]).mean() > 5


def test_similar_classes_cannot_be_told_by_length(small):
    for place in ((1, 1), (1, 2), (2, 1), (2, 2)):
        paths = [small / "UCF-101" / sample_set._name_video(name, *place) for name in SIMILAR]
        assert len({probe_video(path) for path in paths}) == 1


def test_most_videos_of_a_class_are_in_its_usual_place_and_the_rest_where_another_is_usual():
    scenes = [(name, rendering.choose_scene(group, clip, name)) for name, group, clip in every_clip()]
    agrees = np.array([scene.place == rendering.USUAL_PLACES[name] for name, scene in scenes])
    assert 0.77 < agrees.mean() < 0.83
    assert {scene.place for _, scene in scenes} == set(rendering.USUAL_PLACES.values())
    for tested in sample_set.TEST_GROUPS.values():
        misled = [not agree for agree, (_, scene) in zip(agrees, scenes, strict=True) if scene.group in tested]
        assert 0.1 < np.mean(misled) < 0.3


def test_scenes_differ_as_real_ones_do():
    scenes = [rendering.choose_scene(group, clip, name) for name, group, clip in every_clip()]
    for several in (
        {scene.camera.facing for scene in scenes},
        {scene.post is None for scene in scenes},
        {scene.passer is None for scene in scenes},
        {np.sign(scene.closer) for scene in scenes},
        {scene.sway > 0 for scene in scenes},
    ):
        assert len(several) > 1


def test_different_classes_share_no_frame_with_any_other(small):
    seen = Counter()
    for name in ("WheelClockwise", *rendering.SAMPLE_CLASSES[len(SIMILAR) :]):
        frames = count_frames(decode(small, name))
        assert not seen & frames
        seen += frames


def test_the_turn_is_seen_at_64_pixels(small):
    """A quarter of a second changes far more pixels than noise would."""
    frames = np.array(decode(small, "WheelClockwise"), np.float32)
    tiny = frames[:, ::4, ::5].mean(axis=-1)  # (F, 60, 64)
    for first, second in zip(tiny[::6], tiny[6::6], strict=False):
        assert (np.abs(first - second) > 30).mean() > 0.02


@pytest.mark.parametrize("class_name", sample_set.SAMPLE_CLASSES)
def test_two_renders_give_the_same_bytes(class_name):
    draw, scenes = activities.ACTIVITIES[class_name], [rendering.choose_scene(3, 2, class_name) for _ in range(2)]
    first, second = (rendering.draw_frames(draw, scene) for scene in scenes)
    assert first.dtype == np.uint8 and first.shape[1:] == (240, 320, 3)
    assert first.tobytes() == second.tobytes()


def test_two_sample_sets_are_the_same_bytes(small, tmp_path, one_group):
    again = sample_set.write_sample(tmp_path / "again")
    for path in again.rglob("*.avi"):
        assert path.read_bytes() == (small / path.relative_to(again)).read_bytes()


def test_files_look_like_ucf101(small):
    with av.open(str(small / "UCF-101/Cycling/v_Cycling_g01_c01.avi")) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        assert (context.name, context.codec_tag, context.width, context.height) == ("mpeg4", "XVID", 320, 240)
        assert stream.average_rate == 25


def test_lists_agree_with_the_files(small):
    table = list_videos(small, classes=sample_set.SAMPLE_CLASSES, progress=False)
    assert len(table) == len(sample_set._list_clips(2)) and set(table["frames"]) <= set(rendering.LENGTHS)
    lists = read_split(small)
    assert set(lists.train) | set(lists.test) == set(table["name"])
    numbers = dict(line.split()[::-1] for line in (small / "ucfTrainTestlist/classInd.txt").read_text().splitlines())
    assert sorted(numbers.values()) == list("1234567") and set(numbers) == set(sample_set.SAMPLE_CLASSES)
    for line in (small / "ucfTrainTestlist/trainlist02.txt").read_text().splitlines():
        name, number = line.split()
        assert numbers[name.split("/")[0]] == number


def test_a_finished_sample_is_left_alone(small, one_group, monkeypatch):
    monkeypatch.setattr(sample_set, "_draw", lambda *_: pytest.fail("drawn again"))
    assert sample_set.write_sample(small) == small


def test_another_version_is_made_anew(tmp_path, one_group):
    folder = tmp_path / "sample"
    (folder / "UCF-101").mkdir(parents=True)
    (folder / "UCF-101/old.avi").write_bytes(b"old")
    (folder / "sample.json").write_text(json.dumps({"version": sample_set.VERSION - 1}))
    assert not sample_set.is_sample(folder)
    sample_set.write_sample(folder)
    assert sample_set.is_sample(folder) and not (folder / "UCF-101/old.avi").exists()
    assert {path.name for path in tmp_path.iterdir()} <= {"sample", "sample.lock"}


def test_other_peoples_files_are_never_replaced(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/holiday.avi").write_bytes(b"mine")
    with pytest.raises(FileExistsError, match="other files"):
        sample_set.write_sample(tmp_path / "mine")
    assert (tmp_path / "mine/holiday.avi").read_bytes() == b"mine"


def test_a_failure_leaves_nothing_behind(tmp_path, one_group, monkeypatch):
    def fail(*_):
        raise RuntimeError("no brush")

    monkeypatch.setattr(sample_set, "_write_clip", fail)
    with pytest.raises(RuntimeError, match="no brush"):
        sample_set.write_sample(tmp_path / "sample")
    assert {path.name for path in tmp_path.iterdir()} <= {"sample.lock"}


def test_a_full_disk_is_told_as_elsewhere(tmp_path, one_group, monkeypatch):
    def fill(folder, *_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder / "UCF-101"))

    monkeypatch.setattr(sample_set, "_write_clip", fill)
    with pytest.raises(OSError, match="Expected room for sample in .*Free some disk"):
        sample_set.write_sample(tmp_path / "sample")


def test_a_script_that_guards_nothing_draws_the_sample(tmp_path):
    script = "import sys\nfrom actlib.sample import dataset\ndataset.NUM_GROUPS = 1\n"
    (tmp_path / "mine.py").write_text(f"{script}print(dataset.write_sample(sys.argv[1]))\n")
    command = [sys.executable, "mine.py", str(tmp_path / "sample")]
    environment = {**os.environ, "PYTHONPATH": str(Path(sample_set.__file__).parents[2])}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.stdout.splitlines() == [str(tmp_path / "sample")], done.stderr


def test_what_a_killed_process_left_is_cleared(tmp_path, one_group):
    (tmp_path / "sample.1.partial/UCF-101").mkdir(parents=True)
    os.utime(tmp_path / "sample.1.partial", (0, 0))
    sample_set.write_sample(tmp_path / "sample")
    assert {path.name for path in tmp_path.iterdir()} == {"sample", "sample.lock"}


def test_where_nothing_can_be_written_the_way_out_is_named(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.warns(UserWarning, match="cannot be locked"), pytest.raises(OSError, match="ACTLIB_HOME"):
        sample_set.write_sample(tmp_path / "file/data/sample")


def test_two_processes_at_once_both_find_it_whole(tmp_path):
    code = "import sys\nfrom actlib.sample import dataset\ndataset.NUM_GROUPS = 1\ndataset.write_sample(sys.argv[1])"
    both = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "sample")]) for _ in range(2)]
    assert [process.wait() for process in both] == [0, 0]
    assert len(list_videos(tmp_path / "sample", progress=False)) == len(sample_set._list_clips(1))
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


def test_in_a_notebook_absent_videos_are_no_warning_of_every_lesson(tmp_path, one_group, monkeypatch):
    monkeypatch.setenv("ACTLIB_HOME", str(tmp_path))
    folder = sample_set.data_folder()
    videos = list_videos(folder, progress=False)[1:]
    with pytest.warns(UserWarning, match="not in the table"):
        assign_subsets(videos, folder, validation_groups=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        monkeypatch.setitem(sys.modules, "ipykernel", None)
        sample_set.data_folder()
        assign_subsets(videos, folder, validation_groups=0)


def test_in_a_notebook_a_warning_is_shown_once_and_without_a_path(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("ACTLIB_DATA", str(tmp_path))
    with warnings.catch_warnings():
        monkeypatch.setitem(sys.modules, "ipykernel", None)
        sample_set.data_folder()
        warnings.simplefilter("always")
        for text in ("Few videos test: walk 3.", "Few videos test: walk 3.", "Few videos test: walk 4."):
            warnings.warn(text, stacklevel=1)
        once = "UserWarning: Few videos test: walk 3.\nUserWarning: Few videos test: walk 4.\n"
        assert capsys.readouterr().err == once
        shown = []  # what is not the library's stays Python's to show
        monkeypatch.setattr(sample_set, "_show_warning", lambda *given, **_: shown.append(given))
        warnings.warn("overflow", RuntimeWarning, stacklevel=1)
        assert [given[1] for given in shown] == [RuntimeWarning] and not capsys.readouterr().err


def test_no_scene_is_chosen_for_a_class_that_is_not_known():
    with pytest.raises(ValueError, match="Swimming"):
        rendering.choose_scene(1, 1, "Swimming")


def test_the_whole_sample_set_is_small_and_split_as_ucf101_is(monkeypatch):
    """Draws the sample set of this checkout on first use, as lessons do."""
    monkeypatch.delenv("ACTLIB_DATA", raising=False)
    folder = sample_set.data_folder()
    table = list_videos(folder, progress=False)
    assert len(table) == len(every_clip()) and table["bytes"].sum() < 30e6
    assert set(table.groupby("class_name")["group"].nunique()) == {25}
    assert table["class_name"].value_counts().nunique() > 3
    assert (table["frames"] / rendering.FPS).between(2, 4).all() and table["frames"].nunique() > 20
    for split, tested in ((1, range(1, 8)), (2, range(8, 15)), (3, range(15, 22))):
        parts = assign_subsets(table, folder, split=split)
        assert set(parts.loc[parts["subset"] == "test", "group"]) == set(tested) and len(parts) == len(table)
        check_leakage(parts[parts["subset"] != "test"], parts[parts["subset"] == "test"])
