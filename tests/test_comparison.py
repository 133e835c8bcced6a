"""Paired tests against SciPy and numbers worked out by hand; several models in one table; the shuffled control."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from actlib import evaluation
from actlib.evaluation import comparison
from actlib.evaluation.intervals import interval_of_difference

CLASSES = ("Jump", "Run", "Sit")


def make_results(correct, labels=None, *, groups=None, classes=CLASSES):
    """Results of one video a value: predicted right or, if not, as the next class."""
    labels = np.zeros(len(correct), int) if labels is None else np.asarray(labels)
    groups = np.arange(len(correct)) if groups is None else groups
    videos = pd.DataFrame({"name": [f"v{i}" for i in range(len(labels))], "label": labels, "group": groups})
    predicted = np.where(correct, labels, (labels + 1) % len(classes))
    logits = 4 * np.eye(len(classes))[predicted][:, None]
    return evaluation.evaluate(logits, np.arange(len(labels)), videos, classes=classes)


def make_pair(*, seed=0, num_groups=12, clips=4, gain=0.25):
    """Two models' correctness on groups of videos, the first better."""
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(num_groups), clips)
    second = rng.random(len(groups)) < 0.6
    return second | (rng.random(len(groups)) < gain), second, groups


def test_both_p_values_by_hand_where_every_video_is_a_group():
    """8 videos that only the first gets right, 1 that only the second does: p = 2 (1 + 9) / 2^9, in both tests."""
    first, second = make_results([1] * 10 + [0] * 2), make_results([1] + [0] * 8 + [1, 1, 0])
    test = evaluation.paired_test(first, second)
    assert (test.both_correct, test.only_first, test.only_second, test.neither) == (2, 8, 1, 1)
    assert test.p_value == test.mcnemar_p_value == pytest.approx(2 * (1 + 9) / 2**9)
    assert test.p_value == pytest.approx(stats.binomtest(8, 9).pvalue)
    assert test.difference.value == pytest.approx(7 / 12) and test.difference.count == 12
    turned = evaluation.paired_test(second, first)
    assert (turned.only_first, turned.only_second, turned.p_value) == (1, 8, test.p_value)
    assert turned.difference.low == pytest.approx(-test.difference.high)


@pytest.mark.parametrize("seed", range(4))
def test_permutation_over_groups_agrees_with_scipy(seed):
    left, right, groups = make_pair(seed=seed, num_groups=10)
    test = evaluation.paired_test(make_results(left, groups=groups), make_results(right, groups=groups))
    totals = [np.bincount(groups, each) for each in (left, right)]
    expected = stats.permutation_test(
        totals, lambda a, b: (a - b).sum(), permutation_type="samples", n_resamples=np.inf, alternative="two-sided"
    )
    assert test.p_value == pytest.approx(min(1.0, expected.pvalue))


def test_many_groups_are_counted_exactly():
    """600 groups, each a step of one: the binomial's own p-value, which no sample of swaps could reach."""
    gained = np.repeat([1, -1, 0], [400, 100, 100])
    assert comparison._flip_signs(gained) == pytest.approx(stats.binomtest(400, 500).pvalue, rel=1e-6)


def test_siblings_do_not_make_a_difference_surer():
    """Four groups of ten videos won: one chance in eight."""
    groups = np.repeat(np.arange(4), 10)
    test = evaluation.paired_test(make_results(groups >= 0, groups=groups), make_results(groups < 0, groups=groups))
    assert test.p_value == 2 / 2**4 and test.mcnemar_p_value is None  # McNemar's test would count forty


def test_groups_that_span_classes_are_swapped_whole():
    labels, people = np.tile([0, 1, 2], 5), np.repeat(np.arange(5), 3)
    videos = pd.DataFrame({"name": [f"v{i}" for i in range(15)], "label": labels, "group": people})
    p_values = []
    for span in (True, False):
        videos.attrs["groups_span_classes"] = span
        pair = [
            evaluation.evaluate(4.0 * np.eye(3)[each][:, None], np.arange(15), videos, classes=CLASSES)
            for each in (labels, (labels + 1) % 3)
        ]
        assert [results.num_groups for results in pair] == [5 if span else 15] * 2
        p_values.append(evaluation.paired_test(*pair).p_value)
    assert p_values == [2 / 2**5, 2 / 2**15]


def test_p_values_are_uniform_where_two_models_are_alike():
    rng, p_values, groups = np.random.default_rng(3), [], np.repeat(np.arange(20), 5)
    for _ in range(400):
        shared = rng.random(20)[groups]  # some groups are easy for both
        gained = (rng.random(100) < shared).astype(int) - (rng.random(100) < shared)
        p_values.append(comparison._flip_signs(np.bincount(groups, gained).astype(int)))
    assert 0.02 <= np.mean(np.array(p_values) <= 0.05) <= 0.06


