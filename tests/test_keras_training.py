"""Training in Keras, and what both twins promise: it goes on after a kill, stops when told, names the broken file."""

import functools
import gc
import importlib
import json
import os
import shutil
import signal
import subprocess
import sys
import warnings
import weakref
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tiny_training
import torch
from odd_batches import Numbers, fail, list_batches_of_fit
from tiny_training import FRAMES, LRCN, TRAINING, make_batches, make_videos, send_at_batch

from actlib import checkpoints, run, specs
from actlib.dataset import ClipBatches
from actlib.keras import dataset, trainer, training, weights
from actlib.run import hold_folder
from actlib.torch import training as torch_training
from actlib.torch import weights as torch_weights
from actlib.training import load_checkpoint
from actlib.video import make_sampler

import keras  # isort: skip (after actlib.keras, which keeps its start-up quiet)

ROOT = Path(__file__).resolve().parent.parent
EPOCHS_3_TO_5 = [100 * epoch + index for epoch in (3, 4, 5) for index in range(10)]
TWINS = pytest.mark.parametrize(
    "twin",
    [
        SimpleNamespace(name="keras", training=training, weights=weights),
        SimpleNamespace(name="torch", training=torch_training, weights=torch_weights),
    ],
    ids=["keras", "torch"],
)
SILENT = SimpleNamespace(stop=False, on_batch=lambda done, total, loss: None, on_epoch=lambda record: None)


@pytest.fixture(scope="module")
def train_once(tmp_path_factory):
    """A framework -> the folder, weights and history of a training that nothing stopped; to be read alone."""

    @functools.cache
    def once(framework):
        folder = tmp_path_factory.mktemp(framework)
        model, history = tiny_training.train(folder, framework=framework)
        get_weights = {"keras": weights, "torch": torch_weights}[framework].get_weights
        return SimpleNamespace(folder=folder, weights=get_weights(model), history=history)

    return once


@pytest.fixture
def undisturbed(train_once):
    return train_once("keras")


def assert_same(model, history, undisturbed):
    assert {**history, "seconds": None} == {**undisturbed.history, "seconds": None}
    for name, array in weights.get_weights(model).items():
        np.testing.assert_array_equal(array, undisturbed.weights[name], err_msg=name)


def test_a_killed_training_ends_as_an_undisturbed_one(undisturbed, tmp_path):
    command = [sys.executable, "tests/tiny_training.py", str(tmp_path), "keras"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    killed = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=200)
    assert killed.returncode == -signal.SIGKILL and killed.stderr == ""
    assert (
        len(json.loads((tmp_path / "history.json").read_text())["epoch"]) == 2
    )  # of 3 batches each; killed at the 8th
    assert_same(*tiny_training.train(tmp_path), undisturbed)


def test_ctrl_c_leaves_a_usable_checkpoint_and_the_same_call_goes_on(undisturbed, tmp_path, capsys):
    with pytest.raises(KeyboardInterrupt):
        tiny_training.train(tmp_path, signal.SIGINT)
    assert capsys.readouterr().out == "Training stopped: 2 epochs are saved; the same call goes on from there.\n"
    assert load_checkpoint(tmp_path / "best.safetensors", "keras").num_classes == 3
    assert_same(*tiny_training.train(tmp_path), undisturbed)


@TWINS
def test_ctrl_c_while_an_epoch_is_saved_tells_what_is_kept(tmp_path, twin, train_once, monkeypatch, capsys):
    def interrupt(self, *state):
        if len(self.history["epoch"]) == 2:
            raise KeyboardInterrupt
        save_state(self, *state)

    save_state = run.Run.save_state
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(run.Run, "save_state", interrupt)
        tiny_training.train(tmp_path, framework=twin.name)
    assert capsys.readouterr().out == "Training stopped: 1 epochs are saved; the same call goes on from there.\n"
    _, history = tiny_training.train(tmp_path, framework=twin.name)
    assert {**history, "seconds": None} == {**train_once(twin.name).history, "seconds": None}


@TWINS
def test_nothing_keeps_a_model_that_was_trained_and_used(twin):
    model = twin.training.build_model(FRAMES, 3)
    train, validation = make_batches()
    train.model = validation.model = model  # as a `FeatureCache` holds what makes its features
    twin.training.train(model, train, validation, replace(TRAINING, num_epochs=1), monitor=SILENT)
    twin.training.predict(model, validation)
    left = weakref.ref(model)
    del model, train, validation
    gc.collect()
    assert left() is None


@TWINS
def test_a_stop_in_the_first_epoch_leaves_a_checkpoint_too(tmp_path, twin):
    model = twin.training.build_model(FRAMES, 3)
    monitor = SimpleNamespace(stop=True, on_batch=SILENT.on_batch, on_epoch=SILENT.on_epoch)
    history = twin.training.train(model, *make_batches(), TRAINING, run=tmp_path, monitor=monitor)
    assert history["epoch"] == [] and load_checkpoint(tmp_path / "best.safetensors", twin.name).card["metrics"] == {}


@TWINS
def test_a_finished_run_is_not_trained_again(tmp_path, twin, train_once):
    whole = train_once(twin.name)
    shutil.copytree(whole.folder, tmp_path, dirs_exist_ok=True)
    again = twin.training.build_model(LRCN, 3, seed=2)
    never = send_at_batch(1, signal.SIGKILL)
    assert twin.training.train(again, *make_batches(), TRAINING, run=tmp_path, seed=3, monitor=never) == whole.history
    for name, array in twin.weights.get_weights(again).items():
        np.testing.assert_array_equal(array, whole.weights[name], err_msg=name)


@TWINS
def test_a_training_keeps_others_out_of_its_folder(tmp_path, twin):
    def begin_another(done, total, loss):
        with pytest.raises(RuntimeError, match="in which process .* trains"):
            hold_folder(tmp_path).__enter__()
        monitor.stop = True

    monitor = SimpleNamespace(stop=False, on_batch=begin_another, on_epoch=SILENT.on_epoch)
    twin.training.train(twin.training.build_model(FRAMES, 3), *make_batches(), TRAINING, run=tmp_path, monitor=monitor)
    assert monitor.stop


def test_another_training_does_not_go_on_in_its_folder(undisturbed):
    model = training.build_model(LRCN, 3, seed=2)
    with pytest.raises(ValueError, match="learning_rate.*Choose another folder"):
        changed = replace(TRAINING, learning_rate=1.0)
        training.train(model, *make_batches(), changed, run=undisturbed.folder, seed=3, monitor=SILENT)


def test_what_a_run_leaves(undisturbed):
    names = {str(path.relative_to(undisturbed.folder)) for path in undisturbed.folder.rglob("*") if path.is_file()}
    assert {"best.safetensors", "best.json", "state.safetensors", "history.json", "history.csv"} <= names
    assert {name.split("/")[1] for name in names if name.startswith("tensorboard")} == {"train", "validation"}
    card = checkpoints.read_card(undisturbed.folder / "best.safetensors")
    best = int(np.argmin(undisturbed.history["val_loss"]))
    assert card["metrics"]["val_loss"] == undisturbed.history["val_loss"][best]
    assert card["framework"] == "keras" and card["training"]["num_epochs"] == 5


def test_a_stopped_training_and_the_order_of_batches_on_keras_pytorch_backend(tmp_path):
    code = """
import signal
from odd_batches import list_batches_of_fit
from tiny_training import *
from actlib.checkpoints import read_weights
from actlib.keras.training import keras
_, history = train("undisturbed")
try:
    train("stopped", signal.SIGINT)
except KeyboardInterrupt:
    _, again = train("stopped")
one, other = (read_weights(f"{run}/state.safetensors") for run in ("undisturbed", "stopped"))
print(keras.backend.backend(), all(np.array_equal(one[name], other[name]) for name in one))
print({**history, "seconds": 0} == {**again, "seconds": 0})
print([list_batches_of_fit(workers) for workers in (0, 2)])
"""
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", "KERAS_BACKEND": "torch"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.splitlines()[1:] == ["torch True", "True", str([EPOCHS_3_TO_5] * 2)], done.stderr


@TWINS
def test_the_model_ends_with_the_weights_of_its_best_epoch_not_its_last(twin, train_once):
    whole = train_once(twin.name)
    assert int(np.argmin(whole.history["val_loss"])) < 4  # the best of 5 epochs is not the last
    best, last = (checkpoints.read_weights(whole.folder / f"{name}.safetensors") for name in ("best", "state"))
    for name, array in whole.weights.items():
        assert np.array_equal(best[name], array)
        assert np.array_equal(last.get(f"weights/{name}", array), array) == name.startswith("preprocess")


@TWINS
def test_features_train_the_head_and_reach_what_frames_reach(twin):
    training, weights = twin.training, twin.weights
    videos, labels = make_videos()
    model = training.build_model(replace(FRAMES, dropout=0.0), 3, seed=1)
    start = weights.get_weights(model)
    spec = replace(TRAINING, frozen=("convolutions",), num_epochs=3)
    features = [training.extract_features(model, frames, mixed_precision=False) for frames in videos]
    assert features[0].dtype == np.float16 and features[0].shape == (6, 96)
    by_features = training.train(
        model, *(ClipBatches(features, labels, make_sampler("uniform", 4), kind="features"),) * 2, spec, monitor=SILENT
    )
    assert all(np.array_equal(start[n], w) for n, w in weights.get_weights(model).items() if n.startswith("block"))
    weights.set_weights(model, start)
    by_frames = training.train(
        model, *(ClipBatches(videos, labels, make_sampler("uniform", 4)),) * 2, spec, monitor=SILENT
    )
    np.testing.assert_allclose(by_features["val_loss"], by_frames["val_loss"], rtol=1e-2)


def test_frozen_parts_keep_their_weights_and_the_rest_does_not():
    model = training.build_model(LRCN, 3)
    start = weights.get_weights(model)
    spec = replace(TRAINING, frozen=("convolutions", "hidden"), num_epochs=1)
    training.train(model, *make_batches(), spec, monitor=SILENT)
    changed = {name for name, array in weights.get_weights(model).items() if not np.array_equal(array, start[name])}
    assert {name.split("/")[0] for name in changed} == {"lstm1", "logits"}


@TWINS
def test_each_epoch_and_each_seed_has_its_own_dropout(twin):
    spec = replace(TRAINING, frozen=("convolutions",), num_epochs=2, learning_rate=1e-30)  # nothing else changes a loss
    videos, labels = make_videos()
    batches = ClipBatches(videos, labels, make_sampler("uniform", 4), batch_size=4)
    losses = []
    for seed in (0, 0, 1):
        model = twin.training.build_model(FRAMES, 3)
        losses.append(twin.training.train(model, batches, None, spec, seed=seed, monitor=SILENT)["loss"])
    assert losses[0] == losses[1] and len({*losses[0], *losses[2]}) == 4


def test_training_stops_early_and_slows_down_on_a_plateau():
    model = training.build_model(FRAMES, 3)
    spec = replace(TRAINING, num_epochs=9, patience=3, plateau_patience=2, plateau_factor=0.1, learning_rate=1e-30)
    rates = training.train(model, *make_batches(), replace(spec, frozen=("convolutions",)), monitor=SILENT)
    assert rates["learning_rate"] == [1e-30, 1e-30, 1e-30, 1e-31]  # nothing is learnt: no epoch beats the first


@TWINS
def test_a_loss_that_is_not_finite_is_an_error(twin):
    model = twin.training.build_model(FRAMES, 3)
    with pytest.raises(FloatingPointError, match=r"finite loss.*in epoch 1.*Lower the learning rate"):
        spec = replace(TRAINING, optimizer="sgd", learning_rate=1e30)
        twin.training.train(model, *make_batches(), spec, monitor=SILENT)


def test_mixed_precision_learns_and_leaves_float32_behind():
    model = training.build_model(replace(FRAMES, dropout=0.0), 3)
    spec = replace(TRAINING, mixed_precision=True, num_epochs=3)
    history = training.train(model, *make_batches(), spec, monitor=SILENT)
    assert history["loss"][-1] < history["loss"][0]
    assert {layer.compute_dtype for layer in model.head.layers} == {"float32"}


@pytest.fixture
def fresh_compiler(tmp_path, monkeypatch):
    """PyTorch's, without what earlier runs compiled."""
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        importlib.import_module("torch.utils.mkldnn")  # the compiler imports it, which uses old parts of PyTorch
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "compiled"))
    torch.compiler.reset()
    yield
    torch.compiler.reset()


@TWINS
def test_a_compiled_training_ends_with_the_same_weights_under_the_same_names(twin, monkeypatch, fresh_compiler):
    if twin.name == "torch" and not shutil.which("g++"):
        pytest.skip("PyTorch's compiler needs g++, which is not here")
    compiled = []
    compile_function, compile_model = torch.compile, keras.Model.compile

    def compile_quickly(function):  # what is tried first by g++; the training's many kernels are not put into C++
        compiled.append(True)
        return compile_function(function, backend="inductor" if compiled.count(True) == 1 else "aot_eager")

    monkeypatch.setattr(torch, "compile", compile_quickly)
    monkeypatch.setattr(
        keras.Model, "compile", lambda *args, jit_compile: compiled.append(jit_compile) or compile_model(*args)
    )
    found = []
    for compile in (False, True):
        videos, labels = make_videos()
        features = [frames.mean((1, 2))[:, :1].astype(np.float16).repeat(96, 1) / 250 for frames in videos]
        batches = ClipBatches(features, labels, make_sampler("uniform", 4), batch_size=4, kind="features")
        model = twin.training.build_model(replace(FRAMES, dropout=0.0), 3)
        spec = replace(TRAINING, num_epochs=1, optimizer="sgd", compile=compile)
        twin.training.train(model, batches, None, spec, monitor=SILENT)
        found.append(twin.weights.get_weights(model))
        assert compiled.count(True) == compile * {"keras": 1, "torch": 2}[twin.name]  # PyTorch's is tried first
    assert found[0].keys() == found[1].keys()
    for name, array in found[0].items():
        np.testing.assert_allclose(found[1][name], array, rtol=1e-4, atol=1e-6, err_msg=name)


