"""An array -> a file that is either whole or not there, and claims that keep two processes from doing the same work.

A claim is a lock on one byte of a folder's `.claims` file. The system drops it when its process ends, however it ends,
so a killed process blocks nobody. Where there are no such locks (Windows, some network disks) work may be done twice,
and is still never half done: files get their names only when they are complete.
"""

import os
import threading
import time
import zlib
from pathlib import Path

import numpy as np

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

OLD_DRAFT_SECONDS = 3600.0  # writing takes moments, so an older draft was left by a killed process
LONGEST_WAIT_SECONDS = 60.0  # for a process that stands still while it holds a claim


def open_array(path):
    """Open a kept array without reading it into memory.

    Args:
        path: .npy file.

    Returns:
        Read-only memory map of its shape and dtype, or None where the file is missing or damaged.

    Example:
        >>> open_array("no such file.npy") is None
        True
    """
    try:
        return np.load(path, mmap_mode="r")
    except (FileNotFoundError, ValueError, EOFError):
        return None


def save_array(path, array):
    """Write an array to disk under a draft name, and give it its own name when it is complete.

    Args:
        path: .npy file; its folder is made.
        array: any array.

    Returns:
        The path.

    Raises:
        OSError: the disk is full or cannot be written; nothing is left of the file.

    Example:
        >>> import tempfile
        >>> open_array(save_array(tempfile.mkdtemp() + "/kept.npy", np.arange(3)))
        memmap([0, 1, 2])
    """
    path = Path(path)
    draft = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}.draft")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(draft, "wb") as file:
            np.lib.format.write_array(file, np.ascontiguousarray(array), allow_pickle=False)
        os.replace(draft, path)
    except OSError as error:
        raise OSError(
            error.errno,
            f"Expected room for {array.nbytes / 1e6:.1f} MB to keep {path.name}. Received: {error}. "
            "Free some disk, or set ACTLIB_CACHE to a folder on a larger one; what is complete is kept",
            str(path.parent),
        ) from error
    finally:
        draft.unlink(missing_ok=True)
    return path


def remove_old_drafts(folder):
    """Remove what killed processes left half-written.

    Args:
        folder: where arrays are kept.

    Example:
        >>> remove_old_drafts("no such folder")
    """
    for draft in Path(folder).glob("*.draft"):
        try:
            if time.time() - draft.stat().st_mtime > OLD_DRAFT_SECONDS:
                draft.unlink()
        except FileNotFoundError:  # another process was faster
            pass


class Claims:
    """Claims on the names of a folder, held by this process until they are released or the process ends.

    Args:
        folder: where the arrays are kept; made when the first claim is taken.

    Example:
        >>> import tempfile
        >>> claims = Claims(tempfile.mkdtemp())
        >>> claims.take("one"), claims.release("one")
        (True, None)
    """

    def __init__(self, folder):
        self._path, self._file = Path(folder) / ".claims", None

    def take(self, name, *, wait=False):
        """Try to claim a name.

        Args:
            name: str.
            wait: wait until the process that holds it releases it or ends, a minute at most.

        Returns:
            True, or False where another process holds it and `wait` is False.
        """
        deadline = time.monotonic() + LONGEST_WAIT_SECONDS
        while not self._lock(name):
            if not wait:
                return False
            if time.monotonic() > deadline:
                return True
            time.sleep(0.02)
        return True

    def release(self, name):
        """Give a name back.

        Args:
            name: str, claimed before.
        """
        if self._file:
            fcntl.lockf(self._file, fcntl.LOCK_UN, 1, zlib.crc32(name.encode()))

    def _lock(self, name):
        if fcntl is None:
            return True
        try:
            if self._file is None:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._file = open(self._path, "wb")  # noqa: SIM115 (closing it would drop every claim)
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, zlib.crc32(name.encode()))
        except BlockingIOError:
            return False
        except OSError:  # this disk has no locks
            return True
        return True

    def release_all(self):
        """Give all names back."""
        if self._file:
            self._file.close()  # drops its locks
        self._file = None
