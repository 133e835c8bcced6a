"""A table of videos -> training, validation and test subsets, without siblings on both sides."""

import hashlib
import warnings
from contextlib import suppress
from pathlib import Path

import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold

from actlib.dataset import hmdb51, ucf101
from actlib.dataset.duplicates import find_near_duplicates
from actlib.dataset.labels import name_groups

NUM_PARTS, VALIDATION_PARTS = 3, 4  # of all: each the test of one split; of the rest to train on: one validates
FEW = 5  # test videos of a class; fewer say little


def assign_subsets(videos, data, *, split=1, validation_groups=4, split_seed=0) -> pd.DataFrame:
    """Mark each video as training, validation or test: as CSV says (its validation if no test), officially, or drawn.

    Args:
        videos, data: table of `list_videos`; as for it: what holds official lists, or lies beside them.
        split: 1 to 3. Where it is drawn, whole groups of every class are spread over three parts, each the test of one
            split, so that over all three each video is tested once.
        validation_groups: how many group numbers leave training for validation, the same ones in every class; a class
            that has no others keeps its last one for training. Of data that are not UCF-101's, a quarter. 0: none.
        split_seed: draws those groups, and the parts.

    Returns:
        The listed videos with a column `subset`: "train", "validation" or "test"; a warning names what either lacks.

    Raises:
        ValueError: there are too few groups or classes.
    """
    lists = None
    if "subset" in videos and "split" not in videos.attrs:  # as given, not marked here before
        tested = "test" in videos["subset"].to_numpy()
        table = videos.assign(subset=videos["subset"] if tested else videos["subset"].replace("validation", "test"))
    elif lists := _find_lists(videos, data, split):
        table = _assign_listed(videos, lists, split)
    else:
        table = videos.assign(subset="train")
        table.loc[_draw_parts(table, NUM_PARTS, NUM_PARTS, split_seed)[split - 1], "subset"] = "test"
    table.attrs.update(videos.attrs, split=split)
    if not validation_groups:
        table["subset"] = table["subset"].replace("validation", "train")
    elif "validation" not in table["subset"].to_numpy():
        choose = _draw_validation if "group_name" in table else _choose_validation
        table.loc[choose(table, validation_groups, split_seed), "subset"] = "validation"
    if not lists:
        _check_classes(table)
    return table


def _find_lists(videos, data, split):
    """Read the official split whose lists name some of the videos; None: there is none."""
    for read_split in (ucf101.read_split, hmdb51.read_split):
        with suppress(FileNotFoundError):
            lists = read_split(data, split=split)
            if videos["name"].str.lower().isin({name.lower() for names in lists for name in names}).any():
                return lists
    if "group_name" not in videos and (Path(data) / "UCF-101").is_dir():
        return ucf101.read_split(data, split=split)  # which says what is missing
    return None


def _assign_listed(videos, lists, split):
    subset_of = {name.lower(): subset for subset, names in lists._asdict().items() for name in names}
    subsets = videos["name"].str.lower().map(subset_of)
    table = videos.assign(subset=subsets)[subsets.notna()].reset_index(drop=True)
    if num_unlisted := len(videos) - len(table):
        warnings.warn(f"{num_unlisted} videos are in no list of split {split}: left out.", stacklevel=3)
    present, classes = set(table["name"].str.lower()), set(videos["class_name"])
    listed = [name for names in lists for name in names if name.split("/")[0] in classes]
    if absent := [name for name in listed if name.lower() not in present]:
        message = f"{len(absent)} videos of split {split} are not in the table: {', '.join(absent[:3])}"
        warnings.warn(message + " ..." * (len(absent) > 3), stacklevel=3)
    return table


def _draw_validation(table, num_groups, seed):
    """Return the rows of a part of the training groups: of many classes, but the last of none."""
    names = table.loc[table["subset"] == "train", "class_name"]
    parts = _draw_parts(table.loc[names.index], VALIDATION_PARTS, 2, seed)
    return max(parts, key=lambda part: (names.drop(part).nunique(), names[part].nunique()))


