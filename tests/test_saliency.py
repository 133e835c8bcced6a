"""Looking inside: both frameworks say the same, and what they say is so."""

import importlib
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from actlib import saliency
from actlib.specs import POOLING, PRESETS, VGG16, FrameSpec, LRCNSpec, VGGSpec

pytest.importorskip("torch")
TINY = VGGSpec("tiny", ((1, 4), (2, 6)), size=32, std=(64.0, 64.0, 64.0))
FRAMES = FrameSpec("tiny_frames", TINY, hidden=(8,), dropout=0.5)
SPECS = {
    "frames": FRAMES,
    "normalised": replace(FRAMES, vgg=replace(TINY, batch_norm=True)),
    "pooled": replace(FRAMES, vgg=replace(TINY, pooling="max", normalize=True)),
    **{
        readout: LRCNSpec(f"tiny_{readout}", FRAMES, lstm=(7, 5), readout=readout, num_frames=5)
        for readout in ("last", "mean", "steps")
    },
}
# One convolution that passes red on; the score of class 1 is the sum of red, that of class 0 of blue.
SEEING_RED = FrameSpec("seeing_red", VGGSpec("red", ((1, 2),), size=16, mean=(0.0, 0.0, 0.0)), hidden=())


def load_backend(framework):
    """The modules of one framework's half."""
    if framework == "keras":
        pytest.importorskip("keras")
    names = ("training", "weights")
    return SimpleNamespace(
        saliency=saliency, **{name: importlib.import_module(f"actlib.{framework}.{name}") for name in names}
    )


BACKENDS = pytest.mark.parametrize("framework", ["torch", "keras"])


def make_both(spec, *, num_classes=7):
    """(twin, model) of both frameworks, with the same weights."""
    torch, keras = load_backend("torch"), load_backend("keras")
    model = torch.training.build_model(spec, num_classes)
    same = keras.training.build_model(spec, num_classes)
    keras.weights.set_weights(same, torch.weights.get_weights(model))
    return (torch, model), (keras, same)


def make_red(framework, *, spec=SEEING_RED):
    """A twin and its model that knows red from blue."""
    twin = load_backend(framework)
    model = twin.training.build_model(spec, 2)
    weights = {name: np.zeros_like(array) for name, array in twin.weights.get_weights(model).items()}
    weights["preprocess/std"][:] = 1
    weights["block1_conv1/kernel"][1, 1] = [[1, 0], [0, 0], [0, 1]]  # red -> channel 0, blue -> channel 1
    weights["logits/kernel"][0::2, 1] = 0.001
    weights["logits/kernel"][1::2, 0] = 0.001
    twin.weights.set_weights(model, weights)
    return twin.saliency, model


def draw_clip(count=5, size=32, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, size, size, 3), dtype=np.uint8)


@pytest.mark.parametrize("name", SPECS)
def test_both_frameworks_look_at_the_same(name):
    clip = draw_clip()
    (torch, model), (keras, same) = make_both(SPECS[name])
    for label in (None, 3):
        heats = [twin.saliency.grad_cam(each, clip, label=label) for twin, each in ((torch, model), (keras, same))]
        assert heats[0].shape == (5, 32, 32)
        assert heats[0].dtype == np.float32
        assert heats[0].max() == 1
        assert heats[0].min() >= 0
        assert np.abs(heats[0] - heats[1]).max() < 1e-4
        added = [t.saliency.frame_contributions(m, clip, label=label) for t, m in ((torch, model), (keras, same))]
        assert added[0].shape == (5,)
        assert np.abs(added[0]).max() > 1e-4
        assert np.abs(added[0] - added[1]).max() < 1e-5
    assert np.array_equal(torch.saliency.first_filters(model), keras.saliency.first_filters(same))
    maps = [twin.saliency.first_layer_maps(each, clip) for twin, each in ((torch, model), (keras, same))]
    assert maps[0].shape == (5, 32, 32, 4) and maps[0].min() == 0 < maps[0].max()
    assert np.abs(maps[0] - maps[1]).max() < 1e-4


@pytest.mark.parametrize("name", ["last", "mean", "steps"])
def test_both_frameworks_remember_the_same(name):
    clip = draw_clip()
    (torch, model), (keras, same) = make_both(SPECS[name])
    states = torch.saliency.lstm_states(model, clip)
    assert states.shape == (5, 5)
    assert np.abs(states).max() < 1
    assert np.abs(states - keras.saliency.lstm_states(same, clip)).max() < 1e-5


@BACKENDS
def test_states_are_what_the_scores_are_made_of(framework):
    twin = load_backend(framework)
    model = twin.training.build_model(SPECS["last"], 7)
    weights, clip = twin.weights.get_weights(model), draw_clip()
    states = twin.saliency.lstm_states(model, clip)
    logits = states[-1] @ weights["logits/kernel"] + weights["logits/bias"]
    assert np.abs(logits - answer(framework, model, clip[None])[0]).max() < 1e-5
    earlier = twin.saliency.lstm_states(model, clip[:3])
    assert np.abs(earlier - states[:3]).max() < 1e-5  # a state knows nothing of what comes after it


def answer(framework, model, clips):
    """Scores of a model, without dropout, as an array."""
    if framework == "keras":
        return np.asarray(model(clips, training=False))
    torch = importlib.import_module("torch")
    with torch.no_grad():
        return model.eval()(torch.from_numpy(clips)).numpy()


@BACKENDS
@pytest.mark.parametrize("pooling", POOLING)
def test_grad_cam_finds_where_the_evidence_is(framework, pooling):
    saliency, model = make_red(framework, spec=replace(SEEING_RED, vgg=replace(SEEING_RED.vgg, pooling=pooling)))
    frames = np.zeros((2, 16, 16, 3), np.uint8)
    frames[0, 2:6, 2:6, 0] = 250  # a red square at the upper left
    frames[0, 10:14, 10:14, 2] = 200  # a blue one at the lower right
    frames[1, 8:12, 2:6, 0] = 100
    red = saliency.grad_cam(model, frames, label=1)
    blue = saliency.grad_cam(model, frames, label=0)
    said = saliency.grad_cam(model, frames)
    assert (red[0, 2:6, 2:6] == 1).all()
    assert red[0, 8:].max() == 0
    assert (blue[0, 10:14, 10:14] == 1).all()
    assert blue[0, :8].max() == 0
    assert (red[1, 8:12, 2:6] == 1).all()  # each frame on its own scale
    assert blue[1].max() == 0  # nothing speaks for blue
    assert np.array_equal(said, red)


@BACKENDS
def test_contributions_find_the_frame_that_decides(framework):
    saliency, model = make_red(framework)
    clip = np.zeros((4, 16, 16, 3), np.uint8)
    clip[2, ..., 0] = 200
    added = saliency.frame_contributions(model, clip)
    score = 0.001 * 200 * 64 / 4  # of the clip: the mean of its frames, each the sum over 8 x 8 pixels
    assert added[2] == pytest.approx(score * 3 / 4, rel=1e-4)  # the mean of the clip stands for it
    assert np.allclose(added[[0, 1, 3]], -score / 4, rtol=1e-4)
    assert np.allclose(saliency.frame_contributions(model, clip, label=0), 0)


@BACKENDS
def test_filters_are_in_rgb_and_in_their_order(framework):
    saliency, model = make_red(framework)
    filters = saliency.first_filters(model)
    assert filters.shape == (2, 3, 3, 3)
    assert filters[0, 1, 1].tolist() == [1, 0, 0]
    assert filters[1, 1, 1].tolist() == [0, 0, 1]
    assert filters.sum() == 2


@BACKENDS
@pytest.mark.parametrize("batch_norm", [False, True])
def test_first_layer_maps_are_what_the_next_layer_reads(framework, batch_norm):
    spec = replace(SEEING_RED, vgg=replace(SEEING_RED.vgg, batch_norm=batch_norm))
    saliency, model = make_red(framework, spec=spec)
    twin, frames = load_backend(framework), np.zeros((1, 16, 16, 3), np.uint8)
    frames[0, 3, 5] = 100, 0, 40
    expected = np.zeros((1, 16, 16, 2))
    expected[0, 3, 5] = 100, 40  # filter 0 passes red on, filter 1 blue
    if batch_norm:  # (x - mean) / sqrt(variance + 0.001) * gamma + beta
        norm = {"moving_mean": [10, 80], "moving_variance": [4 - 1e-3] * 2, "gamma": [2, 1], "beta": [-5, 1]}
        weights = {f"block1_conv1/{name}": np.array(values) for name, values in norm.items()}
        twin.weights.set_weights(model, weights, partial=True)
        expected = np.maximum((expected - [10, 80]) / 2 * [2, 1] + [-5, 1], 0)
    assert np.allclose(saliency.first_layer_maps(model, frames), expected, atol=1e-4)


