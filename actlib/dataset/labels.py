"""Tables of labels -> labelled clips, and back: `path,label[,group][,subset][,start,end]`, or Kinetics' own columns."""

import json
import warnings
from pathlib import Path
from typing import Annotated, Literal, NotRequired

import pandas as pd
from pydantic import Field
from typing_extensions import TypedDict

from actlib.files import write_whole
from actlib.schema import Name, parse_json

MOST_LETTERS, MOST_COLUMNS = 1_000_000, 1000  # in the first line of a table
SUFFIXES = (".avi", ".mp4", ".mkv", ".mov", ".webm")
CLIP = ["path", "class_name", "group_name", "subset"]
_SUBSETS = {"training": "train", "val": "validation", "valid": "validation", "validate": "validation"}
SPAN = ["start", "end"]
_KINETICS = ("youtube_id", "time_start", "time_end")
_Needed = {"path": Annotated[str, Field(max_length=4000, pattern=r"^[^\x00]+$")], "label": Name}
_Known = {name: NotRequired[str] for name in ("group", *SPAN)}
_Known["subset"] = NotRequired[Literal["train", "validation", "test"]]
_COLUMNS = {*_Needed, *_Known, *_KINETICS}
_Rows = Annotated[dict[str, TypedDict("_Row", _Needed | _Known)], Field(min_length=1)]


def read_labels(path) -> pd.DataFrame:
    """Read a CSV file (or with semicolons, or tabs) of labelled videos: a table with the columns CLIP.

    Its first line names the columns: `path` (from the file's own folder, or absolute), `label`, and if you like `group`
    (one recording, person or camera) and `subset` (train, validation or test); `start` and `end` are for `cut_clips`.
    Or they are those of Kinetics, of clips below the file's folder, `<youtube_id>_<start>_<end>.mp4`; an id is a group.

    Args:
        path: the file.

    Raises:
        ValueError: the file is no such table; names the first lines that are wrong.
    """
    table = read_spans(path)
    if num_spans := (table[SPAN] != "").any(axis=1).sum():
        found = f"start or end in {num_spans} of {len(table)} lines of {path}"
        raise ValueError(f"Expected a file for each clip. Received: {found}. Cut them: actlib cut {path} --out FOLDER.")
    return table[CLIP].drop_duplicates()


def read_spans(path) -> pd.DataFrame:
    """Read a table as `read_labels` does, with columns SPAN after CLIP's, texts: see `cut_clips`.

    Args:
        path: the file.
    """
    texts, names, _ = read_texts(path)
    table = texts.iloc[1:].set_axis(names, axis=1).loc[:, lambda table: table.columns.isin(_COLUMNS)]
    table = table.apply(lambda texts: texts.str.strip())
    if {*_KINETICS} <= {*table}:
        files = {file.stem: str(file) for file in path.parent.rglob("*") if file.suffix.lower() in SUFFIXES}
        span = "_" + table["time_start"].str.zfill(6) + "_" + table["time_end"].str.zfill(6)
        table["path"], table["group"] = (table["youtube_id"] + span).map(files), table["youtube_id"]
        if num_absent := table["path"].isna().sum():
            warnings.warn(f"{num_absent} of {len(table)} clips are not in {path.parent}: left out.", stacklevel=5)
        table = table.dropna(subset="path")
    if "subset" in table:
        table["subset"] = table["subset"].str.lower().replace(_SUBSETS)
    rows = json.dumps({f"line {line + 1}": row for line, row in table.to_dict("index").items()})
    parse_json(rows, _Rows, path, expected="a table that begins: path,label[,group][,subset]", advice="Correct it.")
    table = table.reindex(columns=["path", "label", "group", "subset", *SPAN], fill_value="")
    return table.set_axis([*CLIP, *SPAN], axis=1).assign(path=[path.parent / file for file in table["path"]])


def read_texts(path):
    """Read CSV as it is: (all its lines as texts, the first too; the names of its columns; what is between them).

    Args:
        path: the file, in UTF-8; else, or with far too many columns or one twice, it is a ValueError.
    """
    try:
        with path.open(encoding="utf-8-sig") as file:
            line = file.readline(MOST_LETTERS)
        delimiter = max(",;\t", key=line.count)
        if len(line) == MOST_LETTERS or line.count(delimiter) > MOST_COLUMNS:
            raise ValueError(f"more than {MOST_COLUMNS} columns or {MOST_LETTERS:,} letters in its first line")
        texts = pd.read_csv(path, sep=delimiter, header=None, dtype=str, keep_default_na=False, encoding="utf-8-sig")
        names = [*texts.iloc[0].str.strip().str.lower().replace("split", "subset")]
        if "youtube_id" not in names:
            names = [name.removeprefix("time_") if name in _KINETICS else name for name in names]
        known = [name for name in names if name in _COLUMNS]
        if len({*known}) < len(known):
            raise ValueError(f"a column twice, {', '.join(known)}")
    except ValueError as error:
        raise ValueError(f"Expected CSV in UTF-8. Received: {error}, in {path}. Save it as such.") from error
    return texts, names, delimiter


def write_labels(videos, path) -> Path:
    """Write what `assign_subsets` returned as CSV, which `list_videos` reads as the same groups and subsets.

    Args:
        videos, path: the table; the file (videos below its folder are named from there, others by their whole path).
    """
    names = [name_file(file, Path(path).resolve().parent) for file in videos["path"]]
    columns = {"label": videos["class_name"], "group": name_groups(videos), "subset": videos["subset"]}
    table = pd.DataFrame({"path": names} | columns, videos.index)
    table = table if (table["subset"] != "").any() else table.drop(columns="subset")
    return write_whole(path, table.to_csv(index=False).encode())


def name_file(file, folder) -> str:
    """Name a file as a table in a folder does: from there if it lies below, else by its whole path.

    Args:
        file, folder: paths, both absolute.
    """
    file = Path(file)
    return (file.relative_to(folder) if file.is_relative_to(folder) else file).as_posix()


def name_groups(videos) -> pd.Series:
    """Name the group of each video: by class and number, "Diving g08", or as its owner does (`group_name`).

    Args:
        videos: table of `list_videos`.
    """
    if "group_name" in videos:
        return videos["group_name"]
    numbers = videos["group"].map("g{:02d}".format).astype(str)  # also where there are no videos
    return numbers if videos.attrs.get("groups_span_classes") else videos["class_name"] + " " + numbers
