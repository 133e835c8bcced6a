"""Labelled parts of recordings: cut into clips of just those frames, once, whole, and never over what is there."""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from actlib.__main__ import app
from actlib.dataset import cut_clips, cutting, list_videos
from actlib.experiment import prepare_videos
from actlib.video import VideoError, probe_video, read_clip, write_video

NUM_FRAMES, FPS = 50, 25
HEADER = "path,label,start,end"


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ACTLIB_CACHE", str(tmp_path / "cache"))
    warnings.filterwarnings("ignore", "Few videos test")


def film(path, place=0, *, fps=FPS):
    """A recording of 50 frames, of which each shows its number in bits, below a picture of its place."""
    frames = np.random.default_rng(place).integers(0, 255, (1, 6, 16, 1), np.uint8)
    frames = frames.repeat(4, 1).repeat(4, 2).repeat(NUM_FRAMES, 0).repeat(3, 3)
    bits = np.arange(NUM_FRAMES)[:, None] >> np.arange(8) & 1
    bits = (255 * bits).astype(np.uint8).repeat(8, 1)[:, None, :, None] * np.ones((1, 24, 1, 3), np.uint8)
    return write_video(path, np.concatenate([frames, bits], axis=1), fps=fps, codec="mpeg4")


def write_table(path, *rows, header=HEADER):
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def read_numbers(path):
    """The numbers that a clip's frames have in its recording."""
    bits = read_clip(path, range(probe_video(path).frames))[:, 28:44].reshape(-1, 16, 8, 8, 3).mean((1, 3, 4)) > 128
    return (bits << np.arange(8)).sum(1).tolist()


def list_cut(table, folder):
    return list_videos(cut_clips(table, folder, progress=False), progress=False)


def test_clips_show_just_what_was_labelled(tmp_path):
    film(tmp_path / "in" / "day 1.avi")
    film(tmp_path / "in" / "b" / "été.avi", 2)
    rows = (
        "day 1.avi,walk,0.4,0.8",
        "day 1.avi,run,1.2,",
        "day 1.avi,run,,0.12",
        "b/été.avi,walk,,",
        "day 1.avi,stand,,",
        "b/../day 1.avi,walk,0.6,1",
    )
    listed = list_cut(write_table(tmp_path / "in" / "t.csv", *rows), tmp_path / "out")
    whole = listed[listed["name"] == "walk/été.avi"].iloc[0]
    assert whole["path"] == str(tmp_path / "in" / "b" / "été.avi") and whole["group_name"] == "b/été.avi"
    cuts = listed.drop(whole.name)
    assert [(row.class_name, read_numbers(row.path)) for row in cuts.itertuples()] == [
        ("run", [0, 1, 2]),
        ("run", [*range(30, 50)]),
        ("stand", [*range(50)]),
        ("walk", [*range(10, 20)]),
        ("walk", [*range(15, 25)]),
    ]
    assert set(cuts["group_name"]) == {"day 1.avi"} and set(cuts["fps"]) == {25.0}


def test_a_group_that_is_given_stays_and_holds_for_the_whole_recording(tmp_path):
    for name in "ab":
        film(tmp_path / f"{name}.avi", ord(name))
    rows = ("a.avi,walk,0,1,,train", "a.avi,run,1,2,Ann,train", "b.avi,walk,0,1,,test", "b.avi,run,1,2,,test")
    listed = list_cut(write_table(tmp_path / "t.csv", *rows, header=f"{HEADER},group,split"), tmp_path / "out")
    found = {(row.class_name, row.group_name, row.subset) for row in listed.itertuples()}
    assert found == {(label, *end) for label in ("walk", "run") for end in (("Ann", "train"), ("b.avi", "test"))}


def test_what_is_cut_is_trained_on_with_recordings_whole(tmp_path):
    rows = []
    for number in range(6):
        film(tmp_path / f"{number}.avi", number)
        rows += [f"{number}.avi;walk;0;0,8", f"{number}.avi;run;1;1,8"]  # as a table calculation writes it in Europe
    table = prepare_videos(
        cut_clips(write_table(tmp_path / "t.csv", *rows, header="path;label;time_start;time_end"), tmp_path / "o")
    )
    assert len(table) == 12 and table.groupby("group_name")["subset"].nunique().eq(1).all()
    assert set(table["subset"]) == {"train", "validation", "test"} and set(table["frames"]) == {20}


def test_done_twice_nothing_is_cut_and_what_changed_is(tmp_path, monkeypatch):
    film(tmp_path / "a.avi")
    table = write_table(tmp_path / "t.csv", "a.avi,walk,0,1", "a.avi,run,1,2")
    made, write = [], cutting.write_video
    monkeypatch.setattr(cutting, "write_video", lambda *args, **options: made.append(write(*args, **options)))
    first = cut_clips(table, tmp_path / "out").read_bytes()
    assert len(made) == 2 and cut_clips(table, tmp_path / "out").read_bytes() == first and len(made) == 2
    write_table(table, "a.avi,walk,0,1", "a.avi,run,1,1.8")
    cut_clips(table, tmp_path / "out")
    assert len(made) == 3 and read_numbers(made[2]) == [*range(25, 45)]
    film(tmp_path / "a.avi", 7)  # another recording under its name
    listed = list_cut(table, tmp_path / "out")
    assert len(made) == 5 and {*listed["path"]} == {str(path) for path in made[3:]}


