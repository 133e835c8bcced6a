"""A model over the time of a video: which frames it is given, what it predicts at each step and for the whole."""

import numpy as np
import pytest
from photometer import CLASSES, Photometer, film_of

from actlib.evaluation import apply_temperature, pool_clips, softmax
from actlib.specs import READOUTS
from actlib.timeline import (
    FusedModel,
    WindowConfig,
    find_segments,
    measure_delays,
    predict_timeline,
    smooth,
)
from actlib.video import open_video, sample_uniform


def test_a_window_as_long_as_the_video_takes_the_frames_of_training(tmp_path):
    path = film_of(tmp_path / "film.mp4", *range(30, 230, 10), length=2)
    model = Photometer()
    timeline = predict_timeline(open_video(path), model)
    levels = [30 + 10 * (index // 2) for index in sample_uniform(40, 4)]
    assert np.abs(model.clips[0].mean(axis=(0, 2, 3, 4)) - levels).max() < 3
    assert timeline.seconds == pytest.approx([0.2, 0.6, 1.0, 1.4])


@pytest.mark.parametrize("kind", ["frames", "lrcn"])
@pytest.mark.parametrize("num_steps", [1, 3, 4, 5, 6, 9, 16])
def test_every_step_is_predicted_once_and_from_its_own_frame(tmp_path, kind, num_steps):
    levels = tuple(range(30, 30 + 10 * num_steps, 10))
    path = film_of(tmp_path / "film.mp4", *levels, length=5)
    model = Photometer(kind, levels=levels, classes=tuple(map(str, levels)))
    timeline = predict_timeline(path, model, window=WindowConfig(window_seconds=0.8))  # 4 steps of 5 frames
    assert timeline.probabilities.argmax(axis=1).tolist() == list(range(num_steps))
    assert np.allclose(timeline.probabilities.sum(axis=1), 1, atol=1e-5)
    assert timeline.seconds == pytest.approx(0.1 + 0.2 * np.arange(num_steps))
    assert timeline.classes == model.classes


def test_windows_of_an_lrcn_overlap_by_half_and_end_with_the_video(tmp_path):
    path = film_of(tmp_path / "film.mp4", 40, 60, 80, 100, 120, 140, 160, length=5)
    model = Photometer("lrcn")
    predict_timeline(path, model, window=WindowConfig(window_seconds=0.8))
    levels = [np.rint(clip.mean(axis=(0, 2, 3, 4)) / 20).astype(int).tolist() for clip in model.clips]
    assert levels == [[2, 3, 4, 5], [4, 5, 6, 7], [5, 6, 7, 8]]


def test_a_model_is_given_the_time_of_its_training_and_8_seconds_at_most(tmp_path):
    model = Photometer()
    path = film_of(tmp_path / "long.mp4", 40, size=(16, 16), fps=5, length=50)  # 10 seconds
    assert np.diff(predict_timeline(path, model).seconds) == pytest.approx(2)  # 4 steps in 8 seconds
    model.window_seconds = 4.0
    assert np.diff(predict_timeline(path, model).seconds) == pytest.approx(1)
    assert np.diff(predict_timeline(path, model, window=WindowConfig(2.0)).seconds) == pytest.approx(0.5)


def test_the_readout_mean_is_the_mean_so_far(tmp_path):
    path = film_of(tmp_path / "film.mp4", 40, 220, length=10)
    model = Photometer("lrcn", sharpness=0.01, readout="mean")
    rows = predict_timeline(path, model).probabilities
    logits = model(model.clips[0])[0]
    assert rows == pytest.approx(np.stack([softmax(logits[: stop + 1].mean(axis=0)) for stop in range(4)]), abs=1e-6)


@pytest.mark.parametrize("readout", READOUTS)
def test_the_whole_video_is_pooled_by_the_models_readout(tmp_path, readout):
    """As `evaluate` pools the windows of a video; steps, their order and smoothing matter to "last" and "steps"."""
    path = film_of(tmp_path / "film.mp4", 40, 90, 160, 220, 128, 60, length=5)
    model = Photometer("lrcn", sharpness=0.05, readout=readout)
    window = WindowConfig(window_seconds=0.8, smoothing_seconds=0.5, temperature=2.0)
    pooled = predict_timeline(path, model, window=window).pooled
    logits = np.concatenate([model(clip) for clip in list(model.clips)])
    assert logits.shape == (2, 4, 3)
    expected = apply_temperature(pool_clips(logits, readout).mean(axis=0), 2.0)
    assert pooled == pytest.approx(expected, abs=1e-6)


def test_two_models_answer_together(tmp_path):
    """At every moment, the weighted mean of what each has said last; for the whole, of what each says of the whole."""
    path = film_of(tmp_path / "film.mp4", 40, 90, 160, 220, length=5)
    one, other = Photometer(sharpness=0.05), Photometer("lrcn", sharpness=0.02)
    other.num_frames = 8
    window = WindowConfig(window_seconds=0.8)
    first, second = (predict_timeline(path, model, window=window) for model in (one, other))
    fused = predict_timeline(path, FusedModel((one, other), (1, 3)), window=window)
    assert fused.seconds == pytest.approx(np.union1d(first.seconds, second.seconds))
    assert len(fused.seconds) == 12 and fused.classes == CLASSES
    for seconds, row in zip(fused.seconds, fused.probabilities, strict=True):
        last = [each.probabilities[max(0, (each.seconds <= seconds).sum() - 1)] for each in (first, second)]
        assert row == pytest.approx(0.25 * last[0] + 0.75 * last[1], abs=1e-6)
    assert fused.pooled == pytest.approx(0.25 * first.pooled + 0.75 * second.pooled, abs=1e-6)
    alone = predict_timeline(path, FusedModel((one, one), (0, 2)), window=window)
    assert (alone.seconds == first.seconds).all() and (alone.probabilities == first.probabilities).all()


def test_models_of_other_classes_do_not_answer_together():
    other = Photometer(classes=("Grey", "Dark", "Bright"))
    with pytest.raises(ValueError, match="the same classes. Received: .* and .*Train them on the same videos"):
        FusedModel((Photometer(), other))
    with pytest.raises(ValueError, match="Expected weights from 0"):
        FusedModel((Photometer(), Photometer()), (1, -1))


def test_logits_of_another_shape_are_refused(tmp_path):
    model = Photometer()
    model.num_frames = 5
    path = film_of(tmp_path / "film.mp4", 40)
    model.classes = (*CLASSES, "Blue")
    with pytest.raises(ValueError, match=r"Expected logits \(1, 5, 4\) \(1, T, K\). Received: \(1, 5, 3\)"):
        predict_timeline(path, model)


def test_logits_are_divided_by_the_temperature(tmp_path):
    path, model = film_of(tmp_path / "film.mp4", 90), Photometer()  # between dark and grey
    rows = predict_timeline(path, model, window=WindowConfig(temperature=50.0)).probabilities
    assert rows == pytest.approx(softmax(model(model.clips[0])[0] / 50), abs=1e-6)


def test_steps_and_the_whole_have_the_temperatures_of_the_models_card(tmp_path):
    path, model = film_of(tmp_path / "film.mp4", 90), Photometer("lrcn", readout="mean", sharpness=0.05)
    plain = predict_timeline(path, model, window=WindowConfig(temperature=1.0))
    model.temperatures = {"step": 3.0, "video": 0.5}
    found = predict_timeline(path, model)
    assert found.probabilities == pytest.approx(apply_temperature(plain.probabilities, 3.0), abs=1e-6)
    assert found.pooled == pytest.approx(apply_temperature(plain.pooled, 0.5), abs=1e-6)
    assert predict_timeline(path, model, window=WindowConfig(temperature=1.0)).pooled == pytest.approx(plain.pooled)


def test_each_window_has_its_score_and_the_whole_their_mean(tmp_path):
    path, model = film_of(tmp_path / "film.mp4", 40, 220), Photometer()
    assert predict_timeline(path, model).score == np.inf
    model.score = lambda clips: clips.mean(axis=(1, 2, 3, 4)) - 128
    timeline = predict_timeline(path, model, window=WindowConfig(window_seconds=1.0))
    assert timeline.scores == pytest.approx(4 * [-88] + 4 * [92], abs=3)
    assert timeline.score == pytest.approx(0, abs=2)
    model.kind = "lrcn"  # whose windows overlap by half: one score a step, all the same
    overlapping = predict_timeline(path, model, window=WindowConfig(window_seconds=1.0))
    assert len(overlapping.scores) == len(overlapping.seconds) and overlapping.scores[-1] == pytest.approx(92, abs=3)
    model.kind = "frames"
    other = Photometer()
    fused = predict_timeline(path, FusedModel((other, model)), window=WindowConfig(window_seconds=1.0))
    assert fused.score == pytest.approx(0, abs=2)  # a video is known if it is to every model


def test_smoothing_is_exponential(tmp_path):
    rows = [np.array([1.0, 0.0])] + [np.array([0.0, 1.0])] * 8
    smoothed = np.array(list(smooth(rows, 3.0)))
    assert smoothed[:, 0] == pytest.approx(np.exp(-np.arange(9) / 3.0))
    assert np.array_equal(list(smooth(rows, 0)), rows)
    # a clean change is followed once ln 2 = 0.69 time constants have passed
    assert (smoothed[:, 1] > 0.5).argmax() == int(np.ceil(3 * np.log(2)))
    path = film_of(tmp_path / "film.mp4", 40, 220, length=10)
    plain, slow = (predict_timeline(path, Photometer(), window=WindowConfig(0.8, c)).probabilities for c in (0, 0.6))
    assert slow == pytest.approx(np.array(list(smooth(plain, 3.0))))  # 0.6 s are 3 steps of 0.2 s


def test_segments_lie_end_to_end():
    segments = find_segments("aabccc")
    assert [(part.start, part.stop, part.label) for part in segments] == [(0, 2, "a"), (2, 3, "b"), (3, 6, "c")]
    assert find_segments([]) == []


def test_delays():
    predicted = find_segments("aaaaabaabbbbcccc")
    truth = find_segments("aaabbbbbbbcccddd")
    table = measure_delays(predicted, truth, fps=10)
    assert table.columns.tolist() == ["frame", "seconds", "label", "delay_frames", "delay_seconds"]
    assert table["frame"].tolist() == [3, 10, 13] and table["label"].tolist() == list("bcd")
    assert table["seconds"].tolist() == [0.3, 1.0, 1.3]
    assert table["delay_frames"].tolist() == pytest.approx([2, 2, np.nan], nan_ok=True)
    assert table["delay_seconds"].tolist()[:2] == [0.2, 0.2]
    for early in ("aabb", "abbb"):
        assert measure_delays(find_segments(early), find_segments("aabb"), fps=5)["delay_frames"].tolist() == [0]
    too_late = measure_delays(find_segments("aaaabb"), find_segments("aabbaa"), fps=5)
    assert too_late["delay_frames"].isna().tolist() == [True, True]
    assert measure_delays(find_segments("aabb"), find_segments("aaaa"), fps=5).empty
