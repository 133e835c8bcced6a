"""The two halves are twins: the same names and arguments, weights that cross over, the same answers."""

import ast
import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.nn import functional

from actlib import specs
from actlib.checkpoints import list_shapes, read_weights
from actlib.dataset import ClipBatches
from actlib.keras import training as keras_training
from actlib.keras import weights as keras_weights
from actlib.keras.vgg import VGG
from actlib.torch import training as torch_training
from actlib.torch import vgg as torch_vgg
from actlib.torch import weights as torch_weights
from actlib.training import _init_weights, load_checkpoint, save_model
from actlib.video import make_sampler, read_clip

import keras  # isort: skip (after actlib.keras, which keeps its start-up quiet)

LIBRARY = Path(__file__).resolve().parent.parent / "actlib"
FILES = sorted(path.name for path in (LIBRARY / "torch").glob("*.py"))
ONLY = {  # what has no twin, as the other framework has it or needs none
    "keras": {"bf16_copy", "ClipDataset", "raise_read_errors"},
    "torch": {"device_of", "at_rest", "to_numpy", "make_loader"},
}

TINY = specs.VGGSpec("tiny", ((1, 4), (2, 6)), size=16, std=(64.0, 64.0, 64.0))
NORMED = replace(TINY, batch_norm=True)
MODELS = {
    "frames": specs.FrameSpec("frames", TINY, hidden=(10, 8), dropout=0.3),
    "pooled": specs.FrameSpec("pooled", replace(TINY, pooling="mean"), hidden=(10,)),
    "normalized": specs.FrameSpec("normalized", replace(NORMED, pooling="max", normalize=True), hidden=(10,)),
    "sequence": specs.LRCNSpec("s", specs.FrameSpec("f", replace(TINY, normalize=True), hidden=(10,)), lstm=(5,)),
    "normed": specs.FrameSpec("normed", NORMED, hidden=(10,)),
    **{
        readout: specs.LRCNSpec(readout, specs.FrameSpec("f", TINY, hidden=(10,)), lstm=(5, 4), readout=readout)
        for readout in specs.READOUTS
    },
}


def describe_public(half, name):
    """Public functions and classes of a file -> (arguments and defaults, docstring without its example), as text."""
    found = {}
    for node in ast.parse((LIBRARY / half / name).read_text()).body:
        if not isinstance(node, (ast.FunctionDef, ast.ClassDef)) or node.name.startswith("_"):
            continue
        methods = {item.name: item for item in ast.walk(node) if isinstance(item, ast.FunctionDef)}
        called = [methods.get(word) for word in (node.name, "__init__", "forward", "call")]
        arguments = [ast.unparse(without_annotations(method).args) for method in called if method]
        arguments = [text.replace(", training=None", "") for text in arguments]  # Keras' own way of saying train()
        found[node.name] = arguments, ast.get_docstring(node).split("Example:")[0].strip()
    return found


def without_annotations(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.arg):
            node.annotation = None
    return tree


def test_the_same_files():
    assert sorted(path.name for path in (LIBRARY / "keras").glob("*.py")) == FILES


@pytest.mark.parametrize("name", FILES)
def test_the_same_public_names_arguments_defaults_and_docstrings(name):
    ours, theirs = (
        {key: value for key, value in describe_public(half, name).items() if key not in ONLY[half]}
        for half in ("keras", "torch")
    )
    assert ours == theirs


@pytest.fixture(params=MODELS)
def pair(request, tmp_path):
    """The same model in both halves, in which no weight has its initial value."""
    ours = keras_training.build_model(MODELS[request.param], 3)
    rng = np.random.default_rng(1)
    drawn = {n: np.abs(w + rng.normal(0, 0.1, w.shape)) if "moving_var" in n else w + rng.normal(0, 0.1, w.shape)
             for n, w in keras_weights.get_weights(ours).items()}  # fmt: skip
    keras_weights.set_weights(ours, drawn)
    path = save_model(tmp_path / "keras.safetensors", ours, card={"classes": ["a", "b", "c"]})
    return ours, load_checkpoint(path, "torch")


@pytest.fixture
def clips():
    return np.random.default_rng(0).integers(0, 256, (4, 3, 16, 16, 3), np.uint8)


