"""ImageNet's VGG-16, from Keras' file -> one file for both frameworks, with the preprocessing it wants.

Keras' was trained on frames in 0..255 less a mean, torchvision's on 0..1 less a mean and divided by a deviation. So the
file carries mean and deviation, and the values of the first filter tell whether they are the right ones.
"""

import re
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np

from actlib import checkpoints, files, paths
from actlib.download import sources
from actlib.specs import FINETUNE_FRAMES, VGG16

FAMILIES = {"keras": (VGG16.mean, VGG16.std)}  # (mean, std) of RGB frames in 0..255
FAMILIES["torchvision"] = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)  # 255 x those in 0..1
# What the first filter does with red and with blue in its upper row, to four decimals.
FIRST_FILTERS = {"keras": ((0.4800, 0.4085, -0.0651), (0.4295, 0.3735, -0.0614))}
FIRST_FILTERS["torchvision"] = ((-0.5537, 0.1427, 0.5290), (0.3130, -0.1659, -0.4275))
TOLERANCE = 0.02  # fine-tuning moves the first filter by less; the closest two of the above differ by 0.05
MOST = 2_000_000_000  # bytes of a download; the whole VGG-16 has 553 MB
CITATION = "Simonyan and Zisserman, Very Deep Convolutional Networks, arXiv 1409.1556; on ImageNet"
ADVICE = "Choose Keras' no-top file."


def fetch_vgg16(*, source=None, folder=None, with_head=False) -> Path:
    """Fetch VGG-16, trained on ImageNet, under the library's own names, and return its path.

    Args:
        source: a `.h5` or `.npz` with Keras' names, a `.safetensors` of this library, or the URL of one; None means
            Keras' own file, unless a whole one is there already.
        folder: where `vgg16_imagenet.safetensors` and its card go; None means `pretrained` at home.
        with_head: fc6 and fc7 too, as hidden1 and hidden2, from Keras' whole file: `vgg16_imagenet_head.safetensors`.

    Raises:
        DownloadError: it cannot be had.
        ValueError: the file holds something else, or its values belong to the other family's preprocessing.
    """
    folder = Path(folder or paths.home_folder() / "pretrained")
    path, spec = folder / (paths.VGG16_HEAD if with_head else paths.VGG16), FINETUNE_FRAMES if with_head else VGG16
    with sources.lock_or_wait(path):
        if source is None and path.is_file():
            with suppress(ValueError):  # what is damaged is fetched again
                _check_vgg16(checkpoints.read_weights(path), path, spec)
                return path
        own_url = sources.VGG16_HEAD_URL if with_head else paths.read_setting("ACTLIB_VGG16_URL") or sources.VGG16_URL
        source = str(source or own_url)
        files.refuse_inputs(path, source)
        with sources.local_file(source, folder, most=MOST) as file:
            weights = _read(file, spec)
            family = _check_vgg16(weights, file, spec)
            vgg = replace(VGG16, mean=FAMILIES[family][0], std=FAMILIES[family][1])
            card = {"kind": "convolutions", "spec": replace(spec, vgg=vgg) if with_head else vgg, "family": family}
            card["values"] = "published" if _recognise_family(weights) == family else "not the published ones"
            card["weights_key"] = checkpoints.weights_key(weights)
            card["from"] = Path(source).name if Path(source).exists() else source
            checkpoints.save_checkpoint(path, weights, card | {"citation": CITATION})
    return path


def _check_vgg16(weights, source, spec=VGG16) -> str:
    """Return "keras" or "torchvision"; raise ValueError if weights are not VGG-16's or prepared for the other one."""
    checkpoints.check_weights(_list_shapes(spec), weights, source=source)
    mean, std = weights["preprocess/mean"], weights["preprocess/std"]
    declared = [name for name, numbers in FAMILIES.items() if np.allclose((mean, std), numbers, atol=0.01)]
    values = _recognise_family(weights)
    if not declared or values not in (None, *declared):
        found = f"mean {mean}, std {std} and the values of {values or 'another training'} in {source}"
        raise ValueError(f"Expected weights with the preprocessing they were trained with. Received: {found}. {ADVICE}")
    return declared[0]


def _recognise_family(weights) -> str | None:
    """Tell by the first filter whose published weights these are, also with red and blue swapped; None: nobody's."""
    red, _, blue = weights["block1_conv1/kernel"][0, :, :, 0].T
    for family, filters in FIRST_FILTERS.items():
        for colors, suffix in (((red, blue), ""), ((blue, red), " with red and blue swapped")):
            if np.abs(np.subtract(colors, filters)).max() < TOLERANCE:
                return family + suffix
    return None


def _list_shapes(spec):
    return {name: shape for name, shape in checkpoints.list_shapes(spec, 1).items() if not name.startswith("logits")}


def _read(file, spec):
    """Return the layers of a spec in a file of any kind, without more of the head that a whole VGG-16 brings along."""
    found = {re.sub("^fc", "hidden", name): array for name, array in checkpoints.read_weights(file).items()}
    return {name: found[name] for name in _list_shapes(spec) if name in found}
