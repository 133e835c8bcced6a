"""How near do VGG-16's convolutions come to the fastest this machine can multiply? Both in bfloat16, in one run.

On the GPU, if there is one, else on the CPU.

Prints the rate of `actlib.torch`'s `extract_features` (pixels in, features out) as a share of one large
matrix product's.
Weights are random, which does not change the speed. The best of several rounds counts: other work only slows down.

    python benchmarks/convolutions.py
"""

import time

import numpy as np
import torch

from actlib import machine, specs
from actlib.torch.precision import device_of
from actlib.torch.training import build_model, extract_features

ROUNDS = 8
NUM_FRAMES = 32
SIDE = 4096  # of the square matrices


def count_multiplications(spec):
    """Counts multiplications of the convolutions for one frame."""
    total, num_inputs = 0, 3
    for block, (count, width) in enumerate(spec.blocks):
        pixels = (spec.size // 2**block) ** 2
        for _ in range(count):
            total += pixels * 9 * num_inputs * width
            num_inputs = width
    return total


def rate(action, multiplications):
    """Runs an action once and gives its multiplications a second."""
    started = time.perf_counter()
    action()
    return multiplications / (time.perf_counter() - started)


def main():
    """Measures both in turn and prints the shares."""
    model = build_model(specs.FrameSpec("bare", specs.VGG16, hidden=()), 7)
    frames = np.random.default_rng(0).integers(0, 256, (NUM_FRAMES, 224, 224, 3), dtype=np.uint8)
    device = device_of(model)
    left, right = (torch.randn(SIDE, SIDE, dtype=torch.bfloat16, device=device) for _ in range(2))
    work = NUM_FRAMES * count_multiplications(specs.VGG16)
    actions = {
        "matrix product": (lambda: torch.mm(left, right)[0, 0].item(), SIDE**3),  # a GPU is waited for
        "bfloat16": (lambda: extract_features(model, frames), work),
        "float32": (lambda: extract_features(model, frames[: NUM_FRAMES // 4], mixed_precision=False), work / 4),
    }
    for action, _ in actions.values():
        action()  # the first call prepares kernels
    best = {name: max(rate(*action) for _ in range(1)) for name, action in actions.items()}
    for _ in range(ROUNDS - 1):
        best = {name: max(best[name], rate(*action)) for name, action in actions.items()}
    print(f"{device.type}, {torch.get_num_threads()} threads; this CPU multiplies bfloat16 in hardware: ", end="")
    print(machine.has_fast_bf16())
    for name, value in best.items():
        per_frame = "" if name == "matrix product" else f"  {value / work * NUM_FRAMES:6.1f} frames/s"
        print(f"{name:15} {2e-9 * value:7.0f} GFLOP/s  {value / best['matrix product']:5.2f} of the product{per_frame}")


if __name__ == "__main__":
    main()