def test_a_checkpoint_of_keras_gives_the_same_scores_in_pytorch(pair, clips):
    ours, theirs = pair
    with torch.no_grad():
        expected = theirs.eval()(torch.from_numpy(clips)).numpy()
    np.testing.assert_allclose(keras.ops.convert_to_numpy(ours(clips)), expected, atol=1e-4)
    assert theirs.card["classes"] == ["a", "b", "c"] and theirs.card["framework"] == "keras"
    assert theirs.spec == ours.spec


def test_a_checkpoint_of_pytorch_gives_the_same_scores_in_keras(pair, clips, tmp_path):
    _, theirs = pair
    ours = load_checkpoint(save_model(tmp_path / "torch.safetensors", theirs), "keras")
    with torch.no_grad():
        expected = theirs.eval()(torch.from_numpy(clips)).numpy()
    np.testing.assert_allclose(keras.ops.convert_to_numpy(ours(clips)), expected, atol=1e-4)
    assert ours.card["framework"] == "torch"


def test_the_same_weights_under_the_same_names(pair):
    ours, theirs = (
        module.get_weights(model) for module, model in zip((keras_weights, torch_weights), pair, strict=True)
    )
    assert ours.keys() == theirs.keys() and all(np.array_equal(ours[name], theirs[name]) for name in ours)


def test_the_same_gradients_of_the_loss(pair, clips):
    import tensorflow as tf

    ours, theirs = pair
    labels = np.array([0, 1, 2, 1])
    with tf.GradientTape() as tape:
        logits = ours(clips)  # (N, K) or (N, T, K)
        repeated = np.broadcast_to(labels.reshape(-1, *[1] * (len(logits.shape) - 2)), logits.shape[:-1])
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(repeated, logits)
    gradients = tape.gradient(loss, [variable.value for variable in ours.trainable_variables])
    functional.cross_entropy(
        theirs.eval()(torch.from_numpy(clips)).flatten(0, -2), torch.from_numpy(repeated.flatten())
    ).backward()
    for parameter in theirs.parameters():
        parameter.data = parameter.grad if parameter.grad is not None else torch.zeros_like(parameter)
    expected = torch_weights.get_weights(theirs)  # the gradients, in neutral order
    for variable, gradient in zip(ours.trainable_variables, gradients, strict=True):
        layer = variable.path.split("/")[-2 if "lstm_cell" not in variable.path else -3].removesuffix("_norm")
        name = f"{layer}/{variable.name}"
        np.testing.assert_allclose(gradient, expected[name], atol=1e-3, err_msg=name)


@pytest.mark.parametrize("twin", [keras_weights, torch_weights])
def test_logits_are_never_taken_from_another_model(twin):
    training = {keras_weights: keras_training, torch_weights: torch_training}[twin]
    frames = specs.FrameSpec("frames", TINY, hidden=(10,))
    same_width = specs.LRCNSpec("lrcn", frames, lstm=(10,))  # its logits have the shape of the frame classifier's
    start = twin.get_weights(training.build_model(frames, 3, seed=7))
    drawn = twin.get_weights(training.build_model(same_width, 3, seed=1))
    model = training.build_model(same_width, 3, seed=1, weights=start)
    for name, array in twin.get_weights(model).items():
        source = start if name in start and not name.startswith("logits") else drawn
        assert np.array_equal(array, source[name]), name
    with pytest.raises(ValueError, match="Expected weights for some of.*other/bias"):
        training.build_model(same_width, 3, weights={"other/bias": np.zeros(3), "logits/bias": np.zeros(3)})


@pytest.mark.parametrize("twin", [keras_weights, torch_weights])
def test_weights_that_do_not_fit_are_refused(twin):
    model = (keras_training if twin is keras_weights else torch_training).build_model(MODELS["frames"], 3)
    given = twin.get_weights(model)
    bias = given.pop("hidden1/bias")
    with pytest.raises(ValueError, match=r"1 missing \['hidden1/bias'\], 1 left over \['extra/bias'\]"):
        twin.set_weights(model, given | {"extra/bias": bias})
    with pytest.raises(ValueError, match=r"hidden1/bias of shape \(10,\).*\(4,\)"):
        twin.set_weights(model, given | {"hidden1/bias": np.zeros(4)}, partial=True)
    with pytest.raises(ValueError, match=r"left over \['dense/kernel'\]"):
        twin.set_weights(model, {"dense/kernel": bias}, partial=True)
    with pytest.raises(ValueError, match="1 missing"):
        twin.set_weights(model, given)
    twin.set_weights(model, {"hidden1/bias": bias + 1}, partial=True)
    assert np.array_equal(twin.get_weights(model)["hidden1/bias"], bias + 1)


