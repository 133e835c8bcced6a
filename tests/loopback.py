"""A small server on this machine's loopback that can be told to misbehave; tests of fetching speak to nothing else."""

import functools
import hashlib
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Page:
    """What the server has under one path, and how it gives it."""

    content: bytes
    ranges: bool = True
    drops: list = field(default_factory=list)  # bytes after which each next answer breaks off; then they are whole
    statuses: list = field(default_factory=list)  # status of each next answer; then 200
    announced: int | None = None  # a wrong Content-Length
    length: bool = True  # False: HTTP/1.0's way, the end of the connection is the end of the file
    chunked: bool = False
    etag: bool = True
    silent: float = 0.0  # seconds before the first byte
    rate: float | None = None  # bytes a second
    redirect: str | None = None


class Server:
    """Pages, and a record of the requests: (path, Range header, bytes sent)."""

    def __init__(self):
        self.pages = {}
        self.log = []
        self.connections = 0
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.http.daemon_threads = True
        self.root = f"http://127.0.0.1:{self.http.server_port}"

    def put(self, path, content, **behaviour):
        """Puts a page up; -> its URL."""
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

            def setup(self):
                server.connections += 1
                super().setup()

            def log_message(self, *_):
                pass

            def do_GET(self):
                try:
                    answer(self, server)
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True

        return Handler


def answer(request, server):
    """Answers one request as its page wants it."""
    page = server.pages.get(request.path)
    asked = request.headers.get("Range")
    status = page.statuses.pop(0) if page and page.statuses else 200 if page else 404
    if page and page.redirect:
        status = 302
    if status != 200:
        server.log.append((request.path, asked, 0))
        request.send_response(status)
        if status == 302:
            request.send_header("Location", page.redirect)
        request.send_header("Content-Length", "0")
        request.end_headers()
        return
    time.sleep(page.silent)
    send(request, server, page, asked)


@functools.lru_cache(maxsize=8)
def name_version(content):
    """An ETag."""
    return f'"{hashlib.md5(content).hexdigest()}"'


def send(request, server, page, asked):
    etag = name_version(page.content)
    first, last = 0, len(page.content) - 1
    fresh = request.headers.get("If-Range") in (None, etag)
    partial = bool(page.ranges and asked and fresh)
    if partial:
        start, end = asked.removeprefix("bytes=").split("-")
        first = int(start) if start else max(0, len(page.content) - int(end))
        last = min(int(end), last) if start and end else last
    if first > last:
        server.log.append((request.path, asked, 0))
        request.send_response(416)
        request.send_header("Content-Length", "0")
        request.end_headers()
        return
    body = page.content[first : last + 1]
    request.send_response(206 if partial else 200)
    if partial:
        request.send_header("Content-Range", f"bytes {first}-{last}/{len(page.content)}")
    if page.etag:
        request.send_header("ETag", etag)
    if page.chunked:
        request.send_header("Transfer-Encoding", "chunked")
    elif page.length:
        request.send_header("Content-Length", str(page.announced or len(body)))
    else:
        request.send_header("Connection", "close")
    request.end_headers()
    drop = page.drops.pop(0) if page.drops and asked != "bytes=0-0" else None
    body = body[:drop]
    server.log.append((request.path, asked, len(body)))
    write(request, page, body)
    if drop is not None or page.announced or not page.length:
        request.close_connection = True
        return
    if page.chunked:
        request.wfile.write(b"0\r\n\r\n")


def write(request, page, body):
    """Writes a body, slowly if the page says so."""
    step = max(1, int(page.rate / 50)) if page.rate else 1 << 16
    for start in range(0, len(body), step):
        block = body[start : start + step]
        request.wfile.write(b"%x\r\n%s\r\n" % (len(block), block) if page.chunked else block)
        request.wfile.flush()
        if page.rate:
            time.sleep(1 / 50)


@contextmanager
def serve():
    """A running Server."""
    server = Server()
    thread = threading.Thread(target=server.http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.http.shutdown()
        server.http.server_close()
        thread.join()
