"""Initial weights, drawn by NumPy: with one seed both frameworks start from the same numbers.

The distributions are Keras' defaults, with He's for convolutions that a ReLU follows.
"""

import zlib

import numpy as np


def init_weights(shapes, *, seed=0) -> dict[str, np.ndarray]:
    """Draws the weights that an untrained model starts from.

    Each name has a stream of its own, so the same layer starts the same in every model that has it.

    Args:
        shapes: neutral name -> shape, see `checkpoints`.
        seed: any int from 0; another seed, other weights.

    Returns:
        Name -> float32 array.

    Example:
        >>> drawn = init_weights({"logits/kernel": (64, 7), "logits/bias": (7,)}, seed=3)
        >>> float(abs(drawn["logits/kernel"]).max()) < (6 / (64 + 7)) ** 0.5, drawn["logits/bias"].any()
        (True, np.False_)
    """
    return {name: _draw(name, shape, seed).astype(np.float32) for name, shape in shapes.items()}


def _draw(name, shape, seed):
    layer, kind = name.split("/")
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    if kind == "kernel":
        return _draw_kernel(shape, rng, relu=layer.startswith("block"))
    if kind == "recurrent_kernel":
        return _draw_orthogonal(shape, rng)
    if kind in ("gamma", "moving_variance", "std"):
        return np.ones(shape)
    zeros = np.zeros(shape)
    if layer.startswith("lstm"):  # (4u,): input, forget, cell, output
        zeros[shape[0] // 4 : shape[0] // 2] = 1  # the forget gate starts open
    return zeros


def _draw_kernel(shape, rng, *, relu):
    window = int(np.prod(shape[:-2]))  # 3 x 3 of a convolution, 1 of a matrix
    fan_in, fan_out = window * shape[-2], window * shape[-1]
    limit = np.sqrt(6 / fan_in) if relu else np.sqrt(6 / (fan_in + fan_out))  # He, or Glorot
    return (rng.random(shape, dtype=np.float32) * 2 - 1) * np.float32(limit)


def _draw_orthogonal(shape, rng):
    units, width = shape  # (u, 4u): the rows become orthonormal
    q, r = np.linalg.qr(rng.standard_normal((width, units)))
    return (q * np.sign(np.diag(r))).T
