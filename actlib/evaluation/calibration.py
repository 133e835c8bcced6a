"""Calibration: temperature scaling, reliability, and a threshold below which the prediction is "none of these"."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import minimize_scalar

from actlib.evaluation.metrics import softmax
from actlib.evaluation.results import Results

NONE_OF_THESE = "none of these"


def apply_temperature(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Make probabilities softer (temperature above 1) or sharper (below 1); their order stays.

    The logits of probabilities, float (..., K), are divided by the temperature, then the softmax is taken.

    Source: Guo et al., On Calibration of Modern Neural Networks, arXiv 1706.04599, section 4.2.

    Example:
        >>> apply_temperature(np.array([0.9, 0.1]), 2.0).round(2).tolist()
        [0.75, 0.25]
    """
    return softmax(np.log(np.maximum(probabilities, 1e-12)) / temperature)


def fit_temperature(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Find the temperature with the lowest negative log-likelihood on validation videos.

    With every video correct, an ever lower temperature would be ever better; so each label gets the probability
    (n + 1) / (n + 2), and the other classes share the rest.

    Source: Guo et al., arXiv 1706.04599, section 4.2; the softened labels are those of Platt, 1999, section 2.2.
    """
    num_videos, num_classes = probabilities.shape
    rest = 1 / (num_videos + 2)
    target = np.full(probabilities.shape, rest / max(1, num_classes - 1))
    target[np.arange(num_videos), labels] = 1 - rest

    def negative_log_likelihood(log_temperature):
        return -(target * np.log(np.maximum(apply_temperature(probabilities, np.exp(log_temperature)), 1e-300))).sum()

    return float(np.exp(minimize_scalar(negative_log_likelihood, bounds=np.log([0.05, 20]), method="bounded").x))


def reliability_table(probabilities: np.ndarray, labels: np.ndarray, *, num_bins: int = 10) -> pd.DataFrame:
    """Compare confidence with accuracy, in equal bins of confidence: the numbers of a reliability diagram.

    Of probabilities, float (n, K), and labels, int (n,), the table has a row a bin with the columns low, high (its
    edges), confidence (mean probability of the predicted class), accuracy (both NaN in an empty bin) and videos.
    """
    probabilities = np.asarray(probabilities, float)
    if (
        probabilities.ndim != 2
        or len(labels) != len(probabilities)
        or not np.allclose(probabilities.sum(1), 1, 0, 1e-3)
    ):
        raise ValueError(
            f"Expected probabilities (n, K), rows that add up to 1, and n labels. Received: {probabilities.shape} and "
            f"{len(labels)} labels. Give Results.probabilities and predictions['label']; of logits take the softmax."
        )
    edges = np.linspace(0, 1, num_bins + 1)
    confidence, correct = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    bins = np.digitize(confidence, edges[1:-1], right=True)
    table = pd.DataFrame({"confidence": confidence, "accuracy": correct}).groupby(bins).mean().reindex(range(num_bins))
    table.insert(0, "low", edges[:-1])
    table.insert(1, "high", edges[1:])
    return table.assign(videos=np.bincount(bins, minlength=num_bins))


def expected_calibration_error(probabilities: np.ndarray, labels: np.ndarray, *, num_bins: int = 10) -> float:
    """Average the gaps of ``reliability_table`` over its videos; 0..1. Source: Naeini et al., AAAI 2015."""
    table = reliability_table(probabilities, labels, num_bins=num_bins)
    gap = (table["confidence"] - table["accuracy"]).abs()
    return float((gap * table["videos"]).sum() / table["videos"].sum())


def choose_threshold(probabilities: np.ndarray, labels: np.ndarray, *, keep: float = 0.95) -> float:
    """Choose the highest threshold that keeps this share of the correct predictions; 0 where there are none."""
    confidence = probabilities.max(axis=1)[probabilities.argmax(axis=1) == labels]
    return float(np.quantile(confidence, 1 - keep, method="lower")) if len(confidence) else 0.0


@dataclass(frozen=True)
class Calibration:
    """Temperature and threshold of one model, fitted on validation videos."""

    temperature: float
    threshold: float  # of the calibrated probability; below it the prediction is "none of these"
    error_before: float  # expected calibration error, 0..1, on the validation videos
    error_after: float  # likewise, calibrated
    num_videos: int  # that it was fitted on

    def apply(self, probabilities: np.ndarray) -> np.ndarray:
        """Calibrate a model's probabilities, float (..., K)."""
        return apply_temperature(probabilities, self.temperature)

    def predict(self, probabilities: np.ndarray, classes: tuple[str, ...]) -> str:
        """Name the class of one video, or "none of these", from a model's (uncalibrated) probabilities, float (K,)."""
        calibrated = self.apply(probabilities)
        return classes[int(calibrated.argmax())] if calibrated.max() >= self.threshold else NONE_OF_THESE


def calibrate(validation: Results, *, keep: float = 0.95) -> Calibration:
    """Fit temperature and threshold to a model's predictions on validation videos.

    The results are of the validation subset, never of the test subset; ``keep`` is the share of the correct
    predictions that must stay above the threshold.
    """
    probabilities, labels = validation.probabilities, validation.predictions["label"].to_numpy()
    temperature = fit_temperature(probabilities, labels)
    calibrated = apply_temperature(probabilities, temperature)
    errors = [expected_calibration_error(each, labels) for each in (probabilities, calibrated)]
    return Calibration(temperature, choose_threshold(calibrated, labels, keep=keep), *errors, len(labels))
