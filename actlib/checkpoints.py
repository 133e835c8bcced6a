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
import math
import zipfile
from pathlib import Path

import numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file, save

from actlib import cards, files, paths, schema, specs

SMALL_BYTES = 100_000_000  # of weights in memory, whatever the size of their file
_BATCH_NORM = ("gamma", "beta", "moving_mean", "moving_variance")
_LOWEST = {"std": 1e-3, "moving_variance": 0.0}


def read_weights(path) -> dict[str, np.ndarray]:
    """Read weights under their neutral names, as float32, from any of the files that hold them.

    Args:
        path: A `.safetensors` of this library, or a `.npz` or `.h5` with the names of Keras' VGG-16 without its head.
            Such a file wants BGR (`caffe` mode): its first kernel is turned to RGB, and mean and std are added.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is of another kind, or damaged.
    """
    path = require_weights(path)
    readers = {".safetensors": load_file, ".npz": _read_npz, ".h5": _read_h5}
    if path.suffix not in readers:
        raise ValueError(f"Expected a {', '.join(readers)} file. Received: {path}. Convert it, or choose another file.")
    try:
        weights = readers[path.suffix](path)
        if "block1_conv1/kernel" in weights and "preprocess/mean" not in weights:
            kernel = weights["block1_conv1/kernel"][:, :, ::-1, :]  # (3, 3, BGR, out) -> (3, 3, RGB, out)
            given = {"preprocess/mean": np.array(specs.VGG16.mean), "preprocess/std": np.array(specs.VGG16.std)}
            weights |= given | {"block1_conv1/kernel": kernel}
        if others := [f"{name} of {array.dtype}" for name, array in weights.items() if array.dtype.kind != "f"]:
            raise ValueError(f"no floating-point numbers in {', '.join(others[:6])}")
        with np.errstate(over="ignore"):  # infinity is refused by check_weights
            return {name: np.asarray(array, dtype=np.float32, order="C") for name, array in weights.items()}
    except Exception as error:  # libraries raise many kinds for what is damaged or made to harm
        cause = str(error) or type(error).__name__
        raise ValueError(f"Expected whole weights. Received: {cause} in {path}. Get or make the file again.") from error


def save_checkpoint(path, weights, card) -> Path:
    """Write weights and their card as a whole or not at all, and return the path.

    Args:
        path: Ends in `.safetensors`. The card goes inside and, for the eyes, into the `.json` of the same name.
        weights: Name -> array.
        card: A dict of specs and of what JSON can hold, to which `format_version` is added.
    """
    path = Path(path)
    if path.suffix != ".safetensors":
        raise ValueError(f"Expected a path that ends in .safetensors. Received: {path}. Change its ending.")
    arrays = {name: np.asarray(array, dtype=np.float32, order="C") for name, array in weights.items()}
    text = json.dumps(card | {"format_version": cards.FORMAT_VERSION}, indent=1, default=vars)
    files.write_whole(path, save(arrays, metadata={"card": text}))
    files.write_whole(path.with_suffix(".json"), text.encode())
    return path


def read_card(path, *names) -> dict:
    """Read the card of a `.safetensors` file, {} if it has none; its specs are specs again.

    Args:
        path: The file.
        *names: What the card has to have.

    Raises:
        ValueError: The file is damaged or of a later version, or its card lacks a name or is otherwise no `Card`.
    """
    path = require_weights(path)
    try:
        with safe_open(path, framework="np") as file:
            text = (file.metadata() or {}).get("card", "{}")
    except Exception as error:
        raise ValueError(f"Expected a whole .safetensors file. Received: {error} in {path}. Make it again.") from error
    card = schema.parse_json(text, cards.Card, path)
    if missing := [name for name in names if name not in card]:
        found = f"Expected a card with {', '.join(names)}. Received: {path}, whose card lacks {', '.join(missing)}."
        raise ValueError(f"{found} Name a checkpoint that training wrote; if an earlier actlib did, train it again.")
    return card


def read_model(path):
    """Read a model's card and weights: (card, name -> array), which fit each other, before anything is built of them.

    Args:
        path: The `.safetensors`; a head without convolutions is completed by ImageNet's VGG-16.

    Raises:
        FileNotFoundError: There is no such file, or a head without ImageNet's weights.
        ValueError: As `read_card` and `read_weights` do, or the card describes other weights than there are.
    """
    card, weights = read_card(path, "spec", "num_classes"), read_weights(path)
    spec, num_classes, vgg = card["spec"], card["num_classes"], getattr(card["spec"], "vgg", None)
    if vgg and vgg.blocks == specs.VGG16.blocks and "block1_conv1/kernel" not in weights:
        backbone = read_weights(file := paths.vgg16_file())  # a head was trained on what its convolutions give
        if not np.array_equal(backbone["preprocess/mean"], weights.get("preprocess/mean")):
            raise ValueError(f"Expected the VGG-16 behind {path}. Received: another, {file}. Fetch Keras'.")
        weights = backbone | weights
    if not vgg or len(card.get("classes", range(num_classes))) != num_classes:
        found = f"a {spec.type} of {num_classes} classes, others are named"
        raise ValueError(f"Expected the card of a classifier. Received: {found} in {path}. Choose another file.")
    check_weights(list_shapes(spec, num_classes), weights, source=path)
    return card, weights


