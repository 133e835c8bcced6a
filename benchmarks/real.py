"""Draw what docs/real.md shows of real clips, without a frame of them: mistakes, controls, curves, calibration.

    python benchmarks/real.py --data /path/to/folder      # the folder that holds UCF-101/; else ACTLIB_DATA

Both presets for real clips are trained on the three official splits, one seed each. UCF-101's three test lists share no
video, so the predictions on them are put together, each by a model that has not seen the video's group. Runs stay under
runs/real/ and are only read when they are there. Needs ImageNet's weights.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import pandas as pd

from actlib import evaluation, paths, plots, specs
from actlib.experiment import Experiment, evaluate_checkpoint, run_training

SPLITS, MODELS = (1, 2, 3), {"frame average": "vgg16_frames", "LRCN": "vgg16_lrcn"}
CONTROLS = {"shuffled": "shuffled", "reversed": "reversed", "first frame only": "first", "first and last": "first_last"}


def train_models(data, out):
    """Train what is not there yet: (model, split) -> run."""
    runs = {}
    for split in SPLITS:
        weights = "imagenet"  # LRCN starts from the frame classifier
        for model, preset in MODELS.items():
            runs[model, split] = run = out / f"{preset}_{split}"
            if not (run / "best.safetensors").exists():
                run_training(Experiment(data, specs.PRESETS[preset], split=split, weights=weights), run)
            weights = str(run)
    return runs


def pool_splits(runs, model, data, control=None):
    """Put a model's test predictions on all splits together: results."""
    tables, found = [], []
    for split in SPLITS:
        results, _ = evaluate_checkpoint(runs[model, split], data, control=control)
        tables.append(results.predictions[["name", "label", "group", "class_name"]])
        found.append(results.probabilities)
    table, probabilities = pd.concat(tables, ignore_index=True), np.concatenate(found)  # (V, K)
    if table["name"].duplicated().any():
        raise ValueError("Expected each video to be tested once. Received: one in two splits. Use UCF-101's own lists.")
    logits = np.log(np.maximum(probabilities, 1e-12))[:, None]  # (V, 1, K): their softmax is the probabilities again
    return evaluation.evaluate(logits, np.arange(len(table)), table, readout="steps", classes=results.classes)


def draw(runs, data):
    """Draw all pictures: name -> figure."""
    models = {model: pool_splits(runs, model, data) for model in MODELS}
    controls = {f"LRCN, {name}": pool_splits(runs, "LRCN", data, control) for name, control in CONTROLS.items()}
    for name, results in (models | controls).items():
        print(f"{name:24} {results.video.value:.1%} ({results.video.low:.1%} to {results.video.high:.1%})")
    labels = models["LRCN"].predictions.label.to_numpy()
    tables = {name: evaluation.reliability_table(each.probabilities, labels) for name, each in models.items()}
    history = json.loads((runs["LRCN", 1] / "history.json").read_text())
    print(evaluation.paired_test(models["LRCN"], models["frame average"]))
    print(models["LRCN"].most_confused(5).to_string(index=False))
    return {
        "confusion": plots.plot_confusion(models["LRCN"]),
        "classes": plots.plot_per_class(models),
        "controls": plots.plot_comparison(models | controls),
        "reliability": plots.plot_reliability(tables),
        "history": plots.plot_history(history, title="LRCN on split 1"),
    }


def main():
    """Train, measure and draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--runs", type=Path, default=Path("runs/real"))
    parser.add_argument("--out", type=Path, default=Path("docs"))
    options = parser.parse_args()
    data = options.data or paths.data_folder_setting()
    if data is None:
        print("Real clips are needed: name their folder with --data or in ACTLIB_DATA.")
        return
    for name, figure in draw(train_models(data, options.runs), data).items():
        (options.out / f"real_{name}.png").write_bytes(figure.encode())


if __name__ == "__main__":
    main()
