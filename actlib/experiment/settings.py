"""The choices behind a run, and the defaults that suit the data at hand."""

import warnings
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from actlib import checkpoints, paths, sample, specs
from actlib.video import make_sampler, sample_uniform

PROTOCOLS = ("uniform", "paper")


@dataclass(frozen=True)
class Experiment:
    """The choices that make a training run; two equal ones give the same checkpoint on a CPU."""

    data: Path
    preset: specs.Preset
    framework: str = "torch"
    weights: str = "imagenet"  # or "none", or a file of weights or a checkpoint to start from
    split: int = 1
    classes: tuple[str, ...] | None = None  # None: all that are there
    seed: int = 0
    protocol: str = "uniform"  # frames spread over the video; "paper": 16 in a row, test windows every 8
    limit: int | None = None  # at most this many videos of a class in each part: for a quick try


def default_preset(model, folder):
    """Choose the preset that trains well on this data: slim networks for the sample, VGG-16 for real clips.

    Args:
        model: "frames" or "lrcn".
        folder: The data folder.

    Returns:
        A ``Preset``.

    Example:
        >>> default_preset("frames", "/data/UCF-101").name
        'vgg16_frames'
    """
    family = "slim" if sample.is_sample(folder) else "vgg16"
    return specs.PRESETS[f"{family}_{model}"]


def default_weights(folder):
    """Choose what a frame classifier starts from: nothing on the drawn sample, ImageNet's weights on real clips.

    Args:
        folder: The data folder.

    Returns:
        "none" or "imagenet".

    Example:
        >>> default_weights("/data/UCF-101")
        'imagenet'
    """
    return "none" if sample.is_sample(folder) else "imagenet"


def runs_folder(folder):
    """Say where lessons keep what they train on this data.

    Args:
        folder: The data folder.

    Returns:
        ``runs/lessons/sample`` or ``runs/lessons/<folder's name>``; ``ACTLIB_RUNS`` replaces ``runs/lessons``.
    """
    return paths.runs_root() / ("sample" if sample.is_sample(folder) else Path(folder).name)


def find_weights(weights):
    """Read the weights that a model starts from.

    Args:
        weights: "imagenet", "none", a file (.safetensors, .npz or .h5), or the folder of a run.

    Returns:
        Neutral names -> arrays, or None for "none".

    Raises:
        FileNotFoundError: If the file is not there; says how to get it.
    """
    if weights == "none":
        return None
    path = paths.vgg16_file() if weights == "imagenet" else Path(weights)
    path = path / paths.BEST if path.is_dir() else path
    if not path.exists():
        raise FileNotFoundError(
            f"Expected weights in {path}. Received: no such file. "
            "Get ImageNet's with 'python -m actlib fetch vgg16', or name a file of your own."
        )
    return checkpoints.read_weights(path)


def frozen_parts(training, weights):
    """Keep frozen only what has been learnt: a part without weights to start from has to be trained.

    Args:
        training: A ``TrainSpec``.
        weights: Neutral names -> arrays, or None.

    Returns:
        The ``TrainSpec`` with the parts that the weights hold; warns of those that they do not.

    Example:
        >>> frozen_parts(specs.TrainSpec(frozen=("convolutions",)), {"block1_conv1/kernel": 0}).frozen
        ('convolutions',)
    """
    first = {"convolutions": "block1_conv1/kernel", "hidden": "hidden1/kernel"}
    held = tuple(part for part in training.frozen if first[part] in (weights or {}))
    if held != training.frozen:
        missing = ", ".join(part for part in training.frozen if part not in held)
        warnings.warn(
            f"Expected weights for what is to stay frozen. Received: none for {missing}, so that is trained too, from "
            "random numbers. Name weights to start from: imagenet, a file, or the run of a frame classifier.",
            stacklevel=2,
        )
    return replace(training, frozen=held)


def make_rule(protocol, num_frames, *, train):
    """Choose how clips of T frames are drawn from a video's kept frames.

    Args:
        protocol: "uniform": T segments over the whole video, at random in training, each kept frame once in testing.
            "paper": T frames in a row from a random start; in testing windows every T/2, the last ends at the end.
        num_frames: T.
        train: Whether clips are drawn at random.

    Returns:
        A rule for ``ClipBatches``.

    Raises:
        ValueError: If the protocol is unknown.
    """
    if protocol not in PROTOCOLS:
        raise ValueError(f"Expected protocol to be one of {PROTOCOLS}. Received: {protocol!r}. Choose one of them.")
    if protocol == "paper":
        return (
            make_sampler("consecutive", num_frames)
            if train
            else make_sampler("windows", num_frames, stride=max(1, num_frames // 2))
        )
    return make_sampler("segments", num_frames) if train else make_sampler("strided", num_frames)


def sample_strided(num_frames, rng=None, *, clip_frames):
    """Deal a video's frames out to clips like cards, so that each clip spans the whole video.

    Args:
        num_frames: Number of frames kept of the video (F).
        rng: Not used; rules take it.
        clip_frames: T.

    Returns:
        int64 (F // T, T), or one clip that holds the last frame where F < T.

    Example:
        >>> sample_strided(6, clip_frames=3)
        array([[0, 2, 4],
               [1, 3, 5]])
    """
    step = num_frames // clip_frames
    if step == 0:
        return sample_uniform(num_frames, clip_frames)[None]
    return np.arange(step * clip_frames).reshape(clip_frames, step).T
