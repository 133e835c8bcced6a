"""The sample set's pictures, from a point in metres to the frames of a video.

canvas       shapes seen through a camera
people       looks and poses
scenes       places
activities   what happens: one moment of each activity
rendering    who does it where and how fast, and the order of the frames
"""

from actlib.drawing.canvas import HEIGHT, WIDTH
from actlib.drawing.rendering import DIFFERENT_CLASSES, SAMPLE_CLASSES, SIMILAR_CLASSES, order_frames, render_video

__all__ = [
    "DIFFERENT_CLASSES",
    "HEIGHT",
    "SAMPLE_CLASSES",
    "SIMILAR_CLASSES",
    "WIDTH",
    "order_frames",
    "render_video",
]
