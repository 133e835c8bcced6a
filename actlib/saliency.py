"""Where and when a model looked: the arithmetic, in NumPy, that both frameworks' `saliency` share."""

import numpy as np
from PIL import Image


def heat_maps(activations, gradients, *, size, together) -> np.ndarray:
    """Weigh the maps of a convolution by what they mean for one logit, and add up what speaks for it (Grad-CAM).

    Args:
        activations: float (n, h, w, c), what a convolution gave for n frames.
        gradients: float (n, h, w, c), of the logit by each of them.
        size: Pixels of the side that maps are enlarged to.
        together: True: the warmest spot of all frames is 1, so frames can be compared; False: of each frame.

    Returns:
        float32 (n, size, size), in 0..1; all 0 where nothing speaks for the class.

    Source: Selvaraju et al., arXiv 1610.02391, equations 1 and 2.

    Example:
        >>> maps = np.zeros((1, 2, 2, 1), np.float32)
        >>> maps[0, 0, 0] = 3
        >>> heat_maps(maps, np.ones_like(maps), size=2, together=False)[0].tolist()
        [[1.0, 0.0], [0.0, 0.0]]
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

    Example:
        >>> leave_out_each(np.array([[1.0], [5.0]]))[..., 0].tolist()
        [[1.0, 5.0], [3.0, 5.0], [1.0, 3.0]]
    """
    features = np.asarray(features)
    variants = np.repeat(features[None], 1 + len(features), axis=0)  # (1 + T, T, D)
    steps = np.arange(len(features))
    variants[1 + steps, steps] = features.mean(axis=0)
    return variants


def measure_drops(logits, label) -> np.ndarray:
    """Measure by how much the logit of a class falls without each frame.

    Args:
        logits: float (1 + T, K), of what `leave_out_each` made.
        label: Which class; None for the one that the whole clip gets.

    Returns:
        float32 (T,), negative where it rises.

    Example:
        >>> measure_drops(np.array([[0.0, 4.0], [0.0, 1.0], [0.0, 6.0]]), None).tolist()
        [3.0, -2.0]
    """
    (label,) = choose_labels(logits[:1], label)
    return (logits[0, label] - logits[1:, label]).astype(np.float32)


def choose_labels(logits, label) -> np.ndarray:
    """Choose the class that each row of logits is asked about: the given one, or the row's own prediction.

    Args:
        logits: float (n, K).
        label: int, n ints, or None.

    Returns:
        int64 (n,).

    Raises:
        ValueError: A label is not in 0..K-1.

    Example:
        >>> choose_labels(np.eye(3), None).tolist(), choose_labels(np.eye(3), 2).tolist()
        ([0, 1, 2], [2, 2, 2])
    """
    count, num_classes = logits.shape
    labels = np.broadcast_to(logits.argmax(axis=1) if label is None else label, (count,)).astype(np.int64)
    if ((labels < 0) | (labels >= num_classes)).any():
        raise ValueError(f"Expected labels in 0..{num_classes - 1}. Received: {label}. Give an index into the classes.")
    return labels


def check_clip(frames, spec) -> np.ndarray:
    """Return frames as an array.

    Args:
        frames: uint8 (n, H, W, 3).
        spec: The `VGGSpec` of the model that is asked.

    Raises:
        ValueError: They have another shape, or there are none.
    """
    frames = np.asarray(frames)
    spec.check_frames(frames.shape)
    if frames.ndim != 4 or not len(frames):
        raise ValueError(f"Expected frames (n, H, W, 3), at least one. Received: {frames.shape}. Give it one clip.")
    return frames
