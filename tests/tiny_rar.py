"""RAR 5 files of stored members, byte by byte, as no free program writes them; and a tool that unpacks them.

Source: the RAR 5.0 archive format as its publisher describes it (rarlab's technote).
"""

import struct
import sys
import zlib
from pathlib import Path

import rarfile

FIFO, CHARACTER_DEVICE, REGULAR = 0o010644, 0o020644, 0o100644  # Unix modes
SYMLINK, HARD_LINK = 1, 4  # kinds of redirection


def number(value):
    """A number as RAR 5 has it: seven bits a byte, lowest first."""
    low, rest = value & 0x7F, value >> 7
    return bytes([low | 0x80]) + number(rest) if rest else bytes([low])


def block(kind, fields, *, extra=b"", data=None):
    """A header with its checksum, and the data after it."""
    flags = bool(extra) | (data is not None) << 1
    sizes = (number(len(extra)) if extra else b"") + (number(len(data)) if data is not None else b"")
    header = number(kind) + number(flags) + sizes + fields + extra
    header = number(len(header)) + header
    return struct.pack("<I", zlib.crc32(header)) + header + (data or b"")


def file_block(name, data, *, mode=REGULAR, link=None, crc=None, packed=False):
    """One member, from Unix; `packed` says that its bytes are compressed, which `write_tool`'s program then undoes."""
    crc = zlib.crc32(data) if crc is None else crc
    name = name.encode()
    fields = number(4) + number(len(data)) + number(mode) + struct.pack("<I", crc)
    fields += number(3 << 7 if packed else 0) + number(1) + number(len(name)) + name
    redirection = b""
    if link:
        kind, target = link
        redirection = number(5) + number(kind) + number(0) + number(len(target)) + target.encode()
        redirection = number(len(redirection)) + redirection
    return block(2, fields, extra=redirection, data=data)


def write_rar(path, members, **options):
    """Write {name: content} or {name: (content, {mode, link, crc, packed})} as a RAR 5 archive."""
    parts = [b"Rar!\x1a\x07\x01\x00", block(1, number(0))]
    for name, content in members.items():
        content, own = content if isinstance(content, tuple) else (content, {})
        parts.append(file_block(name, content, **options | own))
    path.write_bytes(b"".join([*parts, block(5, number(0))]))
    return path


TOOL = """#!{python}
# Stands for unrar and its like: 'unrar -?' answers, 'unrar p ... ARCHIVE' prints the content of its only member.
import sys
sys.path.insert(0, {site!r})
import rarfile
if sys.argv[1] == "p":
    (info,) = rarfile.RarFile(sys.argv[-1]).infolist()
    with open(sys.argv[-1], "rb") as file:
        file.seek(info.data_offset)
        sys.stdout.buffer.write(file.read(info.file_size){spoilt})
"""


def write_tool(folder, *, spoilt=""):
    """Write a program `unrar` into a folder, the only tool there is."""
    program = folder / "unrar"
    site = str(Path(rarfile.__file__).parent)
    program.write_text(TOOL.format(python=sys.executable, site=site, spoilt=spoilt))
    program.chmod(0o755)
