"""Checkpoints: weights to start from, models again, and calibrated models that predict clips of anybody's videos."""

import json
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
from sklearn.preprocessing import normalize

from actlib import checkpoints, dataset, evaluation, paths, schema, specs, video
from actlib.evaluation.calibration import fit_temperatures
from actlib.evaluation.intervals import number_groups
from actlib.experiment.folders import prepare_table, runs_folder
from actlib.experiment.preparing import Experiment, build_describer, cache_features
from actlib.training import load_backend, load_checkpoint

NUM_FRAMES = 8  # of each video, for ``evaluation.fit_known``


def find_checkpoint(checkpoint):
    """Return the path of a checkpoint; FileNotFoundError if it is not there.

    Args:
        checkpoint: A file, or a run's folder: its best one.
    """
    path = Path(checkpoint)
    return checkpoints.require_weights(path / paths.BEST if path.is_dir() or not path.suffix else path)


def choose_run(folder, model, *, framework="torch"):
    """Return the folder of a model that lessons trained on this data, or of the one that comes with the project.

    Args:
        folder, model: The data folder; "frames" or "lrcn".
        framework: Whose run is preferred; where only the other's is there, that one is taken, as weights belong to
            neither. One line is printed if it is not this framework's own.
    """
    names = [f"{each}_{model}" for each in (framework, *specs.BACKENDS)]
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
    """Return an experiment's videos, its model with the weights it starts from, and itself, where these are frozen."""
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
        found = f"Expected weights for what is to stay frozen. Received: none for {missing}, so that is trained too."
        warnings.warn(f"{found} Name some: imagenet, a file, or the run of a frame classifier.", stacklevel=4)
    return replace(experiment, preset=replace(experiment.preset, training=replace(training, frozen=frozen)))


def load_model(checkpoint, *, framework="torch"):
    """Load a checkpoint, whichever framework wrote it: (model, card); the card's "preset" is a ``Preset`` again.

    Args:
        checkpoint: A .safetensors file, or a run's folder.
        framework: Where to load it; None for the framework that trained it.

    Raises:
        ValueError: Its card lacks what is needed.
    """
    path = find_checkpoint(checkpoint)
    card = checkpoints.read_card(path, "framework", "classes", "preset", "experiment")
    return load_checkpoint(path, framework or card["framework"]), card


def read_experiment(card, data, *, framework=None):
    """Make the ``Experiment`` behind a card.

    Args:
        card, data: Of ``load_model``; the data folder, which may be another now.
        framework: Which computes now; None for the one that trained.
    """
    choices = card["experiment"] | {"data": str(data), "preset": card["preset"], "classes": card["classes"]}
    text = json.dumps(choices | ({"framework": framework} if framework else {}), default=vars)
    return schema.parse_json(text, Experiment, "the card's choices")


