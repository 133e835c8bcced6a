"""One training from the inside: a step, an epoch, what is kept after it, and how it is taken up again."""

import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from actlib.checkpoints import read_weights, spec_to_json, weights_key
from actlib.run import (
    TensorBoardWriter,
    best_epoch,
    class_weights,
    describe_batches,
    epoch_seed,
    epochs_since_best,
    trainable_weights,
)
from actlib.torch.optimizers import make_optimizer, make_plateau, optimizer_arrays, restore_optimizer
from actlib.torch.precision import are_features, compile_all, frame_features, precision, to_device
from actlib.torch.weights import get_weights, save_model, set_weights


class Trainer:
    """One training: the network, its optimizer, and what happens in an epoch."""

    def __init__(self, model, batches, training, *, first, frozen, seed):
        """Prepares a training; nothing is learnt yet.

        Args:
            model: A `FrameClassifier` or an `LRCN`, its frozen parts already frozen.
            batches: What it learns from.
            training: A `TrainSpec`.
            first: The first (x, labels) of batches.
            frozen: Parts that stay as they are.
            seed: Of dropout.
        """
        self.model, self.batches, self.training, self.seed = model, batches, training, seed
        self.first, self.frozen, self.features = first, frozen, are_features(first[0])
        self.device = to_device(model)
        self.parameters = {name: p for name, p in model.named_parameters() if p.requires_grad}
        self.optimizer = make_optimizer(self.parameters.values(), training)
        self.plateau = make_plateau(self.optimizer, training)
        self.class_weights = None
        if training.class_weights:
            labels = np.asarray(batches.labels)[batches.videos(0)]  # (number of clips,)
            self.class_weights = torch.tensor(class_weights(labels, model.num_classes), device=self.device)
        networks = model.convolutions, model.head
        self.convolutions, self.head = compile_all(networks) if training.compile else networks
        self.best = None  # the changing weights of the best epoch

    def run(self, record, validation, monitor):
        """Goes through the epochs that are left.

        Args:
            record: The `run.Run`.
            validation: Batches, or None.
            monitor: As `run.ProgressBar`.
        """
        curves = TensorBoardWriter(record.folder and record.folder / "tensorboard", record.history)
        while not record.finished and len(record.history["epoch"]) < self.training.num_epochs:
            started, rate = time.perf_counter(), self.optimizer.param_groups[0]["lr"]
            epoch = len(record.history["epoch"])
            loss, accuracy = self.learn(epoch, monitor)
            val_loss, val_accuracy = self.measure(validation)
            row = dict(epoch=epoch + 1, loss=loss, accuracy=accuracy, val_loss=val_loss, val_accuracy=val_accuracy)
            row |= dict(learning_rate=rate, seconds=time.perf_counter() - started)
            self.keep(record, row)
            curves.add(row)
            monitor.on_epoch(row)

    def learn(self, epoch, monitor):
        """Learns for one epoch.

        Args:
            epoch: From 0.
            monitor: Told of each batch.

        Returns:
            (mean loss, accuracy) of the predictions on the way.

        Raises:
            FloatingPointError: The loss is no longer finite.
            KeyboardInterrupt: The monitor says stop.
        """
        self.model.train()
        if "convolutions" in self.frozen:
            self.model.convolutions.eval()  # frozen batch normalisation keeps its statistics too
        sums, done, total = np.zeros(3), epoch * len(self.batches), self.training.num_epochs * len(self.batches)
        with torch.random.fork_rng(devices=[self.device] if self.device.type == "cuda" else []):
            torch.manual_seed(epoch_seed(self.seed, epoch))  # dropout, the same after a resume
            for x, labels in self.batches.epoch(epoch):
                loss, hits, count = self.forward(x, labels, self.class_weights)
                self.step(loss)
                value, done = loss.item(), done + 1
                if not np.isfinite(value):
                    advice = "Lower the learning rate, or set clip_norm."
                    raise FloatingPointError(f"Expected a finite loss. Received: {value}, epoch {epoch + 1}. {advice}")
                sums += value * count, hits.item(), count
                monitor.on_batch(done, total, value)
                if getattr(monitor, "stop", False):
                    raise KeyboardInterrupt
        return float(sums[0] / sums[2]), float(sums[1] / sums[2])

    def forward(self, x, labels, class_weights=None):
        """Predicts a batch.

        Args:
            x: Frames or features, as in `train`.
            labels: int64 (N,).
            class_weights: float32 (K,), or None.

        Returns:
            (mean loss, number of right predictions, number of predictions): one a clip, or one a frame or step.
        """
        labels = torch.as_tensor(labels, device=self.device)  # (N,)
        with precision(self.device, self.training.mixed_precision):
            logits = self.score(x).float()  # (N, K) or (N, T, K)
        if logits.ndim == 3:
            labels = labels[:, None].expand(logits.shape[:2]).flatten()  # (N * T,): one a prediction
        logits = logits.flatten(0, -2)
        losses = F.cross_entropy(logits, labels, reduction="none")
        if class_weights is not None:
            losses = losses * class_weights[labels]
        return losses.mean(), (logits.argmax(1) == labels).sum(), len(labels)

    def score(self, x):
        """Scores a batch.

        Args:
            x: Frames or features.

        Returns:
            (N, K) or (N, T, K). Frozen convolutions take a few frames at a time, as nothing of them is kept.
        """
        if self.features:
            return self.head(torch.as_tensor(x, device=self.device))
        if "convolutions" not in self.frozen:
            return self.head(self.convolutions(torch.as_tensor(x, device=self.device)))
        return self.head(frame_features(self.convolutions, x, self.device))

    def step(self, loss):
        """Takes one step down the gradient of a loss."""
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if self.training.clip_norm is not None:
            nn.utils.clip_grad_norm_(self.parameters.values(), self.training.clip_norm)
        self.optimizer.step()

    def measure(self, batches):
        """Measures without learning.

        Args:
            batches: Batches, or None.

        Returns:
            (mean loss, accuracy); (None, None) for None.
        """
        if batches is None:
            return None, None
        self.model.eval()
        sums = np.zeros(3)
        with torch.no_grad():
            for x, labels in batches.epoch(0):
                loss, hits, count = self.forward(x, labels)
                sums += loss.item() * count, hits.item(), count
        return float(sums[0] / sums[2]), float(sums[1] / sums[2])

    def keep(self, record, row):
        """Writes down an epoch: its weights if they are the best, and all that is needed to go on.

        Args:
            record: The `run.Run`.
            row: The epoch's numbers.
        """
        weights = self.changing()
        if record.add_epoch(**row):
            self.best = weights
            if record.best_path:
                save_model(record.best_path, self.model, card=self.describe(record))
        if self.plateau:
            self.plateau.step(row["loss"] if row["val_loss"] is None else row["val_loss"])
        waited, patience = epochs_since_best(record.history), self.training.patience
        record.finished = row["epoch"] == self.training.num_epochs or (patience is not None and waited >= patience)
        rate, plateau = self.optimizer.param_groups[0]["lr"], self.plateau and self.plateau.state_dict()
        record.save_state(
            weights, optimizer_arrays(self.optimizer, self.parameters), {"learning_rate": rate, "plateau": plateau}
        )

    def restore(self, record):
        """Takes up where the last finished epoch ended.

        Args:
            record: The `run.Run`, resumed.
        """
        set_weights(self.model, record.weights, partial=True)
        restore_optimizer(self.optimizer, self.parameters, record.optimizer)
        self.optimizer.param_groups[0]["lr"] = record.metadata["learning_rate"]
        if self.plateau:
            self.plateau.load_state_dict(record.metadata["plateau"])
        self.best = trainable_weights(read_weights(record.best_path), self.frozen)

    def end_with_best(self, record):
        """Leaves the best weights in the model, and a checkpoint even if no epoch was finished.

        Args:
            record: The `run.Run`.
        """
        if self.best is not None:
            set_weights(self.model, self.best, partial=True)
        self.model.card = self.model.card | self.describe(record)
        self.model.eval()
        if self.best is None and record.best_path:
            save_model(record.best_path, self.model)

    def changing(self):
        """The weights that training changes."""
        part = self.model.head if "convolutions" in self.frozen else self.model  # spares copying what is frozen
        return trainable_weights(get_weights(part), self.frozen)

    def settings(self, validation):
        """Lists what has to be the same to go on.

        Args:
            validation: Batches, or None.

        Returns:
            A dict for JSON.
        """
        weights = get_weights(self.model)
        changing = trainable_weights(weights, self.frozen)
        return {
            "framework": "torch",
            "model": spec_to_json(self.model.spec),
            "num_classes": self.model.num_classes,
            "training": spec_to_json(self.training),
            "seed": self.seed,
            "batches": describe_batches(self.batches),
            "validation": describe_batches(validation),
            "frozen weights": weights_key({name: array for name, array in weights.items() if name not in changing}),
        }

    def describe(self, record):
        """Says how the model was trained, and how good its best epoch was.

        Args:
            record: The `run.Run`.

        Returns:
            Facts for its card.
        """
        best = best_epoch(record.history)
        metrics = {name: values[best] for name, values in record.history.items()} if best is not None else {}
        return {"training": spec_to_json(self.training), "seed": self.seed, "metrics": metrics}
