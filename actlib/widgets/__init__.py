"""Players and explorers for notebooks: each a Python class with its .js and .css beside it.

ClipPlayer         one video, frame by frame, with what a model predicts in step
ClipBrowser        the whole data set: filters, search, thumbnails
ConfusionExplorer  from a cell of the confusion matrix to the videos in it
ClipLabeller       play, press a key per class: a table of labels
TrainingMonitor    live curves, time left, a Stop button
SamplingExplorer   which frames a sampling rule takes, and what they cost
build_timelines    logits of clips -> what the players show beside a video
"""

from actlib.widgets.browser import ClipBrowser
from actlib.widgets.clips import build_timelines
from actlib.widgets.confusion import ConfusionExplorer
from actlib.widgets.labeller import ClipLabeller
from actlib.widgets.monitor import TrainingMonitor
from actlib.widgets.player import ClipPlayer
from actlib.widgets.sampling import SamplingExplorer
