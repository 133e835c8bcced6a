"""One training from the inside: a step, an epoch, what is saved after it, and how it is resumed."""

import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from actlib import checkpoints, run
from actlib.torch.dataset import make_loader
from actlib.torch.optimizers import get_state, make_optimizer, set_state
from actlib.torch.precision import compute_in_bf16, convolve_in_parts, device_of
from actlib.torch.weights import get_weights, save_model, set_weights


class Trainer:
    """The loops of a training: its epochs, and what a `run.Run` keeps of them.

    Args:
        model: A `FrameClassifier` or an `LRCN`, its frozen parts already frozen.
        batches: What it is trained on.
        validation: What chooses the best epoch, or None.
        training: A `TrainSpec`, frozen parts included.
        folder: Of the run, which is resumed if it was begun; or None.
        seed: Of dropout.
    """

    def __init__(self, model, batches, validation, training, *, folder, seed):
        self.model, self.batches, self.training, self.seed = model, batches, training, seed
        self.optimizer = make_optimizer(model, training)
        self.plateau = _make_plateau(self.optimizer, training)
        settings = run.list_settings(model, get_weights(model), batches, validation, training, seed)
        self.run = run.Run(folder, settings)
        self.best = None  # the trainable weights of the best epoch
        if self.run.resume(self.trainable_weights()):
            self.restore()
        repeat = getattr(model.spec, "readout", "steps") == "steps"  # logits, and so labels, for every frame
        labels = batches.labels[batches.videos(0)]  # (number of clips,)
        weights = run.class_weights(labels, model.num_classes) if training.class_weights else None
        self.loader = make_loader(batches, repeat=repeat, class_weights=weights, epoch=self.num_epochs)
        self.validation = validation and make_loader(validation, repeat=repeat, fixed=True)

    @property
    def num_epochs(self):
        """How many epochs are done."""
        return len(self.run.history["epoch"])

    def fit(self, monitor):
        """Train for the epochs that are left; `monitor` is told of each batch and epoch, as a `run.ProgressBar`."""
        writer = run.TensorBoardWriter(self.run.folder and self.run.folder / "tensorboard", self.run.history)
        while not self.run.finished and self.num_epochs < self.training.num_epochs:
            started, rate = time.perf_counter(), self.optimizer.param_groups[0]["lr"]
            loss, accuracy = self.train_epoch(monitor)
            val_loss, val_accuracy = self.evaluate()
            row = dict(epoch=self.num_epochs + 1, loss=loss, accuracy=accuracy, val_loss=val_loss)
            row |= dict(val_accuracy=val_accuracy, learning_rate=rate, seconds=time.perf_counter() - started)
            self.save_checkpoint(row)
            writer.add(row)
            monitor.on_epoch(row)

    def train_epoch(self, monitor):
        """Take a step down the gradient for each batch; return the mean loss and the accuracy on the way."""
        self.model.train()
        if "convolutions" in self.training.frozen:
            self.model.convolutions.eval()  # frozen batch normalization keeps its statistics too
        epoch, sums = self.num_epochs, np.zeros(3)
        start, total = (number * len(self.batches) for number in (epoch, self.training.num_epochs))
        device = device_of(self.model)
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(run.epoch_seed(self.seed, epoch))  # dropout, the same after a resume
            for done, batch in enumerate(self.loader, start=start + 1):
                loss, correct, count = self.compute_loss(*batch)
                self.take_step(loss)
                value = loss.item()
                if not np.isfinite(value):
                    raise FloatingPointError(
                        f"Expected a finite loss. Received: {value} in epoch {epoch + 1}. "
                        "Lower the learning rate, or set clip_norm."
                    )
                sums += value * count, correct.item(), count
                monitor.on_batch(done, total, value)
                if getattr(monitor, "stop", False):
                    raise KeyboardInterrupt
        return float(sums[0] / sums[2]), float(sums[1] / sums[2])

    def compute_loss(self, x, labels, weights=None):
        """Return the mean loss of a batch, the number of correct predictions, and the number of predictions."""
        device = device_of(self.model)
        labels = labels.to(device).flatten()  # one a clip, or one a frame
        with compute_in_bf16(self.model, self.training.mixed_precision):
            logits = self.compute_logits(x.to(device)).float().flatten(0, -2)
        losses = F.cross_entropy(logits, labels, reduction="none")
        if weights is not None:
            losses = losses * weights.to(device).flatten()
        return losses.mean(), (logits.argmax(1) == labels).sum(), len(labels)

    def compute_logits(self, x):
        """Return logits (N, K) or (N, T, K); frozen convolutions keep nothing, so they take some frames at a time."""
        if self.batches.kind == "features":
            return self.model.head(x)
        if "convolutions" in self.training.frozen:
            return self.model.head(convolve_in_parts(self.model.convolutions, x))
        return self.model(x)

    def take_step(self, loss):
        """Change the weights by one step down the gradient of a loss."""
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if self.training.clip_norm is not None:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.training.clip_norm)
        self.optimizer.step()

    def evaluate(self):
        """Return (mean loss, accuracy) on the validation batches; (None, None) without any."""
        if self.validation is None:
            return None, None
        self.model.eval()
        sums = np.zeros(3)
        with torch.no_grad():
            for batch in self.validation:
                loss, correct, count = self.compute_loss(*batch)
                sums += loss.item() * count, correct.item(), count
        return float(sums[0] / sums[2]), float(sums[1] / sums[2])

    def save_checkpoint(self, row):
        """Save an epoch: its weights if they are the best so far, and all that is needed to resume."""
        weights = self.trainable_weights()
        if self.run.add_epoch(**row):
            self.best = weights
            if self.run.best_path:
                save_model(self.run.best_path, self.model, card=self.run.describe())
        self.plateau.step(row["loss"] if row["val_loss"] is None else row["val_loss"])
        waited, patience = run.epochs_since_best(self.run.history), self.training.patience
        self.run.finished = row["epoch"] == self.training.num_epochs or (patience is not None and waited >= patience)
        metadata = {"learning_rate": self.optimizer.param_groups[0]["lr"], "plateau": self.plateau.state_dict()}
        self.run.save_state(weights, get_state(self.optimizer), metadata)

    def load_best(self):
        """Leave the model with the weights of its best epoch, and a checkpoint even if no epoch was finished."""
        if self.best is not None:
            set_weights(self.model, self.best, partial=True)
        self.model.card = self.model.card | self.run.describe()
        self.model.eval()
        if self.best is None and self.run.best_path:
            save_model(self.run.best_path, self.model)

    def trainable_weights(self):
        """Copy the weights that training changes."""
        part = self.model.head if "convolutions" in self.training.frozen else self.model  # spares copies of the frozen
        return run.trainable_weights(get_weights(part), self.training.frozen)

    def restore(self):
        """Take up what the run has saved: weights, optimizer, learning rate, best epoch."""
        set_weights(self.model, self.run.weights, partial=True)
        set_state(self.optimizer, self.run.optimizer)
        self.optimizer.param_groups[0]["lr"] = self.run.metadata["learning_rate"]
        self.plateau.load_state_dict(self.run.metadata["plateau"])
        self.best = run.trainable_weights(checkpoints.read_weights(self.run.best_path), self.training.frozen)


def _make_plateau(optimizer, training):
    """What lowers the learning rate when the validation loss no longer falls."""
    patience = training.num_epochs if training.plateau_patience is None else training.plateau_patience
    patience -= 1  # PyTorch acts one epoch after its patience, Keras at it
    return torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, "min", training.plateau_factor, patience, threshold=0)
