"""A UCF-101 folder -> a table of videos (path, label, group, clip, length, size) and its official splits.

Labels come from the folder or the list, never from the file name: UCF-101 itself has
`HandstandPushups/v_HandStandPushups_*`.
"""

import hashlib
import re
import warnings
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from actlib.paths import cache_folder
from actlib.video import VideoError
from actlib.video.metadata import probe_files

SUFFIXES = (".avi", ".mp4", ".mkv", ".mov", ".webm")
NAME = re.compile(r"_g(\d+)_c(\d+)$")
COLUMNS = ("path", "name", "class_name", "label", "group", "clip", "frames", "fps", "width", "height", "bytes")


class Split(NamedTuple):
    """Names of videos (`Class/v_Class_g01_c01.avi`) for training and for testing, as an official list gives them."""

    train: tuple[str, ...]
    test: tuple[str, ...]


def list_videos(folder, *, classes=None, skip_broken=False, progress=True) -> pd.DataFrame:
    """Lists the videos of a UCF-101 folder, one row each; only new and changed files are looked into.

    Args:
        folder: what holds `UCF-101/` and `ucfTrainTestlist/`, or the class folders themselves.
        classes: exact names of classes in the order of their labels, or None for all, sorted by name.
        skip_broken: leave out videos that cannot be read, with one warning, rather than raise.
        progress: show a bar while files are looked at for the first time.

    Returns:
        DataFrame sorted by `name`, with COLUMNS: `path` (absolute), `name` (`Class/v_Class_g01_c01.avi`), `class_name`,
        `label` (int64 from 0), `group`, `clip`, `frames`, `fps`, `width` and `height` (pixels), `bytes`;
        `attrs` holds `classes` (tuple) and `folder`.

    Raises:
        VideoError: all files that cannot be used, in one message.
        ValueError: a class or all videos are missing.
    """
    root = _class_root(folder)
    files = _find_files(root, classes)
    index_file = cache_folder() / "index" / f"{hashlib.sha256(str(root).encode()).hexdigest()[:16]}.json"
    infos, broken = probe_files(files, index_file=index_file, progress=progress)
    if broken:
        message = f"{len(broken)} of {len(files)} videos cannot be used:\n  " + "\n  ".join(broken)
        if not skip_broken:
            raise VideoError(message + "\nReplace them, or leave them out with skip_broken=True.")
        warnings.warn(message, stacklevel=2)
    names = tuple(classes) if classes is not None else tuple(sorted({path.parent.name for path in files}))
    table = pd.DataFrame([_row(path, info, names) for path, info in infos.items()], columns=COLUMNS)
    table = table.sort_values("name", ignore_index=True)
    table.attrs.update(classes=names, folder=str(Path(folder).resolve()))
    return table


def _class_root(folder):
    folder = Path(folder).resolve()
    return folder / "UCF-101" if (folder / "UCF-101").is_dir() else folder


def _find_files(root, classes):
    """Paths of the videos named `*_gNN_cNN` in the class folders; says so where a class has none."""
    present = sorted(entry.name for entry in root.iterdir() if entry.is_dir()) if root.is_dir() else []
    wanted = present if classes is None else list(classes)
    if isinstance(classes, str) or len(set(wanted)) < len(wanted):
        raise ValueError(f"Expected a list of different class names. Received: {classes!r}. Give each class once.")
    found = {name: _find_videos(root / name) if name in present else [] for name in wanted}
    empty = [name for name, paths in found.items() if not paths]
    if (classes is not None and empty) or not any(found.values()):
        raise ValueError(
            f"Expected videos of {', '.join(empty) or 'some classes'}. Received: none in {root}, which holds "
            f"{', '.join(present[:8]) or 'no folders'}{' ...' if len(present) > 8 else ''}. "
            "Point to the folder that holds UCF-101/, and spell classes as their folders are."
        )
    return [path for paths in found.values() for path in paths]


def _find_videos(folder):
    paths = [path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.name[0] != "."]
    return sorted(path for path in paths if NAME.search(path.stem))


def _row(path, info, classes):
    group, clip = map(int, NAME.search(path.stem).groups())
    name, label = f"{path.parent.name}/{path.name}", classes.index(path.parent.name)
    size, _, frames, fps, width, height = info
    return str(path), name, path.parent.name, label, group, clip, frames, fps, width, height, size


def read_split(folder, *, split=1) -> Split:
    """Reads an official split: which videos train, which test.

    Args:
        folder: what holds `ucfTrainTestlist/`, or lies beside it, or holds the lists themselves.
        split: 1, 2 or 3.

    Returns:
        Split of names as the lists give them (either kind of line ending).

    Raises:
        FileNotFoundError: no such list.

    Source: Soomro, Zamir and Shah, CRCV-TR-12-01, "three train/test splits"; groups never stand on both sides.
    """
    folder = Path(folder).resolve()
    places = (folder / "ucfTrainTestlist", folder.parent / "ucfTrainTestlist", folder)
    for place in places:
        lists = [place / f"{side}list{split:02d}.txt" for side in ("train", "test")]
        if all(path.is_file() for path in lists):
            return Split(*map(_read_names, lists))
    raise FileNotFoundError(
        f"Expected {lists[0].name} and {lists[1].name} in {places[0]}. Received: no such files there, nor beside the "
        "folder. Unpack UCF101TrainTestSplits-RecognitionTask.zip next to UCF-101/, and ask for split 1, 2 or 3."
    )


