"""An attack with what is shown: names that are markup or no text, odd messages of a browser, links to elsewhere."""

import contextlib
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd

from actlib import evaluation, plots
from actlib.dataset import list_videos
from actlib.video import write_video
from actlib.widgets import ClipBrowser, ClipLabeller, ClipPlayer, ConfusionExplorer, SamplingExplorer, TrainingMonitor
from hostile.checking import check

NAMES = [
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "\"><svg onload=alert(1)>", "&lt;b&gt;", "$\\frac{$",
    "$x$ and $", "\\", "line\nbreak", "tab\tand\0null", "\u202eoverride",
    "\udcff", "", " ", "%s %d {0} {x}", "a" * 5000,
    "映" * 300, "\U0001f3c3\u200d\u2642\ufe0f", "e" + "\u0301" * 200, "__class__", "_" * 40, "^_{}~#&",
]  # fmt: skip
JUNK = [
    None, True, -1, 0, 10**9, 10**400, 0.5, float("nan"), float("inf"), "", "0", "../../etc/passwd", "\udcff", [], [0],
    {}, {"row": 0}, "a" * 100_000, [[[[[0]]]]], b"bytes",
]  # fmt: skip
KEYS = (
    "kind", "request", "row", "clip", "rows", "names", "size", "width", "first", "second", "index", "cell", "label",
    "span",
)  # fmt: skip
TAGS = {"script", "img", "svg", "b", "iframe"}


def make_results(names):
    """Results on three videos a class, of which one is taken for the next class."""
    labels = np.arange(len(names)).repeat(3)
    said = np.where(np.arange(len(labels)) % 3, labels, (labels + 1) % len(names))
    videos = pd.DataFrame({"name": [f"{names[label]}/{n}" for n, label in enumerate(labels)], "label": labels})
    videos["group"] = np.arange(len(labels)) % 3
    logits = np.eye(len(names))[said][:, None]
    return evaluation.evaluate(logits, np.arange(len(labels)), videos, classes=names, readout="steps")


def _try_names(names, which=None):
    """Tables hold no markup of theirs, figures are drawn."""
    results = make_results(names)
    pages = [results._repr_html_(), results.most_confused().to_html()]
    record = make_results(("one", "more")).to_json()  # as JSON refuses what is no text
    printable = [name for name in names if name.isprintable()]
    for change in ({"readout": printable[0]}, {"control": printable[0]}, {"leakage": [*printable]}):
        with contextlib.suppress(ValueError):  # what is one of few words
            pages.append(evaluation.Results.from_json(json.dumps(record | change), "made")._repr_html_())
    if found := {*re.findall(r"<\s*(\w+)", " ".join(pages).lower())} & TAGS:
        return f"markup of theirs is shown: {found}"
    frames = np.zeros((len(names), 24, 32, 3), np.uint8)
    rows = [(name, part, 30, 25.0) for name in names for part in ("train", "test")]
    videos = pd.DataFrame(rows, columns=["class_name", "subset", "frames", "fps"])
    draws = (
        lambda: plots.plot_classes(videos),
        lambda: plots.plot_lengths(videos),
        lambda: plots.plot_confusion(results),
        lambda: plots.plot_per_class({names[0]: results}),
        lambda: plots.plot_timeline(np.eye(len(names)), names, label=1),
        lambda: plots.plot_predictions(np.eye(len(names)), names, frames=frames),
        lambda: plots.show_clips(dict.fromkeys(names, frames), title=names[0]),
        lambda: plots.plot_history({"loss": [1.0], "accuracy": [0.5]}, title=names[-1]),
    )
    for draw in draws if which is None else [draws[which % len(draws)]]:
        draw().encode()
    return None


def make_widgets(videos):
    """One of each kind."""
    logits = np.eye(2)[1 - videos["label"].to_numpy()][:, None]
    options = {"classes": ("A", "B"), "readout": "steps"}
    results = evaluation.evaluate(logits, np.arange(len(videos)), videos, **options)
    yield ClipPlayer(videos.iloc[0])
    yield ClipBrowser(videos)
    yield ConfusionExplorer(results, videos)
    yield SamplingExplorer(videos.iloc[0], num_frames=3)
    yield TrainingMonitor(title="<b>")
    folder = Path(videos.attrs["folder"])  # the table is read each time, so junk in it would be seen
    yield ClipLabeller(folder, folder.with_name("labels.csv"), ["A", "B", *NAMES[:8]])


