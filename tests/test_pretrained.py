"""ImageNet's VGG-16 from every kind of file, and never with the other family's preprocessing."""

import hashlib
import os
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from loopback import serve

from actlib import checkpoints, paths, specs
from actlib.download import pretrained, sources
from actlib.download.pretrained import FAMILIES, FIRST_FILTERS, _check_vgg16, _recognise_family, fetch_vgg16
from actlib.download.transfer import DownloadError

pytestmark = pytest.mark.usefixtures("in_time")

REAL = os.environ.get("ACTLIB_REAL_DATA")


@pytest.fixture
def server(monkeypatch):
    monkeypatch.delenv("ACTLIB_VGG16_URL", raising=False)
    with serve(monkeypatch) as running:
        yield running


def make_weights(values="keras", *, preprocessing="keras"):
    """VGG-16 of zeros, but for a first filter with published values, in the neutral form."""
    weights = {name: np.zeros(shape, np.float32) for name, shape in checkpoints.list_shapes(specs.VGG16).items()}
    if values:
        red, blue = FIRST_FILTERS[values]
        weights["block1_conv1/kernel"][0, :, :, 0] = np.stack([red, np.add(red, blue) / 2, blue], axis=-1)
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


WRITERS = {"h5": write_h5, "npz": write_npz, "safetensors": write_safetensors}


@pytest.mark.parametrize("kind", WRITERS)
def test_keras_weights_from_a_file(kind, tmp_path):
    weights = make_weights()
    source = WRITERS[kind](tmp_path / f"mine.{kind}", weights)
    path = fetch_vgg16(source=source, folder=tmp_path / "out")
    read = checkpoints.read_weights(path)
    assert read.keys() == weights.keys() and all(np.array_equal(read[name], weights[name]) for name in weights)
    card = checkpoints.read_card(path)
    assert (card["family"], card["values"], card["from"]) == ("keras", "published", f"mine.{kind}")
    assert card["weights_key"] == checkpoints.weights_key(weights) and source.exists()
    assert path.with_suffix(".json").is_file()


def test_a_whole_vgg16_loses_its_head(tmp_path):
    np.savez(tmp_path / "whole.npz", **bare(make_weights()), **{"fc1/kernel": np.zeros((4, 4))})
    path = fetch_vgg16(source=tmp_path / "whole.npz", folder=tmp_path)
    assert "fc1/kernel" not in checkpoints.read_weights(path)


def test_torchvision_weights_keep_their_own_preprocessing(tmp_path):
    weights = make_weights("torchvision", preprocessing="torchvision")
    path = fetch_vgg16(source=write_safetensors(tmp_path / "vgg16.safetensors", weights), folder=tmp_path)
    read = checkpoints.read_weights(path)
    np.testing.assert_allclose(read["preprocess/mean"], 255 * np.array([0.485, 0.456, 0.406]), atol=1e-3)
    np.testing.assert_allclose(read["preprocess/std"], 255 * np.array([0.229, 0.224, 0.225]), atol=1e-3)
    np.testing.assert_array_equal(read["block1_conv1/kernel"], weights["block1_conv1/kernel"])
    card = checkpoints.read_card(path)
    assert (card["family"], card["values"]) == ("torchvision", "published")
    np.testing.assert_allclose(card["spec"].std, read["preprocess/std"], rtol=1e-6)


def test_preprocessing_reaches_the_model(tmp_path):
    pytest.importorskip("torch")
    from actlib.specs import VGG16
    from actlib.torch.vgg import VGG
    from actlib.torch.weights import set_weights

    weights = make_weights("torchvision", preprocessing="torchvision")
    path = fetch_vgg16(source=write_safetensors(tmp_path / "vgg16.safetensors", weights), folder=tmp_path)
    model = VGG(VGG16)
    set_weights(model, checkpoints.read_weights(path))
    np.testing.assert_allclose(model.preprocess.std.numpy(), FAMILIES["torchvision"][1])


@pytest.mark.parametrize("kind", ["safetensors", "h5", "npz", "other way"])
def test_values_of_the_other_family_are_refused(tmp_path, kind):
    if kind == "other way":  # Caffe's weights with torchvision's preprocessing
        source = write_safetensors(tmp_path / "a.safetensors", make_weights("keras", preprocessing="torchvision"))
    else:
        source = WRITERS[kind](tmp_path / f"a.{kind}", make_weights("torchvision"))
    with pytest.raises(ValueError, match="values of keras" if kind == "other way" else "values of torchvision"):
        fetch_vgg16(source=source, folder=tmp_path / "out")
    assert not list((tmp_path / "out").glob("*.safetensors"))


