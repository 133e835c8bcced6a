"""Run the lessons, in order and each in a fresh kernel, and keep what they show: notebooks, web pages, a summary."""

import html
import json
import os
import shutil
import time
from pathlib import Path
from string import Template

import nbformat
import pandas as pd
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbconvert import HTMLExporter
from tqdm import tqdm

from actlib import paths, sample

CELL_SECONDS = 900  # a cell that takes longer is stopped


def list_lessons(folder=None):
    """List the lessons in their order.

    Args:
        folder: Where the notebooks are; None for the project's own.

    Returns:
        Sorted paths of the .ipynb files.

    Example:
        >>> [path.name[:2] for path in list_lessons()][:2]
        ['00', '01']
    """
    return sorted((Path(folder) if folder else paths.home_folder() / "notebooks").glob("[0-9]*.ipynb"))


def run_lesson(path):
    """Run one lesson from a fresh kernel.

    Args:
        path: The notebook.

    Returns:
        (notebook, error): the executed notebook without widget state, and None or the error that stopped it.
    """
    notebook = nbformat.read(path, as_version=4)
    places = {"metadata": {"path": str(path.parent)}}
    client = NotebookClient(notebook, timeout=CELL_SECONDS, resources=places, coalesce_streams=True)
    client.extra_arguments = ["--log-level=ERROR"]  # a kernel tells each time that it listens on this machine
    error = None
    try:
        client.execute()
    except CellExecutionError as failure:
        error = str(failure)
    return tidy_notebook(notebook), error


def tidy_notebook(notebook):
    """Keep what a reader looks at and drop what only this run knew.

    Args:
        notebook: An executed notebook; changed in place.

    Returns:
        The same notebook, without widget state, progress bars, cell timings and the kernel's exact version.
    """
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if not _was_only_a_view(output)]
    return notebook


def _was_only_a_view(output):
    """Drop an output's widget view; whether nothing to look at is left, as of a progress bar."""
    data = output.get("data", {})
    return data.pop("application/vnd.jupyter.widget-view+json", None) is not None and set(data) <= {"text/plain"}


def run_lessons(out, *, only=None, keep=False):
    """Run every lesson and leave notebooks, web pages, index.html and results.json.

    A whole tour trains anew; with `only`, lessons find what earlier ones have left in `out`/models or in ACTLIB_RUNS.

    Args:
        out: Folder for what is left.
        only: Beginnings of the names of lessons to run ("04"), or None for all.
        keep: Also write the executed lessons back where they came from.

    Returns:
        The summary that results.json holds: ``seconds``, ``lessons``, ``models``.
    """
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # threads that wait do not spin: other work may share the cores
    os.environ.setdefault("TQDM_DISABLE", "1")  # no progress bars in the outputs; this run has its own
    if only is None and "ACTLIB_RUNS" not in os.environ:
        shutil.rmtree(out / "models", ignore_errors=True)
    os.environ.setdefault("ACTLIB_RUNS", str((out / "models").resolve()))
    start, records = time.perf_counter(), []
    sample.data_folder()
    chosen = [path for path in list_lessons() if only is None or path.name.startswith(tuple(only))]
    for path in tqdm(chosen, desc="Lessons", unit="lesson", disable=False):
        begin = time.perf_counter()
        notebook, error = run_lesson(path)
        records.append(
            {"name": path.stem, "seconds": round(time.perf_counter() - begin, 1), "ok": error is None, "error": error}
        )
        keep_lesson(notebook, path, out, keep=keep and error is None)
    summary = {
        "seconds": round(time.perf_counter() - start, 1),
        "lessons": records,
        "models": list_models(Path(os.environ["ACTLIB_RUNS"])),
    }
    (out / "results.json").write_text(json.dumps(summary, indent=2))
    (out / "index.html").write_text(make_index(summary))
    return summary


def keep_lesson(notebook, path, out, *, keep):
    """Write an executed lesson as a notebook and as a web page.

    Args:
        notebook: The executed notebook.
        path: Where the lesson came from.
        out: Folder for both.
        keep: Also replace the lesson itself.
    """
    nbformat.write(notebook, out / path.name)
    if keep:
        nbformat.write(notebook, path)
    page, _ = HTMLExporter().from_notebook_node(notebook)
    (out / f"{path.stem}.html").write_text(page.replace(".ipynb", ".html"))


def list_models(runs):
    """Collect what the lessons measured of their models.

    Args:
        runs: The folder in which lessons keep what they train.

    Returns:
        A list of dicts: framework, model, data, video_accuracy (value, low, high, count).
    """
    found = []
    for path in sorted(runs.glob("*/*/results.json")):
        record = json.loads(path.read_text())
        framework, model = path.parent.name.split("_", 1)
        found.append(
            {
                "framework": framework,
                "model": model,
                "data": path.parent.parent.name,
                "video_accuracy": record["video_accuracy"],
            }
        )
    return found


def make_index(summary):
    """Draw the page that leads to the executed lessons.

    Args:
        summary: What ``run_lessons`` returns.

    Returns:
        HTML.
    """
    lessons = pd.DataFrame(summary["lessons"], columns=["name", "seconds", "ok"])
    lessons["name"] = [f"<a href='{html.escape(name)}.html'>{html.escape(name)}</a>" for name in lessons["name"]]
    lessons["ok"] = lessons["ok"].map({True: "ok", False: "stopped by an error"})
    models = pd.DataFrame(summary["models"], columns=["framework", "model", "data", "video_accuracy"])
    models["video_accuracy"] = [
        f"{share['value']:.1%} ({share['low']:.1%} to {share['high']:.1%})" for share in models["video_accuracy"]
    ]
    return PAGE.substitute(
        lessons=lessons.to_html(index=False, escape=False, border=0),
        models=models.to_html(index=False, border=0),
        seconds=summary["seconds"],
    )


PAGE = Template("""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Lessons, executed</title>
<style>
body { font: 16px/1.5 sans-serif; max-width: 46rem; margin: 3rem auto }
td, th { padding: .2rem 1rem .2rem 0; text-align: left }
</style>
<h1>Lessons, executed</h1>$lessons<p>$seconds s in all.</p>
<h2>Test videos recognised (95 % interval over groups)</h2>$models
</html>""")
