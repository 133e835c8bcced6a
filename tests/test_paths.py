"""Every setting moves what it says, and nothing else."""

from pathlib import Path

import pytest

from actlib import paths

ROOT = Path(__file__).resolve().parent.parent
PLACES = {
    "home_folder": ("ACTLIB_HOME", ROOT),
    "cache_folder": ("ACTLIB_CACHE", ROOT / "data" / "cache"),
    "data_folder_setting": ("ACTLIB_DATA", None),
    "runs_root": ("ACTLIB_RUNS", ROOT / "runs" / "lessons"),
    "vgg16_file": ("ACTLIB_WEIGHTS", ROOT / "pretrained" / "vgg16_imagenet.safetensors"),
}


@pytest.fixture(autouse=True)
def unset(monkeypatch):
    for name in (*paths.SETTINGS, "TQDM_DISABLE"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("place", PLACES)
def test_a_setting_moves_its_own_place(monkeypatch, tmp_path, place):
    name, default = PLACES[place]
    before = {other: getattr(paths, other)() for other in PLACES}
    assert before[place] == default
    monkeypatch.setenv(name, "")
    assert getattr(paths, place)() == default and paths.read_setting(name) is None
    monkeypatch.setenv(name, str(tmp_path))
    after = {other: getattr(paths, other)() for other in PLACES}
    assert after[place] == tmp_path
    if name != "ACTLIB_HOME":
        assert after == before | {place: tmp_path}


def test_all_else_lies_at_home(monkeypatch, tmp_path):
    monkeypatch.setenv("ACTLIB_HOME", str(tmp_path))
    places = (paths.cache_folder(), paths.runs_root(), paths.vgg16_file())
    assert all(tmp_path in place.parents for place in places)


def test_the_command_is_the_one_that_pages_name(monkeypatch, tmp_path):
    monkeypatch.setattr("sys.executable", str(ROOT / ".venv" / "bin" / "python"))
    assert paths.console_script() == str(Path(".venv/bin/actlib"))
    monkeypatch.setattr("sys.executable", str(tmp_path / "bin" / "python"))
    assert paths.console_script() == "actlib"


def test_progress_is_shown_unless_switched_off(monkeypatch):
    assert paths.show_progress()
    monkeypatch.setenv("TQDM_DISABLE", "1")
    assert not paths.show_progress()
