"""How much of an epoch on stored features does Keras' fit wait for data? Under 10 % is wanted.

Features of VGG-16's size (25,088 numbers a frame, float16) lie memory-mapped on disk; the head of the study's LRCN
trains on clips of 8 frames drawn from them. An epoch on batches that lie ready in memory is what it would take without
any waiting. Both take turns, and the best epoch of each counts, as other work on the machine only slows things down.

    python benchmarks/keras_loader.py
"""

import tempfile
import time
from pathlib import Path

import numpy as np

from actlib import specs
from actlib.dataset import ClipBatches
from actlib.keras.dataset import ClipDataset
from actlib.keras.training import build_model
from actlib.video import make_sampler

import keras  # isort: skip (after actlib.keras, which keeps its start-up quiet)

NUM_VIDEOS, NUM_FRAMES, EPOCHS = 240, 16, 3
WANTED = 0.1


def store_features(folder):
    """A memory-mapped array for each video, as a `FeatureCache` gives."""
    rng, paths = np.random.default_rng(0), []
    for place in range(NUM_VIDEOS):
        paths.append(Path(folder) / f"{place}.npy")
        np.save(paths[-1], rng.random((NUM_FRAMES, specs.VGG16.num_features), np.float32).astype(np.float16))
    return [np.load(path, mmap_mode="r") for path in paths]


class Ready:
    """An epoch's batches, made before they are asked for."""

    def __init__(self, batches):
        self.made = list(batches.epoch(1))

    def __len__(self):
        return len(self.made)

    def batch(self, epoch, index):
        """One of them, the same in each epoch."""
        return self.made[index]


class Clock(keras.callbacks.Callback):
    """Seconds of each epoch."""

    def __init__(self):
        super().__init__()
        self.seconds = []

    def on_epoch_begin(self, epoch, logs=None):
        """Starts the clock."""
        self.started = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        """Stops it."""
        self.seconds.append(time.perf_counter() - self.started)


def main():
    """Trains in turn on stored and on ready batches; the first epoch compiles and does not count."""
    spec = specs.PRESETS["study_lrcn"].model
    with tempfile.TemporaryDirectory() as folder:
        source, labels = store_features(folder), np.arange(NUM_VIDEOS) % 7
        sampler = make_sampler("segments", spec.num_frames)
        batches = ClipBatches(source, labels, sampler, shuffle=True, kind="features")
        head, clocks = build_model(spec, 7).head, {"stored": Clock(), "ready": Clock()}
        head.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        head.fit(ClipDataset(batches), shuffle=False, verbose=0)
        ways = {"stored": batches, "ready": Ready(batches)}
        for _ in range(EPOCHS):
            for name, clock in clocks.items():
                head.fit(ClipDataset(ways[name]), shuffle=False, verbose=0, callbacks=[clock])
        stored, ready = (min(clock.seconds) for clock in clocks.values())
        print(
            f"{stored:.2f} s an epoch of {len(batches)} batches, {ready:.2f} s with batches in memory: "
            f"{1 - ready / stored:.1%} of it waiting for data (under {WANTED:.0%} is wanted)"
        )


if __name__ == "__main__":
    main()
