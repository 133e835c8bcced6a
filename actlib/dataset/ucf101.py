"""UCF-101's names of videos, which say their groups, and its official splits.

Labels come from the folder or the list, never from the file: there is `HandstandPushups/v_HandStandPushups_*`.
"""

import warnings
from pathlib import Path
from typing import NamedTuple

from actlib.video import VideoError


class Split(NamedTuple):
    """Names of videos (`Class/v_Class_g01_c01.avi`) for training and for testing, as an official list gives them."""

    train: tuple[str, ...]
    test: tuple[str, ...]


def report_broken(messages, num_videos, *, skip_broken=False, advice="list_videos(..., skip_broken=True)"):
    """Raise a VideoError that lists what is wrong with broken videos and how to leave them out, or warn of them.

    Args:
        messages, num_videos: what is wrong with each broken one, texts; of how many videos in all.
        skip_broken, advice: warn of them only; what leaves them out.
    """
    message = f"{len(messages)} of {num_videos} videos cannot be used:\n  " + "\n  ".join(messages)
    if messages and not skip_broken:
        raise VideoError(f"{message}\nReplace or remove them, or leave them out: {advice}.")
    if messages:
        warnings.warn(message, stacklevel=3)


def read_split(folder, *, split=1) -> Split:
    """Read an official split: which videos train, which test.

    Args:
        folder, split: what holds `ucfTrainTestlist/`, or lies beside it, or holds the lists themselves; 1, 2 or 3.

    Raises:
        FileNotFoundError: no such list.

    Source: Soomro, Zamir and Shah, CRCV-TR-12-01, "three train/test splits"; groups never stand on both sides.
    """
    folder, names = Path(folder).resolve(), [f"{side}list{split:02d}.txt" for side in Split._fields]
    for candidate in (folder / "ucfTrainTestlist", folder.parent / "ucfTrainTestlist", folder):
        if all((candidate / name).is_file() for name in names):
            return Split(*(_read_names(candidate / name) for name in names))
    found = f"Expected {' and '.join(names)} in or beside {folder}. Received: no such files."
    raise FileNotFoundError(f"{found} Ask for split 1 to 3; unpack UCF101TrainTestSplits-RecognitionTask.zip there.")


def _read_names(path):
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"Expected a list in UTF-8. Received: {error} in {path}. Fetch it again.") from error
    return tuple(line.split()[0].replace("\\", "/") for line in lines if line.strip())
