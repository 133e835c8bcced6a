"""The command line from end to end: train, start another model from it, evaluate, annotate, say what was wrong."""

import json
import os
import shlex
import signal
from dataclasses import asdict, replace
from pathlib import Path

import av
import numpy as np
import pytest
from bright_and_dark import SHADES, write_data, write_split
from safetensors.numpy import save_file
from typer.testing import CliRunner

from actlib import __main__ as command_line
from actlib import cards, checkpoints, paths, run, specs
from actlib.annotate import annotate_video
from actlib.experiment import Predictor, load_backend
from actlib.experiment.preparing import FLOW_TRAINING
from actlib.options import TrainOptions
from actlib.timeline import FusedModel, WindowConfig
from actlib.training import save_model
from actlib.video import write_video


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("data set"))


@pytest.fixture(autouse=True)
def own_settings(tmp_path, monkeypatch):
    monkeypatch.setenv("ACTLIB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("ACTLIB_WEIGHTS", str(tmp_path / "no_imagenet.safetensors"))
    monkeypatch.delenv("ACTLIB_TRACEBACK", raising=False)


def call(*words):
    return CliRunner().invoke(command_line.app, [str(word) for word in words])


def train(data, framework, model, out, *, weights):
    return call(
        *("train", "--data", data, "--framework", framework, "--preset", f"slim_{model}", "--weights", weights),
        *("--epochs", 4, "--out", out),
    )


@pytest.mark.parametrize("framework", ["torch", "keras"])
def test_frames_then_lrcn_then_a_film(data, framework, tmp_path):
    frames, lrcn, film = tmp_path / "frames", tmp_path / "an lrcn", tmp_path / "film.mp4"
    assert str(frames / "best.safetensors") in train(data, framework, "frames", frames, weights="none").output
    trained = train(data, framework, "lrcn", lrcn, weights=frames)
    next_words = shlex.split(trained.output.split(f"Next: {paths.console_script()} ")[1])
    assert "Written to" in call(*next_words).output
    record = json.loads((lrcn / "results.json").read_text())
    counts = {level: record[f"{level}_accuracy"]["count"] for level in ("frame", "clip", "video")}
    assert counts == {"frame": 6 * 16, "clip": 6 * 2, "video": 6}  # three groups of two classes, 16 frames, 2 clips
    assert record["video_accuracy"]["value"] == 1
    assert "control: reversed" in call("evaluate", "--data", data, "--run", lrcn, "--control", "reversed").output
    assert json.loads((lrcn / "results_reversed.json").read_text())["control"] == "reversed"
    video = next((data / "UCF-101").rglob("*.avi"))
    said = call("annotate", video, "--checkpoint", lrcn, "--framework", framework, "--out", film).output
    assert all("No video is 'none of these'" in each and "--threshold" in each for each in (trained.output, said))
    with av.open(str(film)) as container:
        assert container.streams.video[0].frames == 20
    unsure, same = tmp_path / "unsure.mp4", tmp_path / "same.mp4"
    done = call("annotate", video, *("--checkpoint", lrcn, "--framework", framework, "--out", unsure, "--threshold", 1))
    assert "if its highest probability is below 1." in done.output
    model = Predictor(lrcn, framework=framework)
    labels = annotate_video(video, model, same, window=WindowConfig(threshold=1.0)).predicted
    assert {part.label for part in labels} == {"none of these"} and unsure.read_bytes() == same.read_bytes()


@pytest.mark.parametrize("framework", ["torch", "keras"])
def test_a_film_of_both_streams(data, framework, tmp_path):
    """The same film, to the byte, as of the two models loaded and fused by hand; another one as of either alone."""
    runs = [tmp_path / stream for stream in ("rgb", "flow")]
    words = ("--data", data, "--framework", framework, "--preset", "slim_frames", "--weights", "none", "--epochs", 1)
    for each in runs:
        assert call("train", *words, "--stream", each.name, "--out", each).exit_code == 0
    video = write_video(tmp_path / "own.mp4", np.random.default_rng(0).integers(0, 256, (44, 50, 70, 3), "u1"), fps=60)
    films = {name: tmp_path / f"{name}.mp4" for name in ("fused", "by hand", *(each.name for each in runs))}
    options = ("annotate", video, "--framework", framework, "--smoothing", 0.1, "--out")
    done = call(*options, films["fused"], "--runs", *runs, "--weights", 1, 3)
    assert done.exit_code == 0 and f"Written to {films['fused']}" in done.output
    for each in runs:
        assert call(*options, films[each.name], "--checkpoint", each).exit_code == 0
    model = FusedModel(tuple(Predictor(each, framework=framework) for each in runs), (1, 3))
    made = annotate_video(video, model, films["by hand"], window=WindowConfig(smoothing_seconds=0.1))
    assert (made.num_frames, made.fps) == (22, 30)  # of a video of 60 frames a second, every other one
    content = {name: film.read_bytes() for name, film in films.items()}
    assert content["fused"] == content["by hand"] and len({*content.values()}) == 3


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_training_keeps_its_epochs_and_the_same_line_ends_it(data, number, code, tmp_path, monkeypatch):
    handler = signal.default_int_handler  # for SIGTERM too, which else would end the tests with the program
    before = signal.signal(number, handler)
    with monkeypatch.context() as patch:
        patch.setattr(run.ProgressBar, "on_epoch", lambda bar, row: row["epoch"] == 2 and os.kill(os.getpid(), number))
        stopped = train(data, "torch", "frames", tmp_path, weights="none")
    assert stopped.exit_code == code and signal.signal(number, before) is handler
    assert json.loads((tmp_path / "history.json").read_text())["epoch"] == [1, 2]
    assert train(data, "torch", "frames", tmp_path, weights="none").exit_code == 0
    assert json.loads((tmp_path / "history.json").read_text())["epoch"] == [1, 2, 3, 4]
    before = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("*.safetensors")}
    assert train(data, "torch", "frames", tmp_path, weights="none").exit_code == 0  # finished: no epoch wrote again
    assert {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("*.safetensors")} == before


