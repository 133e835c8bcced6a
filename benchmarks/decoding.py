"""How fast are 16 evenly spaced frames at 224 px read from a video, against OpenCV; and again from the cache?

One process. OpenCV is timed in three ways: `read` every frame and keep the wanted ones, the usual way; `grab` every
frame and convert only the wanted ones, its fastest; `seek` to each wanted frame. Every way converts size and colours.
They take turns at each video, and the best of several turns counts, as other work on the machine only slows things
down. Time is also given as CPU time: what matters where several processes read at once.

    python benchmarks/decoding.py                                  # the sample set
    ACTLIB_DATA=/path/to/folder python benchmarks/decoding.py      # the folder that holds UCF-101/
"""

import json
import shutil
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from actlib.dataset import FrameCache, list_videos
from actlib.files import write_whole
from actlib.paths import home_folder, read_setting
from actlib.sample.dataset import data_folder
from actlib.video import read_clip, sample_uniform

NUM_FRAMES, SIZE, NUM_VIDEOS, ROUNDS = 16, 224, 30, 5
READ_AT_LEAST, CACHE_AT_LEAST = 1.3, 20.0


class OneReader(FrameCache):
    """A cache that decodes in one thread, so that the ratio is the same on machines with few and many cores."""

    num_readers = 1


def read_with_opencv(path, total, *, way):
    """Reads the wanted frames with OpenCV."""
    capture, wanted, pictures = cv2.VideoCapture(path), sample_uniform(total, NUM_FRAMES).tolist(), []
    for number in wanted if way == "seek" else range(wanted[-1] + 1):
        if way == "seek":
            capture.set(cv2.CAP_PROP_POS_FRAMES, number)
        picture = capture.grab() if way == "grab" else capture.read()[1]
        if number in wanted:
            picture = capture.retrieve()[1] if way == "grab" else picture
            pictures.append(cv2.cvtColor(cv2.resize(picture, (SIZE, SIZE)), cv2.COLOR_BGR2RGB))
    return np.stack(pictures)


def clock(action, *arguments):
    """Seconds on the wall and seconds of CPU that an action takes."""
    started = np.array([time.perf_counter(), time.process_time()])
    action(*arguments)
    return np.array([time.perf_counter(), time.process_time()]) - started


def time_readers(videos):
    """Seconds that each way of reading takes for all videos: (wall, CPU)."""
    readers = {"actlib read_clip": lambda path, total: read_clip(path, sample_uniform(total, NUM_FRAMES), size=SIZE)}
    for way in ("read", "grab", "seek"):
        readers[f"OpenCV {way}"] = lambda path, total, way=way: read_with_opencv(path, total, way=way)
    seconds = dict.fromkeys(readers, 0.0)
    for video in zip(videos["path"], videos["frames"], strict=True):
        rounds = [{name: clock(read, *video) for name, read in readers.items()} for _ in range(ROUNDS)]
        for name in readers:
            seconds[name] = seconds[name] + np.min([times[name] for times in rounds], axis=0)
    return seconds


def time_cache(videos):
    """Seconds of a first pass over all pixels, which decodes and keeps, and of later ones, each by a new cache."""
    folder = tempfile.mkdtemp()

    def look_at_all():
        cache = OneReader(videos, num_frames=NUM_FRAMES, size=SIZE, folder=folder, progress=False)
        return max(int(cache[place].max()) for place in range(len(cache)))

    try:
        first = clock(look_at_all)
        return {"second pass": np.min([clock(look_at_all) for _ in range(ROUNDS)], axis=0), "first pass": first}
    finally:
        shutil.rmtree(folder)


def show(seconds, num_frames):
    """Prints rates and how many times longer each row takes than the first; returns these ratios."""
    ours = next(iter(seconds.values()))
    for name, (wall, cpu) in seconds.items():
        print(f"{name:18} {num_frames / wall:8.0f} frames/s {wall / ours[0]:8.2f}x   CPU time {cpu / ours[1]:8.2f}x")
    return {name: {"wall": times[0] / ours[0], "cpu": times[1] / ours[1]} for name, times in seconds.items()}


def main():
    """Measures both, prints the ratios and writes them to runs/benchmarks/decoding.json."""
    folder = read_setting("ACTLIB_REAL_DATA") or data_folder()
    videos = list_videos(folder, progress=False)
    videos = videos.iloc[np.unique(sample_uniform(len(videos), NUM_VIDEOS))].reset_index(drop=True)
    print(f"{NUM_FRAMES} of {videos['frames'].mean():.0f} frames, at {SIZE} px, of each of {len(videos)} videos")
    num_frames = NUM_FRAMES * len(videos)
    ratios = show(time_readers(videos), num_frames) | show(time_cache(videos), num_frames)
    out = home_folder() / "runs" / "benchmarks" / "decoding.json"
    record = {"data": Path(folder).name, "videos": len(videos), "ratios": ratios}
    write_whole(out, json.dumps(record, indent=1).encode())
    read, cache = ratios["OpenCV read"]["wall"], ratios["first pass"]["wall"]
    print(f"asked for: {READ_AT_LEAST} times OpenCV's rate, here {read:.2f}")
    print(f"asked for: a second pass {CACHE_AT_LEAST:g} times as fast as the first, here {cache:.1f}")
    raise SystemExit(int(read < READ_AT_LEAST or cache < CACHE_AT_LEAST))


if __name__ == "__main__":
    main()
