"""What is seen of a training while it runs: a bar with the time left, and curves in TensorBoard."""

import sys
import time
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter  # these three import no TensorFlow
from tqdm import tqdm


class CurvesLog:
    """Writes the history for TensorBoard as it grows: `tensorboard --logdir runs`."""

    def __init__(self, folder, history):
        """Starts the files, with what the history already holds.

        Args:
            folder: Gets the folders train and validation; None writes nothing.
            history: As in `runs.Run`.
        """
        self.paths = {}
        if folder is None:
            return
        for part in ("train", "validation"):
            path = Path(folder, part, f"events.out.tfevents.{time.time():.0f}.actlib")
            path.parent.mkdir(parents=True, exist_ok=True)
            for old in path.parent.glob("events.out.tfevents.*"):
                old.unlink()
            self.paths[part] = path
            self._append(path, Event(wall_time=time.time(), file_version="brain.Event:2"))
        for row in zip(*history.values(), strict=True):
            self.add(dict(zip(history, row, strict=True)))

    def add(self, record):
        """Appends one epoch.

        Args:
            record: A row of the history.
        """
        for part, path in self.paths.items():
            prefix = "val_" if part == "validation" else ""
            values = {name: record[prefix + name] for name in ("loss", "accuracy") if record[prefix + name] is not None}
            if part == "train":
                values["learning_rate"] = record["learning_rate"]
            numbers = [Summary.Value(tag=name, simple_value=value) for name, value in values.items()]
            self._append(path, Event(wall_time=time.time(), step=record["epoch"], summary=Summary(value=numbers)))

    def _append(self, path, event):
        with open(path, "ab") as file:
            RecordWriter(file).write(event.SerializeToString())


class ProgressBar:
    """The monitor that `train` uses when it is given none: a line with the time left."""

    stop = False  # a monitor that sets it to True ends training as Ctrl-C does

    def __init__(self):
        """Starts without a bar; the first batch draws it."""
        self.bar = None

    def on_batch(self, done, total, loss):
        """Moves the bar.

        Args:
            done: Batches done, of all epochs.
            total: Batches in all, if no early stop comes.
            loss: The last batch's.
        """
        if self.bar is None:
            self.bar = tqdm(total=total, initial=done - 1, unit="batch", file=sys.stderr, mininterval=0.5, leave=False)
        self.bar.update(done - self.bar.n)

    def on_epoch(self, record):
        """Shows an epoch's numbers beside the bar.

        Args:
            record: A row of the history.
        """
        if self.bar is not None:
            numbers = {n: f"{record[n]:.3f}" for n in ("loss", "val_loss", "val_accuracy") if record[n] is not None}
            self.bar.set_description(f"epoch {record['epoch']}", refresh=False)
            self.bar.set_postfix(numbers)

    def close(self):
        """Takes the bar away."""
        if self.bar is not None:
            self.bar.close()