@pytest.mark.parametrize("framework", ["torch", "keras"])
def test_more_epochs_go_on_and_are_what_one_training_would_have_been(data, framework, tmp_path):
    def epochs(number, out, *words):
        line = ("train", "--data", data, "--framework", framework, "--preset", "slim_frames", "--weights", "none")
        return call(*line, "--set", "num_frames=8", *words, "--epochs", number, "--out", tmp_path / out)

    for number, out in ((2, "two"), (3, "two"), (3, "three")):
        assert epochs(number, out).exit_code == 0
    histories = [json.loads((tmp_path / out / "history.json").read_text()) for out in ("two", "three")]
    assert histories[0]["epoch"] == [1, 2, 3]
    np.testing.assert_allclose(*(each["val_loss"] for each in histories), rtol=1e-5)
    assert "training.num_epochs: 3 then, 2 now" in epochs(2, "two").output
    changed = epochs(9, "two", "--set", "training.learning_rate=0.5").output
    assert "training.learning_rate: 0.001 then, 0.5 now" in changed and "num_epochs" not in changed


def test_a_training_that_is_stopped_while_videos_are_read_says_so(monkeypatch, data, tmp_path):
    monkeypatch.setattr("actlib.experiment.run_training", lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    stopped = train(data, "torch", "frames", tmp_path, weights="none")
    assert stopped.exit_code == 143 and "Stopped; the same line goes on." in stopped.output


def test_splits_are_trained_and_evaluated_each_in_its_folder_and_their_mean_told(tmp_path):
    data, run, lrcn = write_data(tmp_path / "data"), tmp_path / "frames", tmp_path / "lrcn"
    write_split(data, 2, tested=(4, 5))
    words = ("--data", data, "--framework", "torch", "--epochs", 1, "--limit", 1, "--splits", "1,2")
    trained = call("train", *words, "--preset", "slim_frames", "--weights", "none", "--out", run)
    found = call(*shlex.split(trained.output.split(f"Next: {paths.console_script()} ")[1]))
    values = []
    for split in (1, 2):
        record = json.loads((run / f"split{split}" / "results.json").read_text())
        assert record["data"]["split"] == split
        values.append(record["video_accuracy"]["value"])
    assert found.output.splitlines()[-1].split()[-2] == f"{100 * sum(values) / 2:.1f}"
    assert call("train", *words, "--preset", "slim_lrcn", "--weights", run, "--out", lrcn).exit_code == 0
    for split in (1, 2):  # each started from the frame classifier of its own split
        card = checkpoints.read_card(lrcn / f"split{split}" / "best.safetensors")
        assert card["experiment"]["weights"] == str(run / f"split{split}") and card["leakage"] == []


def test_leakage_is_refused_or_written_into_the_results(tmp_path):
    data, run = write_data(tmp_path / "data"), tmp_path / "run"
    write_split(data, 2, tested=(4,))
    words = ("--data", data, "--preset", "slim_frames", "--epochs", 1, "--validation-groups", 0)
    assert call("train", *words, "--weights", "none", "--out", run).exit_code == 0
    for name, line in {
        "tested": ("evaluate", "--data", data, "--run", run, "--split", 2),
        "learnt": ("train", *words, "--weights", run, "--split", 2, "--out", tmp_path / "learnt"),
    }.items():
        refused = call(*line)
        assert refused.exit_code == 1 and "2 shared (Bright g04, Dark g04)" in refused.output, name
        assert call(*line, "--allow-leakage").exit_code == 0
    expected = ["Bright g04", "Dark g04"]
    assert json.loads((run / "results.json").read_text())["leakage"] == expected
    assert checkpoints.read_card(tmp_path / "learnt" / "best.safetensors")["leakage"] == expected
    shown = call("evaluate", "--data", data, "--run", tmp_path / "learnt", "--allow-leakage").output
    assert "LEAKAGE: seen in training: Bright g04, Dark g04" in shown


@pytest.fixture(scope="module")
def wrong(data, tmp_path_factory):
    """A folder of files that are not what a command wants, and two models that are."""
    from actlib.torch import training, weights

    folder = tmp_path_factory.mktemp("wrong")
    (folder / "empty").mkdir()
    for name in ("notes.txt", "letter.mp4", "damaged.safetensors", "letter.zip"):
        (folder / name).write_text("Dear film, ...\n" * 50)
    (folder / "empty.mp4").write_bytes(b"")
    (folder / "unlisted" / "Bright").mkdir(parents=True)
    os.link(next((data / "UCF-101" / "Bright").iterdir()), folder / "unlisted" / "Bright" / "v_Bright_g01_c01.avi")
    model = training.build_model(specs.SLIM_FRAMES, 2)
    preset = specs.PRESETS["slim_frames"]
    choices = {"framework": "torch", "weights": "none", "split": 1, "seed": 0, "protocol": "uniform", "limit": None}
    card = {"classes": [*SHADES], "preset": cards.spec_to_json(preset), "experiment": choices}
    card |= {"videos": {"train": {}, "validation": {}}, "leakage": []}
    kinds = {
        "good": card,
        "strangers": card | {"classes": ["Aikido", "Judo"]},
        "old": card | {"preset": "slim_frames"},
        "bare": {},
        "no_leakage": {name: value for name, value in card.items() if name != "leakage"},
        "strange": card | {"preset": card["preset"] | {"momentum": 3}},
    }
    for name, each in kinds.items():
        save_model(folder / f"{name}.safetensors", model, card=each)
    arrays = weights.get_weights(model)
    save_file(arrays, folder / "weights_only.safetensors")
    save_file(arrays, folder / "future.safetensors", {"card": json.dumps(card | {"format_version": 99})})
    save_file({"pool/kernel": np.zeros(3, np.float32)}, folder / "other.safetensors")
    return folder


TRAIN = "train --out {tmp}/run --data {data} --weights none "
EVALUATE = "evaluate --data {data} --run "
ANNOTATE = "annotate {video} --checkpoint {wrong}/good.safetensors --out {tmp}/film.mp4 "
FUSED = "annotate {video} --out {tmp}/film.mp4 --runs {wrong}/good.safetensors "


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("trian", "No such command 'trian'"),
        ("train", "Missing option '--out'"),
        (TRAIN + "--model resnet", "'resnet' is not one of 'frames', 'lrcn'"),
        (TRAIN + "--framework jax", "'jax' is not one of 'torch', 'keras'"),
        (TRAIN + "--protocol best", "'best' is not one of 'uniform', 'paper'"),
        (TRAIN + "--split 4", "Invalid value for '--split'"),
        (TRAIN + "--split one", "Invalid value for '--split'"),
        (TRAIN + "--seed -1", "Invalid value for '--seed'"),
        (TRAIN + "--splits 1,4", "Expected --splits as numbers of official splits, 1,2,3. Received: 1,4"),
        (TRAIN + "--validation-groups 5", "Expected validation_groups below 5"),
        (TRAIN + "--validation-groups 0 --refit", "Expected validation groups for refit"),
        (TRAIN + "--epochs 0", "Invalid value for '--epochs'"),
        (TRAIN + "--set training.rate=1", "one of name, "),
        (TRAIN + "--set training.learning_rate=fast", "training.learning_rate 'fast': Input should be a valid number"),
        (TRAIN + "--set augment=crop --set frame_size=32,32", "Expected frame_size from 224 pixels"),
        (TRAIN + "--limit 0", "Invalid value for '--limit'"),
        (TRAIN + "--speed 2", "No such option: --speed"),
        (TRAIN + "extra", "unexpected extra argument"),
        (TRAIN + "--preset vgg19", "'vgg19' is not one of 'study_scratch', 'study_frames'"),
        (TRAIN + "--out {wrong}/notes.txt", "notes.txt' is a file"),
        (TRAIN + "--data {tmp}/nowhere", "nowhere, which is not there. Point to the folder"),
        (TRAIN + "--data {wrong}/notes.txt", "Expected a table that begins: path,label"),
        (TRAIN + "--data {wrong}/empty", "holds no folders"),
        (TRAIN + "--data {wrong}/unlisted", "Expected 3 groups (recordings) or more of a class"),
        (TRAIN + "--split 2", "Expected trainlist02.txt"),
        (TRAIN + "--classes Nobody", "Expected videos of Nobody"),
        (TRAIN + "--classes seven", "Expected videos of ApplyEyeMakeup"),
        (TRAIN + "--classes Dark,Dark", "Expected a list of different class names"),
        (TRAIN + "--weights imagenet", "actlib fetch vgg16"),
        (TRAIN + "--weights nowhere.npz", "Expected weights in nowhere.npz"),
        (TRAIN + "--weights {wrong}/empty", "best.safetensors. Received: no such file"),
        (TRAIN + "--weights {wrong}/notes.txt", "Expected a .safetensors, .npz, .h5 file"),
        (TRAIN + "--weights {wrong}/damaged.safetensors", "damaged.safetensors"),
        (TRAIN + "--weights {wrong}/other.safetensors --preset slim_frames", "Choose another file"),
        ("evaluate", "Missing option '--run'"),
        (EVALUATE + "nowhere", "actlib train', first"),
        (EVALUATE + "{wrong}/empty", "empty/best.safetensors. Received: no such file"),
        (EVALUATE + "{wrong}/notes.txt", "Expected a whole .safetensors file"),
        (EVALUATE + "{wrong}/damaged.safetensors", "damaged.safetensors"),
        (EVALUATE + "{wrong}/weights_only.safetensors", "weights_only.safetensors, whose card lacks framework"),
        (EVALUATE + "{wrong}/bare.safetensors", "bare.safetensors, whose card lacks classes, preset, experiment"),
        (EVALUATE + "{wrong}/no_leakage.safetensors", "no_leakage.safetensors, whose card lacks leakage"),
        (EVALUATE + "{wrong}/old.safetensors", "old.safetensors. Make it again"),
        (EVALUATE + "{wrong}/strange.safetensors", "strange.safetensors. Make it again"),
        (EVALUATE + "{wrong}/future.safetensors", "format_version 99"),
        (EVALUATE + "{wrong}/good.safetensors --control backwards", "'backwards' is not one of 'shuffled', 'first'"),
        (EVALUATE + "{wrong}/good.safetensors --split 0", "Invalid value for '--split'"),
        (EVALUATE + "{wrong}/good.safetensors --framework jax", "'jax' is not one of 'torch', 'keras'"),
        (EVALUATE + "{wrong}/good.safetensors --data {tmp}/nowhere", "nowhere, which is not there"),
        (EVALUATE + "{wrong}/strangers.safetensors", "Expected videos of Aikido, Judo"),
        (EVALUATE + "{wrong}/good.safetensors --out {wrong}/notes.txt", "notes.txt"),
        ("annotate", "Missing argument 'video'"),
        ("annotate {video} --out film.mp4", "Expected --checkpoint, or --runs with two. Received: none"),
        (ANNOTATE + "--runs {wrong}/good.safetensors nowhere", "with two. Received: both"),
        (FUSED + "{wrong}/strangers.safetensors", "the same classes. Received: Aikido, Judo and Bright, Dark"),
        (FUSED + "{wrong}/good.safetensors --weights 0 0", "weights from 0, not all 0. Received: (0.0, 0.0)"),
        (FUSED + "{wrong}/good.safetensors --weights 1 nan", "Expected weights from 0"),
        (FUSED + "nowhere", "Expected weights in nowhere"),
        (ANNOTATE + "--checkpoint nowhere", "Expected weights in nowhere"),
        (ANNOTATE + "--checkpoint {wrong}/weights_only.safetensors", "weights_only.safetensors"),
        (ANNOTATE + "--out {tmp}/film.avi", ".mp4 or .gif"),
        (ANNOTATE + "--label Sitting", "Sitting"),
        (ANNOTATE + "--smoothing -1", "Invalid value for '--smoothing'"),
        (ANNOTATE.replace("{video}", "nowhere.mp4"), "nowhere.mp4"),
        (ANNOTATE.replace("{video}", "{wrong}/letter.mp4"), "letter.mp4"),
        (ANNOTATE.replace("{video}", "{wrong}/empty.mp4"), "empty.mp4"),
        ("fetch", "Missing argument 'what'"),
        ("fetch kinetics", "'kinetics' is not one of 'ucf101', 'lists', 'vgg16'"),
        ("fetch vgg16 --to {tmp} --from {tmp}/nowhere.npz", "nowhere.npz"),
        ("fetch vgg16 --to {tmp} --from {wrong}/notes.txt", "notes.txt"),
        ("fetch lists --to {tmp} --from {wrong}/letter.zip", "letter.zip"),
        ("fetch ucf101 --to {tmp} --lists {tmp}/nowhere.zip", "nowhere.zip"),
        ("doctor --gpu", "No such option: --gpu"),
        ("cut {wrong} --out {tmp}", "is a directory"),
    ],
)
def test_a_mistake_is_answered_in_a_line(line, answer, data, wrong, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    video = next((data / "UCF-101").rglob("*.avi"))
    names = {"data": data, "wrong": wrong, "tmp": tmp_path, "video": video}
    result = call(*(word.format(**names) for word in line.split()))
    assert isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code in (1, 2) and "Traceback" not in result.output
    assert answer in result.output


def test_a_traceback_is_shown_to_whoever_asks_for_it(data, tmp_path, monkeypatch):
    monkeypatch.setenv("ACTLIB_TRACEBACK", "1")
    result = call("evaluate", "--data", data, "--run", tmp_path)
    assert isinstance(result.exception, FileNotFoundError)


@pytest.mark.parametrize(
    "line",
    [
        TRAIN + "--out {tmp}/run --data {tmp}/run/split.csv",
        TRAIN + "--out {tmp}/run --data {tmp}/link/split.csv --refit",
        TRAIN + "--out {tmp}/run --data {tmp}/run",
        TRAIN + "--out {tmp}/run --weights {tmp}/run",
        TRAIN + "--out {tmp}/run --weights {tmp}/link --refit",
        TRAIN + "--out {tmp}/link --weights {tmp}/run/best.safetensors",
        TRAIN + "--out {tmp}/run/choosing --weights {tmp}/run --refit",
        TRAIN + "--out {tmp}/run --weights {tmp}/run/choosing --refit",
        TRAIN + "--out {tmp} --weights {tmp} --splits 1",
        EVALUATE + "{tmp}/run --data {tmp}/run/results.json",
        "fuse --data {data} --runs {tmp}/run {tmp}/link --out {tmp}/run",
        "fuse --data {data} --runs {tmp}/run/best.safetensors {tmp}/run --out {tmp}/link",
        "cut {tmp}/run/clips.csv --out {tmp}/link",
        "fetch vgg16 --from {tmp}/run/vgg16_imagenet.safetensors --to {tmp}/link",
    ],
)
def test_nothing_that_is_read_is_written_over(line, data, wrong, tmp_path, monkeypatch):
    """A table that a run would replace by its own, weights to start from, the results of what is fused."""
    monkeypatch.chdir(tmp_path)
    names = {"best": "good.safetensors", "vgg16_imagenet": "weights_only.safetensors"}
    for folder in (tmp_path / "run", tmp_path / "run" / "choosing", tmp_path / "split1"):
        folder.mkdir()
        for name, source in names.items():
            (folder / f"{name}.safetensors").write_bytes((wrong / source).read_bytes())
        for name in ("split.csv", "clips.csv", "results.json"):
            (folder / name).write_text("path,label,group\n" + "a.avi,Dark,mine\n")
    (tmp_path / "link").symlink_to(tmp_path / "run")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.*") if path.is_file()}
    result = call(*(word.format(data=data, tmp=tmp_path) for word in line.split()))
    assert result.exit_code == 1 and "Expected another place than what is read. Received: /" in result.output
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.parametrize(("preset", "weights"), [("slim_frames", "none"), ("slim_lrcn", "run"), ("slim_lrcn", "file")])
def test_shards_fill_the_cache_from_which_training_reads(data, tmp_path, monkeypatch, preset, weights):
    if weights == "run":
        weights = tmp_path / "frames"
        assert train(data, "torch", "frames", weights, weights="none").exit_code == 0
    if weights == "file":  # convolutions that have seen no videos, so that known classes are told from others
        weights = tmp_path / "vgg.safetensors"
        model = load_backend("torch").training.build_model(specs.PRESETS["slim_frames"].model, 2)
        checkpoints.save_checkpoint(weights, load_backend("torch").weights.get_weights(model), {})
    line = ("extract", "--data", data, "--preset", preset, "--weights", weights)
    half = call(*line, "--shard", "1/2")
    folder = Path(half.output.split(" are in ")[1].strip())
    num_videos = len([*(data / "UCF-101").rglob("*.avi")])
    assert len([*folder.glob("*.npy")]) == num_videos // 2 and f" {num_videos // 2} videos " in half.output
    assert call(*line, "--shard", "2/2").exit_code == 0
    assert len([*folder.glob("*.npy")]) == num_videos
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}

    def refuse(*args, **options):
        raise AssertionError("a video is decoded a second time")

    monkeypatch.setattr("actlib.dataset.cache.read_clip", refuse)
    assert call(*line).exit_code == 0
    options = ("--epochs", 1, "--out", tmp_path / "run")
    assert call("train", *line[1:], *options).exit_code == 0, "training reads what was extracted"
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before


