"""The sample set: drawn people doing seven activities, in UCF-101's own layout, made on first use."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path

import av
from tqdm.auto import tqdm

from actlib.paths import home_folder
from actlib.sample.canvas import HEIGHT, WIDTH
from actlib.sample.rendering import SAMPLE_CLASSES, SIMILAR_CLASSES, order_frames, render_video

VERSION = 3  # of the pictures: a folder of another version is made anew
NUM_GROUPS, NUM_CLIPS, FPS = 25, 2, 25
TEST_GROUPS = {1: range(1, 8), 2: range(8, 15), 3: range(15, 22)}  # as in UCF-101's official splits
QUANTISER = 8  # MPEG-4's, the same for every macroblock


def name_video(class_name, group, clip) -> str:
    """UCF-101's name of a video.

    Args:
        class_name: the activity.
        group: its group.
        clip: its clip.

    Example:
        >>> name_video("Cycling", 3, 1)
        'Cycling/v_Cycling_g03_c01.avi'
    """
    return f"{class_name}/v_{class_name}_g{group:02d}_c{clip:02d}.avi"


def _write_group(folder, group):
    """Renders all videos of a group and says the name of each on a line of its own."""
    for clip in range(1, NUM_CLIPS + 1):
        sitting = render_video("SittingDown", group=group, clip=clip)
        for class_name in SAMPLE_CLASSES:
            similar = class_name in SIMILAR_CLASSES
            order = order_frames(class_name, len(sitting)) if similar else slice(None)
            frames = (sitting if similar else render_video(class_name, group=group, clip=clip))[order]
            name = name_video(class_name, group, clip)
            _encode(Path(folder) / "UCF-101" / name, frames, key_distance=1 if similar else 40)
            print(name, flush=True)


def _encode(path, frames, *, key_distance):
    """Writes MPEG-4 tagged XVID with one quantiser throughout; at key_distance 1 a frame's code depends on it alone."""
    with av.open(str(path), "w") as container:
        options = {"qmin": str(QUANTISER), "qmax": str(QUANTISER), "flags": "+aic"}
        stream = container.add_stream("mpeg4", rate=FPS, options=options)
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = WIDTH, HEIGHT, "yuv420p", key_distance
        stream.codec_context.codec_tag = "XVID"
        stream.codec_context.thread_count = 1
        stream.codec_context.time_base = Fraction(1, FPS)
        for number, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def _write_lists(folder):
    """The official lists: class numbers from 1, groups 1-7, 8-14 and 15-21 tested in turn."""
    folder.mkdir()
    numbers = {name: number for number, name in enumerate(sorted(SAMPLE_CLASSES), 1)}
    (folder / "classInd.txt").write_text("".join(f"{number} {name}\n" for name, number in numbers.items()))
    for split, tested in TEST_GROUPS.items():
        lines = {"train": [], "test": []}
        for name in numbers:
            for group in range(1, NUM_GROUPS + 1):
                side, tail = ("test", "") if group in tested else ("train", f" {numbers[name]}")
                lines[side] += [name_video(name, group, clip) + tail for clip in range(1, NUM_CLIPS + 1)]
        for side, content in lines.items():
            (folder / f"{side}list{split:02d}.txt").write_text("\n".join(content) + "\n")


def is_sample(folder) -> bool:
    """Whether a folder holds the sample set, complete and of this version.

    Args:
        folder: any path.
    """
    try:
        return json.loads((Path(folder) / "sample.json").read_text())["version"] == VERSION
    except (OSError, ValueError, KeyError, TypeError):
        return False


