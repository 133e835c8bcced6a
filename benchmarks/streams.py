"""What optical flow adds on real clips: frames, flow and both fused, on three official splits.

ImageNet's frozen VGG-16 makes features of frames and of flow pictures (`vgg16_frames`: maximum over positions, divided
by their L2 norm). Two classifiers read them: logistic regression on each video's mean, fitted to the validation videos
too once these have chosen its strength, and the library's head, with several seeds. What is fused are probabilities of
videos; "chosen" weights are chosen on validation videos, by models that have not seen them.

    python benchmarks/streams.py --data /path/to/folder      # the folder that holds UCF-101/; else ACTLIB_DATA
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import normalize

from actlib import evaluation, sample, specs
from actlib.experiment import (
    Experiment,
    cache_features,
    cache_frames,
    evaluate_model,
    load_initial_weights,
    make_batches,
    prepare_table,
)
from actlib.files import write_whole
from actlib.torch.training import build_model, train

PRESET, STREAMS, SPLITS = specs.PRESETS["vgg16_frames"], ("rgb", "flow"), (1, 2, 3)
FUSED = {"1 to 1": (1, 1), "1 to 2": (1, 2), "2 to 1": (2, 1)}  # RGB to flow
STRENGTHS = (1.0, 10.0, 100.0, 1000.0)  # of logistic regression: inverses of its regularisation


class Features(list):
    """Features of some videos, float (F, D) each, as `ClipBatches` takes them."""

    kind = "features"


def extract(experiment):
    """Make the features of all videos of an experiment, or read those that are there: name -> float16 (F, D)."""
    table = prepare_table(experiment)
    weights = load_initial_weights(experiment.weights)
    model = build_model(experiment.preset.model, len(table.attrs["classes"]), weights=weights)
    return dict(zip(table["name"], cache_features(cache_frames(table, experiment), model).fill(), strict=True))


def regress(features, table):
    """Fit logistic regression to the videos' mean features; a function subset -> results."""
    means = normalize(np.stack([features[name].mean(0, dtype=np.float32) for name in table["name"]]))  # (N, D)
    part = {name: (table.subset == name).to_numpy() for name in ("train", "validation", "test")}

    def fit(known, subset, strength):
        model = LogisticRegression(C=strength, max_iter=3000).fit(means[known], table.label[known])
        logits, rows = model.predict_log_proba(means[part[subset]])[:, None], table[part[subset]].reset_index(drop=True)
        return evaluation.evaluate(logits, np.arange(len(rows)), rows, classes=table.attrs["classes"])

    checks = {strength: fit(part["train"], "validation", strength) for strength in STRENGTHS}
    best = max(checks, key=lambda strength: judge(checks[strength]))
    return {"validation": checks[best], "test": fit(~part["test"], "test", best)}.get


def judge(results):
    """Return what a strength is chosen by: the accuracy, then the mean log-probability of the true class."""
    true = results.probabilities[np.arange(len(results.predictions)), results.predictions["label"]]
    return results.video.value, np.log(np.maximum(true, 1e-12)).mean()


def train_head(features, table, experiment):
    """Train the head on training videos; a function subset -> results."""
    model = build_model(experiment.preset.model, len(table.attrs["classes"]), seed=experiment.seed)

    rows = {subset: part.reset_index(drop=True) for subset, part in table.groupby("subset")}
    batches = {
        subset: make_batches(
            Features(features[name] for name in part["name"]), part, experiment, train=subset == "train"
        )
        for subset, part in rows.items()
    }
    train(model, batches["train"], batches["validation"], experiment.preset.training, seed=experiment.seed)
    return lambda subset: evaluate_model(model, batches[subset], rows[subset])


def measure(data, features, *, seeds):
    """Measure both classifiers on each split: a row for each classifier, seed, split and way to answer.

    Args:
        data: the data folder.
        features: stream -> name of a video -> float (F, D).
        seeds: of the head.
    """
    rows = []
    for split in SPLITS:
        experiment = Experiment(data, PRESET, split=split)
        table = prepare_table(experiment)
        ask = {stream: regress(features[stream], table) for stream in STREAMS}
        rows += list_answers(ask, classifier="logistic regression", seed=0, split=split)
        for seed in seeds:
            choices = {stream: replace(experiment, stream=stream, seed=seed) for stream in STREAMS}
            ask = {stream: train_head(features[stream], table, choices[stream]) for stream in STREAMS}
            rows += list_answers(ask, classifier="head", seed=seed, split=split)
    return pd.DataFrame(rows)


def list_answers(ask, **facts):
    """List the video accuracy of each stream and of each way to fuse them, and how many pairs are confused."""
    single = {stream: ask[stream]("test") for stream in STREAMS}
    chosen = evaluation.choose_fusion_weights(*(ask[stream]("validation") for stream in STREAMS))
    ways = FUSED | {"chosen": chosen}
    answers = single | {f"fused {name}": evaluation.fuse(*single.values(), way) for name, way in ways.items()}
    facts["weights"] = "{:g} to {:g}".format(*chosen)
    found = {name: {"accuracy": 100 * each.video.value, "pairs": name_pairs(each)} for name, each in answers.items()}
    return [facts | {"answer": name} | each for name, each in found.items()]


def name_pairs(results):
    """Return the most confused pairs and their number of videos, as text."""
    table = results.most_confused(3)
    return ", ".join(f"{row.true_class} > {row.predicted_class} {row.videos}" for row in table.itertuples())


def main():
    """Measure, print the means over splits and all rows, and write them to a file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--seeds", nargs="*", type=int, default=[0, 1, 2])
    parser.add_argument("--out", type=Path, default=Path("runs/benchmarks/streams.json"))
    options = parser.parse_args()
    data = options.data or sample.data_folder()
    features = {stream: extract(Experiment(data, PRESET, stream=stream)) for stream in STREAMS}
    report(measure(data, features, seeds=options.seeds), options.out)


def report(table, out):
    """Print accuracies in percent, a row for each way to answer, and write all rows."""
    order = table["answer"].unique()
    shown = table.pivot_table("accuracy", ["classifier", "answer"], "split", aggfunc="mean", sort=False)
    spread = table.groupby(["classifier", "seed", "answer"])["accuracy"].mean().groupby(["classifier", "answer"])
    shown = shown.assign(mean=spread.mean(), lowest_seed=spread.min(), highest_seed=spread.max())
    print(shown.reindex(order, level="answer").round(2).to_string())
    print(table[table["seed"] == 0][["classifier", "split", "answer", "weights", "pairs"]].to_string(index=False))
    write_whole(out, json.dumps(table.to_dict("records"), indent=1).encode())


if __name__ == "__main__":
    main()
