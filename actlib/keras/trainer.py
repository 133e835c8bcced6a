"""The callback that ties Keras' fit to a run: takes up an old one, keeps every epoch, tells the monitor."""

import time

import keras
import numpy as np
from keras import ops

from actlib import checkpoints
from actlib.keras.optimizers import make_callbacks
from actlib.keras.weights import get_weights, save_model, set_weights
from actlib.run import (
    COLUMNS,
    ProgressBar,
    Run,
    TensorBoardWriter,
    best_epoch,
    describe_batches,
    epoch_seed,
    trainable_weights,
)


class TrainingCallback(keras.callbacks.Callback):
    """Follows a training; comes last among the callbacks, so that it keeps what the others have decided.

    Args:
        model: the whole model, also where only its head is fitted.
        training: a `TrainSpec`.
        first: the first (x, labels) of the training batches.
        frozen: the parts that training does not change.
        seed: of the dropout; each epoch has its own, so that a run can be taken up at any of them.
        monitor: like `run.ProgressBar`.
    """

    def __init__(self, model, training, *, first, frozen, seed, monitor):
        super().__init__()
        self.whole, self.training, self.first, self.frozen = model, training, first, frozen
        self.seed, self.monitor = seed, monitor

    def open(self, folder, batches, validation):
        """Opens the run and takes up what it holds.

        Args:
            folder: where it is kept, or None.
            batches: what is trained on.
            validation: what chooses the best epoch, or None.
        """
        self.run = Run(folder, self._settings(batches, validation))
        self.best = None  # the changing weights of the best epoch
        if self.run.resume(self._changing()):
            set_weights(self.whole, self.run.weights, partial=True)
            self.best = trainable_weights(checkpoints.read_weights(self.run.best_path), self.frozen)
        self.curves = TensorBoardWriter(self.run.folder and self.run.folder / "tensorboard", self.run.history)
        self.judges = make_callbacks(self.training, "loss" if validation is None else "val_loss")
        self.num_batches = len(batches)

    @property
    def num_epochs(self):
        """How many epochs are done."""
        return len(self.run.history["epoch"])

    def close_monitor(self):
        """Takes the progress bar away; another monitor is its owner's."""
        if isinstance(self.monitor, ProgressBar):
            self.monitor.close()

    def end_with_best(self):
        """Leaves the best weights in the model, and a checkpoint even if no epoch was finished."""
        if self.best is not None:
            set_weights(self.whole, self.best, partial=True)
        self.whole.card = self.whole.card | self._describe()
        if self.best is None and self.run.best_path:
            save_model(self.run.best_path, self.whole)

    def on_train_begin(self, logs=None):
        """Shows the other callbacks the epochs of before, and gives the optimizer its state back."""
        rows = zip(*self.run.history.values(), strict=True)
        for epoch, row in enumerate(rows):
            for judge in self.judges:
                judge.on_epoch_end(epoch, dict(zip(self.run.history, row, strict=True)))
        for name, array in self.run.optimizer.items():
            variable = self.model.optimizer.variables[int(name)]
            variable.assign(array.astype(variable.dtype))

    def on_epoch_begin(self, epoch, logs=None):
        """Starts the clock and the epoch's dropout."""
        self.started, self.rate = time.perf_counter(), float(f"{float(self.model.optimizer.learning_rate):.7g}")
        generators = [layer.seed_generator for layer in self.whole.head.layers if hasattr(layer, "seed_generator")]
        for number, generator in enumerate(generators):
            generator.state.assign(np.array([epoch_seed(self.seed, epoch), number], "uint32"))

    def on_train_batch_end(self, batch, logs=None):
        """Tells the monitor, and stops where it says so or where training has failed."""
        loss, epoch = float(logs["loss"]), self.num_epochs
        if not np.isfinite(loss):
            raise FloatingPointError(
                f"Expected a finite loss. Received: {loss} in epoch {epoch + 1}. "
                "Lower the learning rate, or set clip_norm."
            )
        self.monitor.on_batch(epoch * self.num_batches + batch + 1, self.training.num_epochs * self.num_batches, loss)
        if getattr(self.monitor, "stop", False):
            raise KeyboardInterrupt

    def on_epoch_end(self, epoch, logs=None):
        """Writes the epoch down: best weights, and all that is needed to go on."""
        values = {name: float(logs[name]) if name in logs else None for name in COLUMNS[1:5]}
        row = {"epoch": epoch + 1, **values, "learning_rate": self.rate, "seconds": time.perf_counter() - self.started}
        if self.run.add_epoch(**row):
            self.best = self._changing()
            if self.run.best_path:
                save_model(self.run.best_path, self.whole, card=self._describe())
        self.run.finished = self.model.stop_training or self.num_epochs == self.training.num_epochs
        variables = self.model.optimizer.variables
        self.run.save_state(self._changing(), {str(i): ops.convert_to_numpy(v) for i, v in enumerate(variables)}, {})
        self.curves.add(row)
        self.monitor.on_epoch(row)

    def _changing(self):
        return trainable_weights(get_weights(self.whole), self.frozen)

    def _settings(self, batches, validation):
        """What has to be the same to go on."""
        weights = get_weights(self.whole)
        changing = trainable_weights(weights, self.frozen)
        constant = {name: array for name, array in weights.items() if name not in changing}
        return {
            "framework": "keras",
            "model": checkpoints.spec_to_json(self.whole.spec),
            "num_classes": self.whole.num_classes,
            "training": checkpoints.spec_to_json(self.training),
            "seed": self.seed,
            "batches": describe_batches(batches),
            "validation": describe_batches(validation),
            "frozen weights": checkpoints.weights_key(constant),
        }

    def _describe(self):
        """Facts for the card: how it was trained, and how good its best epoch was."""
        best = best_epoch(self.run.history)
        metrics = {} if best is None else {name: values[best] for name, values in self.run.history.items()}
        return {"training": checkpoints.spec_to_json(self.training), "seed": self.seed, "metrics": metrics}
