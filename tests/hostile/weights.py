"""An attack with weights: other kinds of numbers, files that unpack to gigabytes or read other files, any damage."""

import io
import json
import pickle
import zipfile

import h5py
import numpy as np

from actlib import checkpoints, specs
from actlib.experiment import load_model
from actlib.torch import training as _torch_training  # noqa: F401  imported once, before processes are forked
from hostile.cards import FRAMES, make_card, make_weights
from hostile.checking import check

SECRET = b"what a file of weights must not read" * 4
GIGABYTE = 1_200_000_000
BYTES = {"BF16": 2, "F16": 2, "F32": 4, "F64": 8, "I8": 1, "I64": 8, "BOOL": 1, "F8_E4M3": 1}


def write_safetensors(path, arrays, card="{}"):
    """Write a file by hand: name -> (kind, shape, bytes)."""
    header, place, content = {"__metadata__": {"card": card}}, 0, b""
    for name, (kind, shape, data) in arrays.items():
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [place, place + len(data)]}
        place, content = place + len(data), content + data
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + content)
    return path


def _kinds(folder):
    """Files whose numbers are of other kinds, each for a model of three classes."""
    weights = {name: np.asarray(array, np.float32) for name, array in make_weights(FRAMES, 3).items()}
    whole = {name: ("F32", list(array.shape), array.tobytes()) for name, array in weights.items()}
    shape = whole["logits/kernel"][1]
    size = int(np.prod(shape))
    for kind, width in BYTES.items():
        yield kind, whole | {"logits/kernel": (kind, shape, bytes(size * width))}, kind not in ("F16", "F32", "F64")
    for name, array in {
        "0-d": np.float32(1),
        "0-d for a kernel": np.float32(1),
        "NaN": np.full(shape, np.nan, np.float32),
        "infinity": np.full(shape, np.inf, np.float32),
        "another shape": np.ones((1, 3), np.float32),
        "a row": np.ones(size, np.float32),
    }.items():
        place = "block1_conv1/kernel" if "for a kernel" in name else "logits/kernel"
        yield name, whole | {place: ("F32", list(np.shape(array)), array.tobytes())}, True
    yield "F64 beyond F32", whole | {"logits/kernel": ("F64", shape, np.full(size, 1e300).tobytes())}, True
    yield (
        "a variance below 0",
        whole | {"block1_conv1/moving_variance": ("F32", [4], np.full(4, -1, "f4").tobytes())},
        True,
    )
    yield "a std of 0", whole | {"preprocess/std": ("F32", [3], bytes(12))}, True
    yield "one too many", whole | {"more/kernel": ("F32", [1], bytes(4))}, True
    yield "one too few", {name: whole[name] for name in whole if name != "logits/bias"}, True
    yield "50,000 more", whole | {f"more{number}/kernel": ("F32", [0], b"") for number in range(50_000)}, True
    yield "no names", {}, True


def _write_npz(path, content, **options):
    with zipfile.ZipFile(path, "w", **options) as file:
        for name, data in content.items():
            file.writestr(name, data)
    return path


def _npy(array, **changes):
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        file, {"descr": array.dtype.str, "fortran_order": False, "shape": array.shape} | changes
    )
    return file.getvalue() + array.tobytes()


