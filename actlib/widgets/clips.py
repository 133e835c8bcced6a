"""What all clip widgets are: a view in the browser that asks for rows of one table, and for nothing else.

Videos travel as replies over the widget's own channel: there is no server, no open port and no path in the browser: a
request holds the number of a row. What is sent is always a fresh H.264 copy, never the file itself.
"""

from pathlib import Path

import numpy as np

from actlib.video import VideoError, browser_copy, probe_video, read_clip, sample_uniform
from actlib.widgets.notebook import NotebookWidget, encode, to_plain
from actlib.widgets.timelines import make_verdict

STAGE_SCRIPTS = ("dom.js", "view.js", "plot.js", "playback.js", "timeline.js", "stage.js")
STAGE_STYLES = ("theme.css", "plot.css", "stage.css")
GALLERY_SCRIPTS = (*STAGE_SCRIPTS, "thumbnails.js", "grid.js", "gallery.js")
GALLERY_STYLES = (*STAGE_STYLES, "grid.css")
MAX_MEGABYTES = 256  # of one H.264 copy; the browser holds it whole
SHEET = (5, (72, 96))  # frames in a thumbnail, shown as the pointer moves over it; (H, W) of each
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

    def describe(self, row) -> dict:
        """Put the metadata of a row and the models' verdicts on it into plain values that a browser takes."""
        record = self.videos.iloc[row]
        plain = {key: to_plain(record.get(key)) for key in METADATA}
        name = plain["name"] or str(record["path"])
        found = {model: timelines[name] for model, timelines in self.timelines.items() if name in timelines}
        known = {"fps": plain["fps"], "true_name": plain["class_name"]}
        verdicts = [make_verdict(model, timeline, **known) for model, timeline in found.items()]
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
