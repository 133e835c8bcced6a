"""SamplingExplorer in JupyterLab: rules, T and stride, the frames they take, on the strip and in the player."""

from screens import list_nameless, read_count, read_frame, wait_until

SETUP = """
import os
from pathlib import Path
from actlib.widgets import SamplingExplorer
video = Path(os.environ["ACTLIB_TEST_VIDEOS"]) / "Wave/v_Wave_g01_c02.avi"
"""
EXPLORER = "explorer = SamplingExplorer(video)\nexplorer"


def open_explorer(open_notebook, *cells, **options):
    notebook = open_notebook([SETUP, *cells], **options)
    notebook.run_all()
    explorer = notebook.widget("sampling").first
    explorer.wait_for()
    wait_until(notebook.page, "the taken frames", explorer.locator(".tile").count, lambda count: count > 0)
    return notebook, explorer


def test_rules_take_frames(open_notebook, videos):
    notebook, explorer = open_explorer(
        open_notebook, EXPLORER, "print(explorer.rule, len(explorer.taken), len(explorer.taken[0]))"
    )
    page, tiles = notebook.page, explorer.locator(".tile")
    assert tiles.count() == 16
    assert [tile.get_attribute("data-frame") for tile in tiles.all()[:3]] == ["1", "5", "9"]
    tiles.nth(2).evaluate("tile => tile.scrollIntoView({block: 'center'})")  # not below the status bar
    tiles.nth(2).click()
    wait_until(page, "frame 9", lambda: read_frame(explorer), 9)
    assert read_count(explorer) == 9
    explorer.get_by_role("button", name="Sliding windows").click()
    wait_until(page, "7 windows", explorer.locator(".lane").count, 7)
    explorer.get_by_label("Stride between windows").fill("16")
    wait_until(page, "4 windows", explorer.locator(".lane").count, 4)
    explorer.locator(".lane").nth(1).click()
    wait_until(page, "the second window", lambda: tiles.first.get_attribute("data-frame"), "16")
    assert [tile.get_attribute("data-frame") for tile in tiles.all()[:2]] == ["16", "17"]
    explorer.locator(".film").click(position={"x": 2, "y": 10})
    wait_until(page, "frame 0", lambda: read_frame(explorer), 0)
    assert notebook.say(2).strip() == "windows 4 16"


def test_looks(open_notebook, videos):
    notebook, explorer = open_explorer(open_notebook, "SamplingExplorer(video, rule='windows')")
    assert list_nameless(explorer) == []
    wait_until(notebook.page, "the clip", lambda: read_frame(explorer), 0)
    notebook.pictures("sampling")
