"""A checkpoint that can be asked about any clips, in either framework."""

import importlib

import numpy as np
import pytest

from actlib import specs
from actlib.experiment import load_predictor

CLIPS = np.random.default_rng(0).integers(0, 256, (3, 16, 64, 64, 3), dtype=np.uint8)  # (N, T, H, W, C)


@pytest.mark.parametrize("preset", ["slim_frames", "slim_lrcn"])
def test_both_frameworks_answer_alike(preset, tmp_path):
    training, weights = (importlib.import_module(f"actlib.keras.{name}") for name in ("training", "weights"))
    model = training.build_model(specs.PRESETS[preset].model, 7)
    weights.save_model(tmp_path / "best.safetensors", model, card={"classes": list("abcdefg"), "preset": preset})
    answers = {}
    for framework in ("keras", "torch"):
        predictor = load_predictor(tmp_path, framework=framework, mixed_precision=False)
        assert predictor.classes == tuple("abcdefg") and predictor.size == 64
        answers[framework] = predictor(CLIPS)  # (N, T, K): a score for every frame
        fast = load_predictor(tmp_path, framework=framework)(CLIPS)
        assert np.abs(fast - answers[framework]).max() < 0.02 * np.abs(fast).max()  # bfloat16 has three digits
    assert answers["keras"].shape == (3, 16, 7)
    np.testing.assert_allclose(answers["torch"], answers["keras"], atol=1e-4)


def test_a_missing_checkpoint_says_what_to_run(tmp_path):
    with pytest.raises(FileNotFoundError, match="Run the lesson that trains it"):
        load_predictor(tmp_path / "keras_frames")


def test_keras_keeps_what_it_compiled_and_follows_the_weights(tmp_path):
    training, weights = (importlib.import_module(f"actlib.keras.{name}") for name in ("training", "weights"))
    model = training.build_model(specs.PRESETS["slim_lrcn"].model, 7)
    weights.save_model(tmp_path / "best.safetensors", model, card={"classes": list("abcdefg"), "preset": "slim_lrcn"})
    predictor = load_predictor(tmp_path, framework="keras")
    before, made = predictor(CLIPS), training._answer_every_step.cache_info().misses
    weights.set_weights(predictor.model, {"logits/bias": np.ones(7)}, partial=True)
    np.testing.assert_allclose(predictor(CLIPS), before + 1, atol=1e-5)
    assert training._answer_every_step.cache_info().misses == made
