"""An attack with archives: names that lead elsewhere, files of gigabytes, headers that lie, damage anywhere."""

import bz2
import functools
import gzip
import io
import lzma
import tarfile
import warnings
import zipfile
from pathlib import Path

import tiny_rar

from actlib.download.archives import open_archive, unpack
from actlib.download.transfer import DownloadError
from hostile.checking import check
from hostile.weights import _flip

LARGEST = 1_000_000
GOOD = {"UCF-101/Jump/v_jump_g01_c01.avi": b"jump" * 500, "UCF-101/Sit/v_sit_g01_c01.avi": b"sit" * 300}
PLACES = {Path(name).name: name.partition("/")[2] for name in GOOD}
NAMES = [
    "../../evil.avi",
    "/tmp/hostile-evil.avi",
    "C:\\evil.avi",
    "a/../../evil.avi",
    "..\\evil.avi",
    "\\\\host\\evil.avi",
]
GIGABYTE, BLOCK = 1_000_000_000, 32_000_000
PACKERS = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lambda data: lzma.compress(data, preset=0)}


def write_zip(path, files, **options):
    with zipfile.ZipFile(path, "w", **options) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def write_tar(path, files, mode="w", **options):
    with tarfile.open(path, mode, **options) as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


@functools.cache
def _packed_zeros(kind):
    return PACKERS[kind](bytes(BLOCK))


def _write_bomb(path, kind, info, size):
    """A packed TAR whose one header is followed by so many zeros; packed files may lie one behind the other."""
    info.size = size
    path.write_bytes(PACKERS[kind](info.tobuf(tarfile.GNU_FORMAT)) + _packed_zeros(kind) * (size // BLOCK + 1))


def _list_zips():
    """Name and a function that writes a ZIP that is odd, but leads nowhere else."""
    names = [*GOOD]
    first, second = names

    def infos(*rows, **options):
        def write(path):
            with warnings.catch_warnings(), zipfile.ZipFile(path, "w", **options) as archive:
                warnings.simplefilter("ignore")  # of two files of one name
                for name, content, mode in rows:
                    info = zipfile.ZipInfo(name)
                    info.external_attr = mode << 16
                    archive.writestr(info, content)

        return write

    plain = [(name, content, 0o644) for name, content in GOOD.items()]
    yield "a file twice", infos(*plain, (first, b"other", 0o644))
    yield "names that differ in case", infos(*plain, (first.upper(), b"other", 0o644))
    yield "one name in two folders", infos(*plain, ("x/" + first, b"other", 0o644))
    yield "a link", infos((first, b"/etc/hostname", 0o120777), plain[1])
    yield "a device", infos((first, b"", 0o020666), plain[1])
    yield "a folder named like a video", infos((first + "/", b"", 0o040755), plain[1])
    yield "a name with a zero", infos((first + "\0.txt", b"x", 0o644), plain[1])
    yield "a name of 60,000 letters", infos(("a" * 60_000 + ".avi", b"x", 0o644), *plain)
    yield "20,000 files", infos(*plain, *((f"n{number}", b"", 0o644) for number in range(20_000)))
    yield "no files", infos()
    yield "text before it", lambda path: path.write_bytes(b"#!/bin/sh\n" * 99 + write_zip(path, GOOD).read_bytes())
    yield "text after it", lambda path: path.write_bytes(write_zip(path, GOOD).read_bytes() + b"\n" * 60_000)
    yield "two in one", lambda path: path.write_bytes(write_zip(path, GOOD).read_bytes() * 2)
    yield "a ZIP in it", infos((first, b"PK\3\4" * 500, 0o644), plain[1])
    for fake in (
        b"Rar!\x1a\x07\x00",
        b"Rar!\x1a\x07\x01\x00",
        b"PK\5\6",
        b"7z\xbc\xaf\x27\x1c",
        b"\x1f\x8b",
        b"BZh9",
        b"\xfd7zXZ\0",
    ):
        yield f"the head of {fake!r} alone", lambda path, fake=fake: path.write_bytes(fake + bytes(range(256)) * 8)


def _header(kind, name="v_jump_g01_c01.avi"):
    info = tarfile.TarInfo(name)
    info.type = kind
    return info


def _list_bombs():
    """Name and a function that writes it."""
    for kind, size in (("gz", 40 * GIGABYTE), ("bz2", 20 * GIGABYTE), ("xz", 30 * GIGABYTE)):
        yield (
            f"tar.{kind} of gigabytes",
            lambda path, kind=kind, size=size: _write_bomb(path, kind, _header(tarfile.REGTYPE), size),
        )
    for name, kind in (
        ("pax", tarfile.XHDTYPE),
        ("global pax", tarfile.XGLTYPE),
        ("long name", tarfile.GNUTYPE_LONGNAME),
    ):
        yield (
            f"tar.gz with a {name} header of a gigabyte",
            lambda path, kind=kind: _write_bomb(path, "gz", _header(kind), GIGABYTE),
        )
    yield "zip of a large file", lambda path: _zip_zeros(path, None)
    yield "zip of a large file that says it is small", lambda path: _zip_zeros(path, 100)
    for method in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):  # what they unpack to has no bounds
        yield f"zip by method {method}", lambda path, method=method: write_zip(path, GOOD, compression=method)
    yield "zip that says it is larger than it is", lambda path: _lie(write_zip(path, GOOD), 4_000_000_000)


def _zip_zeros(path, announced):
    options = {"compression": zipfile.ZIP_DEFLATED, "compresslevel": 1}
    with zipfile.ZipFile(path, "w", **options) as archive, archive.open("v_jump_g01_c01.avi", "w") as member:
        for _ in range(13):
            member.write(bytes(BLOCK))
    if announced is not None:
        _lie(path, announced)


def _lie(path, size):
    """Have a ZIP announce another size of its first file."""
    content = bytearray(path.read_bytes())
    for signature, place in ((b"PK\3\4", 22), (b"PK\1\2", 24)):
        place += content.index(signature)
        content[place : place + 4] = size.to_bytes(4, "little")
    path.write_bytes(bytes(content))


def _list_links():
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
        for target in ("/etc/hostname", "../../secret"):
            info = _header(kind)
            info.linkname = target
            yield f"tar with a link to {target} {kind}", lambda path, info=info: _write_headers(path, [info])
    for kind in (tarfile.FIFOTYPE, tarfile.CHRTYPE, b"Z"):
        yield f"tar with a {kind}", lambda path, kind=kind: _write_headers(path, [_header(kind)])
    negative = _header(tarfile.REGTYPE)
    negative.size = -1024
    yield "tar with a size below 0", lambda path: _write_headers(path, [negative] * 3)
    sparse = _header(tarfile.REGTYPE)
    sparse.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "10000000000"}
    yield "tar with a sparse file", lambda path: _write_headers(path, [sparse])
    old_sparse = _header(tarfile.GNUTYPE_SPARSE)
    old_sparse.size = 512
    yield "tar with a sparse file of the old kind", lambda path: _write_sparse(path, old_sparse, 10**11)
    yield "no bytes", lambda path: path.write_bytes(b"")
    yield "zeros", lambda path: path.write_bytes(bytes(20_000))


