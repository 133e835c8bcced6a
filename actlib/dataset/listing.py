"""A folder of videos, or a table of labels -> a table with a row for each video, whatever the data set."""

import re
import warnings
from contextlib import suppress
from pathlib import Path

import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from actlib.dataset import hmdb51, ucf101
from actlib.dataset.duplicates import find_near_duplicates
from actlib.dataset.labels import CLIP, SUFFIXES, read_labels
from actlib.sample import is_sample
from actlib.video.metadata import FileInfo, probe_files

COLUMNS = ("path", "name", "class_name", "label", "group", "clip", "frames", "fps", "width", "height", "bytes", "hash")


def list_videos(data, *, classes=None, group_pattern=None, skip_broken=False, progress=True) -> pd.DataFrame:
    """List labelled videos, one row each; only new and changed files are looked into.

    Args:
        data: what holds a folder of videos for each class, or `UCF-101/`; or a table of labels, see `read_labels`.
        classes: exact names of classes in the order of their labels, or None for all, sorted by name.
        group_pattern: regular expression that finds a video's group in its name, "cam[0-9]+" say. Else groups are as
            the table of labels, UCF-101 or HMDB51 name them; or what looks alike is one.
        skip_broken: leave out videos and class folders that cannot be read, with one warning, rather than raise.
        progress: show a bar while files are looked at for the first time.

    Returns:
        DataFrame of COLUMNS, sorted by `name` (`Class/v_Class_g01_c01.avi`): `path` is absolute, `label` counts from 0.
        Data that are not UCF-101's also have `group_name`, and `subset` if it is given. Its `attrs` hold `classes`
        (tuple), `folder`, and `groups_span_classes`: whether a group is one in all classes, as in the sample set.

    Raises:
        VideoError: all files that cannot be used, in one message.
        ValueError: a class or all videos are missing, or labels contradict each other.
    """
    root = Path(data).resolve()
    root = root / "UCF-101" if (root / "UCF-101").is_dir() else root
    clips, unreadable = find_clips(root, classes)
    named = clips["path"].astype(str).str.contains(r"_g\d+_c\d+\.\w+$") & (clips["group_name"] == "")
    is_ucf101 = group_pattern is None and (named.all() or (named.any() and _has_lists(root)))
    clips = clips[named] if is_ucf101 else clips
    infos, broken = probe_files([*clips["path"]], index=root, progress=progress)
    ucf101.report_broken([*unreadable, *broken], len(clips), skip_broken=skip_broken and bool(infos))
    names = tuple(classes) if classes is not None else tuple(sorted({*clips["class_name"]}))
    table = _tabulate(clips[clips["path"].isin(infos)], infos, names)
    table.attrs.update(classes=names, folder=str(Path(data).resolve()), groups_span_classes=is_sample(data))
    if is_ucf101:
        numbers = table["name"].str.extract(r"_g(\d+)_c(\d+)\.\w+$").astype("int64")
        return table.assign(group=numbers[0], clip=numbers[1])[[*COLUMNS]]
    _check_labels(table)
    table["group_name"] = _name_own_groups(table, root, group_pattern, progress)
    table["group"] = pd.factorize(table["group_name"], sort=True)[0] + 1
    table["clip"] = table.groupby("group").cumcount() + 1
    table.attrs["groups_span_classes"] = True
    return table[[*COLUMNS, "group_name", *["subset"] * bool((table["subset"] != "").any())]]


def find_clips(root, classes=None):
    """Return the clips of the classes, as `read_labels` does, and a message for each folder that cannot be read.

    Args:
        root, classes: a folder of folders, or a table of labels; names of classes, or None for all.
    """
    if isinstance(classes, str) or len({*(classes or ())}) < len(classes or ()):
        raise ValueError(f"Expected a list of different class names. Received: {classes!r}. Give each class once.")
    found, unreadable = [], {}
    folders = sorted(path for path in root.iterdir() if path.is_dir()) if root.is_dir() else []
    for folder in folders:
        try:
            files = [path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.name[0] != "."]
            found += [(path, folder.name, "", "") for path in sorted(files, key=str)]
        except OSError as error:
            unreadable[folder.name] = f"Expected a folder of videos. Received: {folder} ({error.strerror})."
    clips = read_labels(root) if root.is_file() else pd.DataFrame(found, columns=CLIP)
    held = dict.fromkeys([folder.name for folder in folders], 0) | clips.groupby("class_name").size().to_dict()
    wanted = [*unreadable, *clips["class_name"].unique()] if classes is None else [*classes]
    empty = [name for name in wanted if not held.get(name) and name not in unreadable]
    if empty or not wanted:
        present = ", ".join([f"{name} ({number})" for name, number in held.items()][:8]) or "no folders"
        expected = f"Expected videos of {', '.join(empty) or 'some classes'} ({', '.join(SUFFIXES)})"
        state = f"holds {present}{' ...' * (len(held) > 8)}" if root.exists() else "is not there"
        found = f"{expected}. Received: none in {root}, which {state}."
        raise ValueError(f"{found} Point to the folder that holds the classes' folders, or to a table of labels.")
    return clips[clips["class_name"].isin(wanted)], [unreadable[name] for name in wanted if name in unreadable]


