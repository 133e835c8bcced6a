"""VGG-16 and its smaller sisters: convolutions, and the classifier of single frames that stands on them.

`training.build_model` gives these networks the weights they start from.
"""

import keras
from keras import layers, ops

SEEDED = keras.backend.backend() != "torch"  # dropout has a seed of its own, which PyTorch would read in each step
TRACED = {} if SEEDED else {"batch_size": 1}  # to learn shapes, Keras pools real zeros on PyTorch: 83 clips if not told


class Preprocess(layers.Layer):
    """The first layer: (frames - mean) / std, one number a channel, in float32; both belong to the weights."""

    def __init__(self, spec):
        super().__init__(name="preprocess", dtype="float32")  # exact, also where the rest computes in bfloat16
        self.spec = spec
        constant, options = keras.initializers.Constant, {"shape": (spec.num_channels,), "trainable": False}
        self.mean = self.add_weight(name="mean", initializer=constant(spec.mean), **options)
        self.std = self.add_weight(name="std", initializer=constant(spec.std), **options)

    def call(self, frames):
        self.spec.check_frames(frames.shape)
        return (ops.cast(frames, "float32") - self.mean) / self.std


class VGG(keras.Model):
    """The convolutions of a VGG-style network, of a `VGGSpec`: frames in, one row of features a frame out.

    Called with uint8 or float RGB (..., H, W, C) in 0..255, any number of leading axes; gives float32 (..., D): each
    frame's last maps, flattened in the order (h, w, channel) or pooled over (h, w), and normalized if the spec says so.

    Source: Simonyan and Zisserman, arXiv 1409.1556, table 1, column D.

    Example:
        >>> import numpy as np
        >>> from actlib.specs import VGG_SLIM
        >>> tuple(VGG(VGG_SLIM)(np.zeros((2, 4, 64, 64, 3), np.uint8)).shape)  # 2 clips of 4 frames
        (2, 4, 768)
    """

    def __init__(self, spec):
        super().__init__(name="convolutions")
        self.spec = spec
        self.stack = [Preprocess(spec), *_make_blocks(spec)]
        kinds = {"flatten": layers.Flatten, "mean": layers.GlobalAveragePooling2D, "max": layers.GlobalMaxPooling2D}
        self.pooling = [kinds[spec.pooling](name="pooling", dtype="float32")]  # the last maps -> features
        if spec.normalize:
            self.pooling.append(layers.UnitNormalization(name="normalize", dtype="float32"))
        size = (spec.size, spec.size, spec.num_channels)
        keras.Sequential([keras.Input(size, **TRACED), *self.stack, *self.pooling], name="stack")  # builds them
        self.built = True

    def call(self, frames, training=None):  # which Keras hands on to the layers
        shape = ops.shape(frames)  # (..., H, W, C)
        x = ops.reshape(frames, (-1, *shape[-3:]))  # (n, H, W, C)
        for layer in (*self.stack, *self.pooling):
            x = layer(x)  # (n, h, w, channels), then (n, D)
        return ops.reshape(x, (-1, *shape[1:-3], self.spec.num_features))  # (..., D)


class FrameHead(keras.Model):
    """The head of a frame classifier: hidden ReLU layers with dropout, then logits.

    Called with features (..., D); gives float32 logits (..., K).
    """

    def __init__(self, spec, num_classes):
        super().__init__(name="head")
        self.spec, self.num_classes = spec, num_classes
        self.stack = [*hidden_layers(spec), layers.Dense(num_classes, name="logits", dtype="float32")]
        keras.Sequential([keras.Input((spec.vgg.num_features,)), *self.stack], name="stack")  # builds them
        self.built = True

    def call(self, features, training=None):  # which Keras hands on to the layers
        for layer in self.stack:
            features = layer(features)  # (..., D) -> (..., hidden) -> (..., K)
        return features


class Classifier(keras.Model):
    """A network that gives logits: `convolutions`, then `head`. Its `card`, a dict, goes into its checkpoints."""

    def __init__(self, spec, num_classes):
        super().__init__(name=spec.name)
        self.spec, self.num_classes, self.card = spec, num_classes, {}
        self.convolutions, self.head = VGG(spec.vgg), self.head_class(spec, num_classes)
        num_frames = [spec.num_frames] if hasattr(spec, "lstm") else []
        shape = *num_frames, spec.vgg.size, spec.vgg.size, spec.vgg.num_channels
        self.head(self.convolutions(keras.Input(shape, **TRACED)))  # tells `summary` their shapes
        self.built = True

    def call(self, frames, training=None, **options):
        features = self.convolutions(frames, training=training)  # (..., H, W, C) -> (..., D)
        return self.head(features, training=training, **options)  # (..., K)


class FrameClassifier(Classifier):
    """Classifies single frames: `convolutions`, then `head`; made of a `FrameSpec` and K.

    Called with uint8 RGB (N, T, H, W, C) or (N, H, W, C); gives float32 logits (N, T, K) or (N, K).
    """

    head_class = FrameHead


def hidden_layers(spec):
    """Make the hidden layers of a `FrameSpec`'s head for features (..., D): hidden1, dropout1, hidden2, ..."""
    stack = []
    for number, units in enumerate(spec.hidden, 1):
        stack.append(layers.Dense(units, activation="relu", name=f"hidden{number}"))
        stack.append(layers.Dropout(spec.dropout, seed=number if SEEDED else None, name=f"dropout{number}"))
    return stack


def _make_blocks(spec):
    """The layers of all blocks, in order."""
    for block, (num_convolutions, width) in enumerate(spec.blocks, start=1):
        for number in range(1, num_convolutions + 1):
            name = f"block{block}_conv{number}"
            activation = None if spec.batch_norm else "relu"
            yield layers.Conv2D(width, kernel_size=3, padding="same", activation=activation, name=name)
            if spec.batch_norm:
                yield layers.BatchNormalization(momentum=0.9, epsilon=1e-3, name=f"{name}_norm")
                yield layers.ReLU(name=f"{name}_relu")
        yield layers.MaxPooling2D(2, name=f"block{block}_pool")
