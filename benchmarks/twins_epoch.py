"""How long does the same epoch take in Keras and in PyTorch? Both twins, same weights, same batches, in one run.

Three epochs are timed: the sample's frame classifier trained end to end on pixels, its LRCN on stored features, and the
head of the study's VGG-16 frame classifier on stored features. The first epoch of each training, which compiles, does
not count; of the others the best does.

    python benchmarks/twins_epoch.py
"""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np

from actlib import specs
from actlib.dataset import ClipBatches
from actlib.keras import training as keras_training
from actlib.torch import training as torch_training
from actlib.video import make_sampler

NUM_VIDEOS, NUM_FRAMES, EPOCHS = 84, 16, 4
SILENT = SimpleNamespace(stop=False, on_batch=lambda done, total, loss: None, on_epoch=lambda record: None)


def make_source(preset, *, features):
    """Random pixels, or features, of every video."""
    rng, vgg = np.random.default_rng(0), getattr(preset.model, "frames", preset.model).vgg
    if features:
        return [rng.random((NUM_FRAMES, vgg.num_features), np.float32).astype(np.float16) for _ in range(NUM_VIDEOS)]
    shape = (NUM_FRAMES, vgg.size, vgg.size, 3)
    return [rng.integers(0, 256, shape, np.uint8) for _ in range(NUM_VIDEOS)]


def time_epoch(module, preset, batches):
    """Seconds of the fastest epoch after the first."""
    model = module.build_model(preset.model, 7)
    training = replace(preset.training, num_epochs=EPOCHS, patience=None)
    return min(module.train(model, batches, None, training, monitor=SILENT)["seconds"][1:])


def main():
    """Prints seconds and ratio of each epoch."""
    for name, features in (("slim_frames", False), ("slim_lrcn", True), ("study_frames", True)):
        preset = specs.PRESETS[name]
        source, labels = make_source(preset, features=features), np.arange(NUM_VIDEOS) % 7
        kind, sampler = "features" if features else "frames", make_sampler("segments", preset.clip_frames)
        batches = ClipBatches(source, labels, sampler, shuffle=True, kind=kind)
        keras, torch = (time_epoch(module, preset, batches) for module in (keras_training, torch_training))
        clips = f"{NUM_VIDEOS} clips of {preset.clip_frames} frames"
        print(f"{name:13} {kind:9} {clips}: Keras {keras:.2f} s, PyTorch {torch:.2f} s, ratio {keras / torch:.2f}")


if __name__ == "__main__":
    main()
