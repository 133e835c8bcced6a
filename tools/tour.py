"""Run the lessons in order, each in a fresh kernel, and keep what they show: notebooks, web pages, a summary.

python tools/tour.py --out runs/tour               all lessons, trained from scratch
python tools/tour.py --out runs/tour --only 04     one of them; models of an earlier tour are found again
python tools/tour.py --out runs/tour --keep        also write the outputs back into notebooks/
"""

import argparse
import html
import json
import os
import re
import shutil
import sys
import time
from pathlib import Path
from string import Template
from urllib.parse import quote

import nbformat
import pandas as pd
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbconvert import HTMLExporter
from tqdm import tqdm

from actlib.checkpoints import read_card, read_weights, save_checkpoint
from actlib.experiment import BACKENDS
from actlib.paths import BEST, RESULTS, shipped_runs
from actlib.sample import data_folder

ROOT = Path(__file__).resolve().parent.parent
CELL_SECONDS = 900  # a cell that takes longer is stopped
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


def list_lessons(only=None):
    """List the lessons in their order.

    Args:
        only: beginnings of their names ("04"), or None for all.

    Returns:
        Sorted paths of the .ipynb files.

    Raises:
        ValueError: a beginning fits no lesson, or there are none at all.
    """
    lessons = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
    unknown = [start for start in only or [] if not any(path.name.startswith(start) for path in lessons)]
    if unknown or not lessons:
        names = ", ".join(path.stem for path in lessons) or "none"
        raise ValueError(
            f"Expected lessons among: {names}. Received: {', '.join(unknown)}. Give the first digits of one."
        )
    return [path for path in lessons if only is None or path.name.startswith(tuple(only))]


def run_lesson(path):
    """Run one lesson from a fresh kernel.

    Args:
        path: the notebook.

    Returns:
        (notebook, error): the executed notebook without widget state, and None or the error that stopped it.
    """
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(notebook, timeout=CELL_SECONDS, resources={"metadata": {"path": str(path.parent)}})
    client.coalesce_streams = True
    client.extra_arguments = ["--log-level=ERROR"]  # a kernel tells each time that it listens on this machine
    error = None
    try:
        client.execute()
    except CellExecutionError as failure:
        error = str(failure)
    return tidy_notebook(notebook), error


def tidy_notebook(notebook):
    """Drop, in place, what only this run knew: widget state, progress bars, timings; keep what JupyterLab would add."""
    kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    notebook.metadata = {"kernelspec": kernel, "language_info": notebook.metadata.get("language_info", {})}
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if not _is_bare_view(output)]
    return notebook


def _is_bare_view(output):
    """Take the widget view out of an output; whether nothing to look at is left, as of a progress bar."""
    data = output.get("data", {})
    return data.pop(WIDGET_VIEW, None) is not None and set(data) <= {"text/plain"}


def run_tour(out, *, only=None, keep=False):
    """Run lessons and leave notebooks, web pages, index.html and results.json.

    A whole tour trains from scratch; with `only`, lessons find what earlier ones left in `out`/models or ACTLIB_RUNS.

    Args:
        out: folder for what is left.
        only: see `list_lessons`.
        keep: also write the executed lessons back, and, of a whole tour, its models to pretrained/.

    Returns:
        The summary that results.json holds: `seconds`, `lessons`, `models`.
    """
    lessons, out = list_lessons(only), Path(out)
    out.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # threads that wait do not spin: other work may share the cores
    os.environ.setdefault("TQDM_DISABLE", "1")  # no progress bars in the outputs; this run has its own
    if only is None and "ACTLIB_RUNS" not in os.environ:
        shutil.rmtree(out / "models", ignore_errors=True)
    runs = Path(os.environ.setdefault("ACTLIB_RUNS", str((out / "models").resolve())))
    start, records = time.perf_counter(), []
    data_folder()  # draws the sample set on first use
    for path in tqdm(lessons, desc="Lessons", unit="lesson", disable=False):
        begin = time.perf_counter()
        notebook, error = run_lesson(path)
        seconds = round(time.perf_counter() - begin, 1)
        records.append({"name": path.stem, "seconds": seconds, "ok": error is None, "error": error})
        _write_lesson(notebook, out / path.name)
        if keep and error is None:
            nbformat.write(notebook, path)
    seconds = round(time.perf_counter() - start, 1)
    summary = {"seconds": seconds, "lessons": records, "models": list_models(runs)}
    (out / "results.json").write_text(json.dumps(summary, indent=2))
    (out / "index.html").write_text(make_index(summary))
    if keep and only is None:
        ship_runs(runs)
    return summary


