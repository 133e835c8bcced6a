"""Archives that are honest, damaged or hostile: what is chosen comes out whole, and nothing leaves the folder."""

import io
import os
import tarfile
import tempfile
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest
import rarfile
from hypothesis import given, settings
from hypothesis import strategies as st
from loopback import serve
from tiny_rar import HARD_LINK, SYMLINK, block, number, write_rar, write_tool

from actlib.download import archives
from actlib.download.archives import ArchiveError, open_archive, unpack
from actlib.download.transfer import DownloadError, RemoteFile

FILES = {"UCF-101/A/One.avi": b"one" * 1000, "UCF-101\\A\\two.avi": os.urandom(5000), "notes.txt": b""}
BARE = {"one.avi": FILES["UCF-101/A/One.avi"], "two.avi": FILES["UCF-101\\A\\two.avi"], "notes.txt": b""}


def write_zip(path, files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def write_tar(path, files, mode="w"):
    with tarfile.open(path, mode) as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def write_tar_xz(path, files):
    return write_tar(path, files, "w:xz")


def write_folder(path, files):
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


WRITERS = {"zip": write_zip, "tar": write_tar, "tar.xz": write_tar_xz, "rar": write_rar, "folder": write_folder}


def files_in(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def take(source, out, places=None, largest=10**6):
    """Unpack what is named, or everything under its bare name."""
    with open_archive(source) as members:
        return unpack(members, out, places or {name: name for name in members}, largest=largest)


@pytest.mark.parametrize("kind", WRITERS)
def test_what_is_chosen_comes_out_where_it_should_go(kind, tmp_path):
    path = WRITERS[kind](tmp_path / f"a.{kind}", FILES)
    assert take(path, tmp_path / "out") == 3
    assert files_in(tmp_path / "out") == BARE
    take(path, tmp_path / "two", {"two.avi": "B/2.avi"})
    assert files_in(tmp_path / "two") == {"B/2.avi": BARE["two.avi"]}


@pytest.mark.parametrize("kind", WRITERS)
def test_what_is_there_whole_is_left_alone_and_what_is_not_is_written_again(kind, tmp_path):
    path, out = WRITERS[kind](tmp_path / f"a.{kind}", FILES), tmp_path / "out"
    take(path, out)
    (out / "two.avi").write_bytes(bytes(5000))  # same length, other content
    (out / "one.avi").write_bytes(b"one")
    assert take(path, out) == 2
    assert files_in(out) == BARE
    assert take(path, out) == 0


def test_the_kind_is_told_by_content_not_by_name(tmp_path):
    inner = write_zip(tmp_path / "a.rar", FILES)
    with open_archive(inner) as members:
        assert list(members) == list(BARE)
    with open_archive(write_tar(tmp_path / "b.zip", {"inner.zip": inner.read_bytes()})) as members:
        assert list(members) == ["inner.zip"]  # a TAR that ends with a ZIP


def test_a_folder_behind_a_link_counts_and_a_link_to_nowhere_does_not(tmp_path):
    write_folder(tmp_path / "real", FILES)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "linked").symlink_to(tmp_path / "real")
    (tmp_path / "in" / "dead").symlink_to(tmp_path / "none")
    with open_archive(tmp_path / "in") as members:
        assert sorted(members) == sorted(BARE)


PIECES = ["..", ".", "", "a", "b.avi", " ", ".. ", "...", ". .", "..a", "C:", "c:d", "x:y", "\x00", "a\n"]
NAMES = st.one_of(
    st.text(max_size=30),
    st.tuples(st.sampled_from(["", "/", "\\", "//", "\\\\?\\", "C:\\"]), st.lists(st.sampled_from(PIECES), max_size=5))
    .map(lambda parts: parts[0] + "/".join(parts[1])),
    st.lists(st.sampled_from(PIECES), max_size=5).map("\\".join),
)  # fmt: skip


@given(NAMES, NAMES)
@settings(max_examples=60, deadline=None)
def test_whatever_an_archive_and_a_list_say_nothing_is_written_elsewhere(name, place):
    with tempfile.TemporaryDirectory() as folder:
        info = tarfile.TarInfo(name)
        info.size = 4
        with tarfile.open(Path(folder) / "a.tar", "w", format=tarfile.PAX_FORMAT) as archive:
            archive.addfile(info, io.BytesIO(b"evil"))
        with suppress(ArchiveError, OSError), open_archive(Path(folder) / "a.tar") as members:  # OSError: too long
            unpack(members, Path(folder) / "up" / "out", dict.fromkeys(members, place), largest=9)
        assert all(name == "a.tar" or name.startswith("up/out/") for name in files_in(Path(folder)))


@pytest.mark.parametrize("kind", ["zip", "tar", "rar"])
def test_a_hostile_name_refuses_the_archive(kind, tmp_path):
    for count, name in enumerate(["../../evil.avi", "/evil.avi", "a/../evil.avi", "C:/evil.avi"]):
        path = WRITERS[kind](tmp_path / f"bad{count}.{kind}", {"good.avi": b"good", name: b"evil"})
        with pytest.raises(ArchiveError, match="evil.avi' in it leads out of its folder"):
            take(path, tmp_path / "in" / "out")
    assert not (tmp_path / "in").exists()


@pytest.mark.parametrize(
    "place", ["../evil.avi", "/evil.avi", "..\\evil.avi", "C:evil.avi", "a/../../evil.avi", "a/..", ""]
)
def test_a_place_elsewhere_is_refused(place, tmp_path):
    with pytest.raises(ArchiveError, match="stays in its folder"):
        take(write_zip(tmp_path / "a.zip", {"a.avi": b"evil"}), tmp_path / "in" / "out", {"a.avi": place})


def test_members_that_are_too_large_are_refused(tmp_path):
    path = write_zip(tmp_path / "bomb.zip", {"a.avi": bytes(2_000_000), "c.avi": b"c"})
    with pytest.raises(ArchiveError, match="Expected files up to 1.0 MB. Received: a.avi of 2.0 MB"):
        take(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert take(path, tmp_path / "out", {"c.avi": "c.avi"}) == 1
    assert take(write_zip(tmp_path / "b.zip", {"b.avi": bytes(10**6)}), tmp_path / "out") == 1


def test_links_and_devices_are_no_files(tmp_path):
    kinds = [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE]
    with tarfile.open(tmp_path / "bad.tar", "w") as archive:
        for kind in kinds:
            info = tarfile.TarInfo("UCF-101")
            info.type, info.linkname = kind, "/etc"
            archive.addfile(info)
    write_rar(tmp_path / "bad.rar", {"UCF-101": (b"", {"link": (SYMLINK, "/etc")})})
    for name in ("bad.tar", "bad.rar"):
        with pytest.raises(ArchiveError, match=f"{name} .there is no file in it"):
            take(tmp_path / name, tmp_path / "out")
    hard = write_rar(tmp_path / "hard.rar", {"passwd": (b"", {"link": (HARD_LINK, "/etc/passwd")})})
    with pytest.raises(ArchiveError, match="hard.rar"):
        take(hard, tmp_path / "out")
    assert not (tmp_path / "out" / "passwd").exists()


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.xz", "rar"])
def test_a_truncated_archive_is_named_and_leaves_nothing_half_written(kind, tmp_path):
    path = WRITERS[kind](tmp_path / f"a.{kind}", {"a.avi": os.urandom(9000)})
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(ArchiveError, match=rf"a\.{kind}.*Fetch it again"):
        take(path, tmp_path / "out")
    assert not (tmp_path / "out").exists() or files_in(tmp_path / "out") == {}


@pytest.mark.parametrize("kind", ["zip", "rar", "tar.xz"])
def test_a_changed_byte_is_noticed(kind, tmp_path):
    path = WRITERS[kind](tmp_path / f"a.{kind}", {"a.avi": os.urandom(40_000)})
    content = bytearray(path.read_bytes())
    content[20_000] ^= 1
    path.write_bytes(content)
    with pytest.raises(ArchiveError, match=rf"a\.(avi|{kind})"):
        take(path, tmp_path / "out")
    assert files_in(tmp_path / "out") == {}


@given(st.sampled_from(["zip", "tar", "tar.xz", "rar"]), st.data())
@settings(max_examples=150, deadline=None)
def test_damage_anywhere_is_explained(kind, data):
    files = {"UCF-101/a.avi": b"some content " * 20, "b.txt": b"short"}
    with tempfile.TemporaryDirectory() as folder:
        path = WRITERS[kind](Path(folder) / "a", files)
        content = bytearray(path.read_bytes())
        for _ in range(data.draw(st.integers(1, 3))):
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
        path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
        with suppress(DownloadError, OSError):
            take(path, Path(folder) / "out")
        for name, written in files_in(Path(folder)).items():
            assert name == "a" or kind.startswith("tar") or written in files.values()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<!DOCTYPE html><title>404</title>", "no ZIP, TAR or RAR; it starts with b'<!DOCTYPE html>"),
        (b"", "no ZIP, TAR or RAR; it starts with b''"),
        (b"PK\x03\x04 but no more", r"no ZIP, TAR or RAR; it starts with b'PK\\x03"),
        (bytes(9000), "there is no file in it"),  # to Python, zeros are a TAR
    ],
)
def test_what_is_no_archive_is_named_with_its_first_bytes(content, message, tmp_path):
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(ArchiveError, match=rf"a\.zip \({message}"):
        take(tmp_path / "a.zip", tmp_path / "out")


