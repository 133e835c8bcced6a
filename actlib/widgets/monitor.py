"""TrainingMonitor: live curves, the time left and a Stop button while either framework trains."""

import time

import anywidget
import numpy as np
import traitlets
from IPython import get_ipython
from IPython.display import display

from actlib.plots import plot_history
from actlib.run import ProgressBar
from actlib.widgets.reruns import close_on_rerun
from actlib.widgets.serving import bundle_still, free_replies, join_files
from actlib.widgets.stills import INK, add_caption, join_pictures

SECONDS_BETWEEN = 0.25  # updates of the view
ENDED = ("stopped", "finished")
TRAIL = 240  # batches drawn at most; older ones are thinned out


class TrainingMonitor(anywidget.AnyWidget):
    """Follows a training: `train(..., monitor=TrainingMonitor())`. Stop ends it cleanly, its best weights kept.

    It shows itself when training begins, unless a cell has shown it before. Without a front end it is a text bar. A
    loop of your own calls `on_batch` and `on_epoch`, and ends when `stop` is True.

    Args:
        title: a heading.

    Example:
        >>> monitor = TrainingMonitor(title="LRCN")
        >>> for done in range(1, 3):
        ...     monitor.on_batch(done, 2, 0.5)
        >>> monitor.on_epoch({"epoch": 1, "loss": 0.5, "val_loss": 0.4})
        >>> monitor.stop, len(monitor.history)
        (False, 1)
        >>> monitor.close()
    """

    _esm = join_files("dom.js", "messages.js", "chart.js", "monitor.js")
    _css = join_files("theme.css", "monitor.css")

    title = traitlets.Unicode("").tag(sync=True)
    state = traitlets.Enum(("waiting", "training", "stopping", "stopped", "finished"), "waiting").tag(sync=True)
    history = traitlets.List(help="one dict an epoch").tag(sync=True)
    progress = traitlets.Dict(help="done, total, left and elapsed seconds, trail of batch losses").tag(sync=True)
    stop = traitlets.Bool(False, help="True once the training is to end")

    def __init__(self, *, title="", **traits):
        super().__init__(title=title, **traits)
        self._running, self._handle = False, None  # handle: where it is displayed
        self._begin()
        self._bar = None if has_front_end() else ProgressBar()
        free_replies(self.comm)
        self.on_msg(TrainingMonitor._hear)
        close_on_rerun(self)

    def _begin(self):
        self._started, self._first, self._told = time.monotonic(), 0, 0.0
        self._done, self._trail, self._keep_every = 0, [], 1

    def _hear(self, content, _buffers):
        if content.get("kind") == "stop":
            self.stop, self.state = True, "stopped" if self.state in ENDED else "stopping"
            self.send({"question": content.get("question")})

    def on_batch(self, done, total, loss):
        """Take note of a batch.

        Args:
            done: batches done, of all epochs.
            total: batches in all, if no early stop comes.
            loss: the last batch's.
        """
        if not self._running or done <= self._done:
            self._restart(done)
        if self._bar is not None:
            self._bar.on_batch(done, total, loss)
        self._done = done
        if done % self._keep_every == 0:
            self._trail.append((done, float(loss), 0))
        if len(self._trail) > TRAIL:
            self._trail, self._keep_every = self._trail[1::2], 2 * self._keep_every
        if time.monotonic() - self._told > SECONDS_BETWEEN or done == total:
            self._tell(done, total)

    def on_epoch(self, record):
        """Take note of an epoch.

        Args:
            record: its numbers: epoch, loss and, as they are there, accuracy, val_loss, val_accuracy.
        """
        if self._bar is not None and {"loss", "val_loss", "val_accuracy"} <= set(record):
            self._bar.on_epoch(record)
        row = {name: _plain(value) for name, value in record.items()}
        self.history = [*self.history, {"epoch": len(self.history) + 1, **row, "done": self._done}]
        self._tell(self._done, self.progress.get("total", self._done))

    def _restart(self, done):
        if self.state in ENDED:
            self.stop = False
        self._begin()
        self._running, self._first = True, done - 1  # a resumed training begins late
        self.history, self.state = [], "stopping" if self.stop else "training"
        if self._bar is None:
            self._show()
            get_ipython().events.register("post_run_cell", self._end)

    def _tell(self, done, total):
        self._told = time.monotonic()
        elapsed = self._told - self._started
        left = elapsed / max(1, done - self._first) * (total - done)
        self.progress = {"done": done, "total": total, "elapsed": elapsed, "left": left, "trail": self._trail}

    def _end(self, result=None):
        """The cell that trained has ended: say so, and leave the finished curves as its picture."""
        get_ipython().events.unregister("post_run_cell", self._end)
        self._running = False
        self._tell(self._done, self.progress.get("total", self._done))
        self.state = "stopped" if self.stop or getattr(result, "error_in_exec", None) else "finished"
        if self._handle is not None and self.comm is not None:
            data, metadata = self._repr_mimebundle_()
            self._handle.update(data, metadata=metadata, raw=True)

    def _show(self):
        if self._handle is None:
            data, metadata = self._repr_mimebundle_()
            self._handle = display(data, metadata=metadata, raw=True, display_id=True)

    def _ipython_display_(self):
        self._handle = None
        self._show()

    def draw_still(self):
        """Draw the curves so far.

        Returns:
            PIL image.
        """
        keys = ("loss", "accuracy", "val_loss", "val_accuracy")
        kept = {key: [row.get(key) for row in self.history] for key in keys}
        columns = {key: [np.nan if value is None else value for value in column] for key, column in kept.items()}
        if not self.history or np.isnan(columns["loss"]).all():
            return add_caption(None, [(repr(self), INK)])
        return join_pictures([plot_history(columns, title=self.title or None)])

    def _repr_mimebundle_(self, **options):
        return bundle_still(super()._repr_mimebundle_(**options), self)

    def close(self):
        """Close the view."""
        if self.comm is not None:
            self.layout.close()  # a widget of its own, which would stay
        super().close()

    def __repr__(self):
        return f"TrainingMonitor: {self.state}, {len(self.history)} epochs"


def has_front_end():
    """Tell whether a notebook's kernel runs this, so that a view can be shown.

    Returns:
        bool.

    Example:
        >>> has_front_end()
        False
    """
    return getattr(get_ipython(), "kernel", None) is not None


def _plain(value):
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and not np.isfinite(value) else value
