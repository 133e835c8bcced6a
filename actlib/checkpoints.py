"""Weights on disk, the same for both frameworks: safetensors with neutral names, and a JSON card about them.

Nothing here can run code from a file: no pickles. The neutral names, and how their arrays lie:

====================================  =======================  ======================================================
name                                  shape                    meaning
====================================  =======================  ======================================================
preprocess/mean, preprocess/std       (C,)                     RGB, in 0..255: (frame - mean) / std comes first
block1_conv1/kernel, /bias            (3, 3, in, out), (out,)  rows, columns, in (RGB at the first layer, or C), out
block1_conv1/gamma, /beta,            (out,) each              batch normalisation after that convolution, if any
/moving_mean, /moving_variance
hidden1/kernel, /bias                 (in, out), (out,)        features come flattened in the order (h, w, channel)
lstm1/kernel, /recurrent_kernel,      (in, 4u), (u, 4u),       u units; the four gates: input, forget, cell, output
/bias                                 (4u,)
logits/kernel, /bias                  (in, K), (K,)            the last layer
====================================  =======================  ======================================================
"""

import hashlib
import json
import zipfile
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file, save

from actlib import specs
from actlib.files import write_whole

FORMAT_VERSION = 2  # of cards: raise it when older code would misread a new one
IMAGENET_MEAN = (123.68, 116.779, 103.939)  # RGB; what Keras' VGG-16 weights want subtracted
_SPECS = {spec.__name__: spec for spec in (specs.VGGSpec, specs.FrameSpec, specs.LRCNSpec, specs.TrainSpec)}
_SPECS |= {"Preset": specs.Preset, "FlowSpec": specs.FlowSpec}


def read_weights(path) -> dict[str, np.ndarray]:
    """Read weights under their neutral names, as float32, from any of the files that hold them.

    Args:
        path: A `.safetensors` of this library, or a `.npz` or `.h5` with the names of Keras' VGG-16 without its head.
            Such a file wants BGR: its first kernel is turned to RGB, and its mean (and a std of 1) are added.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is of another kind, or damaged.

    Source: the BGR order and the means are those of `keras.applications.vgg16` (`caffe` mode).
    """
    path = _find_file(path)
    readers = {".safetensors": load_file, ".npz": _read_npz, ".h5": _read_h5}
    if path.suffix not in readers:
        raise ValueError(f"Expected a {', '.join(readers)} file. Received: {path}. Convert it, or choose another file.")
    try:
        weights = readers[path.suffix](path)
    except (OSError, EOFError, KeyError, ValueError, SafetensorError, zipfile.BadZipFile) as error:
        raise ValueError(f"Expected whole weights. Received: {error} in {path}. Get or make the file anew.") from error
    if "block1_conv1/kernel" in weights and "preprocess/mean" not in weights:
        kernel = weights["block1_conv1/kernel"][:, :, ::-1, :]  # (3, 3, BGR, out) -> (3, 3, RGB, out)
        weights |= {"preprocess/mean": IMAGENET_MEAN, "preprocess/std": np.ones(3), "block1_conv1/kernel": kernel}
    return {name: np.asarray(array, dtype=np.float32, order="C") for name, array in weights.items()}


def save_checkpoint(path, weights, card) -> Path:
    """Write weights and their card as a whole or not at all, and return the path.

    Args:
        path: Ends in `.safetensors`. The card goes inside and, for the eyes, into the `.json` of the same name.
        weights: Name -> array.
        card: A dict that JSON can hold; `format_version` is added.

    Example:
        >>> import tempfile
        >>> path = tempfile.mkdtemp() + "/tiny.safetensors"
        >>> path = save_checkpoint(path, {"logits/bias": np.zeros(2)}, {"kind": "frames"})
        >>> read_card(path), read_weights(path)["logits/bias"].dtype
        ({'kind': 'frames', 'format_version': 2}, dtype('float32'))
    """
    path = Path(path)
    if path.suffix != ".safetensors":
        raise ValueError(f"Expected a path that ends in .safetensors. Received: {path}. Change its ending.")
    arrays = {name: np.asarray(array, dtype=np.float32, order="C") for name, array in weights.items()}
    text = json.dumps(card | {"format_version": FORMAT_VERSION}, indent=1)
    write_whole(path, save(arrays, metadata={"card": text}))
    write_whole(path.with_suffix(".json"), text.encode())
    return path


