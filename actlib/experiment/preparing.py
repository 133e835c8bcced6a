"""An experiment's videos, what is stored of them, and their batches."""

import importlib
from functools import partial
from types import SimpleNamespace

import numpy as np

from actlib import checkpoints
from actlib.dataset import (
    ClipBatches,
    FeatureCache,
    FrameCache,
    assign_subsets,
    check_leakage,
    list_videos,
    make_feature_key,
)
from actlib.experiment.settings import make_rule

BACKENDS = ("torch", "keras")


def load_backend(framework):
    """Import one framework's half of the library, and only that one.

    Args:
        framework: "torch" or "keras".

    Returns:
        A namespace with the modules ``vgg``, ``lrcn``, ``weights``, ``training`` and ``precision``.

    Raises:
        ValueError: If the framework is neither of them.
    """
    if framework not in BACKENDS:
        raise ValueError(f"Expected framework to be one of {BACKENDS}. Received: {framework!r}. Choose one of them.")
    names = ("vgg", "lrcn", "weights", "training", "precision")
    return SimpleNamespace(**{name: importlib.import_module(f"actlib.{framework}.{name}") for name in names})


def prepare_videos(folder, *, split=1, classes=None, seed=0, limit=None):
    """List the videos of an official split, whole groups of the training part held out for validation.

    Args:
        folder: The data folder.
        split: 1, 2 or 3.
        classes: Exact class names, or None for all that are there.
        seed: Chooses the groups held out.
        limit: At most this many videos of a class in each part, spread over its groups; None for all.

    Returns:
        The table of ``list_videos`` with a column ``subset``: "train", "validation" or "test".

    Raises:
        ValueError: If a group stands on both sides of the split.
    """
    table = list_videos(folder, classes=classes)
    table = assign_subsets(table, folder, split=split, seed=seed)
    check_leakage(table[table.subset != "test"], table[table.subset == "test"])
    if limit is None:
        return table
    keep = table.sort_values(["clip", "group"]).groupby(["class_name", "subset"]).head(limit).index
    return table.loc[np.sort(keep)]


def prepare_table(experiment):
    """List the videos of an experiment.

    Args:
        experiment: The ``Experiment``.

    Returns:
        The table of ``prepare_videos``.
    """
    return prepare_videos(
        experiment.data,
        split=experiment.split,
        classes=experiment.classes,
        seed=experiment.seed,
        limit=experiment.limit,
    )


def cache_frames(table, experiment, *, save=True):
    """Open the frames that a model looks at, decoded at its size.

    Args:
        table: Videos.
        experiment: The ``Experiment``: the protocol says which frames, the preset how many and how large.
        save: Write the decoded frames to disk; if not, they are decoded when asked for.

    Returns:
        A ``FrameCache``: uint8 (F, H, W, 3) a video.
    """
    num_frames = None if experiment.protocol == "paper" else experiment.preset.num_frames
    return FrameCache(table, num_frames=num_frames, size=experiment.preset.model.vgg.size, save=save)


def cache_features(table, model, experiment):
    """Open what a model reads: stored features where its convolutions stay as they are, else decoded frames.

    Args:
        table: Videos.
        model: A twin's model.
        experiment: The ``Experiment``; the frozen parts of its preset decide.

    Returns:
        A ``FeatureCache`` or a ``FrameCache``: a (F, ...) array a video.
    """
    if "convolutions" not in experiment.preset.training.frozen:
        return cache_frames(table, experiment)
    twin = load_backend(experiment.framework)
    weights = twin.weights.get_weights(model)
    convolutions = {name: array for name, array in weights.items() if name.startswith(("block", "preprocess"))}
    key = make_feature_key(
        framework=experiment.framework,
        network=experiment.preset.model.vgg.name,
        weights=checkpoints.weights_key(convolutions),
        precision=twin.precision.feature_precision(),
    )
    return FeatureCache(cache_frames(table, experiment), partial(twin.training.extract_features, model), key=key)


def make_batches(table, model, experiment, *, train):
    """Put a part's videos into batches of clips.

    Args:
        table: The videos of one part.
        model: A twin's model.
        experiment: The ``Experiment``.
        train: Whether clips are drawn at random and shuffled; pixels are then augmented, if the preset says so.

    Returns:
        ``ClipBatches``.
    """
    preset = experiment.preset
    cache = cache_features(table, model, experiment)
    sampler = make_rule(experiment.protocol, preset.clip_frames, train=train)
    return ClipBatches(
        cache,
        table.label.to_numpy(),
        sampler,
        batch_size=preset.training.batch_size,
        shuffle=train,
        seed=experiment.seed,
        augment=train and preset.augment and cache.kind == "frames",
    )
