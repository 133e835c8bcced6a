"""How fast a training goes in each epoch and layer, which epoch is its best, and when it ends: from its history."""

import math
import re

import numpy as np


def learning_rate(training, history) -> float:
    """Return the learning rate of the epoch that follows those of a history.

    Args:
        training, history: A `TrainSpec`; lists under "loss" and "val_loss", one value an epoch.
    """
    losses = history["loss"] if None in history["val_loss"] else history["val_loss"]
    epoch, rate = len(losses), training.learning_rate
    if epoch < training.warmup_epochs:
        rate *= (epoch + 1) / training.warmup_epochs
    elif training.schedule == "step":
        rate *= training.step_factor ** sum(epoch >= milestone for milestone in training.milestones)
    elif training.schedule == "cosine":
        done = (epoch - training.warmup_epochs) / max(1, training.num_epochs - training.warmup_epochs)
        rate *= (1 + math.cos(math.pi * done)) / 2
    else:
        rate *= training.plateau_factor ** _count_plateaus(losses, training.plateau_patience)
    return float(f"{rate:.7g}")


def rate_factor(training, path) -> float:
    """Return what the learning rate of a layer is multiplied by; see `TrainSpec.rates`.

    Args:
        training, path: A `TrainSpec`; of a weight of the layer, in either framework's words.

    Example:
        >>> from actlib.specs import TrainSpec
        >>> rate_factor(TrainSpec(rates=(("block", 0.1), ("block5", 0.5))), "convolutions/block5_conv3/kernel")
        0.5
    """
    parts = re.split("[/.]", path)
    return float([1.0, *(factor for start, factor in training.rates if any(p.startswith(start) for p in parts))][-1])


def best_epoch(history):
    """Return the place, from 0, of the lowest validation loss, of the last epoch without validation, or None.

    Args:
        history: As for `learning_rate`.
    """
    losses = history["val_loss"]
    if None in losses or not losses:
        return len(losses) - 1 if losses else None
    return int(np.argmin(np.nan_to_num(losses, nan=np.inf)))  # NaN is worse than any number


def epochs_since_best(history):
    """Count the epochs of a history after its best one.

    Args:
        history: As for `learning_rate`.
    """
    return len(history["val_loss"]) - 1 - best_epoch(history)


def is_over(training, history):
    """Tell whether a training ends after the epochs of a history: with the last one, or out of patience.

    Args:
        training, history: As for `learning_rate`.
    """
    tired = training.patience is not None and epochs_since_best(history) >= training.patience
    return tired or len(history["epoch"]) >= training.num_epochs


def mean_of_sums(sums):
    """Return (mean loss, accuracy).

    Args:
        sums: float (3,): sums of losses, of correct predictions, of clips.
    """
    return float(sums[0] / sums[2]), float(sums[1] / sums[2])


def _count_plateaus(losses, patience):
    """Count how often so many epochs in a row have brought no better loss; None: never."""
    best, waited, found = math.inf, 0, 0
    for loss in losses:
        best, waited = (loss, 0) if loss < best else (best, waited + 1)
        if waited == patience:
            found, waited = found + 1, 0
    return found
