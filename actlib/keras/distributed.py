"""Several processes that train one model, started by `torchrun`: each takes its part of every batch, on its own GPU."""

import keras

from actlib import paths

if keras.backend.backend() == "torch":
    from actlib.torch import distributed  # Keras has no words of its own for it


def join_processes() -> None:
    """Join the other processes that `torchrun` has started, and choose a GPU of one's own; alone, do nothing."""
    if keras.backend.backend() == "torch":
        distributed.join_processes()
    elif paths.process_place()[1] > 1:
        found = f"Expected Keras on its PyTorch backend, for several processes. Received: {keras.backend.backend()}."
        raise RuntimeError(f"{found} Set KERAS_BACKEND=torch, or start one process without torchrun.")


def sum_over_processes(values) -> None:
    """Replace the numbers in tensors, all on one device, by their sums over all processes."""
    if paths.process_place()[1] > 1:
        distributed.sum_over_processes(values)


def average_statistics(model) -> None:
    """Give all processes the mean of a model's moving statistics of batch normalization."""
    moving = [weight for layer in model.convolutions.layers for weight in layer.weights if "moving_" in weight.name]
    if moving and (number := paths.process_place()[1]) > 1:
        sum_over_processes([weight.value for weight in moving])
        for weight in moving:
            weight.assign(weight.value / number)
