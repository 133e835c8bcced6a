"""A training as far as both frameworks share it: what a model starts from, and what each epoch leaves behind."""

import importlib
import time
import zlib
from contextlib import closing
from dataclasses import replace

import numpy as np

from actlib import cards, checkpoints, machine, paths, run, schedule, schema, specs
from actlib.dataset.loading import BatchParts, weigh_classes

READ_EVERY = 10  # batches: reading a loss makes a GPU wait
_PREFIXES = {"convolutions": ("preprocess/", "block"), "hidden": ("hidden",)}  # of the names of weights


def load_backend(framework):
    """Import one framework's half of the library: ``actlib.torch`` or ``actlib.keras``.

    Args:
        framework: One of ``specs.BACKENDS``, or a model of it.
    """
    if not isinstance(framework, str):
        modules = [kind.__module__.split(".") for kind in type(framework).__mro__]  # actlib.torch.lrcn, or a subclass
        framework = next((words[1] for words in modules if words[0] == "actlib"), type(framework).__name__)
    schema.check_choice("framework", framework, specs.BACKENDS)
    for name in ("training", "saliency"):  # and what they import, the others
        importlib.import_module(f"actlib.{framework}.{name}")
    return importlib.import_module(f"actlib.{framework}")


def save_model(path, model, *, card=None):
    """Write a model as a checkpoint that either framework loads, and return the path.

    Args:
        path: Ends in `.safetensors`; the card goes inside, and beside it as `.json`.
        model, card: A `FrameClassifier` or an `LRCN`, whose `card` (a dict) is written with it; more for the card.
    """
    backend = load_backend(model)
    framework, weights = backend.__name__.split(".")[1], backend.weights
    versions = machine.package_versions("actlib", *weights.PACKAGES, "numpy")
    known = {"spec": model.spec, "num_classes": model.num_classes, "versions": versions, "framework": framework}
    return checkpoints.save_checkpoint(path, weights.get_weights(model), model.card | known | (card or {}))


def load_checkpoint(path, framework, *, device=None):
    """Make the model that a checkpoint, see `checkpoints.read_model`, describes, with its card, ready to predict.

    Args:
        path, framework: The `.safetensors` file; "torch" or "keras": where to load it.
        device: As in a framework's `training.build_model`.
    """
    (card, weights), backend = checkpoints.read_model(path), load_backend(framework).weights
    model = backend.make_network(card["spec"], card["num_classes"], device=device)
    backend.set_weights(model, weights)
    model.card = card
    return model


