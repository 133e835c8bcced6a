"""Intervals over groups: width against formulas, how often they cover the truth, what happens at the edges."""

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit, logit

from actlib import evaluation
from actlib.evaluation import bootstrap_groups
from actlib.evaluation.intervals import interval_of_difference


def width(found):
    return found.high - found.low


def test_interval_is_over_groups_not_videos():
    """Siblings that agree are worth one: the interval is that of the groups, wider than that of the videos."""
    group_correct = np.random.default_rng(0).random(40) < 0.7
    correct, groups = np.repeat(group_correct, 10), np.repeat(np.arange(40), 10)
    grouped, alone = bootstrap_groups(correct, groups), bootstrap_groups(correct, np.arange(400))
    expected = [2 * stats.t.ppf(0.975, n - 1) * group_correct.std() / np.sqrt(n - 1) for n in (40, 400)]
    assert grouped.value == alone.value == correct.mean()
    assert (grouped.count, alone.count) == (400, 400)
    assert [width(grouped), width(alone)] == pytest.approx(expected, rel=0.05)


def test_groups_are_drawn_within_their_class():
    """Classes of 0.9 and 0.3: what lies between them is no chance, as the official list fixes how many each has."""
    correct = np.concatenate([np.arange(40) % 10 > 0, np.arange(20) % 10 > 6]).astype(float)
    labels, groups = np.repeat([0, 1], [40, 20]), np.arange(60)
    variance = (40 / 60) ** 2 * 0.09 / 39 + (20 / 60) ** 2 * 0.21 / 19
    expected = 2 * stats.t.ppf(0.975, 58) * np.sqrt(variance)
    assert width(bootstrap_groups(correct, groups, labels)) == pytest.approx(expected, rel=0.05)
    together = 2 * stats.t.ppf(0.975, 59) * correct.std(ddof=1) / np.sqrt(60)
    assert width(bootstrap_groups(correct, groups)) == pytest.approx(together, rel=0.05)
    assert together > 1.2 * expected


def test_few_groups_widen_the_interval_by_students_t():
    """Two classes of three groups of ten: four degrees of freedom are left, and the edges lie on the logit scale."""
    rates, groups, labels = np.array([0.9, 0.5, 1.0, 0.2, 0.8, 0.5]), np.repeat(np.arange(6), 10), np.repeat([0, 1], 30)
    correct = np.tile(np.arange(10), 6) < 10 * rates[groups]
    value, error = rates.mean(), np.sqrt(sum(part.var(ddof=1) / 3 for part in (rates[:3], rates[3:]))) / 2
    margin = stats.t.ppf(0.975, 4) * error / (value * (1 - value))
    found = bootstrap_groups(correct, groups, labels, num_bootstrap=20_000)
    expected = expit(logit(value) + np.array([-margin, margin]))
    assert [found.low, found.high] == pytest.approx(expected, abs=0.005)


def test_a_group_that_spans_classes_is_drawn_whole():
    """Each of 8 people does all 5 classes, always or never recognised: 8 is how many there are, whatever the labels."""
    people, labels = np.repeat(np.arange(8), 5), np.tile(np.arange(5), 8)
    correct = people < 5
    assert bootstrap_groups(correct, people, labels) == bootstrap_groups(correct, people)
    apart = bootstrap_groups(correct, people * 5 + labels, labels)  # as if a person were another in each class
    assert width(bootstrap_groups(correct, people, labels)) > 1.5 * width(apart)


def test_a_class_of_one_group_is_drawn_with_the_others():
    correct, labels = np.array([1, 0, 1, 0, 1]), np.array([0, 0, 1, 1, 2])
    assert bootstrap_groups(correct, np.arange(5), labels) == bootstrap_groups(correct, np.arange(5))


def test_large_groups_weigh_more():
    """A ratio of sums, not a mean of groups' means: its linearised standard error is known."""
    rng, counts = np.random.default_rng(1), np.tile([1, 3, 8], 40)
    groups = np.repeat(np.arange(120), counts)
    correct = rng.random(len(groups)) < rng.beta(3, 2, size=120)[groups]
    residual = np.bincount(groups, correct - correct.mean())
    expected = 2 * stats.t.ppf(0.975, 119) * np.sqrt(120 / 119 * (residual**2).sum()) / len(groups)
    assert width(bootstrap_groups(correct, groups)) == pytest.approx(expected, rel=0.06)


