"""ZIP, TAR, RAR or a folder, here or on a server -> a list of files and a way to read each.

An archive with a member that is a link, a device, or named outside its folder is refused as a whole when it is opened.
"""

import os
import re
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

import rarfile
import remotezip
import requests

from actlib.download.disk import ArchiveError, DamagedArchiveError, UnsafeArchiveError
from actlib.download.rar import RarPipe

UNREADABLE = (zipfile.BadZipFile, tarfile.TarError, rarfile.Error, zlib.error, EOFError, NotImplementedError)
DRIVE = re.compile(r"^[A-Za-z]:")
CONTROL = re.compile(r"[\x00-\x1f]")


@dataclass(frozen=True)
class Member:
    """One file in an archive."""

    name: str  # checked: relative, with "/" between its parts
    size: int  # bytes, unpacked
    crc: int | None  # CRC-32 of its content, where the archive knows it
    entry: object  # what the archive's own library calls it


@dataclass(frozen=True)
class Archive:
    """An open archive: its files, and how to read one."""

    source: str
    members: tuple[Member, ...]  # in the order they lie in
    read: Callable[[Member], BinaryIO]
    close: Callable[[], None]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def check_name(name, source="the archive") -> str:
    """Makes sure that a member's name stays inside whatever folder it is unpacked to.

    Args:
        name: as the archive gives it.
        source: the archive, for the message.

    Returns:
        The name with "/" between its parts.

    Raises:
        UnsafeArchiveError: it is absolute, has a drive, goes up, or holds characters no file name has.

    Example:
        >>> check_name("UCF-101\\\\Diving/v_Diving_g01_c01.avi")
        'UCF-101/Diving/v_Diving_g01_c01.avi'
    """
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or DRIVE.match(name) or ".." in path.parts or CONTROL.search(name) or not path.parts:
        raise UnsafeArchiveError(
            f"Expected every file to stay in its folder. Received: {name!r} in {source}. Nothing was unpacked: do not "
            "trust this archive, get it from its publisher."
        )
    return str(path)


def open_archive(source, *, timeout=30.0) -> Archive:
    """Opens an archive or a folder, and checks the name and kind of all its members.

    Args:
        source: a folder, a ZIP, TAR (also compressed) or RAR file, told by content, or the URL of a ZIP on a server
            that can send parts; of that only the members that are read come over the line.
        timeout: seconds that such a server may be silent.

    Returns:
        Archive; close it, or use it in `with`.

    Raises:
        ArchiveError: it is none of these, or damaged.
        UnsafeArchiveError: it has a member that would leave its folder, a link or a device.
    """
    path = Path(source)
    try:
        if str(source).startswith(("http://", "https://")):
            return _open_zip(source, _KeptConnection(source, timeout=timeout))
        if path.is_dir():
            return _open_folder(path)
        if not path.is_file():
            raise ArchiveError(f"Expected an archive or a folder. Received: {path}, which is not there. Check it.")
        if rarfile.is_rarfile(path):
            return _open_rar(path, rarfile.RarFile(path, errors="strict"))
        if tarfile.is_tarfile(path):
            return _open_tar(path, tarfile.open(path))  # before ZIP: a TAR may end with one
        if zipfile.is_zipfile(path):
            return _open_zip(path, zipfile.ZipFile(path))
    except UNREADABLE as error:
        raise DamagedArchiveError(source, error) from error
    with open(path, "rb") as file:
        first = file.read(24)
    raise ArchiveError(
        f"Expected a whole ZIP, TAR or RAR file. Received: {path} of {path.stat().st_size:,} bytes, which starts with "
        f"{first!r}. Fetch it again; a web page saved under that name is the usual cause."
    )


class _KeptConnection(remotezip.RemoteZip):
    """A ZIP on a server, all of whose members come over one connection."""

    def __init__(self, url, *, timeout):
        self.session = requests.Session()
        super().__init__(url, session=self.session, timeout=timeout)

    def close(self):
        super().close()
        self.session.close()


def _open_zip(source, file):
    def describe(info):
        kind = stat.S_IFMT(info.external_attr >> 16)  # Unix type of the file; 0 if it was packed elsewhere
        _check_kind(source, info.filename, regular=kind in (0, stat.S_IFREG) and not info.flag_bits & 1)
        return Member(check_name(info.filename, source), info.file_size, info.CRC, info)

    members = tuple(describe(info) for info in _without_folders(source, file.infolist(), lambda info: info.is_dir()))
    return Archive(str(source), members, lambda member: file.open(member.entry), file.close)


def _open_tar(source, file):
    def describe(info):
        _check_kind(source, info.name, regular=info.isreg())
        return Member(check_name(info.name, source), info.size, None, info)

    members = tuple(describe(info) for info in _without_folders(source, file.getmembers(), lambda info: info.isdir()))
    return Archive(str(source), members, lambda member: file.extractfile(member.entry), file.close)


def _open_rar(source, file):
    def describe(info):
        kind = stat.S_IFMT(info.mode or 0) if info.host_os == rarfile.RAR_OS_UNIX else 0
        plain = info.is_file() and not info.file_redir and kind in (0, stat.S_IFREG)
        _check_kind(source, info.filename, regular=plain)
        return Member(check_name(info.filename, source), info.file_size, info.CRC, info)

    if file.needs_password():
        raise ArchiveError(
            f"Expected an archive without a password. Received: {source}. Unpack it, and pass the folder."
        )
    members = tuple(describe(info) for info in _without_folders(source, file.infolist(), lambda info: info.is_dir()))
    if file.is_solid() or any(member.entry.compress_type != rarfile.RAR_M0 for member in members):
        pipe = RarPipe(source, members)
        return Archive(str(source), members, pipe.read, pipe.close)
    return Archive(str(source), members, lambda member: file.open(member.entry), file.close)


def _open_folder(folder):
    seen, members = set(), []
    for place, below, names in os.walk(folder, followlinks=True):
        if os.path.realpath(place) in seen:  # links that go round in a circle
            below.clear()
            continue
        seen.add(os.path.realpath(place))
        below.sort()
        for path in (Path(place, name) for name in sorted(names)):
            if path.is_file():
                members.append(Member(path.relative_to(folder).as_posix(), path.stat().st_size, None, path))
    return Archive(str(folder), tuple(members), lambda member: open(member.entry, "rb"), lambda: None)


def _without_folders(source, infos, is_folder):
    for info in infos:
        if is_folder(info):
            check_name((getattr(info, "filename", None) or info.name) + "/x", source)  # it is never made
        else:
            yield info


def _check_kind(source, name, *, regular):
    if not regular:
        raise UnsafeArchiveError(
            f"Expected nothing but plain files. Received: {name!r} in {source}, a link, a device or encrypted. "
            "Nothing was unpacked: do not trust this archive, get it from its publisher."
        )
