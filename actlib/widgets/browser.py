"""ClipBrowser: the whole data set with filters, search and thumbnails, and the chosen clip in the player."""

import numpy as np
import traitlets
from PIL import Image

from actlib.widgets.player import STAGE_SCRIPTS, STAGE_STYLES
from actlib.widgets.serving import ClipWidget, join_files
from actlib.widgets.stills import INK, add_caption, read_sheet

FILTERS = {"search", "class_name", "group", "subset", "shortest", "longest"}
SHOWN = 12  # videos in the still picture


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

    _esm = join_files(*STAGE_SCRIPTS, "thumbnails.js", "grid.js", "browser.js")
    _css = join_files(*STAGE_STYLES, "grid.css", "browser.css")

    questions = ("clip", "thumbnail", "table")

    selected = traitlets.Unicode("").tag(sync=True)
    filters = traitlets.Dict().tag(sync=True)

    def __init__(self, videos, *, timelines=None, **traits):
        super().__init__(videos, timelines=name_models(timelines), **traits)

    @traitlets.validate("filters")
    def _know_filters(self, proposal):
        unknown = set(proposal["value"]) - FILTERS
        if unknown:
            raise traitlets.TraitError(f"Expected filters among {sorted(FILTERS)}. Received: {sorted(unknown)}.")
        return proposal["value"]

    @property
    def row(self):
        """The row of the chosen video, or None."""
        found = self.videos[self.videos["name"] == self.selected]
        return found.iloc[0] if len(found) else None

    def answer_table(self, _content):
        """Answer with what the filters and the cards need of every row.

        Args:
            _content: the question.

        Returns:
            The answer and no buffers.
        """
        return {"table": list_columns(self.videos)}, []

    def draw_still(self):
        """Draw a contact sheet of videos from all over the table.

        Returns:
            PIL image.

        Raises:
            VideoError: a video cannot be decoded.
        """
        rows = np.unique(np.linspace(0, len(self.videos) - 1, min(SHOWN, len(self.videos))).astype(int)).tolist()
        cards = [self._draw_card(row) for row in rows]
        if not cards:
            return super().draw_still()
        width, height = cards[0].size
        image = Image.new("RGB", (width * min(6, len(cards)), height * -(-len(cards) // 6)), "white")
        for number, card in enumerate(cards):
            image.paste(card, (width * (number % 6), height * (number // 6)))
        return add_caption(np.asarray(image), [(repr(self), INK)])

    def _draw_card(self, row):
        picture = read_sheet(self.locate(row), int(self.videos["frames"].iloc[row]), num_frames=1, size=(96, 128))
        name = self.videos["class_name"].iloc[row] if "class_name" in self.videos else self.videos["name"].iloc[row]
        return add_caption(picture, [(str(name), INK)])


def list_columns(videos):
    """Turn a table into plain columns, class names given once.

    Args:
        videos: DataFrame with `name`, `frames` and `fps`; other columns as they are there.

    Returns:
        dict of lists: classes; class_index, name, group, clip, part, seconds, one entry a row.

    Example:
        >>> import pandas as pd
        >>> list_columns(pd.DataFrame({"name": ["a.avi"], "frames": [50], "fps": [25.0]}))["seconds"]
        [2.0]
    """
    names = videos.get("class_name", videos["name"].str.rpartition("/")[0]).astype(str)
    classes, index = np.unique(names.to_numpy(str), return_inverse=True)
    columns = {column: _plain_column(videos, column) for column in ("group", "clip", "subset")}
    seconds = (videos["frames"] / videos["fps"]).round(2).tolist()
    return {"classes": classes.tolist(), "class_index": index.tolist(), "name": videos["name"].tolist()} | {
        **columns,
        "seconds": seconds,
    }


def name_models(timelines):
    """Put timelines of one model under an empty name, so that one and several look alike.

    Args:
        timelines: {name: Timeline}, {model: {name: Timeline}}, or None.

    Returns:
        {model: {name: Timeline}}.

    Example:
        >>> name_models({"LRCN": {"a.avi": None}})
        {'LRCN': {'a.avi': None}}
    """
    if not timelines:
        return {}
    return timelines if isinstance(next(iter(timelines.values())), dict) else {"": timelines}


def _plain_column(videos, column):
    if column not in videos:
        return [None] * len(videos)
    return [None if value != value else value for value in videos[column].tolist()]
