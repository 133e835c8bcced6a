"""Downloads from a server that misbehaves in every way it can: nothing is lost, nothing half-written is whole."""

import gzip
import hashlib
import shutil
import ssl
import subprocess
from pathlib import Path

import pytest
from loopback import serve

from actlib.download import transfer
from actlib.download.transfer import DownloadError, RemoteFile, check_disk, download

pytestmark = pytest.mark.usefixtures("in_time")

CONTENT = bytes(range(256)) * 4096  # 1 MiB
SHA256 = "sha256:" + hashlib.sha256(CONTENT).hexdigest()
MOST = 4 * len(CONTENT)


@pytest.fixture
def server(monkeypatch):
    with serve(monkeypatch) as running:
        yield running


def fetch(url, folder, **options):
    return download(url, folder, most=MOST, **options).read_bytes()


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_whole_file_arrives_checked_alone_and_once(server, tmp_path, capsys):
    url = server.put("/data/a%20b.zip", CONTENT)
    path = download(url, tmp_path / "new", most=MOST, checksum=SHA256)
    assert path.read_bytes() == CONTENT and names(path.parent) == [path.name] and path.name.endswith("-a_20b.zip")
    assert f"Fetching 1.0 MB from {url} to {path} (" in (said := capsys.readouterr().out) and "free)" in said
    asked = len(server.log)
    assert download(url, tmp_path / "new", most=MOST, checksum=SHA256) == path and len(server.log) == asked
    path.write_bytes(CONTENT[:-1])  # damaged since
    assert fetch(url, tmp_path / "new", checksum=SHA256) == CONTENT


def test_files_of_one_name_from_two_addresses_are_two_files(server, tmp_path):
    first = download(server.put("/a/x.zip", CONTENT), tmp_path, most=MOST)
    assert first != download(server.put("/b/x.zip", CONTENT[::-1]), tmp_path, most=MOST)


@pytest.mark.parametrize("path", ["/..", "/a/", "/a%5C..%5C..%5Cb", "/c:d"])
def test_an_address_cannot_choose_the_folder(server, tmp_path, path):
    server.put("/" if path == "/.." else path, CONTENT)
    assert download(server.root + path, tmp_path / "in", most=MOST).parent == tmp_path / "in"
    assert names(tmp_path) == ["in"] and ":" not in names(tmp_path / "in")[0]


def test_dropped_connections_are_resumed_where_they_broke(server, tmp_path):
    url = server.put("/a.bin", CONTENT, drops=[300_000, 300_000, 0, 100_000])
    assert fetch(url, tmp_path, checksum=SHA256) == CONTENT
    assert server.asked("/a.bin") == [f"bytes={start}-" for start in (0, 300_000, 600_000, 600_000, 700_000)]
    assert transfer.time.slept == [1.0, 1.0, 2.0, 1.0]  # longer only while nothing comes


def test_a_dead_connection_is_given_up_with_what_came_kept(server, tmp_path):
    url = server.put("/a.bin", CONTENT, drops=[400_000, 0, 0, 0, 0])
    with pytest.raises(DownloadError, match="3 times.*goes on from here"):
        fetch(url, tmp_path)
    (part,) = tmp_path.iterdir()
    assert part.suffix == ".part" and part.read_bytes() == CONTENT[:400_000]
    server.pages["/a.bin"].drops.clear()
    assert fetch(url, tmp_path, checksum=SHA256) == CONTENT
    assert server.asked("/a.bin")[-1] == "bytes=400000-" and not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize("chunked", [False, True])
def test_a_server_without_ranges_starts_over(server, tmp_path, chunked):
    url = server.put("/a.bin", CONTENT, ranges=False, drops=[600_000], chunked=chunked)
    assert not RemoteFile.ask(url).ranges
    assert fetch(url, tmp_path) == CONTENT


@pytest.mark.parametrize(
    "behaviour", [{"ranges": False, "length": False}, {"headers": {"Content-Range": "bytes 0-0/*"}}]
)
def test_a_server_that_says_no_length_is_read_to_its_end(server, tmp_path, behaviour):
    url = server.put("/a.bin", CONTENT, **behaviour)
    assert RemoteFile.ask(url)[1:3] == (None, False)
    assert fetch(url, tmp_path) == CONTENT


