"""Batches of which one cannot be read; in a file of their own, which worker processes import quickly."""

import os
import signal

import numpy as np


class Numbers:
    """Ten batches of 3 clips of 4 frames of 2 features, all 100 * epoch + index; what the fifth does is chosen."""

    kind = "features"

    def __init__(self, fifth=None):
        self.fifth = fifth

    def __len__(self):
        return 10

    def batch(self, epoch, index):
        if index == 5 and self.fifth is not None:
            self.fifth()
        return np.full((3, 4, 2), 100 * epoch + index, np.float32), np.arange(3)


def fail():
    raise ValueError("Expected a video. Received: text in v_Jump_g03_c01.avi.")


def be_killed():
    os.kill(os.getpid(), signal.SIGKILL)


def be_interrupted():
    os.kill(os.getpid(), signal.SIGINT)
