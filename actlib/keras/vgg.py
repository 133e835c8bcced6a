"""VGG-style convolutions, written out, and the single-frame classifier on top of them."""

import keras
from keras import layers, ops

from actlib import checkpoints


class Preprocess(layers.Layer):
    """Turns pixels into what the convolutions want: (frames - mean) / std, colour by colour.

    Args:
        spec: a `VGGSpec`, for its mean and std.

    Example:
        >>> import numpy as np
        >>> from actlib.specs import VGG_SLIM  # mean 123.68 for red, std 64
        >>> round(float(Preprocess(VGG_SLIM)(np.full((1, 2, 2, 3), 255, np.uint8))[0, 0, 0, 0]), 2)
        2.05
    """

    def __init__(self, spec):
        super().__init__(name="preprocess", dtype="float32")  # exact, also where the rest computes in bfloat16
        self.mean = self._constant("mean", spec.mean)
        self.std = self._constant("std", spec.std)

    def call(self, frames):
        return (ops.cast(frames, "float32") - self.mean) / self.std

    def _constant(self, name, values):
        def draw(shape, dtype=None):
            return ops.convert_to_tensor(values, dtype=dtype)

        return self.add_weight(name=name, shape=(3,), initializer=draw, trainable=False)


@keras.saving.register_keras_serializable("actlib")
class VGG(keras.Model):
    """The convolutions: frames in, one flat vector of features per frame out.

    Called with uint8 or float RGB (..., H, W, 3) in 0..255, any number of leading axes; gives float32 (..., D),
    flattened in the order (h, w, channel).

    Args:
        spec: a `VGGSpec`.

    Source: Simonyan and Zisserman, arXiv 1409.1556, table 1; `keras.applications.VGG16` is the reference in the tests.

    Example:
        >>> import numpy as np
        >>> from actlib.specs import VGG_SLIM
        >>> tuple(VGG(VGG_SLIM)(np.zeros((2, 5, 64, 64, 3), np.uint8)).shape)  # 2 clips of 5 frames
        (2, 5, 768)
    """

    def __init__(self, spec):
        super().__init__(name="convolutions")
        self.spec = spec
        self.stack = [Preprocess(spec)]
        for block, (num_convolutions, width) in enumerate(spec.blocks, 1):
            for number in range(1, num_convolutions + 1):
                self.stack += _convolution(f"block{block}_conv{number}", width, spec.batch_norm)
            self.stack.append(layers.MaxPooling2D(2, name=f"block{block}_pool"))
        x = keras.Input((spec.size, spec.size, 3))
        for layer in self.stack:
            x = layer(x)  # makes its weights, and tells `summary` its shape
        self.built = True

    def call(self, frames, training=None):  # which Keras hands on to the layers
        shape = ops.shape(frames)  # (..., H, W, C)
        x = ops.reshape(frames, (-1, *shape[-3:]))  # (n, H, W, C)
        for layer in self.stack:
            x = layer(x)  # (n, h, w, channels) at the end
        return ops.cast(ops.reshape(x, (-1, *shape[1:-3], self.spec.num_features)), "float32")  # (..., D)

    def get_config(self):
        return {"spec": checkpoints.spec_to_json(self.spec)}

    @classmethod
    def from_config(cls, config):
        return cls(checkpoints.spec_from_json(config["spec"]))


@keras.saving.register_keras_serializable("actlib")
class FrameHead(keras.Model):
    """What decides about one frame: hidden ReLU layers with dropout, then a score for each class.

    Called with features (..., D); gives float32 logits (..., K).

    Args:
        spec: a `FrameSpec`.
        num_classes: K.
    """

    def __init__(self, spec, num_classes):
        super().__init__(name="head")
        self.spec, self.num_classes = spec, num_classes
        self.stack = [*hidden_layers(spec), layers.Dense(num_classes, name="logits", dtype="float32")]
        x = keras.Input((spec.vgg.num_features,))
        for layer in self.stack:
            x = layer(x)  # makes its weights, and tells `summary` its shape
        self.built = True

    def call(self, features, training=None):  # which Keras hands on to the layers
        for layer in self.stack:
            features = layer(features)  # (..., D) -> (..., hidden) -> (..., K)
        return features

    def get_config(self):
        return {"spec": checkpoints.spec_to_json(self.spec), "num_classes": self.num_classes}

    @classmethod
    def from_config(cls, config):
        return cls(checkpoints.spec_from_json(config["spec"]), config["num_classes"])


