"""Where networks compute and in which precision: on the GPU if there is one, in bfloat16 where that is faster."""

import numpy as np
import torch

from actlib import runs

FRAMES_AT_ONCE = 32  # frames that go through convolutions together: enough for full speed, little memory


def move(model):
    """Puts a model where it computes.

    Args:
        model: Any module.

    Returns:
        The device.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model.to(device)
    return device


def precision(device, mixed):
    """Chooses the precision of what is computed inside a `with`.

    Args:
        device: Where.
        mixed: bfloat16 for what gains from it; on a CPU without such arithmetic float32 is faster, and stays.

    Returns:
        A context for `with`.
    """
    gains = device.type == "cuda" or runs.gains_from_bf16()
    return torch.autocast(device.type, torch.bfloat16, enabled=mixed and gains)


def are_features(x):
    """Tells stored features from frames.

    Args:
        x: Array of a batch.

    Returns:
        True for floats, False for uint8.
    """
    return np.issubdtype(np.asarray(x).dtype, np.floating)


def frame_features(convolutions, frames, device, *, batch_size=FRAMES_AT_ONCE):
    """Convolves frames, a few at a time, so that memory stays small.

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
    rows = torch.cat([convolutions(torch.tensor(part, device=device)) for part in parts])  # (n, D)
    return rows.reshape(*frames.shape[:-3], -1)
