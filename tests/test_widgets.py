"""The widgets without a browser: what they answer and refuse, what they leave in a notebook, what they let go of."""

import base64
import gc
import io
import itertools
import re
import shutil
import sys
import weakref
from pathlib import Path

import matplotlib
import nbformat
import numpy as np
import pandas as pd
import pytest
from IPython.core.interactiveshell import InteractiveShell
from nbclient import NotebookClient
from photometer import Photometer, film_of
from PIL import Image
from traitlets import TraitError

import actlib.widgets
from actlib.dataset import list_videos
from actlib.evaluation import evaluate
from actlib.plots.style import CORRECT, CORRECT_ON_DARK, WRONG, WRONG_ON_DARK
from actlib.specs import READOUTS
from actlib.timeline import Timeline, predict_timeline
from actlib.video import make_sampler, read_clip, read_flow, sample_uniform, write_video
from actlib.video.sampling import RANDOM_SAMPLING, SAMPLING
from actlib.widgets import (
    ClipBrowser,
    ClipLabeller,
    ClipPlayer,
    ConfusionExplorer,
    SamplingExplorer,
    TrainingMonitor,
    build_timelines,
)
from actlib.widgets.clips import _choose_lines, _make_verdict
from actlib.widgets.notebook import write_lines
from actlib.widgets.sampling import RULES, STRIDES, _describe_rule, _list_costs

