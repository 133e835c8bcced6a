"""The networks in Keras: shapes, precision, saving, what is frozen, both backends, and a quiet start."""

import subprocess
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from tiny_training import FRAMES, LRCN, TINY, make_batches, make_videos

from actlib import checkpoints, specs
from actlib.keras import precision, training, weights
from actlib.training import load_backend, load_checkpoint, save_model

import keras  # isort: skip (after actlib.keras, which keeps its start-up quiet)

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def clips():
    return np.random.default_rng(0).integers(0, 256, (2, 4, 16, 16, 3), np.uint8)


def run_python(code, **environment):
    """What a fresh Python prints, and nothing on its error stream."""
    path = f"{ROOT}:{ROOT / 'tests'}"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PATH": "", "PYTHONPATH": path, **environment},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_a_fresh_process_trains_quietly_and_imports_no_pytorch():
    code = """
import sys
from tiny_training import *
from actlib.keras import training
model = training.build_model(LRCN, 3)
training.train(model, *make_batches(), specs.TrainSpec(num_epochs=1), monitor=send_at_batch(0, None))
training.extract_features(model, make_videos()[0][0])
print("torch" in sys.modules, training.keras.backend.backend())
"""
    assert run_python(code) == "False tensorflow\n"


def test_small_models_made_one_after_another_are_no_reason_for_a_warning():
    code = """
from tiny_training import *
from actlib.keras import training
for seed in range(7):
    training.predict(training.build_model(FRAMES, 3, seed=seed), make_batches()[1])
print("quiet")
"""
    assert run_python(code) == "quiet\n"


def test_pytorch_as_the_backend_gives_the_same_scores_and_trains(tmp_path, clips):
    model = training.build_model(LRCN, 3, seed=4)
    save_model(tmp_path / "model.safetensors", model)
    np.save(tmp_path / "clips.npy", clips)
    code = f"""
import numpy as np
from tiny_training import *
import torch
from actlib.keras import training
from actlib.training import load_checkpoint
pooled, max_pool = set(), torch.nn.functional.max_pool2d
torch.nn.functional.max_pool2d = lambda x, **options: pooled.add(len(x)) or max_pool(x, **options)
model = load_checkpoint("{tmp_path}/model.safetensors", "keras")
clips = ClipBatches(list(np.load("{tmp_path}/clips.npy")), [0, 1], make_sampler("uniform", 4))
np.save("{tmp_path}/logits.npy", training.predict(model, clips))
history = training.train(model, *make_batches(), TRAINING, run="{tmp_path}/run", monitor=send_at_batch(0, None))
print(training.keras.backend.backend(), history["loss"][-1] < history["loss"][0])
print("frames pooled at once:", max(pooled))  # those of 5 clips; Keras would build the model with 83
training.keras.utils.set_random_seed(0)  # imports TensorFlow where it is installed, which has nothing to say
"""
    assert run_python(code, KERAS_BACKEND="torch") == "torch True\nframes pooled at once: 20\n"
    expected = keras.ops.convert_to_numpy(model(clips, readout="steps"))
    np.testing.assert_allclose(np.load(tmp_path / "logits.npy"), expected, atol=1e-4)
    assert load_checkpoint(tmp_path / "run" / "best.safetensors", "keras").card["metrics"]["epoch"] > 1


def test_without_tensorflow_pytorch_is_the_backend():
    code = """
import importlib.util
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *package: None if name == "tensorflow" else find(name, *package)
import actlib.keras
print(actlib.keras.keras.backend.backend())
"""
    assert run_python(code) == "torch\n"


def test_any_number_of_leading_axes(clips):
    model = training.build_model(FRAMES, 3)
    by_clip = keras.ops.convert_to_numpy(model(clips))  # (2, 4, 3)
    by_frame = keras.ops.convert_to_numpy(model(clips.reshape(8, 16, 16, 3)))  # (8, 3)
    np.testing.assert_allclose(by_clip.reshape(8, 3), by_frame, atol=1e-5)


def test_features_come_flattened_in_the_order_rows_columns_channels(clips):
    convolutions = training.build_model(FRAMES, 3).convolutions
    x = clips[0]
    for layer in convolutions.stack:
        x = layer(x)
    assert tuple(x.shape) == (4, *TINY.feature_shape)
    np.testing.assert_array_equal(convolutions(clips)[0], keras.ops.reshape(x, (4, -1)))


def test_readouts_of_one_lrcn_agree(clips):
    model = training.build_model(LRCN, 3)
    last, mean, steps = (keras.ops.convert_to_numpy(model(clips, readout=readout)) for readout in specs.READOUTS)
    np.testing.assert_allclose(last, steps[:, -1], atol=1e-6)
    np.testing.assert_allclose(mean, steps.mean(1), atol=1e-6)
    np.testing.assert_array_equal(model(clips), mean)  # the spec's own


