"""The choices behind a run, and the way of its clips: table -> frames -> features -> batches."""

import json
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np

from actlib import checkpoints, dataset, paths, sample, specs
from actlib.schema import Count, check_choice, parse_json
from actlib.training import load_backend
from actlib.video import make_sampler

# Features of length 1 differ too little between flow pictures for SGD, with which a head hardly learns.
_ADAM = {"optimizer": "adam", "weight_decay": 0.0, "patience": None, "plateau_patience": None}
FLOW_TRAINING = {
    "vgg16_frames": replace(specs.UNIT_FRAMES, learning_rate=1e-2, num_epochs=100, **_ADAM),
    "vgg16_lrcn": replace(specs.UNIT_LSTM, learning_rate=1e-3, num_epochs=40, **_ADAM),
}
PROTOCOLS = {"uniform": ("segments", "strided"), "paper": ("consecutive", "windows")}  # sampling in training, testing


@dataclass(frozen=True)
class Experiment:
    """The choices that make a training run; two equal ones give the same checkpoint on a CPU."""

    __pydantic_config__ = {"extra": "forbid"}  # for a card's

    data: Path
    preset: specs.Preset
    framework: Literal[specs.BACKENDS] = "torch"
    weights: str = "imagenet"  # or "none", or a file of weights or a checkpoint to start from
    split: Literal[1, 2, 3] = 1
    classes: tuple[str, ...] | None = None  # None: all that are there
    seed: int = 0  # of weights, batches and dropout
    split_seed: int = 0  # chooses the groups held out for validation: the same in every run, unless told
    validation_groups: int = 4  # how many; 0: train on the whole list for a fixed number of epochs
    refit: bool = False  # choose the number of epochs on validation, then train on its groups too for that many
    allow_leakage: bool = False  # start from weights that have seen videos of this experiment's validation or test
    protocol: str = "uniform"  # frames spread over the video; "paper": 16 in a row, test windows every 8
    limit: Count | None = None  # at most this many videos of a class in each subset: for a quick try
    group_pattern: str | None = None  # finds groups in names, see `dataset.list_videos`
    stream: str = "rgb"  # or one of optical flow, see `specs.STREAMS`; the preset becomes one for its pictures

    def __post_init__(self):
        check_choice("protocol", self.protocol, (*PROTOCOLS,))
        check_choice("stream", self.stream, (*specs.STREAMS,))
        if self.refit and not self.validation_groups:
            raise ValueError("Expected validation groups for refit to choose the epoch on. Received: 0. Hold some out.")
        model = specs.use_stream(self.preset.model, self.stream)
        training = _choose_training(self.preset, self.stream)
        object.__setattr__(self, "preset", replace(self.preset, model=model, training=training))


def _choose_training(preset, stream):
    """How a preset is trained on a stream; what was changed of its own training, or is of a flow preset, stays."""
    if stream == "rgb" or preset.model.vgg.flow or preset.name not in FLOW_TRAINING:
        return preset.training
    own = vars(specs.PRESETS[preset.name].training)
    return replace(FLOW_TRAINING[preset.name], **{k: v for k, v in vars(preset.training).items() if v != own[k]})


def read_experiment(card, data, *, framework=None):
    """Make the ``Experiment`` behind a card.

    Args:
        card: Of ``load_model``.
        data: The data folder, which may be another now.
        framework: Which computes now; None for the one that trained.
    """
    choices = card["experiment"] | {"data": str(data), "preset": card["preset"], "classes": card["classes"]}
    text = json.dumps(choices | ({"framework": framework} if framework else {}), default=vars)
    return parse_json(text, Experiment, "the card's choices")


def choose_preset(model, folder):
    """Return the preset that trains a model well: slim for the sample set, VGG-16 for real clips.

    Args:
        model: "frames" or "lrcn".
        folder: The data folder.

    Example:
        >>> choose_preset("frames", "/data/UCF-101").name
        'vgg16_frames'
    """
    return specs.PRESETS[f"{'slim' if sample.is_sample(folder) else 'vgg16'}_{model}"]


def choose_weights(folder):
    """Return what a frame classifier starts from: "none" on the sample set, "imagenet" on real clips.

    Args:
        folder: The data folder.
    """
    return "none" if sample.is_sample(folder) else "imagenet"


def runs_folder(folder):
    """Return where lessons write what they train on this data: ``runs/lessons/sample``, or the data folder's name.

    A table of labels, or a folder that is called "sample" but isn't, is named together with the folder it is in.

    Args:
        folder: The data folder.
    """
    if sample.is_sample(folder := Path(folder)):
        return paths.runs_root() / "sample"
    shared = folder.is_file() or folder.name == "sample"  # every other table is called labels.csv
    return paths.runs_root() / (f"{folder.parent.name}_{folder.stem}" if shared else folder.name)


