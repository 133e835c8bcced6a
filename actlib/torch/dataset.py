"""`ClipBatches` as what the framework's own training loops read."""

import torch
from torch.utils.data import DataLoader, Dataset


def make_loader(batches, *, epoch=0, **options):
    """Make a `DataLoader` of the batches of an epoch: (x, labels), and what else they give.

    Args:
        batches, epoch: A `ClipBatches`; which epoch, from 0.
        **options: Those of `torch.utils.data.DataLoader`, such as num_workers.
    """
    options |= {"generator": torch.Generator(), "pin_memory": torch.cuda.is_available()}  # PyTorch's own stays as it is
    order = [(epoch, index) for index in range(len(batches))]
    return DataLoader(_Batches(batches), sampler=order, batch_size=None, **options)  # an item is a whole batch


class _Batches(Dataset):
    """Batches, each under its (epoch, index)."""

    def __init__(self, batches):
        self.batches = batches

    def __getitem__(self, key):
        return self.batches.batch(*key)
