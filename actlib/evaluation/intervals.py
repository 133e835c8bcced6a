"""How far an accuracy depends on which groups happened to be in the test set: a bootstrap over groups."""

import numpy as np
import pandas as pd
from scipy import stats
from scipy.special import expit, logit

from actlib.evaluation.metrics import Accuracy


def bootstrap_groups(correct, groups, labels=None, *, num_bootstrap=2000, seed=0) -> Accuracy:
    """Measure an accuracy and its 95 % interval from a bootstrap over groups.

    Clips of one group share actor and background, so whole groups are drawn, with replacement. An official list fixes
    how many groups a class has, so each class's are drawn apart; where a group spans classes, or a class has one group,
    they are drawn from all. The spread of the accuracies so drawn gives the interval, on the logit scale and with
    Student's t for few groups; where nothing differs (all correct, say), the exact binomial interval stands in.

    Args:
        correct: bool (n,), whether each prediction is correct, or shares in 0..1.
        groups: (n,) any values, equal for predictions of the same group.
        labels: int (n,), the true class of each; None draws groups from all classes together.
        num_bootstrap: how many times groups are drawn, from ``seed`` on.

    Source: Rao and Wu, JASA 83, 1988 (each draw takes one group less than there are); Franco et al., Journal of Survey
        Statistics and Methodology 7, 2019 (logit intervals); Clopper and Pearson, Biometrika 26, 1934.
    """
    correct, (group, _) = np.asarray(correct, float), pd.factorize(np.asarray(groups))
    total, count = np.bincount(group, correct), np.bincount(group)
    strata = _stratify(group, labels)
    rng, draws = np.random.default_rng(seed), np.zeros(num_bootstrap)
    for members in strata:
        drawn = members[rng.integers(len(members), size=(num_bootstrap, max(1, len(members) - 1)))]
        weight = count[members].sum() / len(correct)  # a class keeps its size in every draw
        draws += weight * total[drawn].sum(axis=1) / count[drawn].sum(axis=1)
    value = float(correct.mean())
    if np.ptp(draws) < 1e-9:
        low, high = _exact_interval(value, len(count))
    else:
        t = stats.t.ppf(0.975, len(count) - len(strata))
        low, high = expit(logit(value) + t * np.array([-1, 1]) * draws.std() / (value * (1 - value)))
    return Accuracy(value, float(low), float(high), len(correct))


def number_groups(videos: pd.DataFrame, *, groups_span_classes: bool) -> np.ndarray:
    """Number the groups that videos are of, one a (label, group) or one a group; int (V,) from 0."""
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
    """Clopper and Pearson's 95 % interval for a share of independent groups."""
    correct = value * num_groups
    low = stats.beta.ppf(0.025, correct, num_groups - correct + 1) if value > 0 else 0.0
    return low, stats.beta.ppf(0.975, correct + 1, num_groups - correct) if value < 1 else 1.0