def test_wrong_features_or_readouts_are_refused():
    head = training.build_model(LRCN, 3).head
    with pytest.raises(ValueError, match=r"\(N, T, D\).*\(2, 96\)"):
        head(np.zeros((2, 96), "float32"))
    with pytest.raises(ValueError, match="'middle'"):
        head(np.zeros((2, 4, 96), "float32"), readout="middle")


def test_dropout_and_batch_norm_work_in_training_only(clips):
    model = training.build_model(FRAMES, 3)
    calm, wild = (np.array([model(clips, training=mode) for _ in range(2)]) for mode in (False, True))
    assert np.array_equal(*calm) and not np.array_equal(*wild)


def test_the_summary_shows_what_is_frozen_and_counts_it():
    model = training.build_model(LRCN, 3)
    training.freeze(model, ("convolutions", "hidden"))
    lines = []
    model.summary(expand_nested=True, show_trainable=True, print_fn=lines.append)
    rows = [[cell.strip() for cell in row.split("│")] for row in "".join(lines).split("\n") if "└" in row]
    shown = {cells[1].split()[1]: (cells[2], cells[4]) for cells in rows if len(cells) > 4}
    assert shown["block1_conv1"] == ("(None, 16, 16, 4)", "N") and shown["hidden1"] == ("(None, 4, 8)", "N")
    assert shown["lstm1"] == ("(None, 4, 5)", "Y") and shown["block2_pool"][0] == "(None, 4, 4, 6)"
    trainable, total = training.count_parameters(model)
    assert trainable == 4 * 5 * (8 + 5 + 1) + (5 + 1) * 3 and total == model.count_params() - 6  # mean and std
    training.freeze(model, ())
    assert training.count_parameters(model)[0] == total - 2 * (4 + 6)  # all but the moving statistics


def test_keras_fits_the_model_on_arrays_as_any_other(clips):
    model = training.build_model(LRCN, 3)
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    history = model.fit(clips, np.array([0, 2]), epochs=2, verbose=0).history
    assert set(history) == {"loss", "accuracy"} and len(history["loss"]) == 2
    assert model.predict(clips, verbose=0).shape == (2, 3)


def test_an_lrcn_starts_from_a_frame_classifier():
    frames = training.build_model(FRAMES, 3, seed=7)
    start = weights.get_weights(frames)
    model = training.build_model(LRCN, 5, weights=start)
    loaded = weights.get_weights(model)
    assert all(np.array_equal(loaded[name], start[name]) for name in start if not name.startswith("logits"))
    assert loaded["logits/kernel"].shape == (5, 5)


def test_a_checkpoint_that_describes_no_model_is_refused(tmp_path):
    path = checkpoints.save_checkpoint(tmp_path / "bare.safetensors", {"logits/bias": np.zeros(3)}, {"kind": "other"})
    with pytest.raises(ValueError, match="bare.safetensors"):
        load_checkpoint(path, "keras")


def test_convolving_is_the_same_in_any_batch_size_and_close_in_bfloat16(monkeypatch):
    model = training.build_model(FRAMES, 3)
    frames = np.concatenate(make_videos()[0][:3])  # (18, 16, 16, 3)
    monkeypatch.setattr(precision.machine, "has_fast_bf16", lambda: True)
    exact = training.extract_features(model, frames, batch_size=5, mixed_precision=False)
    np.testing.assert_array_equal(exact, training.extract_features(model, frames, mixed_precision=False))
    half = training.extract_features(model, frames)
    assert half.dtype == np.float16 and not np.array_equal(half, exact)
    np.testing.assert_allclose(half, exact, atol=0.03 * np.abs(exact).max())
    weights.set_weights(model, {"block1_conv1/bias": np.full(4, 5.0)}, partial=True)
    assert not np.allclose(
        training.extract_features(model, frames), half
    )  # the kept twin takes the model's new weights
    assert training.extract_features(model, frames[:0]).shape == (0, TINY.num_features)


def test_layers_compute_in_bfloat16_only_inside_the_with(monkeypatch):
    monkeypatch.setattr(precision.machine, "has_fast_bf16", lambda: True)
    model = training.build_model(LRCN, 3)
    with precision.compute_in_bf16(model, True):
        assert model.head.layers[0].compute_dtype == "bfloat16" and model.head.logits.compute_dtype == "float32"
        assert model.convolutions.stack[0].compute_dtype == "float32"  # the mean is subtracted exactly
    assert {layer.compute_dtype for part in (model.convolutions, model.head) for layer in part.layers} == {"float32"}


def test_on_pytorch_steps_read_nothing_and_draw_dropout_from_a_seed_of_their_own():
    code = """
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from tiny_training import *
from actlib.keras import precision, training

class Count(TorchDispatchMode):
    reads = 0
    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.reads += "_local_scalar_dense" in str(function)
        return function(*args, **kwargs or {})

model = training.build_model(LRCN, 3)
features = torch.ones(2, 4, TINY.num_features)
with Count() as counter:
    for _ in range(3):
        model.head(features, training=True)
before = torch.get_rng_state()
with precision.fork_random(model) as seed_random:
    drawn = []
    for seed in (1, 1, 2):
        seed_random(seed)
        drawn.append(model.head(features, training=True).detach().numpy())
same = torch.equal(before, torch.get_rng_state())
training.train(model, *make_batches(), TRAINING, monitor=send_at_batch(0, None))
print(counter.reads, (drawn[0] == drawn[1]).all(), (drawn[0] == drawn[2]).all())
print(same, torch.equal(before, torch.get_rng_state()))
"""
    assert run_python(code, KERAS_BACKEND="torch") == "0 True False\nTrue True\n"


