"""What a checkpoint says of itself: the schema of cards, and specs in them."""

import json
from typing import Annotated, Any, Literal

from pydantic import Field, FiniteFloat, with_config
from typing_extensions import TypedDict

from actlib import specs
from actlib.schema import Count, Divisor

FORMAT_VERSION = 2  # of cards: raise it when older code would misread a new one
COLUMNS = ("epoch", "loss", "accuracy", "val_loss", "val_accuracy", "learning_rate", "seconds")
_KINDS = {name: list[float | None] if name.startswith("val_") else list[float] for name in COLUMNS}
History = TypedDict("History", _KINDS | {"epoch": list[int]})
_Positive = Annotated[float, Field(gt=0, le=1e6)]
_Numbers = {"float16": tuple[str, str, str], "variances": tuple[_Positive, _Positive], "threshold": FiniteFloat}
Known = TypedDict("Known", _Numbers | {"kept": tuple[float, float, float, int]})  # `evaluation.KnownClasses`
_AnySpec = specs.VGGSpec | specs.FrameSpec | specs.LRCNSpec | specs.TrainSpec | specs.Preset
Spec = Annotated[_AnySpec, Field(discriminator="type")]


@with_config({"extra": "allow"})
class Card(TypedDict, total=False):
    """What a card says, where it says it; what is not listed may be anything."""

    format_version: Annotated[int, Field(ge=0, le=FORMAT_VERSION)]
    spec: Spec
    num_classes: Count
    classes: list[str]
    framework: Literal[specs.BACKENDS]
    preset: specs.Preset
    training: dict[str, Any]
    window_seconds: _Positive | None
    experiment: dict[str, Any]
    videos: dict[Literal["train", "validation"], dict[str, str]]
    leakage: list[str]
    temperatures: dict[Literal["step", "video"], Divisor]
    known: Known
    settings: dict[str, Any]  # from here on what a `run.Run` resumes from
    keys: dict[str, str]
    history: History
    finished: bool


def spec_to_json(spec) -> dict:
    """Return the fields of a spec as JSON holds them, with "type", its class; specs inside it likewise.

    Args:
        spec: Any of ``specs``, a ``Preset`` or a ``TrainSpec`` too.
    """
    return json.loads(json.dumps(spec, default=vars))
