"""An attack with cards, states and results: dropped keys, wrong types, huge and strange numbers, nested junk."""

import copy
import json

import numpy as np
import torch
from safetensors.numpy import save

from actlib import checkpoints, evaluation, run, schedule, specs, training
from actlib.experiment import Predictor, load_model, read_experiment
from actlib.timeline import predict_timeline
from actlib.torch import training as _torch_training  # noqa: F401  imported once, before processes are forked
from actlib.video import write_video
from hostile.checking import check

torch.set_num_threads(1)
TINY = specs.VGGSpec("tiny", ((1, 4), (1, 6)), size=16, std=(64.0, 64.0, 64.0), batch_norm=True)
FRAMES = specs.FrameSpec("tiny_frames", TINY, hidden=(8,))
LRCN = specs.LRCNSpec("tiny_lrcn", FRAMES, lstm=(5,), num_frames=4)
SECONDS = 2.0
JUNK = [
    None,
    True,
    False,
    "",
    "x",
    "torch",
    "\ud800",
    "../../x",
    "a" * 100_000,
    -1,
    0,
    1,
    3,
    0.5,
    -0.0,
    1e-9,
    1e9,
    1e308,
]
JUNK += [
    float("nan"),
    float("inf"),
    float("-inf"),
    10**30,
    -(10**30),
    2**31,
    100_000,
    [],
    {},
    [[]],
    [None],
    {"type": "Popen"},
]
JUNK += [[1] * 100_000, {"type": "LRCNSpec"}, {str(number): number for number in range(20_000)}, [[[[[[[[1]]]]]]]]]


def make_weights(spec, num_classes, seed=0):
    """Weights of a network, without a framework."""
    return training.initial_weights(spec, num_classes, seed=seed)


def make_card(model):
    """A card as training writes it."""
    preset = specs.Preset("tiny", model, specs.TrainSpec(), num_frames=8, clip_frames=4)
    choices = {"framework": "torch", "weights": "none", "split": 1, "seed": 0, "protocol": "uniform", "limit": None}
    card = {"kind": "lrcn", "spec": model, "num_classes": 3, "classes": ["a", "b", "c"], "framework": "torch"}
    card |= {"preset": preset, "window_seconds": 0.8, "experiment": choices, "format_version": 2}
    card |= {"videos": {"train": {"a g01": "00"}, "validation": {}}, "leakage": []}
    return json.loads(json.dumps(card, default=vars))


def make_state(folder):
    """A run's folder with two epochs; returns the card of its state, and its arrays."""
    weights = {name: array for name, array in make_weights(LRCN, 3).items() if not name.startswith("preprocess/")}
    state = run.Run(folder, {"training": specs.TrainSpec().__dict__, "seed": 1, "batches": {"first": [1, 2]}})
    state.resume(weights)
    for epoch in (1, 2):
        state.add_epoch(
            epoch=epoch, loss=1.0, accuracy=0.5, val_loss=2.0 / epoch, val_accuracy=None, learning_rate=0.1, seconds=1.0
        )
        state.save_state(weights, {"0": np.ones(3, np.float32)})
    checkpoints.save_checkpoint(state.best_path, make_weights(LRCN, 3), {})
    path = folder / "state.safetensors"
    arrays = {f"weights/{name}": array for name, array in weights.items()} | {"optimizer/0": np.ones(3, np.float32)}
    return json.loads(json.dumps(checkpoints.read_card(path))), arrays, weights, state.settings


def make_results():
    """An evaluation's record."""
    columns = {"name": ["v", "w"], "label": [0, 1], "group": [1, 2], "predicted": [0, 0]}
    accuracy = {"value": 0.5, "low": 0.1, "high": 0.9, "count": 2}
    record = {f"{level}_accuracy": dict(accuracy) for level in ("frame", "clip", "video")} | {"classes": ["a", "b"]}
    return record | {
        "readout": "mean",
        "predictions": {**columns, "probabilities": [[0.9, 0.1], [0.6, 0.4]]},
        "leakage": [],
    }


