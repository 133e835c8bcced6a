"""A URL -> a whole file on disk: free disk first, a break is resumed, the checksum compared, at the end it is renamed.

Until that rename the bytes lie in `<name>.<version>.part`. Certificates are always checked.
"""

import hashlib
import re
import threading
import time
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import NamedTuple
from urllib.parse import urlsplit

import pooch
import requests
import urllib3
from tqdm.auto import tqdm

from actlib.files import count_free_bytes, format_size, partial_file

TIMEOUT = 30.0  # seconds that a server may be silent
ATTEMPTS, PAUSE = 5, 1.0  # in a row that bring nothing new; seconds before the second, doubled before each next one
BLOCK = 1 << 18  # bytes read at a time
WINDOW, LEAST = 60.0, 60_000  # seconds, and the bytes that have to come within them, or before a connection breaks
ADVICE = "Check address and connection and run the same line again, which goes on from here; or pass your own file "
ADVICE += "with --from (UCF-101's lists: --lists). REQUESTS_CA_BUNDLE names the certificates of a network of its own."
BREAKS = (requests.ConnectionError, TimeoutError, requests.Timeout, urllib3.exceptions.HTTPError)  # that may pass
SESSION = requests.Session()  # keeps connections open, but for redirects, whose bodies may be endless
SESSION.hooks["response"] = lambda answer, **_: answer.close() if answer.is_redirect else None


class DownloadError(RuntimeError):
    """Something could not be fetched; the message says what was expected, what came, and what to do."""


class RemoteFile(NamedTuple):
    """What a server says of a file before it sends it."""

    url: str
    size: int | None  # bytes; None when it does not say
    ranges: bool  # whether it can send a part
    version: str  # its ETag or date: two parts of one file share it

    @classmethod
    def ask(cls, url) -> "RemoteFile":
        """Ask for the size of a file, and whether parts of it can be had; DownloadError where it cannot be had."""

        def ask():
            with _request(url, 0, 0) as (_, answer):
                ranges = answer.status_code == 206
                size = answer.headers.get("Content-Range" if ranges else "Content-Length", "").rpartition("/")[2]
                size = int(size) if re.fullmatch("[0-9]{1,15}", size) else None
                return cls(url, size, ranges and size is not None, _version(answer))

        return _retry(ask, url)

    def read(self, first, last) -> bytes:
        """Read bytes `first` to `last`, from 0, of a file of which parts can be had; DownloadError as `ask`."""

        def read():
            with _request(self.url, first, last, version=self.version) as (start, answer):
                content = b"".join(_read_blocks(answer, last + 1 - first))
            if start != first or len(content) != last + 1 - first:
                raise requests.ConnectionError("other bytes than asked for")
            return content

        return _retry(read, self.url)


def download(url, folder, *, most, checksum=None) -> Path:
    """Fetch one file whole, or go on where an earlier fetch was broken off; the caller holds a lock.

    Args:
        url: http or https address.
        folder: where it goes, as `download-<hash of the URL>-<name>`; one that is there already is kept.
        most: bytes to accept at most.
        checksum: "md5:..." or "sha256:...", if known.

    Raises:
        DownloadError: with the reason and the way on. What has come stays for the next time, unless it is wrong.
    """
    name = re.sub(r"[^\w.-]", "_", PurePosixPath(urlsplit(url).path).name)[-100:]
    path = Path(folder) / f"download-{_hash(url)}-{name}"
    if path.is_file() and pooch.hashes.hash_matches(path, checksum):
        return path
    remote = RemoteFile.ask(url)
    size = remote.size or 0
    if size > most:
        raise DownloadError(f"Expected {format_size(most)} at most. Received: {format_size(size)} announced by {url}.")
    with partial_file(path) as whole:
        whole.touch()  # a folder that cannot be written is reported before anything comes
        part = path.with_name(f"{path.name}.{_hash(remote)}.part")
        for old in {*path.parent.glob(f"{path.name}.*.part")} - {part}:
            old.unlink()  # of another version, with which nobody can go on
        with open(part, "wb" if remote.size is None else "ab") as file:
            have = file.tell()
        free = check_disk(folder, 2 * size - have)  # it will be unpacked or converted beside itself
        print(f"Fetching {format_size(size - have) if size else name} from {url} to {path} ({format_size(free)} free)")
        with tqdm(total=remote.size, unit="B", unit_scale=True, desc=name) as bar:
            _retry(lambda: _append(part, remote, min(most, free), bar), url, lambda: part.stat().st_size)
        if not pooch.hashes.hash_matches(part, checksum):
            part.unlink()
            raise DownloadError(f"Expected {checksum}. Received: other bytes from {url}. {ADVICE}")
        part.replace(whole)
    return path


