"""ClipPlayer: plays any video that the library reads, frame by frame if need be, with what a model predicts in step."""

import os
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd
import traitlets

from actlib.plots import SIGNS, plot_timeline, show_frames
from actlib.video import VideoError, probe_video, read_clip, read_flow
from actlib.widgets.clips import STAGE_SCRIPTS, STAGE_STYLES, ClipWidget
from actlib.widgets.notebook import encode, join_files


class ClipPlayer(ClipWidget):
    """Plays one video: space plays, arrows step a frame, Home and End jump, brackets change the speed, V the view.

    Args:
        video: a row of `list_videos` (`videos.iloc[3]`), or a path.
        timeline: Timeline, or {model: Timeline} for several, or None.
        traits: `frame`, `playing`, `speed` (0.25..2), `loop`, `size` ("full" or "small") to begin with, and `view`:
            "frames", their optical "flow", or "both", side by side.

    Example:
        >>> player = ClipPlayer("missing.avi", speed=0.5)
        >>> player
        ClipPlayer: missing.avi (cannot be played)
        >>> player.close()
    """

    _esm = join_files(*STAGE_SCRIPTS, "player.js")
    _css = join_files(*STAGE_STYLES)

    frame = traitlets.Int(0, min=0, help="number of the frame on screen, from 0").tag(sync=True)
    playing = traitlets.Bool(False).tag(sync=True)
    speed = traitlets.Float(1.0, min=0.25, max=2.0).tag(sync=True)
    loop = traitlets.Bool(False).tag(sync=True)
    size = traitlets.Enum(("full", "small"), "full").tag(sync=True)
    view = traitlets.Enum(("frames", "both", "flow"), "frames").tag(sync=True)
    clip = traitlets.Dict().tag(sync=True)  # metadata to show before the video is there
    poster = traitlets.Bytes(b"").tag(sync=True)  # JPEG of the first frame, for the same reason

    def __init__(self, video, *, timeline=None, **traits):
        videos, problem = tabulate_video(video)
        by_model = timeline if isinstance(timeline, dict) else {"": timeline}
        timelines = {model: {videos["name"].iloc[0]: each} for model, each in by_model.items() if each is not None}
        super().__init__(videos, timelines=timelines, **traits)
        self.clip = {**self.describe(0), "problem": problem}
        with suppress(VideoError, OSError):
            self.poster = encode(read_clip(self.locate(0), [0], size=self._fit(320))[0], "JPEG", quality=80)

    @traitlets.validate("frame")
    def _validate_frame(self, proposal):
        return min(proposal["value"], max(0, int(self.videos["frames"].max()) - 1)) if len(self.videos) else 0

    def _fit(self, width):
        """(H, W) of the video at a width in pixels."""
        video = self.videos.iloc[0]
        return max(2, round(width * video["height"] / video["width"])), width

    def draw_still(self):
        """Draw frames, their flow, or both, as the player shows them, with the metadata; and the timelines."""
        clip = self.clip
        words = (clip["class_name"], f"{clip['frames']} frames", f"{clip['fps']:g} fps", clip["file"])
        readers = {"frames": [read_clip], "flow": [read_flow]}.get(self.view, [read_clip, read_flow])
        many = 6 if self._fit(160)[0] <= 160 else 3  # an upright film, with answers below it, needs room to be read
        rows = [self.read_frames(0, many, self._fit(960 // many), read=read) for read in readers]
        figures = [show_frames(np.concatenate(rows), columns=many, title=" · ".join(filter(None, words)))]
        for verdict, timelines in zip(clip["verdicts"], self.timelines.values(), strict=True):
            timeline, title = timelines[clip["name"]], f"{verdict['name'] or 'prediction'}: {verdict['predicted']}"
            label = timeline.classes.index(clip["class_name"]) if clip["class_name"] in timeline.classes else None
            title = f"{title} {verdict['probability']:.2f} {SIGNS.get(verdict['correct'], '')}"
            figures.append(plot_timeline(timeline.probabilities, timeline.classes, label=label, title=title))
        return figures

    def __repr__(self):
        clip = self.clip
        state = "cannot be played" if clip.get("problem") else f"{clip.get('frames')} frames"
        return f"ClipPlayer: {clip.get('file')} ({state})"


def tabulate_video(video):
    """Make a table of one video, a row or a path; return it, and why the video cannot be played, or None."""
    row = {"path": str(video)} if isinstance(video, str | os.PathLike) else dict(video)
    path, problem = Path(row["path"]), None
    try:
        row = {**probe_video(path)._asdict(), **row}
    except (VideoError, OSError) as error:
        row, problem = {**row, "frames": 1, "fps": 25.0, "width": 4, "height": 3}, str(error)
    return pd.DataFrame([{"name": path.name, "path": str(path), **row}]), problem
