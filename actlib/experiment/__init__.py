"""From a folder of videos to a checkpoint and its results: the steps that lessons and the command line share.

preparing    choices (Experiment) -> table of videos -> frames -> features -> batches; initial weights
running      a model and batches at hand -> a trained model, results; the whole way in one call
predictor    a checkpoint -> a model that scores any clips
"""

from actlib.experiment.predictor import Predictor, find_checkpoint, load_model, load_predictor
from actlib.experiment.preparing import (
    BACKENDS,
    Experiment,
    cache_features,
    cache_frames,
    cache_inputs,
    choose_preset,
    choose_weights,
    load_backend,
    load_initial_weights,
    make_batches,
    prepare_table,
    prepare_videos,
    runs_folder,
)
from actlib.experiment.running import (
    describe_run,
    evaluate_checkpoint,
    evaluate_model,
    read_experiment,
    run_training,
    train_model,
    write_results,
)
