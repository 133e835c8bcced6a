"""A checkpoint ready to be asked about any frames: what annotation and a reader's own video need of a model."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from actlib.experiment.preparing import load_backend
from actlib.experiment.running import load_model
from actlib.specs import PRESETS, LRCNSpec


class SingleBatch:
    """One batch that was never in a cache.

    Args:
        clips: uint8 (N, T, H, W, 3).
    """

    def __init__(self, clips):
        self.clips = clips

    def __len__(self):
        return 1

    def batch(self, number, index):
        """Give the batch.

        Args:
            number: Not used; batches take it.
            index: Likewise.

        Returns:
            (clips, labels): labels are zeros, nobody looks at them.
        """
        return self.clips, np.zeros(len(self.clips), np.int64)

    def epoch(self, number=0):
        """Give the batch.

        Args:
            number: Not used; batches take it.

        Yields:
            (clips, labels): labels are zeros, nobody looks at them.
        """
        yield self.batch(number, 0)


@dataclass(frozen=True)
class Predictor:
    """A model that answers for clips: uint8 (N, T, size, size, 3) -> float32 logits (N, T, K)."""

    model: Any
    framework: str
    classes: tuple[str, ...]
    kind: str  # "frames" or "lrcn"
    size: int  # pixels
    num_frames: int  # T of its clips
    readout: str  # which steps answer for a clip
    window_seconds: float | None = None  # time that T frames spanned in training, see `actlib.timeline`
    mixed_precision: bool = True  # convolve as for stored features, in bfloat16 where the machine gains from it

    def __call__(self, clips):
        """Score clips.

        Args:
            clips: uint8 (N, T, size, size, 3), RGB.

        Returns:
            float32 (N, T, K), a row a frame or step.
        """
        training, clips = load_backend(self.framework).training, np.asarray(clips)
        if self.mixed_precision:
            frames = clips.reshape(-1, *clips.shape[2:])  # (N * T, H, W, 3)
            clips = training.extract_features(self.model, frames).reshape(*clips.shape[:2], -1)  # (N, T, D)
        return training.predict(self.model, SingleBatch(clips))


def load_predictor(checkpoint, *, framework="torch", mixed_precision=True):
    """Load a checkpoint as something that can be asked.

    Args:
        checkpoint: A .safetensors file, or a run's folder.
        framework: The twin that computes, whichever wrote it.
        mixed_precision: False computes in float32 throughout, slower where the machine gains from bfloat16.

    Returns:
        A ``Predictor``.

    Raises:
        FileNotFoundError: If there is none; says what to run first.
    """
    model, card = load_model(checkpoint, framework=framework)
    is_lrcn = isinstance(model.spec, LRCNSpec)
    return Predictor(
        model,
        framework,
        classes=tuple(card["classes"]),
        kind="lrcn" if is_lrcn else "frames",
        size=model.spec.vgg.size,
        num_frames=PRESETS[card["preset"]].clip_frames,
        readout=model.spec.readout if is_lrcn else "steps",
        window_seconds=card.get("window_seconds"),
        mixed_precision=mixed_precision,
    )
