"""ClipBrowser: the whole data set with filters, search and thumbnails, and the chosen clip in the player."""

import numpy as np
import pandas as pd
import traitlets

from actlib.widgets.clips import GALLERY_SCRIPTS, GALLERY_STYLES, ClipWidget
from actlib.widgets.notebook import join_files, to_plain

FILTERS = ("search", "class_name", "group", "subset", "shortest", "longest")
NUM_CARDS = 12  # videos in the still picture


class ClipBrowser(ClipWidget):
    """Shows a table of videos, however long; thumbnails are made for those on screen, and a click plays one.

    Args:
        videos: DataFrame as `list_videos` or `assign_subsets` gives it.
        timelines: {name: Timeline}, or {model: {name: Timeline}}; shown beside the chosen clip.
        traits: `selected` (a video's name) and `filters` (dict, keys of FILTERS, lengths in s).
    """

    _esm = join_files(*GALLERY_SCRIPTS, "browser.js")
    _css = join_files(*GALLERY_STYLES, "browser.css")

    selected = traitlets.Unicode("").tag(sync=True)
    filters = traitlets.Dict(key_trait=traitlets.Enum(FILTERS)).tag(sync=True)

    def handle_table(self, _content):
        """Reply with what the filters and the cards need of every row, one list a column; class names come once."""
        index, classes = pd.factorize(self.videos["class_name"], sort=True)
        videos = self.videos.assign(seconds=(self.videos["frames"] / self.videos["fps"]).round(2))
        videos = videos.reindex(columns=["name", "group", "clip", "subset", "seconds"])  # NaN: unknown
        columns = {column: [*map(to_plain, videos[column])] for column in videos}
        return {"table": {**columns, "classes": classes.tolist(), "class_index": index.tolist()}}, []

    def draw_still(self):
        """Draw a contact sheet of videos from all over the table."""
        rows = np.linspace(0, len(self.videos) - 1, min(NUM_CARDS, len(self.videos))).astype(int).tolist()
        return self.draw_sheet(rows, self.videos["class_name"].iloc[rows].tolist()) if rows else super().draw_still()
