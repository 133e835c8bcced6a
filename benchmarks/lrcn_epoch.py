"""What does it save to convolve each frame once? An epoch of LRCN over overlapping windows, both ways.

Windows of 16 frames begin every 8 frames, so nearly every frame is in two of them. The plain way sends the frames of
every window through VGG-16 in every epoch; the other way convolves each frame once and trains on the kept features.
Frames are random and already decoded; network, batches and training are the same (frozen VGG-16, the study's LRCN).

    python benchmarks/lrcn_epoch.py
"""

import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from actlib import specs
from actlib.dataset import ClipBatches
from actlib.torch.training import build_model, extract_features, train
from actlib.video import make_sampler

NUM_VIDEOS = 3
NUM_FRAMES = 64  # of a video, kept
NUM_EPOCHS = 30


class Silent:
    """A monitor that notes when epochs end and shows nothing."""

    stop = False

    def __init__(self):
        self.seconds = []

    def on_batch(self, done, total, loss):
        """Nothing to show."""

    def on_epoch(self, record):
        """Keeps the epoch's time."""
        self.seconds.append(record["seconds"])


def time_epoch(model, source, labels, num_epochs, *, kind):
    """Trains and gives the seconds of the fastest epoch."""
    training = replace(specs.PRESETS["study_lrcn"].training, num_epochs=num_epochs, mixed_precision=True)
    batches = ClipBatches(source, labels, make_sampler("windows", 16, stride=8), batch_size=4, kind=kind)
    monitor = Silent()
    train(model, batches, None, training, monitor=monitor)
    return min(monitor.seconds)


def keep_features(model, videos, folder):
    """Convolves each frame once; gives the memory-mapped features and the seconds it took."""
    started = time.perf_counter()
    for number, frames in enumerate(videos):
        np.save(folder / f"{number}.npy", extract_features(model, frames))
    seconds = time.perf_counter() - started
    return [np.load(folder / f"{number}.npy", mmap_mode="r") for number in range(len(videos))], seconds


def main():
    """Measures both ways and prints the ratio."""
    rng = np.random.default_rng(0)
    videos = [rng.integers(0, 256, (NUM_FRAMES, 224, 224, 3), dtype=np.uint8) for _ in range(NUM_VIDEOS)]
    labels = np.arange(NUM_VIDEOS) % 2
    model = build_model(replace(specs.PRESETS["study_lrcn"].model, num_frames=16), 2)
    extract_features(model, videos[0][:16])  # the first call prepares kernels
    plain = time_epoch(model, videos, labels, 1, kind="frames")
    with tempfile.TemporaryDirectory() as folder:
        features, once = keep_features(model, videos, Path(folder))
        kept = time_epoch(model, features, labels, 3, kind="features")
    num_clips = NUM_VIDEOS * len(make_sampler("windows", 16, stride=8)(NUM_FRAMES, None))
    print(f"{NUM_VIDEOS} videos of {NUM_FRAMES} frames, {num_clips} windows of 16 frames in an epoch")
    print(f"plain epoch      {plain:8.2f} s   each window's frames convolved again")
    print(f"features, once   {once:8.2f} s   {once / plain:.2f} of a plain epoch, as the windows overlap")
    print(f"epoch on them    {kept:8.2f} s   {plain / kept:.0f} times faster")
    whole = (NUM_EPOCHS * plain) / (once + NUM_EPOCHS * kept)
    print(f"{NUM_EPOCHS} epochs, features included: {whole:.1f} times faster")


if __name__ == "__main__":
    main()
