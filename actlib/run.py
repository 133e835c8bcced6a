"""What a training leaves behind and tells: checkpoints, history, the state to resume from, progress, curves.

A run's folder holds::

    best.safetensors, best.json    the model with the best validation loss so far, and its card
    state.safetensors              the last finished epoch: weights, optimizer, history, settings; replaced in one step
    history.json, history.csv      a row an epoch
    tensorboard/train, validation  the same curves for TensorBoard, both parts in one plot
"""

import json
import os
import platform
import sys
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pandas as pd
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter  # these three import no TensorFlow
from tqdm import tqdm

from actlib import checkpoints, paths
from actlib.cards import COLUMNS
from actlib.checkpoints import weights_key
from actlib.files import explain_errors, lock, write_whole
from actlib.schedule import best_epoch, epochs_since_best


class Run:
    """What a training with these settings (for JSON) leaves in a folder, or nowhere for None, and resumes from."""

    def __init__(self, folder, settings):
        self.folder = None if folder is None else Path(folder)
        # Of several processes, the first alone writes.
        self.best_path = None if folder is None or paths.process_place()[0] else self.folder / paths.BEST
        self.settings = json.loads(json.dumps(settings))
        self.history = {name: [] for name in COLUMNS}
        self.weights, self.optimizer = {}, {}  # of the last finished epoch: name -> array
        self.best, self.finished = None, False  # the trainable weights of the best epoch
        self._keys = {}  # weights_key of the trainable weights: at the start, last, best; of all arrays

    def resume(self, weights):
        """Read the training that the folder holds, for a model with these trainable weights; return if there is one.

        Raises:
            ValueError: It had other settings or started from other weights, or a file is damaged; says which.
        """
        self._keys = {"start": weights_key(weights)}
        if self.folder is None or not (path := self.folder / paths.STATE).is_file():
            return False
        card = checkpoints.read_card(path, "settings", "keys", "history", "finished")
        arrays, best_path = checkpoints.read_weights(path), self.folder / paths.BEST
        most = self._check_settings(card)
        self.history = {name: card["history"][name] for name in COLUMNS}
        self._keys, epochs = card["keys"], card["history"]["epoch"]
        self.finished = card["finished"] and not (most and epochs[-1:] >= [most])  # it goes on, if its patience lasted
        self.weights, self.optimizer = (
            {name.removeprefix(part): array for name, array in arrays.items() if name.startswith(part)}
            for part in ("weights/", "optimizer/")
        )
        lengths = {*map(len, self.history.values())}
        if weights_key(arrays) != self._keys.get("arrays") or lengths != {len(epochs)} or max(epochs) != len(epochs):
            raise ValueError(f"Expected a whole state. Received: another in {path}. Delete the folder to train again.")
        best = checkpoints.read_weights(best_path)
        self.best = {name: best[name] for name in weights if name in best}
        for part, file in ((self.weights, path), (self.best, best_path)):
            checkpoints.check_weights({name: array.shape for name, array in weights.items()}, part, source=file)
        return True

    def _check_settings(self, card):
        """Return the number of epochs that it was to have where more are wanted now."""
        old, new = (pd.json_normalize(each).T[0].to_dict() for each in (card["settings"], self.settings))
        old = {name: value for name, value in new.items() if not value} | old  # what came later, and is off
        most = old.get("training.num_epochs")
        if longer := isinstance(most, int) and new.get("training.num_epochs", 0) > most:
            del old["training.num_epochs"], new["training.num_epochs"]
        names = [name for name in sorted(old | new) if old.get(name) != new.get(name)]
        changed = [f"{name}: {old.get(name, 'unset')} then, {new.get(name, 'unset')} now" for name in names]
        changed += ["starting weights: others"] * (self._keys["start"] not in card["keys"].values())
        if changed:
            found = f"Expected the settings of the run in {self.folder}. Received: {'; '.join(changed[:20])}."
            raise ValueError(f"{found} Choose another folder, or delete this one to train again.")
        return most if longer else None

    def add_epoch(self, **record):
        """Append a number for each of `COLUMNS`; return whether its validation loss is the best so far."""
        for name in COLUMNS:
            self.history[name].append(record[name])
        return epochs_since_best(self.history) == 0

    def describe(self):
        """Return metadata for a checkpoint's card: how it was trained, and the numbers of its best epoch."""
        best = best_epoch(self.history)
        metrics = {name: values[best] for name, values in self.history.items() if best is not None}
        return {"training": self.settings["training"], "seed": self.settings["seed"], "metrics": metrics}

    def count_saved(self):
        """Count the epochs in the folder, after which the same training would go on; 0 without a folder."""
        path = self.folder and self.folder / paths.STATE
        return len(checkpoints.read_card(path)["history"]["epoch"]) if path and path.is_file() else 0

    def save_state(self, weights, optimizer):
        """Write trainable weights and the optimizer's arrays after an epoch, in one step."""
        if self.best_path is None:
            return
        self._keys["last"] = weights_key(weights)
        if epochs_since_best(self.history) == 0:
            self._keys["best"] = self._keys["last"]
        parts = {"weights": weights, "optimizer": optimizer}
        arrays = {f"{part}/{name}": array for part, named in parts.items() for name, array in named.items()}
        self._keys["arrays"] = weights_key(arrays)
        card = {"settings": self.settings, "keys": self._keys, "history": self.history, "finished": self.finished}
        checkpoints.save_checkpoint(self.folder / paths.STATE, arrays, card)
        write_whole(self.folder / paths.HISTORY, json.dumps(self.history, indent=1).encode())
        write_whole(self.folder / paths.HISTORY_TABLE, pd.DataFrame(self.history).to_csv(index=False).encode())


