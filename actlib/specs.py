"""Every number that the two frameworks share, in types with ranges, against which a card from elsewhere is held too."""

import math
from dataclasses import replace
from typing import Annotated, Literal

from pydantic import Field

from actlib.schema import Amount, Color, Count, Divisor, Few, Layers, Length, Name, Share, Wait, check_choice, record

# The classes of the original study: the first three look alike, the last four do not.
SEVEN_CLASSES = ("ApplyEyeMakeup", "ApplyLipstick", "BrushingTeeth", "Basketball", "Diving", "Nunchucks", "Punch")

BACKENDS = ("torch", "keras")  # the frameworks
READOUTS, POOLING, FROZEN_PARTS = ("last", "mean", "steps"), ("flatten", "mean", "max"), ("convolutions", "hidden")
LAYERS = ("block", "hidden", "lstm", "logits")  # how their names begin: block5_conv3, hidden1, lstm1, logits
OPTIMIZERS, SCHEDULES = ("adam", "adamw", "sgd"), ("plateau", "step", "cosine")
FLOW_METHODS = ("fast", "medium", "farneback")  # two presets of DIS, Kroeger et al., arXiv 1603.03590; Farnebäck, 2003
CONTROLS = ("shuffled", "first", "first_last", "reversed")  # see `dataset.ClipBatches`


@record
class FlowSpec:
    """How optical flow becomes a picture that takes a frame's place: u (right), v (down), and how fast, in 0..255.

    Source: ±8 pixels, and the magnitude: arXiv 1411.4389, section 4.1; ±20, several pairs: arXiv 1608.00859, 3.2.
    """

    method: str = "fast"  # one of FLOW_METHODS
    bound: Divisor = 8.0  # pixels that reach from 128 (no movement) to 0 and to 255
    magnitude: bool = True  # |flow| as a third channel
    length: Few = 1  # L, pairs of frames behind each other in the channels

    def __post_init__(self):
        check_choice("method", self.method, FLOW_METHODS)

    @property
    def num_channels(self) -> int:
        """C of its pictures."""
        return self.length * (3 if self.magnitude else 2)


@record
class VGGSpec:
    """VGG's convolutions: blocks of 3x3 ones with ReLU, each ended by a 2x2 max-pool: arXiv 1409.1556, column D."""

    name: Name
    blocks: Annotated[tuple[tuple[Few, Count], ...], Layers]  # (number of convolutions, their width), one pair a block
    size: Length  # frames are size x size pixels
    mean: tuple[Color, ...] = (123.68, 116.779, 103.939)  # RGB, subtracted first (ImageNet's)
    std: tuple[Divisor, ...] = (1.0, 1.0, 1.0)  # RGB, divided by; 1 is what the ImageNet weights of Keras want
    batch_norm: bool = False  # after each convolution, before its ReLU
    pooling: str = "flatten"  # a frame's features are all positions of the last maps, or their "mean" or "max"
    normalize: bool = False  # divide a frame's features by their L2 norm: ImageNet's differ in scale, which is noise
    flow: FlowSpec | None = None  # frames are flow pictures

    def __post_init__(self):
        check_choice("pooling", self.pooling, POOLING)
        numbers = (len(self.mean), len(self.std), self.size >= 2 ** len(self.blocks))
        if numbers != (self.num_channels, self.num_channels, True):
            raise ValueError(f"Expected C means and stds, and a pixel left after each block. Received: {self}.")

    @property
    def num_channels(self) -> int:
        """C, 3 unless frames are flow pictures of another depth."""
        return self.flow.num_channels if self.flow else 3

    @property
    def feature_shape(self) -> tuple[int, int, int]:
        """(h, w, channels) of one frame's features; pooled ones have one position."""
        side = self.size // 2 ** len(self.blocks) if self.pooling == "flatten" else 1
        return side, side, self.blocks[-1][1]

    @property
    def num_features(self) -> int:
        """D, the length of one frame's features."""
        return math.prod(self.feature_shape)

    def check_frames(self, shape) -> None:
        """Raise ValueError unless frames of a shape are (..., size, size, C)."""
        if tuple(shape[-3:]) != (self.size, self.size, self.num_channels):
            expected = f"frames (..., {self.size}, {self.size}, {self.num_channels}) for {self.name}"
            raise ValueError(f"Expected {expected}. Received: {tuple(shape)}. Read them at that size.")


