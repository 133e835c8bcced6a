"""Accuracies and tables against numbers worked out by hand, and what happens at the edges."""

import json

import numpy as np
import pandas as pd
import pytest

from actlib import evaluation

CLASSES = ("Jump", "Run", "Sit")


def make_videos(labels, groups=None):
    """A table of videos with these labels, each its own group unless told otherwise."""
    groups = range(1, len(labels) + 1) if groups is None else groups
    names = [f"{CLASSES[label]}/v_{CLASSES[label]}_g{i:02d}_c01.avi" for i, label in enumerate(labels)]
    return pd.DataFrame({"name": names, "label": labels, "group": list(groups)})


def evaluate_videos(predicted, labels, *, groups=None, **options):
    """Results of one clip of one step a video, with these predictions."""
    logits = 4 * np.eye(len(CLASSES))[np.asarray(predicted)][:, None]
    return evaluation.evaluate(logits, np.arange(len(labels)), make_videos(labels, groups), classes=CLASSES, **options)


def test_softmax_survives_large_scores_and_keeps_its_argument():
    logits = np.array([[1e4, 0, -1e4], [0, 0, 0]], np.float32)
    kept = logits.copy()
    np.testing.assert_allclose(evaluation.softmax(logits), [[1, 0, 0], [1 / 3, 1 / 3, 1 / 3]], rtol=1e-6)
    np.testing.assert_array_equal(logits, kept)
    assert evaluation.softmax(np.zeros((2, 3), np.float16)).dtype == np.float32
    assert evaluation.softmax([1, 1]).tolist() == [0.5, 0.5]


def test_the_three_readouts_differ_as_defined():
    steps = np.log([[[0.8, 0.2], [0.1, 0.9]]])  # one clip of two steps
    np.testing.assert_allclose(evaluation.pool_clips(steps, "last"), [[0.1, 0.9]])
    np.testing.assert_allclose(evaluation.pool_clips(steps, "steps"), [[0.45, 0.55]])
    geometric = np.sqrt([0.8 * 0.1, 0.2 * 0.9])
    np.testing.assert_allclose(evaluation.pool_clips(steps, "mean"), [geometric / geometric.sum()])
    with pytest.raises(ValueError, match="Received: 'median'"):
        evaluation.pool_clips(steps, "median")


def test_the_papers_protocol_worked_out_by_hand():
    """Two windows of 16 of a video of 20 frames (0..15 and 4..19): mean over steps, then over clips."""
    step = np.where(np.arange(20) < 10, 0.9, 0.2)  # probability of class 0 at each frame
    windows = np.array([np.arange(16), np.arange(4, 20)])
    logits = np.log(np.stack([step, 1 - step], axis=-1))[windows]  # (2, 16, 2)
    video = pd.DataFrame({"name": ["Jump/v_Jump_g01_c01.avi"], "label": [0], "group": [1]})
    results = evaluation.evaluate(logits, np.zeros(2, int), video, classes=("Jump", "Run"), readout="steps")
    first, second = (10 * 0.9 + 6 * 0.2) / 16, (6 * 0.9 + 10 * 0.2) / 16
    np.testing.assert_allclose(results.probabilities, [[(first + second) / 2, 1 - (first + second) / 2]], rtol=1e-6)
    assert results.frame.value == (10 + 6) / 32
    assert results.clip.value == 0.5
    assert results.video.value == 1.0
    assert (results.frame.count, results.clip.count, results.video.count) == (32, 2, 1)


def test_videos_pool_their_own_clips_in_any_order():
    clips = np.array([[0.9, 0.1, 0], [0, 1, 0], [0.1, 0.2, 0.7]])
    np.testing.assert_allclose(evaluation.pool_videos(clips, np.array([1, 0, 1])), [[0, 1, 0], [0.5, 0.15, 0.35]])


def test_a_group_is_of_its_class_unless_groups_span_classes():
    results = evaluate_videos([0, 1, 1, 2], [0, 1, 2, 2], groups=[1, 1, 1, 1])
    assert results.groups.tolist() == [0, 1, 2, 2] and results.num_groups == 3
    videos = make_videos([0, 1, 2, 2], groups=[4, 4, 9, 4])
    videos.attrs["groups_span_classes"] = True
    people = evaluation.evaluate(np.eye(3)[[0, 1, 1, 2]][:, None], np.arange(4), videos, classes=CLASSES)
    assert people.groups.tolist() == [0, 0, 1, 0] and people.num_groups == 2
    again = evaluation.Results.from_json(people.to_json())
    assert again.groups_span_classes and again.groups.tolist() == people.groups.tolist()


