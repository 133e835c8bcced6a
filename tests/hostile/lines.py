"""An attack with command lines and choices: odd values, empty words, other alphabets, enormous and negative numbers."""

import os

import numpy as np
from typer.testing import CliRunner

from actlib import specs
from actlib.__main__ import app
from actlib.settings import change_preset
from actlib.torch import training as _torch_training  # noqa: F401  imported once, before processes are forked
from actlib.video import write_video
from hostile.checking import check

VALUES = [
    "", " ", "0", "-1", "-0", "1", "1e9", "1e-9", "1e400", "-1e400", "nan", "inf", "10" * 20, "9" * 5000, "0x10",
    "1_000",
    "٣", "１", "½", "None", "none", "True", "false", "[]", "{}", "()",
    "a,b", ",", "=", "a=b", "--", "-", "'", '"', "\\",
    "\n", "\t", "\udcff", "\u202e", "../..", "/", "/dev/zero",
    "/dev/null", "~", "$HOME", "*", "%s", "{x}", "a" * 10_000,
    "映画", "http://127.0.0.1:1/a", "file:///etc/passwd",
]  # fmt: skip
OPTIONS = {
    "train": (
        "--data --split --group-pattern --classes --model --framework --preset --weights --set --protocol --limit "
        "--stream --splits --seed --split-seed --validation-groups --epochs"
    ),
    "extract": "--data --split --classes --preset --weights --set --limit --shard",
    "evaluate": "--run --data --split --splits --framework --control --limit --out",
    "fuse": "--runs --data --weights --choose-on --out",
    "annotate": "--checkpoint --out --framework --label --smoothing --threshold",
    "fetch": "--from --to --lists --classes",
}
NEEDED = {
    "train": ("--out", "run"),
    "evaluate": ("--run", "run"),
    "fuse": ("--runs", "run", "run2"),
    "annotate": ("a.mp4", "--checkpoint", "run", "--out", "a.gif"),
    "fetch": ("lists",),
    "extract": (),
}
SETTINGS = [
    "training.num_epochs", "training.learning_rate", "training.batch_size", "training.frozen", "training.clip_norm",
    "model.hidden", "model.dropout", "model.vgg.blocks", "model.vgg.size", "model.vgg.std", "num_frames", "clip_frames",
    "augment", "training", "model", "model.vgg", "name", "type", "__class__", "training.__dict__", "model.vgg.flow",
    "", ".", "training.", ".training", "training..x", "٣",
]  # fmt: skip


def _call(words, folder):
    """Run a command in a folder of its own: an answer in a line or two, whatever is asked for."""
    os.chdir(folder)
    os.environ |= {"ACTLIB_HOME": str(folder), "ACTLIB_DATA": str(folder / "nothing"), "COLUMNS": "300"}
    before = {path for path in folder.rglob("*")}
    result = CliRunner().invoke(app, [str(word) for word in words])
    if not isinstance(result.exception, SystemExit | None) or "Traceback" in result.output:
        return f"{words}: {result.exception!r}"
    if result.exit_code not in (1, 2) or not result.output.strip():
        return f"{words}: exit status {result.exit_code}, {result.output[-300:]!r}"
    more = [path for path in folder.rglob("*") if path not in before and path.is_file() and path.suffix != ".lock"]
    return f"{words}: wrote {more[:3]}" if more else None


def _change(text):
    """Another value for a field gives a preset of the right kinds, or a word."""
    return check(lambda: _check(change_preset(specs.PRESETS["slim_lrcn"], [text])), names=["Expected"], seconds=5)


def _check(preset):
    training, model = preset.training, preset.model
    numbers = (training.num_epochs, training.batch_size, preset.num_frames, preset.clip_frames)
    if not all(type(number) is int and number > 0 for number in numbers) or not np.isfinite(training.learning_rate):
        return f"a preset of {numbers}, {training.learning_rate}"
    return None if type(preset) is specs.Preset and type(model) in (specs.FrameSpec, specs.LRCNSpec) else f"{model}"


def cases(rng, folder):
    """Yield (name, function)."""
    folder.mkdir(exist_ok=True)
    write_video(folder / "a.mp4", np.zeros((4, 32, 48, 3), np.uint8), fps=25)
    for words in (
        (),
        ("",),
        ("\udcff",),
        ("-h",),
        ("train", "train"),
        ("--", "train"),
        ("doctor", "x"),
        ("--set", "x"),
    ):
        if words not in ((), ("-h",)):
            yield f"line {words!r}", lambda words=words: _call(words, folder)
    for setting in SETTINGS:
        for value in VALUES:
            yield f"{setting}={value[:20]!r}", lambda text=f"{setting}={value}": _change(text)
    lines = []
    for command, options in OPTIONS.items():
        for option in options.split():
            for value in VALUES:
                if command == "fetch" and option == "--to" or (command, option) == ("fetch", "--classes"):
                    continue  # would ask the network
                lines.append((command, *NEEDED[command], option, value))
    for row in rng.permutation(len(lines)):
        words = lines[row]
        if words[0] == "fetch" and "--from" not in words:
            words = (*words, "--from", "nowhere.zip")
        yield f"line {str(words)[:90]}", lambda words=words: _call(words, folder)