def _read_names(path):
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    return tuple(line.split()[0].replace("\\", "/") for line in lines if line.strip())


def assign_subsets(videos, folder, *, split=1, validation_groups=4, seed=0, missing="report") -> pd.DataFrame:
    """Says of each video whether it trains, validates or tests.

    Args:
        videos: table of `list_videos`.
        folder: as for `read_split`.
        split: official split, 1 to 3.
        validation_groups: how many group numbers leave training for validation, the same ones in every class.
        seed: draws those groups.
        missing: "report" warns of listed videos that the table lacks, "raise" stops.

    Returns:
        The listed videos with a column `subset`: "train", "validation" or "test". `attrs` gains `split`, `missing`
        (how many videos of these classes are listed but absent) and `missing_names`.

    Raises:
        ValueError: listed videos are absent and missing="raise", or too few groups are left to train on.
    """
    lists = read_split(folder, split=split)
    part_of = {name.lower(): part for part, names in zip(("train", "test"), lists, strict=True) for name in names}
    parts = videos["name"].str.lower().map(part_of)
    table = videos.assign(subset=parts)[parts.notna()].reset_index(drop=True)
    table.loc[_held_out(table, validation_groups, seed), "subset"] = "validation"
    absent = _find_absent(videos, lists)
    table.attrs.update(videos.attrs, split=split, missing=len(absent), missing_names=absent)
    _say_differences(len(videos) - len(table), absent, missing, split=split)
    return table


def _held_out(table, validation_groups, seed):
    """-> bool a row: whether it is a training video of a group drawn for validation."""
    training = table["subset"] == "train"
    groups = sorted(table.loc[training, "group"].unique())
    if validation_groups >= len(groups) > 0:
        raise ValueError(
            f"Expected validation_groups below {len(groups)}, the groups in training. Received: {validation_groups}. "
            "Lower it."
        )
    order = sorted(groups, key=lambda group: hashlib.sha256(f"{seed} {group}".encode()).digest())
    return training & table["group"].isin(order[:validation_groups])


def _find_absent(videos, lists):
    here, classes = set(videos["name"].str.lower()), set(videos["class_name"])
    listed = (*lists.train, *lists.test)
    return tuple(name for name in listed if name.split("/")[0] in classes and name.lower() not in here)


def _say_differences(num_unlisted, absent, missing, *, split):
    if num_unlisted:
        warnings.warn(f"{num_unlisted} videos are in no list of split {split}: left out.", stacklevel=3)
    if absent:
        first = ", ".join(absent[:3]) + " ..." * (len(absent) > 3)
        message = f"{len(absent)} videos of split {split} are not in the table: {first}"
        if missing == "raise":
            raise ValueError(f'{message}. Copy them into the folder, or go on without them with missing="report".')
        warnings.warn(message, stacklevel=3)


def check_leakage(train, test, *, allow=False) -> pd.DataFrame:
    """Finds groups (clips of one recording: same people, same place) that stand on both sides of a split.

    Args:
        train: table with columns `class_name` and `group`.
        test: likewise.
        allow: return the shared groups rather than refuse.

    Returns:
        DataFrame of the shared groups, columns `class_name` and `group`; empty when the split is clean.

    Raises:
        ValueError: there are shared groups and `allow` is False.
    """
    keys = ["class_name", "group"]
    shared = train[keys].drop_duplicates().merge(test[keys].drop_duplicates()).sort_values(keys, ignore_index=True)
    if len(shared) and not allow:
        first = ", ".join(f"{row.class_name} g{row.group:02d}" for row in shared.head(3).itertuples())
        first += " ..." * (len(shared) > 3)
        raise ValueError(
            f"Expected no group on both sides. Received: {len(shared)} shared ({first}). "
            "Use an official split, or pass allow=True to see what a split with siblings pretends."
        )
    return shared


def split_hash(videos) -> str:
    """Names a split by its content: which videos stand in which subset.

    Args:
        videos: table with columns `name` and `subset`.

    Returns:
        12 hexadecimal digits, the same for the same videos in any order.

    Example:
        >>> split_hash(pd.DataFrame({"name": ["A/v_A_g01_c01.avi"], "subset": ["train"]}))
        '5c29ca692581'
    """
    lines = sorted(f"{name} {part}\n" for name, part in zip(videos["name"], videos["subset"], strict=True))
    return hashlib.sha256("".join(lines).encode()).hexdigest()[:12]
