"""LRCN: the frame classifier's convolutions and hidden layers, then LSTMs that see the frames in order."""

import torch
from torch import nn

from actlib.torch.vgg import Classifier, hidden_layers


class LRCNHead(nn.Module):
    """The head of an LRCN: hidden layers on every frame, LSTMs over the frames, logits.

    Called with features (N, T, D) and a readout (None: the spec's): "last" and "mean" give logits (N, K), "steps"
    gives (N, T, K). Other shapes and readouts are a ValueError.
    """

    def __init__(self, spec, num_classes):
        super().__init__()
        self.spec = spec
        self.hidden = hidden_layers(spec.frames)
        widths = ((spec.vgg.num_features, *spec.frames.hidden)[-1], *spec.lstm)
        self.lstms = nn.ModuleDict()
        for number, (num_inputs, units) in enumerate(zip(widths, widths[1:], strict=False), start=1):
            self.lstms[f"lstm{number}"] = _LSTM(num_inputs, units)
        self.dropout = nn.Dropout(spec.lstm_dropout)  # after each LSTM
        self.logits = nn.Linear(widths[-1], num_classes)

    def forward(self, features, readout=None):
        readout = readout or self.spec.readout
        self.spec.check_features(features.shape, readout)
        x = self.hidden(features.float())  # (N, T, D) -> (N, T, hidden)
        for lstm in self.lstms.values():
            x = self.dropout(lstm(x)[0])  # (N, T, units)
        if readout == "last":
            return self.logits(x[:, -1])  # (N, units) -> (N, K)
        logits = self.logits(x)  # (N, T, K)
        return logits.mean(1) if readout == "mean" else logits


class LRCN(Classifier):
    """The long-term recurrent convolutional network: `convolutions` on every frame, then `head` over their sequence.

    Made of an `LRCNSpec` and K. Called with uint8 RGB (N, T, H, W, C) and a readout (None: the spec's); gives float32
    logits (N, K), or (N, T, K) for the readout "steps".

    Source: Donahue et al., arXiv 1411.4389, section 4.
    """

    head_class = LRCNHead


class _LSTM(nn.LSTM):
    """PyTorch's LSTM over (N, T, D) with one bias, as in Keras: PyTorch's second one stays zero and is not learned."""

    def __init__(self, num_inputs, units):
        super().__init__(num_inputs, units, batch_first=True)
        del self.bias_hh_l0
        self.register_buffer("bias_hh_l0", torch.zeros(4 * units), persistent=False)
