"""A tiny training; as a program, `python tests/tiny_training.py FOLDER FRAMEWORK`, it is killed in its third epoch."""

import importlib
import os
import signal
import sys
from types import SimpleNamespace

import numpy as np

from actlib import specs
from actlib.dataset import ClipBatches
from actlib.video import make_sampler

TINY = specs.VGGSpec("tiny", ((1, 4), (1, 6)), size=16, std=(64.0, 64.0, 64.0), batch_norm=True)
FRAMES = specs.FrameSpec("tiny_frames", TINY, hidden=(8,), dropout=0.4)
LRCN = specs.LRCNSpec("tiny_lrcn", FRAMES, lstm=(5,), lstm_dropout=0.3, readout="mean", num_frames=4)
TRAINING = specs.TrainSpec(num_epochs=5, learning_rate=3e-3, frozen=(), plateau_patience=1)


def make_videos():
    """12 videos of 6 frames, three classes told apart by brightness."""
    rng = np.random.default_rng(0)
    labels = np.arange(12) % 3
    return [rng.integers(0, 250, (6, 16, 16, 3), np.uint8) // (1 + label) for label in labels], labels


def make_batches():
    """(training, validation) of them; a third of the validation labels is wrong, so that its loss soon rises."""
    videos, labels = make_videos()
    batches = ClipBatches(videos, labels, make_sampler("segments", 4), batch_size=4, shuffle=True, seed=1)
    wrong = np.where(np.arange(12) < 4, (labels + 1) % 3, labels)
    return batches, ClipBatches(videos, wrong, make_sampler("uniform", 4), batch_size=5)


def send_at_batch(number, kind):
    """A monitor that sends this process a signal at a batch, counted from 1 over all epochs."""

    def on_batch(done, total, loss):
        if done == number and kind is not None:
            os.kill(os.getpid(), kind)

    return SimpleNamespace(stop=False, on_batch=on_batch, on_epoch=lambda record: None)


def train(folder, kind=None, framework="keras"):
    """Trains, or begins to."""
    training = importlib.import_module(f"actlib.{framework}.training")
    model = training.build_model(LRCN, 3, seed=2)
    history = training.train(model, *make_batches(), TRAINING, run=folder, seed=3, monitor=send_at_batch(8, kind))
    return model, history


if __name__ == "__main__":
    train(sys.argv[1], signal.SIGKILL, sys.argv[2])
