"""Small videos for tests: sound ones whose shade counts their frames, and every kind of broken one."""

from pathlib import Path

import av
import numpy as np
import pandas as pd

from actlib.files import content_hash
from actlib.video import VideoError, probe_video

SHADES, STEP, JUMP = 25, 9, 7  # shades jump about, so that a lossy codec cannot make a frame from its neighbours


def shade_frames(num_frames, *, height=48, width=64):
    """Frames of one grey each, another one in each of 25 frames."""
    for number in range(num_frames):
        yield np.full((height, width, 3), 10 + STEP * (JUMP * number % SHADES), np.uint8)


def count_shades(clip):
    """The frame numbers that a clip of `shade_frames` holds."""
    numbers = {JUMP * number % SHADES: number for number in range(SHADES)}
    return [numbers[round((frame.mean() - 10) / STEP)] for frame in np.asarray(clip)]


def write_mpeg4(path, num_frames, *, key_distance=12, b_frames=0, frames=None):
    """UCF-101's codec and container, with key frames and B-frames as asked for."""
    with av.open(str(path), "w") as container:
        options = {"g": str(key_distance), "bf": str(b_frames), "sc_threshold": "1000000000", "qmin": "1", "qmax": "2"}
        stream = container.add_stream("mpeg4", rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number, picture in enumerate(shade_frames(num_frames) if frames is None else frames):
            frame = av.VideoFrame.from_ndarray(picture)
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def _truncated(path):
    write_mpeg4(path, 25)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def _no_frames(path):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        container.start_encoding()


def _sound_only(path):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.int16), format="s16", layout="mono")
        sound.sample_rate = 8000
        container.mux(stream.encode(sound))
        container.mux(stream.encode())


BROKEN = {
    "truncated": _truncated,
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("This is no video.\n" * 100),
    "sound_only": _sound_only,
    "no_frames": _no_frames,
    "missing": lambda path: None,
}


def write_broken(folder, kind):
    """A broken .avi of this kind."""
    path = folder / f"{kind}.avi"
    BROKEN[kind](path)
    return path


def tabulate(paths):
    """A table of videos as caches want it; of a broken one it says what it was when it was listed."""
    rows = []
    for path in map(Path, paths):
        try:
            rows.append((str(path), probe_video(path).frames, content_hash(path)))
        except (VideoError, OSError):
            rows.append((str(path), 25, path.stem))
    return pd.DataFrame(rows, columns=["path", "frames", "hash"]).astype({"frames": int})
