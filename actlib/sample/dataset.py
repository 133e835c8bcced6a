"""The sample set: drawn people doing seven activities, in UCF-101's own layout, drawn on first use."""

import json
import shutil
import sys
import warnings
from pathlib import Path

from joblib import Parallel, delayed
from tqdm.auto import tqdm

from actlib import files, paths, video
from actlib.sample.activities import ACTIVITIES
from actlib.sample.rendering import FPS, SAMPLE_CLASSES, choose_scene, draw_frames

VERSION = 4  # of the pictures: a folder of another version is drawn again
NUM_GROUPS = 25
TEST_GROUPS = {1: range(1, 8), 2: range(8, 15), 3: range(15, 22)}  # as in UCF-101's official splits
CLIPS = {"WheelClockwise": "33333", "WheelAnticlockwise": "33323", "WheelBothWays": "32323", "Cycling": "22212"}
CLIPS |= {"HulaHooping": "12212", "WeightLifting": "12121", "Juggling": "11211"}  # of each five groups in turn
_show_warning, _shown = warnings.showwarning, set()  # Python's own; what was shown
MPEG4 = {"qmin": "11", "qmax": "11", "flags": "+aic", "threads": "1", "g": "40"}  # one quantizer for every macroblock


def _name_video(class_name, group, clip):
    """Return UCF-101's name of a video: Cycling/v_Cycling_g03_c01.avi."""
    return f"{class_name}/v_{class_name}_g{group:02d}_c{clip:02d}.avi"


def _list_clips(num_groups):
    """List the videos of the first groups: (class name, group, clip), both from 1, by class."""
    groups = range(1, num_groups + 1)
    return [(name, g, clip + 1) for name in sorted(CLIPS) for g in groups for clip in range(int(CLIPS[name][g % 5]))]


def _write_clip(folder, class_name, group, clip):
    path = folder / "UCF-101" / _name_video(class_name, group, clip)
    frames = draw_frames(ACTIVITIES[class_name], choose_scene(group, clip, class_name))
    video.write_video(path, frames, fps=FPS, codec="mpeg4", options=MPEG4)


def _write_lists(folder):
    """Write the official lists: class numbers from 1; groups 1-7, 8-14 and 15-21 are tested in turn."""
    folder.mkdir(parents=True)
    numbers = {name: number for number, name in enumerate(sorted(SAMPLE_CLASSES), 1)}
    (folder / "classInd.txt").write_text("".join(f"{number} {name}\n" for name, number in numbers.items()))
    places = _list_clips(NUM_GROUPS)
    for split, tested in TEST_GROUPS.items():
        train = [f"{_name_video(*place)} {numbers[place[0]]}\n" for place in places if place[1] not in tested]
        test = [f"{_name_video(*place)}\n" for place in places if place[1] in tested]
        (folder / f"trainlist{split:02d}.txt").write_text("".join(train))
        (folder / f"testlist{split:02d}.txt").write_text("".join(test))


def is_sample(folder) -> bool:
    """Tell whether a folder holds the sample set, complete and of this version.

    Args:
        folder: any path, or what stands for one.
    """
    try:
        files.require_file(card := Path(folder) / paths.SAMPLE_CARD)
        return json.loads(card.read_text())["version"] == VERSION
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False


def write_sample(folder) -> Path:
    """Draw the sample set, which appears at once and complete or not at all; one that is there is left alone.

    Args:
        folder: where `UCF-101/`, `ucfTrainTestlist/` and `sample.json` shall lie.

    Raises:
        FileExistsError: the folder holds something else.
        OSError: nothing can be written there.
    """
    folder = Path(folder).resolve()
    if is_sample(folder):
        return folder
    if folder.exists() and any(folder.iterdir()) and not (folder / paths.SAMPLE_CARD).exists():
        found = f"Expected a new folder or an earlier sample set. Received: {folder}, which holds other files."
        raise FileExistsError(f"{found} Choose another folder, or point ACTLIB_DATA to your own videos.")
    with files.lock(folder):
        if not is_sample(folder):
            with files.partial_file(folder) as fresh:
                _draw(fresh)
                if folder.exists():  # another version
                    shutil.rmtree(folder.rename(fresh.with_suffix(".old.partial")))
    return folder


def _draw(folder):
    """Write the whole set, drawn by processes of its own, which no notebook and no framework can disturb."""
    _write_lists(folder / "ucfTrainTestlist")
    places = _list_clips(NUM_GROUPS)
    pool = Parallel(-1, return_as="generator_unordered", idle_worker_timeout=20)  # seconds, then its processes end
    written = pool(delayed(_write_clip)(folder, *place) for place in places)
    list(tqdm(written, "drawing the sample videos", total=len(places), disable=not paths.show_progress()))
    (folder / paths.SAMPLE_CARD).write_text(json.dumps({"version": VERSION}) + "\n")


def _show_once(message, category, *place, **options):
    """Show a UserWarning the first time, without its place in the library: filters forget what was shown."""
    if category is not UserWarning:
        _show_warning(message, category, *place, **options)
    elif str(message) not in _shown:
        _shown.add(str(message))
        print(f"{category.__name__}: {message}", file=sys.stderr)


def data_folder() -> Path:
    """Return the folder of the videos to work on: ACTLIB_DATA, or the sample set, which is drawn on first use.

    In a notebook it silences the warning that listed videos are not there (see lesson 00), and shows others once.

    Raises:
        FileNotFoundError: ACTLIB_DATA names what is not there.
    """
    if "ipykernel" in sys.modules:
        warnings.filterwarnings("ignore", r"\d+ videos of split \d are not in the table")
        warnings.showwarning = _show_once
    chosen = paths.data_folder_setting()
    if chosen is None:
        return write_sample(paths.home_folder() / "data" / "sample")
    if not chosen.exists():
        raise FileNotFoundError(f"Expected a folder or table in ACTLIB_DATA. Received: {chosen}. Correct or unset it.")
    return chosen.resolve()
