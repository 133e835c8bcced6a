"""LRCN: the frame classifier's convolutions and hidden layers, then LSTMs that see the frames in order."""

import warnings

import keras
from keras import layers, ops

from actlib.keras.vgg import SEEDED, Classifier, hidden_layers


class LRCNHead(keras.Model):
    """The head of an LRCN: hidden layers on every frame, LSTMs over the frames, logits.

    Called with features (N, T, D) and a readout (None: the spec's): "last" and "mean" give logits (N, K), "steps"
    gives (N, T, K). Other shapes and readouts are a ValueError.
    """

    def __init__(self, spec, num_classes):
        super().__init__(name="head")
        self.spec, self.num_classes = spec, num_classes
        self.stack = hidden_layers(spec.frames)
        for number, units in enumerate(spec.lstm, 1):
            self.stack.append(layers.LSTM(units, return_sequences=True, name=f"lstm{number}"))
            seed, name = 100 + number if SEEDED else None, f"lstm_dropout{number}"
            self.stack.append(layers.Dropout(spec.lstm_dropout, seed=seed, name=name))
        self.logits = layers.Dense(num_classes, name="logits", dtype="float32")
        shape = (spec.num_frames, spec.vgg.num_features)
        keras.Sequential([keras.Input(shape), *self.stack, self.logits], name="stack")  # builds them
        self.built = True

    def call(self, features, readout=None, training=None):  # Keras hands training on to the layers
        readout = readout or self.spec.readout
        self.spec.check_features(features.shape, readout)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "RNN module weights are not part of single")  # in Keras they lie apart
            for layer in self.stack:
                features = layer(features)  # (N, T, D) -> (N, T, hidden) -> (N, T, units)
        if readout == "last":
            return self.logits(features[:, -1])  # (N, units) -> (N, K)
        logits = self.logits(features)  # (N, T, K)
        return ops.mean(logits, axis=1) if readout == "mean" else logits


class LRCN(Classifier):
    """The long-term recurrent convolutional network: `convolutions` on every frame, then `head` over their sequence.

    Made of an `LRCNSpec` and K. Called with uint8 RGB (N, T, H, W, C) and a readout (None: the spec's); gives float32
    logits (N, K), or (N, T, K) for the readout "steps".

    Source: Donahue et al., arXiv 1411.4389, section 4.
    """

    head_class = LRCNHead
