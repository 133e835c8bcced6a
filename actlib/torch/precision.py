"""Where networks compute and in which precision: on the GPU if there is one, in bfloat16 where that is faster."""

import contextlib
from functools import partial

import torch
from torch import nn

from actlib import machine

FRAMES_AT_ONCE = 32  # frames that go through convolutions together: enough for full speed, little memory
_MAPS_AT_ONCE = 4_000_000  # numbers in the maps that a CPU works on at once: 1 frame of VGG-16 at its first block


def default_device():
    """Return the name of the best device there is: a GPU's, or "cpu"."""
    return torch.accelerator.current_accelerator().type if torch.accelerator.is_available() else "cpu"


def describe_device() -> dict:
    """Describe what computes and the most of its memory that was held, in bytes (None: it does not tell)."""
    on_gpu = default_device() == "cuda"
    device = torch.cuda.get_device_name() if on_gpu else default_device()
    return {"device": device, "device_memory": torch.cuda.max_memory_allocated() if on_gpu else None}


def device_of(model):
    """Return the device that holds a model's parameters: the one that its inputs have to be on."""
    return next(model.parameters()).device


def feature_precision(model) -> str:
    """Name the precision in which `extract_features` computes for a model: "bfloat16" if faster there, or "float32"."""
    device = device_of(model)
    if device.type == "cuda":
        with torch.cuda.device(device):
            fast = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        fast = device.type == "cpu" and machine.has_fast_bf16()
    return "bfloat16" if fast else "float32"


@contextlib.contextmanager
def at_rest(model, *, one_thread=False):
    """Compute without gradients, dropout and moving statistics inside a `with`; then the model is in its mode again."""
    modes = [(module, module.training) for module in model.modules()]
    try:
        with torch.no_grad(), fast_kernels(model, one_thread=one_thread):
            yield model.eval()
    finally:
        for module, mode in modes:
            module.training = mode


def compute_in_bf16(model, enabled):
    """Have a model compute in bfloat16 in a `with`, if enabled and faster there; weights and logits stay float32."""
    enabled = enabled and feature_precision(model) == "bfloat16"
    return torch.autocast(device_of(model).type, torch.bfloat16) if enabled else contextlib.nullcontext()


def check_compiler() -> None:
    """Raise RuntimeError unless the machine can compile what a training computes, as `TrainSpec.compile` asks for."""
    try:
        torch.compile(torch.square)(torch.ones(2, device=default_device()))
    except RuntimeError as error:
        found = f"Expected torch.compile to work. Received: {str(error).partition(chr(10))[0]}"
        raise RuntimeError(f"{found} Install a C++ compiler (Triton too), or set training.compile=false.") from error


def to_numpy(values):
    """Copy a tensor into an array from where it was computed: the one place where the processor waits for a GPU."""
    return values.detach().cpu().numpy()


@contextlib.contextmanager
def fork_random(model):
    """Give a function that seeds a model's dropout inside a `with`; the caller's random numbers stay as they are."""
    device = device_of(model)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        yield torch.manual_seed


@contextlib.contextmanager
def fast_kernels(model, *, one_thread=False):
    """Let a GPU multiply in TF32 and try which convolutions are fastest inside a `with`; a CPU may use one thread."""
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.benchmark, torch.get_num_threads()
    if device_of(model).type == "cuda":
        torch.set_float32_matmul_precision("high")
        torch.backends.cudnn.benchmark = True
    torch.set_num_threads(1 if one_thread else before[2])
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before[0])
        torch.backends.cudnn.benchmark = before[1]
        torch.set_num_threads(before[2])


def convolve_in_parts(convolutions, frames, *, batch_size=FRAMES_AT_ONCE):
    """Convolve frames, uint8 (..., H, W, C) -> float32 (..., D), some at a time, so that memory stays small."""
    convolve = partial(_convolve_by_block, convolutions) if frames.device.type == "cpu" else convolutions
    rows = torch.cat([convolve(part) for part in frames.flatten(0, -4).split(batch_size)])  # (n, D)
    return rows.reshape(*frames.shape[:-3], rows.shape[-1])


def _convolve_by_block(convolutions, frames):
    """What `VGG.forward` does, faster on a CPU: few frames at a time while maps are large, many once kernels are."""
    x = convolutions.preprocess(frames).permute(0, 3, 1, 2)  # (n, C, H, W)
    block = []
    for layer in convolutions.layers:
        block.append(layer)
        if isinstance(layer, nn.MaxPool2d):
            per_frame = block[0].out_channels * x.shape[2] * x.shape[3]
            apply, block = nn.Sequential(*block), []
            x = torch.cat([apply(part) for part in x.split(max(1, _MAPS_AT_ONCE // per_frame))])
    return convolutions.pool(x)  # (n, D)
