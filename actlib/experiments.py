"""From a folder of videos to a checkpoint and an honest result: what the lessons and the command line share.

An experiment is a record of choices; ``train_experiment`` and ``evaluate_checkpoint`` carry it out in either framework.
"""

import importlib
import json
import os
import platform
import resource
import time
from dataclasses import asdict, dataclass, replace
from functools import partial
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from actlib import batches, checkpoints, clips, evaluation, specs, stores, synthetic, videos

TWINS = ("torch", "keras")
PROTOCOLS = ("spread", "paper")


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
    protocol: str = "spread"  # frames spread over the video; "paper": 16 in a row, test windows every 8
    limit: int | None = None  # at most this many videos of a class in each part: for a quick try


def load_twin(framework):
    """Import one framework's half of the library, and only that one.

    Args:
        framework: "torch" or "keras".

    Returns:
        A namespace with the modules ``vgg``, ``lrcn``, ``weights`` and ``training``.

    Raises:
        ValueError: If the framework is neither of them.
    """
    if framework not in TWINS:
        raise ValueError(f"Expected framework to be one of {TWINS}. Received: {framework!r}. Choose one of them.")
    names = ("vgg", "lrcn", "weights", "training")
    return SimpleNamespace(**{name: importlib.import_module(f"actlib.{framework}.{name}") for name in names})


def default_preset(model, folder):
    """Choose the preset that trains well on this data: slim networks for the sample, VGG-16 for real clips.

    Args:
        model: "frames" or "lrcn".
        folder: The data folder.

    Returns:
        A ``Preset``.

    Example:
        >>> default_preset("frames", "/data/UCF-101").name
        'study_frames'
    """
    family = "slim" if synthetic.is_sample(folder) else "study"
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
    return "none" if synthetic.is_sample(folder) else "imagenet"


def runs_folder(folder):
    """Say where lessons keep what they train on this data.

    Args:
        folder: The data folder.

    Returns:
        ``runs/lessons/sample`` or ``runs/lessons/<folder's name>``; ``ACTLIB_RUNS`` replaces ``runs/lessons``.
    """
    root = Path(os.environ.get("ACTLIB_RUNS") or videos.home_folder() / "runs" / "lessons")
    return root / ("sample" if synthetic.is_sample(folder) else Path(folder).name)


def prepare_videos(folder, *, split=1, classes=None, seed=0, limit=None):
    """List the videos of an official split, whole groups of the training part held out for validation.

    Args:
        folder: The data folder.
        split: 1, 2 or 3.
        classes: Exact class names, or None for all that are there.
        seed: Chooses the groups held out.
        limit: At most this many videos of a class in each part, spread over its groups; None for all.

    Returns:
        The table of ``videos.list_videos`` with a column ``part``: "train", "validation" or "test".

    Raises:
        ValueError: If a group stands on both sides of the split.
    """
    table = videos.list_videos(folder, classes=classes)
    table = videos.assign_parts(table, folder, split=split, seed=seed)
    videos.check_leakage(table[table.part != "test"], table[table.part == "test"])
    if limit is None:
        return table
    keep = table.sort_values(["clip", "group"]).groupby(["class_name", "part"]).head(limit).index
    return table.loc[np.sort(keep)]


