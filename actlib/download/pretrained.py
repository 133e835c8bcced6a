"""ImageNet's VGG-16, from Keras or from torchvision -> one file for both frameworks, with the preprocessing it wants.

The two families were trained on differently prepared frames: Keras' on 0..255 less a mean, torchvision's on 0..1 less
a mean and divided by a deviation. Fed the other's frames, a network only guesses; so the file carries its mean and
deviation, and the values of the first filter tell whether they are the right ones.
"""

import os
import pickle
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

from actlib import checkpoints
from actlib.download.connection import PATIENCE
from actlib.download.disk import check_disk, explain_full_disk, format_size, wait_turn
from actlib.download.transfer import download
from actlib.paths import home_folder
from actlib.specs import VGG16

URL = (  # or name another in ACTLIB_VGG16_URL
    "https://storage.googleapis.com/tensorflow/keras-applications/vgg16/"
    "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"
)
SIZE, CHECKSUM = 58_889_256, "md5:6d6bbae143d832006294945121d1f1fc"
FAMILIES = {  # name -> (mean, std) of RGB frames in 0..255
    "keras": (VGG16.mean, VGG16.std),
    "torchvision": ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
}
FIRST_FILTERS = {  # name -> what the first filter does with red and with blue, row by row, to four decimals
    "keras": (
        (0.4800, 0.4085, -0.0651, 0.3105, 0.0502, -0.4034, -0.0509, -0.2852, -0.4185),
        (0.4295, 0.3735, -0.0614, 0.2748, 0.0387, -0.3672, -0.0575, -0.2623, -0.3501),
    ),
    "torchvision": (
        (-0.5537, 0.1427, 0.5290, -0.5831, 0.3566, 0.7657, -0.6902, -0.0480, 0.4841),
        (0.3130, -0.1659, -0.4275, 0.4752, -0.0827, -0.4870, 0.6320, 0.0193, -0.2775),
    ),
}
TOLERANCE = 0.02  # fine-tuning moves the first filter by less; the closest two of the above differ by 0.07


def fetch_vgg16(*, source=None, folder=None, patience=PATIENCE, progress=True) -> Path:
    """Fetches VGG-16 without its head, trained on ImageNet, and writes it under the library's own names.

    Args:
        source: a `.h5` or `.npz` with Keras' names, a `.safetensors` of this library, torchvision's `.pth`, or the URL
            of one; None means Keras' own file. Without a source, a file that is already there is left alone.
        folder: where `vgg16_imagenet.safetensors` and its card go; None means `pretrained` at home.
        patience: how long to wait, how often to try.
        progress: say what goes on.

    Returns:
        The path of the `.safetensors` file.

    Raises:
        DownloadError: it cannot be had.
        ValueError: the file holds something else, or its values belong to the other family's preprocessing.
    """
    folder = Path(folder) if folder else home_folder() / "pretrained"
    path = folder / "vgg16_imagenet.safetensors"
    with wait_turn(path, progress=progress):
        if source is None and path.is_file():
            check_vgg16(checkpoints.read_weights(path), path)
            return path
        file, origin = _get_file(source, folder, patience=patience, progress=progress)
        weights = _keep_convolutions(_read(file), file)
        family = check_vgg16(weights, file)
        check_disk(folder, SIZE)
        with explain_full_disk(path):
            checkpoints.save_checkpoint(path, weights, _describe(weights, family, origin))
        if file.parent == folder and origin.startswith("http"):
            file.unlink()
    if progress:
        print(f"VGG-16 ({family}'s) from {origin} -> {path} ({format_size(path.stat().st_size)})")
    return path


def check_vgg16(weights, source) -> str:
    """Makes sure that weights are VGG-16's, and that their preprocessing is the one they were trained with.

    Args:
        weights: neutral name -> array, with `preprocess/mean` and `preprocess/std`.
        source: where they come from, for the message.

    Returns:
        "keras" or "torchvision".

    Raises:
        ValueError: something is missing, has another shape, is not finite, or is prepared for the other family.
    """
    for name, shape in _shapes().items():
        if name not in weights or weights[name].shape != shape:
            received = weights[name].shape if name in weights else "nothing under that name"
            raise ValueError(
                f"Expected VGG-16 without batch normalisation, with {name} of shape {shape}. Received: {received} in "
                f"{source}. Choose Keras' no-top file or torchvision's vgg16-397923af.pth."
            )
        if not np.isfinite(weights[name]).all():
            raise ValueError(f"Expected finite numbers. Received: others in {name} of {source}. Fetch it again.")
    declared = _declared_family(weights, source)
    values = recognise_family(weights)
    if values not in (None, declared):
        raise ValueError(
            f"Expected weights that fit the preprocessing they come with ({declared}'s, RGB). Received: the values of "
            f"{values} in {source}; they would see frames they never learnt. Take the file from its publisher."
        )
    return declared


