"""PyTorch's parameters under their neutral names, and whole models on disk."""

import numpy as np
import torch
from torch import nn

from actlib import checkpoints
from actlib.run import package_versions
from actlib.specs import VGG16
from actlib.torch.lrcn import LRCN
from actlib.torch.vgg import FrameClassifier, Preprocess

TORCHVISION_MEAN = (123.675, 116.28, 103.53)  # 255 x (0.485, 0.456, 0.406)
TORCHVISION_STD = (58.395, 57.12, 57.375)  # 255 x (0.229, 0.224, 0.225)


def get_weights(model):
    """Copies all weights of a model.

    Args:
        model: A `FrameClassifier`, an `LRCN` or a `VGG`.

    Returns:
        Neutral name -> float32 array (a copy), as `checkpoints` lists them.
    """
    return {name: np.array(view.detach().float().cpu(), order="C") for name, view in _neutral_views(model).items()}


def set_weights(model, weights, *, partial=False):
    """Copies weights into a model.

    Args:
        model: A `FrameClassifier`, an `LRCN` or a `VGG`.
        weights: Neutral name -> array.
        partial: Take what both have, but not logits of another shape: to start from another model's weights.

    Returns:
        Names of what was loaded.

    Raises:
        ValueError: Names are missing or left over (unless partial), nothing fits, or a shape differs.
    """
    views = _neutral_views(model)
    _check_names(views, weights, partial)
    loaded = [name for name in views if name in weights]
    if not all([_fits(name, views[name], weights[name], partial) for name in loaded]):
        loaded = [name for name in loaded if not name.startswith("logits/")]  # kernel and bias, or neither
    with torch.no_grad():
        for name in loaded:
            views[name].copy_(torch.from_numpy(np.array(weights[name], dtype=np.float32)))
    return loaded


def save_model(path, model, *, card=None):
    """Writes a model's weights and its card.

    Args:
        path: Ends in `.safetensors`; the card goes inside, and beside it as `.json`.
        model: A `FrameClassifier` or an `LRCN`.
        card: Facts to add to the model's own.

    Returns:
        The path.
    """
    return checkpoints.save_checkpoint(path, get_weights(model), _describe(model) | (card or {}))


def load_model(path):
    """Rebuilds a model from a checkpoint of either framework.

    Args:
        path: The `.safetensors` file.

    Returns:
        A `FrameClassifier` or an `LRCN`, ready to predict; its `card` is what the checkpoint says of itself.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It has no card, is damaged, or its weights do not fit its spec.
    """
    card = checkpoints.read_card(path)
    kinds = {"frames": FrameClassifier, "lrcn": LRCN}
    if card.get("kind") not in kinds:
        raise ValueError(
            f"Expected a card of kind {sorted(kinds)}. Received: {card.get('kind')!r} in {path}. "
            "Use set_weights for files that hold weights alone."
        )
    with torch.random.fork_rng(devices=[]):  # the caller's random numbers stay as they are
        model = kinds[card["kind"]](checkpoints.spec_from_json(card["spec"]), card["num_classes"])
    set_weights(model, checkpoints.read_weights(path))
    model.card = card
    return model.eval()


def read_state_dict(path):
    """Reads the convolutions of torchvision's VGG-16, which wants other preprocessing than Keras' does.

    Args:
        path: torchvision's `vgg16-397923af.pth`, or another state dict of its `vgg16`; only tensors are read from it.

    Returns:
        Neutral name -> float32 array, with torchvision's own mean and std.

    Raises:
        ValueError: It is not that network's.

    Source: layer names and normalisation of `torchvision.models.vgg16`.
    """
    state = torch.load(path, map_location="cpu", weights_only=True)  # weights_only: a pickle that can run no code
    kernels = [name for name in state if name.startswith("features.") and name.endswith(".weight")]
    names = [f"block{b}_conv{n}" for b, (count, _) in enumerate(VGG16.blocks, start=1) for n in range(1, count + 1)]
    if len(kernels) != len(names) or any(state[kernel].ndim != 4 for kernel in kernels):
        raise ValueError(
            f"Expected the {len(names)} convolutions of torchvision's vgg16. "
            f"Received: {len(kernels)} layers in {path}. Choose the file without batch normalisation."
        )
    weights = {"preprocess/mean": np.float32(TORCHVISION_MEAN), "preprocess/std": np.float32(TORCHVISION_STD)}
    for name, kernel in zip(names, sorted(kernels, key=lambda key: int(key.split(".")[1])), strict=True):
        weights[f"{name}/kernel"] = state[kernel].permute(2, 3, 1, 0).contiguous().numpy()  # OIHW -> HWIO
        weights[f"{name}/bias"] = state[kernel.replace("weight", "bias")].numpy()
    return weights


def _describe(model):
    """What a model is, for its card; the caller's own facts stand in model.card."""
    return model.card | {
        "kind": "lrcn" if isinstance(model, LRCN) else "frames",
        "spec": checkpoints.spec_to_json(model.spec),
        "num_classes": model.num_classes,
        "framework": "torch",
        "versions": package_versions("actlib", "torch", "numpy"),
    }


def _neutral_views(model):
    """Neutral name -> a view of the parameter's own memory with the neutral order of axes, to read or to write."""
    views = {}
    for path, layer in model.named_modules():
        name = path.split(".")[-1].removesuffix("_norm")
        for part, view in _layer_views(layer).items():
            views[f"{name}/{part}"] = view
    return views


def _layer_views(layer):
    match layer:
        case Preprocess():
            return {"mean": layer.mean, "std": layer.std}
        case nn.Conv2d():
            return {"kernel": layer.weight.permute(2, 3, 1, 0), "bias": layer.bias}  # OIHW -> HWIO
        case nn.BatchNorm2d():
            moving = {"moving_mean": layer.running_mean, "moving_variance": layer.running_var}
            return {"gamma": layer.weight, "beta": layer.bias, **moving}
        case nn.Linear():
            return {"kernel": layer.weight.T, "bias": layer.bias}
        case nn.LSTM():
            kernels = {"kernel": layer.weight_ih_l0.T, "recurrent_kernel": layer.weight_hh_l0.T}
            return {**kernels, "bias": layer.bias_ih_l0}
        case _:
            return {}


def _check_names(views, weights, partial):
    missing, extra = sorted(views.keys() - weights.keys()), sorted(weights.keys() - views.keys())
    if partial and missing == sorted(views):
        raise ValueError(f"Expected weights for some of {missing[:4]}... Received: {extra[:4]}... Choose another file.")
    if not partial and (missing or extra):
        raise ValueError(
            f"Expected the weights of this model. Received: {len(missing)} missing {missing[:6]}, "
            f"{len(extra)} left over {extra[:6]}. Choose the file of this model, or set partial=True."
        )


def _fits(name, view, array, partial):
    if tuple(view.shape) == np.shape(array):
        return True
    if partial and name.startswith("logits/"):
        return False  # another number of classes, or LSTMs before them: learnt anew
    raise ValueError(
        f"Expected {name} of shape {tuple(view.shape)}. Received: {np.shape(array)}. "
        "Use weights of the same network, or build the network that they are for."
    )
