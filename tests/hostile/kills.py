"""An attack with kills: in the middle of training on every backend, of filling a cache, of fetching; and two at once.

What was killed is started again by the same line, and has to end as if nothing had happened.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from loopback import serve
from made_videos import tabulate

from actlib import checkpoints
from actlib.dataset import FrameCache
from actlib.video import read_clip, sample_uniform, write_video
from hostile.servers import write_lists

TESTS = Path(__file__).resolve().parent.parent
NUM_DATA = 16  # videos in a data folder
BACKENDS = {
    "torch": ("torch", ""),
    "keras on TensorFlow": ("keras", "tensorflow"),
    "keras on PyTorch": ("keras", "torch"),
}
TRAIN = """
import os, signal, sys, threading, time
import tiny_training
from actlib import files
folder, framework, way, when = sys.argv[1:]
number = int(when)
replace = os.replace
count = 0
def killing(source, target):
    global count
    count += str(target).startswith(folder)
    if count == number:
        os.kill(os.getpid(), signal.SIGKILL)
    replace(source, target)
if way == "write":
    os.replace = killing
kinds = {"kill": signal.SIGKILL, "interrupt": signal.SIGINT}
tiny_training.send_at_batch = (lambda send: lambda _, kind: send(number, kind))(tiny_training.send_at_batch)
tiny_training.train(folder, kinds.get(way), framework)
if way == "none":
    tiny_training.train(folder + "-undisturbed", None, framework)
"""
FILL = """
import sys
from pathlib import Path
from actlib.dataset import FrameCache
from made_videos import tabulate
videos = tabulate(sorted(Path(sys.argv[1]).glob("*.mp4")))
print("here", flush=True)
FrameCache(videos, num_frames=8, size=64, folder=sys.argv[2], progress=False).fill()
"""
EXTRACT = """
import os, signal, sys, threading
from actlib.__main__ import app
folder, framework, number, delay = sys.argv[1:]
replace, count = os.replace, 0
def counting(source, target):
    global count
    replace(source, target)
    count += str(target).endswith(".npy")
    if count == int(number):
        threading.Timer(float(delay), os.kill, (os.getpid(), signal.SIGKILL)).start()
os.replace = counting
weights = f"{os.environ['PRETRAINED']}/sample/{framework}_frames"
words = ["extract", "--data", f"{folder}/data", "--preset", "slim_lrcn", "--weights", weights, "--framework", framework]
for cache in ("cache", "undisturbed")[: 1 + (number == "0")]:
    os.environ["ACTLIB_CACHE"] = f"{folder}/{cache}"
    app(words, standalone_mode=False)
"""
LIST = """
import sys
from actlib.dataset import list_videos
from actlib.video import metadata
metadata.SAVE_EVERY, metadata.THREADS = 10, 1
probe, count = metadata.probe_video, 0
def counting(path):
    global count
    count += 1
    if count == int(sys.argv[2]):
        import os
        os.kill(os.getpid(), 9)
    return probe(path)
metadata.probe_video = counting
print(len(list_videos(sys.argv[1], progress=False)), count)
"""
HOLD = """
import sys, time
from actlib.run import hold_folder
with hold_folder(sys.argv[1]):
    print("here", flush=True)
    time.sleep(float(sys.argv[2]))
