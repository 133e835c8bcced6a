"""The same work for long runs: actlib cut | extract | train | evaluate | fuse | annotate | fetch | doctor."""

import importlib
import inspect
import shlex
import signal
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Literal, get_type_hints

import typer
from typer.core import TyperGroup

from actlib import paths, specs
from actlib.options import AnnotateOptions, Data, EvaluateOptions, ExtractOptions, TrainOptions


class Commands(TyperGroup):
    """Commands that answer a mistake, Ctrl-C and SIGTERM with a line, not with a traceback."""

    def invoke(self, ctx):
        """Run a command; ACTLIB_TRACEBACK shows where an error comes from."""
        paths.make_threads_sleep()
        before = {number: signal.signal(number, _stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort):
            raise
        except KeyboardInterrupt as error:
            typer.echo("Stopped; the same line goes on.", err=True)
            raise typer.Exit(code=128 + (error.args or (signal.SIGINT,))[0]) from None
        except (ValueError, OSError, RuntimeError, ImportError, ArithmeticError, MemoryError) as error:
            if paths.read_setting("ACTLIB_TRACEBACK"):
                raise
            typer.echo(f"{type(error).__name__}: {error}", err=True)
            raise typer.Exit(code=1) from None
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


quiet = {"add_completion": False, "pretty_exceptions_enable": False, "rich_markup_mode": None}
app = typer.Typer(cls=Commands, help=__doc__, no_args_is_help=True, **quiet)


def _command(function):
    """Make a command of a function of one record: its options are the record's fields, of which there may be many."""
    (kind,) = get_type_hints(function).values()

    def command(**options):
        function(kind(**options))

    command.__doc__, command.__signature__ = function.__doc__, inspect.signature(kind)
    command.__annotations__ = get_type_hints(kind, include_extras=True)
    return app.command(function.__name__.removeprefix("_"))(command)


@app.command("cut")
def _cut(
    table: Annotated[Path, typer.Argument(dir_okay=False, help="CSV: path,label,start,end[,group][,subset], in s.")],
    out: Annotated[Path, typer.Option(file_okay=False, help="Folder of the clips and their table, clips.csv.")],
):
    """Cut labelled parts out of recordings into clips to train on."""
    clips = _load("dataset").cut_clips(table, out)
    typer.echo(f"Next: {paths.console_script()} train {shlex.join(['--data', str(clips), '--out', 'runs/mine'])}")


@_command
def _train(options: TrainOptions):
    """Train a model on an official split and leave its best checkpoint in a folder."""
    experiments = _load("experiment")
    experiment = _choose(options, [f"training.num_epochs={options.epochs}"] if options.epochs else [])
    say = typer.echo if paths.process_place()[0] == 0 else str  # of several processes, the first speaks
    for split, part in _list_splits(options).items():
        weights = Path(experiment.weights, part)  # a run of several splits to start from
        start = {"weights": str(weights)} if part and weights.is_dir() else {}
        model, _ = experiments.run_training(replace(experiment, split=split, **start), options.out / part)
        say(f"The best checkpoint is {options.out / part / paths.BEST}.")
        evaluation, known = _load("evaluation"), model.card.get("known")
        say(evaluation.explain_rejection(known and evaluation.Accuracy(*known["kept"])))
    words = ["--run", str(options.out), *(["--data", str(options.data)] if options.data else [])]
    words += ["--splits", options.splits] if options.splits else []
    say(f"Next: {paths.console_script()} evaluate {shlex.join(words)}")


@_command
def _extract(options: ExtractOptions):
    """Decode videos, and convolve them where the preset keeps the convolutions frozen, before anything is trained."""
    number, _, count = options.shard.partition("/")
    if not (number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
        raise ValueError(f"Expected --shard i/N with i from 1 to N, such as 2/4. Received: {options.shard}.")
    cache = _load("experiment.running").extract(_choose(options), shard=(int(number), int(count)))
    typer.echo(f"The {cache.kind} of {len(cache)} videos are in {cache.folder}")


@_command
def _evaluate(options: EvaluateOptions):
    """Evaluate a checkpoint on the test videos: frame, clip and video accuracy, with intervals."""
    experiments, found = _load("experiment"), {}
    choices = {name: getattr(options, name) for name in ("framework", "control", "limit", "allow_leakage")}
    data, folder = options.data or _load("sample").data_folder(), options.run
    for split, part in _list_splits(options).items():
        out = (options.out or (folder if folder.is_dir() else folder.parent)) / part
        _load("files").refuse_inputs(out / paths.RESULTS, data)
        results, metadata = experiments.evaluate_checkpoint(folder / part, data, split=split, **choices)
        typer.echo(f"{results}\nWritten to {experiments.write_results(out, results, metadata)}")
        found[f"split {split}"] = results
    if options.splits:
        typer.echo(_load("evaluation").average_splits(found).to_string())


@app.command("fuse")
def _fuse(
    runs: Annotated[tuple[Path, Path], typer.Option(help="Two runs of train, of frames and of flow, say.")],
    data: Data = None,
    weights: Annotated[tuple[float, float] | None, typer.Option(help="Besides 1 1 and 1 2.")] = None,
    choose_on: Annotated[Literal["validation"] | None, typer.Option(help="Choose weights of logits, too.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of results.json; else fused/ in the second run's.")] = None,
):
    """Fuse two models' predictions of each test video, with weights side by side."""
    running, evaluation = _load("experiment.running"), _load("evaluation")
    data, choose = data or _load("sample").data_folder(), choose_on is not None
    folders = [run if run.is_dir() else run.parent for run in runs]
    _load("files").refuse_inputs(out := out or folders[1] / "fused", *folders)  # whose own results.json stays
    found, metadata = running.fuse_checkpoints(runs, data, weights=weights, choose=choose)
    table = evaluation.compare(found).drop(columns=["frame accuracy", "clip accuracy"])
    typer.echo(table.to_string())
    (first, second, *_, name), fused = found, [*found.values()][-1]
    for run in (first, second):
        typer.echo(f"{name} against {run}: {evaluation.paired_test(fused, found[run])}")
    path = running.write_results(out, fused, metadata)
    wrong = fused.most_confused(5).to_string() if fused.video.value < 1 else "No video is wrong."
    typer.echo(f"{fused}\n{wrong}\nWritten to {path}")


@_command
def _annotate(options: AnnotateOptions):
    """Draw what a model, or two fused, predicts on every frame of a video."""
    timeline = _load("timeline")
    if (options.checkpoint is None) == (options.runs is None):
        found = "none" if options.runs is None else "both"
        raise ValueError(f"Expected --checkpoint, or --runs with two. Received: {found}. Name one model, or two.")
    load = partial(_load("experiment").Predictor, framework=options.framework)
    models = tuple(map(load, options.runs or [options.checkpoint]))
    model = timeline.FusedModel(models, options.weights) if options.runs else models[0]
    kept = next((each.known.kept for each in models if each.known), None)
    typer.echo(_load("evaluation").explain_rejection(kept, options.threshold))
    window = timeline.WindowConfig(smoothing_seconds=options.smoothing, threshold=options.threshold)
    annotate = _load("annotate").annotate_video
    film = annotate(options.video, model, options.out, true_label=options.label, window=window)
    typer.echo(f"Written to {film.path}")


@app.command("fetch")
def _fetch(
    what: Annotated[Literal["ucf101", "lists", "vgg16"], typer.Argument(help="ucf101, lists or vgg16.")],
    classes: Annotated[str, typer.Option(help="seven, all, or names with commas between.")] = "seven",
    source: Annotated[str | None, typer.Option("--from", help="A file, a folder or an address instead.")] = None,
    folder: Annotated[Path | None, typer.Option("--to", help="Where it goes.")] = None,
    lists: Annotated[str | None, typer.Option(help="A file, a folder or an address of the official lists.")] = None,
    with_head: Annotated[bool, typer.Option("--with-head", help="Of vgg16: fc6 and fc7 too, 553 MB.")] = False,
):
    """Get UCF-101, its official lists, or the ImageNet weights of VGG-16."""
    download, ucf101 = _load("download"), folder or paths.ucf101_folder()
    if what == "vgg16":
        path = download.fetch_vgg16(source=source, folder=folder, with_head=with_head)
        typer.echo(f"{path} is ready for both frameworks.")
    elif what == "lists":
        typer.echo(f"The official lists are in {download.fetch_lists(ucf101, source=source)}.")
    else:
        check = download.fetch_ucf101(ucf101, classes=classes, source=source, lists=lists)
        where = shlex.quote(str(ucf101))
        typer.echo(f"{check.describe()}\nNext: set ACTLIB_DATA={where} or pass --data {where}.")


@app.command("doctor")
def _doctor(frameworks: Annotated[bool, typer.Option(help="Import both frameworks and ask them for a GPU.")] = False):
    """Tell what is there, what is missing, and the line to type next."""
    typer.echo(_load("doctor").doctor(ask_frameworks=frameworks))


def _choose(options, settings=()):
    """Make the experiment that options describe; settings change its preset, before and after its stream does."""
    experiments, folder = _load("experiment"), options.data or _load("sample").data_folder()
    change = _load("settings").change_preset
    preset = specs.PRESETS[options.preset] if options.preset else experiments.choose_preset(options.model, folder)
    settings = [*(options.set or []), *settings]
    preset = change(preset, [each for each in settings if ".flow." not in each.partition("=")[0]])
    choices = {name: vars(options)[name] for name in vars(options) if hasattr(experiments.Experiment, name)}
    names = tuple(name.strip() for name in options.classes.split(","))
    choices["classes"] = {"all": None, "seven": specs.SEVEN_CLASSES}.get(options.classes, names)
    choices |= {"data": folder, "preset": preset, "weights": options.weights or experiments.choose_weights(folder)}
    experiment = experiments.Experiment(**choices)
    return replace(experiment, preset=change(experiment.preset, settings))


def _list_splits(options):
    """List the splits of a command, and the folder of each in its run: split -> "split1" of several, "" of one."""
    if options.splits is None:
        return {options.split: ""}
    if not set(numbers := options.splits.split(",")) <= {"1", "2", "3"}:
        raise ValueError(f"Expected --splits as numbers of official splits, 1,2,3. Received: {options.splits}.")
    return {int(number): f"split{number}" for number in numbers}


def _load(name):
    """Import a module of the library when a command needs it, so that help is quick."""
    return importlib.import_module(f"actlib.{name}")


def _stop(number, frame):
    raise KeyboardInterrupt(number)


if __name__ == "__main__":
    app()