def test_swapped_colors_are_refused(tmp_path):
    source = write_safetensors(tmp_path / "mine.safetensors", turn(make_weights()))
    with pytest.raises(ValueError, match="keras with red and blue swapped"):
        fetch_vgg16(source=source, folder=tmp_path / "out")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"block3_conv2/kernel": np.zeros((3, 3, 128, 256))},
            r"block3_conv2/kernel of shape \(3, 3, 256, 256\).*mine.safetensors",
        ),
        (
            {"block5_conv3/bias": np.full(512, np.nan)},
            r"1 with numbers that cannot be computed with \['block5_conv3/bias'\]",
        ),
        ({"preprocess/std": np.full(3, 64.0)}, "preprocessing they were trained with"),
    ],
)
def test_what_is_not_vgg16_is_refused(tmp_path, change, message):
    source = write_safetensors(tmp_path / "mine.safetensors", make_weights() | change)
    with pytest.raises(ValueError, match=message):
        fetch_vgg16(source=source, folder=tmp_path / "out")


def test_something_is_missing():
    weights = make_weights()
    del weights["block4_conv1/bias"]
    with pytest.raises(ValueError, match="1 missing .*block4_conv1/bias.*mine.npz"):
        _check_vgg16(weights, "mine.npz")


def test_another_network_altogether(tmp_path):
    np.savez(tmp_path / "other.npz", **{"dense/kernel": np.zeros((2, 2))})
    with pytest.raises(ValueError, match=r"28 missing .*other\.npz"):
        fetch_vgg16(source=tmp_path / "other.npz", folder=tmp_path)


def test_values_nobody_published_are_taken_at_their_word(tmp_path):
    weights = make_weights(None)
    path = fetch_vgg16(source=write_npz(tmp_path / "own.npz", weights), folder=tmp_path)
    assert checkpoints.read_card(path)["values"] == "not the published ones"


@pytest.mark.parametrize("name", ["page.h5", "page.npz", "page.safetensors", "page.pth", "page.txt"])
def test_a_web_page_is_no_weights(tmp_path, name):
    (tmp_path / name).write_text("<html>not found</html>")
    with pytest.raises(ValueError, match=name):
        fetch_vgg16(source=tmp_path / name, folder=tmp_path)


@pytest.mark.parametrize("name", ["none.h5", "none.npz"])
def test_a_file_that_is_not_there(tmp_path, name):
    with pytest.raises(FileNotFoundError, match=name):
        fetch_vgg16(source=tmp_path / name, folder=tmp_path)


def test_the_two_first_filters_cannot_be_taken_for_each_other():
    for family in FIRST_FILTERS:
        weights = make_weights(family)
        assert _recognise_family(weights) == family
        assert _recognise_family(turn(weights)) == f"{family} with red and blue swapped"
    assert _recognise_family(make_weights(None)) is None


def test_from_the_server_to_the_file_of_the_library_and_only_once(server, tmp_path, monkeypatch):
    content = write_h5(tmp_path / "published.h5", make_weights()).read_bytes()
    url = server.put("/vgg16_notop.h5", content, drops=[20_000, 20_000])
    monkeypatch.setattr(sources, "VGG16_URL", url)
    monkeypatch.setitem(sources.CHECKSUMS, url, "md5:" + hashlib.md5(content[::-1]).hexdigest())
    with pytest.raises(DownloadError, match="Expected md5"):
        fetch_vgg16(folder=tmp_path / "out")
    assert not list((tmp_path / "out").glob("[!.]*[!k]"))
    monkeypatch.setitem(sources.CHECKSUMS, url, "md5:" + hashlib.md5(content).hexdigest())
    path = fetch_vgg16(folder=tmp_path / "out")
    assert checkpoints.read_card(path)["from"] == url
    assert {file.name for file in path.parent.iterdir()} - {path.name + ".lock"} == {path.name, "vgg16_imagenet.json"}
    asked = len(server.log)
    assert fetch_vgg16(folder=tmp_path / "out") == path and len(server.log) == asked
    path.write_bytes(path.read_bytes()[:-1000])  # damaged since
    assert _check_vgg16(checkpoints.read_weights(fetch_vgg16(folder=tmp_path / "out")), path) == "keras"


