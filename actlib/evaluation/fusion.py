"""Two models on the same videos, such as of frames and of optical flow -> one prediction: late fusion."""

from dataclasses import replace

import numpy as np

from actlib.evaluation.intervals import bootstrap_groups
from actlib.evaluation.results import Results, tabulate_predictions


def fuse(first: Results, second: Results, weights=(1, 1)) -> Results:
    """Average the probabilities that two models give each video: results of videos alone, in the order of the first's.

    Args:
        first, second: one model's results, and another's, on the same videos in any order.
        weights: two numbers from 0, of which only their ratio counts.

    Raises:
        ValueError: the models are of other classes or were evaluated on other videos, or a weight is below 0.

    Source: Donahue et al., arXiv 1411.4389, section 4.1, with the weights 1 to 1 and 1 to 2 for RGB and flow.
    """
    shares, others = share_weights(weights), np.stack(first.align(second)["probabilities"])
    probabilities = np.average([first.probabilities, others], axis=0, weights=shares)  # (V, K)
    table = tabulate_predictions(first.predictions, probabilities, classes=first.classes)
    accuracy = bootstrap_groups(table["correct"], first.groups, table["label"])
    options = {"readout": "fused {:.2f} to {:.2f}".format(*shares), "leakage": (*{*first.leakage, *second.leakage},)}
    return replace(first, frame=None, clip=None, video=accuracy, predictions=table, **options)


def share_weights(weights) -> list[float]:
    """Return what each of several models counts for, of 1 in all.

    Args:
        weights: numbers from 0, not all 0, else a ValueError.
    """
    if not min(weights) >= 0 < sum(weights) < np.inf:
        raise ValueError(f"Expected weights from 0, not all 0. Received: {tuple(weights)}. Give 1 1 or 1 2, say.")
    return [weight / sum(weights) for weight in weights]


def choose_fusion_weights(first: Results, second: Results) -> tuple[float, float]:
    """Choose weights on validation videos: the mean of all, in steps of 0.05, with which most are correct.

    Args:
        first, second: one model's results on the validation subset, and another's.
    """
    steps = np.linspace(0, 1, 21).round(2).tolist()
    values = [fuse(first, second, (weight, 1 - weight)).video.value for weight in steps]
    best = [weight for weight, value in zip(steps, values, strict=True) if value == max(values)]
    weight = round(float(np.mean(best)), 3)
    return weight, round(1 - weight, 3)
