"""What a model is asked to see where and when it looked: the arithmetic, in NumPy, of both frameworks' `saliency`."""

import numpy as np
from PIL import Image


def heat_maps(activations, gradients, *, size, together) -> np.ndarray:
    """Weighs the maps of a convolution by what they mean for one score, and adds up what speaks for it (Grad-CAM).

    Args:
        activations: float (n, h, w, c), what a convolution gave for n frames.
        gradients: float (n, h, w, c), of the score by each of them.
        size: pixels, of the side that maps are enlarged to.
        together: True: the warmest spot of all frames is 1, so frames can be compared; False: of each frame.

    Returns:
        float32 (n, size, size), in 0..1; all 0 where nothing speaks for the score.

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
    """Makes variants of a clip in which one frame after the other tells nothing: it holds the clip's mean features.

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


def drops(logits, label) -> np.ndarray:
    """Compares the score of a clip with those of its variants.

    Args:
        logits: float (1 + T, K), of what `leave_out_each` made.
        label: which class; None for the one the whole clip gets.

    Returns:
        float32 (T,): by how much the score falls without each frame; negative where it rises.

    Example:
        >>> drops(np.array([[0.0, 4.0], [0.0, 1.0], [0.0, 6.0]]), None).tolist()
        [3.0, -2.0]
    """
    label = int(np.argmax(logits[0])) if label is None else label
    return (logits[0, label] - logits[1:, label]).astype(np.float32)


def choose_labels(logits, label) -> np.ndarray:
    """Labels that are asked about, one a row of logits: the given one, or what each row says.

    Args:
        logits: float (n, K).
        label: int, n ints, or None.

    Returns:
        int64 (n,).

    Raises:
        ValueError: a label is not in 0..K-1.

    Example:
        >>> choose_labels(np.eye(3), None).tolist(), choose_labels(np.eye(3), 2).tolist()
        ([0, 1, 2], [2, 2, 2])
    """
    count, num_classes = logits.shape
    labels = np.broadcast_to(logits.argmax(axis=1) if label is None else label, (count,)).astype(np.int64)
    if ((labels < 0) | (labels >= num_classes)).any():
        raise ValueError(f"Expected labels in 0..{num_classes - 1}. Received: {label}. Give an index into the classes.")
    return labels


def check_clip(frames, size) -> np.ndarray:
    """Takes frames as they are, or says what is wrong with them.

    Args:
        frames: uint8 (n, H, W, 3).
        size: pixels of the side that the model wants.

    Returns:
        The same as an array.

    Raises:
        ValueError: another shape, or no frame at all.
    """
    frames = np.asarray(frames)
    if frames.ndim != 4 or frames.shape[1:] != (size, size, 3) or not len(frames):
        raise ValueError(
            f"Expected frames (n, {size}, {size}, 3), at least one. Received: {frames.shape}. Read them at that size."
        )
    return frames
