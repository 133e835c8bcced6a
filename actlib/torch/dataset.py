"""`ClipBatches` as what the framework's own training loops read."""

from functools import partial

import torch
from torch.utils.data import DataLoader, default_convert


def make_loader(batches, *, epoch=0, **options):
    """Make a `DataLoader` of the batches of an epoch: (x, labels), and what else they give.

    Args:
        batches, epoch: A `ClipBatches`; which epoch, from 0.
        **options: Those of `torch.utils.data.DataLoader`, such as num_workers.
    """
    options |= {"generator": torch.Generator(), "pin_memory": torch.cuda.is_available()}  # PyTorch's own stays as it is
    keys = [(epoch, index) for index in range(len(batches))]
    return DataLoader(keys, batch_size=None, collate_fn=partial(_read_batch, batches), **options)


def _read_batch(batches, key):
    return default_convert(batches.batch(*key))
