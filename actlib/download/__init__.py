"""UCF-101, its official lists and ImageNet's VGG-16: fetched, resumed, checked, and never half taken for whole.

=============== ==============================================================================================
`ucf101`        UCF-101 by class, its lists, a check of what is on disk
`pretrained`    ImageNet's VGG-16 from Keras' file, with the preprocessing it wants
`sources`       addresses, checksums, locks
`transfer`      one file over HTTP: whole, or gone on with
`archives`      ZIP, TAR, RAR, folder, here or (ZIP) on a server in parts
=============== ==============================================================================================
"""

from actlib.download.pretrained import fetch_vgg16
from actlib.download.transfer import DownloadError
from actlib.download.ucf101 import fetch_lists, fetch_ucf101
