"""Ask the package index whether everything that the kit depends on can be installed on each common machine.

    python tools/check_platforms.py              # the newest versions that pyproject.toml allows
    python tools/check_platforms.py --tested     # the exact versions of constraints.txt

Nothing is downloaded or installed: uv resolves the wheels (never source archives) for another system than this one,
environment markers included. It prints a table and exits with 1 if a cell is unresolved.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PLATFORMS = {
    "Linux x86-64": "x86_64-manylinux_2_28",
    "Linux arm64": "aarch64-manylinux_2_28",
    "macOS arm64": "aarch64-apple-darwin",
    "Windows": "x86_64-pc-windows-msvc",
}
PYTHONS = ("3.11.9", "3.12", "3.13")
MACOS = "14.0"  # the oldest macOS that PyAV's wheels run on


def resolve(platform, python, *, tested=False):
    """Resolve all dependencies for one machine: (number of packages, None), or (0, what stands in the way)."""
    command = [
        sys.executable,
        "-m",
        "uv",
        "pip",
        "compile",
        "pyproject.toml",
        "--quiet",
        "--no-header",
        "--no-annotate",
    ]
    command += ["--extra", "cpu", "--extra", "dev", "--only-binary", ":all:"]
    command += ["--python-platform", platform, "--python-version", python]
    command += ["--constraint", "constraints.txt"] if tested else []
    environment = {"MACOSX_DEPLOYMENT_TARGET": MACOS}
    done = subprocess.run(command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True)
    if done.returncode:
        return 0, " ".join(done.stderr.split())
    return sum("==" in line for line in done.stdout.splitlines()), None


def main():
    """Print the table; return 1 if a cell is unresolved."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tested", action="store_true", help="within constraints.txt")
    tested, problems = parser.parse_args().tested, []
    print("packages found".ljust(14), *(f"{python:>8}" for python in PYTHONS))
    for name, platform in PLATFORMS.items():
        cells = []
        for python in PYTHONS:
            found, problem = resolve(platform, python, tested=tested)
            cells.append(f"{'none' if problem else found:>8}")
            problems += [f"{name}, Python {python}: {problem}"] if problem else []
        print(name.ljust(14), *cells, flush=True)
    print("\n".join(problems))
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
