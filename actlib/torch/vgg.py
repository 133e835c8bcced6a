"""VGG-16 and its smaller sisters, and the classifier of single frames that stands on them.

`training.build_model` gives these networks the weights they start from.
"""

from collections import OrderedDict

import torch
from torch import nn


class Preprocess(nn.Module):
    """The first layer: (frame - mean) / std, a number a colour. Mean and std belong to the weights."""

    def __init__(self, spec):
        """Keeps what is subtracted and what is divided by.

        Args:
            spec: A `VGGSpec`.
        """
        super().__init__()
        self.spec = spec
        self.register_buffer("mean", torch.tensor(spec.mean))  # (C,)
        self.register_buffer("std", torch.tensor(spec.std))

    def forward(self, frames):
        """Centres frames.

        Args:
            frames: (..., H, W, C) in 0..255.

        Returns:
            float32 of the same shape.

        Raises:
            ValueError: The frames are not size x size pixels of three colours.
        """
        size = self.spec.size
        if frames.shape[-3:] != (size, size, 3):
            raise ValueError(
                f"Expected frames (..., {size}, {size}, 3) for {self.spec.name}. Received: {tuple(frames.shape)}. "
                "Read them at that size."
            )
        return (frames.float() - self.mean) / self.std


class VGG(nn.Module):
    """The convolutions of a VGG-style network: frames in, one row of features a frame out.

    Source: Simonyan and Zisserman, arXiv 1409.1556, table 1, column D.

    Example:
        >>> from actlib.specs import VGG_SLIM
        >>> VGG(VGG_SLIM)(torch.zeros(2, 4, 64, 64, 3, dtype=torch.uint8)).shape
        torch.Size([2, 4, 768])
    """

    def __init__(self, spec):
        """Builds preprocessing and blocks.

        Args:
            spec: A `VGGSpec`.
        """
        super().__init__()
        self.spec = spec
        self.preprocess = Preprocess(spec)
        self.layers = nn.Sequential(OrderedDict(_vgg_layers(spec)))

    def forward(self, frames):
        """Turns frames into features.

        Args:
            frames: uint8 or float (..., H, W, C), RGB in 0..255.

        Returns:
            float32 (..., D), each frame's last pool flattened in the order (h, w, channel).

        Raises:
            ValueError: The frames are not size x size pixels of three colours.
        """
        x = self.preprocess(frames).reshape(-1, *frames.shape[-3:])  # (n, H, W, C)
        x = self.layers(x.permute(0, 3, 1, 2))  # (n, C, H, W), yet C still lies innermost in memory: channels_last
        x = x.permute(0, 2, 3, 1).flatten(1)  # (n, D)
        return x.float().reshape(*frames.shape[:-3], -1)


class FrameHead(nn.Module):
    """From features to logits: hidden ReLU layers with dropout, then one score a class."""

    def __init__(self, spec, num_classes):
        """Builds the layers.

        Args:
            spec: A `FrameSpec`.
            num_classes: K.
        """
        super().__init__()
        self.hidden = hidden_layers(spec)
        self.logits = nn.Linear((spec.num_inputs, *spec.hidden)[-1], num_classes)

    def forward(self, features):
        """Scores features.

        Args:
            features: float (..., D).

        Returns:
            float32 (..., K).
        """
        return self.logits(self.hidden(features.float()))


class FrameClassifier(nn.Module):
    """Convolutions and head: each frame by itself.

    Example:
        >>> from actlib.specs import SLIM_FRAMES
        >>> FrameClassifier(SLIM_FRAMES, 7)(torch.zeros(2, 4, 64, 64, 3, dtype=torch.uint8)).shape
        torch.Size([2, 4, 7])
    """

    def __init__(self, spec, num_classes):
        """Builds both parts.

        Args:
            spec: A `FrameSpec`.
            num_classes: K.
        """
        super().__init__()
        self.spec = spec
        self.num_classes = num_classes
        self.card = {}  # facts that go into its checkpoints: classes, data, seed
        self.convolutions = VGG(spec.vgg)
        self.head = FrameHead(spec, num_classes)

    def forward(self, frames):
        """Scores frames.

        Args:
            frames: uint8 (..., H, W, C), RGB: clips (N, T, H, W, C) or single frames (N, H, W, C).

        Returns:
            float32 (..., K).
        """
        return self.head(self.convolutions(frames))


class AveragePositions(nn.Module):
    """Averages each channel over the positions of a frame: what is there, not where."""

    def __init__(self, feature_shape):
        """Keeps the shape that was flattened.

        Args:
            feature_shape: (h, w, channels).
        """
        super().__init__()
        self.feature_shape = feature_shape

    def forward(self, features):
        """Averages.

        Args:
            features: (..., D).

        Returns:
            (..., channels).
        """
        return features.unflatten(-1, self.feature_shape).mean((-3, -2))


def hidden_layers(spec):
    """Builds the hidden layers of a head.

    Args:
        spec: A `FrameSpec`.

    Returns:
        A `Sequential` of Linear, ReLU and Dropout, (..., D) -> (..., width of the last hidden layer).
    """
    layers = OrderedDict(average=AveragePositions(spec.vgg.feature_shape)) if spec.average else OrderedDict()
    widths = (spec.num_inputs, *spec.hidden)
    for number, (num_inputs, num_outputs) in enumerate(zip(widths, widths[1:], strict=False), start=1):
        layers[f"hidden{number}"] = nn.Linear(num_inputs, num_outputs)
        layers[f"relu{number}"] = nn.ReLU()
        layers[f"dropout{number}"] = nn.Dropout(spec.dropout)
    return nn.Sequential(layers)


def _vgg_layers(spec):
    """(name, layer) pairs, in order."""
    num_inputs = 3
    for block, (num_convolutions, width) in enumerate(spec.blocks, start=1):
        for number in range(1, num_convolutions + 1):
            name = f"block{block}_conv{number}"
            yield name, nn.Conv2d(num_inputs, width, kernel_size=3, padding=1)
            if spec.batch_norm:
                yield f"{name}_norm", nn.BatchNorm2d(width, eps=1e-3, momentum=0.1)  # Keras: eps 1e-3, momentum 0.9
            yield f"{name}_relu", nn.ReLU()
            num_inputs = width
        yield f"block{block}_pool", nn.MaxPool2d(2)
