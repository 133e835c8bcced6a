"""ImageNet's VGG-16, from Keras or from torchvision -> one file for both frameworks, with the preprocessing it wants.

The two families were trained on differently prepared frames: Keras' on 0..255 less a mean, torchvision's on 0..1 less
a mean and divided by a deviation. Fed the other's frames, a network only guesses; so the file carries its mean and
deviation, and the values of the first filter tell whether they are the right ones.
"""

import pickle
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np

from actlib import checkpoints
from actlib.download import sources
from actlib.files import format_size
from actlib.paths import VGG16 as FILE_NAME
from actlib.paths import home_folder, read_setting
from actlib.specs import VGG16

FAMILIES = {  # name -> (mean, std) of RGB frames in 0..255
    "keras": (VGG16.mean, VGG16.std),
    "torchvision": ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
}
FIRST_FILTERS = {  # name -> what the first filter does with red and with blue in its upper row, to four decimals
    "keras": ((0.4800, 0.4085, -0.0651), (0.4295, 0.3735, -0.0614)),
    "torchvision": ((-0.5537, 0.1427, 0.5290), (0.3130, -0.1659, -0.4275)),
}
TOLERANCE = 0.02  # fine-tuning moves the first filter by less; the closest two of the above differ by 0.05
LICENCES = {
    "keras": "Creative Commons Attribution, as Oxford's Visual Geometry Group released them",
    "torchvision": "torchvision's own, BSD 3-Clause; its terms for pre-trained weights apply",
}
MOST = 2_000_000_000  # bytes of a download; the whole VGG-16 has 553 MB
ADVICE = "Choose Keras' no-top file or torchvision's vgg16-397923af.pth."


def fetch_vgg16(*, source=None, folder=None) -> Path:
    """Fetch VGG-16 without its head, trained on ImageNet, and write it under the library's own names.

    Args:
        source: a `.h5` or `.npz` with Keras' names, a `.safetensors` of this library, torchvision's `.pth`, or the URL
            of one; None means Keras' own file, unless a whole one is there already.
        folder: where `vgg16_imagenet.safetensors` and its card go; None means `pretrained` at home.

    Returns:
        The path of the `.safetensors` file.

    Raises:
        DownloadError: it cannot be had.
        ValueError: the file holds something else, or its values belong to the other family's preprocessing.
    """
    folder = Path(folder or home_folder() / "pretrained")
    path = folder / FILE_NAME
    with sources.lock_or_wait(path):
        if source is None and path.is_file():
            with suppress(ValueError):  # what is damaged is fetched again
                check_vgg16(checkpoints.read_weights(path), path)
                return path
        source = str(source or read_setting("ACTLIB_VGG16_URL") or sources.VGG16_URL)
        with sources.local_file(source, folder, most=MOST) as file:
            weights = _read(file)
            family = check_vgg16(weights, file)
            checkpoints.save_checkpoint(path, weights, _describe(weights, family, source))
    print(f"VGG-16 ({family}'s) from {source} -> {path} ({format_size(path.stat().st_size)})")
    return path


def check_vgg16(weights, source) -> str:
    """Make sure that weights are VGG-16's, and that their preprocessing is the one they were trained with.

    Args:
        weights: neutral name -> array, with `preprocess/mean` and `preprocess/std`.
        source: where they come from, for the message.

    Returns:
        "keras" or "torchvision".

    Raises:
        ValueError: something is missing, has another shape, is not finite, or is prepared for the other family.
    """
    for name, shape in _shapes().items():
        if np.shape(weights.get(name)) != shape:
            received = np.shape(weights[name]) if name in weights else "nothing under that name"
            raise ValueError(
                f"Expected VGG-16 without batch normalisation, with {name} of shape {shape}. Received: {received} in "
                f"{source}. {ADVICE}"
            )
        if not np.isfinite(weights[name]).all():
            raise ValueError(f"Expected finite numbers. Received: others in {name} of {source}. Fetch it again.")
    mean, std = weights["preprocess/mean"], weights["preprocess/std"]
    declared = next((name for name, numbers in FAMILIES.items() if np.allclose((mean, std), numbers, atol=0.01)), None)
    values = recognise_family(weights)
    if declared is None or values not in (None, declared):
        raise ValueError(
            f"Expected weights with the preprocessing they were trained with (Keras' or torchvision's, RGB). Received: "
            f"mean {mean}, std {std} and the values of {values or 'another training'} in {source}. {ADVICE}"
        )
    return declared


def recognise_family(weights) -> str | None:
    """Tell by the first filter whose published weights these are.

    Args:
        weights: with `block1_conv1/kernel` (3, 3, RGB, 64).

    Returns:
        "keras" or "torchvision", the same with " with red and blue swapped", or None if it knows neither.
    """
    red, _, blue = weights["block1_conv1/kernel"][0, :, :, 0].T
    for family, planes in FIRST_FILTERS.items():
        for colors, suffix in (((red, blue), ""), ((blue, red), " with red and blue swapped")):
            if np.abs(np.subtract(colors, planes)).max() < TOLERANCE:
                return family + suffix
    return None


def _read(file):
    """Return the convolutions in a file of any kind, without the head that a whole VGG-16 brings along."""
    if file.suffix not in (".pth", ".pt"):
        weights = checkpoints.read_weights(file)
        return {name: array for name, array in weights.items() if name in _shapes()}
    from actlib.torch.weights import read_state_dict

    try:
        return read_state_dict(file)
    except (pickle.UnpicklingError, RuntimeError, EOFError, AttributeError, KeyError) as error:
        cause = str(error).partition("\n")[0]
        raise ValueError(
            f"Expected tensors, and nothing that runs code. Received: {file} ({cause}). {ADVICE}"
        ) from error


def _shapes():
    """Return the name and shape of everything in VGG-16's convolutions."""
    shapes, inputs = {}, 3
    for block, (count, width) in enumerate(VGG16.blocks, 1):
        for number in range(1, count + 1):
            name = f"block{block}_conv{number}"
            shapes |= {f"{name}/kernel": (3, 3, inputs, width), f"{name}/bias": (width,)}
            inputs = width
    return shapes | {"preprocess/mean": (3,), "preprocess/std": (3,)}


def _describe(weights, family, source):
    mean, std = FAMILIES[family]
    return {
        "kind": "convolutions",
        "spec": checkpoints.spec_to_json(replace(VGG16, mean=mean, std=std)),
        "family": family,
        "values": "published" if recognise_family(weights) == family else "not the published ones",
        "weights_key": checkpoints.weights_key(weights),
        "from": source if sources.is_url(source) else Path(source).name,
        "data": {"name": "ImageNet, ILSVRC"},
        "citation": "Simonyan and Zisserman, Very Deep Convolutional Networks, arXiv 1409.1556",
        "licence": LICENCES[family],
    }