def test_recordings_are_read_once_each_where_parts_do_not_overlap(tmp_path, monkeypatch):
    film(tmp_path / "a.avi")
    begun, read = [], cutting.read_frames
    monkeypatch.setattr(cutting, "read_frames", lambda path, numbers: begun.append(numbers) or read(path, numbers))
    cut_clips(
        write_table(tmp_path / "t.csv", "a.avi,walk,1,2", "a.avi,run,0.2,0.8", "a.avi,run,0.8,1"), tmp_path / "out"
    )
    assert begun == [range(5, 50)]


WRONG = [
    "1,1",
    "1.5,1",
    "-1,1",
    "0,2.2",
    "nan,1",
    "0,nan",
    "x,1",
    "0:01,2",
    "1,1.04",
    "1.98,",
    "inf,",
    "0,inf",
    "3,",
    "1 s,2 s",
]


@pytest.mark.parametrize("span", WRONG)
def test_what_is_no_part_of_its_video_is_refused_by_its_line(tmp_path, span):
    film(tmp_path / "a.avi")
    table = write_table(tmp_path / "t.csv", "a.avi,walk,0,1", f"a.avi,run,{span}")
    start, end = span.split(",")
    with pytest.raises(ValueError) as caught:
        cut_clips(table, tmp_path / "out")
    assert f"Received: {start!r} to {end!r} of 2.00 s of a.avi, line 3 of {table}. Correct" in str(caught.value)
    assert not (tmp_path / "out").exists()


@settings(max_examples=40, deadline=None)
@given(st.floats(-1, 3), st.floats(-1, 3))
@example(0.5, 0.58)
@example(1.9, 2.04)
def test_any_part_is_its_frames_or_refused(tmp_path_factory, start, end):
    info = probe_video_once(tmp_path_factory)
    row = {"start": f"{start}", "end": f"{end}", "path": Path("a.avi")}
    try:
        first, stop = cutting._find_span(pd.Series(row, name=1), info, "t.csv")
        assert 0 <= first < stop - 1 <= info.frames - 1
        assert abs(first - start * FPS) <= 0.5 and abs(stop - end * FPS) <= 1
    except ValueError as error:
        assert "a.avi, line 2 of t.csv" in str(error)
        assert not (start >= 0 and start + 3 / FPS < end <= info.frames / FPS)


def probe_video_once(tmp_path_factory, made={}):  # noqa: B006
    if not made:
        made["info"] = probe_video(film(tmp_path_factory.mktemp("once") / "a.avi"))
    return made["info"]


def test_other_mistakes_are_told_too(tmp_path):
    film(tmp_path / "a.avi")
    (tmp_path / "b.avi").write_bytes(b"no video")
    table = write_table(tmp_path / "clips.csv", "a.avi,walk,0,1")
    before = table.read_bytes()
    with pytest.raises(ValueError, match="Expected another place than what is read. Received: .*clips.csv"):
        cut_clips(table, tmp_path)
    with pytest.raises(ValueError, match=r"Received: start or end in 1 of 1 lines of .*actlib cut .*clips.csv --out"):
        list_videos(table)
    assert table.read_bytes() == before
    with pytest.raises(VideoError, match=r"1 of 1 videos cannot be used(.|\n)*take their lines out of .*bad.csv"):
        cut_clips(write_table(tmp_path / "bad.csv", "b.avi,walk,0,1"), tmp_path / "out")
    with pytest.raises(ValueError, match="line 2.label ''"):
        cut_clips(write_table(tmp_path / "no.csv", "a.avi,,0,1"), tmp_path / "out")
    with pytest.raises(ValueError, match="a column twice, path, label, start, end, start"):
        cut_clips(
            write_table(tmp_path / "two.csv", "a.avi,walk,0,1,0", header=f"{HEADER},time_start"), tmp_path / "out"
        )
    assert not (tmp_path / "out").exists()


def test_stopped_half_way_there_is_no_half_clip(tmp_path, monkeypatch):
    film(tmp_path / "a.avi")
    table = write_table(tmp_path / "t.csv", "a.avi,walk,0,1", "a.avi,run,1,2")
    read = cutting.read_frames

    def stop_late(*args):
        for number, frame in enumerate(read(*args)):
            if number == 40:
                raise KeyboardInterrupt
            yield frame

    monkeypatch.setattr(cutting, "read_frames", stop_late)
    with pytest.raises(KeyboardInterrupt):
        cut_clips(table, tmp_path / "out")
    (clip,) = (tmp_path / "out").iterdir()
    assert read_numbers(clip) == [*range(25)]
    monkeypatch.setattr(cutting, "read_frames", read)
    assert len(list_cut(table, tmp_path / "out")) == 2


def test_the_command(tmp_path):
    film(tmp_path / "a.avi")
    table = write_table(tmp_path / "t.csv", "a.avi,walk,0,1", "a.avi,run,1,3")
    said = CliRunner().invoke(app, ["cut", str(table), "--out", str(tmp_path / "my clips")])
    assert (
        said.exit_code == 1
        and "'1' to '3' of 2.00 s of a.avi, line 3" in said.output
        and "Traceback" not in said.output
    )
    write_table(table, "a.avi,walk,0,1", "a.avi,run,1,2")
    said = CliRunner().invoke(app, ["cut", str(table), "--out", str(tmp_path / "my clips")])
    assert said.exit_code == 0 and f"train --data '{tmp_path}/my clips/clips.csv' --out runs/mine" in said.output
    written = pd.read_csv(tmp_path / "my clips" / "clips.csv")
    assert [*written] == ["path", "label", "group"] and not written["path"].str.contains("/").any()
