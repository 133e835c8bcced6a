"""The way of a clip in lesson 04, from a video through a training to an evaluation: it passes few files."""

import json
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
import torch._dynamo  # noqa: F401 - which the first optimizer imports, slowly where each call is watched
from bright_and_dark import write_data

from actlib import experiment, specs
from actlib.torch import dataset, trainer  # noqa: F401 - a lesson imports them late

ROOT = Path(__file__).resolve().parent.parent
LESSON, LIBRARY = ROOT / "notebooks" / "04_vgg16_pytorch.ipynb", ROOT / "actlib"
STEPS = ("prepare_table(", "build_model(", "cache_frames(", "make_batches(", "train_model(", "evaluate_model(")
MOST_FILES = 16
PARTS = {"video/reader", "dataset/cache", "dataset/batches", "torch/dataset", "torch/vgg", "torch/trainer"}
PARTS |= {"torch/training", "evaluation/metrics", "evaluation/results"}


def run_steps():
    """Run the cells of the lesson that take a clip further, and return the library's files that it passes."""
    cells = [cell for cell in json.loads(LESSON.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]
    sources = ["".join(cell["source"]) for cell in cells]
    names = {}
    exec(sources[0], names)
    steps = [source for source in sources[1:] if any(step in source for step in STEPS)]
    return watch_files(lambda: [exec(compile(step, LESSON.name, "exec"), names) for step in steps])


def holds_clip(value):
    """Whether it is or has an array of three axes or more: frames, features (N, T, D) or logits (N, T, K)."""
    values = value if isinstance(value, tuple | list) else [value]
    return any(getattr(each, "ndim", 0) >= 3 and hasattr(each, "dtype") for each in values)


def watch_files(work):
    """Do some work; the files of the library of which a function took or gave a clip, in this thread or another."""
    files = set()

    def watch(frame, event, result):
        code = frame.f_code
        if event in ("call", "return") and code.co_filename.startswith(str(LIBRARY)):
            arguments = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
            values = [frame.f_locals.get(name) for name in arguments] if event == "call" else [result]
            if any(map(holds_clip, values)):
                files.add(code.co_filename)

    threading.setprofile(watch)
    sys.setprofile(watch)
    try:
        work()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    return {Path(file).relative_to(LIBRARY).with_suffix("").as_posix() for file in files}


@pytest.mark.parametrize("frozen", [(), ("convolutions",)])
def test_in_lesson_04_a_clip_passes_few_files(frozen, tmp_path, monkeypatch):
    for setting in ("CACHE", "RUNS"):
        monkeypatch.setenv(f"ACTLIB_{setting}", str(tmp_path / setting))
    monkeypatch.setenv("ACTLIB_DATA", str(write_data(tmp_path / "data")))
    slim = specs.PRESETS["slim_frames"]
    preset = replace(slim, training=replace(slim.training, num_epochs=1, frozen=frozen), num_frames=4, clip_frames=2)
    monkeypatch.setattr(experiment, "choose_preset", lambda model, folder: preset)
    monkeypatch.setattr(experiment, "choose_weights", lambda folder: "none")
    files = run_steps()
    assert files >= PARTS, f"not watched: {sorted(PARTS - files)}"
    assert len(files) <= MOST_FILES, "\n".join(sorted(files))
