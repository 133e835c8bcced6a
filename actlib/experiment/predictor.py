"""Checkpoints: weights to start from, models again, and models that predict any clips of anybody's videos."""

import warnings
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from actlib import checkpoints, paths
from actlib.dataset import ClipBatches
from actlib.evaluation import KnownClasses
from actlib.experiment.preparing import build_describer, prepare_table, runs_folder
from actlib.specs import BACKENDS, LRCNSpec
from actlib.training import load_backend, load_checkpoint
from actlib.video import make_sampler


def find_checkpoint(checkpoint):
    """Return the path of a checkpoint, a file or a run's best one; a FileNotFoundError says what to run first."""
    path = Path(checkpoint)
    path = path / paths.BEST if path.is_dir() or not path.suffix else path
    if not path.exists():
        found, command = f"Expected weights in {path}. Received: no such file.", paths.console_script()
        advice = f"Run the lesson that trains them, or '{command} train', first"
        raise FileNotFoundError(f"{found} {advice}; ImageNet's come with '{command} fetch vgg16'.")
    return path


def choose_run(folder, model, *, framework="torch"):
    """Return the run of a model that lessons trained on this data, or the one that comes with the project.

    Args:
        folder: The data folder.
        model: "frames" or "lrcn".
        framework: Whose run is preferred; where only the other's is there, that one is taken, as weights belong to
            neither. One line is printed if it is not this framework's own.

    Returns:
        The run's folder, whether or not there is a checkpoint in it.
    """
    names = [f"{each}_{model}" for each in (framework, *BACKENDS)]
    runs = [runs_folder(folder) / name for name in names] + [paths.shipped_runs(runs_folder(folder).name) / names[0]]
    run = next((run for run in runs if (run / paths.BEST).exists()), runs[0])
    if run != runs[0]:
        where = "comes with the project" if run == runs[-1] else "is of the other framework"
        print(f"You have not trained {names[0]} yet. What is used is {run.name}, which {where}.")
    return run


def load_initial_weights(weights):
    """Read the weights that a model starts from: neutral names -> arrays, or None for "none".

    Args:
        weights: "imagenet", "none", a file (.safetensors, .npz or .h5), or the folder of a run.
    """
    if weights == "none":
        return None
    return checkpoints.read_weights(find_checkpoint(paths.vgg16_file() if weights == "imagenet" else weights))


def read_initial_card(weights) -> dict:
    """Read the card of the weights that a model starts from; {} where it has none.

    Args:
        weights: As for `load_initial_weights`. A card that training wrote has to say which videos it has seen.
    """
    path = None if weights in ("imagenet", "none") else find_checkpoint(weights)
    card = checkpoints.read_card(path) if path and path.suffix == ".safetensors" else {}
    return checkpoints.read_card(path, "videos", "leakage") if "classes" in card else card


def prepare_model(experiment):
    """Build the model that an experiment trains, with the weights it starts from.

    Returns:
        (table, model, experiment): its videos, and the experiment in which parts without weights are not frozen.
    """
    table, weights = prepare_table(experiment), load_initial_weights(experiment.weights)
    experiment = _train_what_has_no_weights(experiment, weights)
    build, classes = load_backend(experiment.framework).training.build_model, table.attrs["classes"]
    return table, build(experiment.preset.model, len(classes), weights=weights, seed=experiment.seed), experiment


def _train_what_has_no_weights(experiment, weights):
    """Keep frozen only the parts that the initial weights hold; warn of the others."""
    first = {"convolutions": "block1_conv1/kernel", "hidden": "hidden1/kernel"}
    training = experiment.preset.training
    frozen = tuple(part for part in training.frozen if first[part] in (weights or {}))
    if missing := ", ".join(part for part in training.frozen if part not in frozen):
        found = f"Expected weights for what is to stay frozen. Received: none for {missing}"
        advice = "Name weights to start from: imagenet, a file, or the run of a frame classifier."
        warnings.warn(f"{found}, so that is trained too, from random numbers. {advice}", stacklevel=4)
    return replace(experiment, preset=replace(experiment.preset, training=replace(training, frozen=frozen)))


