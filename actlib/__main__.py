"""The same work for long runs: python -m actlib train | evaluate | annotate | fetch | doctor."""

import importlib
import inspect
import shlex
import signal
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal, get_type_hints

import typer
from typer.core import TyperGroup

from actlib import paths, specs

Framework, Protocol, PresetName = Literal["torch", "keras"], Literal["uniform", "paper"], Literal[*specs.PRESETS]
Stream = Literal[*specs.STREAMS]
Data = Annotated[Path | None, typer.Option(help="Folder with UCF-101; without it ACTLIB_DATA, else the sample set.")]
Limit = Annotated[int | None, typer.Option(min=1, help="At most this many videos of a class in each subset.")]


class Commands(TyperGroup):
    """Commands that answer a mistake with a line, not with a traceback."""

    def invoke(self, ctx):
        """Run a command; ACTLIB_TRACEBACK shows where an error comes from."""
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort):
            raise
        except (ValueError, OSError, RuntimeError, ImportError, ArithmeticError, MemoryError) as error:
            if paths.read_setting("ACTLIB_TRACEBACK"):
                raise
            typer.echo(f"{type(error).__name__}: {error}", err=True)
            raise typer.Exit(code=1) from None


quiet = {"add_completion": False, "pretty_exceptions_enable": False, "rich_markup_mode": None}
app = typer.Typer(cls=Commands, help=__doc__, no_args_is_help=True, **quiet)


@dataclass(frozen=True)
class TrainOptions:
    """The options of ``train``."""

    out: Annotated[Path, typer.Option(file_okay=False, help="The run's folder; a stopped run resumes there.")]
    data: Data = None
    split: Annotated[int, typer.Option(min=1, max=3, help="Official split.")] = 1
    classes: Annotated[str, typer.Option(help="all, seven, or names with commas between.")] = "all"
    model: Annotated[Literal["frames", "lrcn"], typer.Option(help="Where no preset is named.")] = "frames"
    framework: Annotated[Framework, typer.Option(help="The framework that computes.")] = "torch"
    preset: Annotated[PresetName | None, typer.Option(help="See actlib/specs.py; else one that suits the data.")] = None
    weights: Annotated[str | None, typer.Option(help="imagenet, none, a weights file, or a run to start from.")] = None
    seed: Annotated[int, typer.Option(min=0, help="Of weights, batches and dropout.")] = 0
    epochs: Annotated[int | None, typer.Option(min=1, help="Another number of epochs than the preset's.")] = None
    protocol: Annotated[Protocol, typer.Option(help="Clips over the whole video, or 16 frames in a row.")] = "uniform"
    limit: Limit = None
    stream: Annotated[Stream, typer.Option(help="Frames, optical flow, or stacks of flow.")] = "rgb"


@app.command()
def train(**options):
    """Train a model on an official split and leave its best checkpoint in a folder."""
    options, experiments = TrainOptions(**options), _load("experiment")
    folder = options.data or _load("sample").data_folder()
    preset = specs.PRESETS[options.preset] if options.preset else experiments.choose_preset(options.model, folder)
    if options.epochs:
        preset = replace(preset, training=replace(preset.training, num_epochs=options.epochs))
    choices = {name: getattr(options, name) for name in ("framework", "split", "seed", "protocol", "limit", "stream")}
    choices["weights"] = options.weights or experiments.choose_weights(folder)
    names = tuple(name.strip() for name in options.classes.split(","))
    choices["classes"] = {"all": None, "seven": specs.SEVEN_CLASSES}.get(options.classes, names)
    with _exit_when_stopped():
        experiments.run_training(experiments.Experiment(folder, preset, **choices), options.out)
    words = shlex.join(["--run", str(options.out), *(["--data", str(options.data)] if options.data else [])])
    typer.echo(f"The best checkpoint is {options.out / paths.BEST}. Next: python -m actlib evaluate {words}")


