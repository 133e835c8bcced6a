"""Probabilities that can be believed: temperature scaling, reliability, and when to answer "none of these"."""

from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
from scipy.optimize import minimize_scalar

from actlib.evaluation.metrics import softmax
from actlib.evaluation.results import Results

NONE_OF_THESE = "none of these"


def apply_temperature(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Make probabilities more modest (temperature above 1) or bolder (below 1); their order stays.

    Args:
        probabilities: float (..., K), in 0..1.
        temperature: above 0; 1 changes nothing.

    Returns:
        float (..., K): the softmax of logits divided by the temperature, for the softmax of whose logits was given.

    Source: Guo et al., On Calibration of Modern Neural Networks, arXiv 1706.04599, section 4.2.

    Example:
        >>> apply_temperature(np.array([0.9, 0.1]), 2.0).round(2).tolist()
        [0.75, 0.25]
    """
    return softmax(np.log(np.maximum(probabilities, 1e-12)) / temperature)


def fit_temperature(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Find the temperature at which validation videos are least surprising.

    With every video right, ever bolder would be ever better; so each label counts as (n + 1) / (n + 2) sure.

    Args:
        probabilities: float (n, K), of validation videos, which training has not seen.
        labels: int (n,), the true labels.

    Returns:
        The temperature, in 0.05..20.

    Source: Guo et al., arXiv 1706.04599, section 4.2; the softened labels are those of Platt, 1999, section 2.2.
    """
    probabilities, labels = _check(probabilities, labels)
    num_videos, num_classes = probabilities.shape
    doubt = 1 / (num_videos + 2)
    target = np.full(probabilities.shape, doubt / max(1, num_classes - 1))
    target[np.arange(num_videos), labels] = 1 - doubt

    def negative_log_likelihood(log_temperature):
        return -(target * np.log(np.maximum(apply_temperature(probabilities, np.exp(log_temperature)), 1e-300))).sum()

    return float(np.exp(minimize_scalar(negative_log_likelihood, bounds=np.log([0.05, 20]), method="bounded").x))


def reliability_table(probabilities: np.ndarray, labels: np.ndarray, *, num_bins: int = 10) -> pd.DataFrame:
    """Compare how sure a model says it is with how often it is right.

    Args:
        probabilities: float (n, K), in 0..1.
        labels: int (n,), the true labels.
        num_bins: how many equal parts 0..1 is cut into.

    Returns:
        One row a bin: low, high (its edges), confidence (mean probability of the answer), accuracy, videos (how many).
        Confidence and accuracy of an empty bin are NaN.
    """
    probabilities, labels = _check(probabilities, labels)
    edges = np.linspace(0, 1, num_bins + 1)
    confidence = probabilities.max(axis=1)
    correct = probabilities.argmax(axis=1) == labels
    bins = np.clip(np.digitize(confidence, edges[1:-1], right=True), 0, num_bins - 1)
    videos = np.bincount(bins, minlength=num_bins)
    with np.errstate(invalid="ignore"):
        means = [np.bincount(bins, values, minlength=num_bins) / videos for values in (confidence, correct)]
    table = {"low": edges[:-1], "high": edges[1:], "confidence": means[0], "accuracy": means[1], "videos": videos}
    return pd.DataFrame(table)


def expected_calibration_error(probabilities: np.ndarray, labels: np.ndarray, *, num_bins: int = 10) -> float:
    """Average the gap between confidence and accuracy over the bins of ``reliability_table``.

    Args:
        probabilities: float (n, K), in 0..1.
        labels: int (n,), the true labels.
        num_bins: how many equal parts 0..1 is cut into.

    Returns:
        The error, 0 (as right as it says) to 1.

    Source: Naeini et al., Obtaining Well Calibrated Probabilities Using Bayesian Binning, AAAI 2015.

    Example:
        >>> round(expected_calibration_error(np.array([[0.9, 0.1], [0.9, 0.1]]), np.array([0, 1])), 6)
        0.4
    """
    table = reliability_table(probabilities, labels, num_bins=num_bins)
    gap = (table["confidence"] - table["accuracy"]).abs()
    return float((gap * table["videos"]).sum() / table["videos"].sum())


def choose_threshold(probabilities: np.ndarray, labels: np.ndarray, *, keep: float = 0.95) -> float:
    """Choose the probability below which the answer is "none of these".

    Args:
        probabilities: float (n, K), of validation videos, tempered.
        labels: int (n,), the true labels.
        keep: share of the right answers that must stay answers, 0..1.

    Returns:
        The highest threshold that keeps this share of the right answers. It is 0 where no answer is right.
    """
    probabilities, labels = _check(probabilities, labels)
    confidence = probabilities.max(axis=1)[probabilities.argmax(axis=1) == labels]
    return float(np.quantile(confidence, 1 - keep, method="lower")) if len(confidence) else 0.0


@dataclass(frozen=True)
class Calibration:
    """What validation videos taught about a model's probabilities."""

    temperature: float
    threshold: float  # of the tempered probability; below it the answer is "none of these"
    error_before: float  # expected calibration error, 0..1, on the validation videos
    error_after: float  # likewise, tempered
    num_videos: int  # that it was learnt from

    def apply(self, probabilities: np.ndarray) -> np.ndarray:
        """Temper probabilities.

        Args:
            probabilities: float (..., K), in 0..1.

        Returns:
            float (..., K).
        """
        return apply_temperature(probabilities, self.temperature)

    def answer(self, probabilities: np.ndarray, classes: tuple[str, ...]) -> str:
        """Name the class of one video, or say that it is none of them.

        Args:
            probabilities: float (K,), as the model gives them (not tempered).
            classes: K names.

        Returns:
            A class name, or "none of these".

        Example:
            >>> calibration = Calibration(2.0, 0.8, 0.1, 0.05, 60)
            >>> calibration.answer(np.array([0.9, 0.1]), ("Jump", "Run"))
            'none of these'
            >>> calibration.answer(np.array([0.99, 0.01]), ("Jump", "Run"))
            'Jump'
        """
        tempered = self.apply(np.asarray(probabilities))
        return classes[int(tempered.argmax())] if tempered.max() >= self.threshold else NONE_OF_THESE

    def to_json(self) -> dict:
        """Plain numbers, ready for ``json.dump`` and for a checkpoint's card; ``Calibration(**record)`` rebuilds it."""
        return asdict(self)


def calibrate(validation: Results, *, keep: float = 0.95) -> Calibration:
    """Learn from validation videos how far a model's probabilities can be believed.

    Args:
        validation: the model's results on the validation part; never on the test part.
        keep: share of the right answers that stay answers, 0..1, see ``choose_threshold``.

    Returns:
        Temperature, threshold, and the calibration error before and after, on these same videos.
    """
    probabilities, labels = validation.probabilities, validation.predictions["label"].to_numpy()
    temperature = fit_temperature(probabilities, labels)
    tempered = apply_temperature(probabilities, temperature)
    return Calibration(
        temperature,
        choose_threshold(tempered, labels, keep=keep),
        expected_calibration_error(probabilities, labels),
        expected_calibration_error(tempered, labels),
        len(labels),
    )


def _check(probabilities: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both as arrays; ValueError where they are not one row of probabilities and one label a video."""
    probabilities, labels = np.asarray(probabilities, float), np.asarray(labels)
    if probabilities.ndim != 2 or labels.shape != probabilities.shape[:1] or not len(labels):
        raise ValueError(
            "Expected probabilities (videos, classes) and one label a video, of at least one video. "
            f"Received: {probabilities.shape} and {labels.shape}. Give Results.probabilities and predictions['label']."
        )
    if not np.allclose(probabilities.sum(axis=1), 1, atol=1e-3):
        raise ValueError(
            "Expected rows that add up to 1. Received: rows that add up to "
            f"{probabilities.sum(axis=1).min():.3g}..{probabilities.sum(axis=1).max():.3g}. Take the softmax of logits."
        )
    return probabilities, labels
