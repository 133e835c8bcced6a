"""Building, training and using the networks: NumPy in, NumPy out, on the GPU if there is one."""

import numpy as np
import torch

from actlib.run import ProgressBar, Run, first_batch, init_weights
from actlib.specs import FROZEN_PARTS, LRCNSpec
from actlib.torch.lrcn import LRCN
from actlib.torch.precision import are_features, frame_features, precision, to_device
from actlib.torch.trainer import Trainer
from actlib.torch.vgg import FrameClassifier
from actlib.torch.weights import get_weights, set_weights


def build_model(spec, num_classes, *, weights=None, seed=0):
    """Builds a network with the weights it starts from.

    Args:
        spec: A `FrameSpec` or an `LRCNSpec`.
        num_classes: K.
        weights: Neutral name -> array; what fits is taken (convolutions, hidden layers), the rest starts at random.
        seed: For what starts at random, see `run.init_weights`: the same numbers in both frameworks.

    Returns:
        A `FrameClassifier` or an `LRCN`.

    Raises:
        ValueError: A shape in weights differs from the network's.

    Example:
        >>> from actlib.specs import SLIM_FRAMES
        >>> build_model(SLIM_FRAMES, 7).head.logits
        Linear(in_features=64, out_features=7, bias=True)
    """
    with torch.random.fork_rng(devices=[]):  # PyTorch draws numbers too; these are replaced
        model = (LRCN if isinstance(spec, LRCNSpec) else FrameClassifier)(spec, num_classes)
    shapes = {name: array.shape for name, array in get_weights(model).items() if not name.startswith("preprocess/")}
    set_weights(model, init_weights(shapes, seed=seed), partial=True)
    if weights is not None:
        set_weights(model, weights, partial=True)
    return model


def freeze(model, parts):
    """Lets training change all but these parts.

    Args:
        model: A `FrameClassifier` or an `LRCN`.
        parts: Any of "convolutions" and "hidden"; () frees all.

    Raises:
        ValueError: A part has another name.
    """
    if not set(parts) <= set(FROZEN_PARTS):
        raise ValueError(f"Expected parts among {FROZEN_PARTS}. Received: {tuple(parts)}. Choose among them.")
    model.requires_grad_(True)
    for part in parts:
        _part(model, part).requires_grad_(False)


def count_parameters(model):
    """Counts what training changes, and all there is.

    Args:
        model: A `FrameClassifier` or an `LRCN`.

    Returns:
        (trainable, total); preprocessing is not counted, batch normalisation's moving statistics are in the total only.
    """
    total = sum(array.size for name, array in get_weights(model).items() if not name.startswith("preprocess/"))
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad), total


def extract_features(model, frames, *, batch_size=32, mixed_precision=True):
    """Turns frames into the features that the head reads; done once, they are kept by `caches.FeatureCache`.

    Args:
        model: A `FrameClassifier` or an `LRCN`.
        frames: uint8 (n, H, W, C), RGB.
        batch_size: Frames at once.
        mixed_precision: bfloat16 inside, where the machine gains from it.

    Returns:
        float16 (n, D).
    """
    device = to_device(model)
    with torch.no_grad(), precision(device, mixed_precision):
        model.convolutions.eval()
        features = frame_features(model.convolutions, np.asarray(frames), device, batch_size=batch_size)
    return features.half().cpu().numpy()


def predict(model, batches, *, features=None):
    """Scores every frame of every clip.

    Args:
        model: A `FrameClassifier` or an `LRCN`.
        batches: Not shuffled; `epoch(0)` gives (x, labels), x uint8 frames (N, T, H, W, C) or features (N, T, D).
        features: Whether x are features; None: float x are.

    Returns:
        float32 (clips, T, K), in the order of batches.
    """
    device = to_device(model)
    model.eval()
    logits = []
    with torch.no_grad():
        for x, _ in batches.epoch(0):
            if not (are_features(x) if features is None else features):
                x = frame_features(model.convolutions, x, device)
            logits.append(_step_logits(model, torch.as_tensor(x, device=device)).cpu().numpy())
    return np.concatenate(logits)


def train(model, batches, validation, training, *, run=None, seed=0, monitor=None):
    """Trains a network, and leaves it with the weights of its best epoch.

    Args:
        model: A `FrameClassifier` or an `LRCN`; facts in `model.card` go into its checkpoints.
        batches: `epoch(number)` gives (x, labels): uint8 frames (N, T, H, W, C) to train all but the frozen parts, or
            features (N, T, D) to train the head.
        validation: Batches that choose the best epoch; None: the training loss does.
        training: A `TrainSpec`.
        run: A folder for checkpoints and curves; a training that was killed there goes on. None keeps nothing.
        seed: Of dropout; batches have their own.
        monitor: Told of each batch and epoch as `run.ProgressBar` is, which None stands for.

    Returns:
        The history: name -> list, one value an epoch; names are `run.COLUMNS`. Ctrl-C ends training early: the history
        is then shorter, and the same call goes on later.

    Raises:
        ValueError: The run began with other settings; there are no batches.
        FloatingPointError: The loss is no longer finite.
    """
    first = first_batch(batches)
    frozen = sorted({*training.frozen, *(["convolutions"] if are_features(first[0]) else [])})
    freeze(model, frozen)
    trainer = Trainer(model, batches, training, first=first, frozen=frozen, seed=seed)
    record = Run(run, trainer.settings(validation))
    if record.resume(trainer.changing()):
        trainer.restore(record)
    monitor = monitor or ProgressBar()
    try:
        trainer.run(record, validation, monitor)
    except KeyboardInterrupt:
        print(f"Training stopped after {len(record.history['epoch'])} epochs; the same call goes on from there.")
    finally:
        if isinstance(monitor, ProgressBar):
            monitor.close()
    trainer.end_with_best(record)
    return record.history


def _part(model, part):
    return model.convolutions if part == "convolutions" else model.head.hidden


def _step_logits(model, features):
    """(N, T, K) of either network."""
    return model.head(features, readout="steps") if isinstance(model, LRCN) else model.head(features)
