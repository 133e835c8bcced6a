"""What is there, what is missing, and the line to type next; imports no framework.

Other rooms are imported only where they are needed, so that the report comes even when half the packages are missing.
"""

import os
import platform
import shlex
import sys
from pathlib import Path
from typing import NamedTuple

from actlib import machine, paths

PACKAGES = ("numpy", "av", "pandas", "matplotlib", "jupyterlab", "ipywidgets", "anywidget", "safetensors")
FRAMEWORKS = {"Keras": ("keras",), "PyTorch": ("torch",), "TensorFlow": ("tensorflow", "tensorflow-cpu")}
MUST_EXIST = ("ACTLIB_DATA", "ACTLIB_WEIGHTS", "ACTLIB_REAL_DATA")  # other folders are made when they are needed
ROOM = 2_000_000_000  # bytes: seven classes, ImageNet's weights and the cache of their features
ASK_TORCH = "from torch import accelerator as a; print(a.is_available() and a.current_accelerator() or 'none')"


class Finding(NamedTuple):
    """One line of the report."""

    state: str  # "ok", "note" (good to know) or "missing" (something cannot be done without it)
    about: str
    found: str
    fix: str = ""  # what to type or do


def doctor(*, ask_frameworks=False, short=False) -> str:
    """Return a report of several lines, the last of which is the line to type next.

    Args:
        ask_frameworks: also start PyTorch in a process of its own and ask it for a GPU; takes seconds.
        short: write the project's own folder as `.`, for a notebook that others will read.
    """
    findings = _examine(ask_frameworks=ask_frameworks)
    width = max(len(finding.about) for finding in findings)
    lines = []
    for state, about, found, fix in findings:
        lines.append(f"{'MISS' if state == 'missing' else state:4}  {about:{width}}  {found}")
        lines += [f"{'':{width + 8}}-> {fix}"] if fix else []
    fix = next((finding.fix for finding in findings if finding.state == "missing" and finding.fix), "make lab")
    report = "\n".join([*lines, "", f"Next: {fix}"])
    return report.replace(str(paths.home_folder()), ".") if short else report


def _examine(*, ask_frameworks=False) -> list[Finding]:
    finders = [_find_machine, _find_packages, _find_gpu, *[_find_torch_gpu] * ask_frameworks, _find_disk]
    findings = []
    for finder in [*finders, _find_settings, _find_sample, _find_videos, _find_weights]:
        try:
            findings += finder()
        except (ImportError, OSError) as error:
            about = finder.__name__.removeprefix("_find_")
            findings.append(Finding("missing", about, f"cannot look: {error}", "make setup"))
    return findings


def _choose(good, about, found, otherwise, fix="", *, bad="note"):
    """Return a finding that is fine or, with other words, is not."""
    return Finding("ok", about, found) if good else Finding(bad, about, otherwise, fix)


def _find_machine():
    import psutil

    system = f"Python {platform.python_version()}, {platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    yield Finding("ok", "machine", f"{system}, {psutil.virtual_memory().total / 1e9:.0f} GB of memory")


def _find_packages():
    versions = machine.package_versions(*PACKAGES)
    absent = ", ".join(name for name in PACKAGES if name not in versions)
    found = ", ".join(f"{name} {version}" for name, version in versions.items())
    yield _choose(not absent, "packages", found, f"not installed: {absent}", "make setup", bad="missing")
    frameworks = {name: ", ".join(machine.package_versions(*names).values()) for name, names in FRAMEWORKS.items()}
    bad = "note" if frameworks["PyTorch"] or (frameworks["Keras"] and frameworks["TensorFlow"]) else "missing"
    for name, version in frameworks.items():
        yield _choose(version, name, version, "not installed", "make setup", bad=bad)


def _find_gpu():
    names = machine.read_output("nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader")
    yield _choose(names, "GPU", "; ".join(names), "none that nvidia-smi knows; the sample set needs none")