def test_a_file_that_changed_on_the_server_is_not_stitched_together(server, tmp_path):
    url = server.put("/a.bin", CONTENT, drops=[500_000, 0, 0])
    with pytest.raises(DownloadError, match="3 times"):
        fetch(url, tmp_path)
    remote = RemoteFile.ask(url)
    server.put("/a.bin", CONTENT[::-1])
    assert fetch(url, tmp_path) == CONTENT[::-1]
    with pytest.raises(DownloadError, match="one version.*Received: two"):
        remote.read(0, 9)


def test_parts_of_an_earlier_version_do_not_stay(server, tmp_path):
    url = server.put("/a.bin", CONTENT, drops=[500_000, 0, 0])
    with pytest.raises(DownloadError, match="3 times"):
        fetch(url, tmp_path)
    (tmp_path / "download-other.part").touch()
    server.put("/a.bin", CONTENT[::-1])
    assert fetch(url, tmp_path) == CONTENT[::-1]
    assert [path.name for path in tmp_path.glob("*.part")] == ["download-other.part"]


class Shrinks(list):
    """Breaks one answer off, and has the page shorter from then on."""

    page = None

    def pop(self, index):
        self.page.content = CONTENT[:1000]
        return super().pop(index)


def test_nothing_of_a_longer_answer_stays_behind_a_shorter_one(server, tmp_path):
    url = server.put("/a.bin", CONTENT, ranges=False, chunked=True, drops=Shrinks([600_000]), headers={"ETag": "same"})
    server.pages["/a.bin"].drops.page = server.pages["/a.bin"]
    assert fetch(url, tmp_path) == CONTENT[:1000]


def test_a_wrong_checksum_leaves_nothing_and_the_next_try_asks_again(server, tmp_path):
    url = server.put("/a.bin", CONTENT[::-1])
    with pytest.raises(DownloadError, match=f"Expected {SHA256}. Received: other bytes from {url}"):
        fetch(url, tmp_path, checksum=SHA256)
    assert names(tmp_path) == []
    server.put("/a.bin", CONTENT)
    assert fetch(url, tmp_path, checksum=SHA256) == CONTENT


def test_more_than_will_be_accepted_is_refused_before_it_comes(server, tmp_path):
    url = server.put("/a.bin", CONTENT)
    with pytest.raises(DownloadError, match="Expected 1.0 MB at most. Received: 1.0 MB announced"):
        download(url, tmp_path, most=len(CONTENT) - 1)
    assert server.asked("/a.bin") == [] and download(url, tmp_path, most=len(CONTENT)).read_bytes() == CONTENT


def test_an_endless_answer_ends(server, tmp_path):
    url = server.put("/a.bin", CONTENT, ranges=False, chunked=True, endless=True)
    with pytest.raises(DownloadError, match="Expected less than 4.2 MB. Received: more"):
        download(url, tmp_path, most=MOST)
    assert names(tmp_path) == []


def test_an_endless_answer_leaves_the_disk_its_room(server, tmp_path, monkeypatch):
    url = server.put("/a.bin", CONTENT, ranges=False, chunked=True, endless=True)
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("U", (), {"free": 100_000}))
    with pytest.raises(DownloadError, match="Expected less than 100.0 kB"):
        download(url, tmp_path, most=MOST)


def test_a_part_longer_than_announced_is_cut(server, tmp_path):
    url = server.put("/a.bin", CONTENT, more=bytes(5_000_000))
    assert fetch(url, tmp_path) == CONTENT
    assert RemoteFile.ask(url).read(100, 109) == CONTENT[100:110]


def test_compressed_answers_are_not_unpacked(server, tmp_path):
    bomb = gzip.compress(bytes(50_000_000))
    url = server.put("/a.bin", bomb, headers={"Content-Encoding": "gzip"})
    assert fetch(url, tmp_path) == bomb


@pytest.mark.parametrize(
    ("behaviour", "message"),
    [
        ({"ranges": False, "announced": len(CONTENT) + 1000}, r"IncompleteRead\(.* 1000 more expected"),
        ({"statuses": [503] * 9}, "503 Service Unavailable"),
        ({"silent": True}, "(?i)timed out.*3 times"),
    ],
)
def test_a_server_that_stays_in_trouble_is_named(server, tmp_path, monkeypatch, behaviour, message):
    monkeypatch.setattr(transfer, "TIMEOUT", 0.1 if "silent" in behaviour else 2.0)
    with pytest.raises(DownloadError, match=message):
        fetch(server.put("/a.bin", CONTENT, **behaviour), tmp_path)
    assert not [name for name in names(tmp_path) if not name.endswith(".part")]