def prepare_experiment(experiment):
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
    path = Path(os.environ.get("ACTLIB_WEIGHTS") or videos.home_folder() / "pretrained" / "vgg16_imagenet.safetensors")
    path = path if weights == "imagenet" else Path(weights)
    path = path / "best.safetensors" if path.is_dir() else path
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
        The ``TrainSpec`` with the parts that the weights hold.

    Example:
        >>> frozen_parts(specs.TrainSpec(frozen=("convolutions", "hidden")), {"block1_conv1/kernel": 0}).frozen
        ('convolutions',)
    """
    first = {"convolutions": "block1_conv1/kernel", "hidden": "hidden1/kernel"}
    return replace(training, frozen=tuple(part for part in training.frozen if first[part] in (weights or {})))


def make_rule(protocol, num_frames, *, train):
    """Choose how clips of T frames are drawn from a video's kept frames.

    Args:
        protocol: "spread": T segments over the whole video, at random in training, each kept frame once in testing.
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
        return consecutive(num_frames) if train else batches.windows(num_frames, max(1, num_frames // 2))
    return batches.random_clip(num_frames) if train else partial(interleave, clip_frames=num_frames)


def consecutive(num_frames):
    """Draw T frames in a row from a random start.

    Args:
        num_frames: T.

    Returns:
        A rule for ``ClipBatches``.
    """
    return lambda total, rng: clips.sample_consecutive(total, num_frames, rng=rng)


def interleave(num_frames, rng=None, *, clip_frames):
    """Deal a video's frames out to clips like cards, so that each clip spans the whole video.

    Args:
        num_frames: Number of frames kept of the video (F).
        rng: Not used; rules take it.
        clip_frames: T.

    Returns:
        int64 (F // T, T), or one clip that holds the last frame where F < T.

    Example:
        >>> interleave(6, clip_frames=3)
        array([[0, 2, 4],
               [1, 3, 5]])
    """
    step = num_frames // clip_frames
    if step == 0:
        return clips.sample_evenly(num_frames, clip_frames)[None]
    return np.arange(step * clip_frames).reshape(clip_frames, step).T


def open_store(table, model, experiment):
    """Open what a model reads: stored features where its convolutions stay as they are, else decoded frames.

    Args:
        table: Videos.
        model: A twin's model.
        experiment: The ``Experiment``; the frozen parts of its preset decide.

    Returns:
        A ``FeatureStore`` or a ``FrameStore``: a (F, ...) array a video.
    """
    preset = experiment.preset
    frozen = "convolutions" in preset.training.frozen
    num_frames = None if experiment.protocol == "paper" else preset.num_frames
    frames = stores.FrameStore(table, num_frames=num_frames, size=preset.model.vgg.size, keep=not frozen)
    if not frozen:
        return frames
    twin = load_twin(experiment.framework)
    weights = twin.weights.get_weights(model)
    convolutions = {name: array for name, array in weights.items() if name.startswith(("block", "preprocess"))}
    key = f"{experiment.framework}-{preset.model.vgg.name}-{checkpoints.weights_key(convolutions)}"
    return stores.FeatureStore(frames, partial(twin.training.convolve, model), key=key)


def make_batches(table, model, experiment, *, train):
    """Put a part's videos into batches of clips.

    Args:
        table: The videos of one part.
        model: A twin's model.
        experiment: The ``Experiment``.
        train: Whether clips are drawn at random and shuffled; pixels are then augmented too.

    Returns:
        ``ClipBatches``.
    """
    preset = experiment.preset
    store = open_store(table, model, experiment)
    rule = make_rule(experiment.protocol, preset.clip_frames, train=train)
    return batches.ClipBatches(
        store,
        table.label.to_numpy(),
        rule,
        batch_size=preset.training.batch_size,
        shuffle=train,
        seed=experiment.seed,
        augment=train and isinstance(store, stores.FrameStore),
    )


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
    twin = load_twin(experiment.framework)
    table = prepare_experiment(experiment)
    weights = find_weights(experiment.weights)
    training = frozen_parts(experiment.preset.training, weights)
    experiment = replace(experiment, preset=replace(experiment.preset, training=training))
    classes = table.attrs["classes"]
    model = twin.training.build_model(experiment.preset.model, len(classes), weights=weights, seed=experiment.seed)
    parts = [
        make_batches(table[table.part == part], model, experiment, train=part == "train")
        for part in ("train", "validation")
    ]
    model.card.update(make_card(experiment, table))
    history = twin.training.train(model, *parts, training, run=run, seed=experiment.seed, monitor=monitor)
    return model, history


def make_card(experiment, table):
    """Write down what a checkpoint was trained on.

    Args:
        experiment: The ``Experiment``.
        table: Its videos.

    Returns:
        A dict for the checkpoint's JSON card.
    """
    choices = {key: value for key, value in asdict(experiment).items() if key not in ("data", "preset", "classes")}
    data = {
        "folder": "sample" if synthetic.is_sample(experiment.data) else Path(experiment.data).name,
        "split": experiment.split,
        "split_hash": videos.split_hash(table),
        "num_videos": len(table),
    }
    return {
        "classes": list(table.attrs["classes"]),
        "preset": experiment.preset.name,
        "frozen": list(experiment.preset.training.frozen),
        "experiment": choices,
        "data": data,
    }


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
    return load_twin(framework).weights.load_model(path), checkpoints.read_card(path)


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
    table = prepare_experiment(experiment)
    test = table[table.part == "test"].reset_index(drop=True)
    results = evaluate_model(model, test, experiment, shuffle_frames=shuffle_frames)
    return results, describe_run(experiment, table, time.perf_counter() - begin)


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
    scores = load_twin(experiment.framework).training.predict(model, data)  # (N, T, K)
    spec = experiment.preset.model
    readout = spec.readout if isinstance(spec, specs.LRCNSpec) else "steps"
    return evaluation.evaluate(scores, data.videos(), table, readout=readout, classes=table.attrs["classes"])


def read_experiment(card, data, *, framework):
    """Rebuild the choices behind a checkpoint from its card.

    Args:
        card: The checkpoint's JSON card.
        data: The data folder, wherever it is now.
        framework: The twin that computes.

    Returns:
        An ``Experiment``.
    """
    preset = specs.PRESETS[card["preset"]]
    preset = replace(preset, training=replace(preset.training, frozen=tuple(card["frozen"])))
    choices = card["experiment"] | {"framework": framework}
    return Experiment(data=Path(data), preset=preset, classes=tuple(card["classes"]), **choices)


def write_results(run, results, facts, *, name="results.json"):
    """Keep a measurement beside its checkpoint.

    Args:
        run: The run's folder; made if it is not there.
        results: ``evaluation.Results``.
        facts: What they depend on, as ``evaluate_checkpoint`` gives it.
        name: The file's name.

    Returns:
        The path of the JSON file.
    """
    path = Path(run) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results.to_json() | facts, indent=2))
    return path


def describe_run(experiment, table, seconds):
    """State what a number depends on besides the model: data, versions, machine, cost.

    Args:
        experiment: The ``Experiment``.
        table: Its videos.
        seconds: Wall time of the measurement.

    Returns:
        A dict for results.json; ``peak_memory_bytes`` is the process's largest resident size.
    """
    packages = ("actlib", "numpy", "av", "keras", "torch")
    return make_card(experiment, table) | {
        "framework": experiment.framework,
        "versions": {name: metadata.version(name) for name in packages} | {"python": platform.python_version()},
        "seconds": round(seconds, 1),
        "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }
