"""From scores and labels to an honest answer: accuracies with intervals, paired tests, and the baseline to beat.

accuracy    scores of steps -> answers of clips and videos; the interval from a bootstrap over groups
results     what one evaluation found, as numbers, tables and JSON
judging     evaluate: scores and labels -> Results
comparing   two models on the same videos; several in one table; the control with shuffled frames
baseline    logistic regression on averaged features
calibration probabilities that can be believed, and "none of these"
neighbours  which clips are alike to a model
"""

from actlib.evaluation.accuracy import Accuracy, bootstrap_groups, pool_clips, pool_videos, softmax
from actlib.evaluation.baseline import average_positions, logistic_baseline
from actlib.evaluation.calibration import (
    NONE_OF_THESE,
    Calibration,
    calibrate,
    choose_threshold,
    expected_calibration_error,
    fit_temperature,
    reliability_table,
    temper,
)
from actlib.evaluation.comparing import PairedTest, compare, mcnemar, shuffle_control
from actlib.evaluation.judging import evaluate
from actlib.evaluation.neighbours import describe_clips, find_neighbours, map_clips, neighbour_accuracy
from actlib.evaluation.results import LEVELS, Results, tabulate_predictions

__all__ = [
    "LEVELS",
    "NONE_OF_THESE",
    "Accuracy",
    "Calibration",
    "PairedTest",
    "Results",
    "average_positions",
    "bootstrap_groups",
    "calibrate",
    "choose_threshold",
    "compare",
    "describe_clips",
    "evaluate",
    "expected_calibration_error",
    "find_neighbours",
    "fit_temperature",
    "logistic_baseline",
    "map_clips",
    "mcnemar",
    "neighbour_accuracy",
    "pool_clips",
    "pool_videos",
    "reliability_table",
    "shuffle_control",
    "softmax",
    "tabulate_predictions",
    "temper",
]
