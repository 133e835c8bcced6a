"""How weights are changed, as a `TrainSpec` says; the same numbers in both frameworks."""

import keras
from keras import ops


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
    options = {"learning_rate": training.learning_rate, "global_clipnorm": training.clip_norm}
    if training.optimizer == "adam":
        optimizer = keras.optimizers.Adam(**options)
    elif training.optimizer == "sgd":
        optimizer = _PaperSGD(name="sgd", momentum=training.momentum, l2=training.weight_decay, **options)
    else:
        raise ValueError(f"Expected optimizer 'adam' or 'sgd'. Received: {training.optimizer!r}. Choose one of them.")
    optimizer.build(model.trainable_variables)
    return optimizer


def get_state(optimizer):
    """Copy what an optimizer remembers, such as its moments: name -> array.

    Args:
        optimizer: As `make_optimizer` gives it.
    """
    return {str(place): ops.convert_to_numpy(variable) for place, variable in enumerate(optimizer.variables)}


def set_state(optimizer, arrays):
    """Give an optimizer back what `get_state` copied.

    Args:
        optimizer: A new one, for the same weights.
        arrays: Name -> array.
    """
    for name, array in arrays.items():
        variable = optimizer.variables[int(name)]
        variable.assign(array.astype(variable.dtype))


@keras.saving.register_keras_serializable("actlib")
class _PaperSGD(keras.optimizers.SGD):
    """SGD with the paper's weight decay `l2`: part of the gradient, while Keras' own bypasses the momentum."""

    def __init__(self, *, l2=0.0, **options):
        super().__init__(**options)
        self.l2 = l2

    def update_step(self, gradient, variable, learning_rate):
        super().update_step(gradient + self.l2 * variable, variable, learning_rate)

    def get_config(self):
        return super().get_config() | {"l2": self.l2}
