"""Experiments on a few made videos: cards, samplers, one listing a command, results that belong to their checkpoint."""

import json
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from bright_and_dark import write_data, write_split

from actlib import checkpoints, experiment, specs
from actlib.experiment import Experiment, preparing, running

SLIM = specs.PRESETS["slim_frames"]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ACTLIB_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def choices(data):
    training = replace(SLIM.training, num_epochs=2, learning_rate=3e-3)
    return Experiment(data, replace(SLIM, training=training, num_frames=6, clip_frames=2), weights="none")


def test_unknown_choices_are_refused():
    with pytest.raises(ValueError, match="Expected protocol to be one of .*Received: 'other'"):
        Experiment("data", SLIM, protocol="other")
    with pytest.raises(ValueError, match="Expected framework to be one of .*Received: 'jax'"):
        experiment.load_backend("jax")


@pytest.mark.parametrize(
    ("protocol", "train", "clips"),
    [
        ("uniform", False, [[0, 2, 4, 6], [1, 3, 5, 7]]),  # each frame once
        ("paper", False, [[0, 1, 2, 3], [2, 3, 4, 5], [4, 5, 6, 7]]),  # windows every half clip
    ],
)
def test_test_clips_of_a_protocol(protocol, train, clips):
    preset = replace(SLIM, clip_frames=4)
    table = pd.DataFrame({"label": [0]})
    cache = _Cache([np.arange(8)[:, None]])
    batches = experiment.make_batches(cache, table, Experiment("data", preset, protocol=protocol), train=train)
    assert [indices.tolist() for _, indices in batches.clips()] == clips
    drawn = experiment.make_batches(cache, table, Experiment("data", preset, protocol=protocol), train=True)
    starts = {tuple(drawn.clips(epoch)[0][1].tolist()) for epoch in range(30)}
    rows = np.array([*starts])
    if protocol == "paper":
        assert (np.diff(rows) == 1).all() and {row[0] for row in starts} == set(range(5))
    else:
        assert (rows // 2 == [0, 1, 2, 3]).all() and len(starts) > 8


class _Cache(list):
    kind = "frames"


@pytest.mark.parametrize(("kind", "augment", "train", "expected"), [
    ("frames", True, True, True), ("frames", True, False, False), ("frames", False, True, False),
    ("features", True, True, False),
])  # fmt: skip
def test_only_training_frames_are_augmented(kind, augment, train, expected):
    cache = _Cache([np.zeros((8, 4), np.uint8)])
    cache.kind = kind
    choices = Experiment("data", replace(SLIM, augment=augment), seed=7)
    batches = experiment.make_batches(cache, pd.DataFrame({"label": [1]}), choices, train=train)
    assert (batches.augment, batches.shuffle, batches.seed, batches.batch_size) == (expected, train, 7, 4)


def test_a_limit_is_spread_over_groups(data):
    table = experiment.prepare_videos(data, limit=1)
    assert table.groupby(["class_name", "subset"]).size().eq(1).all() and len(table) == 6


def test_the_whole_preset_comes_back_from_the_checkpoint(choices, tmp_path):
    model, history = experiment.run_training(choices, tmp_path)
    assert len(history["loss"]) == 2 and "preset" in model.card
    loaded, card = experiment.load_model(tmp_path)
    read = experiment.read_experiment(card, choices.data)
    assert read == replace(choices, classes=("Bright", "Dark"))
    assert experiment.read_experiment(card, "elsewhere", framework="keras").framework == "keras"
    assert card["window_seconds"] == 0.8 and loaded.spec == choices.preset.model  # 20 frames, 25 a second
    assert experiment.load_predictor(tmp_path).num_frames == 2


def test_model_and_batches_at_hand_give_the_results_of_their_checkpoint(choices, tmp_path, monkeypatch):
    listed, list_videos = [], preparing.dataset.list_videos
    monkeypatch.setattr(
        preparing.dataset, "list_videos", lambda *words, **options: listed.append(1) or list_videos(*words, **options)
    )
    model, _ = experiment.run_training(choices, tmp_path)
    assert len(listed) == 1
    results, metadata = experiment.evaluate_checkpoint(tmp_path, choices.data)
    assert len(listed) == 2
    assert results.clip.count == 6 * 3 and results.frame.count == 6 * 6  # 6 frames a video, in clips of 2
    table = experiment.prepare_table(choices)
    test = table[table.subset == "test"].reset_index(drop=True)
    batches = experiment.make_batches(experiment.cache_inputs(test, model, choices), test, choices, train=False)
    monkeypatch.setattr(running, "prepare_table", None)
    monkeypatch.setattr(running, "load_model", None)
    mine = experiment.evaluate_model(model, batches, test)
    np.testing.assert_allclose(mine.probabilities, results.probabilities, atol=1e-6)
    path = experiment.write_results(tmp_path, results, metadata, name="mine.json")
    written = json.loads(path.read_text())
    assert written["preset"] == checkpoints.spec_to_json(choices.preset) and written["seconds"] > 0
    assert written["versions"]["python"] == ".".join(map(str, sys.version_info[:3])) and written["framework"] == "torch"


def test_training_shuffles_its_own_videos_and_validation_does_not(choices, tmp_path, monkeypatch):
    table, given = experiment.prepare_table(choices), []
    monkeypatch.setattr(running, "train_model", lambda model, *batches, **options: given.extend(batches[:2]))
    experiment.run_training(choices, tmp_path)
    for batches, subset in zip(given, ("train", "validation"), strict=True):
        assert batches.shuffle is (subset == "train")
        assert batches.source.paths == table.path[table.subset == subset].tolist()


def test_a_checkpoint_is_evaluated_on_as_many_videos_as_it_was_trained_on_unless_told(choices, tmp_path):
    experiment.run_training(replace(choices, limit=2), tmp_path)
    for limit, count in ((None, 4), (1, 2)):
        assert experiment.evaluate_checkpoint(tmp_path, choices.data, limit=limit)[0].video.count == count


def test_shuffled_frames_reach_the_batches(choices, tmp_path, monkeypatch):
    experiment.run_training(choices, tmp_path)
    monkeypatch.setattr(running, "evaluate_model", lambda model, batches, table: batches)
    for shuffled in (False, True):
        batches, _ = experiment.evaluate_checkpoint(tmp_path, choices.data, shuffle_frames=shuffled)
        assert batches.shuffle_frames is shuffled and batches.shuffle is False


def test_features_are_named_by_their_convolutions(choices):
    table = experiment.prepare_table(choices)[:2]
    frames = experiment.cache_frames(table, choices)
    assert frames.num_frames == 6 and frames.size == (64, 64)
    assert experiment.cache_frames(table, replace(choices, protocol="paper")).num_frames is None
    build = experiment.load_backend("torch").training.build_model
    one, other, head = (build(SLIM.model, 2) for _ in range(3))
    other.convolutions.layers.block1_conv1.bias.data += 1
    head.head.hidden.hidden1.bias.data += 1
    keys = [experiment.cache_features(frames, model).key for model in (one, other, head)]
    assert keys[0] != keys[1] and keys[0] == keys[2] and "torch-vgg_slim" in keys[0]
    assert experiment.cache_inputs(table, one, choices).kind == "frames"
    frozen = replace(choices, preset=replace(SLIM, training=specs.TrainSpec(frozen=("convolutions",))))
    features = experiment.cache_inputs(table, one, frozen)
    assert features.kind == "features" and features[0].shape == (16, 768)


def test_a_checkpoint_is_not_tested_on_recordings_it_was_trained_on(choices, tmp_path):
    experiment.run_training(choices, tmp_path / "run")
    write_split(choices.data, 2, tested=(1, 2, 4))
    with pytest.raises(ValueError, match=r"no group on both sides. Received: 2 shared \(Bright g04, Dark g04\)"):
        experiment.evaluate_checkpoint(tmp_path / "run", choices.data, split=2)
    write_split(choices.data, 3, tested=(1, 2))
    results, metadata = experiment.evaluate_checkpoint(tmp_path / "run", choices.data, split=3)
    assert results.video.count == 4 and metadata["data"]["split"] == 3


def test_what_should_be_frozen_but_has_no_weights_is_trained_with_a_warning():
    choices = Experiment("data", replace(SLIM, training=specs.TrainSpec(frozen=("convolutions", "hidden"))))
    for weights, frozen, missing in (
        (None, (), "none for convolutions, hidden"),
        ({"block1_conv1/kernel": 0}, ("convolutions",), "none for hidden"),
    ):
        with pytest.warns(UserWarning, match=missing):
            assert running._train_what_has_no_weights(choices, weights).preset.training.frozen == frozen
    weights = {"block1_conv1/kernel": 0, "hidden1/kernel": 0}
    assert running._train_what_has_no_weights(choices, weights) == choices


def test_presets_and_weights_suit_the_data(tmp_path, monkeypatch):
    assert (experiment.choose_preset("lrcn", tmp_path).name, experiment.choose_weights(tmp_path)) == (
        "vgg16_lrcn",
        "imagenet",
    )
    monkeypatch.setattr(preparing.sample, "is_sample", lambda folder: True)
    assert (experiment.choose_preset("frames", tmp_path), experiment.choose_weights(tmp_path)) == (SLIM, "none")
