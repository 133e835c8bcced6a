"""TrainingMonitor in JupyterLab: curves while the cell runs, Stop that ends it, a player that plays meanwhile."""

import json
import shutil

import pytest
from screens import read_frame, wait_until

SETUP = """
import os, time
from pathlib import Path
import numpy as np
from actlib.widgets import ClipPlayer, TrainingMonitor
monitor = TrainingMonitor(title="a loop")
def loop(num_epochs, batches=10, wait=.02):
    for epoch in range(num_epochs):
        for batch in range(batches):
            time.sleep(wait)
            now = epoch + batch / batches
            loss = 2 * np.exp(-now / 6) + .1 * np.sin(7 * now)
            monitor.on_batch(epoch * batches + batch + 1, num_epochs * batches, loss)
            if monitor.stop:
                return epoch
        fall = 2 * np.exp(-epoch / 6)
        monitor.on_epoch({"epoch": epoch + 1, "loss": fall, "val_loss": fall + .02 * epoch, "accuracy": 1 - fall / 2.2,
                          "val_accuracy": .9 - fall / 2.5})
"""
TRAIN = """
from actlib.specs import FrameSpec, TrainSpec, VGGSpec
from actlib.{framework}.training import build_model, train
from actlib.dataset import ClipBatches
from actlib.video import make_sampler
rng = np.random.default_rng(0)
source, labels = rng.normal(size=(24, 4, 64)).astype(np.float16), np.arange(24) % 2
batches = ClipBatches(list(source), labels, make_sampler("uniform", 4), kind="features", batch_size=2, shuffle=True)
model = build_model(FrameSpec("tiny", VGGSpec("tiny", ((1, 4), (1, 4)), size=16), hidden=(8,)), 2)
spec = TrainSpec(num_epochs=100_000, patience=None, plateau_patience=None)
run = Path("run-{framework}")
history = train(model, batches, batches, spec, run=run, monitor=TrainingMonitor(title="{framework}"))
print("ended after", len(history["loss"]), "epochs; kept", sorted(path.name for path in run.glob("best*")))
"""
# A front end that sends a widget's messages to the busy thread: there, Stop interrupts the kernel, as ■ does.
DEAF = {"apputils-extension/kernels-settings": {"commsOverSubshells": "disabled"}}


def stop(notebook, monitor):
    monitor.get_by_role("button", name="Stop").click()
    wait_until(notebook.page, "the end of the training", monitor.locator(".state").inner_text, "Stopped")


def wait_for_output(notebook, expected):
    return wait_until(notebook.page, repr(expected), lambda: notebook.output(1), lambda text: expected in text)


def test_curves_grow_and_stop_ends_the_loop(open_notebook):
    notebook = open_notebook([SETUP, "print('ended at', loop(4000))"])
    notebook.run_all(wait=False)
    monitor = notebook.widget("monitor").first
    monitor.wait_for()
    epochs = monitor.locator("path.validation.dots")
    epochs.first.wait_for(state="attached")
    early = len(epochs.first.get_attribute("d"))
    length = lambda: len(epochs.first.get_attribute("d"))  # noqa: E731
    wait_until(notebook.page, "more epochs in the curve", length, lambda later: later > early + 30)
    assert "left" in monitor.locator(".row .numbers").inner_text()
    notebook.picture("monitor-running", moving=True)
    stop(notebook, monitor)
    text = wait_for_output(notebook, "TrainingMonitor: stopped")
    assert "ended at" in text
    assert "KeyboardInterrupt" not in text  # the message arrived while the cell ran; nothing had to be interrupted
    assert all("image/png" in output["data"] for output in json.loads(text) if "data" in output)


def test_a_clip_plays_while_a_model_trains(open_notebook, videos):
    play = 'ClipPlayer(Path(os.environ["ACTLIB_TEST_VIDEOS"]) / "Wave/v_Wave_g01_c01.avi")'
    notebook = open_notebook([SETUP, play, "print('ended at', loop(4000))"])
    notebook.run_all(wait=False)
    player = notebook.widget("player").first
    player.wait_for()
    notebook.page.wait_for_function("() => document.querySelector('.actlib-player video').readyState >= 2")
    player.get_by_role("button", name="Play (space)").click()
    wait_until(notebook.page, "the clip to play", lambda: read_frame(player), lambda number: number > 3)
    assert notebook.widget("monitor").locator(".state").inner_text() == "Training"
    stop(notebook, notebook.widget("monitor"))


def test_looks(open_notebook):
    notebook = open_notebook([SETUP, "loop(25, wait=.002)"])
    notebook.run_all()
    wait_until(notebook.page, "the end", notebook.widget("monitor").first.locator(".state").inner_text, "Finished")
    notebook.pictures("monitor")


@pytest.mark.parametrize("framework, settings", [("torch", {}), ("keras", {}), ("torch", DEAF)])
def test_stop_ends_a_training_with_a_checkpoint(open_notebook, lab, framework, settings):
    """Where Stop has to interrupt the kernel, the cell ends as after any interrupt, so that no later cell runs."""
    run = lab["root"] / f"run-{framework}"
    shutil.rmtree(run, ignore_errors=True)
    notebook = open_notebook([SETUP, TRAIN.format(framework=framework)], settings=settings)
    notebook.run_all(wait=False)
    monitor = notebook.widget("monitor").first
    monitor.wait_for()
    monitor.locator("path.validation.dots").first.wait_for(state="attached")
    stop(notebook, monitor)
    text = wait_for_output(notebook, "KeyboardInterrupt" if settings else "ended after")
    assert "Training stopped" in text and (run / "best.safetensors").exists()
