"""What every widget is: a view that sends requests to the kernel, a still picture, an end when its cell runs again."""

import base64
import io
import json
import math
import weakref
from collections import deque
from pathlib import Path

import anywidget
import numpy as np
from IPython import get_ipython
from PIL import Image

from actlib.plots import Figure, escape_name, styled
from actlib.video import VideoError


class NotebookWidget(anywidget.AnyWidget):
    """Replies to the requests of its view, leaves a still picture in the notebook, closes when its cell runs again.

    A kind of request is what has a method handle_<kind>(content), which returns (reply, buffers). What a view sends in
    another form, or what is no value of a trait, is left alone with a line in the kernel's log.
    """

    def __init__(self, **traits):
        self._replied = deque(maxlen=1000)  # the view repeats a request that a busy kernel leaves open
        super().__init__(**traits)
        if hasattr(self.comm, "_reply_subshell_for"):
            # Messages of the view go to the side thread that JupyterLab names, even while a cell runs. ipykernel 7.4
            # sends them to whichever thread spoke last instead: while a model trains, to the one that trains.
            self.comm._reply_subshell_for = lambda _data, asked_for: asked_for
        _close_on_rerun(self)

    def _handle_msg(self, msg):
        data = msg["content"].get("data")
        if isinstance(data, dict) and isinstance(data.get("state", {}), dict) and "method" in data:
            super()._handle_msg(msg)
        else:
            self.log.warning("Expected a message of a widget. Received: %.99r.", data)

    def set_state(self, sync_data):
        """Take traits from the view; where one is refused, the view is told what holds."""
        try:
            json.dumps(sync_data, allow_nan=False)
            super().set_state(sync_data)
        except Exception as error:  # whatever a browser sends
            self.log.warning("%r: %s", self, error)
            self.send_state()

    def _handle_custom_msg(self, content, buffers):
        if not isinstance(content, dict) or not isinstance(request := content.get("request"), str):
            self.log.warning("Expected a request. Received: %.99r.", content)
        elif request not in self._replied:
            self._replied.append(request)
            try:
                handle = getattr(self, f"handle_{content.get('kind')}", None)
                if handle is None:
                    raise ValueError(f"Expected a request that {type(self).__name__} handles. Received: another kind.")
                reply, buffers = handle(content)
            except Exception as error:  # whatever a browser asks for, and whatever is wrong with a video
                reply, buffers = {"problem": str(error)}, []
            if self.comm is not None:
                self.send({"request": request, **reply}, buffers)

    def draw_still(self):
        """Draw the figures that stay in the notebook, one below the other: a list."""
        return [write_lines(repr(self))]

    def _repr_mimebundle_(self, **options):
        data, metadata = super()._repr_mimebundle_(**options)
        try:
            figures = self.draw_still()
        except (VideoError, OSError) as error:
            figures = [write_lines(repr(self), str(error))]
        pictures = [Image.open(io.BytesIO(figure.encode())).convert("RGB") for figure in figures]
        still = Image.fromarray(np.concatenate(pictures)).quantize(128, dither=Image.Dither.NONE)
        png = base64.b64encode(encode(still, "PNG", optimize=True)).decode()
        return {**data, "text/plain": repr(self), "image/png": png}, metadata

    def close(self):
        """Close the view."""
        if self.comm is not None:
            self.layout.close()  # a widget of its own, which would stay
        super().close()


def encode(image, kind, **options) -> bytes:
    """Turn a picture, of Pillow or uint8 (H, W, 3), into the bytes of a file, a "PNG" or "JPEG"."""
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    image.save(file := io.BytesIO(), kind, **options)
    return file.getvalue()


@styled
def write_lines(*lines) -> Figure:
    """Write lines of text, which are wrapped where they are long, as a figure, for readers without a kernel."""
    figure = Figure(0.2 + 0.17 * sum(1 + len(line) // 100 for line in lines), alt="; ".join(lines))
    figure.text(0.01, 0.95, "\n".join(map(escape_name, lines)), wrap=True, va="top", fontsize=8.5)
    return figure


def join_files(*names):
    """Join front-end files beside this one, each after those it needs, into one module or style sheet."""
    return "\n".join((Path(__file__).parent / name).read_text(encoding="utf-8") for name in names)


def to_plain(value):
    """Turn NumPy's numbers into Python's, and what JSON does not know (NaN, infinity) into None."""
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _close_on_rerun(widget):
    """Close a widget when the cell that makes it runs again; outside of a notebook, do nothing."""
    shell, reference = get_ipython(), weakref.ref(widget)
    if not hasattr(shell, "get_parent"):  # no kernel's
        return
    made_in = _name_cell(shell)

    def close(_info):
        if reference() is None or _name_cell(shell) == made_in:
            shell.events.unregister("pre_run_cell", close)
            if reference() is not None:
                reference().close()

    shell.events.register("pre_run_cell", close)


def _name_cell(shell):
    """The running cell as its front end names it, or its code."""
    parent = shell.get_parent() or {}
    return parent.get("metadata", {}).get("cellId") or parent.get("content", {}).get("code", "")
