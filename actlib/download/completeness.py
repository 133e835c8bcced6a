"""What the official lists of UCF-101 name, and what of it is on disk and can be read."""

import difflib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tqdm.contrib.concurrent import thread_map

from actlib.dataset.ucf101 import read_split
from actlib.specs import SEVEN_CLASSES
from actlib.video import VideoError, probe_video


@dataclass(frozen=True)
class Check:
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
    """Return the sorted names (`Class/v_Class_gNN_cNN.avi`) in a folder's official lists.

    Args:
        folder: with the official lists in it.
        classes: exact names, or None for all.

    Raises:
        FileNotFoundError: there are no lists.
    """
    names = sorted(name for names in read_split(folder) for name in names)  # one split holds them all
    return [name for name in names if classes is None or name.split("/")[0] in classes]


def choose_classes(folder, classes) -> list[str]:
    """Turn what a user says into names of classes as the official lists spell them.

    Args:
        folder: with the official lists in it.
        classes: "seven", "all", exact names, or one text of names with commas.

    Raises:
        ValueError: a name is not in the list; the nearest one is named.
    """
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


def check_videos(folder, classes) -> Check:
    """Compare videos with the official lists in the same folder, and open each.

    Args:
        folder: with `UCF-101/` and the lists in it.
        classes: exact names.
    """
    root, listed = Path(folder) / "UCF-101", list_official(folder, classes)
    here = {f"{name}/{path.name}" for name in classes for path in (root / name).glob("[!.]*")}
    to_read = [name for name in listed if name in here]
    readable = thread_map(_can_read, [root / name for name in to_read], max_workers=8, desc="checking", leave=False)
    undecodable = [name for name, good in zip(to_read, readable, strict=True) if not good]
    missing, extra = [name for name in listed if name not in here], sorted(here - set(listed))
    return Check(Path(folder), sum(readable), missing, extra, undecodable)


def _can_read(path):
    with suppress(VideoError, OSError):
        return bool(probe_video(path))
    return False
