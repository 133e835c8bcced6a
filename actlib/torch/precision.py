"""Where networks compute and in which precision: on the GPU if there is one, in bfloat16 where that is faster."""

from functools import partial

import numpy as np
import torch
from torch import nn

from actlib.run import has_fast_bf16
from actlib.torch.vgg import VGG

FRAMES_AT_ONCE = 32  # frames that go through convolutions together: enough for full speed, little memory
MAPS_AT_ONCE = 4_000_000  # numbers in the maps that a CPU works on at once: 1 frame of VGG-16 at its first block


def to_device(model):
    """Puts a model where it computes.

    Args:
        model: Any module.

    Returns:
        The device.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model.to(device, memory_format=torch.channels_last)  # as frames lie in memory
    return device


def precision(device, mixed):
    """Chooses the precision of what is computed inside a `with`.

    Args:
        device: Where.
        mixed: bfloat16 for what gains from it; on a CPU without such arithmetic float32 is faster, and stays.

    Returns:
        A context for `with`.
    """
    gains = device.type == "cuda" or has_fast_bf16()
    return torch.autocast(device.type, torch.bfloat16, enabled=mixed and gains)


def feature_precision() -> str:
    """Return the precision in which `extract_features` computes on this machine: "bfloat16" or "float32"."""
    return "bfloat16" if torch.cuda.is_available() or has_fast_bf16() else "float32"


def are_features(x):
    """Tells stored features from frames.

    Args:
        x: Array of a batch.

    Returns:
        True for floats, False for uint8.
    """
    return np.issubdtype(np.asarray(x).dtype, np.floating)


def frame_features(convolutions, frames, device, *, batch_size=FRAMES_AT_ONCE):
    """Convolves frames, some at a time, so that memory stays small.

    Args:
        convolutions: A `VGG`.
        frames: uint8 array (..., H, W, C).
        device: Where.
        batch_size: Frames at once.

    Returns:
        float32 tensor (..., D).
    """
    flat = np.asarray(frames).reshape(-1, *frames.shape[-3:])  # (n, H, W, C)
    parts = [flat[start : start + batch_size] for start in range(0, len(flat), batch_size)]
    by_block = device.type == "cpu" and isinstance(convolutions, VGG)  # compiled ones find their own way
    convolve = partial(_convolve_by_block, convolutions) if by_block else convolutions
    rows = torch.cat([convolve(torch.tensor(part, device=device)) for part in parts])  # (n, D)
    return rows.reshape(*frames.shape[:-3], -1)


def compile_all(networks):
    """Compiles networks; where that is not possible, says so and leaves them as they are.

    Args:
        networks: Modules.

    Returns:
        As many callables, on the same weights.
    """
    try:
        torch.compile(lambda x: 2 * x + 1)(torch.ones(8))  # is there a compiler?
    except Exception as error:  # whatever the compiler says
        print(f"torch.compile cannot be used here ({type(error).__name__}); training goes on without it.")
        return networks
    return [torch.compile(network) for network in networks]


def _convolve_by_block(convolutions, frames):
    """What `VGG.forward` does, faster on a CPU.

    The maps of the first blocks are large: few frames at a time keep them in the processor's cache. The kernels of the
    last blocks are large: many frames share the work of preparing them.
    """
    x = convolutions.preprocess(frames).permute(0, 3, 1, 2)  # (n, C, H, W)
    for block in _split_blocks(convolutions.layers):
        per_frame = block[0].out_channels * x.shape[2] * x.shape[3]
        x = torch.cat([block(part) for part in x.split(max(1, MAPS_AT_ONCE // per_frame))])
    return x.permute(0, 2, 3, 1).flatten(1).float()  # (n, D)


def _split_blocks(layers):
    """The layers from a convolution to the next pool, block by block."""
    ends = [place for place, layer in enumerate(layers, start=1) if isinstance(layer, nn.MaxPool2d)]
    return [layers[start:end] for start, end in zip([0, *ends], ends, strict=False)]
