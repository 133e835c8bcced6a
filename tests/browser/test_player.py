"""ClipPlayer in JupyterLab: frames that can be counted, keys, traits, themes, errors, memory."""

import json
import time

from screens import PICTURES, list_nameless, read_count, read_frame, wait_until

SETUP = """
import os, numpy as np, time
from pathlib import Path
from actlib.timeline import Timeline
from actlib.widgets import ClipPlayer
folder = Path(os.environ["ACTLIB_TEST_VIDEOS"])
video = folder / "SitDown/v_SitDown_g01_c01.avi"
"""
PLAYER = "player = ClipPlayer(video)\nplayer"
PREDICTED = """
at = np.arange(0, 50, 4)
names = ("SitDown", "StandUp", "Wave")
up = np.linspace(.1, .9, len(at))
said = Timeline((at + .5) / 25, np.stack([1 - up, up * .8, up * .2], axis=1), names)
calm = Timeline((at + .5) / 25, np.stack([.7 + 0 * up, .2 + 0 * up, .1 + 0 * up], axis=1), names)
row = dict(path=str(video), name="SitDown/v_SitDown_g01_c01.avi", class_name="SitDown", label=0, group=1, part="test")
player = ClipPlayer(row, timeline={"frame average": said, "LRCN": calm})
player
"""
TRAITS = "print(player.frame, player.playing, player.speed, player.loop, player.size)"


def open_player(open_notebook, *cells, **options):
    notebook = open_notebook([SETUP, *cells], **options)
    notebook.run_all()
    player = notebook.widget("player").first
    player.wait_for()
    notebook.page.wait_for_function("() => document.querySelector('.actlib-player video')?.readyState >= 2")
    return notebook, player


def test_plays_and_steps_exactly(open_notebook, videos):
    notebook, player = open_player(open_notebook, PLAYER, TRAITS)
    page = notebook.page
    assert wait_until(page, lambda: read_frame(player), 0) == 0
    player.get_by_role("button", name="Play (space)").click()
    assert wait_until(page, lambda: read_frame(player), lambda number: number > 5) > 5
    player.get_by_role("button", name="Pause (space)").click()
    page.wait_for_timeout(300)
    start = read_frame(player)
    assert read_count(player) == start
    for by, name in ((1, "One frame forward (→)"), (1, "One frame forward (→)"), (-1, "One frame back (←)")):
        start += by
        player.get_by_role("button", name=name).click()
        assert wait_until(page, lambda: read_frame(player), start) == start
        assert read_count(player) == start
    page.wait_for_timeout(400)
    assert notebook.say(2).split()[0] == str(start)


def test_kernel_leads_and_follows(open_notebook, videos):
    lead = "player.frame = 31; player.speed = 0.5; player.loop = True; player.size = 'small'"
    notebook, player = open_player(
        open_notebook, PLAYER, lead, TRAITS, "player.playing = True", "player.playing = False"
    )
    page = notebook.page
    assert wait_until(page, lambda: read_frame(player), 31) == 31
    assert player.get_by_label("Speed (").input_value() == "0.5"
    assert player.get_by_role("button", name="Loop").get_attribute("aria-pressed") == "true"
    assert "small" in player.locator(".actlib-stage").get_attribute("class")
    notebook.run_cell(4)
    assert wait_until(page, lambda: read_frame(player), lambda number: number > 33) > 33
    notebook.run_cell(5)
    wait_until(page, lambda: "Play" in player.locator(".main").get_attribute("aria-label"), True)
    page.wait_for_timeout(400)
    frame, playing, speed, loop, size = notebook.say(3).split()
    assert int(frame) == read_frame(player) == read_count(player)
    assert (playing, speed, loop, size) == ("False", "0.5", "True", "small")


def test_keys(open_notebook, videos):
    notebook, player = open_player(open_notebook, PLAYER, TRAITS)
    page, keys = notebook.page, notebook.page.keyboard
    player.locator(".actlib-stage").focus()
    for key, frame in (
        ("End", 49),
        ("ArrowLeft", 48),
        ("Home", 0),
        ("ArrowRight", 1),
        ("ArrowUp", 11),
        ("ArrowDown", 1),
    ):
        keys.press(key)
        assert wait_until(page, lambda: read_frame(player), frame) == frame, key
    for key, speed in (("]", "1.5"), ("]", "2"), ("]", "2"), ("[", "1.5"), ("[", "1"), ("[", "0.75")):
        keys.press(key)
        assert player.get_by_label("Speed (").input_value() == speed
    keys.press(" ")
    assert wait_until(page, lambda: read_frame(player), lambda number: number > 4) > 4
    keys.press(" ")
    assert wait_until(page, lambda: "Play" in player.locator(".main").get_attribute("aria-label"), True)
    page.wait_for_timeout(400)
    assert notebook.say(2).split()[1:3] == ["False", "0.75"]


