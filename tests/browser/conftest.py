"""JupyterLab on 127.0.0.1 in headless Chromium: a server a session, a page a test, small notebooks made on the spot."""

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import numpy as np
import pytest
import requests
from screens import PICTURES, settle

from actlib.video import write_video

sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install 'actlib[dev]'")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ROOT = Path(__file__).resolve().parents[2]
QUIET = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking")
NO_UPDATES = ("--disable-component-update", "--disable-sync", "--enable-precise-memory-info", "--js-flags=--expose-gc")
HARMLESS = ("favicon", "ResizeObserver loop")  # of the browser and of JupyterLab, not of the widgets


# What a JupyterLab reader can set: no question about news, so that none lies over the page.
SETTINGS = {
    "apputils-extension/notification": {"checkForUpdates": False, "fetchNews": "false", "doNotDisturbMode": True},
    "apputils-extension/themes": {"theme": "JupyterLab Light"},
    "apputils-extension/kernels-settings": {},
}


def write_settings(folder, more=()):
    for name, values in {**SETTINGS, **dict(more)}.items():
        file = folder / "@jupyterlab" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(values))


def choose_runs(home):
    """Where lessons find trained models: what the tour left, or else a folder to train into."""
    toured = ROOT / "runs" / "tour" / "models"
    return toured if len(list(toured.glob("sample/torch_*/results.json"))) > 1 else home / "runs"


@pytest.fixture(scope="session")
def trained(lab):
    """The models that lesson 07 evaluates: those of the tour, or trained now by lessons 04 and 06."""
    if lab["runs"] == lab["home"] / "runs":
        code = "from tools import tour; print([tour.run_lesson(path)[1] for path in tour.list_lessons(['04', '06'])])"
        environment = {**os.environ, "ACTLIB_RUNS": str(lab["runs"]), "PYTHONPATH": str(ROOT)}
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
        assert "[None, None]" in done.stdout, done.stdout
    return lab["runs"]


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    """A JupyterLab server with a token on a port of its own: its address, token and folders."""
    home = tmp_path_factory.mktemp("lab")
    root, settings = home / "work", home / "settings"
    root.mkdir()
    write_settings(settings)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token = secrets.token_hex(16)
    folders = {f"JUPYTER_{name}_DIR": str(home / name.lower()) for name in ("CONFIG", "RUNTIME", "DATA")}
    lab_folders = {"JUPYTERLAB_SETTINGS_DIR": str(settings), "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces")}
    environment = {**os.environ, **folders, **lab_folders, "IPYTHONDIR": str(home / "ipython"), "OMP_NUM_THREADS": "2"}
    environment |= {
        "PYTHONPATH": str(ROOT),
        "ACTLIB_CACHE": str(home / "cache"),
        "ACTLIB_TEST_VIDEOS": str(home / "videos"),
        "ACTLIB_RUNS": str(choose_runs(home)),
    }
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}"]
    command += [
        f"--ServerApp.root_dir={root}",
        f"--IdentityProvider.token={token}",
        "--LabApp.expose_app_in_browser=True",
    ]
    with open(home / "log.txt", "w") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
    try:
        wait_for(f"http://127.0.0.1:{port}/api", server, home / "log.txt")
        yield {
            "url": f"http://127.0.0.1:{port}",
            "token": token,
            "root": root,
            "settings": settings,
            "home": home,
            "runs": choose_runs(home),
        }
    finally:
        server.terminate()
        server.wait(20)


def wait_for(url, server, log, seconds=180):
    """Waits until the server answers."""
    for _ in range(seconds * 4):
        if server.poll() is not None:
            pytest.fail(f"JupyterLab ended: {log.read_text()[-2000:]}")
        try:
            return requests.get(url, timeout=5)
        except requests.ConnectionError:
            time.sleep(0.25)
    pytest.fail(f"JupyterLab did not start within {seconds} s: {log.read_text()[-2000:]}")


@pytest.fixture(scope="session")
def browser():
    if CHROMIUM is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=[*QUIET, *NO_UPDATES])
        yield chromium
        chromium.close()


