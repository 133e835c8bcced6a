"""Fetching UCF-101: by class out of one big ZIP, from any archive or folder, with every video checked at the end."""

import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import av
import numpy as np
import pytest
from loopback import serve
from tiny_rar import write_rar

from actlib.download import completeness
from actlib.download import fetching as download
from actlib.download.archives import UnsafeArchiveError
from actlib.download.completeness import check_videos, choose_classes, list_official
from actlib.download.connection import Patience
from actlib.download.disk import DownloadError
from actlib.download.fetching import fetch, fetch_lists, fetch_ucf101

REAL = os.environ.get("ACTLIB_REAL_DATA")
QUICK = Patience(timeout=1.0, attempts=3, pause=0.01)
CALM = {"patience": QUICK, "progress": False}
# As in UCF-101: one class whose files are spelt otherwise than its folder, and one name that is part of another.
STEMS = {"Basketball": "Basketball", "BasketballDunk": "BasketballDunk", "HandstandPushups": "HandStandPushups"}
SCRIPT = """
import sys
from actlib.download.connection import Patience
from actlib.download.fetching import fetch
print(fetch("ucf101", classes="all", source=sys.argv[1], folder=sys.argv[2], lists=sys.argv[3],
            patience=Patience(timeout=20), progress=False))
"""


@pytest.fixture(autouse=True)
def nothing_but_loopback(monkeypatch):
    """No address of the real world is left to fall back on."""
    for name in ("ACTLIB_UCF101_URL", "ACTLIB_UCF101_LISTS_URL"):
        monkeypatch.delenv(name, raising=False)
    for name in ("VIDEOS_URL", "OFFICIAL_URL", "LISTS_URL"):
        monkeypatch.setattr(download, name, f"http://127.0.0.1:9/{name}.zip")


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    """A small video that can be read, as bytes."""
    path = tmp_path_factory.mktemp("video") / "v.avi"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for value in range(6):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 40 * value, np.uint8))
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path.read_bytes()


@pytest.fixture
def videos(video):
    """Name -> content of 12 videos: 3 classes, 2 groups, 2 clips; each file differs from the others."""
    return {
        f"{name}/v_{stem}_g{group:02d}_c{clip:02d}.avi": video + f"{name}{group}{clip}".encode()
        for name, stem in STEMS.items()
        for group in (1, 2)
        for clip in (1, 2)
    }


@pytest.fixture
def lists(tmp_path, videos):
    """A ZIP of official lists for them, with their CRLF."""
    train = "".join(f"{name} 1\r\n" for name in videos if "_g02" in name)
    test = "".join(f"{name}\r\n" for name in videos if "_g01" in name)
    path = tmp_path / "lists.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("ucfTrainTestlist/classInd.txt", "".join(f"{n} {c}\r\n" for n, c in enumerate(STEMS, 1)))
        for split in (1, 2, 3):
            archive.writestr(f"ucfTrainTestlist/trainlist0{split}.txt", train)
            archive.writestr(f"ucfTrainTestlist/testlist0{split}.txt", test)
    return path


