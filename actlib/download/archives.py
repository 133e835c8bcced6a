"""ZIP, TAR, RAR or a folder, here or on a server -> some of its files on disk: whole or not at all, none elsewhere.

A file gets the name that the caller chose, not the archive's own. Links and devices are no files.
"""

import io
import lzma
import os
import re
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path, PurePosixPath
from typing import BinaryIO, NamedTuple

import rarfile
import remotezip
from tqdm.auto import tqdm

from actlib.download.transfer import DownloadError, RemoteFile, check_disk, read_part
from actlib.files import format_size, open_whole

UNREADABLE = (zipfile.BadZipFile, tarfile.TarError, rarfile.Error, remotezip.RemoteZipError, zlib.error, lzma.LZMAError)
UNREADABLE += (EOFError, RuntimeError, ValueError, struct.error)  # RuntimeError: a ZIP with a password
FORBIDDEN = re.compile(r"[\x00-\x1f:]")  # on Windows, a colon names a drive or a stream
DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])\s*(\..*)?", re.IGNORECASE)  # likewise, in any folder
MOST = 30_000_000_000  # bytes to unpack in all; UCF-101 has 7 GB
BLOCK = 1 << 20  # bytes copied at a time
RAR_TOOLS = (
    "'sudo apt install unar' (Debian, Ubuntu), 'sudo dnf install unar' (Fedora), 'brew install unar' (macOS), "
    "or unrar, 7-Zip (Windows) or bsdtar on PATH"
)


class ArchiveError(DownloadError):
    """An archive that is damaged, locked or not to be trusted; the message names it."""


class Member(NamedTuple):
    """One file in an archive."""

    name: str  # with "/" between its parts; never used as it is
    size: int  # bytes, unpacked
    crc: int | None  # CRC-32 of its content, where the archive knows it
    open: Callable[[], BinaryIO]


@contextmanager
def open_archive(source):
    """List an archive or a folder; what its library raises in the block becomes an ArchiveError with advice.

    Args:
        source: a folder, a ZIP, TAR (also compressed) or RAR file, told by content, or a RemoteFile that is a ZIP on a
            server that can send parts; of that only the files that are read come over the line.

    Yields:
        Members in the order they lie in; they can be opened until the block ends.

    Raises:
        ArchiveError: it is none of these, damaged or locked.
        DownloadError: it is not there, or no tool unpacks it.
    """
    where = source.url if isinstance(source, RemoteFile) else source
    try:
        with ExitStack() as stack:
            members = list(_list_members(source, stack))
            if not members:
                raise ValueError("there is no file in it")
            yield [member._replace(name=member.name.replace("\\", "/")) for member in members]
    except DownloadError:
        raise
    except rarfile.RarCannotExec as error:
        raise DownloadError(f"Expected a tool that unpacks {where}. Received: none. Get one: {RAR_TOOLS}.") from error
    except UNREADABLE as error:
        raise ArchiveError(
            f"Expected a whole archive without a password. Received: {where} ({error}). Fetch it again, or unpack it "
            "by hand and pass the folder with --from."
        ) from error


def _list_members(source, stack):
    if isinstance(source, RemoteFile):
        return _list_zip(stack.enter_context(remotezip.RemoteZip(source, fetcher=_RangeFetcher)))
    path = Path(source)
    if path.is_dir():
        return _list_folder(path)
    if not path.is_file():
        raise DownloadError(f"Expected an archive or a folder. Received: {path}, which is not there. Check it.")
    if rarfile.is_rarfile(path):
        file = stack.enter_context(rarfile.RarFile(path, errors="strict"))
        if file.needs_password():
            raise rarfile.PasswordRequired("it has a password")
        infos = [info for info in file.infolist() if info.is_file()]
        return [Member(info.filename, info.file_size, info.CRC, partial(file.open, info)) for info in infos]
    if tarfile.is_tarfile(path):  # before ZIP: a TAR may end with one
        file = stack.enter_context(tarfile.TarFile.open(path))
        return [Member(info.name, info.size, None, partial(file.extractfile, info)) for info in file if info.isreg()]
    if zipfile.is_zipfile(path):
        return _list_zip(stack.enter_context(zipfile.ZipFile(path)))
    with open(path, "rb") as file:
        raise ValueError(f"no ZIP, TAR or RAR; it starts with {file.read(24)!r}, perhaps a web page under that name")


