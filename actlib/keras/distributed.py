"""Several processes that train one model, started by `torchrun`: each takes its part of every batch, on its own GPU."""

import atexit
import importlib

import keras

from actlib import paths

if keras.backend.backend() == "torch":
    import torch
    from torch import distributed


def join_processes() -> None:
    """Join the other processes that `torchrun` has started, and choose a GPU of one's own; alone, do nothing."""
    if paths.process_place()[1] == 1:
        return
    if keras.backend.backend() != "torch":
        raise RuntimeError(
            "Expected Keras on its PyTorch backend, on which several processes can train one model. "
            f"Received: {keras.backend.backend()}. Set KERAS_BACKEND=torch, or start one process without torchrun."
        )
    if distributed.is_initialized():
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(paths.read_torchrun("LOCAL_RANK"))
    importlib.import_module("torch._dynamo")  # an optimizer imports it, and then holds a group that is there already
    store, rank, number = next(distributed.rendezvous("env://"))
    attempt = f"attempt {paths.read_torchrun('TORCHELASTIC_RESTART_COUNT')}"  # whose addresses no later one takes
    distributed.init_process_group(store=distributed.PrefixStore(attempt, store), rank=rank, world_size=number)
    atexit.register(distributed.destroy_process_group)  # or its threads abort a process that ends


def sum_over_processes(values) -> list:
    """Sum each of some values over all processes.

    Args:
        values: Tensors of any shapes.

    Returns:
        As many tensors.
    """
    if paths.process_place()[1] == 1:
        return [*values]
    together = torch.cat([value.flatten() for value in values])
    distributed.all_reduce(together)
    parts = together.split([value.numel() for value in values])
    return [part.view(value.shape) for part, value in zip(parts, values, strict=True)]


def average_statistics(model) -> None:
    """Give all processes the mean of their moving statistics of batch normalization.

    Args:
        model: A `FrameClassifier` or an `LRCN`.
    """
    moving = [weight for layer in model.convolutions.layers for weight in layer.weights if "moving_" in weight.name]
    if moving and (number := paths.process_place()[1]) > 1:
        for weight, total in zip(moving, sum_over_processes([weight.value for weight in moving]), strict=True):
            weight.assign(total / number)
