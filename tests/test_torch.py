"""The PyTorch networks: shapes, sizes, and a second opinion on what they compute, written out in NumPy."""

import dataclasses
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from actlib import checkpoints, saliency, specs
from actlib.dataset import ClipBatches
from actlib.torch.lrcn import LRCN
from actlib.torch.precision import default_device, device_of
from actlib.torch.training import build_model, count_parameters, extract_features, freeze, predict
from actlib.torch.vgg import VGG, FrameClassifier
from actlib.torch.weights import get_weights, set_weights
from actlib.training import load_checkpoint, save_model
from actlib.video import make_sampler

TINY = specs.VGGSpec("tiny", ((1, 4), (2, 6)), size=8, std=(64.0, 64.0, 64.0))
FRAMES = specs.FrameSpec("tiny_frames", TINY, hidden=(10, 8), dropout=0.5)
CLIPS = specs.LRCNSpec("tiny_lrcn", FRAMES, lstm=(5, 3), lstm_dropout=0.5, readout="last", num_frames=4)


def random_frames(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (*shape, 8, 8, 3), dtype=np.uint8)


def random_weights(model, seed=0):
    """Weights that are nowhere zero or one, so that a wrong order or a missing term shows."""
    rng = np.random.default_rng(seed)
    weights = {name: rng.normal(0, 0.3, array.shape) for name, array in get_weights(model).items()}
    positive = {name: np.abs(array) + 0.5 for name, array in weights.items() if name.endswith(("variance", "std"))}
    return weights | positive


def make(spec, num_classes=3):
    model = build_model(spec, num_classes).eval()
    set_weights(model, random_weights(model))
    return model, get_weights(model)