@record
class FrameSpec:
    """A single-frame classifier: convolutions -> features -> hidden ReLU layers with dropout -> logits."""

    name: Name
    vgg: VGGSpec
    hidden: Annotated[tuple[Count, ...], Field(max_length=16)] = (256,)
    dropout: Share = 0.5  # after each hidden layer


@record
class LRCNSpec:
    """A frame classifier whose last layer gives way to LSTMs over a clip's frames: Donahue et al., arXiv 1411.4389."""

    name: Name
    frames: FrameSpec
    lstm: Annotated[tuple[Count, ...], Layers] = (32, 32)  # units of each LSTM layer
    lstm_dropout: Share = 0.5  # after each LSTM
    readout: str = "last"  # logits of the last step, of the mean of steps, or of all steps (each with its loss)
    num_frames: Length = 16  # T

    def __post_init__(self):
        check_choice("readout", self.readout, READOUTS)

    def check_features(self, shape, readout) -> None:
        """Raise ValueError unless features of a shape are (N, T, D), and there is such a readout."""
        check_choice("readout", readout, READOUTS)
        if len(shape) != 3:
            raise ValueError(f"Expected features (N, T, D). Received: {tuple(shape)}. Add the missing axis.")

    @property
    def vgg(self) -> VGGSpec:
        """The convolutions, those of the frame classifier."""
        return self.frames.vgg


@record
class TrainSpec:
    """How a model is trained; the same meaning in both frameworks."""

    num_epochs: Count = 30
    batch_size: Count = 16  # clips that make a step, in all processes together
    accumulation_steps: Count = 1  # parts of a batch that are computed one after another: the same step in less memory
    optimizer: Literal[OPTIMIZERS] = "adam"
    learning_rate: Amount = 1e-4
    rates: tuple[tuple[str, Amount], ...] = ()  # (how layers' names begin, what their rate is multiplied by); last wins
    momentum: Share = 0.9  # sgd only
    weight_decay: Amount = 0.0  # sgd: L2, part of the gradient, as in the paper; adamw: apart from it
    decay_biases: bool = True  # False: no weight decay on biases and batch normalization
    label_smoothing: Share = 0.0  # share of each label that is spread over all classes
    consensus: bool = False  # the loss is one of the mean of a clip's logits, not one of each frame: TSN's segments
    clip_norm: Amount | None = None  # largest norm of all gradients together
    class_weights: bool = False  # weigh each class by the inverse of its share of the clips
    patience: Wait | None = 8  # epochs without a better validation loss before training stops
    schedule: Literal[SCHEDULES] = "plateau"
    plateau_patience: Wait | None = 4  # "plateau": likewise, before the learning rate is multiplied by plateau_factor
    plateau_factor: Share = 0.3
    milestones: tuple[Wait, ...] = ()  # "step": after these epochs it is multiplied by step_factor
    step_factor: Share = 0.1
    warmup_epochs: Wait = 0  # in which it rises to its full value; "cosine" then falls to 0
    frozen: tuple[Literal[FROZEN_PARTS], ...] = ("convolutions",)  # parts that keep their weights
    mixed_precision: bool = False  # bfloat16 inside, float32 weights
    compile: bool = False  # torch.compile, in Keras jit_compile: minutes at the start, then steps may be faster

    def __post_init__(self):
        check_choice("optimizer", self.optimizer, OPTIMIZERS)
        check_choice("schedule", self.schedule, SCHEDULES)
        for start, _ in self.rates:
            check_choice("a rate's layer", next(filter(start.startswith, LAYERS), start), LAYERS)


@record
class Preset:
    """A model with the training and the sampling that go with it, under one name."""

    name: Name
    model: Annotated[FrameSpec | LRCNSpec, Field(discriminator="type")]
    training: TrainSpec
    num_frames: Length  # evenly spaced frames kept of each video (F); clips are drawn from these, in each epoch others
    clip_frames: Length  # T of a training clip
    augment: bool | Literal["crop"] = False  # crop and flip clips to train on; True: at several scales; for pixels only
    frame_size: tuple[Length, Length] | None = None  # height and width of kept frames, to crop from; None: the model's
    ten_crops: bool = False  # test on corners and centre of kept frames, and these mirrored; else on the centre


