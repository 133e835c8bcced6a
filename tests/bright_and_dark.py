"""A data set in UCF-101's layout that takes a second to make: bright and dark videos of eight groups."""

import av
import numpy as np

SHADES = {"Bright": 220, "Dark": 40}


def write_data(folder):
    """Write 16 videos of 20 frames; in split 1 groups 1 to 3 are tested."""
    for name, shade in SHADES.items():
        for group in range(1, 9):
            write_avi(folder / "UCF-101" / f"{name}/v_{name}_g{group:02d}_c01.avi", shade + group)
    write_split(folder, 1, tested=(1, 2, 3))
    return folder


def write_split(folder, split, *, tested):
    """Write the lists of a split in which these groups are tested."""
    lists = {"trainlist": "", "testlist": ""}
    for label, name in enumerate(SHADES, start=1):
        for group in range(1, 9):
            video = f"{name}/v_{name}_g{group:02d}_c01.avi"
            lists["testlist" if group in tested else "trainlist"] += video + f" {label}" * (group not in tested) + "\n"
    (folder / "ucfTrainTestlist").mkdir(exist_ok=True)
    (folder / "ucfTrainTestlist" / "classInd.txt").write_text("1 Bright\n2 Dark\n")
    for name, text in lists.items():
        (folder / "ucfTrainTestlist" / f"{name}0{split}.txt").write_text(text)


def write_avi(path, shade):
    """Write 20 frames of 48 x 64 pixels: noise around a shade."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(shade)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(20):
            pixels = (shade + noise.integers(-30, 30, (48, 64, 3))).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
