"""Temperature, reliability and "none of these" on probabilities whose truth is known."""

import json

import numpy as np
import pandas as pd
import pytest

from actlib import evaluation
from actlib.evaluation import calibration


def make_logits(*, sharpness=1.0, count=4000, seed=0):
    """Scores and labels drawn from their own softmax: believable at sharpness 1, too bold above."""
    rng = np.random.default_rng(seed)
    logits = 2 * rng.normal(size=(count, 5))
    cumulative = evaluation.softmax(logits).cumsum(axis=1)
    labels = (rng.random((count, 1)) > cumulative[:, :-1]).sum(axis=1)
    return sharpness * logits, labels


@pytest.mark.parametrize("sharpness", [0.5, 1.0, 3.0])
def test_temperature_undoes_what_made_scores_too_bold(sharpness):
    logits, labels = make_logits(sharpness=sharpness)
    probabilities = evaluation.softmax(logits)
    temperature = calibration.fit_temperature(probabilities, labels)
    assert temperature == pytest.approx(sharpness, rel=0.06)
    tempered = calibration.apply_temperature(probabilities, temperature)
    assert calibration.expected_calibration_error(tempered, labels) < 0.02
    np.testing.assert_array_equal(tempered.argmax(axis=1), probabilities.argmax(axis=1))


def test_tempering_probabilities_is_dividing_logits():
    logits, _ = make_logits(count=20)
    expected = evaluation.softmax(logits / 1.7)
    np.testing.assert_allclose(calibration.apply_temperature(evaluation.softmax(logits), 1.7), expected, rtol=1e-6)


def test_all_right_does_not_make_a_model_sure_of_everything():
    logits = np.eye(4)[np.arange(40) % 4] * 2
    temperature = calibration.fit_temperature(evaluation.softmax(logits), np.arange(40) % 4)
    sure = calibration.apply_temperature(evaluation.softmax(logits), temperature).max(axis=1)
    np.testing.assert_allclose(sure, 41 / 42, rtol=1e-3)  # Laplace's answer to 40 right of 40


def test_reliability_by_hand():
    probabilities = np.array([[0.95, 0.05], [0.91, 0.09], [0.6, 0.4], [0.5, 0.5]])
    table = calibration.reliability_table(probabilities, np.array([0, 1, 0, 0]), num_bins=5)
    assert table["videos"].tolist() == [0, 0, 2, 0, 2]
    assert table["accuracy"].iloc[[2, 4]].tolist() == [1.0, 0.5]
    assert table["confidence"].iloc[[2, 4]].tolist() == pytest.approx([0.55, 0.93])
    assert table["accuracy"].isna().tolist() == [True, True, False, True, False]
    error = calibration.expected_calibration_error(probabilities, np.array([0, 1, 0, 0]), num_bins=5)
    assert error == pytest.approx((0.45 * 2 + 0.43 * 2) / 4)


@pytest.mark.parametrize("keep", [0.5, 0.9, 0.95, 1.0])
def test_threshold_keeps_its_share_of_right_answers_and_turns_strangers_away(keep):
    logits, labels = make_logits(count=500)
    probabilities = evaluation.softmax(logits)
    threshold = calibration.choose_threshold(probabilities, labels, keep=keep)
    right = probabilities.max(axis=1)[probabilities.argmax(axis=1) == labels]
    assert keep <= (right >= threshold).mean() <= keep + 0.02
    strangers = evaluation.softmax(0.1 * logits)  # a model that knows nothing of them
    assert (strangers.max(axis=1) >= threshold).mean() <= 0.2


def test_no_right_answer_gives_no_threshold():
    assert calibration.choose_threshold([[0.9, 0.1]], [1]) == 0.0


def test_calibrate_results_and_save_what_was_learnt():
    logits, labels = make_logits(sharpness=3.0, count=800)
    videos = pd.DataFrame({"name": [f"v{i}" for i in range(800)], "label": labels, "group": np.arange(800) // 4})
    results = evaluation.evaluate(logits[:, None], np.arange(800), videos, classes=tuple("abcde"))
    learnt = calibration.calibrate(results)
    assert learnt.temperature == pytest.approx(3, rel=0.1) and learnt.num_videos == 800
    assert learnt.error_after < learnt.error_before / 3
    assert calibration.Calibration(**json.loads(json.dumps(learnt.to_json()))) == learnt
    assert learnt.answer(np.full(5, 0.2), tuple("abcde")) == calibration.NONE_OF_THESE
    assert learnt.answer(np.eye(5)[2], tuple("abcde")) == "c"


@pytest.mark.parametrize(
    ("probabilities", "labels", "said"),
    [
        ([[2.0, 1.0]], [0], "softmax"),
        ([[0.5, 0.5]], [0, 1], r"\(1, 2\) and \(2,\)"),
        (np.zeros((0, 2)), [], "at least one"),
    ],
)
def test_what_are_not_probabilities_is_refused(probabilities, labels, said):
    with pytest.raises(ValueError, match=said):
        calibration.reliability_table(probabilities, labels)
