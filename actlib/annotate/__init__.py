"""Films that show what a model says while they play.

panel    what is drawn under each frame: label and sign, bars, timeline
gif      GIFs that keep to a size
films    a video and a model -> an annotated MP4 or GIF; several clips joined
"""

from actlib.annotate.films import Annotated, annotate_video, join_videos
from actlib.annotate.gif import Gif, write_gif
from actlib.annotate.panel import Panel

__all__ = ["Annotated", "Gif", "Panel", "annotate_video", "join_videos", "write_gif"]
