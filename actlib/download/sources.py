"""Where things come from, and how a file, or an address of one, becomes a file on disk that can be used."""

from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from actlib.download.archives import ArchiveError
from actlib.download.transfer import RemoteFile, download
from actlib.files import lock

STORAGE = "https://storage.googleapis.com"
VIDEOS_URL = f"{STORAGE}/thumos14_files/UCF101_videos.zip"
OFFICIAL_URL = "https://www.crcv.ucf.edu/data/UCF101/UCF101.rar"
LISTS_URL = "https://www.crcv.ucf.edu/data/UCF101/UCF101TrainTestSplits-RecognitionTask.zip"
VGG16_URL = f"{STORAGE}/tensorflow/keras-applications/vgg16/vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"
VGG16_HEAD_URL = VGG16_URL.replace("_notop", "")
CHECKSUMS = {  # those of UCF-101 as TensorFlow Datasets records them, VGG-16's as Keras does
    VIDEOS_URL: "sha256:dabf56f573cd19c79e096563529fec8126a2a34e18e10c72eb621dd687532b0d",
    LISTS_URL: "sha256:5c0d1a53b8ed364a2ac830a73f405e51bece7d98ce1254fd19ed4a36b224bd27",
    VGG16_URL: "md5:6d6bbae143d832006294945121d1f1fc",
    VGG16_HEAD_URL: "md5:64373286793e3c8b2b4e3219cbf3544b",
}


def lock_or_wait(path):
    """Return the lock of what is fetched, a context manager, and say so when there is somebody to wait for.

    Args:
        path: what is fetched.
    """
    try:
        with lock(path, timeout=0):
            pass
    except TimeoutError:
        print(f"Another process is fetching {path}; waiting for it.")
    return lock(path)


@contextmanager
def local_file(source, folder, *, most, keep=False):
    """Yield a source's path on disk; a download that proves useless is removed, so that the next try fetches it again.

    Args:
        source: a path, or an address.
        folder: where a download goes.
        most: bytes of a download at most.
        keep: it stays, as more of it will be wanted; of a ZIP on a server that sends parts a RemoteFile is yielded.
    """
    if not str(source).startswith(("http://", "https://")):
        yield Path(source)
        return
    if keep and urlsplit(source).path.lower().endswith(".zip") and (remote := RemoteFile.ask(source)).ranges:
        yield remote
        return
    path = download(source, folder, most=most, checksum=CHECKSUMS.get(source))
    try:
        yield path
    except (ArchiveError, ValueError):
        path.unlink(missing_ok=True)
        raise
    if keep:
        print(f"{path} stays for other classes; delete it if you need the room.")
    else:
        path.unlink()
