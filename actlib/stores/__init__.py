"""What is decoded or convolved once is kept on disk, memory-mapped: one .npy a video, keyed by all that it depends on.

Its folder is named by what is done (frames and size; network and weights), the file by the content and length of its
video. So a changed video, spec or weight is another file; a killed job goes on where it was; two jobs share the work.

frames      decoded frames of each video
features    what a network's convolutions make of them
shelves     one array a video: made by threads that read ahead, shared with other processes
keeping     a file that is either whole or not there, and claims on work
"""

from actlib.stores.features import FeatureStore
from actlib.stores.frames import FrameStore

__all__ = ["FeatureStore", "FrameStore"]
