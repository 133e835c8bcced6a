"""What Keras' fit reads: `ClipBatches` as a `keras.utils.PyDataset`, with workers that never hang."""

import contextlib

import keras
import numpy as np

from actlib.dataset import loading


class ClipDataset(keras.utils.PyDataset):
    """The batches of each epoch, read ahead; give `fit` shuffle=False, or it puts them in an order of its own.

    Args:
        batches: a `ClipBatches`.
        repeat: repeat each label for the T frames of its clip, for models that give logits for every frame.
        class_weights: float (K,), the weight of each class in the loss, or None.
        epoch: the first one, from 0; each pass over the data takes the next.
        fixed: take the same epoch at each pass; for validation.
        workers: how many read at a time; 0 for none.
        processes: workers are processes, not threads.

    Example:
        >>> class Two:  # two batches of 3 clips of 4 frames of 5 features
        ...     def __len__(self): return 2
        ...     def batch(self, epoch, index): return np.zeros((3, 4, 5)), np.full(3, index)
        >>> x, y = ClipDataset(Two(), repeat=True)[1]
        >>> x.shape, y.shape
        ((3, 4, 5), (3, 4))
    """

    def __init__(self, batches, *, repeat=False, class_weights=None, epoch=0, fixed=False, workers=2, processes=False):
        super().__init__(workers=0)  # Keras' own workers wait for ever for one that was killed
        self.batches, self.repeat, self.class_weights = batches, repeat, class_weights
        self.epoch, self.fixed, self.error = epoch - 1, fixed, None
        self.loader = loading.Loader(batches, workers=workers, processes=processes)

    def __len__(self):
        return len(self.batches)

    def on_epoch_begin(self):
        """Takes the next epoch; Keras calls this before each pass."""
        self.epoch += not (self.fixed and self.epoch >= 0)

    def __getitem__(self, index):
        try:
            x, labels = self.loader.get(max(self.epoch, 0), index)  # Keras looks at two batches before the first pass
        except Exception as error:
            self.error = error
            raise
        y = np.repeat(labels[:, None], x.shape[1], axis=1) if self.repeat else labels  # (N, T) or (N,)
        return (x, y) if self.class_weights is None else (x, y, self.class_weights[y])


@contextlib.contextmanager
def raise_original(*datasets):
    """Raises what a worker raised, where TensorFlow would give only its text.

    Args:
        *datasets: each a `ClipDataset` that is read inside, or None.
    """
    try:
        yield
    except Exception:
        for error in [dataset.error for dataset in datasets if dataset is not None and dataset.error is not None]:
            raise error from None
        raise
