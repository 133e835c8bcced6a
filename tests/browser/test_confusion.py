"""ConfusionExplorer in JupyterLab: from a cell to its videos, from a video to its timeline; two models."""

from screens import list_nameless, read_frame, wait_until

SETUP = """
import os, numpy as np
from actlib.evaluation import evaluate
from actlib.dataset import list_videos
from actlib.widgets import ConfusionExplorer, build_timelines
videos = list_videos(os.environ["ACTLIB_TEST_VIDEOS"], progress=False)
classes = videos.attrs["classes"]
rng = np.random.default_rng(0)
labels = videos["label"].to_numpy()
clips = [(row, np.arange(8)) for row in range(len(videos))]
def guess(shift):
    predicted = np.eye(3)[(labels + shift) % 3][:, None]
    logits = rng.normal(0, .5, (len(videos), 8, 3)) + np.linspace(0, 3, 8)[None, :, None] * predicted
    results = evaluate(logits, np.arange(len(videos)), videos, classes=classes)
    return results, build_timelines(logits, clips, videos, classes=classes, readout="mean", num_frames=8)
frames, frame_lines = guess([0, 0, 0, 0, 1, 1, 0, 1, 0, 0, 0, 0])
lrcn, lrcn_lines = guess([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1])
"""
ONE = "explorer = ConfusionExplorer(frames, videos, timelines=frame_lines)\nexplorer"
TWO = """
explorer = ConfusionExplorer({"frame average": frames, "LRCN": lrcn}, videos,
                             timelines={"frame average": frame_lines, "LRCN": lrcn_lines})
explorer
"""
MANY = """
import pandas as pd
many = pd.concat([videos] * 60, ignore_index=True)
names = tuple(f"Activity{number:03}" for number in range(101))
many["label"] = np.arange(len(many)) % 101
many["class_name"] = [names[label] for label in many["label"]]
many["name"] = [f"{names[label]}/v_{number:04}.avi" for number, label in enumerate(many["label"])]
predicted = np.where(rng.random(len(many)) < .7, many["label"], rng.integers(0, 101, len(many)))
logits = rng.normal(0, .5, (len(many), 4, 101)) + 4 * np.eye(101)[predicted][:, None]
results = evaluate(logits, np.arange(len(many)), many, classes=names)
many.attrs = videos.attrs
explorer = ConfusionExplorer(results, many)
explorer
"""
STATE = "print(explorer.cell, explorer.selected)"


def open_explorer(open_notebook, *cells, **options):
    notebook = open_notebook([SETUP, *cells], **options)
    notebook.run_all()
    explorer = notebook.widget("confusion").first
    explorer.wait_for()
    wait_until(notebook.page, "the first list", explorer.locator(".cell").count, lambda count: count > 0)
    return notebook, explorer


def test_a_cell_lists_and_plays(open_notebook, videos):
    notebook, explorer = open_explorer(open_notebook, ONE, STATE)
    page = notebook.page
    cell = explorer.locator(".square", has_text="3")
    assert cell.get_attribute("aria-label") == "StandUp predicted as Wave: 3 of 4 videos"
    cell.click()
    heading = explorer.locator(".heading")
    assert heading.inner_text() == "StandUp predicted as Wave: 3 of 4 videos, worst first"
    assert explorer.locator(".cell").count() == 3
    sure = [float(text.split()[-1]) for text in explorer.locator(".cell .actlib-verdict").all_inner_texts()]
    assert len(sure) == 3 and sure == sorted(sure, reverse=True)
    explorer.locator(".cell").nth(1).click()
    wait_until(page, "the clip to play", lambda: read_frame(explorer), lambda number: number > 3)
    page.keyboard.press("Escape")
    file = explorer.locator(".cell").nth(1).locator(".name").inner_text()
    assert explorer.locator(".actlib-stage .file").inner_text() == file
    plot = explorer.locator(".actlib-plot")
    plot.scroll_into_view_if_needed()
    explorer.get_by_role("button", name="Pause (space)").click()
    plot.click(position={"x": plot.bounding_box()["width"] / 2, "y": 20})
    wait_until(page, "the middle frame", lambda: read_frame(explorer), lambda number: 20 < number < 31)
    told = notebook.say(2)
    assert told.startswith("[1, 2] StandUp/") and file in told


def test_two_models_where_they_differ(open_notebook, videos):
    notebook, explorer = open_explorer(open_notebook, TWO, STATE, height=1500)
    assert explorer.locator(".actlib-matrix").count() == 2
    assert explorer.get_by_role("button", name="Only LRCN correct (3)").get_attribute("aria-pressed") == "true"
    assert explorer.locator(".cell").count() == 3
    wait_until(notebook.page, "two timelines", explorer.locator(".actlib-timeline").count, 2)
    verdicts = [chip.get_attribute("class") for chip in explorer.locator(".actlib-timeline .actlib-verdict").all()]
    assert [verdict.split()[-1] for verdict in verdicts] == ["wrong", "correct"]
    notebook.pictures("confusion-two", height=1500)
    explorer.locator(".field").first.focus()
    for key in ("ArrowDown", "ArrowRight", "ArrowRight", "Enter"):
        notebook.page.keyboard.press(key)
    assert explorer.locator(".heading").inner_text().startswith("frame average: StandUp predicted as Wave: 3 of 4")


def test_101_classes(open_notebook, videos):
    notebook, explorer = open_explorer(open_notebook, MANY, height=1500)
    assert explorer.locator(".square").count() < 600  # only cells that hold something are drawn
    explorer.locator(".square.wrong").first.click()
    assert "predicted as" in explorer.locator(".heading").inner_text()
    wait_until(notebook.page, "the first clip", lambda: read_frame(explorer), 0)
    notebook.picture("confusion-101")


def test_looks(open_notebook, videos):
    notebook, explorer = open_explorer(open_notebook, ONE, height=1500)
    assert list_nameless(explorer) == []
    wait_until(notebook.page, "thumbnails", explorer.locator(".actlib-thumbnail.ready").count, 3)
    notebook.pictures("confusion", height=1500)
    assert explorer.locator(".cell").count() == 3  # all are back after every change of size