class Training:
    """The training of a model, its arguments those of a framework's `training.train`, whose `Trainer` adds `fit`."""

    def __init__(self, model, batches, validation, training, *, folder=None, seed=0, monitor=None):
        extra = {"convolutions"} if batches.kind == "features" else set()
        self.training = replace(training, frozen=tuple(sorted({*training.frozen, *extra})))
        self.model, self.batches, self.validation = model, batches, validation
        # A head on few features: its steps are so short that threads would mostly wait for each other.
        self.tiny = batches.kind == "features" and model.spec.vgg.num_features <= 4096
        self.backend, self.folder, self.seed, self.monitor = load_backend(model), folder, seed, monitor

    def train(self):
        """Train, or go on where the run ends; leave the model with its best weights, and return the history."""
        self.backend.training.freeze(self.model, self.training.frozen)
        with run.hold_folder(self.folder), closing(run.ProgressBar()) as bar:
            self.monitor = self.monitor or bar
            self.run = run.Run(self.folder, self._list_settings())
            if self.run.resume(self._trainable_weights()):
                self.backend.weights.set_weights(self.model, self.run.weights, partial=True)
            self.history = self.run.history
            try:
                if not self.run.finished:
                    best_path = self.run.best_path
                    self.curves = run.TensorBoardWriter(best_path and best_path.with_name("tensorboard"), self.history)
                    self.fit()
            except KeyboardInterrupt:
                print(f"Training stopped: {self.run.count_saved()} epochs are saved; the same call goes on from there.")
                if not getattr(self.monitor, "stop", False):
                    self._load_best()
                    raise  # so that nothing after it runs with a model that is half trained
            self._load_best()
        return self.history

    @property
    def num_epochs(self):
        """How many epochs are done."""
        return len(self.history["epoch"])

    def split_batches(self):
        """Return this process' parts of the batches of training, and of validation or None, as `BatchParts`."""
        labels, place = self.batches.labels[self.batches.videos(0)], paths.process_place()  # (number of clips,)
        weights = weigh_classes(labels, self.model.num_classes) if self.training.class_weights else None
        steps, on_gpu = self.training.accumulation_steps, self.backend.precision.default_device() != "cpu"
        parts = BatchParts(self.batches, steps=steps, process=place, class_weights=weights, crop=on_gpu)
        return parts, self.validation and BatchParts(self.validation, process=place, crop=False)

    def begin_epoch(self):
        """Start the clock of an epoch; return its learning rate, and the seed of its dropout, also after a resume."""
        self.started, self.rate = time.perf_counter(), schedule.learning_rate(self.training, self.history)
        self.num_done, self.loss, self.sums_before = 0, np.nan, np.zeros(3)
        return self.rate, _epoch_seed(self.seed, self.num_epochs)

    def count_batch(self, read_sums):
        """Tell the monitor of a batch, with a loss that is read only now and then; KeyboardInterrupt if it says stop.

        `read_sums` gives this process' (sum of losses, correct predictions, clips); FloatingPointError if not finite.
        """
        self.num_done, number = self.num_done + 1, len(self.batches)
        if self.num_done % READ_EVERY == 1 or self.num_done == number:
            sums = read_sums()
            if not np.isfinite(sums[0]):
                found = f"Expected a finite loss. Received: {sums[0]} in epoch {self.num_epochs + 1}."
                raise FloatingPointError(f"{found} Lower the learning rate, or set clip_norm.")
            if sums[2] > self.sums_before[2]:
                self.loss, self.sums_before = schedule.mean_of_sums(sums - self.sums_before)[0], sums
        self.monitor.on_batch(self.num_epochs * number + self.num_done, self.training.num_epochs * number, self.loss)
        if getattr(self.monitor, "stop", False):
            raise KeyboardInterrupt

    def end_epoch(self, train, validation, optimizer):
        """Save an epoch: its weights if they are the best so far, and all that is needed to resume.

        Both of (mean loss, accuracy), None without validation; then what the optimizer remembers, name -> array.
        """
        values = (self.num_epochs + 1, *train, *validation, self.rate, time.perf_counter() - self.started)
        row, weights = dict(zip(cards.COLUMNS, values, strict=True)), self._trainable_weights()
        if self.run.add_epoch(**row):
            self.run.best = weights
            self._save_best()
        self.run.finished = schedule.is_over(self.training, self.history)
        self.run.save_state(weights, optimizer)
        self.curves.add(row)
        self.monitor.on_epoch(row)

    def _save_best(self):
        """Write a checkpoint of the model as it is, if this process writes any."""
        if self.run.best_path:
            save_model(self.run.best_path, self.model, card=self._describe())

    def _load_best(self):
        """Leave the model with the weights of its best epoch, and a checkpoint even if no epoch was finished."""
        if self.run.best is None:
            self._save_best()
        else:
            self.backend.weights.set_weights(self.model, self.run.best, partial=True)
        self.model.card = self.model.card | self._describe()

    def _describe(self):
        return self.run.describe() | {"trained_on": self.backend.precision.describe_device()}

    def _trainable_weights(self):
        """Copy the weights that training changes."""
        part = self.model.head if "convolutions" in self.training.frozen else self.model  # spares copies of the frozen
        return trainable_weights(self.backend.weights.get_weights(part), self.training.frozen)

    def _list_settings(self):
        """List what has to be the same to resume a training; of frozen weights, a key."""
        model, training, weights = self.model, self.training, self.backend.weights.get_weights(self.model)
        trainable = trainable_weights(weights, training.frozen)
        key = checkpoints.weights_key({name: weights[name] for name in weights if name not in trainable})
        settings = {"framework": self.backend.__name__.split(".")[1], "num_classes": model.num_classes}
        settings |= {"model": cards.spec_to_json(model.spec), "training": cards.spec_to_json(training)}
        settings |= {"seed": self.seed, "frozen weights": key, "batches": _describe_batches(self.batches)}
        return settings | {"validation": None if self.validation is None else _describe_batches(self.validation)}


