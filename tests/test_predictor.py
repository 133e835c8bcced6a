"""A checkpoint as a model that scores any clips, in either framework."""

import importlib
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from actlib import cards, paths, specs
from actlib.evaluation import softmax
from actlib.experiment import Experiment, Predictor, choose_run, runs_folder
from actlib.timeline import WindowConfig, predict_timeline
from actlib.training import load_backend, save_model
from actlib.video import read_clip, read_flow, sample_uniform, write_video

REAL = os.environ.get("ACTLIB_REAL_DATA")
CLIPS = np.random.default_rng(0).integers(0, 256, (3, 16, 64, 64, 3), dtype=np.uint8)  # (N, T, H, W, C)


def save(path, preset):
    """Write a Keras model of a preset with the card that training would give it."""
    model = importlib.import_module("actlib.keras.training").build_model(preset.model, 7)
    card = {"classes": list("abcdefg"), "preset": cards.spec_to_json(preset), "experiment": {}}
    save_model(path, model, card=card | {"window_seconds": 1.5})


@pytest.mark.parametrize("name", ["slim_frames", "slim_lrcn"])
def test_both_frameworks_answer_alike(name, tmp_path):
    save(tmp_path / "best.safetensors", specs.PRESETS[name])
    answers = {}
    for framework in ("keras", "torch"):
        predictor = Predictor(tmp_path, framework=framework, mixed_precision=False)
        answers[framework] = predictor(CLIPS)  # (N, T, K): logits of every frame
        fast = Predictor(tmp_path, framework=framework)(CLIPS)
        assert np.abs(fast - answers[framework]).max() < 0.02 * np.abs(fast).max()  # bfloat16 has three digits
    assert answers["keras"].shape == (3, 16, 7)
    np.testing.assert_allclose(answers["torch"], answers["keras"], atol=1e-4)


@pytest.mark.parametrize("framework", ["torch", "keras"])
@pytest.mark.parametrize("pooling", [{"pooling": "max", "normalize": True}, {"pooling": "mean"}, {"normalize": True}])
def test_whole_maps_are_pooled_as_the_network_does(pooling, framework, tmp_path):
    preset = specs.PRESETS["slim_frames"]
    model = replace(preset.model, vgg=replace(preset.model.vgg, **pooling))
    save(tmp_path / "best.safetensors", replace(preset, model=model))
    expected = Predictor(tmp_path, framework=framework, mixed_precision=False)(CLIPS)
    found = Predictor(tmp_path, framework=framework)(CLIPS)
    assert np.abs(found - expected).max() < 0.02 * np.abs(expected).max()


@pytest.mark.parametrize(
    ("name", "kind", "readout"), [("slim_frames", "frames", "steps"), ("slim_lrcn", "lrcn", "mean")]
)
def test_clip_length_and_readout_are_those_of_the_changed_preset(name, kind, readout, tmp_path):
    preset = specs.PRESETS[name]
    model = replace(preset.model, readout="mean") if kind == "lrcn" else preset.model
    save(tmp_path / "best.safetensors", replace(preset, model=model, clip_frames=5))
    model = Predictor(tmp_path)
    assert (model.num_frames, model.readout, model.kind, model.size) == (5, readout, kind, 64)
    assert model.classes == tuple("abcdefg") and model.window_seconds == 1.5


def test_a_missing_checkpoint_says_what_to_run(tmp_path):
    with pytest.raises(FileNotFoundError, match="Run the lesson that trains them"):
        Predictor(tmp_path / "keras_frames")