def test_a_zip_that_leads_to_before_its_begin_is_refused(tmp_path):
    content = bytearray(write_zip(tmp_path / "a.zip", FILES).read_bytes())
    place = content.index(b"PK\5\6") + 16  # where its list begins
    content[place : place + 4] = (2**32 - 2).to_bytes(4, "little")
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(ArchiveError, match=r"a\.zip"):
        take(tmp_path / "a.zip", tmp_path / "out")


def test_what_is_not_there(tmp_path):
    with pytest.raises(DownloadError, match="not there"):
        take(tmp_path / "none.zip", tmp_path)


def test_an_archive_with_a_password_is_refused(tmp_path):
    path = write_zip(tmp_path / "locked.zip", FILES)
    content = bytearray(path.read_bytes())
    for start in (content.index(b"PK\x03\x04") + 6, content.index(b"PK\x01\x02") + 8):
        content[start] |= 1  # the flag in the member, and in the list of members
    path.write_bytes(content)
    locked = [b"Rar!\x1a\x07\x01\x00", block(4, number(0) + number(0) + b"\x0f" + bytes(16)), bytes(64)]
    (tmp_path / "locked.rar").write_bytes(b"".join(locked))
    for name in ("locked.zip", "locked.rar"):
        with pytest.raises(ArchiveError, match=f"without a password.*{name}.*pass the folder"):
            take(tmp_path / name, tmp_path / "out")


