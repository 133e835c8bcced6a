"""Batches of which one cannot be read; in a file of their own, which worker processes import quickly."""

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


def list_batches_of_fit(workers):
    """Numbers of the batches that Keras' fit gives a model, in epochs 3, 4 and 5."""
    from actlib.keras.dataset import ClipDataset, keras

    class Batches(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            self.model.reset_metrics()

        def on_train_batch_end(self, batch, logs=None):
            given.append(round(float(logs["mean"])))

    given, model = [], keras.Sequential([keras.layers.Dense(2, kernel_initializer="identity")])
    mean = keras.metrics.MeanMetricWrapper(lambda y, x: keras.ops.mean(x), name="mean")
    model.compile(keras.optimizers.SGD(0.0), loss=lambda y, x: keras.ops.mean(x), metrics=[mean])
    data = ClipDataset(Numbers(), epoch=3, workers=workers)
    model.fit(data, epochs=3, callbacks=[Batches()], verbose=0, shuffle=False)
    return given
