"""The Keras twin: the same files, names, arguments and docstrings as `actlib.torch`, on the same weights.

The flow::

    vgg -> lrcn, distributed -> weights -> precision, dataset, augmentation -> trainer -> training; saliency

Models take uint8 RGB (N, T, H, W, C) and give float32 logits (N, T, K) or (N, K); `training` takes and gives NumPy
arrays. Only Keras 3 is used (`keras.ops`), so it runs on TensorFlow (the default, where it is), PyTorch and JAX: set
`KERAS_BACKEND` before the first import. TensorFlow's notices about itself are kept from the reader; its errors are not.
"""

import contextlib
import logging
import os
from importlib.util import find_spec

os.environ.setdefault("KERAS_BACKEND", "tensorflow" if find_spec("tensorflow") else "torch")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # errors of TensorFlow reach us as exceptions, the rest is chatter
if os.environ["KERAS_BACKEND"] != "tensorflow":  # `keras.utils.set_random_seed` imports it all the same
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # else it says at any log level that it has them
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")  # take no more of a GPU than is needed: PyTorch may want it


@contextlib.contextmanager
def _hold_notices():
    """Drop what C++ writes to the error stream before any log level counts; errors are raised."""
    shown = os.dup(2)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(shown, 2)
        os.close(shown)


with _hold_notices():
    import keras

    keras.ops.zeros(1)  # opens the device, which has notices of its own
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # in Jupyter, TensorFlow asks for more when it is imported
