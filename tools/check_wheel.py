"""Check that the wheel is enough: install it into an empty environment elsewhere, draw the sample, run a lesson.

python -m tools.check_wheel            dependencies are those of this environment
python -m tools.check_wheel --fresh    they are downloaded, as on a new machine (3 GB)
"""

import argparse
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import venv
from pathlib import Path

import nbformat

from tools.tour import ROOT, list_lessons

LESSON = "02"  # it draws the sample, decodes, and shows a widget
RUN = """
import sys
from pathlib import Path
import nbformat
from nbclient import NotebookClient
import actlib
from actlib.sample import data_folder
assert Path(actlib.__file__).is_relative_to(sys.prefix), actlib.__file__
notebook = nbformat.read("lesson.ipynb", as_version=4)
NotebookClient(notebook, timeout=600, kernel_name="python3").execute()
assert data_folder() == Path.home() / "actlib" / "data" / "sample", data_folder()
pictures = sum("image/png" in output.get("data", {}) for cell in notebook.cells for output in cell.get("outputs", ()))
print(f"{len(list(data_folder().rglob('*.avi')))} videos drawn; a lesson ran and shows {pictures} pictures")
"""


def check_wheel(folder, *, fresh=False):
    """Build, install and try the wheel in a folder of its own; return what the trial printed.

    Args:
        folder: an empty one.
        fresh: download the dependencies, rather than see those of this environment.

    Raises:
        subprocess.CalledProcessError: a step failed.
    """
    folder = Path(folder)
    source = folder / "source"  # a copy: nothing built before gets into the wheel, and nothing is left in the clone
    shutil.copytree(ROOT / "actlib", source / "actlib", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(folder), str(source)], check=True
    )
    wheel = next(folder.glob("*.whl"))
    venv.create(folder / "env", with_pip=True)
    python = folder / "env" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    packages = next((folder / "env").rglob("site-packages"))
    if not fresh:  # a line of a .pth file is searched last, and no .pth in it is read: this project's own is not seen
        (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    install = [f"{wheel}[cpu,lab]", "-c", str(ROOT / "constraints.txt")] if fresh else ["--no-deps", str(wheel)]
    subprocess.run([str(python), "-m", "pip", "install", "-q", *install], check=True)
    lesson = nbformat.read(list_lessons([LESSON])[0], as_version=4)
    nbformat.write(lesson, folder / "lesson.ipynb")
    home = {"HOME": str(folder), "USERPROFILE": str(folder)}
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ACTLIB_", "PYTHON", "JUPYTER"))}
    trial = [str(python), "-c", RUN]
    return subprocess.run(trial, cwd=folder, env=kept | home, check=True, stdout=subprocess.PIPE, text=True).stdout


def main():
    """Check from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fresh", action="store_true", help="download the dependencies")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(check_wheel(folder, fresh=chosen.fresh), end="")


if __name__ == "__main__":
    main()
