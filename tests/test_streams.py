"""Streams: models, checkpoints, caches and batches for optical flow in place of frames, the same in both frameworks."""

import json
from dataclasses import replace

import numpy as np
import pytest
from bright_and_dark import write_data

from actlib import cards, experiment, specs
from actlib.dataset import augment_clip
from actlib.experiment import Experiment, load_backend
from actlib.experiment.preparing import FLOW_TRAINING
from actlib.saliency import grad_cam
from actlib.schema import parse_json
from actlib.settings import change_preset
from actlib.training import load_checkpoint, save_model
from actlib.video.flow import mirror_flow, read_flow

TINY = specs.VGGSpec("tiny", ((1, 4), (2, 6)), size=16, std=(64.0, 64.0, 64.0))
FRAMES = specs.FrameSpec("frames", TINY, hidden=(10,))
MODELS = {"frames": FRAMES, "lrcn": specs.LRCNSpec("lrcn", FRAMES, lstm=(5,))}
CHANNELS = {"rgb": 3, "flow": 3, "stack5": 10, "stack10": 20}


def build(framework, stream, model="frames", **options):
    return load_backend(framework).training.build_model(specs.use_stream(MODELS[model], stream), 2, **options)


@pytest.mark.parametrize("name", specs.PRESETS)
def test_every_preset_takes_every_stream(name):
    for stream, channels in CHANNELS.items():
        preset = Experiment("data", specs.PRESETS[name], stream=stream).preset
        vgg, before = preset.model.vgg, specs.PRESETS[name].model.vgg
        assert replace(vgg, flow=None, mean=before.mean, std=before.std) == before
        assert vgg.num_channels == len(vgg.mean) == len(vgg.std) == channels
        assert set(vgg.mean) == ({128} if vgg.flow else {*before.mean}) and set(vgg.std) == {*before.std}
        if vgg.flow:
            assert vgg.flow.bound / vgg.size == specs.STREAMS[stream].bound / 224  # the same picture, smaller
        assert Experiment("data", preset, stream=stream).preset == preset  # as from a card
        assert parse_json(json.dumps(cards.spec_to_json(preset)), cards.Spec, "a card") == preset
    assert Experiment("data", specs.PRESETS[name]).preset == specs.PRESETS[name]


@pytest.mark.parametrize("name", FLOW_TRAINING)
def test_training_on_flow_is_by_adam_and_keeps_what_was_changed(name):
    preset = specs.PRESETS[name]
    flow = Experiment("data", preset, stream="flow").preset.training
    assert flow == FLOW_TRAINING[name] and flow.optimizer == "adam" and flow.patience is None
    assert Experiment("data", preset).preset.training == preset.training != flow
    changed = change_preset(preset, ["training.num_epochs=3", "training.learning_rate=0.01"])
    experiment = Experiment("data", changed, stream="flow")
    assert experiment.preset.training == replace(flow, num_epochs=3, learning_rate=0.01)
    assert replace(experiment, seed=1).preset == experiment.preset  # as a card's is read again
    refitted = replace(experiment.preset, training=replace(flow, num_epochs=preset.training.num_epochs))
    assert replace(experiment, preset=refitted).preset == refitted  # by chance for as many epochs as frames' preset has
    study = specs.PRESETS["study_frames"]  # has no training of its own for flow
    assert Experiment("data", study, stream="flow").preset.training == study.training


def test_the_slim_network_weighs_classes_on_flow_alone():
    rgb, flow = (
        Experiment("data", specs.PRESETS["slim_frames"], stream=name).preset.training for name in ("rgb", "flow")
    )
    assert flow.class_weights and not rgb.class_weights and not flow.frozen


def test_an_unknown_stream_is_refused():
    with pytest.raises(ValueError, match="Expected stream to be one of .*'flow'.*Received: 'depth'"):
        Experiment("data", specs.PRESETS["slim_frames"], stream="depth")


@pytest.mark.parametrize("stream", CHANNELS)
@pytest.mark.parametrize("model", MODELS)
def test_both_frameworks_see_the_same_in_a_stream(stream, model, tmp_path):
    clips = np.random.default_rng(0).integers(0, 256, (2, 3, 16, 16, CHANNELS[stream]), np.uint8)
    ours = build("torch", stream, model, seed=3)
    path = save_model(tmp_path / "model.safetensors", ours)
    theirs = load_checkpoint(path, "keras")
    assert theirs.spec == ours.spec
    features = [
        load_backend(each).training.extract_features(each, clips, mixed_precision=False) for each in (ours, theirs)
    ]
    np.testing.assert_allclose(*features, atol=2e-3)
    assert features[0].shape == (2, 3, TINY.num_features) and features[0].any()
    with pytest.raises(ValueError, match=rf"Expected frames \(..., 16, 16, {CHANNELS[stream]}\)"):
        load_backend("torch").training.extract_features(ours, clips[..., :1])


