"""Batches whose fifth does something odd; in a file of their own, which worker processes import quickly."""

import os
import signal
import time

import numpy as np


class Numbers:
    """Ten batches; what happens at the fifth is chosen."""

    def __init__(self, fifth=None):
        self.fifth = fifth

    def __len__(self):
        return 10

    def batch(self, epoch, index):
        if index == 5 and self.fifth is not None:
            self.fifth()
        return np.full(3, 100 * epoch + index)


class Labelled(Numbers):
    """Batches of numbers with labels."""

    def batch(self, epoch, index):
        return np.tile(super().batch(epoch, index)[:, None], (1, 4)).astype("float32"), np.zeros(3, np.int64)


def fail():
    raise ValueError("Expected a video. Received: text in v_Jump_g03_c01.avi.")


def fail_in_an_odd_way():
    class Odd(Exception):  # not picklable
        pass

    raise Odd("odd")


def be_killed():
    os.kill(os.getpid(), signal.SIGKILL)


def sleep_long():
    time.sleep(600)


def sleep_a_little():
    time.sleep(0.2)
