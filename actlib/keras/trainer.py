"""One training from the inside: Keras' own fit, what is saved after an epoch, and how it is resumed."""

import time

import keras
import numpy as np
from keras import ops

from actlib import paths, run, schedule
from actlib.dataset.loading import BatchParts
from actlib.keras.dataset import ClipDataset, raise_read_errors
from actlib.keras.distributed import average_statistics, sum_over_processes
from actlib.keras.optimizers import get_state, make_optimizer, set_rate, set_state
from actlib.keras.precision import compute_in_bf16
from actlib.keras.weights import get_weights, save_model, set_weights


class TrainingCallback(keras.callbacks.Callback):
    """Ties Keras' `fit` to a `run.Run`.

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
            self.best = self.run.best

    @property
    def num_epochs(self):
        """How many epochs are done."""
        return len(self.run.history["epoch"])

    def fit(self):
        """Train for the epochs that are left: compile, then fit with this callback."""
        if self.run.finished:
            return
        self.writer = run.TensorBoardWriter(self.run.best_path and self.run.folder / "tensorboard", self.run.history)
        part = self.whole.head if self.batches.kind == "features" else self.whole
        model = _Trained(part, self.training)
        model.compile(make_optimizer(part, self.training), jit_compile=False)  # takes longer than these trainings gain
        set_state(model.optimizer, self.run.optimizer)
        labels = self.batches.labels[self.batches.videos(0)]  # (number of clips,)
        weights = run.class_weights(labels, part.num_classes) if self.training.class_weights else None
        steps, place = self.training.accumulation_steps, paths.process_place()
        parts = BatchParts(self.batches, steps=steps, process=place, class_weights=weights)
        data = ClipDataset(parts, epoch=self.num_epochs)
        self.checks = self.validation and ClipDataset(BatchParts(self.validation, process=place), fixed=True)
        epochs = {"initial_epoch": self.num_epochs, "epochs": self.training.num_epochs}
        with raise_read_errors(data, self.checks), compute_in_bf16(self.whole, self.training.mixed_precision):
            model.fit(data, callbacks=[self], shuffle=False, verbose=0, **epochs)

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

    def on_epoch_begin(self, epoch, logs=None):
        """Start the clock, the epoch's learning rate and its dropout, the same after a resume."""
        self.started, self.rate = time.perf_counter(), schedule.learning_rate(self.training, self.run.history)
        set_rate(self.model.optimizer, self.rate)
        generators = [layer.seed_generator for layer in self.whole.head.layers if hasattr(layer, "seed_generator")]
        for number, generator in enumerate(generators):
            generator.state.assign(np.array([run.epoch_seed(self.seed, epoch), number], "uint32"))
        self.meter = schedule.LossMeter(self.training, epoch, len(self.batches))

    def on_train_batch_end(self, batch, logs=None):
        """Tell the monitor, and stop where it says so or where training has failed."""
        if (batch + 1) % self.training.accumulation_steps == 0:
            self.meter.count_batch(self.monitor, self.model.read_sums)

    def on_epoch_end(self, epoch, logs=None):
        """Save an epoch: its weights if they are the best so far, and all that is needed to resume."""
        average_statistics(self.whole)
        row = dict(zip(run.COLUMNS, (epoch + 1, *self.model.average()), strict=False))
        row |= {"val_loss": None, "val_accuracy": None, "learning_rate": self.rate}
        if self.checks is not None:
            self.model.evaluate(self.checks, verbose=0)
            row["val_loss"], row["val_accuracy"] = self.model.average()
        row["seconds"], weights = time.perf_counter() - self.started, self.trainable_weights()
        if self.run.add_epoch(**row):
            self.best = weights
            if self.run.best_path:
                save_model(self.run.best_path, self.whole, card=self.run.describe())
        self.run.finished = self.model.stop_training = schedule.is_over(self.training, self.run.history)
        self.run.save_state(weights, get_state(self.model.optimizer))
        self.writer.add(row)
        self.monitor.on_epoch(row)


class _Trained(keras.Model):
    """A model, or its head, with its loss and the sums that make a history: nothing is read after each batch."""

    def __init__(self, part, training):
        super().__init__(name="trained")
        self.part, self.training_spec = part, training
        self.sums = [keras.metrics.Sum(name=name) for name in ("losses", "correct", "clips")]
        self.built = True

    def call(self, x, training=None):
        return self.part(x, training=training)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Return a part's share in the mean loss of its batch, and add to the sums; weights are those of BatchParts."""
        num_classes, smoothing = self.part.num_classes, self.training_spec.label_smoothing
        logits = ops.reshape(y_pred, (ops.shape(y)[0], -1, num_classes))  # (N, 1 or T, K)
        if self.training_spec.consensus:
            logits = ops.mean(logits, axis=1, keepdims=True)  # (N, 1, K)
        labels = ops.cast(ops.reshape(y, (-1, 1)), "int32")  # one a clip, or one a frame
        targets = ops.one_hot(labels, num_classes) * (1 - smoothing) + smoothing / num_classes  # (N, 1, K)
        losses = ops.mean(-ops.sum(targets * ops.log_softmax(logits), axis=2), axis=1)  # (N,)
        hits = ops.mean(ops.cast(ops.equal(ops.cast(ops.argmax(logits, axis=2), "int32"), labels), "float32"), axis=1)
        weights, shares = sample_weight[:, 0], sample_weight[:, 1]
        counted = ops.cast(weights > 0, "float32")
        for metric, values in zip(self.sums, (losses * weights, hits * counted, counted), strict=True):
            metric.update_state(values)
        steps = self.training_spec.accumulation_steps if training else 1  # Keras takes the mean of a batch's parts
        return ops.sum(losses * shares) * steps

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        return {"unused": 0.0}  # Keras would read metrics after each batch, and wants to be given something

    def read_sums(self):
        """Return (sum of losses, correct predictions, clips) of the epoch so far, in this process."""
        return np.array([ops.convert_to_numpy(metric.result()) for metric in self.sums])

    def average(self):
        """Return (mean loss, accuracy) over all processes."""
        return schedule.mean_of_sums(sum_over_processes([ops.stack([metric.result() for metric in self.sums])])[0])
