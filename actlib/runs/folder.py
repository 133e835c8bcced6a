"""The folder of a training run: its history, its curves, and all that a killed training needs to go on.

Neither framework is needed here; both twins use it. A run's folder holds::

    best.safetensors, best.json    the model with the best validation loss so far, and its card
    state.safetensors              the last finished epoch: weights, optimizer, history, settings; replaced in one step
    history.json, history.csv      a row an epoch
    tensorboard/train, validation  the same curves for TensorBoard, both parts in one plot
"""

import csv
import io
import json
from pathlib import Path

from actlib.checkpoints import read_card, read_weights, replace_file, save_checkpoint, weights_key
from actlib.runs.rules import epochs_since_best

COLUMNS = ("epoch", "loss", "accuracy", "val_loss", "val_accuracy", "learning_rate", "seconds")


class Run:
    """What a training leaves behind after each epoch, and finds when it starts again."""

    def __init__(self, folder, settings):
        """Opens a run; nothing is written yet.

        Args:
            folder: Where it is kept, or None to keep nothing.
            settings: What has to be the same to go on: a dict that JSON can hold.
        """
        self.folder = None if folder is None else Path(folder)
        self.settings = json.loads(json.dumps(settings))
        self.history = {name: [] for name in COLUMNS}
        self.arrays = {}  # "weights/..." and "optimizer/...", of the last finished epoch
        self.facts = {}  # the twin's own: learning rate, counters
        self.finished = False
        self._keys = {}  # weights_key of the weights that change: at the start, last, best

    @property
    def best(self):
        """The path of the best checkpoint, or None."""
        return self.folder and self.folder / "best.safetensors"

    def resume(self, weights):
        """Takes up the training that the folder holds, if any.

        Args:
            weights: The weights that training changes, as the model holds them now: name -> array.

        Returns:
            Whether there was one; `history`, `arrays`, `facts` and `finished` are then its own.

        Raises:
            ValueError: It had other settings or started from other weights; says which.
        """
        self._keys = {"start": weights_key(weights)}
        path = self.folder and self.folder / "state.safetensors"
        if path is None or not path.is_file():
            return False
        card = read_card(path)
        self._check(card, self._keys["start"])
        self.history, self.facts, self.finished = card["history"], card["facts"], card["finished"]
        self.arrays, self._keys = read_weights(path), card["keys"]
        return True

    def add_epoch(self, **record):
        """Appends one epoch to the history.

        Args:
            **record: A number for each of `COLUMNS`.

        Returns:
            Whether its validation loss is the best so far.
        """
        for name in COLUMNS:
            self.history[name].append(record[name])
        return epochs_since_best(self.history) == 0

    def keep(self, weights, optimizer, facts):
        """Writes the state after an epoch, in one step, and the history; `finished` is set before, if it is.

        Args:
            weights: The weights that training changes: name -> array.
            optimizer: The optimizer's arrays: name -> array.
            facts: The twin's own numbers, for JSON.
        """
        if self.folder is None:
            return
        self._keys["last"] = weights_key(weights)
        if epochs_since_best(self.history) == 0:
            self._keys["best"] = self._keys["last"]
        arrays = {f"weights/{name}": array for name, array in weights.items()}
        arrays |= {f"optimizer/{name}": array for name, array in optimizer.items()}
        card = {"settings": self.settings, "keys": self._keys, "history": self.history, "facts": facts}
        save_checkpoint(self.folder / "state.safetensors", arrays, card | {"finished": self.finished})
        self._write_history()

    def _write_history(self):
        replace_file(self.folder / "history.json", json.dumps(self.history, indent=1).encode())
        table = io.StringIO()
        rows = zip(*(self.history[name] for name in COLUMNS), strict=True)
        csv.writer(table, lineterminator="\n").writerows([COLUMNS, *rows])
        replace_file(self.folder / "history.csv", table.getvalue().encode())

    def _check(self, card, key):
        then, now = _flatten(card["settings"]), _flatten(self.settings)
        changed = [
            f"{k}: {then.get(k)} then, {now.get(k)} now" for k in sorted(then | now) if then.get(k) != now.get(k)
        ]
        if key not in card["keys"].values():
            changed.append("starting weights: others")
        if changed:
            raise ValueError(
                f"Expected the settings that the run in {self.folder} began with. Received: {'; '.join(changed)}. "
                "Choose another folder, or delete this one to train anew."
            )


def _flatten(settings, prefix=""):
    flat = {}
    for name, value in settings.items():
        flat |= _flatten(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return flat
