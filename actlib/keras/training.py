"""Building, training and using the networks with Keras' own compile, fit and predict: NumPy in, NumPy out."""

import functools

import keras
import numpy as np
from keras import ops

from actlib import specs
from actlib.keras import lrcn, vgg
from actlib.keras.dataset import ClipDataset, raise_original
from actlib.keras.optimizers import make_optimizer
from actlib.keras.precision import are_features, bf16_twin, compute_in_bf16, has_fast_bf16
from actlib.keras.trainer import TrainingCallback
from actlib.keras.weights import get_weights, set_weights
from actlib.run import ProgressBar, class_weights, first_batch, init_weights


def build_model(spec, num_classes, *, weights=None, seed=0):
    """Makes a model that is ready to train.

    Args:
        spec: a `FrameSpec` or an `LRCNSpec`.
        num_classes: K.
        weights: neutral name -> array: what it starts from where names fit, ImageNet's or another model's.
        seed: of the initial weights, which are the same in both frameworks.

    Returns:
        A `FrameClassifier` or an `LRCN`.

    Raises:
        ValueError: the weights are of another network.

    Example:
        >>> build_model(specs.SLIM_FRAMES, 7).name
        'slim_frames'
    """
    model = (lrcn.LRCN if isinstance(spec, specs.LRCNSpec) else vgg.FrameClassifier)(spec, num_classes)
    shapes = {name: array.shape for name, array in get_weights(model).items() if not name.startswith("preprocess/")}
    set_weights(model, init_weights(shapes, seed=seed), partial=True)
    if weights is not None:
        set_weights(model, weights, partial=True)
    return model


def freeze(model, parts) -> None:
    """Keeps these parts as they are in training; all others are free.

    Args:
        model: a `FrameClassifier` or an `LRCN`. `model.summary(expand_nested=True, show_trainable=True)` shows it.
        parts: names among `specs.FROZEN_PARTS`: "convolutions", "hidden".

    Raises:
        ValueError: there is no such part.
    """
    if not set(parts) <= set(specs.FROZEN_PARTS):
        raise ValueError(f"Expected parts among {specs.FROZEN_PARTS}. Received: {tuple(parts)}. Leave the others out.")
    model.convolutions.trainable = "convolutions" not in parts
    for layer in model.head.layers:
        layer.trainable = not (layer.name.startswith("hidden") and "hidden" in parts)


def count_parameters(model) -> tuple[int, int]:
    """Counts what training changes, and all there is.

    Args:
        model: a `FrameClassifier` or an `LRCN`.

    Returns:
        (trainable, total), without the mean and std of preprocessing.

    Example:
        >>> model = build_model(specs.SLIM_FRAMES, 7)
        >>> freeze(model, ("convolutions",))
        >>> trainable, total = count_parameters(model)
        >>> trainable < total
        True
    """
    total = sum(array.size for name, array in get_weights(model).items() if not name.startswith("preprocess/"))
    return sum(int(np.prod(variable.shape)) for variable in model.trainable_variables), total


def extract_features(model, frames, *, batch_size=32, mixed_precision=True) -> np.ndarray:
    """Turns frames into features, once, as fast as the machine can.

    Args:
        model: a `FrameClassifier` or an `LRCN`; its convolutions are used.
        frames: uint8 (n, H, W, 3).
        batch_size: frames at a time.
        mixed_precision: compute in bfloat16 where the machine gains from it.

    Returns:
        float16 (n, D).
    """
    if len(frames) == 0:
        return np.zeros((0, model.convolutions.spec.num_features), np.float16)
    convolutions = model.convolutions
    if mixed_precision and has_fast_bf16():
        convolutions = bf16_twin(model.convolutions.spec)
        for ours, theirs in zip(convolutions.weights, model.convolutions.weights, strict=True):
            ours.assign(ops.copy(theirs))  # a copy: JAX gives an array's memory away when it is done with it
    starts = range(0, len(frames), batch_size)
    parts = [convolutions.predict_on_batch(frames[start : start + batch_size]) for start in starts]
    return np.concatenate(parts).astype(np.float16)


