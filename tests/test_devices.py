"""On "meta", a device that has shapes and no numbers: what was left on the CPU raises, and so does each early read."""

import contextlib
from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from actlib import saliency, specs
from actlib.dataset import ClipBatches, augment_clip
from actlib.torch import precision, trainer, training, weights
from actlib.torch.dataset import make_loader
from actlib.video import make_sampler

TINY = specs.VGGSpec("tiny", ((1, 4), (1, 6)), size=16, std=(64.0, 64.0, 64.0), batch_norm=True)
FRAMES = specs.FrameSpec("tiny_frames", TINY, hidden=(8,))
LRCN = specs.LRCNSpec("tiny_lrcn", FRAMES, lstm=(5, 4), readout="mean", num_frames=4)
SPECS = pytest.mark.parametrize("spec", [FRAMES, LRCN, replace(LRCN, readout="steps")], ids=["frames", "lrcn", "steps"])
SILENT = SimpleNamespace(on_batch=lambda done, total, loss: None, on_epoch=lambda record: None)


def make_batches(kind, augment=False):
    rng, shape = np.random.default_rng(0), {"frames": (16, 16, 3), "features": (TINY.num_features,)}[kind]
    videos = [rng.integers(0, 256, (6, *shape)).astype({"frames": np.uint8, "features": np.float16}[kind])] * 5
    return ClipBatches(videos, [0, 1, 2, 1, 0], make_sampler("uniform", 4), batch_size=2, kind=kind, augment=augment)


@pytest.fixture
def reads(monkeypatch):
    """Makes models on "meta"; where numbers are read at last, gives ones, and notes their shapes."""
    shapes = []

    def read(values):
        shapes.append(tuple(values.shape))
        return np.ones(shapes[-1], np.float32)

    monkeypatch.setattr(weights, "default_device", lambda: "meta")
    monkeypatch.setattr("actlib.torch.trainer._get_state", lambda optimizer: {})
    monkeypatch.setattr(weights, "get_weights", fake_weights)
    for name in ("training", "trainer", "saliency"):
        monkeypatch.setattr(f"actlib.torch.{name}.to_numpy", read)
    return shapes


def fake_weights(model):
    return {name: np.zeros(view.shape, np.float32) for name, view in weights._neutral_views(model).items()}


@SPECS
@pytest.mark.parametrize(
    "kind, frozen, augment",
    [
        ("frames", (), False),
        ("frames", (), True),
        ("frames", (), partial(augment_clip, size=16, flow=specs.FlowSpec())),
        ("frames", ("convolutions",), True),
        ("features", (), False),
    ],
)
def test_training_leaves_nothing_on_the_cpu_and_reads_no_loss_after_each_batch(reads, spec, kind, frozen, augment):
    model, batches = training.build_model(spec, 3), make_batches(kind, augment)
    settings = {"class_weights": True, "clip_norm": 1.0, "accumulation_steps": 2, "mixed_precision": True}
    recipe = specs.TrainSpec(num_epochs=2, frozen=frozen, **settings)
    history = training.train(model, batches, batches, recipe, monitor=SILENT)
    assert len(history["epoch"]) == 2 and {p.device.type for p in model.parameters()} == {"meta"}
    assert reads == [(3,)] * 2 * 4  # the first and the last of three batches, the epoch, validation


@SPECS
@pytest.mark.parametrize("kind", ["frames", "features"])
def test_prediction_and_extraction_compute_where_the_model_is_and_are_read_once(reads, spec, kind):
    model = training.build_model(spec, 3)
    assert training.predict(model, make_batches(kind)).shape == (5, 4, 3)
    assert training.extract_features(model, np.zeros((3, 16, 16, 3), np.uint8)).shape == (3, TINY.num_features)
    assert len(reads) == 2 and {p.device.type for p in model.parameters()} == {"meta"}


@SPECS
def test_looking_inside_computes_where_the_model_is(reads, spec):
    model, clip = training.build_model(spec, 3), np.zeros((4, 16, 16, 3), np.uint8)
    assert saliency.grad_cam(model, clip, label=1).shape == (4, 16, 16)
    assert saliency.frame_contributions(model, clip).shape == (4,)
    assert saliency.first_layer_maps(model, clip).shape == (4, 16, 16, 4)
    if spec is not FRAMES:
        assert saliency.lstm_states(model, clip).shape == (4, 4)
    assert {p.device.type for p in model.parameters()} == {"meta"}


