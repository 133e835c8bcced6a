"""Tables of labels -> labelled clips, and back: `path,label[,group][,subset]`, or Kinetics' own columns."""

import json
import warnings
from pathlib import Path
from typing import Annotated, Literal, NotRequired

import pandas as pd
from pydantic import Field
from typing_extensions import TypedDict

from actlib.files import write_whole
from actlib.schema import Name, parse_json

SUFFIXES = (".avi", ".mp4", ".mkv", ".mov", ".webm")
CLIP = ["path", "class_name", "group_name", "subset"]
_SUBSETS = {"training": "train", "val": "validation", "valid": "validation", "validate": "validation"}
_KINETICS = ("youtube_id", "time_start", "time_end")
_Needed = {"path": Annotated[str, Field(max_length=4000, pattern=r"^[^\x00]+$")], "label": Name}
_Known = {"group": NotRequired[str], "subset": NotRequired[Literal["train", "validation", "test"]]}
_Rows = Annotated[dict[str, TypedDict("_Row", _Needed | _Known)], Field(min_length=1)]


def read_labels(path) -> pd.DataFrame:
    """Read a CSV file (or with semicolons, or tabs) of labelled videos: a table with the columns CLIP.

    Its first line names the columns: `path` (from the file's own folder, or absolute), `label`, and if you like `group`
    (one recording, person or camera) and `subset` (train, validation or test). Or they are those of Kinetics, whose
    clips lie below the file's folder as `<youtube_id>_<start>_<end>.mp4`; what is gone is left out, an id is a group.

    Args:
        path: the file.

    Raises:
        ValueError: the file is no such table; names the first lines that are wrong.
    """
    try:
        with path.open(encoding="utf-8-sig") as file:
            delimiter = max(",;\t", key=file.readline().count)
        table = pd.read_csv(path, sep=delimiter, header=None, dtype=str, keep_default_na=False, encoding="utf-8-sig")
        table.columns = table.iloc[0].str.strip().str.lower().replace("split", "subset")
        table = table.loc[1:, table.columns.isin([*_Needed, *_Known, *_KINETICS])]
        if table.columns.has_duplicates:
            raise ValueError(f"a column twice, {', '.join(table.columns)}")
    except ValueError as error:
        raise ValueError(f"Expected CSV in UTF-8. Received: {error}, in {path}. Save it as such.") from error
    table = table.apply(lambda texts: texts.str.strip())
    if {*_KINETICS} <= {*table}:
        files = {file.stem: str(file) for file in path.parent.rglob("*") if file.suffix.lower() in SUFFIXES}
        span = "_" + table["time_start"].str.zfill(6) + "_" + table["time_end"].str.zfill(6)
        table["path"], table["group"] = (table["youtube_id"] + span).map(files), table["youtube_id"]
        if num_absent := table["path"].isna().sum():
            warnings.warn(f"{num_absent} of {len(table)} clips are not in {path.parent}: left out.", stacklevel=4)
        table = table.dropna(subset="path")
    if "subset" in table:
        table["subset"] = table["subset"].str.lower().replace(_SUBSETS)
    rows = json.dumps({f"line {line + 1}": row for line, row in table.to_dict("index").items()})
    parse_json(rows, _Rows, path, expected="a table that begins: path,label[,group][,subset]", advice="Correct it.")
    table = table.reindex(columns=["path", "label", "group", "subset"], fill_value="").set_axis(CLIP, axis=1)
    return table.assign(path=[path.parent / file for file in table["path"]]).drop_duplicates()


def write_labels(videos, path) -> Path:
    """Write what `assign_subsets` returned as CSV, which `list_videos` reads as the same groups and subsets.

    Videos below the file's folder are named from there, others by their whole path.
    """
    folder, files = Path(path).resolve().parent, [Path(file) for file in videos["path"]]
    names = [(file.relative_to(folder) if file.is_relative_to(folder) else file).as_posix() for file in files]
    columns = {"label": videos["class_name"], "group": name_groups(videos), "subset": videos["subset"]}
    return write_whole(path, pd.DataFrame({"path": names} | columns, videos.index).to_csv(index=False).encode())


def name_groups(videos) -> pd.Series:
    """Name the group of each video: by class and number, "Diving g08", or as its owner does (`group_name`)."""
    if "group_name" in videos:
        return videos["group_name"]
    numbers = videos["group"].map("g{:02d}".format).astype(str)  # also where there are no videos
    return numbers if videos.attrs.get("groups_span_classes") else videos["class_name"] + " " + numbers
