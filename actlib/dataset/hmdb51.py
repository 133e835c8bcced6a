"""HMDB51's names of videos, which say where each was cut from, and its official splits."""

from pathlib import Path

from actlib.dataset.ucf101 import Split


def read_split(folder, *, split=1) -> Split:
    """Read an official split, as `ucf101.read_split` does.

    Args:
        folder, split: what holds or lies beside `<class>_test_split1.txt` and the like, or a folder of them; 1, 2 or 3.

    Source: Kuehne et al., HMDB, ICCV 2011: 70 training and 30 test clips a class, none of one video on both sides.
    """
    end, sides = f"_test_split{split}.txt", {"1": [], "2": [], "0": []}  # train, test, neither
    patterns = (f"*{end}", f"*split*/*{end}", f"../*split*/*{end}")
    for file in next(filter(None, ([*Path(folder).resolve().glob(pattern)] for pattern in patterns)), ()):
        for line in file.read_text(encoding="utf-8-sig").splitlines():
            name, _, side = line.strip().rpartition(" ")
            sides.get(side, []).append(f"{file.name.removesuffix(end)}/{name.strip()}")
    if not (sides["1"] and sides["2"]):
        raise FileNotFoundError(f"Expected <class>{end} in or beside {folder}. Received: no such lists.")
    return Split(tuple(sides["1"]), tuple(sides["2"]))
