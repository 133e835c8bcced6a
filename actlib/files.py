"""Files that are whole or not there, locks between processes, and names that follow what is in a file."""

import errno
import functools
import hashlib
import os
import platform
import re
import shutil
import stat
import time
import uuid
import warnings
import zlib
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psutil
from filelock import FileLock, Timeout
from rich import filesize

FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC), errno.EFBIG)  # disk, share of it, size of one file
HOST = f"{zlib.crc32(platform.node().encode()):08x}"  # this machine, in the names of partial files
OWNER = re.compile(rf"\.{HOST}-(\d{{1,9}})-\w+(\.old)?\.partial$")
format_size = filesize.decimal  # a number of bytes for people, in powers of 1000: 58.9 MB
OLD_SECONDS = 3600.0  # a partial file that nobody wrote to for so long was left by a process that is gone


@contextmanager
def partial_file(path):
    """Give a path beside `path` to write a file or folder to, which gets its name only when the block ends well.

    Args:
        path: What is to be there whole or not at all; what killed processes left beside it is removed once.
    """
    path = Path(path)
    partial = path.with_name(f"{shorten_name(path.name)}.{HOST}-{os.getpid()}-{uuid.uuid4().hex[:12]}.partial")
    try:
        with explain_errors(path, partial):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.exists()  # a name that is too long is not worked on
            _remove_partials(path.parent)
            partial.touch()  # nor is what cannot be written worked on
            partial.unlink()
            yield partial
            os.replace(partial, path)
    finally:
        remove(partial)


@contextmanager
def explain_errors(path, *drafts):
    """Have the system's errors about a path (full disk, closed folder) name it and say what to do.

    Args:
        path: What is written.
        *drafts: Paths that stand for it until it is whole.
    """
    try:
        yield
    except OSError as error:
        about = error.errno in FULL or Path(str(error.filename)) in (path, *drafts, *path.parents)
        if not about or "Expected room" in str(error):
            raise  # it is about something else, or explained already
        text = f"Expected room for {path.name} in a folder that can be written. Received: {error.strerror}."
        text += " Free some disk, or choose another folder (ACTLIB_CACHE: caches, ACTLIB_HOME: all else) or name"
        raise OSError(error.errno, text, str(path)) from error


def remove(path) -> None:
    """Remove a file or folder, if it is there and can be removed.

    Args:
        path: A Path.
    """
    with suppress(OSError):  # it has its name already, another process was faster, or the folder is read-only
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def count_free_bytes(folder) -> int:
    """Count the free bytes on the disk of a folder.

    Args:
        folder: A path, which need not exist yet.
    """
    return shutil.disk_usage(next(path for path in (Path(folder).resolve() / "x").parents if path.exists())).free


def write_whole(path, content) -> Path:
    """Write a file; readers, and a kill at any moment, find the old one or the new one. Return its path.

    Args:
        path: The file; folders that lack are made.
        content: Its bytes.
    """
    with partial_file(path) as partial, open(partial, "wb") as file:
        file.write(content)
    return Path(path)


@functools.cache  # once a folder, by each process
def _remove_partials(folder):
    """Remove from a folder what killed processes left half written: on this machine at once, else after an hour."""
    for partial in Path(folder).glob("*.partial"):
        owner = OWNER.search(partial.name)
        with suppress(OSError):
            if (owner and not psutil.pid_exists(int(owner[1]))) or time.time() - partial.stat().st_mtime > OLD_SECONDS:
                remove(partial)


def shorten_name(name) -> str:
    """Cut the name of a file, of which systems take up to 255 bytes, so that some 50 bytes can be added to it.

    Args:
        name: Without folders.
    """
    return name.encode(errors="ignore")[:200].decode(errors="ignore")


@contextmanager
def lock(path, *, timeout=-1.0):
    """Hold what no other process or thread may hold at the same time; a killed process gives it up at once.

    Where locks cannot be had (some network disks, read-only folders) a warning says so, and work goes on without.

    Args:
        path: What is locked, by `<path>.lock` beside it.
        timeout: Seconds to wait for it, then TimeoutError; below 0 without end.
    """
    with ExitStack() as stack:
        try:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            stack.enter_context(FileLock(f"{path}.lock", timeout=timeout))
        except Timeout:
            raise
        except (OSError, NotImplementedError) as error:
            cause = f"Files cannot be locked in {Path(path).parent} ({type(error).__name__})"
            warnings.warn(f"{cause}: two processes may do the same work. Results are not harmed.", stacklevel=3)
        yield


def refuse_inputs(out, *inputs) -> None:
    """Raise ValueError if what is to be written is, by whatever name or link, one of those that are read.

    Args:
        out, inputs: Files or folders, which need not be there.
    """
    for path in map(Path, inputs):
        if path.exists() and Path(out).exists() and path.samefile(out):
            raise ValueError(f"Expected another place than what is read. Received: {out}. Name another to write to.")


def require_file(path) -> os.stat_result:
    """Return the status of a regular file; OSError for anything else, as pipes and devices never end.

    Args:
        path: The file.
    """
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "no regular file, but a directory, pipe, socket or device", str(path))
    return status


def content_hash(path) -> str:
    """Return 16 hex digits of a file's SHA-256, so that what was made from other content is never taken for its own.

    Args:
        path: A regular file.
    """
    require_file(path)
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]