"""


def run_python(code, *arguments, backend="", **options):
    """Start a Python program with the library and the tests at hand."""
    environment = os.environ | {"PYTHONPATH": f"{TESTS.parent}:{TESTS}", "KERAS_BACKEND": backend or "tensorflow"}
    environment |= {"PRETRAINED": str(TESTS.parent / "pretrained")}
    command = [sys.executable, "-W", "ignore", "-c", code, *map(str, arguments)]
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
    )


def _finish(process, *expected):
    out, error = process.communicate(timeout=170)
    return None if process.returncode in expected else f"exit status {process.returncode}: {out[-300:]} {error[-700:]}"


def _try_training(folder, backend, way, number):
    framework, keras = BACKENDS[backend]
    stopped = -(signal.SIGINT if way == "interrupt" else signal.SIGKILL)
    answer = _finish(run_python(TRAIN, folder, framework, way, number, backend=keras), stopped)
    answer = answer or _finish(run_python(TRAIN, folder, framework, "none", 0, backend=keras), 0)
    if answer:
        return answer
    for name in ("state", "best"):
        one, other = (
            checkpoints.read_weights(Path(f"{folder}{end}") / f"{name}.safetensors") for end in ("", "-undisturbed")
        )
        if one.keys() != other.keys() or any(not np.array_equal(one[key], other[key]) for key in one):
            return f"another {name} than without the {way} at {number}"
    histories = [json.loads((Path(f"{folder}{end}") / "history.json").read_text()) for end in ("", "-undisturbed")]
    if len({json.dumps(history | {"seconds": 0}) for history in histories}) > 1:
        return f"another history: {histories}"
    return f"left {left}" if (left := [*Path(folder).rglob("*.partial")]) else None


def _try_fill(folder, delay):
    process = run_python(FILL, folder / "videos", folder / "cache")
    process.stdout.readline()
    time.sleep(delay)
    process.kill()
    process.communicate()
    videos = tabulate(sorted((folder / "videos").glob("*.mp4")))
    cache = FrameCache(videos, num_frames=8, size=64, folder=folder / "cache", progress=False).fill()
    bad = []
    for index, (path, frames) in enumerate(zip(videos["path"], videos["frames"], strict=True)):
        if not np.array_equal(cache[index], read_clip(path, sample_uniform(frames, 8), size=64)):
            bad.append(path)
    left = [path.name for path in (folder / "cache").rglob("*.partial")]
    return f"other frames of {bad[:3]}" if bad else f"left {left}" if left else None


def _try_extract(folder, backend, number, delay):
    """Features whose making was killed are those of one that was not, and nothing is left beside them."""
    framework, keras = BACKENDS[backend]
    _write_data(folder / "data")
    process = run_python(EXTRACT, folder, framework, number, delay, backend=keras)
    answer = _finish(process, -signal.SIGKILL, 0)  # it may be done before
    answer = answer or _finish(run_python(EXTRACT, folder, framework, 0, 0, backend=keras), 0)
    if answer:
        return answer
    caches = [
        {
            path.relative_to(cache): path.read_bytes()
            for path in cache.rglob("*")
            if path.is_file() and path.suffix != ".lock" and "index" not in path.parts
        }
        for cache in (folder / "cache", folder / "undisturbed")
    ]
    if wrong := [name for name in caches[0].keys() | caches[1] if caches[0].get(name) != caches[1].get(name)]:
        return f"other files: {wrong[:3]}"
    num_arrays = sum(name.suffix == ".npy" for name in caches[0])
    return None if num_arrays == NUM_DATA else f"{num_arrays} arrays of {NUM_DATA}"


def _try_listing(folder, videos, number):
    """A listing that is killed goes on where it was; nothing of it is lost but the last few videos."""
    place = folder / "data" / "A"
    place.mkdir(parents=True)
    for row in range(4):
        for film in sorted(videos.glob("*.mp4")):
            (place / f"v_A_g{1 + row:02d}_c{film.stem}.mp4").symlink_to(film)
    os.environ["ACTLIB_CACHE"] = str(folder / "cache")
    answer = _finish(run_python(LIST, folder / "data", number), -signal.SIGKILL)
    process = run_python(LIST, folder / "data", 10**9)
    out, error = process.communicate(timeout=100)
    total, again = map(int, out.split() or (0, 0))
    if answer or process.returncode or total != len([*place.iterdir()]) or again > total - number // 10 * 10 + 10:
        return f"{answer}, {process.returncode}: {again} of {total} probed again after {number}: {error[-300:]}"
    return None


def _try_fetch(folder, holds):
    """A fetch that is killed goes on where it was; it imports no framework, so it is the same on every backend."""
    content = write_lists(folder / "lists.zip").read_bytes() + bytes(0)
    code = "import sys\nfrom actlib.__main__ import app\napp(sys.argv[1:])"
    with serve() as server:
        url = server.put("/lists.zip", content, holds=min(holds, len(content) - 1), passing=1)
        line = ("fetch", "lists", "--from", url, "--to", folder / "u")
        process = run_python(code, *line)
        deadline = time.monotonic() + 60
        while not (parts := [*(folder / "u").glob("*.part")]) or not parts[0].stat().st_size:
            if process.poll() is not None or time.monotonic() > deadline:
                return f"nothing came: {process.communicate()[1][-500:]}"
            time.sleep(0.01)
        process.kill()
        process.communicate()
        if (folder / "u" / "ucfTrainTestlist").glob("*.txt") and [*(folder / "u").rglob("*.txt")]:
            return "half a download was unpacked"
        server.pages["/lists.zip"].holds = None
        answer = _finish(run_python(code, *line), 0)
    return answer or (None if len([*(folder / "u").rglob("*list0?.txt")]) == 6 else "lists are missing")


def _try_two(folder, kill):
    """Of two trainings in one folder the second says who is there; a killed one holds nothing."""
    first = run_python(HOLD, folder, 60)
    first.stdout.readline()
    second = run_python(HOLD, folder, 0)
    out, error = second.communicate(timeout=60)
    answer = (
        None
        if second.returncode == 1 and str(first.pid) in error and str(folder) in error
        else f"let in: {out} {error[-300:]}"
    )
    first.send_signal(signal.SIGKILL if kill else signal.SIGINT)
    first.communicate()
    return answer or _finish(run_python(HOLD, folder, 0), 0)


def _try_line(folder, number):
    """The command line's train, stopped by a signal, keeps its epochs and says by its status what stopped it."""
    code = """
import os, sys
from actlib import run, sample
from actlib.__main__ import app
run.ProgressBar.on_epoch = lambda bar, row: os.kill(os.getpid(), int(sys.argv[1]))
app(sys.argv[2:])
"""
    videos = folder / "data"
    _write_data(videos)
    line = (
        "train",
        "--data",
        videos,
        "--preset",
        "slim_frames",
        "--weights",
        "none",
        "--epochs",
        2,
        "--out",
        folder / "run",
    )
    answer = _finish(run_python(code, int(number), *line), 128 + number)
    history = folder / "run" / "history.json"
    return answer or (
        None if history.is_file() and json.loads(history.read_text())["epoch"] == [1] else "the epoch is lost"
    )


