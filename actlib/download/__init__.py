"""Getting UCF-101, its official lists and ImageNet's VGG-16: checked, resumed, and never half taken for whole."""

from actlib.download.disk import DownloadError
from actlib.download.fetching import fetch, fetch_lists, fetch_ucf101
from actlib.download.pretrained import fetch_vgg16

__all__ = ["DownloadError", "fetch", "fetch_lists", "fetch_ucf101", "fetch_vgg16"]
