"""The site that `make site` built, in Chromium: widgets play without a kernel, and nothing comes from elsewhere."""

import functools
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from screens import PICTURES, read_count, read_picture, settle, wait_until

SITE = Path(__file__).resolve().parents[2] / "runs" / "site" / "html"
pytestmark = pytest.mark.skipif(not (SITE / "index.html").exists(), reason="needs the site: make site")
LESSONS = sorted(path.stem for path in (SITE / "notebooks").glob("*.html"))
PAGES = ["index", "README", "docs/results", "api/video", "search", *(f"notebooks/{stem}" for stem in LESSONS)]


class Quiet(SimpleHTTPRequestHandler):
    """Hands out files, and says nothing."""

    def log_message(self, *_words):
        """Say nothing."""


@pytest.fixture(scope="module")
def address():
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(SITE)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def visit(browser, address):
    """`visit(page, width=1280, theme="light")` opens a page; nothing may fail or come from elsewhere."""
    opened, problems = [], []

    def open_one(page, *, width=1280, theme="light"):
        context = browser.new_context(viewport={"width": width, "height": 1000}, color_scheme=theme)
        context.set_default_timeout(60_000)
        tab = context.new_page()
        tab.on("console", lambda message: message.type == "error" and problems.append(message.text))
        tab.on("pageerror", lambda error: problems.append(str(error)))
        tab.on(
            "request",
            lambda request: request.url.startswith((address, "data:", "blob:")) or problems.append(request.url),
        )
        tab.goto(f"{address}/{page}.html")
        opened.append(context)
        return tab

    yield open_one
    for context in opened:
        context.close()
    assert problems == []


def find_widget(tab, kind):
    """Scrolls to the first live widget of a kind and waits until it is there."""
    tab.locator(f".actlib-live[data-widget$={kind}]").first.scroll_into_view_if_needed()
    widget = tab.locator(f".actlib-live[data-widget$={kind}] .actlib").first
    widget.wait_for()
    return widget


def play(tab, widget):
    """Plays the clip until another picture is there, then pauses."""
    first = wait_until(tab, "a picture", lambda: read_picture(widget), lambda picture: picture is not None)
    widget.locator(".actlib-stage").scroll_into_view_if_needed()
    if not widget.get_by_role("button", name="Pause (space)").count():
        widget.get_by_role("button", name="Play (space)").click()
    wait_until(tab, "another picture", lambda: read_picture(widget), lambda picture: picture != first)
    wait_until(tab, "frames to go by", lambda: read_count(widget), lambda count: count > 3)


def test_from_a_cell_of_the_matrix_to_its_video_and_the_curves(visit):
    tab = visit("index")
    explorer = find_widget(tab, "ConfusionExplorer")
    cards, bars = explorer.locator(".actlib-grid .cell"), explorer.locator(".actlib-bar .numbers")
    wait_until(tab, "the first list", cards.count, lambda count: count > 0)
    square, heading = explorer.locator(".square:not(:empty)").nth(1), explorer.locator(".heading")
    number, first = int(square.inner_text()), heading.inner_text()
    square.click()
    wait_until(
        tab, "the cell's videos", heading.inner_text, lambda text: text.endswith("worst first") and text != first
    )
    assert 0 < cards.count() <= number
    cards.first.click()
    wait_until(tab, "two timelines", explorer.locator(".actlib-timeline").count, 2)
    before = bars.all_inner_texts()
    play(tab, explorer)
    wait_until(tab, "the curves' numbers to change", bars.all_inner_texts, lambda texts: texts != before)
    mark = explorer.locator(".actlib-plot").first
    mark.click(position={"x": mark.bounding_box()["width"] / 2, "y": 20})
    last = int(explorer.locator(".scrub").get_attribute("max"))
    wait_until(tab, "the middle", lambda: read_count(explorer), lambda count: abs(count - last / 2) < 6)
    picture(tab, "site-explorer")


