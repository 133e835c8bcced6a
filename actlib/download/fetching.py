"""UCF-101 and its official lists -> a folder that `videos.list_videos` reads, every video checked against the lists.

By default only the videos of the classes asked for come over the line, out of one big ZIP on a server that sends parts.
"""

import os
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

import remotezip
import urllib3

from actlib.download.archives import open_archive
from actlib.download.completeness import Check, check_videos, choose_classes, list_official, ucf101_folder
from actlib.download.connection import PATIENCE, ask_server, try_patiently
from actlib.download.disk import DamagedArchiveError, DownloadError, check_disk, format_size, wait_turn
from actlib.download.pretrained import fetch_vgg16
from actlib.download.transfer import download
from actlib.download.unpacking import unpack

# Where things come from; ACTLIB_UCF101_URL and ACTLIB_UCF101_LISTS_URL name other places, say a school's own server.
VIDEOS_URL = "https://storage.googleapis.com/thumos14_files/UCF101_videos.zip"
OFFICIAL_URL = "https://www.crcv.ucf.edu/data/UCF101/UCF101.rar"
LISTS_URL = "https://www.crcv.ucf.edu/data/UCF101/UCF101TrainTestSplits-RecognitionTask.zip"
KNOWN = {  # address -> (bytes, checksum); both as TensorFlow Datasets records them
    VIDEOS_URL: (6_960_400_115, "sha256:dabf56f573cd19c79e096563529fec8126a2a34e18e10c72eb621dd687532b0d"),
    LISTS_URL: (113_943, "sha256:5c0d1a53b8ed364a2ac830a73f405e51bece7d98ce1254fd19ed4a36b224bd27"),
}
LIST_NAMES = ("classInd.txt", *(f"{side}list{split:02d}.txt" for side in ("train", "test") for split in (1, 2, 3)))
REMOTE_BREAKS = (remotezip.RemoteZipError, urllib3.exceptions.HTTPError, DamagedArchiveError)


def fetch(what, *, classes="seven", source=None, folder=None, lists=None, patience=PATIENCE, progress=True) -> str:
    """Fetches one of the things that lessons need, and says what is there now.

    Args:
        what: "ucf101", "lists" or "vgg16".
        classes: for "ucf101", as in `fetch_ucf101`.
        source: file, folder or URL to take it from instead.
        folder: where it goes; None means `data/ucf101` or `pretrained` at home.
        lists: for "ucf101": file, folder or URL with the official lists.
        patience: how long to wait, how often to try.
        progress: say what goes on.

    Returns:
        Text to print.

    Raises:
        DownloadError: what went wrong, and what to do; also when videos are missing or undecodable at the end.
        ValueError: there is no such thing or class, or the file holds something else.
    """
    if what == "vgg16":
        path = fetch_vgg16(source=source, folder=folder, patience=patience, progress=progress)
        return f"{path} is ready for both frameworks."
    folder = Path(folder) if folder else ucf101_folder()
    if what == "lists":
        path = fetch_lists(folder, source=source, patience=patience, progress=progress)
        return f"The official lists are in {path}."
    if what != "ucf101":
        raise ValueError(f"Expected ucf101, lists or vgg16. Received: {what!r}. Choose one of them.")
    check = fetch_ucf101(folder, classes=classes, source=source, lists=lists, patience=patience, progress=progress)
    if not check.complete:
        report = folder / "check.txt"
        report.write_text(check.describe() + "\n")
        text = f"{check}\nAll names are in {report}. Run the same line again, or with another --from, to get the rest."
        raise DownloadError(text)
    return f"{check}\nNext: set ACTLIB_DATA={folder} or pass --data {folder}."


def fetch_lists(folder, *, source=None, patience=PATIENCE, progress=True) -> Path:
    """Fetches the official lists: classes, and which videos train and test in each of three splits.

    Args:
        folder: they go into `ucfTrainTestlist/` in it; lists that are all there are left alone.
        source: file, folder or URL to take them from; None means the official address.
        patience: how long to wait, how often to try.
        progress: say what goes on.

    Returns:
        The folder `ucfTrainTestlist`.

    Raises:
        DownloadError: they cannot be had, or the archive lacks some.
    """
    with wait_turn(Path(folder) / "lists", progress=progress):
        place = Path(folder) / "ucfTrainTestlist"
        if source is None and all((place / name).is_file() for name in LIST_NAMES):
            return place
        source = source or os.environ.get("ACTLIB_UCF101_LISTS_URL") or LISTS_URL
        if not _is_url(source):
            return _unpack_lists(source, place)
        archive = _download_archive(source, Path(folder), patience=patience, progress=progress)
        _unpack_lists(archive, place)
        archive.unlink()
        return place


