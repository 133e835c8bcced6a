"""Two models on the same videos, such as of frames and of optical flow -> one prediction: late fusion."""

from dataclasses import replace

import numpy as np

from actlib.evaluation.calibration import apply_temperature, fit_temperature
from actlib.evaluation.intervals import bootstrap_groups
from actlib.evaluation.metrics import softmax
from actlib.evaluation.results import Results, tabulate_predictions


def fuse(first: Results, second: Results, weights=(1, 1), *, logits=False) -> Results:
    """Average the probabilities that two models give each video: results of videos alone, in the order of the first's.

    Args:
        first, second: one model's results, and another's, on the same videos in any order.
        weights: two numbers from 0, of which only their ratio counts.
        logits: whether to average logarithms instead, and take their softmax: the surer model then counts for more.

    Raises:
        ValueError: the models are of other classes or were evaluated on other videos, or a weight is below 0.

    Source: Donahue et al., arXiv 1411.4389, section 4.1 (1 to 1, 1 to 2); logits: Wang et al., arXiv 1608.00859, 3.3.
    """
    shares = share_weights(weights)
    both = np.stack([first.probabilities, np.stack(first.align(second)["probabilities"])])  # (2, V, K)
    scores = np.average(np.log(np.maximum(both, 1e-12)) if logits else both, axis=0, weights=shares)  # (V, K)
    table = tabulate_predictions(first.predictions, softmax(scores) if logits else scores, classes=first.classes)
    accuracy = bootstrap_groups(table["correct"], first.groups, table["label"])
    readout = "fused {:.2f} to {:.2f}".format(*shares) + ", logits" * logits
    leakage = (*{*first.leakage, *second.leakage},)
    return replace(first, frame=None, clip=None, video=accuracy, predictions=table, readout=readout, leakage=leakage)


def share_weights(weights) -> list[float]:
    """Return what each of several models counts for, of 1 in all.

    Args:
        weights: numbers from 0, not all 0, else a ValueError.
    """
    if not min(weights) >= 0 < sum(weights) < np.inf:
        raise ValueError(f"Expected weights from 0, not all 0. Received: {tuple(weights)}. Give 1 1 or 1 2, say.")
    return [weight / sum(weights) for weight in weights]


def choose_fusion_weights(first: Results, second: Results) -> tuple[float, float]:
    """Choose weights of logits, in steps of 0.05: the likeliest on validation videos, each at its best temperature.

    Args:
        first, second: one model's results on the validation subset, and another's.
    """
    labels, steps, losses = first.predictions["label"].to_numpy(), np.linspace(0, 1, 21).round(2).tolist(), {}
    for weights in zip(steps, reversed(steps), strict=True):
        fused = fuse(first, second, weights, logits=True).probabilities
        calibrated = apply_temperature(fused, fit_temperature(fused, labels))
        losses[weights] = -np.log(np.maximum(calibrated[np.arange(len(labels)), labels], 1e-12)).mean()
    return min(losses, key=losses.get)
