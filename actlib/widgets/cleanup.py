"""Running a cell again closes the widgets that its last run made, so that they never pile up in memory."""

import weakref

from IPython import get_ipython

_opened: dict[str, list] = {}  # cell -> weak references to the widgets made while it ran
_watched: "weakref.WeakSet" = weakref.WeakSet()  # shells that report the start of each cell


def close_on_rerun(widget):
    """Close a widget when the cell that makes it runs again; outside of a notebook, do nothing."""
    shell = get_ipython()
    if hasattr(shell, "get_parent"):  # a kernel's
        if shell not in _watched:
            _watched.add(shell)
            shell.events.register("pre_run_cell", _close_last_run)
        _opened.setdefault(_name_cell(shell), []).append(weakref.ref(widget))


def _close_last_run(_info):
    for reference in _opened.pop(_name_cell(get_ipython()), []):
        if (widget := reference()) is not None:
            widget.close()


def _name_cell(shell):
    """The running cell as its front end names it, or its code."""
    parent = shell.get_parent() or {}
    return parent.get("metadata", {}).get("cellId") or parent.get("content", {}).get("code", "")
