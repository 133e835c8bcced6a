"""How weights are changed, as a `TrainSpec` says; the same numbers in both frameworks."""

from collections import defaultdict

import torch

from actlib.schedule import rate_factor


def make_optimizer(model, training):
    """Make what changes the trainable weights, with a rate and a weight decay for each layer as the spec says.

    Args:
        model: A model, its frozen parts already frozen.
        training: A `TrainSpec`.

    Returns:
        The framework's optimizer: Adam, AdamW, or SGD with momentum and the paper's L2 penalty.
    """
    groups = defaultdict(list)  # (factor of the rate, weight decay) -> parameters
    decay = 0.0 if training.optimizer == "adam" else training.weight_decay
    for path, parameter in model.named_parameters():
        if parameter.requires_grad:
            decays = training.decay_biases or parameter.ndim > 1
            groups[rate_factor(training, path), decay * decays].append(parameter)
    groups = [dict(params=group, factor=factor, weight_decay=decay) for (factor, decay), group in groups.items()]
    if training.optimizer == "sgd":
        return torch.optim.SGD(groups, training.learning_rate, momentum=training.momentum)
    kind = torch.optim.AdamW if training.optimizer == "adamw" else torch.optim.Adam
    return kind(groups, training.learning_rate, eps=1e-7)  # Keras' eps


def set_rate(optimizer, rate):
    """Give an optimizer the learning rate of an epoch, to each layer its own.

    Args:
        optimizer: As `make_optimizer` gives it.
        rate: The learning rate.
    """
    for group in optimizer.param_groups:
        group["lr"] = rate * group["factor"]


def get_state(optimizer):
    """Copy what an optimizer remembers, such as its moments: name -> array.

    Args:
        optimizer: As `make_optimizer` gives it.
    """
    state = optimizer.state_dict()["state"]
    slots = ((f"{place}/{slot}", value) for place in state for slot, value in state[place].items())
    return {name: value.cpu().numpy().copy() for name, value in slots if value is not None}


def set_state(optimizer, arrays):
    """Give an optimizer back what `get_state` copied.

    Args:
        optimizer: A new one, for the same weights.
        arrays: Name -> array.
    """
    state = defaultdict(dict)
    for name, array in arrays.items():
        place, slot = name.split("/")
        state[int(place)][slot] = torch.tensor(array)
    optimizer.load_state_dict(optimizer.state_dict() | {"state": state})
