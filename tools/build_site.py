"""Build the site: the lessons as they are in notebooks/, results, library reference; a page, and widgets that play.

python -m tools.build_site                    into runs/site/html; pip install '.[site]' first
python -m tools.build_site --external         also ask every address that the pages link to

Nothing is executed for the pages. For the widgets, lessons run up to them on the sample set (tools/dump_widgets.py).
To look at it: python -m http.server --bind 127.0.0.1 --directory runs/site/html
"""

import argparse
import base64
import copy
import html
import io
import os
import pkgutil
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
from PIL import Image

import actlib
from tools.dump_widgets import dump_lessons
from tools.tour import ROOT, list_lessons

SITE = ROOT / "tools" / "site"
PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs", "assets", "data/README.md", "pretrained/README.md")
EXPLORER = ("07_how_good_is_it", "ConfusionExplorer")  # on the first page
MAX_MEGABYTES = 60
CARD = (480, 320)  # pixels of a lesson's picture on the first page
REPOSITORY = "GITHUB_REPOSITORY"  # variable with "owner/name"; GitHub sets it; without it there are no Colab badges
BRANCH = "gh-pages"  # of the repository, where the site lies, and so the copies of the lessons for Colab
BADGE = '<a class="colab" href="https://colab.research.google.com/github/{}/blob/{}/colab/{}">Open in Colab</a>'
INSTALL = """# On Colab: fetch the kit and install it, once. Elsewhere this does nothing.
import importlib.util, subprocess, sys

if importlib.util.find_spec("actlib") is None:
    subprocess.run(["git", "clone", "-q", "--depth", "1", "ADDRESS", "actlib"], check=True)
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", "-e", "actlib"], check=True)
    sys.path.insert(0, "actlib")"""


def write_colab(notebook, path, repository):
    """Write a lesson's copy for Colab: without outputs, and with a first cell that installs the kit where it is not."""
    notebook = copy.deepcopy(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    install = INSTALL.replace("ADDRESS", f"https://github.com/{repository}")
    notebook.cells.insert(1, nbformat.v4.new_code_cell(install))
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)


def stage_notebook(path, target, live, site):
    """Copy a lesson; fold what is folded in JupyterLab, put live widgets around their stills, and a badge on top."""
    notebook = nbformat.read(path, as_version=4)
    if repository := os.environ.get(REPOSITORY):
        write_colab(notebook, site / "colab" / path.name, repository)
        title, _, rest = notebook.cells[0].source.partition("\n")
        notebook.cells[0].source = f"{title}\n\n{BADGE.format(repository, BRANCH, path.name)}\n{rest}"
    for index, cell in enumerate(notebook.cells):
        if cell.metadata.get("jupyter", {}).get("source_hidden"):
            cell.metadata.setdefault("tags", []).append("hide-input")
        for data in (output.get("data", {}) for output in cell.get("outputs", ())):
            if index in live and "image/png" in data:
                data["text/html"] = host_widget(live[index], data.pop("image/png"))
            if "text/markdown" in data:  # links to what the lesson wrote where it ran lead nowhere
                data["text/markdown"] = re.sub(r"\[(.*?)\]\(\.\./runs/.*?\)", r"\1", data["text/markdown"])
    nbformat.write(notebook, target)


def host_widget(name, png, alt="A widget that plays here"):
    """Write the element that tools/site/widgets.js fills, around a still."""
    still = f'<img alt="{html.escape(alt)}" src="data:image/png;base64,{png.strip()}">'
    return f'<div class="actlib-live" data-widget="{name}">{still}</div>'


def stage_pages(source, site, live):
    """Gather all pages in a folder laid out as the project is, so that links between them hold."""
    for name in PAGES:
        target = source / name
        target.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, target)
    readme = source / "README.md"
    readme.write_text(readme.read_text().replace("](actlib/__init__.py)", "](api/index.md)"))
    (source / "notebooks").mkdir()
    for path in list_lessons():
        stage_notebook(path, source / "notebooks" / path.name, live.get(path.stem, {}), site)
    shutil.copytree(SITE, source / "_static", ignore=shutil.ignore_patterns("*.py", "*.md", "__pycache__"))
    write_index(source, live)
    write_reference(source / "api")


def write_index(source, live):
    """Fill the first page: the explorer, and a card for each lesson."""
    stem, kind = EXPLORER
    explorer = next((name for name in live.get(stem, {}).values() if kind in name), "")
    png = base64.b64encode((ROOT / "assets" / "explorer.png").read_bytes()).decode()
    cards = "\n".join(make_card(path, source / "_static") for path in list_lessons())
    text = (SITE / "index.md").read_text().replace("LIVE_EXPLORER", host_widget(explorer, png, "Confusion explorer"))
    (source / "index.md").write_text(text.replace("LESSON_CARDS", f'<div class="cards">\n{cards}\n</div>'))


