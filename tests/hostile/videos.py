"""An attack on whatever reads videos: small films of many kinds, cut, damaged, or made odd on purpose.

`cases(rng, folder)` yields (name, function) without end; a function returns None where the library got through (it read
the file rightly, or refused it with a word), else a string that says what went wrong.
"""

import errno
import os
import socket
import warnings
import zlib
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from actlib.dataset import FrameCache, list_videos
from actlib.video import browser_copy, open_video, probe_video, read_clip, read_frames, stream_frames
from hostile.checking import check

KINDS = {
    "mpeg4.avi": ("mpeg4", "yuv420p"),
    "mpeg4_b_frames.avi": ("mpeg4", "yuv420p"),
    "mjpeg.avi": ("mjpeg", "yuvj420p"),
    "ffv1.avi": ("ffv1", "yuv420p"),
    "h264.mp4": ("libx264", "yuv420p"),
    "mpeg4.mov": ("mpeg4", "yuv420p"),
    "alpha.mov": ("qtrle", "argb"),
    "h264.mkv": ("libx264", "yuv420p"),
    "ffv1.mkv": ("ffv1", "yuv420p"),
    "vp9.webm": ("libvpx-vp9", "yuv420p"),
    "flv.flv": ("flv", "yuv420p"),
    "mpeg2.ts": ("mpeg2video", "yuv420p"),
    "mpeg2.mpg": ("mpeg2video", "yuv420p"),
    "wmv2.wmv": ("wmv2", "yuv420p"),
    "h264.h264": ("libx264", "yuv420p"),
    "picture.png": ("png", "rgb24"),
}
COUNTED = (".avi", ".mp4", ".mov", ".mkv", ".webm")  # containers whose header says how much there is
NUM_FRAMES, FPS = 30, 25
SPARE_SECONDS = 70.0  # of a stream beyond its frames: what a broken clock may add
ALLOWED = (ValueError, OSError)