train.__signature__ = inspect.signature(TrainOptions)  # one record, where a function would have twelve arguments
train.__annotations__ = get_type_hints(TrainOptions, include_extras=True)


@app.command()
def evaluate(
    run: Annotated[Path, typer.Option(help="The folder that train wrote, or a checkpoint.")],
    data: Data = None,
    split: Annotated[int | None, typer.Option(min=1, max=3, help="Official split; without it, the run's own.")] = None,
    framework: Annotated[Framework | None, typer.Option(help="Without it, the one that trained.")] = None,
    shuffle_frames: Annotated[bool, typer.Option(help="Put each clip's frames in random order: the control.")] = False,
    limit: Limit = None,
    out: Annotated[Path | None, typer.Option(help="Where results.json goes; without it, the run's folder.")] = None,
):
    """Evaluate a checkpoint on the test videos: frame, clip and video accuracy, with intervals."""
    experiments = _load("experiment")
    options = {"framework": framework, "split": split, "shuffle_frames": shuffle_frames, "limit": limit}
    results, metadata = experiments.evaluate_checkpoint(run, data or _load("sample").data_folder(), **options)
    folder, name = run if run.is_dir() else run.parent, paths.RESULTS_SHUFFLED if shuffle_frames else paths.RESULTS
    path = experiments.write_results(out or folder, results, metadata, name=name)
    typer.echo(f"{results}\nWritten to {path}")


@app.command()
def annotate(
    video: Annotated[Path, typer.Argument(help="Any video.")],
    checkpoint: Annotated[Path, typer.Option(help="A checkpoint, or the run's folder.")],
    out: Annotated[Path, typer.Option(help="film.mp4 or film.gif.")],
    framework: Annotated[Framework, typer.Option(help="The framework that computes.")] = "torch",
    label: Annotated[str | None, typer.Option(help="The true class, to mark correct and wrong frames.")] = None,
    smoothing: Annotated[float, typer.Option(min=0, help="Smooth over this many seconds.")] = 0.0,
):
    """Draw what a model predicts on every frame of a video."""
    model = _load("experiment").load_predictor(checkpoint, framework=framework)
    window = _load("timeline").WindowConfig(smoothing_seconds=smoothing)
    film = _load("annotate").annotate_video(video, model, out, true_label=label, window=window)
    typer.echo(f"Written to {film.path}")


@app.command()
def fetch(
    what: Annotated[Literal["ucf101", "lists", "vgg16"], typer.Argument(help="ucf101, lists or vgg16.")],
    classes: Annotated[str, typer.Option(help="seven, all, or names with commas between.")] = "seven",
    source: Annotated[str | None, typer.Option("--from", help="A file, a folder or an address instead.")] = None,
    folder: Annotated[Path | None, typer.Option("--to", help="Where it goes.")] = None,
    lists: Annotated[str | None, typer.Option(help="A file, a folder or an address of the official lists.")] = None,
):
    """Get UCF-101, its official lists, or the ImageNet weights of VGG-16."""
    typer.echo(_load("download").fetch(what, classes=classes, source=source, folder=folder, lists=lists))


@app.command()
def doctor(frameworks: Annotated[bool, typer.Option(help="Import both frameworks and ask them for a GPU.")] = False):
    """Tell what is there, what is missing, and the line to type next."""
    typer.echo(_load("doctor").doctor(ask_frameworks=frameworks))


def _load(name):
    """Import a module of the library when a command needs it, so that help is quick."""
    return importlib.import_module(f"actlib.{name}")


@contextmanager
def _exit_when_stopped():
    """Let Ctrl-C and SIGTERM stop a training in order, and end the program with their exit codes, 130 and 143."""
    received = []

    def stop(number, frame):
        received.append(number)
        raise KeyboardInterrupt

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    except KeyboardInterrupt:
        typer.echo("Stopped before the first epoch; the same line begins again.", err=True)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if received:
        raise typer.Exit(code=128 + received[0])


if __name__ == "__main__":
    app()
