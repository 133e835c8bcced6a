"""Measure presets on an official split, with several seeds, shuffled frames and the trivial baseline: README's tables.

    python benchmarks/presets.py --data /path/to/UCF-101 --framework torch --presets study_frames study_lrcn

Runs stay under runs/presets/; one that is there already is only read, so `--presets` without names prints the table of
all that was measured. Without --data it takes ACTLIB_DATA, else the sample set. Seconds are those of training, after
features were stored. Needs ImageNet's weights for all but the slim presets and study_scratch.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from actlib import evaluation, sample, specs
from actlib.experiment import (
    BACKENDS,
    Experiment,
    cache_features,
    default_preset,
    evaluate_checkpoint,
    find_weights,
    load_backend,
    prepare_table,
    train_experiment,
    write_results,
)

STARTS = {
    "study_lrcn": "study_frames",
    "slim_lrcn": "slim_frames",
    "vgg16_lrcn": "vgg16_frames",
}  # presets that start from another's checkpoint
SHUFFLED = "results_shuffled.json"


def run_preset(data, name, *, framework, seed, out):
    """Train and measure one preset with one seed.

    Args:
        data: The data folder.
        name: The preset's name.
        framework: "torch" or "keras".
        seed: Of the training.
        out: Folder for all runs.
    """
    run = out / f"{framework}_{name}_{seed}"
    if not (run / SHUFFLED).exists():
        default = "none" if name.startswith("slim") or name == "study_scratch" else "imagenet"
        weights = str(out / f"{framework}_{STARTS[name]}_{seed}") if name in STARTS else default
        experiment = Experiment(data, specs.PRESETS[name], framework=framework, weights=weights, seed=seed)
        model, history = train_experiment(experiment, run)
        trained = {"train_seconds": sum(history["seconds"]), "num_parameters": count(model, framework)}
        for shuffled, file in ((False, "results.json"), (True, SHUFFLED)):
            results, facts = evaluate_checkpoint(run, data, shuffle_frames=shuffled)
            write_results(run, results, facts | trained, name=file)


def count(model, framework):
    """Count a model's parameters.

    Args:
        model: A twin's model.
        framework: "torch" or "keras".

    Returns:
        How many there are in all.
    """
    return int(load_backend(framework).training.count_parameters(model)[1])


def measure_baseline(data, *, framework):
    """Measure logistic regression on the spatially averaged ImageNet VGG-16 features of single frames.

    Args:
        data: The data folder.
        framework: The twin that convolves.

    Returns:
        ``evaluation.Results``.
    """
    preset = specs.PRESETS["vgg16_frames"]
    experiment = Experiment(data, preset, framework=framework)
    table = prepare_table(experiment)
    build = load_backend(framework).training.build_model
    model = build(preset.model, len(table.attrs["classes"]), weights=find_weights(experiment.weights))
    parts = [table[table.subset != "test"], table[table.subset == "test"].reset_index(drop=True)]
    train, test = (
        np.stack(
            [
                evaluation.global_average_pool(np.asarray(row, np.float32), preset.model.vgg.feature_shape)
                for row in cache
            ]
        )
        for cache in (cache_features(part, model, experiment).fill() for part in parts)
    )
    num_classes = len(table.attrs["classes"])
    logits = evaluation.logistic_baseline(train, parts[0].label.to_numpy(), test=test, num_classes=num_classes)
    places = np.arange(len(parts[1]))
    return evaluation.evaluate(logits, places, parts[1], readout="steps", classes=table.attrs["classes"])


def summarise(folders, num_parameters):
    """Put the seeds of one preset into a row: the mean over seeds and, with several, the lowest and the highest.

    Args:
        folders: The run of each seed.
        num_parameters: What the model has.

    Returns:
        A dict.
    """
    records, shuffled = (
        [json.loads((folder / file).read_text()) for folder in folders] for file in ("results.json", SHUFFLED)
    )
    row = {f"{level}s": spread(records, level) for level in ("frame", "clip", "video")}
    first = records[0]["video_accuracy"]
    row["interval, first seed"] = f"{100 * first['low']:.1f}–{100 * first['high']:.1f}"
    row["videos, shuffled"] = spread(shuffled, "video")
    row["parameters"] = f"{num_parameters:,}"
    row["seconds"] = f"{np.mean([record['train_seconds'] for record in records]):.0f}"
    return row


def spread(records, level):
    """Write the accuracies of several seeds in percent.

    Args:
        records: results.json of each seed.
        level: "frame", "clip" or "video".

    Returns:
        "94.0 (91.7–95.2)", or one number for one seed.
    """
    values = [100 * record[f"{level}_accuracy"]["value"] for record in records]
    return f"{np.mean(values):.1f}" + (f" ({min(values):.1f}–{max(values):.1f})" if len(values) > 1 else "")


def report(out):
    """Write all that was measured on one data set as a table.

    Args:
        out: Folder of the runs.

    Returns:
        Markdown: a row for each preset and framework.
    """
    rows = []
    for name in specs.PRESETS:
        for framework, title in (("torch", "PyTorch"), ("keras", "Keras")):
            folders = sorted(out.glob(f"{framework}_{name}_[0-9]*"))
            folders = [folder for folder in folders if (folder / SHUFFLED).exists()]
            if folders:
                record = json.loads((folders[0] / "results.json").read_text())
                found = summarise(folders, record["num_parameters"])
                rows.append({"preset": f"`{name}`", "": title, "seeds": len(folders)} | found)
    if not rows:
        return "Nothing was measured yet."
    lines = [list(rows[0]), ["---"] * len(rows[0]), *(map(str, row.values()) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main():
    """Measure what the command line asks for and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--framework", default="torch", choices=BACKENDS)
    parser.add_argument("--presets", nargs="*")
    parser.add_argument("--seeds", nargs="*", type=int, default=[0, 1, 2])
    parser.add_argument("--out", type=Path, default=Path("runs/presets"))
    parser.add_argument("--baseline", action="store_true", help="also measure logistic regression")
    options = parser.parse_args()
    data = options.data or sample.data_folder()
    out = options.out / ("sample" if sample.is_sample(data) else data.name)
    default = [default_preset(model, data).name for model in ("frames", "lrcn")]
    for name in default if options.presets is None else options.presets:
        for seed in options.seeds:
            run_preset(data, name, framework=options.framework, seed=seed, out=out)
    print(report(out), flush=True)
    if options.baseline:
        baseline = measure_baseline(data, framework=options.framework)
        print(f"\nLogistic regression on averaged features, single frames:\n{baseline}")


if __name__ == "__main__":
    main()
