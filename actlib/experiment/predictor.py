"""A checkpoint as a model that scores any clips: what timelines, annotation and a reader's own video need."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from actlib import checkpoints, paths
from actlib.dataset import ClipBatches
from actlib.experiment.preparing import load_backend
from actlib.specs import LRCNSpec


def find_checkpoint(checkpoint):
    """Return the path of a checkpoint: a .safetensors file, or the best one in a run's folder.

    Raises:
        FileNotFoundError: If there is none; says what to run first.
    """
    path = Path(checkpoint)
    path = path / paths.BEST if path.is_dir() or not path.suffix else path
    if not path.exists():
        raise FileNotFoundError(
            f"Expected a checkpoint in {path}. Received: no such file. "
            "Run the lesson that trains it, or 'python -m actlib train', first."
        )
    return path


def load_model(checkpoint, *, framework="torch"):
    """Load a checkpoint of `train_model`, whichever framework wrote it, and its card.

    Args:
        checkpoint: A .safetensors file, or a run's folder.
        framework: Where to load it; None for the framework that trained it.

    Returns:
        (model, card); the card's "preset" is a ``Preset`` again.

    Raises:
        FileNotFoundError: If there is none; says what to run first.
        ValueError: If its card lacks what is needed.
    """
    path = find_checkpoint(checkpoint)
    framework = framework or checkpoints.read_card(path, "framework")["framework"]
    model = load_backend(framework).weights.load_model(path)
    card = checkpoints.check_card(model.card, path, "classes", "preset", "experiment")
    return model, card | {"preset": checkpoints.spec_from_json(card["preset"], path)}


@dataclass(frozen=True)
class Predictor:
    """A model that scores clips: uint8 (N, T, size, size, 3) -> float32 logits (N, T, K)."""

    model: Any
    classes: tuple[str, ...]
    num_frames: int  # T of its clips
    window_seconds: float | None = None  # time that T frames spanned in training, see `actlib.timeline`
    mixed_precision: bool = True  # convolve as for stored features, in bfloat16 where the machine gains from it

    @property
    def size(self):
        """Height and width of its frames, in pixels."""
        return self.model.spec.vgg.size

    @property
    def kind(self):
        """ "frames" or "lrcn"."""
        return "lrcn" if isinstance(self.model.spec, LRCNSpec) else "frames"

    @property
    def readout(self):
        """How the steps of a clip become one prediction, see ``evaluation.pool_clips``."""
        return getattr(self.model.spec, "readout", "steps")

    def __call__(self, clips):
        """Score clips.

        Args:
            clips: uint8 (N, T, size, size, 3), RGB.

        Returns:
            float32 (N, T, K), a row a frame or step.
        """
        training, clips = load_backend(self.model).training, np.asarray(clips)
        if self.mixed_precision:
            frames = clips.reshape(-1, *clips.shape[2:])  # (N * T, H, W, 3)
            clips = training.extract_features(self.model, frames).reshape(*clips.shape[:2], -1)  # (N, T, D)
        kind, num_clips = "features" if self.mixed_precision else "frames", len(clips)
        batches = ClipBatches(clips, np.zeros(num_clips), _all_frames, batch_size=num_clips, kind=kind)
        return training.predict(self.model, batches)


def load_predictor(checkpoint, *, framework="torch", mixed_precision=True):
    """Load a checkpoint as a model that scores any clips.

    Args:
        checkpoint: A .safetensors file, or a run's folder.
        framework: The framework that computes, whichever wrote it.
        mixed_precision: False computes in float32 throughout, slower where the machine gains from bfloat16.

    Returns:
        A ``Predictor``.

    Raises:
        FileNotFoundError: If there is none; says what to run first.
        ValueError: If its card lacks what is needed.
    """
    model, card = load_model(checkpoint, framework=framework)
    return Predictor(
        model,
        classes=tuple(card["classes"]),
        num_frames=card["preset"].clip_frames,
        window_seconds=card.get("window_seconds"),
        mixed_precision=mixed_precision,
    )


def _all_frames(num_frames, rng):
    return np.arange(num_frames)
