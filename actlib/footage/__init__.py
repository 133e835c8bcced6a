"""Any video that a reader brings: looked into before it is used, then streamed upright at a steady rate.

decoding    the awkward parts: local files only, broken packets, uneven times, alpha, turns
opening     limits, what a video is, its frames one at a time, uploads
"""

from actlib.footage.opening import LIMITS, Footage, Limits, open_footage, save_upload, stream_frames

__all__ = ["LIMITS", "Footage", "Limits", "open_footage", "save_upload", "stream_frames"]
