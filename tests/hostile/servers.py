"""An attack with servers that lie: endless, slow, too long, other parts, bombs, redirects, web pages, and own locks."""

import contextlib
import gzip
import hashlib
import itertools
import socket
import threading
import time
import zipfile

import numpy as np
from loopback import Clock, serve

from actlib import checkpoints, specs
from actlib.download import fetch_lists, fetch_vgg16, transfer
from actlib.download.archives import open_archive, unpack
from actlib.download.pretrained import FIRST_FILTERS
from actlib.download.transfer import DownloadError, RemoteFile, download
from actlib.download.ucf101 import LIST_NAMES
from hostile.checking import check

CONTENT = bytes(range(256)) * 512  # 128 kB
SIZE = len(CONTENT)
SHA256 = "sha256:" + hashlib.sha256(CONTENT).hexdigest()
MOST = 4 * len(CONTENT)
SECONDS = 12.0
OK, PART = "HTTP/1.1 200 OK\r\n", "HTTP/1.1 206 Partial Content\r\n"


@contextlib.contextmanager
def serve_raw(script):
    """A server that answers each request by writing what script(first, last) yields; yields its URL."""
    listener = socket.create_server(("127.0.0.1", 0))

    def answer(connection):
        with connection, contextlib.suppress(OSError):
            request = b""
            while b"\r\n\r\n" not in request and (more := connection.recv(4096)):
                request += more
            line = next(
                (row for row in request.split(b"\r\n") if row.lower().startswith(b"range:")), b"range: bytes=0-"
            )
            first, _, last = line.split(b"=")[1].decode().partition("-")
            for part in script(int(first or 0), int(last) if last else None):
                connection.sendall(part if isinstance(part, bytes) else part.encode())

    def listen():
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=answer, args=(connection,), daemon=True).start()

    threading.Thread(target=listen, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/a.bin"
    finally:
        listener.close()


def _slowly(parts, seconds=0.05):
    for part in parts:
        for byte in part:
            time.sleep(seconds)
            yield bytes([byte])


def _begin(first, last, *, more="", length=None, total=SIZE, status=PART):
    last = total - 1 if last is None else last
    length = last + 1 - first if length is None else length
    return f"{status}ETag: x\r\nContent-Range: bytes {first}-{last}/{total}\r\n{more}Content-Length: {length}\r\n\r\n"


def _ask_first(answer):
    """What answers the question for the size as it should, and all else by `answer`."""

    def script(first, last):
        return [_begin(0, 0), b"\0"] if last == 0 else answer(first, last)

    return script


def _chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


CHUNKED = OK + "ETag: x\r\nTransfer-Encoding: chunked\r\n\r\n"
SCRIPTS = {
    "a slow body": _ask_first(
        lambda first, last: [_begin(first, last), *[]] and itertools.chain([_begin(first, last)], _slowly([CONTENT]))
    ),
    "a slow head": lambda first, last: _slowly([b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 90 + b"\r\n"], 0.2),
    "a slow chunk": lambda first, last: itertools.chain([CHUNKED, "5;"], _slowly([b"a" * 60_000], 0.2)),
    "endless continuing": lambda first, last: itertools.repeat("HTTP/1.1 100 Continue\r\n\r\n"),
    "an endless head": lambda first, last: itertools.chain([OK], itertools.repeat("X: y\r\n")),
    "an endless line": lambda first, last: itertools.chain([OK, "X: "], itertools.repeat("y" * 65536)),
    "endless chunks": lambda first, last: itertools.chain([CHUNKED], itertools.repeat(_chunk(bytes(65536)))),
    "an endless chunk's name": lambda first, last: itertools.chain([CHUNKED, "5;"], itertools.repeat("a" * 65536)),
    "a chunk of terabytes": lambda first, last: itertools.chain(
        [CHUNKED, "ffffffffffff\r\n"], itertools.repeat(bytes(65536))
    ),
    "a chunk of nothing": lambda first, last: itertools.chain([CHUNKED], ["-5\r\nabc\r\n"]),
    "endless without a length": lambda first, last: itertools.chain(
        [OK + "ETag: x\r\n\r\n"], itertools.repeat(bytes(65536))
    ),
    "more than announced": lambda first, last: itertools.chain(
        [OK + f"ETag: x\r\nContent-Length: {10**12}\r\n\r\n"], itertools.repeat(bytes(65536))
    ),
    "a redirect with an endless body": lambda first, last: itertools.chain(
        ["HTTP/1.1 302 Found\r\nLocation: /b\r\nTransfer-Encoding: chunked\r\n\r\n"],
        itertools.repeat(_chunk(bytes(65536))),
    ),
    "a redirect with a bomb": lambda first, last: [
        f"HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Encoding: gzip\r\nContent-Length: {len(BOMB)}\r\n\r\n",
        BOMB,
    ],
    "a redirect to a file": lambda first, last: [
        "HTTP/1.1 302 Found\r\nLocation: file:///etc/hostname\r\nContent-Length: 0\r\n\r\n"
    ],
    "a redirect to itself": lambda first, last: ["HTTP/1.1 302 Found\r\nLocation: /a.bin\r\nContent-Length: 0\r\n\r\n"],
    "an empty redirect": lambda first, last: ["HTTP/1.1 302 Found\r\nLocation: \r\nContent-Length: 0\r\n\r\n"],
    "another part": _ask_first(lambda first, last: [_begin(first + 5, last), CONTENT[first + 5 :], bytes(5)]),
    "a small part": _ask_first(lambda first, last: [_begin(first, first + 99), CONTENT[first : first + 100]]),
    "1,000 broken answers": _ask_first(lambda first, last: [_begin(first, last), CONTENT[first : first + 100]]),
    "1,000 answers of nothing": _ask_first(lambda first, last: [_begin(first, last)]),
    "a length that is none": lambda first, last: [
        OK + "Content-Length: \xb2\r\n\r\n".encode("latin-1").decode("latin-1"),
        CONTENT,
    ],
    "a length below 0": lambda first, last: [OK + "Content-Length: -5\r\n\r\n", CONTENT],
    "a length of 5,000 digits": lambda first, last: [OK + f"Content-Length: {'9' * 5000}\r\n\r\n", CONTENT],
    "a total that is none": lambda first, last: [
        f"{PART}Content-Range: bytes 0-0/\xb2\r\nContent-Length: 1\r\n\r\n",
        b"\0",
    ],
    "two lengths": lambda first, last: [OK + "Content-Length: 5\r\nContent-Length: 131072\r\n\r\n", CONTENT],
    "many parts": lambda first, last: [
        PART + "Content-Type: multipart/byteranges; boundary=x\r\nContent-Length: 4\r\n\r\n--x-"
    ],
    "a part longer than announced": _ask_first(lambda first, last: [_begin(first, last, length=9 * SIZE), CONTENT * 9]),
    "an endless part": _ask_first(
        lambda first, last: itertools.chain(
            [_begin(first, last, more="Transfer-Encoding: chunked\r\n"), _chunk(CONTENT)],
            itertools.repeat(_chunk(bytes(65536))),
        )
    ),
    "other bytes": lambda first, last: [_begin(first, last), CONTENT[first : None if last is None else last + 1][::-1]],
    "no HTTP": lambda first, last: [b"SSH-2.0-OpenSSH_9.6\r\n", bytes(100)],
    "nothing": lambda first, last: [],
    "silence": lambda first, last: itertools.chain(_wait(60)),
    "a bomb in gzip": lambda first, last: [OK + f"Content-Encoding: gzip\r\nContent-Length: {len(BOMB)}\r\n\r\n", BOMB],
    "status 999": lambda first, last: ["HTTP/1.1 999 What\r\nContent-Length: 0\r\n\r\n"],
    "416 for ever": lambda first, last: [
        f"HTTP/1.1 416 Range Not Satisfiable\r\nContent-Range: bytes */{SIZE}\r\nContent-Length: 0\r\n\r\n"
    ],
    "416 for what is left": lambda first, last: (
        ["HTTP/1.1 416 Range Not Satisfiable\r\nContent-Length: 0\r\n\r\n"]
        if first
        else [_begin(first, last), CONTENT[:100]]
    ),
    "304": lambda first, last: ["HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n"],
    "204": lambda first, last: ["HTTP/1.1 204 No Content\r\n\r\n"],
    "401 with a page": lambda first, last: [
        "HTTP/1.1 401 No\r\nWWW-Authenticate: Basic\r\nContent-Length: 4\r\n\r\npage"
    ],
    "endless redirects, each elsewhere": lambda first, last: [
        f"HTTP/1.1 307 Found\r\nLocation: /{time.monotonic_ns()}\r\nContent-Length: 0\r\n\r\n"
    ],
    "a total that grows": _ask_first(
        lambda first, last: [_begin(first, last, total=SIZE + 1000 + first), CONTENT[first:], bytes(1000)]
    ),
    "a total that shrinks": _ask_first(lambda first, last: [_begin(first, 99, total=100), CONTENT[first:100]]),
    "another version each time": lambda first, last: [
        _begin(first, last).replace("ETag: x", f"ETag: {time.monotonic_ns()}"),
        CONTENT[first : None if last is None else last + 1],
    ],
    "the whole where a part is asked for": lambda first, last: (
        [_begin(0, 0), b"\0"]
        if last == 0
        else [_begin(first, last), CONTENT[:999]]
        if not first
        else [OK + f"ETag: x\r\nContent-Length: {SIZE}\r\n\r\n", CONTENT]
    ),
    "a part without its place": _ask_first(
        lambda first, last: [f"{PART}ETag: x\r\nContent-Length: {SIZE - first}\r\n\r\n", CONTENT[first:]]
    ),
    "a part in other units": _ask_first(
        lambda first, last: [_begin(first, last).replace("bytes ", "items "), CONTENT[first:]]
    ),
    "a part out of place": _ask_first(
        lambda first, last: [_begin(first, last).replace("-131071/", "-5/"), CONTENT[first:]]
    ),
    "nothing at all for nothing": lambda first, last: [OK + "Content-Length: 0\r\n\r\n"],
    "503 for ever": lambda first, last: ["HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"],
}
BOMB = gzip.compress(bytes(32_000_000)) * 10  # no longer than what is accepted, until it is unpacked


WHOLE = (
    "a part longer than announced",
    "an endless part",
    "the whole where a part is asked for",
)  # what was asked for is there: it has to be taken


def _wait(seconds):
    time.sleep(seconds)
    yield b""


def _hurry():
    transfer.TIMEOUT, transfer.WINDOW, transfer.PAUSE, transfer.ATTEMPTS = 0.4, 0.5, 0.01, 3


def _try_script(script, folder, *, wanted):
    _hurry()
    with serve_raw(script) as url:
        answer = check(
            lambda: download(url, folder, most=MOST, checksum=SHA256) and None,
            names=[url, folder],
            allowed=(DownloadError,),
            seconds=SECONDS,
        )
    large = [path for path in folder.rglob("*") if path.stat().st_size > MOST]
    whole = [path for path in folder.iterdir() if path.suffix != ".part" and path.read_bytes() != CONTENT]
    answer = answer or (f"left {large}" if large else f"left {whole} as whole" if whole else None)
    return answer or (None if [*folder.glob("*.bin")] or not wanted else "refused, though all came that was asked for")


def _try_zip(script_of, folder):
    """A ZIP on a server that sends parts, and says of the ZIP what is not so."""
    _hurry()

    def read(url):
        with open_archive(RemoteFile.ask(url)) as members:
            unpack(members, folder, {"v.avi": "v.avi"}, largest=10_000_000)

    with serve_raw(script_of) as url:
        answer = check(lambda: read(url), allowed=(DownloadError,), seconds=SECONDS)
    return answer or ("other bytes" if (out := folder / "v.avi").exists() and out.read_bytes() != CONTENT else None)


def _lie_about_zip(folder, change):
    """A script that serves a ZIP changed by a function, as one of a terabyte whose end that ZIP is."""
    path = folder / "v.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("v.avi", CONTENT)
    content = bytearray(path.read_bytes())
    change(content)
    total = 10**12

    def script(first, last):
        begin = total - len(content)
        last = total - 1 if last is None else last

        def send():
            yield _begin(first, last, total=total)
            if first < begin:
                for _ in range((min(last + 1, begin) - first) // 65536 + 1):
                    yield bytes(65536)
            yield bytes(content[max(0, first - begin) : last + 1 - begin])

        return send()

    return script


def _set(content, signature, place, value, size=4):
    place += content.rindex(signature)
    content[place : place + size] = value.to_bytes(size, "little")


def make_vgg16():
    """Weights of the form of ImageNet's, all zeros but the first filter."""
    weights = {name: np_zeros(shape) for name, shape in checkpoints.list_shapes(specs.VGG16).items()}
    red, blue = FIRST_FILTERS["keras"]
    kernel = weights["block1_conv1/kernel"]
    kernel[0, :, 0, 0], kernel[0, :, 2, 0] = red, blue
    return weights | {"preprocess/mean": np_array(specs.VGG16.mean), "preprocess/std": np_array(specs.VGG16.std)}


def np_zeros(shape):
    return np.zeros(shape, "float32")


def np_array(values):
    return np.array(values, "float32")


def write_lists(path):
    """A ZIP of official lists with one video a side."""
    with zipfile.ZipFile(path, "w") as archive:
        for name in LIST_NAMES:
            text = (
                "1 Jump\r\n" if name == "classInd.txt" else f"Jump/v_Jump_g0{1 + name.startswith('test')}_c01.avi 1\r\n"
            )
            archive.writestr(f"ucfTrainTestlist/{name}", text)
    return path


def _fetch_twice(fetch, path, content, bad, folder):
    """A first answer that is useless is put aside, and the same line brings the right one."""
    with serve() as server:
        url = server.put(path, bad)
        answer = check(
            lambda: fetch(source=url, folder=folder) and None, allowed=(ValueError, DownloadError), refused=True
        )
        server.put(path, content)
        fetch(source=url, folder=folder)
        return answer


def _fetch_lists(*, source, folder):
    return fetch_lists(folder, source=source)


def cases(rng, folder):
    """Yield (name, function)."""
    changes = {
        "a list of files of gigabytes": lambda zip: (
            _set(zip, b"PK\5\6", 12, 2_000_000_000),
            _set(zip, b"PK\5\6", 16, 10**9),
        ),
        "a packed file of gigabytes": lambda zip: _set(zip, b"PK\1\2", 20, 3_000_000_000),
        "a file of gigabytes": lambda zip: _set(zip, b"PK\1\2", 24, 3_000_000_000),
    }
    for number, (name, change) in enumerate(changes.items()):
        place = folder / f"zip{number}"
        place.mkdir()
        script = _lie_about_zip(place, change)
        yield f"a ZIP with {name}", lambda script=script, place=place: _try_zip(script, place)
    lists = write_lists(folder / "lists.zip").read_bytes()
    weights = checkpoints.save_checkpoint(folder / "good.safetensors", make_vgg16(), {}).read_bytes()
    bad = {"a page": b"<html>Please log in</html>" * 99, "nothing": b"", "zeros": bytes(5000), "a half": None}
    for name, fetch, right in (
        ("/ucfTrainTestlist", _fetch_lists, lists),
        ("/vgg16_imagenet.safetensors", fetch_vgg16, weights),
        ("/lists.zip", _fetch_lists, lists),
    ):
        for word, content in bad.items():
            place, wrong = folder / f"{word} {name[1:]}", right[: len(right) // 2] if content is None else content
            yield (
                f"{word} for {name}, then what is right",
                lambda fetch=fetch, name=name, right=right, wrong=wrong, place=place: _fetch_twice(
                    fetch, name, right, wrong, place
                ),
            )
    for number, (name, script) in enumerate(SCRIPTS.items()):
        place = folder / f"script{number}"
        place.mkdir()
        yield name, lambda script=script, place=place, wanted=name in WHOLE: _try_script(script, place, wanted=wanted)
    for number in range(40):
        seed = int(rng.integers(2**31))
        place = folder / f"random{number}"
        place.mkdir()
        yield f"random {number}", lambda seed=seed, place=place: _try_random(seed, place)


def _try_random(seed, folder):
    """A server that breaks its answers off anywhere still gives the whole file, or a word."""
    _hurry()
    rng = np.random.default_rng(seed)
    drops = [int(rng.integers(len(CONTENT))) for _ in range(rng.integers(1, 6))]
    options = {"ranges": bool(rng.integers(2)), "chunked": bool(rng.integers(2))}
    if options["ranges"] and rng.integers(2):
        drops, options["more"] = [], bytes(5000)
    with serve() as server:
        transfer.time = Clock()
        url = server.put("/a.bin", CONTENT, drops=drops, statuses=[503] * int(rng.integers(2)), **options)

        def fetch():
            return (
                None if download(url, folder, most=MOST).read_bytes() == CONTENT else "other bytes under the final name"
            )

        return check(fetch, allowed=(DownloadError,), seconds=SECONDS)
