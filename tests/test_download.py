"""Fetching UCF-101: by class out of one big ZIP, from any archive or folder, with every video checked at the end."""

import os
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import av
import numpy as np
import pytest
from loopback import serve
from test_archives import write_folder, write_tar
from tiny_rar import write_rar
from typer.testing import CliRunner

from actlib.__main__ import app
from actlib.download import fetch_lists, fetch_ucf101, sources
from actlib.download.transfer import DownloadError
from actlib.download.ucf101 import _check_videos, _choose_classes, list_official

pytestmark = pytest.mark.usefixtures("in_time")

REAL = os.environ.get("ACTLIB_REAL_DATA")
# As in UCF-101: one class whose files are spelt otherwise than its folder, and one name that is part of another.
STEMS = {"Basketball": "Basketball", "BasketballDunk": "BasketballDunk", "HandstandPushups": "HandStandPushups"}
SCRIPT = """
import sys
from actlib.download import fetch_ucf101
print(fetch_ucf101(sys.argv[2], classes="all", source=sys.argv[1], lists=sys.argv[3]))
"""


@pytest.fixture(autouse=True)
def nothing_but_loopback(monkeypatch):
    """No address of the real world is left to fall back on."""
    for name in ("ACTLIB_UCF101_URL", "ACTLIB_UCF101_LISTS_URL"):
        monkeypatch.delenv(name, raising=False)
    for name in ("VIDEOS_URL", "OFFICIAL_URL", "LISTS_URL"):
        monkeypatch.setattr(sources, name, f"http://127.0.0.1:9/{name}.zip")


@pytest.fixture
def server(monkeypatch):
    with serve(monkeypatch) as running:
        yield running


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


@pytest.fixture
def archive(tmp_path, videos):
    """A flat ZIP of all videos."""
    return flat_zip(tmp_path / "all.zip", videos)


def found(folder):
    root = folder / "UCF-101"
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def of_class(videos, name):
    return {key: content for key, content in videos.items() if key.startswith(name + "/")}


def downloads(folder):
    return sorted(path.name.split("-")[-1] for path in folder.glob("download-*"))


def test_one_class_of_a_flat_zip_on_a_server_costs_only_its_own_bytes(server, tmp_path, videos, lists, capsys):
    archive = flat_zip(tmp_path / "all.zip", videos | {"Other/big.avi": os.urandom(3_000_000)})
    url = server.put("/all.zip", archive.read_bytes())
    check = fetch_ucf101(tmp_path / "u", classes=["Basketball"], source=url, lists=lists)
    assert server.sent("/all.zip") < 200_000
    assert found(tmp_path / "u") == of_class(videos, "Basketball")  # and not BasketballDunk
    assert check.present == 4 and check.extra == check.missing == []
    assert "Unpacking 4 of 4 files (" in (said := capsys.readouterr().out) and "free)" in said


def test_folders_are_named_by_the_lists_not_by_the_files(tmp_path, videos, archive, lists):
    fetch_ucf101(tmp_path / "u", classes="HandstandPushups", source=archive, lists=lists)
    assert set(found(tmp_path / "u")) == {name for name in videos if name.startswith("HandstandPushups/v_HandStand")}


def test_a_second_fetch_brings_nothing_and_another_class_only_itself(server, tmp_path, videos, archive, lists):
    url = server.put("/all.zip", archive.read_bytes())
    fetch_ucf101(tmp_path / "u", classes=["Basketball"], source=url, lists=lists)
    first = server.sent("/all.zip")
    fetch_ucf101(tmp_path / "u", classes=["Basketball"], source=url, lists=lists)
    assert server.sent("/all.zip") - first < 70_000  # the list of members
    server.pages["/all.zip"].drops = [10**9, 900, 0, 30_000]
    fetch_ucf101(tmp_path / "u", classes="all", source=url, lists=lists)
    assert found(tmp_path / "u") == videos and downloads(tmp_path / "u") == []


