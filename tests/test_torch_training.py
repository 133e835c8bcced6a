"""Training in PyTorch: it learns, frozen parts stay, a killed or stopped run goes on as if nothing had happened."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from actlib import cards, checkpoints, specs
from actlib.dataset import ClipBatches
from actlib.torch import trainer
from actlib.torch.training import build_model, predict, train
from actlib.torch.weights import get_weights
from actlib.training import load_checkpoint
from actlib.video import make_sampler

VGG = specs.VGGSpec("tiny", ((1, 4), (1, 6)), size=8, std=(64.0, 64.0, 64.0), batch_norm=True)
FRAMES = specs.FrameSpec("tiny_frames", VGG, hidden=(8,), dropout=0.2)
CLIPS = specs.LRCNSpec("tiny_lrcn", FRAMES, lstm=(6,), lstm_dropout=0.2, readout="mean", num_frames=4)
ADAM = specs.TrainSpec(num_epochs=4, learning_rate=1e-2, frozen=())
SGD = dataclasses.replace(ADAM, optimizer="sgd", weight_decay=1e-3, clip_norm=1.0, class_weights=True)


class Quiet:
    """A monitor that shows nothing, and calls a function after each batch."""

    def __init__(self, on_batch=None):
        self.stop, self.rows, self.action = False, [], on_batch

    def on_batch(self, done, total, loss):
        self.last = done, total
        if self.action:
            self.action(self, done)

    def on_epoch(self, record):
        self.rows.append(record)


def make_batches(kind="uint8", *, part="train"):
    """Brighter frames for higher labels; as pixels, or as features of the networks above."""
    rng = np.random.default_rng(0 if part == "train" else 1)
    labels = np.arange(12) % 3
    videos = [np.clip(100 * label + rng.normal(30, 10, (6, 8, 8, 3)), 0, 255).astype(np.uint8) for label in labels]
    if kind == "float16":
        means = 2 * np.eye(3).repeat(8, axis=1)  # (K, D)
        videos = [rng.normal(means[label], 0.3, (6, VGG.num_features)).astype(np.float16) for label in labels]
    options = {"batch_size": 5, "kind": "features" if kind == "float16" else "frames"}
    if part == "train":
        return ClipBatches(videos, labels, make_sampler("segments", 4), shuffle=True, seed=3, **options)
    return ClipBatches(videos, labels, make_sampler("uniform", 4), **options)


def run_training(spec=FRAMES, training=ADAM, *, kind="uint8", run=None, seed=1, monitor=None, model=None):
    model = model or build_model(spec, 3, seed=7)
    data = make_batches(kind), make_batches(kind, part="validation")
    return model, train(model, *data, training, run=run, seed=seed, monitor=monitor or Quiet())


def same(one, other):
    one, other = get_weights(one), get_weights(other)
    return one.keys() == other.keys() and all(np.array_equal(one[name], other[name]) for name in one)


def numbers(history):
    return {name: values for name, values in history.items() if name != "seconds"}


@pytest.mark.parametrize("spec", [FRAMES, CLIPS, dataclasses.replace(CLIPS, readout="steps")], ids=lambda s: s.name)
@pytest.mark.parametrize("kind", ["uint8", "float16"])
def test_it_learns_what_is_easy(spec, kind):
    model, history = run_training(spec, dataclasses.replace(ADAM, num_epochs=40), kind=kind)
    assert max(history["val_accuracy"]) > 0.95
    validation = make_batches(kind, part="validation")
    assert (predict(model, validation).mean(1).argmax(1) == validation.labels).all()


@pytest.mark.parametrize("training", [ADAM, SGD], ids=["adam", "sgd"])
def test_frozen_parts_stay_and_all_others_move(training):
    for frozen, prefixes in (
        ((), ()),
        (("convolutions",), ("block",)),
        (("convolutions", "hidden"), ("block", "hidden")),
    ):
        before = get_weights(build_model(CLIPS, 3, seed=7))
        model, _ = run_training(CLIPS, dataclasses.replace(training, frozen=frozen))
        moved = {name for name, array in get_weights(model).items() if not np.array_equal(array, before[name])}
        assert moved == {name for name in before if not name.startswith(("preprocess", *prefixes))}


def test_the_second_bias_of_pytorch_stays_zero():
    model, _ = run_training(CLIPS)
    assert not model.head.lstms["lstm1"].bias_hh_l0.any()


@pytest.mark.parametrize("training", [ADAM, SGD], ids=["adam", "sgd"])
def test_a_step_is_that_of_the_formula(training):
    """One batch, one step, against the update rule written out."""
    training = dataclasses.replace(training, num_epochs=1, clip_norm=0.1, class_weights=True)
    spec = dataclasses.replace(FRAMES, hidden=(), dropout=0.0)
    model, labels = build_model(spec, 3, seed=7), np.array([0, 1, 1, 2, 1])
    x = np.random.default_rng(0).normal(size=(5, 1, VGG.num_features)).astype(np.float32)
    start = get_weights(model)["logits/kernel"].astype(np.float64)
    batches = ClipBatches(list(x), labels, make_sampler("uniform", 1), batch_size=5, kind="features")
    train(model, batches, None, training, monitor=Quiet())
    x, logits = x[:, 0], x[:, 0] @ start
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    weights = 5 / (3 * np.array([1, 3, 1]))[labels]
    errors = (probabilities - np.eye(3)[labels]) * weights[:, None] / 5
    kernel, bias = x.T @ errors, errors.sum(0)
    norm = np.sqrt((kernel**2).sum() + (bias**2).sum())
    kernel *= 0.1 / norm
    if training.optimizer == "adam":
        expected = start - 1e-2 * kernel / (np.abs(kernel) + 1e-7)  # both moments are the gradient at the first step
    else:
        expected = start - 1e-2 * (kernel + 1e-3 * start)
    np.testing.assert_allclose(get_weights(model)["logits/kernel"], expected, atol=2e-6)


def test_the_best_epoch_is_kept_and_the_files_are_there(tmp_path):
    monitor = Quiet()
    start = build_model(FRAMES, 3, seed=7)
    start.card["classes"] = ["a", "b", "c"]
    model, history = run_training(model=start, run=tmp_path, monitor=monitor)
    best = int(np.argmin(history["val_loss"]))
    loaded = load_checkpoint(tmp_path / "best.safetensors", "torch")
    assert same(model, loaded) and loaded.card["classes"] == ["a", "b", "c"] == model.card["classes"]
    assert loaded.card["metrics"]["val_loss"] == history["val_loss"][best]
    assert loaded.card["training"] == cards.spec_to_json(ADAM)
    assert monitor.last == (4 * 3, 4 * 3) and [row["epoch"] for row in monitor.rows] == [1, 2, 3, 4]
    assert json.loads((tmp_path / "history.json").read_text()) == history
    assert (tmp_path / "history.csv").read_text().startswith("epoch,loss,accuracy,val_loss")
    validation = make_batches(part="validation")
    again = trainer.Trainer(loaded, make_batches(), validation, ADAM)
    loss, _ = again.evaluate(again.split_batches()[1])
    assert loss == pytest.approx(history["val_loss"][best], abs=1e-6)


def test_curves_are_written_for_tensorboard_without_tensorflow(tmp_path):
    code = (
        "import sys; sys.path[:0] = [sys.argv[1]]; import test_torch_training as t;"
        "t.run_training(run=sys.argv[2]); print('tensorflow' in sys.modules)"
    )
    command = [sys.executable, "-c", code, os.path.dirname(__file__), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False" and done.stderr == ""
    history = json.loads((tmp_path / "history.json").read_text())
    assert read_curve(tmp_path / "tensorboard" / "train", "loss") == pytest.approx(history["loss"])
    assert read_curve(tmp_path / "tensorboard" / "validation", "loss") == pytest.approx(history["val_loss"])


def read_curve(folder, tag):
    from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader

    (path,) = folder.glob("events.out.tfevents.*")
    events = LegacyEventFileLoader(str(path)).Load()
    return [value.simple_value for event in events for value in event.summary.value if value.tag == tag]


def test_a_killed_run_ends_as_an_undisturbed_one(tmp_path, spec=CLIPS):
    training = dataclasses.replace(SGD, num_epochs=5, plateau_patience=1)
    model, history = run_training(spec, training, run=tmp_path / "undisturbed")
    code = f"""
