"""A table of videos -> training, validation and test subsets, without siblings on both sides."""

import hashlib
import warnings

import pandas as pd

from actlib.dataset.ucf101 import read_split


def assign_subsets(videos, folder, *, split=1, validation_groups=4, seed=0) -> pd.DataFrame:
    """Mark each video as training, validation or test, by an official split; whole groups validate.

    Args:
        videos: table of `list_videos`.
        folder: as for `read_split`.
        split: official split, 1 to 3.
        validation_groups: how many group numbers leave training for validation, the same ones in every class; a class
            that has no others keeps its last one for training.
        seed: draws those groups.

    Returns:
        The listed videos with a column `subset`: "train", "validation" or "test"; a warning names what is in no list,
        or listed but not in the table.

    Raises:
        ValueError: too few groups are left to train on.
    """
    lists = read_split(folder, split=split)
    subset_of = {name.lower(): subset for subset, names in lists._asdict().items() for name in names}
    subsets = videos["name"].str.lower().map(subset_of)
    table = videos.assign(subset=subsets)[subsets.notna()].reset_index(drop=True)
    table.loc[_choose_validation(table, validation_groups, seed), "subset"] = "validation"
    table.attrs.update(videos.attrs, split=split)
    if num_unlisted := len(videos) - len(table):
        warnings.warn(f"{num_unlisted} videos are in no list of split {split}: left out.", stacklevel=2)
    present, classes = set(table["name"].str.lower()), set(videos["class_name"])
    listed = [name for names in lists for name in names if name.split("/")[0] in classes]
    if absent := [name for name in listed if name.lower() not in present]:
        message = f"{len(absent)} videos of split {split} are not in the table: {', '.join(absent[:3])}"
        warnings.warn(message + " ..." * (len(absent) > 3), stacklevel=2)
    return table


def _choose_validation(table, num_groups, seed):
    """Return bool (num_videos,): whether it is a training video of a group drawn for validation."""
    training = table["subset"] == "train"
    groups = table.loc[training, "group"].unique()
    if num_groups >= len(groups) > 0:
        raise ValueError(
            f"Expected validation_groups below {len(groups)}, the groups in training. Received: {num_groups}. Lower it."
        )
    order = sorted(groups, key=lambda group: hashlib.sha256(f"{seed} {group}".encode()).digest())
    rank = table["group"].map({group: rank for rank, group in enumerate(order)})
    last = rank.where(training).groupby(table["class_name"]).transform("max")  # of the class's training groups
    return training & (rank < num_groups) & (rank < last)


def check_leakage(train, test, *, allow=False) -> pd.DataFrame:
    """Find groups (clips of one recording: same people, same place) that stand on both sides of a split.

    Args:
        train, test: tables with columns `class_name` and `group`.
        allow: return shared groups rather than raise a ValueError that names them.

    Returns:
        DataFrame of the shared groups, with both columns; empty when the split is clean.
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
    """Name a split by which videos (`name`) stand in which `subset`: 12 hexadecimal digits, whatever their order."""
    lines = sorted(f"{name} {subset}\n" for name, subset in zip(videos["name"], videos["subset"], strict=True))
    return hashlib.sha256("".join(lines).encode()).hexdigest()[:12]