FOLDER = Path(actlib.widgets.__file__).parent
NUM_FRAMES = 24
WIDGETS = (ClipPlayer, ClipBrowser, ClipLabeller, ConfusionExplorer, SamplingExplorer, TrainingMonitor)
CLIPS = np.array([[0, 10, 20], [0, 10, 11]])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two classes, two groups: four short videos as XviD in AVI."""
    root = tmp_path_factory.mktemp("clips")
    for shade, name in enumerate(("Sit", "Stand")):
        for group in (1, 2):
            frames = [np.full((48, 64, 3), 5 * number + 100 * shade, np.uint8) for number in range(NUM_FRAMES)]
            write_video(root / name / f"v_{name}_g0{group}_c01.avi", frames, fps=25, codec="mpeg4")
    return root


@pytest.fixture
def videos(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("ACTLIB_CACHE", str(tmp_path / "cache"))
    return list_videos(folder, progress=False)


@pytest.fixture
def ask():
    """`ask(widget, kind, **detail)` asks as a browser does and gives back (answer, buffers)."""
    numbers = itertools.count()

    def ask_widget(widget, kind, **detail):
        sent = []
        widget.send = lambda content, buffers=None: sent.append((content, buffers))
        message = {"kind": kind, "request": f"{kind}-{next(numbers)}", **detail}
        widget._handle_custom_msg(message, [])
        ((content, buffers),) = sent
        assert content["request"] == message["request"]
        return content, buffers

    return ask_widget


def evaluate_model(videos, shift, seed=0):
    """Results of a made-up model that is wrong where `shift` is 1, and its timelines."""
    rng, classes = np.random.default_rng(seed), videos.attrs["classes"]
    said = np.eye(2)[(videos["label"].to_numpy() + np.array(shift)) % 2]
    logits = rng.random((len(videos), 4, 2)) + 3 * said[:, None]
    results = evaluate(logits, np.arange(len(videos)), videos, classes=classes)
    clips = [(row, np.arange(4)) for row in range(len(videos))]
    return results, build_timelines(logits, clips, videos, classes=classes, readout="mean", num_frames=4)


# What is sent


def test_a_clip_is_sent_as_h264_with_every_frame(videos, ask):
    content, (copy,) = ask(ClipPlayer(videos.iloc[0]), "clip", row=0)
    file = io.BytesIO(copy)
    assert content["clip"]["frames"] == NUM_FRAMES
    assert probe_video_bytes(file) == ("h264", "yuv420p", NUM_FRAMES)
    assert copy.index(b"moov") < copy.index(b"mdat")  # plays before all of it is there


def probe_video_bytes(file):
    import av

    with av.open(file) as container:
        stream = container.streams.video[0]
        return stream.codec_context.name, stream.pix_fmt, sum(1 for _ in container.decode(stream))


def test_a_clip_is_sent_with_its_flow_at_the_right(tmp_path, ask, monkeypatch):
    monkeypatch.setenv("ACTLIB_CACHE", str(tmp_path / "cache"))
    spots = np.random.default_rng(0).integers(0, 256, (8, 11, 3), dtype=np.uint8)
    spots = np.asarray(Image.fromarray(spots).resize((65, 48), Image.Resampling.BICUBIC))
    moving = write_video(tmp_path / "moving.mkv", [np.roll(spots, 2 * n, axis=1) for n in range(9)], fps=30)
    content, (copy,) = ask(ClipPlayer(moving, view="both"), "clip", row=0, flow=True)
    (tmp_path / "copy.mp4").write_bytes(copy)
    clip, pictures = content["clip"], read_clip(tmp_path / "copy.mp4", range(9))
    assert (clip["frames"], clip["width"], clip["height"], clip["fps"], clip["flow"]) == (9, 64, 48, 30, True)
    assert pictures.shape == (9, 48, 128, 3)
    assert np.abs(pictures[:, :, :64] - read_clip(moving, range(9)).astype(int)).mean() < 6
    assert np.abs(pictures[:, :, 64:] - read_flow(moving, range(9)).astype(int)).mean() < 12
    plain, (frames,) = ask(ClipPlayer(moving), "clip", row=0)
    assert plain["clip"]["width"] == 64 and not plain["clip"]["flow"] and len(frames) != len(copy)


def test_clips_that_a_table_of_labels_names_are_sent(videos, tmp_path, ask):
    table = tmp_path / "mine" / "labels.csv"
    table.parent.mkdir()
    table.write_text(
        "\n".join(["path,label,group", *(f"{row.path},{row.class_name},a" for row in videos.itertuples())])
    )
    browser = ClipBrowser(list_videos(table, progress=False))
    assert ask(browser, "clip", row=3)[0]["clip"]["frames"] == NUM_FRAMES
    assert browser._repr_mimebundle_()[0]["image/png"]


def test_a_player_leaves_the_flow_that_it_shows(videos):
    sheets = {}
    for view in ("frames", "flow", "both"):
        (figure,) = ClipPlayer(videos.iloc[0], view=view).draw_still()
        (image,) = figure.axes[0].images
        sheets[view] = image.get_array()
    assert (sheets["both"][:120] == sheets["frames"]).all() and (sheets["both"][125:] == sheets["flow"]).all()
    assert np.abs(sheets["flow"][:, :160].astype(int) - 128).max() <= 128 and len(sheets["both"]) == 245
    with pytest.raises(TraitError):
        ClipPlayer(videos.iloc[0], view="arrows")


def test_no_video_is_in_the_state(videos):
    player = ClipPlayer(videos.iloc[0])
    size = sum(len(value) for value in player.get_state().values() if isinstance(value, bytes))
    assert 0 < size < 20_000  # the poster alone
    assert "path" not in str(player.get_state()["clip"])


@pytest.mark.parametrize("row", [-1, 4, 10**9, "0", "../../etc/passwd", None, 1.0, True, [0]])
def test_rows_that_are_not_there_are_refused(videos, ask, row):
    for kind in ("clip", "thumbnail"):
        content, buffers = ask(ClipBrowser(videos), kind, row=row)
        assert "Expected a row in 0..3" in content["problem"] and not buffers


def test_a_request_that_the_browser_repeats_gets_one_reply(videos):
    sent, browser = [], ClipBrowser(videos)
    browser.send = lambda content, buffers=None: sent.append(content["request"])
    for request in ("clip-1", "clip-1", "clip-2", "clip-1"):
        browser._handle_custom_msg({"kind": "clip", "request": request, "row": 0}, [])
    assert sent == ["clip-1", "clip-2"]


@pytest.mark.parametrize("kind", ["close", "locate", "__class__", "", None, "file"])
def test_unknown_requests_are_refused(videos, ask, kind):
    content, buffers = ask(ClipBrowser(videos), kind, row=0)
    assert "Expected a request that ClipBrowser handles" in content["problem"] and not buffers


def test_files_outside_of_the_data_folder_are_not_served(videos, folder, tmp_path, ask):
    write_video(tmp_path / "secret.avi", np.zeros((3, 48, 64, 3), np.uint8), fps=25, codec="mpeg4")
    outside = videos.copy()
    for path in (str(tmp_path / "secret.avi"), f"{folder}/Sit/../../{tmp_path.name}/secret.avi"):
        outside.loc[0, "path"] = path
        for kind in ("clip", "thumbnail"):
            content, buffers = ask(ClipBrowser(outside), kind, row=0)
            assert "Expected a file in" in content["problem"] and not buffers


def test_links_are_served_by_where_they_lead(videos, folder, tmp_path, ask):
    write_video(tmp_path / "secret.avi", np.zeros((3, 48, 64, 3), np.uint8), fps=25, codec="mpeg4")
    places = tmp_path / "data" / "Sit"
    places.mkdir(parents=True)
    for name, target in (("out.avi", tmp_path / "secret.avi"), ("in.avi", places / "real.avi")):
        (places / name).symlink_to(target)
    shutil.copy(videos["path"].iloc[0], places / "real.avi")
    (tmp_path / "link").symlink_to(tmp_path / "data")  # the folder itself may be one
    table = videos[:2].assign(path=[str(tmp_path / "link" / "Sit" / name) for name in ("out.avi", "in.avi")])
    table.attrs = {"folder": str(tmp_path / "link")}
    for kind in ("clip", "thumbnail"):
        content, buffers = ask(ClipBrowser(table), kind, row=0)
        assert "Expected a file in" in content["problem"] and not buffers
        assert ask(ClipBrowser(table), kind, row=1)[1]


ODD = [None, 3, "clip", [], {}, {"kind": "clip"}, {"request": 1, "kind": "clip"}, {"request": None}, float("nan")]


@pytest.mark.parametrize("content", ODD, ids=repr)
def test_messages_that_are_no_requests_are_left_alone_with_a_word(videos, content, caplog):
    player, sent = ClipPlayer(videos.iloc[0]), []
    player.send = lambda *reply: sent.append(reply)
    player.log.propagate = True
    with caplog.at_level("WARNING"):
        player._handle_msg({"content": {"data": {"method": "custom", "content": content}}, "buffers": []})
    assert not sent and "Expected a request" in caplog.text and "Traceback" not in caplog.text


@pytest.mark.parametrize("data", [None, 3, [], {}, {"state": {}}, {"method": "update", "state": [1]}], ids=repr)
def test_messages_that_are_none_of_a_widget_are_left_alone_with_a_word(videos, data, caplog):
    player = ClipPlayer(videos.iloc[0])
    player.log.propagate = True
    with caplog.at_level("WARNING"):
        player._handle_msg({"content": {"data": data}, "buffers": []})
    assert "Expected a message" in caplog.text and "Traceback" not in caplog.text


@pytest.mark.parametrize("clip", [None, "x", [], {}, float("nan"), float("inf"), 1e308, -(10**40), 10**400], ids=repr)
def test_odd_details_of_a_request_get_a_reply(videos, ask, clip):
    content, buffers = ask(SamplingExplorer(videos.iloc[0], num_frames=3), "frames", clip=clip)
    assert content.get("problem") or buffers


STATES = [
    {"speed": float("nan")},
    {"speed": 1e308},
    {"frame": -1},
    {"frame": "first"},
    {"frame": float("inf")},
    {"playing": 3},
    {"size": ["small"]},
    {"clip": None},
]


@pytest.mark.parametrize("state", STATES, ids=repr)
def test_what_is_no_value_of_a_trait_is_left_alone_with_a_word(videos, state, caplog):
    player = ClipPlayer(videos.iloc[0], frame=3)
    before, told = player.get_state(), []
    player.send_state, player.log.propagate = lambda: told.append(True), True
    with caplog.at_level("WARNING"):
        player._handle_msg({"content": {"data": {"method": "update", "state": state}}, "buffers": []})
    assert player.get_state() == before and told and "ClipPlayer" in caplog.text and "Traceback" not in caplog.text
    player._handle_msg({"content": {"data": {"method": "update", "state": {"frame": 10**400}}}, "buffers": []})
    assert player.frame == NUM_FRAMES - 1


def test_choices_that_are_none_are_left_alone(videos):
    results, _ = evaluate_model(videos, [0, 0, 1, 1])
    explorer, sampling = ConfusionExplorer(results, videos, cell=[0, 1]), SamplingExplorer(videos.iloc[0])
    browser = ClipBrowser(videos, filters={"search": "a"})
    pairs = [(explorer, "cell", cell) for cell in ([0], [0, 2], [0, -1], [0, 10**30], [0, 1.5], ["a", "b"], 3, None)]
    pairs += [(explorer, "model", name) for name in ("other", None, ["", ""])]
    pairs += [(sampling, "num_frames", value) for value in (0, 65, 10**30, 2.5, "2", None)]
    pairs += [(sampling, "seed", value) for value in (-1, 10**400, "x")] + [
        (sampling, "rule", "all"),
        (sampling, "stride", 0),
    ]
    pairs += [(browser, "filters", value) for value in ({"colour": "red"}, [], None)]
    for widget, name, value in pairs:
        before = getattr(widget, name)
        widget._handle_msg({"content": {"data": {"method": "update", "state": {name: value}}}, "buffers": []})
        assert getattr(widget, name) == before, (name, value)


def test_a_thumbnail_is_five_frames_side_by_side(videos, ask):
    content, (sheet,) = ask(ClipBrowser(videos), "thumbnail", row=2)
    assert content["frames"] == 5
    assert Image.open(io.BytesIO(sheet)).size == (5 * 96, 72)


def test_a_table_of_13320_rows_is_sent_once_and_lean(videos, ask):
    long = pd.concat([videos] * 3330, ignore_index=True)
    long.attrs = videos.attrs
    content, _ = ask(ClipBrowser(long), "table")
    assert len(content["table"]["name"]) == 13_320
    assert content["table"]["classes"] == ["Sit", "Stand"]
    assert set(content["table"]["seconds"]) == {NUM_FRAMES / 25}
    assert len(str(content)) < 1_500_000
    assert len(str(ClipBrowser(long).get_state()["filters"])) < 100  # the rows are no part of the state


# What is shown when something is wrong


def test_a_clip_that_cannot_be_decoded_says_why(tmp_path, ask):
    (tmp_path / "text.avi").write_text("no video")
    player = ClipPlayer(tmp_path / "text.avi")
    assert "Expected a video. Received" in player.clip["problem"]
    assert "text.avi" in repr(player) and still_of(player).width > 300


def test_a_video_that_vanishes_says_so_and_leaves_the_rest(videos, ask, tmp_path):
    gone = videos.copy()
    gone.loc[1, "path"] = str(Path(gone["path"].iloc[1]).with_name("gone.avi"))
    browser = ClipBrowser(gone)
    assert "gone.avi" in ask(browser, "clip", row=1)[0]["problem"]
    assert "gone.avi" in ask(browser, "thumbnail", row=1)[0]["problem"]
    assert ask(browser, "clip", row=0)[1]


def test_a_copy_that_is_too_large_is_not_sent(videos, ask, monkeypatch):
    monkeypatch.setattr("actlib.widgets.clips.MAX_MEGABYTES", -1)
    content, buffers = ask(ClipPlayer(videos.iloc[0]), "clip", row=0)
    assert "Cut the video" in content["problem"] and not buffers


# Traits


def test_traits_keep_within_bounds(videos):
    player = ClipPlayer(videos.iloc[0], frame=3)
    assert player.frame == 3
    player.frame = 1000
    assert player.frame == NUM_FRAMES - 1
    for name, value in (("frame", -1), ("speed", 3.0), ("speed", 0.1), ("size", "huge")):
        with pytest.raises(TraitError):
            setattr(player, name, value)


def test_browser_filters_and_choice(videos):
    browser = ClipBrowser(videos, filters={"class_name": "Sit"})
    browser.selected = videos["name"].iloc[2]
    assert browser.selected == "Stand/v_Stand_g01_c01.avi"
    with pytest.raises(TraitError, match="any of .*'search', 'class_name'"):
        browser.filters = {"colour": "red"}


# Timelines


def test_overlapping_windows_are_averaged():
    videos = pd.DataFrame({"name": ["a.avi"], "frames": [10], "fps": [10.0]})
    logits = np.log(np.array([[[0.9, 0.1], [0.5, 0.5]], [[0.1, 0.9], [0.2, 0.8]]]))
    clips = [(0, np.array([0, 4])), (0, np.array([4, 8]))]
    timeline = build_timelines(logits, clips, videos, classes=("x", "y"), readout="mean")["a.avi"]
    np.testing.assert_allclose(timeline.seconds, [0.05, 0.45, 0.85])
    np.testing.assert_allclose(timeline.probabilities, [[0.9, 0.1], [0.3, 0.7], [0.2, 0.8]], atol=1e-6)


def test_frames_are_found_again_from_seconds():
    for fps in (25.0, 29.97, 30000 / 1001, 12.5):
        videos = pd.DataFrame({"name": ["a.avi"], "frames": [233], "fps": [fps]})
        logits = np.zeros((1, 16, 2))
        timeline = build_timelines(
            logits, [(0, np.arange(16))], videos, classes=("x", "y"), readout="mean", num_frames=16
        )["a.avi"]
        drawn = _make_verdict("", timeline, fps=fps)
        assert drawn["frames"] == sample_uniform(233, 16).tolist()


@pytest.mark.parametrize("readout", READOUTS)
def test_a_player_says_what_the_results_say(videos, readout):
    """Two clips a video whose classes cross over, so that the read-outs disagree with each other and with the mean."""
    rng, classes, owners = np.random.default_rng(4), videos.attrs["classes"], np.repeat(np.arange(4), 2)
    logits = rng.normal(0, 3, (8, 4, 2))
    logits[0], logits[1] = [[9, 0], [0, 1], [0, 1], [0, 2]], [[0, 1], [3, 0], [0, 2], [0, 0.5]]
    results = evaluate(logits, owners, videos, readout=readout, classes=classes)
    clips = [(row, np.arange(4) + 4 * (number % 2)) for number, row in enumerate(owners)]
    order = rng.permutation(8)  # the clips may come in any order
    timelines = build_timelines(
        logits[order], [clips[i] for i in order], videos, classes=classes, readout=readout, num_frames=8
    )
    for row, expected in enumerate(results.predictions.itertuples()):
        timeline = timelines[expected.name]
        (model,) = ClipPlayer(videos.iloc[row], timeline=timeline).clip["verdicts"]
        assert (model["predicted"], model["correct"]) == (expected.predicted_class, expected.correct)
        assert model["probability"] == pytest.approx(expected.probability, abs=1e-6)
        shown = ConfusionExplorer(results, videos, timelines={expected.name: timeline})
        assert shown.describe(row)["verdicts"][0]["predicted"] == model["predicted"]


@pytest.mark.parametrize("readout", READOUTS)
def test_a_video_has_one_verdict_whichever_way_its_timeline_is_made(tmp_path, readout):
    """From logits of its clips or from its film, with the temperatures of the model's card."""
    path, model = film_of(tmp_path / "a.mp4", 40, 90, 160, 220, length=5), Photometer("lrcn", sharpness=0.05)
    model.readout, model.temperatures = readout, {"step": 3.0, "video": 0.5}
    film = predict_timeline(path, model)
    (clip,) = model.clips
    videos = pd.DataFrame({"name": ["a.mp4"], "frames": [20], "fps": [25.0]})
    options = {"classes": model.classes, "readout": readout, "num_frames": 4, "temperatures": model.temperatures}
    timeline = build_timelines(model(clip), [(0, np.arange(4))], videos, **options)["a.mp4"]
    assert timeline.pooled == pytest.approx(film.pooled, abs=1e-6)
    if readout != "mean":  # a film has the mean so far
        assert timeline.probabilities == pytest.approx(film.probabilities, abs=1e-6)


