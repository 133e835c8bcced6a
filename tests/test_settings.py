"""Fields of presets from text: any of them, each with a value of its own type, or a line that says what is wrong."""

from dataclasses import fields, is_dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actlib.settings import change_preset
from actlib.specs import PRESETS

FRAMES, LRCN = PRESETS["slim_frames"], PRESETS["slim_lrcn"]


def list_fields(spec, path=""):
    """(dotted path, value) of all fields of a spec and of the specs in it."""
    for field in (each for each in fields(spec) if each.name != "type"):
        value = getattr(spec, field.name)
        yield from list_fields(value, f"{path}{field.name}.") if is_dataclass(value) else [(path + field.name, value)]


def write(value):
    """A value as somebody types it."""
    if isinstance(value, tuple):
        return (";" if isinstance(value[:1] and value[0], tuple) else ",").join(map(write, value))
    return str(value)


@pytest.mark.parametrize("preset", PRESETS.values(), ids=lambda preset: preset.name)
def test_every_field_takes_its_own_value_back(preset):
    every = list(list_fields(preset))
    assert ("training.learning_rate", preset.training.learning_rate) in every and len(every) > 20
    assert change_preset(preset, [f"{name}={write(value)}" for name, value in every]) == preset


@settings(deadline=None)
@given(
    rate=st.floats(1e-9, 1e3),
    patience=st.none() | st.integers(0, 99),
    hidden=st.lists(st.integers(1, 999), min_size=1, max_size=16),
)
def test_values_arrive(rate, patience, hidden):
    texts = [f"training.learning_rate={rate}", f"training.patience={patience}"]
    changed = change_preset(LRCN, [*texts, f"model.frames.hidden={write(tuple(hidden))}"])
    assert changed.training == replace(LRCN.training, learning_rate=rate, patience=patience)
    assert changed.model == replace(LRCN.model, frames=replace(LRCN.model.frames, hidden=tuple(hidden)))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("training.learning_rate=3e-4", 3e-4),
        ("training.learning_rate=1", 1),
        ("training.frozen=convolutions, hidden", ("convolutions", "hidden")),
        ("training.frozen=hidden", ("hidden",)),
        ("training.frozen=", ()),
        ("training.mixed_precision=True", True),
        ("training.clip_norm=none", None),
        ("training.optimizer=sgd", "sgd"),
        ("model.vgg.blocks=1,8; 2,16", ((1, 8), (2, 16))),
        ("model.vgg.mean=1,2.5,3", (1, 2.5, 3)),
        ("name=5", "5"),
    ],
)
def test_values_of_each_kind(text, value):
    name = text.split("=")[0]
    assert dict(list_fields(change_preset(FRAMES, [text])))[name] == value


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        (
            "training.rate=1",
            "Expected FIELD=VALUE with one of name.*training.learning_rate.*'training.rate=1'",
        ),
        ("training=5", "Expected FIELD=VALUE"),
        ("training.learning_rate.x=5", "Expected FIELD=VALUE"),
        ("model.type=LRCNSpec", "Expected FIELD=VALUE"),
        ("training.learning_rate", "training.learning_rate '': Input should be a valid number"),
        ("training.learning_rate=fast", "training.learning_rate 'fast': Input should be a valid number"),
        ("training.learning_rate=true", "'true': Input should be a valid number"),
        ("training.learning_rate=none", "'none': Input should be a valid number"),
        ("training.learning_rate=1,2", "'1,2': Input should be a valid number"),
        ("training.batch_size=1.5", "training.batch_size '1.5': Input should be a valid integer"),
        ("training.batch_size=true", "'true': Input should be a valid integer"),
        ("training.mixed_precision=maybe", "'maybe': Input should be a valid boolean"),
        ("training.patience=soon", "training.patience 'soon': Input should be a valid integer"),
        ("model.hidden=256,many", r"hidden.1 'many': Input should be a valid integer.*write several with commas"),
        ("model.vgg.blocks=1,8,9", "blocks.0 .*should have at most 2 items"),
        ("model.vgg.blocks=1", "blocks.0.1 .*Field required"),
        ("model.vgg.pooling=median", "Expected pooling to be one of"),
        (
            "training.momentum=3",
            "Expected a value that training.momentum can have. Received: .* less than or equal to 1, "
            "in training.momentum=3. Choose another; write several with commas.$",
        ),
    ],
)
def test_what_does_not_fit_is_refused(setting, message):
    with pytest.raises(ValueError, match=message):
        change_preset(FRAMES, [setting])
