"""ZIP, TAR, RAR or a folder, here or on a server -> some of its files on disk, whole or not at all.

Files are found by their bare names and go where the caller says, never where the archive does.
"""

import errno
import glob
import io
import math
import re
import tarfile
import zipfile
import zlib
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path, PureWindowsPath
from typing import NamedTuple

import rarfile
import remotezip
from tqdm.auto import tqdm

from actlib.download.transfer import DownloadError, RemoteFile, check_disk
from actlib.files import format_size, write_whole

MOST_PART, MOST_HEADER = 64_000_000, 1_000_000  # bytes of a ZIP asked for at once, of what a TAR says about a file
MOST_UNPACKED = 1_000_000_000  # bytes of all files in a TAR, or twenty times what the TAR itself has
OUTSIDE = re.compile(r"^([/\\]|\w:)|(^|[/\\])\.\.([/\\]|$)")
INSIDE = re.compile(r"(\w[\w.-]*/)*\w[\w.-]*")  # a path that leaves no folder on any system
RAR_TOOLS = "'sudo apt install unar' (Linux), 'brew install unar' (macOS), or unrar, 7-Zip or bsdtar on PATH"


class ArchiveError(DownloadError):
    """An archive that is damaged, locked or not to be trusted; the message names it."""


class Member(NamedTuple):
    """One file in an archive, never a link or a device."""

    size: int  # bytes, unpacked
    crc: int | None  # CRC-32 of its content, where the archive knows it
    open: object  # function: -> its content as a file


@contextmanager
def open_archive(source):
    """Yield {bare name in lower case: Member} in the order they lie in; explain what its library raises in the block.

    Args:
        source: a folder, a ZIP, TAR or RAR file, told by content, or a RemoteFile, a ZIP of which parts are read.

    Raises:
        ArchiveError: it is damaged or locked.
        DownloadError: it is not there, or no tool unpacks it.
    """
    where = source.url if isinstance(source, RemoteFile) else source
    try:
        with ExitStack() as stack:
            members = _list_members(source, stack)
            if not members:
                raise ValueError("there is no file in it")
            if foul := [name for name, _ in members if OUTSIDE.search(name)]:
                raise ValueError(f"{foul[0]!r} in it leads out of its folder")
            yield {PureWindowsPath(name).name.lower(): member for name, member in members}  # either kind of slash
    except (DownloadError, MemoryError, LookupError, TypeError, AttributeError, NameError):  # not the archive's fault
        raise
    except rarfile.RarCannotExec as error:
        raise DownloadError(f"Expected a tool that unpacks {where}. Received: none. Get one: {RAR_TOOLS}.") from error
    except Exception as error:  # libraries raise many kinds for what is damaged, locked or made to harm
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise  # the system's, not gzip's or bz2's, nor that of a ZIP that leads to before its begin
        found = f"Expected a whole archive without a password. Received: {where} ({error})."
        raise ArchiveError(f"{found} Fetch it again, or unpack it and pass the folder with --from.") from error


def _list_members(source, stack):
    if isinstance(source, RemoteFile):
        return _list_infos(stack.enter_context(remotezip.RemoteZip(source, fetcher=_RangeFetcher)))
    path = Path(source)
    if path.is_dir():
        files = [path / name for name in glob.iglob("**", root_dir=path, recursive=True)]
        return [(p.name, Member(p.stat().st_size, None, partial(open, p, "rb"))) for p in files if p.is_file()]
    if not path.is_file():
        raise DownloadError(f"Expected an archive or a folder. Received: {path}, which is not there. Check it.")
    file = None
    if rarfile.is_rarfile(path):
        return _list_infos(stack.enter_context(rarfile.RarFile(path, errors="strict")))
    with suppress(tarfile.TarError):  # before ZIP: a TAR may end with one
        file = stack.enter_context(tarfile.TarFile.open(path, tarinfo=_BoundedTarInfo))
    if file:
        return [*_list_tar(file, max(MOST_UNPACKED, 20 * path.stat().st_size))]
    if zipfile.is_zipfile(path):
        return _list_infos(stack.enter_context(zipfile.ZipFile(path)))
    with open(path, "rb") as file:
        raise ValueError(f"no ZIP, TAR or RAR; it starts with {file.read(24)!r}, perhaps a web page under that name")


class _BoundedTarInfo(tarfile.TarInfo):
    def _proc_member(self, file):
        if not 0 <= self.size <= (math.inf if self.isreg() else MOST_HEADER):
            raise ValueError(f"a header of {self.size} bytes")
        return super()._proc_member(file)


def _list_tar(file, most):
    for info in file:
        most -= info.size  # before it is unpacked to reach the next
        if most < 0:
            raise ValueError(f"it unpacks to far more than it has, {info.name!r} alone to {format_size(info.size)}")
        if info.isreg():
            yield info.name, Member(info.size, None, partial(file.extractfile, info))


def _list_infos(file):
    """Members of a ZIP or a RAR; their libraries are alike, but that a RAR's has links."""
    infos = [info for info in file.infolist() if getattr(info, "is_file", lambda: not info.is_dir())()]  # noqa: B023
    if isinstance(file, zipfile.ZipFile) and any(info.compress_type > zipfile.ZIP_DEFLATED for info in infos):
        raise ValueError("it is compressed in a way whose unpacking has no bounds")
    return [(info.filename, Member(info.file_size, info.CRC, partial(file.open, info))) for info in infos]


class _RangeFetcher:
    """What remotezip reads a RemoteFile with."""

    def __init__(self, remote, _session, **_options):
        self.remote = remote

    def fetch(self, data_range, stream=False):
        """Return bytes `first` to `last` of the file; a negative `first` counts from its end."""
        first, last = data_range
        if first < 0:
            first, last = max(0, self.remote.size + first), self.remote.size - 1
        if last - first > MOST_PART:
            raise ValueError(f"a part of {format_size(last - first)}")
        return remotezip.PartialBuffer(io.BytesIO(self.remote.read(first, last)), first, last + 1 - first, False)


def unpack(members, folder, places, *, largest) -> int:
    """Write files of an archive, and return how many; those that are there already, whole, are left alone.

    Args:
        members: those of `open_archive`.
        folder: where they go; the caller holds its lock.
        places: {bare name in lower case: path below the folder}.
        largest: bytes; a larger or damaged file, or a place outside of the folder, is an ArchiveError.
    """
    todo = {}
    for name, member in ((name, member) for name, member in members.items() if name in places):
        if not INSIDE.fullmatch(places[name]):
            raise ArchiveError(f"Expected a path that stays in its folder. Received: {places[name]!r}.")
        if member.size > largest:
            most, found = format_size(largest), format_size(member.size)
            raise ArchiveError(f"Expected files up to {most}. Received: {name} of {found}.")
        path = Path(folder) / places[name]
        same_size = path.is_file() and path.stat().st_size == member.size
        crc = zlib.crc32(_read(member)) if same_size and member.crc is None else member.crc
        if not same_size or zlib.crc32(path.read_bytes()) != crc:
            todo[path] = member
    total = sum(member.size for member in todo.values())
    free = format_size(check_disk(folder, total))
    print(f"Unpacking {len(todo)} of {len(places)} files ({format_size(total)}) to {folder} ({free} free)")
    for path, member in tqdm(todo.items(), "unpacking"):
        write_whole(path, _read(member))
    return len(todo)


def _read(member):
    with member.open() as stream:
        content = stream.read(member.size + 1)
    if len(content) != member.size:
        raise ValueError(f"{format_size(len(content))} or more where {format_size(member.size)} were announced")
    return content