def list_shapes(spec, num_classes=None):
    """List the weights of a network: neutral name -> shape.

    Args:
        spec: A `FrameSpec` or an `LRCNSpec`, or a `VGGSpec`: the convolutions alone.
        num_classes: K.
    """
    vgg, frames = getattr(spec, "vgg", spec), getattr(spec, "frames", spec)
    inputs = vgg.num_channels
    shapes = {"preprocess/mean": (inputs,), "preprocess/std": (inputs,)}
    for block, (count, width) in enumerate(vgg.blocks, 1):
        for number in range(1, count + 1):
            name = f"block{block}_conv{number}"
            shapes |= {f"{name}/kernel": (3, 3, inputs, width), f"{name}/bias": (width,)}
            shapes |= {f"{name}/{part}": (width,) for part in _BATCH_NORM if vgg.batch_norm}
            inputs = width
    if spec is vgg:
        return shapes
    inputs = vgg.num_features
    layers = {"hidden": frames.hidden, "lstm": getattr(spec, "lstm", ()), "logits": (num_classes,)}
    for layer, number, units in ((kind, n, u) for kind, widths in layers.items() for n, u in enumerate(widths, 1)):
        name, width = layer if layer == "logits" else f"{layer}{number}", units * (4 if layer == "lstm" else 1)
        shapes |= {f"{name}/kernel": (inputs, width), f"{name}/bias": (width,)}
        shapes |= {f"{name}/recurrent_kernel": (units, width)} if layer == "lstm" else {}
        inputs = units
    return shapes


def check_weights(shapes, weights, *, partial=False, source="memory") -> None:
    """Raise ValueError unless weights are those of a model and can be computed with.

    Args:
        shapes: Neutral name -> shape, of the model.
        weights: Neutral name -> array.
        partial: Some of them are enough.
        source: Where they are from, for the message.
    """
    missing, extra = sorted(shapes.keys() - weights.keys()), sorted(weights.keys() - shapes.keys())
    differing = [name for name in weights if name in shapes and np.shape(weights[name]) != tuple(shapes[name])]
    other = [f"{name} of shape {tuple(shapes[name])} here {np.shape(weights[name])}" for name in differing]
    bad = [name for name, array in weights.items() if not np.isfinite(array).all()]
    bad += [name for name in weights if np.less(weights[name], _LOWEST.get(name.partition("/")[2], -np.inf)).any()]
    if extra or other or bad or (missing and not partial):
        kinds = {"missing": missing, "left over": extra, "of another shape": other}
        kinds |= {"with numbers that cannot be computed with": bad}
        found = ", ".join(f"{len(names)} {kind} {names[:6]}" for kind, names in kinds.items())
        advice = "Choose the file of this model, or take what fits with build_model(weights=...)."
        raise ValueError(f"Expected the weights of this model. Received: {found}, from {source}. {advice}")


def weights_key(weights) -> str:
    """Return 12 hexadecimal digits that differ when any weight does; features on disk are named by them.

    Args:
        weights: Neutral name -> array.
    """
    digest = hashlib.sha256()
    for name in sorted(weights):
        array = np.asarray(weights[name], dtype=np.float32, order="C")
        digest.update(f"{name}{array.shape}".encode())
        digest.update(array.data)
    return digest.hexdigest()[:12]


def require_weights(path) -> Path:
    """Return a path of weights; a FileNotFoundError, if they are not there, says what makes them.

    Args:
        path: The file.
    """
    path = Path(path)
    if not path.is_file():
        command = paths.console_script()
        advice = f"Run the lesson that trains them, or '{command} train', first; ImageNet's: '{command} fetch vgg16'."
        raise FileNotFoundError(f"Expected weights in {path}. Received: no such file. {advice}")
    return path


def _check_size(num_bytes, path):
    """Raise ValueError where a file unpacks to far more than it holds, as weights that were learned never do."""
    if num_bytes > max(SMALL_BYTES, 8 * path.stat().st_size):
        raise ValueError(f"{files.format_size(num_bytes)} of numbers out of {files.format_size(path.stat().st_size)}")


def _read_npz(path):
    with np.load(path, allow_pickle=False) as file:
        sizes = [info.file_size for info in file.zip.infolist() if info.compress_type <= zipfile.ZIP_DEFLATED]
        _check_size(sum(sizes) if len(sizes) == len(file.zip.infolist()) else math.inf, path)  # others know no bound
        return dict(file)


def _read_h5(path):
    import h5py  # only such files need it

    found = {}

    def visit(name, item):  # what is only linked to is not visited
        if isinstance(item, h5py.Dataset):  # "block1_conv1/block1_conv1_W_1:0", and other endings in other versions
            found[f"{name.split('/')[0]}/{'kernel' if item.ndim > 1 else 'bias'}"] = item

    with h5py.File(path) as file:
        file.visititems(visit)
        if outside := [name for name, item in found.items() if item.external or item.is_virtual]:
            raise ValueError(f"numbers that lie in other files: {', '.join(outside[:6])}")
        sizes = (max(item.size or 0, math.prod(item.chunks or ())) * item.dtype.itemsize for item in found.values())
        _check_size(sum(sizes), path)
        return {name: np.asarray(item[()]) for name, item in found.items()}
