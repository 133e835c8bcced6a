"""Train and evaluate: steps that take the model and batches at hand, and the whole way for the command line."""

import json
import sys
import time
import warnings
from dataclasses import replace
from pathlib import Path

from actlib import checkpoints, evaluation, paths, sample
from actlib.dataset import check_leakage, split_hash
from actlib.experiment.predictor import load_initial_weights, load_model
from actlib.experiment.preparing import Experiment, cache_inputs, load_backend, make_batches, prepare_table
from actlib.files import write_whole
from actlib.run import package_versions


def train_model(model, train_batches, validation_batches, experiment, *, table, run, monitor=None):
    """Train a model, which ends with its best weights, and return the history: a dict of lists, one value an epoch.

    Args:
        model: A model of the experiment's framework.
        train_batches: What it learns from, of ``make_batches``; features train its head alone.
        validation_batches: What chooses the best epoch.
        experiment: The ``Experiment``; together with the table it goes into the checkpoint's card.
        table: All videos of the experiment.
        run: Folder for best.safetensors, its card, history and the state to resume from; None writes nothing.
        monitor: Told of each batch and epoch; None shows a progress bar.
    """
    model.card = model.card | _make_card(experiment, table)
    options = {"run": run, "seed": experiment.seed, "monitor": monitor}
    batches = train_batches, validation_batches
    return load_backend(model).training.train(model, *batches, experiment.preset.training, **options)


def run_training(experiment, run, *, monitor=None):
    """Go from a folder of videos to (model, history), as ``python -m actlib train`` does; see ``train_model``."""
    table, weights = prepare_table(experiment), load_initial_weights(experiment.weights)
    experiment = _train_what_has_no_weights(experiment, weights)
    build, classes = load_backend(experiment.framework).training.build_model, table.attrs["classes"]
    model = build(experiment.preset.model, len(classes), weights=weights, seed=experiment.seed)

    def batches(subset):
        rows = table[table.subset == subset]
        return make_batches(cache_inputs(rows, model, experiment), rows, experiment, train=subset == "train")

    options = {"table": table, "run": run, "monitor": monitor}
    return model, train_model(model, batches("train"), batches("validation"), experiment, **options)


def _train_what_has_no_weights(experiment, weights):
    """Keep frozen only the parts that the initial weights hold; warn of the others."""
    first = {"convolutions": "block1_conv1/kernel", "hidden": "hidden1/kernel"}
    training = experiment.preset.training
    frozen = tuple(part for part in training.frozen if first[part] in (weights or {}))
    if missing := ", ".join(part for part in training.frozen if part not in frozen):
        warnings.warn(
            f"Expected weights for what is to stay frozen. Received: none for {missing}, so that is trained too, from "
            "random numbers. Name weights to start from: imagenet, a file, or the run of a frame classifier.",
            stacklevel=3,
        )
    return replace(experiment, preset=replace(experiment.preset, training=replace(training, frozen=frozen)))


def evaluate_model(model, batches, table):
    """Evaluate a model on videos, rows of a table, and batches of their clips: ``make_batches(..., train=False)``."""
    logits = load_backend(model).training.predict(model, batches)  # (N, T, K)
    readout = getattr(model.spec, "readout", "steps")
    return evaluation.evaluate(logits, batches.videos(), table, readout=readout, classes=table.attrs["classes"])


def evaluate_checkpoint(checkpoint, data, *, framework=None, split=None, shuffle_frames=False, limit=None):
    """Evaluate a checkpoint on the test videos of an official split, as ``python -m actlib evaluate`` does.

    Args:
        checkpoint: A .safetensors file, or a run's folder.
        data: The data folder.
        framework: The framework that computes; None for the one that trained.
        split: 1, 2 or 3; None for the run's own.
        shuffle_frames: Put each clip's frames in random order: the control for what order is worth.
        limit: At most this many videos of a class; None for the run's own limit.

    Returns:
        (results, metadata): ``evaluation.Results``, and what they depend on, as ``describe_run`` gives it.

    Raises:
        ValueError: If it was trained on recordings of these test videos; see also ``load_model``.
    """
    begin = time.perf_counter()
    model, card = load_model(checkpoint, framework=framework)
    trained = read_experiment(card, data, framework=framework)
    experiment = replace(trained, split=split or trained.split, limit=limit or trained.limit)
    table = prepare_table(experiment)
    test = table[table.subset == "test"].reset_index(drop=True)
    if experiment.split != trained.split:
        known = prepare_table(trained)
        check_leakage(known[known.subset != "test"], test)
    cache = cache_inputs(test, model, experiment)
    batches = make_batches(cache, test, experiment, train=False, shuffle_frames=shuffle_frames)
    return evaluate_model(model, batches, test), describe_run(experiment, table, seconds=time.perf_counter() - begin)


_ELSEWHERE = ("data", "preset", "classes")  # choices that have their own place in a card


def _make_card(experiment, table):
    """Describe what a checkpoint is trained on and how; ``read_experiment`` reads it."""
    training = table[table["subset"] == "train"]
    frames = experiment.preset.clip_frames if experiment.protocol == "paper" else training["frames"]
    folder = "sample" if sample.is_sample(experiment.data) else Path(experiment.data).name
    data = {"folder": folder, "split": experiment.split, "split_hash": split_hash(table), "num_videos": len(table)}
    return {
        "classes": list(table.attrs["classes"]),
        "preset": checkpoints.spec_to_json(experiment.preset),
        "window_seconds": round(float((frames / training["fps"]).mean()), 3),  # that the T frames of a clip span
        "experiment": {name: value for name, value in vars(experiment).items() if name not in _ELSEWHERE},
        "data": data,
    }


def read_experiment(card, data, *, framework=None):
    """Make the ``Experiment`` behind a card of ``load_model``; its data folder and its framework may be others now."""
    choices = card["experiment"] | ({"framework": framework} if framework else {})
    return Experiment(Path(data), card["preset"], classes=tuple(card["classes"]), **choices)


def describe_run(experiment, table, *, seconds=None):
    """Describe what a number depends on besides the model: data, versions, cost; a dict for results.json."""
    return _make_card(experiment, table) | {
        "framework": experiment.framework,
        "versions": package_versions("actlib", "numpy", "av", "keras", "torch") | {"python": sys.version.split()[0]},
        "seconds": None if seconds is None else round(seconds, 1),
    }


def write_results(run, results, metadata, *, name=paths.RESULTS):
    """Write results and what they depend on as JSON into a run's folder; return the path."""
    return write_whole(Path(run) / name, json.dumps(results.to_json() | metadata, indent=2).encode())