def load_model(checkpoint, *, framework="torch"):
    """Load a checkpoint of `train_model`, whichever framework wrote it, and its card.

    Args:
        checkpoint: A .safetensors file, or a run's folder.
        framework: Where to load it; None for the framework that trained it.

    Returns:
        (model, card); the card's "preset" is a ``Preset`` again.

    Raises:
        ValueError: Its card lacks what is needed.
    """
    path = find_checkpoint(checkpoint)
    card = checkpoints.read_card(path, "framework", "classes", "preset", "experiment")
    return load_checkpoint(path, framework or card["framework"]), card


@dataclass(frozen=True)
class Predictor:
    """A model that predicts clips: uint8 (N, T, size, size, C) -> float32 logits (N, T, K), a row a frame or step."""

    model: object  # of either framework
    classes: tuple[str, ...]
    num_frames: int  # T of its clips
    window_seconds: float | None = None  # time that T frames spanned in training, see `actlib.timeline`
    mixed_precision: bool = True  # convolve as for stored features, in bfloat16 where the machine gains from it
    temperatures: dict = field(default_factory=dict)  # by level: "step", "video", see `evaluation.calibration`
    known: object = None  # `evaluation.KnownClasses`, and a model of the features that they are asked with

    @property
    def size(self):
        """Height and width of its frames, in pixels."""
        return self.model.spec.vgg.size

    @property
    def flow(self):
        """A ``FlowSpec``, if its frames are flow pictures, or None."""
        return self.model.spec.vgg.flow

    @property
    def kind(self):
        """ "frames" or "lrcn"."""
        return "lrcn" if isinstance(self.model.spec, LRCNSpec) else "frames"

    @property
    def readout(self):
        """How the steps of a clip become one prediction, see ``evaluation.pool_clips``."""
        return getattr(self.model.spec, "readout", "steps")

    def __call__(self, clips):
        """Return the logits of clips, see the class."""
        training, clips, kind = load_backend(self.model).training, np.asarray(clips), "frames"
        sampler, num_clips = make_sampler("uniform", clips.shape[1]), len(clips)  # all frames
        if self.mixed_precision:
            clips, kind = training.extract_features(self.model, clips), "features"  # (N, T, D)
        batches = ClipBatches(clips, np.zeros(num_clips), sampler, batch_size=num_clips, kind=kind)
        return training.predict(self.model, batches)

    def score(self, clips):
        """Score how much clips are like the nearest class that was learnt; below 0, they are "none of these".

        Args:
            clips: As for a call, but of any T.

        Returns:
            float (N,): scores of ``evaluation.KnownClasses`` less their threshold; infinity where the card has none.
        """
        if self.known is None:
            return np.full(len(clips), np.inf)
        known, model = self.known
        features = load_backend(model).training.extract_features(model, np.asarray(clips))  # (N, T, D)
        return known.score(features) - known.threshold


def load_predictor(checkpoint, *, framework="torch", mixed_precision=True):
    """Load a checkpoint as a ``Predictor``, a model that predicts any clips.

    Args:
        checkpoint: As for ``load_model``.
        framework: As for ``load_model``.
        mixed_precision: Convolve as for stored features, in bfloat16 where the machine gains from it.
    """
    model, card = load_model(checkpoint, framework=framework)
    options = {"num_frames": card["preset"].clip_frames, "window_seconds": card.get("window_seconds")}
    options |= {"temperatures": card.get("temperatures", {}), "mixed_precision": mixed_precision}
    if "known" in card:
        known = KnownClasses.from_json(card["known"], model.spec.vgg.feature_shape[2], find_checkpoint(checkpoint))
        options["known"] = known, build_describer(model)
    return Predictor(model, tuple(card["classes"]), **options)