def test_the_intervals_of_every_level_are_over_groups_within_classes():
    rng, labels = np.random.default_rng(6), np.repeat([0, 1, 2], 10)
    videos, clip_videos = make_videos(labels, groups=np.tile(np.repeat(np.arange(5), 2), 3)), np.arange(30).repeat(2)
    logits = rng.normal(size=(60, 4, 3)) + np.eye(3)[labels[clip_videos]][:, None]
    results = evaluation.evaluate(logits, clip_videos, videos, classes=CLASSES, readout="steps")
    groups = labels * 10 + videos["group"].to_numpy()
    frames, clips = clip_videos.repeat(4), evaluation.softmax(logits).mean(axis=1).argmax(axis=1)
    for found, correct, rows in (
        (results.frame, logits.argmax(axis=2).ravel() == labels[frames], frames),
        (results.clip, clips == labels[clip_videos], clip_videos),
        (results.video, results.predictions["correct"], np.arange(30)),
    ):
        assert found == evaluation.bootstrap_groups(correct, groups[rows], labels[rows])


def test_confusion_and_per_class_by_hand():
    results = evaluate_videos([0, 0, 1, 0, 0, 2], [0, 0, 0, 1, 2, 2])
    assert results.confusion.tolist() == [[2, 1, 0], [1, 0, 0], [1, 0, 1]]
    assert results.per_class["recall"].tolist() == pytest.approx([2 / 3, 0, 1 / 2])
    assert results.per_class["precision"].tolist() == pytest.approx([2 / 4, 0, 1])
    assert results.per_class["videos"].tolist() == [3, 1, 2]
    assert results.most_confused(2).to_dict("list") == {
        "true_class": ["Run", "Sit"],
        "predicted_class": ["Jump", "Jump"],
        "videos": [1, 1],
        "share": [1.0, 0.5],
    }


def test_class_absent_from_the_test_set_is_nan_not_zero():
    results = evaluate_videos([0, 0, 1], [0, 0, 1])
    assert results.confusion.shape == (3, 3)
    assert results.per_class.loc["Sit", ["precision", "recall", "f1"]].isna().all()
    assert results.per_class.loc["Sit", "videos"] == 0
    assert results.to_json()["per_class"]["Sit"]["recall"] is None
    assert len(results.most_confused()) == 0


def test_ties_go_to_the_lower_label():
    videos = make_videos([0, 1, 2])
    results = evaluation.evaluate(np.zeros((3, 2, 3)), np.arange(3), videos, classes=CLASSES)
    assert results.predictions["predicted"].tolist() == [0, 0, 0]


def test_results_survive_json():
    results = evaluate_videos([0, 0, 1, 2], [0, 1, 1, 2])
    text = json.dumps({**results.to_json(), "seconds": 3.5}, allow_nan=False)
    again = evaluation.Results.from_json(json.loads(text))
    assert (again.frame, again.clip, again.video) == (results.frame, results.clip, results.video)
    assert (again.classes, again.readout, again.num_groups) == (results.classes, results.readout, results.num_groups)
    np.testing.assert_array_equal(again.confusion, results.confusion)
    np.testing.assert_allclose(again.probabilities, results.probabilities, atol=1e-5)
    exact = [column for column in results.predictions if "probabilit" not in column]
    pd.testing.assert_frame_equal(again.predictions[exact], results.predictions[exact])
    pd.testing.assert_frame_equal(again.per_class, results.per_class)
    with pytest.raises(ValueError, match="classes .*required, in a record"):
        evaluation.Results.from_json({key: value for key, value in results.to_json().items() if key != "classes"})


