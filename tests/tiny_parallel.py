"""A tiny training without dropout, for several processes: torchrun tests/tiny_parallel.py FOLDER FRAMEWORK [RANK].

The process of that rank is killed in the third of four epochs, once.
"""

import atexit
import importlib
import os
import signal
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from actlib import specs
from actlib.dataset import ClipBatches
from actlib.video import make_sampler

TINY = specs.VGGSpec("tiny", ((1, 4), (1, 6)), size=16, std=(64.0, 64.0, 64.0))
LRCN = specs.LRCNSpec("calm", specs.FrameSpec("f", TINY, hidden=(8,), dropout=0.0), lstm=(5,), lstm_dropout=0.0)
TRAINING = specs.TrainSpec(
    num_epochs=4, optimizer="sgd", learning_rate=0.01, weight_decay=1e-3, clip_norm=0.5, class_weights=True,
    rates=(("logits", 2.0),), accumulation_steps=2, frozen=(),
)  # fmt: skip


def make_batches():
    """(training, validation): batches of 4 clips and a last one of 1, so that most parts of it are empty."""
    rng, labels = np.random.default_rng(0), np.arange(9) % 3
    videos = [rng.integers(0, 250, (6, 16, 16, 3), np.uint8) // (1 + int(label)) for label in labels]
    batches = ClipBatches(videos, labels, make_sampler("segments", 4), batch_size=4, shuffle=True, augment=True)
    return batches, ClipBatches(videos, labels, make_sampler("uniform", 4), batch_size=5)


def train(folder, framework, killed=None):
    """Train, or begin to; return (weights, history)."""

    def kill(done, total, loss):
        if done == 8 and killed and killed == os.environ.get("RANK") and not killed_before.exists():
            killed_before.touch()
            os.kill(os.getpid(), signal.SIGKILL)

    killed_before = Path(f"{folder}-killed")
    training, weights = (importlib.import_module(f"actlib.{framework}.{name}") for name in ("training", "weights"))
    monitor = SimpleNamespace(stop=False, on_batch=kill, on_epoch=lambda record: None)
    model = training.build_model(LRCN, 3, seed=2)
    history = training.train(model, *make_batches(), TRAINING, run=folder, seed=3, monitor=monitor)
    return weights.get_weights(model), history


def write_threads(path):
    """Write the names of the threads that are left when the interpreter ends."""
    path.write_text("\n".join(task.read_text() for task in Path("/proc/self/task").glob("*/comm")))


if __name__ == "__main__":
    atexit.register(write_threads, Path(f"{sys.argv[1]}-{os.environ.get('RANK', 0)}.threads"))
    found, history = train(*sys.argv[1:])
    np.savez(f"{sys.argv[1]}-{os.environ.get('RANK', 0)}.npz", **found)
