"""Subsets: official lists, whole groups for validation, and what is refused or warned of."""

import os
import tempfile
import warnings
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actlib.dataset import assign_subsets, check_leakage, list_groups, list_videos, split_hash

REAL = os.environ.get("ACTLIB_REAL_DATA")
CLASSES = ("Basketball", "BasketballDunk", "Diving")


def make_table(rows):
    """A table of videos from (class, group, clip)."""
    table = pd.DataFrame(rows, columns=["class_name", "group", "clip"])
    names = [f"{name}/v_{name}_g{group:02d}_c{clip:02d}.avi" for name, group, clip in rows]
    return table.assign(name=names)


def write_lists(folder, videos, *, tested=7):
    """Official lists for these videos: groups 1 to 7 test, as in split 1, or other numbers of them a video."""
    for side, rows in (("test", videos[videos["group"] <= tested]), ("train", videos[videos["group"] > tested])):
        (Path(folder) / f"{side}list01.txt").write_text("".join(f"{name} 1\n" for name in rows["name"]))


@pytest.fixture
def videos(tmp_path):
    """Two classes of 25 groups and one with a single group, whose lists lie in tmp_path."""
    rows = [(name, group, 1) for name in CLASSES[:2] for group in range(1, 26)] + [(CLASSES[2], 9, 1)]
    table = make_table(rows)
    write_lists(tmp_path, table)
    return table


def test_validation_takes_whole_groups_out_of_training(videos, tmp_path):
    videos.attrs["classes"] = CLASSES
    table = assign_subsets(videos, tmp_path, validation_groups=4, split_seed=0)
    groups = table.groupby("subset")["group"].unique().map(set)
    assert groups["test"] == set(range(1, 8)) and len(groups["validation"]) == 4
    assert groups["train"] | groups["validation"] == set(range(8, 26))
    assert table.attrs == {"classes": CLASSES, "split": 1}
    held = table[table["subset"] == "validation"].groupby("class_name")["group"].apply(set)
    assert held["Basketball"] == held["BasketballDunk"] == groups["validation"]  # the same ones in every class


def test_the_groups_that_validate_are_those_of_earlier_versions(videos, tmp_path):
    table = assign_subsets(videos, tmp_path, validation_groups=4, split_seed=0)
    assert sorted(table.loc[table["subset"] == "validation", "group"].unique()) == [10, 14, 17, 25]


def test_validation_may_be_empty_but_not_everything(videos, tmp_path):
    assert set(assign_subsets(videos, tmp_path, validation_groups=0)["subset"]) == {"train", "test"}
    with pytest.raises(ValueError, match="below 18.*Received: 18"):
        assign_subsets(videos, tmp_path, validation_groups=18)


def test_a_class_does_not_lose_its_last_training_group(videos, tmp_path):
    for seed in range(20):
        table = assign_subsets(videos, tmp_path, validation_groups=17, split_seed=seed)
        assert table.loc[table["class_name"] == "Diving", "subset"].tolist() == ["train"]


