"""An attack with films that are whole but odd: formats of pixels, clocks, edit lists, pictures beside, names that lie.

What was drawn is known, so that what is read can be held against it: the number of frames, upright and in order.
"""

import struct
import warnings
from fractions import Fraction

import av
import numpy as np

from actlib.video import browser_copy, open_video, probe_video, read_clip, read_frames, stream_frames
from hostile.checking import check
from hostile.videos import ALLOWED, try_video

SIZE, NUM_FRAMES, FPS = (48, 64), 20, 25
CLOSE = 14  # grey levels, on average, by which a lossy frame may differ from what was drawn


def draw(number, size=SIZE):
    """A frame with its number in it, as a bar from the left, and another colour in each corner."""
    picture = np.full((*size, 3), 60, np.uint8)
    height, width = size
    picture[: height // 3, : width // 3] = (200, 40, 40)
    picture[-height // 3 :, : width // 3] = (40, 200, 40)
    picture[height // 3 : 2 * height // 3, : max(1, width * (number + 1) // (NUM_FRAMES + 1))] = 220
    return picture


def write(path, codec, pixels, *, size=SIZE, num_frames=NUM_FRAMES, rate=FPS, clock=None, prepare=None, **options):
    """Write a film; `clock` gives the time of each frame in frames, `prepare(container, stream)` comes before them."""
    with av.open(str(path), "w", **options) as container:
        stream = container.add_stream(codec, rate=rate)
        stream.height, stream.width, stream.pix_fmt = *size, pixels
        if codec not in ("rawvideo", "ffv1", "png", "gif", "huffyuv", "ffvhuff", "qtrle", "tiff", "bmp"):
            stream.codec_context.bit_rate = 3_000_000
        if prepare:
            prepare(container, stream)
        for number in range(num_frames):
            frame = av.VideoFrame.from_ndarray(draw(number, size)).reformat(format=pixels)
            frame.pts, frame.time_base = (clock or int)(number), 1 / Fraction(rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def _differ(frame, number, size, grey):
    wanted = draw(number, size).astype(int)
    wanted = np.repeat(wanted.mean(2, keepdims=True), 3, axis=2) if grey else wanted
    return np.abs(frame.astype(int) - wanted).mean()


def _try_film(path, *, num_frames=NUM_FRAMES, size=SIZE, close=CLOSE, grey=False, turns=0):
    """All that the library does with a video, and what it shows against what was drawn; None: it may also refuse."""
    result = try_video(path)
    if result != "survived":
        return result
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            frames = [*read_frames(path)]
    except ALLOWED as error:
        return None if num_frames is None else f"refused: {error}"
    if num_frames is None:
        return None
    if len(frames) != num_frames or probe_video(path).frames != num_frames:
        return f"{len(frames)} frames read, {probe_video(path).frames} told, {num_frames} written"
    if close is not None:
        found = [_differ(np.rot90(frame, -turns), number, size, grey) for number, frame in enumerate(frames)]
        if max(found) > close:
            return f"frame {np.argmax(found)} shows something else, by {max(found):.1f} grey levels"
    if max(size) > 1280 or min(size) < 8 or probe_video(path).fps > 30:  # shrunk, padded or thinned out for the screen
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        copy = browser_copy(path, folder=path.parent / "browser")
        first, shown = next(iter(stream_frames(open_video(path)))), next(iter(read_frames(copy)))
    if first.shape != frames[0].shape or abs(first.mean() - frames[0].mean()) > 6:
        return f"a stream shows another picture: {first.shape} {first.mean():.0f}, {frames[0].mean():.0f}"
    if abs(shown.mean() - first.mean()) > 8:
        return f"the copy for the browser shows another picture: {shown.mean():.0f}, {first.mean():.0f}"
    return None


def _turn(path, degrees):
    """Write a turn into the header of an MP4's track, as telephones do."""
    cos, sin = {90: (0, 1), 180: (-1, 0), 270: (0, -1)}[degrees]
    content = bytearray(path.read_bytes())
    place = content.index(b"tkhd") + 4 + 40
    matrix = [cos << 16, sin << 16, 0, -sin << 16, cos << 16, 0, 0, 0, 1 << 30]
    content[place : place + 36] = struct.pack(">9i", *matrix)
    path.write_bytes(content)


def _remux(path, source, change):
    """Copy a film's packets through `change(number, packet)`, which gives those that are kept."""
    with av.open(str(source)) as old, av.open(str(path), "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        for number, packet in enumerate(old.demux(old.streams.video[0])):
            if packet.dts is not None:
                for kept in change(number, packet):
                    kept.stream = stream
                    new.mux(kept)
    return path


def _list_formats():
    """Yield (file, codec, format of pixels, what `_try_film` is told)."""
    for pixels in (
        "gray",
        "gray10le",
        "gray16le",
        "yuv444p",
        "yuv444p10le",
        "yuv422p",
        "yuv411p",
        "yuv410p",
        "bgr0",
        "gbrp10le",
        "yuv420p16le",
    ):
        yield f"{pixels}.mkv", "ffv1", pixels, {"grey": pixels.startswith("gray")}
    for pixels in ("yuva444p", "yuva420p", "bgra", "yuva444p10le"):
        yield f"{pixels}.mkv", "ffv1", pixels, {}
    for pixels in ("bgr24", "rgb555le", "yuyv422", "uyvy422", "gray"):
        yield (
            f"raw-{pixels}.avi",
            "rawvideo",
            pixels,
            {"grey": pixels == "gray", "close": None if pixels == "rgb555le" else CLOSE},
        )
    yield "rgb24.mov", "rawvideo", "rgb24", {}
    for pixels in ("yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv444p10le", "gray"):
        yield f"h264-{pixels}.mp4", "libx264", pixels, {"grey": pixels == "gray", "close": CLOSE + 4}
    yield "huffyuv.avi", "huffyuv", "rgb24", {}
    yield "mjpeg-full.avi", "mjpeg", "yuvj444p", {}
    yield "palette.gif", "gif", "rgb8", {"close": 40, "num_frames": None}
    yield "png.avi", "png", "rgba", {}
    yield "palette.mov", "qtrle", "rgb24", {}
    yield "dnx.mov", "prores_ks", "yuv422p10le", {}
    yield "theora.ogg", "libtheora", "yuv420p", {"num_frames": None}
    yield "vp8.webm", "libvpx", "yuv420p", {}
    yield "h263.avi", "flv", "yuv420p", {}
    yield "mpeg1.mpg", "mpeg1video", "yuv420p", {}
    yield "mpeg2.mxf", "mpeg2video", "yuv420p", {"num_frames": None}
    yield "ffvhuff.nut", "ffvhuff", "yuv420p", {}
    yield "raw.y4m", "wrapped_avframe", "yuv420p", {"num_frames": None}


def _list_clocks():
    """Yield (name, time of frame n in frames, how many frames come of it or None for either)."""
    yield "late", lambda n: n + 1000, NUM_FRAMES
    yield "before zero", lambda n: n - 10, None  # an edit list may leave them out
    yield "with gaps", lambda n: n * n, NUM_FRAMES
    yield "in bursts", lambda n: n // 5 * 50 + n % 5, NUM_FRAMES
    yield "slowing down", lambda n: int(1.5**n), NUM_FRAMES


def _list_boxes(path, rng):
    """Damage the boxes of an MP4 that say when and what is shown."""
    content = path.read_bytes()
    for box in (
        b"elst",
        b"stts",
        b"ctts",
        b"stsz",
        b"stco",
        b"stsc",
        b"stss",
        b"mvhd",
        b"tkhd",
        b"mdhd",
        b"avcC",
        b"moov",
    ):
        if (place := content.find(box)) >= 0:
            for way in ("zeros", "ones", "noise", "gone"):
                changed, start = bytearray(content), place + (8 if way != "gone" else 0)
                length = min(24, int.from_bytes(content[place - 4 : place], "big") - 12)
                filling = {
                    "zeros": bytes(length),
                    "ones": b"\xff" * length,
                    "noise": rng.bytes(length),
                    "gone": b"free",
                }[way]
                changed[start : start + len(filling)] = filling
                yield f"mp4 with {way} in {box.decode()}", bytes(changed)


LIES = (0, 1, 2**31 - 1, 2**31, 2**32 - 1)
AVI = {"frame microseconds": (b"avih", 8), "frames": (b"avih", 24), "streams": (b"avih", 32), "width": (b"avih", 40)}
AVI |= {"scale": (b"strh", 28), "rate": (b"strh", 32), "start": (b"strh", 36), "length": (b"strh", 40)}
AVI |= {"buffer": (b"strh", 44), "sample size": (b"strh", 52), "stored width": (b"strf", 12), "bits": (b"strf", 20)}
AVI |= {"bytes of frames": (b"movi", -4), "bytes of the index": (b"idx1", 4), "place of the first": (b"idx1", 16)}


def _list_headers(avi, mkv):
    """Have the headers of an AVI and a Matroska film say what is not so; yield (name, file, bytes)."""
    for name, (box, place) in AVI.items():
        place += avi.index(box)
        for lie in LIES:
            yield f"avi that says {lie} {name}", "lie.avi", avi[:place] + struct.pack("<I", lie) + avi[place + 4 :]
    place = mkv.index(b"\x44\x89\x88") + 3  # its duration, a double
    for lie in (0.0, -1.0, 1.0, 1e12, 1e300, float("inf"), float("nan")):
        yield f"mkv of {lie} milliseconds", "lie.mkv", mkv[:place] + struct.pack(">d", lie) + mkv[place + 8 :]


EDITS = {  # (length in units of 1/1000 s, first time in the track's units, rate in 1/65536) of each
    "an empty edit": [(1000, -1, 1 << 16), (800, 0, 1 << 16)],
    "an edit of nothing": [(0, 0, 1 << 16)],
    "only an empty edit": [(1000, -1, 1 << 16)],
    "the same edit twice": [(800, 0, 1 << 16)] * 2,
    "edits backwards": [(400, 5000, 1 << 16), (400, 0, 1 << 16)],
    "an edit that skips": [(400, 5000, 1 << 16)],
    "an edit at double speed": [(400, 0, 2 << 16)],
    "an edit at no speed": [(800, 0, 0)],
    "an edit of days": [(2**31 - 1, 0, 1 << 16)],
    "an edit after the end": [(800, 2**31 - 1, 1 << 16)],
    "1,000 edits": [(1, 0, 1 << 16)] * 1_000,
}


def _edit(content, edits):
    """Write another edit list into an MP4 whose `moov` comes last."""
    rows = b"".join(struct.pack(">Iii", *edit) for edit in edits)
    box = struct.pack(">I4sII", 16 + len(rows), b"elst", 0, len(edits)) + rows
    place = content.index(b"elst") - 4
    old = int.from_bytes(content[place : place + 4], "big")
    changed = bytearray(content[:place] + box + content[place + old :])
    for parent in (b"edts", b"trak", b"moov"):
        start = content.index(parent) - 4
        size = int.from_bytes(content[start : start + 4], "big")
        changed[start : start + 4] = struct.pack(">I", size + len(box) - old)
    return bytes(changed)


MATRICES = {  # a, b, u, c, d, v, x, y, w: what becomes of a frame's places
    "by 45 degrees": (46341, 46341, 0, -46341, 46341, 0, 0, 0, 1 << 30),
    "mirrored": (-65536, 0, 0, 0, 65536, 0, 0, 0, 1 << 30),
    "mirrored and turned": (0, 65536, 0, 65536, 0, 0, 0, 0, 1 << 30),
    "to nothing": (0,) * 9,
    "to the moon": (2**31 - 1,) * 9,
    "twice as wide": (131072, 0, 0, 0, 65536, 0, 0, 0, 1 << 30),
}


def _turn_oddly(content, matrix):
    place = content.index(b"tkhd") + 4 + 40
    return content[:place] + struct.pack(">9i", *matrix) + content[place + 36 :]


def _write_sound(path):
    """Sound alone."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(
            "mp2" if path.suffix in (".ts", ".mpg") else "pcm_s16le" if path.suffix == ".avi" else "aac",
            rate=44100,
            layout="mono",
        )
        for number in range(9):
            sound = av.AudioFrame.from_ndarray(np.zeros((1, 1152), np.int16), format="s16", layout="mono")
            sound.sample_rate, sound.pts = 44100, 1152 * number
            container.mux(stream.encode(sound))
        container.mux(stream.encode())


def _add_cover(container, stream):
    cover = container.add_stream("mjpeg", rate=1)
    cover.width, cover.height, cover.pix_fmt = 16, 16, "yuvj420p"
    cover.disposition = av.stream.Disposition.attached_pic
    frame = av.VideoFrame.from_ndarray(np.full((16, 16, 3), 255, np.uint8)).reformat(format="yuvj420p")
    frame.pts = 0
    container.mux(cover.encode(frame))


def _add_second(container, stream):
    other = container.add_stream("mpeg4", rate=FPS)
    other.width, other.height, other.pix_fmt = 32, 32, "yuv420p"
    for number in range(3):
        frame = av.VideoFrame.from_ndarray(np.full((32, 32, 3), 255, np.uint8)).reformat(format="yuv420p")
        frame.pts, frame.time_base = number, Fraction(1, FPS)
        container.mux(other.encode(frame))
    container.mux(other.encode())


def _add_sound(container, stream):
    container.add_stream("aac", rate=44100, layout="mono")  # of no length


def _set(**values):
    def prepare(container, stream):
        for name, value in values.items():
            setattr(stream.codec_context, name, value)

    return prepare


def cases(rng, folder):
    """Yield (name, function)."""
    count = 0

    def make(name, file, write_it, **told):
        nonlocal count
        count += 1
        place = folder / str(count)
        place.mkdir()
        path = place / file

        def attempt():
            try:
                write_it(path)
            except (av.error.FFmpegError, ValueError):
                told["num_frames"] = None  # what FFmpeg does not write whole
            return _try_film(path, **told) if path.exists() else None

        return name, attempt

    for file, codec, pixels, told in _list_formats():
        yield make(f"format {file}", file, lambda path, c=codec, p=pixels: write(path, c, p), **told)
    for kind, codec in (
        ("mkv", "libx264"),
        ("mp4", "libx264"),
        ("avi", "mpeg4"),
        ("webm", "libvpx"),
        ("ts", "mpeg2video"),
    ):
        for name, clock, number in _list_clocks():
            told = number if kind != "avi" else None
            yield make(
                f"clock {name} in {kind}",
                f"clock.{kind}",
                lambda path, c=codec, k=clock: write(path, c, "yuv420p", clock=k),
                num_frames=told,
            )
    for degrees in (90, 180, 270):

        def turned(path, degrees=degrees):
            write(path, "libx264", "yuv420p")
            _turn(path, degrees)

        yield make(f"turned by {degrees}", "turned.mp4", turned, turns=-degrees // 90)
    for size in ((1, 1), (2, 2), (3, 5), (17, 33), (47, 63), (2, 2000), (2000, 2), (1, 4096)):
        yield make(
            f"size {size}",
            "size.mkv",
            lambda path, size=size: write(path, "ffv1", "bgr0", size=size),
            size=size,
            close=None,
        )
        even = tuple(side + side % 2 for side in size)
        yield make(
            f"size {even} in mp4",
            "size.mp4",
            lambda path, size=even: write(path, "libx264", "yuv420p", size=size),
            size=even,
            close=None,
        )
    for rate in (1, Fraction(30000, 1001), 60, 240, 1000, 5000, Fraction(1, 3), Fraction(1, 1000)):
        told = {"num_frames": NUM_FRAMES if 1 <= rate <= 240 else None}
        yield make(
            f"rate {rate}", "rate.mkv", lambda path, rate=rate: write(path, "libx264", "yuv420p", rate=rate), **told
        )
        yield make(
            f"rate {rate} in avi",
            "rate.avi",
            lambda path, rate=rate: write(path, "mpeg4", "yuv420p", rate=rate),
            num_frames=None,
        )
    for aspect in (
        Fraction(1, 2),
        Fraction(16, 11),
        Fraction(3, 1),
        Fraction(1, 100),
        Fraction(100, 1),
        Fraction(10**6, 10**6 - 1),
    ):
        yield make(
            f"pixels of {aspect}",
            "aspect.mp4",
            lambda path, a=aspect: write(path, "libx264", "yuv420p", prepare=_set(sample_aspect_ratio=a)),
            close=None,
        )
    interlaced = _set(options={"flags": "+ildct+ilme", "x264-params": "tff=1"})
    yield make("interlaced", "interlaced.mp4", lambda path: write(path, "libx264", "yuv420p", prepare=interlaced))
    yield make(
        "interlaced MPEG-2",
        "interlaced.ts",
        lambda path: write(path, "mpeg2video", "yuv420p", prepare=_set(options={"flags": "+ildct+ilme"})),
    )
    for kind in ("mp4", "mkv", "mov", "avi"):
        yield make(
            f"a cover in {kind}",
            f"cover.{kind}",
            lambda path: write(path, "mpeg4", "yuv420p", prepare=_add_cover),
            num_frames=None,
        )
        yield make(
            f"a second film in {kind}",
            f"second.{kind}",
            lambda path: write(path, "mpeg4", "yuv420p", prepare=_add_second),
            num_frames=None,
        )
        yield make(
            f"sound of no length in {kind}",
            f"sound.{kind}",
            lambda path: write(path, "mpeg4", "yuv420p", prepare=_add_sound),
            num_frames=None,
        )
    yield make(
        "fragments",
        "fragments.mp4",
        lambda path: write(path, "libx264", "yuv420p", options={"movflags": "frag_keyframe+empty_moov"}),
    )
    yield make(
        "an edit list",
        "edits.mp4",
        lambda path: write(path, "libx264", "yuv420p", prepare=_set(max_b_frames=3), options={"use_editlist": "1"}),
    )
    changes = {
        "no first packet": lambda number, packet: [packet] if number else [],
        "no key frame": lambda number, packet: [] if packet.is_keyframe else [packet],
        "no packet": lambda number, packet: [],
        "one packet": lambda number, packet: [packet] if not number else [],
        "every other packet": lambda number, packet: [packet] if number % 2 == 0 else [],
        "every packet twice": lambda number, packet: [packet] * 2,
        "key frames twice": lambda number, packet: [packet] * (1 + packet.is_keyframe),
    }
    for name, change in changes.items():
        for kind, codec in (
            ("mkv", "libx264"),
            ("ts", "mpeg2video"),
            ("avi", "mpeg4"),
            ("mp4", "libx264"),
            ("mkv", "mpeg4"),
        ):

            def cut(path, kind=kind, codec=codec, change=change):
                source = write(
                    path.with_name(f"source.{kind}"), codec, "yuv420p", prepare=_set(gop_size=6, max_b_frames=2)
                )
                _remux(path, source, change)

            yield make(f"{name} in {kind}", f"packets.{kind}", cut, num_frames=None)
    for kind, codec in (
        ("ts", "mpeg2video"),
        ("avi", "mpeg4"),
        ("mkv", "libx264"),
        ("mp4", "libx264"),
        ("mpg", "mpeg1video"),
        ("flv", "flv"),
        ("h264", "libx264"),
    ):

        def joined(path, codec=codec):
            write(path, codec, "yuv420p")
            path.write_bytes(path.read_bytes() * 2)

        yield make(f"two {kind} in one", f"joined.{kind}", joined, num_frames=None)
        for lie in ("avi", "mp4", "mkv"):

            def renamed(path, kind=kind, codec=codec):
                write(path.with_name(f"true.{kind}"), codec, "yuv420p").rename(path)

            yield make(f"{kind} named {lie}", f"lie.{lie}", renamed, num_frames=None)
    for kind, codec in (("ts", "mpeg2video"), ("h264", "libx264"), ("mpg", "mpeg1video"), ("avi", "mpeg4")):

        def growing(path, codec=codec):
            larger = write(path.with_name(f"larger{path.suffix}"), codec, "yuv420p", size=(96, 128)).read_bytes()
            path.write_bytes(write(path, codec, "yuv420p").read_bytes() + larger)

        yield make(f"a {kind} that grows", f"grows.{kind}", growing, num_frames=None)
    for kind in ("avi", "mp4", "mkv", "mov", "ts", "mpg"):
        yield make(f"sound alone in {kind}", f"sound.{kind}", _write_sound, num_frames=None)
    headers = [write(folder / f"header.{kind}", "mpeg4", "yuv420p").read_bytes() for kind in ("avi", "mkv")]
    for name, file, content in _list_headers(*headers):
        yield make(name, file, lambda path, content=content: path.write_bytes(content), num_frames=None)
    plain = write(folder / "plain.mp4", "libx264", "yuv420p", prepare=_set(max_b_frames=2))
    content = plain.read_bytes()
    changed = {name: _edit(content, edits) for name, edits in EDITS.items()}
    changed |= {f"turned {name}": _turn_oddly(content, matrix) for name, matrix in MATRICES.items()}
    for name, content in changed.items():
        yield make(name, "changed.mp4", lambda path, content=content: path.write_bytes(content), num_frames=None)
    for name, content in _list_boxes(plain, rng):
        yield make(name, "boxes.mp4", lambda path, content=content: path.write_bytes(content), num_frames=None)
    for name in (
        "a b.avi",
        "ü.avi",
        "-.avi",
        "film.AVI",
        "%d.avi",
        "a:b.avi",
        "a'b.avi",
        "\n.avi",
        "a\\b.avi",
        "\udcff.avi",
        "~.avi",
        "*.avi",
        "file:a.avi",
    ):
        yield make(
            f"name {name!r}", name, lambda path: write(path.with_name("film.avi"), "mpeg4", "yuv420p").rename(path)
        )
    clip = folder / "clip.avi"
    write(clip, "mpeg4", "yuv420p")
    for indices in ([10**9], [-1], [0.5], [], [True], [float("nan")], ["0"], [[0]], 3, None, [0, 10**6], [2**63]):
        yield f"indices {indices!r}", lambda indices=indices: _try_indices(clip, indices)
    for size in (0, -1, (0, 5), (5, 5, 5), "8", 2.5, None, 10**6, float("nan"), True):
        yield f"a side of {size!r}", lambda size=size: _try_size(clip, size)


def _try_indices(clip, indices):
    return check(lambda: read_clip(clip, indices) is None, names=["Expected indices", clip], allowed=ALLOWED)


def _try_size(clip, size):
    try:
        read_clip(clip, [0], size=size)
    except (*ALLOWED, TypeError, MemoryError):
        return None
    return None
