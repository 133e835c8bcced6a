"""One question to a server, and how often to repeat it; every refusal is explained, and TLS is always on."""

import time
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import requests

from actlib.download.disk import DownloadError


class BrokenAnswer(Exception):
    """A break that another attempt may mend."""


MENDABLE = (BrokenAnswer, requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)


@dataclass(frozen=True)
class Patience:
    """How long a fetch waits, and how often it tries again."""

    timeout: float = 30.0  # seconds without a byte
    attempts: int = 5  # in a row that bring nothing new
    pause: float = 1.0  # seconds before the second attempt, doubled before each next one


@dataclass(frozen=True)
class RemoteFile:
    """What a server says of a file before it sends it."""

    url: str
    size: int | None  # bytes; None when it does not say
    ranges: bool  # whether it can send a part
    version: str  # its ETag or date: two parts of one file share it


PATIENCE = Patience()


def ask_server(url, *, patience=PATIENCE) -> RemoteFile:
    """Asks for the size of a file, and whether parts of it can be had, without fetching it.

    Args:
        url: http or https address.
        patience: how long to wait, how often to try.

    Returns:
        RemoteFile.

    Raises:
        DownloadError: no answer, an answer that refuses, or no trust in the certificate.
    """

    def ask():
        with request_part(url, "bytes=0-0", patience=patience) as answer:
            parts = answer.status_code == 206
            size = answer.headers.get("Content-Range" if parts else "Content-Length", "").rpartition("/")[2]
            return RemoteFile(url, int(size) if size.isdigit() else None, parts, _version(answer))

    return try_patiently(ask, url, patience=patience, progress_of=lambda: 0)


def try_patiently(work, url, *, patience=PATIENCE, progress_of, broken=()):
    """Repeats work that a network may break, until attempts in a row have brought nothing new.

    Args:
        work: called without arguments.
        url: for the message.
        patience: how often, and how long in between.
        progress_of: a function that gives a number; it grew if an attempt brought something.
        broken: further exceptions that another attempt may mend.

    Returns:
        What `work` returns.

    Raises:
        DownloadError: it was tried often enough.
    """
    failures = 0
    while True:
        before = progress_of()
        try:
            return work()
        except (*MENDABLE, *broken) as error:
            failures = 1 if progress_of() > before else failures + 1
            if failures >= patience.attempts:
                raise DownloadError(
                    f"Expected an answer from {url}. Received: {_reason(error, patience)}, {failures} times in a row. "
                    "Check the connection and run the same line again, which goes on from here; or pass a file "
                    "that you already have with --from."
                ) from error
            time.sleep(patience.pause * 2 ** (failures - 1))


def _reason(error, patience):
    if isinstance(error, requests.Timeout) or "timed out" in str(error):
        return f"nothing within {patience.timeout:g} seconds"
    return f"a broken connection ({str(error)[:200]})"


@contextmanager
def request_part(url, byte_range, *, patience, version=None):
    """Opens a part of a URL; the body is still to be read.

    Args:
        url: http or https address.
        byte_range: "bytes=first-last", as HTTP wants it.
        patience: only its timeout counts here.
        version: an ETag or date: if the file has changed since, all of it comes instead of the part.

    Yields:
        The answer of requests, streaming.

    Raises:
        DownloadError: the server refuses, or its certificate cannot be trusted.
        BrokenAnswer: the server is in trouble.
    """
    headers = {"User-Agent": "actlib", "Accept-Encoding": "identity", "Range": byte_range}
    if version:
        headers["If-Range"] = version
    try:
        answer = requests.get(url, headers=headers, stream=True, timeout=patience.timeout)
    except requests.exceptions.SSLError as error:
        raise DownloadError(
            f"Expected a certificate that can be trusted from {urlsplit(url).hostname}. Received: {error}. Fetch {url} "
            "with a browser and pass the file with --from, or name your network's own certificates in "
            "REQUESTS_CA_BUNDLE. The check is never switched off."
        ) from error
    except (requests.exceptions.InvalidSchema, requests.exceptions.MissingSchema, requests.exceptions.InvalidURL) as e:
        raise DownloadError(f"Expected an http or https address, or a file. Received: {url} ({e}).") from e
    with answer:
        _refuse_bad_answers(url, answer)
        yield answer


def _refuse_bad_answers(url, answer):
    if url.startswith("https:") and not answer.url.startswith("https:"):
        raise DownloadError(f"Expected {url} to stay on https. Received: a redirect to {answer.url}. Use --from.")
    code = answer.status_code
    if code >= 500 or code in (408, 429):
        raise BrokenAnswer(f"the server answered {code} {answer.reason}")
    if code >= 400 and code != 416:
        raise DownloadError(
            f"Expected {url}. Received: {code} {answer.reason}. It may have moved: look for it with a browser, and "
            "pass the address or the file with --from."
        )


def _version(answer):
    etag = answer.headers.get("ETag", "")
    return etag if etag and not etag.startswith("W/") else answer.headers.get("Last-Modified", "")
