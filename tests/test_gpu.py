"""The whole path on an NVIDIA GPU, in one command: `pytest -m gpu`. It needs no TensorFlow."""

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from actlib import saliency, specs
from actlib.dataset import ClipBatches
from actlib.torch import precision, trainer, training, weights
from actlib.video import make_sampler

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no NVIDIA GPU that PyTorch can use"),
]
ROOT = Path(__file__).resolve().parent.parent
TINY = specs.VGGSpec("tiny", ((1, 8), (1, 12)), size=32, std=(64.0, 64.0, 64.0))
FRAMES = specs.FrameSpec("tiny_frames", TINY, hidden=(16,), dropout=0.0)
LRCN = specs.LRCNSpec("tiny_lrcn", FRAMES, lstm=(8, 6), lstm_dropout=0.0, readout="mean", num_frames=4)
BOTH = pytest.mark.parametrize("spec", [FRAMES, LRCN], ids=["frames", "lrcn"])
RECIPE = specs.TrainSpec(num_epochs=3, learning_rate=1e-3, frozen=(), optimizer="sgd", clip_norm=1.0)
SILENT = SimpleNamespace(on_batch=lambda done, total, loss: None, on_epoch=lambda record: None)


def make_videos(*, size=32, num_videos=12):
    """Videos of 8 frames in three classes, told apart by brightness."""
    rng, labels = np.random.default_rng(0), np.arange(num_videos) % 3
    return [rng.integers(0, 250, (8, size, size, 3), np.uint8) // (1 + int(label)) for label in labels], labels


def make_batches(source=None, *, shuffle=True, **options):
    videos, labels = make_videos()
    options = {"batch_size": 5, "shuffle": shuffle} | options
    return ClipBatches(videos if source is None else source, labels, make_sampler("uniform", 4), **options)


def make_pair(spec):
    """The same model on the GPU, which is where models go, and on the CPU."""
    models = training.build_model(spec, 3, seed=1), training.build_model(spec, 3, seed=1, device="cpu")
    assert [precision.device_of(model).type for model in models] == ["cuda", "cpu"]
    return models


def where(model):
    return {values.device.type for values in (*model.parameters(), *model.buffers())}


def assert_near(one, other, *, share=0.02):
    """Different by at most a share of the largest: TF32 and bfloat16 keep 10 and 7 bits."""
    assert np.abs(np.asarray(one) - other).max() <= share * np.abs(other).max()


@BOTH
def test_logits_features_and_heat_maps_are_those_of_the_cpu(spec):
    (ours, theirs), clip = make_pair(spec), make_videos()[0][0][:4]
    for function in (
        lambda model: training.predict(model, make_batches(shuffle=False)),
        lambda model: training.extract_features(model, clip, mixed_precision=False),
        lambda model: training.extract_features(model, clip),
        lambda model: saliency.frame_contributions(model, clip, label=1),
        lambda model: saliency.first_layer_maps(model, clip),
        lambda model: saliency.grad_cam(model, clip, label=1),
    ):
        assert_near(function(ours), function(theirs), share=0.05)
    assert where(ours) == {"cuda"} and where(theirs) == {"cpu"}


def test_the_lstm_s_states_are_those_of_the_cpu():
    (ours, theirs), clip = make_pair(LRCN), make_videos()[0][0][:4]
    assert_near(saliency.lstm_states(ours, clip), saliency.lstm_states(theirs, clip))


@BOTH
@pytest.mark.parametrize("kind", ["frames", "features"])
def test_training_takes_the_way_of_the_cpu_and_moves_no_model(spec, kind):
    models, histories = make_pair(spec), []
    for model in models:
        batches = make_batches()
        if kind == "features":
            videos = [training.extract_features(model, frames, mixed_precision=False) for frames in make_videos()[0]]
            batches = make_batches(videos, kind="features")
        device = where(model)
        histories.append(training.train(model, batches, batches, RECIPE, monitor=SILENT))
        assert where(model) == device
    for column in ("loss", "val_loss"):
        np.testing.assert_allclose(*(history[column] for history in histories), rtol=0.01)
    for name, array in weights.get_weights(models[0]).items():
        np.testing.assert_allclose(array, weights.get_weights(models[1])[name], atol=2e-3, err_msg=name)


@pytest.mark.filterwarnings("ignore:Synchronization debug mode is a prototype")
@pytest.mark.parametrize("augment", [False, True])
def test_no_step_makes_the_gpu_wait(monkeypatch, augment):
    """PyTorch raises at each wait, except where the loss is read."""

    def read(values):
        torch.cuda.set_sync_debug_mode("default")
        result = precision.to_numpy(values)
        torch.cuda.set_sync_debug_mode("error")
        reads.append(result)
        return result

    def watch(*args):
        try:
            return train_epoch(*args)
        finally:
            torch.cuda.set_sync_debug_mode("default")

    reads, train_epoch = [], trainer.Trainer.train_epoch
    monkeypatch.setattr(trainer, "to_numpy", read)
    monkeypatch.setattr(trainer.Trainer, "train_epoch", watch)
    model, batches = training.build_model(LRCN, 3), make_batches(augment=augment, batch_size=2)
    recipe = replace(RECIPE, num_epochs=1, mixed_precision=True, class_weights=True, accumulation_steps=2)
    training.train(model, batches, None, recipe, monitor=SILENT)
    assert len(reads) == 3 and np.isfinite(reads).all()


def test_a_stopped_training_goes_on(tmp_path):
    def stop(done, total, loss):
        monitor.stop = done == 5

    monitor = SimpleNamespace(stop=False, on_batch=stop, on_epoch=lambda record: None)
    recipe = replace(RECIPE, optimizer="adamw", schedule="cosine", warmup_epochs=1)
    models = [training.build_model(LRCN, 3) for _ in range(2)]
    whole = training.train(models[0], make_batches(), None, recipe, run=tmp_path / "whole", monitor=SILENT)
    for watcher in (monitor, SILENT):
        again = training.train(models[1], make_batches(), None, recipe, run=tmp_path / "run", monitor=watcher)
    np.testing.assert_allclose(again["loss"], whole["loss"], rtol=1e-3)
    assert again["learning_rate"] == whole["learning_rate"]


@pytest.mark.parametrize("preset", ["vgg16_frames", "vgg16_lrcn"])
def test_vgg16_trains_and_predicts_at_full_size(preset, capsys):
    spec = specs.PRESETS[preset].model
    videos, labels = make_videos(size=224)
    model = training.build_model(spec, 3)
    batches = ClipBatches(videos, labels, make_sampler("uniform", 8), batch_size=4)
    recipe = replace(RECIPE, num_epochs=2, mixed_precision=True)
    torch.cuda.reset_peak_memory_stats()
    history = training.train(model, batches, None, recipe, monitor=SILENT)
    assert np.isfinite(history["loss"]).all() and training.predict(model, batches).shape == (12, 8, 3)
    memory, speed = torch.cuda.max_memory_allocated() / 1e9, 12 * 8 / history["seconds"][-1]
    many = np.random.default_rng(0).integers(0, 256, (512, 224, 224, 3), np.uint8)
    training.extract_features(model, many[:64])
    begin = time.perf_counter()
    training.extract_features(model, many, batch_size=128)
    rate = len(many) / (time.perf_counter() - begin)
    with capsys.disabled():
        print(
            f"\n{preset} on {torch.cuda.get_device_name()}: trained {speed:.0f} frames/s in {memory:.1f} GB, ", end=""
        )
        print(f"extracted {rate:.0f} frames/s in {precision.feature_precision(model)}")


KERAS = """
import json, sys
sys.path.insert(0, "tests")
import numpy as np, test_gpu as t
from actlib.keras import precision, training, weights
from actlib.torch import training as twin
model, batches = training.build_model(t.LRCN, 3, seed=1), t.make_batches()
other = twin.build_model(t.LRCN, 3, seed=1, device="cpu")
clip = t.make_videos()[0][0][:4]
maps = [t.saliency.grad_cam(each, clip, label=1) for each in (model, other)]
t.assert_near(*maps, share=0.05)
t.assert_near(training.predict(model, batches), twin.predict(other, batches), share=0.05)
pairs = (training, model), (twin, other)
losses = [half.train(m, batches, batches, t.RECIPE, monitor=t.SILENT)["val_loss"] for half, m in pairs]
device = str(model.weights[0].value.device.type)
print(json.dumps([precision.default_device(), device, precision.feature_precision(model), losses]))
"""


def run_python(code, **environment):
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": path, "KERAS_BACKEND": "torch", "MPLBACKEND": "Agg"} | environment
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert not done.returncode, done.stderr[-4000:] + done.stdout[-2000:]
    return done.stdout


def test_keras_on_its_pytorch_backend_takes_the_same_way():
    default, device, precise, losses = json.loads(run_python(KERAS).splitlines()[-1])
    assert (default, device, precise) == ("gpu", "cuda", precision.feature_precision(training.build_model(FRAMES, 3)))
    np.testing.assert_allclose(*losses, rtol=0.01)


LESSON = """
import json, os
from IPython.core.interactiveshell import InteractiveShell
os.chdir("notebooks")
shell = InteractiveShell.instance()
for cell in json.load(open(os.environ["LESSON"]))["cells"]:
    if cell["cell_type"] == "code":
        shell.run_cell("".join(cell["source"])).raise_error()
"""


LESSONS = ["03_vgg16_keras", "04_vgg16_pytorch", "05_lrcn_keras", "06_lrcn_pytorch", "09_looking_inside"]
LESSONS += ["11_motion", "12_fine_tuning", "13_your_own_activities"]


@pytest.mark.parametrize("lesson", LESSONS)
def test_lessons_run_and_what_they_compare_is_the_same(lesson, tmp_path):
    for name in ("IPython", "matplotlib", "ipywidgets", "anywidget"):
        pytest.importorskip(name)
    printed = run_python(LESSON, LESSON=f"{lesson}.ipynb", ACTLIB_RUNS=str(tmp_path))
    assert not [line for line in printed.splitlines() if "same" in line and ": False" in line]


@pytest.mark.parametrize("benchmark", ["convolutions", "loading"])
def test_benchmarks_run(benchmark, capsys):
    printed = run_python(f"import runpy; runpy.run_path('benchmarks/{benchmark}.py', run_name='__main__')")
    with capsys.disabled():
        print(f"\n{printed}")