@pytest.mark.parametrize("name", ["frames", "normed", "mean"])
def test_both_start_from_the_same_weights_and_count_the_same(name):
    ours, theirs = (module.build_model(MODELS[name], 3, seed=5) for module in (keras_training, torch_training))
    first, second = keras_weights.get_weights(ours), torch_weights.get_weights(theirs)
    assert all(np.array_equal(first[name], second[name]) for name in first)
    for module, model in ((keras_training, ours), (torch_training, theirs)):
        module.freeze(model, ("convolutions",))
    assert keras_training.count_parameters(ours) == torch_training.count_parameters(theirs)


def test_parameters_of_the_original_study():
    preset = specs.PRESETS["study_frames"].model
    model = keras_training.build_model(replace(preset, vgg=specs.VGG16), 7)
    assert keras_training.count_parameters(model)[1] == 21_139_271  # as the study states it


RECIPES = {
    "adam": dict(optimizer="adam", learning_rate=1e-4, plateau_patience=1),
    "adamw": dict(
        optimizer="adamw", learning_rate=1e-4, weight_decay=1.0, schedule="cosine", warmup_epochs=2,
        rates=(("logits", 3.0),), accumulation_steps=3, label_smoothing=0.1,
    ),
    "tsn": dict(optimizer="sgd", learning_rate=3e-3, consensus=True, accumulation_steps=2),
    "sgd": dict(
        optimizer="sgd", learning_rate=3e-3, weight_decay=0.01, schedule="step", milestones=(1, 3),
        rates=(("block", 0.1), ("logits", 10.0)), decay_biases=False, accumulation_steps=2,
    ),
}  # fmt: skip


def train_calmly(module, recipe, *, num_epochs=4, **options):
    """Train without dropout, on batches of 4 and a last one of 3, as a recipe says."""
    rng = np.random.default_rng(0)
    labels = np.arange(11) % 3
    videos = [rng.integers(0, 200, (6, 16, 16, 3), np.uint8) // (1 + label) for label in labels]
    batches = ClipBatches(videos, labels, make_sampler("segments", 3), batch_size=4, shuffle=True)
    validation = ClipBatches(videos, labels, make_sampler("uniform", 3), batch_size=5)
    frames = specs.FrameSpec("f", TINY, hidden=(10,), dropout=0.0)
    spec = specs.LRCNSpec("calm", frames, lstm=(5,), lstm_dropout=0.0, readout="steps")
    common = dict(clip_norm=1.0, class_weights=True, frozen=())
    training = specs.TrainSpec(num_epochs=num_epochs, **common, **RECIPES[recipe])
    model = module.build_model(spec, 3)
    return model, module.train(model, batches, validation, training, **options)


@pytest.mark.parametrize("recipe", RECIPES)
def test_training_without_dropout_takes_the_same_way(recipe):
    (ours, history), (theirs, expected) = (train_calmly(twin, recipe) for twin in (keras_training, torch_training))
    for column in ("epoch", "loss", "accuracy", "val_loss", "val_accuracy", "learning_rate"):
        np.testing.assert_allclose(history[column], expected[column], rtol=1e-3, err_msg=column)
    theirs = torch_weights.get_weights(theirs)
    for name, array in keras_weights.get_weights(ours).items():
        np.testing.assert_allclose(array, theirs[name], atol=1e-5 if recipe == "sgd" else 1e-4, err_msg=name)


@pytest.mark.parametrize("twin", [keras_training, torch_training], ids=["keras", "torch"])
@pytest.mark.parametrize("recipe", ["adamw", "sgd"])
def test_a_stopped_training_resumes_exactly_with_every_recipe(tmp_path, twin, recipe):
    def stop_in_the_third_epoch(done, total, loss):
        monitor.stop = done == 8

    monitor = SimpleNamespace(stop=False, on_batch=stop_in_the_third_epoch, on_epoch=lambda record: None)
    train_calmly(twin, recipe, run=tmp_path / "whole")
    assert len(train_calmly(twin, recipe, run=tmp_path / "stopped", monitor=monitor)[1]["epoch"]) == 2
    train_calmly(twin, recipe, run=tmp_path / "stopped")
    whole, stopped = (read_weights(tmp_path / run / "state.safetensors") for run in ("whole", "stopped"))
    assert whole.keys() == stopped.keys() and all(np.array_equal(whole[name], stopped[name]) for name in whole)


def test_vgg16_is_that_of_keras_applications_layer_by_layer():
    spec = replace(specs.VGG16, size=32)
    ours = VGG(spec)
    shapes = {name: weights.shape for name, weights in keras_weights.get_weights(ours).items() if "pre" not in name}
    drawn = _init_weights(shapes, seed=1)
    keras_weights.set_weights(ours, drawn, partial=True)
    reference = keras.applications.VGG16(weights=None, include_top=False, input_shape=(32, 32, 3))
    for layer in reference.layers:
        if layer.weights:
            kernel, bias = drawn[f"{layer.name}/kernel"], drawn[f"{layer.name}/bias"]
            layer.set_weights([kernel[:, :, ::-1] if layer.name == "block1_conv1" else kernel, bias])  # it wants BGR
    frames = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)
    outputs = keras.Model(reference.input, [layer.output for layer in reference.layers[1:]])(
        keras.applications.vgg16.preprocess_input(frames.astype("float32"))
    )
    x = ours.stack[0](frames)
    for ours_layer, layer, output in zip(ours.stack[1:], reference.layers[1:], outputs, strict=True):
        x = ours_layer(x)
        assert ours_layer.name == layer.name
        np.testing.assert_allclose(x, output, rtol=1e-4, atol=1e-3 * float(np.abs(output).max()), err_msg=layer.name)
    theirs = torch_vgg.VGG(spec)
    torch_weights.set_weights(theirs, keras_weights.get_weights(ours))
    features = theirs(torch.from_numpy(frames)).detach().numpy()  # (2, D)
    np.testing.assert_allclose(ours(frames), features, atol=1e-4 * np.abs(features).max())


