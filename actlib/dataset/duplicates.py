"""Videos of which frames look alike: cuts of one recording, or a copy under another name."""

import numpy as np
import pandas as pd

from actlib.dataset.cache import FrameCache

NUM_FRAMES, MAX_BITS = 8, 4  # frames looked at of each video; bits of 64 in which two that look alike may differ
MIN_CONTRAST = 4.0  # grey levels; a frame without any, as of a fade, looks like every other
BLOCK = 256  # hashes compared with all others at once


def find_near_duplicates(videos, *, progress=True) -> pd.DataFrame:
    """Find pairs of videos that show nearly the same picture at some moment: most likely parts of one recording.

    It hides from this what another camera or moment shows, so name groups yourself where you can.

    Args:
        videos, progress: table of `list_videos`; show a bar while they are decoded.

    Returns:
        A row for each pair, the most similar first: `first` and `second`, their rows' numbers, and in how many `bits`,
        of 64, the hashes of their two most similar frames differ.

    Source: N. Krawetz, "Kind of like that", 2013: is each of 8 x 8 pixels brighter than its left neighbour?
    """
    cache = FrameCache(videos, num_frames=NUM_FRAMES, size=(8, 9), progress=progress).fill()
    grey = np.array([cache[row].mean(3) for row in range(len(videos))], np.float32).reshape(-1, 8, 9)
    kept = np.flatnonzero(grey.std((1, 2)) >= MIN_CONTRAST)  # of V * 8 frames
    brighter = (grey[kept, :, 1:] > grey[kept, :, :-1]).reshape(len(kept), 64)
    hashes, video = np.packbits(brighter, axis=1).view(np.uint64)[:, 0], kept // NUM_FRAMES
    found = [np.empty((0, 3), np.int64)]
    for start in range(0, len(hashes), BLOCK):
        bits = np.bitwise_count(hashes[start : start + BLOCK, None] ^ hashes[None, start:])
        one, other = np.nonzero(bits <= MAX_BITS)
        found.append(np.stack([video[start + one], video[start + other], bits[one, other]], axis=1))
    pairs = pd.DataFrame(np.concatenate(found), columns=["first", "second", "bits"])
    pairs = pairs[pairs["first"] < pairs["second"]].sort_values(["bits", "first", "second"])
    return pairs.drop_duplicates(["first", "second"], ignore_index=True)
