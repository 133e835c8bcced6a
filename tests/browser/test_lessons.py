"""Lessons 01, 02 and 07 as a reader meets them: opened, run from top to bottom, and clicked where they invite to."""

from pathlib import Path

import pytest
from screens import read_count, read_picture, wait_until

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"


@pytest.fixture
def open_lesson(open_notebook):
    """`open_lesson(number)` opens a lesson and runs all its cells; none may fail."""

    def open_one(number):
        found = sorted(NOTEBOOKS.glob(f"{number}_*.ipynb"))
        if not found:
            pytest.skip(f"lesson {number} is not there")
        notebook = open_notebook(found[0], name=f"lesson-{number}")
        notebook.run_all()
        assert not notebook.page.evaluate(FAILED_CELLS)
        return notebook

    return open_one


FAILED_CELLS = """() => [...window.jupyterapp.shell.currentWidget.model.cells]
    .flatMap(cell => cell.type === 'code' ? cell.outputs.toJSON() : [])
    .filter(output => output.output_type === 'error').map(output => output.evalue)"""


def show(notebook, kind):
    """Scrolls to the first widget of a kind, from which JupyterLab may have kept away so far."""
    code = """kind => { const cells = window.jupyterapp.shell.currentWidget.model.cells;
        return [...cells].findIndex(cell => cell.type === 'code' && cell.outputs.toJSON().some(output =>
            (output.data?.['text/plain'] ?? '').toString().startsWith(kind))); }"""
    number = notebook.page.evaluate(code, kind)
    assert number >= 0, f"the lesson shows no {kind}"
    notebook.page.evaluate(
        "async n => { await window.jupyterapp.shell.currentWidget.content.scrollToItem(n, 'start'); }", number
    )
    name = {"ClipBrowser": "browser", "SamplingExplorer": "sampling", "ConfusionExplorer": "confusion"}[kind]
    widget = notebook.widget(name).first
    widget.wait_for()
    widget.scroll_into_view_if_needed()
    return widget


def check_playing(page, widget):
    """Frames advance and the picture changes; then one step is exactly one frame."""
    first = wait_until(page, "a picture", lambda: read_picture(widget), lambda picture: picture is not None)
    stage = widget.locator(".actlib-stage")
    stage.scroll_into_view_if_needed()
    stage.get_by_role("button", name="Loop (L)").click()
    button = stage.locator(".main")

    def play():  # a clip that was chosen by a click may begin to play by itself meanwhile
        if "Play" in button.get_attribute("aria-label"):
            button.click()
        return read_count(widget)

    wait_until(page, "the clip to play", play, lambda count: count > 3)
    wait_until(page, "another picture", lambda: read_picture(widget), lambda picture: picture != first)
    stage.get_by_role("button", name="Pause (space)").click()
    stage.focus()
    page.keyboard.press("Home")
    for frame in (0, 1, 2):
        wait_until(page, f"frame {frame}", lambda: read_count(widget), frame)
        page.keyboard.press("ArrowRight")


def test_lesson_01_browses_and_plays(open_lesson):
    notebook = open_lesson("01")
    browser = show(notebook, "ClipBrowser")
    ready = browser.locator(".actlib-thumbnail.ready")
    wait_until(notebook.page, "thumbnails", ready.count, lambda count: count > 3)
    browser.locator(".cell").nth(2).click()
    check_playing(notebook.page, browser)
    notebook.picture("lesson-01")


def test_lesson_02_samples_and_plays(open_lesson):
    notebook = open_lesson("02")
    explorer = show(notebook, "SamplingExplorer")
    explorer.get_by_role("button", name="Sliding windows").click()
    wait_until(notebook.page, "windows", explorer.locator(".lane").count, lambda count: count > 1)
    check_playing(notebook.page, explorer)
    explorer.scroll_into_view_if_needed()
    notebook.picture("lesson-02")


def test_lesson_07_explores_mistakes(trained, open_lesson):
    notebook = open_lesson("07")
    page, explorer = notebook.page, show(notebook, "ConfusionExplorer")
    explorer.locator(".square:not(:empty)").first.click()
    explorer.locator(".actlib-grid .cell").first.click()
    check_playing(page, explorer)
    plot = explorer.locator(".actlib-plot").first
    plot.scroll_into_view_if_needed()
    last = int(explorer.locator(".scrub").get_attribute("max"))
    plot.click(position={"x": plot.bounding_box()["width"] / 2, "y": 20})
    wait_until(page, "the middle frame", lambda: read_count(explorer), lambda count: abs(count - last / 2) < 2)
    explorer.scroll_into_view_if_needed()
    notebook.picture("lesson-07")
