"""Files that are whole or not there, locks between processes, and names that follow what is in a file."""

import errno
import functools
import hashlib
import os
import time
import uuid
import warnings
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))  # the disk, or the user's share of it
OLD_SECONDS = 3600.0  # a partial file that nobody wrote to for so long was left by a process that is gone


@contextmanager
def partial_file(path):
    """Give a path to write to: it gets its own name when the block ends well, and is removed when it does not.

    Args:
        path: the file to write; its folder is made.

    Yields:
        Path beside it, `<name>.<unique>.partial`.

    Raises:
        OSError: the disk is full or the folder cannot be written; the message names the file and what to do.
    """
    path = Path(path)
    partial = path.with_name(f"{path.name}.{uuid.uuid4().hex[:12]}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        os.replace(partial, path)
    except OSError as error:
        if error.errno not in FULL and Path(str(error.filename or path)) not in (partial, *path.parents):
            raise  # it is about something else
        raise OSError(
            error.errno,
            f"Expected room for {path.name} in a folder that can be written. Received: {error.strerror}. Free some "
            "disk, or choose another folder (ACTLIB_CACHE: caches, ACTLIB_HOME: all else); what is complete is kept",
            str(path),
        ) from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


@contextmanager
def open_whole(path, mode="wb", **options):
    """Open a file to write, as `open` does; readers, and a kill at any moment, find the old one or the new one.

    Example:
        >>> import tempfile
        >>> with open_whole(tempfile.mkdtemp() + "/new/notes.txt", "w") as file:
        ...     file.write("whole")
        5
    """
    with partial_file(path) as partial, open(partial, mode, **options) as file:
        yield file


def write_whole(path, content) -> Path:
    """Write bytes (or a memoryview) as a whole or not at all, and return the path."""
    with open_whole(path) as file:
        file.write(content)
    return Path(path)


def remove_partials(folder) -> None:
    """Remove from a folder the partial files that killed processes left an hour ago or earlier."""
    for partial in Path(folder).glob("*.partial"):
        with suppress(OSError):  # another process was faster, or the folder is read-only
            if time.time() - partial.stat().st_mtime > OLD_SECONDS:
                partial.unlink()


@contextmanager
def lock(path, *, timeout=-1.0):
    """Hold what no other process or thread may hold at the same time; a killed process gives it up at once.

    Where locks cannot be had (some network disks, read-only folders) this is said once, and work goes on without.

    Args:
        path: what is worked on, which need not be there yet; the lock is `<path>.lock` beside it.
        timeout: seconds to wait for it; -1 for as long as it takes, 0 not at all.

    Raises:
        TimeoutError: another one still holds it.
    """
    with ExitStack() as stack:
        try:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            stack.enter_context(FileLock(f"{path}.lock", timeout=timeout))
        except Timeout:
            raise
        except (OSError, NotImplementedError) as error:
            _warn_of_no_locks(getattr(error, "strerror", None) or str(error))
        yield


@functools.cache
def _warn_of_no_locks(cause):
    message = f"Files cannot be locked here ({cause}); two processes may do the same work. Results are not harmed."
    warnings.warn(message, stacklevel=4)


def content_hash(path) -> str:
    """Name a file by what is in it, so that whatever was made from other content is never taken for its own.

    Returns:
        16 hex digits of its SHA-256; the file is read again only if its size or times have changed.

    Example:
        >>> import tempfile
        >>> content_hash(write_whole(tempfile.mkdtemp() + "/empty.avi", b""))
        'e3b0c44298fc1c14'
    """
    stat = os.stat(path)
    return _hash_file(os.path.abspath(path), stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)


@functools.lru_cache(maxsize=100_000)
def _hash_file(path, *_signature):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def format_size(num_bytes) -> str:
    """Write a number of bytes for people, in powers of 1000.

    Example:
        >>> format_size(58_889_256), format_size(6_960_400_115), format_size(12)
        ('58.9 MB', '7.0 GB', '12 bytes')
    """
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if num_bytes >= scale:
            return f"{num_bytes / scale:.1f} {unit}"
    return f"{num_bytes} bytes"
