"""What share of a training is spent waiting for data? Both twins, pixels and features, in one run; under 5 % is wanted.

Frames of the sample's size, or features of VGG-16 (512 pooled numbers a frame, or all 25,088), lie on disk, in a cache,
whose arrays stay in memory once they are read, as it is small; with --mapped each is mapped from disk for each clip, as
those of large caches are. An epoch on batches that lie ready in memory is what it would take without any waiting. The
epochs of one training do both by turns, each framework's in a process of its own, and the median over pairs of
neighbours counts, as other work on the machine slows both down; the same in seconds of CPU says what share of the work
reading is.

    python benchmarks/loading.py
    python benchmarks/loading.py --mapped
"""

import argparse
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd

from actlib import specs
from actlib.dataset import ClipBatches, cache
from actlib.training import load_backend
from actlib.video import make_sampler

NUM_VIDEOS, NUM_FRAMES = 120, 16
PAIRS = {"frames": 16, "features": 60}  # of epochs
WANTED = 0.05
TRAINED = ("frames", "slim_frames"), ("features", "vgg16_lrcn"), ("features", "study_lrcn")


class Stored(cache.ArrayCache):
    """A cache of made-up arrays."""

    kind, verb, num_readers = "features", "making", 1

    def __init__(self, folder, shape, dtype):
        self.shape, self.dtype = shape, dtype
        videos = pd.DataFrame({"hash": [f"{place:x}" for place in range(NUM_VIDEOS)], "frames": NUM_FRAMES})
        super().__init__(videos, folder, videos["frames"], np.prod(shape) * np.dtype(dtype).itemsize, progress=False)

    def _read(self, index):
        rng = np.random.default_rng(index)
        return rng.integers(0, 200, (NUM_FRAMES, *self.shape), np.uint8).astype(self.dtype)


class Turns(ClipBatches):
    """Batches that in every other epoch were made before they are asked for, then always the same."""

    ready = ()

    def prepare(self):
        """Make them all; return self."""
        self.ready = [self.batch(0, index) for index in range(len(self))]
        return self

    def batch(self, epoch, index, *, rows=slice(None)):
        """Read a batch, or return one that is ready."""
        if epoch % 2 and self.ready:
            return tuple(values[rows] for values in self.ready[index])
        return super().batch(epoch, index, rows=rows)


def time_epochs(module, model, batches, recipe):
    """Return seconds of the wall and of CPU of each epoch but the first, which compiles: (epochs, 2)."""
    clocks = []

    def note(record):
        clocks.append((time.perf_counter(), time.process_time()))

    monitor = SimpleNamespace(stop=False, on_batch=lambda done, total, loss: None, on_epoch=note)
    module.train(model, batches, None, recipe, monitor=monitor)
    return np.diff(clocks, axis=0)


def measure(framework, kind, preset):
    """Return seconds of an epoch, of the wall and of CPU, and which share of each ready batches spare."""
    vgg = preset.model.vgg
    shape, dtype = {"frames": ((vgg.size, vgg.size, 3), np.uint8), "features": ((vgg.num_features,), np.float16)}[kind]
    recipe = replace(preset.training, num_epochs=2 * PAIRS[kind] + 1, patience=None)
    with tempfile.TemporaryDirectory() as folder:
        options = {"sampler": make_sampler("segments", preset.clip_frames), "shuffle": True, "kind": kind}
        options |= {"batch_size": preset.training.batch_size, "augment": preset.augment}
        batches = Turns(Stored(folder, shape, dtype), np.arange(NUM_VIDEOS) % 7, **options).prepare()
        module = load_backend(framework).training
        seconds = time_epochs(module, module.build_model(preset.model, 7), batches, recipe)
    ready, stored = seconds[::2], seconds[1::2]  # (pairs, 2)
    return np.median(stored, axis=0), np.median(1 - ready / stored, axis=0)


def main():
    """Train on stored and on ready batches by turns, and print what share of an epoch is spent waiting."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mapped", action="store_true", help="as in a cache too large for memory")
    parser.add_argument("--framework", choices=specs.BACKENDS, help="that one alone; without it each in turn")
    arguments = parser.parse_args()
    if arguments.framework is None:
        for framework in specs.BACKENDS:
            subprocess.run([sys.executable, *sys.argv, "--framework", framework], check=True)
        return
    if arguments.mapped:
        cache.HELD_BYTES = 0
    for kind, name in TRAINED:
        (seconds, _), (wall, cpu) = measure(arguments.framework, kind, specs.PRESETS[name])
        print(f"{arguments.framework:8} {name:11} {kind:8} {seconds:.3f} s an epoch, ", end="")
        print(f"{wall:.1%} of it waiting for data (under {WANTED:.0%} is wanted), {cpu:.1%} of its CPU", flush=True)


if __name__ == "__main__":
    main()