def read_card(path, *names) -> dict:
    """Read the card of a `.safetensors` file, empty if it has none.

    Raises:
        ValueError: The file is damaged, its card lacks one of the names, or a later version of this library wrote it.
    """
    path = _find_file(path)
    try:
        with safe_open(path, framework="np") as file:
            card = json.loads((file.metadata() or {}).get("card", "{}"))
    except (OSError, ValueError, SafetensorError) as error:
        raise ValueError(f"Expected a whole .safetensors file. Received: {error} in {path}. Make it anew.") from error
    if (version := card.get("format_version", 0)) > FORMAT_VERSION:
        raise ValueError(f"Expected a card of version {FORMAT_VERSION}. Received: {version} in {path}. Update actlib.")
    if missing := [name for name in names if name not in card]:
        raise ValueError(
            f"Expected a card with {', '.join(names)}. Received: {path}, whose card lacks {', '.join(missing)}. "
            "Name a checkpoint that training wrote; if an earlier version of actlib wrote this one, train it anew."
        )
    return card


def check_weights(shapes, weights, *, partial=False) -> None:
    """Raise ValueError unless weights (name -> array) are those of a model (name -> shape), or some, with `partial`."""
    missing, extra = sorted(shapes.keys() - weights.keys()), sorted(weights.keys() - shapes.keys())
    differing = [name for name in weights if name in shapes and np.shape(weights[name]) != tuple(shapes[name])]
    other = [f"{name} of shape {tuple(shapes[name])} here {np.shape(weights[name])}" for name in differing]
    if extra or other or (missing and not partial):
        raise ValueError(
            f"Expected the weights of this model. Received: {len(missing)} missing {missing[:6]}, {len(extra)} left "
            f"over {extra[:6]}, {len(other)} of another shape {other[:6]}. Choose the file of this model, build the "
            "network that they are for, or take what fits with transfer_weights."
        )


def select_transferable(shapes, weights, vgg) -> dict[str, np.ndarray]:
    """Select the weights that a model (name -> shape) has too, but no logits; raise ValueError where there are none.

    Where its `VGGSpec` is for flow, weights that are for RGB keep their kernels, averaged over the colors and repeated
    if it has other channels, and get the mean of flow.

    Source: Wang et al., Temporal Segment Networks, arXiv 1608.00859, section 3.2, cross modality initialization.
    """
    if vgg.flow and (kernel := weights.get("block1_conv1/kernel")) is not None:
        if kernel.shape[2] != (channels := vgg.num_channels):
            kernel = np.repeat(kernel.mean(axis=2, keepdims=True), channels, axis=2)
        std = np.full(channels, np.mean(weights.get("preprocess/std", vgg.std)))
        weights = weights | {"preprocess/mean": vgg.mean, "preprocess/std": std, "block1_conv1/kernel": kernel}
    taken = {name: weights[name] for name in shapes if name in weights and not name.startswith("logits/")}
    if not taken:
        raise ValueError(
            f"Expected weights for some of {list(shapes)[:4]}... Received: {list(weights)[:4]}... Choose another file."
        )
    return taken


def weights_key(weights) -> str:
    """Return 12 hexadecimal digits that differ when any weight does; features on disk are named by them."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        array = np.asarray(weights[name], dtype=np.float32, order="C")
        digest.update(f"{name}{array.shape}".encode())
        digest.update(array.data)
    return digest.hexdigest()[:12]


def spec_to_json(spec) -> dict:
    """Return the fields of a dataclass of `specs` and, under "type", its class; specs inside it likewise.

    Example:
        >>> spec_to_json(specs.SLIM_FRAMES)["vgg"]["name"]
        'vgg_slim'
    """
    return json.loads(json.dumps(spec, default=lambda each: {"type": type(each).__name__, **vars(each)}))


def spec_from_json(data, path="a card"):
    """Make the spec that `spec_to_json` turned into a dict, or raise ValueError, which names the file."""
    try:
        return _from_json({**data})
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"Expected a spec of type {', '.join(_SPECS)} with its fields. Received: {error} in {path}. "
            "Train the model anew, or update actlib."
        ) from error


def _from_json(value):
    if isinstance(value, list):
        return tuple(map(_from_json, value))
    if not isinstance(value, dict):
        return value
    fields = {name: _from_json(item) for name, item in value.items()}
    return _SPECS[fields.pop("type")](**fields)


def _find_file(path) -> Path:
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"Expected a file with weights. Received: {path}, which is not there. Check the path.")
    return path


def _read_npz(path):
    with np.load(path, allow_pickle=False) as file:
        return dict(file)


def _read_h5(path):
    import h5py  # only such files need it

    weights = {}

    def visit(name, item):
        if isinstance(item, h5py.Dataset):  # "block1_conv1/block1_conv1_W_1:0", and other endings in other versions
            weights[f"{name.split('/')[0]}/{'kernel' if item.ndim > 1 else 'bias'}"] = item[()]

    with h5py.File(path) as file:
        file.visititems(visit)
    return weights
