"""One training from the inside: a step, an epoch, what is saved after it, and how it is resumed."""

import time

import torch
from torch import nn
from torch.nn import functional as F

from actlib import paths, run, schedule
from actlib.dataset.loading import BatchParts
from actlib.torch.dataset import make_loader
from actlib.torch.distributed import average_statistics, sum_over_processes
from actlib.torch.optimizers import get_state, make_optimizer, set_rate, set_state
from actlib.torch.precision import compute_in_bf16, convolve_in_parts, device_of, fast_kernels, to_numpy
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
        settings = run.list_settings(model, get_weights(model), batches, validation, training, seed)
        self.run = run.Run(folder, settings)
        self.best = None  # the trainable weights of the best epoch
        if self.run.resume(self.trainable_weights()):
            set_weights(model, self.run.weights, partial=True)
            set_state(self.optimizer, self.run.optimizer)
            self.best = self.run.best
        labels = batches.labels[batches.videos(0)]  # (number of clips,)
        weights = run.class_weights(labels, model.num_classes) if training.class_weights else None
        place = paths.process_place()
        parts = BatchParts(batches, steps=training.accumulation_steps, process=place, class_weights=weights)
        self.loader = make_loader(parts, epoch=self.num_epochs)
        self.validation = validation and make_loader(BatchParts(validation, process=place), fixed=True)

    @property
    def num_epochs(self):
        """How many epochs are done."""
        return len(self.run.history["epoch"])

    def fit(self, monitor):
        """Train for the epochs that are left; `monitor` is told of each batch and epoch, as a `run.ProgressBar`."""
        writer = run.TensorBoardWriter(self.run.best_path and self.run.folder / "tensorboard", self.run.history)
        while not self.run.finished and self.num_epochs < self.training.num_epochs:
            started, rate = time.perf_counter(), schedule.learning_rate(self.training, self.run.history)
            set_rate(self.optimizer, rate)
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
        device, steps = device_of(self.model), self.training.accumulation_steps
        self.sums = torch.zeros(3, device=device)  # of losses, correct predictions and clips
        meter = schedule.LossMeter(self.training, self.num_epochs, len(self.batches))
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []), fast_kernels(self.model):
            torch.manual_seed(run.epoch_seed(self.seed, self.num_epochs))  # dropout, the same after a resume
            self.optimizer.zero_grad(set_to_none=True)
            for part, batch in enumerate(self.loader, start=1):
                loss, added = self.compute_loss(*batch)
                loss.backward()
                self.sums = self.sums + added
                if part % steps == 0:
                    self.take_step()
                    meter.count_batch(monitor, self.read_sums)
        average_statistics(self.model)
        return self.average()

    def compute_loss(self, x, labels, weights):
        """Return a part's share in the mean loss of its batch, and (sum of losses, correct predictions, clips)."""
        device = device_of(self.model)
        x, labels, weights = (values.to(device, non_blocking=True) for values in (x, labels, weights))
        with compute_in_bf16(self.model, self.training.mixed_precision):
            logits = self.compute_logits(x).float().reshape(len(x), -1, self.model.num_classes)  # (N, 1 or T, K)
        if self.training.consensus:
            logits = logits.mean(1, keepdim=True)  # (N, 1, K)
        labels = labels[:, None].expand(logits.shape[:2])  # one a clip, or one a frame
        options = {"reduction": "none", "label_smoothing": self.training.label_smoothing}
        losses = F.cross_entropy(logits.transpose(1, 2), labels, **options).mean(1)  # (N,)
        hits = (logits.argmax(2) == labels).float().mean(1)
        counted = (weights[:, 0] > 0).float()
        sums = torch.stack([losses.detach() @ weights[:, 0], hits @ counted, counted.sum()])
        return losses @ weights[:, 1], sums

    def compute_logits(self, x):
        """Return logits (N, K) or (N, T, K); frozen convolutions keep nothing, so they take some frames at a time."""
        if self.batches.kind == "features":
            return self.model.head(x)
        if "convolutions" in self.training.frozen:
            return self.model.head(convolve_in_parts(self.model.convolutions, x))
        return self.model(x)

    def take_step(self):
        """Change the weights by one step down the gradient of all processes."""
        trained = [parameter for parameter in self.model.parameters() if parameter.grad is not None]
        for parameter, total in zip(trained, sum_over_processes([each.grad for each in trained]), strict=True):
            parameter.grad = total
        if self.training.clip_norm is not None:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.training.clip_norm)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)

    def evaluate(self):
        """Return (mean loss, accuracy) on the validation batches; (None, None) without any."""
        if self.validation is None:
            return None, None
        self.model.eval()
        with torch.no_grad():
            self.sums = sum(self.compute_loss(*batch)[1] for batch in self.validation)
        return self.average()

    def read_sums(self):
        """Return (sum of losses, correct predictions, clips) of the epoch so far, in this process."""
        return to_numpy(self.sums)

    def average(self):
        """Return (mean loss, accuracy) over all processes."""
        (self.sums,) = sum_over_processes([self.sums])
        return schedule.mean_of_sums(self.read_sums())

    def save_checkpoint(self, row):
        """Save an epoch: its weights if they are the best so far, and all that is needed to resume."""
        weights = self.trainable_weights()
        if self.run.add_epoch(**row):
            self.best = weights
            if self.run.best_path:
                save_model(self.run.best_path, self.model, card=self.run.describe())
        self.run.finished = schedule.is_over(self.training, self.run.history)
        self.run.save_state(weights, get_state(self.optimizer))

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