VGG16 = VGGSpec("vgg16", ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512)), size=224)
VGG16_MAX = replace(VGG16, pooling="max", normalize=True)
VGG_SLIM = VGGSpec("vgg_slim", ((1, 12), (1, 24), (1, 48), (1, 48)), size=64, std=(64.0, 64.0, 64.0), batch_norm=True)
VGG_SCRATCH = VGGSpec("vgg_scratch", ((2, 32), (3, 64)), size=64, std=(64.0, 64.0, 64.0), batch_norm=True)

STUDY_FRAMES = FrameSpec("study_frames", VGG16)
STUDY_STREAMING = FrameSpec("study_streaming_frames", VGG16, hidden=(128,), dropout=0.3)
STUDY_TORCH = FrameSpec("study_torch_frames", VGG16, hidden=(128,), dropout=0.4)
STUDY_SCRATCH = FrameSpec("study_scratch", VGG_SCRATCH, hidden=(1024, 512))
PAPER_FRAMES = FrameSpec("paper_frames", VGG16, hidden=(4096,), dropout=0.9)
FINETUNE_FRAMES = FrameSpec("vgg16_finetune_frames", VGG16, hidden=(4096, 4096), dropout=0.9)
VGG16_FRAMES = FrameSpec("vgg16_frames", VGG16_MAX, hidden=(64,))
SLIM_FRAMES = FrameSpec("slim_frames", VGG_SLIM, hidden=(64,), dropout=0.3)

STREAMING_LRCN = LRCNSpec("study_streaming", STUDY_STREAMING, lstm=(16, 16), lstm_dropout=0.3, readout="mean")
TORCH_LRCN = LRCNSpec("study_torch", STUDY_TORCH, lstm=(16,), lstm_dropout=0.4)
PAPER_LRCN = LRCNSpec("paper_lrcn", PAPER_FRAMES, lstm=(256,), readout="steps")
VGG16_LRCN = LRCNSpec("vgg16_lrcn", VGG16_FRAMES, lstm=(64,), readout="mean")
SLIM_LRCN = LRCNSpec("slim_lrcn", SLIM_FRAMES, lstm=(64,), lstm_dropout=0.3, num_frames=8)
_STACKS = {f"stack{n}": FlowSpec(bound=20.0, magnitude=False, length=n) for n in (5, 10)}
STREAMS = {"rgb": None, "flow": FlowSpec(), **_STACKS}


def use_stream(model, stream):
    """Return a model's spec whose frames are those of a stream.

    Args:
        model, stream: A `FrameSpec` or an `LRCNSpec`; one of STREAMS, whose bound shrinks with frames below 224 pixels.
    """
    if not (flow := STREAMS[stream]) or (model.vgg.flow and model.vgg.num_channels == flow.num_channels):  # is one
        return model
    if isinstance(model, LRCNSpec):
        return replace(model, frames=use_stream(model.frames, stream))
    values = {"mean": (128.0,) * flow.num_channels, "std": model.vgg.std[:1] * flow.num_channels}
    values["flow"] = replace(flow, bound=flow.bound * model.vgg.size / VGG16.size)
    return replace(model, vgg=replace(model.vgg, **values))