def make_card(path, static):
    """Write a lesson's card: its title, its question, and the widest of its pictures."""
    cells = nbformat.read(path, as_version=4).cells
    title = re.match(r"# (.*)", cells[0].source)[1]
    question = re.search(r"\*\*(.*?)\*\*", cells[0].source)[1]
    outputs = [output.get("data", {}) for cell in cells for output in cell.get("outputs", ())]
    pictures = [data["image/png"] for data in outputs if "image/png" in data]
    with Image.open(io.BytesIO(base64.b64decode(pictures[0]))) as picture:
        small = picture.convert("RGB")
    small.thumbnail((CARD[0], 10 * CARD[1]))
    small.crop((0, 0, small.width, min(small.height, CARD[1]))).save(static / f"{path.stem}.png", optimize=True)
    picture = f'<img alt="" loading="lazy" src="_static/{path.stem}.png">'
    words = f"<strong>{html.escape(title)}</strong><span>{html.escape(question)}</span>"
    return f'<a href="notebooks/{path.stem}.html">{picture}{words}</a>'


def list_rooms():
    """List the library's parts in the order of its map, each with its modules: [(name, [module])]."""
    rooms = []
    for name, mark in re.findall(r"^    (\w+)(\.py|/) ", actlib.__doc__, re.MULTILINE):
        package = ROOT / "actlib" / name
        modules = sorted(each.name for each in pkgutil.iter_modules([str(package)])) if mark == "/" else []
        rooms.append((name, [f"actlib.{name}", *(f"actlib.{name}.{each}" for each in modules)]))
    return rooms


def write_reference(folder):
    """Write a page for each part of the library, and the map before them."""
    folder.mkdir()
    names = [name for name, _ in list_rooms()]
    for name, modules in list_rooms():
        parts = "\n\n".join(f"## {each}\n\n```{{eval-rst}}\n.. automodule:: {each}\n```" for each in modules)
        (folder / f"{name}.md").write_text(f"# {name}\n\n{parts}\n")
    about = "# The library\n\n```{eval-rst}\n.. automodule:: actlib\n```\n\n"
    (folder / "index.md").write_text(about + "```{toctree}\n:hidden:\n\n" + "\n".join(names) + "\n```\n")


class Links(HTMLParser):
    """The addresses that a page links to, those that it loads, and the names in it that can be linked to."""

    def __init__(self, text):
        super().__init__()
        self.links, self.loaded, self.names = set(), set(), set()
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        """Note the addresses of an element."""
        found = dict(attributes)
        self.names |= {found[key] for key in ("id", "name") if found.get(key)}
        if tag == "a" and found.get("href"):
            self.links.add(found["href"])
        loading = tag != "a" and found.get("rel") not in ("canonical", "prev", "next", "index", "search")
        self.loaded |= {found[key] for key in ("src", "href") if loading and found.get(key)}


def check_links(folder):
    """Find what the pages of a folder link to or load and is not there, or comes from elsewhere: a line each."""
    pages = {path.resolve(): Links(path.read_text(encoding="utf-8")) for path in Path(folder).rglob("*.html")}
    problems = []
    for page, found in pages.items():
        for address in sorted(found.links | found.loaded):
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                if address in found.loaded and parts.scheme != "data":
                    problems.append(f"{page.name} loads {address}")
                continue
            target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            if not target.exists():
                problems.append(f"{page.name} links to {address}, which is not there")
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].names:
                problems.append(f"{page.name} links to {address}, where nothing has that name")
    return problems


def build_site(out, *, external=False, lessons=None):
    """Build the site into a folder; return its size in MB.

    Args:
        out: folder; html/ in it is the site.
        external: also ask the addresses that pages link to.
        lessons: beginnings of the lessons' names whose widgets are to play, or None for all that can.

    Raises:
        RuntimeError: Sphinx warns, a link leads nowhere, or the site is too large.
    """
    source, site = out / "source", out / "html"
    for folder in (source, site):
        shutil.rmtree(folder, ignore_errors=True)
    live = dump_lessons(site / "widgets", *([lessons] if lessons else []))
    stage_pages(source, site, live)
    command = [sys.executable, "-m", "sphinx", "--quiet", "--fail-on-warning", "--keep-going", "-c", str(SITE)]
    command += ["-D", f"html_static_path={source / '_static'}"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TQDM_DISABLE": "1"}
    for builder, folder in (("html", site), ("linkcheck", out / "external"))[: 1 + external]:
        where = ["-b", builder, "-d", str(out / "doctrees"), str(source), str(folder)]
        if subprocess.run(command + where, env=environment).returncode:
            raise RuntimeError(f"Sphinx found the above ({builder}).")
    if problems := check_links(site):
        raise RuntimeError("\n".join(problems))
    size = sum(path.stat().st_size for path in site.rglob("*") if path.is_file()) / 1e6
    if size > MAX_MEGABYTES:
        raise RuntimeError(f"Expected a site of at most {MAX_MEGABYTES} MB. Received: {size:.0f} MB.")
    return size


def main():
    """Build from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "site", help="folder; html/ in it is the site")
    parser.add_argument("--external", action="store_true", help="ask the addresses of other sites, too")
    chosen = parser.parse_args()
    try:
        size = build_site(chosen.out, external=chosen.external)
    except RuntimeError as error:
        sys.exit(str(error))
    print(f"{size:.1f} MB in {chosen.out / 'html'}")


if __name__ == "__main__":
    main()
