"""What `actlib.saliency` computes with a model, where the model is: NumPy in, NumPy out."""

import numpy as np
import torch

from actlib.torch.precision import FRAMES_AT_ONCE, at_rest, convolve_in_parts, device_of, to_numpy


def differentiate(model, frames, choose_labels):
    """Return the last convolution's maps for frames, and the gradients by them of chosen logits: (n, h, w, c) each.

    Args:
        model, frames: As for `saliency.grad_cam`.
        choose_labels: Function, logits (1 or n, K) -> int (1 or n,), the classes whose logits are meant.
    """
    layers = model.convolutions.layers
    with at_rest(model):
        maps = _apply_layers(model, layers[:-1], frames)  # (n, c, h, w)
        with torch.enable_grad():
            maps.requires_grad_(True)
            features = model.convolutions.pool(layers[-1](maps))  # (n, D)
            clips = features[None] if hasattr(model.spec, "lstm") else features[:, None]
            with torch.backends.cudnn.flags(enabled=False):  # its LSTM gives no gradients at rest
                logits = _clip_logits(model, clips)  # (1 or n, K)
            labels = choose_labels(to_numpy(logits))
            asked = logits[torch.arange(len(labels)), torch.from_numpy(labels).to(logits.device)]
            gradients = torch.autograd.grad(asked.sum(), maps)[0]
    return _to_maps(maps), _to_maps(gradients)


def compute_features(model, clip):
    """Return the features of a clip's frames, float32 (T, D).

    Args:
        model, clip: A `FrameClassifier` or an `LRCN`; uint8 (T, H, W, 3), RGB.
    """
    with at_rest(model):
        return to_numpy(convolve_in_parts(model.convolutions, torch.tensor(clip, device=device_of(model))))


def compute_logits(model, features):
    """Return logits (N, K) of clips: the mean where each step has its own.

    Args:
        model, features: A `FrameClassifier` or an `LRCN`; float32 (N, T, D).
    """
    with at_rest(model):
        return to_numpy(_clip_logits(model, torch.from_numpy(features).to(device_of(model))))


def compute_states(model, features):
    """Return what the last LSTM gives at each step, float32 (T, units).

    Args:
        model, features: An `LRCN`; float32 (T, D), of one clip.
    """
    with at_rest(model):
        x = model.head.hidden(torch.from_numpy(features).to(device_of(model))[None])  # (1, T, hidden)
        for lstm in model.head.lstms.values():
            x = lstm(x)[0]  # (1, T, units)
    return to_numpy(x[0].float())


def apply_first_layer(model, frames):
    """Return what the first convolution passes on, after its ReLU: float32 (n, H, W, k).

    Args:
        model, frames: As for `saliency.first_layer_maps`.
    """
    layers = model.convolutions.layers[: 3 if model.spec.vgg.batch_norm else 2]
    with at_rest(model):
        return _to_maps(_apply_layers(model, layers, frames))


def _apply_layers(model, layers, frames):
    """What the first layers give for frames, some at a time: (n, c, h, w)."""
    frames, preprocess = torch.tensor(frames, device=device_of(model)), model.convolutions.preprocess
    return torch.cat([layers(preprocess(part).permute(0, 3, 1, 2)) for part in frames.split(FRAMES_AT_ONCE)])


def _clip_logits(model, features):
    logits = model.head(features)
    return logits.mean(1) if logits.ndim == 3 else logits


def _to_maps(maps):
    """(n, c, h, w) -> (n, h, w, c), in memory that is its own."""
    return np.ascontiguousarray(to_numpy(maps.permute(0, 2, 3, 1)))