def test_absent_and_unlisted_videos_are_warned_of(videos, tmp_path):
    with pytest.warns(
        UserWarning, match="2 videos of split 1 are not in the table: Basketball/v_Basketball_g03_c01.avi"
    ):
        assign_subsets(videos[videos["group"] != 3], tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # classes that nobody asked for are not missing
        assign_subsets(videos[videos["class_name"] != "Diving"], tmp_path)
    more = pd.concat([videos, make_table([("Basketball", 1, 9)])])
    with pytest.warns(UserWarning, match="1 videos are in no list of split 1"):
        assert len(assign_subsets(more, tmp_path)) == 51


def test_shared_groups_are_refused_unless_allowed(videos):
    train, test = videos[videos["group"] <= 12], videos[videos["group"] >= 11]
    with pytest.raises(ValueError, match="4 shared .Basketball g11, Basketball g12, BasketballDunk g11 ...."):
        check_leakage(train, test)
    shared = check_leakage(train, test[test["group"] < 12], allow=True)
    assert shared == ["Basketball g11", "BasketballDunk g11"]
    assert len(check_leakage(train, test[test["group"] > 12])) == 0


def test_a_group_is_shared_by_its_name_or_by_the_content_of_a_video(videos):
    train = videos[videos["group"] == 8].assign(hash="same")
    copy = videos[videos["group"] == 3].iloc[:1].assign(hash="same")  # under another name
    assert check_leakage(train, copy, allow=True) == ["Basketball g03"]
    assert check_leakage(list_groups(train), copy.assign(hash="another"), allow=True) == []
    assert list_groups(train.iloc[:1]) == {"Basketball g08": "same"}
    people = videos.copy()
    people.attrs["groups_span_classes"] = True  # a number is a person, whatever the class
    parts = [
        people[(people["class_name"] == name) & (people["group"] == 8)] for name in ("Basketball", "BasketballDunk")
    ]
    assert check_leakage(*parts, allow=True) == ["g08"]


def test_the_hash_names_the_split_whatever_the_order(videos, tmp_path):
    table = assign_subsets(videos, tmp_path)
    assert split_hash(table) == split_hash(table[::-1]) and len(split_hash(table)) == 12
    assert split_hash(table) != split_hash(table.assign(subset="train"))


TESTED = dict(zip(CLASSES, (7, 4, 1), strict=True))  # groups up to this number test
ROWS = st.sets(
    st.tuples(st.sampled_from(CLASSES), st.integers(1, 12), st.integers(1, 3)), min_size=1, max_size=40
).filter(lambda rows: any(group > TESTED[name] for name, group, _ in rows))


@settings(max_examples=60, deadline=None)
@given(rows=ROWS, num_groups=st.integers(0, 4), seed=st.integers(0, 99), data=st.data())
def test_any_split_is_clean_complete_and_drawn_by_its_seed_alone(rows, num_groups, seed, data):
    videos = make_table(sorted(rows))
    tested = videos["class_name"].map(TESTED)
    in_training = videos[videos["group"] > tested]
    num_groups = min(num_groups, in_training["group"].nunique() - 1)
    with tempfile.TemporaryDirectory() as folder:
        write_lists(folder, videos, tested=tested)
        table = assign_subsets(videos, folder, validation_groups=num_groups, split_seed=seed)
        other = videos.loc[data.draw(st.permutations(range(len(videos))))]
        again = assign_subsets(other, folder, validation_groups=num_groups, split_seed=seed)
    assert sorted(table["name"]) == sorted(videos["name"])
    assert ((table["subset"] == "test") == (table["group"] <= table["class_name"].map(TESTED))).all()
    train, validation, test = (table[table["subset"] == subset] for subset in ("train", "validation", "test"))
    check_leakage(train, validation), check_leakage(table[table["subset"] != "test"], test)
    assert set(train["class_name"]) == set(in_training["class_name"])
    assert validation["group"].nunique() <= num_groups
    assert dict(zip(table["name"], table["subset"], strict=True)) == dict(
        zip(again["name"], again["subset"], strict=True)
    )


def test_another_seed_draws_other_groups(videos, tmp_path):
    assert len({split_hash(assign_subsets(videos, tmp_path, split_seed=seed)) for seed in range(4)}) > 1


@pytest.mark.skipif(not REAL, reason="ACTLIB_REAL_DATA names no folder of real clips")
@pytest.mark.filterwarnings("ignore:.*not in the table")
def test_real_clips_fall_into_their_official_subsets(tmp_path, monkeypatch):
    monkeypatch.setenv("ACTLIB_CACHE", str(tmp_path))
    table = list_videos(REAL, progress=False)
    table = assign_subsets(table, REAL)
    counts = table["subset"].value_counts()
    assert (len(table), counts["train"] + counts["validation"], counts["test"]) == (300, 216, 84)
    assert set(table["width"]) == {320} and table["frames"].min() >= 28
    check_leakage(table[table["subset"] != "test"], table[table["subset"] == "test"])
    check_leakage(table[table["subset"] == "train"], table[table["subset"] == "validation"])


def test_no_videos_are_of_no_groups():
    none = pd.DataFrame({"class_name": pd.Series([], dtype="str"), "group": pd.Series([], dtype="int64")})
    assert list_groups(none) == {}