@pytest.mark.timeout(60)
def test_an_address_with_the_librarys_own_file_name_does_not_wait_for_itself(server, tmp_path):
    content = write_safetensors(tmp_path / "vgg16_imagenet.safetensors", make_weights()).read_bytes()
    url = server.put("/vgg16_imagenet.safetensors", content)
    path = fetch_vgg16(source=url, folder=tmp_path / "out")
    assert checkpoints.read_card(path)["from"] == url


@pytest.mark.parametrize("kind", ["h5", "npz", "safetensors"])
@pytest.mark.parametrize("bad", [b"<html>Please log in</html>", b"", bytes(5000)])
def test_a_bad_download_is_fetched_again_by_the_same_line(server, tmp_path, kind, bad):
    good = WRITERS[kind](tmp_path / f"good.{kind}", make_weights()).read_bytes()
    url = server.put(f"/weights.{kind}", bad)
    with pytest.raises((ValueError, DownloadError), match=rf"weights\.{kind}"):
        fetch_vgg16(source=url, folder=tmp_path / "out")
    server.put(f"/weights.{kind}", good)
    assert fetch_vgg16(source=url, folder=tmp_path / "out").is_file()


def test_the_address_can_be_named_in_the_environment(server, tmp_path, monkeypatch):
    monkeypatch.setenv("ACTLIB_VGG16_URL", server.root + "/elsewhere.h5")
    with pytest.raises(DownloadError, match="elsewhere.h5"):
        fetch_vgg16(folder=tmp_path)


@pytest.mark.skipif(not REAL, reason="needs ImageNet's real weights: set ACTLIB_REAL_DATA")
def test_the_real_weights_are_recognised(tmp_path):
    source = Path(REAL) / "weights" / "vgg16_imagenet_notop.npz"
    path = fetch_vgg16(source=source, folder=tmp_path)
    weights = checkpoints.read_weights(path)
    assert _recognise_family(weights) == "keras" and checkpoints.read_card(path)["values"] == "published"
    assert sum(array.size for name, array in weights.items() if "conv" in name) == 14_714_688
    with np.load(source) as file:
        kernel = file["block1_conv1/kernel"]
    np.testing.assert_array_equal(weights["block1_conv1/kernel"], kernel[:, :, ::-1, :])


@pytest.mark.parametrize("kind", ["h5", "npz"])
def test_fc6_and_fc7_come_along_when_asked_for(kind, tmp_path, monkeypatch):
    small = replace(specs.VGG16, size=32)  # fc6 reads 512 numbers of it, not 25,088
    monkeypatch.setattr(pretrained, "FINETUNE_FRAMES", replace(specs.FINETUNE_FRAMES, vgg=small))
    rng, head = np.random.default_rng(0), {}
    for name, shape in {"fc1": (512, 4096), "fc2": (4096, 4096), "predictions": (4096, 10)}.items():
        head |= {f"{name}/kernel": rng.random(shape, np.float32), f"{name}/bias": rng.random(shape[1], np.float32)}
    source = WRITERS[kind](tmp_path / f"whole.{kind}", make_weights() | head)
    path = fetch_vgg16(source=source, folder=tmp_path, with_head=True)
    read = checkpoints.read_weights(path)
    assert path.name == paths.VGG16_HEAD and not [name for name in read if name.startswith(("fc", "pred", "logits"))]
    assert all(
        np.array_equal(read[f"hidden{n}/{part}"], head[f"fc{n}/{part}"]) for n in (1, 2) for part in ("kernel", "bias")
    )
    spec = checkpoints.read_card(path)["spec"]
    assert (spec.hidden, spec.vgg.mean) == ((4096, 4096), specs.VGG16.mean)
    with pytest.raises(ValueError, match="hidden1/bias"):
        fetch_vgg16(source=WRITERS[kind](tmp_path / f"bare.{kind}", make_weights()), folder=tmp_path, with_head=True)
    bare = checkpoints.read_weights(fetch_vgg16(source=source, folder=tmp_path))
    assert not [name for name in bare if name.startswith("hidden")]
