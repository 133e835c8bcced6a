"""Experiments on a few made videos: cards, samplers, one listing a command, results that belong to their checkpoint."""

import json
import runpy
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from bright_and_dark import write_data, write_split

from actlib import cards, checkpoints, evaluation, experiment, specs
from actlib.dataset import check_leakage, list_groups, list_videos, load_arrays
from actlib.experiment import Experiment, folders, predictor, preparing, running
from actlib.training import save_model

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


def test_a_disk_too_small_for_all_subsets_is_noticed_before_a_video_is_decoded(choices, tmp_path, monkeypatch):
    def refuse(*args, **options):
        raise AssertionError("a video is decoded")

    table, frames = experiment.prepare_table(choices), 6 * 64 * 64 * 3  # bytes of a video's
    enough_for_training = frames * (table.subset == "train").sum()
    monkeypatch.setattr("actlib.files.count_free_bytes", lambda folder: enough_for_training)
    monkeypatch.setattr("actlib.dataset.cache.read_clip", refuse)
    with pytest.raises(OSError, match=f"for the frames of {len(table)} videos.*Received: "):
        experiment.run_training(choices, tmp_path / "run")


@pytest.mark.parametrize("rank", [0, 1])
def test_of_several_processes_the_first_writes_the_split(choices, tmp_path, monkeypatch, rank):
    def stop(*args, **options):
        raise RuntimeError("enough")

    monkeypatch.setattr(running, "make_batches", stop)
    monkeypatch.setattr(running, "paths", SimpleNamespace(process_place=lambda: (rank, 2), SPLIT="split.csv"))
    with pytest.raises(RuntimeError, match="enough"):
        running._train_once(choices, tmp_path / "run", None)
    assert (tmp_path / "run" / "split.csv").exists() == (rank == 0)


def test_a_lesson_does_not_write_over_the_weights_that_it_starts_from(choices, tmp_path):
    (tmp_path / "best.safetensors").write_bytes(b"mine")
    with pytest.raises(ValueError, match="Expected another place than what is read"):
        experiment.train_model(None, [], None, replace(choices, weights=str(tmp_path)), table=None, run=tmp_path)


def test_unknown_choices_are_refused():
    with pytest.raises(ValueError, match="Expected protocol to be one of .*Received: 'other'"):
        Experiment("data", SLIM, protocol="other")
    with pytest.raises(ValueError, match="Expected framework to be one of .*Received: 'jax'"):
        experiment.load_backend("jax")


def test_a_model_of_a_class_of_ones_own_belongs_to_the_framework_that_it_builds_on():
    own = type("Own", (experiment.load_backend("torch").vgg.FrameClassifier,), {"__module__": "__main__"})
    assert experiment.load_backend(own(SLIM.model, 2)).__name__ == "actlib.torch"
    with pytest.raises(ValueError, match="Expected framework to be one of .*Received: 'ndarray'"):
        experiment.load_backend(np.zeros(1))


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


@pytest.mark.parametrize("preset", specs.PRESETS.values(), ids=lambda preset: preset.name)
def test_training_clips_differ_from_epoch_to_epoch(preset):
    assert preset.num_frames >= 2 * preset.clip_frames
    batches = experiment.make_batches(
        _Cache([np.zeros((preset.num_frames, 1))]), pd.DataFrame({"label": [0]}), Experiment("data", preset), train=True
    )
    assert len({tuple(batches.clips(epoch)[0][1].tolist()) for epoch in range(8)}) > 4


@pytest.mark.parametrize(("pooling", "num_bytes"), [("flatten", 2 * 4 * 4 * 48), ("max", 2 * 48)])
def test_features_know_the_disk_that_they_will_take(choices, pooling, num_bytes):
    table = experiment.prepare_table(choices)
    model = experiment.load_backend("torch").training.build_model(
        replace(SLIM.model, vgg=replace(SLIM.model.vgg, pooling=pooling)), 2
    )
    cache = experiment.cache_features(experiment.cache_frames(table, choices), model)
    assert cache.row_bytes == num_bytes == cache[0][0].nbytes


class _Cache(list):
    kind = "frames"


