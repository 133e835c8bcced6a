"""Other values in a preset's fields, from text: what the command line's --set does."""

import json
from functools import reduce
from operator import getitem
from types import UnionType
from typing import Union, get_args, get_origin, get_type_hints

import pandas as pd

from actlib import cards, schema


def change_preset(preset, settings):
    """Return a preset with other values in some of its fields.

    Args:
        preset: A ``Preset``.
        settings: Texts, each a field's dotted path and its value: "training.learning_rate=3e-4", "model.hidden=256,64".

    Raises:
        ValueError: There is no such field, or it cannot have the value.

    Example:
        >>> from actlib.specs import PRESETS
        >>> change_preset(PRESETS["slim_frames"], ["training.patience=none"]).training.patience is None
        True
    """
    for setting in settings:
        field, _, text = setting.partition("=")
        data = cards.spec_to_json(preset)
        fields = [name for name in pd.json_normalize(data) if name.split(".")[-1] != "type"]
        if field not in fields:
            raise ValueError(f"Expected FIELD=VALUE with one of {', '.join(fields)}. Received: {setting!r}.")
        *path, name = field.split(".")
        hint = get_type_hints(type(reduce(getattr, path, preset)))[name]
        reduce(getitem, path, data)[name] = _split(text.strip(), hint)
        words = {"expected": f"a value that {field} can have", "advice": "Choose another; write several with commas."}
        preset = schema.parse_json(json.dumps(data), cards.Spec, setting, strict=False, **words)
    return preset


def _split(text, hint):
    """Text as pydantic reads a type from it: None for "none", a list for a tuple."""
    kinds = get_args(hint)
    if get_origin(hint) in (UnionType, Union):
        return None if text.lower() == "none" else _split(text, kinds[0])
    if get_origin(hint) is tuple:
        parts = text.split(";" if get_origin(kinds[0]) is tuple else ",")
        return [_split(part.strip(), kinds[0]) for part in parts if part.strip()]
    return text
