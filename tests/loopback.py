"""A small server on this machine's loopback that can be told to misbehave; tests of fetching speak to nothing else."""

import functools
import hashlib
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from actlib.download import transfer


@dataclass
class Page:
    """What the server has under one path, and how it gives it."""

    content: bytes
    ranges: bool = True
    drops: list = field(default_factory=list)  # bytes after which each next answer breaks off; then they are whole
    statuses: list = field(default_factory=list)  # status of each next answer; then 200
    announced: int | None = None  # a wrong Content-Length
    more: bytes = b""  # comes after what was asked for, and is announced in Content-Length alone
    length: bool = True  # False: HTTP/1.0's way, the end of the connection is the end of the file
    chunked: bool = False
    endless: bool = False  # chunked, over and over (a hundred times: a fault must not fill the disk)
    holds: int | None = None  # bytes after which an answer waits for the server's `going_on`
    passing: int = 0  # answers that come before that one
    silent: bool = False  # never a byte
    headers: dict = field(default_factory=dict)


class Server:
    """Pages, and a record of the requests: (path, Range header, bytes sent)."""

    def __init__(self):
        self.pages, self.log, self.connections, self.going_on = {}, [], 0, threading.Event()
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.http.daemon_threads = True
        self.root = f"http://127.0.0.1:{self.http.server_port}"

    def put(self, path, content, **behaviour):
        """Put a page up; return its URL."""
        self.pages[path] = Page(content, **behaviour)
        return self.root + path

    def sent(self, path):
        """Bytes of content that left under a path, in all."""
        return sum(count for where, _, count in self.log if where == path)

    def asked(self, path):
        """Range headers of the requests for a path, without the question for the size."""
        return [byte_range for where, byte_range, _ in self.log if where == path and byte_range != "bytes=0-0"]

    def _handler(server):
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # else each answer waits 40 ms

            def setup(self):
                server.connections += 1
                super().setup()

            def handle(self):
                with suppress(BrokenPipeError, ConnectionResetError):
                    super().handle()

            def log_message(self, *_):
                pass

            def do_GET(self):
                answer(self, server)

        return Handler


@functools.lru_cache(maxsize=8)
def name_version(content):
    """An ETag."""
    return f'"{hashlib.md5(content).hexdigest()}"'


def answer(request, server):
    """Answer one request as its page wants it."""
    page, asked = server.pages.get(request.path), request.headers.get("Range")
    status = 404 if page is None else page.statuses.pop(0) if page.statuses else 200
    if page and page.silent:
        server.going_on.wait()
    first, last = 0, len(page.content) - 1 if page else -1
    if status == 200 and page.ranges and asked:
        start, end = asked.removeprefix("bytes=").split("-")
        first = int(start) if start else max(0, len(page.content) - int(end))
        last = min(int(end), last) if start and end else last
        status = 206 if first <= last else 416
    body = page.content[first : last + 1] if status < 300 else b""
    request.send_response(status)
    if status == 206 and "Content-Range" not in page.headers:
        request.send_header("Content-Range", f"bytes {first}-{last}/{len(page.content)}")
    if page:
        send_headers(request, page, len(body), status)
    request.send_header("Content-Length", "0") if page is None else None
    drop = page.drops.pop(0) if page and page.drops and status < 300 and asked != "bytes=0-0" else None
    dropped = drop is not None and drop < len(body)
    body = body[:drop]
    server.log.append((request.path, asked, len(body)))
    request.end_headers()
    if body:
        send_body(request, server, page, body)
    if dropped or (page and (page.announced or page.more or not page.length)):
        request.close_connection = True
    elif page and page.chunked and status < 300:
        request.wfile.write(b"0\r\n\r\n")


def send_headers(request, page, length, status):
    """Send what a page says of itself."""
    for name, value in ({"ETag": name_version(page.content)} | page.headers).items():
        request.send_header(name, value)
    if page.chunked and status < 300:
        request.send_header("Transfer-Encoding", "chunked")
    elif page.length:
        request.send_header("Content-Length", str(page.announced or length + len(page.more)))
    else:
        request.send_header("Connection", "close")


def send_body(request, server, page, body):
    """Send a body, with a halt in it if the page says so."""
    page.passing -= 1
    holds = page.holds is not None and page.passing < 0
    parts = [body[: page.holds], body[page.holds :]] if holds else [body + page.more]
    for _ in range(100 if page.endless else 1):
        for number, part in enumerate(parts):
            if number:
                server.going_on.wait()
            request.wfile.write(b"%x\r\n%s\r\n" % (len(part), part) if page.chunked and part else part)
            request.wfile.flush()
        if page.endless:
            server.log.append((request.path, "more", len(body)))


class Clock:
    """Time that passes only when it is looked at."""

    def __init__(self, step=0.0):
        self.now, self.step, self.slept = 0.0, step, []

    def monotonic(self):
        """Seconds."""
        self.now += self.step
        return self.now

    def sleep(self, seconds):
        """Note that somebody would have slept."""
        self.slept.append(seconds)


@contextmanager
def serve(monkeypatch=None):
    """A running Server, and with monkeypatch a client that is in a hurry."""
    server = Server()
    thread = threading.Thread(target=server.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    if monkeypatch:
        monkeypatch.setattr(transfer, "TIMEOUT", 2.0)
        monkeypatch.setattr(transfer, "ATTEMPTS", 3)
        monkeypatch.setattr(transfer, "time", Clock())
    try:
        yield server
    finally:
        server.going_on.set()
        server.http.shutdown()
        server.http.server_close()
        thread.join()
