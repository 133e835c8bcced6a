"""ClipPlayer: plays any video that the library reads, frame by frame if need be, with what a model says in step."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import traitlets

from actlib.video import VideoError, probe_video
from actlib.widgets.serving import ClipWidget, join_files
from actlib.widgets.stills import INK, OTHER, RIGHT, SOFT, WRONG, add_caption, draw_timeline, encode_jpeg, read_sheet

STAGE_SCRIPTS = ("dom.js", "messages.js", "playback.js", "timeline.js", "stage.js")
STAGE_STYLES = ("theme.css", "stage.css")


class ClipPlayer(ClipWidget):
    """Plays one video: space plays, arrows step a frame, Home and End jump, brackets change the speed.

    Args:
        video: a row of `list_videos` (`videos.iloc[3]`), or a path.
        timeline: Timeline, or {model: Timeline} for several, or None.
        traits: `frame`, `playing`, `speed` (0.25..2), `loop`, `size` ("full" or "small") to begin with.

    Example:
        >>> player = ClipPlayer("missing.avi", speed=0.5)
        >>> player
        ClipPlayer: missing.avi (cannot be played)
        >>> player.close()
    """

    _esm = join_files(*STAGE_SCRIPTS, "player.js")
    _css = join_files(*STAGE_STYLES)

    questions = ("clip",)

    frame = traitlets.Int(0, min=0, help="number of the frame on screen, from 0").tag(sync=True)
    playing = traitlets.Bool(False).tag(sync=True)
    speed = traitlets.Float(1.0, min=0.25, max=2.0).tag(sync=True)
    loop = traitlets.Bool(False).tag(sync=True)
    size = traitlets.Enum(("full", "small"), "full").tag(sync=True)
    clip = traitlets.Dict().tag(sync=True)  # facts to show before the video is there
    poster = traitlets.Bytes(b"").tag(sync=True)  # JPEG of the first frame, for the same reason

    def __init__(self, video, *, timeline=None, **traits):
        videos, problem = tabulate_video(video)
        by_model = timeline if isinstance(timeline, dict) else {"": timeline}
        name = videos["name"].iloc[0]
        timelines = {model: {name: each} for model, each in by_model.items() if each is not None}
        super().__init__(videos, timelines=timelines, **traits)
        self.clip = {**self.describe(0), "problem": problem}
        self.poster = b"" if problem else self._draw_poster()

    @traitlets.validate("frame")
    def _keep_frame_inside(self, proposal):
        return min(proposal["value"], max(0, int(self.videos["frames"].max()) - 1)) if len(self.videos) else 0

    def _draw_poster(self):
        height, width = fit_inside(self.videos.iloc[0], width=320)
        try:
            return encode_jpeg(read_sheet(self.locate(0), 1, num_frames=1, size=(height, width)))
        except (VideoError, OSError):
            return b""

    def draw_still(self):
        """Draw six frames with the facts, and the timelines if there are any.

        Returns:
            PIL image.

        Raises:
            VideoError: the video cannot be decoded.
        """
        clip = self.clip
        if clip["problem"]:
            return add_caption(None, [(clip["file"], INK), (clip["problem"], WRONG)], width=960)
        height, width = fit_inside(self.videos.iloc[0], width=160)
        picture = read_sheet(self.locate(0), clip["frames"], size=(height, width))
        drawn = [draw_model(model, clip["frames"], width=picture.shape[1]) for model in clip["models"]]
        picture = np.concatenate([picture, *drawn]) if drawn else picture
        facts = [clip["class_name"], f"{clip['frames']} frames", f"{clip['fps']:g} fps", clip["file"]]
        lines = [(" · ".join(fact for fact in facts if fact), INK)]
        return add_caption(picture, lines + [describe_verdict(model) for model in clip["models"]])

    def __repr__(self):
        clip = self.clip
        told = "cannot be played" if clip.get("problem") else f"{clip.get('frames')} frames"
        return f"ClipPlayer: {clip.get('file')} ({told})"


def tabulate_video(video):
    """Make a table of one video from whatever names it.

    Args:
        video: a row of `list_videos`, a dict like it, or a path.

    Returns:
        DataFrame of one row, and the reason why the video cannot be played, or None.

    Example:
        >>> tabulate_video("missing.avi")[0]["name"].iloc[0]
        'missing.avi'
    """
    row = {"path": str(video)} if isinstance(video, str | os.PathLike) else dict(video)
    path, problem = Path(row["path"]), None
    try:
        row = {**probe_video(path)._asdict(), **row}
    except (VideoError, OSError) as error:
        row, problem = {**row, "frames": 1, "fps": 25.0, "width": 4, "height": 3}, str(error)
    return pd.DataFrame([{"name": path.name, "path": str(path), **row}]), problem


def fit_inside(video, *, width):
    """Find the height and width at which a video is drawn.

    Args:
        video: row with `width` and `height`, in pixels.
        width: pixels wanted.

    Returns:
        (height, width) in pixels.

    Example:
        >>> fit_inside({"width": 320, "height": 240}, width=160)
        (120, 160)
    """
    return max(2, round(width * video["height"] / video["width"])), width


def draw_model(model, num_video_frames, *, width):
    """Draw one model's timeline for the still picture.

    Args:
        model: dict of `judge_clip`.
        num_video_frames: F.
        width: pixels.

    Returns:
        uint8 (H, width, 3); H is 0 for a model without a timeline.
    """
    if not model["frames"]:
        return np.zeros((0, width, 3), np.uint8)
    colours = {"true": RIGHT, "predicted": WRONG, "other": OTHER}
    lines = [(line["values"], colours[line["role"]]) for line in reversed(model["lines"])]
    return draw_timeline(lines, model["frames"], num_video_frames, width=width)


def describe_verdict(model):
    """Say a model's prediction in a line of text, with the sign and colour for right or wrong.

    Args:
        model: dict of `judge_clip`.

    Returns:
        (text, colour).

    Example:
        >>> describe_verdict({"name": "LRCN", "predicted": "Sit", "probability": 0.9, "correct": True})[0]
        'LRCN: ✓ Sit 0.90'
    """
    sign, colour = {True: ("✓ ", RIGHT), False: ("✗ ", WRONG), None: ("", SOFT)}[model["correct"]]
    share = "" if model["probability"] is None else f" {model['probability']:.2f}"
    return f"{model['name'] or 'prediction'}: {sign}{model['predicted']}{share}", colour
