"""Running a cell again closes the widgets that its last run made, so that they never pile up in memory."""

import weakref

from IPython import get_ipython

_opened: dict[str, list] = {}  # cell -> weak references to the widgets made while it ran
_running: list[str] = []  # the cell that runs now, once the start of one was seen
_watched: "weakref.WeakSet" = weakref.WeakSet()  # shells that report the start of each cell


def close_on_rerun(widget):
    """Close a widget when the cell that makes it runs again; outside of IPython, do nothing."""
    shell = watch_cells()
    if shell is not None:
        _opened.setdefault(_running[-1] if _running else _first_cell(shell), []).append(weakref.ref(widget))


def watch_cells():
    """Start to watch the cells of the running shell, once, and return it; None outside of IPython."""
    shell = get_ipython()
    if shell is not None and shell not in _watched:
        _watched.add(shell)
        shell.events.register("pre_run_cell", _close_last_run)
    return shell


def _close_last_run(info):
    cell = getattr(info, "cell_id", None) or info.raw_cell
    _running[:] = [cell]
    for reference in _opened.pop(cell, []):
        widget = reference()
        if widget is not None:
            widget.close()


def _first_cell(shell):
    """The running cell as its front end names it: it had begun before the watch did."""
    parent = getattr(shell, "get_parent", dict)() or {}
    return parent.get("metadata", {}).get("cellId") or parent.get("content", {}).get("code", "")
