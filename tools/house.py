"""Measure the library: code lines, docstring lines, files, functions and arguments, by room.

    python tools/house.py

A line of code is one that is neither blank, nor a comment, nor part of a docstring. The limits are kept by a test.
"""

import ast
import io
import re
import sys
import tokenize
from collections import Counter
from pathlib import Path

LIBRARY = Path(__file__).resolve().parent.parent / "actlib"
_MAP = ast.get_docstring(ast.parse((LIBRARY / "__init__.py").read_text())).split("\nThe show, ")
ROOMS = [re.findall(r"^    (\w+)(?:\.py|/)", part, re.M) for part in _MAP]  # in the order in which they may import
CORE = {"__init__", *ROOMS[0]} - {"sample"}  # is drawn, not read
LIMITS = {"core": 3842, "all": 6538, "docstrings": 2773, "JS and CSS": 2300}  # lines; may be lowered, never raised
FILE_LINES, FUNCTION_LINES, ARGUMENTS = 250, 40, 7
LAYOUT = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def room_of(path):
    """Name the room a file of the library belongs to: its package, or its own name."""
    return path.relative_to(LIBRARY).parts[0].removesuffix(".py")


def count_lines(text):
    """Count a source's lines of code and of docstrings."""
    docs, code = set(), set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node):
            docs.update(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in LAYOUT:
            code.update(range(token.start[0], token.end[0] + 1))
    return len(code - docs), len(docs)


def count_rooms():
    """Count the lines of code of each room, the docstrings of all, and the front end's lines."""
    rooms, docs = Counter(), 0
    for path in LIBRARY.rglob("*.py"):
        code, docstrings = count_lines(path.read_text())
        rooms[room_of(path)] += code
        docs += docstrings
    front = sum(path.read_text().count("\n") for path in LIBRARY.rglob("*") if path.suffix in (".js", ".css"))
    return rooms, docs, front


def measure():
    """Measure what LIMITS limits: name -> lines."""
    rooms, docs, front = count_rooms()
    core = sum(lines for room, lines in rooms.items() if room in CORE)
    return {"core": core, "all": rooms.total(), "docstrings": docs, "JS and CSS": front}


def list_oversized():
    """List files, functions and argument lists above their limits, a line each."""
    found = []
    for path in sorted(LIBRARY.rglob("*.py")):
        text, name = path.read_text(), path.relative_to(LIBRARY)
        if text.count("\n") > FILE_LINES:
            found.append(f"{name}: {text.count(chr(10))} lines")
        for node in ast.walk(ast.parse(text)):
            if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                continue
            docstring = node.body[0] if ast.get_docstring(node) else None
            lines = node.end_lineno - node.lineno + 1
            lines -= docstring.end_lineno - docstring.lineno + 1 if docstring else 0
            arguments = [a.arg for a in (*node.args.args, *node.args.kwonlyargs) if a.arg not in ("self", "cls")]
            if lines > FUNCTION_LINES:
                found.append(f"{name}:{node.lineno} {node.name}: {lines} lines")
            if len(arguments) > ARGUMENTS:
                found.append(f"{name}:{node.lineno} {node.name}: {len(arguments)} arguments")
    return found


def main():
    """Print the figures; the exit status is 1 if one is above its limit."""
    rooms, figures, oversized = count_rooms()[0], measure(), list_oversized()
    for name, lines in figures.items():
        print(f"{name:12} {lines:5} lines, at most {LIMITS[name]}")
    for room, lines in rooms.most_common():
        print(f"  {room:12} {lines:5}{'  core' if room in CORE else ''}")
    print("\n".join(oversized))
    return 1 if oversized or any(figures[name] > limit for name, limit in LIMITS.items()) else 0


if __name__ == "__main__":
    sys.exit(main())
