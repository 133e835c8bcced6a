"""A UCF-101 folder -> a table of videos and its official splits.

Labels come from the folder or the list, never from the file: there is `HandstandPushups/v_HandStandPushups_*`.
"""

import hashlib
import re
import warnings
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from actlib.paths import cache_folder
from actlib.sample import is_sample
from actlib.video import VideoError
from actlib.video.metadata import probe_files

SUFFIXES = (".avi", ".mp4", ".mkv", ".mov", ".webm")
NAME = re.compile(r"^[^.].*_g(\d+)_c(\d+)$")
COLUMNS = ("path", "name", "class_name", "label", "group", "clip", "frames", "fps", "width", "height", "bytes", "hash")


class Split(NamedTuple):
    """Names of videos (`Class/v_Class_g01_c01.avi`) for training and for testing, as an official list gives them."""

    train: tuple[str, ...]
    test: tuple[str, ...]


def list_videos(folder, *, classes=None, skip_broken=False, progress=True) -> pd.DataFrame:
    """List the videos of a UCF-101 folder, one row each; only new and changed files are looked into.

    Args:
        folder: what holds `UCF-101/` and `ucfTrainTestlist/`, or the class folders themselves.
        classes: exact names of classes in the order of their labels, or None for all, sorted by name.
        skip_broken: leave out videos and class folders that cannot be read, with one warning, rather than raise.
        progress: show a bar while files are looked at for the first time.

    Returns:
        DataFrame of COLUMNS, sorted by `name` (`Class/v_Class_g01_c01.avi`): `path` is absolute, `label` counts from 0.
        Its `attrs` hold `classes` (tuple), `folder`, and `groups_span_classes`: whether a group is the same people and
        place in every class, as in the sample set.

    Raises:
        VideoError: all files that cannot be used, in one message.
        ValueError: a class or all videos are missing.
    """
    root = Path(folder).resolve()
    root = root / "UCF-101" if (root / "UCF-101").is_dir() else root
    files, unreadable = _find_files(root, classes)
    index_file = cache_folder() / "index" / f"{hashlib.sha256(str(root).encode()).hexdigest()[:16]}.json"
    infos, broken = probe_files(files, index_file=index_file, progress=progress)
    report_broken([*unreadable, *broken], len(files), skip_broken=skip_broken and bool(infos))
    names = tuple(classes) if classes is not None else tuple(sorted({path.parent.name for path in files}))
    table = pd.DataFrame([_row(path, info, names) for path, info in infos.items()], columns=COLUMNS)
    table = table.sort_values("name", ignore_index=True)
    table.attrs.update(classes=names, folder=str(Path(folder).resolve()), groups_span_classes=is_sample(folder))
    return table


def report_broken(messages, num_videos, *, skip_broken=False, advice="list_videos(..., skip_broken=True)"):
    """Raise a VideoError that lists what is wrong with broken videos, or only warn of them.

    Args:
        messages: one for each broken video.
        num_videos: of all, broken or not.
        skip_broken: warn rather than raise.
        advice: code that leaves them out.
    """
    message = f"{len(messages)} of {num_videos} videos cannot be used:\n  " + "\n  ".join(messages)
    if messages and not skip_broken:
        raise VideoError(f"{message}\nReplace or remove them, or leave them out: {advice}.")
    if messages:
        warnings.warn(message, stacklevel=3)


def _find_files(root, classes):
    """Return the paths of videos named `*_gNN_cNN` in the class folders, and a message for each unreadable folder."""
    present = sorted(entry.name for entry in root.iterdir() if entry.is_dir()) if root.is_dir() else []
    wanted = present if classes is None else list(classes)
    if isinstance(classes, str) or len(set(wanted)) < len(wanted):
        raise ValueError(f"Expected a list of different class names. Received: {classes!r}. Give each class once.")
    found, broken = {}, []
    for name in wanted:
        try:
            files = sorted((root / name).iterdir(), key=str) if name in present else []
            found[name] = [path for path in files if path.suffix.lower() in SUFFIXES and NAME.search(path.stem)]
        except OSError as error:
            broken.append(f"Expected a folder of videos. Received: {root / name} ({error.strerror}).")
    empty = [name for name, paths in found.items() if not paths]
    if (classes is not None and empty) or not (any(found.values()) or broken):
        held = f"{', '.join(present[:8]) or 'no folders'}{' ...' * (len(present) > 8)}"
        raise ValueError(
            f"Expected videos of {', '.join(empty) or 'some classes'}. Received: none in {root}, which holds {held}. "
            "Point to the folder that holds UCF-101/ (--data or ACTLIB_DATA), and spell classes as their folders are."
        )
    return [path for paths in found.values() for path in paths], broken


def _row(path, info, classes):
    class_name, file = path.parts[-2:]
    group, clip = map(int, NAME.search(path.stem).groups())
    place = str(path), f"{class_name}/{file}", class_name, classes.index(class_name)
    return *place, group, clip, *info[2:6], info.bytes, info.hash


def read_split(folder, *, split=1) -> Split:
    """Read an official split: which videos train, which test.

    Args:
        folder: what holds `ucfTrainTestlist/`, or lies beside it, or holds the lists themselves.
        split: 1, 2 or 3.

    Raises:
        FileNotFoundError: no such list.

    Source: Soomro, Zamir and Shah, CRCV-TR-12-01, "three train/test splits"; groups never stand on both sides.
    """
    folder, names = Path(folder).resolve(), [f"{side}list{split:02d}.txt" for side in Split._fields]
    for candidate in (folder / "ucfTrainTestlist", folder.parent / "ucfTrainTestlist", folder):
        if all((candidate / name).is_file() for name in names):
            return Split(*(_read_names(candidate / name) for name in names))
    raise FileNotFoundError(
        f"Expected {' and '.join(names)} in {folder}/ucfTrainTestlist. Received: no such files there, nor beside the "
        "folder. Unpack UCF101TrainTestSplits-RecognitionTask.zip next to UCF-101/, and ask for split 1, 2 or 3."
    )


def _read_names(path):
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"Expected a list in UTF-8. Received: {error} in {path}. Fetch it again.") from error
    return tuple(line.split()[0].replace("\\", "/") for line in lines if line.strip())