def test_a_server_without_ranges_sends_the_archive_whole_and_once(server, tmp_path, videos, archive, lists, capsys):
    url = server.put("/all.zip", archive.read_bytes(), ranges=False)
    for name in ("Basketball", "BasketballDunk"):
        fetch_ucf101(tmp_path / "u", classes=[name], source=url, lists=lists)
    assert len(server.asked("/all.zip")) == 1 and downloads(tmp_path / "u") == ["all.zip"]
    assert found(tmp_path / "u") == of_class(videos, "Basketball") | of_class(videos, "BasketballDunk")
    assert "all.zip stays for other classes" in capsys.readouterr().out


def test_the_publishers_own_archive_has_a_short_name(server, tmp_path, videos, lists, monkeypatch):
    write_rar(tmp_path / "U.rar", {f"UCF-101/{name}": content for name, content in videos.items()})
    url = server.put("/U.rar", (tmp_path / "U.rar").read_bytes(), drops=[10_000])
    monkeypatch.setattr(sources, "OFFICIAL_URL", url)
    fetch_ucf101(tmp_path / "u", classes="all", source="official", lists=lists)
    assert found(tmp_path / "u") == videos


def test_a_folder_with_lists_beside_the_videos(tmp_path, videos, lists):
    with zipfile.ZipFile(lists) as file:
        file.extractall(tmp_path / "mine")
    write_folder(tmp_path / "mine" / "UCF-101", videos)
    for number, source in enumerate(("mine", "mine/UCF-101")):
        fetch_ucf101(tmp_path / str(number), classes="all", source=tmp_path / source)
        assert found(tmp_path / str(number)) == videos


def test_addresses_can_be_named_in_the_environment(server, tmp_path, archive, lists, monkeypatch):
    monkeypatch.setenv("ACTLIB_UCF101_URL", server.put("/all.zip", archive.read_bytes()))
    monkeypatch.setenv("ACTLIB_UCF101_LISTS_URL", server.put("/lists.zip", lists.read_bytes()))
    assert fetch_ucf101(tmp_path / "u", classes="all").present == 12
    assert downloads(tmp_path / "u") == []


@pytest.mark.parametrize("name", ["lists", "ucfTrainTestlist", "lists.zip"])
def test_lists_from_an_address_of_any_name_do_not_wait_for_themselves(server, tmp_path, lists, name):
    url = server.put(f"/{name}", lists.read_bytes())
    place = fetch_lists(tmp_path / "u", source=url)
    asked = len(server.log)
    assert len(list(place.iterdir())) == 7 and downloads(tmp_path / "u") == []
    assert fetch_lists(tmp_path / "u") == place and len(server.log) == asked  # lists that are there need no server


PAGE = b"<html>Please log in</html>"


