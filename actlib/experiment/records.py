"""What a checkpoint and a number depend on, written down beside them and read back."""

import json
import platform
import resource
from dataclasses import asdict, replace
from importlib import metadata
from pathlib import Path

from actlib import sample, specs
from actlib.dataset import split_hash
from actlib.experiment.settings import Experiment


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
        "folder": "sample" if sample.is_sample(experiment.data) else Path(experiment.data).name,
        "split": experiment.split,
        "split_hash": split_hash(table),
        "num_videos": len(table),
    }
    return {
        "classes": list(table.attrs["classes"]),
        "preset": experiment.preset.name,
        "frozen": list(experiment.preset.training.frozen),
        "window_seconds": round(window_seconds(experiment, table), 3),
        "experiment": choices,
        "data": data,
    }


def window_seconds(experiment, table):
    """Say which time the T frames of a training clip span, so that a longer film is watched in the same steps.

    Args:
        experiment: The ``Experiment``.
        table: Its videos, with ``part``, ``frames`` and ``fps``.

    Returns:
        Seconds: the mean length of the training videos, or of T frames in a row with the protocol "paper".

    Example:
        >>> import pandas as pd
        >>> table = pd.DataFrame({"subset": ["train", "test"], "frames": [50, 99], "fps": [25.0, 25.0]})
        >>> window_seconds(Experiment("data", specs.PRESETS["slim_lrcn"]), table)
        2.0
    """
    training = table[table["subset"] == "train"]
    frames = experiment.preset.clip_frames if experiment.protocol == "paper" else training["frames"]
    return float((frames / training["fps"]).mean())


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