def test_without_a_compiler_one_line_says_what_to_do(fresh_compiler):
    model = torch_training.build_model(FRAMES, 3)
    with torch._inductor.config.patch("cpp.cxx", (None, "/no/such/compiler")), pytest.raises(RuntimeError) as caught:
        torch_training.train(model, *make_batches(), replace(TRAINING, compile=True), monitor=SILENT)
    message = str(caught.value)
    assert message.count("\n") == 0 and "/no/such/compiler" in message
    assert message.startswith("Expected torch.compile to work") and message.endswith("set training.compile=false.")


class Failing(ClipBatches):
    """Its third batch is a broken video."""

    def batch(self, number, index, **rows):
        if index == 2:
            raise ValueError("Expected a video. Received: 0 bytes in v_Punch_g01_c01.avi.")
        return super().batch(number, index, **rows)


@TWINS
def test_a_broken_video_is_named_by_the_error_itself(twin):
    training = twin.training
    videos, labels = make_videos()
    batches, model = Failing(videos, labels, make_sampler("uniform", 4), batch_size=4), training.build_model(FRAMES, 3)
    for call in (lambda: training.train(model, batches, None, TRAINING, monitor=SILENT),
                 lambda: training.train(model, make_batches()[0], batches, TRAINING, monitor=SILENT),
                 lambda: training.predict(model, batches)):  # fmt: skip
        with pytest.raises(ValueError, match="v_Punch_g01_c01.avi") as caught:
            call()
        assert type(caught.value) is ValueError  # not TensorFlow's own, with its pages of text


@pytest.mark.parametrize("workers", [0, 2])
def test_each_pass_of_fit_is_an_epoch(workers):
    assert list_batches_of_fit(workers) == EPOCHS_3_TO_5


def test_labels_are_repeated_for_each_frame():
    videos = [np.full((6, 2, 2, 3), shade, np.uint8) for shade in range(3)]
    source = ClipBatches(videos, [0, 1, 2], make_sampler("uniform", 4))
    (x, y), (_, once) = dataset.ClipDataset(source, repeat=True)[0], dataset.ClipDataset(source)[0]
    assert x.shape[:2] == y.shape == (3, 4)
    assert y[:, 0].tolist() == [0, 1, 2] == once.tolist()


def test_validation_is_the_same_epoch_each_time():
    data = dataset.ClipDataset(Numbers(), fixed=True, epoch=2)
    for _ in range(2):
        data.on_epoch_end()
        assert data[4][0][0, 0, 0] == 204


@pytest.mark.parametrize("workers", [0, 2])
def test_fit_ends_with_the_error_that_reading_raised(workers):
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile("sgd", lambda labels, answers: keras.ops.mean(answers))
    data = dataset.ClipDataset(Numbers(fail), workers=workers)
    with pytest.raises(ValueError, match="v_Jump_g03_c01.avi"), dataset.raise_read_errors(data, None):
        model.fit(data, verbose=0, shuffle=False)


def test_predictions_come_in_order_from_features_and_from_frames():
    videos, labels = make_videos()
    model = training.build_model(LRCN, 3)
    features = [keras.ops.convert_to_numpy(model.convolutions(frames)) for frames in videos]
    logits = [
        training.predict(model, ClipBatches(source, labels, make_sampler("uniform", 4), batch_size=5, kind=kind))
        for source, kind in ((videos, "frames"), (features, "features"))
    ]
    assert logits[0].shape == (12, 4, 3) and logits[0].dtype == np.float32
    np.testing.assert_allclose(*logits, atol=1e-5)
    expected = model(videos[7][None, [0, 2, 3, 5]], readout="steps")
    np.testing.assert_allclose(logits[0][7], expected[0], atol=1e-5)


def test_an_unknown_part_is_refused():
    model = training.build_model(FRAMES, 3)
    with pytest.raises(ValueError, match="lstm"):
        training.freeze(model, ("lstm",))


def test_the_paper_s_weight_decay_is_part_of_the_gradient():
    spec, variable = specs.TrainSpec(optimizer="sgd", learning_rate=0.1, weight_decay=0.5), keras.Variable([2.0])
    optimizer = trainer._make_optimizer(SimpleNamespace(trainable_variables=[variable]), spec)
    for expected in (2 - 0.1 * (1 + 0.5 * 2), 1.8 - 0.1 * (1 + 0.5 * 1.8) - 0.9 * 0.2):  # momentum .9
        optimizer.apply([keras.ops.ones(1)], [variable])
        np.testing.assert_allclose(variable.numpy(), [expected], rtol=1e-6)