@pytest.mark.skipif("ACTLIB_REAL_DATA" not in os.environ, reason="ACTLIB_REAL_DATA is not set: no weights")
def test_imagenet_weights_give_the_features_of_keras_applications_on_real_frames():
    folder = Path(os.environ["ACTLIB_REAL_DATA"])
    path = folder / "weights" / "vgg16_imagenet_notop.npz"
    video = sorted(folder.glob("UCF-101/*/*.avi"))[0]
    frames = read_clip(video, [0, 10], size=224)
    ours = keras_training.build_model(specs.STUDY_FRAMES, 7, weights=read_weights(path))
    reference = keras.applications.VGG16(weights=None, include_top=False, input_shape=(224, 224, 3))
    raw = np.load(path)
    for layer in reference.layers:
        if layer.weights:
            layer.set_weights([raw[f"{layer.name}/kernel"], raw[f"{layer.name}/bias"]])
    expected = reference(keras.applications.vgg16.preprocess_input(frames.astype("float32")))
    expected = keras.ops.convert_to_numpy(expected).reshape(2, -1)
    np.testing.assert_allclose(ours.convolutions(frames), expected, atol=1e-4 * expected.max())
    fast = keras_training.extract_features(ours, frames)  # in bfloat16, where the machine gains from it
    assert np.linalg.norm(fast - expected) < 0.02 * np.linalg.norm(expected)
    theirs = torch_training.extract_features(
        torch_training.build_model(specs.STUDY_FRAMES, 7, weights=read_weights(path)), frames
    )
    assert np.linalg.norm(theirs - expected) < 0.02 * np.linalg.norm(expected)


@pytest.mark.parametrize("weights", [keras_weights, torch_weights])
@pytest.mark.parametrize("name", ["slim_frames", "slim_lrcn", "study_scratch"])
def test_a_network_has_the_weights_that_are_listed_for_it(weights, name):
    for stream in ("rgb", "stack5"):
        spec = specs.use_stream(specs.PRESETS[name].model, stream)
        found = weights.get_weights(weights.make_network(spec, 7))
        assert {name: array.shape for name, array in found.items()} == list_shapes(spec, 7)
