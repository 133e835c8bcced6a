"""From a folder to a table: what is counted, which labels, which official lists, and what is refused."""

import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import av
import numpy as np
import pytest

from actlib import paths
from actlib.dataset import list_videos, read_split
from actlib.dataset.listing import COLUMNS
from actlib.video import VideoError, probe_video

pytestmark = pytest.mark.usefixtures("in_time")

REAL = os.environ.get("ACTLIB_REAL_DATA")
needs_real = pytest.mark.skipif(not REAL, reason="ACTLIB_REAL_DATA names no folder of real clips")
GROUPS = range(1, 26)


def write_avi(path, num_frames=5):
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 24, "yuv420p"
        for number in range(num_frames):
            pixels = np.full((24, 32, 3), 40 * number % 255, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    return path


@pytest.fixture(scope="module")
def one_avi(tmp_path_factory):
    return write_avi(tmp_path_factory.mktemp("one") / "v_Run_g01_c01.avi")


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ACTLIB_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path, one_avi):
    """Two classes of 25 groups and one odd one, with lists that end lines in CRLF."""
    root = tmp_path / "data"
    names = [f"{name}/v_{name}_g{group:02d}_c01.avi" for name in ("Basketball", "BasketballDunk") for group in GROUPS]
    names += ["HandstandPushups/v_HandStandPushups_g09_c01.avi"]
    for name in names:
        (root / "UCF-101" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(one_avi, root / "UCF-101" / name)
    lists = root / "ucfTrainTestlist"
    lists.mkdir()
    tested = [name for name in names if int(name[-10:-8]) <= 7]
    (lists / "testlist01.txt").write_bytes("".join(f"{name}\r\n" for name in tested).encode())
    trained = "".join(f"{name} 1\r\n" for name in names if name not in tested)
    (lists / "trainlist01.txt").write_bytes(trained.encode())
    return root


def list_quietly(folder, **options):
    return list_videos(folder, progress=False, **options)


def test_the_table_has_a_row_for_each_video(folder):
    table = list_quietly(folder)
    assert tuple(table.columns) == COLUMNS
    assert len(table) == 51 and table["name"].is_monotonic_increasing
    assert table["label"].dtype == np.int64 and all(Path(path).is_absolute() for path in table["path"])
    row = table.iloc[3]
    assert (row["name"], row["group"], row["clip"], row["frames"]) == ("Basketball/v_Basketball_g04_c01.avi", 4, 1, 5)
    assert row["bytes"] == Path(row["path"]).stat().st_size
    assert table.attrs == {
        "classes": ("Basketball", "BasketballDunk", "HandstandPushups"),
        "folder": str(folder.resolve()),
        "groups_span_classes": False,
    }


def test_a_group_of_the_sample_set_is_one_person_in_all_classes(folder, monkeypatch):
    monkeypatch.setattr("actlib.dataset.listing.is_sample", lambda path: path == folder)
    assert list_quietly(folder).attrs["groups_span_classes"]


def test_the_class_folders_may_be_given_directly(folder):
    assert list_quietly(folder / "UCF-101").equals(list_quietly(folder))


def test_labels_come_from_folders_whatever_files_are_called(folder):
    row = list_quietly(folder).set_index("name").loc["HandstandPushups/v_HandStandPushups_g09_c01.avi"]
    assert (row["class_name"], row["label"]) == ("HandstandPushups", 2)


def test_class_names_are_exact_and_keep_their_order(folder):
    only = list_quietly(folder, classes=["Basketball"])
    assert set(only["class_name"]) == {"Basketball"} and len(only) == 25
    turned = list_quietly(folder, classes=("BasketballDunk", "Basketball"))
    assert turned.groupby("class_name")["label"].unique().map(list).to_dict() == {
        "BasketballDunk": [0],
        "Basketball": [1],
    }


@pytest.mark.parametrize(
    "classes", [["Basket"], ["Basketball", "Surfing"], ["Basketball", "Basketball"], "Basketball", []]
)
def test_classes_that_cannot_be_meant_are_refused(folder, classes):
    with pytest.raises(ValueError, match="Expected"):
        list_quietly(folder, classes=classes)


def test_a_folder_without_videos_says_so(tmp_path):
    for place in (tmp_path, tmp_path / "absent"):
        with pytest.raises(ValueError, match="Received: none in"):
            list_quietly(place)


def test_files_that_are_no_clips_are_left_alone(folder):
    (folder / "UCF-101/Basketball/._v_Basketball_g01_c01.avi").write_bytes(b"x")
    (folder / "UCF-101/Basketball/Thumbs.db").write_bytes(b"x")
    (folder / "UCF-101/notes.txt").write_text("x")
    assert len(list_quietly(folder)) == 51


def test_only_new_and_changed_files_are_probed_again(folder, monkeypatch):
    first = list_quietly(folder)
    asked = []
    probe = probe_video
    monkeypatch.setattr("actlib.video.metadata.probe_video", lambda path: asked.append(path.name) or probe(path))
    assert list_quietly(folder).equals(first) and asked == []
    write_avi(folder / "UCF-101/Basketball/v_Basketball_g02_c01.avi", num_frames=9)
    write_avi(folder / "UCF-101/Basketball/v_Basketball_g02_c02.avi", num_frames=3)
    (folder / "UCF-101/Basketball/v_Basketball_g03_c01.avi").unlink()
    table = list_quietly(folder).set_index("name")["frames"]
    assert sorted(asked) == ["v_Basketball_g02_c01.avi", "v_Basketball_g02_c02.avi"]
    assert table["Basketball/v_Basketball_g02_c01.avi"] == 9 and table["Basketball/v_Basketball_g02_c02.avi"] == 3
    assert "Basketball/v_Basketball_g03_c01.avi" not in table.index


def test_a_spoiled_index_is_made_again(folder):
    first = list_quietly(folder)
    for index in (paths.cache_folder() / "index").iterdir():
        index.write_text('{"Basketball/v_Ba')
    assert list_quietly(folder).equals(first)


def test_nothing_is_written_into_the_data_folder(folder):
    before = sorted(folder.rglob("*"))
    list_quietly(folder), read_split(folder)
    assert sorted(folder.rglob("*")) == before


def test_without_a_place_for_the_index_listing_goes_on(folder, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("ACTLIB_CACHE", str(tmp_path / "file"))
    with pytest.warns(UserWarning, match="ACTLIB_CACHE"):
        assert len(list_quietly(folder)) == 51


def test_broken_videos_are_listed_at_the_end_and_skipped_when_asked(folder):
    for group in (5, 6):
        (folder / f"UCF-101/Basketball/v_Basketball_g{group:02d}_c01.avi").write_bytes(b"")
    with pytest.raises(VideoError, match="(?s)2 of 51.*g05_c01.*g06_c01"):
        list_quietly(folder)
    with pytest.warns(UserWarning, match="2 of 51"):
        table = list_quietly(folder, skip_broken=True)
    assert len(table) == 49


@pytest.mark.skipif(os.name != "posix", reason="there are no such files on this system")
def test_one_link_or_pipe_or_folder_does_not_stop_a_data_set(folder, monkeypatch):
    bad = folder / "UCF-101/Basketball"
    (bad / "v_Basketball_g01_c02.avi").symlink_to("nowhere.avi")
    (bad / "v_Basketball_g01_c03.avi").symlink_to("v_Basketball_g01_c03.avi")
    (bad / "v_Basketball_g01_c04.avi").mkdir()
    os.mkfifo(bad / "v_Basketball_g01_c05.avi")
    iterdir = Path.iterdir

    def refuse(path):
        if path.name == "HandstandPushups":
            raise PermissionError(13, "Permission denied", str(path))
        return iterdir(path)

    monkeypatch.setattr(Path, "iterdir", refuse)
    names = [*(f"c0{number}.avi" for number in range(2, 6)), "HandstandPushups .Permission denied"]
    for classes in (None, ["HandstandPushups", "Basketball", "BasketballDunk"]):
        with pytest.raises(VideoError, match="5 of 54 videos cannot be used") as caught:
            list_quietly(folder, classes=classes)
        assert all(re.search(name, str(caught.value)) for name in names)
        with pytest.warns(UserWarning, match="5 of 54"):
            assert len(list_quietly(folder, classes=classes, skip_broken=True)) == 50


def test_a_video_that_has_gone_from_behind_its_link_does_not_stop_a_data_set(folder):
    path = folder / "UCF-101/Basketball/v_Basketball_g01_c01.avi"
    path.rename(folder / "elsewhere.avi")
    path.symlink_to(folder / "elsewhere.avi")
    assert len(list_quietly(folder)) == 51
    (folder / "elsewhere.avi").unlink()
    with pytest.warns(UserWarning, match="(?s)1 of 51.*g01_c01.avi .No such file"):
        assert len(list_quietly(folder, skip_broken=True)) == 50


def test_a_data_set_of_which_nothing_is_left_is_refused(folder):
    for path in (folder / "UCF-101").rglob("*.avi"):
        path.write_bytes(b"")
    with pytest.raises(VideoError, match="51 of 51"):
        list_quietly(folder, skip_broken=True)


@pytest.mark.parametrize("end", [KeyboardInterrupt, SystemExit])
def test_a_listing_that_is_cut_stops_and_goes_on_where_it_was(folder, monkeypatch, end):
    asked = []

    def probe(path):
        asked.append(path)
        time.sleep(0.05 * (len(asked) > 24))
        return probe_video(path)

    def cut(answers, *_given, **_options):
        yield from itertools.islice(answers, 20)
        raise end

    monkeypatch.setattr("actlib.video.metadata.probe_video", probe)
    with monkeypatch.context() as patch:
        patch.setattr("actlib.video.metadata.tqdm", cut)
        with pytest.raises(end):
            list_quietly(folder)
    assert len(asked) < 40  # the others are not read any more
    asked.clear()
    assert len(list_quietly(folder)) == 51 and len(asked) == 31


LIST = """
import os, signal, sys
from actlib.dataset import list_videos
from actlib.video import metadata
metadata.SAVE_EVERY, metadata.THREADS = 10, 1
probe, asked = metadata.probe_video, []
def kill(path):
    asked.append(path)
    if len(asked) == 35:
        os.kill(os.getpid(), signal.SIGKILL)
    return probe(path)
metadata.probe_video = kill
list_videos(sys.argv[1], progress=False)
"""


@pytest.mark.skipif(os.name != "posix", reason="a process kills itself")
def test_a_listing_that_is_killed_goes_on_where_it_was(folder, monkeypatch):
    assert subprocess.run([sys.executable, "-c", LIST, str(folder)], check=False).returncode == -9
    asked = []
    monkeypatch.setattr("actlib.video.metadata.probe_video", lambda path: asked.append(path) or probe_video(path))
    assert len(list_quietly(folder)) == 51 and 21 <= len(asked) <= 31  # 20 or 30 of the first 34 were kept


def test_videos_are_looked_into_at_the_same_time(folder, monkeypatch):
    meeting = threading.Barrier(2)
    monkeypatch.setattr("actlib.video.metadata.THREADS", 2)
    monkeypatch.setattr(
        "actlib.video.metadata.probe_video", lambda path: meeting.wait(30) is not None and probe_video(path)
    )
    only = folder / "UCF-101/Basketball"
    for path in [*(folder / "UCF-101").glob("*/*.avi")]:
        if path.parent != only or path.name > "v_Basketball_g04":
            path.unlink()
    write_avi(only / "v_Basketball_g04_c01.avi")
    assert len(list_quietly(folder)) == 4  # two by two


OUTSIDE = "../../../outside"


@pytest.mark.parametrize(
    ("place", "value"),
    [(2, OUTSIDE), (2, -1), (2, 10**400), (3, OUTSIDE), (3, float("nan")), (4, 0), (5, None), (6, OUTSIDE)],
    ids=range(8),
)
def test_an_index_of_what_no_video_has_is_made_again(folder, place, value):
    first = list_quietly(folder)
    (index,) = (paths.cache_folder() / "index").iterdir()
    entries = json.loads(index.read_text())
    next(iter(entries.values()))[place] = value
    index.write_text(json.dumps(entries))
    assert list_quietly(folder).equals(first)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000])