def ship_runs(runs):
    """Ship the small checkpoints of the sample set.

    Args:
        runs: folder of the lessons' models, which holds `sample` if they were run on it.
    """
    for run in (Path(runs) / "sample" / f"{name}_{model}" for name in BACKENDS for model in ("frames", "lrcn")):
        if (run / BEST).exists():
            ship_run(run, shipped_runs("sample") / run.name, hide=str(runs))


def ship_run(run, target, *, hide, head=False):
    """Copy a run's checkpoint and results to where the project ships them.

    Args:
        run: its folder.
        target: where they go.
        hide: the part of a path that is this machine's own.
        head: leave the convolutions out, which ImageNet's VGG-16 has.
    """
    card = json.dumps(read_card(run / BEST), default=vars).replace(hide, "runs/lessons")
    weights = {
        name: array for name, array in read_weights(run / BEST).items() if not (head and name.startswith("block"))
    }
    save_checkpoint(target / BEST, weights, json.loads(card))
    (target / RESULTS).write_text((run / RESULTS).read_text().replace(hide, "runs/lessons"))


def _write_lesson(notebook, path):
    """Write an executed lesson as a notebook and as a web page."""
    nbformat.write(notebook, path)
    page, _ = HTMLExporter().from_notebook_node(notebook)
    root = quote(Path(os.path.relpath(ROOT, path.parent)).as_posix())
    page = re.sub(r'((?:href|src)="\d\d_\w+)\.ipynb"', r'\1.html"', page)  # the next lesson's page
    path.with_suffix(".html").write_text(re.sub(r'(href|src)="\.\./', rf'\1="{root}/', page))


def list_models(runs):
    """List what the lessons measured of their models: dicts of framework, model, data and video_accuracy."""
    found = []
    for path in sorted(runs.glob("*/*_*/results.json")):
        framework, model = path.parent.name.split("_", 1)
        accuracy = json.loads(path.read_text())["video_accuracy"]
        names = {"framework": framework, "model": model, "data": path.parent.parent.name}
        found.append(names | {"video_accuracy": accuracy})
    return found


def make_index(summary):
    """Draw the page that leads to the executed lessons, as HTML."""
    lessons = pd.DataFrame(summary["lessons"], columns=["name", "seconds", "ok"])
    lessons["name"] = [f"<a href='{quote(name)}.html'>{html.escape(name)}</a>" for name in lessons["name"]]
    lessons["ok"] = lessons["ok"].map({True: "ok", False: "stopped by an error"})
    models = pd.DataFrame(summary["models"], columns=["framework", "model", "data", "video_accuracy"])
    models["video_accuracy"] = [
        f"{share['value']:.1%} ({share['low']:.1%} to {share['high']:.1%})" for share in models["video_accuracy"]
    ]
    tables = {"lessons": lessons.to_html(index=False, escape=False, border=0)}
    return PAGE.substitute(tables, models=models.to_html(index=False, border=0), seconds=summary["seconds"])


PAGE = Template("""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Lessons, executed</title>
<style>
body { font: 16px/1.5 sans-serif; max-width: 46rem; margin: 3rem auto }
td, th { padding: .2rem 1rem .2rem 0; text-align: left }
</style>
<h1>Lessons, executed</h1>$lessons<p>$seconds s in all.</p>
<h2>Test videos recognised (95 % interval over groups)</h2>$models
</html>""")


def main():
    """Run the tour from the command line; the exit status is 1 if a lesson stopped, 2 if none was chosen."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/tour"), help="folder for notebooks, pages and results")
    parser.add_argument("--only", nargs="+", metavar="NN", help="lessons to run, by their first digits")
    parser.add_argument("--keep", action="store_true", help="write the outputs back into notebooks/")
    chosen = parser.parse_args()
    try:
        summary = run_tour(chosen.out, only=chosen.only, keep=chosen.keep)
    except ValueError as error:
        parser.error(str(error))
    failed = [lesson for lesson in summary["lessons"] if not lesson["ok"]]
    for lesson in failed:
        print(f"{lesson['name']} stopped:\n{lesson['error']}", file=sys.stderr)
    print(f"{len(summary['lessons'])} lessons in {summary['seconds']:.0f} s; open {chosen.out / 'index.html'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
