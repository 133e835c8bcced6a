"""Does memory grow with the number of videos? Peak of a process over 50 and over 300 of them, each from an empty cache.

`pass`: frames at 224 px are decoded, saved, and read in batches. `features`: features are extracted once, and the head
of an LRCN is trained on them. `pixels`: a frame classifier is trained end to end on saved frames. Both numbers of
videos get the same number of training steps, as the memory of any training varies a little from step to step. Beside
what the process took more stands what the frames more would take; a fifth of that is allowed, for noise.

    python benchmarks/memory.py                                  # the sample set
    ACTLIB_DATA=/path/to/folder python benchmarks/memory.py      # the folder that holds UCF-101/
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
from dataclasses import replace
from functools import partial

from actlib import specs
from actlib.dataset import ClipBatches, FeatureCache, FrameCache, list_videos
from actlib.paths import home_folder
from actlib.sample.dataset import data_folder
from actlib.video import make_sampler, sample_uniform

COUNTS, NUM_FRAMES = (50, 300), 16
SIZES = {"pass": 224, "features": 128, "pixels": 128}
NETWORK = replace(specs.SLIM_FRAMES, vgg=replace(specs.VGG_SLIM, size=128))
NUM_PASSES = 1  # over the larger number of videos
ALLOWED = 0.2  # of the frames that are more


def num_epochs(labels):
    """As many epochs as give every number of videos the same number of clips."""
    return NUM_PASSES * max(COUNTS) // len(labels)


def run_pass(frames, labels):
    """Reads all frames of all videos in batches."""
    data = ClipBatches(frames, labels, make_sampler("uniform", NUM_FRAMES))
    return sum(len(clips) for epoch in range(num_epochs(labels)) for clips, _ in data.epoch(epoch))


def run_features(frames, labels):
    """Trains the head of an LRCN on features of overlapping windows."""
    from actlib.torch.training import build_model, extract_features, train

    model = build_model(specs.LRCNSpec("bench", NETWORK, lstm=(32,)), int(labels.max()) + 1)
    cache = FeatureCache(frames, partial(extract_features, model), key="bench")
    train(
        model,
        ClipBatches(cache, labels, make_sampler("windows", 8, stride=4), shuffle=True),
        None,
        specs.TrainSpec(num_epochs(labels)),
    )


def run_pixels(frames, labels):
    """Trains a frame classifier end to end."""
    from actlib.torch.training import build_model, train

    model, training = build_model(NETWORK, int(labels.max()) + 1), specs.TrainSpec(num_epochs(labels), frozen=())
    train(model, ClipBatches(frames, labels, make_sampler("segments", 4), augment=True), None, training)


def work(kind, count):
    """Does one kind of work over so many videos and prints the peak of this process in bytes."""
    videos = list_videos(data_folder(), progress=False)
    videos = videos.iloc[sample_uniform(len(videos), count)].reset_index(drop=True)
    frames = FrameCache(videos, num_frames=NUM_FRAMES, size=SIZES[kind], progress=False)
    {"pass": run_pass, "features": run_features, "pixels": run_pixels}[kind](frames, videos["label"].to_numpy())
    unit = 1 if sys.platform == "darwin" else 1024
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit)


def measure(kind, count):
    """Peak of a fresh process with an empty cache, in bytes."""
    with tempfile.TemporaryDirectory() as cache:
        done = subprocess.run(
            [sys.executable, __file__, kind, str(count)],
            env=os.environ | {"ACTLIB_CACHE": cache, "ACTLIB_DATA": str(data_folder())},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=True,
        )
    return int(done.stdout.split()[-1])


def main():
    """Measures all kinds, prints a table and writes it to runs/benchmarks/memory.json."""
    results = {}
    for kind, size in SIZES.items():
        few, many = (measure(kind, count) for count in COUNTS)
        more_frames = (COUNTS[1] - COUNTS[0]) * NUM_FRAMES * size * size * 3
        results[kind] = {"bytes": [few, many], "ratio": many / few, "share": (many - few) / more_frames}
        print(
            f"{kind:9} {few / 1e6:6.0f} MB with {COUNTS[0]}, {many / 1e6:6.0f} MB with {COUNTS[1]} videos: "
            f"{many / few:5.2f}x; {(many - few) / 1e6:+6.1f} MB for {more_frames / 1e6:.0f} MB of frames more",
            flush=True,
        )
    out = home_folder() / "runs" / "benchmarks" / "memory.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps({"data": data_folder().name, "videos": COUNTS, "work": results}, indent=1))
    grows = [kind for kind, result in results.items() if result["share"] > ALLOWED]
    raise SystemExit(f"Memory grows with the number of videos: {', '.join(grows)}" if grows else 0)


if __name__ == "__main__":
    work(sys.argv[1], int(sys.argv[2])) if len(sys.argv) > 1 else main()