@pytest.mark.parametrize(("kind", "augment", "train", "expected"), [
    ("frames", True, True, "augment_clip"), ("frames", "crop", True, "crop_clip"), ("frames", True, False, None),
    ("frames", False, True, None), ("features", True, True, None),
])  # fmt: skip
def test_only_training_frames_are_augmented(kind, augment, train, expected):
    cache = _Cache([np.zeros((8, 4), np.uint8)])
    cache.kind = kind
    choices = Experiment("data", replace(SLIM, augment=augment), seed=7)
    batches = experiment.make_batches(cache, pd.DataFrame({"label": [1]}), choices, train=train)
    function = batches.augment and batches.augment.func.__name__
    assert (function or None, batches.shuffle, batches.seed, batches.batch_size) == (expected, train, 7, 4)


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
    assert experiment.Predictor(tmp_path).num_frames == 2


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
    monkeypatch.setattr(predictor, "load_model", None)
    mine = experiment.evaluate_model(model, batches, test)
    np.testing.assert_allclose(mine.probabilities, results.probabilities, atol=1e-6)
    path = experiment.write_results(tmp_path / "mine", results, metadata)
    written = json.loads(path.read_text())
    assert written["preset"] == cards.spec_to_json(choices.preset) and written["seconds"] > 0
    assert written["versions"]["python"] == ".".join(map(str, sys.version_info[:3])) and written["framework"] == "torch"


def test_training_shuffles_its_own_videos_and_validation_does_not(choices, tmp_path, monkeypatch):
    table, given = experiment.prepare_table(choices), []
    monkeypatch.setattr(running, "train_model", lambda model, *batches, **options: given.extend(batches[:2]))
    experiment.run_training(choices, tmp_path)
    for batches, subset in zip(given, ("train", "validation"), strict=True):
        assert batches.shuffle is (subset == "train")
        assert batches.source.videos.path.tolist() == table.path[table.subset == subset].tolist()


def test_a_checkpoint_is_evaluated_on_as_many_videos_as_it_was_trained_on_unless_told(choices, tmp_path):
    experiment.run_training(replace(choices, limit=2), tmp_path)
    for limit, count in ((None, 4), (1, 2)):
        assert experiment.evaluate_checkpoint(tmp_path, choices.data, limit=limit)[0].video.count == count


def test_a_control_reaches_the_batches_and_the_results_say_so(choices, tmp_path, monkeypatch):
    experiment.run_training(choices, tmp_path)
    given, make_batches = [], running.make_batches
    monkeypatch.setattr(
        running, "make_batches", lambda *words, **options: given.append(make_batches(*words, **options)) or given[-1]
    )
    for control, name in ((None, "results.json"), ("first", "results_first.json")):
        results, _ = experiment.evaluate_checkpoint(tmp_path, choices.data, control=control)
        assert given[-1].control == results.control == control and given[-1].shuffle is False
        assert experiment.write_results(tmp_path, results, {}).name == name


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
    assert keys[0] != keys[1] and keys[0] == keys[2] and keys[0].startswith("vgg_slim-flatten-")
    assert experiment.cache_inputs(table, one, choices).kind == "frames"
    frozen = replace(choices, preset=replace(SLIM, training=specs.TrainSpec(frozen=("convolutions",))))
    features = experiment.cache_inputs(table, one, frozen)
    assert features.kind == "features" and features[0].shape == (16, 768)


def test_features_that_one_framework_has_extracted_serve_the_other(choices, monkeypatch):
    vgg = replace(SLIM.model.vgg, pooling="max", normalize=True)
    preset = replace(SLIM, model=replace(SLIM.model, vgg=vgg), training=specs.TrainSpec(frozen=("convolutions",)))
    frozen = replace(choices, preset=preset)
    table = experiment.prepare_table(frozen)[:2]
    torch_backend, keras_backend = map(experiment.load_backend, ("torch", "keras"))
    first = torch_backend.training.build_model(preset.model, 2)
    second = keras_backend.training.build_model(preset.model, 2, weights=torch_backend.weights.get_weights(first))
    own = keras_backend.training.extract_features(second, np.stack([*experiment.cache_frames(table, frozen)]))
    experiment.cache_inputs(table, first, frozen).fill()
    monkeypatch.setattr(keras_backend.training, "extract_features", lambda *_: pytest.fail("extracted again"))
    found = np.stack([*experiment.cache_inputs(table, second, frozen)])
    np.testing.assert_allclose(found, np.asarray(own).reshape(found.shape), atol=1e-3)


