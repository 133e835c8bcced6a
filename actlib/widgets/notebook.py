"""What every widget is: a view that sends requests to the kernel, a still picture, an end when its cell runs again."""

import base64
import math
from collections import deque
from pathlib import Path

import anywidget
from PIL import Image

from actlib.plots.style import INK, WRONG
from actlib.video import VideoError
from actlib.widgets.cleanup import close_on_rerun
from actlib.widgets.stills import encode, stack


class NotebookWidget(anywidget.AnyWidget):
    """Replies to the requests of its view, leaves a still picture in the notebook, closes when its cell runs again.

    A kind of request is what has a method handle_<kind>(content), which returns (reply, buffers).
    """

    def __init__(self, **traits):
        self._replied = deque(maxlen=1000)  # the view repeats a request that a busy kernel leaves open
        super().__init__(**traits)
        if hasattr(self.comm, "_reply_subshell_for"):
            # Messages of the view go to the side thread that JupyterLab names, even while a cell runs. ipykernel 7.4
            # sends them to whichever thread spoke last instead: while a model trains, to the one that trains.
            self.comm._reply_subshell_for = lambda _data, asked_for: asked_for
        self.on_msg(NotebookWidget._on_message)
        close_on_rerun(self)

    def _on_message(self, content, _buffers):
        kind, request = content.get("kind"), content.get("request")
        if request in self._replied:
            return
        self._replied.append(request)
        try:
            if not hasattr(self, f"handle_{kind}"):
                raise ValueError(f"Expected a request that {type(self).__name__} handles. Received: {kind!r}.")
            reply, buffers = getattr(self, f"handle_{kind}")(content)
        except (VideoError, ValueError, OSError) as error:
            reply, buffers = {"problem": str(error)}, []
        if self.comm is not None:
            self.send({"request": request, **reply}, buffers)

    def draw_still(self):
        """Draw the picture that stays in the notebook; returns a PIL image."""
        return stack([], [(repr(self), INK)])

    def _repr_mimebundle_(self, **options):
        data, metadata = super()._repr_mimebundle_(**options)
        try:
            still = self.draw_still()
        except (VideoError, OSError) as error:
            still = stack([], [(repr(self), INK), (str(error), WRONG)], width=960)
        png = encode(still.quantize(128, dither=Image.Dither.NONE), "PNG", optimize=True)
        return {**data, "text/plain": repr(self), "image/png": base64.b64encode(png).decode()}, metadata

    def close(self):
        """Close the view."""
        if self.comm is not None:
            self.layout.close()  # a widget of its own, which would stay
        super().close()


def join_files(*names):
    """Join front-end files that lie beside this one, each after those it needs, into one module or style sheet."""
    return "\n".join((Path(__file__).parent / name).read_text(encoding="utf-8") for name in names)


def to_plain(value):
    """Turn NumPy's numbers into Python's, and what JSON does not know (NaN, infinity) into None."""
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and not math.isfinite(value) else value
