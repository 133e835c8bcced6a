"""From a folder of videos to a checkpoint and an honest result: what the lessons and the command line share.

An experiment is a record of choices; ``train_experiment`` and ``evaluate_checkpoint`` carry it out in either framework.

settings    the record of choices, and what it defaults to
preparing   its videos, what is stored of them, their batches
running     training and measuring
records     what is written down: cards and results.json
predictor   a checkpoint that answers for videos
"""

from actlib.experiments.predictor import Predictor, load_predictor
from actlib.experiments.preparing import (
    TWINS,
    load_twin,
    make_batches,
    open_frames,
    open_store,
    prepare_experiment,
    prepare_videos,
)
from actlib.experiments.records import describe_run, make_card, read_experiment, write_results
from actlib.experiments.running import (
    evaluate_checkpoint,
    evaluate_model,
    find_checkpoint,
    frozen_experiment,
    load_model,
    train_experiment,
)
from actlib.experiments.settings import (
    PROTOCOLS,
    Experiment,
    default_preset,
    default_weights,
    find_weights,
    frozen_parts,
    interleave,
    make_rule,
    runs_folder,
)

__all__ = [
    "PROTOCOLS",
    "TWINS",
    "Experiment",
    "Predictor",
    "default_preset",
    "default_weights",
    "describe_run",
    "evaluate_checkpoint",
    "evaluate_model",
    "find_checkpoint",
    "frozen_experiment",
    "find_weights",
    "frozen_parts",
    "interleave",
    "load_model",
    "load_predictor",
    "load_twin",
    "make_batches",
    "make_card",
    "make_rule",
    "open_frames",
    "open_store",
    "prepare_experiment",
    "prepare_videos",
    "read_experiment",
    "runs_folder",
    "train_experiment",
    "write_results",
]
