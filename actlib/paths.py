"""Where things are on disk: every environment variable and every shared file name, each once."""

import os
import sys
from pathlib import Path

BEST = "best.safetensors"  # of a run: the weights of its best epoch, with a card best.json beside them
STATE = "state.safetensors"  # of a run: what the next epoch goes on from
HISTORY, HISTORY_TABLE = "history.json", "history.csv"  # of a run: one record an epoch
SPLIT = "split.csv"  # of a run: its videos, groups and subsets, a table of labels to be read again
RESULTS = "results.json"  # of a run: its evaluation; results_shuffled.json and the like: its controls
VGG16, VGG16_HEAD = "vgg16_imagenet.safetensors", "vgg16_imagenet_head.safetensors"  # the second with fc6 and fc7
SAMPLE_CARD = "sample.json"  # in the folder of the sample set

SETTINGS = {
    "ACTLIB_HOME": "folder of data/, runs/ and pretrained/; where the project was cloned to, without a clone ~/actlib",
    "ACTLIB_DATA": "folder of the videos to work on; the sample set",
    "ACTLIB_CACHE": "folder of all that is made from videos; data/cache at home",
    "ACTLIB_RUNS": "folder of the lessons' models; runs/lessons at home",
    "ACTLIB_WEIGHTS": "file of VGG-16's ImageNet weights; in pretrained/ at home, where fetch vgg16 puts it",
    "ACTLIB_UCF101_URL": "where UCF-101's videos are fetched from",
    "ACTLIB_UCF101_LISTS_URL": "where UCF-101's splits are fetched from",
    "ACTLIB_VGG16_URL": "where VGG-16's weights are fetched from",
    "ACTLIB_TRACEBACK": "set: the command line shows where an error comes from",
    "ACTLIB_REAL_DATA": "folder that holds UCF-101/, for tests and benchmarks",
}  # name: what it says; what holds where it is not set


def read_setting(name) -> str | None:
    """Return what the environment sets, or None where it is not set or empty.

    Args:
        name: One of SETTINGS.
    """
    return os.environ.get(name) or None


def home_folder() -> Path:
    """Return the folder that holds `data/`, `runs/` and `pretrained/`."""
    clone = Path(__file__).resolve().parent.parent
    own = clone if (clone / "pyproject.toml").exists() else Path.home() / "actlib"  # installed from a wheel
    return Path(read_setting("ACTLIB_HOME") or own)


def cache_folder() -> Path:
    """Return the folder for all that is made from videos; data folders are only ever read, so may be read-only."""
    return Path(read_setting("ACTLIB_CACHE") or home_folder() / "data" / "cache")


def data_folder_setting() -> Path | None:
    """Return the folder of videos that the user set, or None for the sample set."""
    return Path(folder) if (folder := read_setting("ACTLIB_DATA")) else None


def runs_root() -> Path:
    """Return the folder under which lessons keep their models."""
    return Path(read_setting("ACTLIB_RUNS") or home_folder() / "runs" / "lessons")


def vgg16_file() -> Path:
    """Return the file of VGG-16's ImageNet weights, whether or not it is there."""
    return Path(read_setting("ACTLIB_WEIGHTS") or home_folder() / "pretrained" / VGG16)


def ucf101_folder() -> Path:
    """Return where UCF-101 goes unless one says otherwise: `data/ucf101` at home."""
    return home_folder() / "data" / "ucf101"


def console_script() -> str:
    """Return what starts the command line in the project's folder: ``.venv/bin/actlib`` as `make setup` leaves it."""
    scripts, project = Path(sys.executable).parent.resolve(), Path(__file__).resolve().parent.parent
    return str(scripts.relative_to(project) / "actlib") if scripts.is_relative_to(project) else "actlib"


def shipped_runs(data) -> Path:
    """Return the folder of the runs that come with the project.

    Args:
        data: Name of the data they were trained on, "sample" say.
    """
    return home_folder() / "pretrained" / data


def show_progress() -> bool:
    """Tell whether progress bars may be shown: not with TQDM_DISABLE, which tqdm itself forgets in notebooks."""
    return "TQDM_DISABLE" not in os.environ


def process_place() -> tuple[int, int]:
    """Return (rank of this process, number of processes) as torchrun tells them; (0, 1) without it."""
    return read_torchrun("RANK"), read_torchrun("WORLD_SIZE") or 1


def read_torchrun(name) -> int:
    """Return a number that torchrun tells each of its processes; 0 without it.

    Args:
        name: Of the environment variable, LOCAL_RANK say.
    """
    return int(os.environ.get(name, 0))


def make_threads_sleep() -> None:
    """Have threads that wait sleep instead of spin, which others on the same machine feel; before a framework loads."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
