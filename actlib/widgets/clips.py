"""What all clip widgets are: a view in the browser that asks for rows of one table, and for nothing else.

Videos travel as replies over the widget's own channel: there is no server, no open port and no path in the browser: a
request holds the number of a row. What is sent is always a fresh H.264 copy, never the file itself.
"""

from pathlib import Path

from actlib.video import VideoError, browser_copy, probe_video
from actlib.widgets.notebook import NotebookWidget, to_plain
from actlib.widgets.stills import encode, read_sheet
from actlib.widgets.timelines import make_verdict

STAGE_SCRIPTS = ("dom.js", "view.js", "plot.js", "playback.js", "timeline.js", "stage.js")
STAGE_STYLES = ("theme.css", "plot.css", "stage.css")
GALLERY_SCRIPTS = (*STAGE_SCRIPTS, "thumbnails.js", "grid.js", "gallery.js")
GALLERY_STYLES = (*STAGE_STYLES, "grid.css")
MAX_MEGABYTES = 256  # of one H.264 copy; the browser holds it whole
SHEET = {"num_frames": 5, "size": (72, 96)}  # of a thumbnail, which shows these frames as the pointer moves over it
METADATA = ("name", "class_name", "group", "clip", "subset", "frames", "fps", "width", "height")


class ClipWidget(NotebookWidget):
    """A widget over a table of videos, as `list_videos` gives it, with {model: {name of a video: Timeline}}."""

    def __init__(self, videos, *, timelines=None, **traits):
        self.videos, self.timelines = videos.reset_index(drop=True), timelines or {}
        super().__init__(**traits)

    def locate(self, row) -> Path:
        """Find the file of a row; one that is not there, or lies outside of the table's folder, is a ValueError."""
        if type(row) is not int or not 0 <= row < len(self.videos):
            raise ValueError(f"Expected a row in 0..{len(self.videos) - 1}. Received: {row!r}.")
        path, folder = Path(self.videos["path"].iloc[row]).resolve(), self.videos.attrs.get("folder")  # links followed
        if folder and not path.is_relative_to(Path(folder).resolve()):
            raise ValueError(f"Expected a file in {folder}. Received: {path}. List that folder's videos instead.")
        return path

    def describe(self, row) -> dict:
        """Put the metadata of a row and the models' verdicts on it into plain values that a browser takes."""
        record = self.videos.iloc[row]
        plain = {key: to_plain(record.get(key)) for key in METADATA}
        name = plain["name"] or str(record["path"])
        return {**plain, "row": row, "name": name, "file": Path(name).name, "verdicts": self.list_verdicts(row, name)}

    def list_verdicts(self, row, name) -> list[dict]:
        """List what each model with a timeline of a video says about it, see `make_verdict`."""
        fps, true_name = (to_plain(self.videos.iloc[row].get(key)) for key in ("fps", "class_name"))
        found = {model: timelines[name] for model, timelines in self.timelines.items() if name in timelines}
        return [make_verdict(model, each, each.classes, fps=fps, true_name=true_name) for model, each in found.items()]

    def handle_clip(self, content):
        """Reply with a clip's metadata and the bytes of its H.264 copy."""
        copy = browser_copy(self.locate(content.get("row")))
        if (size := copy.stat().st_size >> 20) > MAX_MEGABYTES:
            raise VideoError(f"Expected at most {MAX_MEGABYTES} MB to play. Received: {size} MB. Cut the video.")
        return {"clip": {**self.describe(content["row"]), **probe_video(copy)._asdict()}}, [copy.read_bytes()]

    def handle_thumbnail(self, content):
        """Reply with a small contact sheet of a video."""
        path = self.locate(content.get("row"))
        sheet = read_sheet(path, int(self.videos["frames"].iloc[content["row"]]), **SHEET)
        return {"frames": SHEET["num_frames"]}, [encode(sheet, "JPEG", quality=80)]

    def __repr__(self):
        return f"{type(self).__name__}: {len(self.videos):,} videos"

    def close(self):
        """Close the view and let go of everything it held."""
        super().close()
        self.timelines, self.videos = {}, ()  # no pandas: Python may be at its end