def test_interval_of_the_difference_is_that_of_the_paired_groups():
    left, right, groups = make_pair(num_groups=40, clips=1)
    left, right, groups = (np.repeat(each, 4) for each in (left, right, groups))  # siblings agree
    found = evaluation.paired_test(make_results(left, groups=groups), make_results(right, groups=groups)).difference
    gained = np.bincount(groups, left.astype(float) - right) / 4
    expected = stats.t.ppf(0.975, 39) * np.sqrt(gained.var(ddof=1) / 40 + 2 / 40**2)
    assert found.value == pytest.approx(gained.mean())
    assert (found.low, found.high) == pytest.approx((found.value - expected, found.value + expected))


def test_models_that_never_differ_still_have_an_interval():
    same = make_results([1, 1, 0] * 10)
    test = evaluation.paired_test(same, same)
    assert test.p_value == test.mcnemar_p_value == 1.0
    assert test.difference.high == -test.difference.low == pytest.approx(stats.t.ppf(0.975, 29) * np.sqrt(2) / 30)
    worse = evaluation.paired_test(make_results([0] * 30), make_results([1] * 30)).difference
    assert worse.value == worse.low == -1 and worse.high == pytest.approx(test.difference.high - 1)


def test_groups_that_agree_give_an_interval_that_agrees_with_the_p_value():
    """Seven people, each with 4 of 14 videos gained: far from 0, as the permutation test says, and not a point."""
    gained, people = np.tile([1] * 4 + [0] * 10, 7), np.repeat(np.arange(7), 14)
    found = interval_of_difference(gained, people)
    assert found.value == pytest.approx(2 / 7) and comparison._flip_signs(np.full(7, 4)) == 2 / 2**7
    reach = (7 * 2 / 7 + 1) / (7 + 1)
    assert found.high - found.value == pytest.approx(stats.t.ppf(0.975, 6) * np.sqrt(2) * reach / 7)
    assert 0.05 < found.low < 0.2 and (found.value - found.low) == pytest.approx(found.high - found.value)
    turned = interval_of_difference(-gained, people)
    assert (turned.low, turned.high) == pytest.approx((-found.high, -found.low))


def test_one_video_that_differs_does_not_narrow_the_interval_much():
    groups = np.repeat(np.arange(49), 5)
    none, one = (interval_of_difference(np.arange(245) < number, groups) for number in (0, 1))
    assert 0.6 * none.high < one.high - one.value < none.high


def test_differences_are_taken_within_classes():
    """The first gains all of one class and none of the other: no chance, as the official list fixes their sizes."""
    gained, groups, labels = np.repeat([1, 0], 40), np.arange(80), np.repeat([0, 1], 40)
    within, together = interval_of_difference(gained, groups, labels), interval_of_difference(gained, groups)
    assert within.high - within.value == pytest.approx(stats.t.ppf(0.975, 78) * np.sqrt(2) / 80)
    assert together.high - together.value > 2 * (within.high - within.value)


def test_the_difference_s_interval_is_student_s_t_for_many_groups_that_differ():
    rng, groups = np.random.default_rng(2), np.repeat(np.arange(400), 3)
    gained = rng.integers(-1, 2, 1200)
    found, means = interval_of_difference(gained, groups), gained.reshape(-1, 3).mean(axis=1)
    low, high = stats.ttest_1samp(means, 0).confidence_interval()
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.002)


def draw_gains(rng, *, groups, videos, gain, loss, likeness):
    """What two models differ in; the nearer likeness is to 1, the more do a group's videos go together."""
    shares = rng.dirichlet(np.array([gain, loss, 1 - gain - loss]) * (1 - likeness) / likeness, size=groups)
    drawn = rng.random((groups, videos, 1)) > shares[:, None].cumsum(axis=2)[:, :, :2]
    return np.array([1, -1, 0])[drawn.sum(axis=2).ravel()], np.repeat(np.arange(groups), videos)


@pytest.mark.parametrize(
    "truth",
    [
        dict(groups=49, videos=5, gain=0.1, loss=0.05, likeness=0.5),  # as UCF-101's seven classes have
        dict(groups=42, videos=2, gain=0.06, loss=1e-6, likeness=0.8),  # few groups differ, but whole
        dict(groups=49, videos=5, gain=0.02, loss=0.02, likeness=0.9),  # no difference
        dict(groups=7, videos=14, gain=0.3, loss=0.05, likeness=0.3),  # seven people in all classes
        dict(groups=7, videos=14, gain=0.05, loss=1e-6, likeness=0.5),
        dict(groups=98, videos=1, gain=0.1, loss=0.05, likeness=0.5),
    ],
)
def test_the_interval_of_a_difference_covers_the_truth_as_often_as_it_says(truth):
    rng, covered = np.random.default_rng(0), 0
    for _ in range(400):
        gained, groups = draw_gains(rng, **truth)
        found = interval_of_difference(gained, groups, None if truth["groups"] == 7 else groups % 7)
        covered += found.low <= truth["gain"] - truth["loss"] <= found.high
    assert covered / 400 >= 0.93


