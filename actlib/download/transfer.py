"""A URL -> a whole file on disk: size and free disk come first, a break is resumed, the end is checked, then renamed.

Until that last rename the bytes lie in `<name>.part`, so whatever carries its own name is whole.
"""

import json
import os
from pathlib import Path
from urllib.parse import urlsplit

from tqdm.auto import tqdm

from actlib.download.connection import PATIENCE, BrokenAnswer, ask_server, request_part, try_patiently
from actlib.download.disk import DownloadError, check_disk, explain_full_disk, find_fault, format_size, wait_turn

CHUNK = 1 << 14  # bytes read at a time, and the most that a break costs


def download(url, path, *, size=None, checksum=None, copies=1, patience=PATIENCE, progress=True) -> Path:
    """Fetches one file whole, or goes on where an earlier fetch was broken off.

    Args:
        url: http or https address.
        path: where it goes. Two fetches of one path wait for each other; the second finds it done.
        size: bytes it must have, if known.
        checksum: "md5:..." or "sha256:...", if known.
        copies: how many times its size must find room; 2 for an archive that is unpacked beside itself.
        patience: how long to wait, how often to try.
        progress: say what is fetched, and show a bar.

    Returns:
        The path.

    Raises:
        DownloadError: with the reason and the way on. What has come stays in `<name>.part` for the next time, unless
            it turned out to be wrong.
    """
    path = Path(path)
    with wait_turn(path, progress=progress):
        if path.is_file() and not find_fault(path, size=size, checksum=checksum):
            return path
        remote = ask_server(url, patience=patience)
        part = path.with_name(path.name + ".part")
        _prepare_part(part, remote, size=size)
        whole, have = remote.size or size or 0, part.stat().st_size
        free = check_disk(path.parent, copies * whole - have)
        if progress:
            host = urlsplit(url).hostname
            print(f"Fetching {format_size(whole - have)} from {host} to {path} ({format_size(free)} free)")
        _fill(part, remote, patience=patience, progress=progress)
        fault = find_fault(part, size=size or remote.size, checksum=checksum)
        if fault:
            _drop(part)
            raise DownloadError(f"{fault} in what {url} sent. Run it again, or pass a file you trust with --from.")
        os.replace(part, path)
        _drop(part)
    return path


def _note(part):
    return part.with_name(part.name + ".json")


def _drop(part):
    part.unlink(missing_ok=True)
    _note(part).unlink(missing_ok=True)


def _prepare_part(part, remote, *, size):
    """Leaves a part that this file can go on from: what an earlier fetch left of the same version, or nothing."""
    if size is not None and remote.size is not None and remote.size != size:
        raise DownloadError(
            f"Expected {size:,} bytes. Received: {remote.size:,} bytes announced by {remote.url}. "
            "The file has changed there: pass one you trust with --from."
        )
    facts = {"url": remote.url, "size": remote.size, "version": remote.version}
    try:
        same = json.loads(_note(part).read_text()) == facts
    except (OSError, ValueError):
        same = False
    if not (same and part.is_file() and part.stat().st_size <= (remote.size or 0)):
        _drop(part)
        with explain_full_disk(part):
            part.touch()
            _note(part).write_text(json.dumps(facts))


def _fill(part, remote, *, patience, progress):
    """Appends to the part until it is whole."""
    start = part.stat().st_size
    bar = tqdm(total=remote.size, initial=start, unit="B", unit_scale=True, desc=part.stem, disable=not progress)
    with bar:

        def work():
            if part.stat().st_size != remote.size:
                _append(part, remote, patience=patience, bar=bar)

        try_patiently(work, remote.url, patience=patience, progress_of=lambda: part.stat().st_size)


def _append(part, remote, *, patience, bar):
    have = part.stat().st_size
    with request_part(remote.url, f"bytes={have}-", patience=patience, version=remote.version) as answer:
        going_on = answer.status_code == 206 and answer.headers.get("Content-Range", "").startswith(f"bytes {have}-")
        if answer.status_code == 416 or (answer.status_code == 206 and not going_on):
            part.write_bytes(b"")
            raise BrokenAnswer(f"another part than asked for (from byte {have:,})")
        if not going_on and not _says_its_end(answer):
            raise DownloadError(
                f"Expected {remote.url} to say how long it is. Received: no length, so a broken download would look "
                "whole. Fetch it with a browser and pass the file with --from."
            )
        bar.reset(remote.size)
        bar.update(have if going_on else 0)
        with explain_full_disk(part), open(part, "ab" if going_on else "wb") as file:
            for block in answer.iter_content(CHUNK):
                file.write(block)
                bar.update(len(block))
    if remote.size and part.stat().st_size < remote.size:
        raise BrokenAnswer("fewer bytes than announced")


def _says_its_end(answer):
    return "Content-Length" in answer.headers or "chunked" in answer.headers.get("Transfer-Encoding", "")
