"""Labelled clips of anybody's: folders and tables, groups given or found, splits given or drawn, all told clearly."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_videos import write_mpeg4

from actlib.dataset import (
    assign_subsets,
    check_leakage,
    find_near_duplicates,
    list_groups,
    list_videos,
    name_groups,
    split_hash,
    write_labels,
)
from actlib.dataset.hmdb51 import read_split
from actlib.dataset.listing import _find_source
from actlib.experiment import prepare_videos

REAL = os.environ.get("ACTLIB_REAL_DATA")
needs_real = pytest.mark.skipif(not REAL, reason="ACTLIB_REAL_DATA names no folder of real clips")
CLASSES = {"Making tea": 30, "fold-laundry": 100, "空手": 170}  # and how bright its clips are


def film(path, place, *, shade=100, start=0, num_frames=12, marker=0):
    """A clip: the picture of a place, in which a square runs from where it is at the start."""
    path.parent.mkdir(parents=True, exist_ok=True)
    blocks = np.random.default_rng(place).integers(0, 70, (6, 8, 1)).repeat(8, 0).repeat(8, 1).repeat(3, 2)
    frames = []
    for number in range(start, start + num_frames):
        frame = (blocks + shade).astype(np.uint8)
        frame[20:26, (4 * number) % 58 :][:, :6] = 255
        frame[40:46, marker : marker + 4] = 0
        frames.append(frame)
    return write_mpeg4(path, num_frames, frames=frames)


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Three classes of six clips with odd names; cam1 to cam6 filmed one each of every class."""
    root = tmp_path_factory.mktemp("my clips")
    for index, (name, shade) in enumerate(CLASSES.items()):
        for camera in range(1, 7):
            file = f"{('Take', 'IMG 0', 'été#')[index]}{camera}, cam{camera}{('.MP4', '.mp4', '.avi')[index]}"
            film(root / name / file, 10 * index + camera, shade=shade)
    return root


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ACTLIB_CACHE", str(tmp_path / "cache"))
    warnings.filterwarnings("ignore", "Few videos test")


def list_quietly(data, **options):
    return list_videos(data, progress=False, **options)


def write_table(path, rows, header="path,label"):
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def test_files_may_have_any_names(clips):
    table = list_quietly(clips)
    assert len(table) == 18 and table.attrs["classes"] == tuple(sorted(CLASSES))
    assert table["group_name"].tolist() == table["name"].tolist()  # nothing looks alike: each is a recording
    assert table["group"].tolist() == [*range(1, 19)] and set(table["clip"]) == {1}
    assert table.loc[0, "name"] == "Making tea/Take1, cam1.MP4" and table.loc[0, "label"] == 0


def test_a_pattern_finds_groups_in_names(clips):
    table = list_quietly(clips, group_pattern=r"cam(\d+)")
    assert table["group"].tolist() == [*range(1, 7)] * 3 and set(table["group_name"]) == {*"123456"}
    assert set(list_groups(table)) == {*"123456"} and table.attrs["groups_span_classes"]
    assert set(list_quietly(clips, group_pattern=r"cam\d+")["group_name"]) == {f"cam{n}" for n in range(1, 7)}
    with pytest.raises(ValueError, match=r"by 'cam\[12\]'. Received: none in 12 of 18, Making tea/Take3, cam3.MP4"):
        list_quietly(clips, group_pattern="cam[12]")
    with pytest.raises(ValueError, match=r"Expected a regular expression for groups. Received: 'cam\('"):
        list_quietly(clips, group_pattern="cam(")


@pytest.mark.parametrize(("suffix", "mark"), [(".csv", ","), (".csv", ";"), (".tsv", "\t")])
def test_a_table_of_labels_is_read(clips, tmp_path, suffix, mark):
    files = sorted(clips.rglob("*cam[12]*"))
    rows = [mark.join([f'"{path}"', path.parent.name, path.stem[-4:], "x"]) for path in files]
    table = write_table(tmp_path / f"mine{suffix}", rows, mark.join(["\ufeffPath", " Label ", "GROUP", "note"]))
    listed = list_quietly(table)
    assert listed["path"].tolist() == [*map(str, files)] and set(listed["group_name"]) == {"cam1", "cam2"}
    assert "subset" not in listed


