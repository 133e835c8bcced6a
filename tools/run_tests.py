"""Run all tests: those of the library, in two processes or more, and at the same time every lesson by nbval.

Lessons find the models that `make tour` has trained, or train their own.

python tools/run_tests.py                  # more words go to both, such as -x
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTEST = [sys.executable, "-m", "pytest"]
LIBRARY = [*PYTEST, "--numprocesses=auto", "--maxprocesses=4", "--dist=loadfile"]  # each keeps TensorFlow and PyTorch
LESSONS = [
    *PYTEST,
    "-p",
    "no:cacheprovider",
    "--nbval-lax",
    "--nbval-sanitize-with",
    "tests/sanitize.cfg",
    "notebooks",
]


def find_models():
    """Return the environment in which lessons find a tour's models, if there are any and no others are named."""
    models = ROOT / "runs" / "tour" / "models"
    return ({"ACTLIB_RUNS": str(models)} if models.is_dir() else {}) | os.environ


def run_both(shown, kept):
    """Run two commands at once, one seen as it runs, the other's output printed after it; True if both succeed."""
    with tempfile.TemporaryFile() as report:
        other = subprocess.Popen(kept, cwd=ROOT, env=find_models(), stdout=report, stderr=subprocess.STDOUT)
        try:
            codes = [subprocess.run(shown, cwd=ROOT).returncode, other.wait()]
        finally:
            other.terminate()  # after Ctrl-C; one that has ended does not mind
            other.wait()
            report.seek(0)
            print("\nLessons:", report.read().decode(errors="replace"), sep="\n", flush=True)
    return codes == [0, 0]


if __name__ == "__main__":
    sys.exit(not run_both([*LIBRARY, *sys.argv[1:]], [*LESSONS, *sys.argv[1:]]))
