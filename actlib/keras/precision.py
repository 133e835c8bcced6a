"""In which precision networks compute: bfloat16 where the machine gains from it."""

import contextlib
import functools

import numpy as np
from keras import ops

from actlib import run
from actlib.keras import vgg


def are_features(x):
    """Tells stored features from frames.

    Args:
        x: array of a batch.

    Returns:
        True for floats, False for uint8.
    """
    return np.issubdtype(np.asarray(x).dtype, np.floating)


def has_fast_bf16():
    """Says whether bfloat16 is faster here.

    Returns:
        True on a GPU, and on a CPU that multiplies bfloat16 in hardware.
    """
    on_cpu = "cpu" in str(ops.zeros(1).device).lower()  # every backend's arrays say where they are
    return run.has_fast_bf16() if on_cpu else True


def feature_precision() -> str:
    """Return the precision in which `extract_features` computes on this machine: "bfloat16" or "float32"."""
    return "bfloat16" if has_fast_bf16() else "float32"


@contextlib.contextmanager
def compute_in_bf16(model, enabled):
    """Has a model's layers compute in bfloat16 inside a `with`; their weights, and the logits, stay float32.

    Args:
        model: a `FrameClassifier` or an `LRCN`.
        enabled: False, or a machine that does not gain from it, changes nothing.
    """
    layers = _computing_layers(model.convolutions, model.head) if enabled and has_fast_bf16() else []
    before = [layer.dtype_policy for layer in layers]
    for layer in layers:
        layer.dtype_policy = "mixed_bfloat16"
    try:
        yield
    finally:
        for layer, policy in zip(layers, before, strict=True):
            layer.dtype_policy = policy


@functools.lru_cache(maxsize=1)
def bf16_twin(spec):
    """Makes convolutions that compute in bfloat16; kept, as Keras compiles them at their first call.

    Args:
        spec: a `VGGSpec`.

    Returns:
        A `VGG` with weights of its own.
    """
    twin = vgg.VGG(spec)
    for layer in _computing_layers(twin):
        layer.dtype_policy = "mixed_bfloat16"
    return twin


def _computing_layers(*parts):
    layers = [layer for part in parts for layer in part.layers if layer.name not in ("preprocess", "logits")]
    return layers + [layer.cell for layer in layers if hasattr(layer, "cell")]  # an LSTM computes in its cell