def test_timeline_follows_and_leads(open_notebook, videos):
    notebook, player = open_player(open_notebook, PREDICTED)
    page, plot = notebook.page, player.locator(".plot").first
    plot.scroll_into_view_if_needed()
    plot.click(position={"x": plot.bounding_box()["width"] * 0.8, "y": 30})
    shown = wait_until(page, lambda: read_frame(player), lambda number: 38 <= number <= 40)
    assert 38 <= shown <= 40 and shown == read_count(player)
    left = float(player.locator(".playhead").first.evaluate("head => head.style.left").rstrip("%"))
    assert abs(left - 100 * shown / 49) < 0.5
    first = player.locator(".actlib-timeline").first
    assert first.locator(".actlib-verdict").inner_text() == "✓ SitDown 0.50"
    assert first.locator(".actlib-bar.true .number").inner_text() == "0.23"  # 1 - up at the step nearest to frame 39


def test_no_message_a_frame(open_notebook, videos):
    notebook, player = open_player(open_notebook, PLAYER, "player.loop = True; player.playing = True")
    sent = []
    notebook.page.evaluate(COUNT_MESSAGES)
    wait_until(notebook.page, lambda: read_frame(player), lambda number: number > 2)
    notebook.page.evaluate("() => { window.sentMessages = 0; }")
    seen = {read_frame(player) for _ in range(40) if not notebook.page.wait_for_timeout(50)}
    sent = notebook.page.evaluate("() => window.sentMessages")
    assert len(seen) > 3
    assert sent <= 1


def test_markup_in_names_stays_text(open_notebook, lab, videos):
    evil = "<img src=x onerror=window.hacked=1>"
    (lab["home"] / "videos").joinpath("evil").mkdir(exist_ok=True)
    cell = f"""
import shutil
evil = {evil!r}
trap = Path("trap") / evil / f"v_{{evil}}_g01_c01.avi"
trap.parent.mkdir(parents=True, exist_ok=True)
shutil.copy(video, trap)
from actlib.dataset.ucf101 import list_videos
from actlib.widgets import ClipBrowser, ConfusionExplorer
from actlib.evaluation import evaluate
videos = list_videos("trap", progress=False)
results = evaluate(np.ones((1, 4, 2)), np.zeros(1, int), videos, classes=(evil, evil + "2"), num_bootstrap=5)
line = Timeline(np.array([.1, 1.]), np.array([[.4, .6], [.6, .4]]), (evil, evil + "2"))
from IPython.display import display
display(ClipPlayer(videos.iloc[0], timeline={{evil: line}}))
display(ClipBrowser(videos), ConfusionExplorer({{evil: results}}, videos, cell=[0, 0]))
"""
    notebook = open_notebook([SETUP, cell], height=2200)
    notebook.run_all()
    for kind in ("player", "browser", "confusion"):
        shown = notebook.widget(kind)
        shown.wait_for()
        assert wait_until(notebook.page, lambda root=shown: read_frame(root), 0) == 0
        assert evil in shown.inner_text()
        assert shown.locator("img").count() == 0
    assert notebook.page.evaluate("() => window.hacked") is None


def test_says_why_a_clip_cannot_be_played(open_notebook, videos):
    cells = ["Path('text.avi').write_text('no video')", "ClipPlayer('text.avi')", "ClipPlayer('missing.avi')"]
    notebook = open_notebook([SETUP, *cells])
    notebook.run_all()
    players = notebook.widget("player")
    players.nth(1).wait_for()
    assert "Expected a video. Received: text.avi" in players.nth(0).locator(".note").inner_text()
    assert "missing.avi" in players.nth(1).locator(".note").inner_text()
    notebook.picture("player-problem")


def test_50_reruns_release_their_memory(open_notebook, videos):
    notebook, player = open_player(open_notebook, PREDICTED, COUNT)
    page = notebook.page

    def measure():
        page.wait_for_timeout(500)
        page.evaluate("() => window.gc && window.gc()")
        widgets, resident = map(int, notebook.say(2).split())
        heap = page.evaluate("() => performance.memory.usedJSHeapSize")
        return widgets, resident, heap, page.evaluate("() => window.openBlobs.size")

    def rerun(times):
        for _ in range(times):
            notebook.run_cell(1)
            page.wait_for_function("() => document.querySelector('.actlib-player video')?.readyState >= 2")

    rerun(10)  # until caches are warm
    before = measure()
    start = time.perf_counter()
    rerun(50)
    seconds = (time.perf_counter() - start) / 50
    PICTURES.joinpath("times.json").write_text(
        json.dumps({"seconds from running a cell to its first picture": seconds})
    )
    after = measure()
    assert after[0] == before[0]
    assert after[3] == before[3] <= 2
    assert page.locator(".actlib-player").count() == 1
    assert after[1] - before[1] < 25 * 2**20, (before, after)
    assert after[2] - before[2] < 25 * 2**20, (before, after)


COUNT = """
import gc, psutil
from ipywidgets.widgets.widget import _instances
_ = gc.collect()
print(len(_instances), psutil.Process().memory_info().rss)
"""
COUNT_MESSAGES = """() => {
    window.sentMessages = 0;
    const kernel = window.jupyterapp.shell.currentWidget.context.sessionContext.session.kernel;
    kernel.anyMessage.connect((_, message) => { if (message.direction === 'send') window.sentMessages++; });
}"""


def test_looks(open_notebook, videos):
    notebook, player = open_player(open_notebook, PREDICTED)
    assert list_nameless(player) == []
    player.get_by_role("button", name="One frame forward (→)").click()
    notebook.pictures("player")
