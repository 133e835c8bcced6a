"""What is there, what is missing, and the line to type next; imports no framework.

Each finding is a line of the report: a state, what it is about, what was found, and what would mend it. The rest of the
library is imported only where it is needed, so that the report comes even when half the packages are missing.
"""

import json
import os
import platform
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from actlib.specs import SEVEN_CLASSES

STATES = {"ok": "ok  ", "note": "note", "missing": "MISS"}
PACKAGES = ("numpy", "av", "pandas", "matplotlib", "jupyterlab", "ipywidgets", "anywidget", "safetensors")
FRAMEWORKS = {"Keras": ("keras",), "PyTorch": ("torch",), "TensorFlow": ("tensorflow", "tensorflow-cpu")}
FOLDERS = ("ACTLIB_DATA", "ACTLIB_CACHE", "ACTLIB_HOME", "ACTLIB_WEIGHTS", "ACTLIB_REAL_DATA")
ROOM = 2_000_000_000  # bytes: seven classes, ImageNet's weights and the features kept of them
ASK_TORCH = (
    "import json, torch; cuda = torch.cuda.is_available(); "
    "print(json.dumps([cuda, torch.cuda.get_device_name(0) if cuda else '', torch.backends.mps.is_available()]))"
)


class Finding(NamedTuple):
    """One line of the report."""

    state: str  # "ok", "note" (good to know) or "missing" (something cannot be done without it)
    about: str
    found: str
    mend: str = ""  # what to type or do


def doctor(*, ask_frameworks=False, short=False) -> str:
    """Writes the report of `examine`.

    Args:
        ask_frameworks: also start PyTorch in a process of its own and ask it for a GPU; takes seconds.
        short: write the project's own folder as `.`, for a notebook that others will read.

    Returns:
        Text of several lines, the last of which is the line to type next.
    """
    findings = examine(ask_frameworks=ask_frameworks)
    width = max(len(finding.about) for finding in findings)
    lines = []
    for state, about, found, mend in findings:
        lines.append(f"{STATES[state]}  {about:{width}}  {found}")
        if mend:
            lines.append(f"{'':{width + 8}}-> {mend}")
    report = "\n".join([*lines, "", f"Next: {choose_next(findings)}"])
    return report.replace(_name_home(), ".") if short else report


def _name_home():
    from actlib.paths import home_folder

    return str(home_folder())


def examine(*, ask_frameworks=False) -> list[Finding]:
    """Looks at the machine, the packages, the disk, the data and the weights.

    Args:
        ask_frameworks: also start PyTorch in a process of its own and ask it for a GPU; takes seconds.

    Returns:
        Findings, in the order of the report.
    """
    finders = [_find_machine, _find_packages, _find_gpu, _find_disk, _find_cache, _find_sample, _find_ucf101]
    finders += [_find_vgg16, _find_rar_tool, _find_settings]
    if ask_frameworks:
        finders.insert(3, _ask_torch)
    return [finding for finder in finders for finding in _try(finder)]


def _try(finder):
    """Findings of one finder; what keeps it from looking is a finding too."""
    try:
        return list(finder())
    except (ImportError, OSError) as error:
        about = finder.__name__.removeprefix("_find_").removeprefix("_ask_")
        return [Finding("missing", about, f"cannot look: {error}", "make setup")]


def choose_next(findings) -> str:
    """Chooses the one line to type next.

    Args:
        findings: those of `examine`.

    Returns:
        A command line.

    Example:
        >>> choose_next([Finding("missing", "numpy", "not installed", "make setup")])
        'make setup'
        >>> choose_next([Finding("note", "ImageNet weights", "none", "python -m actlib fetch vgg16")])
        'make lab'
    """
    return next((finding.mend for finding in findings if finding.state == "missing" and finding.mend), "make lab")


def _find_machine():
    system = f"Python {platform.python_version()}, {platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    try:
        import psutil

        yield Finding("ok", "machine", f"{system}, {psutil.virtual_memory().total / 1e9:.0f} GB of memory")
    except ImportError:
        yield Finding("ok", "machine", system)


def _find_packages():
    versions = {name: _version(name) for name in PACKAGES}
    absent = [name for name, version in versions.items() if not version]
    found = ", ".join(f"{name} {version}" for name, version in versions.items() if version)
    if absent:
        yield Finding("missing", "packages", f"not installed: {', '.join(absent)}", "make setup")
    else:
        yield Finding("ok", "packages", found)
    frameworks = {name: next(filter(None, map(_version, names)), "") for name, names in FRAMEWORKS.items()}
    for name, version in frameworks.items():
        yield Finding("ok", name, version) if version else Finding("note", name, "not installed", "make setup")
    if not frameworks["PyTorch"] and not (frameworks["Keras"] and frameworks["TensorFlow"]):
        yield Finding("missing", "frameworks", "neither PyTorch nor Keras with TensorFlow", "make setup")


