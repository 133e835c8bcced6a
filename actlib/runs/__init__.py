"""A training run, as far as both frameworks share it; neither is needed here.

initial     the weights it starts from
rules       which epoch is best, what changes, what is drawn anew
progress    what is seen of it: a bar with the time left, curves in TensorBoard
folder      what it leaves behind, and what a killed one needs to go on
facts       what it notes about the machine and its batches
"""

from actlib.runs.facts import describe_batches, first_batch, gains_from_bf16, versions
from actlib.runs.folder import COLUMNS, Run
from actlib.runs.initial import draw_weights
from actlib.runs.progress import CurvesLog, ProgressBar
from actlib.runs.rules import best_epoch, changing_weights, epoch_seed, epochs_since_best, weigh_classes

__all__ = [
    "COLUMNS",
    "CurvesLog",
    "ProgressBar",
    "Run",
    "best_epoch",
    "changing_weights",
    "describe_batches",
    "draw_weights",
    "epoch_seed",
    "epochs_since_best",
    "first_batch",
    "gains_from_bf16",
    "versions",
    "weigh_classes",
]
