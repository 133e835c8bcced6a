"""Two models on the same videos, several in one table, and the same model without the order of the frames."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from actlib.evaluation.metrics import Accuracy, resample, sum_groups
from actlib.evaluation.results import Results


class PairedTest(NamedTuple):
    """What two models, judged on the same videos, have in common and what not."""

    difference: Accuracy  # the first's video accuracy minus the second's, -1..1, 95 % interval over groups
    p_value: float  # of McNemar's exact test
    both_right: int
    only_first: int
    only_second: int
    both_wrong: int


def mcnemar(first: Results, second: Results, *, num_bootstrap: int = 2000, seed: int = 0) -> PairedTest:
    """Ask whether two models differ by more than luck, from the videos that only one of them gets right.

    The test takes videos for independent. Siblings of one group are not, so the p-value flatters; the interval of the
    difference, over groups, does not.

    Args:
        first: one model's results.
        second: another's, or the same model's on other input, on the same videos.
        num_bootstrap: how many times groups are drawn for the interval.
        seed: of the draw.

    Returns:
        The difference, the p-value and the four counts of videos.

    Raises:
        ValueError: if the results are of different videos.

    Source: McNemar, Psychometrika 12, 1947; the exact form is a sign test on the pairs that differ.
    """
    left, right = _pair(first, second)
    counts = [int((a & b).sum()) for a, b in ((left, right), (left, ~right), (~left, right), (~left, ~right))]
    differing = counts[1] + counts[2]
    p_value = float(stats.binomtest(counts[1], differing).pvalue) if differing else 1.0
    gained = left.astype(float) - right
    units = first.predictions["label"] * 1_000_000 + first.predictions["group"]
    low, high = np.quantile(resample(*sum_groups(gained, units), num_bootstrap, seed), (0.025, 0.975))
    difference = Accuracy(float(gained.mean()), float(low), float(high), len(gained))
    return PairedTest(difference, p_value, *counts)


def _pair(first: Results, second: Results) -> tuple[np.ndarray, np.ndarray]:
    """Whether each of the first's videos is right, in both results, in the first's order."""
    left, right = (results.predictions.set_index("name")["correct"] for results in (first, second))
    if len(left) != len(right) or set(left.index) != set(right.index):
        different = len(set(left.index) ^ set(right.index))
        raise ValueError(
            f"Expected results on the same videos. Received: {len(left)} and {len(right)} videos, {different} of them "
            "in only one. Evaluate both on the same part of the same split."
        )
    return left.to_numpy(), right.loc[left.index].to_numpy()


def compare(results: dict[str, Results]) -> pd.DataFrame:
    """Put several models in one table, each against the first.

    Args:
        results: the models' names and results.

    Returns:
        One row a model: the accuracy of frames, clips and videos with their intervals, as text, the numbers of videos
        and groups, and the p-value of McNemar's test against the first model ("other videos" where none can be had).
    """
    first = next(iter(results.values()))
    rows = {name: _row(model, first) for name, model in results.items()}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("model")


def _row(model: Results, first: Results) -> dict[str, str | int]:
    """One row of ``compare``."""
    try:
        p_value = "–" if model is first else f"{mcnemar(model, first).p_value:.2g}"
    except ValueError:
        p_value = "other videos"
    levels = {f"{level} accuracy": str(getattr(model, level)) for level in ("frame", "clip", "video")}
    return {**levels, "videos": model.video.count, "groups": model.num_groups, "p against the first": p_value}


def shuffle_control(ordered: Results, shuffled: Results) -> pd.DataFrame:
    """Show what a model loses when the frames of every clip are shuffled: what it had read from their order.

    Args:
        ordered: results on the clips as they are.
        shuffled: results of the same model on the same clips from ``ClipBatches(..., shuffle_frames=True)``.

    Returns:
        One row a class and a last row "all": videos, the share of right ones in both cases, and lost, their difference.

    Raises:
        ValueError: if the results are of different videos.
    """
    left, right = _pair(ordered, shuffled)
    table = pd.DataFrame({"ordered": left.astype(float), "shuffled": right.astype(float)})
    class_names = ordered.predictions["class_name"].to_numpy()
    per_class = table.groupby(class_names).mean().reindex([name for name in ordered.classes if name in class_names])
    per_class.insert(0, "videos", pd.Series(class_names).value_counts())
    per_class.loc["all"] = [len(table), *table.mean()]
    per_class["lost"] = per_class["ordered"] - per_class["shuffled"]
    return per_class.astype({"videos": int}).rename_axis("class_name")