def write_film(path, kind, rng, *, size=(48, 64), fps=FPS, num_frames=NUM_FRAMES):
    """Write a film of a wandering square on noise, in one of KINDS, XVID where it is MPEG-4 in AVI."""
    codec, pixels = KINDS[kind]
    front = {"movflags": "+faststart"} if kind.endswith(("mp4", "mov")) and rng.random() < 0.5 else {}
    ground = rng.integers(0, 160, (*size, 3), dtype=np.uint8)
    with av.open(str(path), "w", options=front) as container:
        stream = container.add_stream(codec, rate=fps)
        stream.height, stream.width, stream.pix_fmt = *size, pixels
        stream.codec_context.gop_size, stream.codec_context.bit_rate = int(rng.integers(1, 20)), 4_000_000
        stream.codec_context.max_b_frames = 2 if "b_frames" in kind else 0
        if kind == "mpeg4.avi":
            stream.codec_context.codec_tag = "XVID"
        for number in range(1 if codec == "png" else num_frames):
            picture = ground.copy()
            picture[: size[0] // 2, : size[1] // 2] += np.uint8(3 * number)
            frame = av.VideoFrame.from_ndarray(picture).reformat(format=pixels)
            frame.pts, frame.time_base = number, 1 / Fraction(fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def mutate_video(path, rng):
    """Damage a file in place, in one of several ways, and return which."""
    data = bytearray(path.read_bytes())
    way = str(rng.choice(["cut", "bits", "bytes", "head", "zeros", "hole", "swap", "doubled", "tail"]))
    where, length = int(rng.integers(len(data))), int(rng.integers(1, 400))
    if way == "cut":
        data = data[: 1 + int(len(data) * rng.uniform(0.1, 1))]
    elif way in ("bits", "bytes", "head"):
        most = min(len(data), 1000) if way == "head" else len(data)
        for place in rng.integers(most, size=int(rng.integers(1, 20))):
            data[place] = data[place] ^ (1 << int(rng.integers(8))) if way == "bits" else int(rng.integers(256))
    elif way == "zeros":
        data[where : where + length] = bytes(len(data[where : where + length]))
    elif way == "hole":
        del data[where : where + length]
    elif way == "swap":
        other = int(rng.integers(len(data)))
        data[where : where + length], data[other : other + length] = (
            data[other : other + length],
            data[where : where + length],
        )
    elif way == "doubled":
        data[where:where] = data[where : where + length]
    else:
        data += rng.bytes(length)
    path.write_bytes(data)
    return way


def try_video(path, *, whole=None):
    """Do all that the library does with a video; return "survived", or what went wrong.

    Args:
        path: video file.
        whole: number of frames of the file that this one is a piece of; with fewer it has to be refused.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        info, problem = _attempt(lambda: probe_video(path), path)
        rows, refused = [], None
        try:
            rows.extend(zlib.crc32(frame) for frame in read_frames(path))
        except ALLOWED as error:
            refused = error
        found = [problem, _check_refusal(path, refused)]
        if info is not None and whole is not None and info.frames < whole:
            found.append(f"{info.frames} of {whole} frames count as whole")
        if info is not None and refused is None and not 0 <= info.frames - len(rows) <= max(2, info.frames // 100):
            found.append(f"{info.frames} frames are told, {len(rows)} are there")
        found += _check_indices(path, rows) + [_check_stream(path, len(rows))]
        found.append(_attempt(lambda: browser_copy(path, folder=path.parent / "browser"), path)[1])
    found = [text for text in found if text]
    return "; ".join(found) or "survived"


def _attempt(work, path):
    """Return what work returns, or None, and what is wrong with the word that it refuses with."""
    try:
        return work(), None
    except ALLOWED as error:
        return None, _check_refusal(path, error)
    except Exception as error:
        return None, f"{type(error).__name__}: {error}"


def _check_refusal(path, error):
    said = "Expected" in str(error) or isinstance(error, OSError)
    if error is None or (said and path.stem in str(error)):
        return None
    return f"a refusal without a word or a name: {error!r}"


def _check_indices(path, rows):
    """Compare frames read by index with those read in a row, each alone and all at once."""
    found = []
    picked = [[index] for index in {0, len(rows) // 2, len(rows) - 1} if index >= 0] + [list(range(len(rows)))] * any(
        rows
    )
    for indices in picked:
        clip, problem = _attempt(lambda indices=indices: read_clip(path, indices), path)
        found.append(problem)
        if clip is not None and [zlib.crc32(frame) for frame in clip] != [rows[index] for index in indices if rows]:
            found.append(f"other pixels by index than in a row at {indices[:3]}")
    return found


def _check_stream(path, num_frames):
    """Stream a video as `annotate` does; it must not grow beyond its frames by more than a broken clock may add."""

    def count():
        video = open_video(path)
        most = max(num_frames, video.num_frames) + SPARE_SECONDS * video.fps
        number = sum(1 for _ in stream_frames(video, size=8))
        return None if number <= most else f"{num_frames} frames became {number}"

    grown, problem = _attempt(count, path)
    return grown or problem


def _write_odd(rng, folder):
    """Yield (name, path) of what is no regular film but looks like one."""
    film = write_film(folder / "plain.avi", "mpeg4.avi", rng)
    for name, text in (
        ("concat", f"ffconcat version 1.0\nfile {film.name}\n"),
        ("playlist", f"#EXTM3U\n#EXTINF:1,\n{film}\n#EXT-X-ENDLIST\n"),
        ("sdp", "v=0\no=- 0 0 IN IP4 127.0.0.1\nm=video 9 RTP/AVP 96\n"),
    ):
        (folder / f"{name}.avi").write_text(text)
        yield name, folder / f"{name}.avi"
    os.mkfifo(folder / "pipe.avi")
    yield "pipe", folder / "pipe.avi"
    for name, target in (("zero", "/dev/zero"), ("dangling", "nowhere.avi"), ("loop", "loop.avi")):
        (folder / f"{name}.avi").symlink_to(target)
        yield name, folder / f"{name}.avi"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(folder / "socket.avi"))  # its path may have 100 bytes
        yield "socket", folder / "socket.avi"
    for kind, size, fps in (
        ("ffv1.mkv", (1, 1), 25),
        ("ffv1.mkv", (2, 8000), 25),
        ("mpeg4.avi", (48, 64), Fraction(1, 9999)),
    ):
        path = folder / f"{size[0]}x{size[1]}_{float(fps):.4f}_{kind}"
        yield path.name, write_film(path, kind, rng, size=size, fps=fps, num_frames=3)


def _try_film(kind, seed, folder):
    """Write a film, damage it, and try it; what fails keeps its file."""
    rng = np.random.default_rng(seed)
    path = write_film(folder / f"{seed}_{kind}", kind, rng)
    way = mutate_video(path, rng)
    cut = way == "cut" and path.suffix in COUNTED
    result = try_video(path, whole=NUM_FRAMES if cut else None)
    if result == "survived":
        path.unlink()
        return None
    return f"{way}, {path}: {result}"


def _try_odd(path):
    if path.stem in ("concat", "playlist", "sdp") and _attempt(lambda: probe_video(path), path)[0]:
        return "a list of files is opened"
    result = try_video(path)
    return None if result == "survived" else result


def _list_odd(folder):
    """List a data set of one good film and everything odd: with `skip_broken` the good one is left."""
    place = folder / "data" / "Odd"
    place.mkdir(parents=True, exist_ok=True)
    for number, path in enumerate([*folder.glob("*.avi")]):
        if not (place / f"v_Odd_g01_c{number:02d}.avi").is_symlink():
            (place / f"v_Odd_g01_c{number:02d}.avi").symlink_to(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            table = list_videos(folder / "data", skip_broken=True, progress=False)
        except Exception as error:
            return f"a data set is stopped by one file: {error!r}"
    return None if len(table) else "nothing is left of a data set with a good film"


def _list_unreadable(folder):
    """List a data set whose second class cannot be read: with `skip_broken` the first is left, else it is named."""
    for label in ("Film", "Locked"):
        (folder / label).mkdir(parents=True)
        write_film(folder / label / f"v_{label}_g01_c01.avi", "mpeg4.avi", np.random.default_rng(0))
    (folder / "Film" / "v_Film_g02_c01.avi").symlink_to(folder / "nowhere.avi")
    iterate = Path.iterdir

    def refuse(path):  # root may read anything, so it is played
        if path.name == "Locked":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return iterate(path)

    Path.iterdir = refuse
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            table = list_videos(folder, skip_broken=True, progress=False)
        except Exception as error:
            return f"a data set is stopped by one folder or link: {error!r}"
    answer = check(lambda: list_videos(folder, progress=False) is None, names=[folder / "Locked"], refused=True)
    return answer or (None if len(table) == 1 else f"{len(table)} videos of one that is good")


def _read_endless(folder, target):
    """What the library itself writes becomes a pipe, or a link: it is made again, as it was."""
    os.environ["ACTLIB_CACHE"] = str(folder / "cache")
    (folder / "Film").mkdir(parents=True)
    write_film(folder / "Film" / "v_Film_g01_c01.avi", "mpeg4.avi", np.random.default_rng(0))

    def read():
        table = list_videos(folder, progress=False)
        cache = FrameCache(table, num_frames=4, size=16, progress=False)
        return table.to_json(), cache.path(0), cache[0].tobytes()

    first = read()
    (index,) = (folder / "cache" / "index").iterdir()
    for path in (index, first[1], folder / "sample.json"):
        path.unlink(missing_ok=True)
        path.symlink_to(target) if target else os.mkfifo(path)
        if read() != first:
            return f"another listing, or other frames, with {target or 'a pipe'} under {path}"
    return None


def cases(rng, folder):
    """Yield (name, function) without end: first what is odd, then damaged films of every kind in turn."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    odd = folder / "odd"
    odd.mkdir()
    for name, path in _write_odd(rng, odd):
        yield f"odd {name}", lambda path=path: _try_odd(path)
    yield "odd data set", lambda: _list_odd(odd)
    yield "a class that cannot be read", lambda: _list_unreadable(folder / "unreadable")
    for number, target in enumerate((None, "/dev/zero", "nowhere", ".")):
        yield f"{target or 'a pipe'} for a file", lambda n=number, t=target: _read_endless(folder / f"own{n}", t)
    while True:
        for kind in KINDS:
            seed = int(rng.integers(2**31))
            yield f"damaged {kind} {seed}", lambda kind=kind, seed=seed: _try_film(kind, seed, folder)
