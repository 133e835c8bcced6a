"""For tests of models over time: films of grey levels, and a model that knows a class by its brightness."""

import numpy as np

from actlib.video.writer import write_video

CLASSES = ("Dark", "Grey", "Bright")


class Photometer:
    """A model that knows a class by the mean brightness of each frame, and remembers the clips it was given."""

    size, num_frames = 16, 4

    def __init__(self, kind="frames", sharpness=1.0, *, levels=(40, 128, 220), classes=CLASSES, readout="steps"):
        self.kind, self.sharpness, self.levels, self.classes, self.clips = kind, sharpness, levels, classes, []
        self.readout = readout

    def __call__(self, clips):
        self.clips.append(clips)
        brightness = clips.mean(axis=(2, 3, 4))  # (N, T)
        return -np.abs(brightness[..., None] - self.levels) * self.sharpness


def film_of(path, *levels, size=(48, 64), fps=25, length=25):
    """Writes `length` frames of each grey level, one after the other."""
    frames = (np.full((*size, 3), level, np.uint8) for level in levels for _ in range(length))
    return write_video(path, frames, fps=fps)
