"""From the logits of steps to the answers of clips and videos, and how sure an accuracy is."""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from actlib.specs import READOUTS


@dataclass(frozen=True)
class Accuracy:
    """A share of right answers and the 95 % interval around it.

    Example:
        >>> print(Accuracy(0.8741, 0.801, 0.93, 266))
        87.4 % (80.1–93.0)
    """

    value: float  # 0..1
    low: float  # 0..1
    high: float  # 0..1
    count: int  # answers that were judged

    def __str__(self) -> str:
        return f"{100 * self.value:.1f} % ({100 * self.low:.1f}–{100 * self.high:.1f})"


def softmax(logits: np.ndarray) -> np.ndarray:
    """Turn logits into probabilities.

    Args:
        logits: float (..., K), any range.

    Returns:
        float32 (float64 for float64 logits) (..., K), in 0..1, that add up to 1 along the last axis.

    Example:
        >>> softmax(np.array([1000.0, 1000.0])).tolist()
        [0.5, 0.5]
    """
    logits = np.asarray(logits)
    logits = logits.astype(np.promote_types(logits.dtype, np.float32), copy=False)
    probabilities = logits - logits.max(axis=-1, keepdims=True)
    np.exp(probabilities, out=probabilities)
    probabilities /= probabilities.sum(axis=-1, keepdims=True)
    return probabilities


def pool_clips(logits: np.ndarray, readout: str) -> np.ndarray:
    """Make one answer a clip out of the logits of its steps.

    Args:
        logits: float (N, T, K), the logits at every step of every clip.
        readout: "last" (softmax of the last step), "mean" (softmax of the mean of the logits) or "steps" (mean of the
            softmax of each step; for a frame classifier this is the average over frames).

    Returns:
        float (N, K), probabilities.

    Example:
        >>> pool_clips(np.log([[[0.9, 0.1], [0.5, 0.5]]]), "steps").round(2).tolist()
        [[0.7, 0.3]]
    """
    if readout not in READOUTS:
        raise ValueError(f"Expected readout to be one of {READOUTS}. Received: {readout!r}. Choose one of them.")
    if readout == "last":
        return softmax(logits[:, -1])
    return softmax(logits.mean(axis=1)) if readout == "mean" else softmax(logits).mean(axis=1)


def pool_videos(probabilities: np.ndarray, clip_videos: np.ndarray) -> np.ndarray:
    """Average the probabilities of each video's clips.

    Args:
        probabilities: float (N, K), one row a clip.
        clip_videos: int (N,), which video each clip is of: 0..V-1, each at least once, in any order.

    Returns:
        float64 (V, K), probabilities.

    Example:
        >>> pool_videos(np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]]), np.array([1, 0, 0])).tolist()
        [[0.25, 0.75], [1.0, 0.0]]
    """
    num_clips = np.bincount(clip_videos)
    total = np.zeros((len(num_clips), probabilities.shape[1]))
    np.add.at(total, clip_videos, probabilities)
    return total / num_clips[:, None]


def bootstrap_groups(correct: np.ndarray, groups: np.ndarray, *, num_bootstrap: int = 2000, seed: int = 0) -> Accuracy:
    """Measure an accuracy and how much it depends on which groups happened to be in the test set.

    Clips of one group share actor and background, so a clip says little that its sibling has not said: whole groups
    are drawn with replacement, and the interval holds the middle 95 % of the accuracies so found. Where all groups
    agree (all right, say), drawing them again shows nothing; the exact binomial interval over groups stands in.

    Args:
        correct: bool (n,), whether each answer is right.
        groups: (n,) any values, equal for answers of the same group.
        num_bootstrap: how many times groups are drawn.
        seed: of the draw.

    Returns:
        The accuracy with its interval.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993; Clopper and Pearson, Biometrika 26, 1934.

    Example:
        >>> print(bootstrap_groups([True, True, False, False], ["a", "a", "b", "b"]))
        50.0 % (0.0–100.0)
    """
    correct = np.asarray(correct, float)
    value = float(correct.mean())
    right, count = sum_groups(correct, groups)
    if np.ptp(right / count) == 0:
        low, high = _exact_interval(value, len(count))
    else:
        low, high = np.quantile(resample(right, count, num_bootstrap, seed), (0.025, 0.975))
    return Accuracy(value, float(low), float(high), len(correct))


def sum_groups(values: np.ndarray, groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Add up the values of each group.

    Args:
        values: float (n,).
        groups: (n,) any values, equal for those of the same group.

    Returns:
        (total, count): float (G,) and int (G,), the sum and the number of each group's values.
    """
    _, index = np.unique(groups, return_inverse=True)
    return np.bincount(index, values), np.bincount(index)


def resample(total: np.ndarray, count: np.ndarray, num_bootstrap: int, seed: int) -> np.ndarray:
    """Draw as many groups as there are, with replacement, again and again.

    Args:
        total: float (G,), the sum of each group's values.
        count: int (G,), how many there are.
        num_bootstrap: how many times groups are drawn.
        seed: of the draw.

    Returns:
        float (num_bootstrap,), the mean of the values in each draw.
    """
    drawn = np.random.default_rng(seed).integers(len(count), size=(num_bootstrap, len(count)))  # (num_bootstrap, G)
    return total[drawn].sum(axis=1) / count[drawn].sum(axis=1)


def _exact_interval(value: float, num_groups: int) -> tuple[float, float]:
    """Clopper and Pearson's 95 % interval for a share of num_groups independent trials."""
    right = value * num_groups
    low = stats.beta.ppf(0.025, right, num_groups - right + 1) if value > 0 else 0.0
    high = stats.beta.ppf(0.975, right + 1, num_groups - right) if value < 1 else 1.0
    return low, high
