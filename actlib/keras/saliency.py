"""Looking inside with Keras: where a model looked, when it decided, what it remembers, what its first layer likes."""

import keras
import numpy as np
from keras import ops

from actlib import saliency
from actlib.keras.weights import get_weights

FRAMES_AT_ONCE = 32  # frames that go through convolutions together


def grad_cam(model, frames, *, label=None):
    """Shows where in each frame the evidence for a class lies (Grad-CAM on the last convolution).

    Args:
        model: a `FrameClassifier`, which judges each frame by itself, or an `LRCN`, for which the frames are one clip.
        frames: uint8 (n, H, W, 3), RGB.
        label: the class asked about, or None for the one the model says.

    Returns:
        float32 (n, H, W) in 0..1: 1 is the strongest evidence of a frame, with an `LRCN` of the whole clip.

    Raises:
        ValueError: the frames have another size, or there is no such label.

    Source: Selvaraju et al., arXiv 1610.02391, section 3.
    """
    frames = saliency.check_clip(frames, model.convolutions.spec.size)
    is_clip = len(_lstm_layers(model)) > 0
    maps = _last_maps(model, frames)  # (n, h, w, c)

    def score(values):
        features = ops.reshape(model.convolutions.stack[-1](values), (len(frames), -1))  # (n, D)
        return _decide(model, features[None] if is_clip else features[:, None])  # (1 or n, K)

    labels = saliency.choose_labels(ops.convert_to_numpy(score(maps)), label)
    gradients = _gradient(lambda values: ops.sum(ops.take_along_axis(score(values), labels[:, None], axis=1)), maps)
    return saliency.heat_maps(maps, gradients, size=frames.shape[1], together=is_clip)


def frame_contributions(model, clip, *, label=None):
    """Measures what each frame of a clip adds to the decision: how far the score falls when it tells nothing.

    "Nothing" are the mean features of the clip in that frame's place.

    Args:
        model: an `LRCN`, or a `FrameClassifier` whose logits are averaged over the frames.
        clip: uint8 (T, H, W, 3), RGB.
        label: the class asked about, or None for the one the model says.

    Returns:
        float32 (T,), in units of the score; negative where the frame speaks against the class.

    Raises:
        ValueError: the frames have another size, or there is no such label.
    """
    clip = saliency.check_clip(clip, model.convolutions.spec.size)
    variants = saliency.leave_out_each(_features(model, clip))  # (1 + T, T, D)
    logits = ops.convert_to_numpy(_decide(model, variants))  # (1 + T, K)
    return saliency.drops(logits, saliency.choose_labels(logits[:1], label)[0])


def lstm_states(model, clip):
    """Follows the last LSTM's state through a clip.

    Args:
        model: an `LRCN`.
        clip: uint8 (T, H, W, 3), RGB.

    Returns:
        float32 (T, units), each in -1..1.

    Raises:
        ValueError: the model has no LSTM, or the frames have another size.
    """
    if not _lstm_layers(model):
        raise ValueError("Expected an LRCN. Received: a FrameClassifier, which remembers nothing. Load an LRCN.")
    clip = saliency.check_clip(clip, model.convolutions.spec.size)
    x = _features(model, clip)[None]  # (1, T, D)
    for layer in model.head.stack:
        x = layer(x, training=False) if "dropout" in layer.name else layer(x)  # (1, T, units) at the end
    return np.array(ops.convert_to_numpy(x)[0], np.float32)


def first_filters(model):
    """Takes out the first layer's filters.

    Args:
        model: a `FrameClassifier` or an `LRCN`.

    Returns:
        float32 (k, 3, 3, 3): filter, row, column, colour (RGB).
    """
    return np.ascontiguousarray(get_weights(model)["block1_conv1/kernel"].transpose(3, 0, 1, 2))


class _Reveal(keras.optimizers.Optimizer):
    """An "optimizer" that puts each variable's gradient in the variable's place: gradients on every backend."""

    def update_step(self, gradient, variable, learning_rate):
        self.assign(variable, ops.cast(gradient, variable.dtype))


class _Tunable(keras.Model):
    """A function of values that are this model's only weights."""

    def __init__(self, function, values):
        super().__init__(name="asked")
        self.function = function
        self.values = self.add_weight(name="values", shape=values.shape, initializer="zeros", dtype="float32")
        self.values.assign(values)

    def call(self, _):
        return self.function(self.values)[None]


def _gradient(function, values):
    """Gradient of a function's one number by each of its values, as an array of their shape."""
    model = _Tunable(function, values)
    model.compile(_Reveal(learning_rate=1.0), loss=lambda _, answer: answer, run_eagerly=True)
    model.train_on_batch(np.zeros((1, 1), np.float32), np.zeros(1, np.float32))
    return np.array(ops.convert_to_numpy(model.values))


def _lstm_layers(model):
    return [layer for layer in model.head.stack if isinstance(layer, keras.layers.LSTM)]


def _last_maps(model, frames):
    """What the last convolution gives, before its pool: (n, h, w, c)."""
    maps = []
    for start in range(0, len(frames), FRAMES_AT_ONCE):
        x = np.asarray(frames[start : start + FRAMES_AT_ONCE])
        for layer in model.convolutions.stack[:-1]:
            x = layer(x, training=False) if isinstance(layer, keras.layers.BatchNormalization) else layer(x)
        maps.append(np.array(ops.convert_to_numpy(x), np.float32))
    return np.concatenate(maps)


def _features(model, clip):
    """Features (T, D) of a clip, in float32."""
    parts = [clip[start : start + FRAMES_AT_ONCE] for start in range(0, len(clip), FRAMES_AT_ONCE)]
    return np.concatenate([ops.convert_to_numpy(model.convolutions(part, training=False)) for part in parts])


def _decide(model, features):
    """Scores (N, K) of clips, from features (N, T, D): the mean where each step has its own."""
    logits = model.head(features, training=False)
    return ops.mean(logits, axis=1) if len(logits.shape) == 3 else logits
