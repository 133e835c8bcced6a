"""Measure presets on an official split: three seeds, with the trivial baseline and shuffled frames.

    python benchmarks/real_clips.py --data /path/to/UCF-101 --framework torch --presets study_frames study_lrcn

Runs and results stay under runs/real/; the table goes to runs/real/table.csv and to the screen. Without --data it
takes ACTLIB_DATA, else the sample set. A run that is there already is only read.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import pandas as pd

from actlib import evaluation, experiments, specs, synthetic

STARTS = {
    "study_lrcn": "study_frames",
    "slim_lrcn": "slim_frames",
    "vgg16_lrcn": "vgg16_frames",
}  # presets that start from another's checkpoint


def run_preset(data, name, *, framework, seed, out):
    """Train and measure one preset with one seed.

    Args:
        data: The data folder.
        name: The preset's name.
        framework: "torch" or "keras".
        seed: Of the training.
        out: Folder for all runs.

    Returns:
        The records of results.json, with frames in order and shuffled.
    """
    run = out / f"{framework}_{name}_{seed}"
    if not (run / "results_shuffled.json").exists():
        default = "none" if name.startswith("slim") or name == "study_scratch" else "imagenet"
        weights = str(out / f"{framework}_{STARTS[name]}_{seed}") if name in STARTS else default
        experiment = experiments.Experiment(data, specs.PRESETS[name], framework=framework, weights=weights, seed=seed)
        model, history = experiments.train_experiment(experiment, run)
        trained = {"train_seconds": sum(history["seconds"]), "num_parameters": count(model, framework)}
        for shuffled, file in ((False, "results.json"), (True, "results_shuffled.json")):
            results, facts = experiments.evaluate_checkpoint(run, data, shuffle_frames=shuffled)
            experiments.write_results(run, results, facts | trained, name=file)
    return [json.loads((run / file).read_text()) for file in ("results.json", "results_shuffled.json")]


def count(model, framework):
    """Count a model's parameters.

    Args:
        model: A twin's model.
        framework: "torch" or "keras".

    Returns:
        How many there are in all.
    """
    return int(experiments.load_twin(framework).training.count_parameters(model)[1])


def measure_baseline(data, *, framework):
    """Measure logistic regression on the spatially averaged features of single frames.

    Args:
        data: The data folder.
        framework: The twin that convolves.

    Returns:
        ``evaluation.Results``.
    """
    preset = experiments.default_preset("frames", data)
    training = specs.TrainSpec(frozen=("convolutions",))
    preset = specs.Preset(preset.name, preset.model, training, preset.num_frames, preset.clip_frames, preset.about)
    weights = experiments.default_weights(data)
    experiment = experiments.Experiment(data, preset, framework=framework, weights=weights)
    table = experiments.prepare_experiment(experiment)
    build = experiments.load_twin(framework).training.build_model
    model = build(preset.model, len(table.attrs["classes"]), weights=experiments.find_weights(weights))
    parts = [table[table.part != "test"], table[table.part == "test"].reset_index(drop=True)]
    train, test = (
        np.stack(
            [evaluation.average_positions(np.asarray(row, np.float32), preset.model.vgg.feature_shape) for row in store]
        )
        for store in (experiments.open_store(part, model, experiment).fill() for part in parts)
    )
    num_classes = len(table.attrs["classes"])
    scores = evaluation.logistic_baseline(train, parts[0].label.to_numpy(), test=test, num_classes=num_classes)
    places = np.arange(len(parts[1]))
    return evaluation.evaluate(scores, places, parts[1], readout="steps", classes=table.attrs["classes"])


def summarise(records, shuffled):
    """Put the seeds of one preset into a row: the mean over seeds, their spread, and the first seed's interval.

    Args:
        records: results.json of each seed.
        shuffled: The same with shuffled frames.

    Returns:
        A dict.
    """
    row = {"seeds": len(records)}
    for level in ("frame", "clip", "video"):
        values = [record[f"{level}_accuracy"]["value"] for record in records]
        row[level] = f"{np.mean(values):.1%} ({min(values):.1%}–{max(values):.1%})"
    first = records[0]["video_accuracy"]
    row["video, 95 % interval of seed 0"] = f"{first['low']:.1%}–{first['high']:.1%}"
    row["video, frames shuffled"] = f"{np.mean([record['video_accuracy']['value'] for record in shuffled]):.1%}"
    row["parameters"] = f"{records[0]['num_parameters']:,}"
    row["seconds to train"] = round(float(np.mean([record["train_seconds"] for record in records])))
    return row


def main():
    """Run what the command line asks for and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--framework", default="torch")
    parser.add_argument("--presets", nargs="*")
    parser.add_argument("--seeds", nargs="*", type=int, default=[0, 1, 2])
    parser.add_argument("--out", type=Path, default=Path("runs/real"))
    options = parser.parse_args()
    data = options.data or synthetic.data_folder()
    out = options.out / ("sample" if synthetic.is_sample(data) else data.name)
    default = [experiments.default_preset(model, data).name for model in ("frames", "lrcn")]
    rows = {}
    for name in options.presets or default:
        choices = {"framework": options.framework, "out": out}
        pairs = [run_preset(data, name, seed=seed, **choices) for seed in options.seeds]
        rows[f"{options.framework} {name}"] = summarise(*zip(*pairs, strict=True))
        print(pd.DataFrame(rows).T.to_string(), flush=True)
    pd.DataFrame(rows).T.to_csv(out / f"table_{options.framework}.csv")
    baseline = measure_baseline(data, framework=options.framework)
    print(f"\nLogistic regression on averaged features, single frames:\n{baseline}")


if __name__ == "__main__":
    main()
