"""The lessons' code on clips of one's own, labelled by a table: small clips, slim networks, in this process."""

import json
from dataclasses import replace
from pathlib import Path

import matplotlib
import pytest
from test_own_data import film, write_table

from actlib import experiment, plots, specs

FOLDER = Path(__file__).resolve().parent.parent / "notebooks"
LABELS = ("jump", "jump high", "sit")  # by name, files of "jump high" stand before those of "jump"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A table of 27 clips in one folder, whose names tell nothing; three people did everything three times."""
    root = tmp_path_factory.mktemp("own lessons")
    rows = []
    for place in range(27):
        label, person = LABELS[place % 3], "abcdefghi"[place // 3]
        options = {"shade": 20 + 70 * (place % 3), "num_frames": 10 + place % 5}
        film(root / "raw" / f"take {place:02d}.mp4", place, **options)
        rows.append(f"raw/take {place:02d}.mp4,{label},{person}")
    write_table(root / "labels.csv", rows, "path,label,group")
    return root


@pytest.fixture(autouse=True)
def own_data(home, monkeypatch):
    settings = {"DATA": home / "labels.csv", "CACHE": home / "cache", "RUNS": home / "runs", "WEIGHTS": home / "none"}
    for name, path in settings.items():
        monkeypatch.setenv(f"ACTLIB_{name}", str(path))
    monkeypatch.chdir(FOLDER)
    matplotlib.use("agg")

    def choose_preset(model, folder):
        preset = specs.PRESETS[f"slim_{model}"]
        return replace(preset, training=replace(preset.training, num_epochs=2))

    monkeypatch.setattr(experiment, "choose_preset", choose_preset)
    monkeypatch.setattr(experiment, "choose_weights", lambda folder: "none")


def run_cells(number):
    """Run a lesson's code cells in order, as a kernel does."""
    (path,) = FOLDER.glob(f"{number}_*.ipynb")
    names = {"display": lambda shown: shown}
    for place, cell in enumerate(json.loads(path.read_text(encoding="utf-8"))["cells"]):
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), f"{number}, cell {place}", "exec"), names)
    return names


def test_a_lesson_before_any_model_says_what_to_run():
    with pytest.raises(FileNotFoundError, match="Expected weights in .*Run the lesson that trains them"):
        run_cells("07")


@pytest.mark.filterwarnings("ignore:Few videos test")
@pytest.mark.parametrize("number", ["00", "01", "02", "04", "06", "07", "08", "09", "10", "11"])
def test_lesson_runs_on_clips_of_one_s_own(number, home, capsys, monkeypatch):
    needed = {"04": "torch_frames", "06": "torch_lrcn"} if number in ("07", "08", "09", "10") else {}
    for before, run in ({"04": "torch_frames"} if number == "06" else needed).items():
        if not [*home.glob(f"runs/*/{run}/results.json")]:
            run_cells(before)
    titles = []
    show = plots.show_frames
    monkeypatch.setattr(plots, "show_frames", lambda *a, **k: titles.append(k.get("titles")) or show(*a, **k))
    names = run_cells(number)
    assert "fetch ucf101" not in capsys.readouterr().out
    if number == "01":
        assert {*names["compared"].index} == {"random videos", "whole groups"}  # there is no official split
    if number == "11":
        rows = [*names["few"].class_name[names["chosen"]]]
        assert rows != [*names["classes"]] and titles[0][: len(rows)] == rows