@pytest.mark.parametrize(
    "change",
    [
        {"predicted": [0, 1, 1, 3]},
        {"label": [0, 0, 1]},
        {"probabilities": [[0.5, 0.5]] * 4},
        {"probabilities": [[1.0, 0.0, 0.0]]},
        {"name": [], "label": [], "group": [], "predicted": [], "probabilities": []},
    ],
)
def test_results_that_do_not_fit_together_are_named(change):
    record = evaluate_videos([0, 0, 1, 2], [0, 1, 1, 2]).to_json()
    with pytest.raises(ValueError, match="in results.json"):
        evaluation.Results.from_json(record | {"predictions": record["predictions"] | change}, "results.json")


def test_results_show_themselves():
    results = evaluate_videos([0, 0, 1, 2], [0, 1, 1, 2])
    assert "75.0 %" in str(results) and "4 videos" in str(results) and "over 4 groups" in repr(results)
    assert "<table" in results._repr_html_() and "75.0 %" in results._repr_html_()


def test_scores_that_are_not_numbers_name_the_video():
    logits = np.zeros((3, 2, 3))
    logits[1, 0, 2] = np.nan
    with pytest.raises(ValueError, match=r"in 1 of 3 clips, the first of Run/v_Run_g01_c01\.avi.*learning rate"):
        evaluation.evaluate(logits, np.arange(3), make_videos([0, 1, 2]), classes=CLASSES)


@pytest.mark.parametrize(
    ("logits", "clip_videos", "labels", "message"),
    [
        (np.zeros((3, 3)), [0, 1, 2], [0, 1, 2], r"Received: \(3, 3\).*logits\[:, None\]"),
        (np.zeros((3, 1, 2)), [0, 1, 2], [0, 1, 2], "3 classes"),
        (np.zeros((0, 1, 3)), [], [0], r"Received: \(0, 1, 3\)"),
        (np.zeros((3, 1, 3)), [0, 1], [0, 1], "3 clips of all 2 videos. Received: 2 numbers"),
        (np.zeros((3, 1, 3)), [0, 0, 2], [0, 1, 2], "all 3 videos"),
        (np.zeros((3, 1, 3)), [0, 1, 2], [0, 1], "all 2 videos"),
        (np.zeros((2, 1, 3)), [0, 1], [0, 3], r"labels in 0\.\.2"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(logits, clip_videos, labels, message):
    videos = pd.DataFrame({"name": [f"v{i}" for i in range(len(labels))], "label": labels, "group": 1})
    with pytest.raises(ValueError, match=message):
        evaluation.evaluate(logits, np.array(clip_videos, int), videos, classes=CLASSES)


def test_global_average_pool_keeps_channels():
    features = np.random.default_rng(3).normal(size=(2, 5, 4 * 6 * 3)).astype(np.float16)
    expected = features.reshape(2, 5, 4, 6, 3).astype(np.float32).mean(axis=(2, 3))
    np.testing.assert_allclose(evaluation.global_average_pool(features, (4, 6, 3)), expected, rtol=1e-5, atol=1e-6)


def test_logistic_baseline_learns_and_leaves_unseen_classes_out():
    rng = np.random.default_rng(4)
    centre = np.array([[3, 0], [0, 3], [-3, -3]])
    labels = np.repeat([0, 2], 20)
    train = centre[labels][:, None] + rng.normal(size=(40, 4, 2))
    test = centre[[0, 2, 2]][:, None] + rng.normal(size=(3, 5, 2)) / 4
    logits = evaluation.logistic_baseline(train, labels, test=test, num_classes=3)
    assert logits.shape == (3, 5, 3) and np.isfinite(logits).all()
    results = evaluation.evaluate(logits, np.arange(3), make_videos([0, 2, 2]), classes=CLASSES, readout="steps")
    assert results.frame.value == 1.0 and results.probabilities[:, 1].max() < 1e-6


def test_logistic_baseline_is_not_misled_by_weak_channels():
    rng = np.random.default_rng(5)
    labels = np.tile([0, 1], 100)
    strong = np.eye(2)[labels] + 1  # as in ImageNet's features: a few channels tell, many are small and mostly noise
    clips = np.concatenate([strong, rng.normal(scale=0.01, size=(200, 500))], axis=1)[:, None]  # (N, 1, D)
    clips *= rng.uniform(0.1, 10, size=(200, 1, 1))  # frames differ in scale, which says nothing
    logits = evaluation.logistic_baseline(clips[:100], labels[:100], test=clips[100:], num_classes=2)
    assert (logits[:, 0].argmax(axis=1) == labels[100:]).all()
