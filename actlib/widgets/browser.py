"""ClipBrowser: the whole data set with filters, search and thumbnails, and the chosen clip in the player."""

import numpy as np
import pandas as pd
import traitlets

from actlib.plots import show_frames
from actlib.video import read_clip
from actlib.widgets.clips import GALLERY_SCRIPTS, GALLERY_STYLES, ClipWidget
from actlib.widgets.notebook import join_files, to_plain
from actlib.widgets.stills import open_figure, stack
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
        >>> videos = pd.DataFrame({"path": ["/data/Run/a.avi"], "name": ["Run/a.avi"], "class_name": ["Run"]})
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
        if unknown := set(proposal["value"]) - FILTERS:
            raise traitlets.TraitError(f"Expected filters among {sorted(FILTERS)}. Received: {sorted(unknown)}.")
        return proposal["value"]

    @property
    def row(self):
        """The row of the chosen video, or None."""
        found = self.videos[self.videos["name"] == self.selected]
        return found.iloc[0] if len(found) else None

    def handle_table(self, _content):
        """Reply with what the filters and the cards need of every row, one list a column; class names come once."""
        videos = self.videos.assign(seconds=(self.videos["frames"] / self.videos["fps"]).round(2))
        videos = videos.reindex(columns=["name", "class_name", "group", "clip", "subset", "seconds"])  # NaN: unknown
        index, classes = pd.factorize(videos.pop("class_name"), sort=True)
        columns = {column: [to_plain(value) for value in videos[column].tolist()] for column in videos}
        return {"table": {**columns, "classes": classes.tolist(), "class_index": index.tolist()}}, []

    def draw_still(self):
        """Draw a contact sheet of videos from all over the table; returns a PIL image."""
        rows = np.linspace(0, len(self.videos) - 1, min(NUM_CARDS, len(self.videos))).astype(int).tolist()
        if not rows:
            return super().draw_still()
        paths, chosen = [self.locate(row) for row in rows], self.videos.iloc[rows]
        middles = (chosen["frames"] // 2).astype(int)
        frames = [read_clip(path, [at], size=(120, 160))[0] for path, at in zip(paths, middles, strict=True)]
        titles = chosen["class_name"].tolist()
        return stack([open_figure(show_frames(np.stack(frames), titles=titles, columns=6, title=repr(self)))])
