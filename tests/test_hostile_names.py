"""Names out of files, whatever is in them: markup stays text, figures are drawn, links lead where they say."""

import ast
import dataclasses
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import unquote

import matplotlib
import mistune
import nbformat
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actlib import animation, doctor, evaluation, paths, plots
from actlib.annotate import Panel
from actlib.specs import CONTROLS
from actlib.widgets.notebook import write_lines
from tools import tour

MARKUP = "<script>alert(1)</script>"
NAMES = (r"$\frac{$", "line\nbreak", MARKUP, "$", "tab\tand\0null", "\u202eoverride", "\udcff")
FOLDER = Path(__file__).resolve().parent.parent / "notebooks"


class Tags(HTMLParser):
    """The tags of a page."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))


def tags_of(text):
    return {tag for tag, _ in Tags(text).found}


def make_results(classes=NAMES, readout="steps"):
    """Results on three videos a class, one of which is taken for the next class."""
    labels = np.arange(len(classes)).repeat(3)
    predicted = np.where(np.arange(len(labels)) % 3, labels, (labels + 1) % len(classes))
    names = [f"{classes[label]}/{number}" for number, label in enumerate(labels)]
    videos = pd.DataFrame({"name": names, "label": labels, "group": np.arange(len(labels)) % 3})
    options = {"classes": classes, "readout": "steps"}
    results = evaluation.evaluate(np.eye(len(classes))[predicted][:, None], np.arange(len(labels)), videos, **options)
    return dataclasses.replace(evaluation.Results.from_json(results.to_json()), readout=readout)


def cells_with(words):
    """Sources of the lessons' cells in which some words stand."""
    notebooks = [nbformat.read(path, as_version=4) for path in sorted(FOLDER.glob("*.ipynb"))]
    return [cell.source for notebook in notebooks for cell in notebook.cells if words in cell.source]


def test_results_show_no_markup_of_theirs():
    shown = make_results(readout=MARKUP)._repr_html_()
    assert "script" not in tags_of(shown) and "alert(1)" in shown


def test_tables_of_lessons_that_pandas_styles_show_no_markup_of_theirs():
    results, sources = make_results(), [each for each in cells_with("compare_controls(") if ".style" in each]
    controls = [dataclasses.replace(results, control=name) for name in CONTROLS]
    assert len(sources) == 2
    for source in sources:
        names = {"evaluation": evaluation, "results": results, "lrcn": results, "CONTROLS": CONTROLS}
        names |= {"shuffled": controls[0], "controls": controls}
        *_, first, last = ast.parse(source).body  # compared = ..., and what is shown of it
        exec(compile(ast.Module([first], []), "cell", "exec"), names)
        table = eval(compile(ast.Expression(last.value), "cell", "eval"), names)
        assert "script" not in tags_of(table.to_html()) and "alert(1)" in table.to_html()


