"""How fast are VGG-16's features in Keras, against a plain `tf.function` around `keras.applications.VGG16`? In one run.

The plain loop is timed in float32 and in mixed_bfloat16; its best is what `actlib.keras`' `extract_features`, pixels
in, features out, is compared with: at least 0.9 of it is wanted. Weights are random: they do not change the speed. All
take turns, and the best of several rounds counts, as other work on the machine only slows things down. CPU time is
given too, which other work changes less.

    python benchmarks/keras_features.py
"""

import sys
import time
from importlib.util import find_spec

import numpy as np

from actlib import machine, specs
from actlib.keras.training import build_model, extract_features

import keras  # isort: skip (after actlib.keras, which keeps its start-up quiet)

if not find_spec("tensorflow"):
    sys.exit(print("TensorFlow is not installed, whose own loop this compares with: nothing is measured."))
import tensorflow as tf  # isort: skip

ROUNDS, NUM_FRAMES, BATCH_SIZE = 5, 32, 16
WANTED = 0.9


def make_plain(policy):
    """A plain loop over batches: floats in, features out."""
    keras.config.set_dtype_policy(policy)
    model = keras.applications.VGG16(weights=None, include_top=False, input_shape=(224, 224, 3))
    keras.config.set_dtype_policy("float32")
    function = tf.function(lambda x: tf.cast(model(x), tf.float32), reduce_retracing=True)

    def run(frames):
        ready = keras.applications.vgg16.preprocess_input(frames.astype("float32"))
        batches = range(0, len(ready), BATCH_SIZE)
        return np.concatenate([function(ready[start : start + BATCH_SIZE]).numpy() for start in batches])

    return run


def main():
    """Measures all three in turn and prints the ratio."""
    frames = np.random.default_rng(0).integers(0, 256, (NUM_FRAMES, 224, 224, 3), np.uint8)
    model = build_model(specs.FrameSpec("bare", specs.VGG16, hidden=()), 7)
    ways = {
        "plain tf.function, float32": make_plain("float32"),
        "plain tf.function, mixed_bfloat16": make_plain("mixed_bfloat16"),
        "actlib.keras extract_features": lambda frames: extract_features(model, frames, batch_size=BATCH_SIZE),
    }
    seconds = {name: [] for name in ways}
    for _ in range(ROUNDS + 1):
        for name, way in ways.items():
            seconds[name].append(clock(way, frames))
    best = {name: np.min(values[1:], axis=0) for name, values in seconds.items()}  # (wall, CPU); the first one compiles
    print(f"this CPU multiplies bfloat16 in hardware: {machine.has_fast_bf16()}")
    for name, (wall, cpu) in best.items():
        print(f"{name:35} {NUM_FRAMES / wall:6.1f} frames/s  {1000 * cpu / NUM_FRAMES:6.1f} ms of CPU a frame")
    *plain, ours = best.values()
    wall, cpu = np.min(plain, axis=0) / ours
    print(f"ratio to the best plain loop: {wall:.2f} (at least {WANTED} is wanted), in CPU time {cpu:.2f}")


def clock(way, frames):
    """Seconds on the wall and seconds of CPU that a way takes."""
    started = np.array([time.perf_counter(), time.process_time()])
    way(frames)
    return np.array([time.perf_counter(), time.process_time()]) - started


if __name__ == "__main__":
    main()
