"""Other values in a preset's fields, from text: what the command line's --set does."""

import json
from contextlib import suppress
from functools import reduce
from operator import getitem
from types import UnionType
from typing import get_args, get_origin, get_type_hints

import pandas as pd

from actlib import checkpoints


def change_preset(preset, settings):
    """Return a preset with other values in some of its fields.

    Args:
        preset: A ``Preset``.
        settings: Texts, each a field's dotted path and its value: "training.learning_rate=3e-4", "model.hidden=256,64".

    Raises:
        ValueError: There is no such field, or it is of another type.

    Example:
        >>> from actlib.specs import PRESETS
        >>> change_preset(PRESETS["slim_frames"], ["training.patience=none"]).training.patience is None
        True
    """
    for setting in settings:
        field, _, text = setting.partition("=")
        data = checkpoints.spec_to_json(preset)
        fields = [name for name in pd.json_normalize(data) if name.split(".")[-1] != "type"]
        if field not in fields:
            raise ValueError(f"Expected FIELD=VALUE with one of {', '.join(fields)}. Received: {setting!r}.")
        *path, name = field.split(".")
        hint = get_type_hints(type(reduce(getattr, path, preset)))[name]
        reduce(getitem, path, data)[name] = _read_value(field, text, hint)
        preset = checkpoints.spec_from_json(data, field)
    return preset


def _read_value(field, text, hint):
    """Read a value of a type from text, for JSON: numbers, true, none, words, or several with commas between."""
    word = text.strip().lower().replace("none", "null")
    words = [part.strip() for part in text.split(",") if part.strip()]
    for read in (lambda: json.loads(word), lambda: json.loads(f"[{word}]"), text.strip, lambda: words):
        with suppress(ValueError):
            if _has_type(value := read(), hint):
                return value
    kind = hint.__name__ if type(hint) is type else hint
    raise ValueError(f"Expected {field} to be {kind}. Received: {text!r}. Write several values with commas between.")


def _has_type(value, hint):
    kinds = get_args(hint)
    if isinstance(hint, UnionType):
        return any(_has_type(value, kind) for kind in kinds)
    if get_origin(hint) is tuple:
        kinds = kinds[:1] * len(value) if isinstance(value, list) and kinds[-1] is ... else kinds
        return isinstance(value, list) and len(kinds) == len(value) and all(map(_has_type, value, kinds))
    return type(value) in ((int, float) if hint is float else (hint,))
