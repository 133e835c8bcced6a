"""Weights on disk: what goes in comes out, other people's files fit, damaged ones say so."""

import json
import os
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

from actlib import cards, checkpoints, schema, specs

WEIGHTS = {"preprocess/mean": np.zeros(3), "logits/kernel": np.arange(6.0).reshape(2, 3), "logits/bias": np.ones(3)}


def bgr_weights():
    rng = np.random.default_rng(0)
    return {"block1_conv1/kernel": rng.random((3, 3, 3, 4), np.float32), "block1_conv1/bias": np.ones(4, np.float32)}


def test_a_checkpoint_comes_back_as_it_was(tmp_path):
    card = {"kind": "frames", "classes": ["Jump", "Sit"], "metrics": {"val_loss": 0.1 + 0.2}}
    path = checkpoints.save_checkpoint(tmp_path / "new" / "model.safetensors", WEIGHTS, card)
    written = card | {"format_version": cards.FORMAT_VERSION}
    assert (
        checkpoints.read_card(path, "kind", "classes") == written == json.loads(path.with_suffix(".json").read_text())
    )
    read = checkpoints.read_weights(path)
    assert read.keys() == WEIGHTS.keys()
    assert all(np.array_equal(read[name], WEIGHTS[name]) and read[name].dtype == np.float32 for name in WEIGHTS)
    assert sorted(file.name for file in path.parent.iterdir()) == ["model.json", "model.safetensors"]


def test_arrays_that_do_not_lie_in_order_come_back_in_order(tmp_path):
    kernel = np.arange(24.0).reshape(2, 3, 4).transpose(2, 0, 1)[::-1]
    path = checkpoints.save_checkpoint(tmp_path / "w.safetensors", {"a/kernel": kernel, "a/count": np.float32(3)}, {})
    read = checkpoints.read_weights(path)
    assert np.array_equal(read["a/kernel"], kernel)
    assert read["a/count"].shape == () and read["a/count"] == 3


def test_npz_and_h5_of_keras_are_turned_to_rgb(tmp_path):
    weights = bgr_weights()
    np.savez(tmp_path / "vgg.npz", **weights)
    with h5py.File(tmp_path / "vgg.h5", "w") as file:  # as the file of keras.applications is laid out
        file["block1_conv1/block1_conv1_W_1:0"] = weights["block1_conv1/kernel"]
        file["block1_conv1/block1_conv1_b_1:0"] = weights["block1_conv1/bias"]
        file.create_group("block1_pool")
    for name in ("vgg.npz", "vgg.h5"):
        read = checkpoints.read_weights(tmp_path / name)
        assert np.array_equal(read["block1_conv1/kernel"], weights["block1_conv1/kernel"][:, :, ::-1])
        assert np.array_equal(read["block1_conv1/bias"], weights["block1_conv1/bias"])
        assert read["preprocess/mean"] == pytest.approx([123.68, 116.779, 103.939])
        assert np.array_equal(read["preprocess/std"], np.ones(3))


def test_our_own_files_are_not_turned_again(tmp_path):
    weights = bgr_weights() | {"preprocess/mean": np.zeros(3), "preprocess/std": np.ones(3)}
    path = checkpoints.save_checkpoint(tmp_path / "w.safetensors", weights, {})
    assert np.array_equal(checkpoints.read_weights(path)["block1_conv1/kernel"], weights["block1_conv1/kernel"])


@pytest.mark.parametrize("suffix", [".safetensors", ".npz", ".h5"])
@pytest.mark.parametrize("content", [b"", b"not weights at all", b"\xff" * 4096])
def test_damaged_files_say_which(tmp_path, suffix, content):
    path = tmp_path / f"broken{suffix}"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"broken{suffix}"):
        checkpoints.read_weights(path)


def test_a_truncated_checkpoint_says_so(tmp_path):
    path = checkpoints.save_checkpoint(tmp_path / "cut.safetensors", WEIGHTS, {})
    os.truncate(path, path.stat().st_size - 8)
    with pytest.raises(ValueError, match="cut.safetensors"):
        checkpoints.read_weights(path)
    with pytest.raises(ValueError, match="cut.safetensors"):
        checkpoints.read_card(path)


