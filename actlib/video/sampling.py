"""Which frames of a video make a clip. A sampling rule chooses frame numbers and never opens a file.

Every rule gives int64 numbers in 0..F-1 that never fall within a clip, and raises ValueError where F, the frames of the
video, T, those of a clip, or the stride is below 1. Random rules draw from a NumPy generator.
"""

from functools import partial

import numpy as np

from actlib.schema import check_choice


def sample_uniform(num_video_frames, num_frames):
    """Choose the middle frames of T equal parts of a video: (T,); a video shorter than T repeats frames.

    Args:
        num_video_frames, num_frames: int F and T.

    Example:
        >>> sample_uniform(100, 4)
        array([12, 37, 62, 87])
    """
    _check_counts(num_video_frames, num_frames)
    return (2 * np.arange(num_frames) + 1) * num_video_frames // (2 * num_frames)


def sample_segments(num_video_frames, num_frames, *, rng):
    """Choose one random frame in each of T equal parts of a video: (T,); a video shorter than T repeats frames.

    Args:
        num_video_frames, num_frames, rng: int F and T; NumPy random generator.

    Source: Wang et al., Temporal Segment Networks, arXiv 1608.00859, section 3.1.
    """
    _check_counts(num_video_frames, num_frames)
    moments = (np.arange(num_frames) + rng.random(num_frames)) / num_frames  # of the video's length
    return np.minimum((moments * num_video_frames).astype(np.int64), num_video_frames - 1)


def sample_consecutive(num_video_frames, num_frames, *, rng, stride=1):
    """Choose T frames in a row (each a stride apart) from a random start: (T,); a short video holds its last frame.

    Args:
        num_video_frames, num_frames, rng, stride: int F, T; NumPy random generator; frames from one to the next.

    Source: Donahue et al., arXiv 1411.4389, section 4 (16 frames in a row).

    Example:
        >>> sample_consecutive(3, 5, rng=np.random.default_rng(0))
        array([0, 1, 2, 2, 2])
    """
    _check_counts(num_video_frames, num_frames, stride)
    num_starts = max(1, num_video_frames - (num_frames - 1) * stride)
    return np.minimum(rng.integers(num_starts) + np.arange(num_frames) * stride, num_video_frames - 1)


def sample_windows(num_video_frames, num_frames=16, *, stride=8):
    """Slide a window of T frames, a stride at a time, up to the last frame, which a short video holds: (M, T).

    Args:
        num_video_frames, num_frames, stride: int F, T, and frames from one window to the next.

    Source: Donahue et al., arXiv 1411.4389, section 4 (16-frame clips with a stride of 8).

    Example:
        >>> sample_windows(20, 16, stride=8)[:, [0, -1]]
        array([[ 0, 15],
               [ 4, 19]])
    """
    _check_counts(num_video_frames, num_frames, stride)
    last_start = max(0, num_video_frames - num_frames)
    starts = np.append(np.arange(0, last_start, stride), last_start)  # (M,)
    return np.minimum(starts[:, None] + np.arange(num_frames), num_video_frames - 1)


def sample_strided(num_video_frames, num_frames):
    """Divide frames among M = F // T clips, every M-th to the same one, a rest left out: (M, T); too few make one clip.

    Args:
        num_video_frames, num_frames: int F and T.

    Example:
        >>> sample_strided(6, 3)
        array([[0, 2, 4],
               [1, 3, 5]])
    """
    _check_counts(num_video_frames, num_frames)
    num_clips = num_video_frames // num_frames
    if num_clips == 0:
        return sample_uniform(num_video_frames, num_frames)[None]
    return np.arange(num_clips * num_frames).reshape(num_frames, num_clips).T


SAMPLING = {"uniform": sample_uniform, "segments": sample_segments, "consecutive": sample_consecutive}
SAMPLING |= {"windows": sample_windows, "strided": sample_strided}
RANDOM_SAMPLING = ("segments", "consecutive")  # these take rng


def make_sampler(name, num_frames, *, stride=None):
    """Make a sampling rule by its name: a function (num_video_frames, rng) -> int64 (M, T), one clip or more.

    Args:
        name, num_frames: one of SAMPLING: "uniform", "segments", "consecutive", "windows" or "strided"; int T.
        stride: in frames, for "consecutive" (1 if None) and "windows" (8 if None).

    Example:
        >>> make_sampler("windows", 2, stride=2)(4)
        array([[0, 1],
               [2, 3]])
    """
    check_choice("a sampling rule", name, (*SAMPLING,))
    return partial(_sample, name, num_frames, stride)


def _sample(name, num_frames, stride, num_video_frames, rng=None):
    options = ({"rng": rng} if name in RANDOM_SAMPLING else {}) | ({} if stride is None else {"stride": stride})
    return SAMPLING[name](num_video_frames, num_frames, **options).reshape(-1, num_frames)


def _check_counts(num_video_frames, num_frames, stride=1):
    for name, count in (("num_video_frames", num_video_frames), ("num_frames", num_frames), ("stride", stride)):
        if count < 1:
            raise ValueError(f"Expected {name} of at least 1. Received: {count}. Leave the video out or ask for more.")
