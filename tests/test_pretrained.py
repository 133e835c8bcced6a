"""ImageNet's VGG-16 from every kind of file, and never with the other family's preprocessing."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from loopback import serve

from actlib import checkpoints
from actlib.download import pretrained
from actlib.download.connection import Patience
from actlib.download.disk import DownloadError
from actlib.download.pretrained import FAMILIES, FIRST_FILTERS, check_vgg16, fetch_vgg16, recognise_family

REAL = os.environ.get("ACTLIB_REAL_DATA")
QUICK = Patience(timeout=2.0, attempts=2, pause=0.01)
CALM = {"patience": QUICK, "progress": False}
SCRIPT = """
import sys
from actlib.download import pretrained
pretrained.URL, pretrained.SIZE, pretrained.CHECKSUM = sys.argv[1], int(sys.argv[2]), sys.argv[3]
print(pretrained.fetch_vgg16(folder=sys.argv[4], progress=False))
"""


def make_weights(values="keras", *, preprocessing="keras"):
    """VGG-16 of zeros, but for a first filter with published values, in the neutral form."""
    weights = {name: np.zeros(shape, np.float32) for name, shape in pretrained._shapes().items()}
    if values:
        red, blue = np.reshape(FIRST_FILTERS[values], (2, 3, 3))
        weights["block1_conv1/kernel"][..., 0] = np.stack([red, (red + blue) / 2, blue], axis=-1)
    weights["preprocess/mean"], weights["preprocess/std"] = np.float32(FAMILIES[preprocessing])
    return weights


def turn(weights):
    """The same with red and blue swapped in the first kernel."""
    return weights | {"block1_conv1/kernel": weights["block1_conv1/kernel"][:, :, ::-1, :]}


def bare(weights):
    """As Keras' own files: BGR, without the preprocessing."""
    return {name: array for name, array in turn(weights).items() if not name.startswith("preprocess")}


def write_h5(path, weights):
    with h5py.File(path, "w") as file:
        for name, array in bare(weights).items():
            layer, kind = name.split("/")
            letter = "W" if kind == "kernel" else "b"
            file.create_dataset(f"{layer}/{layer}_{letter}_1:0", data=array, compression="gzip")
    return path


def write_npz(path, weights):
    np.savez(path, **bare(weights))
    return path


def write_safetensors(path, weights):
    return checkpoints.save_checkpoint(path, weights, {"kind": "convolutions"})


def write_pth(path, weights):
    torch = pytest.importorskip("torch")
    layers = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
    names = [name for name in weights if name.endswith("/kernel")]
    state = {}
    for layer, name in zip(layers, names, strict=True):
        state[f"features.{layer}.weight"] = torch.from_numpy(weights[name].transpose(3, 2, 0, 1).copy())
        state[f"features.{layer}.bias"] = torch.from_numpy(weights[name.replace("kernel", "bias")])
    torch.save(state | {"classifier.0.weight": torch.zeros(3, 3)}, path)
    return path


WRITERS = {"h5": write_h5, "npz": write_npz, "safetensors": write_safetensors}


@pytest.mark.parametrize("kind", WRITERS)
def test_keras_weights_from_a_file(kind, tmp_path):
    weights = make_weights()
    source = WRITERS[kind](tmp_path / f"mine.{kind}", weights)
    path = fetch_vgg16(source=source, folder=tmp_path / "out", **CALM)
    read = checkpoints.read_weights(path)
    assert read.keys() == weights.keys() and all(np.array_equal(read[name], weights[name]) for name in weights)
    card = checkpoints.read_card(path)
    assert (card["family"], card["values"], card["from"]) == ("keras", "published", f"mine.{kind}")
    assert card["weights_key"] == checkpoints.weights_key(weights) and source.exists()
    assert path.with_suffix(".json").is_file()


def test_a_whole_vgg16_loses_its_head(tmp_path):
    np.savez(tmp_path / "whole.npz", **bare(make_weights()), **{"fc1/kernel": np.zeros((4, 4))})
    path = fetch_vgg16(source=tmp_path / "whole.npz", folder=tmp_path, **CALM)
    assert "fc1/kernel" not in checkpoints.read_weights(path)


