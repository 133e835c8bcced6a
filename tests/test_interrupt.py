"""Run All in a notebook: an interrupt while a cell trains keeps the checkpoint, and no later cell runs."""

import pytest
from jupyter_client.manager import start_new_kernel

TRAIN = """
import time
from types import SimpleNamespace
import tiny_training

def on_batch(done, total, loss):
    if done == 8:  # in the third epoch of five
        print("eight batches", flush=True)
        {then}

monitor = SimpleNamespace(stop=False, on_batch=on_batch, on_epoch=lambda row: None)
tiny_training.send_at_batch = lambda *_: monitor
_ = tiny_training.train("run", framework="torch")
"""
LATER = "open('later', 'w').close()"


@pytest.fixture
def kernel(tmp_path, monkeypatch, request):
    """A client of a kernel that works in an empty folder."""
    monkeypatch.setenv("PYTHONPATH", f"{request.config.rootpath}:{request.config.rootpath / 'tests'}")
    manager, client = start_new_kernel(cwd=str(tmp_path), extra_arguments=["--log-level=ERROR"])
    yield manager, client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def run_all(client, cells):
    """Queues all cells, as Run All does, and waits until the first of them trains; the cells' message ids."""
    asked, printed = [client.execute(cell) for cell in cells], ""
    while "eight batches" not in printed:
        message = client.get_iopub_msg(timeout=120)
        assert message["msg_type"] != "error", message["content"]
        printed += message["content"].get("text", "")
    return asked


def read_replies(client, asked):
    replies = {}
    while not replies.keys() >= set(asked):
        message = client.get_shell_msg(timeout=120)
        replies[message["parent_header"]["msg_id"]] = message["content"]
    return [replies[cell] for cell in asked]


def test_an_interrupt_keeps_the_checkpoint_and_ends_run_all(kernel, tmp_path):
    manager, client = kernel
    asked = run_all(client, [TRAIN.format(then="time.sleep(60)"), LATER])
    manager.interrupt_kernel()
    trained, later = read_replies(client, asked)
    assert trained["ename"] == "KeyboardInterrupt" and later["status"] == "aborted"
    assert (tmp_path / "run" / "best.safetensors").exists() and not (tmp_path / "later").exists()


def test_the_monitors_stop_ends_a_training_and_run_all_goes_on(kernel, tmp_path):
    _, client = kernel
    trained, later = read_replies(client, run_all(client, [TRAIN.format(then="monitor.stop = True"), LATER]))
    assert trained["status"] == later["status"] == "ok"
    assert (tmp_path / "run" / "best.safetensors").exists() and (tmp_path / "later").exists()
