"""Lessons as readers meet them: opened, links followed, run from top to bottom, clicked where they invite to."""

import platform
import posixpath
import re
import shutil
from pathlib import Path

import nbformat
import pytest
import requests
from screens import read_count, read_picture, wait_until

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = ROOT / "notebooks"


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


@pytest.fixture
def project(lab):
    """The project as `make lab` serves it: the folder of the lessons and all that they may link to."""
    place = lab["root"] / "project"
    for name in ("notebooks", "assets", "docs"):
        shutil.copytree(ROOT / name, place / name, dirs_exist_ok=True)
    for name in ("README.md", "data/README.md", "pretrained/README.md"):
        (place / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, place / name)
    return place


def test_every_link_of_every_lesson_is_served(lab, project):
    found = 0
    for lesson in sorted((project / "notebooks").glob("*.ipynb")):
        prose = "\n".join(cell.source for cell in nbformat.read(lesson, 4).cells if cell.cell_type == "markdown")
        for target in re.findall(r"\]\(([^)#\s]+)\)", prose):
            if not target.startswith("http"):
                path = posixpath.normpath(f"project/notebooks/{target}")
                answer = requests.get(f"{lab['url']}/files/{path}", params={"token": lab["token"]}, timeout=60)
                assert answer.status_code == 200, f"{lesson.name}: {target}"
                found += 1
    assert found > 40


def test_a_lesson_opens_saved_and_its_links_are_clicked(lab, project, browser):
    lesson = project / "notebooks" / "01_explore_ucf101.ipynb"
    found = nbformat.read(lesson, 4)
    found.metadata.language_info.version = platform.python_version()  # which JupyterLab would write into it
    nbformat.write(found, lesson)
    page = browser.new_page()
    page.set_default_timeout(120_000)
    page.goto(f"{lab['url']}/lab/tree/project/notebooks/01_explore_ucf101.ipynb?token={lab['token']}&reset")
    page.wait_for_function("() => window.jupyterapp?.shell.currentWidget?.context?.isReady")
    page.wait_for_function(KERNEL_READY)
    assert not page.evaluate("() => window.jupyterapp.shell.currentWidget.context.model.dirty")
    for name in ("Contents", "← previous"):
        page.get_by_role("link", name=name).first.click()
        opened = {"Contents": "project/README.md", "← previous": "project/notebooks/00_start_here.ipynb"}[name]
        wait_until(page, opened, lambda: page.evaluate(OPEN_PATHS), lambda paths, path=opened: path in paths)
        page.evaluate("() => window.jupyterapp.shell.activateById([...window.jupyterapp.shell.widgets('main')][0].id)")
    page.close()


KERNEL_READY = (
    """() => window.jupyterapp.shell.currentWidget.context.sessionContext.session?.kernel?.status === 'idle'"""
)
OPEN_PATHS = """() => [...window.jupyterapp.shell.widgets('main')].map(widget => widget.context?.path)"""
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