def test_torchvision_weights_keep_their_own_preprocessing(tmp_path):
    weights = make_weights("torchvision", preprocessing="torchvision")
    path = fetch_vgg16(source=write_pth(tmp_path / "vgg16.pth", weights), folder=tmp_path, **CALM)
    read = checkpoints.read_weights(path)
    np.testing.assert_allclose(read["preprocess/mean"], 255 * np.array([0.485, 0.456, 0.406]), atol=1e-3)
    np.testing.assert_allclose(read["preprocess/std"], 255 * np.array([0.229, 0.224, 0.225]), atol=1e-3)
    np.testing.assert_array_equal(read["block1_conv1/kernel"], weights["block1_conv1/kernel"])
    card = checkpoints.read_card(path)
    assert (card["family"], card["values"]) == ("torchvision", "published")
    np.testing.assert_allclose(checkpoints.spec_from_json(card["spec"]).std, read["preprocess/std"], rtol=1e-6)


def test_preprocessing_reaches_the_model(tmp_path):
    pytest.importorskip("torch")
    from actlib.specs import VGG16
    from actlib.torch.vgg import VGG
    from actlib.torch.weights import set_weights

    weights = make_weights("torchvision", preprocessing="torchvision")
    path = fetch_vgg16(source=write_pth(tmp_path / "vgg16.pth", weights), folder=tmp_path, **CALM)
    model = VGG(VGG16)
    set_weights(model, checkpoints.read_weights(path))
    np.testing.assert_allclose(model.preprocess.std.numpy(), FAMILIES["torchvision"][1])


@pytest.mark.parametrize("swapped", [False, True])
def test_caffe_weights_under_torchvisions_names_get_their_own_preprocessing(tmp_path, swapped):
    weights = make_weights("keras")
    source = write_pth(tmp_path / "vgg16-caffe.pth", turn(weights) if swapped else weights)
    path = fetch_vgg16(source=source, folder=tmp_path, **CALM)
    read = checkpoints.read_weights(path)
    assert checkpoints.read_card(path)["family"] == "keras"
    np.testing.assert_array_equal(read["block1_conv1/kernel"], weights["block1_conv1/kernel"])
    np.testing.assert_allclose(read["preprocess/mean"], FAMILIES["keras"][0])


def test_a_pth_that_would_run_code_is_refused(tmp_path):
    torch = pytest.importorskip("torch")
    torch.save({"features.0.weight": Trap(tmp_path / "sprung")}, tmp_path / "evil.pth")
    with pytest.raises(ValueError, match="nothing that runs code"):
        fetch_vgg16(source=tmp_path / "evil.pth", folder=tmp_path, **CALM)
    assert not (tmp_path / "sprung").exists()


