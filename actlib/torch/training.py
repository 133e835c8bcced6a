"""Building, training and using the networks: NumPy in, NumPy out, on the GPU if there is one."""

import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from actlib import runs
from actlib.checkpoints import read_weights, spec_to_json, weights_key
from actlib.initial import draw_weights
from actlib.specs import FROZEN_PARTS, LRCNSpec
from actlib.torch.lrcn import LRCN
from actlib.torch.vgg import FrameClassifier
from actlib.torch.weights import get_weights, save_model, set_weights

FRAMES_AT_ONCE = 32  # frames that go through frozen convolutions together: enough for full speed, little memory


def build_model(spec, num_classes, *, weights=None, seed=0):
    """Builds a network with the weights it starts from.

    Args:
        spec: A `FrameSpec` or an `LRCNSpec`.
        num_classes: K.
        weights: Neutral name -> array; what fits is taken (convolutions, hidden layers), the rest starts at random.
        seed: For what starts at random, see `initial.draw_weights`: the same numbers in both frameworks.

    Returns:
        A `FrameClassifier` or an `LRCN`.

    Raises:
        ValueError: A shape in weights differs from the network's.

    Example:
        >>> from actlib.specs import SLIM_FRAMES
        >>> count_parameters(build_model(SLIM_FRAMES, 7))
        (83823, 83823)
    """
    model = (LRCN if isinstance(spec, LRCNSpec) else FrameClassifier)(spec, num_classes)
    shapes = {name: array.shape for name, array in get_weights(model).items() if not name.startswith("preprocess/")}
    set_weights(model, draw_weights(shapes, seed=seed), partial=True)
    if weights is not None:
        set_weights(model, weights, partial=True)
    return model


def freeze(model, parts):
    """Lets training change all but these parts.

    Args:
        model: A `FrameClassifier` or an `LRCN`.
        parts: Any of "convolutions" and "hidden"; () frees all.

    Raises:
        ValueError: A part has another name.
    """
    if not set(parts) <= set(FROZEN_PARTS):
        raise ValueError(f"Expected parts among {FROZEN_PARTS}. Received: {tuple(parts)}. Choose among them.")
    model.requires_grad_(True)
    for part in parts:
        _part(model, part).requires_grad_(False)


def count_parameters(model):
    """Counts what training changes, and all there is.

    Args:
        model: A `FrameClassifier` or an `LRCN`.

    Returns:
        (trainable, total); preprocessing is not counted, batch normalisation's moving statistics are in the total only.
    """
    total = sum(array.size for name, array in get_weights(model).items() if not name.startswith("preprocess/"))
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad), total


def convolve(model, frames, *, batch_size=FRAMES_AT_ONCE, mixed_precision=True):
    """Turns frames into the features that the head reads; done once, they are kept by `stores.FeatureStore`.

    Args:
        model: A `FrameClassifier` or an `LRCN`.
        frames: uint8 (n, H, W, C), RGB.
        batch_size: Frames at once.
        mixed_precision: bfloat16 inside, where the machine gains from it.

    Returns:
        float16 (n, D).
    """
    device = _move(model)
    with torch.no_grad(), _precision(device, mixed_precision):
        model.convolutions.eval()
        return _frame_features(model.convolutions, np.asarray(frames), device, batch_size).half().cpu().numpy()


def predict(model, batches, *, features=None):
    """Scores every frame of every clip.

    Args:
        model: A `FrameClassifier` or an `LRCN`.
        batches: Not shuffled; `epoch(0)` gives (x, labels), x uint8 frames (N, T, H, W, C) or features (N, T, D).
        features: Whether x are features; None: float x are.

    Returns:
        float32 (clips, T, K), in the order of batches.
    """
    device = _move(model)
    model.eval()
    scores = []
    with torch.no_grad():
        for x, _ in batches.epoch(0):
            if not (_are_features(x) if features is None else features):
                x = _frame_features(model.convolutions, x, device)
            scores.append(_step_scores(model, torch.as_tensor(x, device=device)).cpu().numpy())
    return np.concatenate(scores)


def train(model, batches, validation, training, *, run=None, seed=0, monitor=None):
    """Trains a network, and leaves it with the weights of its best epoch.

    Args:
        model: A `FrameClassifier` or an `LRCN`; facts in `model.card` go into its checkpoints.
        batches: `epoch(number)` gives (x, labels): uint8 frames (N, T, H, W, C) to train all but the frozen parts, or
            features (N, T, D) to train the head.
        validation: Batches that choose the best epoch; None: the training loss does.
        training: A `TrainSpec`.
        run: A folder for checkpoints and curves; a training that was killed there goes on. None keeps nothing.
        seed: Of dropout; batches have their own.
        monitor: Told of each batch and epoch as `runs.ProgressBar` is, which None stands for.

    Returns:
        The history: name -> list, one value an epoch; names are `runs.COLUMNS`. Ctrl-C ends training early: the history
        is then shorter, and the same call goes on later.

    Raises:
        ValueError: The run began with other settings; there are no batches.
        FloatingPointError: The loss is no longer finite.
    """
    trainer = _Trainer(model, batches, training, seed)
    record = runs.Run(run, trainer.settings(validation))
    if record.resume(trainer.changing()):
        trainer.restore(record)
    monitor = monitor or runs.ProgressBar()
    try:
        trainer.run(record, validation, monitor)
    except KeyboardInterrupt:
        print(f"Training stopped after {len(record.history['epoch'])} epochs; the same call goes on from there.")
    finally:
        if isinstance(monitor, runs.ProgressBar):
            monitor.close()
    trainer.end_with_best(record)
    return record.history


