"""What a run leaves behind and resumes from, and the small rules of training that both frameworks follow."""

import errno
import json
import os

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader

from actlib import machine, run, schedule, training
from actlib.checkpoints import read_card, read_weights, save_checkpoint
from actlib.dataset import loading

WEIGHTS = {"hidden1/kernel": np.ones((2, 3), np.float32), "logits/bias": np.zeros(3, np.float32)}
OPTIMIZER = {"hidden1/kernel/exp_avg": np.full((2, 3), 0.5, np.float32), "0": np.arange(3, dtype=np.float32)}
SETTINGS = {"seed": 1, "training": {"learning_rate": 0.1, "frozen": ["hidden"], "clip_norm": None}, "validation": None}


def add_epoch(record, val_loss):
    row = {"loss": 1.0, "accuracy": 0.5, "val_loss": val_loss, "val_accuracy": 0.25}
    return record.add_epoch(epoch=len(record.history["epoch"]) + 1, learning_rate=0.1, seconds=2.5, **row)


def test_a_run_resumes_with_all_that_it_saved(tmp_path):
    first = run.Run(tmp_path / "new", SETTINGS)
    assert not first.resume(WEIGHTS)
    assert [add_epoch(first, loss) for loss in (2.0, 1.0, 1.5)] == [True, True, False]
    later = {name: array + 1 for name, array in WEIGHTS.items()}
    first.finished = True
    first.save_state(later, OPTIMIZER)
    save_checkpoint(first.best_path, WEIGHTS | {"preprocess/std": np.ones(3)}, {})
    for start in (WEIGHTS, later):  # the weights that it began with, or those that it ended with
        second = run.Run(tmp_path / "new", json.loads(json.dumps(SETTINGS)))
        assert second.resume(start) and second.finished
        assert second.history == first.history
        for read, written in ((second.weights, later), (second.optimizer, OPTIMIZER), (second.best, WEIGHTS)):
            assert read.keys() == written.keys()
            assert all(np.array_equal(read[name], written[name]) for name in written)
    assert json.loads((tmp_path / "new/history.json").read_text()) == first.history
    table = (tmp_path / "new/history.csv").read_text().splitlines()
    assert table[0] == ",".join(run.COLUMNS) and table[2] == "2,1.0,0.5,1.0,0.25,0.1,2.5"


@pytest.mark.parametrize(("most", "now", "finished"), [(2, 3, False), (2, 2, True), (5, 9, True)])
def test_a_finished_run_goes_on_for_more_epochs_unless_its_patience_ended_it(tmp_path, most, now, finished):
    settings = [SETTINGS | {"training": SETTINGS["training"] | {"num_epochs": number}} for number in (most, now)]
    first, second = (run.Run(tmp_path, each) for each in settings)
    first.resume(WEIGHTS)
    for loss in (2.0, 1.0):
        add_epoch(first, loss)
    first.finished = True
    first.save_state(WEIGHTS, OPTIMIZER)
    save_checkpoint(first.best_path, WEIGHTS, {})
    assert second.resume(WEIGHTS) and second.finished == finished


def test_a_run_without_a_folder_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    record = run.Run(None, SETTINGS)
    assert not record.resume(WEIGHTS) and add_epoch(record, 1.0) and record.best_path is None
    record.save_state(WEIGHTS, {})
    assert not [*tmp_path.iterdir()]


def test_other_settings_and_other_weights_are_named(tmp_path):
    record = run.Run(tmp_path, SETTINGS)
    record.resume(WEIGHTS)
    add_epoch(record, 1.0)
    record.save_state(WEIGHTS, {})
    save_checkpoint(record.best_path, WEIGHTS, {})
    training = SETTINGS["training"] | {"learning_rate": 0.2, "frozen": []}
    changed = (
        r"framework: unset then, keras now; training.frozen: \['hidden'\] then, \[\] now; training.learning_rate: 0.1"
    )
    with pytest.raises(ValueError, match=changed):
        run.Run(tmp_path, SETTINGS | {"training": training, "framework": "keras"}).resume(WEIGHTS)
    later = SETTINGS["training"] | {"compile": False}  # an option that came with a later version, and is off
    assert run.Run(tmp_path, SETTINGS | {"training": later}).resume(WEIGHTS)
    with pytest.raises(ValueError, match="Received: training.compile: unset then, True now"):
        run.Run(tmp_path, SETTINGS | {"training": later | {"compile": True}}).resume(WEIGHTS)
    with pytest.raises(ValueError, match="starting weights: others. Choose another folder"):
        run.Run(tmp_path, SETTINGS).resume(WEIGHTS | {"logits/bias": np.ones(3)})


