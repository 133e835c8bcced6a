"""What share of a training is spent waiting for data? Both twins, pixels and features, in one run; under 5 % is wanted.

Frames of the sample's size, or features of VGG-16 (512 pooled numbers a frame, or all 25,088), lie on disk, in a cache,
whose arrays stay in memory once they are read, as it is small; with --mapped each is mapped from disk for each clip, as
those of large caches are. An epoch on batches that lie ready in memory is what it would take without any waiting. Both
take turns, and the best epoch of each counts, as other work on the machine only slows things down; the same in seconds
of CPU, which other work changes less, says what share of the work reading is.

    python benchmarks/loading.py
    python benchmarks/loading.py --mapped
"""

import argparse
import tempfile
import time
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd

from actlib import specs
from actlib.dataset import ClipBatches, cache
from actlib.keras import training as keras_training
from actlib.torch import training as torch_training
from actlib.video import make_sampler

NUM_VIDEOS, NUM_FRAMES, EPOCHS, ROUNDS = 120, 16, 3, 3
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


class Ready(ClipBatches):
    """Batches that were made before they are asked for, the same in each epoch."""

    def prepare(self):
        """Make them all; return self."""
        self.made = [super(Ready, self).batch(0, index) for index in range(len(self))]
        return self

    def batch(self, epoch, index, *, rows=slice(None)):
        """Return one of them."""
        return tuple(values[rows] for values in self.made[index])


def time_epochs(module, model, batches, recipe):
    """Return seconds of the wall and of CPU of each epoch but the first, which compiles."""
    clocks = []

    def note(record):
        clocks.append((time.perf_counter(), time.process_time()))

    monitor = SimpleNamespace(stop=False, on_batch=lambda done, total, loss: None, on_epoch=note)
    module.train(model, batches, None, recipe, monitor=monitor)
    return np.diff(clocks, axis=0).tolist()


def measure(kind, preset):
    """Yield (framework, the best epoch on stored batches, on ready ones), each in seconds, of the wall and of CPU."""
    vgg = preset.model.vgg
    shape, dtype = {"frames": ((vgg.size, vgg.size, 3), np.uint8), "features": ((vgg.num_features,), np.float16)}[kind]
    recipe = replace(preset.training, num_epochs=EPOCHS + 1, patience=None)
    with tempfile.TemporaryDirectory() as folder:
        arguments = Stored(folder, shape, dtype), np.arange(NUM_VIDEOS) % 7
        options = {"sampler": make_sampler("segments", preset.clip_frames), "shuffle": True, "kind": kind}
        options |= {"batch_size": preset.training.batch_size, "augment": preset.augment}
        ways = ClipBatches(*arguments, **options), Ready(*arguments, **options).prepare()
        for name, module in (("Keras", keras_training), ("PyTorch", torch_training)):
            model, found = module.build_model(preset.model, 7), [[], []]
            for _ in range(ROUNDS):
                for batches, epochs in zip(ways, found, strict=True):
                    epochs += time_epochs(module, model, batches, recipe)
            yield name, *(np.min(epochs, axis=0) for epochs in found)


def main():
    """Train in turn on stored and on ready batches; the first epoch of each training compiles and does not count."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mapped", action="store_true", help="as in a cache too large for memory")
    if parser.parse_args().mapped:
        cache.HELD_BYTES = 0
    for kind, name in TRAINED:
        for framework, stored, ready in measure(kind, specs.PRESETS[name]):
            wall, cpu = np.maximum(0, 1 - ready / stored)
            print(
                f"{framework:8} {name:11} {kind:8} {stored[0]:.3f} s an epoch, {ready[0]:.3f} s from memory: ", end=""
            )
            print(f"{wall:.1%} of it waiting for data (under {WANTED:.0%} is wanted), {cpu:.1%} of its CPU", flush=True)


if __name__ == "__main__":
    main()
