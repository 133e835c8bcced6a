"""The sample set: drawn people doing seven activities, in UCF-101's own layout, drawn on first use."""

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

from actlib.files import lock
from actlib.paths import SAMPLE_CARD, data_folder_setting, home_folder
from actlib.sample.canvas import HEIGHT, WIDTH
from actlib.sample.rendering import SAMPLE_CLASSES, SIMILAR_CLASSES, order_frames, render_video

VERSION = 3  # of the pictures: a folder of another version is drawn again
NUM_GROUPS, NUM_CLIPS, FPS = 25, 2, 25
TEST_GROUPS = {1: range(1, 8), 2: range(8, 15), 3: range(15, 22)}  # as in UCF-101's official splits
QUANTIZER = 8  # MPEG-4's, the same for every macroblock


def name_video(class_name, group, clip) -> str:
    """Return UCF-101's name of a video.

    Example:
        >>> name_video("Cycling", 3, 1)
        'Cycling/v_Cycling_g03_c01.avi'
    """
    return f"{class_name}/v_{class_name}_g{group:02d}_c{clip:02d}.avi"


def write_group(folder, group):
    """Draw all videos of a group, and print the name of each."""
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
    """Write MPEG-4 tagged XVID with one quantizer throughout; at key_distance 1 a frame's code depends on it alone."""
    options = {"qmin": str(QUANTIZER), "qmax": str(QUANTIZER), "flags": "+aic"}
    with av.open(str(path), "w") as container:
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
    """Write the official lists: class numbers from 1; groups 1-7, 8-14 and 15-21 are tested in turn."""
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
    """Tell whether a folder holds the sample set, complete and of this version."""
    try:
        return json.loads((Path(folder) / SAMPLE_CARD).read_text())["version"] == VERSION
    except (OSError, ValueError, KeyError, TypeError):
        return False


def write_sample(folder, *, progress=True) -> Path:
    """Draw the sample set; a folder that has it already is left alone.

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
    if folder.exists() and any(folder.iterdir()) and not (folder / SAMPLE_CARD).exists():
        raise FileExistsError(
            f"Expected a new folder or an earlier sample set. Received: {folder}, which holds other files. "
            "Choose another folder, or point ACTLIB_DATA to your own videos."
        )
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"Expected a place for the sample videos. Received: {error}. Set ACTLIB_HOME to a writable folder."
        raise OSError(message) from error
    with lock(folder):
        for left in folder.parent.glob(f".{folder.name}-*"):  # of a process that was killed
            shutil.rmtree(left, ignore_errors=True)
        if not is_sample(folder):
            _draw_beside(folder, progress)
    return folder


def _draw_beside(folder, progress):
    """Draw into a folder of another name, and rename it when it is complete."""
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as scratch:
        fresh = Path(scratch) / "new"
        for name in SAMPLE_CLASSES:
            (fresh / "UCF-101" / name).mkdir(parents=True)
        _write_lists(fresh / "ucfTrainTestlist")
        _draw_all(fresh, progress)
        card = {"version": VERSION, "classes": SAMPLE_CLASSES, "similar": SIMILAR_CLASSES, "fps": FPS}
        (fresh / SAMPLE_CARD).write_text(json.dumps(card, indent=1) + "\n")
        if folder.exists():
            os.replace(folder, Path(scratch) / "old")
        os.replace(fresh, folder)


def _draw_all(folder, progress):
    """Share the groups among processes of their own, which no notebook and no framework can disturb."""
    workers = min(NUM_GROUPS, os.cpu_count() or 1)
    shares = [range(first, NUM_GROUPS + 1, workers) for first in range(1, workers + 1)]
    total = NUM_GROUPS * NUM_CLIPS * len(SAMPLE_CLASSES)
    options = {} if progress else {"disable": True}  # else TQDM_DISABLE decides
    with tqdm(desc="drawing the sample videos", total=total, **options) as bar, ThreadPoolExecutor(workers) as pool:
        list(pool.map(lambda groups: _draw_share(folder, groups, bar), shares))


def _draw_share(folder, groups, bar):
    """Draw some groups in a process of their own, and move the bar for each video."""
    command = [sys.executable, "-m", "actlib.sample.dataset", str(folder), *map(str, groups)]
    root = Path(__file__).resolve().parent.parent.parent
    with tempfile.TemporaryFile("w+") as errors:
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, cwd=root) as process:
            for _ in process.stdout:
                bar.update()
        errors.seek(0)
        if process.returncode:
            raise RuntimeError(f"Cannot draw the sample videos in {folder}: {errors.read().strip()[-500:]}")


def data_folder() -> Path:
    """Return the folder of the videos to work on: ACTLIB_DATA, or the sample set, which is drawn on first use.

    Raises:
        FileNotFoundError: ACTLIB_DATA names no folder.
    """
    chosen = data_folder_setting()
    if chosen is None:
        return write_sample(home_folder() / "data" / "sample")
    if not chosen.is_dir():
        raise FileNotFoundError(
            f"Expected a folder in ACTLIB_DATA. Received: {chosen}. Correct it, or unset it for the sample."
        )
    return chosen.resolve()


if __name__ == "__main__":
    for number in sys.argv[2:]:
        write_group(sys.argv[1], int(number))
