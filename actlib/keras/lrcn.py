"""LRCN: the frame classifier's convolutions and hidden layers, then LSTMs that see the frames in order."""

import keras
from keras import layers, ops

from actlib import checkpoints
from actlib.keras import vgg
from actlib.specs import READOUTS


@keras.saving.register_keras_serializable("actlib")
class LRCNHead(keras.Model):
    """What decides about a clip: hidden layers on every frame, LSTMs over the frames, logits.

    Called with features (N, T, D) and a readout: "last" and "mean" give logits (N, K), "steps" gives (N, T, K).

    Args:
        spec: an `LRCNSpec`.
        num_classes: K.

    Raises:
        ValueError: when called with features that have no T axis, or an unknown readout.
    """

    def __init__(self, spec, num_classes):
        super().__init__(name="head")
        self.spec, self.num_classes = spec, num_classes
        self.stack = vgg.hidden_layers(spec.frames)
        for number, units in enumerate(spec.lstm, 1):
            self.stack.append(layers.LSTM(units, return_sequences=True, name=f"lstm{number}"))
            self.stack.append(layers.Dropout(spec.lstm_dropout, name=f"lstm_dropout{number}"))
        self.logits = layers.Dense(num_classes, name="logits", dtype="float32")
        x = keras.Input((spec.num_frames, spec.frames.vgg.num_features))
        for layer in (*self.stack, self.logits):
            x = layer(x)  # makes its weights, and tells `summary` its shape
        self.built = True

    def call(self, features, readout=None, training=None):  # Keras hands training on to the layers
        readout = readout or self.spec.readout
        if len(features.shape) != 3 or readout not in READOUTS:
            raise ValueError(
                f"Expected features (N, T, D) and a readout of {READOUTS}. "
                f"Received: {tuple(features.shape)}, {readout!r}. Add the missing axis, or choose a readout."
            )
        for layer in self.stack:
            features = layer(features)  # (N, T, D) -> (N, T, hidden) -> (N, T, units)
        if readout == "last":
            return self.logits(features[:, -1])  # (N, units) -> (N, K)
        logits = self.logits(features)  # (N, T, K)
        return ops.mean(logits, axis=1) if readout == "mean" else logits

    def get_config(self):
        return {"spec": checkpoints.spec_to_json(self.spec), "num_classes": self.num_classes}

    @classmethod
    def from_config(cls, config):
        return cls(checkpoints.spec_from_json(config["spec"]), config["num_classes"])


@keras.saving.register_keras_serializable("actlib")
class LRCN(keras.Model):
    """Looks at clips: `convolutions` on every frame, then `head` over their sequence.

    Called with uint8 RGB (N, T, H, W, C); gives logits (N, K), or (N, T, K) where the readout is "steps".

    Args:
        spec: an `LRCNSpec`.
        num_classes: K.

    Source: Donahue et al., arXiv 1411.4389, section 4.

    Example:
        >>> import numpy as np
        >>> from actlib.specs import PRESETS
        >>> model = LRCN(PRESETS["slim_lrcn"].model, 7)
        >>> tuple(model(np.zeros((2, 5, 64, 64, 3), np.uint8)).shape)
        (2, 7)
    """

    def __init__(self, spec, num_classes):
        super().__init__(name=spec.name)
        self.spec, self.num_classes, self.card = spec, num_classes, {}
        self.convolutions = vgg.VGG(spec.frames.vgg)
        self.head = LRCNHead(spec, num_classes)
        size = spec.frames.vgg.size
        self.head(self.convolutions(keras.Input((spec.num_frames, size, size, 3))))  # tells `summary` their shapes
        self.built = True

    def call(self, clips, readout=None, training=None):
        features = self.convolutions(clips, training=training)  # (N, T, H, W, C) -> (N, T, D)
        return self.head(features, readout=readout, training=training)  # (N, K)

    def get_config(self):
        return {"spec": checkpoints.spec_to_json(self.spec), "num_classes": self.num_classes}

    @classmethod
    def from_config(cls, config):
        return cls(checkpoints.spec_from_json(config["spec"]), config["num_classes"])
