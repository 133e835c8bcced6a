"""Workers that read ahead: they keep the order, bound memory, and never leave anybody waiting."""

import os
import pickle
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from odd_batches import Numbers, be_killed, fail, fail_in_an_odd_way, sleep_a_little, sleep_long

from actlib.dataset import ClipBatches
from actlib.dataset.loading import Loader, count_bytes, load_arrays
from actlib.video import make_sampler


def read_epoch(loader, epoch=0):
    return [int(loader.get(epoch, index)[0]) for index in range(len(loader.batches))]


@pytest.mark.parametrize("workers, processes", [(0, False), (1, False), (3, False), (2, True)])
def test_batches_come_in_order_epoch_after_epoch(workers, processes):
    loader = Loader(Numbers(sleep_a_little), workers=workers, processes=processes)
    assert read_epoch(loader, 0) + read_epoch(loader, 1) == [*range(10), *range(100, 110)]


@pytest.mark.parametrize("processes", [False, True])
def test_what_a_worker_raises_is_raised_here_with_the_file(processes):
    loader = Loader(Numbers(fail), processes=processes)
    with pytest.raises(ValueError, match="v_Jump_g03_c01.avi"):
        read_epoch(loader)
    assert int(loader.get(0, 6)[0]) == 6  # the worker is still there


def test_an_error_that_cannot_travel_is_told_all_the_same():
    with pytest.raises(RuntimeError, match="Odd.*odd"):
        read_epoch(Loader(Numbers(fail_in_an_odd_way), processes=True))


def test_a_killed_worker_is_noticed():
    with pytest.raises(RuntimeError, match="batch 5 of epoch 0.*exit code -9"):
        read_epoch(Loader(Numbers(be_killed), processes=True, timeout_seconds=60))


@pytest.mark.parametrize("processes", [False, True])
def test_a_stuck_worker_is_given_up(processes):
    loader = Loader(Numbers(sleep_long), processes=processes, workers=1, timeout_seconds=3)
    with pytest.raises(TimeoutError, match="batch 5 of epoch 0 within 3 s"):
        read_epoch(loader)


@pytest.mark.parametrize("processes", [False, True])
def test_a_program_with_a_stuck_worker_can_end(processes):
    code = (
        "import sys; sys.path.insert(0, 'tests'); import odd_batches as t; from actlib.dataset.loading import Loader\n"
        "if __name__ == '__main__':\n"
        f"    loader = Loader(t.Numbers(t.sleep_long), processes={processes}, ahead=6)\n"
        "    print(loader.get(0, 0))"
    )
    root = os.path.dirname(os.path.dirname(__file__))
    done = subprocess.run([sys.executable, "-c", code], cwd=root, timeout=60, capture_output=True, text=True)
    assert done.stdout == "[0 0 0]\n" and done.returncode == 0 and done.stderr == ""


def test_no_more_is_read_ahead_than_asked_for():
    read = []

    class Noted(Numbers):
        def batch(self, epoch, index):
            read.append(index)
            return super().batch(epoch, index)

    loader = Loader(Noted(), ahead=2)
    loader.get(0, 0)
    time.sleep(0.2)
    assert sorted(read) == [0, 1, 2]


def test_workers_leave_with_the_loader():
    before = set(threading.enumerate())
    loader = Loader(Numbers(), workers=3)
    loader.get(0, 0)
    assert len(set(threading.enumerate()) - before) == 3
    del loader
    time.sleep(0.2)
    assert not set(threading.enumerate()) - before


def test_clip_batches_travel_to_worker_processes():
    videos = [np.full((6, 2, 2, 3), shade, np.uint8) for shade in range(5)]
    source = ClipBatches(videos, range(5), make_sampler("segments", 3), batch_size=2, shuffle=True)
    clips, labels = pickle.loads(pickle.dumps(source)).batch(3, 1)
    assert (clips == source.batch(3, 1)[0]).all() and (labels == source.batch(3, 1)[1]).all()


def test_arrays_are_all_clips_in_order():
    videos = [np.full((6, 2, 2, 3), shade, np.uint8) for shade in range(5)]
    source = ClipBatches(videos, range(5), make_sampler("windows", 4, stride=2), batch_size=3)
    clips, labels = load_arrays(source)
    assert clips.shape == (10, 4, 2, 2, 3) and clips.dtype == np.uint8 and clips.nbytes == count_bytes(source)
    assert labels.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4] and (clips[:, 0, 0, 0, 0] == labels).all()


def test_arrays_that_would_take_too_much_are_refused_before_they_are_loaded():
    source = ClipBatches([np.zeros((6, 500, 500, 3), np.uint8)] * 4, range(4), make_sampler("uniform", 4), batch_size=1)
    with pytest.raises(MemoryError, match="at most 10 MB.*4 clips of 3.00 MB, 12 MB in all.*Stream"):
        load_arrays(source, limit_bytes=1e7)