def _write_data(folder):
    """A data folder of two classes, with official lists of six groups."""
    names = [
        f"{label}/v_{label}_g{group:02d}_c01.avi"
        for label in ("Dark", "Light")
        for group in range(1, NUM_DATA // 2 + 1)
    ]
    for name in names:
        shade = (20 if name.startswith("Dark") else 200) + 3 * int(name[-10:-8])  # no two files are the same
        frames = np.full((6, 48, 64, 3), shade, np.uint8)
        path = folder / "UCF-101" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_video(path.with_suffix(".mp4"), frames, fps=25).rename(path)
    lists = folder / "ucfTrainTestlist"
    lists.mkdir()
    (lists / "classInd.txt").write_text("1 Dark\n2 Light\n")
    for split in (1, 2, 3):
        train = [f"{name} {1 + name.startswith('Light')}" for name in names if int(name[-10:-8]) > 2]
        (lists / f"trainlist0{split}.txt").write_text("\n".join(train))
        (lists / f"testlist0{split}.txt").write_text("\n".join(name for name in names if int(name[-10:-8]) <= 2))


def cases(rng, folder):
    """Yield (name, function)."""
    count = 0

    def make(name, attempt, *arguments):
        nonlocal count
        count += 1
        place = folder / str(count)
        place.mkdir()
        return name, lambda: attempt(place, *arguments)

    videos = folder / "videos"
    videos.mkdir()
    for number in range(40):
        frames = rng.integers(0, 255, (12, 48, 64, 3), dtype=np.uint8)
        write_video(videos / f"{number}.mp4", frames, fps=25)

    def train(way, backend):
        number = int(rng.integers(2, 12))
        return make(
            f"{way} {number} on {backend}",
            lambda place, *rest: _try_training(place / "run", *rest),
            backend,
            way,
            number,
        )

    def extract(backend):
        number = int(rng.integers(1, NUM_DATA))
        return make(
            f"kill {number} of features on {backend}", _try_extract, backend, number, float(rng.random() * 0.02)
        )

    for backend in BACKENDS:  # what is promised of every backend comes first, as each takes its time
        yield train("kill", backend)
        yield extract(backend)
        if backend == "torch":
            yield make("kill of a fill", _try_fill_of(videos), float(rng.random() * 0.15))
            yield make("kill of a fetch", _try_fetch, int(rng.integers(100, 500)))
            yield make("two trainings in one folder", _try_two, True)
    yield make("SIGTERM on the command line", _try_line, signal.SIGTERM)
    yield make("kill of a listing", _try_listing, videos, int(rng.integers(40, 150)))
    yield make("Ctrl-C on the command line", _try_line, signal.SIGINT)
    for way in ("write", "interrupt"):
        for backend in BACKENDS:
            yield make("kill of a fetch", _try_fetch, int(rng.integers(100, 500)))
            for _ in range(2):
                yield make("kill of a fill", _try_fill_of(videos), float(rng.random() * 0.15))
            yield extract(backend)
            yield train(way, backend)


def _try_fill_of(videos):
    def attempt(place, delay):
        (place / "videos").symlink_to(videos)
        return _try_fill(place, delay)

    return attempt
