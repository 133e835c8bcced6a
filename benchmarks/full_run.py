"""What does all of VGG-16 on all of UCF-101 cost? Operations of the full runs, and hours on kinds of GPU, by count.

Hours are operations divided by a share of what a GPU's maker says it multiplies at most (dense, without sparsity): in
bfloat16 where it has units for it, else in float32. The share is an assumption, not a measurement. A GPU has to be fed:
the rate at which one thread here reads frames is measured, beside what each GPU would ask for. Their crops, scales and
flips are computed on the GPU, where the model is; what they would cost that thread is measured too.

    python benchmarks/full_run.py
    python benchmarks/full_run.py --share 0.5
"""

import argparse
import time
from functools import partial

import numpy as np
from convolutions import count_multiplications

from actlib import specs
from actlib.dataset import ClipBatches, augment_clip
from actlib.video import make_sampler

GPUS = {  # multiplications and additions a second, in units of 10**12, as their makers state them
    "T4, float32": 8.1,
    "L4, bfloat16": 121,
    "A100, bfloat16": 312,
    "H100 SXM or H200, bfloat16": 989,
}
NUM_TRAIN, NUM_TEST, EPOCHS, NUM_FRAMES, CROPS = 9537, 3783, 80, 25, 10
RUNS = {"one frame": EPOCHS * NUM_TRAIN * 3, "three segments": 3 * EPOCHS * NUM_TRAIN * 3}  # a step is 3 passes
RUNS["test"] = NUM_TEST * NUM_FRAMES * CROPS


def count_operations():
    """Count multiplications and additions for one frame, fc6 and fc7 included."""
    widths = specs.VGG16.num_features, *specs.FINETUNE_FRAMES.hidden, 101
    heads = sum(first * second for first, second in zip(widths, widths[1:], strict=False))
    return 2 * (count_multiplications(specs.VGG16) + heads)


def measure_reading(*, apart):
    """Read frames from memory, as training does: frames for a second of CPU of one thread, and bytes of a frame.

    With `apart`, clips come as they are, with the boxes that the model's device is to crop; else they are cropped here.
    """
    videos = [np.random.default_rng(0).integers(0, 256, (NUM_FRAMES, 256, 340, 3), np.uint8) for _ in range(8)]
    options = {"shuffle": True, "batch_size": 8, "augment": partial(augment_clip, size=224, flow=None)}
    batches = ClipBatches(videos, np.zeros(8), make_sampler("segments", 3), **options)
    rates = []
    for epoch in range(12):
        begin = time.thread_time()
        frames, _ = batches.batch(epoch, 0, apart=apart)
        seconds, frames = time.thread_time() - begin, frames[0] if apart else frames
        rates.append(frames.shape[0] * frames.shape[1] / seconds)
    return max(rates), frames[0, 0].nbytes


def main():
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--share", type=float, default=0.4, help="of the stated rate that is reached")
    share, each = parser.parse_args().share, count_operations()
    print(f"{each / 1e9:.1f} x 10^9 operations a frame")
    for name, passes in RUNS.items():
        print(f"{name:27} {passes:10,} passes, {passes * each:.1e} operations")
    print(f"hours, at {share:.0%} of the stated rate")
    for name, rate in GPUS.items():
        frames = share * rate * 1e12 / each
        hours = "  ".join(f"{run} {passes / frames / 3600:6.2f}" for run, passes in RUNS.items())
        print(f"{name:27} {hours}   trains {frames / 3:5.0f} frames/s")
    for apart, work in ((True, "reads"), (False, "reads, crops, scales and flips")):
        rate, size = measure_reading(apart=apart)
        print(f"one thread here {work} {rate:,.0f} frames for a second of CPU, {size:,} bytes each")


if __name__ == "__main__":
    main()