class Trap:
    """Makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (os.mkdir, (str(self.path),))


@pytest.mark.parametrize(
    ("values", "preprocessing", "received"),
    [("torchvision", "keras", "values of torchvision"), ("keras", "torchvision", "values of keras")],
)
def test_values_of_the_other_family_are_refused(tmp_path, values, preprocessing, received):
    source = write_safetensors(tmp_path / "mine.safetensors", make_weights(values, preprocessing=preprocessing))
    with pytest.raises(ValueError, match=received):
        fetch_vgg16(source=source, folder=tmp_path / "out", **CALM)
    assert not list((tmp_path / "out").glob("*.safetensors"))


@pytest.mark.parametrize("kind", ["h5", "npz"])
def test_torchvisions_values_under_keras_names_are_refused(tmp_path, kind):
    with pytest.raises(ValueError, match="values of torchvision"):
        fetch_vgg16(source=WRITERS[kind](tmp_path / f"a.{kind}", make_weights("torchvision")), folder=tmp_path, **CALM)


def test_swapped_colours_are_refused(tmp_path):
    source = write_safetensors(tmp_path / "mine.safetensors", turn(make_weights()))
    with pytest.raises(ValueError, match="keras with red and blue swapped"):
        fetch_vgg16(source=source, folder=tmp_path / "out", **CALM)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"block3_conv2/kernel": np.zeros((3, 3, 128, 256))}, r"block3_conv2/kernel of shape \(3, 3, 256, 256\)"),
        ({"block5_conv3/bias": np.full(512, np.nan)}, "finite"),
        ({"preprocess/std": np.full(3, 64.0)}, "preprocessing of Keras' or torchvision's"),
    ],
)
def test_what_is_not_vgg16_is_refused(tmp_path, change, message):
    source = write_safetensors(tmp_path / "mine.safetensors", make_weights() | change)
    with pytest.raises(ValueError, match=message):
        fetch_vgg16(source=source, folder=tmp_path / "out", **CALM)


def test_something_is_missing():
    weights = make_weights()
    del weights["block4_conv1/bias"]
    with pytest.raises(ValueError, match="block4_conv1/bias.*nothing under that name.*mine.npz"):
        check_vgg16(weights, "mine.npz")


def test_another_network_altogether(tmp_path):
    np.savez(tmp_path / "other.npz", **{"dense/kernel": np.zeros((2, 2))})
    with pytest.raises(ValueError, match="VGG-16's convolutions.*dense/kernel"):
        fetch_vgg16(source=tmp_path / "other.npz", folder=tmp_path, **CALM)


def test_values_nobody_published_are_taken_at_their_word(tmp_path):
    weights = make_weights(None)
    path = fetch_vgg16(source=write_npz(tmp_path / "own.npz", weights), folder=tmp_path, **CALM)
    assert checkpoints.read_card(path)["values"] == "not the published ones"


@pytest.mark.parametrize("name", ["page.h5", "page.npz", "page.safetensors", "page.pth", "page.txt"])
def test_a_web_page_is_no_weights(tmp_path, name):
    (tmp_path / name).write_text("<html>not found</html>")
    with pytest.raises(ValueError, match=name):
        fetch_vgg16(source=tmp_path / name, folder=tmp_path, **CALM)


@pytest.mark.parametrize("name", ["none.h5", "none.pth"])
def test_a_file_that_is_not_there(tmp_path, name):
    with pytest.raises(FileNotFoundError, match=name):
        fetch_vgg16(source=tmp_path / name, folder=tmp_path, **CALM)


def test_the_two_first_filters_cannot_be_taken_for_each_other():
    for family in FIRST_FILTERS:
        weights = make_weights(family)
        assert recognise_family(weights) == family
        assert recognise_family(turn(weights)) == f"{family} with red and blue swapped"
    assert recognise_family(make_weights(None)) is None


@pytest.fixture
def published(tmp_path, monkeypatch):
    """A server with the file under the address that the library knows, with a few drops on the way."""
    content = write_h5(tmp_path / "published.h5", make_weights()).read_bytes()
    with serve() as server:
        url = server.put("/vgg16_notop.h5", content, drops=[20_000, 20_000])
        monkeypatch.delenv("ACTLIB_VGG16_URL", raising=False)
        monkeypatch.setattr(pretrained, "URL", url)
        monkeypatch.setattr(pretrained, "SIZE", len(content))
        monkeypatch.setattr(pretrained, "CHECKSUM", "md5:" + hashlib.md5(content).hexdigest())
        yield server


def test_from_the_server_to_the_file_of_the_library_and_only_once(tmp_path, published):
    path = fetch_vgg16(folder=tmp_path / "out", **CALM)
    assert checkpoints.read_card(path)["from"] == pretrained.URL
    assert sorted(file.name for file in path.parent.glob("[!.]*")) == [
        "vgg16_imagenet.json",
        "vgg16_imagenet.safetensors",
    ]
    asked = len(published.log)
    assert fetch_vgg16(folder=tmp_path / "out", **CALM) == path and len(published.log) == asked


def test_a_wrong_checksum_leaves_nothing(tmp_path, published, monkeypatch):
    monkeypatch.setattr(pretrained, "CHECKSUM", "md5:" + "0" * 32)
    with pytest.raises(DownloadError, match="Expected md5"):
        fetch_vgg16(folder=tmp_path / "out", **CALM)
    assert not list((tmp_path / "out").glob("[!.]*"))


def test_two_at_once(tmp_path, published):
    values = [pretrained.URL, str(pretrained.SIZE), pretrained.CHECKSUM, str(tmp_path / "out")]
    command = [sys.executable, "-c", SCRIPT, *values]
    processes = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    answers = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], answers
    assert check_vgg16(checkpoints.read_weights(tmp_path / "out" / "vgg16_imagenet.safetensors"), "") == "keras"


def test_the_address_can_be_named_in_the_environment(tmp_path, monkeypatch):
    with serve() as server:
        monkeypatch.setenv("ACTLIB_VGG16_URL", server.root + "/elsewhere.h5")
        with pytest.raises(DownloadError, match="elsewhere.h5"):
            fetch_vgg16(folder=tmp_path, **CALM)


@pytest.mark.skipif(not REAL, reason="needs ImageNet's real weights: set ACTLIB_REAL_DATA")
def test_the_real_weights_are_recognised(tmp_path):
    source = Path(REAL) / "weights" / "vgg16_imagenet_notop.npz"
    path = fetch_vgg16(source=source, folder=tmp_path, **CALM)
    weights = checkpoints.read_weights(path)
    assert recognise_family(weights) == "keras" and checkpoints.read_card(path)["values"] == "published"
    assert sum(array.size for name, array in weights.items() if "conv" in name) == 14_714_688
    with np.load(source) as file:
        kernel = file["block1_conv1/kernel"]
    np.testing.assert_array_equal(weights["block1_conv1/kernel"], kernel[:, :, ::-1, :])
