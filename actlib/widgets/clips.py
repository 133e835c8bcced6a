"""What all clip widgets are: a view in the browser that asks for rows of one table, and for nothing else.

Videos travel as replies over the widget's own channel: there is no server, no open port and no path in the browser: a
request holds the number of a row. What is sent is always a fresh H.264 copy, never the file itself.
"""

from pathlib import Path

import numpy as np

from actlib.evaluation import apply_temperature, pool_clips, pool_videos, softmax
from actlib.plots import show_frames
from actlib.timeline import Timeline
from actlib.video import VideoError, browser_copy, probe_video, read_clip, sample_uniform
from actlib.widgets.notebook import NotebookWidget, encode, to_plain

STAGE_SCRIPTS = ("dom.js", "view.js", "plot.js", "playback.js", "timeline.js", "stage.js")
STAGE_STYLES = ("theme.css", "plot.css", "stage.css")
GALLERY_SCRIPTS = (*STAGE_SCRIPTS, "thumbnails.js", "grid.js", "gallery.js")
GALLERY_STYLES = (*STAGE_STYLES, "grid.css")
MAX_MEGABYTES = 256  # of one H.264 copy; the browser holds it whole
SHEET = (5, (72, 96))  # frames in a thumbnail, shown as the pointer moves over it; (H, W) of each
NUM_LINES = 5  # classes drawn in one timeline
METADATA = ("name", "class_name", "group", "clip", "subset", "frames", "fps", "width", "height")


class ClipWidget(NotebookWidget):
    """A widget over a table of videos, as `list_videos` gives it.

    Args:
        videos: DataFrame of them.
        timelines: {name of a video: Timeline}, or {model: {name: Timeline}} of several models, or None.
        traits: what to begin with.
    """

    def __init__(self, videos, *, timelines=None, **traits):
        timelines = dict(timelines or {})
        of_one_model = not all(isinstance(each, dict) for each in timelines.values())
        self.videos, self.timelines = videos.reset_index(drop=True), {"": timelines} if of_one_model else timelines
        super().__init__(**traits)

    def locate(self, row) -> Path:
        """Find the file of a row; one that is not there, or outside of the folder that was listed, is a ValueError."""
        if type(row) is not int or not 0 <= row < len(self.videos):
            raise ValueError(f"Expected a row in 0..{len(self.videos) - 1}. Received: {row!r}.")
        path, folder = Path(self.videos["path"].iloc[row]).resolve(), self.videos.attrs.get("folder")  # links followed
        if folder and not (path.is_relative_to(folder := Path(folder).resolve()) or folder.is_file()):  # a table
            raise ValueError(f"Expected a file in {folder}. Received: {path}. List that folder's videos instead.")
        return path

    def read_frames(self, row, num_frames, size, *, read=read_clip) -> np.ndarray:
        """Read evenly spaced frames of a row's video, or with `read_flow` their flow: uint8 (T, H, W, 3)."""
        path = self.locate(row)
        return read(path, sample_uniform(int(self.videos["frames"].iloc[row]), num_frames), size=size)

    def draw_sheet(self, rows, titles):
        """Draw the first frames of some rows' videos with titles on one sheet: a list of one figure."""
        frames = [read_clip(self.locate(row), [0], size=(120, 160))[0] for row in rows]
        return [show_frames(frames, titles=titles, columns=6, title=repr(self))]

    def describe(self, row) -> dict:
        """Put the metadata of a row and the models' verdicts on it into plain values that a browser takes."""
        record = self.videos.iloc[row]
        plain = {key: to_plain(record.get(key)) for key in METADATA}
        name = plain["name"] or str(record["path"])
        found = {model: timelines[name] for model, timelines in self.timelines.items() if name in timelines}
        known = {"fps": plain["fps"], "true_name": plain["class_name"]}
        verdicts = [_make_verdict(model, timeline, **known) for model, timeline in found.items()]
        return {**plain, "row": row, "name": name, "file": Path(name).name, "verdicts": verdicts}

    def handle_clip(self, content):
        """Reply with a clip's metadata and the bytes of its H.264 copy, with its flow at the right if asked for."""
        flow = bool(content.get("flow"))
        copy = browser_copy(self.locate(content.get("row")), flow=flow)
        if (size := copy.stat().st_size >> 20) > MAX_MEGABYTES:
            raise VideoError(f"Expected at most {MAX_MEGABYTES} MB to play. Received: {size} MB. Cut the video.")
        info = probe_video(copy)._asdict()
        found = {**self.describe(content["row"]), **info, "width": info["width"] >> flow, "flow": flow}
        return {"clip": found}, [copy.read_bytes()]

    def handle_thumbnail(self, content):
        """Reply with a small contact sheet of a video."""
        sheet = np.hstack(self.read_frames(content.get("row"), *SHEET))
        return {"frames": SHEET[0]}, [encode(sheet, "JPEG", quality=80)]

    def __repr__(self):
        return f"{type(self).__name__}: {len(self.videos):,} videos"

    def close(self):
        """Close the view and let go of everything it held."""
        super().close()
        self.timelines, self.videos = {}, ()  # no pandas: Python may be at its end