def test_grad_cam_of_an_lrcn_does_without_cudnn_s_lstm(monkeypatch):
    model, asked = training.build_model(LRCN, 3, device="cpu"), []
    monkeypatch.setattr(model.head, "forward", lambda x: asked.append(torch.backends.cudnn.enabled) or x.sum(2)[:, :3])
    saliency.grad_cam(model, np.zeros((4, 16, 16, 3), np.uint8), label=0)
    assert asked == [False] and torch.backends.cudnn.enabled


@pytest.mark.parametrize("kind, fast", [("cuda", True), ("mps", False), ("cpu", False)])
def test_fast_kernels_are_a_gpu_s_and_end_with_the_block(monkeypatch, kind, fast):
    monkeypatch.setattr(precision, "device_of", lambda model: torch.device(kind))
    state = lambda: (torch.get_float32_matmul_precision(), torch.backends.cudnn.benchmark)  # noqa: E731
    with pytest.raises(KeyError), precision.fast_kernels(None):
        assert state() == (("high", True) if fast else ("highest", False))
        raise KeyError
    assert state() == ("highest", False)


def test_training_validation_prediction_and_extraction_use_fast_kernels(monkeypatch):
    fast, moments, compute_loss = precision.fast_kernels, [], trainer.Trainer.compute_loss

    @contextlib.contextmanager
    def watch(model, **options):
        with fast(model, **options):
            moments.append("begin")
            yield
            moments.append("end")

    def compute(*args):
        moments.append("loss")
        return compute_loss(*args)

    monkeypatch.setattr(precision, "fast_kernels", watch)
    monkeypatch.setattr(trainer.Trainer, "compute_loss", compute)
    model, batches = training.build_model(FRAMES, 3, device="cpu"), make_batches("frames")
    training.train(model, batches, batches, specs.TrainSpec(num_epochs=1), monitor=SILENT)
    assert moments == ["begin", *["loss"] * 3, "end"] * 2
    moments.clear()
    training.predict(model, batches)
    training.extract_features(model, np.zeros((3, 16, 16, 3), np.uint8))
    assert moments == ["begin", "end"] * 2


@pytest.mark.parametrize("supported", [True, False])
def test_bf16_only_where_the_gpu_multiplies_it(monkeypatch, supported):
    asked = []
    monkeypatch.setattr(precision, "device_of", lambda model: torch.device("cuda", 0))
    monkeypatch.setattr(torch.cuda, "device", lambda device: contextlib.nullcontext())
    monkeypatch.setattr(
        torch.cuda, "is_bf16_supported", lambda *, including_emulation: asked.append(including_emulation) or supported
    )
    assert precision.feature_precision(None) == ("bfloat16" if supported else "float32") and asked == [False]


def test_an_apple_gpu_computes_in_float32(monkeypatch):
    monkeypatch.setattr(precision, "device_of", lambda model: torch.device("mps"))
    assert precision.feature_precision(None) == "float32"
    assert isinstance(precision.compute_in_bf16(None, True), contextlib.nullcontext)


def test_the_best_device_is_the_accelerator_that_is_there(monkeypatch):
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: True)
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda: torch.device("mps"))
    assert precision.default_device() == "mps"


@pytest.mark.parametrize("on_gpu", [True, False])
def test_batches_for_a_gpu_lie_in_pinned_memory(monkeypatch, on_gpu):
    made = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: on_gpu)
    monkeypatch.setattr("actlib.torch.dataset.DataLoader", lambda *args, **options: made.append(options))
    make_loader(make_batches("frames"))
    assert made[0]["pin_memory"] == on_gpu


def test_batches_go_to_the_device_without_waiting(reads, monkeypatch):
    waits, move = [], torch.Tensor.to

    def watch(values, *args, non_blocking=False, **options):
        if args == (torch.device("meta"),) and values.device.type == "cpu":
            waits.append(not non_blocking)
        return move(values, *args, non_blocking=non_blocking, **options)

    model = training.build_model(FRAMES, 3)
    monkeypatch.setattr(torch.Tensor, "to", watch)
    training.train(model, make_batches("frames"), None, specs.TrainSpec(num_epochs=1), monitor=SILENT)
    training.predict(model, make_batches("frames"))
    assert len(waits) == 3 * 3 + 3 and not any(waits)  # pixels, labels and weights of three batches, then pixels
