"""Small rules of training that both frameworks follow: which epoch is best, what changes, what is drawn anew."""

import math

import numpy as np

PREFIXES = {"convolutions": ("preprocess/", "block"), "hidden": ("hidden",)}  # of the names of weights


def best_epoch(history):
    """Finds the epoch with the lowest validation loss, or training loss where there is no validation.

    Args:
        history: As in `runs.Run`.

    Returns:
        Its place in the lists, from 0; None if there is no epoch.

    Example:
        >>> best_epoch({"val_loss": [3.0, 1.0, 2.0]})
        1
    """
    losses = history["loss"] if None in history["val_loss"] else history["val_loss"]
    order = [(math.isnan(loss), loss) for loss in losses]  # no number is worse than any
    return order.index(min(order)) if order else None


def epochs_since_best(history):
    """Counts the epochs after the best one.

    Args:
        history: As in `runs.Run`, one epoch at least.

    Returns:
        0 if the last epoch is the best.

    Example:
        >>> epochs_since_best({"val_loss": [3.0, 1.0, 2.0]})
        1
    """
    return len(history["val_loss"]) - 1 - best_epoch(history)


def trainable_weights(weights, frozen):
    """Picks the weights that training changes.

    Args:
        weights: Neutral name -> array.
        frozen: Parts of `specs.FROZEN_PARTS`.

    Returns:
        The rest; preprocessing never changes.

    Example:
        >>> list(trainable_weights({"preprocess/mean": 0, "hidden1/bias": 0, "logits/bias": 0}, ("hidden",)))
        ['logits/bias']
    """
    prefixes = ("preprocess/", *(prefix for part in frozen for prefix in PREFIXES[part]))
    return {name: array for name, array in weights.items() if not name.startswith(prefixes)}


def epoch_seed(seed, epoch):
    """Gives each epoch its own random numbers, so that a training can be taken up at any of them.

    Args:
        seed: Of the training.
        epoch: From 0.

    Returns:
        An int below 2**32.
    """
    return int(np.random.SeedSequence([seed, epoch]).generate_state(1)[0])


def balance_classes(labels, num_classes):
    """Weighs each class by the inverse of its share of the clips.

    Args:
        labels: int (N,), one a clip.
        num_classes: K.

    Returns:
        float32 (K,), 1 where a class has its fair share.

    Example:
        >>> balance_classes([0, 0, 1, 0, 0, 0], 2).tolist()
        [0.6000000238418579, 3.0]
    """
    counts = np.maximum(np.bincount(labels, minlength=num_classes), 1)
    return (len(labels) / (num_classes * counts)).astype(np.float32)
