"""The training loop: a step, an epoch, validation; losses, metrics and optimizers as in the other framework."""

from collections import defaultdict

import torch
from torch import nn
from torch.nn import functional as F

from actlib import schedule
from actlib.torch import precision
from actlib.torch.augmentation import crop_clips
from actlib.torch.dataset import make_loader
from actlib.torch.distributed import average_statistics, sum_over_processes
from actlib.torch.precision import at_rest, compute_in_bf16, convolve_in_parts, device_of, to_numpy
from actlib.training import Training


class Trainer(Training):
    """A `Training` whose epochs are the framework's."""

    def fit(self):
        """Train for the epochs that are left."""
        if self.training.compile:
            precision.check_compiler()
            self.compute_logits = torch.compile(self.compute_logits)  # not the model: its names stay, and nothing else
        self.optimizer = _make_optimizer(self.model, self.training)
        _set_state(self.optimizer, self.run.optimizer)
        parts, validation = self.split_batches()
        self.crop = parts.crop
        while not self.run.finished:
            rate, seed = self.begin_epoch()
            for group in self.optimizer.param_groups:
                group["lr"] = rate * group["factor"]
            means = self.train_epoch(make_loader(parts, epoch=self.num_epochs), seed)
            self.end_epoch(means, self.evaluate(validation), _get_state(self.optimizer))

    def train_epoch(self, parts, seed):
        """Take a step down the gradient for each batch; return the mean loss and the accuracy on the way."""
        self.model.train()
        if "convolutions" in self.training.frozen:
            self.model.convolutions.eval()  # frozen batch normalization keeps its statistics too
        self.model.zero_grad()
        self.sums = torch.zeros(3, device=device_of(self.model))  # of losses, correct predictions and clips
        with precision.fork_random(self.model) as seed_random, precision.fast_kernels(self.model, one_thread=self.tiny):
            seed_random(seed)
            for number, part in enumerate(parts, start=1):
                loss, added = self.compute_loss(*part)
                loss.backward()
                self.sums = self.sums + added
                if number % self.training.accumulation_steps == 0:
                    self.take_step()
                    self.count_batch(lambda: to_numpy(self.sums))
        average_statistics(self.model)
        return self.average()

    def compute_loss(self, x, labels, weights):
        """Return a part's share in the mean loss of its batch, and (sum of losses, correct predictions, clips)."""
        device = device_of(self.model)
        if isinstance(x, list):  # what a loader makes of a pair
            x = crop_clips(*(values.to(device, non_blocking=True) for values in x), **self.crop)
        x, labels, weights = (values.to(device, non_blocking=True) for values in (x, labels, weights))
        with compute_in_bf16(self.model, self.training.mixed_precision):
            logits = self.compute_logits(x).float().reshape(len(x), -1, self.model.num_classes)  # (N, 1 or T, K)
        if self.training.consensus:
            logits = logits.mean(1, keepdim=True)  # (N, 1, K)
        labels = labels[:, None].expand(logits.shape[:2])  # one a clip, or one a frame
        options = {"reduction": "none", "label_smoothing": self.training.label_smoothing}
        losses = F.cross_entropy(logits.transpose(1, 2), labels, **options).mean(1)  # (N,)
        hits = (logits.argmax(2) == labels).float().mean(1)
        counted = (weights[:, 0] > 0).float()
        sums = torch.stack([losses.detach() @ weights[:, 0], hits @ counted, counted.sum()])
        return losses @ weights[:, 1], sums

    def compute_logits(self, x):
        """Return logits (N, K) or (N, T, K); frozen convolutions keep nothing, so they take some frames at a time."""
        if self.batches.kind == "features":
            return self.model.head(x)
        if "convolutions" in self.training.frozen:
            return self.model.head(convolve_in_parts(self.model.convolutions, x))
        return self.model(x)

    def take_step(self):
        """Change the weights by one step down the gradient of all processes."""
        sum_over_processes([each.grad for each in self.model.parameters() if each.grad is not None])
        if self.training.clip_norm is not None:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.training.clip_norm)
        self.optimizer.step()
        self.optimizer.zero_grad()

    def evaluate(self, parts):
        """Return (mean loss, accuracy) on validation batches; (None, None) without any."""
        if parts is None:
            return None, None
        with at_rest(self.model, one_thread=self.tiny):
            self.sums = sum(self.compute_loss(*part)[1] for part in make_loader(parts))
        return self.average()

    def average(self):
        """Return (mean loss, accuracy) over all processes."""
        sum_over_processes([self.sums])
        return schedule.mean_of_sums(to_numpy(self.sums))


def _make_optimizer(model, training):
    """PyTorch's optimizer for the weights that are free, with a rate and a weight decay for each layer."""
    groups = defaultdict(list)  # (factor of the rate, weight decay) -> parameters
    decay = 0.0 if training.optimizer == "adam" else training.weight_decay
    for path, parameter in model.named_parameters():
        if parameter.requires_grad:
            decays = training.decay_biases or parameter.ndim > 1
            groups[schedule.rate_factor(training, path), decay * decays].append(parameter)
    groups = [dict(params=group, factor=factor, weight_decay=decay) for (factor, decay), group in groups.items()]
    if training.optimizer == "sgd":
        return torch.optim.SGD(groups, training.learning_rate, momentum=training.momentum)
    kind = torch.optim.AdamW if training.optimizer == "adamw" else torch.optim.Adam
    return kind(groups, training.learning_rate, eps=1e-7)  # Keras' eps


def _get_state(optimizer):
    """Copy what an optimizer remembers, such as its moments: name -> array."""
    state = optimizer.state_dict()["state"]
    slots = ((f"{place}/{slot}", value) for place in state for slot, value in state[place].items())
    return {name: value.cpu().numpy().copy() for name, value in slots if value is not None}


def _set_state(optimizer, arrays):
    """Give a new optimizer for the same weights back what `_get_state` copied."""
    state = defaultdict(dict)
    for name, array in arrays.items():
        place, slot = name.split("/")
        state[int(place)][slot] = torch.tensor(array)
    optimizer.load_state_dict(optimizer.state_dict() | {"state": state})
