"""The site's parts without Sphinx: dumped widgets have all answers, links are checked, Colab's copies install."""

import json
import subprocess

import nbformat
import numpy as np
import pytest

from actlib.dataset import list_videos
from actlib.video import write_video
from actlib.widgets import ClipBrowser, ClipPlayer, SamplingExplorer
from tools import build_site, dump_widgets


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """Two short videos of two classes."""
    folder = tmp_path_factory.mktemp("clips")
    for shade, name in enumerate(("Sit", "Stand")):
        frames = [np.full((48, 64, 3), 5 * number + 100 * shade, np.uint8) for number in range(24)]
        write_video(folder / name / f"v_{name}_g01_c01.avi", frames, fps=25, codec="mpeg4")
    return list_videos(folder, progress=False)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ACTLIB_CACHE", str(tmp_path / "cache"))


def dump(folder, widget):
    dump_widgets.Dump(folder).add("it", widget)
    widget.close()
    return json.loads((folder / "it.json").read_text())


def test_a_dumped_browser_has_an_answer_to_all_that_its_view_asks(videos, tmp_path):
    found = dump(tmp_path, ClipBrowser(videos, filters={"search": "a"}))
    kinds = {f"{kind}-{row}" for kind in ("clip", "thumbnail") for row in range(2)} | {"table"}
    assert set(found["replies"]) == kinds
    assert found["state"] == {"selected": "", "filters": {"search": "a"}}
    assert found["replies"]["table"]["content"]["table"]["classes"] == ["Sit", "Stand"]
    assert found["replies"]["clip-1"]["content"]["clip"]["class_name"] == "Stand"
    files = [name for reply in found["replies"].values() for name in reply["files"]]
    assert len(files) == 4 and all((tmp_path / name).stat().st_size > 100 for name in files)
    assert (tmp_path / found["module"]).read_text().rstrip().endswith("export default { render };")


def test_what_two_widgets_show_is_there_once_and_no_path_is(videos, tmp_path):
    first, second = (dump(tmp_path, ClipPlayer(videos.iloc[0])) for _ in range(2))
    assert first == second and set(first["replies"]) == {"clip-0", "clip-0-flow"}
    assert len(list(tmp_path.glob("*.mp4"))) == 2  # the frames, and the frames with their flow
    assert (tmp_path / first["bytes"]["poster"]).read_bytes()[:2] == b"\xff\xd8"
    assert not [path for path in tmp_path.glob("*.json") if str(videos["path"].iloc[0]) in path.read_text()]


@pytest.mark.parametrize("rule, keys", [("uniform", "8//"), ("segments", "8//2"), ("windows", "8/4/")])
def test_a_dumped_sampling_explorer_knows_what_the_kernel_would_compute(videos, rule, keys):
    explorer = SamplingExplorer(videos.iloc[0])
    taken, costs, summary = dump_widgets.sample_all(explorer)[f"{rule}/{keys}"]
    explorer.rule, explorer.num_frames, explorer.stride, explorer.seed = rule, 8, 4, 2
    explorer.stride = 4
    assert (explorer.taken, explorer.costs, explorer.summary) == (taken, costs, summary)
    explorer.close()


PAGE = '<html><body><h1 id="top">x</h1>{}</body></html>'


@pytest.mark.parametrize(
    "element, problem",
    [
        ('<a href="other.html#there">x</a><a href="#top">y</a><a href="https://example.org">z</a>', None),
        ('<a href="gone.html">x</a>', "gone.html, which is not there"),
        ('<a href="other.html#gone">x</a>', "other.html#gone, where nothing has that name"),
        ('<img src="gone.png">', "gone.png, which is not there"),
        ('<script src="https://example.org/x.js"></script>', "loads https://example.org/x.js"),
        ('<link rel="stylesheet" href="//example.org/x.css">', "loads //example.org/x.css"),
    ],
)
def test_links_are_checked(tmp_path, element, problem):
    (tmp_path / "index.html").write_text(PAGE.format(element))
    (tmp_path / "other.html").write_text(PAGE.format('<p id="there"></p>'))
    problems = build_site.check_links(tmp_path)
    assert len(problems) == bool(problem) and (problem or "") in "".join(problems)


def test_a_copy_for_colab_installs_where_the_kit_is_not(tmp_path, monkeypatch):
    monkeypatch.setenv("GITHUB_REPOSITORY", "somebody/actlib")
    path = build_site.list_lessons(["04"])[0]
    build_site.stage_notebook(path, tmp_path / path.name, {}, tmp_path / "site")
    made = nbformat.read(tmp_path / "site" / "colab" / path.name, 4)
    nbformat.validate(made)
    assert not [cell for cell in made.cells if cell.get("outputs")]
    called = []
    monkeypatch.setattr(subprocess, "run", lambda words, check: called.append(words))
    exec(made.cells[1].source, {})
    assert called == []  # it is installed here
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr("sys.path", [])
    exec(made.cells[1].source, {})
    assert "https://github.com/somebody/actlib" in called[0] and called[1][-2:] == ["-e", "actlib"]
    badge = nbformat.read(tmp_path / path.name, 4).cells[0].source.splitlines()[2]
    assert "somebody/actlib/blob/gh-pages/colab/04_vgg16_pytorch.ipynb" in badge


def test_without_an_address_there_is_no_badge(tmp_path, monkeypatch):
    monkeypatch.delenv("GITHUB_REPOSITORY", raising=False)
    path = build_site.list_lessons(["04"])[0]
    build_site.stage_notebook(path, tmp_path / path.name, {}, tmp_path / "site")
    assert "colab" not in (tmp_path / path.name).read_text().lower() and not (tmp_path / "site").exists()


def test_the_reference_has_every_module():
    modules = [module for _, names in build_site.list_rooms() for module in names]
    files = {path.relative_to(build_site.ROOT).with_suffix("") for path in (build_site.ROOT / "actlib").rglob("*.py")}
    assert {name.replace(".", "/").removesuffix("/__init__") for name in modules} == {
        file.as_posix().removesuffix("/__init__") for file in files
    } - {"actlib"}
    assert len(modules) == len(set(modules))
