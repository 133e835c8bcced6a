"""What a checkpoint's card says of its answers: temperatures, and how much like a known class a video has to be."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from actlib import checkpoints, dataset, evaluation, paths
from actlib.evaluation.calibration import fit_temperatures
from actlib.evaluation.intervals import number_groups
from actlib.experiment.predictor import read_initial_card
from actlib.experiment.preparing import build_describer, cache_features
from actlib.training import load_backend

NUM_FRAMES = 8  # of each video, for ``evaluation.fit_known``


def calibrate_checkpoint(model, validation, experiment, *, table, run) -> None:
    """Write into the card of a run's checkpoint what is fitted to its finished model, unless it is there already.

    These are "temperatures", see ``fit_temperatures``, where there is validation (where a run is refitted,
    they are those of the training that chose the number of epochs, see ``run_training``); and "known", an
    ``evaluation.KnownClasses`` with a threshold cross-fitted over all training groups, where frames are RGB and the
    convolutions ImageNet's, which have seen none of them.
    """
    path = Path(run) / paths.BEST
    card = checkpoints.read_card(path)
    found, new = {name: card[name] for name in ("temperatures", "known") if name in card}, {}
    if validation and "temperatures" not in found:
        logits = load_backend(model).training.predict(model, validation)
        truth, readout = (validation.videos(), validation.labels), getattr(model.spec, "readout", "steps")
        new["temperatures"] = fit_temperatures(logits, *truth, readout=readout)
    if "known" not in found and _is_unseen(experiment):
        new["known"] = _fit_known(model, table)
    if new:
        checkpoints.save_checkpoint(path, checkpoints.read_weights(path), card | new)
    model.card = model.card | found | new


def _fit_known(model, table):
    rows, vgg = table[table.subset != "test"].reset_index(drop=True), model.spec.vgg
    frames = dataset.FrameCache(rows, num_frames=NUM_FRAMES, size=vgg.size, flow=vgg.flow)
    cache = cache_features(frames, build_describer(model)).fill()
    filled = np.flatnonzero(cache.lengths)
    features = np.stack([cache[place][np.arange(NUM_FRAMES) * cache.lengths[place] // NUM_FRAMES] for place in filled])
    labels = rows.label.to_numpy()[filled]
    groups = number_groups(rows.iloc[filled], groups_span_classes=bool(table.attrs.get("groups_span_classes")))
    threshold, kept = evaluation.choose_threshold(evaluation.fit_known, features, labels, groups)
    return replace(evaluation.fit_known(features, labels), threshold=threshold, kept=kept).to_json()


def _is_unseen(experiment):
    """Whether the convolutions are frozen, come from no training on videos, and see RGB, as they learned to."""
    card, frozen = read_initial_card(experiment.weights), experiment.preset.training.frozen
    return experiment.stream == "rgb" and "convolutions" in frozen and ("known" in card or "videos" not in card)
