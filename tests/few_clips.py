"""A few real clips as a data set of their own: python tests/few_clips.py REAL OUT, for lessons that run on real clips.

Of three classes, nine recordings each: in split 1 three are tested, four validate, and two are trained on.
"""

import shutil
import sys
from pathlib import Path

CLASSES, GROUPS = ("Archery", "PlayingViolin", "Surfing"), (1, 2, 3, 8, 9, 10, 14, 17, 25)


def copy_few(real, out):
    """Copy them and the official lists, which name many videos more, as for somebody who has a part of UCF-101."""
    for name in CLASSES:
        for group in GROUPS:
            clip = Path("UCF-101") / name / f"v_{name}_g{group:02d}_c01.avi"
            (out / clip).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(real / clip, out / clip)
    shutil.copytree(real / "ucfTrainTestlist", out / "ucfTrainTestlist", dirs_exist_ok=True)


if __name__ == "__main__":
    copy_few(*map(Path, sys.argv[1:]))
