"""Members of an archive -> files in a folder: whole or not at all, and none outside the folder."""

import os
import zlib
from pathlib import Path

from tqdm.auto import tqdm

from actlib.download.archives import UNREADABLE, check_name
from actlib.download.disk import DamagedArchiveError, check_disk, explain_full_disk, wait_turn

BLOCK = 1 << 20  # bytes copied at a time


def unpack(archive, folder, *, places=None, progress=True) -> int:
    """Writes members of an archive as files; those that are already there, whole, are left alone.

    Args:
        archive: an open Archive.
        folder: where they go. Two fetches of one folder wait for each other.
        places: {name of a member: path below the folder}; None takes all members, each at its own name.
        progress: show a bar.

    Returns:
        How many files were written.

    Raises:
        ArchiveError: a member is damaged.
        UnsafeArchiveError: a place lies outside the folder.
        DownloadError: there is no room.
    """
    folder = Path(folder)
    with wait_turn(folder, progress=progress):
        todo = [(member, path) for member, path in _choose(archive, folder, places) if not is_there(member, path)]
        check_disk(folder, sum(member.size for member, _ in todo))
        bar = tqdm(total=sum(member.size for member, _ in todo), unit="B", unit_scale=True, disable=not progress)
        with bar:
            for number, (member, path) in enumerate(todo, 1):
                bar.set_description(f"{number}/{len(todo)} files", refresh=False)
                take(archive, member, path)
                bar.update(member.size)
    return len(todo)


def _choose(archive, folder, places):
    """-> (member, path) pairs in the archive's own order, each path once."""
    chosen = {}
    for member in archive.members:
        place = member.name if places is None else places.get(member.name)
        if place is not None:
            chosen.setdefault(folder / check_name(place, archive.source), member)
    return [(member, path) for path, member in chosen.items()]


def is_there(member, path) -> bool:
    """Says whether a file already is what a member holds.

    Args:
        member: a Member.
        path: the file, which need not exist.

    Returns:
        True if length and, where it is known, checksum agree.
    """
    if not path.is_file() or path.stat().st_size != member.size:
        return False
    with open(path, "rb") as file:
        return member.crc is None or _copy(file, None)[1] == member.crc


def take(archive, member, path) -> None:
    """Writes one member as a file: whole, or not at all.

    Args:
        archive: an open Archive.
        member: one of its members.
        path: the file; its folder is made.

    Raises:
        ArchiveError: the member is damaged.
        DownloadError: the disk is full.
    """
    part = path.with_name(path.name + ".part")
    try:
        with explain_full_disk(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(part, "wb") as file:
                size, crc = _read_member(archive, member, file)
            if size != member.size or member.crc not in (None, crc):
                cause = f"{member.name} has {size:,} bytes of {member.size:,}, or another checksum than promised"
                raise DamagedArchiveError(archive.source, cause)
            os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def _read_member(archive, member, file):
    try:
        with archive.read(member) as stream:
            return _copy(stream, file)
    except UNREADABLE as error:
        raise DamagedArchiveError(archive.source, f"{member.name}: {error}") from error


def _copy(stream, file):
    """Copies a stream to a file, or nowhere; -> (number of bytes, CRC-32)."""
    size = crc = 0
    while block := stream.read(BLOCK):
        size, crc = size + len(block), zlib.crc32(block, crc)
        if file:
            file.write(block)
    return size, crc
