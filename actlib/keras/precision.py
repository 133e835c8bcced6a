"""Where networks compute and in which precision: on the GPU if there is one, in bfloat16 where that is faster."""

import contextlib
import functools
import sys

import keras
import numpy as np
from keras import ops

from actlib import machine
from actlib.keras.vgg import VGG

if ON_TORCH := keras.backend.backend() == "torch":
    from actlib.torch import precision  # a Keras model is one of PyTorch's there

FRAMES_AT_ONCE = 32  # frames that go through convolutions together: enough for full speed, little memory


def default_device():
    """Return the name of the best device there is: a GPU's, or "cpu"."""
    device = str(ops.zeros(1).device).lower()  # every backend's arrays say where they are
    return "cpu" if "cpu" in device else "gpu"


def describe_device() -> dict:
    """Describe what computes and the most of its memory that was held, in bytes (None: it does not tell)."""
    peak = None
    if default_device() == "gpu" and keras.backend.backend() == "tensorflow":  # which Keras has imported
        peak = sys.modules["tensorflow"].config.experimental.get_memory_info("GPU:0")["peak"]
    return precision.describe_device() if ON_TORCH else {"device": default_device(), "device_memory": peak}


def feature_precision(model) -> str:
    """Name the precision in which `extract_features` computes for a model: "bfloat16" if faster there, or "float32"."""
    if ON_TORCH:
        return precision.feature_precision(model)
    fast = machine.has_fast_bf16() if default_device() == "cpu" else machine.gpu_has_bf16()
    return "bfloat16" if fast else "float32"


@contextlib.contextmanager
def compute_in_bf16(model, enabled):
    """Have a model compute in bfloat16 in a `with`, if enabled and faster there; weights and logits stay float32."""
    enabled = enabled and feature_precision(model) == "bfloat16"
    layers = _computing_layers(model.convolutions, model.head) if enabled else []
    before = [layer.dtype_policy for layer in layers]
    for layer in layers:
        layer.dtype_policy = "mixed_bfloat16"
    try:
        yield
    finally:
        for layer, policy in zip(layers, before, strict=True):
            layer.dtype_policy = policy


def check_compiler() -> None:
    """Raise RuntimeError unless the machine can compile what a training computes, as `TrainSpec.compile` asks for."""
    if ON_TORCH:
        precision.check_compiler()


def fork_random(model):
    """Give a function that seeds a model's dropout inside a `with`; the caller's random numbers stay as they are."""
    return precision.fork_random(model) if ON_TORCH else contextlib.nullcontext(functools.partial(_seed, model.head))


def fast_kernels(model, *, one_thread=False):
    """Let a GPU multiply in TF32 and try which convolutions are fastest inside a `with`; a CPU may use one thread."""
    # Others choose for themselves.
    return precision.fast_kernels(model, one_thread=one_thread) if ON_TORCH else contextlib.nullcontext()


def bf16_copy(convolutions):
    """Copy convolutions into ones that compute in bfloat16."""
    twin = _make_bf16_twin(convolutions.spec)
    for ours, theirs in zip(twin.weights, convolutions.weights, strict=True):
        ours.assign(ops.copy(theirs))  # a copy: JAX gives an array's memory away when it is done with it
    return twin


def convolve_in_parts(convolutions, frames, *, batch_size=FRAMES_AT_ONCE):
    """Convolve frames, uint8 (..., H, W, C) -> float32 (..., D), some at a time, so that memory stays small."""
    flat, num_features = frames.reshape(-1, *frames.shape[-3:]), convolutions.spec.num_features  # (n, H, W, C)
    parts = [flat[start : start + batch_size] for start in range(0, len(flat), batch_size)]
    rows = [np.zeros((0, num_features), np.float32), *map(convolutions.predict_on_batch, parts)]
    return np.concatenate(rows).reshape(*frames.shape[:-3], num_features)


@functools.lru_cache(maxsize=1)
def _make_bf16_twin(spec):
    """Convolutions that compute in bfloat16; kept, as Keras compiles them at their first call."""
    twin = VGG(spec)
    for layer in _computing_layers(twin):
        layer.dtype_policy = "mixed_bfloat16"
    return twin


def _seed(head, seed):
    generators = [layer.seed_generator for layer in head.layers if hasattr(layer, "seed_generator")]
    for number, generator in enumerate(generators):
        generator.state.assign(np.array([seed, number], "uint32"))


def _computing_layers(*parts):
    exact = ("preprocess", "pooling", "normalize", "logits")
    layers = [layer for part in parts for layer in part.layers if layer.name not in exact]
    return layers + [layer.cell for layer in layers if hasattr(layer, "cell")]  # an LSTM computes in its cell