@pytest.mark.parametrize("name", ["a film.mp4", "a](javascript:alert(1)) [b.mp4", f"{MARKUP}.mp4", "50%25 #1?.mp4"])
def test_the_link_to_a_film_leads_to_it_whatever_its_name_is(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (source,) = cells_with("Markdown(f")
    *statements, last = ast.parse(source).body
    names = {"Path": Path, "made": SimpleNamespace(path=tmp_path / "films" / name)}
    exec(compile(ast.Module(statements, []), "cell", "exec"), names)
    markdown = eval(compile(ast.Expression(last.value), "cell", "eval"), names).data
    found = Tags(mistune.html(markdown)).found
    assert [tag for tag, _ in found] == ["p", "a"] and unquote(found[1][1]["href"]) == f"films/{name}"


def test_the_index_of_a_tour_shows_no_markup_of_theirs():
    lessons = [{"name": f"00 {MARKUP}#1", "seconds": 1.0, "ok": True}]
    accuracy = {"value": 0.5, "low": 0.4, "high": 0.6}
    models = [{"framework": MARKUP, "model": MARKUP, "data": MARKUP, "video_accuracy": accuracy}]
    page = tour.make_index({"lessons": lessons, "models": models, "seconds": 1})
    links = [attributes["href"] for tag, attributes in Tags(page).found if tag == "a"]
    assert "script" not in tags_of(page) and [unquote(link) for link in links] == [f"00 {MARKUP}#1.html"]
    assert "#" not in links[0]


def draw_all():
    """Every figure in which a name out of a file stands."""
    results, frames = make_results(), np.zeros((len(NAMES), 24, 32, 3), np.uint8)
    probabilities, labels = np.eye(len(NAMES)), np.arange(len(NAMES))
    many = (*NAMES, *(f"class {number}" for number in range(40)))
    rows = [(name, part, 30 + 7 * i, 25.0) for name in NAMES for i, part in enumerate(("train", "test"))]
    videos = pd.DataFrame(rows, columns=["class_name", "subset", "frames", "fps"])
    yield plots.plot_classes(videos)
    yield plots.plot_lengths(videos)
    yield plots.plot_confusion(results)
    yield plots.plot_confusion(make_results(many))
    yield plots.plot_per_class({name: results for name in NAMES})
    yield plots.plot_comparison({name: results for name in NAMES})
    yield plots.plot_timeline(probabilities, NAMES, label=1)
    yield plots.plot_predictions(probabilities, NAMES, frames=frames)
    yield plots.plot_projection(np.eye(len(NAMES))[:, :2], labels, NAMES)
    yield plots.plot_projection(np.random.default_rng(0).normal(size=(len(many), 2)), np.arange(len(many)), many)
    yield plots.show_clips({name: frames for name in NAMES}, title=NAMES[1])
    yield plots.show_frames(frames, titles=list(NAMES), title=NAMES[0])
    yield plots.plot_history({"loss": [1.0], "accuracy": [0.5]}, title=NAMES[0])
    yield write_lines(*NAMES)


def test_figures_are_drawn_whatever_names_are_in_them(tmp_path):
    for number, figure in enumerate(draw_all()):
        assert figure.encode()
        figure.savefig(tmp_path / f"{number}.png")  # outside of the library's style
        shown = [text for text in figure.findobj(matplotlib.text.Text) if text.get_text()]
        assert not any(text.get_parse_math() for text in shown)
        axes = [axis for each in figure.axes for axis in (each.xaxis, each.yaxis)]
        labels = [label.get_text() for axis in axes for label in axis.get_ticklabels()]
        assert not [label for label in labels if label and not label.isprintable()]
    assert r"line\nbreak" in [text.get_text() for text in next(draw_all()).findobj(matplotlib.text.Text)]


@given(st.text(max_size=30))
def test_an_escaped_name_can_be_printed_and_is_the_name_where_that_can_be(name):
    assert plots.escape_name(name).isprintable()
    assert plots.escape_name(name) == name or not name.isprintable()


def test_drawn_text_is_cut_in_time_however_long_and_odd():
    font = plots.load_font(14)
    assert plots.fit_text("x" * 10**6, font, 60).endswith("…")
    assert plots.fit_text("line\nbreak", font, 600) == r"line\nbreak"


def test_films_and_animations_are_drawn_whatever_names_are_in_them():
    panel = Panel(320, classes=NAMES, num_frames=9, fps=25)
    for index, name in enumerate(NAMES):
        assert panel.draw(index, np.full(len(NAMES), 1 / len(NAMES)), name).any()
    clips = {name: np.zeros((2, 24, 40, 3), np.uint8) for name in NAMES}
    assert animation.animate_clips(clips).data


def test_the_line_that_fetches_more_is_one_word_to_a_shell(tmp_path, monkeypatch):
    for name in paths.SETTINGS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ACTLIB_HOME", str(tmp_path))
    (tmp_path / "data" / "ucf101" / "UCF-101" / "a;reboot").mkdir(parents=True)
    (tmp_path / "data" / "ucf101" / "UCF-101" / "a;reboot" / "v_a_g01_c01.avi").write_bytes(b"")
    (tmp_path / "data" / "ucf101" / "ucfTrainTestlist").mkdir()
    for side in ("train", "test"):
        (tmp_path / "data" / "ucf101" / "ucfTrainTestlist" / f"{side}list01.txt").write_text(
            f"a;reboot/v_a_g01_c0{len(side) % 2}.avi 1\n"
        )
    (finding,) = (each for each in doctor._examine() if each.about == "videos")
    assert finding.fix == f"{paths.console_script()} fetch ucf101 --classes 'a;reboot'"
