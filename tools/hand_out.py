"""Copy the lessons without their solutions, to hand them out to a class, and the pictures beside them.

python -m tools.hand_out --out handout/notebooks                 with the outputs of all cells
python -m tools.hand_out --out handout/notebooks --clear         without any
"""

import argparse
import re
import shutil
from pathlib import Path

import nbformat

from tools.tour import ROOT, list_lessons

SOLUTION = re.compile(r"<details><summary>Solution</summary>.*?</details>\s*", re.DOTALL)


def strip_solutions(notebook):
    """Take the folded solutions out of a lesson, in place, and return how many there were."""
    count = 0
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source, found = SOLUTION.subn("", cell.source)
            count += found
    notebook.cells = [cell for cell in notebook.cells if cell.source.strip()]
    return count


def find_solution(notebook):
    """Find the code of a lesson's exercise *Build it*: the folded block of Python, or None."""
    blocks = (SOLUTION.search(cell.source) for cell in notebook.cells if cell.cell_type == "markdown")
    codes = (re.search(r"```python\n(.*?)```", block[0], re.DOTALL) for block in blocks if block)
    return next((code[1] for code in codes if code), None)


def hand_out(folder, *, clear=False):
    """Write all lessons without solutions into a folder, and return the number of solutions taken out."""
    folder, count = Path(folder), 0
    folder.mkdir(parents=True, exist_ok=True)
    for path in list_lessons():
        if (folder / path.name).resolve() == path.resolve():
            raise ValueError(f"Expected another folder than that of the lessons. Received: {folder}. Name a new one.")
        notebook = nbformat.read(path, as_version=4)
        count += strip_solutions(notebook)
        for cell in notebook.cells if clear else ():
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = [], None
        nbformat.write(notebook, folder / path.name)
    for name in ("assets", "docs"):  # what lessons link to
        shutil.copytree(ROOT / name, folder.parent / name, dirs_exist_ok=True)
    for name in ("README.md", "data/README.md"):
        (folder.parent / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, folder.parent / name)
    return count


def main():
    """Hand out from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--out", type=Path, required=True, help="folder for the lessons; what they link to goes beside it"
    )
    parser.add_argument("--clear", action="store_true", help="also take out the outputs of all cells")
    chosen = parser.parse_args()
    try:
        count = hand_out(chosen.out, clear=chosen.clear)
    except ValueError as error:
        parser.error(str(error))
    print(f"{count} solutions taken out; the lessons are in {chosen.out}")


if __name__ == "__main__":
    main()
