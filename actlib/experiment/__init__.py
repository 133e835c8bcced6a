"""From a folder of videos to a checkpoint and its results: the steps that lessons and the command line share.

folders      what suits a data folder; its videos as a table
preparing    choices (Experiment) -> frames -> features -> batches
predictor    a checkpoint -> weights to start from, a model, or one that predicts any clips, as well calibrated
running      a model and batches at hand -> a trained model, results; the whole way in one call
"""

from actlib.experiment.folders import choose_preset, choose_weights, prepare_table, prepare_videos, runs_folder
from actlib.experiment.predictor import Predictor, choose_run, load_initial_weights, load_model, read_experiment
from actlib.experiment.preparing import Experiment, cache_features, cache_frames, cache_inputs, make_batches
from actlib.experiment.running import (
    describe_run,
    evaluate_checkpoint,
    evaluate_model,
    run_training,
    train_model,
    write_results,
)
from actlib.specs import BACKENDS
from actlib.training import load_backend
