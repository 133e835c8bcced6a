"""The training loop: Keras' own fit; losses, metrics and optimizers as in the other framework."""

import keras
from keras import ops

from actlib import schedule
from actlib.keras.augmentation import crop_clips
from actlib.keras.dataset import ClipDataset, raise_read_errors
from actlib.keras.distributed import average_statistics, sum_over_processes
from actlib.keras.precision import check_compiler, compute_in_bf16, fast_kernels, fork_random
from actlib.training import Training


class Trainer(Training):
    """A `Training` whose epochs are the framework's."""

    def fit(self):
        """Train for the epochs that are left."""
        part = self.model.head if self.batches.kind == "features" else self.model
        parts, validation = self.split_batches()
        self.trained = _Trained(part, self.training, parts.crop)
        self._check_strategy()
        if self.training.compile:
            check_compiler()
        self.trained.compile(_make_optimizer(part, self.training), jit_compile=self.training.compile)
        for name, array in self.run.optimizer.items():
            variable = self.trained.optimizer.variables[int(name)]
            variable.assign(array.astype(variable.dtype))
        data = ClipDataset(parts, epoch=self.num_epochs)
        self.validation_data = validation and ClipDataset(validation, fixed=True)
        epochs = {"initial_epoch": self.num_epochs, "epochs": self.training.num_epochs}
        callback = keras.callbacks.LambdaCallback(self._begin, self._end, on_train_batch_end=self._count)
        half = compute_in_bf16(self.model, self.training.mixed_precision)
        fast = fast_kernels(self.model, one_thread=self.tiny)
        with raise_read_errors(data, self.validation_data), half, fast, fork_random(self.model) as self.seed_random:
            self.trained.fit(data, callbacks=[callback], shuffle=False, verbose=0, **epochs)

    def _check_strategy(self):
        """Refuse what Keras does with each replica's gradients before TensorFlow sums them."""
        strategy, spec = getattr(self.trained, "distribute_strategy", None), self.training
        if getattr(strategy, "num_replicas_in_sync", 1) > 1 and (spec.clip_norm or spec.accumulation_steps > 1):
            expected = "Expected clip_norm=None and accumulation_steps=1 with a strategy of TensorFlow's"
            found = f"{expected}. Received: {spec.clip_norm}, {spec.accumulation_steps}."
            raise ValueError(f"{found} Change them, or use torchrun with KERAS_BACKEND=torch.")

    def _begin(self, epoch, logs):
        rate, seed = self.begin_epoch()
        self.trained.optimizer.learning_rate = rate
        self.seed_random(seed)

    def _count(self, batch, logs):
        if (batch + 1) % self.training.accumulation_steps == 0:
            self.count_batch(lambda: ops.convert_to_numpy(self.trained.read_sums()))

    def _end(self, epoch, logs):
        average_statistics(self.model)
        train, validation = self.trained.average(), (None, None)
        if self.validation_data is not None:
            self.trained.evaluate(self.validation_data, verbose=0)
            validation = self.trained.average()
        variables = enumerate(self.trained.optimizer.variables)
        self.end_epoch(train, validation, {str(place): ops.convert_to_numpy(each) for place, each in variables})
        self.trained.stop_training = self.run.finished


class _Trained(keras.Model):
    """A model, or its head, with its loss and the sums that make a history: nothing is read after each batch."""

    def __init__(self, part, training, crop):
        super().__init__(name="trained")
        self.part, self.training_spec, self.crop = part, training, crop
        self.sums = [keras.metrics.Sum(name=name) for name in ("losses", "correct", "clips")]
        self.built = True

    def call(self, x, training=None):
        x = crop_clips(*x, **self.crop) if isinstance(x, (list, tuple)) else x
        return self.part(x, training=training)

    def _maybe_symbolic_build(self, *args, **options):
        """Do nothing: all is built, and with a strategy Keras would average a first batch's parts, which may differ."""

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Return a part's share in the mean loss of its batch, and add to the sums; weights are those of BatchParts."""
        num_classes, smoothing = self.part.num_classes, self.training_spec.label_smoothing
        logits = ops.reshape(y_pred, (ops.shape(y)[0], -1, num_classes))  # (N, 1 or T, K)
        if self.training_spec.consensus:
            logits = ops.mean(logits, axis=1, keepdims=True)  # (N, 1, K)
        labels = ops.cast(ops.reshape(y, (-1, 1)), "int32")  # one a clip, or one a frame
        targets = ops.one_hot(labels, num_classes) * (1 - smoothing) + smoothing / num_classes  # (N, 1, K)
        losses = ops.mean(-ops.sum(targets * ops.log_softmax(logits), axis=2), axis=1)  # (N,)
        hits = ops.mean(ops.cast(ops.equal(ops.cast(ops.argmax(logits, axis=2), "int32"), labels), "float32"), axis=1)
        weights, shares = sample_weight[:, 0], sample_weight[:, 1]
        counted = ops.cast(weights > 0, "float32")
        for metric, values in zip(self.sums, (losses * weights, hits * counted, counted), strict=True):
            metric.update_state(values)
        steps = self.training_spec.accumulation_steps if training else 1  # Keras takes the mean of a batch's parts
        return ops.sum(losses * shares) * steps

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        return {"unused": 0.0}  # Keras would read metrics after each batch, and wants to be given something

    def read_sums(self):
        """Return (sum of losses, correct predictions, clips) of the epoch so far, in this process."""
        return ops.stack([metric.result() for metric in self.sums])

    def average(self):
        """Return (mean loss, accuracy) over all processes."""
        sums = self.read_sums()
        sum_over_processes([sums])
        return schedule.mean_of_sums(ops.convert_to_numpy(sums))


def _make_optimizer(model, training):
    """Keras' optimizer for the weights that are free, with a rate and a weight decay for each layer."""
    options = {"learning_rate": training.learning_rate, "global_clipnorm": training.clip_norm}
    options["gradient_accumulation_steps"] = training.accumulation_steps if training.accumulation_steps > 1 else None
    if training.optimizer == "sgd":
        optimizer = _SGD(name="sgd", momentum=training.momentum, **options)
    else:
        optimizer = _Adam(name=training.optimizer, **options)
    optimizer.training = training
    optimizer.factors = [schedule.rate_factor(training, variable.path) for variable in model.trainable_variables]
    optimizer.build(model.trainable_variables)
    return optimizer


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