def test_a_checkpoint_is_not_tested_on_recordings_it_was_trained_on(choices, tmp_path):
    experiment.run_training(choices, tmp_path / "run")
    write_split(choices.data, 2, tested=(1, 2, 4))
    with pytest.raises(ValueError, match=r"no group on both sides. Received: 2 shared \(Bright g04, Dark g04\)"):
        experiment.evaluate_checkpoint(tmp_path / "run", choices.data, split=2)
    write_split(choices.data, 3, tested=(1, 2))
    results, metadata = experiment.evaluate_checkpoint(tmp_path / "run", choices.data, split=3)
    assert results.video.count == 4 and metadata["data"]["split"] == 3


def test_a_leak_is_found_in_renamed_folders_and_in_copies(choices, tmp_path):
    """By content where classes were renamed, by name where files were written again."""
    experiment.run_training(choices, tmp_path / "run")
    renamed = tmp_path / "renamed"
    for video in sorted((choices.data / "UCF-101").rglob("*.avi")):
        name = video.parent.name.replace("Bright", "Light")
        (renamed / name).mkdir(parents=True, exist_ok=True)
        (renamed / name / video.name).hardlink_to(video)
    table = list_videos(renamed).assign(subset="test")
    seen = checkpoints.read_card(tmp_path / "run" / "best.safetensors")["videos"]
    assert check_leakage(seen["train"], table, allow=True) == [f"{name} g{group:02d}" for name, group in (
        *(("Dark", group) for group in learnt(seen, "Dark")), *(("Light", group) for group in learnt(seen, "Bright")),
    )]  # fmt: skip
    assert check_leakage(seen["train"], table.assign(hash="other"), allow=True) == [
        f"Dark g{group:02d}" for group in learnt(seen, "Dark")
    ]


def learnt(seen, name):
    return [int(group[-2:]) for group in seen["train"] if group.startswith(name)]


def test_a_chain_of_checkpoints_inherits_what_each_has_seen(choices, tmp_path):
    write_split(choices.data, 2, tested=(1, 2, 3, 4))
    experiment.run_training(choices, tmp_path / "first")  # trains on groups 4 to 8 but for four of validation
    second = replace(choices, split=2, validation_groups=0, weights=str(tmp_path / "first"))
    with pytest.raises(ValueError, match="2 shared .Bright g04, Dark g04"):
        experiment.run_training(second, tmp_path / "second")
    model, _ = experiment.run_training(replace(second, allow_leakage=True), tmp_path / "second")
    third = replace(choices, split=2, validation_groups=0, weights=str(tmp_path / "second"))
    with pytest.raises(ValueError, match="2 shared .Bright g04, Dark g04"):  # of the first, not of the second
        experiment.run_training(third, tmp_path / "third")
    assert model.card["leakage"] == ["Bright g04", "Dark g04"]
    assert set(model.card["videos"]["train"]) >= {f"Dark g{group:02d}" for group in range(5, 9)}
    assert "Dark g04" in {**model.card["videos"]["train"], **model.card["videos"]["validation"]}


def test_weights_that_have_trained_on_the_validation_videos_are_refused(choices, tmp_path):
    experiment.run_training(replace(choices, validation_groups=0), tmp_path / "all")
    with pytest.raises(ValueError, match="8 shared .Bright g0"):
        experiment.run_training(replace(choices, weights=str(tmp_path / "all")), tmp_path / "next")
    experiment.run_training(choices, tmp_path / "some")
    _, history = experiment.run_training(replace(choices, weights=str(tmp_path / "some"), seed=1), tmp_path / "next")
    assert len(history["loss"]) == 2  # the same groups validate, whatever the seed


def test_the_seed_leaves_the_validation_groups_alone(choices):
    validation = [
        experiment.prepare_table(replace(choices, validation_groups=2, **seeds)).query("subset == 'validation'").name
        for seeds in ({}, {"seed": 5}, {"split_seed": 1})
    ]
    assert validation[0].tolist() == validation[1].tolist() != validation[2].tolist()


@pytest.mark.parametrize("framework", ["torch", "keras"])
def test_without_validation_groups_all_train_and_the_last_epoch_is_kept(choices, framework, tmp_path):
    training = replace(choices.preset.training, num_epochs=3, patience=1)
    preset = replace(choices.preset, training=training)
    given = replace(choices, validation_groups=0, preset=preset, framework=framework)
    model, history = experiment.run_training(given, tmp_path)
    assert len(history["loss"]) == 3 and history["val_loss"] == [None] * 3
    assert model.card["videos"]["validation"] == {} and len(model.card["videos"]["train"]) == 10
    assert model.card["metrics"]["epoch"] == 3


