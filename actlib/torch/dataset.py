"""`ClipBatches` as what the framework's own training loops read."""

import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from actlib.dataset.loading import read_batch


def make_loader(batches, *, repeat=False, epoch=0, fixed=False, **options):
    """Read the batches of each epoch: (x, labels), and what else they give.

    Args:
        batches: A `ClipBatches`.
        repeat: Repeat each label for the T frames of its clip, for models that give logits for every frame.
        epoch: The first one, from 0; each pass over the data takes the next.
        fixed: Take the same epoch at each pass; for validation.
        **options: The framework's own, such as how many workers read ahead.

    Example:
        >>> class Two:  # two batches of 3 clips of 4 frames of 5 features
        ...     def __len__(self): return 2
        ...     def batch(self, epoch, index): return torch.zeros(3, 4, 5).numpy(), torch.full((3,), index).numpy()
        >>> [(tuple(x.shape), y.tolist()) for x, y in make_loader(Two())]
        [((3, 4, 5), [0, 0, 0]), ((3, 4, 5), [1, 1, 1])]
    """
    return DataLoader(
        _Batches(batches, repeat),
        sampler=_Epochs(batches, epoch, fixed),
        batch_size=None,  # an item is a whole batch
        pin_memory=torch.cuda.is_available(),
        generator=torch.Generator(),  # PyTorch's own random numbers stay as they are
        **options,
    )


class _Batches(Dataset):
    """Batches, each under its (epoch, index)."""

    def __init__(self, batches, repeat):
        self.batches, self.repeat = batches, repeat

    def __getitem__(self, key):
        return read_batch(self.batches, *key, repeat=self.repeat)


class _Epochs(Sampler):
    """(epoch, index) of every batch, in order; the next epoch at each pass, unless fixed."""

    def __init__(self, batches, epoch, fixed):
        self.batches, self.epoch, self.fixed = batches, epoch, fixed

    def __len__(self):
        return len(self.batches)

    def __iter__(self):
        epoch = self.epoch  # runs when the first batch is asked for: loaders with workers make an iterator too many
        self.epoch += not self.fixed
        for index in range(len(self.batches)):
            yield epoch, index
