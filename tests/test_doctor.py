"""The doctor's report: what is there, what is missing, and the command that fixes it, on machines in every state."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from actlib import doctor as module
from actlib import machine, paths
from actlib.doctor import Finding, _examine, doctor

REAL = os.environ.get("ACTLIB_REAL_DATA")
LISTED = {"Archery": 3, "Diving": 2}


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A home with nothing in it, and no settings."""
    for name in paths.SETTINGS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ACTLIB_HOME", str(tmp_path))
    return tmp_path


def find(about, **options):
    findings = {finding.about: finding for finding in _examine(**options)}
    return findings[about]


def put_ucf101(folder, names, lists=True):
    """UCF-101 with some of its videos, and lists that name all of LISTED."""
    for name in names:
        path = folder / "UCF-101" / name.split("_")[1] / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"video")
    if lists:
        (folder / "ucfTrainTestlist").mkdir(parents=True)
        every = [f"{c}/v_{c}_g01_c{n:02d}.avi\n" for c, count in LISTED.items() for n in range(1, count + 1)]
        (folder / "ucfTrainTestlist" / "trainlist01.txt").write_text("".join(every[:2]))
        (folder / "ucfTrainTestlist" / "testlist01.txt").write_text("".join(every[2:]))


def put_program(folder, name, text):
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)


def test_a_fresh_machine_is_told_to_start(home):
    report = doctor()
    assert report.splitlines()[-1] == "Next: make lab"
    assert "not drawn yet" in report and f"no videos in {home / 'data' / 'ucf101'}" in report
    command = paths.console_script()
    assert f"{command} fetch ucf101 --classes seven" in report and f"{command} fetch vgg16" in report


def test_a_short_report_names_no_folder_of_this_machine(home):
    assert str(home) in doctor() and str(home) not in doctor(short=True)
    assert "no videos in ./data/ucf101" in doctor(short=True)


def test_every_finding_has_a_known_state_and_every_trouble_a_way_out():
    for finding in _examine():
        assert finding.state in ("ok", "note", "missing") and finding.found
        assert finding.fix or finding.state != "missing"


def test_versions_are_the_installed_ones():
    import numpy

    assert f"numpy {numpy.__version__}" in find("packages").found


def test_a_missing_package_comes_first(monkeypatch):
    monkeypatch.setattr(module, "PACKAGES", ("numpy", "no-such-package"))
    finding = find("packages")
    assert finding.state == "missing" and "no-such-package" in finding.found
    assert doctor().splitlines()[-1] == "Next: make setup"


def test_one_framework_is_enough_and_none_is_not(monkeypatch):
    installed = {"torch": "2.9", **dict.fromkeys(module.PACKAGES, "1.0")}

    def pick(*names):
        return {name: installed[name] for name in names if name in installed}

    monkeypatch.setattr(machine, "package_versions", pick)
    assert find("Keras").state == "note" and doctor().splitlines()[-1] == "Next: make lab"
    installed["tensorflow"] = installed.pop("torch")
    assert find("PyTorch").state == find("Keras").state == "missing"


def test_it_needs_no_framework_and_imports_none():
    code = "import sys; from actlib.doctor import doctor; doctor(); print({'torch', 'keras', 'jax'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set()"


def test_it_reports_even_when_half_the_packages_are_gone():
    blocked = "pandas av psutil tqdm pooch filelock rarfile requests h5py numpy"
    code = f"import sys; sys.modules.update(dict.fromkeys({blocked!r}.split()))\n"
    code += "from actlib.doctor import doctor; print(doctor())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "MISS  videos" in done.stdout and done.stdout.splitlines()[-1] == "Next: make setup"


ALL = [f"v_{c}_g01_c{n:02d}.avi" for c, count in LISTED.items() for n in range(1, count + 1)]


@pytest.mark.parametrize("suffix", [".avi", ".AVI", ".mp4", ".webm"])
def test_data_that_is_whole_in_any_format(home, suffix):
    put_ucf101(home / "data" / "ucf101", [name.replace(".avi", suffix) for name in ALL] + [".hidden_Diving_x.avi"])
    finding = find("videos")
    assert finding.state == "ok" and finding.found.startswith("5 videos of 2 classes")


def test_data_with_holes_gets_the_line_that_fills_them(home, monkeypatch):
    put_ucf101(home / "data" / "ucf101", ["v_Archery_g01_c01.avi"])
    for name in (None, str(home / "data" / "ucf101")):  # as the end of a fetch advises
        if name:
            monkeypatch.setenv("ACTLIB_DATA", name)
        assert "the lists name 2 more" in find("videos").found
        assert find("videos").fix == f"{paths.console_script()} fetch ucf101 --classes Archery"


def test_data_without_lists(home):
    put_ucf101(home / "data" / "ucf101", ["v_Archery_g01_c01.avi"], lists=False)
    assert find("videos").fix == f"{paths.console_script()} fetch lists"
    assert find("videos").state == "missing"


