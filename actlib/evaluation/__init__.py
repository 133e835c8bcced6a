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
from actlib.evaluation.comparing import PairedTest, compare, mcnemar, shuffle_control
from actlib.evaluation.judging import evaluate
from actlib.evaluation.results import LEVELS, Results, tabulate_predictions

__all__ = [
    "LEVELS",
    "Accuracy",
    "PairedTest",
    "Results",
    "average_positions",
    "bootstrap_groups",
    "compare",
    "evaluate",
    "logistic_baseline",
    "mcnemar",
    "pool_clips",
    "pool_videos",
    "shuffle_control",
    "softmax",
    "tabulate_predictions",
]