def test_the_browser_filters_and_plays(visit):
    tab = visit("notebooks/01_explore_ucf101")
    browser = find_widget(tab, "ClipBrowser")
    wait_until(tab, "thumbnails", browser.locator(".actlib-thumbnail.ready").count, lambda count: count > 3)
    browser.get_by_label("Search names").fill("Juggling g03")
    wait_until(
        tab, "few videos", lambda: browser.get_by_role("status").first.inner_text(), lambda text: " of 360" in text
    )
    browser.locator(".cell").first.click()
    wait_until(tab, "the video", lambda: browser.locator(".head strong").inner_text(), "Juggling")
    play(tab, browser)


def test_the_sampling_explorer_answers_without_a_kernel(visit):
    tab = visit("notebooks/02_from_video_to_batches")
    explorer = find_widget(tab, "SamplingExplorer")
    tiles = explorer.locator(".tile")
    wait_until(tab, "sixteen frames", tiles.count, 16)
    explorer.get_by_role("button", name="Sliding windows").click()
    wait_until(tab, "windows", explorer.locator(".lane").count, lambda count: count > 1)
    explorer.get_by_label("T, frames of a clip").fill("9")  # the nearest that was computed is 8
    wait_until(tab, "eight frames", tiles.count, 8)
    assert explorer.get_by_label("T, frames of a clip").input_value() == "8"
    explorer.get_by_role("button", name="Random per segment").click()
    wait_until(tab, "one clip", explorer.locator(".lane").count, 1)
    lane = explorer.locator(".lane").inner_html()
    explorer.get_by_role("button", name="Draw again").click()
    wait_until(tab, "other frames", explorer.locator(".lane").inner_html, lambda now: now != lane)
    tiles.nth(3).click()
    wait_until(tab, "the frame", lambda: read_count(explorer), lambda count: str(count) == read_tiles(tiles)[3])
    play(tab, explorer)


def read_tiles(tiles):
    return [tile.get_attribute("data-frame") for tile in tiles.all()]


@pytest.mark.parametrize("page", ["00_start_here", "07_how_good_is_it", "08_annotated_videos"])
def test_players_play(visit, page):
    tab = visit(f"notebooks/{page}")
    player = find_widget(tab, "ClipPlayer")
    play(tab, player)
    if page.startswith("08"):
        player.get_by_label("View").select_option("flow")
        wait_until(tab, "its flow", lambda: player.evaluate(WIDTHS), lambda widths: widths[0] == 2 * widths[1])


WIDTHS = "root => [root.querySelector('video').videoWidth, root.querySelector('video').videoHeight * 4 / 3]"


def test_widgets_follow_the_page_s_theme(visit):
    tab = visit("index", theme="dark")
    explorer = find_widget(tab, "ConfusionExplorer")
    ink = "each => getComputedStyle(each).color"
    dark = explorer.evaluate(ink)
    while tab.evaluate("() => document.body.dataset.theme") != "light":
        tab.locator(".theme-toggle:visible").first.click()
    wait_until(tab, "dark letters", lambda: explorer.evaluate(ink), lambda color: color != dark)


def test_search_finds_without_a_server_s_help(visit):
    tab = visit("index")
    tab.get_by_role("searchbox").or_(tab.get_by_placeholder("Search")).first.fill("occlusion")
    tab.keyboard.press("Enter")
    tab.locator("#search-results li a").first.wait_for()
    assert tab.locator("#search-results a", has_text="Looking inside").count()


@pytest.mark.parametrize("width, theme", [(1280, "light"), (420, "dark")])
def test_no_page_is_wider_than_the_screen(visit, width, theme):
    for page in PAGES:
        tab = visit(page, width=width, theme=theme)
        assert tab.evaluate("() => document.documentElement.scrollWidth - innerWidth") <= 0, page
        if page in ("index", "notebooks/07_how_good_is_it", "docs/results"):
            picture(tab, f"site-{page.rpartition('/')[2]}-{theme}-{width}")
        tab.close()


def picture(tab, name):
    """Keeps a screenshot in runs/browser/."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    (PICTURES / f"{name}.png").write_bytes(settle(tab))