def test_pickles_inside_an_npz_are_refused(tmp_path):
    np.savez(tmp_path / "evil.npz", **{"block1_conv1/kernel": np.array([print], dtype=object)})
    with pytest.raises(ValueError, match=r"evil\.npz"):
        checkpoints.read_weights(tmp_path / "evil.npz")


def test_other_kinds_and_missing_files_are_refused(tmp_path):
    (tmp_path / "model.pkl").write_bytes(b"x")
    with pytest.raises(ValueError, match=r"model\.pkl"):
        checkpoints.read_weights(tmp_path / "model.pkl")
    with pytest.raises(FileNotFoundError, match=r"none\.npz"):
        checkpoints.read_weights(tmp_path / "none.npz")
    with pytest.raises(ValueError, match="ends in .safetensors"):
        checkpoints.save_checkpoint(tmp_path / "model.pt", WEIGHTS, {})


def test_the_key_changes_with_any_weight_and_name():
    key = checkpoints.weights_key(WEIGHTS)
    assert len(key) == 12 and key == checkpoints.weights_key(dict(reversed(WEIGHTS.items())))
    assert key != checkpoints.weights_key(WEIGHTS | {"logits/bias": np.array([1, 1, 1 + 1e-6])})
    assert key != checkpoints.weights_key({name.replace("bias", "b"): array for name, array in WEIGHTS.items()})
    assert key != checkpoints.weights_key(WEIGHTS | {"logits/kernel": WEIGHTS["logits/kernel"].reshape(3, 2)})


counts, few, lengths, shares = st.integers(1, 100_000), st.integers(1, 16), st.integers(1, 1000), st.floats(0, 1)
names = st.text(st.characters(exclude_characters="/", exclude_categories=["Cs"]), min_size=1, max_size=100)
vggs = st.builds(
    specs.VGGSpec,
    name=names,
    blocks=st.lists(st.tuples(few, counts), min_size=1, max_size=5).map(tuple),
    size=st.integers(32, 1000),
    mean=st.tuples(*[st.floats(-1000, 1000)] * 3),
    std=st.tuples(*[st.floats(1e-3, 1000)] * 3),
)
heads = st.builds(specs.FrameSpec, name=names, vgg=vggs, hidden=st.lists(counts, max_size=3).map(tuple), dropout=shares)
lrcns = st.builds(
    specs.LRCNSpec,
    name=names,
    frames=heads,
    lstm=st.lists(counts, min_size=1, max_size=3).map(tuple),
    readout=st.sampled_from(specs.READOUTS),
)
trainings = st.builds(
    specs.TrainSpec,
    learning_rate=st.floats(0, 1),
    clip_norm=st.none() | st.floats(0, 10),
    patience=st.none() | st.integers(0, 9),
    frozen=st.sets(st.sampled_from(specs.FROZEN_PARTS)).map(lambda parts: tuple(sorted(parts))),
)
presets = st.builds(
    specs.Preset, name=names, model=heads | lrcns, training=trainings, num_frames=lengths, clip_frames=lengths
)


@given(preset=presets | st.sampled_from([*specs.PRESETS.values()]))
def test_every_preset_comes_back_through_json(preset):
    for spec in (preset, preset.model, preset.training):
        read = schema.parse_json(json.dumps(cards.spec_to_json(spec)), cards.Spec, "a card")
        assert read == spec and hash(read) == hash(spec)  # hash: no list where a tuple was


untyped = st.text().filter(lambda name: name not in cards.Card.__annotations__)


@given(preset=presets, card=st.dictionaries(untyped, st.none() | st.booleans() | st.integers() | st.text()))
def test_every_card_comes_back_from_a_file(preset, card, tmp_path_factory):
    card |= {"preset": preset, "spec": preset.model, "format_version": 0}
    path = checkpoints.save_checkpoint(tmp_path_factory.getbasetemp() / "card.safetensors", {}, card)
    assert checkpoints.read_card(path, *card) == card | {"format_version": cards.FORMAT_VERSION}