def _try_messages(folder, number, messages, others=None):
    """A widget answers, or leaves alone, whatever is sent; it raises nothing and still answers what is right."""
    videos = list_videos(folder, progress=False)
    widget = [*make_widgets(videos)][number]
    sent = []
    widget.send = lambda content, buffers=None: sent.append(content)
    for message in messages:
        before = len(sent)
        widget._handle_msg({"content": {"data": message}, "buffers": []})
        if len(sent) > before + 1:
            return f"{len(sent) - before} answers to {str(message)[:200]}"
    asked = {
        "clip": 0,
        "row": 0,
        "kind": ("clip", "table", "table", "frames", "stop", "label")[number],
        "request": "the last",
        "label": "A",
        "span": ["", ""],
    }
    widget._handle_msg({"content": {"data": {"method": "custom", "content": asked}}, "buffers": []})
    json.dumps([content for content in sent], allow_nan=False, default=str)
    answer = [content for content in sent if content["request"] == "the last"]
    if any(str(folder.parent) in json.dumps(content, default=str) and "problem" not in content for content in sent):
        return "a path of this machine is told"
    is_right = len(answer) == 1 and (others == "states" or "problem" not in answer[0])
    return None if is_right else f"no answer to what is right: {answer}"


def _make_message(rng, widget_traits):
    junk = JUNK[rng.integers(len(JUNK))]
    way = rng.integers(4)
    if way == 0:
        return junk
    if way == 1:
        return {"method": "update", "state": {str(rng.choice(widget_traits)): junk}, "buffer_paths": []}
    content = {
        "kind": str(rng.choice(["clip", "thumbnail", "table", "frames", "stop", "label", "x"])),
        "request": f"r{rng.integers(10**9)}",
    }
    content |= {str(key): JUNK[rng.integers(len(JUNK))] for key in rng.choice(KEYS, 3)}
    return {"method": "custom", "content": content if way == 2 else junk}


def _try_link(folder, kind):
    """A file outside of the data's folder is not served, by whichever way a link leads there."""
    outside = folder / "outside" / "secret.mp4"
    write_video(outside, np.zeros((4, 32, 48, 3), np.uint8), fps=25)
    data = folder / "data"
    (data / "A").mkdir(parents=True)
    write_video(data / "A" / "v_A_g01_c01.mp4", np.full((4, 32, 48, 3), 99, np.uint8), fps=25)
    if kind == "file":
        (data / "A" / "v_A_g02_c01.mp4").symlink_to(outside)
    else:
        outside.rename(outside.with_name("v_B_g02_c01.mp4"))
        (data / "B").symlink_to(outside.parent, target_is_directory=True)
    videos = list_videos(data, progress=False)
    widget, answers = ClipBrowser(videos), []
    widget.send = lambda content, buffers=None: answers.append((content, buffers))
    for row in range(len(videos)):
        for ask in ("clip", "thumbnail"):
            widget._handle_custom_msg({"kind": ask, "request": f"{ask}{row}", "row": row}, [])
    problems = [content.get("problem") for content, _ in answers]
    return None if [bool(each) for each in problems] == [False, False, True, True] else f"{problems}"


def cases(rng, folder):
    """Yield (name, function)."""
    data = folder / "clips"
    for label in ("A", "B"):
        for group in (1, 2, 3):
            shade = np.full((6, 32, 48, 3), 30 * group + (label == "B"), np.uint8)
            write_video(data / label / f"v_{label}_g0{group}_c01.mp4", shade, fps=25)
    for kind in ("file", "folder"):
        yield f"a link of a {kind} to elsewhere", lambda kind=kind: _try_link(folder / f"link-{kind}", kind)
    traits = [sorted({name for name in widget.keys}) for widget in make_widgets(list_videos(data, progress=False))]
    every = [
        {"method": "custom", "content": {"kind": kind, "request": f"{kind}{n}", "row": junk, "clip": junk}}
        for n, junk in enumerate(JUNK)
        for kind in ("clip", "thumbnail", "frames", "table")
    ]
    asked = {"kind": "label", "request": "label", "row": 0, "label": "A", "span": ["", ""]}
    changes = [{key: junk} for key in ("row", "label", "span") for junk in JUNK]
    changes += [{"label": name} for name in NAMES] + [{"span": [junk, junk]} for junk in JUNK]
    every += [{"method": "custom", "content": asked | change} for change in changes]
    for number in range(len(traits)):
        yield f"every message to widget {number}", lambda number=number: _try_messages(data, number, [*JUNK, *every])
        states = [
            {"method": "update", "state": {name: junk}}
            for name in traits[number]
            for junk in JUNK
            if name[0] != "_" and name not in ("layout", "tooltip", "tabbable")
        ]
        yield (
            f"every state to widget {number}",
            lambda number=number, states=states: _try_messages(data, number, states, "states"),
        )
    for number in range(8):
        yield (
            f"all names in figure {number}",
            lambda n=number: check(lambda: _try_names((*filter(None, NAMES),), n), allowed=()),
        )
    for number in range(200):
        names = tuple({str(rng.choice(NAMES)) + str(rng.choice(NAMES)) for _ in range(4)} - {""}) + ("one", "more")
        yield f"names {number}", lambda names=names, n=number: check(lambda: _try_names(names, n), allowed=())
        which = int(rng.integers(len(traits)))
        messages = [
            _make_message(rng, [name for name in traits[which] if name not in ("layout", "tooltip", "tabbable")])
            for _ in range(40)
        ]
        yield (
            f"messages {number}",
            lambda which=which, messages=messages: _try_messages(data, which, messages, "states"),
        )
