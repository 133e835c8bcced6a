"""How much of an epoch on stored features does Keras' fit wait for data? Under 10 % is wanted.

Features of VGG-16's size (25,088 numbers a frame, float16) lie memory-mapped on disk; the head of the study's LRCN
trains on clips of 8 frames drawn from them. `ClipDataset` notes how long batches were waited for; the model waits no
longer than that, as TensorFlow keeps some ready. Beside it: the same without workers.

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


class Clock(keras.callbacks.Callback):
    """Seconds of each epoch, and of waiting for data in it."""

    def __init__(self, dataset):
        super().__init__()
        self.dataset, self.epochs = dataset, []

    def on_epoch_begin(self, epoch, logs=None):
        """Starts the clock."""
        self.started, self.waited = time.perf_counter(), self.dataset.loader.waited_seconds

    def on_epoch_end(self, epoch, logs=None):
        """Stops it."""
        waited = self.dataset.loader.waited_seconds - self.waited
        self.epochs.append((time.perf_counter() - self.started, waited))


def main():
    """Trains with and without workers and prints the share of waiting after the first epoch, which compiles."""
    spec = specs.PRESETS["study_lrcn"].model
    with tempfile.TemporaryDirectory() as folder:
        labels = np.arange(NUM_VIDEOS) % 7
        source, sampler = store_features(folder), make_sampler("segments", spec.num_frames)
        batches = ClipBatches(source, labels, sampler, shuffle=True, kind="features")
        for workers in (0, 2):
            head = build_model(spec, 7).head
            head.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
            dataset = ClipDataset(batches, workers=workers)
            clock = Clock(dataset)
            head.fit(dataset, epochs=EPOCHS + 1, shuffle=False, verbose=0, callbacks=[clock])
            seconds, waited = np.array(clock.epochs[1:]).sum(0) / EPOCHS
            share = f"at most {waited / seconds:.1%} of it waiting for data"
            wanted = f" (under {WANTED:.0%} is wanted)" if workers else ""
            print(f"{workers} workers: {seconds:.2f} s an epoch of {len(batches)} batches, {share}{wanted}")


if __name__ == "__main__":
    main()