def test_a_timeline_without_a_readout_is_its_mean(videos):
    timeline = Timeline(np.array([0.1, 0.2]), np.array([[0.9, 0.1], [0.3, 0.7]]), ("Sit", "Stand"))
    (model,) = ClipPlayer(videos.iloc[0], timeline=timeline).clip["verdicts"]
    assert model["predicted"] == "Sit" and model["probability"] == pytest.approx(0.6)


def test_scores_and_clips_must_match():
    videos = pd.DataFrame({"name": ["a.avi"], "frames": [10], "fps": [10.0]})
    with pytest.raises(ValueError, match=r"Expected logits of 0 clips. Received: 1"):
        build_timelines(np.zeros((1, 2, 2)), [], videos, classes=("x", "y"), readout="mean")


def test_lines_of_101_classes_are_few_and_the_right_ones():
    probabilities = np.random.default_rng(0).dirichlet(np.ones(101), size=30)
    lines = _choose_lines(probabilities, label=7, predicted=50)
    assert lines[:2] == [(7, "true"), (50, "predicted")] and len(lines) == 5
    assert _choose_lines(probabilities, predicted=50)[0] == (50, "true")  # without a truth, the prediction leads
    assert _choose_lines(probabilities, label=7, predicted=7)[1][1] == "other"


