"""Archives that are honest, damaged or hostile: what is chosen comes out whole, and nothing leaves the folder."""

import io
import os
import signal
import stat
import subprocess
import sys
import tarfile
import time
import zipfile

import pytest
from loopback import serve
from tiny_rar import CHARACTER_DEVICE, FIFO, HARD_LINK, SYMLINK, block, number, write_rar, write_tool

from actlib.download import unpacking
from actlib.download.archives import ArchiveError, DamagedArchiveError, UnsafeArchiveError, check_name, open_archive
from actlib.download.disk import DownloadError
from actlib.download.unpacking import is_there, take, unpack

FILES = {"UCF-101/A/one.avi": b"one" * 1000, "UCF-101/A/two.avi": os.urandom(5000), "notes.txt": b""}
HOSTILE_NAMES = [
    "../evil.txt",
    "a/../../evil.txt",
    "/tmp/evil.txt",
    "C:\\evil.txt",
    "..\\evil.txt",
    "\\\\host\\evil.txt",
]
SCRIPT = """
import sys
from actlib.download.archives import open_archive
from actlib.download.unpacking import unpack
with open_archive(sys.argv[1]) as archive:
    print(unpack(archive, sys.argv[2], progress=False))
"""


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


def write_tar_gz(path, files):
    return write_tar(path, files, "w:gz")


def write_folder(path, files):
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


WRITERS = {"zip": write_zip, "tar": write_tar, "tar.gz": write_tar_gz, "rar": write_rar, "folder": write_folder}


def files_in(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refuse(path, tmp_path):
    """Whatever happens, nothing may have been written beside the archive."""
    before = files_in(tmp_path)
    with pytest.raises(UnsafeArchiveError, match="Nothing was unpacked") as error, open_archive(path) as archive:
        unpack(archive, tmp_path / "inside" / "out", progress=False)
    assert files_in(tmp_path) == before and path.name in str(error.value)


@pytest.mark.parametrize("kind", WRITERS)
def test_what_went_in_comes_out(kind, tmp_path):
    path = WRITERS[kind](tmp_path / f"a.{kind}", FILES)
    with open_archive(path) as archive:
        assert unpack(archive, tmp_path / "out", progress=False) == 3
    assert files_in(tmp_path / "out") == FILES


@pytest.mark.parametrize("kind", WRITERS)
def test_only_what_is_chosen_where_it_should_go(kind, tmp_path):
    path = WRITERS[kind](tmp_path / f"a.{kind}", FILES)
    with open_archive(path) as archive:
        unpack(archive, tmp_path / "out", places={"UCF-101/A/two.avi": "B/2.avi"}, progress=False)
    assert files_in(tmp_path / "out") == {"B/2.avi": FILES["UCF-101/A/two.avi"]}


def test_the_kind_is_told_by_content_not_by_name(tmp_path):
    with open_archive(write_zip(tmp_path / "a.rar", FILES)) as archive:
        assert [member.name for member in archive.members] == list(FILES)


def test_a_tar_that_ends_with_a_zip_is_a_tar(tmp_path):
    inner = write_zip(tmp_path / "inner.zip", FILES).read_bytes()
    with open_archive(write_tar(tmp_path / "a.tar", {"inner.zip": inner})) as archive:
        assert [member.name for member in archive.members] == ["inner.zip"]


def test_folders_are_no_members_and_a_dot_is_no_harm(tmp_path):
    write_folder(tmp_path / "in", FILES)
    subprocess.run(["tar", "-C", tmp_path / "in", "-cf", tmp_path / "a.tar", "."], check=True)
    with open_archive(tmp_path / "a.tar") as archive:
        assert sorted(member.name for member in archive.members) == sorted(FILES)


def test_a_folder_behind_a_link_counts_and_a_circle_ends(tmp_path):
    write_folder(tmp_path / "real", FILES)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "linked").symlink_to(tmp_path / "real")
    (tmp_path / "real" / "round").symlink_to(tmp_path / "real")
    with open_archive(tmp_path / "in") as archive:
        assert sorted(member.name for member in archive.members) == sorted(f"linked/{name}" for name in FILES)


@pytest.mark.parametrize("name", HOSTILE_NAMES)
@pytest.mark.parametrize("kind", ["zip", "tar", "rar"])
def test_a_member_that_wants_out_spoils_the_whole_archive(kind, name, tmp_path):
    refuse(WRITERS[kind](tmp_path / f"bad.{kind}", FILES | {name: b"evil"}), tmp_path)


@pytest.mark.parametrize("name", [*HOSTILE_NAMES, "", ".", "a\x00b", "a\nb"])
def test_names_that_are_refused(name):
    with pytest.raises(UnsafeArchiveError):
        check_name(name)