class Predictor:
    """A model that predicts clips: uint8 (N, T, size, size, C) -> float32 logits (N, T, K), a row a frame or step.

    Of its spec it has `size` (pixels), `flow` (a ``FlowSpec``, if its frames are flow pictures, or None), `kind`
    ("frames" or "lrcn") and `readout` (how the steps of a clip become one prediction, see ``evaluation.pool_clips``);
    of its card `classes`, `num_frames` (T), `window_seconds` (that T frames spanned in training), `temperatures` (by
    level, "step" or "video") and `known`, its ``evaluation.KnownClasses`` or None. A frame of the clips before, as of
    overlapping windows, is not convolved again, so the convolutions' weights are to stay as they are.

    Args:
        checkpoint: A .safetensors file, or a run's folder.
        framework: Where to load it; None for the framework that trained it.
        mixed_precision: Convolve as for stored features, in bfloat16 where the machine gains from it.
    """

    def __init__(self, checkpoint, *, framework="torch", mixed_precision=True):
        self.model, card = load_model(checkpoint, framework=framework)
        self.mixed_precision, self.known, spec = mixed_precision, None, self.model.spec
        self._convolutions = build_describer(self.model, pooling="flatten")
        self._maps = {}  # hash of a frame -> its last maps; of the last clips
        self.size, self.flow = spec.vgg.size, spec.vgg.flow
        self.kind, self.readout = ("lrcn", spec.readout) if isinstance(spec, specs.LRCNSpec) else ("frames", "steps")
        self.classes, self.num_frames = tuple(card["classes"]), card["preset"].clip_frames
        self.window_seconds, self.temperatures = card.get("window_seconds"), card.get("temperatures", {})
        if "known" in card:
            self.known = evaluation.KnownClasses.from_json(card["known"], spec.vgg.feature_shape[2], checkpoint)

    def __call__(self, clips):
        """Return the logits of clips, see the class."""
        training, clips, kind = load_backend(self.model).training, np.asarray(clips), "frames"
        sampler, num_clips = video.make_sampler("uniform", clips.shape[1]), len(clips)  # all frames
        if self.mixed_precision:
            vgg = self.model.spec.vgg
            clips, kind = self._extract(clips, vgg.pooling, vgg.normalize), "features"  # (N, T, D)
        batches = dataset.ClipBatches(clips, np.zeros(num_clips), sampler, batch_size=num_clips, kind=kind)
        return training.predict(self.model, batches)

    def score(self, clips):
        """Score how much clips, of any T, are like the nearest class that was learnt: float (N,), below 0 like none.

        These are scores of ``evaluation.KnownClasses`` less their threshold; infinity where the card has none.
        """
        if self.known is None:
            return np.full(len(clips), np.inf)
        return self.known.score(self._extract(np.asarray(clips), "mean")) - self.known.threshold

    def _extract(self, clips, pooling, unit_length=False):
        """Features of clips in a pooling of ``VGGSpec``, float16 (N, T, D)."""
        frames = clips.reshape(-1, *clips.shape[2:])  # (N * T, size, size, C)
        keys = [hash(frame.tobytes()) for frame in frames]
        if new := {key: frame for key, frame in zip(keys, frames, strict=True) if key not in self._maps}:
            extract = load_backend(self.model).training.extract_features
            self._maps |= zip(new, extract(self._convolutions, np.stack([*new.values()])), strict=True)
        self._maps = {key: self._maps[key] for key in keys}
        shape = len(keys), -1, self.model.spec.vgg.feature_shape[2]  # (N * T, h * w, channels)
        maps = np.stack([self._maps[key] for key in keys]).astype(np.float32).reshape(shape)
        features = maps.reshape(len(keys), -1) if pooling == "flatten" else getattr(maps, pooling)(axis=1)
        features = (normalize(features) if unit_length else features).astype(np.float16)
        return features.reshape(*clips.shape[:2], -1)


def calibrate_checkpoint(model, validation, experiment, *, table, run) -> None:
    """Write into the card of a run's checkpoint what is fitted to its finished model, unless it is there already.

    These are "temperatures", see ``fit_temperatures``, where there is validation; and "known", an
    ``evaluation.KnownClasses`` with a threshold cross-fitted over all training groups, see ``cache_known``.

    Args:
        model, validation, experiment, table, run: As for ``train_model``, which has finished.
    """
    path = Path(run) / paths.BEST
    card = checkpoints.read_card(path)
    found, new = {name: card[name] for name in ("temperatures", "known") if name in card}, {}
    if validation and "temperatures" not in found:
        logits = load_backend(model).training.predict(model, validation)
        truth, readout = (validation.videos(), validation.labels), getattr(model.spec, "readout", "steps")
        new["temperatures"] = fit_temperatures(logits, *truth, readout=readout)
    if "known" not in found and (features := cache_known(table, model, experiment)):
        new["known"] = _fit_known(features.fill())
    if new:
        checkpoints.save_checkpoint(path, checkpoints.read_weights(path), card | new)
    model.card = model.card | found | new


def cache_known(table, model, experiment):
    """Open a cache of what ``KnownClasses`` are fitted to, no test videos; None where convolutions have seen some."""
    card, frozen = read_initial_card(experiment.weights), experiment.preset.training.frozen
    if experiment.stream != "rgb" or "convolutions" not in frozen or ("known" not in card and "videos" in card):
        return None
    rows, vgg = table[table.subset != "test"].reset_index(drop=True), model.spec.vgg
    return cache_features(dataset.FrameCache(rows, num_frames=NUM_FRAMES, size=vgg.size), build_describer(model))


def _fit_known(cache):
    features, labels = np.stack([*cache]), cache.videos.label.to_numpy()  # (N, NUM_FRAMES, D), (N,)
    groups = number_groups(cache.videos, groups_span_classes=bool(cache.videos.attrs.get("groups_span_classes")))
    threshold, kept = evaluation.choose_threshold(evaluation.fit_known, features, labels, groups)
    return replace(evaluation.fit_known(features, labels), threshold=threshold, kept=kept).to_json()
