"""Video files -> frames, and frames -> video files.

metadata   how long, how fast, how large a file is
reader     clips by frame number
sampling   which frames of a video make a clip
streaming  any video, frame by frame at a steady rate
writer     MP4 for the browser, XviD for tests
"""

from actlib.video.metadata import VideoError, VideoInfo, probe_video
from actlib.video.reader import read_clip, read_frames
from actlib.video.sampling import (
    RANDOM_SAMPLING,
    SAMPLING,
    make_sampler,
    sample_consecutive,
    sample_segments,
    sample_strided,
    sample_uniform,
    sample_windows,
)
from actlib.video.streaming import LIMITS, Limits, VideoStream, open_video, save_upload, stream_frames
from actlib.video.writer import browser_copy, content_key, write_video