def test_refit_trains_on_both_for_the_epochs_that_validation_chose(choices, tmp_path, monkeypatch):
    runs, train_once = [], running._train_once

    def record(given, run, monitor, *card):
        model, history = train_once(given, run, monitor, *card)
        if given.validation_groups:
            history = history | {"val_loss": [0.2, 0.3]}  # the first epoch was the best
        runs.append((given, run, history))
        return model, history

    monkeypatch.setattr(running, "_train_once", record)
    model, history = experiment.run_training(replace(choices, refit=True), tmp_path)
    (first, chosen, _), (second, run, _) = runs
    assert (chosen, run, len(history["loss"])) == (tmp_path / "choosing", tmp_path, 1)
    assert (first.validation_groups, second.validation_groups) == (4, 0) and len(model.card["videos"]["train"]) == 10
    assert experiment.evaluate_checkpoint(tmp_path, choices.data)[0].video.count == 6
    card, first = (checkpoints.read_card(folder / "best.safetensors") for folder in (tmp_path, tmp_path / "choosing"))
    assert card["temperatures"] == first["temperatures"] and card["temperatures_of"] == "choosing"
    assert "temperatures_of" not in first and experiment.Predictor(tmp_path).temperatures == first["temperatures"]


def test_refit_from_refitted_weights_chooses_from_those_that_have_not_seen_the_validation_videos(choices, tmp_path):
    refit = replace(choices, refit=True)
    experiment.run_training(refit, tmp_path / "first")
    model, _ = experiment.run_training(replace(refit, weights=str(tmp_path / "first")), tmp_path / "second")
    assert model.card["leakage"] == [] and len(model.card["videos"]["train"]) == 10


def test_refit_waits_for_a_choice_that_was_stopped(choices, tmp_path):
    monitor = SimpleNamespace(stop=False, on_epoch=lambda record: setattr(monitor, "stop", True))
    monitor.on_batch = lambda done, total, loss: None
    experiment.run_training(replace(choices, refit=True), tmp_path, monitor=monitor)
    assert not (tmp_path / "best.safetensors").exists() and (tmp_path / "choosing" / "best.safetensors").exists()


def test_a_checkpoint_that_does_not_say_what_it_has_seen_is_refused(choices, tmp_path):
    model, _ = experiment.run_training(choices, None)
    model.card.pop("videos")
    path = save_model(tmp_path / "old.safetensors", model)
    with pytest.raises(ValueError, match="old.safetensors, whose card lacks videos.*train it again"):
        experiment.evaluate_checkpoint(path, choices.data)
    with pytest.raises(ValueError, match="old.safetensors, whose card lacks videos.*train it again"):
        experiment.run_training(replace(choices, weights=str(path)), None)


def test_what_should_be_frozen_but_has_no_weights_is_trained_with_a_warning():
    choices = Experiment("data", replace(SLIM, training=specs.TrainSpec(frozen=("convolutions", "hidden"))))
    for weights, frozen, missing in (
        (None, (), "none for convolutions, hidden"),
        ({"block1_conv1/kernel": 0}, ("convolutions",), "none for hidden"),
    ):
        with pytest.warns(UserWarning, match=missing):
            assert predictor._train_what_has_no_weights(choices, weights).preset.training.frozen == frozen
    weights = {"block1_conv1/kernel": 0, "hidden1/kernel": 0}
    assert predictor._train_what_has_no_weights(choices, weights) == choices


def test_presets_and_weights_suit_the_data(tmp_path, monkeypatch):
    assert (experiment.choose_preset("lrcn", tmp_path).name, experiment.choose_weights(tmp_path)) == (
        "vgg16_lrcn",
        "imagenet",
    )
    monkeypatch.setattr(folders.sample, "is_sample", lambda folder: True)
    assert (experiment.choose_preset("frames", tmp_path), experiment.choose_weights(tmp_path)) == (SLIM, "none")