def test_paths_count_from_the_table_s_folder_and_a_clip_without_group_is_alone(tmp_path):
    for number in (1, 2, 3):
        film(tmp_path / "clips" / f"{number}" / "same name.mp4", number)
    rows = [f"clips/{number}/same name.mp4,walk,{group}" for number, group in ((1, "a"), (2, "a"), (3, ""))]
    table = list_quietly(write_table(tmp_path / "t.csv", rows, "path,label,group"))
    assert table["name"].is_unique and all(name.startswith("walk/") for name in table["name"])
    assert table["group"].value_counts().tolist() == [2, 1] and table["clip"].tolist() == [1, 2, 1]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "Expected CSV in UTF-8. Received: No columns"),
        ("path,label\n", "Expected a table that begins: path,label"),
        ("file,label\na.mp4,walk\n", "line 2.path.*Field required"),
        ("path,label\na.mp4,\n", "line 2.label '': "),
        ("path,label\na.mp4,walk\n,run\n", "line 3.path '': "),
        ("path,label\na, b.mp4,walk\n", "Expected CSV in UTF-8. Received: .*Expected 2 fields in line 2, saw 3"),
        ("path,label, Path\na.mp4,walk,b.mp4\n", "Expected CSV in UTF-8. Received: a column twice"),
        ("path,label,label\na.mp4,walk,run\n", "Expected CSV in UTF-8. Received: a column twice, path, label, label"),
        ("path,label,split,subset\na.mp4,walk,train,test\n", "Expected CSV in UTF-8. Received: a column twice"),
        ("path,label\na\0b.mp4,walk\n", "Expected a table .*line 2.path"),
        (
            "path,label,subset\na.mp4,walk,eval\n",
            "line 2.subset 'eval': Input should be 'train', 'validation' or 'test'",
        ),
        ('path,label\n"a.mp4,walk\n', "Expected CSV in UTF-8. Received: .*EOF inside string"),
        ("path,label\na.mp4,a/b\n", "line 2.label 'a/b'"),
        (b"path,label\n\xe9.mp4,walk\n", "Expected CSV in UTF-8"),
        ("path,label" + ",x" * 1000, "Expected CSV in UTF-8. Received: more than 1000 columns or 1,000,000 letters in"),
        ("path,label" + "x" * 10**6, "Expected CSV in UTF-8. Received: more than 1000 columns or 1,000,000 letters in"),
        ("path,label\na.mp4,walk\n", "no such file|No such file"),
    ],
)
def test_a_table_with_mistakes_is_refused_by_its_lines(tmp_path, text, match):
    path = tmp_path / "t.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(Exception, match=match) as caught:
        list_quietly(path)
    assert isinstance(caught.value, (ValueError, OSError)) and str(tmp_path) in str(caught.value)


def test_kinetics_own_table_finds_its_clips(tmp_path):
    for video in ("-0aKEVX", "b_c", "ddd", "eee"):
        film(tmp_path / "deep" / "er" / f"{video}_000018_000028.mp4", ord(video[1]))
    rows = [f'"golf, mini",{video},18,28,{split}' for video, split in (("-0aKEVX", "train"), ("gone", "val"))]
    rows += [f"yoga,{video},18,28,{split}" for video, split in (("b_c", "validate"), ("ddd", "train"), ("eee", "test"))]
    table = write_table(tmp_path / "k.csv", rows, "label,youtube_id,time_start,time_end,split")
    with pytest.warns(UserWarning, match=r"1 of 5 clips are not in .*: left out"):
        listed = list_quietly(table)
    assert listed[["class_name", "group_name", "subset"]].to_numpy().tolist() == [
        ["golf, mini", "-0aKEVX", "train"],
        ["yoga", "b_c", "validation"],
        ["yoga", "ddd", "train"],
        ["yoga", "eee", "test"],
    ]


@pytest.mark.parametrize("beside", [True, False])
def test_hmdb51_s_own_lists(tmp_path, beside):
    root = tmp_path / "hmdb51"
    lists = (tmp_path if beside else root) / "testTrainMulti_7030_splits"
    lists.mkdir(parents=True)
    for label, name in enumerate(("clap", "run")):
        lines = []
        for film_number in range(1, 9):
            for cut in (0, 1):
                file = f"A_Film_{film_number}_{name}_u_nm_np1_fr_med_{cut}.avi"
                film(root / name / file, 100 * label + film_number, start=5 * cut)
                lines.append(f"{file} {0 if cut and film_number == 1 else 1 + (film_number > 5)} \n")
        (lists / f"{name}_test_split1.txt").write_text("".join(lines))
    with pytest.warns(UserWarning, match="2 videos are in no list of split 1"):
        table = prepare_videos(root)
    assert table["subset"].value_counts().to_dict() == {"train": 13, "test": 12, "validation": 5}
    assert table["group_name"].nunique() == 16 and table.loc[0, "group_name"] == "clap A_Film_1"
    assert set(table[table["subset"] == "validation"]["class_name"]) == {"clap", "run"}
    with pytest.raises(FileNotFoundError, match="test_split2.txt"):
        read_split(root, split=2)


