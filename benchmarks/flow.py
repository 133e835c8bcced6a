"""How much of OpenCV's own speed is left when flow pictures are made and written, and what a second process gains.

OpenCV's `calc` is timed on the same pairs of gray frames, already in memory, one after another. All three take turns at
the same videos, and the best of several turns counts, as other work on the machine only slows things down. What part of
one thread's CPU time is `calc`'s, the rest being decoding, scaling and writing, does not depend on other work.

    python benchmarks/flow.py                                  # the sample set
    ACTLIB_REAL_DATA=/path/to/folder python benchmarks/flow.py      # the folder that holds UCF-101/
"""

import json
import multiprocessing
import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path

import cv2
import numpy as np

from actlib.dataset import FrameCache, list_videos
from actlib.files import write_whole
from actlib.paths import home_folder, read_setting
from actlib.sample.dataset import data_folder
from actlib.specs import PRESETS
from actlib.video import read_clip, sample_uniform
from actlib.video.flow import FLOW

NUM_FRAMES, SIZE, NUM_VIDEOS, ROUNDS = PRESETS["vgg16_frames"].num_frames, 224, 24, 3
CALC_AT_LEAST, TWO_AT_LEAST = 0.9, 1.7


def time_calc(videos, *, clock=time.perf_counter):
    """Seconds that OpenCV's `calc` alone takes for the wanted pairs."""
    method, seconds = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_FAST), 0.0
    for path, total in zip(videos["path"], videos["frames"], strict=True):
        starts = np.minimum(sample_uniform(total, NUM_FRAMES), total - 2)
        frames = read_clip(path, np.ravel([starts, starts + 1], "F"))
        gray = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames]
        begin = clock()
        for before, after in zip(gray[::2], gray[1::2], strict=True):
            method.calc(before, after, None)
        seconds += clock() - begin
    return seconds


def fill(videos, folder, readers, gate):
    """Make all flow pictures of some videos, from when the gate opens first, and open it again when all are there."""
    cache = FrameCache(videos, num_frames=NUM_FRAMES, size=SIZE, flow=FLOW, folder=folder, progress=False)
    if readers:
        FrameCache.num_readers = readers
        cv2.setNumThreads(1)  # else each `calc` takes all cores it finds
    gate.wait()
    cache.fill()
    gate.wait()


def share_cpu(videos):
    """Share of the CPU time of making and writing flow pictures that `calc` takes, in this process and one thread."""
    calc, folder = time_calc(videos, clock=time.process_time), tempfile.mkdtemp()
    try:
        begin = time.process_time()
        gate = threading.Event()
        gate.set()
        fill(videos, folder, 1, gate)
        return calc / (time.process_time() - begin)
    finally:
        shutil.rmtree(folder)


def time_processes(videos, number, *, readers=None):
    """Seconds that so many processes take to fill one cache together, each with so many threads (None: its own).

    Until the last picture is written, and until the processes have ended, which Python takes a quarter of a second for.
    """
    folder, context = tempfile.mkdtemp(), multiprocessing.get_context("spawn")
    gate = context.Barrier(number + 1, timeout=600)
    workers = [context.Process(target=fill, args=(videos, folder, readers, gate)) for _ in range(number)]
    try:
        for worker in workers:
            worker.start()
        gate.wait()
        begin = time.perf_counter()
        gate.wait()
        filled = time.perf_counter() - begin
        for worker in workers:
            worker.join()
        return filled, time.perf_counter() - begin
    finally:
        shutil.rmtree(folder)


def main():
    """Measure, print the ratios and write them to runs/benchmarks/flow.json."""
    folder = read_setting("ACTLIB_REAL_DATA") or data_folder()
    videos = list_videos(folder, progress=False)
    videos = videos.iloc[np.unique(sample_uniform(len(videos), NUM_VIDEOS))].reset_index(drop=True)
    cv2.setNumThreads(1)
    ways = {
        "OpenCV calc, one thread": lambda: [time_calc(videos)] * 2,
        "one process, its own threads": lambda: time_processes(videos, 1),
        "one process, one thread": lambda: time_processes(videos, 1, readers=1),
        "two processes, one thread each": lambda: time_processes(videos, 2, readers=1),
    }
    turns = [{name: way() for name, way in ways.items()} for _ in range(ROUNDS)]
    seconds = {name: np.min([turn[name] for turn in turns], axis=0).tolist() for name in ways}
    (calc, _), (whole, ended), (single, _), (double, _) = seconds.values()
    pairs = NUM_FRAMES * len(videos)
    for name, (taken, _) in seconds.items():
        print(f"{name:32} {pairs / taken:6.0f} pairs/s {calc / taken:6.2f} of calc")
    out = home_folder() / "runs" / "benchmarks" / "flow.json"
    write_whole(out, json.dumps({"data": Path(folder).name, "videos": len(videos), "seconds": seconds}).encode())
    print(f"of one thread's CPU time calc takes {share_cpu(videos):.0%}")
    print(f"asked for: {CALC_AT_LEAST} of calc in one process, here {calc / whole:.2f}", end="")
    print(f" ({calc / ended:.2f} until the process has ended)")
    print(f"asked for: two processes {TWO_AT_LEAST} times as fast as one, here {single / double:.2f}")
    return int(calc / whole < CALC_AT_LEAST or single / double < TWO_AT_LEAST)


if __name__ == "__main__":
    sys.exit(main())