@pytest.mark.parametrize(("names", "lists"), [(ALL[:1], True), (ALL[:1], False), ([], True), ([], False)])
def test_nothing_is_fetched_into_a_folder_of_the_users(home, monkeypatch, names, lists):
    put_ucf101(home / "mine", names, lists=lists)
    (home / "mine").mkdir(exist_ok=True)
    monkeypatch.setenv("ACTLIB_DATA", str(home / "mine"))
    finding = find("videos")
    assert str(home / "mine") in finding.found and "fetch" not in finding.fix
    assert finding.state == ("note" if names and lists else "ok" if names else "missing")


def test_own_videos_are_known_whatever_their_names(home, monkeypatch):
    for folder in (home / "mine", home / "data" / "ucf101"):
        (folder / "chop").mkdir(parents=True)
        (folder / "chop" / "IMG 1.MOV").touch()
    assert find("videos").state == "ok" and "a split is drawn" in find("videos").found  # and nothing is fetched there
    monkeypatch.setenv("ACTLIB_DATA", str(home / "mine"))
    assert find("videos").found.startswith("1 videos of 1 classes") and "a split is drawn" in find("videos").found


def test_a_table_of_labels_is_looked_into(home, monkeypatch):
    table = home / "mine.csv"
    monkeypatch.setenv("ACTLIB_DATA", str(table))
    table.write_text("path,label\nmine.csv,chop\ngone.mov,stir\n")
    finding = find("videos")
    assert finding.state == "missing" and "2 videos of 2 classes" in finding.found and "gone.mov" in finding.found
    table.write_text("path,label\nmine.csv,chop\n")
    assert find("videos").state == "ok"
    table.write_text("file,label\n")
    assert find("videos").state == "missing" and "path,label" in find("videos").found


def test_weights_are_wanted_as_soon_as_there_is_ucf101(home):
    assert find("ImageNet weights").state == "note"
    put_ucf101(home / "data" / "ucf101", ["v_Archery_g01_c01.avi"])
    assert (
        find("ImageNet weights").state == "missing"
        and doctor().splitlines()[-1] == f"Next: {paths.console_script()} fetch vgg16"
    )
    (home / "pretrained").mkdir()
    (home / "pretrained" / "vgg16_imagenet.safetensors").write_bytes(b"")
    assert find("ImageNet weights").state == "ok"


def test_settings_that_point_nowhere(home, monkeypatch):
    monkeypatch.setenv("ACTLIB_DATA", str(home / "none"))
    finding = find("ACTLIB_DATA")
    assert finding.state == "missing" and finding.fix == "unset ACTLIB_DATA"


def test_folders_that_are_made_when_needed_need_not_be_there(home, monkeypatch):
    for name in ("ACTLIB_HOME", "ACTLIB_CACHE", "ACTLIB_RUNS"):
        monkeypatch.setenv(name, str(home / "not" / "yet" / name))
    assert not [finding for finding in _examine() if finding.state == "missing"]
    assert find("ACTLIB_HOME").found == str(home / "not" / "yet" / "ACTLIB_HOME")


def test_a_cache_that_cannot_be_written(monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert find("cache").state == "missing" and "export ACTLIB_CACHE" in find("cache").fix


def test_the_cache_is_weighed(home, monkeypatch):
    (home / "data" / "cache").mkdir(parents=True)
    (home / "data" / "cache" / "features.npy").write_bytes(bytes(1_500_000))
    assert find("cache").found.startswith("1.5 MB")


def test_a_disk_that_is_nearly_full(monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: type("U", (), {"free": 10_000_000}))
    assert find("disk").state == "note" and "free some space" in find("disk").fix


def test_a_gpu(home, monkeypatch):
    put_program(home / "bin", "nvidia-smi", 'echo "NVIDIA H100, 81559 MiB, 580.1"')
    monkeypatch.setenv("PATH", str(home / "bin"))
    assert find("GPU") == Finding("ok", "GPU", "NVIDIA H100, 81559 MiB, 580.1")


@pytest.mark.parametrize("text", ["exit 9", "true"])
def test_a_gpu_that_does_not_answer(home, monkeypatch, text):
    put_program(home / "bin", "nvidia-smi", text)
    monkeypatch.setenv("PATH", str(home / "bin"))
    assert not machine.gpu_has_bf16.__wrapped__()
    assert find("GPU").state == "note"


def test_pytorch_is_asked_only_on_request(monkeypatch):
    monkeypatch.setattr(module, "ASK_TORCH", "print('A GPU')")
    assert "PyTorch's GPU" not in {finding.about for finding in _examine()}
    assert find("PyTorch's GPU", ask_frameworks=True).found == "A GPU"
    monkeypatch.setattr(module, "ASK_TORCH", "raise SystemExit(3)")
    assert find("PyTorch's GPU", ask_frameworks=True).fix == "make setup"


@pytest.mark.skipif(not REAL, reason="needs real videos: set ACTLIB_REAL_DATA")
def test_real_data(monkeypatch):
    monkeypatch.setenv("ACTLIB_DATA", REAL)
    finding = find("videos")
    assert finding.found == f"300 videos of 6 classes in {Path(REAL)}; the lists name 431 more"
