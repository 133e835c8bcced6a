"""Which frames of a video make a clip: `rule(F, rng)` gives int64 (T,) or (M, T) for a video of F frames."""

from functools import partial

from actlib.clips import draw_clips


def every(num_frames):
    """Make the rule that takes T evenly spaced frames of each video: one clip, always the same.

    Args:
        num_frames: T.

    Returns:
        Rule for `ClipBatches`.

    Example:
        >>> every(3)(9, None)
        array([[1, 4, 7]])
    """
    return partial(_draw, "evenly", num_frames, None)


def random_clip(num_frames):
    """Make the rule that takes one random frame of each of T equal parts: one clip, another in each epoch.

    Args:
        num_frames: T.

    Returns:
        Rule for `ClipBatches`.

    Example:
        >>> import numpy as np
        >>> random_clip(3)(9, np.random.default_rng(0)) // 3
        array([[0, 1, 2]])
    """
    return partial(_draw, "segments", num_frames, None)


def consecutive(num_frames, *, stride=1):
    """Make the rule that takes T frames in a row from a random start: one clip, another in each epoch.

    Args:
        num_frames: T.
        stride: distance between neighbours, in frames.

    Returns:
        Rule for `ClipBatches`.

    Example:
        >>> import numpy as np
        >>> np.diff(consecutive(3, stride=2)(9, np.random.default_rng(0)))
        array([[2, 2]])
    """
    return partial(_draw, "consecutive", num_frames, stride)


def windows(num_frames, stride):
    """Make the rule that takes all windows of T frames in a row, the last one ending at the last frame.

    Args:
        num_frames: T.
        stride: distance between the starts of windows, in frames.

    Returns:
        Rule for `ClipBatches`.

    Example:
        >>> windows(4, 2)(9, None)[:, 0]
        array([0, 2, 4, 5])
    """
    return partial(_draw, "windows", num_frames, stride)


def _draw(name, num_frames, stride, num_video_frames, rng):
    return draw_clips(name, num_video_frames, num_frames, rng=rng, stride=stride)