@pytest.mark.parametrize("framework", ["torch", "keras"])
def test_flow_starts_from_the_kernels_of_rgb(framework):
    rgb = checkpoints_of(build(framework, "rgb", seed=1))
    rgb |= {"preprocess/mean": np.float32([120, 110, 100]), "preprocess/std": np.float32([50, 60, 70])}
    for stream, channels in CHANNELS.items():
        started = checkpoints_of(build(framework, stream, weights=rgb, seed=2))
        kernel, same = started["block1_conv1/kernel"], rgb["block1_conv1/kernel"]
        if channels == 3:
            assert (kernel == same).all()
        else:
            np.testing.assert_allclose(kernel, np.repeat(same.mean(axis=2, keepdims=True), channels, axis=2))
        assert started["preprocess/mean"].tolist() == ([120, 110, 100] if stream == "rgb" else [128] * channels)
        assert started["preprocess/std"].tolist() == ([50, 60, 70] if stream == "rgb" else [60] * channels)
        assert (started["block2_conv1/kernel"] == rgb["block2_conv1/kernel"]).all()
        again = checkpoints_of(build(framework, stream, "lrcn", weights=started))  # a frame classifier -> its LRCN
        assert all((again[name] == started[name]).all() for name in started if not name.startswith("logits"))


def checkpoints_of(model):
    """Name -> array of all weights of a model."""
    return load_backend(model).weights.get_weights(model)


@pytest.mark.parametrize("stream", ["flow", "stack5"])
def test_grad_cam_looks_at_flow(stream):
    clip = np.random.default_rng(0).integers(0, 256, (2, 16, 16, CHANNELS[stream]), np.uint8)
    maps = [grad_cam(build(framework, stream, seed=3), clip, label=1) for framework in ("torch", "keras")]
    np.testing.assert_allclose(*maps, atol=1e-3)
    assert maps[0].shape == (2, 16, 16) and maps[0].max() == 1


def test_flow_is_mirrored_with_its_direction():
    flow, rng = specs.FlowSpec(), np.random.default_rng(0)
    clip = np.full((2, 8, 8, 3), 128, np.uint8)
    clip[..., 0], clip[..., 1] = 200, 90
    seen = {tuple(augment_clip(clip, rng=rng, flow=flow)[0, 0, 0].tolist()) for _ in range(30)}
    assert seen == {(200, 90, 128), (55, 90, 128)} == {tuple(mirror_flow(clip)[0, 0, 0].tolist()), (200, 90, 128)}
    stack = np.full((2, 8, 8, 10), 100, np.uint8)
    assert augment_clip(stack, rng=rng, size=6, flow=specs.STREAMS["stack5"]).shape == (2, 6, 6, 10)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("data"))


@pytest.mark.parametrize(("framework", "stream"), [("torch", "flow"), ("keras", "flow"), ("torch", "stack5")])
def test_a_stream_goes_all_the_way(data, tmp_path, monkeypatch, framework, stream):
    monkeypatch.setenv("ACTLIB_CACHE", str(tmp_path / "cache"))
    slim = specs.PRESETS["slim_frames"]
    preset = replace(slim, training=replace(slim.training, num_epochs=1), num_frames=4, clip_frames=2, augment=True)
    choices = Experiment(data, preset, framework, weights="none", stream=stream)
    table = experiment.prepare_table(choices)[:2]
    frames = experiment.cache_frames(table, choices).fill()
    vgg = choices.preset.model.vgg
    assert (frames[1] == read_flow(table.path.iloc[1], [2, 7, 12, 17], size=64, spec=vgg.flow)).all()
    batches = experiment.make_batches(frames, table, choices, train=True)
    assert (
        batches.augment.keywords == {"size": 64, "flow": vgg.flow}
        and batches.batch(0, 0)[0].shape[-1] == CHANNELS[stream]
    )
    assert not experiment.make_batches(frames, table, choices, train=False).augment
    model, _ = experiment.run_training(choices, tmp_path / "run")
    assert model.card["experiment"]["stream"] == stream and model.spec.vgg == vgg
    read, card = experiment.load_model(tmp_path / "run", framework=framework)
    assert experiment.read_experiment(card, data) == replace(choices, classes=("Bright", "Dark"))
    results, metadata = experiment.evaluate_checkpoint(tmp_path / "run", data)
    assert results.video.count == 6 and metadata["experiment"]["stream"] == stream
    rgb = experiment.cache_features(experiment.cache_frames(table, replace(choices, preset=preset, stream="rgb")), read)
    assert rgb.key != experiment.cache_features(frames, read).key


def test_cards_from_before_streams_are_of_rgb(tmp_path):
    card = {"experiment": {"framework": "torch", "weights": "none"}, "classes": ["a", "b"]}
    card["preset"] = specs.PRESETS["slim_frames"]
    assert experiment.read_experiment(card, tmp_path).stream == "rgb"
    old = cards.spec_to_json(specs.SLIM_FRAMES)
    del old["vgg"]["flow"]
    assert parse_json(json.dumps(old), cards.Spec, "a card") == specs.SLIM_FRAMES
