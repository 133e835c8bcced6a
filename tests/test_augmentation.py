"""Augmentation where the model is: as on the CPU, the same in both frameworks, and what training takes by itself."""

from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tiny_training import FRAMES, TRAINING

from actlib.dataset import ClipBatches, augment_clip, crop_clip
from actlib.dataset.augmentation import split_augmentation
from actlib.dataset.loading import BatchParts
from actlib.keras import augmentation as keras_augmentation
from actlib.keras import trainer as keras_trainer
from actlib.keras import training as keras_training
from actlib.specs import FlowSpec
from actlib.torch import augmentation as torch_augmentation
from actlib.torch import trainer as torch_trainer
from actlib.torch import training as torch_training
from actlib.training import load_backend
from actlib.video import make_sampler

import keras  # isort: skip (after actlib.keras, which keeps its start-up quiet)

SILENT = SimpleNamespace(stop=False, on_batch=lambda done, total, loss: None, on_epoch=lambda record: None)
STACK = FlowSpec(magnitude=False, length=2)
TWINS = pytest.mark.parametrize(
    ("trainer", "training"), [(keras_trainer, keras_training), (torch_trainer, torch_training)], ids=["keras", "torch"]
)


def make_batches(augment, *, shape=(20, 26, 3), **options):
    """Five clips, in batches of 3 and 2."""
    videos = [np.random.default_rng(video).integers(0, 256, (6, *shape), np.uint8) for video in range(5)]
    options = {"batch_size": 3, "shuffle": True, "seed": 4, "augment": augment} | options
    return ClipBatches(videos, [0, 1, 2, 1, 0], make_sampler("segments", 2), **options)


def pretend(monkeypatch, training, device):
    """Has a framework take this machine for one that computes on a device."""
    precision = load_backend(training.__name__.split(".")[1]).precision
    monkeypatch.setattr(precision, "default_device", lambda: device)
    monkeypatch.setattr(precision, "describe_device", dict)


def crop_in_keras(clips, boxes, **options):
    clips, boxes = map(keras.ops.convert_to_tensor, (clips, boxes))
    return keras.ops.convert_to_numpy(keras_augmentation.crop_clips(clips, boxes, **options))


def crop_in_torch(clips, boxes, **options):
    return torch_augmentation.crop_clips(torch.from_numpy(clips), torch.from_numpy(boxes), **options).numpy()


@pytest.mark.parametrize(
    ("augment", "shape"),
    [
        (True, (20, 26, 3)),
        (augment_clip, (9, 7, 3)),
        (partial(augment_clip, size=16, flow=None), (20, 26, 3)),
        (partial(augment_clip, size=(12, 40), flow=FlowSpec()), (33, 31, 3)),
        (partial(augment_clip, size=10, flow=STACK), (20, 26, 4)),
        (partial(crop_clip, size=16, flow=None), (20, 26, 3)),
        (partial(crop_clip, size=20, flow=FlowSpec()), (20, 26, 3)),
        (partial(crop_clip, size=7, flow=STACK), (20, 26, 4)),
    ],
)
def test_clips_are_augmented_on_the_device_as_on_the_cpu(augment, shape):
    batches, options = make_batches(augment, shape=shape), split_augmentation(augment)[1]
    plain, mirrored = replace(batches, augment=False), []
    for epoch in range(6):
        expected, labels = batches.batch(epoch, 0)
        (clips, boxes), same_labels = batches.batch(epoch, 0, apart=True)
        assert np.array_equal(clips, plain.batch(epoch, 0)[0]) and clips.dtype == np.uint8
        assert boxes.shape == (3, 5) and boxes.dtype == np.int32 and np.array_equal(labels, same_labels)
        found, twin = crop_in_keras(clips, boxes, **options), crop_in_torch(clips, boxes, **options)
        assert found.dtype == twin.dtype == np.float32
        np.testing.assert_allclose(found, twin, atol=1e-3)
        most = 0 if options.get("size") in (7, 16, 20) and "crop" in str(augment) else 1
        assert max(np.abs(found - expected).max(), np.abs(twin - expected).max()) <= 1.001 * most  # Pillow rounds twice
        assert np.abs(found - expected).mean() < 0.35
        mirrored += boxes[:, 4].tolist()
    assert {*mirrored} == {0, 1}