def initial_weights(spec, num_classes, weights=None, *, seed=0) -> dict[str, np.ndarray]:
    """Initialize the weights of a model: neutral name -> array.

    Args:
        spec, num_classes: A `FrameSpec` or an `LRCNSpec`; K.
        weights: Others, name -> array, that give what they have too, but no logits; or None.
        seed: Of the random ones.
    """
    shapes, vgg = checkpoints.list_shapes(spec, num_classes), spec.vgg
    given = {"preprocess/mean": np.array(vgg.mean), "preprocess/std": np.array(vgg.std)}
    taken = {} if weights is None else _select_transferable(shapes, weights, vgg)
    return _init_weights(shapes, seed=seed) | given | taken


def _select_transferable(shapes, weights, vgg):
    """Select the weights that a model (name -> shape) has too, but no logits; raise ValueError where there are none."""
    # Of RGB for flow: kernels are averaged over the colors and repeated (TSN, arXiv 1608.00859, 3.2).
    if vgg.flow and (kernel := weights.get("block1_conv1/kernel")) is not None:
        if kernel.shape[2] != (channels := vgg.num_channels):
            kernel = np.repeat(kernel.mean(axis=2, keepdims=True), channels, axis=2)
        std = np.full(channels, np.mean(weights.get("preprocess/std", vgg.std)))
        weights = weights | {"preprocess/mean": vgg.mean, "preprocess/std": std, "block1_conv1/kernel": kernel}
    taken = {name: weights[name] for name in shapes if name in weights and not name.startswith("logits/")}
    if not taken:
        found = f"Expected weights for some of {list(shapes)[:4]}... Received: {list(weights)[:4]}..."
        raise ValueError(f"{found} Choose another file.")
    return taken


def _init_weights(shapes, *, seed=0):
    """Initialize weights (name -> shape), the same in both frameworks: Keras' defaults, He's for convolutions."""
    return {name: _init(name, shape, seed).astype(np.float32) for name, shape in shapes.items()}


def _init(name, shape, seed):
    layer, kind = name.split("/")
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    if kind == "kernel":  # (..., in, out)
        fan_in, fan_out = np.prod(shape[:-1]), np.prod(shape[:-2]) * shape[-1]
        limit = np.sqrt(6 / fan_in) if layer.startswith("block") else np.sqrt(6 / (fan_in + fan_out))  # He, or Glorot
        return (rng.random(shape, dtype=np.float32) * 2 - 1) * np.float32(limit)
    if kind == "recurrent_kernel":  # (u, 4u), with orthonormal rows
        q, r = np.linalg.qr(rng.standard_normal(shape[::-1]))
        return (q * np.sign(np.diag(r))).T
    constant = np.full(shape, float(kind in ("gamma", "moving_variance", "std")))
    if layer.startswith("lstm"):  # a bias (4u,): input, forget, cell, output
        constant[shape[0] // 4 : shape[0] // 2] = 1  # the forget gate starts open
    return constant


def trainable_weights(weights, frozen):
    """Return the weights that training changes: none of frozen parts or preprocessing.

    Args:
        weights, frozen: Name -> array; some of `specs.FROZEN_PARTS`.
    """
    prefixes = ("preprocess/", *(prefix for part in frozen for prefix in _PREFIXES[part]))
    return {name: array for name, array in weights.items() if not name.startswith(prefixes)}


def _epoch_seed(seed, epoch):
    # Below 2**32; each epoch has its own, so that a training can be resumed at any of them.
    return int(np.random.SeedSequence([seed, epoch, paths.process_place()[0]]).generate_state(1)[0])


def _describe_batches(batches):
    """Describe batches by their number and the first of them, to notice that a run resumes with others."""
    if not len(batches):
        raise ValueError("Expected at least one batch. Received: none. Check that videos were found for this subset.")
    x, labels = batches.batch(0, 0)
    return {"number": len(batches), "first": f"{x.dtype} {x.shape}", "labels": np.asarray(labels).tolist()}
