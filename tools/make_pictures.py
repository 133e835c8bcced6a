"""Make the pictures of README.md and docs/ from the sample set and the models that come with the project.

python tools/make_pictures.py                     all of them
python tools/make_pictures.py --only film         one or some: confusion, film, explorer, results

`explorer` takes its picture in Chromium, with a test of the widgets; `results` writes a table into docs/results.md.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

from actlib import annotate, evaluation, plots, sample
from actlib.experiment import Predictor, prepare_videos
from actlib.paths import RESULTS, shipped_runs

ROOT = Path(__file__).resolve().parent.parent
ASSETS = ROOT / "assets"
EXPLORER_TEST = "tests/browser/test_pictures.py"
EXPLORER_SHOT = ROOT / "runs" / "browser" / "explorer.png"
TABLE = re.compile(r"(<!-- sample:.*?-->\n).*?(<!-- /sample -->)", re.DOTALL)


def read_results(run):
    """Read what a model that comes with the project scored on the sample's test videos."""
    return evaluation.Results.from_json(json.loads((shipped_runs("sample") / run / RESULTS).read_text()))


def draw_confusion():
    """Draw the frame classifier's confusion matrix into assets/confusion.png."""
    results = read_results("torch_frames")
    title = f"VGG-16 on single frames: {results.video.value:.0%} of {results.video.count} test videos"
    (ASSETS / "confusion.png").write_bytes(plots.plot_confusion(results, title=title).encode())


def make_film():
    """Make assets/movie.gif: a test video of each activity, joined, with what LRCN says while they play."""
    model = Predictor(shipped_runs("sample") / "torch_lrcn")
    table = prepare_videos(sample.data_folder(), classes=model.classes)
    recordings = table[table.subset == "test"].groupby(["class_name", "group"]).path.agg(list)
    chosen = [recordings[name].iloc[place % len(recordings[name])] for place, name in enumerate(model.classes)]
    with tempfile.TemporaryDirectory() as scratch:
        joined = Path(scratch) / "joined.mp4"
        truth = annotate.join_videos(sum(chosen, []), joined)
        annotate.annotate_video(joined, model, ASSETS / "movie.gif", true_label=truth, max_bytes=1_200_000)


def picture_explorer():
    """Take assets/explorer.png: the confusion explorer of lesson 07, in Chromium."""
    subprocess.run([sys.executable, "-m", "pytest", "-q", EXPLORER_TEST], cwd=ROOT, check=True)
    shot = Image.open(EXPLORER_SHOT).convert("RGB").quantize(128, dither=Image.Dither.NONE)
    shot.save(ASSETS / "explorer.png", optimize=True)


def write_results():
    """Write the table of the shipped models' results into docs/results.md."""
    rows = ["| model | | frames | clips | videos | 95 % interval |", "|---|---|---|---|---|---|"]
    for run in sorted(path.name for path in shipped_runs("sample").iterdir()):
        results, (framework, model) = read_results(run), run.split("_")
        levels = " | ".join(f"{100 * each.value:.1f}" for each in (results.frame, results.clip, results.video))
        interval = f"{100 * results.video.low:.1f} to {100 * results.video.high:.1f}"
        names = {"torch": "PyTorch", "keras": "Keras", "frames": "VGG-16 on frames", "lrcn": "LRCN"}
        rows.append(f"| {names[model]} | {names[framework]} | {levels} | {interval} |")
    page = ROOT / "docs" / "results.md"
    about = f"{results.video.count} test videos of split 1, one run each, as `make lessons` trains them:\n\n"
    text = TABLE.sub(lambda found: found[1] + about + "\n".join(rows) + "\n" + found[2], page.read_text())
    page.write_text(text)


MAKERS = {"confusion": draw_confusion, "film": make_film, "explorer": picture_explorer, "results": write_results}


def main():
    """Make what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=MAKERS, default=list(MAKERS))
    for name in parser.parse_args().only:
        MAKERS[name]()
        print(f"{name}: made")


if __name__ == "__main__":
    main()
