"""Where things are on disk: every environment variable and every shared file name, each once."""

import os
from pathlib import Path


def home_folder() -> Path:
    """Folder that holds `data/` and `runs/`: ACTLIB_HOME, or where the project was cloned to."""
    return Path(os.environ.get("ACTLIB_HOME") or Path(__file__).resolve().parent.parent)


def cache_folder() -> Path:
    """Folder for all that is made from videos (indexes, caches, copies): ACTLIB_CACHE, or `data/cache` at home.

    Data folders are only ever read, so they may be read-only.
    """
    return Path(os.environ.get("ACTLIB_CACHE") or home_folder() / "data" / "cache")
