"""A training run, as far as both frameworks share it; neither is needed here.

initial     the weights it starts from
rules       which epoch is best, what changes, what is drawn anew
progress    what is seen of it: a bar with the time left, curves in TensorBoard
folder      what it leaves behind, and what a killed one needs to go on
facts       what it notes about the machine and its batches
"""

from actlib.runs.facts import describe_batches, first_batch, has_fast_bf16, versions
from actlib.runs.folder import COLUMNS, Run
from actlib.runs.initial import init_weights
from actlib.runs.progress import CurvesLog, ProgressBar
from actlib.runs.rules import balance_classes, best_epoch, epoch_seed, epochs_since_best, trainable_weights
