"""From the logits of steps to the probabilities of clips and of videos."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import special

from actlib import schema, specs


@dataclass(frozen=True)
class Accuracy:
    """A share of correct predictions and its 95 % interval; prints as ``87.4 % (80.1–93.0)``."""

    value: float  # 0..1
    low: float  # 0..1
    high: float  # 0..1
    count: int  # how many predictions it is the share of

    def __str__(self) -> str:
        return f"{100 * self.value:.1f} % ({100 * self.low:.1f}–{100 * self.high:.1f})"


def softmax(logits: np.ndarray) -> np.ndarray:
    """Turn logits into probabilities, whose sum over K is 1: float32, or float64 for float64.

    Args:
        logits: float (..., K).

    Example:
        >>> softmax(np.array([1000.0, 1000.0])).tolist()
        [0.5, 0.5]
    """
    logits = np.asarray(logits)
    return special.softmax(logits.astype(np.promote_types(logits.dtype, np.float32)), axis=-1)


def pool_clips(logits: np.ndarray, readout: str) -> np.ndarray:
    """Pool the logits of each clip's steps into its probabilities, float (N, K).

    Args:
        logits: float (N, T, K).
        readout: "last" (softmax of the last step), "mean" (softmax of the mean of the logits) or "steps" (mean of the
            softmax of each step; for a frame classifier this is the average over frames).

    Example:
        >>> pool_clips(np.log([[[0.9, 0.1], [0.5, 0.5]]]), "steps").round(2).tolist()
        [[0.7, 0.3]]
    """
    schema.check_choice("readout", readout, specs.READOUTS)
    if readout == "steps":
        return softmax(logits).mean(axis=1)
    return softmax(logits[:, -1] if readout == "last" else logits.mean(axis=1))


def pool_videos(probabilities: np.ndarray, clip_videos: np.ndarray) -> np.ndarray:
    """Average the probabilities of each video's clips into those of the video, float64 (V, K).

    Args:
        probabilities, clip_videos: float (N, K), of clips; int (N,), of which video: each of 0..V-1 at least once.
    """
    return pd.DataFrame(probabilities, dtype=float).groupby(clip_videos).mean().to_numpy()