class _Trainer:
    """One training: the network, its optimizer, and what happens in an epoch."""

    def __init__(self, model, batches, training, seed):
        self.model, self.batches, self.training, self.seed = model, batches, training, seed
        self.device = _move(model)
        self.first = _first_batch(batches)
        self.features = _are_features(self.first[0])
        self.frozen = tuple(sorted({*training.frozen, *(["convolutions"] if self.features else [])}))
        freeze(model, self.frozen)
        self.parameters = {name: p for name, p in model.named_parameters() if p.requires_grad}
        self.optimizer = _make_optimizer(self.parameters.values(), training)
        self.plateau = _make_plateau(self.optimizer, training)
        self.class_weights = self._weigh_classes() if training.class_weights else None
        networks = model.convolutions, model.head
        self.convolutions, self.head = _compiled(networks) if training.compile else networks
        self.best = None  # the changing weights of the best epoch

    def run(self, record, validation, monitor):
        """Goes through the epochs that are left."""
        curves = runs.CurvesLog(record.folder and record.folder / "tensorboard", record.history)
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
        """One epoch of steps; (mean loss, accuracy) over its predictions."""
        self.model.train()
        if "convolutions" in self.frozen:
            self.model.convolutions.eval()  # frozen batch normalisation keeps its statistics too
        sums, done, total = np.zeros(3), epoch * len(self.batches), self.training.num_epochs * len(self.batches)
        with torch.random.fork_rng():
            torch.manual_seed(runs.epoch_seed(self.seed, epoch))  # dropout, the same after a resume
            for x, labels in self.batches.epoch(epoch):
                loss, hits, count = self.forward(x, labels, self.class_weights)
                self.step(loss)
                value, done = loss.item(), done + 1
                if not np.isfinite(value):
                    raise FloatingPointError(
                        f"Expected a finite loss. Received: {value} in epoch {epoch + 1}. "
                        "Lower the learning rate, or set clip_norm."
                    )
                sums += value * count, hits.item(), count
                monitor.on_batch(done, total, value)
                if getattr(monitor, "stop", False):
                    raise KeyboardInterrupt
        return float(sums[0] / sums[2]), float(sums[1] / sums[2])

    def forward(self, x, labels, class_weights=None):
        """(mean loss, right predictions, predictions) of a batch; "steps" predicts at each step."""
        labels = torch.as_tensor(labels, device=self.device)  # (N,)
        with _precision(self.device, self.training.mixed_precision):
            scores = self.score(x).float()  # (N, K) or (N, T, K)
        labels = labels.view(-1, *[1] * (scores.ndim - 2)).expand(scores.shape[:-1]).flatten()  # one a prediction
        scores = scores.flatten(0, -2)
        losses = F.cross_entropy(scores, labels, reduction="none")
        if class_weights is not None:
            losses = losses * class_weights[labels]
        return losses.mean(), (scores.argmax(1) == labels).sum(), len(labels)

    def score(self, x):
        """Scores of a batch; frozen convolutions go in small portions, as nothing of them is kept."""
        if self.features:
            return self.head(torch.as_tensor(x, device=self.device))
        if "convolutions" not in self.frozen:
            return self.head(self.convolutions(torch.as_tensor(x, device=self.device)))
        return self.head(_frame_features(self.convolutions, x, self.device))

    def step(self, loss):
        """One step of the optimizer."""
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if self.training.clip_norm is not None:
            nn.utils.clip_grad_norm_(self.parameters.values(), self.training.clip_norm)
        self.optimizer.step()

    def measure(self, batches):
        """(loss, accuracy) without learning; (None, None) without batches."""
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
        """Writes down an epoch: best weights, learning rate, all that is needed to go on."""
        if record.add_epoch(**row):
            self.best = self.changing()
            if record.best:
                save_model(record.best, self.model, card=self.describe(record))
        if self.plateau:
            self.plateau.step(row["loss"] if row["val_loss"] is None else row["val_loss"])
        waited, patience = runs.epochs_since_best(record.history), self.training.patience
        record.finished = row["epoch"] == self.training.num_epochs or (patience is not None and waited >= patience)
        rate, plateau = self.optimizer.param_groups[0]["lr"], self.plateau and self.plateau.state_dict()
        record.keep(self.changing(), self.optimizer_arrays(), {"learning_rate": rate, "plateau": plateau})

    def restore(self, record):
        """Takes up where the last finished epoch ended."""
        parts = {"weights": {}, "optimizer": {}}
        for name, array in record.arrays.items():
            part, name = name.split("/", 1)
            parts[part][name] = array
        set_weights(self.model, parts["weights"], partial=True)
        for name, array in parts["optimizer"].items():
            name, slot = name.rsplit("/", 1)
            where = "cpu" if slot == "step" else self.device  # where Adam wants its count
            self.optimizer.state[self.parameters[name]][slot] = torch.tensor(array, device=where)
        self.optimizer.param_groups[0]["lr"] = record.facts["learning_rate"]
        if self.plateau:
            self.plateau.load_state_dict(record.facts["plateau"])
        self.best = runs.changing_weights(read_weights(record.best), self.frozen)

    def end_with_best(self, record):
        """Leaves the best weights in the model, and a checkpoint even if no epoch was finished."""
        if self.best is not None:
            set_weights(self.model, self.best, partial=True)
        self.model.card = self.model.card | self.describe(record)
        self.model.eval()
        if self.best is None and record.best:
            save_model(record.best, self.model)

    def _weigh_classes(self):
        labels = np.asarray(self.batches.labels)[self.batches.videos(0)]  # (number of clips,)
        return torch.as_tensor(runs.weigh_classes(labels, self.model.num_classes), device=self.device)

    def changing(self):
        """The weights that training changes."""
        return runs.changing_weights(get_weights(self.model), self.frozen)

    def optimizer_arrays(self):
        """ "name/slot" -> array: Adam's two moments and its count, or SGD's momentum."""
        slots = {
            (n, slot): value for n, p in self.parameters.items() for slot, value in self.optimizer.state[p].items()
        }
        return {f"{n}/{slot}": value.cpu().numpy() for (n, slot), value in slots.items() if value is not None}

    def settings(self, validation):
        """What has to be the same to go on."""
        weights = get_weights(self.model)
        changing = runs.changing_weights(weights, self.frozen)
        return {
            "model": spec_to_json(self.model.spec),
            "num_classes": self.model.num_classes,
            "training": spec_to_json(self.training),
            "seed": self.seed,
            "batches": runs.describe_batches(self.batches, self.first),
            "validation": runs.describe_batches(validation, validation and _first_batch(validation)),
            "frozen weights": weights_key({name: array for name, array in weights.items() if name not in changing}),
        }

    def describe(self, record):
        """Facts for the card: how it was trained, and how good its best epoch was."""
        best = runs.best_epoch(record.history)
        metrics = {name: values[best] for name, values in record.history.items()} if best is not None else {}
        return {"training": spec_to_json(self.training), "seed": self.seed, "metrics": metrics}