def _write_sparse(path, info, size):
    """A TAR whose one file is a hole of `size` bytes with 512 bytes at its end."""
    block = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    block[386:410] = b"%011o\0%011o\0" % (min(size - 512, 8**11 - 1), 512)
    block[483:495] = b"%011o\0" % min(size, 8**11 - 1)
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    path.write_bytes(block + bytes(512) + bytes(10_240))


def _list_tars():
    """Name and a function that writes a TAR that is odd; what is good in it has to come out."""
    first = next(iter(GOOD))

    def add(*infos, form=tarfile.GNU_FORMAT, before=True):
        def write(path):
            with tarfile.open(path, "w", format=form) as archive:
                for info in infos if before else ():
                    archive.addfile(info, io.BytesIO(bytes(info.size)))
                for name, content in GOOD.items():
                    info = tarfile.TarInfo(name)
                    info.size = len(content)
                    archive.addfile(info, io.BytesIO(content))
                for info in () if before else infos:
                    archive.addfile(info, io.BytesIO(bytes(info.size)))

        return write

    hard = _header(tarfile.LNKTYPE, "another.avi")
    hard.linkname = first
    yield "a hard link to what is good", add(hard, before=False)
    for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        yield f"a name of 60,000 letters {form}", add(_header(tarfile.REGTYPE, "a" * 60_000), form=form)
        yield f"5,000 folders in folders {form}", add(_header(tarfile.REGTYPE, "a/" * 5_000 + "b"), form=form)
    yield "folders and a volume's name", add(_header(tarfile.DIRTYPE, "UCF-101"), _header(b"V", "label"))
    yield "a file of another kind", add(_header(tarfile.CONTTYPE, "other.avi"))
    odd = _header(tarfile.REGTYPE, "odd.avi")
    odd.mtime, odd.uid, odd.mode = -(2**40), 2**40, 0o7777
    yield "an owner and a time of long ago", add(odd)


