"""TrainingMonitor: live curves, the time left and a Stop button while either framework trains."""

import math
import time

import traitlets
from IPython import get_ipython
from IPython.display import display

from actlib.plots import plot_history
from actlib.widgets.notebook import NotebookWidget, join_files, to_plain

SECONDS_BETWEEN = 0.25  # updates of the view
ENDED = ("stopped", "finished")
TRAIL = 240  # batches drawn at most
NUMBERS = {"loss": "loss", "val_loss": "validation loss", "val_accuracy": "validation accuracy"}


class TrainingMonitor(NotebookWidget):
    """Follows a training: `train(..., monitor=TrainingMonitor())`. Stop ends it cleanly, its best weights kept.

    It shows itself when training begins, unless a cell did before, and leaves the finished curves as a picture; outside
    of a notebook it prints a line an epoch. Your own loop calls `on_batch`, `on_epoch`, and ends when `stop` is True.

    Args:
        title: a heading.

    Example:
        >>> monitor = TrainingMonitor(title="LRCN")
        >>> for done in range(1, 3):
        ...     monitor.on_batch(done, 2, 0.5)
        >>> monitor.on_epoch({"epoch": 1, "loss": 0.5, "val_loss": 0.4})
        LRCN: epoch 1: loss 0.500, validation loss 0.400; 0:00 left
        >>> monitor
        TrainingMonitor: training, 1 epoch; best epoch 1: loss 0.500, validation loss 0.400
        >>> monitor.close()
    """

    _esm = join_files("dom.js", "view.js", "plot.js", "chart.js", "monitor.js")
    _css = join_files("theme.css", "plot.css", "monitor.css")

    title = traitlets.Unicode("").tag(sync=True)
    state = traitlets.Enum(("waiting", "training", "stopping", "stopped", "finished"), "waiting").tag(sync=True)
    history = traitlets.List(help="one dict an epoch").tag(sync=True)
    progress = traitlets.Dict(help="done, total, left and elapsed seconds, trail of batch losses").tag(sync=True)
    stop = traitlets.Bool(False, help="True once the training is to end")

    def __init__(self, *, title="", **traits):
        super().__init__(title=title, **traits)
        self._done, self._handle = math.inf, None  # batches of the training that runs; where it is displayed
        self._in_notebook = hasattr(get_ipython(), "kernel")

    def handle_stop(self, _content):
        """Reply to the Stop button: the training ends after this batch."""
        self.stop, self.state = True, "stopped" if self.state in ENDED else "stopping"
        return {}, []

    def on_batch(self, done, total, loss):
        """Record the loss of a batch: the number `done` of `total` in all epochs, if no early stop comes."""
        if done <= self._done:
            self._restart(done)
        self._done = done
        if math.isfinite(loss):
            self._trail.append((done, float(loss), 0))
        if time.monotonic() - self._updated > SECONDS_BETWEEN or done == total:
            self._update(total)

    def on_epoch(self, record):
        """Record an epoch's numbers: epoch, loss and, as they are there, accuracy, val_loss, val_accuracy."""
        row = {name: to_plain(value) for name, value in record.items()}
        self.history = [*self.history, {"epoch": len(self.history) + 1, **row, "done": self._done}]
        self._update()
        if not self._in_notebook:
            left = int(self.progress["left"])
            print(f"{self.title or 'training'}: {_describe_epoch(self.history[-1])}; {left // 60}:{left % 60:02} left")

    def _restart(self, done):
        if self.state in ENDED:
            self.stop = False
        self._started, self._first, self._updated = time.monotonic(), done - 1, 0.0  # a resumed training begins late
        self._trail, self.history, self.state = [], [], "stopping" if self.stop else "training"
        if self._in_notebook:
            if self._handle is None:
                self._ipython_display_()
            get_ipython().events.register("post_run_cell", self._end)

    def _update(self, total=None):
        done, total = self._done, total or self.progress.get("total", self._done)
        self._updated = time.monotonic()
        elapsed, trail = self._updated - self._started, self._trail[:: len(self._trail) // TRAIL + 1]
        left = elapsed / max(1, done - self._first) * (total - done)
        self.progress = {"done": done, "total": total, "elapsed": elapsed, "left": left, "trail": trail}

    def _end(self, result=None):
        """The cell that trained has ended: say so, and leave the finished curves as its picture."""
        get_ipython().events.unregister("post_run_cell", self._end)
        self._update()
        self._done = math.inf  # another training begins anew
        self.state = "stopped" if self.stop or getattr(result, "error_in_exec", None) else "finished"
        if self._handle is not None and self.comm is not None:
            data, metadata = self._repr_mimebundle_()
            self._handle.update(data, metadata=metadata, raw=True)

    def _ipython_display_(self):
        data, metadata = self._repr_mimebundle_()
        self._handle = display(data, metadata=metadata, raw=True, display_id=True)

    def draw_still(self):
        """Draw the curves so far."""
        curves = [plot_history(self.history, title=self.title or None)] if self.history else []
        return [*curves, *super().draw_still()]

    def __repr__(self):
        words = f"TrainingMonitor: {self.state}, {len(self.history)} epoch{'s' * (len(self.history) != 1)}"
        validated = [row for row in self.history if row.get("val_loss") is not None]
        best = min(validated, key=lambda row: row["val_loss"], default=None)
        return f"{words}; best {_describe_epoch(best)}" if best else words


def _describe_epoch(row):
    numbers = [f"{name} {row[key]:.3f}" for key, name in NUMBERS.items() if row.get(key) is not None]
    return f"epoch {row['epoch']}: {', '.join(numbers)}"
