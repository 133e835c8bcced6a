"""Weights on disk, the same for both frameworks: safetensors with neutral names, and a JSON card about them.

Nothing here can run code from a file: no pickles. The neutral names, and how their arrays lie:

====================================  =======================  ======================================================
name                                  shape                    meaning
====================================  =======================  ======================================================
preprocess/mean, preprocess/std       (3,)                     RGB, in 0..255: (frame - mean) / std comes first
block1_conv1/kernel, /bias            (3, 3, in, out), (out,)  rows, columns, in (RGB at the first layer), out
block1_conv1/gamma, /beta,            (out,) each              batch normalisation after that convolution, if any
/moving_mean, /moving_variance
hidden1/kernel, /bias                 (in, out), (out,)        features come flattened in the order (h, w, channel)
lstm1/kernel, /recurrent_kernel,      (in, 4u), (u, 4u),       u units; the four gates: input, forget, cell, output
/bias                                 (4u,)
logits/kernel, /bias                  (in, K), (K,)            the last layer
====================================  =======================  ======================================================
"""

import dataclasses
import hashlib
import json
import zipfile
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from actlib import specs
from actlib.files import write_whole

IMAGENET_MEAN = (123.68, 116.779, 103.939)  # RGB; what Keras' VGG-16 weights want subtracted


def read_weights(path) -> dict[str, np.ndarray]:
    """Reads weights under their neutral names from any of the files that hold them.

    Args:
        path: a `.safetensors` of this library, or a `.npz` or `.h5` with the names of Keras' VGG-16 without its head.
            Such a file wants BGR: its first kernel is turned to RGB, and its mean (and a std of 1) are added.

    Returns:
        Name -> float32 array.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is of another kind, or damaged.

    Source: the BGR order and the means are those of `keras.applications.vgg16` (`caffe` mode).
    """
    path = _existing(path)
    readers = {".safetensors": _read_safetensors, ".npz": _read_npz, ".h5": _read_h5}
    if path.suffix not in readers:
        raise ValueError(f"Expected a {', '.join(readers)} file. Received: {path}. Convert it, or choose another file.")
    try:
        weights = readers[path.suffix](path)
    except (OSError, EOFError, KeyError, ValueError, SafetensorError, zipfile.BadZipFile) as error:
        raise ValueError(f"Expected whole weights. Received: {error} in {path}. Get or make the file anew.") from error
    if "block1_conv1/kernel" in weights and "preprocess/mean" not in weights:
        weights = _from_bgr(weights)
    return {name: np.asarray(array, dtype=np.float32, order="C") for name, array in weights.items()}


def save_checkpoint(path, weights, card) -> Path:
    """Writes weights and their card; a reader sees the old file or the new one, never half of one.

    Args:
        path: ends in `.safetensors`. The card goes inside and, for the eyes, into the `.json` of the same name.
        weights: name -> array.
        card: a dict that JSON can hold: kind, spec, classes, data, seed, framework, versions, metrics.

    Returns:
        The path.

    Raises:
        ValueError: the path does not end in `.safetensors`.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> path = save_checkpoint(folder / "tiny.safetensors", {"logits/bias": np.zeros(2)}, {"kind": "frames"})
        >>> read_card(path), read_weights(path)["logits/bias"].dtype
        ({'kind': 'frames'}, dtype('float32'))
    """
    path = Path(path)
    if path.suffix != ".safetensors":
        raise ValueError(f"Expected a path that ends in .safetensors. Received: {path}. Change its ending.")
    arrays = {name: np.asarray(array, dtype=np.float32, order="C") for name, array in weights.items()}
    text = json.dumps(card, indent=1)
    write_whole(path, save(arrays, metadata={"card": text}))
    write_whole(path.with_suffix(".json"), text.encode())
    return path


def read_card(path) -> dict:
    """Reads what a checkpoint says of itself.

    Args:
        path: the `.safetensors` file.

    Returns:
        The card; empty if the file has none.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is damaged.
    """
    path = _existing(path)
    try:
        with safe_open(path, framework="np") as file:
            return json.loads((file.metadata() or {}).get("card", "{}"))
    except (OSError, SafetensorError) as error:
        raise ValueError(f"Expected a whole .safetensors file. Received: {error} in {path}. Make it anew.") from error


def weights_key(weights) -> str:
    """Gives 12 hexadecimal digits that differ when any weight does; features on disk are kept under it.

    Args:
        weights: name -> array.

    Returns:
        The digits.

    Example:
        >>> weights_key({"logits/bias": np.zeros(2)}) == weights_key({"logits/bias": np.zeros(2, np.float32)})
        True
    """
    digest = hashlib.sha256()
    for name in sorted(weights):
        array = np.asarray(weights[name], dtype=np.float32, order="C")
        digest.update(f"{name}{array.shape}".encode())
        digest.update(array.data)
    return digest.hexdigest()[:12]


def spec_to_json(spec) -> dict:
    """Turns a spec into what JSON can hold.

    Args:
        spec: one of the dataclasses of `specs`.

    Returns:
        Its fields and, under "type", its class; specs inside it likewise.

    Example:
        >>> spec_to_json(specs.SLIM_FRAMES)["vgg"]["name"]
        'vgg_slim'
    """
    fields = {field.name: getattr(spec, field.name) for field in dataclasses.fields(spec)}
    fields = {name: spec_to_json(value) if dataclasses.is_dataclass(value) else value for name, value in fields.items()}
    return {"type": type(spec).__name__, **json.loads(json.dumps(fields))}  # tuples become lists, as in a file


def spec_from_json(data):
    """Makes the spec that `spec_to_json` turned into a dict.

    Args:
        data: the dict, as JSON gives it back.

    Returns:
        An equal spec.

    Raises:
        ValueError: the type is not a spec of this library.

    Example:
        >>> spec_from_json(spec_to_json(specs.SLIM_FRAMES)) == specs.SLIM_FRAMES
        True
    """
    kinds = {kind.__name__: kind for kind in (specs.VGGSpec, specs.FrameSpec, specs.LRCNSpec, specs.TrainSpec)}
    if data.get("type") not in kinds:
        raise ValueError(f"Expected a type among {sorted(kinds)}. Received: {data.get('type')!r}. Check the card.")
    fields = {name: _field_from_json(value) for name, value in data.items() if name != "type"}
    return kinds[data["type"]](**fields)


def _field_from_json(value):
    if isinstance(value, dict):
        return spec_from_json(value)
    return tuple(_field_from_json(item) for item in value) if isinstance(value, list) else value


def _existing(path) -> Path:
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"Expected a file with weights. Received: {path}, which is not there. Check the path.")
    return path


def _read_safetensors(path):
    with safe_open(path, framework="np") as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)


def _read_npz(path):
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def _read_h5(path):
    import h5py  # only such files need it

    weights = {}

    def visit(name, item):
        if isinstance(item, h5py.Dataset):  # "block1_conv1/block1_conv1_W_1:0", and other endings in other versions
            weights[f"{name.split('/')[0]}/{'kernel' if item.ndim > 1 else 'bias'}"] = item[()]

    with h5py.File(path) as file:
        file.visititems(visit)
    return weights


def _from_bgr(weights):
    kernel = weights["block1_conv1/kernel"][:, :, ::-1, :]  # (3, 3, BGR, out) -> (3, 3, RGB, out)
    mean, std = np.float32(IMAGENET_MEAN), np.ones(3, np.float32)
    return {"preprocess/mean": mean, "preprocess/std": std, **weights, "block1_conv1/kernel": kernel}