def list_places(value, place=()):
    """Every place in JSON, as a row of keys."""
    yield place
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from list_places(item, (*place, key))


def mutate(rng, record):
    """Change one to three places of JSON; return the text, and what was done."""
    record, done = copy.deepcopy(record), []
    for _ in range(rng.integers(1, 4)):
        places = [place for place in list_places(record) if place]
        *way, key = places[rng.integers(len(places))]
        parent = record
        for step in way:
            parent = parent[step]
        kind = rng.choice(["drop", "junk", "junk", "scale", "add"])
        junk = copy.deepcopy(JUNK[rng.integers(len(JUNK))])  # it may be changed in turn
        done.append(f"{kind} {'.'.join(map(str, (*way, key)))} {str(junk)[:20]}")
        if kind == "drop":
            del parent[key]
        elif kind == "scale" and isinstance(parent[key], (int, float)):
            parent[key] *= (
                float(10.0 ** rng.integers(-12, 12))
                if isinstance(parent[key], float)
                else int(10 ** rng.integers(1, 12))
            )
        elif kind == "add" and isinstance(parent, dict):
            parent[f"more{len(parent)}"] = junk
        else:
            parent[key] = junk
    return json.dumps(record), "; ".join(done)


def damage(rng, text):
    """Change the text itself."""
    place = int(rng.integers(len(text)))
    return [
        text[:place],
        text[:place] + "[" * 100_000,
        "[" * 100_000,
        text[:place] + "\x00" + text[place:],
        "NaN",
        "[1]",
        "",
    ][rng.integers(7)]


def _write(path, arrays, text):
    arrays = {name: np.asarray(array, np.float32) for name, array in arrays.items()}
    path.write_bytes(save(arrays, metadata={"card": text}))
    return path


def _use_model(path, video):
    model, card = load_model(path, framework="torch")
    read_experiment(card, "/data")
    predictor = Predictor(path, framework="torch", mixed_precision=False)
    if predictor.num_frames * predictor.size**2 <= 20_000:
        logits = predictor(np.full((1, predictor.num_frames, predictor.size, predictor.size, 3), 99, np.uint8))
        if logits.shape != (1, predictor.num_frames, len(predictor.classes)) or not np.isfinite(logits).all():
            return f"logits {logits.shape}, finite: {np.isfinite(logits).all()}"
        predict_timeline(video, predictor)
    return None


def _resume(folder, text, arrays, weights, settings):
    folder.mkdir()
    checkpoints.save_checkpoint(folder / "best.safetensors", make_weights(LRCN, 3), {})
    _write(folder / "state.safetensors", arrays, text)
    state = run.Run(folder, settings)
    if state.resume(weights):
        run.TensorBoardWriter(folder / "tensorboard", state.history)
        state.describe()
        schedule.epochs_since_best(state.history)
        state.save_state(state.weights, state.optimizer)


