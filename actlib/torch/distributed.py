"""Several processes that train one model, started by `torchrun`: each takes its part of every batch, on its own GPU."""

import atexit
import importlib
from datetime import timedelta

import torch
from torch import distributed

from actlib import paths


def join_processes() -> None:
    """Join the other processes that `torchrun` has started, and choose a GPU of one's own; alone, do nothing."""
    if paths.process_place()[1] == 1 or distributed.is_initialized():
        return
    if torch.cuda.is_available():
        if (rank := paths.read_torchrun("LOCAL_RANK")) >= (number := torch.cuda.device_count()):
            found = f"Expected a GPU for each process. Received: {number} GPUs, and a process {rank + 1}."
            raise ValueError(f"{found} Start at most {number}, or set CUDA_VISIBLE_DEVICES= to take the CPU.")
        torch.cuda.set_device(rank)
    importlib.import_module("torch._dynamo")  # an optimizer imports it, and then holds a group that is there already
    store, rank, number = next(distributed.rendezvous("env://"))
    attempt = f"attempt {paths.read_torchrun('TORCHELASTIC_RESTART_COUNT')}"  # whose addresses no later one takes
    options = {"rank": rank, "world_size": number, "timeout": timedelta(days=1)}  # the first alone calibrates a model
    distributed.init_process_group(store=distributed.PrefixStore(attempt, store), **options)
    atexit.register(distributed.destroy_process_group)  # or its threads abort a process that ends


def sum_over_processes(values) -> None:
    """Replace the numbers in tensors, all on one device, by their sums over all processes."""
    if paths.process_place()[1] > 1:
        together = torch.cat([value.flatten() for value in values])
        distributed.all_reduce(together)
        for value, total in zip(values, together.split([value.numel() for value in values]), strict=True):
            value.copy_(total.view(value.shape))


def average_statistics(model) -> None:
    """Give all processes the mean of a model's moving statistics of batch normalization."""
    moving = [values for name, values in model.named_buffers() if ".running_" in name]
    if moving and (number := paths.process_place()[1]) > 1:
        sum_over_processes(moving)
        for values in moving:
            values /= number