def check_disk(folder, needed) -> int:
    """Return the free bytes on the disk of a folder; DownloadError if fewer than are needed.

    Args:
        folder: a path, which need not exist yet.
        needed: bytes.
    """
    free = count_free_bytes(folder)
    if needed > free:
        found = f"Expected {format_size(needed)} free in {folder}. Received: {format_size(free)}."
        raise DownloadError(f"{found} Free some space, or choose a folder on another disk with --to.")
    return free


def _hash(text):
    return hashlib.sha256(str(text).encode()).hexdigest()[:8]


def _append(part, remote, most, bar):
    """Append what one answer brings, no more than was announced or, where nothing was, than `most`."""
    have, limit = part.stat().st_size, most if remote.size is None else remote.size
    if have == limit:
        return
    with _request(remote.url, have, version=remote.version) as (start, answer), open(part, "r+b") as file:
        file.truncate(start)
        file.seek(start)
        bar.update(start - bar.n)
        for block in _read_blocks(answer, limit - start):
            file.write(block)
            bar.update(len(block))
        have = file.tell()
    if remote.size is None and have == most:
        part.unlink()
        raise DownloadError(f"Expected less than {format_size(most)}. Received: more from {remote.url}. Check it.")
    if have < (remote.size or 0):
        raise requests.ConnectionError("fewer bytes than announced")


def _read_blocks(answer, most):
    """Yield what an answer brings, no more than `most` bytes; a TimeoutError where next to nothing comes."""
    begun, before = time.monotonic(), answer.raw.tell()
    while most and (block := _call_in_time(answer.raw.read1, min(BLOCK, most))):
        most -= len(block)
        yield block
        if time.monotonic() - begun > WINDOW:
            if answer.raw.tell() - before < LEAST:
                raise TimeoutError(f"less than {LEAST} bytes in {WINDOW} s")
            begun, before = time.monotonic(), answer.raw.tell()


def _retry(work, url, progress=lambda: 0):
    """Return what `work` returns, repeated when the network breaks until attempts in a row have brought nothing."""
    failures = 0
    while True:
        before = progress()
        try:
            return work()
        except (requests.RequestException, *BREAKS) as error:
            failures = 1 if progress() > before + LEAST else failures + 1
            final = not isinstance(error, BREAKS) or isinstance(error, requests.exceptions.SSLError)
            if final or failures >= ATTEMPTS:
                cause = error  # its cause in the system's own words, which libraries wrap several times
                while cause.__context__ and not isinstance(cause, TimeoutError):
                    cause = cause.__context__
                cause = str(cause) or type(cause).__name__
                raise DownloadError(f"Expected {url}. Received: {cause}, {failures} times. {ADVICE}") from error
            time.sleep(PAUSE * 2 ** (failures - 1))


@contextmanager
def _request(url, first, last="", *, version=None):
    """Yield where a body starts (`first`, or 0 where a server sends no parts) and the answer; refusals raise."""
    headers = {"User-Agent": "actlib", "Accept-Encoding": "identity", "Range": f"bytes={first}-{last}"}
    with _call_in_time(SESSION.get, url, headers=headers, stream=True, timeout=TIMEOUT) as answer:
        code, start = answer.status_code, first if answer.status_code == 206 else 0
        if url.startswith("https:") and any(not hop.url.startswith("https:") for hop in (*answer.history, answer)):
            raise DownloadError(f"Expected {url} to stay on https. Received: a redirect to {answer.url}. Use --from.")
        if code >= 500 or code in (408, 429):
            raise requests.ConnectionError(f"{code} {answer.reason}")
        answer.raise_for_status()
        if code == 206 and not answer.headers.get("Content-Range", "").startswith(f"bytes {first}-"):
            raise requests.ConnectionError("another part than asked for")
        if version not in (None, _version(answer)):
            raise DownloadError(f"Expected one version of {url}. Received: two. Run the same line again.")
        try:
            yield start, answer
        except TimeoutError:
            answer.raw.shutdown()  # what still reads it would keep it from being closed
            raise


def _call_in_time(function, *args, **options):
    """Return what a function returns; a TimeoutError where that takes longer than WINDOW."""
    future = Future()

    def call():
        try:
            future.set_result(function(*args, **options))
        except Exception as error:
            future.set_exception(error)

    threading.Thread(target=call, daemon=True).start()
    return future.result(WINDOW)


def _version(answer):
    return answer.headers.get("ETag") or answer.headers.get("Last-Modified", "")