def _unpack_lists(source, place):
    with open_archive(source) as archive:
        found = {PurePosixPath(member.name).name: member.name for member in archive.members}
        lacking = [name for name in LIST_NAMES if name not in found]
        if lacking:
            raise DownloadError(f"Expected {', '.join(LIST_NAMES)} in {source}. Received: no {', '.join(lacking)}.")
        unpack(archive, place, places={found[name]: name for name in LIST_NAMES}, progress=False)
    return place


def fetch_ucf101(folder, *, classes="seven", source=None, lists=None, patience=PATIENCE, progress=True) -> Check:
    """Fetches the videos of some classes, and checks every one of them.

    Args:
        folder: `UCF-101/` and `ucfTrainTestlist/` come to lie in it. What is there already, whole, is left alone.
        classes: "seven" (those of the original study), "all", exact names, or one text of names with commas.
        source: a folder, a ZIP, TAR or RAR file, or the URL of one; "official" for the publisher's RAR, fetched
            whole; None for a ZIP of which only these classes are fetched.
        lists: likewise for the official lists.
        patience: how long to wait, how often to try.
        progress: say what goes on.

    Returns:
        Check: what is there, missing, extra and undecodable.

    Raises:
        DownloadError: what went wrong, and what to do. The same call goes on from there.
        ValueError: no such class.
    """
    folder = Path(folder)
    try:
        fetch_lists(folder, source=lists or _lists_beside(source), patience=patience, progress=progress)
    except DownloadError as error:
        if "--from" not in str(error):
            raise
        raise DownloadError(str(error).replace("--from", "--lists")) from error
    classes = choose_classes(folder, classes)
    names = list_official(folder, classes)
    source = OFFICIAL_URL if source == "official" else source or os.environ.get("ACTLIB_UCF101_URL") or VIDEOS_URL
    remote = _is_url(source) and _sends_parts(source, patience)
    if _is_url(source) and not remote:
        source = _download_archive(source, folder, patience=patience, progress=progress)

    def work():
        with open_archive(source, timeout=patience.timeout) as archive:
            places = _find_places(archive, names)
            if progress:
                _say_plan(archive, places, len(names), folder)
            unpack(archive, folder / "UCF-101", places=places, progress=progress)

    if remote:
        progress_of = lambda: sum((folder / "UCF-101" / name).is_file() for name in names)  # noqa: E731
        try_patiently(work, source, patience=patience, progress_of=progress_of, broken=REMOTE_BREAKS)
    else:
        work()
        if progress and Path(source).parent == folder:
            print(f"{source} stays for other classes; delete it if you need the room.")
    return check_videos(folder, classes, progress=progress)


def _find_places(archive, names):
    """{member: official name} of the videos wanted, found by file name alone, as archives may have no class folders."""
    official = {PurePosixPath(name).name.lower(): name for name in names}
    files = {member.name: PurePosixPath(member.name).name.lower() for member in archive.members}
    return {member: official[file] for member, file in files.items() if file in official}


def _say_plan(archive, places, num_names, folder):
    total = sum(member.size for member in archive.members if member.name in places)
    free = format_size(check_disk(folder, 0))
    print(f"{len(places)} of {num_names} videos ({format_size(total)}): {archive.source} -> {folder} ({free} free)")


def _lists_beside(source):
    """The official lists that lie in or beside a folder that the user has, if they do."""
    if source is not None and Path(source).is_dir():
        for place in (Path(source), Path(source).resolve().parent):
            if (place / "ucfTrainTestlist").is_dir():
                return place / "ucfTrainTestlist"
    return None


def _is_url(source):
    return str(source).startswith(("http://", "https://"))


def _sends_parts(url, patience):
    return urlsplit(url).path.lower().endswith(".zip") and ask_server(url, patience=patience).ranges


def _download_archive(url, folder, *, patience, progress):
    name = PurePosixPath(urlsplit(url).path).name or "archive"
    size, checksum = KNOWN.get(url, (None, None))
    return download(url, folder / name, size=size, checksum=checksum, copies=2, patience=patience, progress=progress)
