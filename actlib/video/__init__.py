"""Video files -> frames, and frames -> video files.

reader     the one way to open a file and to make arrays of its frames; clips by frame number
metadata   how long, how fast, how large a file is; an index of many
sampling   which frames of a video make a clip
streaming  any video, frame by frame at a steady rate
flow       optical flow as pictures that a network takes for frames
writer     MP4 for the browser, XviD as UCF-101's
"""

from actlib.video.flow import read_flow, stream_flow
from actlib.video.metadata import probe_files, probe_video
from actlib.video.reader import FPS_RANGE, VideoError, read_clip, read_frames
from actlib.video.sampling import SAMPLING, make_sampler, sample_strided, sample_uniform, sample_windows
from actlib.video.streaming import LIMITS, Limits, open_video, save_upload, stream_frames
from actlib.video.writer import browser_copy, write_video
