"""The choices behind a run, and the way of its clips: frames -> features -> batches."""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

from actlib import checkpoints, dataset, schema, specs, video
from actlib.training import load_backend

# Features of length 1 differ too little between flow pictures for SGD, with which a head hardly learns.
_ADAM = {"optimizer": "adam", "weight_decay": 0.0, "patience": None, "plateau_patience": None}
# What goes there and back looks, at most moments, as if it went one way: of alike classes, averages favour the larger.
_FAIR = {"class_weights": True, "schedule": "cosine", "patience": None}
FLOW_TRAINING = {
    "vgg16_frames": replace(specs.UNIT_FRAMES, learning_rate=1e-2, num_epochs=100, **_ADAM),
    "vgg16_lrcn": replace(specs.UNIT_LSTM, learning_rate=1e-3, num_epochs=40, **_ADAM),
    "slim_frames": replace(specs.SLIM_WHOLE, learning_rate=3e-3, num_epochs=30, batch_size=8, **_FAIR),
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
    limit: schema.Count | None = None  # at most this many videos of a class in each subset: for a quick try
    group_pattern: str | None = None  # finds groups in names, see `dataset.list_videos`
    stream: str = "rgb"  # or one of optical flow, see `specs.STREAMS`; the preset becomes one for its pictures

    def __post_init__(self):
        schema.check_choice("protocol", self.protocol, (*PROTOCOLS,))
        schema.check_choice("stream", self.stream, (*specs.STREAMS,))
        if self.refit and not self.validation_groups:
            raise ValueError("Expected validation groups for refit to choose the epoch on. Received: 0. Hold some out.")
        size, kept = self.preset.model.vgg.size, self.preset.frame_size
        if kept and min(kept) < size:
            raise ValueError(f"Expected frame_size from {size} pixels, to crop from. Received: {kept}. Make it larger.")
        name, training, model = self.preset.name, self.preset.training, specs.use_stream(self.preset.model, self.stream)
        if self.stream != "rgb" and not self.preset.model.vgg.flow and name in FLOW_TRAINING:
            own = vars(specs.PRESETS[name].training)  # what was changed of it stays
            training = replace(FLOW_TRAINING[name], **{k: v for k, v in vars(training).items() if v != own[k]})
        object.__setattr__(self, "preset", replace(self.preset, model=model, training=training))


def cache_frames(table, experiment):
    """Open a ``FrameCache`` of the frames, or flow pictures, that protocol and model ask for: uint8 (F, H, W, C) each.

    Args:
        table, experiment: The videos, rows of ``prepare_table``; the ``Experiment``.
    """
    preset, vgg = experiment.preset, experiment.preset.model.vgg
    num_frames = None if experiment.protocol == "paper" else preset.num_frames
    size = None if "convolutions" in preset.training.frozen else preset.frame_size  # one crop of what is convolved once
    return dataset.FrameCache(table, num_frames=num_frames, size=size or vgg.size, flow=vgg.flow)


def cache_features(frames, model):
    """Open a ``FeatureCache`` of what a model's convolutions make of a ``FrameCache``: float16 (F, D) of each video.

    Its folder is named by the convolutions' weights, pooling and precision: what one framework extracts serves both.

    Args:
        frames: The ``FrameCache``.
        model: A model of either framework, its convolutions frozen.
    """
    backend, vgg = load_backend(model), model.spec.vgg
    weights = backend.weights.get_weights(model.convolutions)
    names = [vgg.name, vgg.pooling, *["l2"] * vgg.normalize]
    key = "-".join([*names, checkpoints.weights_key(weights), backend.precision.feature_precision(model)])
    extract = partial(backend.training.extract_features, model)
    return dataset.FeatureCache(frames, extract, key=key, num_features=vgg.num_features)


def build_describer(model, *, pooling="mean"):
    """Build a model of a model's convolutions with a pooling of its own: each channel's mean is for `KnownClasses`."""
    backend, vgg = load_backend(model), replace(model.spec.vgg, pooling=pooling, normalize=False)
    weights = backend.weights.get_weights(model.convolutions)
    return backend.training.build_model(specs.FrameSpec("means", vgg, hidden=()), model.num_classes, weights=weights)


def cache_inputs(table, model, experiment):
    """Open what a model reads: a ``FrameCache`` where training changes its convolutions, else a ``FeatureCache``.

    Args:
        table: The videos, rows of ``prepare_table``.
        model: A model of either framework.
        experiment: The ``Experiment``.
    """
    frames = cache_frames(table, experiment)
    return cache_features(frames, model) if "convolutions" in experiment.preset.training.frozen else frames


def make_batches(cache, table, experiment, *, train, control=None):
    """Draw clips from the videos of a subset and put them into batches.

    Args:
        cache, table: Frames or features of the videos, and these.
        experiment: The ``Experiment``: how clips are drawn, how many make a batch.
        train: Whether clips are drawn at random and shuffled; frames are then augmented, if the preset says so.
        control: What stands in place of each clip's frames, such as "shuffled", see ``ClipBatches``; None: themselves.
    """
    preset, name = experiment.preset, PROTOCOLS[experiment.protocol][0 if train else 1]
    vgg, frames = preset.model.vgg, cache.kind == "frames"
    clip_frames = 1 if preset.training.consensus and not train else preset.clip_frames  # each frame is a segment
    sampler = video.make_sampler(name, clip_frames, stride=max(1, clip_frames // 2) if name == "windows" else None)
    options = {"batch_size": preset.training.batch_size, "shuffle": train, "seed": experiment.seed, "control": control}
    if frames and not train:
        options["crops"] = dataset.list_crops(vgg.size, ten=preset.ten_crops, flow=vgg.flow)
    elif frames and preset.augment:
        augment = dataset.crop_clip if preset.augment == "crop" else dataset.augment_clip
        options["augment"] = partial(augment, size=vgg.size, flow=vgg.flow)
    return dataset.ClipBatches(cache, table.label.to_numpy(), sampler, **options)
