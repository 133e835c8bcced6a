"""ClipBrowser in JupyterLab: filters, thumbnails, choice, and a table as long as UCF-101's."""

from screens import list_nameless, read_frame, wait_until

SETUP = """
import os
from actlib.dataset import list_videos
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


def open_browser(open_notebook, *cells, **options):
    notebook = open_notebook([SETUP, *cells], **options)
    notebook.run_all()
    browser = notebook.widget("browser").first
    browser.wait_for()
    wait_until(notebook.page, "the first clip", lambda: read_frame(browser), 0)
    return notebook, browser


def wait_for_thumbnails(notebook, browser, expected):
    wait_until(notebook.page, "thumbnails", browser.locator(".actlib-thumbnail.ready").count, expected)


def test_filters_choose_and_play(open_notebook, videos):
    notebook, browser = open_browser(open_notebook, BROWSER, "print(browser.selected, browser.filters)")
    count = browser.locator(".counts .soft")
    assert count.inner_text() == "12 videos"
    wait_for_thumbnails(notebook, browser, 12)
    browser.get_by_label("Class").select_option("Wave")
    browser.get_by_label("Split").select_option("train")
    assert count.inner_text() == "2 of 12 videos"
    browser.get_by_label("Search names").fill("c02")
    assert count.inner_text() == "1 of 12 videos"
    browser.locator(".cell").click()
    wait_until(notebook.page, "the clip to play", lambda: read_frame(browser), lambda number: number > 3)
    assert browser.locator(".head strong").inner_text() == "Wave"
    kernel = "Wave/v_Wave_g02_c02.avi in the kernel"
    wait_until(notebook.page, kernel, lambda: notebook.say(2), lambda text: "Wave/v_Wave_g02_c02.avi" in text)
    browser.get_by_label("Search names").fill("nobody")
    assert count.inner_text() == "None of 12 videos fits: loosen a filter"
    browser.get_by_role("button", name="Clear filters").click()
    assert count.inner_text() == "12 videos"


def test_looks(open_notebook, videos):
    notebook, browser = open_browser(open_notebook, BROWSER)
    assert list_nameless(browser) == []
    wait_for_thumbnails(notebook, browser, 12)
    notebook.pictures("browser")


def test_13320_rows(open_notebook, videos):
    cell = "browser.selected = 'SitDown/v_13311.avi'; print(browser.selected)"
    notebook, browser = open_browser(open_notebook, LONG, cell)
    page, grid, cells = notebook.page, browser.locator(".actlib-grid"), browser.locator(".cell")
    assert browser.locator(".counts .soft").inner_text() == "13,320 videos"
    last = lambda: int(cells.last.get_attribute("title")[-9:-4])  # noqa: E731
    for share in (0.2, 0.9, 0.5, 1.0):
        grid.evaluate("(grid, share) => { grid.scrollTop = share * grid.scrollHeight; }", share)
        wait_until(page, f"a card near {share}", last, lambda row, share=share: abs(row - share * 13_320) < 100)
        assert cells.count() < 60
    assert last() == 13_319
    wait_for_thumbnails(notebook, browser, lambda count: count >= 6)
    notebook.say(2)
    wait_until(page, "the chosen card", browser.locator(".cell[aria-selected=true]").count, 1)
