"""Saliency: where a model looked, when it decided, what it remembers, what its first layer likes.

The model is of either framework, whose `saliency` computes where the model is; the arithmetic is here, in NumPy. Each
raises a ValueError for frames of another size, a label that is not there, and a network without what is asked for.
"""

import numpy as np
from PIL import Image

from actlib.training import load_backend


def grad_cam(model, frames, *, label=None) -> np.ndarray:
    """Show where in each frame the evidence for a class lies (Grad-CAM on the last convolution).

    Args:
        model: A `FrameClassifier`, which sees each frame alone, or an `LRCN`, for which the frames are one clip.
        frames: uint8 (n, H, W, 3), RGB.
        label: The class asked about, or one for each frame, or None for those that the model predicts.

    Returns:
        float32 (n, H, W) in 0..1: 1 is a frame's strongest evidence, with an `LRCN` the clip's; 0 where there is none.

    Source: Selvaraju et al., arXiv 1610.02391, section 3.
    """
    frames, backend = _check_frames(model, frames), load_backend(model).saliency
    maps, gradients = backend.differentiate(model, frames, lambda logits: _choose_labels(logits, label))
    return _heat_maps(maps, gradients, size=frames.shape[1], together=hasattr(model.spec, "lstm"))


def frame_contributions(model, clip, *, label=None) -> np.ndarray:
    """Measure what each frame of a clip adds to a class' logit: how far it falls with the clip's mean features there.

    Args:
        model: An `LRCN`, or a `FrameClassifier` whose logits are averaged over the frames.
        clip: uint8 (T, H, W, 3), RGB.
        label: The class asked about, or None for the one that the model predicts.

    Returns:
        float32 (T,); negative where the frame speaks against the class.
    """
    clip, backend = _check_frames(model, clip), load_backend(model).saliency
    features = backend.compute_features(model, clip)  # (T, D)
    variants = np.repeat(features[None], 1 + len(features), axis=0)  # (1 + T, T, D): the clip, then without each frame
    steps = np.arange(len(features))
    variants[1 + steps, steps] = features.mean(axis=0)
    logits = backend.compute_logits(model, variants)  # (1 + T, K)
    (label,) = _choose_labels(logits[:1], label)
    return (logits[0, label] - logits[1:, label]).astype(np.float32)


def lstm_states(model, clip) -> np.ndarray:
    """Follow the last LSTM's output through a clip.

    Args:
        model, clip: An `LRCN`; uint8 (T, H, W, 3), RGB.

    Returns:
        float32 (T, units), each in -1..1.
    """
    if not hasattr(model.spec, "lstm"):
        raise ValueError("Expected an LRCN. Received: a FrameClassifier, which remembers nothing. Load an LRCN.")
    clip, backend = _check_frames(model, clip), load_backend(model).saliency
    return backend.compute_states(model, backend.compute_features(model, clip))


def first_filters(model) -> np.ndarray:
    """Copy the first layer's filters, float32 (k, 3, 3, 3): filter, row, column, color (RGB).

    Args:
        model: A `FrameClassifier` or an `LRCN`.
    """
    weights = load_backend(model).weights.get_weights(model)
    return np.ascontiguousarray(weights["block1_conv1/kernel"].transpose(3, 0, 1, 2))


def first_layer_maps(model, frames) -> np.ndarray:
    """Compute what the first layer passes on: convolution, batch normalization where there is one, and ReLU.

    Args:
        model, frames: A `FrameClassifier` or an `LRCN`; uint8 (n, H, W, 3), RGB.

    Returns:
        float32 (n, H, W, k), one map a filter, from 0 up.
    """
    return load_backend(model).saliency.apply_first_layer(model, _check_frames(model, frames))


def _heat_maps(activations, gradients, *, size, together):
    """Weigh maps (n, h, w, c) by what they mean for one logit, and add up what speaks for it: (n, size, size)."""
    weights = gradients.mean(axis=(1, 2), keepdims=True)  # (n, 1, 1, c): equation 1
    maps = np.maximum((weights * activations).sum(axis=-1), 0).astype(np.float32)  # (n, h, w): equation 2
    enlarged = [Image.fromarray(each).resize((size, size), Image.Resampling.BILINEAR) for each in maps]
    maps = np.stack([np.asarray(image) for image in enlarged])  # (n, size, size)
    warmest = maps.max() if together else maps.max(axis=(1, 2), keepdims=True)
    return maps / np.maximum(warmest, np.finfo(np.float32).tiny)


def _choose_labels(logits, label):
    """The class that each row of logits (n, K) is asked about, int64 (n,): the given one, or the row's prediction."""
    count, num_classes = logits.shape
    labels = np.broadcast_to(logits.argmax(axis=1) if label is None else label, (count,)).astype(np.int64)
    if ((labels < 0) | (labels >= num_classes)).any():
        raise ValueError(f"Expected labels in 0..{num_classes - 1}. Received: {label}. Give an index into the classes.")
    return labels


def _check_frames(model, frames):
    """Frames (n, H, W, C) as an array, at least one, of the size that the model takes."""
    frames = np.asarray(frames)
    model.spec.vgg.check_frames(frames.shape)
    if frames.ndim != 4 or not len(frames):
        raise ValueError(f"Expected frames (n, H, W, 3), at least one. Received: {frames.shape}. Give it one clip.")
    return frames
