"""The learning rate of each epoch and layer; gradient accumulation, weight decay and label smoothing by formula."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from actlib import schedule, specs
from actlib.dataset import ClipBatches
from actlib.dataset.loading import BatchParts
from actlib.torch.training import build_model, train
from actlib.torch.weights import get_weights, set_weights
from actlib.video import make_sampler

TINY = specs.VGGSpec("tiny", ((1, 4),), size=8, std=(64.0, 64.0, 64.0))
FRAMES = specs.FrameSpec("tiny_frames", TINY, hidden=(6,), dropout=0.0)
SGD = specs.TrainSpec(num_epochs=1, optimizer="sgd", momentum=0.0, learning_rate=0.01, frozen=())
SILENT = SimpleNamespace(on_batch=lambda done, total, loss: None, on_epoch=lambda record: None)


def list_rates(training, losses=None):
    losses = losses or [1.0] * training.num_epochs
    return [
        schedule.learning_rate(training, {"loss": losses[:epoch], "val_loss": [None] * epoch})
        for epoch in range(training.num_epochs)
    ]


def test_step_and_cosine_after_a_warm_up():
    step = replace(SGD, schedule="step", num_epochs=6, learning_rate=1.0, milestones=(3, 5), warmup_epochs=2)
    assert list_rates(step) == pytest.approx([0.5, 1, 1, 0.1, 0.1, 0.01])
    cosine = replace(step, schedule="cosine", warmup_epochs=2)
    assert list_rates(cosine) == pytest.approx([0.5, 1, 1, *((1 + np.cos(np.pi * np.arange(1, 4) / 4)) / 2)])


def test_a_plateau_is_counted_anew_after_each_drop_and_each_better_loss():
    training = replace(SGD, num_epochs=9, learning_rate=1.0, plateau_patience=2, plateau_factor=0.1)
    losses = [1.0, 0.5, 0.6, 0.7, 0.4, 0.6, float("nan"), 0.6, 0.6]
    assert list_rates(training, losses) == pytest.approx([1, 1, 1, 1, 0.1, 0.1, 0.1, 0.01, 0.01])
    assert list_rates(replace(training, num_epochs=6), [1.0] * 6) == pytest.approx([1, 1, 1, 0.1, 0.1, 0.01])
    assert list_rates(replace(training, plateau_patience=None)) == [1.0] * 9


def test_validation_decides_where_there_is_one():
    training = replace(SGD, learning_rate=1.0, plateau_patience=1, plateau_factor=0.5)
    assert schedule.learning_rate(training, {"loss": [2.0, 1.0], "val_loss": [1.0, 1.0]}) == 0.5


def test_unknown_choices_are_refused():
    for wrong in (dict(optimizer="lion"), dict(schedule="exponential"), dict(rates=(("conv", 1.0),))):
        with pytest.raises(ValueError, match="Expected .* one of"):
            specs.TrainSpec(**wrong)


def make_batches():
    """One batch of 5 clips of pixels."""
    rng, labels = np.random.default_rng(0), np.arange(5) % 3
    videos = [rng.integers(0, 256, (4, 8, 8, 3), np.uint8) for _ in labels]
    return ClipBatches(videos, labels, make_sampler("uniform", 2), batch_size=8)


def take_one_step(training):
    """Weights before and after one step, and the history."""
    model = build_model(FRAMES, 3, seed=1)
    before = get_weights(model)
    for name in before:
        if name.endswith("bias"):
            before[name] += 0.5
    set_weights(model, before)
    history = train(model, make_batches(), None, training, monitor=SILENT)
    return before, get_weights(model), history


def changes(training):
    before, after, _ = take_one_step(training)
    return {name: after[name].astype(float) - before[name] for name in before if not name.startswith("pre")}


def test_each_layer_has_its_own_rate():
    plain, scaled = changes(SGD), changes(replace(SGD, rates=(("block", 0.1), ("logits", 10.0))))
    for name, change in plain.items():
        factor = 0.1 if name.startswith("block") else 10 if name.startswith("logits") else 1
        assert np.abs(change).max() > 0
        np.testing.assert_allclose(scaled[name], factor * change, rtol=1e-2, atol=1e-6)


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_biases_decay_only_where_asked(optimizer):
    spec = replace(SGD, optimizer=optimizer)
    for decay_biases in (True, False):
        plain, decayed = changes(spec), changes(replace(spec, weight_decay=0.3, decay_biases=decay_biases))
        start, _, _ = take_one_step(spec)
        for name, change in plain.items():
            expected = -0.01 * 0.3 * start[name] if decay_biases or name.endswith("kernel") else 0
            np.testing.assert_allclose(decayed[name] - change, expected + 0 * change, atol=1e-6)


def test_adam_takes_no_weight_decay():
    plain, decayed = changes(replace(SGD, optimizer="adam")), changes(replace(SGD, optimizer="adam", weight_decay=0.3))
    assert all(np.array_equal(plain[name], decayed[name]) for name in plain)


@pytest.mark.parametrize("steps", [2, 3, 7])  # even, uneven, more than there are clips
def test_accumulated_gradients_make_the_step_of_the_whole_batch(steps):
    spec = replace(SGD, class_weights=True, label_smoothing=0.2)
    (_, whole, history), (_, parts, same) = (
        take_one_step(each) for each in (spec, replace(spec, accumulation_steps=steps))
    )
    for name in whole:
        np.testing.assert_allclose(parts[name], whole[name], atol=1e-6, err_msg=name)
    for column in ("loss", "accuracy"):
        np.testing.assert_allclose(same[column], history[column], rtol=1e-5)


def test_label_smoothing_is_the_cross_entropy_with_smoothed_labels():
    before, _, history = take_one_step(replace(SGD, learning_rate=1e-30, label_smoothing=0.3))
    _, _, sharp = take_one_step(replace(SGD, learning_rate=1e-30))
    model = build_model(FRAMES, 3, seed=1, device="cpu")
    set_weights(model, before)
    clips, labels = make_batches().batch(0, 0)
    with torch.no_grad():
        logs = torch.log_softmax(model(torch.from_numpy(clips)), dim=-1).numpy()  # (N, T, K)
    targets = 0.7 * np.eye(3)[labels] + 0.1
    expected = -(targets[:, None] * logs).sum(-1).mean()
    assert history["loss"][0] == pytest.approx(expected, rel=1e-4) != sharp["loss"][0]


def test_parts_of_all_processes_make_up_each_batch():
    batches = ClipBatches(
        [np.full((4, 1, 1, 3), place, np.uint8) for place in range(10)], np.arange(10) % 3, make_sampler("uniform", 2),
        batch_size=7, shuffle=True, augment=lambda clip, *, rng: clip + rng.integers(0, 100, dtype=np.uint8),
    )  # fmt: skip
    weights = np.array([1.0, 2.0, 4.0], np.float32)
    for index, size in enumerate((7, 3)):
        whole, labels = batches.batch(5, index)
        parts = [
            BatchParts(batches, steps=2, process=(rank, 2), class_weights=weights).batch(5, 2 * index + step)
            for rank in range(2)
            for step in range(2)
        ]
        x, y, weighed = (np.concatenate(values) for values in zip(*parts, strict=True))
        kept = weighed[:, 0] > 0
        assert np.array_equal(x[kept], whole) and np.array_equal(y[kept], labels)
        np.testing.assert_array_equal(weighed[kept, 0], weights[labels])
        np.testing.assert_allclose(weighed[kept, 1], weights[labels] / size)
        assert not weighed[~kept].any() and len(parts) == 4 and all(len(part[0]) for part in parts)
