"""Arrays and tables -> figures in one style; every function gives back a figure that a notebook shows by itself.

style      colours that everybody can tell apart, and the figure with its description
layout     rows of classes, sheets of frames, headings, legends
data       videos before any model: contact sheets, classes, lengths, sampling
moving     clips that play side by side
curves     training, reliability
results    confusion, classes, models against each other
answers    probabilities over time, most probable classes of single clips
inside     filters, Grad-CAM, contributions, LSTM states, maps of clips
"""

from actlib.pictures.answers import plot_answers, plot_timeline
from actlib.pictures.curves import plot_history, plot_reliability
from actlib.pictures.data import plot_classes, plot_lengths, plot_sampling, show_clips, show_frames
from actlib.pictures.inside import plot_contributions, plot_map, plot_states, show_filters, show_grad_cam
from actlib.pictures.moving import MovingPicture, animate_clips
from actlib.pictures.results import plot_comparison, plot_confusion, plot_per_class
from actlib.pictures.style import COLOURS, RIGHT, STYLE, WRONG, Picture, styled

__all__ = [
    "COLOURS",
    "RIGHT",
    "STYLE",
    "WRONG",
    "MovingPicture",
    "Picture",
    "animate_clips",
    "plot_answers",
    "plot_classes",
    "plot_comparison",
    "plot_confusion",
    "plot_contributions",
    "plot_history",
    "plot_lengths",
    "plot_map",
    "plot_per_class",
    "plot_reliability",
    "plot_sampling",
    "plot_states",
    "plot_timeline",
    "show_clips",
    "show_filters",
    "show_frames",
    "show_grad_cam",
    "styled",
]