import sys, time; sys.path[:0] = [{os.path.dirname(__file__)!r}]
import test_torch_training as t
from actlib.specs import *
def slow(monitor, done):  # the eighth batch, in the third epoch, never ends
    if done == 8:
        print("here", flush=True)
        time.sleep(60)
t.run_training({spec!r}, {training!r}, run={str(tmp_path / "killed")!r}, monitor=t.Quiet(slow))
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "here\n"
        os.kill(process.pid, signal.SIGKILL)
    assert len(json.loads((tmp_path / "killed" / "history.json").read_text())["epoch"]) == 2
    monitor = Quiet()
    resumed, again = run_training(spec, training, run=tmp_path / "killed", monitor=monitor)
    assert [row["epoch"] for row in monitor.rows] == [3, 4, 5]
    assert same(resumed, model) and numbers(again) == numbers(history)
    one, other = (checkpoints.read_weights(tmp_path / run / "state.safetensors") for run in ("killed", "undisturbed"))
    assert all(np.array_equal(one[name], other[name]) for name in other)  # the last epoch and the optimizer as well
    assert len(read_curve(tmp_path / "killed" / "tensorboard" / "train", "loss")) == 5


def test_ctrl_c_leaves_a_checkpoint_and_the_same_call_goes_on(tmp_path, capsys):
    def interrupt(monitor, done):
        if done == 8:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(1)

    undisturbed, _ = run_training(run=tmp_path / "undisturbed")
    model = build_model(FRAMES, 3, seed=7)
    with pytest.raises(KeyboardInterrupt):
        run_training(run=tmp_path / "run", model=model, monitor=Quiet(interrupt))
    assert "2 epochs are saved" in capsys.readouterr().out and not model.training
    assert same(model, load_checkpoint(tmp_path / "run" / "best.safetensors", "torch"))
    _, history = run_training(run=tmp_path / "run", model=model)  # the same object, as in a notebook
    assert len(history["epoch"]) == 4 and same(model, undisturbed)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (dict(training=dataclasses.replace(ADAM, learning_rate=0.5)), r"training.learning_rate: 0.01 then, 0.5 now"),
        (dict(seed=2), "seed: 1 then, 2 now"),
        (dict(model=build_model(FRAMES, 3, seed=8)), "starting weights"),
        (dict(kind="float16"), "batches.first: uint8"),
    ],
)
def test_a_run_does_not_go_on_with_other_settings(tmp_path, change, said):
    run_training(run=tmp_path)
    with pytest.raises(ValueError, match=said):
        run_training(run=tmp_path, **change)


