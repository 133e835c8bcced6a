"""Rules for the committed lessons: run in order from a fresh kernel, small, readable, and safe to show."""

import json
import re
from pathlib import Path
from urllib.parse import unquote

import nbformat
import numpy as np
import pytest

from actlib import checkpoints, paths
from actlib.sample import SAMPLE_CLASSES
from tools import tour

ROOT = Path(__file__).resolve().parent.parent
LESSONS = tour.list_lessons()
READ = {path: nbformat.read(path, as_version=4) for path in LESSONS}
each_lesson = pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)


def code_cells(path):
    return [cell for cell in READ[path].cells if cell.cell_type == "code"]


def num_lines(cell):
    return sum(bool(line.strip()) for line in cell.source.splitlines())


def test_lessons_are_numbered_without_gaps():
    assert [int(path.name[:2]) for path in LESSONS] == list(range(len(LESSONS)))


@each_lesson
def test_lesson_is_valid_and_small(path):
    nbformat.validate(READ[path])
    assert path.stat().st_size < 1_000_000
    assert len(READ[path].cells) <= 45


@each_lesson
def test_lesson_ran_in_order_without_error(path):
    cells = code_cells(path)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert not [output for cell in cells for output in cell.outputs if output.output_type == "error"]


@each_lesson
def test_cells_are_short(path):
    assert max(num_lines(cell) for cell in code_cells(path)) <= 15
    exercise = {"exercise", "hidden-test"}  # the reader's own, and what is folded
    sizes = sorted(num_lines(each) for each in code_cells(path) if not exercise & set(each.metadata.get("tags", ())))
    assert sizes[len(sizes) // 2] <= 5
    assert num_lines(code_cells(path)[0]) <= 15  # the set-up cell


@each_lesson
def test_no_widget_state_and_no_view_without_a_picture(path):
    assert "widgets" not in READ[path].metadata
    for cell in code_cells(path):
        for output in cell.outputs:
            assert "application/vnd.jupyter.widget-view+json" not in output.get("data", {})


@each_lesson
def test_no_magic_but_inline_pictures(path):
    lines = [line.strip() for cell in code_cells(path) for line in cell.source.splitlines()]
    assert {line for line in lines if line.startswith(("%", "!"))} <= {"%matplotlib inline"}


@each_lesson
def test_no_path_of_one_machine_and_no_stderr(path):
    text = path.read_text()
    assert not re.search(r"/(home|Users|root|work|tmp)/", text)
    assert not [o for cell in code_cells(path) for o in cell.outputs if o.get("name") == "stderr"]


@each_lesson
def test_lesson_keeps_to_the_form(path):
    cells = READ[path].cells
    prose = [cell.source for cell in cells if cell.cell_type == "markdown"]
    assert prose[0].startswith("# ")
    text = "\n".join(prose)
    for heading in ("change something", "build it", "what we saw", "sources", "next"):
        assert heading in text.lower(), heading
    claims = [line for line in text.splitlines() if line.startswith("## ")]
    assert (
        3
        <= len(
            [
                line
                for line in claims
                if not any(word in line for word in ("Change", "Check", "Build", "What we saw", "Sources"))
            ]
        )
        <= 6
    )


@each_lesson
def test_videos_are_titled_by_their_own_rows(path):
    """Files of "jump high" stand before those of "jump", so a table's order is not that of its classes."""
    assert not [cell.source for cell in code_cells(path) if re.search(r"titles=\[?\*?classes\b(?!\[)", cell.source)]


@each_lesson
def test_links_between_lessons_lead_somewhere(path):
    for cell in READ[path].cells:
        if cell.cell_type == "markdown":
            for target in re.findall(r"\]\(([^)#\s]+)\)", cell.source):
                if not target.startswith("http"):
                    assert (path.parent / target).exists(), target


def test_links_of_the_tours_pages_lead_somewhere(tmp_path):
    for path in LESSONS:
        prose = [cell for cell in READ[path].cells if cell.cell_type == "markdown"]
        tour._write_lesson(nbformat.v4.new_notebook(cells=prose), tmp_path / path.name)
    for page in sorted(tmp_path.glob("*.html")):
        links = re.findall(r'(?:href|src)="([^"#:]+)"', page.read_text())
        assert len(links) >= 3 and all((tmp_path / unquote(link)).exists() for link in links), (page.name, links)


@each_lesson
def test_keras_is_imported_after_the_library_which_quiets_tensorflow(path):
    lines = [line for cell in code_cells(path) for line in cell.source.splitlines()]
    keras = next((n for n, line in enumerate(lines) if re.match(r"import keras|from keras", line)), None)
    assert keras is None or any("from actlib.keras" in line for line in lines[:keras])


def test_the_same_code_does_not_stand_in_two_lessons():
    seen = {}
    for path in LESSONS:
        for cell in code_cells(path)[1:]:
            if num_lines(cell) >= 5:
                assert seen.setdefault(cell.source.strip(), path) == path, (
                    f"{path.stem} repeats a cell of {seen[cell.source.strip()].stem}"
                )


def test_models_of_the_sample_are_shipped_without_a_path_of_this_machine(tmp_path, monkeypatch):
    monkeypatch.setenv("ACTLIB_HOME", str(tmp_path / "home"))
    runs = tmp_path / "models"
    run = runs / "sample" / "keras_lrcn"
    card = {"experiment": {"weights": str(runs / "sample" / "keras_frames")}}
    checkpoints.save_checkpoint(run / "best.safetensors", {"logits/bias": np.arange(3)}, card)
    (run / "results.json").write_text(json.dumps(card))
    (run / "state.safetensors").touch()
    tour.ship_runs(runs)
    shipped = tmp_path / "home" / "pretrained" / "sample" / "keras_lrcn"
    assert sorted(path.name for path in shipped.iterdir()) == ["best.json", "best.safetensors", "results.json"]
    assert not [path for path in shipped.iterdir() if str(tmp_path).encode() in path.read_bytes()]
    shipped_card = checkpoints.read_card(shipped / "best.safetensors")
    assert shipped_card["experiment"]["weights"] == "runs/lessons/sample/keras_frames"
    assert checkpoints.read_weights(shipped / "best.safetensors")["logits/bias"].tolist() == [0, 1, 2]


def test_shipped_models_are_those_of_the_sample_set_and_name_no_machine():
    shipped = paths.shipped_runs("sample")
    names = {f"{framework}_{model}" for framework in ("keras", "torch") for model in ("frames", "lrcn")}
    assert {path.name for path in shipped.iterdir()} == names
    for path in shipped.rglob("*.*"):
        assert not re.search(rb"/(home|Users|root|work|tmp)/", path.read_bytes()), path
    for name in names:
        card = checkpoints.read_card(shipped / name / "best.safetensors")
        assert (card["classes"], card["data"]["folder"]) == (sorted(SAMPLE_CLASSES), "sample")


def test_tidy_notebook_drops_widget_views_and_keeps_pictures():
    output = {
        "output_type": "display_data",
        "metadata": {},
        "data": {"image/png": "x", "application/vnd.jupyter.widget-view+json": {}},
    }
    cell = nbformat.v4.new_code_cell("1", outputs=[nbformat.from_dict(output)])
    notebook = tour.tidy_notebook(
        nbformat.v4.new_notebook(cells=[cell], metadata={"widgets": {}, "language_info": {"name": "python"}})
    )
    assert set(notebook.cells[0].outputs[0].data) == {"image/png"}
    assert "widgets" not in notebook.metadata and notebook.metadata.language_info.name == "python"


def test_tidy_notebook_drops_progress_bars():
    bar = {"text/plain": "decoding: 0%", "application/vnd.jupyter.widget-view+json": {}}
    outputs = [nbformat.v4.new_output("display_data", bar), nbformat.v4.new_output("stream", text="done")]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1", outputs=outputs)])
    assert [output.output_type for output in tour.tidy_notebook(notebook).cells[0].outputs] == ["stream"]


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with two lessons, one of which fails."""
    monkeypatch.setenv("ACTLIB_RUNS", "restored afterwards")
    monkeypatch.setattr(tour, "ROOT", tmp_path)
    monkeypatch.setattr(tour, "data_folder", lambda: tmp_path)
    (tmp_path / "notebooks").mkdir()
    for name, source in (("00_bad", "1 / 0"), ("01_good", "print('well')")):
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
        nbformat.write(notebook, tmp_path / f"notebooks/{name}.ipynb")
    return tmp_path


def test_a_lesson_that_fails_is_told_and_the_others_run(project):
    summary = tour.run_tour(project / "out", keep=True)
    assert [lesson["ok"] for lesson in summary["lessons"]] == [False, True]
    assert "ZeroDivisionError" in summary["lessons"][0]["error"]
    assert json.loads((project / "out/results.json").read_text()) == summary
    assert "stopped by an error" in (project / "out/index.html").read_text()
    kept = [nbformat.read(path, 4).cells[0].execution_count for path in sorted((project / "notebooks").iterdir())]
    assert kept == [None, 1]  # what failed is not written back


def test_a_whole_tour_trains_from_scratch_and_a_part_of_it_does_not(project, monkeypatch):
    monkeypatch.setattr(tour, "run_lesson", lambda path: (nbformat.v4.new_notebook(), None))
    old, shipped = project / "out/models/earlier", []
    monkeypatch.setattr(tour, "ship_runs", shipped.append)
    for only, is_left in ((["01"], True), (None, False)):
        monkeypatch.delenv("ACTLIB_RUNS")
        old.mkdir(parents=True, exist_ok=True)
        tour.run_tour(project / "out", only=only, keep=True)
        assert old.exists() == is_left and bool(shipped) != is_left  # a part of a tour has not trained all models


@pytest.mark.parametrize("only", [["nosuch"], ["00", "77"]])
def test_a_lesson_that_does_not_exist_is_an_error(project, only):
    with pytest.raises(ValueError, match=f"00_bad, 01_good. Received: {only[-1]}"):
        tour.run_tour(project / "out", only=only)
    assert not (project / "out").exists()


def test_a_tour_without_lessons_is_an_error(project, monkeypatch, capsys):
    for path in (project / "notebooks").iterdir():
        path.unlink()
    monkeypatch.setattr("sys.argv", ["tour.py", "--out", str(project / "out")])
    with pytest.raises(SystemExit, match="2"):
        tour.main()
    assert "none" in capsys.readouterr().err
