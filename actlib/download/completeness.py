"""What the official lists of UCF-101 name, and what of it is on disk and can be read."""

import difflib
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tqdm.auto import tqdm

from actlib.dataset.ucf101 import read_split
from actlib.specs import SEVEN_CLASSES
from actlib.video import VideoError, probe_video

NAMED = 20  # names of each kind that a report spells out


@dataclass(frozen=True)
class Check:
    """How a folder of videos compares with the official lists; names are `Class/v_Class_gNN_cNN.avi`."""

    folder: Path
    num_classes: int
    present: int  # videos that are listed, there and readable
    missing: tuple[str, ...]  # listed, but not there
    extra: tuple[str, ...]  # there, but not listed
    undecodable: tuple[str, ...]  # there and listed, but no video can be read from them

    @property
    def complete(self) -> bool:
        """Whether every listed video is there and readable."""
        return not (self.missing or self.undecodable)

    def describe(self, *, most=None) -> str:
        """Return a report of several lines that spells out at most so many names of each kind, or all."""
        expected = self.present + len(self.missing) + len(self.undecodable)
        lines = [f"{self.present} of {expected} videos of {self.num_classes} classes are in {self.folder}."]
        for kind in ("missing", "extra", "undecodable"):
            if names := getattr(self, kind):
                more = [f"... and {len(names) - most} more"] if most and len(names) > most else []
                lines.append("\n  ".join([f"{len(names)} {kind}:", *names[:most], *more]))
        return "\n".join(lines)

    def __str__(self):
        return self.describe(most=NAMED)


def list_official(folder, classes=None) -> list[str]:
    """Return the sorted names (`Class/v_Class_gNN_cNN.avi`) in a folder's official lists, of all or some classes."""
    names = sorted(name for names in read_split(folder) for name in names)  # one split holds them all
    return [name for name in names if classes is None or name.split("/")[0] in classes]


def choose_classes(folder, classes) -> tuple[str, ...]:
    """Turn what a user says into exact names of classes.

    Args:
        folder: with the official lists in it.
        classes: "seven", "all" or None, exact names, or one text of names with commas.

    Returns:
        Names, as the official list spells them.

    Raises:
        ValueError: a name is not in the list; the nearest one is named.
    """
    known = sorted({name.split("/")[0] for name in list_official(folder)})
    if classes is None or classes == "all":
        return tuple(known)
    if classes == "seven":
        classes = SEVEN_CLASSES
    if isinstance(classes, str):
        classes = [name.strip() for name in classes.strip(" ,").split(",")]
    for name in classes:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=3, cutoff=0.4)
            raise ValueError(
                f"Expected exact names of UCF-101's classes. Received: {name!r}. "
                f"Near it: {', '.join(near) or 'none'}. All names are in {folder}/ucfTrainTestlist/classInd.txt."
            )
    return tuple(dict.fromkeys(classes))


def check_videos(folder, classes) -> Check:
    """Compare the videos of some classes (exact names) with the official lists in the same folder; open each."""
    root, listed = Path(folder) / "UCF-101", list_official(folder, classes)
    here = {f"{name}/{path.name}" for name in classes for path in (root / name).glob("[!.]*")}
    to_read = [name for name in listed if name in here]
    with ThreadPoolExecutor(8) as pool:
        answers = pool.map(lambda name: _can_read(root / name), to_read)
        readable = list(tqdm(answers, "checking", len(to_read), leave=False))
    return Check(
        folder=Path(folder),
        num_classes=len(classes),
        present=sum(readable),
        missing=tuple(name for name in listed if name not in here),
        extra=tuple(sorted(here - set(listed))),
        undecodable=tuple(name for name, good in zip(to_read, readable, strict=True) if not good),
    )


def _can_read(path):
    with suppress(VideoError, OSError):
        return bool(probe_video(path))
    return False