def recognise_family(weights) -> str | None:
    """Tells by the first filter whose published weights these are.

    Args:
        weights: with `block1_conv1/kernel` (3, 3, RGB, 64).

    Returns:
        "keras" or "torchvision", the same with " with red and blue swapped", or None if it knows neither.
    """
    first = weights["block1_conv1/kernel"][..., 0]  # (3, 3, RGB)
    for family, planes in FIRST_FILTERS.items():
        for order, name in (((0, 2), family), ((2, 0), f"{family} with red and blue swapped")):
            if np.abs(first[..., order].reshape(9, 2).T - planes).max() < TOLERANCE:
                return name
    return None


def _get_file(source, folder, *, patience, progress):
    """-> (local file, where it comes from)."""
    url = str(source or os.environ.get("ACTLIB_VGG16_URL") or URL)
    if not url.startswith(("http://", "https://")):
        return Path(url), url
    known = {"size": SIZE, "checksum": CHECKSUM} if source is None else {}
    name = Path(urlsplit(url).path).name
    return download(url, folder / name, **known, patience=patience, progress=progress), url


def _read(file):
    if file.suffix not in (".pth", ".pt"):
        return checkpoints.read_weights(file)
    if not file.is_file():
        raise FileNotFoundError(f"Expected a file with weights. Received: {file}, which is not there. Check the path.")
    from actlib.torch.weights import read_state_dict

    try:
        weights = read_state_dict(file)
    except (pickle.UnpicklingError, RuntimeError, EOFError, AttributeError, KeyError) as error:
        raise ValueError(
            f"Expected torchvision's vgg16-397923af.pth: tensors, and nothing that runs code. Received: {file} "
            f"({str(error)[:120]}). Take it from its publisher."
        ) from error
    values = recognise_family(weights)
    if values and values.startswith("keras"):  # Caffe's weights under torchvision's names, which several sites offer
        mean, std = np.float32(FAMILIES["keras"])
        weights |= {"preprocess/mean": mean, "preprocess/std": std}
        if values.endswith("swapped"):
            weights["block1_conv1/kernel"] = weights["block1_conv1/kernel"][:, :, ::-1, :]  # BGR -> RGB
    return weights


def _keep_convolutions(weights, file):
    """Drops the head that a whole VGG-16 brings along."""
    kept = {name: array for name, array in weights.items() if name in _shapes() or name.startswith("preprocess/")}
    if not kept:
        raise ValueError(
            f"Expected VGG-16's convolutions (block1_conv1/kernel ...). Received: {', '.join(sorted(weights)[:4])} ... "
            f"in {file}. Choose Keras' no-top file or torchvision's vgg16-397923af.pth."
        )
    return kept


def _shapes():
    """Neutral name -> shape of everything in VGG-16's convolutions."""
    shapes, inputs = {"preprocess/mean": (3,), "preprocess/std": (3,)}, 3
    for block, (count, width) in enumerate(VGG16.blocks, 1):
        for number in range(1, count + 1):
            shapes[f"block{block}_conv{number}/kernel"] = (3, 3, inputs, width)
            shapes[f"block{block}_conv{number}/bias"] = (width,)
            inputs = width
    return shapes


def _declared_family(weights, source):
    mean, std = weights["preprocess/mean"], weights["preprocess/std"]
    for family, numbers in FAMILIES.items():
        if np.allclose((mean, std), numbers, atol=0.01):
            return family
    raise ValueError(
        f"Expected the preprocessing of Keras' or torchvision's VGG-16. Received: mean {mean}, std {std} in {source}. "
        "ImageNet's weights want one of those two."
    )


def _describe(weights, family, origin):
    mean, std = FAMILIES[family]
    return {
        "kind": "convolutions",
        "spec": checkpoints.spec_to_json(replace(VGG16, mean=mean, std=std)),
        "family": family,
        "values": "published" if recognise_family(weights) == family else "not the published ones",
        "weights_key": checkpoints.weights_key(weights),
        "from": origin if origin.startswith("http") else Path(origin).name,
        "data": {"name": "ImageNet, ILSVRC"},
        "citation": "Simonyan and Zisserman, Very Deep Convolutional Networks, arXiv 1409.1556",
        "licence": {
            "keras": "Creative Commons Attribution, as Oxford's Visual Geometry Group released them",
            "torchvision": "torchvision's own, BSD 3-Clause; its terms for pre-trained weights apply",
        }[family],
    }
