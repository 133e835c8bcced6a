"""How well videos of no known class are told on real clips: each class left out of training in turn, on every split.

Features are those that a checkpoint's card is fitted to: the mean of each channel of ImageNet's frozen VGG-16, of 8
frames a video. The threshold of each score keeps 95 % of the training groups' videos, cross-fitted. *kept* is the share
of known test videos above it, *refused* that of all videos of the class left out below it.

    python benchmarks/open_set.py --data /path/to/folder      # the folder that holds UCF-101/; else ACTLIB_DATA
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import logsumexp
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import normalize

from actlib import dataset, evaluation, sample, specs
from actlib.evaluation.intervals import number_groups
from actlib.evaluation.open_set import _normalize
from actlib.experiment import Experiment, cache_features, load_initial_weights, prepare_table
from actlib.experiment.predictor import NUM_FRAMES
from actlib.experiment.preparing import build_describer
from actlib.torch.training import build_model

MODEL, SPLITS = specs.PRESETS["vgg16_frames"].model, (1, 2, 3)


@dataclass
class Score:
    """One of the usual scores on a video's mean features, fitted as ``evaluation.fit_known`` is."""

    name: str

    def __call__(self, features, labels):
        """Fit to known videos, float (N, T, D) and int (N,)."""
        self.train, self.labels = summarize(features), labels
        self.means = np.stack([self.train[labels == label].mean(axis=0) for label in np.unique(labels)])
        self.model = LogisticRegression(C=100.0, max_iter=1000).fit(self.train, labels)
        return self

    def score(self, features):
        """Score videos: the higher, the more like a known class."""
        vectors = summarize(features)
        if self.name == "cosine to the nearest video":
            return (vectors @ self.train.T).max(axis=1)
        if self.name == "distance to the nearest class mean":
            return -np.linalg.norm(vectors[:, None] - self.means, axis=2).min(axis=1)
        logits = self.model.decision_function(vectors)
        energy = logsumexp(logits, axis=1)
        return energy if self.name == "energy" else logits.max(axis=1) - energy


NAMES = ("maximum probability", "energy", "cosine to the nearest video", "distance to the nearest class mean")
FITS = {name: Score(name) for name in NAMES} | {"relative Mahalanobis distance": evaluation.fit_known}


def summarize(features):
    """Return the mean over a video's frames, float (N, D), at length 1."""
    return normalize(_normalize(features).mean(axis=1))


def extract(data):
    """Extract features, or read those that are there: (float16 (N, T, D), the table of videos)."""
    table = prepare_table(Experiment(data, specs.PRESETS["vgg16_frames"]))
    model = build_model(MODEL, len(table.attrs["classes"]), weights=load_initial_weights("imagenet"))
    frames = dataset.FrameCache(table, num_frames=NUM_FRAMES, size=MODEL.vgg.size)
    return np.stack([*cache_features(frames, build_describer(model)).fill()]), table


def measure(features, tables):
    """Measure each score: a row for each split, class left out, and score; shares in percent."""
    rows = []
    for split, table in tables.items():
        labels, test = table.label.to_numpy(), (table.subset == "test").to_numpy()
        groups = number_groups(table, groups_span_classes=False)
        for left in np.unique(labels):
            train, known, strange = ~test & (labels != left), test & (labels != left), labels == left
            for name, fit in FITS.items():
                threshold, share = evaluation.choose_threshold(fit, features[train], labels[train], groups[train])
                fitted = fit(features[train], labels[train])
                kept, refused = fitted.score(features[known]), fitted.score(features[strange])
                area = roc_auc_score(np.repeat([1, 0], [len(kept), len(refused)]), np.concatenate([kept, refused]))
                found = evaluation.bootstrap_groups(kept >= threshold, groups[known], labels[known])
                row = {"split": split, "left out": table.attrs["classes"][left], "score": name, "area": 100 * area}
                row |= {"kept": 100 * found.value, "refused": 100 * (refused < threshold).mean()}
                row |= {"95 % inside": found.low <= 0.95 <= found.high, "low": share.low, "high": share.high}
                rows.append(row)
    return pd.DataFrame(rows)


def report(found):
    """Print a row a score, then the chosen score's row a class."""
    areas = found.groupby(["score", "split"])["area"].mean().unstack()
    means = found.groupby("score")[["area", "kept", "refused"]].mean()
    inside = found.groupby("score")["95 % inside"].agg(lambda each: f"{each.sum()} of {len(each)}")
    print(means.join(areas.add_prefix("area, split ")).join(inside).loc[[*FITS]].round(1).to_string())
    chosen = found[found["score"] == [*FITS][-1]]
    print(chosen.groupby("left out")[["area", "kept", "refused"]].agg(["mean", "min", "max"]).round(1).to_string())
    print(f"The cross-fitted share's own interval: {100 * chosen.low.mean():.1f} to {100 * chosen.high.mean():.1f}")


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path)
    data = parser.parse_args().data or sample.data_folder()
    features, table = extract(data)
    tables = {split: prepare_table(Experiment(data, specs.PRESETS["vgg16_frames"], split=split)) for split in SPLITS}
    order = {split: each.set_index("name").loc[table["name"]].reset_index() for split, each in tables.items()}
    for split, each in order.items():
        each.attrs = tables[split].attrs
    report(measure(features, order))


if __name__ == "__main__":
    main()
