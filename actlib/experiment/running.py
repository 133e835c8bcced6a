"""Train and evaluate: steps that take the model and batches at hand, and the whole way for the command line."""

import json
import sys
import time
from dataclasses import replace
from pathlib import Path

from actlib import cards, evaluation, files, machine, paths, sample, schedule
from actlib.dataset import check_leakage, list_groups, split_hash, write_labels
from actlib.experiment import predictor
from actlib.experiment.folders import prepare_table, refuse_inputs
from actlib.experiment.preparing import cache_inputs, make_batches
from actlib.training import load_backend


def train_model(model, train_batches, validation_batches, experiment, *, table, run, monitor=None):
    """Train a model, which ends with its best weights, and return the history: a dict of lists, one value an epoch.

    Args:
        model: A model of the experiment's framework.
        train_batches: What it learns from, of ``make_batches``; features train its head alone.
        validation_batches: What chooses the best epoch; None: the last epoch is kept, and none stops it early.
        experiment: The ``Experiment``; together with the table it goes into the checkpoint's card.
        table: All videos of the experiment.
        run: Folder for best.safetensors, its card, history and the state to resume from; None writes nothing.
        monitor: Told of each batch and epoch; None shows a progress bar.
    """
    refuse_inputs(experiment, run)
    model.card = model.card | _describe_choices(experiment, table) | _describe_videos(experiment, table)
    options = {"run": run, "seed": experiment.seed, "monitor": monitor}
    batches, training = (train_batches, validation_batches), experiment.preset.training
    training = replace(training, patience=None if validation_batches is None else training.patience)
    history = load_backend(model).training.train(model, *batches, training, **options)
    if run and paths.process_place()[0] == 0 and not getattr(monitor, "stop", False):
        predictor.calibrate_checkpoint(model, validation_batches, experiment, table=table, run=run)
    return history


def run_training(experiment, run, *, monitor=None):
    """Go from a folder of videos to (model, history), as ``actlib train`` does; see ``train_model``.

    Args:
        experiment: The ``Experiment``. With ``refit``, the epoch is chosen by a training in the folder "choosing" of
            the run; then another one takes all videos but those of the test for that many epochs. Temperatures need
            videos that were not learnt, so the card has those of the first training, and says "temperatures_of".
        run, monitor: The run's folder, or None; as for ``train_model``.

    Raises:
        ValueError: The weights have seen validation or test videos; or they, or a table, would be written over.
    """
    refuse_inputs(experiment, run)
    if not experiment.refit:
        return _train_once(experiment, run, monitor)
    first = Path(experiment.weights) / "choosing"  # weights that were refitted have seen the validation videos
    choosing = replace(experiment, weights=str(first)) if first.is_dir() else experiment
    model, history = _train_once(choosing, run and Path(run) / "choosing", monitor)
    training = experiment.preset.training
    if len(history["loss"]) < training.num_epochs and schedule.epochs_since_best(history) != training.patience:
        return model, history  # it was stopped
    preset = replace(experiment.preset, training=replace(training, num_epochs=schedule.best_epoch(history) + 1))
    kept = {name: model.card[name] for name in ("temperatures",) if name in model.card}
    kept |= {"temperatures_of": "choosing"} if kept else {}
    return _train_once(replace(experiment, preset=preset, validation_groups=0, refit=False), run, monitor, kept)


def extract(experiment, *, shard=(1, 1)):
    """Fill the cache that ``run_training`` will read, for a part of the videos, and return it.

    Args:
        experiment: The ``Experiment``.
        shard: (i, N), i from 1: every N-th video from the i-th on. Those of one precision fill one cache, anywhere.
    """
    table, model, experiment = predictor.prepare_model(experiment)
    rows = table[shard[0] - 1 :: shard[1]]
    if known := predictor.cache_known(rows, model, experiment):
        known.fill()
    return cache_inputs(rows, model, experiment).fill()


