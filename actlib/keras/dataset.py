"""`ClipBatches` as what the framework's own training loops read."""

import contextlib

import keras
import numpy as np


class ClipDataset(keras.utils.PyDataset):
    """Read the batches of each epoch: (x, labels), and what else they give.

    Args:
        batches: A `ClipBatches`.
        repeat: Repeat each label for the T frames of its clip, for models that give logits for every frame.
        epoch: The first one, from 0; each pass over the data takes the next.
        fixed: Take the same epoch at each pass; for validation.
        **options: Those of `keras.utils.PyDataset`, such as workers, threads that read ahead.

    Example:
        >>> import numpy as np
        >>> class Two:  # two batches of 3 clips of 4 frames of 5 features
        ...     def __len__(self): return 2
        ...     def batch(self, epoch, index): return np.zeros((3, 4, 5)), np.full(3, index)
        >>> [(x.shape, y.tolist()) for x, y in ClipDataset(Two())]
        [((3, 4, 5), [0, 0, 0]), ((3, 4, 5), [1, 1, 1])]
    """

    def __init__(self, batches, *, repeat=False, epoch=0, fixed=False, **options):
        if keras.backend.backend() != "tensorflow":
            options["workers"] = 0  # elsewhere Keras 3.15 repeats batches that workers had read before the first epoch
        super().__init__(**options)
        self.batches, self.repeat, self.fixed = batches, repeat, fixed
        self.epoch = epoch if fixed else epoch - 1  # Keras ends an "epoch" before the first one
        self.error = None

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, index):
        try:
            epoch = max(self.epoch, 0)  # Keras looks at two batches before the first epoch
            x, labels, *others = self.batches.batch(epoch, index)  # (N, T, ...), (N,)
            return x, np.repeat(labels[:, None], x.shape[1], axis=1) if self.repeat else labels, *others
        except Exception as error:
            self.error = self.error or error
            raise

    def on_epoch_end(self):
        self.epoch += not self.fixed


@contextlib.contextmanager
def raise_read_errors(*datasets):
    """Raise what reading data, each a `ClipDataset` or None, raised, where TensorFlow would give only its text."""
    read = [data for data in datasets if data is not None]
    try:
        yield
    except Exception as error:
        raise next((data.error for data in read if data.error), error) from None
    finally:
        for data in read:
            data.batches = None  # TensorFlow keeps what it has read from, and with the batches their model would stay
