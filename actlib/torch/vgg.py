"""VGG-16 and its smaller sisters: convolutions, and the classifier of single frames that stands on them.

`training.build_model` gives these networks the weights they start from.
"""

from collections import OrderedDict

import torch
from torch import nn
from torch.nn import functional as F


class Preprocess(nn.Module):
    """The first layer: (frames - mean) / std, one number a channel, in float32; both belong to the weights."""

    def __init__(self, spec):
        super().__init__()
        self.spec = spec
        self.register_buffer("mean", torch.tensor(spec.mean))  # (C,)
        self.register_buffer("std", torch.tensor(spec.std))

    def forward(self, frames):
        self.spec.check_frames(frames.shape)
        return (frames.float() - self.mean) / self.std


class VGG(nn.Module):
    """The convolutions of a VGG-style network, of a `VGGSpec`: frames in, one row of features a frame out.

    Called with uint8 or float RGB (..., H, W, C) in 0..255, any number of leading axes; gives float32 (..., D): each
    frame's last maps, flattened in the order (h, w, channel) or pooled over (h, w), and normalized if the spec says so.

    Source: Simonyan and Zisserman, arXiv 1409.1556, table 1, column D.

    Example:
        >>> from actlib.specs import VGG_SLIM
        >>> VGG(VGG_SLIM)(torch.zeros(2, 4, 64, 64, 3, dtype=torch.uint8)).shape  # 2 clips of 4 frames
        torch.Size([2, 4, 768])
    """

    def __init__(self, spec):
        super().__init__()
        self.spec = spec
        self.preprocess = Preprocess(spec)
        self.layers = nn.Sequential(OrderedDict(_make_blocks(spec)))

    def forward(self, frames):
        x = self.preprocess(frames).reshape(-1, *frames.shape[-3:])  # (n, H, W, C)
        x = self.layers(x.permute(0, 3, 1, 2))  # (n, C, H, W), yet C still lies innermost in memory: channels_last
        return self.pool(x).reshape(*frames.shape[:-3], -1)  # (..., D)

    def pool(self, maps):
        """Turn the last maps, (n, channels, h, w), into features, float32 (n, D)."""
        maps = maps.float().permute(0, 2, 3, 1)  # (n, h, w, channels)
        if self.spec.pooling == "flatten":
            features = maps.flatten(1)
        else:
            features = maps.mean((1, 2)) if self.spec.pooling == "mean" else maps.amax((1, 2))
        return F.normalize(features) if self.spec.normalize else features


class FrameHead(nn.Module):
    """The head of a frame classifier: hidden ReLU layers with dropout, then logits.

    Called with features (..., D); gives float32 logits (..., K).
    """

    def __init__(self, spec, num_classes):
        super().__init__()
        self.hidden = hidden_layers(spec)
        self.logits = nn.Linear((spec.vgg.num_features, *spec.hidden)[-1], num_classes)

    def forward(self, features):
        return self.logits(self.hidden(features.float()))


class Classifier(nn.Module):
    """A network that gives logits: `convolutions`, then `head`. Its `card`, a dict, goes into its checkpoints."""

    def __init__(self, spec, num_classes):
        super().__init__()
        self.spec, self.num_classes, self.card = spec, num_classes, {}
        self.convolutions, self.head = VGG(spec.vgg), self.head_class(spec, num_classes)

    def forward(self, frames, **options):
        features = self.convolutions(frames)  # (..., H, W, C) -> (..., D)
        return self.head(features, **options)  # (..., K)


class FrameClassifier(Classifier):
    """Classifies single frames: `convolutions`, then `head`; made of a `FrameSpec` and K.

    Called with uint8 RGB (N, T, H, W, C) or (N, H, W, C); gives float32 logits (N, T, K) or (N, K).
    """

    head_class = FrameHead


def hidden_layers(spec):
    """Make the hidden layers of a `FrameSpec`'s head for features (..., D): hidden1, dropout1, hidden2, ..."""
    layers, widths = OrderedDict(), (spec.vgg.num_features, *spec.hidden)
    for number, (num_inputs, num_outputs) in enumerate(zip(widths, widths[1:], strict=False), start=1):
        layers[f"hidden{number}"] = nn.Linear(num_inputs, num_outputs)
        layers[f"relu{number}"] = nn.ReLU()
        layers[f"dropout{number}"] = nn.Dropout(spec.dropout)
    return nn.Sequential(layers)


def _make_blocks(spec):
    """(name, layer) pairs of all blocks, in order."""
    num_inputs = spec.num_channels
    for block, (num_convolutions, width) in enumerate(spec.blocks, start=1):
        for number in range(1, num_convolutions + 1):
            name = f"block{block}_conv{number}"
            yield name, nn.Conv2d(num_inputs, width, kernel_size=3, padding=1)
            if spec.batch_norm:
                yield f"{name}_norm", nn.BatchNorm2d(width, eps=1e-3, momentum=0.1)  # Keras: eps 1e-3, momentum 0.9
            yield f"{name}_relu", nn.ReLU()
            num_inputs = width
        yield f"block{block}_pool", nn.MaxPool2d(2)