def test_a_member_longer_than_announced_is_not_read_to_its_end(tmp_path):
    path = write_zip(tmp_path / "bomb.zip", {"a.avi": bytes(2_000_000)})
    path.write_bytes(path.read_bytes().replace((2_000_000).to_bytes(4, "little"), (1000).to_bytes(4, "little")))
    with pytest.raises(ArchiveError, match=r"a\.avi"):
        take(path, tmp_path / "out")
    assert files_in(tmp_path / "out") == {}


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_whose_unpacking_has_no_bounds_is_refused(tmp_path, method):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", compression=method) as archive:
        archive.writestr("a.avi", b"video")
    with pytest.raises(ArchiveError, match="a.zip .it is compressed in a way whose unpacking has no bounds"):
        take(tmp_path / "a.zip", tmp_path / "out")


def test_a_tar_that_unpacks_to_far_more_than_it_has_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MOST_UNPACKED", 2_000_000)
    files = dict.fromkeys(("a.avi", "b.avi", "c.avi"), bytes(900_000))  # each is small enough, together they are not
    write_tar(tmp_path / "a.tar.gz", files, "w:gz")
    with pytest.raises(ArchiveError, match="unpacks to far more than it has, 'c.avi' alone to 900.0 kB"):
        take(tmp_path / "a.tar.gz", tmp_path / "out")


def test_too_little_disk_is_said_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("U", (), {"free": 10}))
    with pytest.raises(DownloadError, match="Expected 8.0 kB free in"):
        take(write_zip(tmp_path / "a.zip", FILES), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def big_zip(path):
    return write_zip(path, {f"{number:03d}.avi": os.urandom(20_000) for number in range(40)})


def test_of_a_zip_on_a_server_only_what_is_chosen_comes(tmp_path, monkeypatch):
    content = big_zip(tmp_path / "a.zip").read_bytes()
    with serve(monkeypatch) as server:
        take(RemoteFile.ask(server.put("/a.zip", content)), tmp_path / "out", {"007.avi": "seven.avi"})
        assert server.sent("/a.zip") < 100_000 < len(content)
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert (tmp_path / "out" / "seven.avi").read_bytes() == archive.read("007.avi")


def test_all_members_come_over_one_connection_however_often_it_breaks(tmp_path, monkeypatch):
    with serve(monkeypatch) as server:
        url = server.put("/a.zip", big_zip(tmp_path / "a.zip").read_bytes())
        assert take(RemoteFile.ask(url), tmp_path / "out") == 40
        assert server.connections <= 3 and len(server.log) >= 40
        server.pages["/a.zip"].drops = [10**9, 900, 0, 10**9, 30]
        assert take(RemoteFile.ask(url), tmp_path / "two") == 40 and len(server.asked("/a.zip")) == 41 + 41 + 3
    assert files_in(tmp_path / "out") == files_in(tmp_path / "two")


@pytest.fixture
def rar_tool(tmp_path, monkeypatch):
    """A folder for programs, the only one on PATH; rarfile looks for its tool again."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(rarfile, "CURRENT_SETUP", None)
    return tmp_path / "bin"


def test_a_packed_rar_needs_a_tool(tmp_path, rar_tool):
    path = write_rar(tmp_path / "a.rar", FILES, packed=True)
    with pytest.raises(DownloadError, match="apt install unar.*brew install unar") as error:
        take(path, tmp_path / "out")
    assert not isinstance(error.value, ArchiveError)  # the archive is not to blame
    write_tool(rar_tool)
    take(path, tmp_path / "out")
    assert files_in(tmp_path / "out") == BARE


def test_a_tool_that_gives_other_bytes_is_noticed(tmp_path, rar_tool):
    write_tool(rar_tool, spoilt="[::-1]")
    with pytest.raises(ArchiveError, match=r"a\.rar"):
        take(write_rar(tmp_path / "a.rar", {"a.avi": b"abc"}, packed=True), tmp_path / "out")
    assert files_in(tmp_path / "out") == {}


def test_a_mistake_of_the_program_is_not_taken_for_a_damaged_archive(tmp_path):
    with zipfile.ZipFile(tmp_path / "good.zip", "w") as archive:
        archive.writestr("a.avi", b"content")
    with pytest.raises(TypeError, match="ours"), archives.open_archive(tmp_path / "good.zip"):
        raise TypeError("ours")