def test_a_lesson_takes_its_own_run_else_the_other_frameworks_else_the_shipped_one(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("ACTLIB_HOME", str(tmp_path))
    own, other = (runs_folder("/data/clips") / f"{name}_lrcn" for name in ("torch", "keras"))
    shipped = paths.shipped_runs("clips") / "torch_lrcn"
    assert choose_run("/data/clips", "lrcn") == own  # which is not there: whoever loads it is told what to run
    for run, says in ((shipped, "comes with the project"), (other, "of the other framework"), (own, "")):
        run.mkdir(parents=True)
        (run / paths.BEST).touch()
        assert choose_run("/data/clips", "lrcn") == run
        printed = capsys.readouterr().out
        assert says in printed and bool(printed) == bool(says)
    assert choose_run("/data/clips", "lrcn", framework="keras") == other


def test_runs_of_tables_and_of_what_is_called_sample_do_not_meet(tmp_path):
    for name in ("gym/labels.csv", "yard/labels.csv"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    (tmp_path / "sample").mkdir()
    folders = [tmp_path / name for name in ("gym/labels.csv", "yard/labels.csv", "sample", "clips v1.2", "clips v1.3")]
    names = ["gym_labels", "yard_labels", f"{tmp_path.name}_sample", "clips v1.2", "clips v1.3"]
    assert [runs_folder(folder).name for folder in folders] == names


def test_keras_keeps_what_it_compiled_and_follows_the_weights(tmp_path):
    training, weights = (importlib.import_module(f"actlib.keras.{name}") for name in ("training", "weights"))
    save(tmp_path / "best.safetensors", specs.PRESETS["slim_lrcn"])
    predictor = Predictor(tmp_path, framework="keras")
    before, made = predictor(CLIPS), training._predict_every_step.cache_info().misses
    weights.set_weights(predictor.model, {"logits/bias": np.ones(7)}, partial=True)
    np.testing.assert_allclose(predictor(CLIPS), before + 1, atol=1e-5)
    assert training._predict_every_step.cache_info().misses == made


@pytest.mark.parametrize("framework", ["torch", "keras"])
@pytest.mark.parametrize("stream", ["flow", "stack5"])
def test_a_model_of_flow_is_given_flow(stream, framework, tmp_path):
    """The pictures of a video in one window are those that training would cut from it, or of it whole."""
    preset = replace(specs.PRESETS["slim_frames"], clip_frames=4)
    save(tmp_path / "best.safetensors", Experiment("data", preset, stream=stream).preset)
    model = Predictor(tmp_path, framework=framework, mixed_precision=False)
    assert model.flow == specs.use_stream(preset.model, stream).vgg.flow
    frames = [np.roll(CLIPS[0, 0], 3 * number, axis=1) for number in range(20)]
    video = write_video(tmp_path / "moves.mp4", frames, fps=25, options={"crf": "0"})
    clip = read_flow(video, sample_uniform(20, 4), size=64, spec=model.flow)
    expected = softmax(model(clip[None])[0])
    found = predict_timeline(video, model, window=WindowConfig(window_seconds=0.8))
    np.testing.assert_allclose(found.probabilities, expected, atol=1e-5)


@pytest.mark.parametrize("framework", ["torch", "keras"])
def test_a_frame_of_overlapping_windows_is_convolved_once(framework, tmp_path, monkeypatch):
    save(tmp_path / "best.safetensors", replace(specs.PRESETS["slim_lrcn"], clip_frames=4))
    model, training, convolved = Predictor(tmp_path, framework=framework), load_backend(framework).training, []
    rng = np.random.default_rng(1)
    video = write_video(tmp_path / "noise.mp4", rng.integers(0, 256, (12, 64, 64, 3), dtype=np.uint8), fps=25)
    extract = training.extract_features
    monkeypatch.setattr(
        training, "extract_features", lambda model, frames: convolved.append(len(frames)) or extract(model, frames)
    )
    window = WindowConfig(window_seconds=4 / 25)
    once = predict_timeline(video, model, window=window)
    assert convolved == [4, 2, 2, 2, 2]  # each window begins half a window after the one before
    answer = Predictor.__call__
    monkeypatch.setattr(Predictor, "__call__", lambda self, clips: self._maps.clear() or answer(self, clips))
    again = predict_timeline(video, model, window=window)
    assert sum(convolved) == 12 + 5 * 4
    np.testing.assert_allclose(once.probabilities, again.probabilities, atol=2e-3)


@pytest.mark.skipif(not REAL, reason="set ACTLIB_REAL_DATA to a folder with UCF-101/ and ImageNet's weights")
def test_the_head_that_ships_knows_real_videos(monkeypatch):
    weights = Path(REAL) / "weights" / "vgg16_imagenet_notop.npz"
    monkeypatch.setenv("ACTLIB_WEIGHTS", str(weights))
    model = Predictor(paths.shipped_runs("ucf101_six") / "torch_frames")
    told = []
    for name in model.classes:  # group 1 is a test group of split 1, which it has not seen
        clip = read_clip(Path(REAL) / "UCF-101" / name / f"v_{name}_g01_c01.avi", [10, 30, 50], size=model.size)
        told.append(model.classes[model(clip[None])[0].mean(axis=0).argmax()] == name)
    assert len(told) == 6 and sum(told) >= 5