ADAM, STUDY_HEAD = TrainSpec(), TrainSpec(learning_rate=1e-3, frozen=("convolutions", "hidden"))
UNIT_FRAMES = TrainSpec(optimizer="sgd", learning_rate=0.1, num_epochs=60)  # why SGD: docs/results.md
UNIT_LSTM = TrainSpec(optimizer="sgd", learning_rate=0.03, num_epochs=15, weight_decay=5e-3)
_SGD = dict(optimizer="sgd", learning_rate=1e-3, schedule="step", patience=None, frozen=(), mixed_precision=True)
_PAPER = _SGD | {"rates": (("logits", 10.0),), "clip_norm": 5.0, "weight_decay": 5e-3, "decay_biases": False}
_PAPER |= {"num_epochs": 75, "milestones": (25, 50)}  # 30,000 steps of UCF-101
PAPER_SINGLE, PAPER_SGD = TrainSpec(batch_size=128, **_PAPER), TrainSpec(batch_size=24, accumulation_steps=4, **_PAPER)
_TUNE = _SGD | {"weight_decay": 5e-4, "num_epochs": 80, "milestones": (30, 60, 80), "batch_size": 200}
FINETUNE, TSN = TrainSpec(accumulation_steps=2, **_TUNE), TrainSpec(accumulation_steps=5, consensus=True, **_TUNE)
_WHOLE = {"num_frames": 32, "frame_size": (240, 320), "augment": "crop", "ten_crops": True}  # UCF-101's own size
_KEPT = _WHOLE | {"num_frames": 25, "frame_size": (256, 340), "augment": True}
SLIM_WHOLE = TrainSpec(learning_rate=1e-3, num_epochs=12, batch_size=4, frozen=())
SLIM_HEAD = TrainSpec(learning_rate=1e-3, num_epochs=80, patience=None, plateau_patience=None, clip_norm=1.0)

_PRESETS = (  # On disk, a frame's flattened VGG-16 features take 50 kB, pooled ones 1 kB, its 224 x 224 pixels 150 kB.
    # The study's network from scratch: 5 convolutions, 2 pools, batch normalisation, 1024 and 512 ReLU.
    Preset("study_scratch", STUDY_SCRATCH, TrainSpec(frozen=()), num_frames=8, clip_frames=4, augment=True),
    # The study's frame classifier: frozen VGG-16, 256 ReLU, dropout .5, Adam 1e-4, 128 frames a batch.
    Preset("study_frames", STUDY_FRAMES, ADAM, num_frames=16, clip_frames=8),
    # The study's LRCN: its frame classifier, frozen, and two LSTMs of 32 over 8 frames.
    Preset("study_lrcn", LRCNSpec("study_lrcn", STUDY_FRAMES, num_frames=8), STUDY_HEAD, num_frames=16, clip_frames=8),
    # The study's streaming version: 128 ReLU, dropout .3, two LSTMs of 16, mean of 16 steps.
    Preset("study_streaming", STREAMING_LRCN, ADAM, num_frames=32, clip_frames=16),
    # The study's PyTorch version: 128 ReLU, one LSTM of 16, last step, dropout .4.
    Preset("study_torch", TORCH_LRCN, ADAM, num_frames=32, clip_frames=16),
    # The paper's single-frame network: fc6 of 4096 ReLU, dropout .9, all trained, on crops (of 224; the paper's 227).
    Preset("paper_frames", PAPER_FRAMES, PAPER_SINGLE, clip_frames=1, **_WHOLE),
    # The paper's LRCN-fc6: starts from paper_frames, one LSTM of 256, a loss at each of 16 steps.
    Preset("paper_lrcn", PAPER_LRCN, PAPER_SGD, clip_frames=16, **_WHOLE),
    # GluonCV's for all of VGG-16, fc6 and fc7 too: a random frame of a video; or 3 segments that answer together (TSN).
    Preset("vgg16_finetune", FINETUNE_FRAMES, FINETUNE, clip_frames=1, **_KEPT),
    Preset("vgg16_finetune_tsn", FINETUNE_FRAMES, TSN, clip_frames=3, **_KEPT),
    # For real clips: frozen VGG-16, each channel's maximum over the frame, L2-normalised, 64 ReLU; then an LSTM of 64.
    Preset("vgg16_frames", VGG16_FRAMES, UNIT_FRAMES, num_frames=64, clip_frames=8),
    Preset("vgg16_lrcn", VGG16_LRCN, UNIT_LSTM, num_frames=64, clip_frames=16),
    # The sample set's: a slim VGG trained end to end in seconds on a laptop; then one LSTM of 64.
    Preset("slim_frames", SLIM_FRAMES, SLIM_WHOLE, num_frames=16, clip_frames=4),
    Preset("slim_lrcn", SLIM_LRCN, SLIM_HEAD, num_frames=16, clip_frames=8),
)
PRESETS = {preset.name: preset for preset in _PRESETS}