def _has_lists(root):
    with suppress(FileNotFoundError):
        return bool(ucf101.read_split(root))


def _tabulate(clips, infos, classes):
    rows = pd.DataFrame([infos[path] for path in clips["path"]], clips.index, FileInfo._fields)
    name, path = clips["class_name"] + "/" + clips["path"].map(lambda path: path.name), clips["path"].astype(str)
    alike = name.duplicated(keep=False)  # files of one name in several folders
    name = name.where(~alike, clips["class_name"] + "/" + path.str.replace("\\", "/").str.lstrip("/"))
    table = clips.assign(path=path, name=name, label=clips["class_name"].map(classes.index)).join(rows)
    return table.sort_values("name", ignore_index=True)


def _name_own_groups(table, root, pattern, progress):
    """Name the group of each video by a pattern, by the table of labels, as HMDB51 does, or by what looks alike."""
    names, given = table["name"], table["group_name"]
    if pattern is not None:
        try:
            found = names.map(re.compile(pattern).search)
        except re.error as error:
            raise ValueError(f"Expected a regular expression for groups. Received: {pattern!r} ({error}).") from error
        if found.isna().any():
            received = f"none in {found.isna().sum()} of {len(names)}, {', '.join(names[found.isna()].head(3))}"
            raise ValueError(f"Expected a group in each name by {pattern!r}. Received: {received}. Change either.")
        return found.map(lambda match: match[min(1, match.re.groups)])
    if given.any():
        return given.where(given != "", names)  # one that is not known is alone
    with suppress(FileNotFoundError):
        return names.map(_find_source) if hmdb51.read_split(root) else names
    pairs = find_near_duplicates(table, progress=progress)
    links = coo_array((pairs["bits"] >= 0, (pairs["first"], pairs["second"])), shape=(len(table), len(table)))
    number = connected_components(links)[1]
    if shown := [f"{names[first]} ~ {names[second]}" for first, second in pairs[["first", "second"]].to_numpy()[:3]]:
        message = f"No groups are given, so {len(table)} videos are put into {number.max() + 1} by what looks alike: "
        message += f"{', '.join(shown)}{' ...' * (len(pairs) > 3)}. Look at these pairs (find_near_duplicates), or "
        warnings.warn(message + "name groups: in a table of labels, or by --group-pattern.", stacklevel=3)
    return names.groupby(number).transform("first")


def _find_source(name):
    """Find what a video of HMDB51 (Class/file) was cut from: none stands on both sides of an official split."""
    class_name, _, file = name.partition("/")
    source = re.match(rf"(.*)_{re.escape(class_name)}_", file)
    return f"{class_name} {source[1] if source else file}"


def _check_labels(table):
    """Refuse labels that contradict each other; warn of what differs between videos and may stand for their labels."""
    labels = table.groupby("hash")["class_name"].transform("nunique")
    twice = [*table[labels > 1].sort_values("hash")["name"]][:2]
    names = pd.Series(table.attrs["classes"])
    alike = [*names[names.str.casefold().duplicated(keep=False)]]
    if twice or alike:
        received = f"{' and '.join(alike or twice)}, {'which differ in case' if alike else 'one file'}"
        raise ValueError(f"Expected one label an activity, and one a video. Received: {received}. Correct one of them.")
    rates, shapes = table["fps"], table["width"] / table["height"]
    if rates.max() > 1.5 * rates.min() or shapes.max() > 1.2 * shapes.min():
        message = f"The videos have {rates.min():.3g} to {rates.max():.3g} frames a second, and are "
        message += f"{shapes.min():.3g} to {shapes.max():.3g} times as wide as high. "
        warnings.warn(message + "Where that goes with the class, it can be learnt instead.", stacklevel=3)
