"""Known classes against others: scores of classes drawn as Gaussians, thresholds that keep what they say, cards."""

import base64
import json
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.spatial.distance import mahalanobis
from sklearn.metrics import roc_auc_score

from actlib.evaluation import Accuracy, KnownClasses, bootstrap_groups, choose_threshold, fit_known, open_set

CENTRES = np.random.default_rng(0).gamma(2.0, size=(8, 12))


def draw(classes, *, groups=10, videos=3, seed=0):
    """Videos of some classes, in groups that are alike: features (n, 4, 12) from 0, labels and groups."""
    rng, labels = np.random.default_rng(seed), np.repeat(classes, groups * videos)
    numbers = np.repeat(np.arange(len(classes) * groups), videos)
    alike = rng.normal(0, 0.25, (numbers.max() + 1, 12))[numbers] + rng.normal(0, 0.2, (len(labels), 12))
    frames = CENTRES[labels][:, None] + alike[:, None] + rng.normal(0, 0.1, (len(labels), 4, 12))
    return np.maximum(frames, 0), labels, numbers


def test_a_class_that_was_left_out_is_told_from_the_others():
    areas = []
    for left in range(6):
        train, labels, _ = draw([each for each in range(6) if each != left])
        known, strangers = draw([each for each in range(6) if each != left], seed=1)[0], draw([left], seed=2)[0]
        scores = fit_known(train, labels).score(np.concatenate([known, strangers]))
        areas.append(roc_auc_score(np.repeat([1, 0], [len(known), len(strangers)]), scores))
    assert np.mean(areas) > 0.95


@pytest.mark.parametrize("num_components", [3, 16])
def test_the_score_is_the_relative_mahalanobis_distance(num_components, monkeypatch):
    """By SciPy: the squared distance to all frames, less that to the nearest class; covariances shrunk to a sphere."""
    monkeypatch.setattr(open_set, "NUM_COMPONENTS", num_components)
    train, labels, _ = draw([0, 1, 2])
    frames = open_set._normalize(train)
    means = [frames[labels == number].mean(axis=(0, 1)) for number in range(3)]
    within, total = (frames - np.array(means)[labels][:, None]).reshape(-1, 12), frames.reshape(-1, 12)
    covariances = within.T @ within / len(within), np.cov(total.T, ddof=0)
    largest = [np.linalg.svd(each, hermitian=True)[0][:, :num_components] for each in covariances]  # components
    kept = [axes @ axes.T @ each for axes, each in zip(largest, covariances, strict=True)]
    shrunk = [0.3 * part + 0.7 * np.eye(12) * np.trace(each) / 12 for part, each in zip(kept, covariances, strict=True)]
    inner, outer = map(np.linalg.inv, shrunk)
    video = draw([1], seed=5)[0][:1]
    expected = np.mean([mahalanobis(each, total.mean(axis=0), outer) ** 2 for each in open_set._normalize(video)[0]])
    expected -= min(
        np.mean([mahalanobis(each, mean, inner) ** 2 for each in open_set._normalize(video)[0]]) for mean in means
    )
    assert fit_known(train, labels).score(video)[0] == pytest.approx(expected, abs=0.05)  # float16


def test_scaling_a_frame_changes_nothing():
    train, labels, _ = draw([0, 1, 2])
    frames = draw([0, 4], seed=3)[0]
    scales = np.random.default_rng(0).uniform(0.1, 10, (*frames.shape[:2], 1))
    expected = fit_known(train, labels).score(frames)
    np.testing.assert_allclose(fit_known(3 * train, labels).score(scales * frames), expected, rtol=0.01)


def test_the_threshold_keeps_its_share_of_videos_of_groups_that_were_not_learnt():
    kept, covered = [], 0
    for seed in range(12):
        train, labels, groups = draw([0, 1, 2, 3], seed=seed)
        threshold, share = choose_threshold(fit_known, train, labels, groups)
        new, new_labels, new_groups = draw([0, 1, 2, 3], seed=100 + seed)
        known = fit_known(train, labels).score(new) >= threshold
        kept.append(known.mean())
        interval = bootstrap_groups(known, new_groups, new_labels)
        covered += interval.low <= 0.95 <= interval.high
        assert share.low < 0.95 <= share.value < share.high
    assert 0.92 <= np.mean(kept) <= 0.98 and covered >= 10


def test_the_threshold_is_the_score_of_a_video_that_is_kept():
    features = np.arange(100.0)[:, None, None]
    fit = lambda *_: SimpleNamespace(score=lambda videos: videos[:, 0, 0])  # noqa: E731
    threshold, share = choose_threshold(fit, features, np.zeros(100, int), np.arange(100))
    assert (threshold, share.value, share.count) == (4.0, 0.96, 100)


def test_siblings_are_left_out_together():
    """Of groups of identical videos, whoever sees a sibling finds each too much alike."""
    train, labels, groups = draw([0, 1, 2], videos=1, groups=6)
    train, labels, groups = (np.repeat(each, 4, axis=0) for each in (train, labels, groups))
    together, apart = (choose_threshold(fit_known, train, labels, each)[0] for each in (groups, np.arange(len(labels))))
    assert together < apart


def test_a_card_gives_the_same_answers_and_a_damaged_one_is_refused():
    train, labels, groups = draw([0, 1, 2])
    known, (threshold, kept) = fit_known(train, labels), choose_threshold(fit_known, train, labels, groups)
    known = KnownClasses(known.means, known.directions, known.variances, threshold, kept)
    record = json.loads(json.dumps(known.to_json()))
    again = KnownClasses.from_json(record, 12)
    videos = draw([0, 5], seed=4)[0]
    np.testing.assert_array_equal(again.score(videos), known.score(videos))
    assert (again.threshold, again.kept) == (threshold, kept)
    text, *others = record["float16"]
    infinite = base64.b64encode(np.full((4, 12), np.inf, "<f2").tobytes()).decode()
    for wrong in ("AAAA", "A", f"*{text}", infinite):  # three bytes are no numbers, a letter or a star is no byte
        with pytest.raises(ValueError, match="Expected known classes. Received: .*, in best.safetensors. Make"):
            KnownClasses.from_json(record | {"float16": [wrong, *others]}, 12, "best.safetensors")
    with pytest.raises(ValueError, match=r"shape \(11\), in a card"):
        KnownClasses.from_json(record, 11)


def test_a_reader_is_told_what_calls_a_video_none_of_these():
    kept, explain = Accuracy(0.953, 0.914, 0.981, 64), open_set.explain_rejection
    said = "if its features are unlike those of every class, which keeps about 95.3 % (91.4–98.1) of known videos"
    assert explain(kept) == f"A video is 'none of these' {said}."
    assert explain(kept, 0.5) == f"A video is 'none of these' {said}, or if its highest probability is below 0.5."
    assert "'none of these' if its highest probability is below 0.25." in explain(None, 0.25)
    assert "No video is" in explain(None) and "--threshold" in explain(None)
