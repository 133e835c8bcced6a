"""The laws of the library's structure, read from its syntax trees; needs neither framework."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tools import house

ROOT = Path(__file__).resolve().parent.parent
LIBRARY = ROOT / "actlib"
LEVEL = {name: level for level, name in enumerate(sum(house.ROOMS, []))}  # a module imports only what stands before it
FRAMEWORKS = {"keras": {"keras"}, "torch": {"torch"}}
ALL_FRAMEWORKS = {"keras", "torch", "tensorflow", "jax"}
MODULES = sorted(LIBRARY.rglob("*.py"))
SCRIPTS = sorted([*ROOT.glob("benchmarks/*.py"), *ROOT.glob("tools/*.py")])


def part_of(path):
    """The name that stands for a file in the map: its module, or the package it belongs to."""
    return path.relative_to(LIBRARY).parts[0].removesuffix(".py")


def imports_of(path):
    """(module, name) pairs of every import in a file, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = ("actlib", *path.relative_to(LIBRARY).parts[:-1])
            start = package[: len(package) + 1 - node.level] if node.level else ()  # one dot: the file's own package
            module = ".".join(filter(None, (*start, node.module)))
            yield from ((module, alias.name) for alias in node.names)


def parts_imported(path):
    """Names in the map that a file imports."""
    for module, name in imports_of(path):
        words = module.split(".")
        if words[0] == "actlib":
            yield words[1] if len(words) > 1 else name


def test_every_module_has_its_place():
    assert {part_of(path) for path in MODULES} - {"__init__"} <= set(LEVEL)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(LIBRARY)))
def test_imports_go_one_way(path):
    part = part_of(path)
    for imported in parts_imported(path):
        assert imported == part or LEVEL[imported] < LEVEL[part], (
            f"{path.name} imports {imported}, which stands after it"
        )


def test_relative_imports_are_seen(monkeypatch):
    monkeypatch.setattr(Path, "read_text", lambda path: "from ..plots import style\nfrom . import reader\n")
    assert list(parts_imported(LIBRARY / "video" / "new.py")) == ["plots", "video"]


def names_bound(path):
    """Every name that a file defines, assigns or imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, ast.alias):
            yield node.asname or node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_scripts_import_is_there(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module.split(".")[0] == "actlib":
            place = ROOT.joinpath(*node.module.split("."))
            modules = {each.stem for each in place.glob("*")}
            known = {*names_bound(place / "__init__.py" if place.is_dir() else place.with_suffix(".py")), *modules}
            assert {alias.name for alias in node.names} <= known, f"{node.module} has not all that is imported from it"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(LIBRARY)))
def test_a_framework_is_imported_only_in_its_own_half(path):
    used = {module.split(".")[0] for module, _ in imports_of(path)} & ALL_FRAMEWORKS
    assert used <= FRAMEWORKS.get(part_of(path), set())
    if part_of(path) == "keras" and path.name not in ("distributed.py", "precision.py"):  # Keras has no words for these
        assert "torch" not in parts_imported(path)


def test_importing_the_library_loads_no_framework():
    modules = ", ".join(f"actlib.{name}" for name in LEVEL if name not in ("keras", "torch", "__main__"))
    code = f"import sys, {modules}; print(sorted(set(sys.modules) & {ALL_FRAMEWORKS!r}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# keras/__init__.py sets what Keras and TensorFlow read; the others are still to ask actlib.paths.
READ_ENVIRONMENT = {
    "paths.py",
    "keras/__init__.py",
}


def test_the_environment_is_read_in_one_place():
    readers = {
        str(path.relative_to(LIBRARY))
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
        and node.attr in ("environ", "getenv")
        or isinstance(node, ast.alias)
        and node.name in ("environ", "getenv")
    }
    assert readers == READ_ENVIRONMENT  # take out of the list what no longer reads it


def test_modules_that_one_system_lacks_are_imported_only_where_they_are_used():
    for path in MODULES:
        for node in ast.parse(path.read_text()).body:
            names = {alias.name for alias in getattr(node, "names", [])} | {getattr(node, "module", None)}
            assert not names & {"resource", "fcntl", "pwd", "termios", "msvcrt", "winreg"}, (
                f"{path.name} needs one system"
            )


def test_no_drawers_for_odds_and_ends():
    names = {path.name for path in MODULES}
    assert not names & {"utils.py", "helpers.py", "common.py", "base.py"}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(LIBRARY)))
def test_no_star_imports_and_a_docstring(path):
    assert all(name != "*" for _, name in imports_of(path))
    assert ast.get_docstring(ast.parse(path.read_text()))


def test_what_is_public_is_documented():
    bare = [
        f"{path.name}:{node.name}"
        for path in MODULES
        for node in ast.parse(path.read_text()).body
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_")
        if not ast.get_docstring(node)
    ]
    assert not bare
