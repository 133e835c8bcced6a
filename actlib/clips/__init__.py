"""A video's frames: which ones, how they are read, and how videos are written.

sampling    rules that choose frame numbers and never open a file
reading     a video file -> the chosen frames, at the size asked for
copies      frames -> a video file; H.264 copies for the browser
"""

from actlib.clips.copies import browser_copy, content_key, write_video
from actlib.clips.reading import read_clip, read_frames
from actlib.clips.sampling import (
    RANDOM_RULES,
    RULES,
    draw_clips,
    sample_consecutive,
    sample_evenly,
    sample_segments,
    slide_windows,
)

__all__ = [
    "RANDOM_RULES",
    "RULES",
    "browser_copy",
    "content_key",
    "draw_clips",
    "read_clip",
    "read_frames",
    "sample_consecutive",
    "sample_evenly",
    "sample_segments",
    "slide_windows",
    "write_video",
]