def predict(model, batches, *, features=None) -> np.ndarray:
    """Gives the logits of every frame, or every step of the LSTM, of every clip.

    Args:
        model: a `FrameClassifier` or an `LRCN`.
        batches: a `ClipBatches` that does not shuffle.
        features: whether it holds features, not frames; None looks at its numbers (float or uint8).

    Returns:
        float32 (N, T, K), in the order of the batches.
    """
    x, _ = first_batch(batches)
    part = model.head if (are_features(x) if features is None else features) else model
    if isinstance(model, lrcn.LRCN):
        part = _answer_every_step(part, x.shape[1:], x.dtype.name)
    dataset = ClipDataset(batches)
    with raise_original(dataset):
        return part.predict(dataset, verbose=0)


@functools.lru_cache(maxsize=2)
def _answer_every_step(part, shape, dtype):
    """An LRCN or its head, with logits (N, T, K); kept, as Keras compiles it at its first call."""
    clips = keras.Input(shape, dtype=dtype)
    return keras.Model(clips, part(clips, readout="steps"))


def train(model, batches, validation, training, *, run=None, seed=0, monitor=None) -> dict:
    """Trains a model and leaves it with the weights of its best epoch.

    Batches of features train the head alone; batches of frames train all that is not frozen. A run that was killed
    goes on where it was, and ends as if nothing had happened (on a CPU, to the last digit). Ctrl-C ends training with
    the best epoch so far; the same call goes on.

    Args:
        model: a `FrameClassifier` or an `LRCN`. Facts in its `card` (data, classes) go into the checkpoint.
        batches: a `ClipBatches` that shuffles.
        validation: a `ClipBatches` that does not; None: the training loss chooses the best epoch.
        training: a `TrainSpec`.
        run: a folder for checkpoint, state, history and TensorBoard; None keeps nothing. See `actlib.run`.
        seed: of the dropout.
        monitor: follows training, see `run.ProgressBar`, which is the default.

    Returns:
        The history: name of a column in `run.COLUMNS` -> list, a number an epoch.

    Raises:
        ValueError: the run's folder holds a training with other settings.
        FloatingPointError: the loss is no longer finite.
        Exception: whatever reading the data raised.
    """
    first = first_batch(batches)
    features = are_features(first[0])
    frozen = sorted({*training.frozen, *(("convolutions",) if features else ())})
    freeze(model, frozen)
    follower = TrainingCallback(
        model, training, first=first, frozen=frozen, seed=seed, monitor=monitor or ProgressBar()
    )
    follower.open(run, batches, validation)
    try:
        if not follower.run.finished:
            with compute_in_bf16(model, training.mixed_precision):
                _fit(model.head if features else model, batches, validation, training, follower)
    except KeyboardInterrupt:
        print(f"Training stopped after {follower.num_epochs} epochs; the same call goes on from there.")
    finally:
        follower.close_monitor()
    follower.end_with_best()
    return follower.run.history


def _fit(part, batches, validation, training, follower):
    """Keras' own way: compile, then fit with callbacks."""
    part.compile(
        optimizer=make_optimizer(training),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
        jit_compile=training.compile,
    )
    part.optimizer.build(part.trainable_variables)
    repeat = getattr(part.spec, "readout", "steps") == "steps"  # logits, and so labels, for every frame
    weights = class_weights(batches.labels[batches.videos(0)], part.num_classes) if training.class_weights else None
    data = ClipDataset(batches, repeat=repeat, class_weights=weights, epoch=follower.num_epochs)
    checks = None if validation is None else ClipDataset(validation, repeat=repeat, fixed=True)
    with raise_original(data, checks):
        part.fit(
            data,
            validation_data=checks,
            initial_epoch=follower.num_epochs,
            epochs=training.num_epochs,
            callbacks=[*follower.judges, follower],
            shuffle=False,  # the batches have an order of their own
            verbose=0,
        )
