"""Sampling rules: which frames of a video make a clip. A rule chooses frame numbers and never opens a file."""

import numpy as np


def sample_evenly(num_video_frames, num_frames):
    """Choose the middle frames of T equal parts of a video; a video shorter than T repeats frames.

    Args:
        num_video_frames: F, at least 1.
        num_frames: T.

    Returns:
        int64 (T,), in rising order, each in 0..F-1.

    Raises:
        ValueError: F or T is below 1.

    Example:
        >>> sample_evenly(100, 4)
        array([12, 37, 62, 87])
        >>> sample_evenly(2, 4)
        array([0, 0, 1, 1])
    """
    _check_counts(num_video_frames, num_frames)
    return (2 * np.arange(num_frames) + 1) * num_video_frames // (2 * num_frames)


def sample_segments(num_video_frames, num_frames, *, rng):
    """Choose one random frame in each of T equal parts of a video; a video shorter than T repeats frames.

    Args:
        num_video_frames: F, at least 1.
        num_frames: T.
        rng: NumPy random generator.

    Returns:
        int64 (T,), in rising order, each in 0..F-1.

    Raises:
        ValueError: F or T is below 1.

    Source:
        Wang et al., Temporal Segment Networks, arXiv 1608.00859, section 3.1.

    Example:
        >>> sample_segments(100, 4, rng=np.random.default_rng(0)) // 25
        array([0, 1, 2, 3])
    """
    _check_counts(num_video_frames, num_frames)
    moments = (np.arange(num_frames) + rng.random(num_frames)) / num_frames  # of the video's length
    return np.minimum((moments * num_video_frames).astype(np.int64), num_video_frames - 1)


def sample_consecutive(num_video_frames, num_frames, *, rng, stride=1):
    """Choose T frames in a row from a random start; a video that is too short holds its last frame.

    Args:
        num_video_frames: F, at least 1.
        num_frames: T.
        rng: NumPy random generator.
        stride: distance between neighbours, in frames.

    Returns:
        int64 (T,), in rising order, each in 0..F-1.

    Raises:
        ValueError: F, T or the stride is below 1.

    Source:
        Donahue et al., arXiv 1411.4389, section 4 (16 frames in a row).

    Example:
        >>> sample_consecutive(3, 5, rng=np.random.default_rng(0))
        array([0, 1, 2, 2, 2])
    """
    _check_counts(num_video_frames, num_frames, stride)
    num_starts = max(1, num_video_frames - (num_frames - 1) * stride)
    return np.minimum(rng.integers(num_starts) + np.arange(num_frames) * stride, num_video_frames - 1)


def slide_windows(num_video_frames, num_frames=16, *, stride=8):
    """Choose windows of T frames in a row, the last one ending at the last frame; a short video holds its last frame.

    Args:
        num_video_frames: F, at least 1.
        num_frames: T.
        stride: distance between the starts of windows, in frames.

    Returns:
        int64 (M, T): M windows, at least one.

    Raises:
        ValueError: F, T or the stride is below 1.

    Source:
        Donahue et al., arXiv 1411.4389, section 4 (16-frame clips with a stride of 8).

    Example:
        >>> slide_windows(20, 16, stride=8)[:, [0, -1]]
        array([[ 0, 15],
               [ 4, 19]])
    """
    _check_counts(num_video_frames, num_frames, stride)
    last_start = max(0, num_video_frames - num_frames)
    starts = np.append(np.arange(0, last_start, stride), last_start)  # (M,)
    return np.minimum(starts[:, None] + np.arange(num_frames), num_video_frames - 1)


def draw_clips(name, num_video_frames, num_frames, *, rng=None, stride=None):
    """Apply a sampling rule by its name, all alike.

    Args:
        name: one of RULES: "evenly", "segments", "consecutive" or "windows".
        num_video_frames: F, at least 1.
        num_frames: T.
        rng: NumPy random generator, for the rules that are random ("segments", "consecutive").
        stride: for "consecutive" (1 if None) and "windows" (8 if None), in frames.

    Returns:
        int64 (M, T): one clip, or the windows.

    Raises:
        ValueError: the name is unknown, or F or T is below 1.

    Example:
        >>> draw_clips("windows", 4, 2, stride=2)
        array([[0, 1],
               [2, 3]])
    """
    if name not in RULES:
        raise ValueError(f"Expected one of the rules {', '.join(RULES)}. Received: {name!r}. Choose one of them.")
    options = {"rng": rng} if name in RANDOM_RULES else {}
    if stride is not None:
        options["stride"] = stride
    return RULES[name](num_video_frames, num_frames, **options).reshape(-1, num_frames)


RULES = {
    "evenly": sample_evenly,
    "segments": sample_segments,
    "consecutive": sample_consecutive,
    "windows": slide_windows,
}
RANDOM_RULES = ("segments", "consecutive")  # these take rng


def _check_counts(num_video_frames, num_frames, stride=1):
    for name, count in (("num_video_frames", num_video_frames), ("num_frames", num_frames), ("stride", stride)):
        if count < 1:
            raise ValueError(f"Expected {name} of at least 1. Received: {count}. Leave the video out or ask for more.")
