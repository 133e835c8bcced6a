"""Extraction on a Ray cluster leaves what plain extraction leaves, to the byte; skipped without Ray, an extra."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from bright_and_dark import write_data

from actlib import paths

pytest.importorskip("ray", reason="Ray is not installed: pip install -e '.[ray]'")
ROOT = Path(__file__).resolve().parent.parent


def extract(*command, cache):
    settings = {"ACTLIB_CACHE": str(cache), "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, *map(str, command)]
    done = subprocess.run(command, env=os.environ | settings, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def list_files(cache):
    return {path.relative_to(cache): path.read_bytes() for path in cache.rglob("*.npy")}


def test_two_workers_leave_what_one_process_leaves(tmp_path):
    weights = paths.shipped_runs("sample") / "torch_frames"
    words = ["--data", write_data(tmp_path / "data"), "--preset", "slim_lrcn", "--weights", weights]
    extract("-m", "actlib", "extract", *words, cache=tmp_path / "plain")
    said = extract("tools/extract_with_ray.py", "--workers", 2, "--shards", 5, "--", *words, cache=tmp_path / "ray")
    assert "5 of 5 shards were extracted on" in said
    plain, found = (list_files(tmp_path / name) for name in ("plain", "ray"))
    assert len(plain) == 16 and found == plain


def test_a_mistake_is_told_and_ends_the_work(tmp_path):
    command = [sys.executable, "tools/extract_with_ray.py", "--workers", "1", "--shards", "1", "--", "--data", tmp_path]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert done.returncode == 1 and "ValueError: Expected" in done.stderr, done.stderr[-3000:]