class Notebook:
    """One notebook, open in JupyterLab."""

    def __init__(self, page, errors):
        self.page, self.errors = page, errors

    def command(self, name, args=None):
        return self.page.evaluate(
            "([name, args]) => window.jupyterapp.commands.execute(name, args)", [name, args or {}]
        )

    def run_all(self, *, wait=True):
        """Runs all cells and waits for the last one."""
        if wait:
            self.command("notebook:run-all-cells")
        else:
            self.page.evaluate("() => void window.jupyterapp.commands.execute('notebook:run-all-cells')")

    def run_cell(self, number, *, wait=True):
        """Runs one code cell, counted from 0."""
        code = "n => { window.jupyterapp.shell.currentWidget.content.activeCellIndex = n; }"
        self.page.evaluate(code, number)
        start = "window.jupyterapp.commands.execute('notebook:run-cell')"
        self.page.evaluate(f"() => {start}" if wait else f"() => void {start}")

    def output(self, number):
        """Text of a cell's output."""
        code = """n => { const cell = window.jupyterapp.shell.currentWidget.model.cells.get(n);
            return JSON.stringify(cell.outputs.toJSON()); }"""
        return self.page.evaluate(code, number)

    def say(self, number):
        """Runs a cell and gives back what it printed."""
        self.run_cell(number)
        return "".join(each.get("text", "") for each in json.loads(self.output(number)))

    def widget(self, kind):
        return self.page.locator(f".actlib-{kind}")

    def picture(self, name, *, moving=False):
        """Keeps a screenshot in runs/browser/: once nothing moves, or at once where things go on moving."""
        PICTURES.mkdir(parents=True, exist_ok=True)
        (PICTURES / f"{name}.png").write_bytes(self.page.screenshot() if moving else settle(self.page))

    def pictures(self, name, *, height=1000):
        """Keeps screenshots of the page: light and dark, wide and narrow."""
        for theme, width in (("Light", 1280), ("Dark", 1280), ("Dark", 620), ("Light", 620)):
            self.command("apputils:change-theme", {"theme": f"JupyterLab {theme}"})
            self.page.set_viewport_size({"width": width, "height": height})
            self.page.wait_for_function(
                "light => document.body.dataset.jpThemeLight === light", arg=str(theme == "Light").lower()
            )
            self.page.wait_for_function(THEME_IS_THERE, arg=theme)
            self.picture(f"{name}-{theme.lower()}-{width}")


@pytest.fixture
def open_notebook(lab, browser):
    """`open_notebook(cells, height=1000, settings={})` writes a notebook of cells, or copies a file, and opens it."""
    opened = []

    def open_one(cells, *, height=1000, name="test", settings=()):
        write_settings(lab["settings"], settings)  # the last notebook may have changed them
        file = lab["root"] / f"{name}-{len(opened)}-{secrets.token_hex(3)}.ipynb"
        if isinstance(cells, Path):
            shutil.copy(cells, file)
        else:
            nodes = [nbformat.v4.new_code_cell(source) for source in cells]
            kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
            nbformat.write(nbformat.v4.new_notebook(cells=nodes, metadata=kernel), file)
        context = browser.new_context(viewport={"width": 1280, "height": height})
        context.set_default_timeout(120_000)  # for machines with much else to do
        page, errors = context.new_page(), []
        page.on("console", lambda message: message.type == "error" and errors.append(message.text))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.add_init_script(path=Path(__file__).with_name("count_blobs.js"))
        page.goto(f"{lab['url']}/doc/tree/{file.name}?token={lab['token']}&reset")
        page.wait_for_function("() => window.jupyterapp?.shell.currentWidget?.context?.isReady")
        page.wait_for_function(READY)
        opened.append((context, page, errors))
        return Notebook(page, errors)

    yield open_one
    for context, page, _ in opened:
        page.evaluate("() => window.jupyterapp.shell.currentWidget.context.sessionContext.shutdown()")
        context.close()
    errors = [error for *_, errors in opened for error in errors]
    assert not [error for error in errors if not any(word in error for word in HARMLESS)]


THEME_IS_THERE = """theme => { const style = getComputedStyle(document.body);
    return /^(white|#fff)/.test(style.getPropertyValue('--jp-layout-color1').trim()) === (theme === 'Light'); }"""
READY = """() => { const kernel = window.jupyterapp.shell.currentWidget.context.sessionContext.session?.kernel;
    return kernel?.connectionStatus === 'connected' && kernel.status === 'idle'; }"""


def draw_counter(number, *, height=120, width=160, shade=0):
    """A frame that tells its number: 8 squares, black or white, are its bits; the rest is a moving gradient."""
    frame = np.zeros((height, width, 3), np.uint8)
    frame[..., 0] = (np.arange(width) * 255 // width)[None]
    frame[..., 1] = shade
    frame[..., 2] = (np.arange(height) * 2)[:, None]
    for bit in range(8):
        frame[10:30, 8 + 18 * bit : 24 + 18 * bit] = 255 * (number >> bit & 1)
    frame[60:100, (number * 3) % (width - 20) :][:, :20] = (255, 210, 0)
    return frame


@pytest.fixture(scope="session")
def videos(lab):
    """A data set of 3 classes with 4 clips each, as XviD in AVI, every frame of which tells its own number."""
    folder = lab["home"] / "videos"
    for shade, name in enumerate(("SitDown", "StandUp", "Wave")):
        for group in (1, 2):
            for clip in (1, 2):
                file = folder / name / f"v_{name}_g{group:02}_c{clip:02}.avi"
                frames = [draw_counter(number, shade=90 * shade) for number in range(40 + 10 * clip)]
                write_video(file, frames, fps=25, codec="mpeg4")
    return folder
