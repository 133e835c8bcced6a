"""Ship the head of a frame classifier of real clips, for which ImageNet's VGG-16 stands below it: into pretrained/NAME.

.venv/bin/actlib train --data DIR --model frames --refit --out runs/six/torch_frames
.venv/bin/actlib evaluate --data DIR --run runs/six/torch_frames
.venv/bin/python -m tools.ship_head runs/six/torch_frames ucf101_six
"""

import argparse
from pathlib import Path

from actlib.paths import shipped_runs
from tools.tour import ship_run


def main():
    """Ship it, and say where it is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="the run's folder, with results.json")
    parser.add_argument("name", help="of the folder below pretrained/")
    chosen = parser.parse_args()
    target = shipped_runs(chosen.name) / chosen.run.name
    ship_run(chosen.run, target, hide=str(chosen.run.parent), head=True)
    print(f"{target}: {sum(path.stat().st_size for path in target.iterdir()) / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