def test_a_source_ends_where_the_class_last_stands():
    name = "pour/How_to_pour_beer__eh__pour_u_nm_np1_fr_goo_0.avi"
    assert _find_source(name) == "pour How_to_pour_beer__eh_" and _find_source("pour/x.avi") == "pour x.avi"


def test_cuts_of_one_recording_are_found_and_kept_together(clips, tmp_path):
    shutil.copytree(clips, tmp_path / "more")
    for name, place in (("Making tea", 1), ("fold-laundry", 12)):
        film(tmp_path / "more" / name / "zz second cut.mp4", place, shade=CLASSES[name], start=7)
    with pytest.warns(UserWarning, match="20 videos are put into 18 by what looks alike: .*zz second cut"):
        table = list_quietly(tmp_path / "more")
    pairs = find_near_duplicates(table, progress=False)
    found = {
        frozenset((table["name"][a], table["name"][b])) for a, b in zip(pairs["first"], pairs["second"], strict=True)
    }
    assert found == {
        frozenset(("Making tea/Take1, cam1.MP4", "Making tea/zz second cut.mp4")),
        frozenset(("fold-laundry/IMG 02, cam2.mp4", "fold-laundry/zz second cut.mp4")),
    }
    split = assign_subsets(table, tmp_path / "more")
    assert split.groupby("group")["subset"].nunique().max() == 1
    for column in ("first", "second"):
        table["subset"] = "train"
        table.loc[pairs[column][0], "subset"] = "test"
        with pytest.raises(ValueError, match="1 shared .fold-laundry/IMG 02, cam2.mp4"):
            check_leakage(table[table["subset"] == "train"], table[table["subset"] == "test"])


def test_a_given_split_that_separates_cuts_is_refused(clips, tmp_path):
    shutil.copytree(clips, tmp_path / "data")
    film(tmp_path / "data" / "Making tea" / "cut.mp4", 1, shade=CLASSES["Making tea"], start=7)
    rows = [
        f'"{path}",{path.parent.name},{"test" if "6" in path.name or path.name == "cut.mp4" else "train"}'
        for path in sorted((tmp_path / "data").rglob("*.*"))
    ]
    table = write_table(tmp_path / "t.csv", rows, "path,label,subset")
    with pytest.warns(UserWarning, match="looks alike"), pytest.raises(ValueError, match="1 shared .Making tea/Take1"):
        prepare_videos(table)


def test_pixels_tell_what_names_hide(clips, tmp_path):
    shutil.copytree(clips, tmp_path / "data")
    film(tmp_path / "data" / "Making tea" / "other, cam9.mp4", 1, shade=CLASSES["Making tea"], start=7)
    table = list_quietly(tmp_path / "data", group_pattern=r"cam(\d)")
    test = table["group_name"] == "9"
    assert check_leakage(table[~test], table[test]) == []
    assert check_leakage(table[~test], table[test], pixels=True, allow=True) == ["9"]
    with pytest.raises(ValueError, match="1 shared .9."):
        check_leakage(table[~test], table[test], pixels=True)


def test_black_frames_do_not_look_alike(tmp_path):
    black = [np.zeros((48, 64, 3), np.uint8)] * 12
    (tmp_path / "a").mkdir()
    for number in (1, 2):
        write_mpeg4(tmp_path / "a" / f"{number}.avi", 12, frames=black[: 10 + number])
    assert len(find_near_duplicates(list_quietly(tmp_path), progress=False)) == 0


def test_splits_that_are_drawn_test_every_video_once(clips):
    tables = [assign_subsets(list_quietly(clips, group_pattern=r"cam\d"), clips, split=number) for number in (1, 2, 3)]
    tested = pd.concat([table[table["subset"] == "test"] for table in tables])
    assert sorted(tested["name"]) == sorted(tables[0]["name"])
    for table in tables:
        assert table.groupby("group")["subset"].nunique().max() == 1  # whole groups
        assert set(table["subset"]) == {"train", "validation", "test"} and table.attrs["split"] in (1, 2, 3)
        assert table.groupby(["subset", "class_name"]).size().unstack().notna().all(axis=None)
    assert set(assign_subsets(tables[0], clips, split=2)["subset"][tables[1]["subset"] == "test"]) == {"test"}