@pytest.mark.parametrize("name", ["a/b.avi", "a/..b/c..avi", "./a.avi", "a b/é.avi"])
def test_names_that_are_fine(name):
    assert ".." not in check_name(name).split("/")


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFSOCK])
def test_zip_links_and_devices(kind, tmp_path):
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        info = zipfile.ZipInfo("UCF-101")
        info.create_system, info.external_attr = 3, (kind | 0o777) << 16
        archive.writestr(info, "/etc")
        archive.writestr("UCF-101/passwd", "evil")
    refuse(tmp_path / "bad.zip", tmp_path)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_tar_links_and_devices(kind, tmp_path):
    with tarfile.open(tmp_path / "bad.tar", "w") as archive:
        info = tarfile.TarInfo("UCF-101")
        info.type, info.linkname = kind, "/etc"
        archive.addfile(info)
    refuse(tmp_path / "bad.tar", tmp_path)


@pytest.mark.parametrize(
    "options",
    [{"link": (SYMLINK, "/etc")}, {"link": (HARD_LINK, "/etc/passwd")}, {"mode": FIFO}, {"mode": CHARACTER_DEVICE}],
)
def test_rar_links_and_devices(options, tmp_path):
    refuse(write_rar(tmp_path / "bad.rar", FILES | {"UCF-101": (b"", options)}), tmp_path)


def test_a_folder_that_goes_up_is_refused_too(tmp_path):
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        archive.writestr("../outside/", "")
    refuse(tmp_path / "bad.zip", tmp_path)


def test_a_place_outside_the_folder_is_refused_whoever_chose_it(tmp_path):
    with open_archive(write_zip(tmp_path / "a.zip", FILES)) as archive, pytest.raises(UnsafeArchiveError):
        unpack(archive, tmp_path / "out", places={"notes.txt": "../notes.txt"}, progress=False)


def test_an_encrypted_zip_is_refused(tmp_path):
    path = write_zip(tmp_path / "locked.zip", FILES)
    content = bytearray(path.read_bytes())
    start = content.index(b"PK\x01\x02")
    content[start + 8] |= 1  # the flag in the list of members
    path.write_bytes(content)
    with pytest.raises(UnsafeArchiveError, match="encrypted"):
        open_archive(path)


@pytest.mark.parametrize("kind", ["zip", "tar.gz", "rar"])
def test_a_truncated_archive_is_named_and_leaves_nothing_half_written(kind, tmp_path):
    path = WRITERS[kind](tmp_path / f"a.{kind}", FILES)
    path.write_bytes(path.read_bytes()[:-2500])
    with pytest.raises(ArchiveError, match=f"a.{kind}"), open_archive(path) as archive:
        unpack(archive, tmp_path / "out", progress=False)
    out = files_in(tmp_path / "out") if (tmp_path / "out").exists() else {}
    assert all(FILES[name] == content for name, content in out.items())


@pytest.mark.parametrize("kind", ["zip", "rar"])
def test_a_changed_byte_is_noticed(kind, tmp_path):
    files = {"a.avi": os.urandom(4000)}
    path = WRITERS[kind](tmp_path / f"a.{kind}", files)
    content = bytearray(path.read_bytes())
    content[2000] ^= 1
    path.write_bytes(content)
    with open_archive(path) as archive, pytest.raises(DamagedArchiveError, match="a.avi"):
        unpack(archive, tmp_path / "out", progress=False)
    assert files_in(tmp_path / "out") == {}


@pytest.mark.parametrize("content", [b"<!DOCTYPE html><title>404</title>", b"", b"PK\x03\x04 but no more"])
def test_what_is_no_archive_is_named_with_its_first_bytes(content, tmp_path):
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(ArchiveError, match="starts with b'"):
        open_archive(tmp_path / "a.zip")


def test_what_is_not_there(tmp_path):
    with pytest.raises(ArchiveError, match="not there"):
        open_archive(tmp_path / "none.zip")


def test_what_is_there_whole_is_left_alone_and_what_is_not_is_mended(tmp_path):
    path, out = write_zip(tmp_path / "a.zip", FILES), tmp_path / "out"
    with open_archive(path) as archive:
        unpack(archive, out, progress=False)
        (out / "UCF-101/A/two.avi").write_bytes(bytes(5000))  # same length, other content
        (out / "UCF-101/A/one.avi").write_bytes(b"one")
        assert unpack(archive, out, progress=False) == 2
        assert [is_there(member, out / member.name) for member in archive.members] == [True] * 3
    assert files_in(out) == FILES


def test_too_little_disk_is_said_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr("actlib.download.disk.shutil.disk_usage", lambda _: type("U", (), {"free": 10}))
    with open_archive(write_zip(tmp_path / "a.zip", FILES)) as archive, pytest.raises(DownloadError, match="free in"):
        unpack(archive, tmp_path / "out", progress=False)
    assert not (tmp_path / "out").exists()


def test_a_disk_that_fills_up_in_the_middle_leaves_no_half_file(tmp_path, monkeypatch):
    def copy(stream, file):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(unpacking, "_copy", copy)
    with open_archive(write_zip(tmp_path / "a.zip", FILES)) as archive, pytest.raises(DownloadError, match="full disk"):
        take(archive, archive.members[0], tmp_path / "out" / "one.avi")
    assert files_in(tmp_path / "out") == {}


