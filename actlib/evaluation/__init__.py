"""From logits and labels to accuracies with intervals, paired tests, calibration and a baseline.

metrics      softmax; steps pooled into clips, clips into videos
intervals    the 95 % interval of an accuracy: a bootstrap over groups
results      logits and labels -> what one evaluation found, as numbers, tables and JSON
comparison   two models on the same videos; several in one table; controls such as shuffled frames
fusion       two streams, such as frames and optical flow, as one prediction
baseline     logistic regression on averaged features
calibration  temperature scaling, reliability
open_set     "none of these": which videos are unlike every known class
neighbours   which clips lie close to each other in feature space
"""

from actlib.evaluation.baseline import global_average_pool, logistic_baseline
from actlib.evaluation.calibration import apply_temperature, calibration_error, fit_temperature, reliability_table
from actlib.evaluation.comparison import average_splits, compare, compare_controls, format_p, paired_test
from actlib.evaluation.fusion import choose_fusion_weights, fuse, share_weights
from actlib.evaluation.intervals import bootstrap_groups
from actlib.evaluation.metrics import Accuracy, pool_clips, pool_videos, softmax
from actlib.evaluation.neighbours import embed_clips, find_neighbours, neighbour_accuracy, project_clips
from actlib.evaluation.open_set import NONE_OF_THESE, KnownClasses, choose_threshold, explain_rejection, fit_known
from actlib.evaluation.results import LEVELS, Results, evaluate
