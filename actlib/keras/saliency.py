"""What `actlib.saliency` computes with a model, where the model is: NumPy in, NumPy out."""

import keras
import numpy as np
from keras import ops

from actlib.keras.precision import FRAMES_AT_ONCE, convolve_in_parts


def differentiate(model, frames, choose_labels):
    """Return the last convolution's maps for frames, and the gradients by them of chosen logits: (n, h, w, c) each.

    Args:
        model, frames: As for `saliency.grad_cam`.
        choose_labels: Function, logits (1 or n, K) -> int (1 or n,), the classes whose logits are meant.
    """
    maps = _apply_layers(model.convolutions.stack[:-1], frames)  # (n, h, w, c)

    def logits_of(values):
        features = values
        for layer in (model.convolutions.stack[-1], *model.convolutions.pooling):
            features = layer(features)  # (n, D) at the end
        return _clip_logits(model, features[None] if hasattr(model.spec, "lstm") else features[:, None])  # (1 or n, K)

    labels = choose_labels(ops.convert_to_numpy(logits_of(maps)))[:, None]
    return maps, _gradient(lambda values: ops.sum(ops.take_along_axis(logits_of(values), labels, axis=1)), maps)


def compute_features(model, clip):
    """Return the features of a clip's frames, float32 (T, D).

    Args:
        model, clip: A `FrameClassifier` or an `LRCN`; uint8 (T, H, W, 3), RGB.
    """
    return convolve_in_parts(model.convolutions, clip)


def compute_logits(model, features):
    """Return logits (N, K) of clips: the mean where each step has its own.

    Args:
        model, features: A `FrameClassifier` or an `LRCN`; float32 (N, T, D).
    """
    return ops.convert_to_numpy(_clip_logits(model, features))


def compute_states(model, features):
    """Return what the last LSTM gives at each step, float32 (T, units).

    Args:
        model, features: An `LRCN`; float32 (T, D), of one clip.
    """
    return _apply_layers(model.head.stack, features[None])[0]


def apply_first_layer(model, frames):
    """Return what the first convolution passes on, after its ReLU: float32 (n, H, W, k).

    Args:
        model, frames: As for `saliency.first_layer_maps`.
    """
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


def _clip_logits(model, features):
    logits = model.head(features, training=False)
    return ops.mean(logits, axis=1) if len(logits.shape) == 3 else logits
