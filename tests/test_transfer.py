"""Downloads from a server that misbehaves in every way it can: nothing is lost, nothing half-written is whole."""

import errno
import hashlib
import shutil
import signal
import ssl
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests
from loopback import serve

from actlib.download import connection, disk, transfer
from actlib.download.connection import Patience, ask_server
from actlib.download.disk import DownloadError, check_disk
from actlib.download.transfer import CHUNK, download

CONTENT = bytes(range(256)) * 4096  # 1 MiB
SHA256 = "sha256:" + hashlib.sha256(CONTENT).hexdigest()
QUICK = Patience(timeout=0.5, attempts=3, pause=0.01)
CALM = {"patience": QUICK, "progress": False}
SCRIPT = """
import sys
from actlib.download.connection import Patience
from actlib.download.transfer import download
download(sys.argv[1], sys.argv[2], patience=Patience(timeout=20), progress=False)
"""


@pytest.fixture
def server():
    with serve() as running:
        yield running


def parts(folder):
    return [path.name for path in folder.iterdir() if ".part" in path.name]


def test_a_whole_file_arrives_checked_and_alone(server, tmp_path):
    path = download(server.put("/a.bin", CONTENT), tmp_path / "a.bin", size=len(CONTENT), checksum=SHA256, **CALM)
    assert path.read_bytes() == CONTENT and not parts(tmp_path)


def test_a_file_that_is_there_is_not_fetched_again(server, tmp_path):
    url = server.put("/a.bin", CONTENT)
    (tmp_path / "a.bin").write_bytes(CONTENT)
    download(url, tmp_path / "a.bin", checksum=SHA256, **CALM)
    assert server.log == []


def test_a_file_that_is_there_but_wrong_is_fetched_again(server, tmp_path):
    (tmp_path / "a.bin").write_bytes(CONTENT[:-1])
    path = download(server.put("/a.bin", CONTENT), tmp_path / "a.bin", checksum=SHA256, **CALM)
    assert path.read_bytes() == CONTENT


def test_dropped_connections_are_resumed_where_they_broke(server, tmp_path):
    url = server.put("/a.bin", CONTENT, drops=[300_000, 300_000, 0, 100_000])
    assert download(url, tmp_path / "a.bin", checksum=SHA256, **CALM).read_bytes() == CONTENT
    starts = [int(byte_range[6:-1]) for byte_range in server.asked("/a.bin")]
    assert len(starts) == 5 and starts[0] == 0
    for start, expected in zip(starts[1:], (300_000, 600_000, 600_000, 700_000), strict=True):
        assert expected - 3 * CHUNK < start <= expected
    assert server.sent("/a.bin") <= len(CONTENT) + 3 * CHUNK + 1  # hardly a byte came twice


def test_a_dead_connection_is_given_up_with_what_came_kept(server, tmp_path):
    url = server.put("/a.bin", CONTENT, drops=[400_000, 0, 0, 0, 0])
    with pytest.raises(DownloadError, match="3 times in a row.*goes on from here"):
        download(url, tmp_path / "a.bin", **CALM)
    had = (tmp_path / "a.bin.part").stat().st_size
    assert not (tmp_path / "a.bin").exists() and 400_000 - CHUNK < had <= 400_000
    server.pages["/a.bin"].drops.clear()
    assert download(url, tmp_path / "a.bin", checksum=SHA256, **CALM).read_bytes() == CONTENT
    assert server.asked("/a.bin")[-1] == f"bytes={had}-" and not parts(tmp_path)


def test_a_server_without_ranges_starts_over(server, tmp_path):
    url = server.put("/a.bin", CONTENT, ranges=False, drops=[600_000])
    assert not ask_server(url, patience=QUICK).ranges
    assert download(url, tmp_path / "a.bin", checksum=SHA256, **CALM).read_bytes() == CONTENT


def test_a_file_that_changed_on_the_server_is_not_stitched_together(server, tmp_path):
    url = server.put("/a.bin", CONTENT, drops=[500_000, 0, 0, 0])
    with pytest.raises(DownloadError):
        download(url, tmp_path / "a.bin", **CALM)
    newer = CONTENT[::-1]
    server.put("/a.bin", newer)
    assert download(url, tmp_path / "a.bin", **CALM).read_bytes() == newer


def test_a_change_in_the_middle_of_a_fetch_is_noticed(server, tmp_path):
    url = server.put("/a.bin", CONTENT, drops=[500_000])
    page, newer = server.pages["/a.bin"], CONTENT[::-1]
    page.drops = SwapAfterFirst(page, newer)
    assert download(url, tmp_path / "a.bin", **CALM).read_bytes() == newer


class SwapAfterFirst(list):
    """Breaks one answer off, and has the page changed by then."""

    def __init__(self, page, newer):
        super().__init__([500_000])
        self.page, self.newer = page, newer

    def pop(self, index):
        self.page.content = self.newer
        return super().pop(index)