def test_a_truth_that_the_model_does_not_know_is_no_mistake(videos):
    timeline = Timeline(np.array([0.1]), np.array([[0.2, 0.8]]), ("Walk", "Run"))
    (said,) = ClipPlayer(videos.iloc[0], timeline=timeline).clip["verdicts"]
    assert said["predicted"] == "Run" and said["correct"] is None


# Confusion


def test_a_row_of_the_confusion_explorer_is_one_video_in_all_that_is_sent(videos, ask):
    results, timelines = evaluate_model(videos, [0, 0, 1, 1])
    explorer = ConfusionExplorer(results, videos.sample(frac=1, random_state=0), timelines=timelines)
    table = ask(explorer, "table")[0]["table"]
    for row, name in enumerate(table["name"]):
        clip = ask(explorer, "clip", row=row)[0]["clip"]
        assert clip["name"] == name and clip["class_name"] == explorer.classes[table["label"][row]]
        assert clip["verdicts"][0]["correct"] == (table["predicted"][0][row] == table["label"][row])
        assert len(clip["verdicts"][0]["frames"]) == 4


def test_the_verdicts_on_a_confusion_explorers_videos_are_those_of_the_results(videos):
    results, _ = evaluate_model(videos, [0, 0, 1, 1])
    for row, expected in enumerate(results.predictions.itertuples()):
        steps = np.eye(2)[[1 - expected.predicted] * 3]  # the other class, at every step
        timeline = Timeline(np.array([0.1, 0.2, 0.3]), steps, tuple(videos.attrs["classes"]))
        for lines, options in ((0, {}), (2, {"timelines": {expected.name: timeline}})):
            (verdict,) = ConfusionExplorer({"LRCN": results}, videos, **options).describe(row)["verdicts"]
            assert (verdict["name"], verdict["predicted"]) == ("LRCN", expected.predicted_class)
            assert verdict["correct"] == expected.correct and len(verdict["lines"]) == lines
            assert verdict["probability"] == pytest.approx(expected.probability)