def _draw_parts(table, most, least, seed):
    """Draw whole groups into parts, each class spread over them; the rows of each."""
    names, groups = table["class_name"], name_groups(table)
    num_groups = groups.groupby(names).nunique()
    if (num_parts := min(most, num_groups.max())) < least:
        subset = "test" if least > 2 else "validation"
        expected = f"Expected {least} groups (recordings) or more of a class, to draw {subset} groups from"
        raise ValueError(f"{expected}. Received: {num_groups.to_dict()}. Film more, or name finer groups.")
    order = table["name"].sort_values().index
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The least populated class")  # which then is not in every part
        parts = StratifiedGroupKFold(num_parts, shuffle=True, random_state=seed)
        return [order[rows] for _, rows in parts.split(order, names[order], groups[order])]


def _check_classes(table):
    """Refuse a split without videos of a class on one side; warn where few test."""
    counts = pd.crosstab(table["class_name"], table["subset"]).reindex(columns=["train", "test"], fill_value=0)
    if len(counts) < 2 or not counts.all(axis=None):
        expected = "Expected two classes or more, each with videos to train and to test on"
        raise ValueError(f"{expected}. Received: {counts.T.to_dict()}. Add videos, or use another split_seed.")
    if few := [f"{name} {number}" for name, number in counts["test"].items() if number < FEW]:
        message = f"Few videos test: {', '.join(few)}. Read the interval beside each accuracy"
        warnings.warn(f"{message}, or test all by turns (--splits 1,2,3).", stacklevel=3)


def _choose_validation(table, num_groups, seed):
    """Return bool (num_videos,): whether it is a training video of a group drawn for validation."""
    training = table["subset"] == "train"
    groups = table.loc[training, "group"].unique()
    if num_groups >= len(groups) > 0:
        expected = f"Expected validation_groups below {len(groups)}, the number of groups in training"
        raise ValueError(f"{expected}. Received: {num_groups}. Lower it (--validation-groups).")
    order = sorted(groups, key=lambda group: hashlib.sha256(f"{seed} {group}".encode()).digest())
    rank = table["group"].map({group: rank for rank, group in enumerate(order)})
    last = rank.where(training).groupby(table["class_name"]).transform("max")  # of the class's training groups
    return training & (rank < num_groups) & (rank < last)


def list_groups(videos) -> dict[str, str]:
    """List the groups of videos: name, as of `name_groups`, -> content hashes with spaces between, for a card.

    Args:
        videos: table of `list_videos`.
    """
    names = name_groups(videos)
    hashes = videos["hash"] if "hash" in videos else names.map(lambda name: "")
    return hashes.groupby(names).agg(lambda group: " ".join(sorted(group))).to_dict()


def check_leakage(train, test, *, allow=False, pixels=False) -> list[str]:
    """Find groups (clips of one recording: same people, same place) that stand on both sides of a split.

    Args:
        train: table with columns `class_name` and `group`, or what `list_groups` made of one.
        test: likewise; a group is shared if its name is, or the content (`hash`) of one of its videos.
        allow: return shared groups rather than raise.
        pixels: of two tables, also count groups as shared of which videos look alike, see `find_near_duplicates`.

    Returns:
        The names of the test groups that are shared, sorted; none when the split is clean.

    Raises:
        ValueError: There are some; it names the first.
    """
    alike = _find_alike(train, test) if pixels else ()
    train, test = (each if isinstance(each, dict) else list_groups(each) for each in (train, test))
    known = set(" ".join(train.values()).split())
    copied = {name for name, hashes in test.items() if known & {*hashes.split()}}
    shared = sorted(copied | (test.keys() & {*train, *alike}))
    if shared and not allow:
        found = f"{len(shared)} shared ({', '.join(shared[:3])}{' ...' * (len(shared) > 3)})"
        advice = "Keep groups whole, take the split that the weights were trained on (split.csv in their run)"
        advice += ", or allow it (allow=True, --allow-leakage) to see what siblings pretend."
        raise ValueError(f"Expected no group on both sides. Received: {found}. {advice}")
    return shared


def _find_alike(train, test):
    """Name the test groups of which a video looks like one of training."""
    pairs = find_near_duplicates(pd.concat([train, test], ignore_index=True))
    across = pairs[(pairs["first"] < len(train)) & (pairs["second"] >= len(train))]
    return {*name_groups(test).iloc[across["second"] - len(train)]}


def split_hash(videos) -> str:
    """Name a split by which videos stand in which subset, whatever their order, with 12 hexadecimal digits.

    Args:
        videos: table of `assign_subsets`.
    """
    lines = sorted(f"{name} {subset}\n" for name, subset in zip(videos["name"], videos["subset"], strict=True))
    return hashlib.sha256("".join(lines).encode()).hexdigest()[:12]
