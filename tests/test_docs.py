"""README and docs keep what they promise: settings, commands, targets of make, links."""

import re
import shlex
from pathlib import Path

import nbformat
import pytest
import typer

from actlib import paths
from actlib.__main__ import app
from tools import draw_diagrams

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
PAGES += [ROOT / "data" / "README.md", ROOT / "pretrained" / "README.md"]
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def list_commands(page):
    """Command lines of actlib that a page shows: lists of words after `actlib`."""
    lines = re.findall(
        r"^ *(?:\.venv/bin/actlib|\.venv/bin/torchrun .* -m actlib) (.*)$", page.read_text(), re.MULTILINE
    )
    return [shlex.split(line, comments=True) for line in lines]


def test_readme_explains_every_setting():
    rows = re.findall(r"^\| `(ACTLIB_\w+)` \| (.*?) \| (.*?) \|$", (ROOT / "README.md").read_text(), re.MULTILINE)
    told = {name: "; ".join(filter(None, (says, default))) for name, says, default in rows}
    assert told == paths.SETTINGS


@each_page
def test_commands_are_understood(page):
    group = typer.main.get_command(app)
    for name, *words in list_commands(page):
        group.commands[name].make_context(name, words)  # raises where an option is unknown or a value has another type


def test_the_pages_show_commands_at_all():
    names = {words[0] for page in PAGES for words in list_commands(page)}
    assert {"train", "evaluate", "annotate", "fuse", "fetch", "doctor"} <= names


@each_page
def test_targets_of_make_are_there(page):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    called = re.findall(r"^ *(?:\w+=\S+ )*make ((?:[A-Z]+=\S+ )*)([a-z-]+)", page.read_text(), re.MULTILINE)
    called += re.findall(r"`make ((?:[A-Z]+=\S+ )*)([a-z-]+)`", page.read_text())
    assert {target for _, target in called} <= targets


@each_page
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#\s]+)\)", page.read_text()):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target


def test_diagrams_are_those_that_the_code_draws(tmp_path, monkeypatch):
    monkeypatch.setattr(draw_diagrams, "ASSETS", tmp_path)
    draw_diagrams.main()
    for drawn in sorted(tmp_path.iterdir()):
        assert (ROOT / "assets" / drawn.name).read_text() == drawn.read_text(), "run tools/draw_diagrams.py"
        assert "14,714,688" in drawn.read_text() or drawn.name == "lrcn.svg"
    assert len(list(tmp_path.iterdir())) == 2


def test_every_page_and_message_starts_the_command_line_with_the_same_word():
    """`paths.console_script` gives it to messages; torchrun has to be given a module."""
    files = [*(ROOT / "actlib").rglob("*.py"), *(ROOT / ".github").rglob("*.y*ml")]
    texts = {path: path.read_text() for path in files}
    texts |= {page: page.read_text() for page in PAGES if page.name != "CHANGELOG.md"}  # which only names commands
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        texts[path] = "\n".join(cell.source for cell in nbformat.read(path, 4).cells)
    for path, text in texts.items():
        assert not re.search(r"python\S* -m actlib", text), path
        assert not re.search(r"(?<!-m )(?<!bin/)\bactlib (train|evaluate|fuse|annotate|fetch|doctor) -", text), path


@each_page
def test_folders_in_settings_are_absolute(page):
    """A lesson's kernel starts in notebooks/, the command line elsewhere."""
    assert all(folder[0] in "$/~" for folder in re.findall(r"ACTLIB_DATA=(\S+)", page.read_text()))