def _list_zip(file):
    infos = [info for info in file.infolist() if not info.is_dir()]
    return [Member(info.filename, info.file_size, info.CRC, partial(file.open, info)) for info in infos]


def _list_folder(folder):
    for place, _, names in os.walk(folder, followlinks=True):
        for path in (Path(place, name) for name in names):
            if path.is_file():
                yield Member(path.relative_to(folder).as_posix(), path.stat().st_size, None, partial(open, path, "rb"))


class _RangeFetcher:
    """What remotezip reads a RemoteFile with."""

    def __init__(self, remote, _session, **_options):
        self.remote = remote

    def fetch(self, data_range, stream=False):
        """Return bytes `first` to `last` of the file; a negative `first` counts from its end."""
        first, last = data_range
        if first < 0:
            first, last = max(0, self.remote.size + first), self.remote.size - 1
        if last - first > 200_000_000:
            raise ValueError(f"one file in it has {last - first:,} bytes")
        return remotezip.PartialBuffer(io.BytesIO(read_part(self.remote, first, last)), first, last + 1 - first, False)


def check_name(name) -> str:
    r"""Return a name with "/" between its parts that stays inside whatever folder it is joined to, on any system.

    Raises:
        ArchiveError: it is absolute, goes up, has a drive, or names a device of Windows.

    Example:
        >>> check_name("UCF-101\\Diving/v_Diving_g01_c01.avi")
        'UCF-101/Diving/v_Diving_g01_c01.avi'
    """
    path = PurePosixPath(name.replace("\\", "/"))
    bad = any(not part.strip(". ") or DEVICE.fullmatch(part) for part in path.parts)
    if bad or not path.parts or path.is_absolute() or FORBIDDEN.search(name):
        raise ArchiveError(f"Expected every file to stay in its folder. Received: {name!r}. Trust no list with it.")
    return str(path)


def unpack(members, folder, places, *, largest) -> int:
    """Write files of an archive; those that are already there, whole, are left alone. The caller holds a lock.

    Args:
        members: what `open_archive` lists.
        folder: where they go.
        places: {name in the archive: path below the folder}.
        largest: bytes that one file may have.

    Returns:
        How many files were written.

    Raises:
        ArchiveError: a file is damaged or too large, or a place lies outside the folder.
        DownloadError: there is no room.
    """
    chosen = {}  # each place once, in the archive's own order
    for member in members:
        if member.name in places:
            chosen.setdefault(Path(folder) / check_name(places[member.name]), member)
            if member.size > largest:
                size = format_size(member.size)
                raise ArchiveError(f"Expected files up to {format_size(largest)}. Received: {member.name} of {size}.")
    todo = {path: member for path, member in chosen.items() if not _is_there(member, path)}
    total = sum(member.size for member in todo.values())
    if total > MOST:
        raise ArchiveError(f"Expected {format_size(MOST)} in all at most. Received: {format_size(total)}.")
    check_disk(folder, total)
    with tqdm(total=total, unit="B", unit_scale=True, desc="unpacking") as bar:
        for path, member in todo.items():
            with open_whole(path) as file:
                if _copy(member, member.open(), file) != member.crc and member.crc is not None:
                    raise ValueError(f"{member.name} has another checksum than promised")
            bar.update(member.size)
    return len(todo)


def _is_there(member, path):
    """Tell whether a file already is what a member holds."""
    if not path.is_file() or path.stat().st_size != member.size:
        return False
    expected = _copy(member, member.open()) if member.crc is None else member.crc
    return _copy(member, path.open("rb")) == expected


def _copy(member, stream, file=None):
    """Copy as many bytes as a member has from a stream, which it closes, to a file or nowhere; return their CRC-32."""
    crc, left = 0, member.size
    with stream:
        while left:
            block = stream.read(min(BLOCK, left))
            if not block:
                raise EOFError(f"{left:,} of {member.size:,} bytes are missing in {member.name}")
            crc, left = zlib.crc32(block, crc), left - len(block)
            if file:
                file.write(block)
    return crc