def _list_lying_zips():
    """Name and a function that writes a ZIP whose two lists contradict each other."""
    first = next(iter(GOOD)).encode()

    def change(function):
        def write(path):
            content = bytearray(write_zip(path, GOOD).read_bytes())
            function(content, content.index(b"PK\3\4"), content.index(b"PK\1\2"), content.index(b"PK\5\6"))
            path.write_bytes(bytes(content))

        return write

    def put(content, place, value, size=2):
        content[place : place + size] = value.to_bytes(size, "little")

    def rename(content, local, central, end):
        content[local + 30 : local + 30 + len(first)] = b"../" + first[3:]

    yield "another name before the file", change(rename)
    yield "a password that is not", change(lambda zip, local, central, end: put(zip, central + 8, 1))
    yield (
        "files that overlap",
        change(lambda zip, local, central, end: put(zip, zip.index(b"PK\1\2", central + 4) + 42, local, 4)),
    )
    yield "a first file elsewhere", change(lambda zip, local, central, end: put(zip, central + 42, 2**31, 4))
    yield "65,535 files", change(lambda zip, local, central, end: put(zip, end + 10, 65_535))
    yield "its list elsewhere", change(lambda zip, local, central, end: put(zip, end + 16, 2**32 - 2, 4))
    yield "another check sum", change(lambda zip, local, central, end: put(zip, central + 16, 1, 4))
    yield "an unknown packing", change(lambda zip, local, central, end: put(zip, central + 10, 97))
    yield (
        "a name of 65,535 letters that are not there",
        change(lambda zip, local, central, end: put(zip, central + 28, 65_535)),
    )
    yield "two disks", change(lambda zip, local, central, end: put(zip, end + 4, 1))


def _write_headers(path, infos):
    with open(path, "wb") as file:
        for info in infos:
            file.write(info.tobuf(tarfile.PAX_FORMAT if info.pax_headers else tarfile.GNU_FORMAT))
        file.write(bytes(10_240))


def _unpack(path, out):
    with open_archive(path) as members:
        unpack(members, out, PLACES, largest=LARGEST)


def _try(path, out, *, refused=False, good=False):
    out = out / "in"
    before = {each for each in out.parent.parent.rglob("*") if out.parent not in each.parents}
    answer = check(lambda: _unpack(path, out), names=[path, *PLACES], allowed=(DownloadError,), refused=refused)
    files = [each for each in out.rglob("*") if each.is_file()]
    written = {each.relative_to(out).as_posix(): each.read_bytes() for each in files if each.stat().st_size < LARGEST}
    if strange := written.keys() - {*PLACES.values()} or [each for each in files if each.is_symlink()]:
        answer = f"{answer}; wrote {sorted(strange)[:3]}"
    if len(written) < len(files):
        answer = f"{answer}; wrote more than {LARGEST} bytes"
    if good and any(written.get(place.partition("/")[2]) != content for place, content in GOOD.items()):
        answer = f"{answer}; lost what is good"
    elsewhere = (
        {each for each in out.parent.parent.rglob("*") if out.parent not in each.parents} - before - {out.parent}
    )
    return answer or (f"wrote elsewhere: {sorted(elsewhere)[:3]}" if elsewhere or Path(NAMES[1]).exists() else None)


def _try_again(folder, kind):
    """What is there but damaged is written again; what is whole is left alone."""
    source = folder / "source"
    source.mkdir(parents=True)
    if kind == "folder":
        for name, content in GOOD.items():
            (source / Path(name).name).write_bytes(content)
    else:
        source = {"zip": write_zip, "tar": write_tar}[kind](source / "archive", GOOD)
    _unpack(source, folder)
    first, second = (folder / place for place in PLACES.values())
    first.write_bytes(bytes(first.stat().st_size))
    kept = second.stat().st_ino
    _unpack(source, folder)
    if first.read_bytes() != next(iter(GOOD.values())):
        return "damage of the same length is taken for whole"
    return None if second.stat().st_ino == kept else "what is whole is written again"


def cases(rng, folder):
    """Yield (name, function): what is known to have been fatal, then damage."""
    count = 0

    def make(name, write, **options):
        nonlocal count
        count += 1
        path, out = folder / f"{count}.bin", folder / f"out{count}"
        write(path)
        return name, lambda: _try(path, out, **options)

    writers = {"zip": write_zip, "tar": write_tar, "rar": tiny_rar.write_rar}
    modes = {f"tar.{kind}": lambda path, kind=kind: write_tar(path, GOOD, f"w:{kind}") for kind in ("gz", "bz2", "xz")}
    whole = {}
    for kind, write in (
        *((kind, lambda path, write=write: write(path, GOOD)) for kind, write in writers.items()),
        *modes.items(),
    ):
        yield make(f"good {kind}", write, good=True)
        whole[kind] = (folder / f"{count}.bin").read_bytes()
    for kind in ("zip", "tar", "folder"):
        yield (
            f"a damaged file of the same length beside a {kind}",
            lambda kind=kind: _try_again(folder / f"again-{kind}", kind),
        )
    for name, write in (*_list_links(), *_list_bombs()):
        yield make(name, write, refused=True)
    for bad in NAMES:
        for kind, write in writers.items():
            yield make(
                f"{kind} with {bad}",
                lambda path, write=write, bad=bad: write(path, {**GOOD, bad: b"evil"}),
                refused=True,
            )
    for name, write in (*_list_zips(), *_list_lying_zips()):
        yield make(f"zip with {name}", write)
    for name, write in _list_tars():
        yield make(f"tar with {name}", write, good=True)
    for number in range(150):
        for kind, content in whole.items():
            data = _flip(rng, content)
            yield make(f"damaged {kind} {number}", lambda path, data=data: path.write_bytes(data))
