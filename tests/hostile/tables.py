"""An attack with tables: labels in odd encodings, quotes and sizes, official lists, and the index of videos."""

import json
import os
import warnings
from pathlib import Path

import numpy as np

from actlib.dataset import assign_subsets, list_videos
from hostile.checking import check
from hostile.videos import write_film

LABELS = ("Jump", "Sit", "Wave")
NUM_EACH = 4


def write_videos(folder):
    """Some short videos that differ, `a0.avi` and so on; returns (name, label, group) of each."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for number in range(NUM_EACH * len(LABELS)):
        rng = np.random.default_rng(number)
        write_film(folder / f"a{number}.avi", "mpeg4.avi", rng, size=(32, 48), num_frames=4)
        rows.append((f"a{number}.avi", LABELS[number % len(LABELS)], f"p{number // len(LABELS)}"))
    return rows


def write_table(rows, *, head="path,label,group", between=",", line="\n"):
    """A table as text."""
    return line.join([head.replace(",", between), *(between.join(row) for row in rows), ""])


def _list_tables(rows, folder):
    """Yield (name, bytes, what has to come of it): "taken" as the plain table is, "refused", or either."""
    text = write_table(rows)
    first, *others = rows
    yield "as it should be", text.encode(), "taken"
    yield "with a byte order mark", text.encode("utf-8-sig"), "taken"
    yield "with CRLF", write_table(rows, line="\r\n").encode(), "taken"
    yield "with CR", write_table(rows, line="\r").encode(), "either"
    yield "with semicolons", write_table(rows, between=";").encode(), "taken"
    yield "with tabs", write_table(rows, between="\t").encode(), "taken"
    yield "with blanks around", write_table([[f" {cell} " for cell in row] for row in rows]).encode(), "taken"
    yield "in quotes", write_table([[f'"{cell}"' for cell in row] for row in rows]).encode(), "taken"
    yield "with blank lines", text.replace("\n", "\n\n").encode(), "taken"
    yield "with every line twice", write_table(rows + rows).encode(), "taken"
    yield "with the head in capitals", write_table(rows, head="PATH,Label,GROUP").encode(), "taken"
    yield (
        "with a column more",
        write_table([(*row, "x") for row in rows], head="path,label,group,note").encode(),
        "taken",
    )
    yield "with whole paths", write_table([(str(folder / row[0]), *row[1:]) for row in rows]).encode(), "taken"
    yield "with paths by way of another folder", write_table([(f"x/../{row[0]}", *row[1:]) for row in rows]), "either"
    for kind in ("utf-16", "utf-32"):
        yield f"in {kind}", text.encode(kind), "refused"
    yield "in Latin 1", write_table([("ä.avi", "Höhe", "p")]).encode("latin-1"), "refused"
    yield "of nothing", b"", "refused"
    yield "of blanks", b" \n \n", "refused"
    yield "of a head alone", b"path,label\n", "refused"
    yield "without a head", write_table(rows).partition("\n")[2].encode(), "refused"
    yield (
        "with a column twice",
        write_table([(*row, "x") for row in rows], head="path,label,group,label").encode(),
        "refused",
    )
    yield (
        "with a column twice but for blanks",
        write_table([(*row, "x") for row in rows], head="path,label,group, Label").encode(),
        "refused",
    )
    yield (
        "with subset and split",
        write_table([(*row, "train") for row in rows], head="path,label,split,subset").encode(),
        "refused",
    )
    yield "with values more than columns", write_table([(*row, "x", "y") for row in rows]).encode(), "refused"
    yield "with a value more in one line", text.replace("Sit", "Sit,x", 1).encode(), "refused"
    yield "with values too few", write_table([row[:1] for row in rows]).encode(), "refused"
    yield "with a quote left open", text.replace("Sit", '"Sit', 1).encode(), "refused"
    yield "of quotes", b'"' * 10_000, "refused"
    yield "of commas", b"," * 20_000, "refused"
    yield "of zeros", bytes(100_000), "refused"
    yield "with a zero in a path", text.replace("a0.avi", "a\0.avi").encode(), "refused"
    yield "with a path of megabytes", write_table([("a" * 3_000_000, *first[1:]), *others]).encode(), "refused"
    yield "with a label of megabytes", write_table([(first[0], "a" * 3_000_000, "p"), *others]).encode(), "refused"
    yield (
        "with 20,000 columns",
        write_table(rows, head="path,label," + ",".join(map(str, range(20_000)))).encode(),
        "either",
    )
    yield (
        "with a million columns",
        write_table(rows, head="path,label," + ",".join(map(str, range(1_000_000)))).encode(),
        "refused",
    )
    yield "with 20,000 lines of one video", write_table([*rows, *[first] * 20_000]).encode(), "taken"
    yield "with 200,000 blank lines", (text + "\n" * 200_000).encode(), "taken"
    yield (
        "with 2,000 videos that are not there",
        write_table([*rows, *((f"b{number}.avi", "Jump", "p0") for number in range(2_000))]),
        "refused",
    )
    yield "with ends of lines of each kind", text.replace("\n", "\r\n", 3).encode(), "taken"
    yield "with a line break in a label", text.replace("Sit", '"Si\nt"').encode(), "either"
    yield "with a byte order mark twice", b"\xef\xbb\xbf" + text.encode("utf-8-sig"), "either"
    yield "with quotes in quotes", write_table([(row[0], f'"""{row[1]}"""', row[2]) for row in rows]).encode(), "taken"
    yield "with a comment", ("# mine\n" + text).encode(), "refused"
    yield "that a spreadsheet wrote", ("sep=,\n" + text).encode(), "refused"
    yield "that is packed", __import__("gzip").compress(text.encode()), "refused"
    yield "that is JSON", json.dumps([dict(zip("abc", row, strict=True)) for row in rows]).encode(), "refused"
    yield "that is a spreadsheet", b"PK\3\4" + bytes(range(256)) * 9, "refused"
    for label in ("", "a/b", "/", "a" * 101):
        yield f"with the label {label[:9]!r}", write_table([(first[0], label, "p"), *others]).encode(), "refused"
    for label in (
        "NA",
        "nan",
        "None",
        "1",
        "1.0",
        "1e400",
        "True",
        "..",
        ".",
        "con",
        "=1+1",
        "\u202eJump",
        "a\u0301",
        "\U0001f3c3",
    ):
        changed = [
            (name, label if name in ("a0.avi", "a3.avi", "a6.avi", "a9.avi") else kind, group)
            for name, kind, group in rows
        ]
        yield f"with the label {label!r}", write_table(changed).encode(), "taken"
    yield "with labels that differ in case", write_table([(first[0], "jump", first[2]), *others]).encode(), "refused"
    yield "with two labels for one video", write_table([*rows, (first[0], "Sit", "p")]).encode(), "refused"
    for path in (
        "nowhere.avi",
        ".",
        "..",
        "",
        "table.csv",
        "/dev/zero",
        "/dev/stdin",
        "http://127.0.0.1:1/a.avi",
        "~",
        "-",
        "*.avi",
        "%d.avi",
        "pipe:0",
        "file:a0.avi",
    ):
        yield f"with the path {path!r}", write_table([(path, *first[1:]), *others]).encode(), "refused"
    for subset in ("tset", "0", "train,test", "Train ", "VAL", ""):
        changed = write_table(
            [(*row, subset if row is first else "train" if row[2] != "p3" else "test") for row in rows],
            head="path,label,group,subset",
        )
        yield f"with the subset {subset!r}", changed.encode(), "either" if subset in ("Train ", "VAL") else "refused"
    yield (
        "with one side alone",
        write_table([(*row, "train") for row in rows], head="path,label,group,subset").encode(),
        "refused",
    )
    yield "with one group", write_table([(*row[:2], "p") for row in rows]).encode(), "refused"
    yield "with a class in one group", write_table([(*row[:2], row[1]) for row in rows]).encode(), "refused"


def _try_table(path, content, wanted, rows):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())

    def use():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            table = list_videos(path, progress=False)
            table = assign_subsets(table, path, validation_groups=0)
        if sides := table.groupby("group_name")["subset"].nunique().max() > 1 and "subset" not in str(content[:40]):
            return f"{sides} subsets of a group"
        if wanted == "taken" and (len(table) != len(rows) or (table["label"].value_counts() != NUM_EACH).any()):
            return f"{len(table)} videos, {table['class_name'].value_counts().to_dict()}"
        return None

    answer = check(
        use, names=[path, path.parent, "Expected"], allowed=(ValueError,), refused=wanted == "refused", seconds=5
    )
    if answer is None and wanted == "taken":
        return check(use, allowed=())
    return answer


def _try_no_file(path, make):
    """What is no file, or has no end, in place of the table."""
    make(path)
    names, allowed = [path, os.path.realpath(path)], (ValueError, OSError, RuntimeError)  # a loop is a RuntimeError
    return check(lambda: list_videos(path, progress=False), names=names, allowed=allowed, refused=True, seconds=5)


NO_FILES = {
    "a pipe": os.mkfifo,
    "a link to zeros": lambda path: path.symlink_to("/dev/zero"),
    "a link to nothing": lambda path: path.symlink_to("nowhere.csv"),
    "a link to itself": lambda path: path.symlink_to(path.name),
    "a gigabyte of zeros": lambda path: path.touch() or os.truncate(path, 10**9),
}


def _damage(rng, text):
    content = bytearray(text.encode())
    for _ in range(int(rng.integers(1, 5))):
        place = int(rng.integers(len(content)))
        junk = [b'"', b",", b"\n", b"\r", b"\0", b";", b"\xff", b"'", b"\t", b"..", b"/", b'""', rng.bytes(3)]
        way = rng.integers(3)
        content[place : place + int(way > 0)] = junk[rng.integers(len(junk))] if way else b""
    return bytes(content)


def _try_index(folder, change):
    """The index of videos is damaged: the same listing as without."""
    os.environ["ACTLIB_CACHE"] = str(folder / "cache")
    table = folder / "table.csv"
    before = list_videos(table, progress=False)
    (index,) = (folder / "cache" / "index").iterdir()
    index.write_bytes(change(index.read_bytes()))
    after = list_videos(table, progress=False)
    again = list_videos(table, progress=False)
    return None if before.equals(after) and before.equals(again) else "another listing"


def _list_indices():
    """Yield (name, function of the index' bytes)."""

    def edit(function):
        def change(content):
            index = json.loads(content)
            function(index, next(iter(index)))
            return json.dumps(index).encode()

        return change

    yield "nothing", lambda content: b""
    yield "half", lambda content: content[: len(content) // 2]
    yield "a list", lambda content: b"[]"
    yield "NaN", lambda content: b"NaN"
    yield "brackets", lambda content: b"[" * 100_000
    yield "text", lambda content: content.replace(b"32", b'"32"')
    for place in range(2, 7):
        for junk in (-1, 0, "x", None, 10**30, float("inf"), [], True):
            yield (
                f"{junk!r} at {place}",
                edit(lambda index, key, place=place, junk=junk: index[key].__setitem__(place, junk)),
            )
    yield "a value more", edit(lambda index, key: index[key].append(1))
    yield "a value less", edit(lambda index, key: index[key].pop())
    yield "another file's", edit(lambda index, key: index.update({other: index[key] for other in index}) or None)


LISTS = {
    "of zeros": bytes(5000),
    "in utf-16": "Jump/v_Jump_g01_c01.avi 1\n".encode("utf-16"),
    "of one word": b"x",
    "of nothing": b"",
    "with an empty class": b"/v_Jump_g01_c01.avi 1\n",
    "out of the folder": b"../v_Jump_g01_c01.avi 1\n",
    "with a whole path": b"/etc/v_Jump_g01_c01.avi 1\n",
    "with other slashes": b"Jump\\v_Jump_g01_c01.avi 1\r\n",
    "without labels": b"Jump/v_Jump_g01_c01.avi\n",
    "with one line of megabytes": b"a" * 5_000_000,
}


def _try_list(folder, content):
    """An official list is damaged: a right split, or a word about it."""
    lists = folder / "ucfTrainTestlist"
    for name in (f"{side}list01.txt" for side in ("train", "test")):
        side = ("Jump/v_Jump_g01_c01.avi 1\n", "Jump/v_Jump_g02_c01.avi 1\n")[name.startswith("test")]
        (lists / name).write_text(side)
    (lists / "trainlist01.txt").write_bytes(content)

    def use():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            table = assign_subsets(list_videos(folder, progress=False), folder, validation_groups=0)
        sides = dict(zip(table["group"], table["subset"], strict=True))
        return None if sides.get(2) == "test" and sides.get(1) in ("train", None) else f"{sides}"

    return check(use, names=[lists, "Expected"], seconds=5)


def cases(rng, folder):
    """Yield (name, function): what is odd, then damage."""
    rows = write_videos(folder)
    os.environ["ACTLIB_CACHE"] = str(folder / "cache")
    for number, (name, content, wanted) in enumerate(_list_tables(rows, folder)):
        path = folder / f"table{number}.csv"
        yield f"table {name}", lambda path=path, content=content, wanted=wanted: _try_table(path, content, wanted, rows)
    for number, (name, make) in enumerate(NO_FILES.items()):
        path = folder / f"nofile{number}.csv"
        yield f"{name} for a table", lambda path=path, make=make: _try_no_file(path, make)
    official = folder / "official"
    for group in (1, 2):
        (official / "UCF-101" / "Jump").mkdir(parents=True, exist_ok=True)
        place = official / "UCF-101" / "Jump" / f"v_Jump_g0{group}_c01.avi"
        place.write_bytes((folder / f"a{group}.avi").read_bytes())
    (official / "ucfTrainTestlist").mkdir()
    for name, content in LISTS.items():
        yield f"list {name}", lambda content=content: _try_list(official, content)
    for number, (name, change) in enumerate(_list_indices()):
        place = folder / f"index{number}"
        place.mkdir()
        (place / "table.csv").write_text(write_table([(str(folder / row[0]), *row[1:]) for row in rows]))
        yield f"index with {name}", lambda place=place, change=change: _try_index(place, change)
    for number in range(200):
        content = _damage(rng, write_table(rows))
        path = Path(folder, f"damaged{number}.csv")
        yield f"damaged table {number}", lambda path=path, content=content: _try_table(path, content, "either", rows)