def _train_once(experiment, run, monitor, card=None):
    table, model, experiment = predictor.prepare_model(experiment)
    _, needed = cache_inputs(table, model, experiment).check_disk()  # of all subsets, before anything is decoded
    if needed > 1e9 and paths.process_place()[0] == 0:
        print(f"What is read of these videos will take {files.format_size(needed)} in {paths.cache_folder()}.")
    model.card = model.card | (card or {})
    if run and paths.process_place()[0] == 0:
        write_labels(table, Path(run) / paths.SPLIT)
    quick = replace(experiment, preset=replace(experiment.preset, ten_crops=False))  # validation, after each epoch

    def batches(subset):
        rows = table[table.subset == subset]
        return make_batches(cache_inputs(rows, model, experiment), rows, quick, train=subset == "train")

    validation = batches("validation") if experiment.validation_groups else None
    return model, train_model(model, batches("train"), validation, experiment, table=table, run=run, monitor=monitor)


def evaluate_model(model, batches, table):
    """Evaluate a model; return ``evaluation.Results``.

    Args:
        model: A model of either framework.
        batches: Those of ``make_batches(..., train=False)``.
        table: Their videos.
    """
    logits = load_backend(model).training.predict(model, batches)  # (N, T, K)
    readout = getattr(model.spec, "readout", "steps")
    results = evaluation.evaluate(logits, batches.videos(), table, readout=readout, classes=table.attrs["classes"])
    return replace(results, control=batches.control)


def evaluate_checkpoint(checkpoint, data, *, framework=None, split=None, control=None, limit=None, allow_leakage=False):
    """Evaluate a checkpoint on the test videos of an official split, as ``actlib evaluate`` does.

    Args:
        checkpoint, data: A .safetensors file, or a run's folder; the data folder.
        framework: The framework that computes; None for the one that trained.
        split: 1, 2 or 3; None for the run's own.
        control: What stands in place of each clip's frames, such as "shuffled", see ``ClipBatches``; None: themselves.
        limit: At most this many videos of a class; None for the run's own limit.
        allow_leakage: Go on if it has seen recordings of these test videos; the results then say so.

    Returns:
        (results, metadata): ``evaluation.Results``, and what they depend on, see ``describe_run``.

    Raises:
        ValueError: It, or what it started from, has seen recordings of these test videos; see also ``load_model``.
    """
    begin = time.perf_counter()
    model, card = predictor.load_model(checkpoint, framework=framework)
    trained = predictor.read_experiment(card, data, framework=framework)
    experiment = replace(trained, split=split or trained.split, limit=limit or trained.limit)
    table = prepare_table(experiment)
    test, seen = table[table.subset == "test"], _merge(*predictor.read_initial_card(checkpoint)["videos"].values())
    leakage = {*card["leakage"], *check_leakage(seen, test, allow=allow_leakage)}
    results = replace(_evaluate_rows(model, test, experiment, control), leakage=tuple(sorted(leakage)))
    return results, describe_run(experiment, table, seconds=time.perf_counter() - begin)


def _evaluate_rows(model, rows, experiment, control=None):
    rows = rows.reset_index(drop=True)
    cache = cache_inputs(rows, model, experiment)
    return evaluate_model(model, make_batches(cache, rows, experiment, train=False, control=control), rows)


def fuse_checkpoints(runs, data, *, weights=None, choose=False):
    """Fuse two checkpoints, such as of frames and of flow, on test videos, as ``actlib fuse`` does.

    Args:
        runs, data: Two of ``evaluate_checkpoint``'s checkpoints; the data folder.
        weights: Two numbers; 1 to 1 and 1 to 2 are always there.
        choose: Choose weights of logits on validation videos, too; of a refitted run, with what chose its epoch.

    Returns:
        (name -> results, metadata): each run's, then of each pair of weights; the last is the one that was asked for.

    Raises:
        ValueError: If the runs are of other classes or splits, or held out other groups for validation.
    """
    found = [evaluate_checkpoint(run, data) for run in runs]
    singles, metadata = zip(*found, strict=True)
    results = {f"{about['experiment']['stream']}, {run}": each for run, (each, about) in zip(runs, found, strict=True)}
    pairs = {"fused {:g} to {:g}".format(*pair): pair for pair in ((1, 2), (1, 1), *([weights] if weights else []))}
    results |= {name: evaluation.fuse(*singles, pair) for name, pair in pairs.items()}
    if choose:
        chosen = evaluation.choose_fusion_weights(*(_evaluate_validation(Path(run), data) for run in runs))
        name = "fused {:g} to {:g} (logits), chosen on validation".format(*chosen)
        results[name] = evaluation.fuse(*singles, chosen, logits=True)
    return results, {"fused": metadata}


