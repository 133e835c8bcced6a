"""Where and when a model looked: the arithmetic, in NumPy, that both frameworks' `saliency` share."""

import numpy as np
from PIL import Image


def heat_maps(activations, gradients, *, size, together) -> np.ndarray:
    """Weigh the maps of a convolution by what they mean for one logit, and add up what speaks for it (Grad-CAM).

    Args:
        activations, gradients: float (n, h, w, c), a convolution's maps for n frames; those of the logit by them.
        size: Side of the enlarged maps in pixels.
        together: True: the warmest spot of all frames is 1, so frames can be compared; False: of each frame.

    Returns:
        float32 (n, size, size), in 0..1; all 0 where nothing speaks for the class.

    Source: Selvaraju et al., arXiv 1610.02391, equations 1 and 2.
    """
    weights = gradients.mean(axis=(1, 2), keepdims=True)  # (n, 1, 1, c)
    maps = np.maximum((weights * activations).sum(axis=-1), 0).astype(np.float32)  # (n, h, w)
    enlarged = [Image.fromarray(each).resize((size, size), Image.Resampling.BILINEAR) for each in maps]
    maps = np.stack([np.asarray(image) for image in enlarged])  # (n, size, size)
    warmest = maps.max() if together else maps.max(axis=(1, 2), keepdims=True)
    return maps / np.maximum(warmest, np.finfo(np.float32).tiny)


def leave_out_each(features) -> np.ndarray:
    """Make variants of a clip in which one frame after the other tells nothing: it holds the clip's mean features.

    Args:
        features: float (T, D).

    Returns:
        float (1 + T, T, D): the clip itself, then the variants.
    """
    features = np.asarray(features)
    variants = np.repeat(features[None], 1 + len(features), axis=0)  # (1 + T, T, D)
    steps = np.arange(len(features))
    variants[1 + steps, steps] = features.mean(axis=0)
    return variants


def measure_drops(logits, label) -> np.ndarray:
    """Measure by how much the logit of a class falls without each frame: float32 (T,), negative where it rises.

    Args:
        logits: float (1 + T, K), of what `leave_out_each` made.
        label: Which class; None for the one that the whole clip gets.
    """
    (label,) = choose_labels(logits[:1], label)
    return (logits[0, label] - logits[1:, label]).astype(np.float32)


def choose_labels(logits, label) -> np.ndarray:
    """Choose the class that each row of logits is asked about, int64 (n,): the given one, or the row's prediction.

    Args:
        logits: float (n, K).
        label: int in 0..K-1, n of them, or None.
    """
    count, num_classes = logits.shape
    labels = np.broadcast_to(logits.argmax(axis=1) if label is None else label, (count,)).astype(np.int64)
    if ((labels < 0) | (labels >= num_classes)).any():
        raise ValueError(f"Expected labels in 0..{num_classes - 1}. Received: {label}. Give an index into the classes.")
    return labels


def check_clip(frames, spec) -> np.ndarray:
    """Return frames as an array, or raise ValueError if they have another shape, or there are none.

    Args:
        frames: uint8 (n, H, W, 3).
        spec: The `VGGSpec` of the model that is asked.
    """
    frames = np.asarray(frames)
    spec.check_frames(frames.shape)
    if frames.ndim != 4 or not len(frames):
        raise ValueError(f"Expected frames (n, H, W, 3), at least one. Received: {frames.shape}. Give it one clip.")
    return frames