def test_videos_are_matched_by_name():
    labels = [0, 1, 2]
    first, second = make_results([1, 1, 0], labels), make_results([0, 1, 1], labels)
    turned = evaluation.Results.from_json(second.to_json())
    turned = replace(turned, predictions=turned.predictions.sort_values("name", ascending=False, ignore_index=True))
    assert evaluation.paired_test(first, turned) == evaluation.paired_test(first, second)
    with pytest.raises(ValueError, match=r"3 and 2 videos, 1 of them in only one"):
        evaluation.paired_test(first, make_results([1, 1], labels[:2]))


def test_p_values_print_as_papers_do():
    assert [evaluation.format_p(p) for p in (7.5e-09, 0.00099, 0.001, 0.0156, 1.0)] == [
        "p < 0.001",
        "p < 0.001",
        "p = 0.001",
        "p = 0.016",
        "p = 1",
    ]
    accuracy = evaluation.Accuracy(0.0714, -0.023, 0.119, 98)
    assert str(comparison.PairedTest(accuracy, 0.0156, 0.01, 70, 10, 3, 15)) == (
        "+7.1 points (-2.3 to +11.9), p = 0.016"
    )


def test_compare_puts_models_in_one_table():
    labels = [0, 1] * 6
    table = evaluation.compare(
        {
            "average": make_results([1, 0] * 6, labels),
            "LRCN": make_results([1] * 12, labels),
            "reverse": make_results([0, 1] * 6, labels),
            "small": make_results([1], [0]),
        }
    )
    assert table.index.tolist() == ["average", "LRCN", "reverse", "small"]
    assert table["video accuracy"].str.startswith(("50.0 %", "100.0 %", "50.0 %", "100.0 %")).all()
    assert table["against the first"].tolist() == ["–", "p = 0.031", "p = 1", "other videos"]
    assert table["videos"].tolist() == table["groups"].tolist() == [12, 12, 12, 1]


def test_controls_stand_beside_the_ordered_frames():
    labels = [1, 1, 0, 0]
    shuffled = replace(make_results([1, 1, 1, 0], labels), control="shuffled")
    first = replace(make_results([1, 0, 0, 0], labels), control="first")
    first = replace(first, predictions=first.predictions.sort_values("name", ascending=False, ignore_index=True))
    table = evaluation.compare_controls(make_results([1] * 4, labels), shuffled, first)
    assert table.index.tolist() == ["Jump", "Run", "all"]  # the third class has no videos
    assert table["videos"].tolist() == [2, 2, 4] and table.columns.tolist()[1:] == ["ordered", "shuffled", "first"]
    assert table["ordered"].tolist() == [1, 1, 1] and table["shuffled"].tolist() == [0.5, 1, 0.75]
    assert table["first"].tolist() == [0, 0.5, 0.25]


def test_tables_tell_leakage_where_there_is_some():
    seen, clean = replace(make_results([1, 0]), leakage=("Run g03", "Sit g01")), make_results([1, 1])
    assert evaluation.compare({"seen": seen, "clean": clean})["leakage"].tolist() == [2, 0]
    assert evaluation.average_splits({"split 1": clean, "split 2": seen})["leakage"].tolist() == ["0", "2", "–"]
    for table in (evaluation.compare({"clean": clean}), evaluation.average_splits({"split 1": clean})):
        assert "leakage" not in table


def test_the_mean_of_splits_is_told_without_an_interval():
    table = evaluation.average_splits({"split 1": make_results([1, 1, 0, 0]), "split 2": make_results([1, 1, 1, 0])})
    assert table["video accuracy"].str.split(" ").str[0].tolist() == ["50.0", "75.0", "62.5"]


def test_controls_and_leakage_are_kept_and_told():
    results = replace(make_results([1, 0]), control="reversed", leakage=("Run g03", "Sit g01"))
    again = evaluation.Results.from_json(results.to_json())
    assert (again.control, again.leakage) == (results.control, results.leakage)
    for text in (repr(again), again._repr_html_()):
        assert "control: reversed" in text and "LEAKAGE: seen in training: Run g03, Sit g01" in text
    assert "LEAKAGE" not in repr(make_results([1]))


def test_top_five_where_there_are_more_than_ten_classes():
    """Every video's five most probable classes are the first five of twelve, and each class has one video."""
    classes, labels = tuple(f"c{number:02d}" for number in range(12)), np.arange(12)
    videos = pd.DataFrame({"name": classes, "label": labels, "group": labels})
    logits = np.tile(-np.arange(12.0), (12, 1, 1))
    found = evaluation.evaluate(logits, labels, videos, classes=classes)
    assert (found.top5.value, found.top5.count) == (pytest.approx(5 / 12), 12)
    assert found.to_json()["top5_accuracy"]["value"] == found.top5.value and "video, top 5" in repr(found)
    few = make_results([1, 0])
    assert few.top5 is None is few.to_json()["top5_accuracy"] and "top 5" not in repr(few)
