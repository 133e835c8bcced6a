"""One training from the inside: Keras' own fit, what is saved after an epoch, and how it is resumed."""

import time

import keras
import numpy as np

from actlib import checkpoints, run
from actlib.keras.dataset import ClipDataset, raise_read_errors
from actlib.keras.optimizers import get_state, make_optimizer, set_state
from actlib.keras.precision import compute_in_bf16
from actlib.keras.weights import get_weights, save_model, set_weights


class TrainingCallback(keras.callbacks.Callback):
    """Ties Keras' `fit` to a `run.Run`; the last of the callbacks, so that it saves what the others have decided.

    Args:
        model: A `FrameClassifier` or an `LRCN`, its frozen parts already frozen.
        batches: What it is trained on.
        validation: What chooses the best epoch, or None.
        training: A `TrainSpec`, frozen parts included.
        folder: Of the run, which is resumed if it was begun; or None.
        seed: Of dropout.
        monitor: Told of each batch and epoch, as a `run.ProgressBar`.
    """

    def __init__(self, model, batches, validation, training, *, folder, seed, monitor):
        super().__init__()
        self.whole, self.batches, self.validation, self.training = model, batches, validation, training
        self.seed, self.monitor = seed, monitor
        settings = run.list_settings(model, get_weights(model), batches, validation, training, seed)
        self.run = run.Run(folder, settings)
        self.best = None  # the trainable weights of the best epoch
        if self.run.resume(self.trainable_weights()):
            set_weights(model, self.run.weights, partial=True)
            self.best = run.trainable_weights(checkpoints.read_weights(self.run.best_path), training.frozen)
        self.others = _make_callbacks(training, "loss" if validation is None else "val_loss")

    @property
    def num_epochs(self):
        """How many epochs are done."""
        return len(self.run.history["epoch"])

    def fit(self):
        """Train for the epochs that are left: compile, then fit with callbacks."""
        if self.run.finished:
            return
        self.writer = run.TensorBoardWriter(self.run.folder and self.run.folder / "tensorboard", self.run.history)
        part = self.whole.head if self.batches.kind == "features" else self.whole
        part.compile(
            optimizer=make_optimizer(part, self.training),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
            jit_compile=False,  # compiling takes longer than these trainings gain
        )
        repeat = getattr(part.spec, "readout", "steps") == "steps"  # logits, and so labels, for every frame
        labels = self.batches.labels[self.batches.videos(0)]  # (number of clips,)
        weights = run.class_weights(labels, part.num_classes) if self.training.class_weights else None
        data = ClipDataset(self.batches, repeat=repeat, class_weights=weights, epoch=self.num_epochs)
        checks = self.validation and ClipDataset(self.validation, repeat=repeat, fixed=True)
        epochs = {"initial_epoch": self.num_epochs, "epochs": self.training.num_epochs}
        callbacks = [*self.others, self]
        with raise_read_errors(data, checks), compute_in_bf16(self.whole, self.training.mixed_precision):
            part.fit(data, validation_data=checks, callbacks=callbacks, shuffle=False, verbose=0, **epochs)

    def load_best(self):
        """Leave the model with the weights of its best epoch, and a checkpoint even if no epoch was finished."""
        if self.best is not None:
            set_weights(self.whole, self.best, partial=True)
        self.whole.card = self.whole.card | self.run.describe()
        if self.best is None and self.run.best_path:
            save_model(self.run.best_path, self.whole)

    def trainable_weights(self):
        """Copy the weights that training changes."""
        part = self.whole.head if "convolutions" in self.training.frozen else self.whole  # spares copies of the frozen
        return run.trainable_weights(get_weights(part), self.training.frozen)

    def on_train_begin(self, logs=None):
        """Show the other callbacks the epochs of before, and give the optimizer its state back."""
        for epoch, row in enumerate(zip(*self.run.history.values(), strict=True)):
            for callback in self.others:
                callback.on_epoch_end(epoch, dict(zip(self.run.history, row, strict=True)))
        set_state(self.model.optimizer, self.run.optimizer)

    def on_epoch_begin(self, epoch, logs=None):
        """Start the clock and the epoch's dropout, the same after a resume."""
        self.started, self.rate = time.perf_counter(), float(f"{float(self.model.optimizer.learning_rate):.7g}")
        generators = [layer.seed_generator for layer in self.whole.head.layers if hasattr(layer, "seed_generator")]
        for number, generator in enumerate(generators):
            generator.state.assign(np.array([run.epoch_seed(self.seed, epoch), number], "uint32"))

    def on_train_batch_end(self, batch, logs=None):
        """Tell the monitor, and stop where it says so or where training has failed."""
        loss, epoch, num_batches = float(logs["loss"]), self.num_epochs, len(self.batches)
        if not np.isfinite(loss):
            raise FloatingPointError(
                f"Expected a finite loss. Received: {loss} in epoch {epoch + 1}. "
                "Lower the learning rate, or set clip_norm."
            )
        self.monitor.on_batch(epoch * num_batches + batch + 1, self.training.num_epochs * num_batches, loss)
        if getattr(self.monitor, "stop", False):
            raise KeyboardInterrupt

    def on_epoch_end(self, epoch, logs=None):
        """Save an epoch: its weights if they are the best so far, and all that is needed to resume."""
        values = {name: float(logs[name]) if name in logs else None for name in run.COLUMNS[1:5]}
        row = {"epoch": epoch + 1, **values, "learning_rate": self.rate, "seconds": time.perf_counter() - self.started}
        weights = self.trainable_weights()
        if self.run.add_epoch(**row):
            self.best = weights
            if self.run.best_path:
                save_model(self.run.best_path, self.whole, card=self.run.describe())
        self.run.finished = self.model.stop_training or self.num_epochs == self.training.num_epochs
        self.run.save_state(weights, get_state(self.model.optimizer), {})
        self.writer.add(row)
        self.monitor.on_epoch(row)


def _make_callbacks(training, monitor):
    """Keras' own callbacks that stop training and slow it down, by the loss that `monitor` names."""
    callbacks = []
    if training.patience is not None:
        callbacks.append(keras.callbacks.EarlyStopping(monitor, patience=training.patience))
    if training.plateau_patience is not None:
        patience, factor = training.plateau_patience, training.plateau_factor
        callbacks.append(keras.callbacks.ReduceLROnPlateau(monitor, factor=factor, patience=patience, min_delta=0))
    return callbacks