NAMES = st.sampled_from(["a", "b", "c"])


@settings(max_examples=60, deadline=None)
@given(data=st.data(), seed=st.integers(0, 99), split=st.integers(1, 3), validates=st.booleans())
def test_any_split_that_is_drawn_is_clean_and_drawn_by_its_seed_alone(data, seed, split, validates):
    rows = data.draw(st.lists(st.tuples(NAMES, st.integers(1, 9)), min_size=6, max_size=60))
    table = pd.DataFrame(rows, columns=["class_name", "group"])
    table["name"], table["group_name"] = (
        [f"{name}/{n}.mp4" for n, (name, _) in enumerate(rows)],
        table["group"].astype(str),
    )
    order = data.draw(st.permutations(range(len(table))))
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Few videos test")
        options = {"split": split, "split_seed": seed, "validation_groups": 4 * validates}
        try:
            drawn = assign_subsets(table, folder, **options)
        except ValueError as error:
            assert "Expected" in str(error) and "Received" in str(error)
            return
        again = assign_subsets(table.iloc[order], folder, **options)
    assert len(drawn) == len(table) and split_hash(drawn) == split_hash(again)
    assert drawn.groupby("group")["subset"].nunique().max() == 1
    for subset in ("train", "test"):
        assert set(drawn.loc[drawn["subset"] == subset, "class_name"]) == set(table["class_name"])
    assert ("validation" in set(drawn["subset"])) == validates


def test_a_seed_draws_another_split_and_a_small_class_validates_too(tmp_path):
    rows = [("large", group) for group in range(1, 17)] + [("small", group) for group in range(17, 20)]
    table = pd.DataFrame(rows, columns=["class_name", "group"])
    table["group_name"] = table["group"].astype(str)
    table["name"] = table["class_name"] + "/" + table["group_name"]
    drawn = [assign_subsets(table, tmp_path, split_seed=seed) for seed in range(5)]
    assert len({split_hash(each) for each in drawn}) > 1
    for each in drawn:
        assert each[each["class_name"] == "small"].groupby("subset").size().to_dict() == dict.fromkeys(
            each["subset"], 1
        )


def test_a_split_is_written_and_read_again(clips, tmp_path):
    first = prepare_videos(clips, group_pattern=r"cam\d")
    for place in (tmp_path / "elsewhere.csv", clips / "inside.csv"):
        again = prepare_videos(write_labels(first, place), split=2, split_seed=5)
        pd.testing.assert_frame_equal(again[[*first]], first)
    assert (clips / "inside.csv").read_text().splitlines()[1].startswith('"Making tea/')
    (clips / "inside.csv").unlink()
    whole = prepare_videos(tmp_path / "elsewhere.csv", validation_groups=0)
    assert set(whole["subset"]) == {"train", "test"} and split_hash(whole) != split_hash(first)


def test_where_none_is_for_test_what_validates_tests(clips, tmp_path):
    rows = [
        f'"{path}",{path.parent.name},{path.stem[-1]},{"val" if "5" in path.stem[-1] else "train"}'
        for path in sorted(clips.rglob("*cam*"))
    ]
    table = prepare_videos(write_table(tmp_path / "t.csv", rows, "path,label,group,split"))
    assert set(table.loc[table["subset"] == "test", "group_name"]) == {"5"}
    assert set(table["subset"]) == {"train", "validation", "test"}


@pytest.mark.parametrize(
    ("keep", "options", "match"),
    [
        ("*/*cam*", {"group_pattern": "cam"}, "Expected 3 groups .recordings. or more of a class.*'Making tea': 1"),
        ("*/*cam[12]*", {}, "Expected 3 groups"),
        ("Making*/*", {}, "Expected two classes or more.*Received: {'Making tea': {'train'"),
        ("nothing", {}, "Expected videos of some classes .*Received: none in .*which holds Making tea .0."),
        ("*/*", {"classes": ("making tea",)}, "Expected videos of making tea .*Received: none in .*Making tea .6."),
    ],
)
def test_too_little_is_told(clips, tmp_path, keep, options, match):
    for path in clips.rglob("*cam*"):
        (tmp_path / "data" / path.parent.name).mkdir(parents=True, exist_ok=True)
        if path in clips.glob(keep):
            shutil.copy(path, tmp_path / "data" / path.parent.name)
    with pytest.raises(ValueError, match=match):
        prepare_videos(tmp_path / "data", **options)