def test_a_state_of_an_earlier_version_says_so(tmp_path):
    save_checkpoint(tmp_path / "state.safetensors", {}, {"settings": SETTINGS, "facts": {}})
    with pytest.raises(ValueError, match=r"state\.safetensors, whose card lacks keys, history, finished"):
        run.Run(tmp_path, SETTINGS).resume(WEIGHTS)


def read_curves(folder):
    (path,) = folder.glob("events.out.tfevents.*")
    events = [*LegacyEventFileLoader(str(path)).Load()]
    return {(each.step, value.tag): value.simple_value for each in events for value in each.summary.value}


def test_curves_are_those_of_the_history(tmp_path):
    history = run.Run(tmp_path, SETTINGS)
    add_epoch(history, 2.0)
    for _ in range(2):  # a resumed run writes all of them again
        curves = run.TensorBoardWriter(tmp_path, history.history)
    curves.add(
        {"epoch": 2, "loss": 0.5, "accuracy": 1.0, "val_loss": None, "val_accuracy": None, "learning_rate": 0.25}
    )
    train = {(1, "loss"): 1.0, (1, "accuracy"): 0.5, (1, "learning_rate"): pytest.approx(0.1)}
    train |= {(2, "loss"): 0.5, (2, "accuracy"): 1.0, (2, "learning_rate"): 0.25}
    assert read_curves(tmp_path / "train") == train
    assert read_curves(tmp_path / "validation") == {(1, "loss"): 2.0, (1, "accuracy"): 0.25}


@pytest.mark.parametrize(
    ("val_loss", "loss", "best", "since"),
    [
        ([3.0, 1.0, 2.0], [9, 9, 9], 1, 1),
        ([1.0, 1.0], [9, 9], 0, 1),  # of equals the first
        ([float("nan"), 5.0], [1, 2], 1, 0),  # NaN is worse than any number
        ([float("nan")] * 2, [1, 2], 0, 1),
        ([None, None, None], [3, 1, 2], 2, 0),  # no validation: the last
    ],
)
def test_the_best_epoch(val_loss, loss, best, since):
    history = {"val_loss": val_loss, "loss": loss}
    assert schedule.best_epoch(history) == best and schedule.epochs_since_best(history) == since


def test_no_epoch_is_the_best_of_none():
    assert schedule.best_epoch({"val_loss": [], "loss": []}) is None


def test_frozen_parts_and_preprocessing_are_not_trained():
    names = ("preprocess/mean", "block1_conv1/kernel", "hidden1/bias", "lstm1/kernel", "logits/bias")
    weights = dict.fromkeys(names)
    assert [*training.trainable_weights(weights, ())] == [*names[1:]]
    assert [*training.trainable_weights(weights, ("convolutions",))] == [*names[2:]]
    assert [*training.trainable_weights(weights, ("convolutions", "hidden"))] == [*names[3:]]


def test_initial_weights_have_their_distributions():
    shapes = {
        "block1_conv1/kernel": (3, 3, 16, 64),
        "hidden1/kernel": (200, 100),
        "lstm1/recurrent_kernel": (8, 32),
        "lstm1/bias": (32,),
        "hidden1/bias": (100,),
        "block1_conv1/gamma": (64,),
    }
    drawn = training._init_weights(shapes, seed=3)
    assert {name: array.shape for name, array in drawn.items()} == shapes
    for name, limit in (("block1_conv1/kernel", (6 / 144) ** 0.5), ("hidden1/kernel", (6 / 300) ** 0.5)):
        assert limit * 0.99 < abs(drawn[name]).max() <= limit and abs(drawn[name].mean()) < limit / 50
    rows = drawn["lstm1/recurrent_kernel"]
    np.testing.assert_allclose(rows @ rows.T, np.eye(8), atol=1e-6)
    np.testing.assert_array_equal(drawn["lstm1/bias"].reshape(4, 8).sum(1), [0, 8, 0, 0])  # the forget gate is open
    assert not drawn["hidden1/bias"].any() and (drawn["block1_conv1/gamma"] == 1).all()
    alone = training._init_weights({"hidden1/kernel": (200, 100)}, seed=3)["hidden1/kernel"]
    np.testing.assert_array_equal(alone, drawn["hidden1/kernel"])
    assert not np.array_equal(alone, training._init_weights({"hidden1/kernel": (200, 100)}, seed=4)["hidden1/kernel"])


