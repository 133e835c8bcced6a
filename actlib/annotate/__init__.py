"""Films that show what a model predicts while they play.

panel    what is drawn under each frame: label and sign, bars, timeline
films    a video and a model -> an annotated MP4 or GIF; several clips joined
"""

from actlib.annotate.films import Annotated, annotate_video, fit_frame, join_videos
from actlib.annotate.panel import Panel
