"""Train and evaluate: the same few functions for the lessons and for the command line."""

import time
from dataclasses import replace
from pathlib import Path

from actlib import checkpoints, evaluation, specs
from actlib.experiment.preparing import load_backend, make_batches, prepare_table
from actlib.experiment.records import describe_run, make_card, read_experiment
from actlib.experiment.settings import find_weights, frozen_parts


def train_experiment(experiment, run, *, monitor=None):
    """Train a model on an official split and leave its best checkpoint in a folder.

    Args:
        experiment: The ``Experiment``.
        run: Folder for best.safetensors, its card, history and the state to resume from.
        monitor: Told of each batch and epoch; None shows a progress bar.

    Returns:
        (model, history): the twin's model with its best weights, and a dict of lists, one value an epoch.

    Raises:
        ValueError: If the data or the weights do not fit; says what does.
    """
    twin = load_backend(experiment.framework)
    table = prepare_table(experiment)
    weights = find_weights(experiment.weights)
    training = frozen_parts(experiment.preset.training, weights)
    experiment = replace(experiment, preset=replace(experiment.preset, training=training))
    classes = table.attrs["classes"]
    model = twin.training.build_model(experiment.preset.model, len(classes), weights=weights, seed=experiment.seed)
    parts = [
        make_batches(table[table.subset == part], model, experiment, train=part == "train")
        for part in ("train", "validation")
    ]
    model.card.update(make_card(experiment, table))
    history = twin.training.train(model, *parts, training, run=run, seed=experiment.seed, monitor=monitor)
    return model, history


def find_checkpoint(checkpoint):
    """Find a run's best checkpoint.

    Args:
        checkpoint: A .safetensors file, or a run's folder.

    Returns:
        The file's path.

    Raises:
        FileNotFoundError: If there is none; says what to run first.
    """
    path = Path(checkpoint)
    path = path / "best.safetensors" if path.is_dir() or not path.suffix else path
    if not path.exists():
        raise FileNotFoundError(
            f"Expected a checkpoint in {path}. Received: no such file. "
            "Run the lesson that trains it, or 'python -m actlib train', first."
        )
    return path


def load_model(checkpoint, *, framework="torch"):
    """Load a checkpoint, whichever twin wrote it, and its card.

    Args:
        checkpoint: A .safetensors file, or the run's folder that holds best.safetensors.
        framework: The twin to load it in.

    Returns:
        (model, card).

    Raises:
        FileNotFoundError: If there is none; says what to run first.
    """
    path = find_checkpoint(checkpoint)
    return load_backend(framework).weights.load_model(path), checkpoints.read_card(path)


def evaluate_checkpoint(checkpoint, data, *, framework=None, split=None, shuffle_frames=False, limit=None):
    """Measure a checkpoint on the test part of an official split, with the classes and protocol it was trained with.

    Args:
        checkpoint: A .safetensors file, or a run's folder.
        data: The data folder.
        framework: The twin that computes; None for the one that trained.
        split: 1, 2 or 3; None for the run's own.
        shuffle_frames: Put each clip's frames in random order first: the control for what time is worth.
        limit: At most this many videos of a class; None for the run's own limit.

    Returns:
        (results, facts): ``evaluation.Results``, and a dict of what they depend on (data, versions, seconds, memory).

    Raises:
        FileNotFoundError: If there is no checkpoint; says what to run first.
    """
    begin = time.perf_counter()
    card = checkpoints.read_card(find_checkpoint(checkpoint))
    experiment = read_experiment(card, data, framework=framework or card["framework"])
    experiment = replace(experiment, split=split or experiment.split, limit=limit or experiment.limit)
    model, _ = load_model(checkpoint, framework=experiment.framework)
    table = prepare_table(experiment)
    test = table[table.subset == "test"].reset_index(drop=True)
    results = evaluate_model(model, test, experiment, shuffle_frames=shuffle_frames)
    return results, describe_run(experiment, table, time.perf_counter() - begin)


def frozen_experiment(checkpoint, data):
    """Look at a checkpoint's convolutions as they are: the experiment in which they are frozen and their features kept.

    Args:
        checkpoint: A .safetensors file, or a run's folder.
        data: The data folder.

    Returns:
        The checkpoint's ``Experiment``, with frozen convolutions.
    """
    card = checkpoints.read_card(find_checkpoint(checkpoint))
    experiment = read_experiment(card, data, framework=card["framework"])
    training = replace(experiment.preset.training, frozen=("convolutions",))
    return replace(experiment, preset=replace(experiment.preset, training=training))


def evaluate_model(model, table, experiment, *, shuffle_frames=False):
    """Measure a model on a table of videos.

    Args:
        model: A twin's model.
        table: The videos, with ``attrs["classes"]``.
        experiment: How clips are drawn and what computes.
        shuffle_frames: Put each clip's frames in random order first.

    Returns:
        ``evaluation.Results``.
    """
    data = make_batches(table, model, experiment, train=False)
    data.shuffle_frames = shuffle_frames
    logits = load_backend(experiment.framework).training.predict(model, data)  # (N, T, K)
    spec = experiment.preset.model
    readout = spec.readout if isinstance(spec, specs.LRCNSpec) else "steps"
    return evaluation.evaluate(logits, data.videos(), table, readout=readout, classes=table.attrs["classes"])