def start(source, out):
    command = [sys.executable, "-c", SCRIPT, str(source), str(out)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def big_zip(path):
    return write_zip(path, {f"{number:03d}.avi": os.urandom(20_000) for number in range(40)})


def test_kill_9_in_the_middle_then_it_goes_on(tmp_path):
    content, out = big_zip(tmp_path / "a.zip").read_bytes(), tmp_path / "out"
    with serve() as server:
        url = server.put("/a.zip", content, rate=400_000)
        process = start(url, out)
        while len(list(out.glob("*.avi"))) < 5:
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        with open_archive(tmp_path / "a.zip") as archive:
            whole = [member for member in archive.members if (out / member.name).exists()]
            assert 5 <= len(whole) < 40 and all(is_there(member, out / member.name) for member in whole)
            assert unpack(archive, out, progress=False) == 40 - len(whole)
    assert len(files_in(out)) == 40 and not list(out.glob("*.part"))


def test_two_at_once_share_the_work(tmp_path):
    content, out = big_zip(tmp_path / "a.zip").read_bytes(), tmp_path / "out"
    with serve() as server:
        url = server.put("/a.zip", content, rate=4_000_000)
        processes = [start(url, out) for _ in range(2)]
        answers = [process.communicate(timeout=60) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], answers
    written = [int(output.splitlines()[-1]) for output, _ in answers]
    assert sorted(written) == [0, 40] and len(files_in(out)) == 40


def test_of_a_zip_on_a_server_only_what_is_chosen_comes(tmp_path):
    content = big_zip(tmp_path / "a.zip").read_bytes()
    with serve() as server:
        url = server.put("/a.zip", content)
        with open_archive(url) as archive:
            unpack(archive, tmp_path / "out", places={"007.avi": "seven.avi"}, progress=False)
        assert server.sent("/a.zip") < 100_000 < len(content)
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert (tmp_path / "out" / "seven.avi").read_bytes() == archive.read("007.avi")


def test_all_members_come_over_one_connection(tmp_path):
    with serve() as server:
        url = server.put("/a.zip", big_zip(tmp_path / "a.zip").read_bytes())
        with open_archive(url) as archive:
            assert unpack(archive, tmp_path / "out", progress=False) == 40
        assert server.connections <= 3 and len(server.log) >= 40


def test_a_hostile_zip_on_a_server_is_refused(tmp_path):
    content = write_zip(tmp_path / "bad.zip", FILES | {"../evil": b"evil"}).read_bytes()
    with serve() as server, pytest.raises(UnsafeArchiveError):
        open_archive(server.put("/bad.zip", content))


@pytest.fixture
def rar_tool(tmp_path, monkeypatch):
    """The only unpacking tool on PATH is the tests' own."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return write_tool(folder)


def test_a_solid_rar_is_unpacked_in_one_run_of_the_tool(tmp_path, rar_tool):
    path = write_rar(tmp_path / "a.rar", FILES, solid=True)
    with open_archive(path) as archive:
        unpack(archive, tmp_path / "out", progress=False)
    assert files_in(tmp_path / "out") == FILES and len(rar_tool.read_text().splitlines()) == 1


def test_members_of_a_solid_rar_in_any_order(tmp_path, rar_tool):
    path = write_rar(tmp_path / "a.rar", FILES, solid=True)
    with open_archive(path) as archive:
        for index in (1, 0, 2):
            member = archive.members[index]
            with archive.read(member) as stream:
                assert stream.read() == FILES[member.name]


def test_a_solid_rar_with_a_wrong_checksum(tmp_path, rar_tool):
    path = write_rar(tmp_path / "a.rar", {"a.avi": b"abc", "b.avi": (b"def", {"crc": 1})}, solid=True)
    with open_archive(path) as archive, pytest.raises(DamagedArchiveError, match="b.avi"):
        unpack(archive, tmp_path / "out", progress=False)
    assert files_in(tmp_path / "out") == {"a.avi": b"abc"}


def test_a_tool_that_cannot_gives_way_to_one_that_can(tmp_path, rar_tool):
    path = write_rar(tmp_path / "a.rar", FILES, solid=True)
    (rar_tool.parent / "unrar").rename(rar_tool.parent / "bsdtar")
    (rar_tool.parent / "unrar").write_text("#!/bin/sh\necho nonsense\n")
    (rar_tool.parent / "unrar").chmod(0o755)
    with open_archive(path) as archive:
        unpack(archive, tmp_path / "out", progress=False)
    assert files_in(tmp_path / "out") == FILES


def test_a_rar_with_a_password_is_refused(tmp_path):
    salt = bytes(16)
    locked = b"".join([b"Rar!\x1a\x07\x01\x00", block(4, number(0) + number(0) + b"\x0f" + salt), bytes(64)])
    (tmp_path / "a.rar").write_bytes(locked)
    with pytest.raises(ArchiveError, match="without a password"):
        open_archive(tmp_path / "a.rar")


def test_without_a_rar_tool_the_line_that_installs_one_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    path = write_rar(tmp_path / "a.rar", FILES, solid=True)
    with open_archive(path) as archive, pytest.raises(ArchiveError, match="apt install unar.*brew install unar"):
        unpack(archive, tmp_path / "out", progress=False)
