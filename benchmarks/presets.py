"""Measure presets on an official split, with several seeds, the controls and the trivial baseline: README's tables.

    python benchmarks/presets.py --data /path/to/UCF-101 --framework torch --presets study_frames study_lrcn

Runs stay under runs/presets/; one that is there already is only read, so `--presets` without names prints the table of
all that was measured. Without --data it takes ACTLIB_DATA, else the sample set. Seconds are those of training, after
features were stored. --refit chooses the number of epochs on the validation videos and then learns from them too, as
the baseline then does. --protocol paper draws frames in a row and tests on windows. Needs ImageNet's weights for all
but the slim presets and study_scratch.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from actlib import evaluation, sample, specs
from actlib.experiment import (
    Experiment,
    cache_features,
    cache_frames,
    choose_preset,
    evaluate_checkpoint,
    load_backend,
    load_initial_weights,
    prepare_table,
    run_training,
    write_results,
)

STARTS = {
    "study_lrcn": "study_frames",
    "slim_lrcn": "slim_frames",
    "vgg16_lrcn": "vgg16_frames",
    "paper_lrcn": "paper_frames",
}  # presets that start from another's checkpoint
FILES = {control: f"results_{control}.json" if control else "results.json" for control in (None, *specs.CONTROLS)}


def run_preset(data, name, *, seed, out, **choices):
    """Train and evaluate one preset with one seed, in a folder of `out`; what is there already is left."""
    framework = choices["framework"]
    run = out / f"{framework}_{name}_{seed}"
    if all((run / file).exists() for file in FILES.values()):
        return
    default = "none" if name.startswith("slim") or name == "study_scratch" else "imagenet"
    weights = str(out / f"{framework}_{STARTS[name]}_{seed}") if name in STARTS else default
    experiment = Experiment(data, specs.PRESETS[name], weights=weights, seed=seed, **choices)
    model, history = run_training(experiment, run)
    num_parameters = int(load_backend(framework).training.count_parameters(model)[1])
    trained = {"train_seconds": sum(history["seconds"]), "num_parameters": num_parameters}
    for control in FILES:
        results, metadata = evaluate_checkpoint(run, data, control=control)
        write_results(run, results, metadata | trained)


def measure_baseline(data, *, refit, **choices):
    """Evaluate logistic regression on the features that `vgg16_frames` reads; it learns from the same videos."""
    preset = specs.PRESETS["vgg16_frames"]
    experiment = Experiment(data, preset, refit=refit, **choices)
    table = prepare_table(experiment)
    build = load_backend(experiment.framework).training.build_model
    model = build(preset.model, len(table.attrs["classes"]), weights=load_initial_weights(experiment.weights))
    parts = [
        table[table.subset.isin(["train", "validation"][: 1 + refit])],
        table[table.subset == "test"].reset_index(drop=True),
    ]
    train, test = (
        np.stack(
            [
                evaluation.global_average_pool(np.asarray(row, np.float32), preset.model.vgg.feature_shape)
                for row in cache
            ]
        )
        for cache in (cache_features(cache_frames(part, experiment), model).fill() for part in parts)
    )
    num_classes = len(table.attrs["classes"])
    logits = evaluation.logistic_baseline(train, parts[0].label.to_numpy(), test=test, num_classes=num_classes)
    places = np.arange(len(parts[1]))
    return evaluation.evaluate(logits, places, parts[1], readout="steps", classes=table.attrs["classes"])


def summarize(folders, num_parameters):
    """Put the runs of one preset, one a seed, into a row: the mean and, with several, the lowest and the highest."""
    found = {
        control: [json.loads((folder / file).read_text()) for folder in folders] for control, file in FILES.items()
    }
    records = found.pop(None)
    row = {f"{level}s": spread(records, level) for level in ("frame", "clip", "video")}
    first = records[0]["video_accuracy"]
    row["interval, first seed"] = f"{100 * first['low']:.1f}–{100 * first['high']:.1f}"
    row |= {f"videos, {control.replace('_', ' and ')}": spread(found[control], "video") for control in found}
    row["parameters"] = f"{num_parameters:,}"
    row["seconds"] = f"{np.mean([record['train_seconds'] for record in records]):.0f}"
    return row


def spread(records, level):
    """Write the accuracies of several seeds at a level (frame, clip, video) in percent: "94.0 (91.7–95.2)"."""
    values = [100 * record[f"{level}_accuracy"]["value"] for record in records]
    return f"{np.mean(values):.1f}" + (f" ({min(values):.1f}–{max(values):.1f})" if len(values) > 1 else "")


def report(out):
    """Write all that was measured on one data set as a Markdown table, a row for each preset and framework."""
    rows = []
    for name in specs.PRESETS:
        for framework, title in (("torch", "PyTorch"), ("keras", "Keras")):
            folders = sorted(out.glob(f"{framework}_{name}_[0-9]*"))
            folders = [folder for folder in folders if all((folder / file).exists() for file in FILES.values())]
            if folders:
                record = json.loads((folders[0] / "results.json").read_text())
                found = summarize(folders, record["num_parameters"])
                rows.append({"preset": f"`{name}`", "": title, "seeds": len(folders)} | found)
    if not rows:
        return "Nothing was measured yet."
    lines = [list(rows[0]), ["---"] * len(rows[0]), *(map(str, row.values()) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main():
    """Measure what the command line asks for and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--framework", default="torch", choices=("torch", "keras"))
    parser.add_argument("--presets", nargs="*")
    parser.add_argument("--seeds", nargs="*", type=int, default=[0, 1, 2])
    parser.add_argument("--out", type=Path, default=Path("runs/presets"))
    parser.add_argument("--split", type=int, default=1)
    parser.add_argument("--protocol", default="uniform", choices=("uniform", "paper"))
    parser.add_argument("--refit", action="store_true", help="learn from the validation videos too")
    parser.add_argument("--baseline", action="store_true", help="also measure logistic regression")
    options = parser.parse_args()
    data = options.data or sample.data_folder()
    choices = {name: getattr(options, name) for name in ("framework", "split", "refit", "protocol")}
    part = f"_split{options.split}" * (options.split > 1) + "_paper" * (options.protocol == "paper")
    part += "_refit" * options.refit
    out = options.out / (("sample" if sample.is_sample(data) else data.name) + part)
    default = [choose_preset(model, data).name for model in ("frames", "lrcn")]
    for name in default if options.presets is None else options.presets:
        for seed in options.seeds:
            run_preset(data, name, seed=seed, out=out, **choices)
    print(report(out), flush=True)
    if options.baseline:
        baseline = measure_baseline(data, **choices | {"protocol": "uniform"})
        print(f"\nLogistic regression on features of single frames:\n{baseline}")


if __name__ == "__main__":
    main()