def _version(name):
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _find_gpu():
    query = ["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        answer = None
    if answer is None or answer.returncode or not answer.stdout.strip():
        return [Finding("note", "GPU", "none that nvidia-smi knows; the sample set needs none")]
    return [Finding("ok", "GPU", "; ".join(answer.stdout.strip().splitlines()))]


def _ask_torch():
    try:
        answer = subprocess.run([sys.executable, "-c", ASK_TORCH], capture_output=True, text=True, timeout=120)
        cuda, name, mps = json.loads(answer.stdout.splitlines()[-1])
    except (OSError, subprocess.TimeoutExpired, ValueError, IndexError):
        return [Finding("note", "PyTorch's GPU", "PyTorch does not answer", "make setup")]
    return [
        Finding("ok", "PyTorch's GPU", name if cuda else "Apple's (mps)" if mps else "none: it computes on the CPU")
    ]


def _find_disk():
    from actlib.download.disk import check_disk, format_size
    from actlib.paths import home_folder

    free = check_disk(home_folder(), 0)
    found = f"{format_size(free)} free in {home_folder()}"
    if free < ROOM:
        mend = f"free some space: seven classes of UCF-101 and what is kept of them take {format_size(ROOM)}"
        yield Finding("note", "disk", found, mend)
    else:
        yield Finding("ok", "disk", found)


def _find_cache():
    from actlib.download.disk import format_size
    from actlib.paths import cache_folder

    folder = cache_folder().absolute()
    place = next(path for path in (folder, *folder.parents) if path.exists())
    if not os.access(place, os.W_OK):
        yield Finding("missing", "cache", f"{folder} cannot be written", "export ACTLIB_CACHE=/a/folder/of/yours")
    else:
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        yield Finding("ok", "cache", f"{format_size(size)} in {folder}")


def _find_sample():
    from actlib.paths import home_folder

    marker = home_folder() / "data" / "sample" / "sample.json"
    if marker.is_file():
        yield Finding("ok", "sample set", f"drawn, in {marker.parent}")
    else:
        yield Finding("note", "sample set", "not drawn yet; the first lesson does it")


def _find_ucf101():
    from actlib.download.completeness import list_official, ucf101_folder

    folder = Path(os.environ.get("ACTLIB_DATA") or ucf101_folder())
    here = {f"{path.parent.name}/{path.name}" for path in _class_root(folder).glob("[!.]*/*.avi")}
    if not here:
        state = "missing" if os.environ.get("ACTLIB_DATA") else "note"
        fetch = f"python -m actlib fetch ucf101 --classes seven --to {folder}"
        return [Finding(state, "UCF-101", f"no videos in {folder}; the sample set stands in for it", fetch)]
    try:
        official = list_official(folder)
    except FileNotFoundError:
        fetch = f"python -m actlib fetch lists --to {folder}"
        return [Finding("missing", "UCF-101", f"no official lists in {folder}", fetch)]
    classes = sorted({name.split("/")[0] for name in here})
    absent = {name for name in official if name.split("/")[0] in classes} - here
    found = f"{len(here)} videos of {len(classes)} classes in {folder}"
    if not absent:
        return [Finding("ok", "UCF-101", f"{found}, all that the lists name")]
    wanted = "seven" if set(classes) == set(SEVEN_CLASSES) else ",".join(classes)
    fetch = f"python -m actlib fetch ucf101 --classes {wanted} --to {folder}"
    return [Finding("note", "UCF-101", f"{found}; the lists name {len(absent)} more", fetch)]


def _class_root(folder):
    return folder / "UCF-101" if (folder / "UCF-101").is_dir() else folder


def _find_vgg16():
    from actlib.download.completeness import ucf101_folder
    from actlib.paths import home_folder

    path = Path(os.environ.get("ACTLIB_WEIGHTS") or home_folder() / "pretrained" / "vgg16_imagenet.safetensors")
    if path.is_file():
        yield Finding("ok", "ImageNet weights", str(path))
    else:
        needed = (Path(os.environ.get("ACTLIB_DATA") or ucf101_folder()) / "UCF-101").is_dir()
        found = f"not in {path.parent}; models for UCF-101 start from them"
        yield Finding("missing" if needed else "note", "ImageNet weights", found, "python -m actlib fetch vgg16")


def _find_rar_tool():
    from actlib.download.rar import RAR_TOOLS

    tools = [name for name, *_ in RAR_TOOLS if shutil.which(name)]
    if tools:
        yield Finding("ok", "RAR", f"unpacked with {tools[0]}")
    else:
        yield Finding("note", "RAR", "no tool for it; only the publisher's own archive of UCF-101 needs one")


def _find_settings():
    for name in FOLDERS:
        value = os.environ.get(name)
        if value and name != "ACTLIB_CACHE" and not Path(value).exists():
            yield Finding("missing", name, f"names {value}, which is not there", f"unset {name}")
        elif value:
            yield Finding("ok", name, value)