def test_the_parts_of_two_processes_are_the_whole_batch():
    batches = make_batches(partial(augment_clip, size=16))
    for epoch, index in ((0, 0), (3, 0), (3, 1)):
        (clips, boxes), _ = batches.batch(epoch, index, apart=True)
        parts = [BatchParts(batches, steps=2, process=(rank, 2)) for rank in (0, 1)]
        assert parts[0].crop == {"size": 16}
        found = [part.batch(epoch, 2 * index + step) for part in parts for step in (0, 1)]
        kept = [[rows[weights[:, 0] > 0] for rows in pair] for pair, _, weights in found]
        for whole, rows in zip((clips, boxes), zip(*kept, strict=True), strict=True):
            np.testing.assert_array_equal(np.concatenate(rows), whole)


def test_xla_compiles_it():
    import tensorflow as tf

    (clips, boxes), _ = make_batches(True).batch(0, 0, apart=True)
    crop = partial(keras_augmentation.crop_clips, size=12, flow=FlowSpec())
    compiled = tf.function(crop, jit_compile=True, input_signature=[tf.TensorSpec((None, *each.shape[1:]), each.dtype)
                                                                    for each in (clips, boxes)])  # fmt: skip
    expected = crop_in_keras(clips, boxes, size=12, flow=FlowSpec())
    np.testing.assert_allclose(compiled(clips, boxes), expected, atol=1e-3)


@TWINS
@pytest.mark.parametrize("function", [augment_clip, crop_clip])
def test_on_a_gpu_training_reads_frames_as_they_are_and_ends_as_with_augmentation_on_the_cpu(
    monkeypatch, trainer, training, function
):
    def watch(clips, boxes, **options):
        seen.append((tuple(clips.shape[1:]), options))
        return crop_clips(clips, boxes, **options)

    def own(clip, *, rng):
        return function(clip, rng=rng, size=16)

    crop_clips, spec = trainer.crop_clips, replace(TRAINING, num_epochs=2, optimizer="sgd", frozen=())
    monkeypatch.setattr(trainer, "crop_clips", watch)
    losses, model = [], replace(FRAMES, dropout=0.0)
    for device, augment in (("gpu", partial(function, size=16)), ("cpu", partial(function, size=16)), ("gpu", own)):
        pretend(monkeypatch, training, device)
        seen = []
        history = training.train(training.build_model(model, 3), make_batches(augment), None, spec, monitor=SILENT)
        losses.append(history["loss"])
        on_device = device == "gpu" and augment is not own
        assert {shape for shape, _ in seen} == ({(2, 20, 26, 3)} if on_device else set())
        assert all(options == {"size": 16} for _, options in seen)
    assert losses[1] == losses[2]
    np.testing.assert_allclose(*losses[:2], rtol=1e-5 if function is crop_clip else 1e-2)


@TWINS
def test_features_cannot_be_augmented(trainer, training):
    batches = make_batches(True)
    features = [np.zeros((6, FRAMES.vgg.num_features), np.float16)] * 5
    batches = replace(batches, source=features, kind="features", augment=False)
    model, batches.augment = training.build_model(FRAMES, 3), True
    with pytest.raises(ValueError, match="Features cannot be augmented"):
        training.train(model, batches, None, TRAINING, monitor=SILENT)


@TWINS
def test_validation_that_is_augmented_is_so_on_the_cpu_whatever_training_is(monkeypatch, trainer, training):
    pretend(monkeypatch, training, "gpu")
    model, square = training.build_model(replace(FRAMES, dropout=0.0), 3), {"shape": (16, 16, 3)}
    validation, spec = make_batches(True, **square), replace(TRAINING, num_epochs=1)
    for augment in (False, partial(augment_clip, size=16)):
        found = training.train(model, make_batches(augment, **square), validation, spec, monitor=SILENT)
        assert np.isfinite(found["val_loss"]).all()
