"""How far an accuracy depends on which groups happened to be in the test set: a bootstrap over groups."""

import numpy as np
import pandas as pd
from scipy import stats

from actlib.evaluation.metrics import Accuracy


def bootstrap_groups(correct, groups, labels=None, *, num_bootstrap: int = 2000, seed: int = 0) -> Accuracy:
    """Measure an accuracy and its 95 % interval, which comes from drawing whole groups with replacement.

    Clips of one group share actor and background, so a clip adds little to what its sibling has shown. An official list
    fixes how many groups a class has, so groups are drawn within each class. Where a group spans classes, or a class
    has one group, groups are drawn from all of them. The quantiles are widened for few groups. Where no draw differs
    from another (all correct, say), the exact binomial interval over groups stands in.

    Args:
        correct: bool (n,), whether each prediction is correct; or numbers in -1..1, of whose mean the interval then is.
        groups: (n,) any values, equal for predictions of the same group.
        labels: int (n,), the true class of each; None draws groups from all classes together.
        num_bootstrap: how many times groups are drawn.
        seed: of the draw.

    Returns:
        The accuracy with its interval.

    Source: Rao and Wu, JASA 83, 1988 (one group less in each draw); Hesterberg, The American Statistician 69, 2015
        (quantiles by Student's t); Clopper and Pearson, Biometrika 26, 1934.

    Example:
        >>> print(bootstrap_groups([True, True, False, False], ["a", "a", "b", "b"]))
        50.0 % (0.0–100.0)
    """
    correct, (group, _) = np.asarray(correct, float), pd.factorize(np.asarray(groups))
    total, count = np.bincount(group, correct), np.bincount(group)
    strata = _stratify(group, labels)
    rng, draws = np.random.default_rng(seed), np.zeros(num_bootstrap)
    for members in strata:  # each draw: the mean over the stratum, weighted by the share of predictions in it
        drawn = members[rng.integers(len(members), size=(num_bootstrap, max(1, len(members) - 1)))]
        draws += total[drawn].sum(axis=1) / count[drawn].sum(axis=1) * count[members].sum() / len(correct)
    value = float(correct.mean())
    if np.ptp(draws) < 1e-9:
        low, high = _exact_interval(value, len(count))
    else:
        tail = stats.norm.cdf(stats.t.ppf(0.025, len(count) - len(strata)))  # 0.025 where there are many groups
        low, high = np.quantile(draws, (tail, 1 - tail))
    return Accuracy(value, float(low), float(high), len(correct))


def number_groups(videos: pd.DataFrame, *, groups_span_classes: bool) -> np.ndarray:
    """Number the groups that a table's videos are of: one a (class, group), or one a group; int (V,) from 0."""
    return videos.groupby(["group"] if groups_span_classes else ["label", "group"]).ngroup().to_numpy()


def _stratify(group, labels) -> list[np.ndarray]:
    """Each class's groups, if every group is of one class and every class has two; else all groups in one stratum."""
    whole = [np.arange(group.max() + 1)]
    if labels is None:
        return whole
    pairs = pd.DataFrame({"label": np.asarray(labels), "group": group}).drop_duplicates()
    strata = [groups.to_numpy() for _, groups in pairs.groupby("label")["group"]]
    return strata if len(pairs) == len(whole[0]) and min(map(len, strata)) > 1 else whole


def _exact_interval(value: float, num_groups: int) -> tuple[float, float]:
    """Clopper and Pearson's 95 % interval for a share of independent groups; mirrored for a negative value."""
    if value < 0:
        return tuple(-edge for edge in reversed(_exact_interval(-value, num_groups)))
    correct = value * num_groups
    low = stats.beta.ppf(0.025, correct, num_groups - correct + 1) if value > 0 else 0.0
    return low, stats.beta.ppf(0.975, correct + 1, num_groups - correct) if value < 1 else 1.0
