"""The options of the commands that take many: records whose fields say type, range, default and help."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

from actlib import specs

Framework, Protocol, PresetName = Literal[*specs.BACKENDS], Literal["uniform", "paper"], Literal[*specs.PRESETS]
Control, Stream = Literal[*specs.CONTROLS], Literal[*specs.STREAMS]
Data = Annotated[Path | None, typer.Option(help="Folder or CSV of videos; else ACTLIB_DATA, else the sample set.")]
Limit = Annotated[int | None, typer.Option(min=1, help="At most this many videos of a class in each subset.")]
Splits = Annotated[str | None, typer.Option(help="1,2,3: each of these splits, in folders of its own; and their mean.")]
Leakage = Annotated[bool, typer.Option("--allow-leakage", help="Go on with videos that weights have seen, and say so.")]

SET_HELP = "Another value for any field of the preset, such as training.learning_rate=3e-4; may be repeated."


@dataclass(frozen=True, kw_only=True)
class Choices:
    """The options of what makes an experiment."""

    data: Data = None
    split: Annotated[int, typer.Option(min=1, max=3, help="Official split, or one that is drawn.")] = 1
    group_pattern: Annotated[str | None, typer.Option(help="Finds a video's group in its name: cam\\d+.")] = None
    classes: Annotated[str, typer.Option(help="all, seven, or names with commas between.")] = "all"
    model: Annotated[Literal["frames", "lrcn"], typer.Option(help="Where no preset is named.")] = "frames"
    framework: Annotated[Framework, typer.Option(help="The framework that computes.")] = "torch"
    preset: Annotated[PresetName | None, typer.Option(help="See actlib/specs.py; else one that suits the data.")] = None
    weights: Annotated[str | None, typer.Option(help="imagenet, none, a weights file, or a run to start from.")] = None
    set: Annotated[list[str] | None, typer.Option("--set", metavar="FIELD=VALUE", help=SET_HELP)] = None
    protocol: Annotated[Protocol, typer.Option(help="Clips over the whole video, or 16 frames in a row.")] = "uniform"
    limit: Limit = None
    stream: Annotated[Stream, typer.Option(help="Frames, optical flow, or stacks of flow.")] = "rgb"


@dataclass(frozen=True, kw_only=True)
class ExtractOptions(Choices):
    """The options of ``extract``."""

    shard: Annotated[str, typer.Option(metavar="i/N", help="The i-th of N parts of the videos.")] = "1/1"


@dataclass(frozen=True, kw_only=True)
class TrainOptions(Choices):
    """The options of ``train``."""

    out: Annotated[Path, typer.Option(file_okay=False, help="The run's folder; a stopped run resumes there.")]
    splits: Splits = None
    seed: Annotated[int, typer.Option(min=0, help="Of weights, batches and dropout.")] = 0
    split_seed: Annotated[int, typer.Option(min=0, help="Chooses the groups held out for validation.")] = 0
    validation_groups: Annotated[int, typer.Option(min=0, help="How many; 0: all train, for --epochs epochs.")] = 4
    refit: Annotated[bool, typer.Option("--refit", help="Choose the epoch, then train on validation too.")] = False
    allow_leakage: Leakage = False
    epochs: Annotated[int | None, typer.Option(min=1, help="Instead of the preset's; a run goes on to more.")] = None


@dataclass(frozen=True)
class EvaluateOptions:
    """The options of ``evaluate``."""

    run: Annotated[Path, typer.Option(help="The folder that train wrote, or a checkpoint.")]
    data: Data = None
    split: Annotated[int | None, typer.Option(min=1, max=3, help="Official split; without it, the run's own.")] = None
    splits: Splits = None
    framework: Annotated[Framework | None, typer.Option(help="Without it, the one that trained.")] = None
    control: Annotated[Control | None, typer.Option(help="What stands in place of each clip's frames.")] = None
    allow_leakage: Leakage = False
    limit: Limit = None
    out: Annotated[Path | None, typer.Option(help="Where results.json goes; without it, the run's folder.")] = None


@dataclass(frozen=True, kw_only=True)
class AnnotateOptions:
    """The options of ``annotate``."""

    video: Annotated[Path, typer.Argument(help="Any video.")]
    checkpoint: Annotated[Path | None, typer.Option(help="A checkpoint, or the run's folder.")] = None
    runs: Annotated[tuple[Path, Path] | None, typer.Option(help="Or two runs, of frames and of flow, fused.")] = None
    weights: Annotated[tuple[float, float], typer.Option(help="Of the two runs.")] = (1, 1)
    out: Annotated[Path, typer.Option(help="film.mp4 or film.gif.")]
    framework: Annotated[Framework, typer.Option(help="The framework that computes.")] = "torch"
    label: Annotated[str | None, typer.Option(help="The true class, to mark correct and wrong frames.")] = None
    smoothing: Annotated[float, typer.Option(min=0, help="Smooth over this many seconds.")] = 0.0
    threshold: Annotated[float, typer.Option(min=0, max=1, help="Probability below which it is none of these.")] = 0.0
