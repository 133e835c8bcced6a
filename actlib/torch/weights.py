"""Weights in and out of models, under the neutral names of `actlib.checkpoints`, and whole models on disk."""

import numpy as np
import torch

from actlib import checkpoints
from actlib.specs import LRCNSpec
from actlib.torch.distributed import join_processes
from actlib.torch.lrcn import LRCN
from actlib.torch.precision import default_device
from actlib.torch.vgg import FrameClassifier

PACKAGES = ("torch",)  # what computes
_AXES = (2, 3, 1, 0)  # OIHW -> HWIO; the last ones: (out, in) -> (in, out)
_NORM_NAMES = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}
_NAMES = {"weight": "kernel", "weight_ih_l0": "kernel", "weight_hh_l0": "recurrent_kernel", "bias_ih_l0": "bias"}


def get_weights(model) -> dict[str, np.ndarray]:
    """Copy a model's weights out: neutral name -> float32 array, in the order of the layers.

    Args:
        model: A `FrameClassifier`, an `LRCN`, or the `convolutions` or `head` of one.
    """
    return {name: np.array(view.detach().float().cpu(), order="C") for name, view in _neutral_views(model).items()}


def set_weights(model, weights, *, partial=False) -> None:
    """Copy weights into a model.

    Args:
        model, weights: As in `get_weights`; neutral name -> array.
        partial: Some of the model's weights are enough; the others stay.

    Raises:
        ValueError: Names are missing (unless partial) or left over, or a shape differs.
    """
    views = _neutral_views(model)
    checkpoints.check_weights({name: view.shape for name, view in views.items()}, weights, partial=partial)
    with torch.no_grad():
        for name, array in weights.items():
            views[name].copy_(torch.from_numpy(np.array(array, dtype=np.float32)))


def make_network(spec, num_classes, *, device=None):
    """Make the network that a spec describes, ready to predict; `training.build_model` also initializes its weights.

    Args:
        spec, num_classes: A `FrameSpec` or an `LRCNSpec`; K.
        device: As in `training.build_model`.
    """
    join_processes()
    with torch.random.fork_rng(devices=[]):  # PyTorch draws weights; the caller's random numbers stay as they are
        model = (LRCN if isinstance(spec, LRCNSpec) else FrameClassifier)(spec, num_classes)
    return model.to(device or default_device(), memory_format=torch.channels_last).eval()  # as frames lie in memory


def _neutral_views(model):
    """Neutral name -> a view of the parameter's own memory with the neutral order of axes, to read or to write."""
    views = {}
    for path, values in model.state_dict(keep_vars=True).items():
        layer, name = path.split(".")[-2:]
        name = _NORM_NAMES.get(name) if layer.endswith("_norm") else _NAMES.get(name, name)
        if name is not None:
            views[f"{layer.removesuffix('_norm')}/{name}"] = values.permute(_AXES[-values.ndim :])
    return views
