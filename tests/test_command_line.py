"""The command line from end to end: train, start another model from it, evaluate, annotate, say what was wrong."""

import json
import sys

import av
import numpy as np
import pytest
from typer.testing import CliRunner

from actlib import __main__ as command_line
from actlib import specs
from actlib.experiment import frozen_parts

SHADES = {"Bright": 220, "Dark": 40}
GROUPS = range(1, 9)


def write_avi(path, shade):
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(shade)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(20):
            pixels = (shade + noise.integers(-30, 30, (48, 64, 3))).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Bright and dark videos of eight groups in UCF-101's layout; groups 1 to 3 are tested."""
    folder = tmp_path_factory.mktemp("data")
    lists = {"trainlist01.txt": "", "testlist01.txt": "", "classInd.txt": "1 Bright\n2 Dark\n"}
    for label, (name, shade) in enumerate(SHADES.items(), start=1):
        for group in GROUPS:
            video = f"{name}/v_{name}_g{group:02d}_c01.avi"
            write_avi(folder / "UCF-101" / video, shade + group)
            if group <= 3:
                lists["testlist01.txt"] += f"{video}\n"
            else:
                lists["trainlist01.txt"] += f"{video} {label}\n"
    (folder / "ucfTrainTestlist").mkdir()
    for name, text in lists.items():
        (folder / "ucfTrainTestlist" / name).write_text(text)
    return folder


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ACTLIB_CACHE", str(tmp_path / "cache"))


def run(*words):
    return CliRunner().invoke(command_line.app, [str(word) for word in words], catch_exceptions=False)


def train(data, framework, model, out, *, weights):
    return run(
        *("train", "--data", data, "--framework", framework, "--preset", f"slim_{model}", "--weights", weights),
        *("--epochs", 4, "--out", out),
    )


@pytest.mark.parametrize("framework", ["torch", "keras"])
def test_frames_then_lrcn_then_a_film(data, framework, tmp_path):
    frames, lrcn, film = tmp_path / "frames", tmp_path / "lrcn", tmp_path / "film.mp4"
    assert str(frames / "best.safetensors") in train(data, framework, "frames", frames, weights="none").output
    train(data, framework, "lrcn", lrcn, weights=frames)
    assert "Written to" in run("evaluate", "--data", data, "--run", lrcn).output
    record = json.loads((lrcn / "results.json").read_text())
    counts = {level: record[f"{level}_accuracy"]["count"] for level in ("frame", "clip", "video")}
    assert counts == {"frame": 6 * 32, "clip": 6 * 2, "video": 6}  # three groups of two classes, 32 frames, 2 clips
    assert record["video_accuracy"]["value"] == 1
    run("evaluate", "--data", data, "--run", lrcn, "--shuffle-frames")
    assert (lrcn / "results_shuffled.json").exists()
    video = next((data / "UCF-101").rglob("*.avi"))
    run("annotate", video, "--checkpoint", lrcn, "--framework", framework, "--out", film)
    with av.open(str(film)) as container:
        assert container.streams.video[0].frames == 20


def test_the_same_line_again_goes_on_and_changes_nothing(data, tmp_path):
    train(data, "torch", "frames", tmp_path, weights="none")
    before = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("*.safetensors")}  # no epoch wrote anew
    train(data, "torch", "frames", tmp_path, weights="none")
    assert {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("*.safetensors")} == before
    assert len(json.loads((tmp_path / "history.json").read_text())["epoch"]) == 4


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (("train", "--preset", "vgg19"), "Expected --preset to be one of study_scratch"),
        (("train", "--framework", "jax"), "Expected framework to be one of"),
        (("evaluate", "--run", "nowhere"), "Run the lesson that trains it, or 'python -m actlib train', first"),
    ],
)
def test_a_mistake_is_answered_in_a_line(data, words, answer, tmp_path, monkeypatch, capsys):
    out = ("--out", str(tmp_path)) if words[0] == "train" else ()
    monkeypatch.setattr(sys, "argv", ["actlib", *words, "--data", str(data), *out])
    with pytest.raises(SystemExit) as end:
        command_line.main()
    assert end.value.code == 1
    assert answer in capsys.readouterr().err


def test_what_should_be_frozen_but_has_no_weights_is_trained_with_a_warning():
    training = specs.TrainSpec(frozen=("convolutions", "hidden"))
    with pytest.warns(UserWarning, match="none for hidden"):
        assert frozen_parts(training, {"block1_conv1/kernel": 0}).frozen == ("convolutions",)
