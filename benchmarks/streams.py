"""What optical flow adds: frames, flow and both fused, for single frames and for LRCN, with controls.

The presets that lessons take for the data (`vgg16_frames` and `vgg16_lrcn` for real clips, `slim_*` for the sample set)
are trained on each stream, several seeds each. What is fused are probabilities of videos: RGB to flow 1 to 1, 1 to 2,
and logits with weights chosen on validation videos, by models that have not seen them.

    python benchmarks/streams.py                                                # the sample set
    python benchmarks/streams.py --data DIR --splits 1 2 3 --refit --frames 16  # the folder that holds UCF-101/

Runs stay under runs/streams/; one that is there already is only read. Intervals, paired tests and pairs of classes are
those of the first seed, the test videos of all splits together: UCF-101's three test lists share no group.
"""

import argparse
import json
from dataclasses import replace
from itertools import product
from pathlib import Path

import pandas as pd
from presets import FILES, STARTS

from actlib import evaluation, sample
from actlib.experiment import (
    Experiment,
    choose_preset,
    choose_weights,
    evaluate_checkpoint,
    run_training,
    write_results,
)
from actlib.experiment.running import fuse_checkpoints

MODELS, STREAMS = ("frames", "lrcn"), ("rgb", "flow")
ANSWERS = (*STREAMS, "fused 1 to 2", "fused 1 to 1", "fused, chosen")  # in the order of `fuse_checkpoints`


def train_stream(options, model, stream, *, split, seed):
    """Train one model on one stream and evaluate it with all controls; return the run's folder."""
    preset = choose_preset(model, options.data)
    name = f"{options.framework}_{stream}_split{split}_{seed}"
    run = options.out / f"{preset.name}_{name}"
    preset = replace(preset, num_frames=options.frames or preset.num_frames)
    if not all((run / file).exists() for file in FILES.values()):
        begin = STARTS.get(preset.name)
        weights = str(options.out / f"{begin}_{name}") if begin else choose_weights(options.data)
        choices = {"framework": options.framework, "refit": options.refit, "stream": stream}
        run_training(Experiment(options.data, preset, weights=weights, split=split, seed=seed, **choices), run)
        for control in FILES:
            write_results(run, *evaluate_checkpoint(run, options.data, control=control))
    return run


def measure(options):
    """Measure all: (model, seed) -> split -> answer -> results, and a row for each stream and control."""
    found, controls = {}, []
    for seed, model, split in product(options.seeds, MODELS, options.splits):
        runs = [train_stream(options, model, stream, split=split, seed=seed) for stream in STREAMS]
        for stream, run in zip(STREAMS, runs, strict=True):
            records = {control: json.loads((run / file).read_text()) for control, file in FILES.items()}
            values = {name or "in order": 100 * each["video_accuracy"]["value"] for name, each in records.items()}
            controls.append({"model": model, "answer": stream} | values)
        answers, _ = fuse_checkpoints(runs, options.data, choose=True)
        found.setdefault((model, seed), {})[split] = dict(zip(ANSWERS, answers.values(), strict=True))
        weights = [*answers][-1].split(",")[0]
        print(f"{model}, seed {seed}, split {split}: {weights} was chosen", flush=True)
    return found, pd.DataFrame(controls)


def join(splits, answer):
    """Put the predictions of an answer on several splits together, as one evaluation's."""
    parts = [results[answer] for results in splits.values()]
    predictions = pd.concat([part.predictions for part in parts], ignore_index=True)
    return replace(parts[0], frame=None, clip=None, predictions=predictions)


def tabulate(found):
    """List accuracies of videos in percent, and tabulate them: each split's mean of seeds, their mean and its range."""
    rows = [
        {"model": model, "answer": answer, "seed": seed, "split": split, "accuracy": 100 * results.video.value}
        for (model, seed), splits in found.items()
        for split, answers in splits.items()
        for answer, results in answers.items()
    ]
    table, names = pd.DataFrame(rows), ["model", "answer"]
    shown = table.pivot_table("accuracy", names, "split", sort=False)
    seeds = table.groupby([*names, "seed"], sort=False)["accuracy"].mean().groupby(names, sort=False)
    return rows, shown.assign(mean=seeds.mean(), lowest=seeds.min(), highest=seeds.max()).round(1)


def describe_fusion(splits):
    """Describe one seed: each answer's interval; what fusion gains over RGB, and which pairs it repairs and spoils."""
    joined = {answer: join(splits, answer) for answer in ANSWERS}
    lines = []
    for answer, results in joined.items():
        table = results.predictions
        interval = evaluation.bootstrap_groups(table["correct"], results.groups, table["label"])
        gained = "" if answer == "rgb" else f", against rgb {evaluation.paired_test(results, joined['rgb'])}"
        lines.append(f"{answer:14} {interval}{gained}")
    rgb, *fused = (joined[answer].predictions.set_index("name") for answer in ("rgb", *ANSWERS[-2:]))
    for answer, table in zip(ANSWERS[-2:], fused, strict=True):
        for verb, before, after in (("repairs", rgb, table.loc[rgb.index]), ("spoils", table.loc[rgb.index], rgb)):
            rows = before[~before.correct & after.correct]
            pairs = rows.groupby(["class_name", "predicted_class"]).size()
            text = ", ".join(f"{true} taken for {said} {count}" for (true, said), count in pairs.items())
            lines.append(f"{answer} {verb} {len(rows)} videos of rgb's: {text or '-'}")
    return lines


def main():
    """Measure, print three tables, and write all accuracies to a file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--framework", default="torch", choices=("torch", "keras"))
    parser.add_argument("--splits", nargs="*", type=int, default=[1])
    parser.add_argument("--seeds", nargs="*", type=int, default=[0, 1, 2])
    parser.add_argument("--refit", action="store_true", help="learn from the validation videos too")
    parser.add_argument("--frames", type=int, help="of each video and stream, if not as many as in the preset")
    parser.add_argument("--out", type=Path, default=Path("runs/streams"))
    options = parser.parse_args()
    options.data = options.data or sample.data_folder()
    folder = "sample" if sample.is_sample(options.data) else options.data.name
    options.out /= folder + "_refit" * options.refit + (f"_{options.frames}" if options.frames else "")
    found, controls = measure(options)
    rows, table = tabulate(found)
    print(table.to_string())
    for model in MODELS:
        print(f"\n{model}, seed {options.seeds[0]}, videos of all splits:")
        print("\n".join(describe_fusion(found[model, options.seeds[0]])))
    print("\nthe same under controls, mean of splits and seeds:")
    print(controls.groupby(["model", "answer"], sort=False).mean().round(1).to_string())
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / f"{options.framework}.json").write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
