"""Fusion: what is averaged, with which weights, what is refused, and the command that does it."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from bright_and_dark import write_data, write_split
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax
from typer.testing import CliRunner

from actlib import __main__ as command_line
from actlib import evaluation, experiment, plots
from actlib.evaluation import Results, choose_fusion_weights, evaluate, fuse, softmax
from actlib.experiment import running

CLASSES = ("a", "b", "c")


def make_results(probabilities, *, names=None, classes=CLASSES, labels=None):
    """The results of a model that gives videos these probabilities, two equal clips each; labels go round."""
    count = len(probabilities)
    labels = np.arange(count) % len(classes) if labels is None else labels
    names = [f"v{number}" for number in range(count)] if names is None else names
    videos = pd.DataFrame({"name": names, "label": labels, "group": np.arange(count) // 3})
    logits = np.log(np.maximum(np.repeat(probabilities, 2, axis=0), 1e-12))[:, None]
    return evaluate(logits, np.repeat(np.arange(count), 2), videos, classes=classes)


def draw(seed, count=12):
    return np.random.default_rng(seed).dirichlet(np.ones(3), count)


@settings(max_examples=20, deadline=None)
@given(st.floats(0, 9), st.floats(0.125, 9), st.integers(0, 99))
def test_probabilities_are_averaged_with_their_weights(left, right, seed):
    first, second = draw(seed), draw(seed + 100)
    one, other = make_results(first), make_results(second)
    fused = fuse(one, other, (left, right))
    expected = (left * first + right * second) / (left + right)
    np.testing.assert_allclose(fused.probabilities, expected, atol=1e-5)
    np.testing.assert_allclose(fuse(one, other, (3 * left, 3 * right)).probabilities, fused.probabilities, atol=1e-5)
    np.testing.assert_allclose(fuse(other, one, (right, left)).probabilities, fused.probabilities, atol=1e-5)
    assert fused.video.value == np.mean(fused.probabilities.argmax(1) == np.arange(12) % 3)
    assert fused.video.low <= fused.video.value <= fused.video.high and fused.confusion.sum() == 12


def test_one_stream_alone_is_itself_with_its_interval():
    one, other = make_results(draw(0, 30)), make_results(draw(1, 30))
    for fused, single in ((fuse(one, other, (1, 0)), one), (fuse(one, other, (0, 2)), other)):
        assert fused.video.value == single.video.value and (fused.confusion == single.confusion).all()
        assert evaluation.paired_test(fused, single).difference.value == 0
    assert fuse(one, other).readout == "fused 0.50 to 0.50"
    assert fuse(one, other, (1, 0)).video == evaluate_again(one)


def evaluate_again(results):
    """The video accuracy with as many draws as fusion takes."""
    correct = results.predictions["correct"].to_numpy()
    return evaluation.bootstrap_groups(correct, results.groups, results.predictions["label"])


def test_videos_are_matched_by_name():
    one, probabilities = make_results(draw(0)), draw(1)
    order = np.random.default_rng(3).permutation(12)
    straight = fuse(one, make_results(probabilities))
    names = [f"v{number}" for number in order]
    mixed = fuse(one, make_results(probabilities[order], names=names, labels=order % 3))
    np.testing.assert_allclose(mixed.probabilities, straight.probabilities, atol=1e-6)
    assert (mixed.predictions["name"] == one.predictions["name"]).all()


@pytest.mark.parametrize("other", [
    make_results(draw(1, 9)),
    make_results(draw(1, 15)),
    make_results(draw(1), names=[f"w{number}" for number in range(12)]),
    make_results(draw(1), classes=("a", "c", "b")),
], ids=["fewer", "more", "others", "classes"])  # fmt: skip
def test_what_does_not_belong_together_is_refused(other):
    with pytest.raises(ValueError, match="Expected the same videos and classes"):
        fuse(make_results(draw(0)), other)


@pytest.mark.parametrize("weights", [(0, 0), (-1, 2), (2, -1), (1, np.inf), (np.nan, 1), (1, np.nan)])
def test_weights_are_from_0(weights):
    with pytest.raises(ValueError, match="Expected weights from 0"):
        fuse(make_results(draw(0)), make_results(draw(1)), weights)


@settings(max_examples=20, deadline=None)
@given(st.floats(0, 9), st.floats(0.125, 9), st.integers(0, 99))
def test_logits_are_averaged_with_their_weights(left, right, seed):
    first, second = draw(seed), draw(seed + 100)
    one, other = make_results(first), make_results(second)
    fused = fuse(one, other, (left, right), logits=True)
    share = left / (left + right)
    product = np.maximum(first, 1e-12) ** share * np.maximum(second, 1e-12) ** (1 - share)
    np.testing.assert_allclose(fused.probabilities, product / product.sum(axis=1, keepdims=True), atol=1e-5)
    assert fused.readout.endswith(", logits")
    np.testing.assert_allclose(fuse(one, other, (1, 0), logits=True).probabilities, first, atol=1e-5)


def test_of_probabilities_and_logits_the_surer_model_wins_in_logits():
    sure, unsure = make_results([[1e-9, 1.0, 0.0]]), make_results([[0.8, 0.1, 0.1]])
    assert fuse(sure, unsure, (1, 2)).predictions.predicted.tolist() == [0]
    assert fuse(sure, unsure, (1, 2), logits=True).predictions.predicted.tolist() == [1]


def test_weights_are_those_with_which_the_right_classes_are_likeliest():
    labels = np.arange(12) % 3
    right, wrong = np.full((12, 3), 0.05), np.full((12, 3), 0.3)
    right[np.arange(12), labels] = 0.9
    wrong[np.arange(12), (labels + 1) % 3] = 0.4
    good, bad = make_results(right), make_results(wrong)
    assert choose_fusion_weights(good, bad) == (1, 0) and choose_fusion_weights(bad, good) == (0, 1)
    half, rest = right.copy(), right.copy()  # each sure of one half, and mildly wrong about the other
    half[6:], rest[:6] = np.roll(right[6:], 1, axis=1) * 0.5 + 1 / 6, np.roll(right[:6], 1, axis=1) * 0.5 + 1 / 6
    assert choose_fusion_weights(make_results(half), make_results(rest)) == (0.5, 0.5)


def test_fused_results_are_shown_compared_drawn_and_kept():
    one, other = make_results(draw(0)), make_results(draw(1))
    fused = fuse(one, other)
    assert "12 videos" in repr(fused) and "clips" not in repr(fused) and "clips" in repr(one)
    table = evaluation.compare({"rgb": one, "flow": other, "fused": fused})
    assert table.loc["fused", "clip accuracy"] == "–" and table.loc["fused", "video accuracy"] == str(fused.video)
    for results in ({"rgb": one, "fused": fused}, {"fused": fused, "flow": other}):
        assert plots.plot_comparison(results).encode()
    read = Results.from_json(json.loads(json.dumps(fused.to_json())))
    assert read.frame is None and read.video == fused.video and (read.confusion == fused.confusion).all()


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = write_data(tmp_path_factory.mktemp("data"))
    write_split(folder, 2, tested=(4, 5, 6))
    return folder


def call(*words):
    return CliRunner().invoke(command_line.app, [str(word) for word in words])


def test_two_runs_are_fused_on_the_command_line(data, tmp_path, monkeypatch):
    monkeypatch.setenv("ACTLIB_CACHE", str(tmp_path / "cache"))
    train = ("train", "--data", data, "--weights", "none", "--epochs", 1, "--preset", "slim_frames")
    runs = {"rgb": ["--stream", "rgb"], "flow": ["--stream", "flow"], "other split": ["--split", 2]}
    runs |= {"other groups": ["--split-seed", 2], "other classes": ["--classes", "Dark,Bright"]}
    for name, options in runs.items():
        assert call(*train, *options, "--out", tmp_path / name).exit_code == 0
    rgb, flow = tmp_path / "rgb", tmp_path / "flow"
    fuse_words = ("fuse", "--data", data, "--runs", rgb)
    done = call(*fuse_words, flow, "--weights", 1, 3, "--choose-on", "validation")
    assert done.exit_code == 0, done.output
    for words in (
        f"rgb, {rgb}",
        f"flow, {flow}",
        "fused 1 to 1",
        "fused 1 to 2",
        "fused 1 to 3",
        "chosen on validation",
    ):
        assert words in done.output
    record = json.loads((flow / "fused" / "results.json").read_text())
    wrong = record["video_accuracy"]["value"] < 1
    assert ("true_class" in done.output) == wrong and ("No video is wrong" in done.output) != wrong
    assert "Empty" not in done.output
    assert record["video_accuracy"]["count"] == 6 and record["clip_accuracy"] is None
    assert [each["experiment"]["stream"] for each in record["fused"]] == ["rgb", "flow"]
    validation = [running._evaluate_validation(run, data) for run in (rgb, flow)]
    chosen = choose_fusion_weights(*validation)
    assert "fused {:g} to {:g} (logits), chosen".format(*chosen) in done.output
    assert not {*validation[0].predictions["group"]} & {1, 2, 3}
    test = [experiment.evaluate_checkpoint(run, data)[0] for run in (rgb, flow)]
    expected = fuse(*test, chosen, logits=True).probabilities
    np.testing.assert_allclose(Results.from_json(record).probabilities, expected, atol=2e-5)
    for name in ("other split", "other classes"):
        refused = call(*fuse_words, tmp_path / name)
        assert refused.exit_code == 1 and "ValueError: Expected the same videos and classes" in refused.output
    other = call(*fuse_words, tmp_path / "other groups", "--out", tmp_path)
    assert other.exit_code == 0 and (tmp_path / "results.json").exists()
    assert call(*fuse_words, tmp_path / "other groups", "--choose-on", "validation").exit_code == 1
    held_out_none = [*train, "--stream", "flow", "--validation-groups", 0, "--out", tmp_path / "all"]
    assert call(*held_out_none).exit_code == 0
    refused = call(*fuse_words, tmp_path / "all", "--choose-on", "validation")
    assert refused.exit_code == 1 and "ValueError: Expected validation videos" in refused.output


def test_what_either_model_has_seen_stands_in_the_fused_results():
    first, second = (replace(make_results(draw(seed)), leakage=seen) for seed, seen in ((1, ("a", "b")), (2, ("c",))))
    assert sorted(fuse(first, second).leakage) == sorted(fuse(second, first).leakage) == ["a", "b", "c"]


def test_weights_with_which_all_are_correct_are_told_apart():
    """Both know every video; the second is sure of it, the first as sure as if it guessed among two."""
    labels = np.arange(60) % 3
    unsure, sure = np.full((60, 3), 1e-6), np.full((60, 3), 0.1)
    unsure[np.arange(60), labels], unsure[np.arange(60), (labels + np.arange(60) % 2 + 1) % 3] = 0.51, 0.49
    sure[np.arange(60), labels] = 0.8
    first, second = make_results(unsure), make_results(sure)
    assert first.video.value == second.video.value == 1
    assert choose_fusion_weights(first, second) == (0, 1) and choose_fusion_weights(second, first) == (1, 0)


@pytest.mark.parametrize("seed", range(3))
def test_weights_are_found_by_trying_all_of_them_at_many_temperatures(seed):
    rng, labels, steps = np.random.default_rng(seed), np.arange(90) % 3, np.linspace(0, 1, 21)
    logits = [np.eye(3)[labels] * clear + noise * rng.normal(size=(90, 3)) for clear, noise in ((6, 3), (1, 0.5))]

    def loss(weight):
        mean = weight * log_softmax(logits[0], axis=1) + (1 - weight) * log_softmax(logits[1], axis=1)
        tried = (log_softmax(mean / each, axis=1)[np.arange(90), labels] for each in np.geomspace(0.05, 5, 400))
        return min(-each.mean() for each in tried)

    first, second = (make_results(softmax(each), labels=labels) for each in logits)
    weight, rest = choose_fusion_weights(first, second)
    assert weight == pytest.approx(steps[np.argmin([loss(each) for each in steps])])  # of probabilities, 0.05 more
    assert weight + rest == pytest.approx(1)