def _find_torch_gpu():
    answer = machine.read_output(sys.executable, "-c", ASK_TORCH)
    yield _choose(answer, "PyTorch's GPU", "".join(answer[-1:]), "PyTorch does not answer", "make setup")


def _find_disk():
    from actlib.files import count_free_bytes, format_size

    free, cache = count_free_bytes(paths.home_folder()), paths.cache_folder().absolute()
    found = f"{format_size(free)} free in {paths.home_folder()}"
    yield _choose(free >= ROOM, "disk", found, found, f"free some space: {format_size(ROOM)} are wanted")
    writable = os.access(next(path for path in (cache, *cache.parents) if path.exists()), os.W_OK)
    found = f"{format_size(sum(path.stat().st_size for path in cache.rglob('*') if path.is_file()))} in {cache}"
    fix, otherwise = "export ACTLIB_CACHE=/a/folder/of/yours", f"{cache} cannot be written"
    yield _choose(writable, "cache", found, otherwise, fix, bad="missing")


def _find_settings():
    for name in paths.SETTINGS:
        if value := paths.read_setting(name):
            there = name not in MUST_EXIST or Path(value).exists()
            yield _choose(there, name, value, f"names {value}, which is not there", f"unset {name}", bad="missing")


def _find_sample():
    folder = paths.home_folder() / "data" / "sample"
    drawn = (folder / paths.SAMPLE_CARD).is_file()
    yield _choose(drawn, "sample set", f"drawn, in {folder}", "not drawn yet; the first lesson does it")


def _find_videos():
    from actlib.dataset.listing import find_clips
    from actlib.download.ucf101 import list_official

    folder, command = paths.data_folder_setting() or paths.ucf101_folder(), paths.console_script()
    usual = folder.resolve() == paths.ucf101_folder().resolve()  # into another folder nothing is fetched
    try:
        clips, _ = find_clips(folder / "UCF-101" if (folder / "UCF-101").is_dir() else folder)
    except ValueError as error:
        if not usual:
            return [Finding("missing", "videos", str(error), "correct what is there, or ACTLIB_DATA, or unset it")]
        found = f"no videos in {folder}; the sample set stands in for them"
        return [Finding("note", "videos", found, f"{command} fetch ucf101 --classes seven")]
    classes = {*clips["class_name"]}
    found = f"{len(clips)} videos of {len(classes)} classes in {folder}"
    if absent := [str(path) for path in clips["path"] if not path.is_file()]:
        found = f"{found}; {len(absent)} are not there, {absent[0]}"
        return [Finding("missing", "videos", found, "correct their paths in the table")]
    here = {f"{name}/{path.stem}".lower() for path, name in zip(clips["path"], clips["class_name"], strict=True)}
    try:
        listed = {name.rpartition(".")[0].lower() for name in list_official(folder, classes)}
    except FileNotFoundError:
        listed = set()
    own = not usual or any("/v_" not in name for name in here)
    if own and not listed & here:
        return [Finding("ok", "videos", f"{found}, without official lists: a split is drawn")]
    if not listed:
        return [Finding("missing", "videos", f"{found}, without official lists", f"{command} fetch lists")]
    complete, lacking = f"{found}, all that the lists name", f"{found}; the lists name {len(listed - here)} more"
    fetch = "" if own else f"{command} fetch ucf101 --classes {shlex.quote(','.join(sorted(classes)))}"
    return [_choose(listed <= here, "videos", complete, lacking, fetch)]


def _find_weights():
    path, data = paths.vgg16_file(), paths.data_folder_setting() or paths.ucf101_folder()
    otherwise = f"not in {path.parent}; models for UCF-101 start from them"
    fix = f"{paths.console_script()} fetch vgg16"
    bad = "missing" if (data / "UCF-101").is_dir() else "note"
    yield _choose(path.is_file(), "ImageNet weights", str(path), otherwise, fix, bad=bad)
