"""What takes the steps, and the callbacks that end training or slow it down."""

import keras


@keras.saving.register_keras_serializable("actlib")
class PaperSGD(keras.optimizers.SGD):
    """SGD with the paper's weight decay: an L2 penalty, so that it is part of the gradient.

    Args:
        l2: weight of the penalty.
        **options: those of `keras.optimizers.SGD`, whose own weight_decay bypasses the momentum.
    """

    def __init__(self, *, l2=0.0, **options):
        super().__init__(**options)
        self.l2 = l2

    def update_step(self, gradient, variable, learning_rate):
        """Adds the penalty; Keras calls this for each variable."""
        super().update_step(gradient + self.l2 * variable, variable, learning_rate)

    def get_config(self):
        """Says how to make an equal one."""
        return super().get_config() | {"l2": self.l2}


def make_optimizer(training):
    """Makes the optimizer that a training asks for.

    Args:
        training: a `TrainSpec`.

    Returns:
        A Keras optimizer.

    Raises:
        ValueError: there is none of that name.
    """
    options = {"learning_rate": training.learning_rate, "global_clipnorm": training.clip_norm}
    if training.optimizer == "adam":
        return keras.optimizers.Adam(**options)
    if training.optimizer == "sgd":
        return PaperSGD(name="sgd", momentum=training.momentum, l2=training.weight_decay, **options)
    raise ValueError(f"Expected optimizer 'adam' or 'sgd'. Received: {training.optimizer!r}. Choose one of them.")


def make_callbacks(training, monitor):
    """Makes Keras' own callbacks that stop training, and slow it down.

    Args:
        training: a `TrainSpec`.
        monitor: what they look at: "val_loss" or "loss".

    Returns:
        A list of callbacks.
    """
    judges = []
    if training.patience is not None:
        judges.append(keras.callbacks.EarlyStopping(monitor, patience=training.patience))
    if training.plateau_patience is not None:
        patience, factor = training.plateau_patience, training.plateau_factor
        judges.append(keras.callbacks.ReduceLROnPlateau(monitor, factor=factor, patience=patience, min_delta=0))
    return judges
