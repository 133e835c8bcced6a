"""Saliency: where a model looked, when it decided, what it remembers, what its first layer likes.

Each raises a ValueError for frames of another size, a label that is not there, and a network without what is asked for.
"""

import keras
import numpy as np
from keras import ops

from actlib import saliency
from actlib.keras.precision import FRAMES_AT_ONCE, convolve_in_parts
from actlib.keras.weights import get_weights


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
    maps = _apply_layers(model.convolutions.stack[:-1], frames)  # (n, h, w, c)

    def compute_logits(values):
        features = values
        for layer in (model.convolutions.stack[-1], *model.convolutions.pooling):
            features = layer(features)  # (n, D) at the end
        return _clip_logits(model, features[None] if is_clip else features[:, None])  # (1 or n, K)

    labels = saliency.choose_labels(ops.convert_to_numpy(compute_logits(maps)), label)[:, None]
    gradients = _gradient(lambda values: ops.sum(ops.take_along_axis(compute_logits(values), labels, axis=1)), maps)
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
    variants = saliency.leave_out_each(_features(model, clip))  # (1 + T, T, D)
    logits = ops.convert_to_numpy(_clip_logits(model, variants))  # (1 + T, K)
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
    x = _features(model, clip)[None]  # (1, T, D)
    return _apply_layers(model.head.stack, x)[0]  # (T, units)


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
    return _apply_layers(model.convolutions.stack[: 4 if model.spec.vgg.batch_norm else 2], frames)


class _Shifted(keras.Model):
    """A function of values to which this model's only weights are added; they start from 0."""

    def __init__(self, function, values):
        super().__init__()
        self.function, self.values = function, values
        self.shift = self.add_weight(shape=values.shape, initializer="zeros", dtype="float32")

    def call(self, _):
        return self.function(self.shift + self.values)[None]  # NumPy would take the sum out of the graph


def _gradient(function, values):
    """Gradient of a function's one number by each of its values: one step of SGD goes down it, on every backend."""
    model = _Shifted(function, values)
    model.compile(keras.optimizers.SGD(1.0), loss=lambda _, output: output, run_eagerly=True)
    model.train_on_batch(np.zeros((1, 1), np.float32), np.zeros(1, np.float32))
    return -ops.convert_to_numpy(model.shift)


def _apply_layers(layers, x):
    """What layers give one after another, some rows at a time, as an array."""
    network, starts = keras.Sequential(layers), range(0, len(x), FRAMES_AT_ONCE)
    parts = [network(x[start : start + FRAMES_AT_ONCE], training=False) for start in starts]
    return np.concatenate([np.array(ops.convert_to_numpy(part), np.float32) for part in parts])


def _features(model, clip):
    """Features (T, D) of a clip."""
    return convolve_in_parts(model.convolutions, saliency.check_clip(clip, model.spec.vgg))


def _clip_logits(model, features):
    """Logits (N, K) of clips, from features (N, T, D): the mean where each step has its own."""
    logits = model.head(features, training=False)
    return ops.mean(logits, axis=1) if len(logits.shape) == 3 else logits