def _write_bomb(path):
    """A few megabytes that unpack to a gigabyte of zeros."""
    block, options = bytes(16_000_000), {"compression": zipfile.ZIP_DEFLATED, "compresslevel": 1}
    with zipfile.ZipFile(path, "w", **options) as file, file.open("block1_conv1/kernel.npy", "w") as member:
        member.write(_npy(np.zeros(0, "f4"), shape=(GIGABYTE // 4,)))
        for _ in range(GIGABYTE // len(block)):
            member.write(block)
    return path


def _list_npz(folder):
    """Names and functions that write a .npz."""
    one = np.ones(3, np.float32)
    yield "a bomb", _write_bomb
    yield (
        "pickles",
        lambda path: _write_npz(path, {"a.npy": _npy(np.zeros(0, "u1"), descr="|O", shape=(1,)) + pickle.dumps(print)}),
    )
    yield "a terabyte in a header", lambda path: _write_npz(path, {"a/kernel.npy": _npy(one, shape=(10**12,))})
    yield "text", lambda path: _write_npz(path, {"a/kernel.npy": _npy(np.array(["a" * 10**6]))})
    yield "no array", lambda path: _write_npz(path, {"a/kernel": b"text", "b.npy": b""})
    yield "complex numbers", lambda path: _write_npz(path, {"a/kernel.npy": _npy(np.ones(3, complex))})
    yield "an array under that name", lambda path: path.write_bytes(_npy(one))
    yield "a first kernel of one axis", lambda path: _write_npz(path, {"block1_conv1/kernel.npy": _npy(one)})
    for kind in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        yield (
            f"compression {kind}",
            lambda path, kind=kind: _write_npz(path, {"a/kernel.npy": _npy(one)}, compression=kind),
        )
    yield "a password", lambda path: _lock_zip(_write_npz(path, {"a/kernel.npy": _npy(one)}))


def _lock_zip(path):
    content = bytearray(path.read_bytes())
    for signature, place in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        content[content.index(signature) + place] |= 1
    path.write_bytes(bytes(content))


def _list_h5(folder):
    """Names and functions that fill a .h5."""
    secret = folder / "secret.txt"
    secret.write_bytes(SECRET)
    with h5py.File(folder / "other.h5", "w") as other:
        other["kernel"] = np.ones(8, np.float32)
    size = len(SECRET) // 4
    name = "block1_conv1/kernel"
    yield (
        "external storage",
        lambda file: file.create_dataset(name, (size,), "f4", external=[(str(secret), 0, 4 * size)]),
    )
    yield (
        "an external link",
        lambda file: file.__setitem__("block1_conv1", h5py.ExternalLink(str(folder / "other.h5"), "/")),
    )
    yield "a soft link", lambda file: file.__setitem__("block1_conv1", h5py.SoftLink("/nowhere"))
    layout = h5py.VirtualLayout((8,), "f4")
    layout[:] = h5py.VirtualSource(str(folder / "other.h5"), "kernel", (8,))
    yield "a virtual data set", lambda file: file.create_virtual_dataset(name, layout)
    yield (
        "a gigabyte that is not there",
        lambda file: file.create_dataset(name, (GIGABYTE // 4,), "f4", chunks=(10**6,)),
    )
    yield "a terabyte", lambda file: file.create_dataset(name, (10**12,), "f4", chunks=(10**6,))
    yield (
        "a chunk of a gigabyte",
        lambda file: file.create_dataset(
            name, (8,), "f4", maxshape=(None,), chunks=(GIGABYTE // 4,), compression="gzip"
        ).__setitem__(slice(0, 0), []),
    )
    yield "text", lambda file: file.create_dataset(name, data="words")
    yield "records", lambda file: file.create_dataset(name, data=np.zeros(2, [("a", "f4"), ("b", "i4")]))
    yield "nothing", lambda file: file.create_dataset(name, data=h5py.Empty("f4"))
    yield (
        "references",
        lambda file: file.create_dataset(name, data=np.array([file.ref], h5py.ref_dtype), dtype=h5py.ref_dtype),
    )
    yield "whole numbers", lambda file: file.create_dataset(name, data=np.ones((3, 3, 3, 4), np.int8))
    yield "a circle", lambda file: file.__setitem__("block1_conv1", file["/"])


def _write_h5(path, fill):
    with h5py.File(path, "w") as file:
        fill(file)
    return path


def _flip(rng, content):
    content = bytearray(content)
    for _ in range(int(rng.integers(1, 6))):
        place = int(min(rng.integers(len(content)), rng.integers(len(content))))
        content[place] = int(rng.integers(256))
    return bytes(content[: int(rng.integers(1, len(content) + 1))]) if rng.random() < 0.2 else bytes(content)


def _read(path, **options):
    return check(lambda: _use(path), names=[path], **options)


def _use(path):
    weights = checkpoints.read_weights(path)
    kinds = {(array.dtype, array.flags.c_contiguous) for array in weights.values()}
    return f"arrays of {kinds}" if kinds - {(np.dtype("float32"), True)} else None


def cases(rng, folder):
    """Yield (name, function): what is known to have been fatal, then damage."""
    for number, (name, arrays, refused) in enumerate(_kinds(folder)):
        path = write_safetensors(folder / f"kind{number}.safetensors", arrays, json.dumps(make_card(FRAMES)))
        yield (
            f"safetensors with {name}",
            lambda path=path, refused=refused: check(
                lambda: load_model(path, framework="torch") and None, names=[path], refused=refused, seconds=5
            ),
        )
    for number, (name, write) in enumerate(_list_npz(folder)):
        write(path := folder / f"npz{number}.npz")
        yield f"npz with {name}", lambda path=path, name=name: _read(path, refused=True, seconds=5)
    for number, (name, fill) in enumerate(_list_h5(folder)):
        path = folder / f"h5{number}.h5"
        _write_h5(path, fill)
        empty = name in ("an external link", "a soft link", "a circle")
        yield (
            f"h5 with {name}",
            lambda path=path, empty=empty: (
                check(
                    lambda: checkpoints.check_weights(
                        checkpoints.list_shapes(specs.VGG16), checkpoints.read_weights(path)
                    ),
                    refused=True,
                )
                if empty
                else _read(path, refused=True, seconds=5)
            ),
        )
    small = {"block1_conv1/kernel": np.ones((3, 3, 3, 4), np.float32), "block1_conv1/bias": np.ones(4, np.float32)}
    np.savez(folder / "good.npz", **small)
    np.savez_compressed(folder / "packed.npz", **small)
    _write_h5(
        folder / "good.h5",
        lambda file: [
            file.create_dataset(name, data=array, chunks=array.shape, compression="gzip")
            for name, array in small.items()
        ],
    )
    write_safetensors(
        folder / "good.safetensors",
        {name: ("F32", list(array.shape), array.tobytes()) for name, array in small.items()},
    )
    files = {name: (folder / name).read_bytes() for name in ("good.npz", "packed.npz", "good.h5", "good.safetensors")}
    for number in range(100):
        for name, content in files.items():
            path = folder / f"flip{number}-{name}"
            path.write_bytes(_flip(rng, content))
            yield f"damaged {path.name}", lambda path=path: _read(path, seconds=5)
