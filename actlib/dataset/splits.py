"""A table of videos -> training, validation and test subsets, without siblings on both sides."""

import hashlib
import warnings

import pandas as pd

from actlib.dataset.ucf101 import read_split


def assign_subsets(videos, folder, *, split=1, validation_groups=4, split_seed=0) -> pd.DataFrame:
    """Mark each video as training, validation or test, by an official split; whole groups validate.

    Args:
        videos: table of `list_videos`.
        folder: as for `read_split`.
        split: official split, 1 to 3.
        validation_groups: how many group numbers leave training for validation, the same ones in every class; a class
            that has no others keeps its last one for training. 0: none.
        split_seed: draws those groups.

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
    table.loc[_choose_validation(table, validation_groups, split_seed), "subset"] = "validation"
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
        expected = f"Expected validation_groups below {len(groups)}, the number of groups in training"
        raise ValueError(f"{expected}. Received: {num_groups}. Lower it.")
    order = sorted(groups, key=lambda group: hashlib.sha256(f"{seed} {group}".encode()).digest())
    rank = table["group"].map({group: rank for rank, group in enumerate(order)})
    last = rank.where(training).groupby(table["class_name"]).transform("max")  # of the class's training groups
    return training & (rank < num_groups) & (rank < last)


def list_groups(videos) -> dict[str, str]:
    """List the groups that videos are of, and what is in their files: what a checkpoint's card keeps of them.

    Args:
        videos: table with columns `class_name` and `group`, of `list_videos` or with its `hash`.

    Returns:
        Name -> content hashes with spaces between. A group is named by its class and number, "Diving g08", or by the
        number alone where the table's `attrs` say `groups_span_classes`.
    """
    numbers = videos["group"].map("g{:02d}".format).astype(str)  # also where there are no videos
    names = numbers if videos.attrs.get("groups_span_classes") else videos["class_name"] + " " + numbers
    hashes = videos["hash"] if "hash" in videos else numbers.map(lambda number: "")
    return hashes.groupby(names).agg(lambda group: " ".join(sorted(group))).to_dict()


def check_leakage(train, test, *, allow=False) -> list[str]:
    """Find groups (clips of one recording: same people, same place) that stand on both sides of a split.

    Args:
        train: table with columns `class_name` and `group`, or what `list_groups` made of one.
        test: likewise; a group is shared if its name is, or the content (`hash`) of one of its videos.
        allow: return shared groups rather than raise.

    Returns:
        The names of the test groups that are shared, sorted; none when the split is clean.

    Raises:
        ValueError: There are some; it names the first.
    """
    train, test = (each if isinstance(each, dict) else list_groups(each) for each in (train, test))
    known = set(" ".join(train.values()).split())
    shared = sorted(name for name, hashes in test.items() if name in train or known & set(hashes.split()))
    if shared and not allow:
        found = f"{len(shared)} shared ({', '.join(shared[:3])}{' ...' * (len(shared) > 3)})"
        raise ValueError(
            f"Expected no group on both sides. Received: {found}. Use an official split, the one that the weights were "
            "trained on, or allow it (allow=True, --allow-leakage) to see what siblings pretend."
        )
    return shared


def split_hash(videos) -> str:
    """Name a split by which videos stand in which subset, with 12 hexadecimal digits.

    Args:
        videos: table with columns `name` and `subset`, in any order.
    """
    lines = sorted(f"{name} {subset}\n" for name, subset in zip(videos["name"], videos["subset"], strict=True))
    return hashlib.sha256("".join(lines).encode()).hexdigest()[:12]