@keras.saving.register_keras_serializable("actlib")
class FrameClassifier(keras.Model):
    """Looks at single frames: `convolutions`, then `head`.

    Called with uint8 RGB (N, T, H, W, C) or (N, H, W, C); gives logits (N, T, K) or (N, K).

    Args:
        spec: a `FrameSpec`.
        num_classes: K.

    Example:
        >>> import numpy as np
        >>> from actlib.specs import SLIM_FRAMES
        >>> tuple(FrameClassifier(SLIM_FRAMES, 7)(np.zeros((2, 5, 64, 64, 3), np.uint8)).shape)
        (2, 5, 7)
    """

    def __init__(self, spec, num_classes):
        super().__init__(name=spec.name)
        self.spec, self.num_classes, self.card = spec, num_classes, {}
        self.convolutions = VGG(spec.vgg)
        self.head = FrameHead(spec, num_classes)
        self.head(self.convolutions(keras.Input((spec.vgg.size, spec.vgg.size, 3))))  # tells `summary` their shapes
        self.built = True

    def call(self, frames, training=None):
        features = self.convolutions(frames, training=training)  # (..., H, W, C) -> (..., D)
        return self.head(features, training=training)  # (..., K)

    def get_config(self):
        return {"spec": checkpoints.spec_to_json(self.spec), "num_classes": self.num_classes}

    @classmethod
    def from_config(cls, config):
        return cls(checkpoints.spec_from_json(config["spec"]), config["num_classes"])


class AveragePositions(layers.Layer):
    """Averages each channel over the positions of a frame: what is there, not where.

    Called with features (..., D); gives (..., channels).

    Args:
        feature_shape: (h, w, channels).

    Example:
        >>> import numpy as np
        >>> tuple(AveragePositions((2, 2, 5))(np.zeros((3, 20))).shape)
        (3, 5)
    """

    def __init__(self, feature_shape):
        super().__init__(name="average")
        self.feature_shape = feature_shape

    def call(self, features):
        shape = ops.shape(features)  # (..., D)
        positions = ops.reshape(features, (*shape[:-1], *self.feature_shape))  # (..., h, w, channels)
        return ops.mean(positions, axis=(-3, -2))


def hidden_layers(spec):
    """Makes the hidden layers of a head, each followed by its dropout.

    Args:
        spec: a `FrameSpec`.

    Returns:
        A list of layers: hidden1, dropout1, hidden2, ...

    Example:
        >>> from actlib.specs import SLIM_FRAMES
        >>> [layer.name for layer in hidden_layers(SLIM_FRAMES)]
        ['hidden1', 'dropout1']
    """
    stack = [AveragePositions(spec.vgg.feature_shape)] if spec.average else []
    for number, units in enumerate(spec.hidden, 1):
        stack.append(layers.Dense(units, activation="relu", name=f"hidden{number}"))
        stack.append(layers.Dropout(spec.dropout, name=f"dropout{number}"))
    return stack


def _convolution(name, width, batch_norm):
    if not batch_norm:
        return [layers.Conv2D(width, 3, padding="same", activation="relu", name=name)]
    norm = name.replace("conv", "norm")
    return [
        layers.Conv2D(width, 3, padding="same", name=name),
        layers.BatchNormalization(momentum=0.9, epsilon=1e-3, name=norm),
        layers.ReLU(name=name.replace("conv", "relu")),
    ]
