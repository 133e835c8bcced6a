"""LRCN: a frame classifier whose logits see the frames before, through LSTMs."""

import torch
from torch import nn

from actlib.specs import READOUTS
from actlib.torch.vgg import VGG, hidden_layers


class _LSTM(nn.LSTM):
    """PyTorch's LSTM over (N, T, D) with one bias, as in Keras: PyTorch's second one stays zero and is not learnt."""

    def __init__(self, num_inputs, units):
        super().__init__(num_inputs, units, batch_first=True)
        del self.bias_hh_l0
        self.register_buffer("bias_hh_l0", torch.zeros(4 * units), persistent=False)


class LRCNHead(nn.Module):
    """From the features of a clip's frames to logits: hidden layers, LSTMs, logits."""

    def __init__(self, spec, num_classes):
        """Builds the layers.

        Args:
            spec: An `LRCNSpec`.
            num_classes: K.
        """
        super().__init__()
        self.readout = spec.readout
        self.hidden = hidden_layers(spec.frames)
        widths = ((spec.frames.num_inputs, *spec.frames.hidden)[-1], *spec.lstm)
        self.lstms = nn.ModuleDict(
            {
                f"lstm{number}": _LSTM(*pair)
                for number, pair in enumerate(zip(widths, widths[1:], strict=False), start=1)
            }
        )
        self.dropout = nn.Dropout(spec.lstm_dropout)  # after each LSTM
        self.logits = nn.Linear(widths[-1], num_classes)

    def forward(self, features, readout=None):
        """Scores clips.

        Args:
            features: float (N, T, D).
            readout: "last", "mean" (of the steps' logits) or "steps"; None for the spec's.

        Returns:
            float32 (N, K), or (N, T, K) for "steps".

        Raises:
            ValueError: The features have no T axis, or the readout is unknown.
        """
        readout = readout or self.readout
        if features.ndim != 3 or readout not in READOUTS:
            raise ValueError(
                f"Expected features (N, T, D) and a readout of {READOUTS}. "
                f"Received: {tuple(features.shape)}, {readout!r}. Add the missing axis, or choose a readout."
            )
        x = self.hidden(features.float())  # (N, T, width of the last hidden layer)
        for lstm in self.lstms.values():
            x = self.dropout(lstm(x)[0])  # (N, T, units)
        if readout == "last":
            return self.logits(x[:, -1])  # (N, K)
        logits = self.logits(x)  # (N, T, K)
        return logits.mean(1) if readout == "mean" else logits


class LRCN(nn.Module):
    """The long-term recurrent convolutional network.

    Source: Donahue et al., arXiv 1411.4389, section 4.

    Example:
        >>> from actlib.specs import PRESETS
        >>> LRCN(PRESETS["slim_lrcn"].model, 7)(torch.zeros(2, 4, 64, 64, 3, dtype=torch.uint8)).shape
        torch.Size([2, 7])
    """

    def __init__(self, spec, num_classes):
        """Builds both parts.

        Args:
            spec: An `LRCNSpec`.
            num_classes: K.
        """
        super().__init__()
        self.spec = spec
        self.num_classes = num_classes
        self.card = {}  # facts that go into its checkpoints: classes, data, seed
        self.convolutions = VGG(spec.frames.vgg)
        self.head = LRCNHead(spec, num_classes)

    def forward(self, clips, readout=None):
        """Scores clips.

        Args:
            clips: uint8 (N, T, H, W, C), RGB.
            readout: "last", "mean" or "steps"; None for the spec's.

        Returns:
            float32 (N, K) for the readouts "last" and "mean", (N, T, K) for "steps".
        """
        return self.head(self.convolutions(clips), readout)
