"""All clips in arrays, or batches read ahead: the same order, errors as themselves, and nobody is left waiting."""

import pickle

import numpy as np
import pytest
import torch
from odd_batches import Numbers, fail

from actlib.dataset import ClipBatches
from actlib.dataset.loading import count_bytes, load_arrays
from actlib.torch.dataset import make_loader
from actlib.video import make_sampler

SPAWN = {0: {}, 2: {"num_workers": 2, "multiprocessing_context": "spawn"}}  # workers: options of a DataLoader
VIDEOS = [np.full((6, 2, 2, 3), shade, np.uint8) for shade in range(5)]


def test_arrays_are_all_clips_in_order():
    source = ClipBatches(VIDEOS, range(5), make_sampler("windows", 4, stride=2), batch_size=3)
    clips, labels = load_arrays(source)
    assert clips.shape == (10, 4, 2, 2, 3) and clips.dtype == np.uint8 and clips.nbytes == count_bytes(source)
    assert labels.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4] and (clips[:, 0, 0, 0, 0] == labels).all()


def test_arrays_are_the_batches_of_the_first_epoch():
    videos = [video + np.arange(6, dtype=np.uint8)[:, None, None, None] for video in VIDEOS]
    source = ClipBatches(videos, [3, 1, 4, 1, 5], make_sampler("segments", 3), batch_size=2, shuffle=True, seed=4)
    for loaded, parts in zip(load_arrays(source), zip(*source.epoch(0), strict=True), strict=True):
        np.testing.assert_array_equal(loaded, np.concatenate(parts))
    assert source.batch_size == 2


def test_arrays_that_would_take_too_much_are_refused_before_they_are_loaded():
    source = ClipBatches([np.zeros((6, 500, 500, 3), np.uint8)] * 4, range(4), make_sampler("uniform", 4), batch_size=1)
    with pytest.raises(MemoryError, match="at most 10 MB.*4 clips of 3.00 MB, 12 MB in all.*Stream"):
        load_arrays(source, limit_bytes=1e7)


@pytest.mark.parametrize("epoch", [0, 2])
def test_a_loader_reads_the_batches_of_its_epoch(epoch):
    loader = make_loader(Numbers(), epoch=epoch)
    assert isinstance(loader, torch.utils.data.DataLoader) and len(loader) == 10
    for _ in range(2):
        assert [int(x[0, 0, 0]) for x, _ in loader] == [100 * epoch + index for index in range(10)]


def test_worker_processes_draw_the_same_clips():
    source = ClipBatches(VIDEOS, range(5), make_sampler("segments", 3), batch_size=2, shuffle=True, augment=False)
    one, other = ([x.numpy() for x, _ in make_loader(source, epoch=3, **SPAWN[workers])] for workers in (0, 2))
    assert len(one) == 3 and all(np.array_equal(x, source.batch(3, index)[0]) for index, x in enumerate(one))
    assert all(map(np.array_equal, one, other))


def test_clip_batches_travel_to_spawned_processes():
    source = ClipBatches(VIDEOS, range(5), make_sampler("segments", 3), batch_size=2, shuffle=True)
    clips, labels = pickle.loads(pickle.dumps(source)).batch(3, 1)
    assert (clips == source.batch(3, 1)[0]).all() and (labels == source.batch(3, 1)[1]).all()


def test_a_loader_draws_none_of_the_caller_s_random_numbers():
    before = torch.random.get_rng_state()
    list(make_loader(Numbers()))
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize("workers", [0, 2])
def test_what_reading_raises_is_raised_here_with_the_file(workers):
    with pytest.raises(ValueError, match=r"Received: text in v_Jump_g03_c01\.avi"):
        list(make_loader(Numbers(fail), **SPAWN[workers]))
