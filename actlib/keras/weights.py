"""Weights in and out of models, under the neutral names of `actlib.checkpoints`, and whole models on disk."""

import contextlib

import keras
import numpy as np
from keras import ops

from actlib import checkpoints
from actlib.keras.distributed import join_processes
from actlib.keras.lrcn import LRCN
from actlib.keras.vgg import FrameClassifier
from actlib.specs import LRCNSpec

PACKAGES = ("keras", keras.backend.backend())  # what computes


def get_weights(model) -> dict[str, np.ndarray]:
    """Copy a model's weights out: neutral name -> float32 array, in the order of the layers.

    Args:
        model: A `FrameClassifier`, an `LRCN`, or the `convolutions` or `head` of one.
    """
    return {name: np.array(ops.convert_to_numpy(variable)) for name, variable in _variables(model).items()}


def set_weights(model, weights, *, partial=False) -> None:
    """Copy weights into a model.

    Args:
        model, weights: As in `get_weights`; neutral name -> array.
        partial: Some of the model's weights are enough; the others stay.

    Raises:
        ValueError: Names are missing (unless partial) or left over, or a shape differs.
    """
    variables = _variables(model)
    checkpoints.check_weights({name: each.shape for name, each in variables.items()}, weights, partial=partial)
    for name, array in weights.items():
        variables[name].assign(array)


def make_network(spec, num_classes, *, device=None):
    """Make the network that a spec describes, ready to predict; `training.build_model` also initializes its weights.

    Args:
        spec, num_classes: A `FrameSpec` or an `LRCNSpec`; K.
        device: As in `training.build_model`.
    """
    join_processes()
    with keras.device(device) if device else contextlib.nullcontext():
        place = str(ops.zeros(1).device)
    if place != (default := str(ops.zeros(1).device)):
        found = f"Expected {default}, where Keras computes. Received: device={device!r}."
        raise ValueError(f"{found} Leave it out, choose GPUs by CUDA_VISIBLE_DEVICES, or take PyTorch.")
    return (LRCN if isinstance(spec, LRCNSpec) else FrameClassifier)(spec, num_classes)


def _variables(model):
    """Neutral name -> Keras variable, which lies in memory as the neutral format does."""
    parts = (model.convolutions, model.head) if hasattr(model, "head") else (model,)
    layers = [layer for part in parts for layer in part.layers]
    return {f"{layer.name.removesuffix('_norm')}/{weight.name}": weight for layer in layers for weight in layer.weights}
