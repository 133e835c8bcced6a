"""Files are whole or absent whatever happens, locks hold between processes, and what is left behind is cleared."""

import errno
import os
import subprocess
import sys
import time
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest

from actlib import files
from actlib.files import content_hash, lock, partial_file, write_whole

pytestmark = pytest.mark.usefixtures("in_time")


def test_a_file_is_new_as_a_whole_or_stays_as_it_was(tmp_path):
    path = tmp_path / "deep" / "notes.txt"
    assert write_whole(path, b"old") == path

    with pytest.raises(KeyboardInterrupt), partial_file(path) as partial, open(partial, "wb") as file:
        file.write(b"half of the n")
        file.flush()
        assert path.read_bytes() == b"old"
        raise KeyboardInterrupt
    assert path.read_bytes() == b"old"
    before = path.stat().st_ino
    with partial_file(path) as partial, open(partial, "wb") as file:
        file.write(b"new")
    assert path.stat().st_ino != before  # another file: who has the old one open reads on in it
    assert path.read_bytes() == b"new" and list(path.parent.iterdir()) == [path]


def test_writers_at_the_same_time_do_not_mix(tmp_path):
    contents = [bytes([number]) * 100_000 for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda content: write_whole(tmp_path / "one.bin", content), contents))
    assert (tmp_path / "one.bin").read_bytes() in contents and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("number", [errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC), errno.EFBIG])
def test_a_full_disk_names_the_file_and_what_to_do(tmp_path, number):
    with (
        pytest.raises(OSError, match="room for kept.npy .* Received: .*ACTLIB_CACHE") as caught,
        partial_file(tmp_path / "kept.npy"),
    ):
        raise OSError(number, os.strerror(number))
    assert caught.value.errno == number and caught.value.filename == str(tmp_path / "kept.npy")
    assert list(tmp_path.iterdir()) == []


def test_other_errors_inside_are_not_taken_for_a_full_disk(tmp_path):
    with pytest.raises(FileNotFoundError) as caught, partial_file(tmp_path / "kept.npy"):
        (tmp_path / "missing.npy").read_bytes()
    assert caught.value.filename == str(tmp_path / "missing.npy") and "room" not in str(caught.value)


def test_a_folder_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="notes.txt in a folder that can be written. Received: .*ACTLIB_HOME"):
        write_whole(tmp_path / "file" / "notes.txt", b"")

    def refuse(path, *_given, **_options):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(files, "open", refuse, raising=False)
    with pytest.raises(PermissionError, match="notes.txt in .* Received: Permission denied"):
        write_whole(tmp_path / "notes.txt", b"")


def test_only_old_partial_files_are_removed(tmp_path):
    (tmp_path / "set.1.partial" / "new").mkdir(parents=True)
    old, fresh, whole = (tmp_path / name for name in ("a.npy.1.partial", "b.npy.2.partial", "c.npy"))
    for path, age in ((old, 3700), (fresh, 3500), (whole, 3700), (tmp_path / "set.1.partial", 3700)):
        path.touch()
        os.utime(path, times=(time.time() - age,) * 2)
    files._remove_partials.__wrapped__(tmp_path)
    assert set(tmp_path.iterdir()) == {fresh, whole}
    files._remove_partials.__wrapped__(tmp_path / "no such folder")


WRITE = """
import sys
from actlib.files import partial_file
with partial_file(sys.argv[1]) as partial:
    partial.mkdir() if sys.argv[2] == "folder" else partial.touch()
    print(partial, flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_a_killed_process_left_goes_with_the_next_write_and_a_running_one_keeps_its_own(tmp_path, kind):
    def start(name):
        command = [sys.executable, "-c", WRITE, str(tmp_path / name), kind]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return process, process.stdout.readline().strip()

    (running, kept), (killed, _) = start("film.mp4"), start("best.safetensors")
    with running, killed:
        killed.kill()
        killed.wait()
        write_whole(tmp_path / "other.txt", b"")
        assert {path.name for path in tmp_path.iterdir()} == {"other.txt", os.path.basename(kept)}
        running.kill()


def test_partials_of_other_machines_wait_for_an_hour(tmp_path, monkeypatch):
    monkeypatch.setattr(files.psutil, "pid_exists", lambda process: False)
    with files.partial_file(tmp_path / "a.npy") as partial:
        partial.touch()
        elsewhere = partial.with_name(partial.name.replace(files.HOST, "0123abcd"))
        elsewhere.touch()
        older = partial.rename(partial.with_suffix(".old.partial"))
        files._remove_partials.__wrapped__(tmp_path)
        assert list(tmp_path.iterdir()) == [elsewhere] and not older.exists()
        partial.touch()


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.ENAMETOOLONG])
def test_a_folder_that_refuses_the_name_says_so_before_the_work(tmp_path, monkeypatch, number):
    def refuse(self, **_options):
        raise OSError(number, os.strerror(number), str(self))

    monkeypatch.setattr(files.Path, "mkdir", refuse)
    with pytest.raises(OSError, match="notes.txt in a folder .* Received: .*another folder .* or name"):
        write_whole(tmp_path / "notes.txt", b"")


def test_names_are_cut_between_letters():
    assert files.shorten_name("a" * 300) == "a" * 200 and files.shorten_name("short.mp4") == "short.mp4"
    assert files.shorten_name("映" * 100) == "映" * 66 and files.shorten_name("\udcff") == ""


HOLD = """
import sys
from actlib.files import lock
with lock(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_lock_holds_between_processes_and_dies_with_its_holder(tmp_path):
    path = tmp_path / "new" / "index.json"
    command = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        with pytest.raises(TimeoutError), lock(path, timeout=0):
            pass
        process.kill()
    with lock(path, timeout=0), ThreadPoolExecutor(1) as pool:
        assert isinstance(pool.submit(lock(path, timeout=0).__enter__).exception(), TimeoutError)  # threads too


def test_where_there_are_no_locks_work_goes_on_and_it_is_said_once(tmp_path, monkeypatch):
    def refuse(*_given, **_options):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(files.FileLock, "__enter__", refuse)
    done = []
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("default")
        for name in "ab":
            with lock(tmp_path / name):
                done.append(name)
    assert done == ["a", "b"]
    assert len(seen) == 1 and f"cannot be locked in {tmp_path}" in str(seen[0].message) and seen[0].filename == __file__


def test_the_hash_follows_the_content_not_the_name(tmp_path):
    one, two = tmp_path / "one.avi", tmp_path / "two.avi"
    one.write_bytes(b"a" * 100_000)
    two.write_bytes(b"a" * 100_000)
    key = content_hash(one)
    assert key == content_hash(two) and len(key) == 16
    os.utime(one, ns=(0, 0))
    assert content_hash(one) == key
    one.write_bytes(b"a" * 50_000 + b"b" + b"a" * 49_999)  # one byte, same length
    os.utime(one, ns=(1, 1))
    assert content_hash(one) != key
    with pytest.raises(FileNotFoundError, match="gone.avi"):
        content_hash(tmp_path / "gone.avi")
