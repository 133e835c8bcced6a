"""Calibration: temperature scaling, and reliability."""

import numpy as np
import pandas as pd
from scipy.optimize import minimize_scalar

from actlib.evaluation.metrics import pool_clips, pool_videos, softmax


def apply_temperature(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Divide the logits of probabilities by a temperature: above 1 softens, below 1 sharpens; their order stays.

    Args:
        probabilities, temperature: float (..., K); above 0.

    Source: Guo et al., On Calibration of Modern Neural Networks, arXiv 1706.04599, section 4.2.

    Example:
        >>> apply_temperature(np.array([0.9, 0.1]), 2.0).round(2).tolist()
        [0.75, 0.25]
    """
    return softmax(np.log(np.maximum(probabilities, 1e-12)) / temperature)


def reliability_table(probabilities: np.ndarray, labels: np.ndarray, *, num_bins: int = 10) -> pd.DataFrame:
    """Compare confidence with accuracy, in equal bins of confidence: the numbers of a reliability diagram.

    Args:
        probabilities: float (n, K), rows that add up to 1.
        labels: int (n,).
        num_bins: how many; each has its upper edge.

    Returns:
        A row a bin: low, high, confidence (mean probability of the predicted class), accuracy (NaN if empty), videos.
    """
    probabilities = np.asarray(probabilities, float)
    shape = probabilities.shape
    if len(shape) != 2 or shape[0] != len(labels) or not np.allclose(probabilities.sum(axis=1), 1, rtol=0, atol=1e-3):
        expected = f"Expected probabilities (n, K), rows that add up to 1. Received: {shape} and {len(labels)} labels"
        raise ValueError(f"{expected}. Give Results.probabilities and predictions['label']; of logits, the softmax.")
    table = pd.DataFrame({"confidence": probabilities.max(axis=1), "accuracy": probabilities.argmax(axis=1) == labels})
    edges = np.linspace(0, 1, num_bins + 1)
    bins = np.digitize(table["confidence"], edges[1:-1], right=True)
    means = pd.DataFrame({"low": edges[:-1], "high": edges[1:]}).join(table.groupby(bins).mean())
    return means.assign(videos=np.bincount(bins, minlength=num_bins))


def fit_temperatures(logits, clip_videos, labels, *, readout) -> dict[str, float]:
    """Fit a temperature for each level at which probabilities are shown: "step" in films, "video" in verdicts.

    Args:
        logits, clip_videos, labels: float (N, T, K), of clips; int (N,), which video each is of; int (V,), of videos.
        readout: how the steps of a clip are pooled, see ``pool_clips``; with "mean", a step is the mean so far.
    """
    videos = pool_videos(pool_clips(logits, readout), clip_videos)
    steps = np.cumsum(logits, axis=1) / np.arange(1, logits.shape[1] + 1)[:, None] if readout == "mean" else logits
    steps, step_labels = softmax(steps).reshape(-1, logits.shape[2]), np.repeat(labels[clip_videos], logits.shape[1])
    return {"step": fit_temperature(steps, step_labels, len(labels)), "video": fit_temperature(videos, labels)}


def fit_temperature(probabilities, labels, num_videos=None) -> float:
    """Find the temperature with the lowest negative log-likelihood on videos that were not learnt.

    With every video correct, an ever lower one would be ever better; so each label gets the probability
    (n + 1) / (n + 2), and the others share the rest.

    Args:
        probabilities: float (n, K), of n validation videos, never of test videos; or of all of their steps.
        labels: int (n,).
        num_videos: of how many videos the steps are, which are alike; None: each row is of a video of its own.

    Source: Guo et al., arXiv 1706.04599, section 4.2; Platt, 1999, section 2.2.
    """
    num_rows, num_classes = probabilities.shape
    rest = 1 / ((num_videos or num_rows) + 2)
    target = np.full(probabilities.shape, rest / max(1, num_classes - 1))
    target[np.arange(num_rows), labels] = 1 - rest

    def negative_log_likelihood(log_temperature):
        return -(target * np.log(np.maximum(apply_temperature(probabilities, np.exp(log_temperature)), 1e-300))).sum()

    return float(np.exp(minimize_scalar(negative_log_likelihood, bounds=np.log([0.05, 20]), method="bounded").x))


def calibration_error(probabilities, labels, **options) -> float:
    """Measure the expected calibration error, 0..1: the mean gap of ``reliability_table``, over its videos.

    Args:
        probabilities: as for ``reliability_table``, as are the labels and options.

    Source: Naeini et al., AAAI 2015.
    """
    table = reliability_table(probabilities, labels, **options)
    return float(np.average((table["confidence"] - table["accuracy"]).abs().fillna(0), weights=table["videos"]))