def shrink(name):
    """A preset of the paper, or of the fine-tuning recipe, with a network that trains in a second."""
    preset, vgg = specs.PRESETS[name], specs.VGGSpec("tiny", ((1, 4), (1, 6)), size=16, std=(64.0,) * 3)
    frames = specs.FrameSpec("frames", vgg, hidden=(10,), dropout=0.5)
    lrcn = specs.LRCNSpec("lrcn", frames, lstm=(5,), readout="steps", num_frames=4)
    training = replace(preset.training, num_epochs=3, milestones=(1, 2), batch_size=4)
    model, clip_frames = (lrcn, 4) if name == "paper_lrcn" else (frames, preset.clip_frames)
    return replace(preset, model=model, training=training, clip_frames=clip_frames, frame_size=(20, 26))


@pytest.mark.parametrize("framework", ["torch", "keras"])
def test_the_papers_models_train_in_the_small(data, framework, tmp_path):
    runs = {name: tmp_path / name for name in ("paper_frames", "paper_lrcn")}
    for name, weights in (("paper_frames", "none"), ("paper_lrcn", str(runs["paper_frames"]))):
        choices = Experiment(data, shrink(name), framework=framework, weights=weights, protocol="paper")
        _, history = experiment.run_training(choices, runs[name])
        np.testing.assert_allclose(history["learning_rate"], [1e-3, 1e-4, 1e-5], rtol=1e-5)
    starts, ends = (checkpoints.read_weights(run / "best.safetensors") for run in runs.values())
    moved = [name for name in starts if starts[name].shape == ends[name].shape and (starts[name] != ends[name]).any()]
    assert {"block1_conv1/kernel", "hidden1/kernel"} < set(moved)  # no part is frozen
    assert np.abs(starts["hidden1/kernel"] - ends["hidden1/kernel"]).max() < 0.1  # where the frames' network had ended
    results, _ = experiment.evaluate_checkpoint(runs["paper_lrcn"], data)
    clips = 6 * 9 * 10  # windows of 4 every 2 of 20 frames, each in ten crops
    assert (results.clip.count, results.frame.count) == (clips, clips * 4)


def shrink_recipe(name, **training):
    """The fine-tuning recipe on kept frames of 20 x 26 and a network that sees 16 x 16 of them."""
    preset = replace(shrink(name), num_frames=6)
    return replace(preset, training=replace(preset.training, accumulation_steps=2, **training))


@pytest.mark.parametrize("framework", ["torch", "keras"])
@pytest.mark.parametrize("name", ["vgg16_finetune", "vgg16_finetune_tsn"])
def test_ten_crops_of_each_kept_frame_answer_for_a_video(data, framework, name, tmp_path):
    preset = shrink_recipe(name, mixed_precision=False)
    choices = Experiment(data, preset, framework=framework, weights="none", validation_groups=0)
    _, history = experiment.run_training(choices, tmp_path)
    np.testing.assert_allclose(history["learning_rate"], [1e-3, 1e-4, 1e-5], rtol=1e-5)
    results, _ = experiment.evaluate_checkpoint(tmp_path, data)
    assert results.frame.count == results.clip.count == 6 * 6 * 10 and results.video.count == 6
    model, _ = experiment.load_model(tmp_path)
    table = experiment.prepare_table(choices)
    test = table[table.subset == "test"].reset_index(drop=True)
    for row, frames in enumerate(experiment.cache_frames(test, choices)):
        assert frames.shape == (6, 20, 26, 3)
        crops = [
            frame[top : top + 16, left : left + 16][:, ::step]
            for frame in frames
            for step in (1, -1)
            for top, left in ((0, 0), (0, 10), (4, 0), (4, 10), (2, 5))
        ]
        with torch.no_grad():
            logits = model(torch.from_numpy(np.stack(crops))).numpy()  # (60, K)
        expected = evaluation.softmax(logits).mean(axis=0).max()
        np.testing.assert_allclose(results.predictions.probability[row], expected, rtol=1e-4)


@pytest.mark.parametrize("framework", ["torch", "keras"])
@pytest.mark.parametrize("consensus", [False, True])
def test_with_consensus_the_loss_is_that_of_the_mean_logits(data, framework, consensus):
    preset = shrink_recipe("vgg16_finetune_tsn", learning_rate=0.0, num_epochs=1, mixed_precision=False)
    frames = replace(preset.model, dropout=0.0)
    preset = replace(preset, model=frames, training=replace(preset.training, consensus=consensus))
    choices = Experiment(data, preset, framework=framework, weights="none", validation_groups=0)
    model, history = experiment.run_training(choices, None)
    table = experiment.prepare_table(choices)
    train = table[table.subset == "train"]
    clips, labels = load_arrays(
        experiment.make_batches(experiment.cache_frames(train, choices), train, choices, train=True)
    )
    every = model(torch.from_numpy(clips)).detach().numpy() if framework == "torch" else np.asarray(model(clips))
    logits = every.mean(axis=1, keepdims=True) if consensus else every  # (N, 1 or T, K)
    losses = -np.log(np.take_along_axis(evaluation.softmax(logits), labels[:, None, None], axis=2))
    np.testing.assert_allclose(history["loss"], [losses.mean()], rtol=1e-4)