def test_a_wrong_checksum_leaves_nothing(server, tmp_path):
    with pytest.raises(DownloadError, match="Expected md5 0{32}. Received: [0-9a-f]{32}"):
        download(server.put("/a.bin", CONTENT), tmp_path / "a.bin", checksum="md5:" + "0" * 32, **CALM)
    assert not (tmp_path / "a.bin").exists() and not parts(tmp_path)


def test_another_size_than_known_is_refused_before_anything_comes(server, tmp_path):
    url = server.put("/a.bin", CONTENT)
    with pytest.raises(DownloadError, match="Expected 5 bytes. Received: 1,048,576"):
        download(url, tmp_path / "a.bin", size=5, **CALM)
    assert server.asked("/a.bin") == []


def test_a_longer_length_than_what_comes(server, tmp_path):
    url = server.put("/a.bin", CONTENT, announced=len(CONTENT) + 1000, ranges=False)
    with pytest.raises(DownloadError, match="1000 more expected"):
        download(url, tmp_path / "a.bin", **CALM)
    assert not (tmp_path / "a.bin").exists()


def test_a_shorter_length_than_what_comes(server, tmp_path):
    url = server.put("/a.bin", CONTENT, announced=len(CONTENT) - 1000, ranges=False)
    with pytest.raises(DownloadError, match="Expected sha256"):
        download(url, tmp_path / "a.bin", checksum=SHA256, **CALM)
    assert not (tmp_path / "a.bin").exists() and not parts(tmp_path)


def test_of_two_lengths_that_differ_that_of_the_whole_counts(server, tmp_path):
    url = server.put("/a.bin", CONTENT, announced=len(CONTENT) + 1000)
    assert download(url, tmp_path / "a.bin", **CALM).read_bytes() == CONTENT


def test_no_length_at_all_is_refused(server, tmp_path):
    url = server.put("/a.bin", CONTENT, length=False, ranges=False)
    with pytest.raises(DownloadError, match="how long it is"):
        download(url, tmp_path / "a.bin", **CALM)
    assert not (tmp_path / "a.bin").exists()


def test_chunks_say_their_own_end(server, tmp_path):
    url = server.put("/a.bin", CONTENT, chunked=True, ranges=False, drops=[200_000])
    assert download(url, tmp_path / "a.bin", **CALM).read_bytes() == CONTENT


def test_404_says_what_to_do_and_is_not_repeated(server, tmp_path):
    with pytest.raises(DownloadError, match="404 Not Found.*--from"):
        download(server.root + "/gone.zip", tmp_path / "gone.zip", **CALM)
    assert len(server.log) == 1


def test_a_server_in_trouble_is_asked_again(server, tmp_path):
    url = server.put("/a.bin", CONTENT, statuses=[503, 429])
    assert download(url, tmp_path / "a.bin", **CALM).read_bytes() == CONTENT


def test_a_server_that_stays_in_trouble_is_named(server, tmp_path):
    with pytest.raises(DownloadError, match="503"):
        download(server.put("/a.bin", CONTENT, statuses=[503] * 9), tmp_path / "a.bin", **CALM)


def test_a_silent_server_is_not_waited_for_for_ever(server, tmp_path):
    url = server.put("/a.bin", CONTENT, silent=3)
    with pytest.raises(DownloadError, match="nothing within 0.2 seconds, 2 times in a row"):
        download(url, tmp_path / "a.bin", patience=Patience(timeout=0.2, attempts=2, pause=0.01), progress=False)


def test_nobody_there(tmp_path):
    with serve() as server:
        url = server.put("/a.bin", CONTENT)
    with pytest.raises(DownloadError, match="Check the connection"):
        download(url, tmp_path / "a.bin", **CALM)


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/a.bin", "a.bin", "http://"])
def test_addresses_that_are_none(tmp_path, url):
    with pytest.raises(DownloadError, match="http or https"):
        download(url, tmp_path / "a.bin", **CALM)


def test_a_certificate_nobody_trusts_is_refused_and_never_overruled(tmp_path, monkeypatch):
    seen = []

    def get(url, **options):
        seen.append(options)
        raise requests.exceptions.SSLError("self-signed certificate")

    monkeypatch.setattr(connection.requests, "get", get)
    with pytest.raises(DownloadError, match="REQUESTS_CA_BUNDLE.*never switched off"):
        download("https://127.0.0.1/a.bin", tmp_path / "a.bin", **CALM)
    assert len(seen) == 1 and seen[0].get("verify", True) is True


@pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl to make a certificate")
def test_a_server_with_a_certificate_of_its_own_making_gets_no_trust(server, tmp_path):
    key, certificate = str(tmp_path / "key.pem"), str(tmp_path / "certificate.pem")
    request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    request += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate]
    subprocess.run(request, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.http.socket = context.wrap_socket(server.http.socket, server_side=True)
    url = server.put("/a.bin", CONTENT).replace("http:", "https:")
    with pytest.raises(DownloadError, match="certificate verify failed.*never switched off"):
        download(url, tmp_path / "a.bin", **CALM)
    assert server.log == []
    with pytest.MonkeyPatch.context() as patch:  # what the message advises
        patch.setenv("REQUESTS_CA_BUNDLE", certificate)
        assert download(url, tmp_path / "a.bin", checksum=SHA256, **CALM).read_bytes() == CONTENT


def test_nothing_in_the_library_switches_tls_off():
    sources = [path.read_text() for path in Path(transfer.__file__).parent.rglob("*.py")]
    banned = ("verify=False", "CERT_NONE", "_create_unverified", "no-check-certificate", "disable_warnings")
    assert not [word for word in banned if any(word in source for source in sources)]


def test_https_does_not_turn_into_http(server, tmp_path, monkeypatch):
    target = server.put("/a.bin", CONTENT)
    real = requests.get
    monkeypatch.setattr(connection.requests, "get", lambda url, **options: real(target, **options))
    with pytest.raises(DownloadError, match="stay on https"):
        download("https://127.0.0.1/a.bin", tmp_path / "a.bin", **CALM)


def test_redirects_are_followed(server, tmp_path):
    target = server.put("/a.bin", CONTENT)
    url = server.put("/moved.bin", b"", redirect=target)
    assert download(url, tmp_path / "a.bin", **CALM).read_bytes() == CONTENT


def test_too_little_disk_is_said_before_anything_comes(server, tmp_path, monkeypatch):
    url = server.put("/a.bin", CONTENT)
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda _: type("U", (), {"free": 1000}))
    with pytest.raises(DownloadError, match="Expected 1.0 MB free.*Received: 1.0 kB.*--to"):
        download(url, tmp_path / "a.bin", **CALM)
    assert server.asked("/a.bin") == []


def test_an_archive_needs_room_for_its_content_too(server, tmp_path, monkeypatch):
    url = server.put("/a.zip", CONTENT)
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda _: type("U", (), {"free": int(1.5 * len(CONTENT))}))
    with pytest.raises(DownloadError, match="Expected 2.1 MB free"):
        download(url, tmp_path / "a.zip", copies=2, **CALM)


def test_check_disk_takes_a_folder_that_is_not_there_yet(tmp_path):
    assert check_disk(tmp_path / "not" / "yet", 0) > 0


@pytest.fixture
def small_disk(tmp_path):
    """A disk of half a megabyte; only root can have one."""
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(place)]
    try:
        mounted = subprocess.run(mount, capture_output=True).returncode == 0
    except OSError:
        mounted = False
    if not mounted:
        pytest.skip("cannot mount a small disk here (needs root)")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_disk_that_fills_up_keeps_the_part_and_says_so(server, small_disk):
    url = server.put("/a.bin", CONTENT, chunked=True, ranges=False)  # no length, so it cannot be known before
    with pytest.raises(DownloadError, match="a full disk.*Free some space"):
        download(url, small_disk / "a.bin", **CALM)
    assert not (small_disk / "a.bin").exists()


def test_a_disk_that_is_too_small_is_known_before(server, small_disk):
    with pytest.raises(DownloadError, match="Expected 1.0 MB free"):
        download(server.put("/a.bin", CONTENT), small_disk / "a.bin", **CALM)


@pytest.mark.parametrize("code", disk.FULL)
def test_a_full_disk_or_quota_is_explained(tmp_path, code):
    with pytest.raises(DownloadError, match="Free some space"), disk.explain_full_disk(tmp_path):
        raise OSError(code, "no room")
    with pytest.raises(OSError, match="denied"), disk.explain_full_disk(tmp_path):
        raise OSError(errno.EACCES, "denied")


def start(url, path):
    return subprocess.Popen([sys.executable, "-c", SCRIPT, url, str(path)], stderr=subprocess.PIPE)


def test_kill_9_in_the_middle_then_it_goes_on(server, tmp_path):
    url = server.put("/a.bin", CONTENT, rate=400_000)
    process, part = start(url, tmp_path / "a.bin"), tmp_path / "a.bin.part"
    while not (part.exists() and part.stat().st_size > 100_000):
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    had = part.stat().st_size
    assert not (tmp_path / "a.bin").exists()
    server.pages["/a.bin"].rate = None
    assert download(url, tmp_path / "a.bin", **CALM).read_bytes() == CONTENT
    assert server.asked("/a.bin")[-1] == f"bytes={had}-" and not parts(tmp_path)


def test_two_fetches_at_once_bring_it_once(server, tmp_path):
    url = server.put("/a.bin", CONTENT, rate=2_000_000)
    processes = [start(url, tmp_path / "a.bin") for _ in range(2)]
    for process in processes:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
    assert (tmp_path / "a.bin").read_bytes() == CONTENT and server.asked("/a.bin") == ["bytes=0-"]


def test_it_says_what_comes_from_where_and_how_much_room_there_is(server, tmp_path, capsys):
    download(server.put("/a.bin", CONTENT), tmp_path / "a.bin", patience=QUICK)
    assert "Fetching 1.0 MB from 127.0.0.1 to" in (said := capsys.readouterr().out) and "free)" in said