def _part(model, part):
    return model.convolutions if part == "convolutions" else model.head.hidden


def _move(model):
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model.to(device)
    return device


def _precision(device, mixed):
    """bfloat16 for what gains from it; on a CPU without such arithmetic it would be slower than float32."""
    gains = device.type == "cuda" or runs.gains_from_bf16()
    return torch.autocast(device.type, torch.bfloat16, enabled=mixed and gains)


def _are_features(x):
    return np.issubdtype(np.asarray(x).dtype, np.floating)


def _frame_features(convolutions, frames, device, batch_size=FRAMES_AT_ONCE):
    """float32 (..., D) of uint8 (..., H, W, C), a few frames at a time."""
    flat = np.asarray(frames).reshape(-1, *frames.shape[-3:])  # (n, H, W, C)
    parts = [flat[start : start + batch_size] for start in range(0, len(flat), batch_size)]
    rows = torch.cat([convolutions(torch.tensor(part, device=device)) for part in parts])  # (n, D)
    return rows.reshape(*frames.shape[:-3], -1)


def _step_scores(model, features):
    """(N, T, K) of either network."""
    return model.head(features, readout="steps") if isinstance(model, LRCN) else model.head(features)


def _first_batch(batches):
    for x, labels in batches.epoch(0):
        return x, labels
    raise ValueError("Expected at least one batch. Received: none. Check that videos were found for this part.")


def _make_optimizer(parameters, training):
    if training.optimizer == "adam":
        return torch.optim.Adam(parameters, training.learning_rate, eps=1e-7)  # Keras' eps
    if training.optimizer == "sgd":
        rate, momentum = training.learning_rate, training.momentum
        return torch.optim.SGD(parameters, rate, momentum=momentum, weight_decay=training.weight_decay)
    raise ValueError(f"Expected optimizer 'adam' or 'sgd'. Received: {training.optimizer!r}. Choose one of them.")


def _make_plateau(optimizer, training):
    if training.plateau_patience is None:
        return None
    patience = training.plateau_patience - 1  # PyTorch acts one epoch after its patience, Keras at it
    return torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, "min", training.plateau_factor, patience, threshold=0)


def _compiled(networks):
    try:
        torch.compile(lambda x: 2 * x + 1)(torch.ones(8))  # is there a compiler?
    except Exception as error:  # whatever the compiler says
        print(f"torch.compile cannot be used here ({type(error).__name__}); training goes on without it.")
        return networks
    return [torch.compile(network) for network in networks]