def prepare_videos(folder, *, classes=None, group_pattern=None, limit=None, **options):
    """List the videos of ``list_videos`` with the subsets of ``assign_subsets``, and refuse a group in two of them.

    Args:
        folder: The data folder, or a table of labels.
        classes: As for ``list_videos``.
        group_pattern: Likewise.
        limit: At most this many videos of a class in each subset, spread over its groups; None for all.
        options: ``split``, ``validation_groups`` and ``split_seed``, as for ``assign_subsets``.
    """
    videos = dataset.list_videos(folder, classes=classes, group_pattern=group_pattern)
    table = dataset.assign_subsets(videos, folder, **options)
    for subset in ("validation", "test"):
        dataset.check_leakage(table[table.subset != subset], table[table.subset == subset])
    if limit is None:
        return table
    chosen = table.sort_values(["clip", "group"]).groupby(["class_name", "subset"]).head(limit).index
    return table.loc[np.sort(chosen)]


def prepare_table(experiment):
    """List the videos of an experiment, see ``prepare_videos``.

    Args:
        experiment: The ``Experiment``.
    """
    names = ("split", "classes", "split_seed", "validation_groups", "limit", "group_pattern")
    return prepare_videos(experiment.data, **{name: getattr(experiment, name) for name in names})


def cache_frames(table, experiment):
    """Open a ``FrameCache`` of videos: the frames, or flow pictures, that the protocol and the model ask for.

    Args:
        table: The videos, rows of ``prepare_table``.
        experiment: The ``Experiment``.

    Returns:
        The cache; ``cache[row]`` is uint8 (F, H, W, C).
    """
    preset, vgg = experiment.preset, experiment.preset.model.vgg
    num_frames = None if experiment.protocol == "paper" else preset.num_frames
    size = None if "convolutions" in preset.training.frozen else preset.frame_size  # one crop of what is convolved once
    return dataset.FrameCache(table, num_frames=num_frames, size=size or vgg.size, flow=vgg.flow)


def cache_features(frames, model):
    """Open a ``FeatureCache`` of what a model's convolutions make of a ``FrameCache``, for a head to be trained on.

    Args:
        frames: The ``FrameCache``.
        model: A model of either framework, its convolutions frozen.

    Returns:
        The cache; ``cache[row]`` is float16 (F, D). The convolutions' weights, their pooling and their precision are
        in the name of its folder.
    """
    backend, vgg = load_backend(model), model.spec.vgg
    weights = backend.weights.get_weights(model.convolutions)
    names = [backend.__name__.removeprefix("actlib."), vgg.name, vgg.pooling, *["l2"] * vgg.normalize]
    key = "-".join([*names, checkpoints.weights_key(weights), backend.precision.feature_precision(model)])
    extract = partial(backend.training.extract_features, model)
    return dataset.FeatureCache(frames, extract, key=key, num_features=vgg.num_features)


def build_describer(model):
    """Build a model of the same convolutions, whose features are each channel's mean, for `KnownClasses`."""
    backend, vgg = load_backend(model), replace(model.spec.vgg, pooling="mean", normalize=False)
    weights = backend.weights.get_weights(model.convolutions)
    return backend.training.build_model(specs.FrameSpec("means", vgg, hidden=()), model.num_classes, weights=weights)


def cache_inputs(table, model, experiment):
    """Open what a model reads of videos: frames where training changes its convolutions, else their features.

    Args:
        table: The videos, rows of ``prepare_table``.
        model: A model of either framework.
        experiment: The ``Experiment``.

    Returns:
        A ``FrameCache`` or a ``FeatureCache``.
    """
    frames = cache_frames(table, experiment)
    return cache_features(frames, model) if "convolutions" in experiment.preset.training.frozen else frames


def make_batches(cache, table, experiment, *, train, control=None):
    """Draw clips from the videos of a subset and put them into batches.

    Args:
        cache: Frames or features of these videos.
        table: The videos.
        experiment: The ``Experiment``: how clips are drawn, how many make a batch.
        train: Whether clips are drawn at random and shuffled; frames are then augmented, if the preset says so.
        control: What stands in place of each clip's frames, such as "shuffled", see ``ClipBatches``; None: themselves.
    """
    preset, name = experiment.preset, PROTOCOLS[experiment.protocol][0 if train else 1]
    vgg, frames = preset.model.vgg, cache.kind == "frames"
    clip_frames = 1 if preset.training.consensus and not train else preset.clip_frames  # each frame is a segment
    stride = max(1, clip_frames // 2) if name == "windows" else None
    sampler = make_sampler(name, clip_frames, stride=stride)
    options = {"batch_size": preset.training.batch_size, "shuffle": train, "seed": experiment.seed, "control": control}
    if frames and not train:
        options["crops"] = dataset.list_crops(vgg.size, ten=preset.ten_crops, flow=vgg.flow)
    elif frames and preset.augment:
        augment = dataset.crop_clip if preset.augment == "crop" else dataset.augment_clip
        options["augment"] = partial(augment, size=vgg.size, flow=vgg.flow)
    return dataset.ClipBatches(cache, table.label.to_numpy(), sampler, **options)
