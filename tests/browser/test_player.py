"""ClipPlayer in JupyterLab: frames that can be counted, keys, traits, themes, errors, memory."""

from screens import read_count, read_frame, wait_until

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


def test_looks(open_notebook, videos):
    for theme, width in (("JupyterLab Light", 1280), ("JupyterLab Dark", 1280), ("JupyterLab Light", 620)):
        notebook, player = open_player(open_notebook, PREDICTED, theme=theme, width=width)
        player.get_by_role("button", name="One frame forward (→)").click()
        notebook.page.wait_for_timeout(300)
        notebook.picture(f"player-{theme.split()[1].lower()}-{width}")
