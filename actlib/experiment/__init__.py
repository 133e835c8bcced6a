"""From a folder of videos to a checkpoint and an honest result: what the lessons and the command line share.

An experiment is a record of choices; ``train_experiment`` and ``evaluate_checkpoint`` carry it out in either framework.

settings    the record of choices, and what it defaults to
preparing   its videos, what is stored of them, their batches
running     training and measuring
records     what is written down: cards and results.json
predictor   a checkpoint that answers for videos
"""

from actlib.experiment.predictor import Predictor, load_predictor
from actlib.experiment.preparing import (
    BACKENDS,
    cache_features,
    cache_frames,
    load_backend,
    make_batches,
    prepare_table,
    prepare_videos,
)
from actlib.experiment.records import describe_run, make_card, read_experiment, write_results
from actlib.experiment.running import (
    evaluate_checkpoint,
    evaluate_model,
    find_checkpoint,
    frozen_experiment,
    load_model,
    train_experiment,
)
from actlib.experiment.settings import (
    PROTOCOLS,
    Experiment,
    default_preset,
    default_weights,
    find_weights,
    frozen_parts,
    make_rule,
    runs_folder,
    sample_strided,
)
