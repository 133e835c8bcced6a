"""ClipBrowser in JupyterLab: filters, thumbnails, choice, and a table as long as UCF-101's."""

from screens import list_nameless, read_frame, wait_until

SETUP = """
import os, warnings
from actlib.dataset.ucf101 import list_videos
from actlib.widgets import ClipBrowser
videos = list_videos(os.environ["ACTLIB_TEST_VIDEOS"], progress=False)
videos["subset"] = ["test" if group == 1 else "train" for group in videos["group"]]
"""
BROWSER = "browser = ClipBrowser(videos)\nbrowser"
LONG = """
import pandas as pd
long = pd.concat([videos] * 1110, ignore_index=True)
long.attrs = videos.attrs
long["name"] = [f"{name.split('/')[0]}/v_{i:05}.avi" for i, name in enumerate(long["name"])]
browser = ClipBrowser(long)
browser
"""
LOADED = "() => document.querySelector('.actlib-browser video')?.readyState >= 2"


def open_browser(open_notebook, *cells, **options):
    notebook = open_notebook([SETUP, *cells], **options)
    notebook.run_all()
    browser = notebook.widget("browser").first
    browser.wait_for()
    notebook.page.wait_for_function(LOADED)
    return notebook, browser


def test_filters_choose_and_play(open_notebook, videos):
    notebook, browser = open_browser(open_notebook, BROWSER, "print(browser.selected, browser.filters)")
    page = notebook.page
    assert browser.locator(".counts .soft").inner_text() == "12 videos"
    wait_until(page, browser.locator(".actlib-thumbnail.ready").count, 12)
    assert browser.locator(".actlib-thumbnail.ready").count() == 12
    browser.get_by_label("Class").select_option("Wave")
    browser.get_by_label("Split").select_option("train")
    assert browser.locator(".counts .soft").inner_text() == "2 of 12 videos"
    browser.get_by_label("Search names").fill("c02")
    assert browser.locator(".counts .soft").inner_text() == "1 of 12 videos"
    browser.locator(".cell").click()
    assert wait_until(page, lambda: read_frame(browser), lambda number: number > 3) > 3
    assert browser.locator(".head strong").inner_text() == "Wave"
    assert "Wave/v_Wave_g02_c02.avi" in notebook.say(2)
    browser.get_by_role("button", name="Clear filters").click()
    assert browser.locator(".counts .soft").inner_text() == "12 videos"


def test_looks(open_notebook, videos):
    notebook, browser = open_browser(open_notebook, BROWSER)
    assert list_nameless(browser) == []
    wait_until(notebook.page, browser.locator(".actlib-thumbnail.ready").count, 12)
    notebook.pictures("browser")


def test_13320_rows(open_notebook, videos):
    notebook, browser = open_browser(
        open_notebook, LONG, "browser.selected = 'SitDown/v_13311.avi'; print(browser.selected)"
    )
    page, grid = notebook.page, browser.locator(".actlib-grid")
    assert browser.locator(".counts .soft").inner_text() == "13,320 videos"
    for at in (0.2, 0.9, 0.5, 1.0):
        grid.evaluate("(grid, at) => { grid.scrollTop = at * grid.scrollHeight; }", at)
        page.wait_for_timeout(100)
        assert browser.locator(".cell").count() < 60
    shown = browser.locator(".actlib-thumbnail.ready").count
    assert wait_until(page, shown, lambda count: count >= 6) >= 6
    assert "v_13319" in browser.locator(".cell").last.get_attribute("title")
    notebook.say(2)
    assert wait_until(page, lambda: browser.locator(".cell[aria-selected=true]").count(), 1) == 1
