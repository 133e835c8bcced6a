"""A table of labels with start and end -> a video for each clip, and a table that names them."""

import itertools
import math
from contextlib import suppress
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

from actlib.dataset.labels import SPAN, name_file, read_spans, write_labels
from actlib.dataset.ucf101 import report_broken
from actlib.files import refuse_inputs, shorten_name
from actlib.paths import show_progress
from actlib.video import FPS_RANGE, probe_files, read_frames, write_video

CLIPS = "clips.csv"


def cut_clips(table, folder, *, progress=True) -> Path:
    """Cut labelled parts of recordings into videos of their own, and list them; what is cut already stays as it is.

    Args:
        table: CSV as for `read_labels`, with `start` and `end` too: seconds as `ClipPlayer` counts them, a frame's
            number / the video's frames a second. An empty one is the video's own; where both are, it is listed itself.
        folder, progress: where the clips and their table go (all else is only read); show a bar.

    Returns:
        `clips.csv` in that folder, for `list_videos`. Clips of a recording are one group, unless `table` names it.

    Raises:
        ValueError: a line has no such part of its video; nothing is cut then.
        VideoError: a recording cannot be used.
    """
    table, out = Path(table).resolve(), Path(folder).resolve() / CLIPS
    refuse_inputs(out, table)
    rows = read_spans(table)
    rows["path"] = [file.resolve() for file in rows["path"]]
    cut, names = (rows[SPAN] != "").any(axis=1), rows["path"].map(lambda file: name_file(file, table.parent))
    files = [*rows["path"][cut].unique()]
    infos, broken = probe_files(files, index="recordings", progress=progress)
    report_broken(broken, len(files), advice=f"take their lines out of {table}")
    spans = {line: _find_span(row, infos[row.path], table) for line, row in rows[cut].iterrows()}
    for file in tqdm(files, "recordings", disable=not (progress and show_progress())):
        same = rows["path"].where(cut) == file
        name = f"{shorten_name(file.stem)}-{infos[file].hash[:8]}"
        clips = {line: out.parent / f"{name}_{at:06}_{end:06}.mp4" for line, (at, end) in spans.items() if same[line]}
        _cut_video(file, infos[file], {clip: spans[line] for line, clip in clips.items() if not clip.exists()})
        rows.loc[same, "path"] = [*clips.values()]
    given = rows["group_name"].where(rows["group_name"] != "")
    rows["group_name"] = given.fillna(given.groupby(names).transform("first")).fillna(names)
    return write_labels(rows, out)


def _find_span(row, info, table):
    """Find a row's frames, (the first, the one after the last), or refuse what is no part of its video."""
    length = info.frames / info.fps
    with suppress(ValueError, OverflowError):  # no numbers, or endless ones
        start, end = (float(row[name].replace(",", ".") or own) for name, own in zip(SPAN, (0, length), strict=True))
        first, stop = round(start * info.fps), min(round(end * info.fps), info.frames)
        if start >= 0 and first + 1 < stop and end <= length + 1 / info.fps:
            return first, stop
    found = f"{row['start']!r} to {row['end']!r} of {length:.2f} s of {row.path.name}, line {row.name + 1} of {table}"
    raise ValueError(f"Expected seconds, two frames or more apart. Received: {found}. Correct it, or leave both empty.")


def _cut_video(file, info, spans):
    """Cut one recording into {path of the clip: frames}, in one pass as far as they do not overlap."""
    frames, at = None, math.inf
    for first, stop, clip in sorted((*span, clip) for clip, span in spans.items()):
        if first < at:
            frames, at = read_frames(file, range(first, info.frames)), first
        write_video(clip, itertools.islice(frames, first - at, stop - at), fps=np.clip(info.fps, *FPS_RANGE))
        at = stop