def test_confusion_of_two_models(videos, ask):
    first, last = evaluate_model(videos, [0, 0, 1, 1]), evaluate_model(videos, [1, 0, 0, 0], seed=1)
    lines = {"frame average": first[1], "LRCN": last[1]}
    explorer = ConfusionExplorer({"frame average": first[0], "LRCN": last[0]}, videos, timelines=lines)
    assert explorer.model == "frame average"  # the first, until another is chosen
    said = ask(explorer, "clip", row=0)[0]["clip"]["verdicts"]
    assert [model["name"] for model in said] == ["frame average", "LRCN"]
    assert [model["correct"] for model in said] == [True, False]
    assert still_of(explorer).height > 400


def test_confusion_refuses_what_does_not_belong_together(videos):
    results, _ = evaluate_model(videos, [0, 0, 1, 1])
    fewer, _ = evaluate_model(videos.iloc[:3], [0, 0, 0])
    with pytest.raises(ValueError, match="Expected a table with all 4 evaluated videos"):
        ConfusionExplorer(results, videos.iloc[:2])
    for pair in ((results, fewer), (fewer, results)):
        with pytest.raises(ValueError, match="Expected the same videos"):
            ConfusionExplorer(dict(zip("ab", pair, strict=True)), videos)
    with pytest.raises(ValueError, match="Expected one model or two"):
        ConfusionExplorer({"a": results, "b": results, "c": results}, videos)
    with pytest.raises(TraitError, match="below 2"):
        ConfusionExplorer(results, videos).cell = [0, 2]
    with pytest.raises(TraitError, match=r"or one of \[''\]. Received: 'other'"):
        ConfusionExplorer(results, videos, model="other")