def build_timelines(logits, clips, videos, *, classes, readout, num_frames=None, temperatures=None):
    """Turn logits of clips into a timeline for each video; where clips overlap, their probabilities are averaged.

    Args:
        logits: float (N, T, K), before the softmax.
        clips: N pairs (row of the video, int (T,) places in what is stored of it), as `batches.clips(0)` gives them.
        videos, classes: DataFrame with `name`, `frames` and `fps`, in the order of those rows; K names.
        readout: how the steps of a clip become one prediction, as for `evaluate`: its verdict is the timeline's too.
        num_frames: how many evenly spaced frames of each video are stored, or None for all.
        temperatures: those of the model's card, as `actlib.timeline` applies them; None: 1, as in `evaluate`.

    Returns:
        {name: Timeline}; its seconds are the middles of the frames, its `pooled` is of the whole video.
    """
    logits, temperatures = np.asarray(logits), {"step": 1.0, "video": 1.0} | (temperatures or {})
    if len(logits) != len(clips):
        raise ValueError(f"Expected logits of {len(clips)} clips. Received: {len(logits)}. Use batches.clips(0).")
    rows, owners = np.unique([row for row, _ in clips], return_inverse=True)
    pooled = apply_temperature(pool_videos(pool_clips(logits, readout), owners), temperatures["video"])  # (V, K)
    steps = softmax(logits / temperatures["step"])  # (N, T, K)
    timelines = {}
    for index, row in enumerate(rows.tolist()):
        name, length, fps = (videos[column].iloc[row] for column in ("name", "frames", "fps"))
        stored = np.arange(length) if num_frames is None else sample_uniform(int(length), num_frames)
        own = np.flatnonzero(owners == index)
        frames = stored[np.concatenate([clips[clip][1] for clip in own])]
        unique, places = np.unique(frames, return_inverse=True)
        means = pool_videos(np.concatenate(steps[own]), places)  # (S, K): a frame's probabilities, averaged
        timelines[name] = Timeline((unique + 0.5) / fps, means.astype(np.float32), tuple(classes), pooled[index])
    return timelines


def _choose_lines(probabilities, *, predicted, label=None):
    """Choose (label, role) of the classes worth drawing: "true", "predicted" (and wrong), "other" that rise highest."""
    lead = predicted if label is None else label  # without a truth, the prediction leads
    order = np.argsort(-probabilities.max(axis=0), kind="stable").tolist()
    roles = {predicted: "predicted", lead: "true"}
    return [(each, roles.get(each, "other")) for each in list(dict.fromkeys((lead, predicted, *order)))[:NUM_LINES]]


def _make_verdict(model, timeline, *, fps, true_name=None) -> dict:
    """Put a model's verdict into plain values: prediction, whether it is correct (None: unknown), lines over frames."""
    classes, probabilities = list(timeline.classes), np.round(np.asarray(timeline.probabilities, np.float64), 4)
    pooled = probabilities.mean(axis=0) if timeline.pooled is None else timeline.pooled
    best, label = int(np.argmax(pooled)), classes.index(true_name) if true_name in classes else None
    chosen = _choose_lines(probabilities, predicted=best, label=label) if len(probabilities) else []
    frames = np.floor(np.asarray(timeline.seconds) * fps + 1e-6).astype(int).tolist()
    lines = [{"name": str(classes[n]), "role": role, "values": probabilities[:, n].tolist()} for n, role in chosen]
    verdict = {"name": model, "predicted": str(classes[best]), "probability": float(pooled[best])}
    return verdict | {"correct": None if label is None else label == best, "frames": frames, "lines": lines}
