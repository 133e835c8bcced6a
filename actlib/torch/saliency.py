"""Looking inside with PyTorch: where a model looked, when it decided, what it remembers, what its first layer likes."""

import contextlib

import numpy as np
import torch

from actlib import saliency
from actlib.torch.precision import FRAMES_AT_ONCE, frame_features, to_device
from actlib.torch.weights import get_weights


def grad_cam(model, frames, *, label=None):
    """Shows where in each frame the evidence for a class lies (Grad-CAM on the last convolution).

    Args:
        model: A `FrameClassifier`, which judges each frame by itself, or an `LRCN`, for which the frames are one clip.
        frames: uint8 (n, H, W, 3), RGB.
        label: The class asked about, or None for the one the model says.

    Returns:
        float32 (n, H, W) in 0..1: 1 is the strongest evidence of a frame, with an `LRCN` of the whole clip.

    Raises:
        ValueError: The frames have another size, or there is no such label.

    Source: Selvaraju et al., arXiv 1610.02391, section 3.
    """
    frames = saliency.check_clip(frames, model.convolutions.spec.size)
    is_clip = hasattr(model.head, "lstms")
    maps = _last_maps(model, frames)  # (n, c, h, w)
    with _at_rest(model), torch.enable_grad():
        maps.requires_grad_(True)
        features = model.convolutions.layers[-1](maps).permute(0, 2, 3, 1).flatten(1)  # (n, D)
        logits = _decide(model, features[None] if is_clip else features[:, None])  # (1 or n, K)
        labels = saliency.choose_labels(logits.detach().cpu().numpy(), label)
        asked = logits[torch.arange(len(labels)), torch.from_numpy(labels).to(logits.device)]
        gradients = torch.autograd.grad(asked.sum(), maps)[0]
    maps, gradients = (values.detach().permute(0, 2, 3, 1).cpu().numpy() for values in (maps, gradients))
    return saliency.heat_maps(maps, gradients, size=frames.shape[1], together=is_clip)


def frame_contributions(model, clip, *, label=None):
    """Measures what each frame of a clip adds to the decision: how far the score falls when it tells nothing.

    "Nothing" are the mean features of the clip in that frame's place.

    Args:
        model: An `LRCN`, or a `FrameClassifier` whose logits are averaged over the frames.
        clip: uint8 (T, H, W, 3), RGB.
        label: The class asked about, or None for the one the model says.

    Returns:
        float32 (T,), in units of the score; negative where the frame speaks against the class.

    Raises:
        ValueError: The frames have another size, or there is no such label.
    """
    clip = saliency.check_clip(clip, model.convolutions.spec.size)
    device = to_device(model)
    with _at_rest(model), torch.no_grad():
        features = frame_features(model.convolutions, clip, device).cpu().numpy()  # (T, D)
        variants = torch.from_numpy(saliency.leave_out_each(features)).to(device)
        logits = _decide(model, variants).cpu().numpy()  # (1 + T, K)
    return saliency.drops(logits, saliency.choose_labels(logits[:1], label)[0])


def lstm_states(model, clip):
    """Follows the last LSTM's state through a clip.

    Args:
        model: An `LRCN`.
        clip: uint8 (T, H, W, 3), RGB.

    Returns:
        float32 (T, units), each in -1..1.

    Raises:
        ValueError: The model has no LSTM, or the frames have another size.
    """
    if not hasattr(model.head, "lstms"):
        raise ValueError("Expected an LRCN. Received: a FrameClassifier, which remembers nothing. Load an LRCN.")
    clip = saliency.check_clip(clip, model.convolutions.spec.size)
    device = to_device(model)
    with _at_rest(model), torch.no_grad():
        x = model.head.hidden(frame_features(model.convolutions, clip, device)[None])  # (1, T, hidden)
        for lstm in model.head.lstms.values():
            x = lstm(x)[0]  # (1, T, units)
    return x[0].float().cpu().numpy()


def first_filters(model):
    """Takes out the first layer's filters.

    Args:
        model: A `FrameClassifier` or an `LRCN`.

    Returns:
        float32 (k, 3, 3, 3): filter, row, column, colour (RGB).
    """
    return np.ascontiguousarray(get_weights(model)["block1_conv1/kernel"].transpose(3, 0, 1, 2))


def _last_maps(model, frames):
    """What the last convolution gives, before its pool: (n, c, h, w)."""
    device, convolutions, maps = to_device(model), model.convolutions, []
    with _at_rest(model), torch.no_grad():
        for start in range(0, len(frames), FRAMES_AT_ONCE):
            part = torch.from_numpy(np.ascontiguousarray(frames[start : start + FRAMES_AT_ONCE])).to(device)
            maps.append(convolutions.layers[:-1](convolutions.preprocess(part).permute(0, 3, 1, 2)))
    return torch.cat(maps)


def _decide(model, features):
    """Scores (N, K) of clips, from features (N, T, D): the mean where each step has its own."""
    logits = model.head(features)
    return logits.mean(1) if logits.ndim == 3 else logits


@contextlib.contextmanager
def _at_rest(model):
    """Without dropout, inside a `with`; afterwards the model trains again if it did before."""
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)