def test_on_pytorch_what_a_gpu_can_is_asked_of_pytorch():
    code = """
from tiny_training import *
from actlib.torch import precision as theirs
from actlib.keras import precision, training
model = training.build_model(LRCN, 3)
used, fast_kernels = [], theirs.fast_kernels
theirs.fast_kernels = lambda part, **options: used.append(part) or fast_kernels(part, **options)
batches = make_batches()
for call in (lambda: training.predict(model, batches[1]), lambda: training.extract_features(model, make_videos()[0][0]),
             lambda: training.train(model, *batches, specs.TrainSpec(num_epochs=1), monitor=send_at_batch(0, None))):
    used.clear()
    call()
    print(len(used) > 0)
videos, labels = make_videos()
features = [training.extract_features(model, video) for video in videos]
clips = ClipBatches(features, labels, make_sampler("uniform", 4), kind="features")
theirs.fast_kernels = lambda part, **options: used.append(options["one_thread"]) or fast_kernels(part, **options)
training.train(model, clips, None, specs.TrainSpec(num_epochs=1), monitor=send_at_batch(0, None))
print(used[-1])
theirs.feature_precision = lambda model: "asked"
theirs.describe_device = lambda: {"device": "Some GPU", "device_memory": 5}
print(precision.feature_precision(model), precision.describe_device())
training.train(model, *batches, specs.TrainSpec(num_epochs=1), monitor=send_at_batch(0, None))
print(model.card["trained_on"])
"""
    about = "{'device': 'Some GPU', 'device_memory': 5}\n"
    assert run_python(code, KERAS_BACKEND="torch") == "True\n" * 4 + f"asked {about}{about}"


def test_the_most_memory_that_was_held_on_a_gpu_is_asked_of_tensorflow(monkeypatch):
    assert precision.describe_device() == {"device": "cpu", "device_memory": None}
    experimental = SimpleNamespace(get_memory_info={"GPU:0": {"current": 3, "peak": 7}}.get)
    monkeypatch.setitem(sys.modules, "tensorflow", SimpleNamespace(config=SimpleNamespace(experimental=experimental)))
    monkeypatch.setattr(precision, "default_device", lambda: "gpu")
    assert precision.describe_device() == {"device": "gpu", "device_memory": 7}


@pytest.mark.parametrize("backend", ["torch", "tensorflow"])
def test_a_device_where_keras_does_not_compute_is_refused(backend):
    code = """
from tiny_training import *
from actlib.keras import training, weights
training.build_model(FRAMES, 3, device="cpu")
weights.ops.zeros = lambda shape, places=["gpu:1", "cpu:0"]: type("Zeros", (), {"device": places.pop(0)})
try:
    weights.make_network(FRAMES, 3, device="cpu")
except ValueError as error:
    print(error)
"""
    message = "Expected cpu:0, where Keras computes. Received: device='cpu'. Leave it out, choose GPUs by"
    assert run_python(code, KERAS_BACKEND=backend).startswith(message)


def test_cudnn_s_word_about_an_lstm_s_memory_is_not_the_reader_s_business(monkeypatch):
    def warn(features):
        warnings.warn("RNN module weights are not part of single contiguous chunk of memory.", stacklevel=1)
        warnings.warn("another", stacklevel=1)
        return features

    head = training.build_model(LRCN, 3).head
    monkeypatch.setattr(head, "stack", [*head.stack, warn])
    with pytest.warns(UserWarning) as shown:
        head(np.zeros((2, 4, TINY.num_features), "float32"))
    assert [str(each.message) for each in shown] == ["another"]


@pytest.mark.parametrize("spec", [FRAMES, LRCN], ids=["frames", "lrcn"])
@pytest.mark.parametrize("framework", ["keras", "torch"])
def test_predictions_are_in_the_precision_of_the_training(monkeypatch, spec, framework):
    twin = load_backend(framework)
    monkeypatch.setattr(precision.machine, "has_fast_bf16", lambda: True)
    model, batches = twin.training.build_model(spec, 3, device="cpu"), make_batches()[1]
    exact = twin.training.predict(model, batches)
    model.card = {"training": {"mixed_precision": True}}
    half = twin.training.predict(model, batches)
    assert half.dtype == np.float32 and 0 < np.abs(half - exact).max() < 0.05 * np.abs(exact).max()
    model.card = {"training": {"mixed_precision": False}}
    np.testing.assert_array_equal(twin.training.predict(model, batches), exact)