def test_a_server_in_trouble_is_asked_again_and_one_that_refuses_is_not(server, tmp_path):
    assert fetch(server.put("/a.bin", CONTENT, statuses=[503, 429]), tmp_path) == CONTENT
    with pytest.raises(DownloadError, match="404 .*Not Found.*--from"):
        fetch(server.root + "/gone.zip", tmp_path)
    assert [path for path, *_ in server.log].count("/gone.zip") == 1


def test_nobody_there_is_said_in_the_systems_words(tmp_path, monkeypatch):
    with serve(monkeypatch) as server:
        url = server.root + "/a.bin"
    with pytest.raises(DownloadError, match=r"Received: \[Errno \d+\] Connection refused, 3 times"):
        fetch(url, tmp_path)


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/a.bin", "a.bin", "http://"])
def test_addresses_that_are_none(tmp_path, url):
    with pytest.raises(DownloadError, match="Received: .*--from"):
        fetch(url, tmp_path)


def test_redirects_are_followed(server, tmp_path):
    target = server.put("/a.bin", CONTENT)
    url = server.put("/moved.bin", b"", statuses=[302] * 9, headers={"Location": target})
    assert fetch(url, tmp_path) == CONTENT
    url = server.put("/round", b"", statuses=[302] * 99, headers={"Location": "/round"})
    with pytest.raises(DownloadError, match="Exceeded 30 redirects"):
        fetch(url, tmp_path)


@pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl to make a certificate")
def test_certificates_are_checked_and_https_stays_https(server, tmp_path, monkeypatch):
    key, certificate = str(tmp_path / "key.pem"), str(tmp_path / "certificate.pem")
    request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    request += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate]
    subprocess.run(request, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.http.socket = context.wrap_socket(server.http.socket, server_side=True)
    url = server.put("/a.bin", CONTENT).replace("http:", "https:")
    with pytest.raises(DownloadError, match="certificate verify failed.* 1 times.*REQUESTS_CA_BUNDLE"):
        fetch(url, tmp_path / "out")
    assert server.log == []
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", certificate)  # what the message advises
    assert fetch(url, tmp_path / "out") == CONTENT
    with serve() as plain:
        server.put("/b.bin", b"", statuses=[302] * 9, headers={"Location": plain.put("/b.bin", CONTENT)})
        with pytest.raises(DownloadError, match="stay on https"):
            fetch(url.replace("a.bin", "b.bin"), tmp_path / "out")


@pytest.mark.parametrize("free", [1000, int(1.5 * len(CONTENT))])
def test_too_little_disk_is_said_before_anything_comes(server, tmp_path, monkeypatch, free):
    url = server.put("/a.bin", CONTENT)
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("U", (), {"free": free}))
    with pytest.raises(DownloadError, match=r"Expected 2.1 MB free in .* Received: .*--to"):
        fetch(url, tmp_path)
    assert server.asked("/a.bin") == []


def test_check_disk_takes_a_folder_that_is_not_there_yet(tmp_path):
    assert check_disk(tmp_path / "not" / "yet", 0) > 0


def test_a_disk_that_fills_up_keeps_the_part_and_names_file_and_advice(server, tmp_path, monkeypatch):
    class Bar(transfer.tqdm):
        def update(self, n=1):
            if n:
                raise OSError(28, "No space left on device")

    url, real = server.put("/a.bin", CONTENT), transfer.tqdm
    monkeypatch.setattr(transfer, "tqdm", Bar)
    monkeypatch.setattr(transfer, "BLOCK", 1000)
    with pytest.raises(OSError, match=r"room for download-.*-a.bin in .*Received: No space left.*Free some disk"):
        fetch(url, tmp_path)
    assert [path.stat().st_size for path in tmp_path.iterdir()] == [1000]
    monkeypatch.setattr(transfer, "tqdm", real)
    assert fetch(url, tmp_path) == CONTENT and server.asked("/a.bin")[-1] == "bytes=1000-"


@pytest.mark.parametrize("folder", ["file/out", "/sys"])
def test_a_folder_that_cannot_be_written_is_named(server, tmp_path, folder):
    (tmp_path / "file").write_bytes(b"")
    if not Path("/sys").is_dir():
        pytest.skip("needs Linux, where not even root may write in /sys")
    with pytest.raises(OSError, match=r"Expected room for download-.*can be written.*choose another folder"):
        fetch(server.put("/a.bin", CONTENT), tmp_path / folder)
    assert server.asked("/a.bin") == []
