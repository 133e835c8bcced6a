"""JSON from anywhere, held against types: the ranges of numbers, the records that have them, and how they are read."""

import functools
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

ADVICE = "Make it again, or update actlib."
Name = Annotated[str, Field(pattern=r"^[^/]{1,100}$")]
Layers, Few = Field(min_length=1, max_length=16), Annotated[int, Field(ge=1, le=16)]
Length = Annotated[int, Field(ge=1, le=1000)]  # of a clip in frames, of a frame's side in pixels
Count, Wait = Annotated[int, Field(ge=1, le=100_000)], Annotated[int, Field(ge=0)]  # of units, clips, epochs
Share, Amount = Annotated[float, Field(ge=0, le=1)], Annotated[float, Field(ge=0, le=1e6)]
Color, Divisor = Annotated[float, Field(ge=-1000, le=1000)], Annotated[float, Field(ge=0.001, le=1000)]


def record(cls):
    """Make a frozen dataclass whose JSON has its name under "type", and no other fields than its own.

    Args:
        cls: The class, whose annotations are types with ranges.
    """
    cls.__annotations__["type"], cls.__pydantic_config__ = Literal[cls.__name__], {"extra": "forbid"}
    cls.type = field(default=cls.__name__, kw_only=True, repr=False)
    return dataclass(frozen=True)(cls)


def parse_json(text, kind, source, *, expected="what this version writes", advice=ADVICE, strict=True):
    """Read JSON (str or bytes), which may come from anywhere, as a type: lists become its tuples, objects its records.

    Args:
        text, kind: The JSON; the type.
        source, expected, advice: Where it is from, and other words for what the ValueError expects and advises.
        strict: Take no text for a number.
    """
    try:
        return _adapt(kind).validate_json(text, strict=strict)
    except ValidationError as error:
        rows = error.errors(include_url=False)[:3]
        found = "; ".join(f"{'.'.join(map(str, row['loc']))} {row['input']!r:.80}: {row['msg']}" for row in rows)
        raise ValueError(f"Expected {expected}. Received: {found}, in {source}. {advice}") from error


_adapt = functools.cache(TypeAdapter)


def check_choice(name, value, choices):
    """Raise ValueError unless a value is one of its choices.

    Args:
        name: What the message calls it.
        value, choices: One of the choices, a tuple of any type.
    """
    if value not in choices:
        raise ValueError(f"Expected {name} to be one of {choices}. Received: {value!r}.")
