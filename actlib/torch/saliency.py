"""Saliency: where a model looked, when it decided, what it remembers, what its first layer likes.

Each raises a ValueError for frames of another size, a label that is not there, and a network without what is asked for.
"""

import numpy as np
import torch

from actlib import saliency
from actlib.torch.precision import FRAMES_AT_ONCE, at_rest, convolve_in_parts, device_of, to_numpy
from actlib.torch.weights import get_weights


def grad_cam(model, frames, *, label=None) -> np.ndarray:
    """Show where in each frame the evidence for a class lies (Grad-CAM on the last convolution).

    Args:
        model: A `FrameClassifier`, which sees each frame alone, or an `LRCN`, for which the frames are one clip.
        frames: uint8 (n, H, W, 3), RGB.
        label: The class asked about, or one for each frame, or None for those that the model predicts.

    Returns:
        float32 (n, H, W) in 0..1: 1 is the strongest evidence of a frame, with an `LRCN` of the whole clip.

    Source: Selvaraju et al., arXiv 1610.02391, section 3.
    """
    frames = saliency.check_clip(frames, model.spec.vgg)
    is_clip = hasattr(model.spec, "lstm")
    layers = model.convolutions.layers
    with at_rest(model):
        maps = _apply_layers(model, layers[:-1], frames)  # (n, c, h, w)
        with torch.enable_grad():
            maps.requires_grad_(True)
            features = model.convolutions.pool(layers[-1](maps))  # (n, D)
            with torch.backends.cudnn.flags(enabled=False):  # its LSTM gives no gradients at rest
                logits = _clip_logits(model, features[None] if is_clip else features[:, None])  # (1 or n, K)
            labels = saliency.choose_labels(to_numpy(logits), label)
            asked = logits[torch.arange(len(labels)), torch.from_numpy(labels).to(logits.device)]
            gradients = torch.autograd.grad(asked.sum(), maps)[0]
    maps, gradients = (_to_maps(values) for values in (maps, gradients))
    return saliency.heat_maps(maps, gradients, size=frames.shape[1], together=is_clip)


def frame_contributions(model, clip, *, label=None) -> np.ndarray:
    """Measure what each frame of a clip adds to the logit of a class: how far it falls when the frame tells nothing.

    "Nothing" are the mean features of the clip in that frame's place.

    Args:
        model: An `LRCN`, or a `FrameClassifier` whose logits are averaged over the frames.
        clip: uint8 (T, H, W, 3), RGB.
        label: The class asked about, or None for the one that the model predicts.

    Returns:
        float32 (T,); negative where the frame speaks against the class.
    """
    with at_rest(model):
        variants = saliency.leave_out_each(to_numpy(_features(model, clip)))  # (1 + T, T, D)
        logits = to_numpy(_clip_logits(model, torch.from_numpy(variants).to(device_of(model))))  # (1 + T, K)
    return saliency.measure_drops(logits, label)


def lstm_states(model, clip) -> np.ndarray:
    """Follow the last LSTM's output through a clip.

    Args:
        model: An `LRCN`.
        clip: uint8 (T, H, W, 3), RGB.

    Returns:
        float32 (T, units), each in -1..1.
    """
    if not hasattr(model.spec, "lstm"):
        raise ValueError("Expected an LRCN. Received: a FrameClassifier, which remembers nothing. Load an LRCN.")
    with at_rest(model):
        x = model.head.hidden(_features(model, clip)[None])  # (1, T, hidden)
        for lstm in model.head.lstms.values():
            x = lstm(x)[0]  # (1, T, units)
    return to_numpy(x[0].float())


def first_filters(model) -> np.ndarray:
    """Copy the first layer's filters.

    Args:
        model: A `FrameClassifier` or an `LRCN`.

    Returns:
        float32 (k, 3, 3, 3): filter, row, column, color (RGB).
    """
    return np.ascontiguousarray(get_weights(model)["block1_conv1/kernel"].transpose(3, 0, 1, 2))


def first_layer_maps(model, frames) -> np.ndarray:
    """Compute what the first layer passes on: convolution, batch normalization where there is one, and ReLU.

    Args:
        model: A `FrameClassifier` or an `LRCN`.
        frames: uint8 (n, H, W, 3), RGB.

    Returns:
        float32 (n, H, W, k), one map a filter, from 0 up.
    """
    frames = saliency.check_clip(frames, model.spec.vgg)
    layers = model.convolutions.layers[: 3 if model.spec.vgg.batch_norm else 2]
    with at_rest(model):
        return _to_maps(_apply_layers(model, layers, frames))


def _apply_layers(model, layers, frames):
    """What the first layers give for frames, some at a time: (n, c, h, w)."""
    frames, preprocess = torch.tensor(frames, device=device_of(model)), model.convolutions.preprocess
    return torch.cat([layers(preprocess(part).permute(0, 3, 1, 2)) for part in frames.split(FRAMES_AT_ONCE)])


def _features(model, clip):
    """Features (T, D) of a clip."""
    clip = saliency.check_clip(clip, model.spec.vgg)
    return convolve_in_parts(model.convolutions, torch.tensor(clip, device=device_of(model)))


def _clip_logits(model, features):
    """Logits (N, K) of clips, from features (N, T, D): the mean where each step has its own."""
    logits = model.head(features)
    return logits.mean(1) if logits.ndim == 3 else logits


def _to_maps(maps):
    """(n, c, h, w) -> (n, h, w, c), in memory that is its own."""
    return np.ascontiguousarray(to_numpy(maps.permute(0, 2, 3, 1)))
