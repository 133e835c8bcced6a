"""ClipPlayer in JupyterLab: frames that can be counted, keys, traits, themes, errors, memory."""

from screens import list_nameless, read_count, read_frame, wait_until

SETUP = """
import os, numpy as np
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
rising = Timeline((at + .5) / 25, np.stack([1 - up, up * .8, up * .2], axis=1), names, np.array([.2, .7, .1]))
calm = Timeline((at + .5) / 25, np.stack([.7 + 0 * up, .2 + 0 * up, .1 + 0 * up], axis=1), names)
row = dict(path=str(video), name="SitDown/v_SitDown_g01_c01.avi", class_name="SitDown", label=0, group=1, part="test")
player = ClipPlayer(row, timeline={"frame average": rising, "LRCN": calm})
player
"""
TRAITS = "print(player.frame, player.playing, player.speed, player.loop, player.size)"


def open_player(open_notebook, *cells, **options):
    notebook = open_notebook([SETUP, *cells], **options)
    notebook.run_all()
    player = notebook.widget("player").first
    player.wait_for()
    wait_until(notebook.page, "the clip", lambda: read_frame(player), lambda number: number >= 0)
    return notebook, player


def wait_for_frame(notebook, player, expected):
    what = "a frame further on" if callable(expected) else f"frame {expected}"
    return wait_until(notebook.page, what, lambda: read_frame(player), expected)


def wait_for_pause(notebook, player):
    label = player.locator(".main").get_attribute
    wait_until(notebook.page, "the Play button", lambda: label("aria-label"), "Play (space)")


def wait_for_traits(notebook, cell, *expected):
    """Waits until the kernel prints these first traits."""
    read = lambda: notebook.say(cell).split()[: len(expected)]  # noqa: E731
    wait_until(notebook.page, "the traits in the kernel", read, [str(value) for value in expected])


def test_plays_and_steps_exactly(open_notebook, videos):
    notebook, player = open_player(open_notebook, PLAYER, TRAITS)
    wait_for_frame(notebook, player, 0)
    player.get_by_role("button", name="Play (space)").click()
    wait_for_frame(notebook, player, lambda number: number > 5)
    player.get_by_role("button", name="Pause (space)").click()
    wait_for_pause(notebook, player)
    difference = lambda: read_frame(player) - read_count(player)  # noqa: E731
    wait_until(notebook.page, "the picture of the counted frame", difference, 0)
    start = read_count(player)
    for by, name in ((1, "One frame forward (→)"), (1, "One frame forward (→)"), (-1, "One frame back (←)")):
        start += by
        player.get_by_role("button", name=name).click()
        wait_for_frame(notebook, player, start)
        assert read_count(player) == start
    wait_for_traits(notebook, 2, start, False)


def test_kernel_leads_and_follows(open_notebook, videos):
    lead = "player.frame = 31; player.speed = 0.5; player.loop = True; player.size = 'small'"
    play, pause = "player.playing = True", "player.playing = False"
    notebook, player = open_player(open_notebook, PLAYER, TRAITS, play, pause, lead)  # all run, the last one last
    wait_for_frame(notebook, player, 31)
    assert player.get_by_label("Speed (").input_value() == "0.5"
    assert player.get_by_role("button", name="Loop").get_attribute("aria-pressed") == "true"
    assert "small" in player.locator(".actlib-stage").get_attribute("class")
    notebook.run_cell(3)
    wait_for_frame(notebook, player, lambda number: number > 33)
    notebook.run_cell(4)
    wait_for_pause(notebook, player)
    wait_until(notebook.page, "the frame in the kernel", lambda: int(notebook.say(2).split()[0]), lambda at: at > 33)
    frame = read_count(player)
    wait_for_frame(notebook, player, frame)
    wait_for_traits(notebook, 2, frame, False, 0.5, True, "small")


def test_keys(open_notebook, videos):
    notebook, player = open_player(open_notebook, PLAYER, TRAITS)
    keys = notebook.page.keyboard
    player.locator(".actlib-stage").focus()
    steps = ("End", 49), ("ArrowLeft", 48), ("Home", 0), ("ArrowRight", 1), ("ArrowUp", 11), ("ArrowDown", 1)
    for key, frame in steps:
        keys.press(key)
        wait_for_frame(notebook, player, frame)
    for key, speed in (("]", "1.5"), ("]", "2"), ("]", "2"), ("[", "1.5"), ("[", "1"), ("[", "0.75")):
        keys.press(key)
        assert player.get_by_label("Speed (").input_value() == speed
    keys.press(" ")
    wait_for_frame(notebook, player, lambda number: number > 4)
    keys.press(" ")
    wait_for_pause(notebook, player)
    wait_for_traits(notebook, 2, read_count(player), False, 0.75)