def relu(x):
    return np.maximum(x, 0)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def convolve_in_numpy(weights, spec, frames):
    """(n, H, W, C) -> (n, D), by the sum over the nine neighbours, one after the other."""
    x = (frames.astype(np.float64) - weights["preprocess/mean"]) / weights["preprocess/std"]
    for block, (count, _) in enumerate(spec.blocks, start=1):
        for number in range(1, count + 1):
            part = {
                name.split("/")[1]: w for name, w in weights.items() if name.startswith(f"block{block}_conv{number}/")
            }
            rows, columns = x.shape[1:3]
            padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
            x = part["bias"] + sum(
                padded[:, i : i + rows, j : j + columns] @ part["kernel"][i, j] for i in range(3) for j in range(3)
            )
            if spec.batch_norm:
                x = (x - part["moving_mean"]) / np.sqrt(part["moving_variance"] + 1e-3) * part["gamma"] + part["beta"]
            x = relu(x)
        n, rows, columns, channels = x.shape
        x = x.reshape(n, rows // 2, 2, columns // 2, 2, channels).max((2, 4))
    return x.reshape(len(x), -1)


def head_in_numpy(weights, features, *, lstms):
    """(T, D) -> (T, K): hidden layers, then each LSTM step by step from zero states."""
    x = features
    for number in (1, 2):
        x = relu(x @ weights[f"hidden{number}/kernel"] + weights[f"hidden{number}/bias"])
    for number in range(1, lstms + 1):
        kernel, recurrent, bias = (weights[f"lstm{number}/{n}"] for n in ("kernel", "recurrent_kernel", "bias"))
        hidden = cell = np.zeros(len(recurrent))
        steps = []
        for step in x:
            i, f, g, o = np.split(step @ kernel + hidden @ recurrent + bias, 4)
            cell = sigmoid(f) * cell + sigmoid(i) * np.tanh(g)
            hidden = sigmoid(o) * np.tanh(cell)
            steps.append(hidden)
        x = np.array(steps)
    return x @ weights["logits/kernel"] + weights["logits/bias"]


def test_vgg16_has_the_shapes_of_the_paper():
    with torch.device("meta"):  # shapes alone, nothing is computed
        x, shapes = torch.zeros(1, 3, 224, 224), {}
        for name, layer in VGG(specs.VGG16).layers.named_children():
            x = layer(x)
            shapes[name] = tuple(x.shape[1:])
    pools = {name: shape for name, shape in shapes.items() if name.endswith("pool")}
    sizes = [(64, 112, 112), (128, 56, 56), (256, 28, 28), (512, 14, 14), (512, 7, 7)]
    assert pools == {f"block{block}_pool": shape for block, shape in enumerate(sizes, start=1)}
    assert sum("conv" in name and "relu" not in name for name in shapes) == 13
    assert shapes["block5_conv3"] == (512, 14, 14)


@pytest.mark.parametrize(("preset", "size"), [("study_frames", 21_139_271), ("study_lrcn", 21_183_015)])
def test_networks_of_the_study_have_the_stated_size(preset, size):
    model = build_model(specs.PRESETS[preset].model, 7)
    assert count_parameters(model) == (size, size)
    freeze(model, ("convolutions",))
    assert count_parameters(model) == (size - 14_714_688, size)
    freeze(model, ("convolutions", "hidden"))
    assert count_parameters(model)[0] == size - 14_714_688 - 25088 * 256 - 256


@pytest.mark.parametrize("batch_norm", [False, True])
def test_convolutions_agree_with_numpy(batch_norm):
    spec = dataclasses.replace(TINY, batch_norm=batch_norm)
    model, weights = make(dataclasses.replace(FRAMES, vgg=spec))
    frames = random_frames(2, 3)
    with torch.no_grad():
        features = model.convolutions(torch.from_numpy(frames))  # (2, 3, D)
    expected = convolve_in_numpy(weights, spec, frames.reshape(6, 8, 8, 3)).reshape(2, 3, -1)
    np.testing.assert_allclose(features, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("pooling", specs.POOLING)
@pytest.mark.parametrize("normalize", [False, True])
def test_pooled_and_normalized_features_agree_with_numpy(pooling, normalize):
    spec = dataclasses.replace(TINY, pooling=pooling, normalize=normalize)
    model, weights = make(dataclasses.replace(FRAMES, vgg=spec))
    frames = random_frames(2, 3)
    frames[1, 2] = 0
    maps = convolve_in_numpy(weights, TINY, frames.reshape(6, 8, 8, 3)).reshape(6, 2 * 2, 6)  # (n, h * w, channels)
    expected = {"flatten": maps.reshape(6, -1), "mean": maps.mean(1), "max": maps.max(1)}[pooling]
    expected = expected / np.linalg.norm(expected, axis=1, keepdims=True) if normalize else expected
    assert spec.num_features == expected.shape[1] == np.prod(spec.feature_shape)
    with torch.no_grad():
        features = model.convolutions(torch.from_numpy(frames))  # (2, 3, D)
    np.testing.assert_allclose(features, expected.reshape(2, 3, -1), rtol=1e-4, atol=1e-4)
    exact = extract_features(model, frames[0], mixed_precision=False)
    np.testing.assert_allclose(exact, expected[:3], rtol=1e-3, atol=1e-3)
    half = extract_features(model, frames[0]).astype(float)  # in bfloat16 where that is faster
    assert np.linalg.norm(half - expected[:3]) < 0.02 * np.linalg.norm(expected[:3])
    assert not normalize or np.allclose(np.linalg.norm(half, axis=1), 1, atol=1e-3)


def test_a_frame_without_features_stays_finite_when_it_is_normalized():
    model = make(dataclasses.replace(FRAMES, vgg=dataclasses.replace(TINY, pooling="max", normalize=True)))[0]
    set_weights(model, {"block2_conv2/kernel": np.zeros((3, 3, 6, 6)), "block2_conv2/bias": -np.ones(6)}, partial=True)
    assert np.array_equal(extract_features(model, random_frames(2)), np.zeros((2, 6)))


def test_other_pooling_and_readouts_are_refused():
    with pytest.raises(ValueError, match="Expected pooling to be one of.*flatten.*Received: 'median'"):
        dataclasses.replace(TINY, pooling="median")
    with pytest.raises(ValueError, match="Expected readout to be one of.*Received: 'middle'"):
        dataclasses.replace(CLIPS, readout="middle")


def test_frame_scores_agree_with_numpy():
    model, weights = make(FRAMES)
    features = np.random.default_rng(1).normal(size=(2, 5, TINY.num_features))
    with torch.no_grad():
        logits = model.head(torch.from_numpy(features))  # (2, 5, K)
    np.testing.assert_allclose(logits, [head_in_numpy(weights, clip, lstms=0) for clip in features], atol=1e-5)


def test_lstm_scores_agree_with_numpy_at_every_readout():
    model, weights = make(CLIPS)
    features = np.random.default_rng(1).normal(size=(2, 5, TINY.num_features))
    expected = np.array([head_in_numpy(weights, clip, lstms=2) for clip in features])  # (2, 5, K)
    with torch.no_grad():
        x = torch.from_numpy(features).half()
        expected_half = np.array([head_in_numpy(weights, clip, lstms=2) for clip in x.double().numpy()])
        np.testing.assert_allclose(model.head(torch.from_numpy(features), readout="steps"), expected, atol=1e-5)
        np.testing.assert_allclose(model.head(torch.from_numpy(features), readout="mean"), expected.mean(1), atol=1e-5)
        np.testing.assert_allclose(model.head(torch.from_numpy(features)), expected[:, -1], atol=1e-5)
        np.testing.assert_allclose(model.head(x, readout="steps"), expected_half, atol=1e-5)  # as caches keep them


@pytest.mark.parametrize(("readout", "shape"), [("last", (2, 3)), ("mean", (2, 3)), ("steps", (2, 4, 3))])
def test_a_clip_goes_in_and_scores_come_out(readout, shape):
    model = build_model(dataclasses.replace(CLIPS, readout=readout), 3)
    assert model(torch.from_numpy(random_frames(2, 4))).shape == shape


def test_a_clip_scores_the_same_alone_and_in_company():
    model, _ = make(CLIPS)
    clips = torch.from_numpy(random_frames(3, 4))
    with torch.no_grad():
        torch.testing.assert_close(model(clips)[1:2], model(clips[1:2]))


def test_scores_depend_on_the_order_of_frames_only_with_lstms():
    clips = torch.from_numpy(random_frames(1, 4))
    with torch.no_grad():
        frames, lrcn = make(FRAMES)[0], make(CLIPS)[0]
        torch.testing.assert_close(frames(clips).mean(1), frames(clips.flip(1)).mean(1))
        assert not torch.allclose(lrcn(clips), lrcn(clips.flip(1)), atol=1e-4)


def test_wrong_shapes_say_what_was_expected():
    model = build_model(CLIPS, 3)
    with pytest.raises(ValueError, match=r"Expected frames \(\.\.\., 8, 8, 3\).*\(2, 4, 16, 16, 3\)"):
        model(torch.zeros(2, 4, 16, 16, 3, dtype=torch.uint8))
    with pytest.raises(ValueError, match=r"\(N, T, D\).*\(2, 24\)"):
        model.head(torch.zeros(2, 24))
    with pytest.raises(ValueError, match="'first'"):
        model.head(torch.zeros(2, 4, 24), readout="first")
    with pytest.raises(ValueError, match="'head'"):
        freeze(model, ("head",))


def test_networks_start_as_in_keras():
    weights = get_weights(build_model(CLIPS, 3, seed=1))
    recurrent, bias = weights["lstm1/recurrent_kernel"], weights["lstm1/bias"]
    np.testing.assert_allclose(recurrent @ recurrent.T, np.eye(5), atol=1e-5)
    assert bias.tolist() == [0] * 5 + [1] * 5 + [0] * 10
    assert get_weights(build_model(CLIPS, 3, seed=1))["logits/kernel"].tolist() == weights["logits/kernel"].tolist()
    assert get_weights(build_model(CLIPS, 3, seed=2))["logits/kernel"].tolist() != weights["logits/kernel"].tolist()


def test_a_model_comes_back_from_its_file(tmp_path):
    for spec, kind in ((FRAMES, FrameClassifier), (CLIPS, LRCN)):
        model, weights = make(spec)
        model.card = {"classes": ["a", "b", "c"], "data": {"split": 1}}
        path = save_model(tmp_path / f"{spec.name}.safetensors", model, card={"seed": 3})
        loaded = load_checkpoint(path, "torch")
        assert type(loaded) is kind and loaded.spec == spec and not loaded.training
        assert loaded.card["data"] == {"split": 1} and loaded.card["seed"] == 3 and loaded.card["framework"] == "torch"
        assert all(np.array_equal(weights[name], array) for name, array in get_weights(loaded).items())


def test_weights_alone_are_not_a_model(tmp_path):
    path = checkpoints.save_checkpoint(tmp_path / "bare.safetensors", {"logits/bias": np.zeros(3)}, {})
    with pytest.raises(ValueError, match=r"bare\.safetensors"):
        load_checkpoint(path, "torch")


def test_lrcn_starts_from_the_frame_classifier():
    frames, weights = make(FRAMES, num_classes=4)
    lrcn = build_model(CLIPS, 4, weights=weights, seed=5)
    got, start = get_weights(lrcn), get_weights(build_model(CLIPS, 4, seed=5))
    assert np.array_equal(got["hidden2/kernel"], weights["hidden2/kernel"])
    assert np.array_equal(got["preprocess/mean"], weights["preprocess/mean"])
    assert np.array_equal(got["logits/kernel"], start["logits/kernel"])  # other shape: learnt again,
    assert np.array_equal(got["logits/bias"], start["logits/bias"])  # and its bias with it


def test_copies_are_copies():
    model, weights = make(FRAMES)
    weights["logits/bias"][:] = 9
    assert not np.array_equal(get_weights(model)["logits/bias"], weights["logits/bias"])


def test_features_are_the_same_however_they_are_cut():
    model, weights = make(FRAMES)
    frames = random_frames(7)
    expected = convolve_in_numpy(weights, TINY, frames)
    small = extract_features(model, frames, batch_size=2, mixed_precision=False)
    assert small.dtype == np.float16 and small.shape == (7, TINY.num_features)
    np.testing.assert_allclose(small, expected, rtol=2e-3, atol=2e-3)
    mixed = extract_features(model, frames, mixed_precision=True)
    assert np.linalg.norm(mixed - expected) < 0.02 * np.linalg.norm(expected)


@pytest.mark.parametrize("spec", [FRAMES, CLIPS], ids=["frames", "lrcn"])
def test_frames_and_features_predict_the_same(spec):
    model, weights = make(spec)
    clips = random_frames(5, 4)
    features = convolve_in_numpy(weights, TINY, clips.reshape(20, 8, 8, 3)).reshape(5, 4, -1)
    logits = predict(model, make_batches(clips))
    assert logits.shape == (5, 4, 3) and logits.dtype == np.float32
    np.testing.assert_allclose(logits, predict(model, make_batches(features, kind="features")), atol=1e-4)


def make_batches(clips, **options):
    sampler = make_sampler("uniform", clips.shape[1])
    return ClipBatches(list(clips), np.zeros(len(clips), int), sampler, batch_size=3, **options)


def test_no_function_moves_a_model_and_inputs_go_where_it_is():
    frames, clips = random_frames(6, seed=1), make_batches(random_frames(3, 4))
    model = build_model(CLIPS, 3, device="cpu").to("meta")  # a device on which nothing has a value
    calls = [
        lambda: extract_features(model, frames),
        lambda: predict(model, clips),
        lambda: saliency.grad_cam(model, frames),
        lambda: saliency.frame_contributions(model, frames),
        lambda: saliency.lstm_states(model, frames),
        lambda: saliency.first_layer_maps(model, frames),
    ]
    for call in calls:  # what was computed cannot come back from there; what stays behind cannot be mixed with it
        with pytest.raises(NotImplementedError, match="out of meta tensor"):
            call()
        assert {weight.device.type for weight in model.state_dict().values()} == {"meta"}


def test_models_are_made_on_the_device_that_is_asked_for(tmp_path):
    path = save_model(tmp_path / "model.safetensors", build_model(FRAMES, 3))
    for model in (build_model(FRAMES, 3, device="meta"), load_checkpoint(path, "torch", device="meta")):
        assert {weight.device.type for weight in model.state_dict().values()} == {"meta"}
    assert device_of(build_model(FRAMES, 3)) == torch.device(default_device())


def test_predicting_and_looking_leave_the_model_in_its_mode():
    model = build_model(CLIPS, 3).train()
    model.convolutions.eval()
    predict(model, make_batches(random_frames(3, 4)))
    extract_features(model, random_frames(3))
    saliency.grad_cam(model, random_frames(3))
    assert model.training and model.head.dropout.training and not model.convolutions.training


@pytest.mark.skipif("ACTLIB_REAL_DATA" not in os.environ, reason="set ACTLIB_REAL_DATA to a folder with real weights")
def test_imagenet_features_are_the_same_in_bfloat16_within_its_precision():
    weights = checkpoints.read_weights(Path(os.environ["ACTLIB_REAL_DATA"], "weights", "vgg16_imagenet_notop.npz"))
    model = build_model(specs.FrameSpec("bare", specs.VGG16, hidden=()), 7, weights=weights)
    rows, columns = np.mgrid[:224, :224] / 223
    frame = np.stack([rows, columns, (rows + columns) / 2], -1) * 255  # a smooth picture
    frames = np.stack([frame, 255 - frame, np.random.default_rng(0).integers(0, 256, (224, 224, 3))]).astype(np.uint8)
    exact = extract_features(model, frames, mixed_precision=False).astype(np.float64)
    mixed = extract_features(model, frames, mixed_precision=True).astype(np.float64)
    assert np.isfinite(exact).all() and (exact > 0).any(1).all()
    error = np.linalg.norm(mixed - exact, axis=1) / np.linalg.norm(exact, axis=1)
    assert (error < 0.03).all()  # 13 layers of 8-bit mantissas; 0 on a machine that does not gain from bfloat16
