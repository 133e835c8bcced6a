"""Building, training and using the networks: NumPy in, NumPy out, computed where the model is."""

import functools
import math

import keras
import numpy as np

from actlib.checkpoints import list_shapes
from actlib.keras import precision
from actlib.keras.dataset import ClipDataset, raise_read_errors
from actlib.keras.lrcn import LRCN
from actlib.keras.precision import FRAMES_AT_ONCE, bf16_copy, compute_in_bf16, convolve_in_parts, feature_precision
from actlib.keras.trainer import Trainer
from actlib.keras.vgg import TRACED
from actlib.keras.weights import make_network, set_weights
from actlib.specs import FROZEN_PARTS
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
    model = make_network(spec, num_classes, device=device)
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
    model.convolutions.trainable = "convolutions" not in parts
    for layer in model.head.layers:
        layer.trainable = not (layer.name.startswith("hidden") and "hidden" in parts)


def count_parameters(model) -> tuple[int, int]:
    """Count what training changes, and all there is.

    Args:
        model: A `FrameClassifier` or an `LRCN`.

    Returns:
        (trainable, total), without preprocessing; the moving statistics of batch normalization are in the total only.
    """
    shapes = trainable_weights(list_shapes(model.spec, model.num_classes), frozen=()).values()
    trainable = sum(math.prod(variable.shape) for variable in model.trainable_variables)
    return trainable, sum(map(math.prod, shapes))


def extract_features(model, frames, *, batch_size=FRAMES_AT_ONCE, mixed_precision=True) -> np.ndarray:
    """Turn frames into the features that the head reads, float16 (n, D); `dataset.FeatureCache` stores them.

    Args:
        model: A `FrameClassifier` or an `LRCN`; its convolutions are used.
        frames, batch_size: uint8 (n, H, W, 3), RGB; frames at a time.
        mixed_precision: Compute in bfloat16 where the machine gains from it.
    """
    half = mixed_precision and feature_precision(model) == "bfloat16"
    convolutions = bf16_copy(model.convolutions) if half else model.convolutions
    with precision.fast_kernels(model):
        return convolve_in_parts(convolutions, np.asarray(frames), batch_size=batch_size).astype(np.float16)


def predict(model, batches) -> np.ndarray:
    """Return the logits of every frame, or every step of the LSTM, of every clip in order: float32 (N, T, K).

    Args:
        model: A `FrameClassifier` or an `LRCN`; in mixed precision if it was trained in it, as its card says.
        batches: A `ClipBatches` that does not shuffle, of frames or of features.
    """
    part, data = model.head if batches.kind == "features" else model, ClipDataset(batches, fixed=True)
    mixed = model.card.get("training", {}).get("mixed_precision", False)
    with raise_read_errors(data), precision.fast_kernels(model), compute_in_bf16(model, mixed):
        if isinstance(model, LRCN) or mixed:
            x = data[0][0]
            part = _predict_every_step(part, x.shape[1:], x.dtype.name, mixed)
        return part.predict(data, verbose=0)


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
    return Trainer(model, batches, validation, training, folder=run, seed=seed, monitor=monitor).train()


@functools.lru_cache(maxsize=2)
def _predict_every_step(part, shape, dtype, mixed):
    """A model or its head, with logits (N, T, K); kept, as Keras compiles it, in a precision, at its first call."""
    clips = keras.Input(shape, dtype=dtype, **TRACED)
    options = {"readout": "steps"} if hasattr(part.spec, "lstm") else {}
    return keras.Model(clips, part(clips, **options))
