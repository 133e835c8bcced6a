"""How weights are changed, as a `TrainSpec` says; the same numbers in both frameworks."""

from collections import defaultdict

import torch


def make_optimizer(model, training):
    """Make what changes the trainable weights: Adam, or SGD with momentum and the paper's L2 penalty.

    Args:
        model: A model, its frozen parts already frozen.
        training: A `TrainSpec`.

    Returns:
        The framework's optimizer.

    Raises:
        ValueError: The spec names another one.
    """
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    rate, momentum = training.learning_rate, training.momentum
    if training.optimizer == "adam":
        return torch.optim.Adam(parameters, rate, eps=1e-7)  # Keras' eps
    if training.optimizer == "sgd":
        return torch.optim.SGD(parameters, rate, momentum=momentum, weight_decay=training.weight_decay)
    raise ValueError(f"Expected optimizer 'adam' or 'sgd'. Received: {training.optimizer!r}. Choose one of them.")


def get_state(optimizer):
    """Copy what an optimizer remembers, such as its moments: name -> array.

    Args:
        optimizer: As `make_optimizer` gives it.
    """
    slots = {
        f"{place}/{slot}": v for place, slots in optimizer.state_dict()["state"].items() for slot, v in slots.items()
    }
    return {name: value.cpu().numpy().copy() for name, value in slots.items() if value is not None}


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
