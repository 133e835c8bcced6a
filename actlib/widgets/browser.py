"""ClipBrowser: the whole data set with filters, search and thumbnails, and the chosen clip in the player."""

import numpy as np
import traitlets

from actlib.plots import show_frames
from actlib.video import read_clip
from actlib.widgets.clips import GALLERY_SCRIPTS, GALLERY_STYLES, ClipWidget
from actlib.widgets.notebook import join_files, to_plain
from actlib.widgets.stills import join_figures
from actlib.widgets.timelines import name_models

FILTERS = {"search", "class_name", "group", "subset", "shortest", "longest"}
NUM_CARDS = 12  # videos in the still picture


class ClipBrowser(ClipWidget):
    """Shows a table of videos, however long; thumbnails are made for those on screen, and a click plays one.

    Args:
        videos: DataFrame as `list_videos` or `assign_subsets` gives it.
        timelines: {name: Timeline}, or {model: {name: Timeline}}; shown beside the chosen clip.
        traits: `selected` (a video's name) and `filters` (dict, keys of FILTERS, lengths in s).

    Example:
        >>> import pandas as pd
        >>> videos = pd.DataFrame({"path": ["/data/a.avi"], "name": ["a.avi"], "frames": [50], "fps": [25.0]})
        >>> browser = ClipBrowser(videos, filters={"search": "a"})
        >>> browser
        ClipBrowser: 1 videos
        >>> browser.close()
    """

    _esm = join_files(*GALLERY_SCRIPTS, "browser.js")
    _css = join_files(*GALLERY_STYLES, "browser.css")

    selected = traitlets.Unicode("").tag(sync=True)
    filters = traitlets.Dict().tag(sync=True)

    def __init__(self, videos, *, timelines=None, **traits):
        super().__init__(videos, timelines=name_models(timelines), **traits)

    @traitlets.validate("filters")
    def _validate_filters(self, proposal):
        unknown = set(proposal["value"]) - FILTERS
        if unknown:
            raise traitlets.TraitError(f"Expected filters among {sorted(FILTERS)}. Received: {sorted(unknown)}.")
        return proposal["value"]

    @property
    def row(self):
        """The row of the chosen video, or None."""
        found = self.videos[self.videos["name"] == self.selected]
        return found.iloc[0] if len(found) else None

    def handle_table(self, _content):
        """Reply with what the filters and the cards need of every row, one list a column; class names come once."""
        videos = self.videos
        names = videos.get("class_name", videos["name"].str.rpartition("/")[0]).astype(str)
        classes, index = np.unique(names.to_numpy(str), return_inverse=True)
        table = {"classes": classes.tolist(), "class_index": index.tolist(), "name": videos["name"].tolist()}
        for column in ("group", "clip", "subset"):
            values = videos[column].tolist() if column in videos else [None] * len(videos)
            table[column] = [to_plain(value) for value in values]
        return {"table": {**table, "seconds": (videos["frames"] / videos["fps"]).round(2).tolist()}}, []

    def draw_still(self):
        """Draw a contact sheet of videos from all over the table; returns a PIL image."""
        rows = np.linspace(0, len(self.videos) - 1, min(NUM_CARDS, len(self.videos))).astype(int).tolist()
        if not rows:
            return super().draw_still()
        paths, chosen = [self.locate(row) for row in rows], self.videos.iloc[rows]
        middles = (chosen["frames"] // 2).astype(int)
        frames = [read_clip(path, [at], size=(120, 160))[0] for path, at in zip(paths, middles, strict=True)]
        names = chosen["class_name" if "class_name" in chosen else "name"].astype(str).tolist()
        return join_figures([show_frames(np.stack(frames), titles=names, columns=6, title=repr(self))])