@BACKENDS
def test_looking_changes_nothing(framework):
    twin = load_backend(framework)
    model = twin.training.build_model(SPECS["mean"], 7)
    if framework == "torch":
        model.train()
    before, parameters = twin.weights.get_weights(model), twin.training.count_parameters(model)
    clip = draw_clip()
    first = twin.saliency.grad_cam(model, clip)
    twin.saliency.frame_contributions(model, clip)
    twin.saliency.lstm_states(model, clip)
    after = twin.weights.get_weights(model)
    assert all(np.array_equal(before[name], after[name]) for name in before)
    assert twin.training.count_parameters(model) == parameters
    assert framework == "keras" or model.training
    assert np.array_equal(first, twin.saliency.grad_cam(model, clip))  # no dropout


@BACKENDS
def test_what_cannot_be_looked_at_is_refused(framework):
    twin = load_backend(framework)
    model = twin.training.build_model(FRAMES, 7)
    with pytest.raises(ValueError, match=r"Expected frames \(..., 32, 32, 3\).* Received: \(2, 16, 16, 3\)"):
        twin.saliency.grad_cam(model, draw_clip(2, 16))
    with pytest.raises(ValueError, match="at least one"):
        twin.saliency.frame_contributions(model, draw_clip(0))
    with pytest.raises(ValueError, match=r"labels in 0..6. Received: 7"):
        twin.saliency.grad_cam(model, draw_clip(2), label=7)
    with pytest.raises(ValueError, match=r"labels in 0..6. Received: -1"):
        twin.saliency.frame_contributions(model, draw_clip(2), label=-1)
    with pytest.raises(ValueError, match="Expected an LRCN. Received: a FrameClassifier"):
        twin.saliency.lstm_states(model, draw_clip())


def test_heat_maps_follow_the_paper():
    rng = np.random.default_rng(0)
    activations, gradients = rng.normal(size=(2, 2, 4, 4, 3))  # 2 frames each
    heat = saliency._heat_maps(activations, gradients, size=4, together=True)
    expected = np.zeros((2, 4, 4))
    for frame in range(2):
        for channel in range(3):
            expected[frame] += gradients[frame, ..., channel].mean() * activations[frame, ..., channel]
    expected = np.maximum(expected, 0)
    assert np.allclose(heat, expected / expected.max(), atol=1e-6)
    apart = saliency._heat_maps(activations, gradients, size=9, together=False)
    assert apart.shape == (2, 9, 9)
    assert apart.max(axis=(1, 2)).tolist() == [1, 1]


OTHER_BACKEND = """
import numpy as np, sys
sys.path.insert(0, sys.argv[2])
from test_saliency import SPECS, draw_clip
from actlib import saliency
from actlib.keras import training
from keras import ops
for name in ("normalised", "pooled", "mean"):
    model = training.build_model(SPECS[name], 7)
    logits = ops.convert_to_numpy(model(draw_clip()[None]))
    np.savez(f"{sys.argv[1]}/{name}.npz", heat=saliency.grad_cam(model, draw_clip(), label=2), logits=logits)
"""


@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_keras_half_runs_on_other_backends(tmp_path, backend):
    pytest.importorskip(backend)
    pytest.importorskip("keras")
    environment = os.environ | {"KERAS_BACKEND": backend}
    command = [sys.executable, "-c", OTHER_BACKEND, tmp_path, Path(__file__).parent]
    subprocess.run(command, env=environment, check=True, capture_output=True)
    twin = load_backend("torch")
    for name in ("normalised", "pooled", "mean"):
        model, other = twin.training.build_model(SPECS[name], 7), np.load(tmp_path / f"{name}.npz")
        assert np.abs(twin.saliency.grad_cam(model, draw_clip(), label=2) - other["heat"]).max() < 1e-4
        assert np.abs(answer("torch", model, draw_clip()[None]) - other["logits"]).max() < 1e-4


def test_real_vgg16_looks_at_the_same_in_both():
    folder = os.environ.get("ACTLIB_REAL_DATA")
    if not folder:
        pytest.skip("ACTLIB_REAL_DATA names no folder with real weights")
    from actlib.checkpoints import read_weights
    from actlib.video import read_clip

    weights = read_weights(f"{folder}/weights/vgg16_imagenet_notop.npz")
    video = f"{folder}/UCF-101/Surfing/v_Surfing_g23_c01.avi"
    frames = read_clip(video, [10, 60], size=224)
    spec = replace(PRESETS["study_frames"].model, vgg=VGG16)
    heats = []
    for framework in ("torch", "keras"):
        twin = load_backend(framework)
        model = twin.training.build_model(spec, 6, weights=weights)
        heats.append(twin.saliency.grad_cam(model, frames, label=1))
    assert heats[0].max() == 1
    assert np.abs(heats[0] - heats[1]).max() < 1e-3