def test_three_clips_in_a_class_are_enough_and_said_to_be_few(clips, tmp_path):
    for path in clips.rglob("*cam[1-3]*"):
        (tmp_path / "data" / path.parent.name).mkdir(parents=True, exist_ok=True)
        shutil.copy(path, tmp_path / "data" / path.parent.name)
    with pytest.warns(UserWarning, match="Few videos test: Making tea 1, fold-laundry 1, 空手 1. Read the interval"):
        warnings.simplefilter("always")
        table = prepare_videos(tmp_path / "data")
    assert table.groupby("class_name")["subset"].nunique().tolist() == [3, 3, 3]


def test_labels_that_contradict_are_refused(clips, tmp_path):
    shutil.copytree(clips / "Making tea", tmp_path / "case" / "Making tea")
    shutil.copytree(clips / "fold-laundry", tmp_path / "case" / "making Tea")
    with pytest.raises(ValueError, match="Received: Making tea and making Tea, which differ in case"):
        list_quietly(tmp_path / "case")
    shutil.copytree(clips, tmp_path / "twice")
    shutil.copy(next((clips / "Making tea").iterdir()), tmp_path / "twice" / "fold-laundry" / "copy.mp4")
    with pytest.raises(ValueError, match="one a video. Received: .*Making tea/.*, one file"):
        list_quietly(tmp_path / "twice")


def test_mixed_rates_and_shapes_are_told(clips, tmp_path):
    from actlib.video import write_video

    shutil.copytree(clips, tmp_path / "data")
    noise = np.random.default_rng(0).integers(0, 255, (10, 64, 48, 3)).astype(np.uint8)
    write_video(tmp_path / "data" / "Making tea" / "upright.mp4", noise, fps=60)
    with pytest.warns(UserWarning, match="25 to 60 frames a second, and are 0.75 to 1.33 times as wide as high"):
        list_quietly(tmp_path / "data")


def test_names_like_ucf101_s_without_lists_are_split_by_their_groups(tmp_path):
    for name in ("Sit", "Stand"):
        for group in range(1, 7):
            film(tmp_path / "mine" / name / f"v_{name}_g{group:02d}_c01.avi", group, shade=60 * len(name))
    table = prepare_videos(tmp_path / "mine", validation_groups=1)
    assert set(table["subset"]) == {"train", "validation", "test"} and "group_name" not in table
    assert set(name_groups(table)) == {f"{name} g{number:02d}" for name in ("Sit", "Stand") for number in range(1, 7)}
    (tmp_path / "mine" / "Sit" / "holiday.avi").write_bytes((tmp_path / "mine/Sit/v_Sit_g01_c01.avi").read_bytes())
    with pytest.warns(UserWarning, match="looks alike"):
        assert len(list_quietly(tmp_path / "mine")) == 13  # a file with another name is not passed over


def actlib(*words, **settings):
    done = subprocess.run(
        [sys.executable, "-m", "actlib", *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {name: str(value) for name, value in settings.items()},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_from_a_folder_of_clips_to_a_film_on_the_command_line(clips, tmp_path):
    run, again, clip = tmp_path / "run", tmp_path / "again", next(clips.rglob("*cam3*"))
    words = ("--preset", "slim_frames", "--weights", "none", "--epochs", 2, "--set", "num_frames=8")
    actlib("train", "--data", clips, *words, "--out", run, "--group-pattern", r"cam(\d+)")
    assert "accuracy" in actlib("evaluate", "--run", run, ACTLIB_DATA=clips)
    record = json.loads((run / "results.json").read_text())
    assert record["classes"] == sorted(CLASSES) and record["video_accuracy"]["count"] == 6
    actlib("train", "--data", run / "split.csv", *words, "--out", again)
    actlib("evaluate", "--run", again, "--data", run / "split.csv")
    repeated = json.loads((again / "results.json").read_text())
    assert repeated["data"]["split_hash"] == record["data"]["split_hash"]
    assert repeated["predictions"] == record["predictions"]
    actlib("annotate", clip, "--checkpoint", run, "--out", tmp_path / "film.mp4", "--label", clip.parent.name)
    assert (tmp_path / "film.mp4").stat().st_size


@needs_real
def test_groups_of_one_broadcast_are_found_in_ucf101_s_own_split():
    table = list_quietly(REAL, classes=("BasketballDunk", "HorseRace"))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*not in the table")
        table = assign_subsets(table, REAL)
    test = table["subset"] == "test"
    assert check_leakage(table[~test], table[test]) == []
    assert check_leakage(table[~test], table[test], pixels=True, allow=True) == ["BasketballDunk g01"]