@pytest.mark.parametrize("framework", ["torch", "keras"])
def test_a_stopped_fine_tuning_resumes_to_the_last_digit(data, framework, tmp_path):
    def stop_in_the_second_epoch(done, total, loss):
        monitor.stop = done == 5

    preset = shrink_recipe("vgg16_finetune_tsn")
    choices = Experiment(data, preset, framework=framework, weights="none", validation_groups=0, stream="flow")
    monitor = SimpleNamespace(stop=False, on_batch=stop_in_the_second_epoch, on_epoch=lambda record: None)
    experiment.run_training(choices, tmp_path / "whole")
    assert len(experiment.run_training(choices, tmp_path / "stopped", monitor=monitor)[1]["epoch"]) == 1
    experiment.run_training(choices, tmp_path / "stopped")
    whole, stopped = (checkpoints.read_weights(tmp_path / run / "state.safetensors") for run in ("whole", "stopped"))
    assert whole.keys() == stopped.keys() and all(np.array_equal(whole[name], stopped[name]) for name in whole)


def test_validation_after_each_epoch_sees_the_centre_alone(data, monkeypatch):
    seen = []
    monkeypatch.setattr(
        running, "train_model", lambda model, train, checks, *others, **options: seen.extend([train, checks])
    )
    experiment.run_training(Experiment(data, shrink_recipe("vgg16_finetune"), weights="none"), None)
    assert [len(batches.crops) for batches in seen] == [0, 1] and seen[1].batch(0, 0)[0].shape[2:] == (16, 16, 3)


def test_what_is_convolved_once_is_kept_at_the_size_of_the_network(data):
    preset = shrink_recipe("vgg16_finetune", frozen=("convolutions",))
    choices = Experiment(data, preset, weights="none")
    assert experiment.cache_frames(experiment.prepare_table(choices), choices)[0].shape == (6, 16, 16, 3)


def test_the_fine_tuning_recipe_is_the_published_one():
    one, three = (specs.PRESETS[name] for name in ("vgg16_finetune", "vgg16_finetune_tsn"))
    for preset, clip_frames in ((one, 1), (three, 3)):
        training, model = preset.training, preset.model
        assert (training.optimizer, training.learning_rate, training.momentum) == ("sgd", 1e-3, 0.9)
        assert (training.weight_decay, training.decay_biases, training.clip_norm) == (5e-4, True, None)
        assert (training.schedule, training.step_factor, training.milestones) == ("step", 0.1, (30, 60, 80))
        assert (training.num_epochs, training.batch_size, training.frozen) == (80, 200, ())
        assert (model.hidden, model.dropout, model.vgg) == ((4096, 4096), 0.9, specs.VGG16)
        assert (preset.num_frames, preset.clip_frames, preset.frame_size) == (25, clip_frames, (256, 340))
        assert preset.augment is True and preset.ten_crops
    assert three.training.consensus and not one.training.consensus


def test_the_papers_recipe_is_that_of_the_paper():
    training = specs.PRESETS["paper_lrcn"].training
    assert (training.optimizer, training.learning_rate, training.momentum, training.clip_norm) == ("sgd", 1e-3, 0.9, 5)
    assert (training.weight_decay, training.decay_biases, training.rates) == (5e-3, False, (("logits", 10.0),))
    for name in ("paper_frames", "paper_lrcn"):  # crops of whole frames, ten of them in the test
        preset = specs.PRESETS[name]
        assert (preset.frame_size, preset.augment, preset.ten_crops) == ((240, 320), "crop", True)
    assert (training.schedule, training.step_factor, training.milestones) == ("step", 0.1, (25, 50))
    assert training.batch_size == 24 and training.frozen == () and specs.PRESETS["paper_frames"].clip_frames == 1