def test_deep_json_is_no_index_and_no_sample_set(folder, text):
    first = list_quietly(folder)
    (index,) = (paths.cache_folder() / "index").iterdir()
    for path in (index, folder / paths.SAMPLE_CARD):
        path.write_text(text)
    assert list_quietly(folder).equals(first)


@pytest.mark.skipif(sys.platform != "linux", reason="names on this system are text")
def test_a_name_that_is_no_text_leaves_the_index_to_the_others(folder, monkeypatch):
    strange = folder / "UCF-101" / os.fsdecode(b"Jump\xff")
    (folder / "UCF-101/BasketballDunk").rename(strange)
    first, asked = list_quietly(folder), []
    monkeypatch.setattr("actlib.video.metadata.probe_video", lambda path: asked.append(path) or probe_video(path))
    assert list_quietly(folder).equals(first) and {path.parent for path in asked} <= {strange}


def test_a_list_that_is_no_text_is_named(folder):
    path = folder / "ucfTrainTestlist/testlist01.txt"
    path.write_bytes(path.read_text().encode("utf-16"))
    with pytest.raises(ValueError, match="Expected a list in UTF-8. Received: .*testlist01.txt"):
        read_split(folder)


def test_lists_are_read_with_either_line_ending(folder):
    crlf = read_split(folder)
    for path in (folder / "ucfTrainTestlist").iterdir():
        path.write_bytes(path.read_bytes().replace(b"\r\n", b"\n"))
    assert read_split(folder) == crlf == read_split(folder / "UCF-101")
    assert (len(crlf.train), len(crlf.test)) == (37, 14)
    assert crlf.train[0] == "Basketball/v_Basketball_g08_c01.avi"


def test_a_missing_list_says_where_it_was_looked_for(folder):
    with pytest.raises(FileNotFoundError, match="trainlist04.txt"):
        read_split(folder, split=4)


@needs_real
@pytest.mark.parametrize(("split", "num_train", "num_test"), [(1, 9537, 3783), (2, 9586, 3734), (3, 9624, 3696)])
def test_official_lists_have_their_official_lengths(split, num_train, num_test):
    lists = read_split(REAL, split=split)
    assert (len(lists.train), len(lists.test)) == (num_train, num_test)
    assert len({name.split("/")[0] for name in lists.train}) == 101
