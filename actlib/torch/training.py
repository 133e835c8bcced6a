"""Building, training and using the networks: NumPy in, NumPy out, computed where the model is."""

import math

import numpy as np
import torch

from actlib.checkpoints import list_shapes
from actlib.specs import FROZEN_PARTS
from actlib.torch.dataset import make_loader
from actlib.torch.lrcn import LRCN
from actlib.torch.precision import FRAMES_AT_ONCE, at_rest, compute_in_bf16, convolve_in_parts, device_of, to_numpy
from actlib.torch.trainer import Trainer
from actlib.torch.weights import make_network, set_weights
from actlib.training import initial_weights, trainable_weights


def build_model(spec, num_classes, *, weights=None, seed=0, device=None):
    """Make a model, a `FrameClassifier` or an `LRCN`, that is ready to train.

    Args:
        spec, num_classes: A `FrameSpec` or an `LRCNSpec`; K.
        weights: Neutral name -> array, ImageNet's or another model's; logits, and what lacks, start at random.
        seed: Of the initial weights, which are the same in both frameworks.
        device: Where it is put, such as "cuda" or "cpu"; None: where PyTorch finds it best, or Keras' backend computes.

    Raises:
        ValueError: The weights are of another network, or the device is not the one on which Keras computes.
    """
    model = make_network(spec, num_classes, device=device).train()
    set_weights(model, initial_weights(spec, num_classes, weights, seed=seed))
    return model


def freeze(model, parts) -> None:
    """Keep these parts as they are in training; all others are free.

    Args:
        model: A `FrameClassifier` or an `LRCN`.
        parts: Names among `specs.FROZEN_PARTS`: "convolutions", "hidden"; another is a ValueError.
    """
    if not set(parts) <= set(FROZEN_PARTS):
        raise ValueError(f"Expected parts among {FROZEN_PARTS}. Received: {tuple(parts)}. Leave the others out.")
    model.requires_grad_(True)
    model.convolutions.requires_grad_("convolutions" not in parts)
    model.head.hidden.requires_grad_("hidden" not in parts)


def count_parameters(model) -> tuple[int, int]:
    """Count what training changes, and all there is.

    Args:
        model: A `FrameClassifier` or an `LRCN`.

    Returns:
        (trainable, total), without preprocessing; the moving statistics of batch normalization are in the total only.
    """
    shapes = trainable_weights(list_shapes(model.spec, model.num_classes), frozen=()).values()
    trainable = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    return trainable, sum(map(math.prod, shapes))


def extract_features(model, frames, *, batch_size=FRAMES_AT_ONCE, mixed_precision=True) -> np.ndarray:
    """Turn frames into the features that the head reads, float16 (n, D); `dataset.FeatureCache` stores them.

    Args:
        model: A `FrameClassifier` or an `LRCN`; its convolutions are used.
        frames, batch_size: uint8 (n, H, W, 3), RGB; frames at a time.
        mixed_precision: Compute in bfloat16 where the machine gains from it.
    """
    frames = torch.tensor(np.asarray(frames), device=device_of(model))
    with at_rest(model), compute_in_bf16(model, mixed_precision):
        features = convolve_in_parts(model.convolutions, frames, batch_size=batch_size)
    return to_numpy(features.half())


def predict(model, batches) -> np.ndarray:
    """Return the logits of every frame, or every step of the LSTM, of every clip in order: float32 (N, T, K).

    Args:
        model: A `FrameClassifier` or an `LRCN`; in mixed precision if it was trained in it, as its card says.
        batches: A `ClipBatches` that does not shuffle, of frames or of features.
    """
    options, logits = {"readout": "steps"} if isinstance(model, LRCN) else {}, []
    mixed = model.card.get("training", {}).get("mixed_precision", False)
    with at_rest(model), compute_in_bf16(model, mixed):
        for x, _ in make_loader(batches):
            x = x.to(device_of(model), non_blocking=True)
            features = x if batches.kind == "features" else convolve_in_parts(model.convolutions, x)
            logits.append(model.head(features, **options).float())
    return to_numpy(torch.cat(logits))


def train(model, batches, validation, training, *, run=None, seed=0, monitor=None) -> dict[str, list]:
    """Train a model where it is, and leave it with its best epoch's weights. The same call resumes what was stopped.

    Args:
        model: A `FrameClassifier` or an `LRCN`; its `card` goes into its checkpoints.
        batches: A `ClipBatches` of frames, to train all but the frozen parts, or of features, to train the head.
        validation, training: A `ClipBatches` that chooses the best epoch, or None for the last; a `TrainSpec`.
        run: Folder for checkpoints and curves; a training that was stopped or killed there is resumed. None: nowhere.
        seed: Of dropout; batches have their own.
        monitor: Told of each batch and epoch, as `run.ProgressBar` is, which None stands for.

    Returns:
        The history: `run.COLUMNS` -> list, one value an epoch.

    Raises:
        ValueError: The run was begun with other settings, or there are no batches.
        RuntimeError: Another training works in its folder.
        FloatingPointError: The loss is no longer finite.
        KeyboardInterrupt: It was interrupted, its best weights kept; the monitor's `stop` makes it return instead.
    """
    try:
        return Trainer(model, batches, validation, training, folder=run, seed=seed, monitor=monitor).train()
    finally:
        model.eval()