# Sampling


def test_sampling_follows_its_traits(videos, ask):
    explorer = SamplingExplorer(videos.iloc[0], num_frames=4)
    np.testing.assert_array_equal(np.array(explorer.taken), sample_uniform(NUM_FRAMES, 4)[None])
    explorer.rule, explorer.num_frames, explorer.stride = "windows", 16, 4
    assert np.array(explorer.taken)[:, 0].tolist() == [0, 4, 8] and np.array(explorer.taken)[-1, -1] == NUM_FRAMES - 1
    explorer.rule = "consecutive"
    assert explorer.stride == 1 and np.ptp(np.array(explorer.taken)) == 15
    explorer.rule = "segments"
    before = np.array(explorer.taken)
    explorer.seed = 1
    assert (np.array(explorer.taken) != before).any()
    content, (sheet,) = ask(explorer, "frames", clip=0)
    assert content["frames"] == np.array(explorer.taken)[0].tolist()
    assert Image.open(io.BytesIO(sheet)).size == (16 * 96, 72)


def test_costs_count_what_is_taken():
    costs = {name: (value, remark) for name, value, remark in _list_costs(CLIPS, 30, fps=25.0)}
    assert costs["frames taken"] == ("6", "4 different ones of 30, in 2 clips of 3")
    assert costs["reading"] == ("21 frames", "decoded, up to the last that is taken")
    assert costs["pixels"][0] == f"{6 * 224 * 224 * 3 / 2**20:.1f} MB"
    assert costs["arithmetic of vgg16"][0] == "184 GFLOP" and costs["arithmetic of vgg16"][1].startswith("30.7 a frame")
    assert costs["features cached"][0] == f"{4 * 512 * 7 * 7 * 2 / 2**20:.2f} MB"
    assert costs["time covered"] == ("0.84 s", "of 1.20 s; at most 0.40 s between two frames")


def test_frames_taken_twice_are_counted_in_every_clip():
    summary = _describe_rule("windows", np.array([[0, 0, 1], [2, 2, 2]]), 3, stride=8)
    assert summary.endswith("The video has 3 frames: 3 are taken twice.")
    assert "twice" not in _describe_rule("windows", np.array([[0, 1], [1, 2]]), 3, stride=1)


def test_sampling_of_a_broken_video_says_why(tmp_path, ask):
    (tmp_path / "text.avi").write_text("no video")
    explorer = SamplingExplorer(tmp_path / "text.avi")
    assert "Expected a video" in ask(explorer, "clip", row=0)[0]["problem"]
    assert still_of(explorer).width > 300


def test_the_rules_in_the_browser_are_those_of_the_library():
    text = (FOLDER / "sampling.js").read_text(encoding="utf-8")
    names, random, strided = (
        re.search(rf"const {name} = [{{\[](.*?)[}}\]];", text, re.S)[1] for name in ("RULE_NAMES", "RANDOM", "STRIDED")
    )
    assert tuple(re.findall(r"(\w+):", names)) == SamplingExplorer.rule.values == tuple(RULES)
    assert tuple(re.findall(r'"(\w+)"', random)) == RANDOM_SAMPLING
    assert tuple(re.findall(r"(\w+):", strided)) == tuple(STRIDES)
    assert set(RULES) <= set(SAMPLING)


@pytest.mark.parametrize("rule", RULES)
def test_each_rule_is_taken_and_described(videos, rule):
    explorer = SamplingExplorer(videos.iloc[0], rule=rule, num_frames=5, stride=3)
    sampler = make_sampler(rule, 5, stride=3 if rule in STRIDES else None)
    np.testing.assert_array_equal(np.array(explorer.taken), sampler(NUM_FRAMES, np.random.default_rng(0)))
    assert "5" in explorer.summary and "{" not in explorer.summary


# Training


def test_monitor_follows_a_training():
    monitor = TrainingMonitor()
    for epoch in (1, 2):
        for batch in range(1, 301):
            monitor.on_batch(300 * (epoch - 1) + batch, 600, np.float32(1 / batch))
        monitor.on_epoch({"epoch": epoch, "loss": np.float32(0.5), "accuracy": 0.5, "val_loss": float("nan")})
    assert [row["done"] for row in monitor.history] == [300, 600]
    assert monitor.history[0]["val_loss"] is None  # NaN is no JSON
    assert monitor.progress["done"] == monitor.progress["total"] == 600
    assert monitor.progress["left"] == 0
    assert len(monitor.progress["trail"]) <= 240