def test_frozen_weights_of_another_network_are_noticed(tmp_path):
    training = dataclasses.replace(ADAM, frozen=("convolutions",))
    run_training(training=training, run=tmp_path)
    other = build_model(FRAMES, 3, seed=7)
    other.convolutions.preprocess.mean += 1
    with pytest.raises(ValueError, match="frozen weights"):
        run_training(training=training, run=tmp_path, model=other)


def test_it_stops_early_and_slows_down_when_nothing_gets_better(monkeypatch):
    losses = iter([1.0, 0.5, 0.6, 0.7, 0.4, 0.6, 0.6, 0.6, 0.6])
    monkeypatch.setattr(trainer.Trainer, "evaluate", lambda *_: (next(losses), 0.5))
    training = dataclasses.replace(ADAM, num_epochs=20, patience=3, plateau_patience=2, plateau_factor=0.1)
    _, history = run_training(training=training)
    assert history["val_loss"] == [1.0, 0.5, 0.6, 0.7, 0.4, 0.6, 0.6, 0.6]  # three without a better one
    assert history["learning_rate"] == pytest.approx([1e-2] * 4 + [1e-3] * 3 + [1e-4])  # after each two


def test_mixed_precision_learns_too():
    _, history = run_training(CLIPS, dataclasses.replace(ADAM, num_epochs=25, mixed_precision=True))
    assert max(history["val_accuracy"]) == 1


@pytest.mark.parametrize("kind, expected", [("float16", 1), ("uint8", 2)])
def test_a_head_on_few_features_is_trained_and_validated_by_one_thread(kind, expected, monkeypatch):
    asked, before, compute_loss = [], torch.get_num_threads(), trainer.Trainer.compute_loss

    def compute(*args):
        asked.append(torch.get_num_threads())
        return compute_loss(*args)

    monkeypatch.setattr(trainer.Trainer, "compute_loss", compute)
    torch.set_num_threads(2)
    try:
        run_training(kind=kind)
        assert set(asked) == {expected} and torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_a_head_on_many_features_keeps_all_threads():
    wide = dataclasses.replace(VGG, blocks=((1, 4), (1, 1100)))  # 4,400 features
    batches, model = make_batches("float16"), build_model(dataclasses.replace(FRAMES, vgg=wide), 3)
    assert not trainer.Trainer(model, batches, None, ADAM).tiny


def test_nothing_random_leaks_out(tmp_path):
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    run_training(run=tmp_path)
    load_checkpoint(tmp_path / "best.safetensors", "torch")
    assert torch.rand(1) == expected


def test_no_batches_and_an_unknown_optimizer_say_so():
    empty = ClipBatches([], [], make_sampler("uniform", 4))
    with pytest.raises(ValueError, match="at least one batch"):
        train(build_model(FRAMES, 3), empty, None, ADAM)
    with pytest.raises(ValueError, match="'lion'"):
        run_training(training=dataclasses.replace(ADAM, optimizer="lion"))
