"""Temperature and reliability on probabilities whose truth is known."""

import numpy as np
import pandas as pd
import pytest

from actlib import evaluation
from actlib.evaluation import calibration


def make_logits(*, sharpness=1.0, count=4000, seed=0):
    """Logits and labels drawn from their own softmax: calibrated at sharpness 1, over-confident above."""
    rng = np.random.default_rng(seed)
    logits = 2 * rng.normal(size=(count, 5))
    cumulative = evaluation.softmax(logits).cumsum(axis=1)
    labels = (rng.random((count, 1)) > cumulative[:, :-1]).sum(axis=1)
    return sharpness * logits, labels


@pytest.mark.parametrize("sharpness", [0.5, 1.0, 3.0])
def test_temperature_undoes_what_made_logits_too_sharp(sharpness):
    logits, labels = make_logits(sharpness=sharpness)
    probabilities = evaluation.softmax(logits)
    temperature = calibration.fit_temperature(probabilities, labels)
    assert temperature == pytest.approx(sharpness, rel=0.06)
    calibrated = calibration.apply_temperature(probabilities, temperature)
    assert calibration.calibration_error(calibrated, labels) < 0.02
    np.testing.assert_array_equal(calibrated.argmax(axis=1), probabilities.argmax(axis=1))


def test_a_temperature_of_probabilities_divides_their_logits():
    logits, _ = make_logits(count=20)
    expected = evaluation.softmax(logits / 1.7)
    np.testing.assert_allclose(calibration.apply_temperature(evaluation.softmax(logits), 1.7), expected, rtol=1e-6)


def test_all_correct_does_not_sharpen_without_end():
    logits = np.eye(4)[np.arange(40) % 4] * 2
    temperature = calibration.fit_temperature(evaluation.softmax(logits), np.arange(40) % 4)
    confidence = calibration.apply_temperature(evaluation.softmax(logits), temperature).max(axis=1)
    np.testing.assert_allclose(confidence, 41 / 42, rtol=1e-4)  # Laplace's rule for 40 of 40


@pytest.mark.parametrize("readout", ["last", "mean", "steps"])
def test_steps_and_videos_have_temperatures_of_their_own(readout):
    """Each is learnt on what it is applied to: clips of a video whose steps are sharper than they are right."""
    logits, labels = make_logits(sharpness=3.0, count=600)
    noise = 6 * np.random.default_rng(1).normal(size=(1200, 4, 5))
    clips, videos = np.repeat(logits, 2, axis=0)[:, None] + noise, np.repeat(np.arange(600), 2)
    found = calibration.fit_temperatures(clips, videos, labels, readout=readout)
    whole = evaluation.pool_videos(evaluation.pool_clips(clips, readout), videos)
    assert found["video"] == pytest.approx(calibration.fit_temperature(whole, labels))
    shown = clips.cumsum(axis=1) / np.arange(1, 5)[:, None] if readout == "mean" else clips
    steps = evaluation.softmax(shown.reshape(-1, 5))
    expected = calibration.fit_temperature(steps, labels.repeat(8), num_videos=600)
    assert found["step"] == pytest.approx(expected) and found["step"] > 1.2 * found["video"]


def test_the_steps_of_a_video_prove_no_more_than_the_video():
    logits = np.eye(4)[np.arange(40) % 4][:, None] * np.full((40, 9, 1), 2.0)
    found = calibration.fit_temperatures(logits, np.arange(40), np.arange(40) % 4, readout="last")
    assert found["step"] == pytest.approx(found["video"], rel=1e-4)


def test_reliability_by_hand():
    probabilities = np.array([[0.95, 0.05], [0.91, 0.09], [0.6, 0.4], [0.5, 0.5]])
    table = calibration.reliability_table(probabilities, np.array([0, 1, 0, 0]), num_bins=5)
    assert table["videos"].tolist() == [0, 0, 2, 0, 2]
    assert table["accuracy"].iloc[[2, 4]].tolist() == [1.0, 0.5]
    assert table["confidence"].iloc[[2, 4]].tolist() == pytest.approx([0.55, 0.93])
    assert table["accuracy"].isna().tolist() == [True, True, False, True, False]
    error = calibration.calibration_error(probabilities, np.array([0, 1, 0, 0]), num_bins=5)
    assert error == pytest.approx((0.45 * 2 + 0.43 * 2) / 4)
    on_edges = calibration.reliability_table([[0.5, 0.5], [0.75, 0.25], [1.0, 0.0]], [0, 0, 0], num_bins=4)
    assert on_edges["videos"].tolist() == [0, 1, 1, 1]  # a bin has its upper edge


@pytest.mark.parametrize("sharpness", [0.4, 3.0])
def test_a_temperature_fitted_to_videos_lowers_their_error(sharpness):
    logits, labels = make_logits(sharpness=sharpness, count=800)
    videos = pd.DataFrame({"name": [f"v{i}" for i in range(800)], "label": labels, "group": np.arange(800) // 4})
    results = evaluation.evaluate(logits[:, None], np.arange(800), videos, classes=tuple("abcde"))
    temperature = calibration.fit_temperature(results.probabilities, labels)
    assert temperature == pytest.approx(sharpness, rel=0.1)
    calibrated = calibration.apply_temperature(results.probabilities, temperature)
    before, after = (calibration.calibration_error(each, labels) for each in (results.probabilities, calibrated))
    assert after < before / 2


@pytest.mark.parametrize(
    ("probabilities", "labels", "message"),
    [
        ([[2.0, 1.0]], [0], "softmax"),
        ([[0.5, 0.5]], [0, 1], r"\(1, 2\) and 2 labels"),
        ([0.5, 0.5], [0, 1], r"\(2,\) and 2 labels"),
    ],
)
def test_what_are_not_probabilities_is_refused(probabilities, labels, message):
    with pytest.raises(ValueError, match=message):
        calibration.reliability_table(probabilities, labels)