def flat_zip(path, videos):
    """As the mirror's: no class folders."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in videos.items():
            archive.writestr("UCF101_videos/" + name.split("/")[1], content)
    return path


def found(folder):
    root = folder / "UCF-101"
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def of_class(videos, name):
    return {key: content for key, content in videos.items() if key.startswith(name + "/")}


def test_one_class_of_a_flat_zip_on_a_server_costs_only_its_own_bytes(tmp_path, videos, lists):
    archive = flat_zip(tmp_path / "all.zip", videos | {"Other/big.avi": os.urandom(3_000_000)})
    with serve() as server:
        url = server.put("/all.zip", archive.read_bytes())
        check = fetch_ucf101(tmp_path / "u", classes=["Basketball"], source=url, lists=lists, **CALM)
        assert server.sent("/all.zip") < 200_000
    assert found(tmp_path / "u") == of_class(videos, "Basketball")  # and not BasketballDunk
    assert check.complete and check.present == 4 and check.extra == ()


def test_folders_are_named_by_the_lists_not_by_the_files(tmp_path, videos, lists):
    archive = flat_zip(tmp_path / "all.zip", videos)
    fetch_ucf101(tmp_path / "u", classes="HandstandPushups", source=archive, lists=lists, **CALM)
    assert set(found(tmp_path / "u")) == {name for name in videos if name.startswith("HandstandPushups/v_HandStand")}


def test_a_second_fetch_brings_nothing_and_another_class_only_itself(tmp_path, videos, lists):
    archive = flat_zip(tmp_path / "all.zip", videos)
    with serve() as server:
        url = server.put("/all.zip", archive.read_bytes())
        fetch_ucf101(tmp_path / "u", classes=["Basketball"], source=url, lists=lists, **CALM)
        first = server.sent("/all.zip")
        fetch_ucf101(tmp_path / "u", classes=["Basketball"], source=url, lists=lists, **CALM)
        directory = server.sent("/all.zip") - first
        fetch_ucf101(tmp_path / "u", classes="all", source=url, lists=lists, **CALM)
    assert directory < 70_000
    assert found(tmp_path / "u") == videos


@pytest.mark.parametrize("drops", [[], [0], [900, 30_000], [2_000] * 2])
def test_dropped_connections_in_the_middle_of_a_zip(tmp_path, videos, lists, drops):
    archive = flat_zip(tmp_path / "all.zip", videos)
    with serve() as server:
        url = server.put("/all.zip", archive.read_bytes())
        server.pages["/all.zip"].drops = [10**9, *drops]  # the list of members comes whole, then trouble begins
        patience = Patience(timeout=10.0, attempts=4, pause=0.01)
        check = fetch_ucf101(tmp_path / "u", classes="all", source=url, lists=lists, patience=patience, progress=False)
    assert check.complete and found(tmp_path / "u") == videos


def test_a_server_without_ranges_sends_the_archive_whole(tmp_path, videos, lists, capsys):
    archive = flat_zip(tmp_path / "all.zip", videos)
    with serve() as server:
        url = server.put("/all.zip", archive.read_bytes(), ranges=False)
        fetch_ucf101(tmp_path / "u", classes=["Basketball"], source=url, lists=lists, patience=QUICK)
        assert len(server.asked("/all.zip")) == 1
    assert found(tmp_path / "u") == of_class(videos, "Basketball")
    assert "all.zip stays for other classes" in capsys.readouterr().out


def test_a_server_that_goes_silent_is_named(tmp_path, videos, lists):
    archive = flat_zip(tmp_path / "all.zip", videos)
    with serve() as server:
        url = server.put("/all.zip", archive.read_bytes(), silent=2)
        with pytest.raises(DownloadError, match="nothing within 0.2 seconds"):
            patience = Patience(timeout=0.2, attempts=2, pause=0.01)
            fetch_ucf101(tmp_path / "u", source=url, classes="all", lists=lists, patience=patience, progress=False)


def test_404_for_the_archive(tmp_path, lists):
    with serve() as server, pytest.raises(DownloadError, match="404.*--from"):
        fetch_ucf101(tmp_path / "u", classes="all", source=server.root + "/none.zip", lists=lists, **CALM)


def test_a_rar_with_class_folders_from_a_server(tmp_path, videos, lists):
    write_rar(tmp_path / "UCF101.rar", {f"UCF-101/{name}": content for name, content in videos.items()})
    with serve() as server:
        url = server.put("/UCF101.rar", (tmp_path / "UCF101.rar").read_bytes(), drops=[10_000])
        check = fetch_ucf101(tmp_path / "u", classes="all", source=url, lists=lists, **CALM)
    assert check.complete and found(tmp_path / "u") == videos


def test_the_publishers_own_archive_has_a_short_name(tmp_path, videos, lists, monkeypatch):
    write_rar(tmp_path / "UCF101.rar", {f"UCF-101/{name}": content for name, content in videos.items()})
    with serve() as server:
        monkeypatch.setattr(download, "OFFICIAL_URL", server.put("/U.rar", (tmp_path / "UCF101.rar").read_bytes()))
        assert fetch_ucf101(tmp_path / "u", classes="all", source="official", lists=lists, **CALM).complete


def test_a_folder_with_lists_beside_the_videos(tmp_path, videos, lists):
    with zipfile.ZipFile(lists) as archive:
        archive.extractall(tmp_path / "mine")
    for name, content in videos.items():
        (tmp_path / "mine" / "UCF-101" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "mine" / "UCF-101" / name).write_bytes(content)
    check = fetch_ucf101(tmp_path / "u", classes="all", source=tmp_path / "mine", **CALM)
    assert check.complete and found(tmp_path / "u") == videos


def test_addresses_can_be_named_in_the_environment(tmp_path, videos, lists, monkeypatch):
    archive = flat_zip(tmp_path / "all.zip", videos)
    with serve() as server:
        monkeypatch.setenv("ACTLIB_UCF101_URL", server.put("/all.zip", archive.read_bytes()))
        monkeypatch.setenv("ACTLIB_UCF101_LISTS_URL", server.put("/lists.zip", lists.read_bytes()))
        assert fetch_ucf101(tmp_path / "u", classes="all", **CALM).complete


def test_a_hostile_archive_leaves_nothing(tmp_path, videos, lists):
    path = flat_zip(tmp_path / "all.zip", videos)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("../../v_Basketball_g01_c01.avi", "evil")
    with pytest.raises(UnsafeArchiveError):
        fetch_ucf101(tmp_path / "u", classes="all", source=path, lists=lists, **CALM)
    assert found(tmp_path / "u") == {}


def test_missing_extra_and_undecodable_are_listed_by_name(tmp_path, videos, lists, video):
    names = sorted(of_class(videos, "Basketball"))
    broken = videos | {names[1]: video[: len(video) // 2], names[2]: b"<html>no video</html>"}
    del broken[names[0]]
    fetch_lists(tmp_path / "u", source=lists, **CALM)
    (tmp_path / "u" / "UCF-101" / "Basketball").mkdir(parents=True)
    (tmp_path / "u" / "UCF-101" / "Basketball" / "holiday.avi").write_bytes(video)
    archive = flat_zip(tmp_path / "all.zip", broken)
    with pytest.raises(DownloadError) as error:
        fetch("ucf101", classes="Basketball", source=archive, folder=tmp_path / "u", **CALM)
    for line in ("1 of 4 videos of 1 classes", "1 missing:", "1 extra:", "2 undecodable:", "Basketball/holiday.avi"):
        assert line in str(error.value)
    assert all(name in str(error.value) for name in names[:3]) and names[3] not in str(error.value)
    check = check_videos(tmp_path / "u", ["Basketball"], progress=False)
    assert (check.missing, check.extra) == ((names[0],), ("Basketball/holiday.avi",))
    assert check.undecodable == (names[1], names[2]) and not check.complete


def test_long_lists_are_written_to_a_file_in_full(tmp_path, videos, lists, monkeypatch):
    monkeypatch.setattr(completeness, "NAMED", 2)
    fetch_lists(tmp_path / "u", source=lists, **CALM)
    one = dict([next(iter(videos.items()))])
    with pytest.raises(DownloadError, match=r"(?s)\.\.\. and 9 more.*check\.txt") as error:
        fetch("ucf101", classes="all", source=flat_zip(tmp_path / "all.zip", one), folder=tmp_path / "u", **CALM)
    assert "11 missing:" in str(error.value)
    written = (tmp_path / "u" / "check.txt").read_text()
    assert all(name in written for name in videos if name not in one)


def test_a_video_that_was_cut_short_is_fetched_again(tmp_path, videos, lists):
    archive = flat_zip(tmp_path / "all.zip", videos)
    fetch_ucf101(tmp_path / "u", classes="all", source=archive, lists=lists, **CALM)
    cut = tmp_path / "u" / "UCF-101" / next(iter(videos))
    cut.write_bytes(cut.read_bytes()[:-10])
    assert fetch_ucf101(tmp_path / "u", classes="all", source=archive, lists=lists, **CALM).complete
    assert found(tmp_path / "u") == videos


@pytest.mark.parametrize(("classes", "near"), [("Basketbal", "Basketball"), (["handstandpushups"], "HandstandPushups")])
def test_a_class_that_is_spelt_wrong_is_told_the_right_one(tmp_path, lists, classes, near):
    with pytest.raises(ValueError, match=f"Near it: .*{near}"):
        fetch_ucf101(tmp_path / "u", classes=classes, source=lists, lists=lists, **CALM)


def test_names_of_classes_in_all_their_forms(tmp_path, lists):
    fetch_lists(tmp_path, source=lists, **CALM)
    assert choose_classes(tmp_path, "all") == choose_classes(tmp_path, None) == tuple(sorted(STEMS))
    assert choose_classes(tmp_path, " BasketballDunk , Basketball") == ("BasketballDunk", "Basketball")
    assert choose_classes(tmp_path, ("Basketball", "Basketball")) == ("Basketball",)
    assert len(list_official(tmp_path)) == 12 and len(list_official(tmp_path, ["Basketball"])) == 4


def test_without_lists_the_option_that_takes_them_is_named(tmp_path, videos):
    archive = flat_zip(tmp_path / "all.zip", videos)
    with serve() as server, pytest.raises(DownloadError, match="404.*with --lists"):
        fetch_ucf101(tmp_path / "u", source=archive, lists=server.root + "/lists.zip", **CALM)
    (tmp_path / "damaged.zip").write_bytes(archive.read_bytes()[:-30])
    with pytest.raises(DownloadError, match="damaged.zip"):
        fetch_ucf101(tmp_path / "u", source=archive, lists=tmp_path / "damaged.zip", **CALM)


def test_lists_that_are_there_need_no_server(tmp_path, lists):
    place = fetch_lists(tmp_path / "u", source=lists, **CALM)
    assert fetch_lists(tmp_path / "u", **CALM) == place and len(list(place.iterdir())) == 7


def test_lists_from_a_server_leave_no_archive_behind(tmp_path, lists):
    with serve() as server:
        fetch("lists", source=server.put("/lists.zip", lists.read_bytes()), folder=tmp_path / "u", **CALM)
    assert not list((tmp_path / "u").glob("[!.]*.zip*"))


def test_an_archive_without_lists_is_refused(tmp_path, videos):
    with pytest.raises(DownloadError, match="no classInd.txt"):
        fetch_lists(tmp_path / "u", source=flat_zip(tmp_path / "all.zip", videos), **CALM)


def test_what_is_known_of_an_archive_is_checked(tmp_path, lists, monkeypatch):
    with serve() as server:
        url = server.put("/lists.zip", lists.read_bytes())
        monkeypatch.setitem(download.KNOWN, url, (lists.stat().st_size, "sha256:" + "0" * 64))
        with pytest.raises(DownloadError, match="Expected sha256"):
            fetch_lists(tmp_path / "u", source=url, **CALM)


def test_an_unknown_thing_to_fetch(tmp_path):
    with pytest.raises(ValueError, match="ucf101, lists or vgg16"):
        fetch("imagenet", folder=tmp_path)


def test_at_the_end_it_says_what_to_type_next(tmp_path, videos, lists):
    archive = flat_zip(tmp_path / "all.zip", videos)
    text = fetch("ucf101", classes="all", source=archive, folder=tmp_path / "u", lists=lists, **CALM)
    assert "12 of 12 videos of 3 classes" in text and f"--data {tmp_path / 'u'}" in text


def test_the_plan_is_said_before_anything_comes(tmp_path, videos, lists, capsys):
    archive = flat_zip(tmp_path / "all.zip", videos)
    fetch_ucf101(tmp_path / "u", classes=["Basketball"], source=archive, lists=lists, patience=QUICK)
    said = capsys.readouterr().out
    assert "4 of 4 videos (" in said and "free" in said


def start(url, folder, lists):
    command = [sys.executable, "-c", SCRIPT, url, str(folder), str(lists)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_kill_9_in_the_middle_then_the_same_line_again(tmp_path, videos, lists):
    archive, folder = flat_zip(tmp_path / "all.zip", videos), tmp_path / "u"
    with serve() as server:
        url = server.put("/all.zip", archive.read_bytes(), rate=60_000)
        process = start(url, folder, lists)
        while len(list(folder.glob("UCF-101/*/*.avi"))) < 2:
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        here = found(folder)
        assert all(here[name] == videos[name] for name in here if name.endswith(".avi"))
        server.pages["/all.zip"].rate = None
        assert fetch_ucf101(folder, classes="all", source=url, lists=lists, **CALM).complete
    assert found(folder) == videos


def test_two_fetches_at_once(tmp_path, videos, lists):
    archive, folder = flat_zip(tmp_path / "all.zip", videos), tmp_path / "u"
    with serve() as server:
        url = server.put("/all.zip", archive.read_bytes(), rate=500_000)
        lists = server.put("/lists.zip", lists.read_bytes(), rate=2_000)
        processes = [start(url, folder, lists) for _ in range(2)]
        answers = [process.communicate(timeout=60) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], answers
    assert found(folder) == videos


@pytest.mark.skipif(not REAL, reason="needs real videos: set ACTLIB_REAL_DATA")
def test_real_videos_out_of_a_zip_on_a_server(tmp_path):
    real = Path(REAL)
    surfing = sorted((real / "UCF-101" / "Surfing").glob("*.avi"))[:6]
    others = sorted((real / "UCF-101" / "Archery").glob("*.avi"))[:6]
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for path in (*surfing, *others):
            archive.write(path, f"UCF101_videos/{path.name}")
    with serve() as server:
        url = server.put("/all.zip", (tmp_path / "all.zip").read_bytes())
        lists = real / "ucfTrainTestlist"
        check = fetch_ucf101(tmp_path / "u", classes="Surfing", source=url, lists=lists, **CALM)
        assert server.sent("/all.zip") < sum(path.stat().st_size for path in surfing) + 100_000
    assert check.present == 6 and not check.undecodable and not check.extra
    assert len(check.missing) == len(list_official(tmp_path / "u", ["Surfing"])) - 6
    for path in surfing:
        assert (tmp_path / "u" / "UCF-101" / "Surfing" / path.name).read_bytes() == path.read_bytes()


@pytest.mark.skipif(not REAL, reason="needs real videos: set ACTLIB_REAL_DATA")
def test_a_truncated_real_video_is_found(tmp_path):
    real = Path(REAL)
    shutil.copytree(real / "ucfTrainTestlist", tmp_path / "ucfTrainTestlist")
    place = tmp_path / "UCF-101" / "Archery"
    place.mkdir(parents=True)
    for path in sorted((real / "UCF-101" / "Archery").glob("*.avi"))[:3]:
        (place / path.name).write_bytes(path.read_bytes())
    cut = place / "v_Archery_g01_c02.avi"
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size * 2 // 3])
    assert check_videos(tmp_path, ["Archery"], progress=False).undecodable == ("Archery/v_Archery_g01_c02.avi",)


@pytest.mark.skipif(not REAL, reason="needs the official lists: set ACTLIB_REAL_DATA")
def test_the_seven_classes_in_the_official_lists(tmp_path):
    fetch_lists(tmp_path, source=Path(REAL) / "ucfTrainTestlist", **CALM)
    names = list_official(tmp_path, choose_classes(tmp_path, "seven"))
    assert len(names) == 966 and len(list_official(tmp_path)) == 13_320
    assert len(choose_classes(tmp_path, "all")) == 101