def test_timeline_follows_and_leads(open_notebook, videos):
    notebook, player = open_player(open_notebook, PREDICTED)
    plot = player.locator(".actlib-plot").first
    plot.scroll_into_view_if_needed()
    plot.click(position={"x": plot.bounding_box()["width"] * 0.8, "y": 30})
    shown = wait_for_frame(notebook, player, lambda number: 38 <= number <= 40)
    assert shown == read_count(player)
    left = float(player.locator(".mark").first.evaluate("mark => mark.style.left").rstrip("%"))
    assert abs(left - 100 * shown / 49) < 0.5
    first = player.locator(".actlib-timeline").first
    assert first.locator(".actlib-verdict").inner_text() == "✗ StandUp 0.70"  # the read-out's, not the mean's
    assert first.locator(".actlib-bar.true .numbers").inner_text() == "0.23"  # 1 - up at the step nearest to frame 39


def test_flow_plays_and_steps_beside_the_frames(open_notebook, videos):
    traits = "print(player.view, player.frame)"
    lead = "player.view = 'flow' if player.frame else 'frames'"  # it also runs at the start
    notebook, player = open_player(open_notebook, PLAYER, traits, lead)
    for _ in range(3):
        player.get_by_role("button", name="One frame forward (→)").click()
    wait_for_frame(notebook, player, 3)
    size = "video => [video.videoWidth, video.clientWidth / video.parentElement.clientWidth]"
    shape = lambda: [round(each, 1) for each in player.locator("video").evaluate(size)]  # noqa: E731
    assert shape() == [160, 1]
    player.get_by_label("View (").select_option("both")
    wait_until(notebook.page, "a picture twice as wide", shape, [320, 1])
    wait_for_frame(notebook, player, 3)  # it goes on where it was
    press = player.locator(".actlib-stage").press
    press("ArrowRight")
    wait_for_frame(notebook, player, 4)
    assert read_count(player) == 4
    notebook.pictures("player-flow")
    press(" ")
    wait_for_frame(notebook, player, lambda number: number > 8)
    press(" ")
    wait_for_pause(notebook, player)
    frame = read_count(player)
    wait_for_frame(notebook, player, frame)
    press("v")
    alone = "flow", [320, 2]
    wait_until(notebook.page, "flow alone", lambda: (player.get_by_label("View (").input_value(), shape()), alone)
    wait_for_traits(notebook, 2, "flow", frame)
    press("v")
    alone = "frames", [320, 2]
    wait_until(notebook.page, "frames alone", lambda: (player.get_by_label("View (").input_value(), shape()), alone)
    notebook.run_cell(3)
    wait_until(notebook.page, "the kernel's view", lambda: player.get_by_label("View (").input_value(), "flow")
    wait_for_frame(notebook, player, frame)


def test_no_message_a_frame(open_notebook, videos):
    notebook, player = open_player(open_notebook, PLAYER, "player.loop = True; player.playing = True")
    notebook.page.evaluate(COUNT_MESSAGES)
    wait_for_frame(notebook, player, lambda number: number > 2)
    notebook.page.evaluate("() => { window.sentMessages = 0; }")
    seen = set()
    wait_until(notebook.page, "10 frames", lambda: seen.add(read_frame(player)) or len(seen), lambda count: count > 9)
    assert notebook.page.evaluate("() => window.sentMessages") <= 1


def test_markup_in_names_stays_text(open_notebook, videos):
    evil = "<img src=x onerror=window.hacked=1>"
    cell = f"""
import shutil
evil = {evil!r}
trap = Path("trap") / evil / f"v_{{evil}}_g01_c01.avi"
trap.parent.mkdir(parents=True, exist_ok=True)
shutil.copy(video, trap)
from actlib.dataset import list_videos
from actlib.widgets import ClipBrowser, ConfusionExplorer
from actlib.evaluation import evaluate
videos = list_videos("trap", progress=False)
results = evaluate(np.ones((1, 4, 2)), np.zeros(1, int), videos, classes=(evil, evil + "2"))
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
        wait_for_frame(notebook, shown, 0)
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
        page.evaluate("() => window.gc && window.gc()")
        widgets, resident = map(int, notebook.say(2).split())
        heap = page.evaluate("() => performance.memory.usedJSHeapSize")
        return (widgets, page.evaluate("() => window.openBlobs.size")), resident, heap

    def rerun(times):
        for _ in range(times):
            notebook.run_cell(1)
            player = notebook.widget("player")
            wait_until(page, "the clip", lambda player=player: read_frame(player) if player.count() == 1 else None, 0)

    rerun(10)  # until caches are warm
    (widgets, blobs), resident, heap = measure()
    assert blobs == 2  # the poster and the clip
    rerun(50)
    last = wait_until(page, f"{widgets} widgets, {blobs} blobs", measure, lambda now: now[0] == (widgets, blobs))
    assert last[1] - resident < 25 * 2**20 and last[2] - heap < 25 * 2**20, (resident, heap, last)


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
    wait_for_frame(notebook, player, 1)
    notebook.pictures("player")
