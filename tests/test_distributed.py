"""Two processes under torchrun train as one does; one that is killed is started again; a folder has one training."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tiny_parallel
import torch
from bright_and_dark import write_data

from actlib import files, paths, run
from actlib.torch import distributed, training

ROOT = Path(__file__).resolve().parent.parent
SETTINGS = {"GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1", "KERAS_BACKEND": "torch", "PYTHONPATH": str(ROOT)}
SETTINGS["CUDA_VISIBLE_DEVICES"] = ""  # two processes and perhaps one GPU


def start(*command, **environment):
    """Run a program with Python; return what it wrote."""
    done = subprocess.run(
        [sys.executable, *map(str, command)], cwd=ROOT, env={**os.environ, **SETTINGS, **environment},
        capture_output=True, text=True, timeout=280,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def launch(*command, restarts=0, **environment):
    """Run a program in two processes."""
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", 2, "--max-restarts", restarts)
    return start(*launcher, *command, **environment)


def assert_equal(folder, weights, history, *, ranks=(0, 1)):
    written = json.loads((folder / "history.json").read_text())
    for column in set(history) - {"seconds"}:
        np.testing.assert_allclose(written[column], history[column], rtol=1e-5, err_msg=column)
    for rank in ranks:
        with np.load(f"{folder}-{rank}.npz") as found:
            for name, array in weights.items():
                np.testing.assert_allclose(found[name], array, atol=1e-5, err_msg=name)


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """(weights, history) of one process."""
    return tiny_parallel.train(tmp_path_factory.mktemp("alone"), "torch")


@pytest.mark.parametrize("framework", ["torch", "keras"])
def test_two_processes_train_as_one_and_the_first_alone_writes(tmp_path, framework, alone):
    folder = tmp_path / "run"
    code, _, error = launch("tests/tiny_parallel.py", folder, framework)
    assert code == 0, error[-3000:]
    assert_equal(folder, *alone)
    events = [path.parent.name for path in folder.rglob("events*")]
    assert sorted(events) == ["train", "validation"]
    for threads in tmp_path.glob("*.threads"):
        assert "gloo" not in threads.read_text()  # one that outlives the interpreter can abort it


@pytest.mark.parametrize(("framework", "rank"), [("torch", 0), ("keras", 1)])
def test_a_killed_process_is_started_again_and_training_ends_the_same(tmp_path, framework, rank, alone):
    folder = tmp_path / "run"
    code, _, error = launch("tests/tiny_parallel.py", folder, framework, rank, restarts=1)
    assert code == 0 and (tmp_path / "run-killed").exists(), error[-3000:]
    assert_equal(folder, *alone)


def test_the_command_line_trains_in_two_processes_and_one_speaks(tmp_path):
    data, cache = write_data(tmp_path / "data"), {"ACTLIB_CACHE": str(tmp_path / "cache")}
    words = ["--data", data, "--preset", "slim_frames", "--weights", "none", "--epochs", 1, "--out", tmp_path / "run"]
    code, said, error = launch("-m", "actlib", "train", *words, **cache)
    assert code == 0, error[-3000:]
    assert said.count("The best checkpoint is") == said.count(f"Next: {paths.console_script()} evaluate") == 1
    assert len(json.loads((tmp_path / "run" / "history.json").read_text())["epoch"]) == 1


def test_a_process_without_a_gpu_of_its_own_is_told_so(monkeypatch):
    for name, value in {"RANK": "1", "LOCAL_RANK": "1", "WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(ValueError, match="Expected a GPU for each process. Received: 1 GPUs, and a process 2."):
        distributed.join_processes()


def test_a_second_training_in_the_same_folder_says_so(tmp_path):
    model = training.build_model(tiny_parallel.LRCN, 3)
    with (
        files.lock(tmp_path / "state.safetensors"),
        pytest.raises(RuntimeError, match="in which a process trains"),
    ):
        training.train(model, *tiny_parallel.make_batches(), tiny_parallel.TRAINING, run=tmp_path)
    assert not (tmp_path / "best.safetensors").exists()
    with run.hold_folder(tmp_path), run.hold_folder(None):
        pass


def test_keras_on_tensorflow_says_what_it_wants_of_torchrun(tmp_path):
    code = "from actlib.keras import distributed; distributed.join_processes()"
    returned, _, error = start("-c", code, KERAS_BACKEND="tensorflow", WORLD_SIZE="2", RANK="0")
    assert returned == 1 and "Set KERAS_BACKEND=torch" in error.splitlines()[-1]


MIRRORED = """
import sys
sys.path.insert(0, "tests")
import numpy as np, pytest, tensorflow as tf, tiny_parallel
from dataclasses import replace
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
alone = tf.distribute.get_strategy()
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
assert strategy.num_replicas_in_sync == 2
for changes in ({"clip_norm": 0.5}, {"accumulation_steps": 2}):
    tiny_parallel.TRAINING = replace(tiny_parallel.TRAINING, **{"clip_norm": None, "accumulation_steps": 1} | changes)
    with strategy.scope(), pytest.raises(ValueError, match="Expected clip_norm=None and accumulation_steps=1"):
        tiny_parallel.train(None, "keras")
tiny_parallel.TRAINING = replace(tiny_parallel.TRAINING, clip_norm=None, accumulation_steps=1)
found = []
for each in (alone, strategy):
    with each.scope():
        found.append(tiny_parallel.train(None, "keras"))
(weights, history), (mirrored, together) = found
for name in weights:
    np.testing.assert_allclose(mirrored[name], weights[name], atol=1e-5, err_msg=name)
for column in set(history) - {"seconds"}:
    np.testing.assert_allclose(together[column], history[column], rtol=1e-5, err_msg=column)
"""


def test_keras_on_tensorflow_trains_in_a_strategy_of_the_caller_as_without():
    """Two logical CPUs; without oneDNN, which TensorFlow 2.21 applies to the second of them wrongly."""
    code, _, error = start("-c", MIRRORED, KERAS_BACKEND="tensorflow", TF_ENABLE_ONEDNN_OPTS="0")
    assert code == 0, error[-3000:]