def _evaluate_validation(run, data):
    model, card = predictor.load_model(run / "choosing" if (run / "choosing").is_dir() else run, framework=None)
    experiment = predictor.read_experiment(card, data)
    table = prepare_table(experiment)
    if (rows := table[table.subset == "validation"]).empty:
        raise ValueError(f"Expected validation videos to choose weights on. Received: {run}, without. Give --weights.")
    return _evaluate_rows(model, rows, experiment)


def _describe_choices(experiment, table):
    """Describe what a run is made of, for a card and for results.json; ``read_experiment`` reads it."""
    training = table[table["subset"] == "train"]
    frames = experiment.preset.clip_frames if experiment.protocol == "paper" else training["frames"]
    folder = "sample" if sample.is_sample(experiment.data) else Path(experiment.data).name
    data = {"folder": folder, "split": experiment.split, "split_hash": split_hash(table), "num_videos": len(table)}
    choices = {key: value for key, value in vars(experiment).items() if key not in ("data", "preset", "classes")}
    window = round(float((frames / training["fps"]).mean()), 3)  # seconds that the T frames of a clip span
    about = {"classes": list(table.attrs["classes"]), "preset": cards.spec_to_json(experiment.preset)}
    return about | {"window_seconds": window, "experiment": choices, "data": data}


def _describe_videos(experiment, table):
    """List, for a card, all groups that a model will have seen, those of the weights that it starts from included."""
    card = predictor.read_initial_card(experiment.weights)
    seen, leakage = card.get("videos", {"train": {}, "validation": {}}), card.get("leakage", [])
    validation, test = (table[table["subset"] == subset] for subset in ("validation", "test"))
    for known, rows in ((seen["train"], validation), (_merge(*seen.values()), test)):
        leakage = leakage + check_leakage(known, rows, allow=experiment.allow_leakage)
    videos = {subset: _merge(seen[subset], list_groups(table[table["subset"] == subset])) for subset in seen}
    return {"videos": videos, "leakage": sorted(set(leakage))}


def _merge(first, second):
    """What ``list_groups`` would make of two tables together."""
    parts = {name: {*first.get(name, "").split(), *second.get(name, "").split()} for name in first | second}
    return {name: " ".join(sorted(parts[name])) for name in sorted(parts)}


def describe_run(experiment, table, *, seconds=None):
    """Describe what a number depends on besides the model: data, versions, cost; a dict for results.json.

    Args:
        experiment: The ``Experiment``.
        table: Rows of ``prepare_table``.
        seconds: What it took, if known.
    """
    versions = machine.package_versions("actlib", "numpy", "av", "keras", "torch") | {"python": sys.version.split()[0]}
    cost = {"seconds": seconds and round(seconds, 1), "memory": machine.peak_memory()}
    cost |= load_backend(experiment.framework).precision.describe_device()
    return _describe_choices(experiment, table) | {"framework": experiment.framework, "versions": versions} | cost


def write_results(run, results, metadata):
    """Write results and what they depend on as JSON into a folder, and return the path.

    Args:
        run: The folder: results.json goes there, or results_shuffled.json and the like for a control.
        results: ``evaluation.Results``.
        metadata: A dict that JSON can hold, as ``describe_run`` gives it.
    """
    name = f"results_{results.control}.json" if results.control else paths.RESULTS
    return files.write_whole(Path(run) / name, json.dumps(results.to_json() | metadata, indent=2).encode())
