"""A few short real clips as a data set: python tests/few_clips.py REAL OUT, for lessons that run on real clips.

Of three classes, nine recordings each: in split 1 three are tested, four validate, and two are trained on. Each keeps
its first 10 to 16 frames as they were compressed, so that slow machines also get through all lessons.
"""

import shutil
import sys
from itertools import islice
from pathlib import Path

import av

CLASSES, GROUPS = ("Archery", "PlayingViolin", "Surfing"), (1, 2, 3, 8, 9, 10, 14, 17, 25)


def copy_few(real, out):
    """Copy them and the official lists, which name many videos more, as for somebody who has a part of UCF-101."""
    for name in CLASSES:
        for group in GROUPS:
            clip = Path("UCF-101") / name / f"v_{name}_g{group:02d}_c01.avi"
            (out / clip).parent.mkdir(parents=True, exist_ok=True)
            copy_start(real / clip, out / clip, 10 + group // 4)
    shutil.copytree(real / "ucfTrainTestlist", out / "ucfTrainTestlist", dirs_exist_ok=True)


def copy_start(video, target, num_frames):
    """Copy the first frames of a video, without compressing them anew."""
    with av.open(str(video)) as source, av.open(str(target), "w") as copy:
        stream = copy.add_stream_from_template(source.streams.video[0])
        for packet in islice(source.demux(video=0), num_frames):
            packet.stream = stream
            copy.mux(packet)


if __name__ == "__main__":
    copy_few(*map(Path, sys.argv[1:]))
