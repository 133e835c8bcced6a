"""How weights are changed and how fast, as a `TrainSpec` says; the numbers that Keras would use."""

import torch


def make_optimizer(parameters, training):
    """Makes the optimizer.

    Args:
        parameters: What it changes.
        training: A `TrainSpec`.

    Returns:
        Adam, or SGD with momentum and L2 weight decay.

    Raises:
        ValueError: The spec names another one.
    """
    if training.optimizer == "adam":
        return torch.optim.Adam(parameters, training.learning_rate, eps=1e-7)  # Keras' eps
    if training.optimizer == "sgd":
        rate, momentum = training.learning_rate, training.momentum
        return torch.optim.SGD(parameters, rate, momentum=momentum, weight_decay=training.weight_decay)
    raise ValueError(f"Expected optimizer 'adam' or 'sgd'. Received: {training.optimizer!r}. Choose one of them.")


def make_plateau(optimizer, training):
    """Makes what lowers the learning rate when the validation loss no longer falls.

    Args:
        optimizer: Its learning rate is lowered.
        training: A `TrainSpec`.

    Returns:
        A `ReduceLROnPlateau`, or None where the spec has no plateau_patience.
    """
    if training.plateau_patience is None:
        return None
    patience = training.plateau_patience - 1  # PyTorch acts one epoch after its patience, Keras at it
    return torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, "min", training.plateau_factor, patience, threshold=0)


def optimizer_arrays(optimizer, parameters):
    """Copies what the optimizer remembers.

    Args:
        optimizer: Adam or SGD.
        parameters: Name -> parameter.

    Returns:
        "name/slot" -> array: Adam's two moments and its count, or SGD's momentum.
    """
    return {
        f"{name}/{slot}": value.cpu().numpy()
        for name, parameter in parameters.items()
        for slot, value in optimizer.state[parameter].items()
        if value is not None
    }


def restore_optimizer(optimizer, parameters, arrays):
    """Gives the optimizer back what it remembered.

    Args:
        optimizer: Adam or SGD, new.
        parameters: Name -> parameter.
        arrays: As `optimizer_arrays` gave them.
    """
    for key, array in arrays.items():
        name, slot = key.rsplit("/", 1)
        where = "cpu" if slot == "step" else parameters[name].device  # where Adam wants its count
        optimizer.state[parameters[name]][slot] = torch.tensor(array, device=where)
