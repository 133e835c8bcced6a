"""ClipLabeller: a folder's clips one after another, a key for each class, and the table of labels that comes of it."""

from pathlib import Path

import pandas as pd
import traitlets

from actlib.dataset.labels import SPAN, SUFFIXES, name_file, read_texts
from actlib.files import write_whole
from actlib.widgets.clips import STAGE_SCRIPTS, STAGE_STYLES, ClipWidget
from actlib.widgets.notebook import join_files

COLUMNS = ["path", "label", *SPAN]


class ClipLabeller(ClipWidget):
    """Labels videos: a digit or letter is the class, I and O mark start and end before it, N and P go on and back.

    Each change is written into the table at once, whole. One that is there is read first and continued: its other lines
    and columns stay. `cut_clips` makes clips of the parts that have a start or an end.

    Args:
        folder: of videos, or of folders of them.
        table: CSV, `path,label,start,end`, which need not be there.
        classes: their names; those in the table are added.
        traits: `row`, the number of the video to begin with; else the first without a label.

    Raises:
        ValueError: there are no videos or classes, or the table is none.
    """

    _esm = join_files(*STAGE_SCRIPTS, "labeller.js")
    _css = join_files(*STAGE_STYLES)

    row = traitlets.Int(0, min=0).tag(sync=True)
    files = traitlets.List().tag(sync=True)
    classes = traitlets.List().tag(sync=True)
    labels = traitlets.List(help="[row, label, start, end] of each line on these videos").tag(sync=True)

    def __init__(self, folder, table, classes=(), **traits):
        root, self.table = Path(folder).resolve(), Path(table).resolve()
        paths = sorted(path for path in root.rglob("*") if path.suffix.lower() in SUFFIXES and path.name[0] != ".")
        videos = pd.DataFrame({"path": [*map(str, paths)], "name": [name_file(path, root) for path in paths]})
        videos.attrs["folder"], self._rows = str(root), {path.resolve(): row for row, path in enumerate(paths)}
        labels = self._list(*self._read()[:2])
        classes = [*dict.fromkeys([*classes, *(label for _, label, *_ in labels)])]
        if not (paths and classes):
            raise ValueError(f"Expected videos and classes. Received: {len(paths)} in {root}, {classes}. Name both.")
        traits.setdefault("row", min({*range(len(paths))} - {row for row, *_ in labels}, default=0))
        super().__init__(videos, files=[*videos["name"]], classes=classes, labels=labels, **traits)

    def _read(self):
        """Read the table: its lines, lists of texts, of which the first is its header; its columns; its delimiter."""
        new = pd.DataFrame([COLUMNS]), COLUMNS, ","
        texts, names, delimiter = read_texts(self.table) if self.table.exists() else new
        if not {"path", "label"} <= {*names}:
            raise ValueError(f"Expected columns path and label. Received: {names}, in {self.table}. Correct it.")
        more = [name for name in SPAN if name not in names]
        header, *lines = texts.to_numpy().tolist()
        return [header + more, *(line + [""] * len(more) for line in lines)], [*names, *more], delimiter

    def _list(self, lines, names):
        """List [row, label, start, end] of the lines that label one of the videos."""
        table = pd.DataFrame(lines[1:], columns=names)[COLUMNS]
        found = [[self._find(path), *map(str.strip, others)] for path, *others in table.to_numpy().tolist()]
        return [each for each in found if each[0] is not None and each[1]]

    def _find(self, path):
        return self._rows.get((self.table.parent / path.strip()).resolve())

    def handle_label(self, content):
        """Write a row's label, of a part if its span has a start or an end, texts in seconds; None removes it."""
        row, label, span = content.get("row"), content.get("label"), [text + "" for text in content.get("span")]
        path = self.locate(row)
        start, end = (float(text or own) for text, own in zip(span, ("0", "inf"), strict=True))
        if label not in (None, *self.classes) or not 0 <= start < end:
            raise ValueError(f"Expected a class, a start before the end. Received: {label!r}, {span} of {path.name}.")
        lines, names, delimiter = self._read()  # again, as somebody may have changed it
        at = {name: number for number, name in enumerate(names)}
        here = [line for line in lines[1:] if self._find(line[at["path"]]) == row]
        line = next((line for line in here if [line[at[name]].strip() for name in SPAN] == span), None)
        if line is None:
            known = {name: here[0][at[name]] for name in {"group", "subset"} & {*names} if here}
            known |= {"path": name_file(path, self.table.parent), "start": span[0], "end": span[1]}
            lines.append(line := [known.get(name, "") for name in names])
        line[at["label"]] = label
        lines = [line for line in lines if line[at["label"]] is not None]
        text = pd.DataFrame(lines).to_csv(sep=delimiter, header=False, index=False)
        marked = self.table.exists() and self.table.read_bytes().startswith(b"\xef\xbb\xbf")  # as Excel wants it
        write_whole(self.table, text.encode("utf-8-sig" if marked else "utf-8"))
        self.labels = self._list(lines, names)
        return {}, []

    def draw_still(self):
        """Draw frames of the first videos with their labels."""
        rows = range(min(12, len(self.videos)))
        names = [", ".join(dict.fromkeys(label for at, label, *_ in self.labels if at == row)) for row in rows]
        return self.draw_sheet(rows, [name or "no label" for name in names])

    def __repr__(self):
        counts = "".join(f", {name} {sum(each[1] == name for each in self.labels)}" for name in self.classes)
        return f"ClipLabeller: {len({row for row, *_ in self.labels})} of {len(self.videos)} videos labelled{counts}"