def without(name):
    spec = cards.spec_to_json(specs.PRESETS["slim_lrcn"])
    return {key: value for key, value in spec.items() if key != name}


@pytest.mark.parametrize(
    ("spec", "answer"),
    [
        ({"type": "Popen"}, "Popen"),
        (without("type"), "discriminator 'type'"),
        (without("clip_frames"), "clip_frames"),
        (without("name") | {"title": "x"}, "title"),
        (without("clip_frames") | {"clip_frames": "8"}, "clip_frames '8': Input should be a valid integer"),
        (without("num_frames") | {"num_frames": 1001}, "num_frames 1001: Input should be less than or equal to 1000"),
        (without("model") | {"model": without("type")}, "discriminator 'type'"),
        (without("model") | {"model": without("type") | {"type": "Preset"}}, "LRCNSpec"),
        ("slim_lrcn", "slim_lrcn.*object"),
        (cards.spec_to_json(specs.PRESETS["slim_lrcn"].model) | {"readout": "first"}, "'first'"),
    ],
)
def test_a_spec_of_another_version_is_refused_with_its_file(spec, answer):
    with pytest.raises(
        ValueError, match=rf"Expected what this version.*{answer}.*, in run/best\.safetensors. Make it again, or update"
    ):
        schema.parse_json(json.dumps(spec), cards.Spec, "run/best.safetensors")


def test_a_card_says_what_it_lacks_and_whether_it_is_too_new(tmp_path):
    save_file({"a": np.zeros(1)}, tmp_path / "bare.safetensors")
    assert checkpoints.read_card(tmp_path / "bare.safetensors") == {}
    path = checkpoints.save_checkpoint(tmp_path / "some.safetensors", WEIGHTS, {"kind": "frames", "classes": []})
    for file, missing in (("bare", "kind, classes, preset"), ("some", "preset")):
        with pytest.raises(ValueError, match=rf"{file}\.safetensors, whose card lacks {missing}\. Name a checkpoint"):
            checkpoints.read_card(tmp_path / f"{file}.safetensors", "kind", "classes", "preset")
    newer = cards.FORMAT_VERSION + 1
    save_file({"a": np.zeros(1)}, path, {"card": json.dumps({"kind": "frames", "format_version": newer})})
    with pytest.raises(ValueError, match=rf"format_version {newer}: .*some\.safetensors\. Make it again, or update"):
        checkpoints.read_card(path)


@pytest.mark.skipif("ACTLIB_REAL_DATA" not in os.environ, reason="set ACTLIB_REAL_DATA to a folder with real weights")
def test_imagenet_weights_have_the_known_size():
    weights = checkpoints.read_weights(Path(os.environ["ACTLIB_REAL_DATA"], "weights", "vgg16_imagenet_notop.npz"))
    assert sum(array.size for name, array in weights.items() if name.startswith("block")) == 14_714_688


def test_a_head_alone_is_completed_by_imagenets_vgg16(tmp_path, monkeypatch):
    spec = specs.PRESETS["vgg16_frames"].model
    shapes = checkpoints.list_shapes(spec, 2)
    weights = {name: np.ones(shape, np.float32) for name, shape in shapes.items()}
    head = {name: array for name, array in weights.items() if not name.startswith("block")}
    card = {"spec": cards.spec_to_json(spec), "num_classes": 2, "classes": ["Jump", "Sit"]}
    path = checkpoints.save_checkpoint(tmp_path / "head.safetensors", head, card)
    monkeypatch.setenv("ACTLIB_WEIGHTS", str(tmp_path / "vgg16.safetensors"))
    with pytest.raises(FileNotFoundError, match="fetch vgg16"):
        checkpoints.read_model(path)
    backbone = {name: array for name, array in weights.items() if name.startswith(("preprocess", "block"))}
    save_file(backbone, tmp_path / "vgg16.safetensors")
    assert checkpoints.read_model(path)[1].keys() == shapes.keys()
    save_file(backbone | {"preprocess/mean": np.zeros(3, np.float32)}, tmp_path / "vgg16.safetensors")
    with pytest.raises(ValueError, match="another, "):
        checkpoints.read_model(path)
