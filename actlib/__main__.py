"""The same work for long runs: python -m actlib train | evaluate | annotate | fetch | doctor | tour."""

import importlib
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from actlib import paths

app = typer.Typer(help=__doc__, add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)

Data = Annotated[Path | None, typer.Option(help="Folder with UCF-101; without it ACTLIB_DATA, else the sample set.")]
Split = Annotated[int, typer.Option(min=1, max=3, help="Official split.")]
Framework = Annotated[str, typer.Option(help="torch or keras.")]
Limit = Annotated[int | None, typer.Option(min=1, help="At most this many videos of a class in each part.")]


def load(name):
    """Import one module of the library when a command needs it, so that help is quick.

    Args:
        name: The module's name inside actlib.

    Returns:
        The module.
    """
    return importlib.import_module(f"actlib.{name}")


def find_folder(data):
    """Choose the data folder.

    Args:
        data: What the user named, or None.

    Returns:
        A path.
    """
    return data or load("sample").data_folder()


def split_names(classes):
    """Read a list of class names.

    Args:
        classes: "all", "seven", or names with commas between.

    Returns:
        A tuple of names, or None for all.

    Example:
        >>> split_names("Diving, Punch")
        ('Diving', 'Punch')
    """
    if classes == "all":
        return None
    if classes == "seven":
        return load("specs").SEVEN_CLASSES
    return tuple(name.strip() for name in classes.split(","))


@app.command()
def train(
    out: Annotated[Path, typer.Option(help="The run's folder; a run that was cut off goes on from its last epoch.")],
    data: Data = None,
    split: Split = 1,
    classes: Annotated[str, typer.Option(help="all, seven, or names with commas between.")] = "all",
    model: Annotated[str, typer.Option(help="frames or lrcn.")] = "frames",
    framework: Framework = "torch",
    preset: Annotated[
        str | None, typer.Option(help="A name in actlib/specs.py; without it, one that suits the data.")
    ] = None,
    weights: Annotated[str | None, typer.Option(help="imagenet, none, a weights file, or a run to start from.")] = None,
    seed: int = 0,
    epochs: Annotated[int | None, typer.Option(min=1, help="Another number of epochs than the preset's.")] = None,
    protocol: Annotated[
        str, typer.Option(help="uniform: frames over the whole video; paper: 16 in a row.")
    ] = "uniform",
    limit: Limit = None,
):
    """Train a model on an official split and leave its best checkpoint in a folder."""
    experiments, specs = load("experiment"), load("specs")
    folder = find_folder(data)
    chosen = specs.PRESETS[preset] if preset in specs.PRESETS else experiments.default_preset(model, folder)
    if preset is not None and preset not in specs.PRESETS:
        raise ValueError(
            f"Expected --preset to be one of {', '.join(specs.PRESETS)}. Received: {preset}. Choose one of them."
        )
    if epochs is not None:
        chosen = replace(chosen, training=replace(chosen.training, num_epochs=epochs))
    weights = weights or experiments.default_weights(folder)
    experiment = experiments.Experiment(
        folder, chosen, framework, weights, split, split_names(classes), seed, protocol, limit
    )
    experiments.train_experiment(experiment, out)
    typer.echo(f"The best checkpoint is {out / 'best.safetensors'}. Next: python -m actlib evaluate --run {out}")


@app.command()
def evaluate(
    run: Annotated[Path, typer.Option(help="The folder that train wrote, or a checkpoint.")],
    data: Data = None,
    split: Annotated[int | None, typer.Option(min=1, max=3, help="Official split; without it, the run's own.")] = None,
    framework: Annotated[str | None, typer.Option(help="torch or keras; without it, the one that trained.")] = None,
    shuffle_frames: Annotated[bool, typer.Option(help="Put each clip's frames in random order: the control.")] = False,
    limit: Limit = None,
    out: Annotated[Path | None, typer.Option(help="Where results.json goes; without it, the run's folder.")] = None,
):
    """Measure a checkpoint on the test part: frame, clip and video accuracy, with intervals."""
    choices = {"framework": framework, "split": split, "shuffle_frames": shuffle_frames, "limit": limit}
    results, facts = load("experiment").evaluate_checkpoint(run, find_folder(data), **choices)
    name = "results_shuffled.json" if shuffle_frames else "results.json"
    path = load("experiment").write_results(out or (run if run.is_dir() else run.parent), results, facts, name=name)
    typer.echo(f"{results}\nWritten to {path}")


@app.command()
def annotate(
    video: Annotated[Path, typer.Argument(help="Any video.")],
    checkpoint: Annotated[Path, typer.Option(help="A checkpoint, or the run's folder.")],
    out: Annotated[Path, typer.Option(help="film.mp4 or film.gif.")],
    framework: Framework = "torch",
    label: Annotated[str | None, typer.Option(help="The true class, to mark right and wrong.")] = None,
    smoothing: Annotated[float, typer.Option(min=0, help="Smooth over this many seconds.")] = 0.0,
):
    """Draw what a model says on every frame of a video."""
    model = load("experiment").load_predictor(checkpoint, framework=framework)
    window = load("timeline").WindowConfig(smoothing_seconds=smoothing)
    film = load("annotate").annotate_video(video, model, out, true_label=label, window=window)
    typer.echo(f"Written to {film.path}")


@app.command()
def fetch(
    what: Annotated[str, typer.Argument(help="ucf101, lists or vgg16.")],
    classes: Annotated[str, typer.Option(help="seven, all, or names with commas between.")] = "seven",
    source: Annotated[
        str | None, typer.Option("--from", help="A file, a folder or an address to take it from.")
    ] = None,
    folder: Annotated[Path | None, typer.Option("--to", help="Where it goes.")] = None,
    lists: Annotated[str | None, typer.Option(help="A file, a folder or an address of the official lists.")] = None,
):
    """Get UCF-101, its official lists, or the ImageNet weights of VGG-16."""
    typer.echo(load("download").fetch(what, classes=classes, source=source, folder=folder, lists=lists))


@app.command()
def doctor(frameworks: Annotated[bool, typer.Option(help="Import both frameworks and ask them for a GPU.")] = False):
    """Tell what is there, what is missing, and the line to type next."""
    typer.echo(load("doctor").doctor(ask_frameworks=frameworks))


def main():
    """Run a command; what went wrong is said in a line, without a traceback."""
    try:
        app()
    except (ValueError, OSError, RuntimeError, ImportError) as error:
        if paths.read_setting("ACTLIB_TRACEBACK"):
            raise
        typer.echo(f"{type(error).__name__}: {error}", err=True)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
