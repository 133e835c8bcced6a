"""How weights are changed, as a `TrainSpec` says; the same numbers in both frameworks."""

import keras
from keras import ops

from actlib.keras.distributed import sum_over_processes
from actlib.schedule import rate_factor


def make_optimizer(model, training):
    """Make what changes the trainable weights, with a rate and a weight decay for each layer as the spec says.

    Args:
        model: A model, its frozen parts already frozen.
        training: A `TrainSpec`.

    Returns:
        The framework's optimizer: Adam, AdamW, or SGD with momentum and the paper's L2 penalty.
    """
    options = {"learning_rate": training.learning_rate, "global_clipnorm": training.clip_norm}
    options["gradient_accumulation_steps"] = training.accumulation_steps if training.accumulation_steps > 1 else None
    if training.optimizer == "sgd":
        optimizer = _SGD(name="sgd", momentum=training.momentum, **options)
    else:
        optimizer = _Adam(name=training.optimizer, **options)
    optimizer.training = training
    optimizer.factors = [rate_factor(training, variable.path) for variable in model.trainable_variables]
    optimizer.build(model.trainable_variables)
    return optimizer


def set_rate(optimizer, rate):
    """Give an optimizer the learning rate of an epoch, to each layer its own.

    Args:
        optimizer: As `make_optimizer` gives it.
        rate: The learning rate.
    """
    optimizer.learning_rate = rate


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


class _ByLayer:
    """Mixed into an optimizer: the gradients of all processes, a rate and a weight decay for each layer."""

    def apply(self, grads, trainable_variables=None):
        sum_over_processes(grads)
        super().apply(grads, trainable_variables)

    def update_step(self, gradient, variable, learning_rate):
        place = self._get_variable_index(variable)
        decay = self.training.weight_decay * (self.training.decay_biases or len(variable.shape) > 1)
        self.change(gradient, variable, learning_rate * self.factors[place], decay, place)


class _SGD(_ByLayer, keras.optimizers.SGD):
    """SGD as in PyTorch, where Keras' momentum would keep an earlier learning rate and be bypassed by weight decay."""

    def change(self, gradient, variable, rate, decay, place):
        step = gradient + decay * variable
        if self.momentum:
            step = self.momentum * self.momentums[place] + step
            self.assign(self.momentums[place], step)
        self.assign_sub(variable, rate * step)


class _Adam(_ByLayer, keras.optimizers.Adam):
    """Adam, and AdamW, whose weight decay is apart from the gradient."""

    def change(self, gradient, variable, rate, decay, place):
        if self.training.optimizer == "adamw":
            self.assign_sub(variable, rate * decay * variable)
        keras.optimizers.Adam.update_step(self, gradient, variable, rate)