def test_the_time_left_counts_from_where_a_training_resumed():
    monitor = TrainingMonitor()
    for done in (11, 12, 13):
        monitor.on_batch(done, 20, 1.0)
    monitor.on_epoch({"epoch": 2, "loss": 1.0})
    assert monitor.progress["left"] == pytest.approx(monitor.progress["elapsed"] / 3 * 7)


def test_monitor_begins_anew_with_a_new_training():
    monitor = TrainingMonitor()
    for _ in range(2):
        for done in (1, 2):
            monitor.on_batch(done, 2, 1.0)
        monitor.on_epoch({"epoch": 1, "loss": 1.0})
    assert len(monitor.history) == 1


def test_monitor_hears_stop(ask):
    monitor = TrainingMonitor()
    monitor.on_batch(1, 10, 1.0)
    assert monitor.stop is False
    ask(monitor, "stop")
    assert monitor.stop is True and monitor.state == "stopping"
    early = TrainingMonitor()
    ask(early, "stop")
    early.on_batch(1, 10, 1.0)
    assert early.stop is True  # pressed before the first batch


def test_monitor_prints_a_line_an_epoch_outside_of_a_notebook(capsys):
    monitor = TrainingMonitor(title="LRCN")
    for done in range(1, 5):
        monitor.on_batch(done, 8, 0.25)
    monitor.on_epoch({"epoch": 1, "loss": 0.25, "val_loss": None, "val_accuracy": 0.75})
    printed = capsys.readouterr()
    assert printed.out == "LRCN: epoch 1: loss 0.250, validation accuracy 0.750; 0:00 left\n" and not printed.err


def test_monitor_tells_the_best_epoch():
    monitor = TrainingMonitor()
    for epoch, loss in enumerate((0.5, 0.25, 0.375), 1):
        monitor.on_batch(epoch, 3, loss)
        monitor.on_epoch({"epoch": epoch, "loss": 1.0, "val_loss": loss})
    assert repr(monitor) == "TrainingMonitor: training, 3 epochs; best epoch 2: loss 1.000, validation loss 0.250"


TRAIN = """
from actlib.{framework}.training import build_model, train
batches = ClipBatches(list(source), labels, make_sampler("uniform", 4), kind="features", batch_size=4, shuffle=True)
model = build_model(FrameSpec("tiny", VGGSpec("tiny", ((1, 4), (1, 4)), size=16), hidden=(8,)), 2)
training = TrainSpec(num_epochs=2, patience=None, plateau_patience=None)
history = train(model, batches, batches, training, monitor=TrainingMonitor(title="{framework}"))
"""


def test_monitor_leaves_a_picture_of_both_twins_training_where_nobody_looks():
    setup = """
import numpy as np
from actlib.dataset import ClipBatches
from actlib.specs import FrameSpec, TrainSpec, VGGSpec
from actlib.video import make_sampler
from actlib.widgets import TrainingMonitor
source, labels = np.random.default_rng(0).normal(size=(8, 4, 64)).astype("float16"), np.arange(8) % 2
"""
    cells = [setup, TRAIN.format(framework="torch"), TRAIN.format(framework="keras")]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells])
    NotebookClient(notebook, kernel_name="python3", timeout=300).execute()
    for cell in notebook.cells[1:]:
        (output,) = cell.outputs  # nothing on stderr, one picture
        assert output["data"]["text/plain"].startswith("TrainingMonitor: finished, 2 epochs; best epoch")
        picture = Image.open(io.BytesIO(base64.b64decode(output["data"]["image/png"])))
        assert picture.height > 300 and len(picture.convert("RGB").getcolors(2**24)) > 20  # the curves are drawn


# What stays in a notebook


def still_of(widget):
    data, _ = widget._repr_mimebundle_()
    assert "<" not in data["text/plain"] and "0x" not in data["text/plain"]
    return Image.open(io.BytesIO(base64.b64decode(data["image/png"])))


def test_every_widget_leaves_a_small_picture(videos):
    results, timelines = evaluate_model(videos, [0, 0, 1, 1])
    monitor = TrainingMonitor(title="LRCN")
    monitor.on_batch(1, 1, 0.5)
    monitor.on_epoch({"epoch": 1, "loss": 0.5, "accuracy": 0.5, "val_loss": 0.4, "val_accuracy": 0.6})
    name = videos["name"].iloc[0]
    for widget in (
        ClipPlayer(videos.iloc[0], timeline={"frames": timelines[name], "LRCN": timelines[name]}),
        ClipBrowser(videos),
        ConfusionExplorer(results, videos, timelines=timelines),
        SamplingExplorer(videos.iloc[0], rule="windows"),
        monitor,
    ):
        data, _ = widget._repr_mimebundle_()
        assert len(data["image/png"]) < 200_000
        colours = still_of(widget).convert("RGB").getcolors(2**24)
        assert len(colours) > 20, widget  # something is drawn


