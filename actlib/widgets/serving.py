"""What all clip widgets are: a view in the browser that asks for rows of one table, and for nothing else.

Videos travel as answers to questions over the widget's own channel: there is no server, no open port and no path in the
browser: a question holds the number of a row. What is sent is always a fresh H.264 copy, never the file itself.
"""

import base64
import os
from collections import deque
from pathlib import Path

import anywidget

from actlib.video import VideoError, browser_copy, probe_video
from actlib.widgets.reruns import close_on_rerun
from actlib.widgets.stills import INK, WRONG, add_caption, encode_jpeg, encode_png, read_sheet
from actlib.widgets.timelines import judge_clip

MAX_BYTES = 256 * 2**20  # of one H.264 copy; the browser holds it whole
SHEET = {"num_frames": 5, "size": (72, 96)}  # of a thumbnail, which shows these frames as the pointer moves over it
THUMBNAILS_KEPT = 400
FACTS = ("name", "class_name", "group", "clip", "subset", "frames", "fps", "width", "height")


def join_files(*names):
    """Join front-end files that lie beside this one into one module or style sheet.

    Args:
        names: file names; what a file needs stands before it.

    Returns:
        str.

    Example:
        >>> "function make(" in join_files("dom.js")
        True
    """
    return "\n".join((Path(__file__).parent / name).read_text(encoding="utf-8") for name in names)


class ClipWidget(anywidget.AnyWidget):
    """A widget over a table of videos: answers the browser's questions, leaves a still picture, closes on re-runs.

    Args:
        videos: DataFrame as `list_videos` gives it.
        timelines: {model: {name of a video: Timeline}}, or None.
        traits: values of traits.
    """

    questions = ("clip", "thumbnail")  # the kinds that are answered; each has a method of the name answer_<kind>

    def __init__(self, videos, *, timelines=None, **traits):
        self.videos = videos.reset_index(drop=True)
        self.videos.attrs = dict(videos.attrs)
        self.timelines = timelines or {}
        self._thumbnails = {}  # row -> JPEG bytes, oldest first
        self._heard = deque(maxlen=1000)  # questions; the browser repeats one that a busy kernel leaves open
        super().__init__(**traits)
        free_replies(self.comm)
        self.on_msg(ClipWidget._hear)
        close_on_rerun(self)

    def _hear(self, content, _buffers):
        kind, question = content.get("kind"), content.get("question")
        if question in self._heard:
            return
        self._heard.append(question)
        try:
            if kind not in self.questions:
                raise ValueError(f"Expected one of {self.questions}. Received: {kind!r}.")
            answer, buffers = getattr(self, f"answer_{kind}")(content)
        except (VideoError, ValueError, OSError) as error:
            answer, buffers = {"problem": str(error)}, []
        if self.comm is not None:
            self.send({"question": question, **answer}, buffers)

    def locate(self, row) -> Path:
        """Find the file of a row; refuses rows that are not there and files outside of the table's folder.

        Args:
            row: number of the row, from 0.

        Returns:
            Absolute path.

        Raises:
            ValueError: there is no such row, or its file lies elsewhere.
        """
        if type(row) is not int or not 0 <= row < len(self.videos):
            raise ValueError(f"Expected a row in 0..{len(self.videos) - 1}. Received: {row!r}.")
        path = Path(os.path.abspath(self.videos["path"].iloc[row]))
        folder = self.videos.attrs.get("folder")
        if folder and not path.is_relative_to(os.path.abspath(folder)):
            raise ValueError(f"Expected a file in {folder}. Received: {path}. List that folder's videos instead.")
        return path

    def describe(self, row) -> dict:
        """Put the facts of a row into plain values, with what each model says of it.

        Args:
            row: number of the row, from 0.

        Returns:
            dict that a browser takes: name, file, class_name, group, part, frames, fps, width, height, models.
        """
        record = self.videos.iloc[row]
        plain = {key: _plain(record.get(key)) for key in FACTS}
        name = plain["name"] or str(record["path"])
        return {**plain, "row": row, "name": name, "file": Path(name).name, "models": self.judge(row, name)}

    def judge(self, row, name) -> list[dict]:
        """Say what each model says of a video, for `describe`.

        Args:
            row: number of the row, from 0.
            name: the video's name.

        Returns:
            One dict a model, see `judge_clip`.
        """
        fps, true_name = (_plain(self.videos.iloc[row].get(key)) for key in ("fps", "class_name"))
        said = {model: timelines[name] for model, timelines in self.timelines.items() if name in timelines}
        return [judge_clip(model, each, each.classes, fps=fps, true_name=true_name) for model, each in said.items()]

    def answer_clip(self, content):
        """Answer with a clip's facts and the bytes of its H.264 copy, or with the reason why it cannot be shown.

        Args:
            content: the question, with `row`.

        Returns:
            The answer and its buffers.
        """
        path = self.locate(content.get("row"))
        clip = self.describe(content["row"])
        try:
            copy = browser_copy(path)
            info = probe_video(copy)
            _check_bytes(copy)
            return {"clip": {**clip, **info._asdict(), "problem": None}}, [copy.read_bytes()]
        except (VideoError, OSError) as error:
            return {"clip": {**clip, "problem": str(error)}}, []

    def answer_thumbnail(self, content):
        """Answer with a small contact sheet of a video.

        Args:
            content: the question, with `row`.

        Returns:
            The answer and its buffers.
        """
        row = content.get("row")
        path = self.locate(row)
        if row not in self._thumbnails:
            self._thumbnails[row] = encode_jpeg(read_sheet(path, int(self.videos["frames"].iloc[row]), **SHEET))
            while len(self._thumbnails) > THUMBNAILS_KEPT:
                self._thumbnails.pop(next(iter(self._thumbnails)), None)
        return {"frames": SHEET["num_frames"]}, [self._thumbnails[row]]

    def draw_still(self):
        """Draw the picture that stays in the notebook.

        Returns:
            PIL image.

        Raises:
            VideoError: a video cannot be decoded.
        """
        return add_caption(None, [(repr(self), INK)])

    def _repr_mimebundle_(self, **options):
        return bundle_still(super()._repr_mimebundle_(**options), self)

    def __repr__(self):
        return f"{type(self).__name__}: {len(self.videos):,} videos"

    def close(self):
        """Close the view and let go of everything it held."""
        if self.comm is not None:
            self.layout.close()  # a widget of its own, which would stay
        super().close()
        self._thumbnails, self.timelines, self.videos = {}, {}, ()  # no pandas: Python may be at its end


