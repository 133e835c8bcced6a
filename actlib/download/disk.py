"""What a fetch does to a disk: is there room, is a file what it should be, whose turn is it; and its errors."""

import errno
import shutil
from contextlib import contextmanager
from pathlib import Path

import pooch
from filelock import FileLock, Timeout

FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))


class DownloadError(RuntimeError):
    """Something could not be fetched; the message says what was expected, what came, and what to do."""


class ArchiveError(DownloadError):
    """An archive that cannot be read; the message names it."""


class DamagedArchiveError(ArchiveError):
    """An archive, or one member of it, that is not whole."""

    def __init__(self, source, cause):
        super().__init__(f"Expected a whole archive. Received: {source}, where {cause}. Fetch it again.")


class UnsafeArchiveError(ArchiveError):
    """An archive with a member that would leave its folder, or be something other than a file."""


def format_size(num_bytes) -> str:
    """Writes a number of bytes for people.

    Args:
        num_bytes: bytes.

    Returns:
        With its unit, in powers of 1000.

    Example:
        >>> format_size(58_889_256), format_size(6_960_400_115), format_size(12)
        ('58.9 MB', '7.0 GB', '12 bytes')
    """
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if num_bytes >= scale:
            return f"{num_bytes / scale:.1f} {unit}"
    return f"{num_bytes} bytes"


def find_fault(path, *, size=None, checksum=None) -> str:
    """Compares a file with what is known of it.

    Args:
        path: the file.
        size: bytes it should have, or None.
        checksum: "md5:..." or "sha256:...", or None.

    Returns:
        "" if nothing is wrong, else what was expected and what was found.

    Example:
        >>> find_fault(__file__, size=-1)[:25]
        'Expected -1 bytes. Receiv'
    """
    here = Path(path).stat().st_size
    if size is not None and here != size:
        return f"Expected {size:,} bytes. Received: {here:,}"
    if checksum:
        kind, _, digest = checksum.partition(":")
        found = pooch.file_hash(str(path), alg=kind)
        if found != digest:
            return f"Expected {kind} {digest}. Received: {found}"
    return ""


def check_disk(folder, needed) -> int:
    """Makes sure that a folder's disk has room.

    Args:
        folder: it need not exist yet.
        needed: bytes.

    Returns:
        Free bytes.

    Raises:
        DownloadError: there is not enough.
    """
    place = Path(folder).resolve()
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    if needed > free:
        raise DownloadError(
            f"Expected {format_size(needed)} free in {folder}. Received: {format_size(free)}. "
            "Free some space, or choose a folder on another disk with --to."
        )
    return free


@contextmanager
def wait_turn(path, *, progress=True):
    """Lets one process at a time work on a path; a killed one gives its turn up at once.

    Args:
        path: a file or folder, which need not exist yet.
        progress: say so when there is somebody to wait for.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path.with_name(f".{path.name}.lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        if progress:
            print(f"Another process is fetching {path}; waiting for it.")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextmanager
def explain_full_disk(path):
    """Turns the system's "no space left" into what to do about it.

    Args:
        path: what is being written.

    Raises:
        DownloadError: the disk or the quota is full.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise DownloadError(
            f"Expected room for {path}. Received: a full disk ({error.strerror}). Free some space and run the same "
            "line again, which goes on from here; or choose a folder on another disk with --to."
        ) from error
