"""The sample set: drawn people and places, from a point in metres to a folder like UCF-101.

canvas       shapes seen through a camera
people       looks and poses
scenes       places
activities   what happens: one moment of each activity
rendering    who does it where, how fast and which way, and who or what comes between
dataset      the folder, with lists and groups as UCF-101 has them
"""

from actlib.sample.dataset import data_folder, is_sample, write_sample
from actlib.sample.rendering import SAMPLE_CLASSES, SIMILAR_CLASSES
