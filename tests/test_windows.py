"""The lines for systems without make are those of the Makefile, and they run."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tools import run_tests

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "windows.md").read_text(encoding="utf-8")
SAME = {"py": "python", "$(PYTHON)": "python", ".venv/Scripts/python": "python", ".venv/bin/python": "python"}
NOT_SAID = {"--quiet", "--disable-pip-version-check", "--allow-root", "-3.11"}
# What makes a line end soon and leave nothing behind.
SHORTENED = {
    "-m pip": ["--help"],
    "-m venv": ["--help"],
    "-m jupyterlab": ["--version"],
    "tools/run_tests.py": ["--help"],
    "-m tools.build_site": ["--help"],
    "tools/tour.py --out": ["--help"],
}


def list_lines():
    """Lines of the page under the target of make that they stand for: {target: [words]}."""
    block = re.search(r"```\n(# make.*?)```", PAGE, re.DOTALL)[1]
    parts = re.split(r"^# make (\S+)\n", block, flags=re.MULTILINE)[1:]
    return {
        target: [shlex.split(line.replace("\\", "/")) for line in lines.splitlines() if line]
        for target, lines in zip(parts[::2], parts[1::2], strict=True)
    }


LINES, HALVES = list_lines(), ("shown", "kept")


def tidy(words):
    """A command without what differs between systems."""
    words = [SAME.get(word, word) for word in words if not re.match(r"[A-Z_]+=", word) and word not in NOT_SAID]
    return [re.sub(r"^python\d[.\d]*$", "python", word) for word in words]


def list_recipe(target):
    """The commands that make would run for a target, with nothing left to set up for the others."""
    options = ["--always-make"] if target == "setup" else ["--old-file=.venv/.ready", "--always-make"]
    # A make that runs these tests would have its own flags heeded, and its folders named.
    own = {key: value for key, value in os.environ.items() if key not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    command = ["make", "-n", *options, target]
    done = subprocess.run(command, cwd=ROOT, env=own, capture_output=True, text=True, check=True)
    text = done.stdout.replace("\\\n", " ")
    commands = [shlex.split(each) for line in text.splitlines() for each in re.split(r"\|\||&&", line)]
    return [words for words in commands if words and words[0] not in ("test", "touch", "make:")]


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
@pytest.mark.parametrize("target", LINES)
def test_a_line_is_what_make_does(target):
    assert [tidy(words) for words in LINES[target]] == [tidy(words) for words in list_recipe(target)]


@pytest.mark.parametrize("words", [words for lines in LINES.values() for words in lines], ids=" ".join)
def test_a_line_runs(words):
    _, *arguments = [word for word in words if word != "-3.11"]
    ending = SHORTENED[" ".join(arguments[:2])]
    command = [sys.executable, *(word.replace('"', "") for word in arguments), *ending]
    subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)


def test_the_targets_that_a_newcomer_needs_are_there():
    assert {"setup", "lab", "tour", "test"} <= set(LINES)


@pytest.mark.parametrize("failing", [None, "shown", "kept"])
def test_both_halves_of_the_tests_run_and_either_fails_them(failing, capfd):
    commands = [[sys.executable, "-c", f"print({name!r}); raise SystemExit({name == failing})"] for name in HALVES]
    assert run_tests.run_both(*commands) == (failing is None)
    assert capfd.readouterr().out.split() == ["shown", "Lessons:", "kept"]


def test_lessons_are_tested_with_the_models_of_a_tour_unless_others_are_named(tmp_path, monkeypatch):
    monkeypatch.setattr(run_tests, "ROOT", tmp_path)
    monkeypatch.delenv("ACTLIB_RUNS", raising=False)
    assert "ACTLIB_RUNS" not in run_tests.find_models()
    models = tmp_path / "runs" / "tour" / "models"
    models.mkdir(parents=True)
    assert run_tests.find_models()["ACTLIB_RUNS"] == str(models)
    monkeypatch.setenv("ACTLIB_RUNS", "mine")
    assert run_tests.find_models()["ACTLIB_RUNS"] == "mine"
