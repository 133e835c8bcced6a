"""ClipLabeller without a browser: what it writes and keeps, what it refuses, and how it goes on."""

import itertools
import os

import numpy as np
import pandas as pd
import pytest

from actlib.dataset import cut_clips, list_videos
from actlib.video import write_video
from actlib.widgets import ClipLabeller

WHOLE = ["", ""]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Four clips, one in a folder within."""
    monkeypatch.setenv("ACTLIB_CACHE", str(tmp_path / "cache"))
    for number, name in enumerate(("a.avi", "b.avi", "c, d.avi", "sub/é.avi")):
        frames = np.random.default_rng(number).integers(0, 255, (30, 48, 64, 3), np.uint8)
        write_video(tmp_path / "films" / name, frames, fps=25, codec="mpeg4")
    (tmp_path / "films" / ".hidden.avi").write_bytes(b"")
    (tmp_path / "films" / "notes.txt").write_text("no video")
    return tmp_path / "films"


@pytest.fixture
def press():
    """`press(labeller, row, label, span)` asks as a browser does; returns the problem, or None."""
    numbers = itertools.count()

    def ask(labeller, row, label, span=WHOLE):
        sent = []
        labeller.send = lambda content, buffers=None: sent.append(content)
        detail = {"row": row, "label": label, "span": span}
        labeller._handle_custom_msg({"kind": "label", "request": f"{next(numbers)}", **detail}, [])
        return sent[0].get("problem")

    return ask


def test_each_press_is_in_the_table_and_a_new_labeller_goes_on(folder, press):
    table = folder.parent / "labels.csv"
    labeller = ClipLabeller(folder, table, ["walk", "run"])
    assert labeller.files == ["a.avi", "b.avi", "c, d.avi", "sub/é.avi"] and not table.exists() and labeller.row == 0
    assert press(labeller, 0, "walk") is None
    assert table.read_text() == "path,label,start,end\nfilms/a.avi,walk,,\n"
    press(labeller, 2, "run", ["0.200", "0.800"])
    press(labeller, 2, "walk", ["0.800", ""])
    press(labeller, 0, "run")  # corrected
    press(labeller, 2, "run", ["0.800", ""])
    press(labeller, 2, None, ["0.200", "0.800"])
    press(labeller, 3, None)  # nothing to remove
    written = 'path,label,start,end\nfilms/a.avi,run,,\n"films/c, d.avi",run,0.800,\n'
    assert table.read_text() == written
    assert labeller.labels == [[0, "run", "", ""], [2, "run", "0.800", ""]]
    assert repr(labeller) == "ClipLabeller: 2 of 4 videos labelled, walk 0, run 2"
    again = ClipLabeller(folder, table, ["walk"])
    assert (again.row, again.classes, again.labels) == (1, ["walk", "run"], labeller.labels)
    assert table.read_text() == written
    assert ClipLabeller(folder, table, row=3).row == 3


def test_what_else_a_table_holds_stays(folder, press):
    table = folder / "mine.csv"
    lines = [
        "Path; Label ;note;note;Subset;group",
        "a.avi;walk;good;1;train;Ann",
        "/else/x.avi;jump;;2;test;Bob",
        ";;;;;",
    ]
    table.write_text("\n".join(lines) + "\n", encoding="utf-8-sig")
    labeller = ClipLabeller(folder, table, ["walk"])
    assert labeller.labels == [[0, "walk", "", ""]] and labeller.row == 1
    press(labeller, 0, "walk", ["0.5", "1"])
    with open(table, "a", encoding="utf-8") as file:  # by somebody else
        file.write("b.avi;walk;late;3;train;;;\n")
    press(labeller, 3, "walk")
    assert table.read_bytes().startswith(b"\xef\xbb\xbfPath; Label ;note;note;Subset;group;start;end\n")
    assert table.read_text("utf-8-sig").splitlines()[1:] == [
        *(f"{line};;" for line in lines[1:]),
        "a.avi;walk;;;train;Ann;0.5;1",
        "b.avi;walk;late;3;train;;;",
        "sub/é.avi;walk;;;;;;",
    ]


def test_lines_without_a_label_are_to_be_done(folder, press):
    table = folder / "todo.csv"
    table.write_text("path,label\nb.avi,\na.avi,\n")
    labeller = ClipLabeller(folder, table, ["walk"])
    assert labeller.labels == [] and labeller.row == 0
    press(labeller, 1, "walk")
    assert table.read_text() == "path,label,start,end\nb.avi,walk,,\na.avi,,,\n"


@pytest.mark.parametrize(
    ("row", "label", "span"),
    [(9, "walk", WHOLE), ("0", "walk", WHOLE), (0, "jump", WHOLE), (0, 1, WHOLE), (0, "walk", ["1", "0.5"])]
    + [(0, "walk", span) for span in (["x", ""], ["-1", "1"], ["nan", "1"], ["1"], None, ["", "", ""], [0, {}], 5)],
)
def test_what_is_no_label_is_not_written(folder, press, row, label, span):
    labeller = ClipLabeller(folder, folder / "t.csv", ["walk"])
    assert press(labeller, row, label, span) and labeller.labels == [] and not (folder / "t.csv").exists()


def test_a_label_that_cannot_be_written_is_not_shown(folder, press, monkeypatch):
    labeller = ClipLabeller(folder, folder / "t.csv", ["walk"])
    press(labeller, 0, "walk")
    before = (folder / "t.csv").read_bytes()

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    assert "Expected room for t.csv" in press(labeller, 1, "walk")
    assert labeller.labels == [[0, "walk", "", ""]] and (folder / "t.csv").read_bytes() == before


def test_what_cannot_be_labelled_is_told(folder):
    with pytest.raises(ValueError, match=r"Expected videos and classes. Received: 4 in .*films, \[\]. Name"):
        ClipLabeller(folder, folder / "t.csv")
    (folder / "empty").mkdir()
    with pytest.raises(ValueError, match="Received: 0 in"):
        ClipLabeller(folder / "empty", folder / "t.csv", ["walk"])
    (folder / "bad.csv").write_text("file,class\na.avi,walk\n")
    with pytest.raises(
        ValueError, match=r"Expected columns path and label. Received: \['file', 'class'\], in .*bad.csv"
    ):
        ClipLabeller(folder, folder / "bad.csv", ["walk"])


def test_the_still_shows_videos_with_their_labels(folder, press):
    labeller = ClipLabeller(folder, folder / "t.csv", ["walk", "run"])
    press(labeller, 1, "walk", ["0", "0.5"])
    press(labeller, 1, "run", ["0.5", "1"])
    (figure,) = labeller.draw_still()
    assert figure.alt.endswith("(4): no label, walk, run, no label, no label")
    data, _ = labeller._repr_mimebundle_()
    assert data["text/plain"] == "ClipLabeller: 1 of 4 videos labelled, walk 1, run 1" and data["image/png"]


def test_what_was_labelled_is_cut_and_listed(folder, press):
    labeller = ClipLabeller(folder, folder / "t.csv", ["walk", "run"])
    for row, label, span in ((0, "walk", ["0.000", "0.520"]), (0, "run", ["0.520", "1.200"]), (1, "run", WHOLE)):
        assert press(labeller, row, label, span) is None
    listed = list_videos(cut_clips(folder / "t.csv", folder / "cut"), progress=False)
    assert sorted(zip(listed["class_name"], listed["frames"], listed["group_name"], strict=True)) == [
        ("run", 17, "a.avi"),
        ("run", 30, "b.avi"),
        ("walk", 13, "a.avi"),
    ]
    assert [*pd.read_csv(folder / "cut" / "clips.csv")["path"]][2].endswith("b.avi")
