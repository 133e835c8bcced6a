"""An attack with disks: full, read-only, or with what killed processes left, in the middle of whatever is written."""

import builtins
import errno
import json
import os
import resource
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
from loopback import serve
from made_videos import tabulate

from actlib import checkpoints, evaluation, files, run, specs
from actlib.animation import write_animation
from actlib.dataset import FrameCache, list_videos, write_labels
from actlib.download import transfer
from actlib.download.archives import open_archive, unpack
from actlib.experiment import write_results
from actlib.run import TensorBoardWriter
from actlib.torch import training as _torch_training  # noqa: F401  imported once, before processes are forked
from actlib.video import browser_copy, save_upload, write_video
from hostile.archives import GOOD, LARGEST, PLACES, write_zip
from hostile.cards import LRCN, make_results, make_weights

ADVICE = ("Free some", "choose another folder", "choose a folder")
ERRORS = {
    "full": errno.ENOSPC,
    "used up": getattr(errno, "EDQUOT", errno.ENOSPC),
    "read-only": errno.EROFS,
    "closed": errno.EACCES,
}


def list_writers(source):
    """Name and function(folder) of all that writes files, with videos in a folder `source`."""
    film = sorted(source.glob("*.mp4"))[0]
    noise = np.random.default_rng(0).integers(0, 256, (20, 48, 64, 3), np.uint8)
    weights = make_weights(LRCN, 3)
    trained = {name: array for name, array in weights.items() if not name.startswith("preprocess/")}
    table = tabulate(sorted(source.glob("*.mp4")))
    labels = table.assign(class_name="a", group=1, subset="train")

    results = evaluation.Results.from_json(json.dumps(make_results()), "made")

    def train(folder):
        state = run.Run(folder, {"training": specs.TrainSpec().__dict__, "seed": 1})
        state.resume(trained)
        state.add_epoch(
            epoch=1, loss=1.0, accuracy=0.5, val_loss=2.0, val_accuracy=None, learning_rate=0.1, seconds=1.0
        )
        state.save_state(trained, {"0": np.ones(3, np.float32)})

    def fetch(folder):
        with serve() as server:
            transfer.download(server.put("/a.bin", bytes(range(256)) * 400), folder, most=10**6)

    packed = write_zip(source / "good.zip", GOOD)

    def take_out(folder):
        with open_archive(packed) as members:
            unpack(members, folder, PLACES, largest=LARGEST)

    yield "film", lambda folder: write_video(folder / "film.mp4", noise, fps=25)
    yield "XviD film", lambda folder: write_video(folder / "film.avi", noise, fps=25, codec="mpeg4")
    yield "copy for the browser", lambda folder: browser_copy(film, folder=folder)
    yield "animation", lambda folder: write_animation(folder / "a.gif", noise, fps=10)
    yield "upload", lambda folder: save_upload("a.mp4", film.read_bytes(), folder)
    yield "checkpoint", lambda folder: checkpoints.save_checkpoint(folder / "a.safetensors", weights, {"spec": LRCN})
    yield "state", train
    yield "curves", lambda folder: TensorBoardWriter(folder, {"epoch": [*range(200)], "loss": [1.0] * 200})
    yield "results", lambda folder: write_results(folder, results, {})
    yield "labels", lambda folder: write_labels(labels.assign(path=labels["path"] * 3), folder / "split.csv")
    yield "cache", lambda folder: FrameCache(table, num_frames=8, size=64, folder=folder, progress=False).fill()
    yield "download", fetch
    yield "archive", take_out


def _refuse(number):
    """Have the system refuse to write, as a disk of that kind does; root may write anywhere, so it is played."""

    def refuse(path, *_, **__):
        raise OSError(
            number, os.strerror(number), *[os.fspath(path)] * (number in (errno.EROFS, errno.EACCES))
        )  # as systems do

    def refuse_to_write(path, mode="r", *rest, **options):
        return refuse(path) if {*mode} & {*"wax+"} else opened(path, mode, *rest, **options)

    opened, builtins.open = builtins.open, refuse_to_write
    Path.touch = os.replace = refuse