def cases(rng, folder):
    """Yield (name, function): what is known to have been fatal, then mutations."""
    video = write_video(folder / "grey.mp4", np.full((20, 32, 48, 3), 128, np.uint8), fps=25)
    bases = {"frames": FRAMES, "lrcn": LRCN}
    arrays = {name: make_weights(spec, 3) for name, spec in bases.items()}
    state, state_arrays, weights, settings = make_state(folder / "run")

    def try_card(number, base, text):
        path = _write(folder / f"card{number}.safetensors", arrays[base], text)
        names = [path, "the card's choices", "frames a second at most"]
        return check(lambda: _use_model(path, video), names=names, allowed=(ValueError,), seconds=SECONDS)

    known = {
        "tiny window": {"window_seconds": 1e-9},
        "huge window": {"window_seconds": 1e12},
        "no classes": {"classes": []},
    }
    known |= {
        "many classes": {"num_classes": 10**9},
        "a newer version": {"format_version": 99},
        "a list": {"preset": []},
    }
    for name, change in known.items():
        text = json.dumps(make_card(LRCN) | change)
        yield f"known {name}", lambda name=name, text=text: try_card(f"-{name.replace(' ', '-')}", "lrcn", text)
    for name, change in {
        "100,000 layers": {"hidden": [1] * 100_000},
        "100,000 convolutions": {"vgg": make_card(FRAMES)["spec"]["vgg"] | {"blocks": [[100_000, 1]]}},
        "huge layers": {"hidden": [100_000, 100_000]},
        "a dropout of 7": {"dropout": 7.0},
        "frames of a million pixels a side": {"vgg": make_card(FRAMES)["spec"]["vgg"] | {"size": 1_000_000}},
        "a std of 0": {"vgg": make_card(FRAMES)["spec"]["vgg"] | {"std": [0.0, 1.0, 1.0]}},
    }.items():
        card = make_card(FRAMES)
        text = json.dumps(card | {"spec": card["spec"] | change})
        yield f"known {name}", lambda name=name, text=text: try_card(f"-{name.replace(' ', '-')}", "frames", text)
    text = json.dumps(make_card(LRCN))
    for name, changed in {
        "a key twice": text[:-1] + ', "num_classes": 7}',
        "a key twice, the same": text[:-1] + ', "num_classes": 3}',
        "NaN for seconds": text.replace('"window_seconds": 0.8', '"window_seconds": NaN'),
        "infinity for seconds": text.replace('"window_seconds": 0.8', '"window_seconds": 1e999'),
        "5,000 records in records": text[:-1] + ', "more": ' + '{"a": ' * 5_000 + "1" + "}" * 5_001,
        "a number of 100,000 digits": text.replace('"num_classes": 3', f'"num_classes": {"9" * 100_000}'),
        "a number with a fraction of nothing": text.replace('"num_classes": 3', '"num_classes": 3.0'),
        "a byte order mark": "\ufeff" + text,
        "a comma more": text[:-1] + ",}",
        "two records": text * 2,
    }.items():
        yield f"text with {name}", lambda name=name, t=changed: try_card(f"-{name.replace(' ', '-')}", "lrcn", t)
    for key in make_results()["predictions"]:
        for way in ("short", "long", "empty", "nested", "gone"):
            record = make_results()
            values = record["predictions"][key]
            changed = {"short": values[:1], "long": values * 3, "empty": [], "nested": [values], "gone": None}[way]
            record["predictions"][key] = changed
            if way == "gone":
                del record["predictions"][key]
            yield (
                f"results whose {key} is {way}",
                lambda record=record: check(
                    lambda: _show(evaluation.Results.from_json(json.dumps(record), "the file")),
                    names=["the file"],
                    refused=True,
                    seconds=SECONDS,
                ),
            )
    for number in range(100):
        base = ("frames", "lrcn")[number % 2]
        text, done = mutate(rng, make_card(bases[base]))
        if number % 10 == 9:
            text, done = damage(rng, text), "text"
        yield f"card {number} {done}", lambda number=number, base=base, text=text: try_card(number, base, text)
        text, done = mutate(rng, state)
        text = damage(rng, text) if number % 10 == 9 else text
        place = folder / f"run{number}"
        yield (
            f"state {number} {done}",
            lambda place=place, text=text: check(
                lambda: _resume(place, text, state_arrays, weights, settings), names=[place], seconds=SECONDS
            ),
        )
        text, done = mutate(rng, make_results())
        text = damage(rng, text) if number % 10 == 9 else text
        yield (
            f"results {number} {done}",
            lambda text=text: check(
                lambda: _show(evaluation.Results.from_json(text, "the file")), names=["the file"], seconds=SECONDS
            ),
        )


def _show(results):
    results._repr_html_()
    results.most_confused()
    results.to_json()
