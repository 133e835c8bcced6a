"""Weights in and out of models, under the neutral names of `actlib.checkpoints`.

Keras lays arrays out as the neutral format does, so nothing is transposed here.
"""

from pathlib import Path

import keras
from keras import ops

from actlib import checkpoints
from actlib.keras import lrcn, vgg
from actlib.run import package_versions

_KINDS = {vgg.FrameClassifier: "frames", lrcn.LRCN: "lrcn"}


def get_weights(model) -> dict:
    """Copies a model's weights out.

    Args:
        model: a `FrameClassifier`, an `LRCN`, or the `convolutions` or `head` of one.

    Returns:
        Neutral name -> float32 array, in the order of the layers.

    Example:
        >>> from actlib.specs import SLIM_FRAMES
        >>> model = vgg.FrameClassifier(SLIM_FRAMES, 7)
        >>> get_weights(model)["logits/kernel"].shape
        (64, 7)
    """
    return {name: ops.convert_to_numpy(variable) for name, variable in _variables(model).items()}


def set_weights(model, weights, *, partial=False) -> list[str]:
    """Copies weights into a model.

    Args:
        model: a `FrameClassifier`, an `LRCN`, or the `convolutions` or `head` of one.
        weights: neutral name -> array.
        partial: take what fits by name, for a model that starts from another's weights; `logits/...` of another shape
            are left alone (other classes, or LSTMs before them). Else names must be the same on both sides.

    Returns:
        The names that were loaded.

    Raises:
        ValueError: names are missing or left over (not with partial), a shape differs, or nothing fits.

    Example:
        >>> from actlib.specs import SLIM_FRAMES
        >>> model = vgg.FrameClassifier(SLIM_FRAMES, 7)
        >>> import numpy as np
        >>> set_weights(model, {"logits/bias": np.ones(7)}, partial=True)
        ['logits/bias']
    """
    variables = _variables(model)
    missing, extra = sorted(set(variables) - set(weights)), sorted(set(weights) - set(variables))
    if not partial and (missing or extra):
        raise ValueError(
            f"Expected the weights of {model.name}. Received: missing {missing}, left over {extra}. "
            "Load them into the model they were saved from, or take what fits with partial=True."
        )
    names = [name for name in variables if name in weights]
    differing = [name for name in names if tuple(variables[name].shape) != tuple(weights[name].shape)]
    if partial and any(name.startswith("logits/") for name in differing):
        names, differing = _without_logits(names), _without_logits(differing)
    if differing or not names:
        shapes = {name: (tuple(variables[name].shape), tuple(weights[name].shape)) for name in differing}
        raise ValueError(
            f"Expected weights with the names and shapes of {model.name}. Received: "
            f"{shapes or 'none of its names'} (model's shape, weights' shape). Choose the spec they were saved with."
        )
    for name in names:
        variables[name].assign(weights[name])
    return names


def save_model(path, model, *, card=None) -> Path:
    """Writes a model as a checkpoint that either framework loads.

    Args:
        path: ends in `.safetensors`.
        model: a `FrameClassifier` or an `LRCN`. Its `card` (a dict) is written with it.
        card: more facts for the card.

    Returns:
        The path.

    Raises:
        ValueError: the path has another ending.
    """
    facts = {
        "kind": _KINDS[type(model)],
        "spec": checkpoints.spec_to_json(model.spec),
        "num_classes": model.num_classes,
        "framework": "keras",
        "versions": package_versions("actlib", "keras", keras.backend.backend(), "numpy"),
    }
    return checkpoints.save_checkpoint(path, get_weights(model), model.card | facts | (card or {}))


def load_model(path):
    """Makes the model that a checkpoint of either framework describes, with its weights.

    Args:
        path: the `.safetensors` file.

    Returns:
        A `FrameClassifier` or an `LRCN`; its `card` is the checkpoint's.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is damaged, or its card does not describe a model.
    """
    card = checkpoints.read_card(path)
    kinds = {kind: cls for cls, kind in _KINDS.items()}
    if card.get("kind") not in kinds or not {"spec", "num_classes"} <= set(card):
        raise ValueError(
            f"Expected a card with kind ({' or '.join(kinds)}), spec and num_classes. "
            f"Received: {sorted(card)} in {path}. Load such weights with read_weights and set_weights."
        )
    model = kinds[card["kind"]](checkpoints.spec_from_json(card["spec"]), card["num_classes"])
    set_weights(model, checkpoints.read_weights(path))
    model.card = card
    return model


def _variables(model) -> dict:
    """Neutral name -> Keras variable."""
    parts = (model.convolutions, model.head) if hasattr(model, "head") else (model,)
    layers = [layer for part in parts for layer in part.layers]
    return {_neutral(layer, variable): variable for layer in layers for variable in layer.weights}


def _without_logits(names):
    return [name for name in names if not name.startswith("logits/")]


def _neutral(layer, variable):
    return f"{layer.name.replace('_norm', '_conv')}/{variable.name}"  # batch norm belongs to its convolution