@pytest.mark.parametrize("within_classes", [True, False])
def test_interval_covers_the_truth_as_often_as_it_says(within_classes):
    """Seven classes of seven groups, as the study's test set; or seven people in all classes, as the sample set's."""
    rng, covered, trials = np.random.default_rng(0), 0, 500
    rates = np.linspace(0.6, 0.95, 7)
    groups, labels = np.repeat(np.arange(49), 4), np.repeat(np.arange(7), 28)
    if not within_classes:
        groups = groups % 7
    for trial in range(trials):
        if within_classes:
            group_rates = rng.beta(6 * rates, 6 * (1 - rates), size=(7, 7)).T.ravel()
        else:
            group_rates = rng.beta(6 * rates.mean(), 6 * (1 - rates.mean()), size=7)
        correct = rng.random(len(groups)) < group_rates[groups]
        found = bootstrap_groups(correct, groups, labels, num_bootstrap=400, seed=trial)
        covered += found.low <= rates.mean() <= found.high
    assert 0.93 <= covered / trials <= 0.98


@pytest.mark.parametrize(
    ("groups", "videos", "classes", "rate", "likeness"),
    [(49, 5, 7, 0.97, 0.8), (42, 2, 6, 0.95, 0.5), (7, 14, 1, 0.7, 0.05), (7, 14, 1, 0.6, 0.02)],
)
def test_interval_covers_high_accuracies_and_groups_that_are_alike(groups, videos, classes, rate, likeness):
    rng, covered, group = np.random.default_rng(0), 0, np.repeat(np.arange(groups), videos)
    labels, strength = group // (groups // classes), (1 - likeness) / likeness
    for trial in range(300):
        rates = rng.beta(rate * strength, (1 - rate) * strength, size=groups)
        correct = rng.random(len(group)) < rates[group]
        found = bootstrap_groups(correct, group, labels if classes > 1 else None, num_bootstrap=200, seed=trial)
        covered += found.low <= rate <= found.high
    assert covered / 300 >= 0.93


def test_people_who_are_all_alike_leave_the_interval_of_their_videos():
    """Seven people with 10 of 14 videos each: as many videos, one of each person, would vary by this much."""
    found = bootstrap_groups(np.tile([1] * 10 + [0] * 4, 7), np.repeat(np.arange(7), 14))
    margin = stats.t.ppf(0.975, 6) / np.sqrt(98 * 10 / 14 * 4 / 14)
    assert [found.low, found.high] == pytest.approx(expit(logit(10 / 14) + np.array([-margin, margin])))


@pytest.mark.parametrize("labels", [None, np.repeat(np.arange(5), 18)])
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_interval_has_a_width_where_all_groups_agree(value, labels):
    found = bootstrap_groups(np.full(90, value), np.repeat(np.arange(30), 3), labels)
    exact = stats.binomtest(int(30 * value), 30).proportion_ci(method="exact")
    assert (found.low, found.high) == pytest.approx((exact.low, exact.high))


def test_classes_that_are_all_correct_or_all_wrong_leave_a_width():
    found = bootstrap_groups(np.repeat([1, 0], 10), np.arange(20), np.repeat([0, 1], 10))
    exact = stats.binomtest(10, 20).proportion_ci(method="exact")
    assert (found.low, found.high) == pytest.approx((exact.low, exact.high))


def test_one_mistake_does_not_narrow_the_interval():
    groups = np.arange(49)
    without, with_one = (bootstrap_groups(groups >= number, groups) for number in (0, 1))
    assert with_one.low < without.low + 1e-3 and with_one.low < with_one.value < with_one.high < 1


def test_one_group_says_next_to_nothing():
    found = bootstrap_groups([True, False, True], [4, 4, 4])
    assert found.low < 0.05 and found.high > 0.95


def test_draws_depend_on_the_seed_alone():
    correct, names = np.arange(30) % 3 > 0, np.array([f"g{number}" for number in range(30)])
    assert bootstrap_groups(correct, names) == bootstrap_groups(correct, np.arange(30))
    assert bootstrap_groups(correct, names, seed=1) != bootstrap_groups(correct, names)


def test_an_accuracy_prints_in_percent():
    assert str(evaluation.Accuracy(0.8741, 0.801, 0.93, 266)) == "87.4 % (80.1–93.0)"


def test_where_nothing_differs_a_difference_is_as_uncertain_as_one_group_more_on_either_side():
    found = interval_of_difference(np.zeros(20, int), np.repeat(np.arange(10), 2))
    assert found.high == -found.low == pytest.approx(stats.t.ppf(0.975, 9) * np.sqrt(2) / 10)
