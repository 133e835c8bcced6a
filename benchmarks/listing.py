"""How long does listing a data set take, and does its memory grow with it?

Videos are linked many times under other names until there are as many as in UCF-101. A first listing reads every file;
it is run in one thread and as it comes. A second one finds all of them in the index. Each runs in a process of its own,
whose peak of memory is compared between 300 videos and all.

What bounds a first listing is the processor, not the disk: for a video of UCF-101 that the system has in memory, one
thread takes 3 to 4 ms, of which it decodes for 1.5 (all of those videos that may have packets without a frame), and
takes packets from the file, each under Python's lock, for 1. So threads gain little, 0.8 to 0.9 of one thread's time on
two idle cores; they are for disks that have to be waited for.

    python benchmarks/listing.py                                  # the sample set
    ACTLIB_DATA=/path/to/folder python benchmarks/listing.py      # the folder that holds UCF-101/
    python benchmarks/listing.py 1000                             # fewer videos
"""

import itertools
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from actlib.dataset import list_videos
from actlib.sample.dataset import data_folder
from actlib.video import metadata

NUM_VIDEOS, FEW, PER_CLASS = 13_320, 300, 132
SECOND_AT_MOST, MORE_MEMORY = 0.5, 0.25  # seconds for NUM_VIDEOS; share of the peak over FEW


def link_videos(source, folder, num_videos):
    """Links videos into class folders, again and again under other names."""
    videos = itertools.cycle(sorted(Path(source).glob("UCF-101/*/*.avi")))
    for number, video in zip(range(num_videos), videos, strict=False):
        name, place = f"Class{number // PER_CLASS:03d}", number % PER_CLASS
        path = folder / name / f"v_{name}_g{place // 6 + 1:02d}_c{place % 6 + 1:02d}.avi"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(video)
    return folder


def measure(folder, cache, threads=0):
    """Lists a folder in a process of its own: seconds on the wall and of CPU, megabytes at its peak, videos."""
    command = [sys.executable, __file__, "--list", str(folder), str(threads)]
    environment = os.environ | {"ACTLIB_CACHE": str(cache), "TQDM_DISABLE": "1"}
    return json.loads(subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout)


def list_once(folder, threads):
    """Lists a folder and prints what it took."""
    metadata.THREADS = threads or metadata.THREADS
    started, worked = time.perf_counter(), time.process_time()
    num_videos = len(list_videos(folder, progress=False))
    seconds = time.perf_counter() - started, time.process_time() - worked
    print(json.dumps([*seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000, num_videos]))


def main():
    """Measures and prints."""
    num_videos = int(sys.argv[1]) if len(sys.argv) > 1 else NUM_VIDEOS
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        many = link_videos(data_folder(), root / "many", num_videos)
        few = link_videos(data_folder(), root / "few", FEW)
        peak_few = measure(few, root / "cache of few")[2]
        alone, alone_cpu, *_ = measure(many, root / "cache of one", threads=1)
        first, cpu, peak, _ = measure(many, root / "cache")
        second = min(measure(many, root / "cache")[0] for _ in range(3))
    print(f"first listing of {num_videos:,} videos: {first:.1f} s, {first / alone:.2f} of that in one thread")
    print(f"of CPU: {cpu:.1f} s, in one thread {alone_cpu:.1f} s, {1000 * alone_cpu / num_videos:.1f} ms a video")
    print(f"second listing: {second:.2f} s, {second / first:.4f} of the first")
    print(f"peak of memory: {peak:.0f} MB, {peak / peak_few:.2f} of that over {FEW} videos")
    print(f"asked for: a second listing in {SECOND_AT_MOST} s, memory within {1 + MORE_MEMORY} of that over {FEW}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--list"]:
        list_once(sys.argv[2], int(sys.argv[3]))
    else:
        main()