def write_sample(folder, *, progress=True) -> Path:
    """Renders the sample set; a folder that has it already is left alone.

    Args:
        folder: where `UCF-101/`, `ucfTrainTestlist/` and `sample.json` shall lie.
        progress: show a bar.

    Returns:
        The folder. It appears at once and complete, or not at all.

    Raises:
        FileExistsError: the folder holds something else.
        OSError: nothing can be written there.
        RuntimeError: drawing or writing failed; the reason is in the message.
    """
    folder = Path(folder).resolve()
    if is_sample(folder):
        return folder
    if folder.exists() and any(folder.iterdir()) and not (folder / "sample.json").exists():
        raise FileExistsError(
            f"Expected a new folder or an earlier sample set. Received: {folder}, which holds other files. "
            "Choose another folder, or point ACTLIB_DATA to your own videos."
        )
    with _lock(folder) as alone:
        if alone:  # whatever stands aside was left by a process that was killed
            for scratch in folder.parent.glob(f".{folder.name}-*"):
                shutil.rmtree(scratch, ignore_errors=True)
        if not is_sample(folder):
            _render_aside(folder, progress)
    return folder


def _render_aside(folder, progress):
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as scratch:
        fresh = Path(scratch) / "new"
        for name in SAMPLE_CLASSES:
            (fresh / "UCF-101" / name).mkdir(parents=True)
        _write_lists(fresh / "ucfTrainTestlist")
        _render_all(fresh, progress)
        facts = {"version": VERSION, "classes": SAMPLE_CLASSES, "similar": SIMILAR_CLASSES, "fps": FPS}
        (fresh / "sample.json").write_text(json.dumps(facts, indent=1) + "\n")
        if folder.exists():
            os.replace(folder, Path(scratch) / "old")
        os.replace(fresh, folder)


def _render_all(folder, progress):
    """Shares the groups among processes of their own, which no notebook and no framework can disturb."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    workers = min(NUM_GROUPS, cores)
    shares = [range(first, NUM_GROUPS + 1, workers) for first in range(1, workers + 1)]
    total = NUM_GROUPS * NUM_CLIPS * len(SAMPLE_CLASSES)
    silent = {} if progress else {"disable": True}  # else TQDM_DISABLE has its say
    with tqdm(desc="drawing the sample videos", total=total, **silent) as bar, ThreadPoolExecutor(workers) as pool:
        list(pool.map(lambda groups: _follow(folder, groups, bar), shares))


def _follow(folder, groups, bar):
    command = [sys.executable, "-m", "actlib.sample.dataset", str(folder), *map(str, groups)]
    paths = os.pathsep.join(filter(None, (str(Path(__file__).resolve().parent.parent), os.environ.get("PYTHONPATH"))))
    with tempfile.TemporaryFile("w+") as errors:
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, text=True, env=os.environ | {"PYTHONPATH": paths}
        ) as process:
            for _ in process.stdout:
                bar.update()
        errors.seek(0)
        if process.returncode:
            raise RuntimeError(f"Cannot draw the sample videos in {folder}: {errors.read().strip()[-500:]}")


@contextlib.contextmanager
def _lock(folder):
    """Lets one process at a time draw, and says whether it can; the lock goes with its process, whatever ends it."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        file = open(folder.parent / f".{folder.name}.lock", "w")  # noqa: SIM115 (closed below)
    except OSError as error:
        message = f"Expected a place for the sample videos. Received: {error}. Set ACTLIB_HOME to a writable folder."
        raise OSError(message) from error
    with file:
        try:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        except (ImportError, OSError):  # Windows, some network disks: two may draw, one result is kept
            yield False
        else:
            yield True


def data_folder() -> Path:
    """Folder of the videos to work on: ACTLIB_DATA, or the sample set, which is drawn on first use.

    Raises:
        FileNotFoundError: ACTLIB_DATA names no folder.
    """
    chosen = os.environ.get("ACTLIB_DATA")
    if not chosen:
        return write_sample(home_folder() / "data" / "sample")
    if not Path(chosen).is_dir():
        raise FileNotFoundError(
            f"Expected a folder in ACTLIB_DATA. Received: {chosen}. Correct it, or unset it for the sample."
        )
    return Path(chosen).resolve()


if __name__ == "__main__":
    for number in sys.argv[2:]:
        _write_group(sys.argv[1], int(number))