def _try_writer(write, folder, limit=None, number=None):
    """A disk that has no room: a word with the file and what to do, and no half file under a final name."""
    folder.mkdir(parents=True, exist_ok=True)
    if limit is not None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    else:
        _refuse(number)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            write(folder)
            return None if limit is not None else "written where nothing can be written"
        except (OSError, transfer.DownloadError) as error:
            said = str(error)
    if not any(word in said for word in ADVICE) or str(folder) not in said:
        return f"a word without the file or what to do: {said[:300]}"
    whole = [path for path in folder.rglob("*") if path.is_file() and not path.name.endswith((".lock", ".part"))]
    left = [
        path.name for path in whole if "events.out" not in path.name and (limit is None or path.stat().st_size >= limit)
    ]
    drafts = [path.name for path in whole if path.name.endswith(".partial")]
    return f"left {left or drafts}" if left or drafts else None


def _try_work(path, number=None):
    """What cannot be written is not worked on: the word comes before hours of work, not after."""
    path.parent.mkdir(parents=True)
    if number is not None:
        _refuse(number)
    begun, said = [], ""
    try:
        with files.partial_file(path):
            begun.append(path)
    except OSError as error:
        said = str(error)
    if begun or not any(word in said for word in ADVICE) or path.name not in said:
        return f"worked on {begun}: {said}"
    return None


LEAVE = """
import os, signal, sys
from actlib import files
with files.partial_file(sys.argv[1]) as partial:
    partial.mkdir() if sys.argv[2] == "folder" else partial.write_bytes(b"half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def _try_left(folder, kind):
    """What a killed process left half written goes when the next one writes there."""
    folder.mkdir(parents=True)
    process = subprocess.run(
        [sys.executable, "-c", LEAVE, str(folder / "a.bin"), kind], cwd=Path(files.__file__).parents[1]
    )
    left = [path.name for path in folder.iterdir()]
    if process.returncode != -signal.SIGKILL or len(left) != 1:
        return f"nothing was left: {process.returncode} {left}"
    files.write_whole(folder / "b.bin", b"whole")
    left = sorted(path.name for path in folder.iterdir())
    return None if left == ["b.bin"] else f"left {left}"


def _try_two(folder):
    """A writer that lives keeps what it has half written."""
    with files.partial_file(folder / "a.bin") as partial:
        partial.write_bytes(b"half")
        files._remove_partials.__wrapped__(folder)
        return None if partial.is_file() else "a living writer lost its file"


def _try_index(folder, source):
    """A listing goes on where its index cannot be written, and says so."""
    os.environ["ACTLIB_CACHE"] = str(folder / "cache")
    (folder / "data" / "A").mkdir(parents=True)
    for number, film in enumerate(sorted(source.glob("*.mp4"))):
        (folder / "data" / "A" / f"v_A_g{number + 1:02d}_c01.mp4").symlink_to(film)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        table = list_videos(folder / "data", progress=False)
    if len(table) != 6 or not any("Free some disk" in str(each.message) for each in said):
        return f"{len(table)} videos, {[str(each.message) for each in said]}"
    return None


def cases(rng, folder):
    """Yield (name, function)."""
    source = folder / "source"
    for number in range(6):
        write_video(source / f"{number}.mp4", rng.integers(0, 256, (12, 48, 64, 3), dtype=np.uint8), fps=25)
    writers = dict(list_writers(source))
    for kind in ("file", "folder"):
        yield f"a {kind} that a killed process left", lambda kind=kind: _try_left(folder / f"left-{kind}", kind)
    for kind, number in ERRORS.items():
        yield f"work on a disk that is {kind}", lambda p=folder / f"w{number}" / "a", n=number: _try_work(p, n)
    yield "work under a name that is too long", lambda: _try_work(folder / "long" / ("a" * 300))
    yield "a living writer", lambda: _try_two(folder)
    yield "no room for the index", lambda: _try_index(folder / "listing", source)
    for name, write in writers.items():
        for kind, number in ERRORS.items():
            place = folder / f"{name} {kind}"
            yield f"{name} on a disk that is {kind}", lambda w=write, p=place, n=number: _try_writer(w, p, number=n)
    sizes = {name: _measure(write, folder / f"whole {name}") for name, write in writers.items()}
    for number in range(100):
        for name, write in writers.items():
            limit, place = int(rng.integers(sizes[name] + 1)), folder / f"{name} {number}"
            yield f"{name} with {limit} bytes of room", lambda w=write, p=place, m=limit: _try_writer(w, p, limit=m)


def _measure(write, folder):
    """Bytes of the largest file that is written."""
    folder.mkdir()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        write(folder)
    return max(path.stat().st_size for path in folder.rglob("*") if path.is_file())