@contextmanager
def hold_folder(folder):
    """Keep other trainings out of a run's folder inside a `with`; RuntimeError where one is in it.

    Args:
        folder: The run's, or None.
    """
    with ExitStack() as stack:
        if folder is not None and paths.process_place()[0] == 0:
            holder = Path(folder, "training.txt")
            try:
                stack.enter_context(lock(Path(folder) / paths.STATE, timeout=0))
            except TimeoutError:
                name = holder.read_text() if holder.is_file() else "a process"
                found = f"Expected a folder in which nobody trains. Received: {folder}, in which {name} trains."
                raise RuntimeError(f"{found} Wait for its end, or choose another folder.") from None
            write_whole(holder, f"process {os.getpid()} on {platform.node()}".encode())
        yield


class ProgressBar:
    """The monitor that `train` uses when it is given none; any monitor whose `stop` becomes True ends training."""

    stop = False
    bar = None

    def on_batch(self, done, total, loss):
        """Move the bar to `done` of `total` batches, counted over all epochs."""
        shown = {"initial": done - 1, "unit": "batch", "file": sys.stderr, "mininterval": 0.5, "leave": False}
        shown |= {"disable": True} if paths.process_place()[0] else {}  # of several processes, the first shows it
        self.bar = self.bar or tqdm(total=total, **shown)
        self.bar.update(done - self.bar.n)

    def on_epoch(self, record):
        """Show an epoch's numbers, a row of the history, beside the bar."""
        names = ("epoch", "loss", "val_loss", "val_accuracy")
        self.bar.set_postfix({name: f"{record[name]:.4g}" for name in names if record[name] is not None})

    def close(self):
        """Remove the bar."""
        if self.bar:
            self.bar.close()


class TensorBoardWriter:
    """Writes a history, and what is added to it, into a folder (None: nowhere) for `tensorboard --logdir runs`."""

    def __init__(self, folder, history):
        self.paths = {}  # prefix of the history's names -> file
        for prefix, subset in (("", "train"), ("val_", "validation")) if folder else ():
            self.paths[prefix] = path = Path(folder, subset, f"events.out.tfevents.{time.time():.0f}.actlib")
            for old in path.parent.glob("events.out.tfevents.*"):
                old.unlink()
            self._append(path, file_version="brain.Event:2")
        for row in zip(*history.values(), strict=True):
            self.add(dict(zip(history, row, strict=True)))

    def add(self, record):
        """Append one epoch, a row of the history."""
        for prefix, path in self.paths.items():
            values = {tag: record.get(prefix + tag) for tag in ("loss", "accuracy", "learning_rate")}
            scalars = [Summary.Value(tag=tag, simple_value=value) for tag, value in values.items() if value is not None]
            self._append(path, step=record["epoch"], summary=Summary(value=scalars))

    def _append(self, path, **event):
        path.parent.mkdir(parents=True, exist_ok=True)
        with explain_errors(path), open(path, "ab") as file:
            RecordWriter(file).write(Event(wall_time=time.time(), **event).SerializeToString())
