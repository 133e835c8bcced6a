"""How long do the steps before a training take on a large data set, and does their memory grow with it?

Videos are linked many times under other names until there are as many as in UCF-101. A first listing reads every file;
it is run in one thread and as it comes. A second one finds all of them in the index. Then they are split, clips of an
epoch are drawn (from features that are one array for all, as reading them is another matter: see loading.py), and
`ClipBrowser` takes the table and answers the page's request for it. Each listing runs in a process of its own, whose
peak of memory is compared between 300 videos and all; the last one goes on to the other steps.

What bounds a first listing is the processor, not the disk: for a video of UCF-101 that the system has in memory, one
thread takes 3 to 4 ms, of which it decodes for 1.5 (all of those videos that may have packets without a frame), and
takes packets from the file, each under Python's lock, for 1. So threads gain little, 0.8 to 0.9 of one thread's time on
two idle cores; they are for disks that have to be waited for.

    python benchmarks/listing.py                                  # the sample set
    ACTLIB_DATA=/path/to/folder python benchmarks/listing.py      # the folder that holds UCF-101/
    python benchmarks/listing.py 1000                             # fewer videos
"""

import importlib
import itertools
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from actlib.dataset import ClipBatches, assign_subsets, list_videos
from actlib.sample.dataset import data_folder
from actlib.video import make_sampler, metadata

NUM_VIDEOS, FEW, PER_CLASS = 13_320, 300, 132
SECOND_AT_MOST, MORE_MEMORY = 0.5, 0.2  # seconds for NUM_VIDEOS; share of the peak over FEW
STEPS = "listing", "splitting", "an epoch's clips and batches", "ClipBrowser and its table"


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
    """Lists a folder in a process of its own: seconds on the wall and of CPU, megabytes at its peak, of each step."""
    command = [sys.executable, __file__, "--list", str(folder), str(threads)]
    environment = os.environ | {"ACTLIB_CACHE": str(cache), "TQDM_DISABLE": "1"}
    return json.loads(subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout)


def list_once(folder, threads):
    """Lists a folder, goes on with what comes before a training, and prints what it took."""
    metadata.THREADS = threads or metadata.THREADS
    taken, peaks = [], []

    def take(step):
        started = time.perf_counter()
        result = step()
        taken.append(time.perf_counter() - started)
        peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000)
        return result

    def draw():
        source, sampler = [np.zeros((64, 512), np.float16)] * len(table), make_sampler("segments", 16)
        batches = ClipBatches(source, table["label"], sampler, batch_size=64, shuffle=True, kind="features")
        return sum(len(labels) for _, labels in batches.epoch(0))

    worked = time.process_time()
    videos = take(lambda: list_videos(folder, progress=False))
    worked = time.process_time() - worked
    table = take(lambda: assign_subsets(videos, folder))
    assert take(draw) == len(table)
    widgets = importlib.import_module("actlib.widgets")
    message, _ = take(lambda: widgets.ClipBrowser(table).handle_table(None))
    assert len(message["table"]["name"]) == len(table)
    print(json.dumps([taken, worked, peaks]))


def main():
    """Measures and prints."""
    num_videos = int(sys.argv[1]) if len(sys.argv) > 1 else NUM_VIDEOS
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        many = link_videos(data_folder(), root / "many", num_videos)
        few = link_videos(data_folder(), root / "few", FEW)
        *_, peak_few = measure(few, root / "cache of few")
        (alone, *_), alone_cpu, _ = measure(many, root / "cache of one", threads=1)
        (first, *_), cpu, peak_first = measure(many, root / "cache")
        seconds, peaks = {}, {}
        for name, folder, cache in (("few", few, "cache of few"), ("many", many, "cache")):
            runs = [measure(folder, root / cache) for _ in range(3)]
            seconds[name] = np.min([steps for steps, _, _ in runs], axis=0)
            peaks[name] = np.min([peak for _, _, peak in runs], axis=0)
    print(f"first listing of {num_videos:,} videos: {first:.1f} s, {first / alone:.2f} of that in one thread")
    print(f"of CPU: {cpu:.1f} s, in one thread {alone_cpu:.1f} s, {1000 * alone_cpu / num_videos:.1f} ms a video")
    print(f"its peak of memory: {peak_first[0]:.0f} MB, {peak_first[0] / peak_few[0]:.2f} of that over {FEW}")
    print(f"then, of {num_videos:,} videos that were listed before, and of {FEW}:")
    for step, *values in zip(STEPS, seconds["many"], seconds["few"], peaks["many"], peaks["few"], strict=True):
        long, short, peak, small = values
        print(f"{step:30} {long:6.2f} s and {short:5.2f} s, ", end="")
        print(f"peak so far {peak:.0f} MB and {small:.0f} MB: {peak / small:.2f}")
    print(f"asked for: a second listing in {SECOND_AT_MOST} s, memory within {1 + MORE_MEMORY} of that over {FEW}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--list"]:
        list_once(sys.argv[2], int(sys.argv[3]))
    else:
        main()