@pytest.mark.parametrize("bad", [PAGE, b"", bytes(20_000), "short", "spoilt"])
@pytest.mark.parametrize("kind", ["zip", "tar", "rar"])
def test_a_bad_download_is_fetched_again_by_the_same_line(server, tmp_path, videos, lists, kind, bad):
    writer = {"zip": flat_zip, "tar": write_tar, "rar": write_rar}[kind]
    good = writer(tmp_path / "good", videos).read_bytes()
    video = next(iter(videos.values()))
    broken = {"short": good[: len(good) // 2], "spoilt": good.replace(video, bytes(len(video)))}
    url = server.put(f"/all.{kind}", broken.get(bad, bad) if isinstance(bad, str) else bad, ranges=False)
    with pytest.raises(DownloadError):
        fetch_ucf101(tmp_path / "u", classes="all", source=url, lists=lists)
    assert downloads(tmp_path / "u") == []
    server.put(f"/all.{kind}", good, ranges=False)
    fetch_ucf101(tmp_path / "u", classes="all", source=url, lists=lists)
    assert found(tmp_path / "u") == videos


@pytest.mark.parametrize("bad", [PAGE, b"", bytes(20_000)])
def test_bad_lists_are_fetched_again_by_the_same_line(server, tmp_path, lists, bad):
    url = server.put("/lists.zip", bad)
    with pytest.raises(DownloadError, match=r"lists\.zip"):
        fetch_lists(tmp_path / "u", source=url)
    server.put("/lists.zip", lists.read_bytes())
    assert len(list(fetch_lists(tmp_path / "u", source=url).iterdir())) == 7


@pytest.mark.parametrize("write", [flat_zip, write_tar, write_folder])
def test_a_damaged_video_of_the_same_length_is_replaced(tmp_path, videos, lists, write):
    source = write(tmp_path / "source", videos)
    fetch_ucf101(tmp_path / "u", classes="all", source=source, lists=lists)
    cut, zeros = (tmp_path / "u" / "UCF-101" / name for name in list(videos)[:2])
    cut.write_bytes(cut.read_bytes()[:-10])
    zeros.write_bytes(bytes(zeros.stat().st_size))
    fetch_ucf101(tmp_path / "u", classes="all", source=source, lists=lists)
    assert found(tmp_path / "u") == videos


def test_lists_cannot_send_a_video_out_of_the_folder(tmp_path, videos, lists):
    evil = "../../../evil/v_Evil_g01_c01.avi"
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as target, zipfile.ZipFile(lists) as honest:
        for name in honest.namelist():
            target.writestr(name, honest.read(name) + (f"{evil}\r\n".encode() if "testlist" in name else b""))
    archive = flat_zip(tmp_path / "all.zip", {evil.removeprefix("../../../"): b"evil"})
    with pytest.raises(DownloadError, match="stays in its folder"):
        fetch_ucf101(tmp_path / "a" / "u", classes="all", source=archive, lists=tmp_path / "evil.zip")
    assert not list(tmp_path.rglob("v_Evil*"))


def test_missing_extra_and_undecodable_are_listed_by_name(tmp_path, videos, lists, video):
    names = sorted(of_class(videos, "Basketball"))
    broken = videos | {names[1]: video[: len(video) // 2], names[2]: PAGE}
    del broken[names[0]]
    write_folder(tmp_path / "u" / "UCF-101", {"Basketball/holiday.avi": video})
    source = flat_zip(tmp_path / "all.zip", broken)
    with pytest.raises(DownloadError) as error:
        fetch_ucf101(tmp_path / "u", classes="Basketball", source=source, lists=lists)
    for line in ("1 of 4 videos", "1 missing:", "1 extra:", "2 undecodable:", "Basketball/holiday.avi"):
        assert line in str(error.value)
    assert all(name in str(error.value) for name in names[:3]) and names[3] not in str(error.value)
    check = _check_videos(tmp_path / "u", ["Basketball"])
    assert (check.missing, check.extra) == ([names[0]], ["Basketball/holiday.avi"])
    assert check.undecodable == names[1:3]
    assert check.describe(most=1).endswith(f"2 undecodable:\n  {names[1]}\n  ... and 1 more")
    assert "check.txt" in str(error.value)
    assert all(name in (tmp_path / "u" / "check.txt").read_text() for name in names[:3])


def test_names_of_classes_in_all_their_forms(tmp_path, lists):
    fetch_lists(tmp_path, source=lists)
    assert _choose_classes(tmp_path, "all") == sorted(STEMS)
    assert _choose_classes(tmp_path, " BasketballDunk , Basketball") == ["BasketballDunk", "Basketball"]
    assert _choose_classes(tmp_path, ("Basketball", "Basketball")) == ["Basketball"]
    assert len(list_official(tmp_path)) == 12 and len(list_official(tmp_path, ["Basketball"])) == 4
    for classes, near in (("Basketbal", "Basketball"), (["handstandpushups"], "HandstandPushups")):
        with pytest.raises(ValueError, match=f"Near it: .*{near}"):
            _choose_classes(tmp_path, classes)


def test_without_lists_the_option_that_takes_them_is_named(server, tmp_path, archive, lists):
    with pytest.raises(DownloadError, match="404.*--lists"):
        fetch_ucf101(tmp_path / "u", source=archive, lists=server.root + "/lists.zip")
    with pytest.raises(DownloadError, match="no classInd.txt"):
        fetch_lists(tmp_path / "u", source=archive)


def test_what_is_known_of_an_archive_is_checked(server, tmp_path, lists, monkeypatch):
    url = server.put("/lists.zip", lists.read_bytes())
    monkeypatch.setitem(sources.CHECKSUMS, url, "sha256:" + "0" * 64)
    with pytest.raises(DownloadError, match="Expected sha256"):
        fetch_lists(tmp_path / "u", source=url)


def test_the_command_line_takes_addresses_and_files(server, tmp_path, archive, lists):
    options = ["--lists", server.put("/lists.zip", lists.read_bytes()), "--to", str(tmp_path / "u")]
    options += ["--from", server.put("/all.zip", archive.read_bytes()), "--classes", "Basketball, BasketballDunk"]
    answer = CliRunner().invoke(app, ["fetch", "ucf101", *options])
    assert answer.exit_code == 0, answer
    assert "8 of 8 videos" in answer.output and f"--data {tmp_path / 'u'}" in answer.output
    answer = CliRunner().invoke(app, ["fetch", "lists", "--from", str(lists), "--to", str(tmp_path / "v")])
    assert answer.exit_code == 0 and "official lists are in" in answer.output


def start(url, folder, lists):
    command = [sys.executable, "-u", "-c", SCRIPT, url, str(folder), str(lists)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for(condition, process):
    while not condition():
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.01)


@pytest.mark.parametrize(("ranges", "passing", "come"), [(True, 6, "UCF-101/*/*.avi"), (False, 1, "*.part")])
def test_kill_9_in_the_middle_then_the_same_line_again(server, tmp_path, videos, archive, lists, ranges, passing, come):
    url = server.put(
        "/all.zip", archive.read_bytes(), ranges=ranges, holds=20_000 if passing == 1 else 4000, passing=passing
    )
    process, folder = start(url, tmp_path / "u", lists), tmp_path / "u"
    wait_for(lambda: [path for path in folder.glob(come) if path.stat().st_size], process)
    process.kill()
    process.communicate()
    here = {name: content for name, content in found(folder).items() if name.endswith(".avi")}
    assert len(here) < len(videos) and here == {name: videos[name] for name in here}
    assert not list(folder.glob("download-*.zip"))
    server.pages["/all.zip"].holds = None
    fetch_ucf101(folder, classes="all", source=url, lists=lists)
    assert found(folder).items() >= videos.items()


def test_two_fetches_at_once_bring_it_once(server, tmp_path, videos, archive, lists):
    url, folder = server.put("/all.zip", archive.read_bytes(), ranges=False, holds=4000, passing=1), tmp_path / "u"
    processes = [start(url, folder, lists) for _ in range(2)]
    said = [
        next(line for line in process.stdout if "fetching" in line.lower() and "List" not in line)
        for process in processes
    ]
    assert sorted(line.split()[0] for line in said) == ["Another", "Fetching"]  # one asks, and the other waits
    server.going_on.set()
    answers = [process.communicate(timeout=60) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], answers
    assert found(folder) == videos and len(server.asked("/all.zip")) == 1


@pytest.mark.skipif(not REAL, reason="needs real videos: set ACTLIB_REAL_DATA")
def test_real_videos_out_of_a_zip_on_a_server(server, tmp_path):
    real = Path(REAL)
    surfing = sorted((real / "UCF-101" / "Surfing").glob("*.avi"))[:6]
    others = sorted((real / "UCF-101" / "Archery").glob("*.avi"))[:6]
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for path in (*surfing, *others):
            archive.write(path, f"UCF101_videos/{path.name}")
    url, lists = server.put("/all.zip", (tmp_path / "all.zip").read_bytes()), real / "ucfTrainTestlist"
    with pytest.raises(DownloadError, match="6 of .* videos"):
        fetch_ucf101(tmp_path / "u", classes="Surfing", source=url, lists=lists)
    assert server.sent("/all.zip") < sum(path.stat().st_size for path in surfing) + 100_000
    check = _check_videos(tmp_path / "u", ["Surfing"])
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
    assert _check_videos(tmp_path, ["Archery"]).undecodable == ["Archery/v_Archery_g01_c02.avi"]


@pytest.mark.skipif(not REAL, reason="needs the official lists: set ACTLIB_REAL_DATA")
def test_the_seven_classes_in_the_official_lists(tmp_path):
    fetch_lists(tmp_path, source=Path(REAL) / "ucfTrainTestlist")
    names = list_official(tmp_path, _choose_classes(tmp_path, "seven"))
    assert len(names) == 966 and len(list_official(tmp_path)) == 13_320
    assert len(_choose_classes(tmp_path, "all")) == 101