def test_a_player_leaves_six_frames_and_its_verdict(videos):
    timeline = Timeline(np.array([0.1, 0.2]), np.array([[0.9, 0.1], [0.7, 0.3]]), ("Sit", "Stand"))
    for row, color, sign in ((0, CORRECT, "✓"), (2, WRONG, "✗")):
        frames, curves = ClipPlayer(videos.iloc[row], timeline={"LRCN": timeline}).draw_still()
        (sheet,) = (image.get_array() for image in frames.axes[0].images)
        assert sheet.shape[:2] == (120, 6 * 160 + 5 * 5)  # 64 × 48 at a width of 160, and between them white
        middles = sheet[60, 80::165, 0].astype(int)
        assert (np.diff(middles) > 10).all()  # each frame is brighter than the one before
        assert f"{videos['class_name'].iloc[row]} · 24 frames · 25 fps" in frames.get_suptitle()
        assert curves.get_suptitle() == f"LRCN: Sit 0.80 {sign}"
        strips = [bar.get_facecolor() for bar in curves.axes[0].patches if bar.get_height()]
        assert strips == [matplotlib.colors.to_rgba(color)] * 2


def test_figures_stand_below_each_other_in_the_picture(videos):
    player = ClipPlayer(videos.iloc[0])
    figures = [*player.draw_still(), write_lines("one")]
    player.draw_still = lambda: figures
    heights = [Image.open(io.BytesIO(figure.encode())).height for figure in figures]
    assert still_of(player).size == (1152, sum(heights))


def test_long_lines_are_wrapped():
    short, long = (Image.open(io.BytesIO(write_lines(text).encode())) for text in ("word", "word " * 60))
    assert long.height > short.height + 30 and not (np.asarray(long.convert("L"))[:, -5:] < 200).any()


def test_the_frames_that_are_taken_stand_in_the_picture(videos):
    explorer = SamplingExplorer(videos.iloc[0], rule="windows", num_frames=8)
    strip, taken, costs = explorer.draw_still()
    assert [line.get_xdata().tolist() for line in taken.axes[0].lines] == np.array(explorer.taken).tolist()
    assert explorer.summary in costs.alt and "GFLOP" in costs.alt and "12" in strip.alt


def test_an_empty_table_is_no_error(videos):
    assert still_of(ClipBrowser(videos.iloc[:0])).width > 0


# Memory


def test_50_reruns_of_a_cell_leave_one_widget(videos, monkeypatch):
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])  # a shell puts a module without a file there
    shell = InteractiveShell.instance()

    def run_cell(code, cell):
        shell.get_parent = lambda: {"metadata": {"cellId": cell}, "content": {"code": code}}  # as a kernel's has it
        shell.run_cell(code)

    try:
        shell.user_ns.update(videos=videos, ClipPlayer=ClipPlayer, made=(made := weakref.WeakSet()))
        for _ in range(50):
            run_cell("player = ClipPlayer(videos.iloc[0]); made.add(player); None", "one")
        gc.collect()
        assert sum(player.comm is not None for player in made) == 1
        assert len(made) <= 2
        run_cell("other = ClipPlayer(videos.iloc[0]); None", "two")
        assert shell.user_ns["player"].comm is not None  # another cell closes nothing
        run_cell("pass", "one")
        assert shell.user_ns["player"].comm is None
        for _ in range(2):  # a front end that names no cells: the same code is the same cell
            run_cell("nameless = ClipPlayer(videos.iloc[0]); made.add(nameless); None", None)
        assert sum(player.comm is not None for player in made) == 1
    finally:
        shell.user_ns.clear()
        InteractiveShell.clear_instance()


def test_closed_widgets_hold_nothing(videos):
    browser = ClipBrowser(videos, timelines={videos["name"].iloc[0]: None})
    browser.close()
    assert not browser.timelines and not len(browser.videos) and browser.comm is None


# The front end


def test_colors_are_those_of_all_figures():
    light, *dark = re.findall(
        r"--actlib-correct: (#\w+);\s*--actlib-wrong: (#\w+);", (FOLDER / "theme.css").read_text()
    )
    assert [color.upper() for color in light] == [CORRECT, WRONG]
    assert [tuple(color.upper() for color in each) for each in dark] == [(CORRECT_ON_DARK, WRONG_ON_DARK)] * 2


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.js")), ids=lambda path: path.name)
def test_scripts_make_no_markup_and_ask_nobody(path):
    text = path.read_text(encoding="utf-8")
    banned = (
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|fetch\(|XMLHttpRequest|WebSocket"
    )
    assert not re.findall(banned, text)
    addresses = set(re.findall(r"https?://[^\"'\s]+", text))
    assert addresses <= {"http://www.w3.org/2000/svg"}


@pytest.mark.parametrize("widget", WIDGETS)
def test_scripts_joined_are_one_module(widget):
    text = widget._esm
    assert text.count("export default") == 1 and "import " not in re.sub(r"//.*|/\*.*?\*/", "", text)
    names = re.findall(r"^(?:async )?function (\w+)|^const (\w+)", text, re.M)
    names = [first or second for first, second in names]
    assert len(names) == len(set(names))
