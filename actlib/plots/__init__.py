"""Arrays and tables -> figures in one style; every function gives back a figure that a notebook shows by itself.

style        colors that everybody can tell apart, the font, the figure with its description, rows, sheets of frames
data         videos before any model: contact sheets, classes, lengths, sampling, flow
curves       training, probabilities over a clip, reliability
results      confusion, classes, models against each other, single clips
saliency     filters, Grad-CAM, contributions, LSTM states, maps of clips
"""

from actlib.plots.curves import plot_history, plot_reliability, plot_timeline
from actlib.plots.data import plot_classes, plot_lengths, plot_sampling, show_clips, show_flow, show_frames
from actlib.plots.results import plot_comparison, plot_confusion, plot_per_class, plot_predictions
from actlib.plots.saliency import plot_contributions, plot_projection, plot_states, show_filters, show_grad_cam
from actlib.plots.style import CLASS_COLORS, CORRECT, SIGNS, WRONG, Figure, escape_name, fit_text, load_font, styled
