"""Weights in and out of models, under the neutral names of `actlib.checkpoints`, and whole models on disk."""

import numpy as np
import torch

from actlib import checkpoints, machine
from actlib.specs import VGG16, LRCNSpec
from actlib.torch.distributed import join_processes
from actlib.torch.lrcn import LRCN
from actlib.torch.precision import default_device
from actlib.torch.vgg import FrameClassifier

_TORCHVISION_MEAN = (123.675, 116.28, 103.53)  # 255 x (0.485, 0.456, 0.406)
_TORCHVISION_STD = (58.395, 57.12, 57.375)  # 255 x (0.229, 0.224, 0.225)
_NORM_NAMES = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}
_NAMES = {"weight": "kernel", "weight_ih_l0": "kernel", "weight_hh_l0": "recurrent_kernel", "bias_ih_l0": "bias"}


def get_weights(model) -> dict[str, np.ndarray]:
    """Copy a model's weights out.

    Args:
        model: A `FrameClassifier`, an `LRCN`, or the `convolutions` or `head` of one.

    Returns:
        Neutral name -> float32 array, in the order of the layers.
    """
    return {name: np.array(view.detach().float().cpu(), order="C") for name, view in _neutral_views(model).items()}


def set_weights(model, weights, *, partial=False) -> None:
    """Copy weights into a model.

    Args:
        model: As in `get_weights`.
        weights: Neutral name -> array.
        partial: Some of the model's weights are enough; the others stay.

    Raises:
        ValueError: Names are missing (unless partial) or left over, or a shape differs.
    """
    views = _neutral_views(model)
    shapes = {name: tuple(view.shape) for name, view in views.items()}
    checkpoints.check_weights(shapes, weights, partial=partial)
    with torch.no_grad():
        for name, array in weights.items():
            views[name].copy_(torch.from_numpy(np.array(array, dtype=np.float32)))


def make_network(spec, num_classes, *, device=None):
    """Make the network that a spec describes; `training.build_model` also initializes its weights.

    Args:
        spec: A `FrameSpec` or an `LRCNSpec`.
        num_classes: K.
        device: As in `load_model`.
    """
    join_processes()
    with torch.random.fork_rng(devices=[]):  # PyTorch draws weights; the caller's random numbers stay as they are
        model = (LRCN if isinstance(spec, LRCNSpec) else FrameClassifier)(spec, num_classes)
    return model.to(device or default_device(), memory_format=torch.channels_last)  # as frames lie in memory


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
    versions = machine.package_versions("actlib", "torch", "numpy")
    metadata = {"spec": model.spec, "num_classes": model.num_classes, "versions": versions}
    metadata |= {"framework": "torch", **(card or {})}
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
    return model.eval()


def read_state_dict(path) -> dict[str, np.ndarray]:
    """Read the convolutions of torchvision's VGG-16, which wants other preprocessing than Keras' does.

    Args:
        path: torchvision's `vgg16-397923af.pth`, or another state dict of its `vgg16`; only tensors are read from it.

    Returns:
        Neutral name -> float32 array, with torchvision's own mean and std.

    Raises:
        ValueError: It is not that network's.

    Source: layer names and normalization of `torchvision.models.vgg16`.
    """
    state = torch.load(path, map_location="cpu", weights_only=True)  # weights_only: a pickle that can run no code
    features = [values for name, values in state.items() if name.startswith("features.")]
    features = [values for values in features if values.nbytes <= values.untyped_storage().nbytes()]  # no one repeated
    kernels, biases = ([values for values in features if values.ndim == axes] for axes in (4, 1))
    names = [f"block{b}_conv{n}" for b, (count, _) in enumerate(VGG16.blocks, start=1) for n in range(1, count + 1)]
    if not len(kernels) == len(biases) == len(names):
        expected = f"Expected the {len(names)} convolutions of torchvision's vgg16"
        found = f"{len(kernels)} and {len(biases)} biases in {path}"
        raise ValueError(f"{expected}. Received: {found}. Choose the file without batch normalization.")
    weights = {"preprocess/mean": np.float32(_TORCHVISION_MEAN), "preprocess/std": np.float32(_TORCHVISION_STD)}
    for name, kernel, bias in zip(names, kernels, biases, strict=True):
        weights[f"{name}/kernel"] = kernel.permute(2, 3, 1, 0).contiguous().numpy()  # OIHW -> HWIO
        weights[f"{name}/bias"] = bias.numpy()
    return weights


def _neutral_views(model):
    """Neutral name -> a view of the parameter's own memory with the neutral order of axes, to read or to write."""
    views = {}
    for path, values in model.state_dict(keep_vars=True).items():
        layer, name = path.split(".")[-2:]
        name = _NORM_NAMES.get(name) if layer.endswith("_norm") else _NAMES.get(name, name)
        if name is not None:
            axes = (2, 3, 1, 0)[-values.ndim :]  # OIHW -> HWIO, (out, in) -> (in, out)
            views[f"{layer.removesuffix('_norm')}/{name}"] = values.permute(axes)
    return views