def bundle_still(bundle, widget):
    """Add a widget's still picture to what a notebook keeps of it.

    Args:
        bundle: (data, metadata) of the widget's view.
        widget: with `draw_still`.

    Returns:
        (data, metadata) with image/png and, as text, the widget's name.
    """
    data, metadata = bundle
    try:
        still = widget.draw_still()
    except (VideoError, OSError) as error:
        still = add_caption(None, [(repr(widget), INK), (str(error), WRONG)], width=960)
    png = base64.b64encode(encode_png(still)).decode()
    return {**data, "text/plain": repr(widget), "image/png": png}, metadata


def free_replies(comm):
    """Let messages of the browser go to the kernel's side thread, where JupyterLab sends them, even while a cell runs.

    ipykernel 7.4 sends them to whichever thread spoke last instead: while a model trains, that is the one that trains.

    Args:
        comm: a widget's channel; other kernels' are left as they are.
    """
    if hasattr(comm, "_reply_subshell_for"):
        comm._reply_subshell_for = lambda _data, asked_for: asked_for


def _plain(value):
    """NumPy's number or a missing value -> what JSON knows."""
    value = value.item() if hasattr(value, "item") else value
    return None if value is None or value != value else value


def _check_bytes(copy):
    size = copy.stat().st_size
    if size > MAX_BYTES:
        raise VideoError(
            f"Expected at most {MAX_BYTES >> 20} MB to play. Received: {size >> 20} MB for {copy.name}. Cut the video."
        )
