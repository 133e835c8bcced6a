"""Dump the widgets that lessons show, so that they play on a page without a kernel: traits, and replies as files.

python -m tools.dump_widgets --out runs/site/widgets

Lessons run in this process up to their last widget, on the sample set and with the models that come with the project.
Each widget becomes a JSON file named after its lesson, cell and kind; videos and pictures are named by their content,
so that what two widgets show is there once. tools/site/widgets.js reads them.
"""

import argparse
import hashlib
import itertools
import json
import os
import sys
import tempfile
from pathlib import Path

import anywidget
import nbformat
import numpy as np
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

from actlib.video.sampling import RANDOM_SAMPLING
from actlib.widgets import ClipBrowser, ClipPlayer, ConfusionExplorer, SamplingExplorer
from actlib.widgets.notebook import encode
from actlib.widgets.sampling import RULES, STRIDES, TILE
from tools.tour import ROOT, list_lessons

SHOWN = ("00", "01", "02", "07", "08")  # lessons whose widgets need no training
WIDGETS = ("ClipPlayer(", "ClipBrowser(", "ConfusionExplorer(", "SamplingExplorer(")
# What the sampling explorer's sliders can be set to on a page: each setting is computed beforehand.
SETTINGS = {"num_frames": (1, 2, 4, 8, 12, 16, 24, 32, 48, 64), "stride": (1, 2, 4, 8, 16, 32), "seed": (0, 1, 2, 3)}


def shows_widget(cell):
    """Tell whether a code cell's last line makes a widget that can play without a kernel."""
    return cell.cell_type == "code" and any(line.startswith(WIDGETS) for line in cell.source.splitlines()[-1:])


def run_to_widgets(path):
    """Run a lesson up to its last widget, and yield (index of the cell, widget)."""
    cells = nbformat.read(path, as_version=4).cells
    shown = [index for index, cell in enumerate(cells) if shows_widget(cell)]
    shell = InteractiveShell()
    for index, cell in enumerate(cells[: max(shown) + 1]):
        if cell.cell_type == "code":
            with capture_output() as said:
                result = shell.run_cell(cell.source)
            if not result.success:
                raise RuntimeError(f"Cell {index} of {path.name} failed: {said.stdout[-2000:]}{said.stderr[-2000:]}")
            if index in shown:
                yield index, result.result


class Dump:
    """A folder of dumped widgets.

    Args:
        folder: where they go; made if need be.
    """

    def __init__(self, folder):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)

    def save(self, data, kind):
        """Write bytes into a file named after them, and return its name."""
        name = f"{hashlib.sha256(data).hexdigest()[:16]}.{kind}"
        (self.folder / name).write_bytes(data)
        return name

    def reply(self, widget, kind, **content):
        """Ask a widget as its view would; return (key of the request, reply with the names of its files)."""
        reply, buffers = getattr(widget, f"handle_{kind}")(content)
        suffix = "mp4" if kind == "clip" else "jpg"
        files = [self.save(buffer, suffix) for buffer in buffers]
        flow = "-flow" if content.get("flow") else ""
        return f"{kind}-{content['row']}{flow}" if content else kind, {"content": reply, "files": files}

    def reply_all(self, widget):
        """Ask a widget everything that its view may ask."""
        rows = range(len(widget.videos))
        replies = [self.reply(widget, "clip", row=row) for row in rows]
        if isinstance(widget, ClipPlayer):
            replies.append(self.reply(widget, "clip", row=0, flow=True))
        else:
            replies += [self.reply(widget, "thumbnail", row=row) for row in rows]
        if isinstance(widget, (ClipBrowser, ConfusionExplorer)):
            replies.append(self.reply(widget, "table"))
        return dict(replies)

    def add(self, name, widget):
        """Write one widget."""
        inherited = anywidget.AnyWidget.class_trait_names()
        names = [name for name in widget.trait_names(sync=True) if name not in inherited and name[0] != "_"]
        state = widget.get_state(names)
        poster = state.pop("poster", None)
        dump = {
            "module": self.save(widget._esm.encode(), "js"),
            "style": self.save(widget._css.encode(), "css"),
            "state": state,
            "bytes": {"poster": self.save(bytes(poster), "jpg")} if poster else {},
            "replies": self.reply_all(widget),
        }
        if isinstance(widget, SamplingExplorer):
            dump["frames"] = self.save(encode(np.hstack(widget.read_frames(0, widget.length, TILE)), "JPEG"), "jpg")
            dump["sampling"] = {"values": SETTINGS, "first_strides": STRIDES, "results": sample_all(widget)}
        text = json.dumps(dump, allow_nan=False, separators=(",", ":"))
        (self.folder / f"{name}.json").write_text(text, encoding="utf-8")


def sample_all(widget):
    """Compute what a sampling explorer shows at each setting: {"rule/T/stride/seed": [taken, costs, summary]}."""
    results = {}
    for rule in RULES:
        given = {
            "num_frames": SETTINGS["num_frames"],
            "stride": SETTINGS["stride"] if rule in STRIDES else ("",),
            "seed": SETTINGS["seed"] if rule in RANDOM_SAMPLING else ("",),
        }
        for values in itertools.product(*given.values()):
            widget.rule = rule
            for name, value in zip(given, values, strict=True):
                if value != "":
                    widget.set_trait(name, value)
            results["/".join(map(str, (rule, *values)))] = [widget.taken, widget.costs, widget.summary]
    return results


def dump_lessons(folder, lessons=SHOWN):
    """Dump the widgets of lessons into a folder; return {lesson's stem: {index of the cell: widget's name}}."""
    dump, found = Dump(folder), {}
    with tempfile.TemporaryDirectory() as runs:
        os.environ["ACTLIB_RUNS"] = runs  # none trained here: the models that come with the project
        os.environ.pop("ACTLIB_DATA", None)  # the sample set: nothing that others own
        for path in list_lessons(lessons):
            found[path.stem] = {}
            for index, widget in run_to_widgets(path):
                found[path.stem][index] = f"{path.stem[:2]}-{index}-{type(widget).__name__}"
                dump.add(found[path.stem][index], widget)
                widget.close()
    return found


def main():
    """Dump from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "site" / "widgets")
    parser.add_argument("--lessons", nargs="+", default=SHOWN)
    chosen = parser.parse_args()
    found = dump_lessons(chosen.out, chosen.lessons)
    size = sum(file.stat().st_size for file in chosen.out.iterdir())
    print(f"{sum(map(len, found.values()))} widgets, {size / 1e6:.1f} MB in {chosen.out}")


if __name__ == "__main__":
    sys.exit(main())
