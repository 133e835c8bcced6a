"""Two models on the same videos, several in one table, and one model with other frames in place of the clips'."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from actlib.evaluation.intervals import interval_of_difference
from actlib.evaluation.metrics import Accuracy
from actlib.evaluation.results import LEVELS, Results


class PairedTest(NamedTuple):
    """How two models differ on the same videos; prints as ``+7.1 points (+2.3 to +11.9), p = 0.016``."""

    difference: Accuracy  # the first's video accuracy minus the second's, -1..1, 95 % interval over groups
    p_value: float  # of the permutation test over groups
    mcnemar_p_value: float | None  # of McNemar's exact test; None where videos share groups, so are not independent
    both_correct: int  # numbers of videos
    only_first: int
    only_second: int
    neither: int

    def __str__(self) -> str:
        value, low, high = (100 * each for each in (self.difference.value, self.difference.low, self.difference.high))
        return f"{value:+.1f} points ({low:+.1f} to {high:+.1f}), {format_p(self.p_value)}"


def paired_test(first: Results, second: Results) -> PairedTest:
    """Test whether two models differ by more than chance on the same videos.

    If they were alike, either could have given either's predictions in any group: the p-value is the share of all
    ways to swap them, group by group, that leave at least this difference. McNemar's test swaps video by video, and is
    left out where videos share groups: they are alike, so its p-value would be too small.

    Args:
        first, second: one model's results; another's, or the same model's under a control, on the same videos.

    Raises:
        ValueError: they are on different videos.

    Source: Fisher, The Design of Experiments, 1935, chapter III (sign flips); McNemar, Psychometrika 12, 1947.
    """
    left, right = (each["correct"].to_numpy() for each in (first.predictions, first.align(second)))
    gained, groups = left.astype(int) - right, first.groups
    difference = interval_of_difference(gained, groups, first.predictions["label"])
    counts = [int(each.sum()) for each in (left & right, left & ~right, ~left & right, ~left & ~right)]
    p_value = _flip_signs(np.bincount(groups, gained).astype(int))
    return PairedTest(difference, p_value, p_value if first.num_groups == len(gained) else None, *counts)


def format_p(p_value: float) -> str:
    """Write a p-value for reading: "p = 0.016", or "p < 0.001" for whatever is smaller.

    Args:
        p_value: 0..1, such as a ``PairedTest`` has.
    """
    return "p < 0.001" if p_value < 0.001 else f"p = {p_value:.2g}"


def compare(results: dict[str, Results]) -> pd.DataFrame:
    """Put several models in one table.

    A row a model: accuracies with intervals, how many videos and groups, p-value of ``paired_test`` against the first;
    and "leakage", in how many groups a model had seen what it should not have, where one has.

    Args:
        results: name -> results.
    """
    first, rows = next(iter(results.values())), {}
    for name, model in results.items():
        rows[name] = {f"{level} accuracy": str(getattr(model, level) or "–") for level in LEVELS}
        rows[name] |= {"videos": model.video.count, "groups": model.num_groups}
        rows[name] |= {"leakage": len(model.leakage)} if any(each.leakage for each in results.values()) else {}
        try:
            rows[name]["against the first"] = "–" if model is first else format_p(paired_test(model, first).p_value)
        except ValueError:
            rows[name]["against the first"] = "other videos"
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("model")


def average_splits(results: dict[str, Results]) -> pd.DataFrame:
    """Put the results on several official splits in one table of text, whose last row is the mean that papers report.

    Args:
        results: name of a split -> its results.
    """
    levels = {f"{level} accuracy": {name: getattr(each, level) for name, each in results.items()} for level in LEVELS}
    table = pd.DataFrame(levels)
    table.loc["mean"] = [f"{100 * np.mean([each.value for each in table[level]]):.1f} %" for level in levels]
    if any(each.leakage for each in results.values()):
        table["leakage"] = [*(len(each.leakage) for each in results.values()), "–"]
    return table.astype(str)


def compare_controls(ordered: Results, *controls: Results) -> pd.DataFrame:
    """Show what a model still gets right where something else stands in place of each clip's frames.

    Args:
        ordered: results on the clips as they are.
        *controls: the same model's results on the same videos from ``ClipBatches(..., control=...)``.

    Returns:
        One row a class and a last row "all": videos, the accuracy (0..1) as ordered, then one column a control by its
        name; what is lost there had been read from order ("shuffled", "reversed") or from more than the frames left.
    """
    names = ordered.predictions["class_name"].to_numpy()
    columns = {"ordered": ordered.predictions["correct"].to_numpy()}
    columns |= {results.control: ordered.align(results)["correct"].to_numpy() for results in controls}
    table = pd.DataFrame({"class_name": names, "videos": 1, **columns})
    table = pd.concat([table, table.assign(class_name="all")])
    rows = [*(name for name in ordered.classes if name in names), "all"]
    return table.groupby("class_name").agg({"videos": "sum", **dict.fromkeys(columns, "mean")}).loc[rows]


def _flip_signs(gained: np.ndarray) -> float:
    """Share of all 2^G choices of signs for which the sum is at least as far from 0; exact, whatever G is."""
    sizes = np.abs(gained[gained != 0])
    chances = np.ones(1)  # chances[s]: that the groups left positive sum to s
    for size in sizes:
        chances = (np.pad(chances, (0, size)) + np.pad(chances, (size, 0))) / 2
    sums = 2 * np.arange(len(chances)) - sizes.sum()
    return min(1.0, float(chances[np.abs(sums) >= abs(gained.sum())].sum()))
