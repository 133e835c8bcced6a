"""How far an accuracy, or a difference of two, depends on which groups happened to be in the test set."""

import numpy as np
import pandas as pd
from scipy import stats
from scipy.special import expit, logit

from actlib.evaluation.metrics import Accuracy


def bootstrap_groups(correct, groups, labels=None, *, num_bootstrap=2000, seed=0) -> Accuracy:
    """Measure an accuracy and its 95 % interval from a bootstrap over groups.

    Clips of one group share actor and background, so whole groups are drawn, with replacement, within classes; where a
    group spans classes, or a class has one group, from all. Their spread gives the interval, on the logit scale and
    with Student's t, never smaller than for as many independent predictions; where each class is all correct or all
    wrong, the exact binomial interval over groups stands in.

    Args:
        correct: bool (n,), whether each prediction is correct, or shares in 0..1.
        groups: (n,) any values, equal for predictions of the same group.
        labels: int (n,), the true class of each; None draws groups from all classes together.
        num_bootstrap, seed: how many times groups are drawn, and the seed of these draws.

    Source: Rao and Wu, JASA 83, 1988 (each draw takes one group less than there are); Franco et al., Journal of Survey
        Statistics and Methodology 7, 2019 (logit intervals); Korn and Graubard, Survey Methodology 24, 1998 (no more
        effective predictions than predictions); Clopper and Pearson, Biometrika 26, 1934.
    """
    correct, (group, _) = np.asarray(correct, float), pd.factorize(np.asarray(groups))
    total, count = np.bincount(group, correct), np.bincount(group)
    strata = _stratify(group, labels)
    rng, draws, least = np.random.default_rng(seed), np.zeros(num_bootstrap), 0.0
    for members in strata:
        drawn = members[rng.integers(len(members), size=(num_bootstrap, max(1, len(members) - 1)))]
        weight = count[members].sum() / len(correct)  # a class keeps its size in every draw
        draws += weight * total[drawn].sum(axis=1) / count[drawn].sum(axis=1)
        share = total[members].sum() / count[members].sum()
        least += weight * share * (1 - share) / len(correct)
    value, freedom = float(correct.mean()), len(count) - len(strata)
    error = np.sqrt(max(draws.var(), least))
    if error < 1e-9 or not freedom:
        low, high = stats.binomtest(round(value * len(count)), len(count)).proportion_ci()
    else:
        margin = stats.t.ppf(0.975, freedom) * error / (value * (1 - value))
        low, high = expit(logit(value) + margin * np.array([-1, 1]))
    return Accuracy(value, float(low), float(high), len(correct))


def interval_of_difference(gained, groups, labels=None) -> Accuracy:
    """Measure the difference of two models' accuracies on the same videos, and its 95 % interval over groups.

    The interval is Student's t for the groups' differences, within classes as in ``bootstrap_groups``. So that it has a
    width where all groups agree, the variance counts two groups more, one gained and one lost, each by as much as the
    groups that differ do (and by all of its videos, where few or none do).

    Args:
        gained: int (n,), 1 where only the first is correct, -1 where only the second is.
        groups, labels: as for ``bootstrap_groups``.

    Source: Bonett and Price, Journal of Educational and Behavioral Statistics 37, 2012, one more video on either side.
    """
    gained, (group, _) = np.asarray(gained, float), pd.factorize(np.asarray(groups))
    total, count = np.bincount(group, gained), np.bincount(group)
    strata, variance = _stratify(group, labels), 0.0
    for members in strata:
        residual = total[members] - count[members] * total[members].sum() / count[members].sum()
        variance += residual @ residual * len(members) / max(1, len(members) - 1) / len(gained) ** 2
    differing = np.bincount(group, np.abs(gained)) / count
    reach = (differing.sum() + 1) / (np.count_nonzero(differing) + 1)
    margin = stats.t.ppf(0.975, max(1, len(count) - len(strata))) * np.sqrt(variance + 2 * (reach / len(count)) ** 2)
    value = gained.mean()
    return Accuracy(float(value), float(max(-1, value - margin)), float(min(1, value + margin)), len(gained))


def number_groups(videos: pd.DataFrame, *, groups_span_classes: bool) -> np.ndarray:
    """Number the groups that V videos are of, from 0: int (V,).

    Args:
        videos: table with columns group and label.
        groups_span_classes: whether a group is one in all classes, or one in each.
    """
    return videos.groupby(["group"] if groups_span_classes else ["label", "group"]).ngroup().to_numpy()


def _stratify(group, labels) -> list[np.ndarray]:
    """Each class's groups, if every group is of one class and every class has two; else all groups in one stratum."""
    whole = [np.arange(group.max() + 1)]
    if labels is None:
        return whole
    pairs = pd.DataFrame({"label": np.asarray(labels), "group": group}).drop_duplicates()
    strata = [groups.to_numpy() for _, groups in pairs.groupby("label")["group"]]
    return strata if len(pairs) == len(whole[0]) and min(map(len, strata)) > 1 else whole