@pytest.mark.parametrize("framework", ["torch", "keras"])
def test_a_card_has_temperatures_and_the_known_classes_of_a_network_that_saw_no_videos(choices, tmp_path, framework):
    build = experiment.load_backend(framework).training.build_model
    weights = experiment.load_backend(framework).weights.get_weights(build(SLIM.model, 2))
    checkpoints.save_checkpoint(tmp_path / "imagenet.safetensors", weights, {})
    preset = replace(choices.preset, training=replace(choices.preset.training, frozen=("convolutions",)))
    frozen = replace(choices, preset=preset, weights=str(tmp_path / "imagenet.safetensors"), framework=framework)
    chosen = frozen, choices, replace(frozen, weights=str(tmp_path / "0")), replace(frozen, stream="flow")
    chosen += (replace(frozen, weights=str(tmp_path / "1")),)  # convolutions that have learnt from videos
    for number, each in enumerate(chosen):
        experiment.run_training(each, tmp_path / str(number))
        card = checkpoints.read_card(tmp_path / str(number) / "best.safetensors")
        assert {*card["temperatures"]} == {"step", "video"} and ("known" in card) == (number in (0, 2))
    experiment.run_training(replace(frozen, refit=True), tmp_path / "refit")
    refitted = checkpoints.read_card(tmp_path / "refit" / "best.safetensors")
    assert {*refitted["temperatures"]} == {"step", "video"} and "known" in refitted
    model = experiment.Predictor(tmp_path / "0", framework=framework)
    assert model.known.threshold != 0 and 0.9 <= model.known.kept.value <= 1
    scores = model.score(np.zeros((2, 3, 64, 64, 3), np.uint8))
    assert scores.shape == (2,) and np.isfinite(scores).all()
    known, describer = model.known, preparing.build_describer(model.model)
    for label, shade in enumerate((220, 40)):  # a class is known by its own videos
        clip = np.random.default_rng(0).integers(shade - 30, shade + 30, (1, 3, 64, 64, 3)).astype(np.uint8)
        features = experiment.load_backend(framework).training.extract_features(describer, clip)
        frames = evaluation.open_set._normalize(features)
        distances = [known._measure_distance(frames, mean, 0)[0] for mean in known.means[:-1]]
        assert np.argmin(distances) == label
        expected = known.score(features) - known.threshold  # the model pools whole maps, once for both its answers
        np.testing.assert_allclose(model.score(clip), expected, rtol=0.01, atol=0.01 * np.abs(distances).max())
        kept = experiment.load_backend(framework).training.extract_features(model.model, clip)
        vgg = model.model.spec.vgg
        np.testing.assert_allclose(model._extract(clip, vgg.pooling, vgg.normalize)[0], kept[0], atol=2e-3)
    assert experiment.Predictor(tmp_path / "1", framework=framework).score(np.zeros((2, 3, 64, 64, 3))).min() == np.inf
    path, card = tmp_path / "0" / "best.safetensors", checkpoints.read_card(tmp_path / "0" / "best.safetensors")
    checkpoints.save_checkpoint(path, weights, card | {"known": card["known"] | {"float16": ("AAAA",) * 3}})
    with pytest.raises(ValueError, match="Expected known classes. Received: .*, in .*0. Make it again"):
        experiment.Predictor(tmp_path / "0", framework=framework)


@pytest.mark.parametrize("refit", [False, True])
def test_the_baseline_learns_from_the_videos_that_the_models_beside_it_learn_from(
    choices, refit, tmp_path, monkeypatch
):
    """They are those of a card of the same choices: with `refit`, the validation videos too."""
    measure = runpy.run_path(str(Path(__file__).parents[1] / "benchmarks" / "presets.py"))["measure_baseline"]
    model, _ = experiment.run_training(replace(choices, refit=refit), tmp_path / "run")
    monkeypatch.setenv("ACTLIB_WEIGHTS", str(save_model(tmp_path / "convolutions.safetensors", model)))
    monkeypatch.setitem(specs.PRESETS, "vgg16_frames", choices.preset)
    parts, open_cache = [], experiment.cache_frames
    monkeypatch.setitem(
        measure.__globals__, "cache_frames", lambda *given: parts.append(given[0]) or open_cache(*given)
    )
    results = measure(choices.data, framework="torch", split=1, refit=refit)
    train, test = parts
    assert list_groups(train) == model.card["videos"]["train"] and len(list_groups(train)) == (10 if refit else 2)
    assert {*test["subset"]} == {"test"} and results.video.count == len(test)
