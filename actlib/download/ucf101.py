"""UCF-101 and its official lists -> a folder that `dataset.list_videos` reads, every video checked against the lists.

By default only the videos of the classes asked for come over the line, out of one big ZIP on a server that sends parts.
"""

import difflib
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from actlib import files, paths, video
from actlib.dataset.ucf101 import read_split
from actlib.download import sources
from actlib.download.archives import ArchiveError, open_archive, unpack
from actlib.download.transfer import DownloadError
from actlib.specs import SEVEN_CLASSES

LIST_NAMES = ("classInd.txt", *(f"{side}list{split:02d}.txt" for side in ("train", "test") for split in (1, 2, 3)))
LARGEST_LIST, LARGEST_VIDEO, LARGEST_ARCHIVE = 5_000_000, 50_000_000, 30_000_000_000  # bytes


class Check(NamedTuple):
    """How a folder of videos compares with the official lists; names are `Class/v_Class_gNN_cNN.avi`."""

    folder: Path
    present: int  # videos that are listed, there and readable
    missing: list[str]  # listed, but not there
    extra: list[str]  # there, but not listed
    undecodable: list[str]  # there and listed, but no video can be read from them

    def describe(self, most=20) -> str:
        """Return a report of several lines that spells out at most so many names of each kind, or all."""
        expected = self.present + len(self.missing) + len(self.undecodable)
        lines = [f"{self.present} of {expected} videos are in {self.folder}."]
        for kind in ("missing", "extra", "undecodable"):
            if names := getattr(self, kind):
                more = [f"... and {len(names) - most} more"] if most and len(names) > most else []
                lines.append("\n  ".join([f"{len(names)} {kind}:", *names[:most], *more]))
        return "\n".join(lines)


def list_official(folder, classes=None) -> list[str]:
    """Return the sorted names (`Class/v_Class_gNN_cNN.avi`) in official lists.

    Args:
        folder: what holds the lists, as for `dataset.read_split`.
        classes: their names, or None for all.
    """
    names = sorted(name for names in read_split(folder) for name in names)  # one split holds them all
    return [name for name in names if classes is None or name.split("/")[0] in classes]


def _choose_classes(folder, classes) -> list[str]:
    """Turn "seven", "all", names or a text of names with commas into names of classes in a folder's official lists."""
    known = sorted({name.split("/")[0] for name in list_official(folder)})
    if isinstance(classes, str):
        names = [name.strip() for name in classes.strip(" ,").split(",")]
        classes = {"all": known, "seven": SEVEN_CLASSES}.get(classes, names)
    for name in classes:
        if name not in known:
            near = ", ".join(difflib.get_close_matches(name, known, n=3, cutoff=0.4)) or "none"
            advice = f"Near it: {near}. All names are in {folder}/ucfTrainTestlist/classInd.txt."
            raise ValueError(f"Expected exact names of UCF-101's classes. Received: {name!r}. {advice}")
    return list(dict.fromkeys(classes))


def _check_videos(folder, classes) -> Check:
    """Compare the videos of classes with the official lists in the same folder, and open each."""
    root, listed = (Path(folder) / "UCF-101").resolve(), list_official(folder, classes)
    here = {f"{name}/{path.name}" for name in classes for path in (root / name).glob("[!.]*")}
    missing, extra = [name for name in listed if name not in here], sorted(here - set(listed))
    infos, _ = video.probe_files([root / name for name in listed if name in here], index=root)
    undecodable = [name for name in listed if name in here and root / name not in infos]
    return Check(Path(folder), len(infos), missing, extra, undecodable)


def fetch_lists(folder, *, source=None) -> Path:
    """Fetch the official lists into `ucfTrainTestlist/` of a folder, which is returned; lists already there stay.

    Args:
        folder: where UCF-101 goes.
        source: a file, a folder or a URL, or None for the official address.
    """
    place = Path(folder) / "ucfTrainTestlist"
    with sources.lock_or_wait(place):
        if source is None and all((place / name).is_file() for name in LIST_NAMES):
            return place
        source = str(source or paths.read_setting("ACTLIB_UCF101_LISTS_URL") or sources.LISTS_URL)
        with sources.local_file(source, folder, most=LARGEST_LIST) as file, open_archive(file) as members:
            if lacking := [name for name in LIST_NAMES if name.lower() not in members]:
                raise ArchiveError(f"Expected {', '.join(LIST_NAMES)} in {source}. Received: no {', '.join(lacking)}.")
            unpack(members, place, {name.lower(): name for name in LIST_NAMES}, largest=LARGEST_LIST)
    return place


def fetch_ucf101(folder, *, classes="seven", source=None, lists=None) -> Check:
    """Fetch the videos of some classes, and check every one of them.

    Args:
        folder: `UCF-101/` and `ucfTrainTestlist/` come to lie in it. What is there already, whole, is left alone.
        classes: "seven" (those of the original study), "all", exact names, or one text of names with commas.
        source: a folder, a ZIP, TAR or RAR file, or the URL of one; "official" for the publisher's RAR, fetched
            whole; None for a ZIP of which only these classes are fetched.
        lists: likewise for the official lists; None for those beside a folder of videos, or the official address.

    Returns:
        Check: what is there and extra; nothing is missing or undecodable.

    Raises:
        DownloadError: what went wrong, or is missing or undecodable, and what to do. The same call goes on from there.
        ValueError: no such class.
    """
    folder, source = Path(folder), str(source or paths.read_setting("ACTLIB_UCF101_URL") or sources.VIDEOS_URL)
    own_folders = (Path(source), Path(source).resolve().parent) if Path(source).is_dir() else ()
    beside = next((place for each in own_folders if (place := each / "ucfTrainTestlist").is_dir()), None)
    fetch_lists(folder, source=lists or beside)
    classes = _choose_classes(folder, classes)
    official = {PurePosixPath(name).name.lower(): name for name in list_official(folder, classes)}
    source = sources.OFFICIAL_URL if source == "official" else source
    local = sources.local_file(source, folder, most=LARGEST_ARCHIVE, keep=True)
    with sources.lock_or_wait(folder / "UCF-101"), local as place:
        with open_archive(place) as members:
            unpack(members, folder / "UCF-101", official, largest=LARGEST_VIDEO)
        check = _check_videos(folder, classes)
        if check.missing or check.undecodable:
            report = files.write_whole(folder / "check.txt", f"{check.describe(most=None)}\n".encode())
            advice = f"All names are in {report}. Run it again, or with another --from, to get the rest."
            raise (ArchiveError if check.undecodable else DownloadError)(f"{check.describe()}\n{advice}")
    return check
