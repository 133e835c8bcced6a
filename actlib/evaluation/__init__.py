"""From logits and labels to an honest answer: accuracies with intervals, paired tests, and the baseline to beat.

accuracy    logits of steps -> answers of clips and videos; the interval from a bootstrap over groups
results     what one evaluation found, as numbers, tables and JSON
judging     evaluate: logits and labels -> Results
comparing   two models on the same videos; several in one table; the control with shuffled frames
baseline    logistic regression on averaged features
calibration probabilities that can be believed, and "none of these"
neighbours  which clips are alike to a model
"""

from actlib.evaluation.baseline import average_positions, logistic_baseline
from actlib.evaluation.calibration import (
    NONE_OF_THESE,
    Calibration,
    apply_temperature,
    calibrate,
    choose_threshold,
    expected_calibration_error,
    fit_temperature,
    reliability_table,
)
from actlib.evaluation.comparison import PairedTest, compare, mcnemar, shuffle_control
from actlib.evaluation.evaluate import evaluate
from actlib.evaluation.metrics import Accuracy, bootstrap_groups, pool_clips, pool_videos, softmax
from actlib.evaluation.neighbours import embed_clips, find_neighbours, neighbour_accuracy, project_clips
from actlib.evaluation.results import LEVELS, Results, tabulate_predictions
