"""Weights in and out of models, under the neutral names of `actlib.checkpoints`, and whole models on disk."""

import contextlib

import keras
import numpy as np
from keras import ops

from actlib import checkpoints, machine
from actlib.keras.distributed import join_processes
from actlib.keras.lrcn import LRCN
from actlib.keras.vgg import FrameClassifier
from actlib.specs import LRCNSpec


def get_weights(model) -> dict[str, np.ndarray]:
    """Copy a model's weights out.

    Args:
        model: A `FrameClassifier`, an `LRCN`, or the `convolutions` or `head` of one.

    Returns:
        Neutral name -> float32 array, in the order of the layers.
    """
    return {name: np.array(ops.convert_to_numpy(variable)) for name, variable in _variables(model).items()}


def set_weights(model, weights, *, partial=False) -> None:
    """Copy weights into a model.

    Args:
        model: As in `get_weights`.
        weights: Neutral name -> array.
        partial: Some of the model's weights are enough; the others stay.

    Raises:
        ValueError: Names are missing (unless partial) or left over, or a shape differs.
    """
    variables = _variables(model)
    shapes = {name: tuple(variable.shape) for name, variable in variables.items()}
    checkpoints.check_weights(shapes, weights, partial=partial)
    for name, array in weights.items():
        variables[name].assign(array)


def make_network(spec, num_classes, *, device=None):
    """Make the network that a spec describes; `training.build_model` also initializes its weights.

    Args:
        spec: A `FrameSpec` or an `LRCNSpec`.
        num_classes: K.
        device: As in `load_model`.
    """
    join_processes()
    with keras.device(device) if device else contextlib.nullcontext():
        return (LRCN if isinstance(spec, LRCNSpec) else FrameClassifier)(spec, num_classes)


def save_model(path, model, *, card=None):
    """Write a model as a checkpoint that either framework loads.

    Args:
        path: Ends in `.safetensors`; the card goes inside, and beside it as `.json`.
        model: A `FrameClassifier` or an `LRCN`. Its `card` (a dict) is written with it.
        card: More for the card.

    Returns:
        The path.

    Raises:
        ValueError: The path has another ending.
    """
    versions = machine.package_versions("actlib", "keras", keras.backend.backend(), "numpy")
    metadata = {"spec": model.spec, "num_classes": model.num_classes, "versions": versions}
    metadata |= {"framework": "keras", **(card or {})}
    return checkpoints.save_checkpoint(path, get_weights(model), model.card | metadata)


def load_model(path, *, device=None):
    """Make the model that a checkpoint of either framework describes, with its weights, ready to predict.

    Args:
        path: The `.safetensors` file.
        device: Where the model is put, such as "cuda" or "cpu"; None: `precision.default_device`'s. Keras puts models
            where its backend computes.

    Returns:
        A `FrameClassifier` or an `LRCN`; its `card` is the checkpoint's.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is damaged, or its card does not describe a model.
    """
    card, weights = checkpoints.read_model(path)
    model = make_network(card["spec"], card["num_classes"], device=device)
    set_weights(model, weights)
    model.card = card
    return model


def _variables(model):
    """Neutral name -> Keras variable, which lies in memory as the neutral format does."""
    parts = (model.convolutions, model.head) if hasattr(model, "head") else (model,)
    layers = [layer for part in parts for layer in part.layers]
    return {f"{layer.name.removesuffix('_norm')}/{weight.name}": weight for layer in layers for weight in layer.weights}