def test_classes_weigh_the_inverse_of_their_share():
    np.testing.assert_allclose(loading.weigh_classes([0, 0, 1, 0, 0, 0], 3), [6 / 15, 6 / 3, 6 / 3])


def test_every_epoch_and_seed_has_its_own_random_numbers():
    seeds = {training._epoch_seed(seed, epoch) for seed in range(5) for epoch in range(5)}
    assert len(seeds) == 25 and all(0 <= seed < 2**32 for seed in seeds)


def test_of_several_processes_the_first_writes_and_each_has_its_own_dropout(tmp_path, monkeypatch):
    alone = training._epoch_seed(1, 2)
    monkeypatch.setenv("WORLD_SIZE", "2")
    for rank, writes in (("0", True), ("1", False)):
        monkeypatch.setenv("RANK", rank)
        record = run.Run(tmp_path / rank, SETTINGS)
        record.resume(WEIGHTS)
        add_epoch(record, 1.0)
        record.save_state(WEIGHTS, {})
        assert (record.best_path is not None) == (tmp_path / rank / "state.safetensors").exists() == writes
        assert (training._epoch_seed(1, 2) == alone) == writes


def test_versions_of_what_is_not_installed_are_left_out():
    assert machine.package_versions("no-such-package", "numpy") == {"numpy": np.__version__}


def test_no_batches_are_refused():
    with pytest.raises(ValueError, match="at least one batch"):
        training._describe_batches([])


def test_a_folder_is_of_one_training_and_says_whose(tmp_path):
    with run.hold_folder(tmp_path / "new"):
        with pytest.raises(RuntimeError, match=rf"Received: .*new, in which process {os.getpid()} on .+ trains"):
            run.hold_folder(tmp_path / "new").__enter__()
        with run.hold_folder(tmp_path / "other"), run.hold_folder(None), run.hold_folder(None):
            pass
    with run.hold_folder(tmp_path / "new"):
        pass


def test_curves_for_which_there_is_no_room_are_named(tmp_path, monkeypatch):
    def refuse(self, record):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(run.RecordWriter, "write", refuse)
    with pytest.raises(OSError, match="Expected room for events.*No space left.*Free some disk.*train/events"):
        run.TensorBoardWriter(tmp_path, {})


@pytest.mark.parametrize(
    "change",
    [
        {"history": {"epoch": [1, 2]}},
        {"history": {"val_loss": [1.0, 2.0]}},
        {"history": {"epoch": [2]}},
        {"history": {"loss": [None]}},
        {"keys": {"arrays": "0123456789ab"}},
        {"finished": 1},
    ],
)
def test_a_damaged_state_is_named(tmp_path, change):
    record = run.Run(tmp_path, SETTINGS)
    record.resume(WEIGHTS)
    add_epoch(record, 1.0)
    record.save_state(WEIGHTS, OPTIMIZER)
    save_checkpoint(record.best_path, WEIGHTS, {})
    card, arrays = read_card(tmp_path / "state.safetensors"), read_weights(tmp_path / "state.safetensors")
    card |= {name: card[name] | value if isinstance(value, dict) else value for name, value in change.items()}
    save_checkpoint(tmp_path / "state.safetensors", arrays, card)
    with pytest.raises(ValueError, match=r"state\.safetensors"):
        run.Run(tmp_path, SETTINGS).resume(WEIGHTS)


def test_a_best_epoch_of_another_network_is_named(tmp_path):
    record = run.Run(tmp_path, SETTINGS)
    record.resume(WEIGHTS)
    add_epoch(record, 1.0)
    record.save_state(WEIGHTS, OPTIMIZER)
    save_checkpoint(record.best_path, {"hidden1/kernel": np.ones((5, 5))}, {})
    with pytest.raises(ValueError, match=r"missing \['logits/bias'\].*best\.safetensors"):
        run.Run(tmp_path, SETTINGS).resume(WEIGHTS)
