"""What do two processes gain over one, each with one thread? Extraction and training, in one run.

Extraction: features of VGG-16 from the sample's clips, decoded for it, all by one process or half by each of two; they
share nothing but the disk. Training: an epoch of the sample's frame classifier on pixels, by one process or under
torchrun. Start-up does not count. Ratios of seconds, and of seconds of CPU, which other work on the machine changes
less: two processes gain twice their ratio of CPU where two cores are free. For extraction 1.6 is wanted.

    python benchmarks/processes.py
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from actlib import paths, specs
from actlib.dataset import ClipBatches, FeatureCache, FrameCache, list_videos
from actlib.sample.dataset import data_folder
from actlib.torch.training import build_model, extract_features, train
from actlib.video import make_sampler, sample_uniform

NUM_VIDEOS, NUM_FRAMES, ROUNDS, WANTED = 8, 8, 2, 1.6
TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
SILENT = SimpleNamespace(stop=False, on_batch=lambda done, total, loss: None, on_epoch=lambda record: None)


def extract_part(part, parts, folder):
    """Extract every so-many-th video when told to; print seconds of CPU."""
    videos = list_videos(data_folder(), progress=False)
    chosen = sample_uniform(len(videos), NUM_VIDEOS)[int(part) :: int(parts)]
    model = build_model(specs.FrameSpec("bare", specs.VGG16, hidden=()), 7)
    extract_features(model, np.zeros((1, 224, 224, 3), np.uint8))  # the first call prepares kernels
    frames = FrameCache(videos.iloc[chosen], num_frames=NUM_FRAMES, size=224, folder=folder, progress=False)
    cache = FeatureCache(frames, partial(extract_features, model, batch_size=NUM_FRAMES), key="bench", folder=folder)
    print("ready", flush=True)
    sys.stdin.readline()
    begin = time.process_time()
    cache.fill()
    print(time.process_time() - begin, flush=True)


def train_part():
    """Train, alone or as one of several; print seconds, and of CPU, of the best epoch, and the process' rank."""
    preset, rng, marks = specs.PRESETS["slim_frames"], np.random.default_rng(0), []
    videos = [rng.integers(0, 256, (8, 64, 64, 3), np.uint8) for _ in range(256)]
    batches = ClipBatches(videos, np.arange(256) % 7, make_sampler("segments", 4), batch_size=32, shuffle=True)
    model, recipe = build_model(preset.model, 7), replace(preset.training, num_epochs=4, batch_size=32)
    watch = SimpleNamespace(**vars(SILENT) | {"on_epoch": lambda record: marks.append(time.process_time())})
    history = train(model, batches, None, recipe, monitor=watch)
    print(json.dumps([min(history["seconds"][1:]), float(np.diff(marks).min()), paths.process_place()[0]]), flush=True)


def time_extraction(number):
    """Return (seconds, seconds of CPU of all) of so many processes that extract together."""
    with tempfile.TemporaryDirectory() as folder:
        commands = [[sys.executable, __file__, "extract", str(part), str(number), folder] for part in range(number)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        workers = [subprocess.Popen(command, **pipes) for command in commands]
        for worker in workers:
            assert worker.stdout.readline() == "ready\n"
        begin = time.perf_counter()
        for worker in workers:
            worker.stdin.write("\n")
            worker.stdin.flush()
        cpu = sum(float(worker.stdout.readline()) for worker in workers)
        seconds = time.perf_counter() - begin
        for worker in workers:
            worker.communicate()
    return seconds, cpu


def time_training(number):
    """Return (seconds, seconds of CPU of all) of an epoch of so many processes that train one model."""
    command = [sys.executable, *(TORCHRUN if number > 1 else ()), __file__, "train"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    found = [json.loads(line) for line in done.splitlines()]
    return max(seconds for seconds, _, _ in found), sum(cpu for _, cpu, _ in found)


def main():
    """Measure one and two processes in turn and print the ratios of the best rounds."""
    os.environ |= {"OMP_NUM_THREADS": "1", "TQDM_DISABLE": "1"}
    os.environ["CUDA_VISIBLE_DEVICES"] = ""  # two processes, and perhaps one GPU
    os.environ["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).resolve().parent.parent), *sys.path[1:2]])
    for name, measure in (("extraction", time_extraction), ("training", time_training)):
        found = {number: [] for number in (1, 2)}
        for _ in range(ROUNDS):
            for number, values in found.items():
                values.append(measure(number))
        (one, one_cpu), (two, two_cpu) = (np.min(values, axis=0) for values in found.values())
        print(f"{name:10} one process {one:6.2f} s, two {two:6.2f} s: {one / two:.2f} times as fast; ", end="")
        print(f"CPU {one_cpu:.2f} s and {two_cpu:.2f} s together, ratio {one_cpu / two_cpu:.2f}", flush=True)
    print(f"for extraction {WANTED} times as fast is wanted, with two free cores")


if __name__ == "__main__":
    {"extract": extract_part, "train": train_part}[sys.argv[1]](*sys.argv[2:]) if len(sys.argv) > 1 else main()
