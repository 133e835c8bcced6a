"""Re-running a cell closes the widgets that its last run made, so that they never pile up in memory."""

import weakref

_opened: dict[str, list] = {}  # cell -> weak references to the widgets made while it ran
_running: list[str] = []  # the cell that runs now, once a run was seen
_watched: "weakref.WeakSet" = weakref.WeakSet()  # shells whose runs are watched


def close_on_rerun(widget):
    """Remember which cell makes a widget; outside of IPython, do nothing.

    Args:
        widget: anything with a `close` method that is made while a cell runs.

    Example:
        >>> close_on_rerun(object())
    """
    shell = watch_runs()
    if shell is not None:
        _opened.setdefault(_running[-1] if _running else _asked_cell(shell), []).append(weakref.ref(widget))


def watch_runs():
    """Start to watch the runs of cells, once a shell.

    Returns:
        The shell that runs, or None outside of IPython.

    Example:
        >>> watch_runs() is None
        True
    """
    try:
        from IPython import get_ipython
    except ImportError:  # pragma: no cover (IPython comes with ipywidgets)
        return None
    shell = get_ipython()
    if shell is not None and shell not in _watched:
        _watched.add(shell)
        shell.events.register("pre_run_cell", _begin_run)
    return shell


def _begin_run(info):
    cell = getattr(info, "cell_id", None) or info.raw_cell
    _running[:] = [cell]
    for reference in _opened.pop(cell, []):
        widget = reference()
        if widget is not None:
            widget.close()


def _asked_cell(shell):
    """The running cell as its front end named it: the run had begun before the watch did."""
    parent = getattr(shell, "get_parent", dict)() or {}
    return parent.get("metadata", {}).get("cellId") or parent.get("content", {}).get("code", "")