@pytest.mark.parametrize("shard", ["0/2", "3/2", "1", "1/0", "a/b", "1/2/3", "-1/2", ""])
def test_a_wrong_shard_is_told(data, shard):
    result = call("extract", "--data", data, "--preset", "slim_frames", "--weights", "none", "--shard", shard)
    assert (
        result.exit_code == 1
        and f"Expected --shard i/N with i from 1 to N, such as 2/4. Received: {shard}." in result.output
    )


def test_help_names_every_option_and_its_default():
    for command in command_line.app.registered_commands:
        text = call(command.name, "--help").output
        assert command.callback.__doc__.split(":")[0].split()[0] in text
    text = call("train", "--help").output
    assert all(f"--{name.replace('_', '-')}" in text for name in asdict(command_line.TrainOptions(out="x")))


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_what_is_set_of_a_training_on_flow_wins_also_where_frames_preset_has_the_same(data, optimizer):
    """Heads on flow learn by Adam, unless told; SGD is what the preset says for frames."""
    words = [f"training.optimizer={optimizer}", "training.learning_rate=0.1", "model.vgg.size=112"]
    options = TrainOptions(out=Path("out"), data=data, preset="vgg16_frames", stream="flow", set=words, weights="none")
    experiment = command_line._choose(options, ["training.num_epochs=60"])
    training, vgg = experiment.preset.training, experiment.preset.model.vgg
    assert (training.optimizer, training.learning_rate, training.num_epochs) == (optimizer, 0.1, 60)
    assert vgg.flow.bound / vgg.size == specs.STREAMS["flow"].bound / 224  # a smaller picture moves by fewer pixels
    bound = command_line._choose(replace(options, set=["model.vgg.flow.bound=4"])).preset.model.vgg.flow.bound
    assert bound == 4  # only with the stream there is any
    untold = command_line._choose(replace(options, set=words[2:]))
    assert untold.preset.training == FLOW_TRAINING["vgg16_frames"]
